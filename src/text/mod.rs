//! Abuse in written text: word lists, a small classifier of character n-grams, and transformers for those who have the time.
//!
//! [`normalise()`] undoes spellings that hide a word, and knows where everything stood in the original; [`lexicon`] finds
//! the terms of word lists and says which it found; [`classifier`] gives the probability that a text is abusive, in any
//! of the languages that it was [trained](train) on, and which words speak for it; one is built in, by the name
//! [`BUILT_IN`](classifier::BUILT_IN). A [`TransformerClassifier`] is one of the Hugging Face hub. Both are a [`TextHead`].
//! No list is built in.

pub mod classifier;
pub mod dataset;
mod dual;
mod features;
pub mod figures;
mod head;
mod latin;
mod leet;
pub mod lexicon;
pub mod normalise;
mod scale;
pub mod train;
mod transformer;
mod votes;

pub use classifier::TextClassifier;
pub use features::{FeatureOptions, Letters};
pub use head::{Judged, TextHead};
pub use lexicon::Lexicon;
pub use normalise::{NormalText, normalise};
pub use transformer::TransformerClassifier;
