//! Large collections of sound: labelled corpora are read, and work on many files outlives the process, for what was done is
//! written down, and not done again.

pub mod conversations;
pub mod datasets;
pub mod festvox;
mod journal;

pub use journal::Journal;
