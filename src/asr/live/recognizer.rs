//! Whisper on segments that grow: partial texts on the way, one final text at the end.

use std::sync::Arc;

use super::SegmentRecognizer;
use super::agreement::Agreement;
use crate::Result;
use crate::asr::chunk::{Chunk, ChunkSource, Decoded, Next};
use crate::asr::engine::Engine;
use crate::asr::language::LanguageTracker;
use crate::asr::languages::has_spaces;
use crate::asr::options::Options;
use crate::asr::session::{Session, Sink};
use crate::asr::tokenizer::Tokenizer;
use crate::asr::transcript::{Segment, Word};
use crate::asr::word_times::{tokens_of, words_of};
use crate::models::encoding::Encoding;
use crate::time::{SampleIndex, Span};
use crate::{Error, vad::SpeechSegment};

/// Samples of a partial's sound beyond which its beginning is left out where its words are stable: 8 s.
const LONG_PARTIAL: u64 = 8 * 16_000;
/// Samples of sound that a partial keeps before its newest words: 2 s.
const KEPT: u64 = 2 * 16_000;

/// Log-mel frames that a final hears at least, silence included: 15 s, since its segment is heard alone.
const LEAST_OF_FINAL: usize = 1500;

/// Recognises the segments of one stream, in their order.
///
/// The final text of a segment depends on its sound and on the languages before it, never on its partials.
pub struct LiveRecognizer {
    finals: Session,
    partials: Session,
    growing: Growing,
    prepared: Option<Prepared>,
    engine: Arc<Engine>,
    encoding: Option<Arc<Encoding>>,
}

/// What was understood of a segment so far.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct PartialText {
    /// What stays until the segment is final.
    pub stable: String,
    /// What may change.
    pub unstable: String,
    /// Language code.
    pub language: String,
}

/// What was understood of a whole segment.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct FinalText {
    /// The text; empty where nothing was understood.
    pub text: String,
    /// Language code; empty where nothing was understood.
    pub language: String,
    /// The words with their times.
    pub words: Vec<Word>,
    /// Mean log-probability of the tokens.
    pub average_logprob: f32,
    /// Temperature that the text was decoded at.
    pub temperature: f32,
}

/// The segment that is growing.
#[derive(Default)]
struct Growing {
    segment: Option<u64>,
    agreement: Agreement,
    /// Where the sound begins that partials still listen to; before it are the first `settled` words.
    anchor: SampleIndex,
    settled: usize,
    /// Tokens of the settled words, and those of the newest partial after them.
    settled_tokens: Vec<u32>,
    tokens: Vec<u32>,
}

/// A final text of a segment that may not have ended.
struct Prepared {
    span: Span,
    text: FinalText,
    languages: LanguageTracker,
    encoding: Option<Arc<Encoding>>,
}

impl LiveRecognizer {
    /// A recogniser at the start of a stream. Of `options`, those that say how sound is cut do not matter.
    ///
    /// # Errors
    /// Those of [`Session::new`].
    pub fn new(engine: Arc<Engine>, options: Options) -> Result<Self> {
        let options = Options { batch: 1, sentences: false, word_times: true, ..options };
        let quick = Options { beam: 1, temperatures: vec![0.0], word_times: false, ..options.clone() };
        let mut finals = Session::new(Arc::clone(&engine), options)?;
        finals.set_least_heard(LEAST_OF_FINAL);
        Ok(Self {
            finals,
            partials: Session::new(Arc::clone(&engine), quick)?,
            growing: Growing::default(),
            prepared: None,
            engine,
            encoding: None,
        })
    }

    /// Recognises a second of silence, so that the first segment finds all memory in place.
    ///
    /// # Errors
    /// Those of the network.
    pub fn warm_up(&mut self) -> Result<()> {
        let span = Span::new(SampleIndex(0), SampleIndex(16_000));
        for session in [&mut self.finals, &mut self.partials] {
            let languages = session.languages().clone();
            decode(session, plain(span, vec![0.0; 16_000]), &|| false)?;
            session.set_languages(languages);
        }
        Ok(())
    }

    fn recognise(&mut self, speech: &SpeechSegment) -> Result<(FinalText, Vec<u32>)> {
        let mut chunk = plain(speech.span, speech.samples.clone());
        chunk.draft = [&*self.growing.settled_tokens, &*self.growing.tokens].concat();
        let decoded = decode(&mut self.finals, chunk, &|| false)?;
        let text = decoded.segments.into_iter().next().map(FinalText::from).unwrap_or_default();
        Ok((text, decoded.text))
    }
}

impl SegmentRecognizer for LiveRecognizer {
    fn partial(
        &mut self,
        segment: u64,
        speech: &SpeechSegment,
        stopped: &dyn Fn() -> bool,
    ) -> Result<Option<PartialText>> {
        self.growing.follow(segment, speech);
        let anchor = self.growing.anchor.max(speech.span.start);
        let samples = speech.samples[(anchor - speech.span.start) as usize..].to_vec();
        let draft = self.growing.tokens.clone();
        let chunk = Chunk { draft, ..plain(Span::new(anchor, speech.span.end), samples) };
        let long = chunk.span.len() > LONG_PARTIAL;
        self.partials.set_word_times(long);
        let languages = self.finals.languages().clone();
        self.partials.set_languages(languages);
        let decoded = match decode(&mut self.partials, chunk, stopped) {
            Err(Error::Interrupted) => return Ok(None),
            decoded => decoded?,
        };
        let Some(heard) = decoded.segments.into_iter().next() else { return Ok(None) };
        let growing = &mut self.growing;
        let mut words = growing.agreement.stable()[..growing.settled].to_vec();
        words.extend(words_of(&heard.tokens, self.partials.tokenizer(), &heard.language));
        growing.agreement.push(words);
        growing.tokens.clone_from(&heard.tokens);
        if long {
            growing.move_anchor(&heard, speech.span.end, self.partials.tokenizer());
        }
        Ok(Some(growing.shown(heard.language)))
    }

