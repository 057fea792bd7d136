//! A CTC model on segments that grow: partial texts by a stream through the network, the final text by the whole segment.

use std::sync::Arc;
use std::time::Duration;

use super::engine::CtcEngine;
use super::growing::Growing;
use super::search::Search;
use super::transcribed::{Transcribed, between};
use super::{LogProbabilities, Spelled, greedy};
use crate::Result;
use crate::asr::live::no_states;
use crate::asr::live::{FinalText, PartialText, SegmentRecognizer};
use crate::asr::options::Options;
use crate::models::encoding::Encoding;
use crate::models::wav2vec2::StreamOptions;
use crate::time::{SampleIndex, Span};
use crate::vad::SpeechSegment;

/// How a segment that grows is heard. Nothing of it changes finals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PartialOptions {
    /// Sound before a chunk that it hears.
    pub left: Duration,
    /// Sound that is encoded at once.
    pub chunk: Duration,
    /// Sound after a chunk that it waits for.
    pub look_ahead: Duration,
}

impl Default for PartialOptions {
    fn default() -> Self {
        Self {
            left: Duration::from_secs(4),
            chunk: Duration::from_millis(500),
            look_ahead: Duration::from_millis(500),
        }
    }
}

impl PartialOptions {
    /// The same in frames of `engine`.
    fn for_engine(self, engine: &CtcEngine) -> StreamOptions {
        let hop = engine.hop();
        let frames =
            |time: Duration| (SampleIndex::from_seconds(time.as_secs_f64()).0 as usize).div_ceil(hop);
        StreamOptions {
            left: frames(self.left),
            chunk: frames(self.chunk).max(1),
            look_ahead: frames(self.look_ahead),
            standardise: engine.standardise,
        }
    }
}

impl CtcEngine {
    /// As [`listen`](Self::listen) of one sound, but heard as the sound of a segment that grows: what settles chunk by
    /// chunk, and then what is left.
    ///
    /// # Errors
    /// Those of the network.
    pub fn listen_live(&self, sound: &[f32], options: PartialOptions) -> Result<LogProbabilities> {
        let growing = Growing::new(0, &self.network, options.for_engine(self));
        self.threads.run(|| growing.finish(&self.network, sound))
    }

    /// Sound from the begin of a chunk to the last of what must be heard before it settles.
    pub fn algorithmic_latency(&self, options: PartialOptions) -> Duration {
        let StreamOptions { chunk, look_ahead, .. } = options.for_engine(self);
        let config = self.network.config();
        let samples = (chunk + look_ahead - 1) * config.hop() + config.field();
        Duration::from_secs_f64(SampleIndex(samples as u64).seconds())
    }
}

/// Recognises the segments of one stream, in their order.
pub struct CtcLiveRecognizer {
    engine: Arc<CtcEngine>,
    search: Search,
    options: StreamOptions,
    growing: Option<Growing>,
    prepared: Option<(Span, FinalText, Option<Arc<Encoding>>)>,
    keep: Vec<usize>,
    encoding: Option<Arc<Encoding>>,
    told: Told,
}

/// What was told of the segment that grows.
#[derive(Default)]
struct Told {
    segment: u64,
    /// Once it is known.
    language: Option<String>,
    /// Words that are not taken back before the final.
    stable: Vec<String>,
}

impl CtcLiveRecognizer {
    /// A recogniser at the start of a stream.
    ///
    /// # Errors
    /// Those of [`Search::new`].
    pub fn new(engine: Arc<CtcEngine>, options: &Options, partial: PartialOptions) -> Result<Self> {
        Ok(Self {
            search: Search::new(options, &engine.vocabulary, engine.language())?,
            options: partial.for_engine(&engine),
            engine,
            growing: None,
            prepared: None,
            keep: Vec::new(),
            encoding: None,
            told: Told::default(),
        })
    }

    /// Recognises a second of silence, so that the first segment finds all memory in place.
    ///
    /// # Errors
    /// Those of the network.
    pub fn warm_up(&self) -> Result<()> {
        self.engine.listen(&[&[0.0; 16_000]]).map(|_| ())
    }

    /// The segment that grows, from its beginning where it is another than before.
    fn follow(&mut self, segment: u64) -> Growing {
        let fresh = || Growing::new(segment, &self.engine.network, self.options);
        self.growing.take().filter(|growing| growing.segment == segment).unwrap_or_else(fresh)
    }

    fn recognise(&self, speech: &SpeechSegment) -> Result<(FinalText, Option<Arc<Encoding>>)> {
        let (heard, encoding) = match self.keep.as_slice() {
            [] => (self.engine.listen(&[&speech.samples])?.remove(0), None),
            keep => {
                let (heard, encoding) = self.engine.listen_and_keep(speech, keep)?;
                (heard, Some(Arc::new(encoding)))
            }
        };
        let spelled = self.search.spell(&heard, &self.engine.vocabulary);
        if spelled.words.is_empty() {
            return Ok((FinalText::default(), encoding));
        }
        let text = Transcribed {
            spelled: &spelled,
            vocabulary: &self.engine.vocabulary,
            span: speech.span,
            language: &self.engine.language_of(&speech.samples)?,
            hop: self.engine.hop(),
        };
        Ok((FinalText::from(text.segment()), encoding))
    }

