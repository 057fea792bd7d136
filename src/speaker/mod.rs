//! Who speaks.

pub mod diarize;
