//! Spelled text as segments and words in time.

use std::ops::Range;

use super::spelling::{Spelled, SpelledWord};
use crate::asr::languages::has_spaces;
use crate::asr::transcript::{Segment, Word};
use crate::time::Span;

/// Samples between two words that end a segment: 0.5 s.
const PAUSE: u64 = 8_000;
/// Samples of the longest segment before any word may end it: 15 s.
const LONGEST: u64 = 240_000;

/// What was spelled in the sound at `span`, which is in `language`, cut where nobody speaks for a while.
pub fn segments(spelled: &Spelled, span: Span, language: &str, hop: usize) -> Vec<Segment> {
    let words = words(spelled, span, language, hop);
    let mut found = Vec::new();
    let mut start = 0;
    for end in 1..=words.len() {
        let is_last = end == words.len();
        if is_last
            || words[end].span.start - words[end - 1].span.end >= PAUSE
            || words[end].span.end - words[start].span.start > LONGEST
        {
            let span = Span::new(words[start].span.start, words[end - 1].span.end);
            found.push(of_words(&words, start..end, span, spelled, language));
            start = end;
        }
    }
    found
}

/// What was spelled in the sound at `span`, as one segment.
pub fn segment(spelled: &Spelled, span: Span, language: &str, hop: usize) -> Segment {
    let words = words(spelled, span, language, hop);
    of_words(&words, 0..words.len(), span, spelled, language)
}

fn of_words(all: &[Word], range: Range<usize>, span: Span, spelled: &Spelled, language: &str) -> Segment {
    let words = all[range.clone()].to_vec();
    let frames = match spelled.words.get(range.clone()) {
        Some([first, .., last]) => first.frames.start..last.frames.end,
        Some([only]) => only.frames.clone(),
        _ => 0..0,
    };
    let tokens: Vec<_> = spelled.tokens.iter().filter(|token| frames.contains(&token.frames.start)).collect();
    let logprobs: f32 = tokens.iter().map(|token| token.probability.max(f32::MIN_POSITIVE).ln()).sum();
    let text: String = words.iter().map(|word| word.text.as_str()).collect();
    Segment {
        span,
        text: text.trim().to_owned(),
        language: language.to_owned(),
        tokens: tokens.iter().map(|token| token.token).collect(),
        words,
        temperature: 0.0,
        average_logprob: logprobs / tokens.len().max(1) as f32,
        compression_ratio: 1.0,
        no_speech_probability: 0.0,
    }
}

fn words(spelled: &Spelled, span: Span, language: &str, hop: usize) -> Vec<Word> {
    let space = if has_spaces(language) { " " } else { "" };
    let word = |word: &SpelledWord| {
        let at = |frame: usize| (span.start + (frame * hop) as u64).min(span.end);
        Word {
            text: format!("{space}{}", word.text),
            span: Span::new(at(word.frames.start), at(word.frames.end)),
            probability: word.probability,
        }
    };
    spelled.words.iter().map(word).collect()
}
