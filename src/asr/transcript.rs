//! What a recogniser returns: segments of text with times, words and probabilities.

use serde::{Deserialize, Serialize};

use crate::time::Span;

/// One recognised word.
#[derive(Debug, Clone, PartialEq)]
pub struct Word {
    /// The word with the space and punctuation that belong to it, as decoded (" hello,").
    pub text: String,
    /// Where it was spoken.
    pub span: Span,
    /// Mean probability of its tokens, 0 to 1.
    pub probability: f32,
}

/// A stretch of speech and its text.
#[derive(Debug, Clone, PartialEq)]
pub struct Segment {
    /// Where it was spoken.
    pub span: Span,
    /// The text, trimmed.
    pub text: String,
    /// Whether a space parts its text from that of the segment before it.
    pub spaced: bool,
    /// Language code ("en").
    pub language: String,
    /// Token ids, timestamps included.
    pub tokens: Vec<u32>,
    /// Words with times; empty unless asked for.
    pub words: Vec<Word>,
    /// Characters with times, of models that spell; empty unless asked for.
    pub chars: Vec<Word>,
    /// Temperature that the accepted hypothesis was decoded at; 0 is greedy or beam.
    pub temperature: f32,
    /// Mean log-probability of the tokens.
    pub average_logprob: f32,
    /// Length of the text over its deflated length; loops are above 2.4.
    pub compression_ratio: f32,
    /// Probability of the no-speech token, 0 to 1.
    pub no_speech_probability: f32,
}

/// Everything recognised in one input.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Transcript {
    /// The task that was done.
    pub task: Task,
    /// Language of most of the speech; empty where there was none.
    pub language: String,
    /// Length of the input in seconds.
    pub duration: f64,
    /// The segments, in order of time.
    pub segments: Vec<Segment>,
}

impl Transcript {
    /// The whole text. Segments are joined by a space, in scripts that have one.
    pub fn text(&self) -> String {
        let mut text = String::new();
        for segment in &self.segments {
            if !text.is_empty() && segment.spaced {
                text.push(' ');
            }
            text.push_str(&segment.text);
        }
        text
    }
}

/// What to do with the speech.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Task {
    /// Write it down in its own language.
    #[default]
    Transcribe,
    /// Write it down in English.
    Translate,
}
