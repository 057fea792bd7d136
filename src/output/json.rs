//! JSON: OpenAI's `verbose_json`, and its segments a line each.

use serde::Serialize;

use super::clock::seconds;
use super::{Style, Writer};
use crate::asr::languages::english_name;
use crate::asr::{Segment, Task, Transcript, Word};
use crate::time::SampleIndex;

/// Samples of a frame, in which `seek` is counted: 10 ms.
const SAMPLES_PER_FRAME: u64 = 160;

/// One object of the shape that OpenAI's API returns for `response_format=verbose_json`.
///
/// Segments have, beside the API's fields, the `words` that openai-whisper writes where word times are known.
pub(super) struct VerboseJson;

impl Writer for VerboseJson {
    fn segment(&mut self, _segment: &Segment, _out: &mut String) {}

    fn end(&mut self, transcript: &Transcript, out: &mut String) {
        let segments: Vec<_> = transcript
            .segments
            .iter()
            .enumerate()
            .map(|(id, segment)| SegmentJson::new(id, segment))
            .collect();
        let words: Vec<_> =
            transcript.segments.iter().flat_map(|segment| &segment.words).map(PlainWord::new).collect();
        push_line(
            &TranscriptJson {
                task: transcript.task,
                language: english_name(&transcript.language),
                duration: seconds(SampleIndex::from_seconds(transcript.duration)),
                text: transcript.text(),
                segments,
                words,
            },
            out,
        );
    }
}

/// A segment a line, with the name of its file and the code of its language.
pub(super) struct JsonLines {
    file: String,
    next_id: usize,
}

impl JsonLines {
    pub(super) fn new(style: &Style) -> Self {
        Self { file: style.file.clone(), next_id: 0 }
    }
}

impl Writer for JsonLines {
    fn segment(&mut self, segment: &Segment, out: &mut String) {
        let line = LineJson {
            file: &self.file,
            language: &segment.language,
            segment: SegmentJson::new(self.next_id, segment),
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
    text: &'a str,
    tokens: &'a [u32],
    temperature: f32,
    avg_logprob: f32,
    compression_ratio: f32,
    no_speech_prob: f32,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    words: Vec<ScoredWord<'a>>,
}

impl<'a> SegmentJson<'a> {
    fn new(id: usize, segment: &'a Segment) -> Self {
        Self {
            id,
            seek: segment.span.start.0 / SAMPLES_PER_FRAME,
            start: seconds(segment.span.start),
            end: seconds(segment.span.end),
            text: &segment.text,
            tokens: &segment.tokens,
            temperature: segment.temperature,
            avg_logprob: segment.average_logprob,
            compression_ratio: segment.compression_ratio,
            no_speech_prob: segment.no_speech_probability,
            words: segment.words.iter().map(ScoredWord::new).collect(),
        }
    }
}

/// A word as the API returns it: without the space before it.
#[derive(Serialize)]
struct PlainWord<'a> {
    word: &'a str,
    start: f64,
    end: f64,
}

impl<'a> PlainWord<'a> {
    fn new(word: &'a Word) -> Self {
        Self { word: word.text.trim(), start: seconds(word.span.start), end: seconds(word.span.end) }
    }
}

/// A word as openai-whisper writes it: with the space before it, and its probability.
#[derive(Serialize)]
struct ScoredWord<'a> {
    word: &'a str,
    start: f64,
    end: f64,
    probability: f32,
}

impl<'a> ScoredWord<'a> {
    fn new(word: &'a Word) -> Self {
        let PlainWord { start, end, .. } = PlainWord::new(word);
        Self { word: &word.text, start, end, probability: word.probability }
    }
}
