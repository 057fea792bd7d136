//! Speech to text.
//!
//! A [`Recognizer`] turns a stream of samples into a [`Transcript`]; [`WhisperRecognizer`] does so with Whisper.
//! Beneath it, a [`Session`] of an [`Engine`] takes chunks of sound from a [`ChunkSource`] and hands decoded text to a
//! [`Sink`], in order of time, many chunks side by side; [`live`] recognises speech while it goes on; [`ctc`] spells what
//! networks of the wav2vec 2.0 family hear. The same sound gives the same text whatever the number of threads and whatever
//! else is decoded beside it.

mod chunk;
pub mod ctc;
mod engine;
pub mod identify;
mod job;
mod language;
pub mod languages;
pub mod live;
mod loop_guard;
mod model;
mod options;
mod pauses;
mod recognizer;
pub mod romanize;
mod rules;
mod search;
mod segments;
mod sentences;
mod session;
mod step_times;
mod tokenizer;
mod transcript;
mod windows;
mod word_times;

pub use chunk::{Chunk, ChunkSource, Decoded, MAX_CHUNK, Next};
pub use engine::Engine;
pub use model::Model;
pub use options::{Chunking, LanguageChoice, Options};
pub use recognizer::WhisperRecognizer;
pub use session::{Session, Sink};
pub use step_times::StepShape;
pub use tokenizer::{Special, Tokenizer};
pub use transcript::{Segment, Task, Transcript, Word};

pub use crate::audio::AudioSource;

use crate::Result;
use crate::time::SampleIndex;

/// Hears of recognition while it goes on.
pub trait Observer {
    /// A segment is ready; segments come in order of time, and each is in the transcript.
    fn segment(&mut self, segment: &Segment);

    /// The audio before `position` is done.
    fn progress(&mut self, position: SampleIndex);

    /// Something is doubtful that the user should know of.
    fn warn(&mut self, message: &str);

    /// Whether to stop. Asked often; once it is true, recognition ends with
    /// [`Error::Interrupted`](crate::Error::Interrupted).
    fn stopped(&self) -> bool;
}

/// Turns speech into text, one stream after another.
pub trait Recognizer {
    /// Transcribes `audio` to its end.
    ///
    /// # Errors
    /// Those of the audio and of the network; [`Error::Interrupted`](crate::Error::Interrupted) when stopped.
    fn transcribe(&mut self, audio: &mut dyn AudioSource, observer: &mut dyn Observer) -> Result<Transcript>;
}