    /// What was told of a segment: nothing where it is another than before.
    fn told(&mut self, segment: u64) -> &mut Told {
        if self.told.segment != segment {
            self.told = Told { segment, ..Told::default() };
        }
        &mut self.told
    }

    /// The language of a segment that grows. Where it must be found, that is done once, when enough was said; until then
    /// it is not known. Finals do not build on it.
    fn language_so_far(&mut self, segment: u64, speech: &SpeechSegment) -> Result<Option<String>> {
        /// Samples from which a language can be told: 1 s.
        const ENOUGH: usize = 16_000;
        if let Some(language) = &self.told(segment).language {
            return Ok(Some(language.clone()));
        }
        if self.engine.identifies() && speech.samples.len() < ENOUGH {
            return Ok(None);
        }
        let language = self.engine.language_of(&speech.samples)?;
        self.told(segment).language = Some(language.clone());
        Ok(Some(language))
    }

    /// A hypothesis of all of a segment, `words`, with what was told to be stable as it was.
    fn show(&mut self, segment: u64, words: &[String], language: String) -> Option<PartialText> {
        let between = between(self.engine.vocabulary.units(), &language);
        let stable = &self.told(segment).stable;
        let unstable = words.get(stable.len()..).unwrap_or_default();
        let shown = PartialText { stable: stable.join(between), unstable: unstable.join(between), language };
        (!words.is_empty()).then_some(shown)
    }
}

impl SegmentRecognizer for CtcLiveRecognizer {
    fn partial(
        &mut self,
        segment: u64,
        speech: &SpeechSegment,
        stopped: &dyn Fn() -> bool,
    ) -> Result<Option<PartialText>> {
        if stopped() {
            return Ok(None);
        }
        let mut growing = self.follow(segment);
        let engine = &self.engine;
        let ahead = engine.threads.run(|| growing.hear(&engine.network, &speech.samples))?;
        let settled = greedy(&growing.settled, &engine.vocabulary);
        let stable = settled_words(&settled, growing.settled.frames(), engine);
        let mut all = growing.settled.clone();
        all.append(ahead);
        let all = greedy(&all, &engine.vocabulary);
        self.growing = Some(growing);
        if all.words.is_empty() || stopped() {
            return Ok(None);
        }
        let words: Vec<String> = all.words.into_iter().map(|word| word.text).collect();
        let language = self.language_so_far(segment, speech)?;
        // Whether there are spaces between words, the language tells.
        if language.is_some() {
            let stable = settled.words.into_iter().take(stable);
            self.told(segment).stable = stable.map(|word| word.text).collect();
        }
        Ok(self.show(segment, &words, language.unwrap_or_default()))
    }

    fn prepare(&mut self, segment: u64, speech: &SpeechSegment) -> Result<Option<PartialText>> {
        let (text, encoding) = self.recognise(speech)?;
        let words: Vec<String> = text.words.iter().map(|word| word.text.trim().to_owned()).collect();
        let language = self.told(segment).language.clone().unwrap_or_else(|| text.language.clone());
        let shown = self.show(segment, &words, language);
        self.prepared = Some((speech.span, text, encoding));
        Ok(shown)
    }

    fn finish(&mut self, speech: &SpeechSegment) -> Result<FinalText> {
        self.growing = None;
        let (text, encoding) = match self.prepared.take().filter(|(span, ..)| *span == speech.span) {
            Some((_, text, encoding)) => (text, encoding),
            None => self.recognise(speech)?,
        };
        self.encoding = encoding;
        Ok(text)
    }

    fn keep(&mut self, layers: &[usize]) -> Result<()> {
        if !layers.is_empty() && self.engine.encoder_shape().is_none() {
            return Err(no_states());
        }
        self.keep = layers.to_vec();
        Ok(())
    }

    fn encoding(&self) -> Option<Arc<Encoding>> {
        self.encoding.clone()
    }

    fn encode(&mut self, speech: &SpeechSegment, layers: &[usize]) -> Result<Encoding> {
        self.engine.encode(speech, layers)
    }

    fn reset(&mut self) {
        self.growing = None;
        self.prepared = None;
        self.encoding = None;
        self.told = Told::default();
    }
}

/// How many words cannot change any more: all but one that may go on.
fn settled_words(settled: &Spelled, frames: usize, engine: &CtcEngine) -> usize {
    /// Frames of silence after which a word has ended: 0.2 s.
    const ENDED: usize = 10;
    match settled.words.last() {
        Some(last) if engine.vocabulary.delimiter().is_some() && last.frames.end + ENDED > frames => {
            settled.words.len() - 1
        }
        _ => settled.words.len(),
    }
}
