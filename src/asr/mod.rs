//! Speech to text.
//!
//! [`Engine`] is Whisper at work: it takes chunks of sound from a [`ChunkSource`] and hands decoded text to a
//! [`Sink`], in order of time, many chunks side by side. The same sound gives the same text whatever the
//! number of threads and whatever else is decoded beside it.

mod chunk;
mod engine;
mod job;
mod language;
mod loop_guard;
mod options;
mod rules;
mod search;
mod segments;
mod tokenizer;
mod transcript;
mod windows;
mod word_times;

pub use chunk::{Chunk, ChunkSource, Decoded, MAX_CHUNK, Next};
pub use engine::{Engine, Sink};
pub use options::{Chunking, LanguageChoice, Options};
pub use tokenizer::{Special, Tokenizer};
pub use transcript::{Segment, Task, Transcript, Word};
pub use windows::Windows;
