//! JSON: OpenAI's `verbose_json`, and its segments a line each.

use serde::Serialize;

use super::clock::seconds;
use super::latin::transcript_in_latin;
use super::{Style, Writer};
use crate::asr::languages::english_name;
use crate::asr::romanize::{Script, romanize};
use crate::asr::{Segment, Task, Transcript, Word};
use crate::time::SampleIndex;

/// Samples of a frame, in which `seek` is counted: 10 ms.
const SAMPLES_PER_FRAME: u64 = 160;

/// One object of the shape that OpenAI's API returns for `response_format=verbose_json`.
///
/// Segments have, beside the API's fields, the `words` that openai-whisper writes where word times are known, and the
/// `chars` that WhisperX writes where those of characters are.
pub(super) struct VerboseJson {
    style: Style,
}

impl VerboseJson {
    pub(super) fn new(style: &Style) -> Self {
        Self { style: style.clone() }
    }
}

impl Writer for VerboseJson {
    fn segment(&mut self, _segment: &Segment, _out: &mut String) {}

    fn end(&mut self, transcript: &Transcript, out: &mut String) {
        let segments: Vec<_> = transcript
            .segments
            .iter()
            .enumerate()
            .map(|(id, segment)| SegmentJson::new(id, segment, &self.style))
            .collect();
        let words_of = |segment| words(segment, &self.style);
        let words: Vec<_> = transcript.segments.iter().flat_map(words_of).map(|word| word.plain()).collect();
        let romanized = match self.style.script {
            Script::Own => None,
            Script::Latin => Some(transcript_in_latin(transcript).text()),
        };
        push_line(
            &TranscriptJson {
                task: transcript.task,
                language: english_name(&transcript.language),
                duration: seconds(SampleIndex::from_seconds(transcript.duration)),
                text: transcript.text(),
                romanized,
                segments,
                words,
            },
            out,
        );
    }
}

/// A segment a line, with the name of its file and the code of its language.
pub(super) struct JsonLines {
    style: Style,
    next_id: usize,
}

impl JsonLines {
    pub(super) fn new(style: &Style) -> Self {
        Self { style: style.clone(), next_id: 0 }
    }
}

impl Writer for JsonLines {
    fn segment(&mut self, segment: &Segment, out: &mut String) {
        let line = LineJson {
            file: &self.style.file,
            language: &segment.language,
            segment: SegmentJson::new(self.next_id, segment, &self.style),
        };
        push_line(&line, out);
        self.next_id += 1;
    }
}

fn push_line(value: &impl Serialize, out: &mut String) {
    // Strings, numbers and lists of them: there is nothing that could fail to serialise.
    out.push_str(&serde_json::to_string(value).unwrap_or_default());
    out.push('\n');
}

#[derive(Serialize)]
struct TranscriptJson<'a> {
    task: Task,
    language: &'a str,
    duration: f64,
    text: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    romanized: Option<String>,
    segments: Vec<SegmentJson<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    words: Vec<PlainWord<'a>>,
}

#[derive(Serialize)]
struct LineJson<'a> {
    file: &'a str,
    language: &'a str,
    #[serde(flatten)]
    segment: SegmentJson<'a>,
}

#[derive(Serialize)]
struct SegmentJson<'a> {
    id: usize,
    /// Start in frames of 10 ms. OpenAI's is the start of the 30 s window that the segment was decoded in.
    seek: u64,
    start: f64,
    end: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    speaker: Option<&'a str>,
    text: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    romanized: Option<String>,
    tokens: &'a [u32],
    temperature: f32,
    avg_logprob: f32,
    compression_ratio: f32,
    no_speech_prob: f32,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    words: Vec<ScoredWord<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    chars: Vec<ScoredChar<'a>>,
}

/// A character as WhisperX writes it, but for the name of its probability.
#[derive(Serialize)]
struct ScoredChar<'a> {
    char: &'a str,
    start: f64,
    end: f64,
    probability: f32,
}

impl<'a> ScoredChar<'a> {
    fn new(char: &'a Word) -> Self {
        Self {
            char: &char.text,
            start: seconds(char.span.start),
            end: seconds(char.span.end),
            probability: char.probability,
        }
    }
}

impl<'a> SegmentJson<'a> {
    fn new(id: usize, segment: &'a Segment, style: &'a Style) -> Self {
        Self {
            id,
            seek: segment.span.start.0 / SAMPLES_PER_FRAME,
            start: seconds(segment.span.start),
            end: seconds(segment.span.end),
            speaker: style.speaker(segment.span),
            text: &segment.text,
            romanized: romanized(&segment.text, segment, style.script),
            tokens: &segment.tokens,
            temperature: segment.temperature,
            avg_logprob: segment.average_logprob,
            compression_ratio: segment.compression_ratio,
            no_speech_prob: segment.no_speech_probability,
            words: words(segment, style).collect(),
            chars: segment.chars.iter().map(ScoredChar::new).collect(),
        }
    }
}

/// `text` of `segment` in Latin letters, where they are wanted.
fn romanized(text: &str, segment: &Segment, script: Script) -> Option<String> {
    (script == Script::Latin).then(|| romanize(text, &segment.language))
}

/// The words of a segment, which is one speaker's.
fn words<'a>(segment: &'a Segment, style: &'a Style) -> impl Iterator<Item = ScoredWord<'a>> {
    let speaker = style.speaker(segment.span);
    let word = move |word| ScoredWord::new(word, romanized(&word.text, segment, style.script), speaker);
    segment.words.iter().map(word)
}

/// A word as the API returns it: without the space before it.
#[derive(Serialize)]
struct PlainWord<'a> {
    word: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    romanized: Option<String>,
    start: f64,
    end: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    speaker: Option<&'a str>,
}

/// A word as openai-whisper writes it: with the space before it, and its probability.
#[derive(Serialize)]
struct ScoredWord<'a> {
    word: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    romanized: Option<String>,
    start: f64,
    end: f64,
    probability: f32,
    #[serde(skip_serializing_if = "Option::is_none")]
    speaker: Option<&'a str>,
}

impl<'a> ScoredWord<'a> {
    fn new(word: &'a Word, romanized: Option<String>, speaker: Option<&'a str>) -> Self {
        Self {
            word: &word.text,
            romanized,
            start: seconds(word.span.start),
            end: seconds(word.span.end),
            probability: word.probability,
            speaker,
        }
    }

    fn plain(self) -> PlainWord<'a> {
        let romanized = self.romanized.map(|latin| latin.trim().to_owned());
        PlainWord {
            word: self.word.trim(),
            romanized,
            start: self.start,
            end: self.end,
            speaker: self.speaker,
        }
    }
}
