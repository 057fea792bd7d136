//! Speech to text.

pub mod transcript;

pub use transcript::{Segment, Transcript, Word};
