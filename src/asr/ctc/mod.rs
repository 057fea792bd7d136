//! Recognition by connectionist temporal classification (Graves et al. 2006): a network gives each frame a distribution
//! over the tokens of a [`Vocabulary`] and a blank; runs of one token are one, and blanks are dropped.
//!
//! [`greedy`] takes the best token of each frame; [`BeamSearch`] the most probable text, with a [`LanguageModel`] and
//! hot-words where there are any. Both give words and characters with their frames and probabilities.

mod adapter;
mod align;
mod beam;
mod engine;
mod greedy;
mod growing;
mod language_model;
mod live;
mod logits;
mod network;
mod normalise;
mod recognizer;
mod search;
mod spelling;
mod tokenizer_config;
mod transcribed;
mod vocabulary;

pub use adapter::{has_a_vocabulary_for_each_language, missing_adapter};
pub use align::align;
pub use beam::{BeamOptions, BeamSearch, Weights};
pub use engine::CtcEngine;
pub use greedy::greedy;
pub use language_model::{History, LanguageModel};
pub use live::{CtcLiveRecognizer, PartialOptions};
pub use logits::LogProbabilities;
pub use normalise::normalise;
pub use recognizer::CtcRecognizer;
pub use search::Search;
pub use spelling::{Spelled, SpelledToken, SpelledWord};
pub use vocabulary::{Units, Vocabulary};

#[cfg(test)]
mod tests {
    use super::*;

    /// `_` is the blank, `|` the delimiter, then letters.
    const SYMBOLS: &str = "_|abc";

    pub fn vocabulary() -> Vocabulary {
        Vocabulary::from_tokens(&["<pad>", "|", "a", "b", "c"], 0)
    }

    /// Frames in which each of `symbols` has a probability of 0.9.
    pub fn likely(symbols: &str) -> LogProbabilities {
        let rest: f32 = 0.1 / 4.0;
        let frame =
            |symbol: char| SYMBOLS.chars().map(move |other| if other == symbol { 0.9f32 } else { rest }.ln());
        LogProbabilities::new(symbols.chars().flat_map(frame).collect(), 5)
    }
}
