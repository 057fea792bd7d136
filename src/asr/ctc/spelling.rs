//! A text spelled token by token, with where each stands in time.

use std::ops::Range;

use super::{Units, Vocabulary};

/// A text with its words and tokens.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Spelled {
    /// The words, with a space between them.
    pub text: String,
    /// Words, in order of time.
    pub words: Vec<SpelledWord>,
    /// Tokens that spell something, in order of time.
    pub tokens: Vec<SpelledToken>,
    /// Natural logarithm of the text's probability, with what a language model adds; of [`greedy`](super::greedy), that of
    /// its path.
    pub score: f32,
}

/// A word.
#[derive(Debug, Clone, PartialEq)]
pub struct SpelledWord {
    /// The word.
    pub text: String,
    /// Frames from the first of its tokens to the last.
    pub frames: Range<usize>,
    /// Mean probability of its tokens, 0 to 1.
    pub probability: f32,
}

/// A token in time.
#[derive(Debug, Clone, PartialEq)]
pub struct SpelledToken {
    /// Its number in the vocabulary.
    pub token: u32,
    /// Frames in which it is.
    pub frames: Range<usize>,
    /// Mean probability in those frames, 0 to 1.
    pub probability: f32,
}

impl Spelled {
    /// The text of `tokens`, delimiters included.
    pub(super) fn new(tokens: Vec<SpelledToken>, vocabulary: &Vocabulary, score: f32) -> Self {
        let is_delimiter = |token: &SpelledToken| vocabulary.delimiter() == Some(token.token);
        let words: Vec<SpelledWord> = tokens
            .split(is_delimiter)
            .flat_map(|word| match vocabulary.units() {
                Units::Letters => vec![word],
                Units::Phones => word.chunks(1).collect(),
            })
            .filter_map(|word| {
                let (first, last) = (word.first()?, word.last()?);
                Some(SpelledWord {
                    text: word.iter().map(|token| vocabulary.spelling(token.token)).collect(),
                    frames: first.frames.start..last.frames.end,
                    probability: word.iter().map(|token| token.probability).sum::<f32>() / word.len() as f32,
                })
            })
            .collect();
        let text = words.iter().map(|word| word.text.as_str()).collect::<Vec<_>>().join(" ");
        let tokens = tokens.into_iter().filter(|token| !is_delimiter(token)).collect();
        Self { text, words, tokens, score }
    }
}