    fn prepare(&mut self, segment: u64, speech: &SpeechSegment) -> Result<Option<PartialText>> {
        self.growing.follow(segment, speech);
        let before = self.finals.languages().clone();
        let (text, tokens) = self.recognise(speech)?;
        let languages = self.finals.languages().clone();
        self.finals.set_languages(before);
        let shown = (!tokens.is_empty()).then(|| {
            self.growing.agreement.push(words_of(&tokens, self.finals.tokenizer(), &text.language));
            self.growing.shown(text.language.clone())
        });
        let encoding = self.finals.take_kept();
        self.prepared = Some(Prepared { span: speech.span, text, languages, encoding });
        Ok(shown)
    }

    fn finish(&mut self, speech: &SpeechSegment) -> Result<FinalText> {
        let text = match self.prepared.take().filter(|prepared| prepared.span == speech.span) {
            Some(prepared) => {
                self.finals.set_languages(prepared.languages);
                self.encoding = prepared.encoding;
                prepared.text
            }
            None => {
                let (text, _) = self.recognise(speech)?;
                self.encoding = self.finals.take_kept();
                text
            }
        };
        self.growing = Growing::default();
        Ok(text)
    }

    fn keep(&mut self, layers: &[usize]) -> Result<()> {
        self.finals.keep(layers);
        Ok(())
    }

    fn encoding(&self) -> Option<Arc<Encoding>> {
        self.encoding.clone()
    }

    fn encode(&mut self, speech: &SpeechSegment, layers: &[usize]) -> Result<Encoding> {
        self.engine.encode(speech, layers)
    }

    fn reset(&mut self) {
        self.growing = Growing::default();
        self.prepared = None;
        self.encoding = None;
        self.finals.forget();
        self.partials.forget();
    }
}

impl Growing {
    /// Begins again where `segment` is another.
    fn follow(&mut self, segment: u64, speech: &SpeechSegment) {
        if self.segment != Some(segment) {
            *self = Self { segment: Some(segment), anchor: speech.span.start, ..Self::default() };
        }
    }

    fn shown(&self, language: String) -> PartialText {
        PartialText {
            stable: join(self.agreement.stable(), &language),
            unstable: join(self.agreement.unstable(), &language),
            language,
        }
    }

    /// Leaves out the sound of words that are stable and well before the `end`.
    fn move_anchor(&mut self, heard: &Segment, end: SampleIndex, tokenizer: &Tokenizer) {
        let stable = self.agreement.stable().len();
        let settled = heard
            .words
            .iter()
            .take(stable.saturating_sub(self.settled))
            .take_while(|word| word.span.end + KEPT <= end)
            .count();
        if let Some(last) = settled.checked_sub(1).and_then(|last| heard.words.get(last)) {
            self.anchor = last.span.end;
            self.settled += settled;
            let tokens = tokens_of(settled, &heard.tokens, tokenizer, &heard.language);
            self.settled_tokens.extend(self.tokens.drain(..tokens));
        }
    }
}

impl From<Segment> for FinalText {
    fn from(segment: Segment) -> Self {
        Self {
            text: segment.text,
            language: segment.language,
            words: segment.words,
            average_logprob: segment.average_logprob,
            temperature: segment.temperature,
        }
    }
}

fn join(words: &[String], language: &str) -> String {
    let separator = if has_spaces(language) { " " } else { "" };
    words.iter().map(|word| word.trim()).collect::<Vec<_>>().join(separator)
}

/// A chunk of which nothing is known.
fn plain(span: Span, samples: Vec<f32>) -> Chunk {
    Chunk { span, samples, previous: Vec::new(), draft: Vec::new(), language: None }
}

fn decode(session: &mut Session, chunk: Chunk, stopped: &dyn Fn() -> bool) -> Result<Decoded> {
    let span = chunk.span;
    let nothing = Decoded { span, segments: Vec::new(), consumed: span.len() as usize, text: Vec::new() };
    let mut one = One { chunk: Some(chunk), position: span.end };
    let mut catcher = Catcher { decoded: None, stopped };
    session.run(&mut one, &mut catcher)?;
    Ok(catcher.decoded.unwrap_or(nothing))
}

/// A source of one chunk.
struct One {
    chunk: Option<Chunk>,
    position: SampleIndex,
}

impl ChunkSource for One {
    fn next(&mut self) -> Result<Next> {
        Ok(self.chunk.take().map_or(Next::End, Next::Chunk))
    }

    fn done(&mut self, _: &Decoded) {}

    fn position(&self) -> SampleIndex {
        self.position
    }
}

/// Keeps the result.
struct Catcher<'a> {
    decoded: Option<Decoded>,
    stopped: &'a dyn Fn() -> bool,
}

impl Sink for Catcher<'_> {
    fn decoded(&mut self, decoded: &Decoded) {
        self.decoded = Some(decoded.clone());
    }

    fn stopped(&self) -> bool {
        (self.stopped)()
    }
}
