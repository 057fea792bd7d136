//! Work on many files that outlives the process: what was done is written down, and not done again.

mod journal;

pub use journal::Journal;
