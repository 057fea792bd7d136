//! Recognition while speech goes on.
//!
//! A segment is recognised again and again while it grows ([`LiveRecognizer::partial`]); words that two hypotheses in a
//! row agree on are stable and are never taken back before the final. The final text comes from the whole segment at
//! once, and is the same whatever partials were made. No thread is started here, and no clock read.

mod agreement;
mod pace;
mod recognizer;

pub use agreement::{Agreement, same};
pub use pace::Pace;
pub use recognizer::{ContextOptions, FinalText, LiveRecognizer, PartialText};
