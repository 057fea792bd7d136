//! What was said before a segment, with its sound: a network hears a short segment better after what it follows.

use std::collections::VecDeque;
use std::time::Duration;

use crate::asr::chunk::Chunk;
use crate::time::{SampleIndex, Span};
use crate::vad::SpeechSegment;

/// Samples between two segments beyond which the second does not follow on the first: 3 s.
const LONGEST_GAP: u64 = 3 * 16_000;
/// Samples of silence that stand for the gap between two segments, at most: 0.5 s.
const KEPT_GAP: u64 = 8_000;

/// The last segments, as many as are of use.
pub struct Context {
    /// Samples of a segment and what is before it, at most.
    bound: u64,
    segments: VecDeque<Said>,
}

/// A segment and its text.
struct Said {
    speech: SpeechSegment,
    tokens: Vec<u32>,
    language: String,
}

/// Segments that another follows on.
pub struct Before<'a> {
    /// Their language.
    pub language: &'a str,
    segments: Vec<&'a Said>,
}

impl Context {
    /// Makes segments no longer than `bound` with what is before them.
    pub fn new(bound: Duration) -> Self {
        Self { bound: SampleIndex::from_seconds(bound.as_secs_f64()).0, segments: VecDeque::new() }
    }

    /// Takes note of a segment and its text.
    pub fn push(&mut self, speech: &SpeechSegment, tokens: Vec<u32>, language: &str) {
        // What was not understood, or guessed, is no context.
        if tokens.is_empty() || speech.span.len() > self.bound {
            return self.segments.clear();
        }
        self.segments.push_back(Said { speech: speech.clone(), tokens, language: language.to_owned() });
        let length =
            |segments: &VecDeque<Said>| segments.iter().map(|said| said.speech.span.len()).sum::<u64>();
        while length(&self.segments) > self.bound {
            self.segments.pop_front();
        }
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.segments.clear();
    }

    /// The segments that one at `span` follows on: those of the last one's language, without long gaps.
    pub fn before(&self, span: Span) -> Option<Before<'_>> {
        let language = self.segments.back()?.language.as_str();
        let (mut start, mut left) = (span.start, self.bound.saturating_sub(span.len()));
        let mut segments: Vec<&Said> = Vec::new();
        for said in self.segments.iter().rev() {
            let needed = said.speech.span.len() + KEPT_GAP;
            let follows_on = start - said.speech.span.end <= LONGEST_GAP;
            if !follows_on || said.language != language || needed > left {
                break;
            }
            left -= needed;
            start = said.speech.span.start;
            segments.push(said);
        }
        segments.reverse();
        (!segments.is_empty()).then_some(Before { language, segments })
    }
}

impl Before<'_> {
    /// `speech` after these segments, whose text is known.
    pub fn chunk(&self, speech: &SpeechSegment) -> Chunk {
        let mut samples = Vec::new();
        let mut prefix = Vec::new();
        let starts = self.segments[1..].iter().map(|said| said.speech.span.start).chain([speech.span.start]);
        for (said, next) in std::iter::zip(&self.segments, starts) {
            samples.extend_from_slice(&said.speech.samples);
            let gap = (next - said.speech.span.end).min(KEPT_GAP);
            samples.resize(samples.len() + gap as usize, 0.0);
            prefix.extend_from_slice(&said.tokens);
        }
        // Gaps are shortened, so that this is never before the first segment.
        let start = SampleIndex(speech.span.start - SampleIndex(samples.len() as u64));
        samples.extend_from_slice(&speech.samples);
        Chunk {
            span: Span::new(start, speech.span.end),
            samples,
            previous: Vec::new(),
            prefix,
            draft: Vec::new(),
            language: Some(self.language.to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn speech(start: u64, end: u64) -> SpeechSegment {
        let span = Span::new(SampleIndex(start), SampleIndex(end));
        SpeechSegment { span, samples: (start..end).map(|sample| sample as f32).collect() }
    }

    #[test]
    fn a_segment_follows_on_what_is_near_and_of_one_language() {
        let second = 16_000;
        let mut context = Context::new(Duration::from_secs(10));
        context.push(&speech(0, second), vec![1], "hi");
        context.push(&speech(2 * second, 3 * second), vec![2], "en");
        context.push(&speech(4 * second, 5 * second), vec![3], "en");
        let next = speech(5 * second + 100, 7 * second);
        let chunk = context.before(next.span).unwrap().chunk(&next);
        assert_eq!(chunk.prefix, [2, 3]);
        assert_eq!(chunk.samples.len() as u64, chunk.span.len());
        assert_eq!(chunk.span.end, next.span.end);
        // The sound of the segment itself lies where it is in the stream.
        let at = |sample: u64| chunk.samples[(SampleIndex(sample) - chunk.span.start) as usize];
        assert_eq!(
            (at(next.span.start.0), at(next.span.end.0 - 1)),
            (next.samples[0], next.span.end.0 as f32 - 1.0)
        );
        // The silence between is short.
        assert_eq!(chunk.span.len(), second + 8_000 + second + 100 + next.span.len());

        assert!(context.before(speech(9 * second, 10 * second).span).is_none());
        context.push(&next, Vec::new(), "en");
        assert!(context.before(speech(7 * second, 8 * second).span).is_none());
    }
}
