//! Long segments cut into sentences, by punctuation and by the times of words.

use super::tokenizer::Tokenizer;
use super::transcript::{Segment, Word};
use crate::time::Span;

/// Marks that end a sentence.
const ENDINGS: &[char] = &['.', '?', '!', '。', '！', '？', '।', '۔', '؟', '…'];
/// Samples that the last word of a sentence lasts at least, the pause after it included: 0.4 s. The period of
/// "Mr." has no such pause.
const FINAL_WORD: u64 = 6_400;
/// Samples of the shortest segment that is cut off: 1 s.
const SHORTEST: u64 = 16_000;
/// Samples of the longest segment before any word may end it: 15 s.
const LONGEST: u64 = 240_000;
/// Samples that a spoken word lasts at most; what is longer holds a pause: 1 s.
const LONGEST_WORD: u64 = 16_000;

/// Cuts each segment, whose words are known, after its sentences.
pub fn split(segments: Vec<Segment>, tokenizer: &Tokenizer) -> Vec<Segment> {
    segments.into_iter().flat_map(|segment| split_one(segment, tokenizer)).collect()
}

fn split_one(segment: Segment, tokenizer: &Tokenizer) -> Vec<Segment> {
    let mut pieces = Vec::new();
    let mut words: Vec<Word> = Vec::new();
    let mut tokens = segment.tokens.iter().copied();
    let mut cut = |words: &mut Vec<Word>| {
        let mut words = std::mem::take(words);
        trim_pauses(&mut words);
        let (Some(first), Some(last)) = (words.first(), words.last()) else {
            return;
        };
        let text: String = words.iter().map(|word| word.text.as_str()).collect();
        pieces.push(Segment {
            span: Span::new(first.span.start, last.span.end),
            tokens: take_text(&mut tokens, text.len(), tokenizer),
            text: text.trim().to_owned(),
            words,
            ..segment.clone()
        });
    };
    for word in &segment.words {
        words.push(word.clone());
        let length = word.span.end - words[0].span.start;
        let ended = word.text.trim_end_matches(['"', '”', ')', '\'']).ends_with(ENDINGS);
        if (ended && word.span.len() >= FINAL_WORD && length >= SHORTEST) || length >= LONGEST {
            cut(&mut words);
        }
    }
    cut(&mut words);
    if pieces.is_empty() { vec![segment] } else { pieces }
}

/// Ends the last word, and begins the first, without the pause that alignment counts to them.
fn trim_pauses(words: &mut [Word]) {
    if let Some(last) = words.last_mut() {
        last.span.end = last.span.end.min(last.span.start + LONGEST_WORD);
    }
    if let Some(first) = words.first_mut().filter(|first| first.span.len() > LONGEST_WORD) {
        first.span.start = first.span.start + (first.span.len() - LONGEST_WORD);
    }
}

/// The next tokens that make up `bytes` bytes of text.
fn take_text(tokens: &mut impl Iterator<Item = u32>, bytes: usize, tokenizer: &Tokenizer) -> Vec<u32> {
    let mut left = bytes;
    let mut taken = Vec::new();
    while left > 0 {
        let Some(token) = tokens.next() else {
            break;
        };
        left = left.saturating_sub(tokenizer.bytes(token).len());
        taken.push(token);
    }
    taken
}
