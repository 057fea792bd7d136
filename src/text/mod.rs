//! Abuse in written text: word lists, and a small classifier of character n-grams.
//!
//! [`normalise()`] undoes spellings that hide a word, and knows where everything stood in the original; [`lexicon`] finds
//! the terms of word lists and says which it found; [`classifier`] gives the probability that a text is abusive, in any
//! of the languages that it was [trained](train) on, and which words speak for it. One is built in, by the name
//! [`BUILT_IN`](classifier::BUILT_IN); no list is.

pub mod classifier;
pub mod dataset;
mod dual;
mod features;
pub mod figures;
mod latin;
mod leet;
pub mod lexicon;
pub mod normalise;
mod scale;
pub mod train;
mod votes;

pub use classifier::TextClassifier;
pub use features::{FeatureOptions, Letters};
pub use lexicon::Lexicon;
pub use normalise::{NormalText, normalise};
