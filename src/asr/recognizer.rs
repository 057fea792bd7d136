//! Whisper as a recogniser: a stream of samples to a transcript.

use std::sync::Arc;

use super::chunk::{ChunkSource, Decoded};
use super::engine::Engine;
use super::options::{Chunking, Options};
use super::pauses::Pauses;
use super::session::{Session, Sink};
use super::windows::Windows;
use super::{AudioSource, Observer, Recognizer, Segment, Transcript};
use crate::Result;

/// An engine and what is asked of it.
pub struct WhisperRecognizer {
    engine: Arc<Engine>,
    options: Options,
}

impl WhisperRecognizer {
    /// A recogniser by `options`.
    pub fn new(engine: impl Into<Arc<Engine>>, options: Options) -> Self {
        Self { engine: engine.into(), options }
    }
}

impl Recognizer for WhisperRecognizer {
    fn transcribe(&mut self, audio: &mut dyn AudioSource, observer: &mut dyn Observer) -> Result<Transcript> {
        let mut collector = Collector { observer, segments: Vec::new() };
        let mut session = Session::new(Arc::clone(&self.engine), self.options.clone())?;
        let end = match self.options.chunking {
            Chunking::Windows => {
                let mut windows = Windows::new(audio);
                session.run(&mut windows, &mut collector)?;
                windows.position()
            }
            Chunking::Speech { threshold } => {
                let mut pauses = Pauses::new(audio, threshold)?;
                session.run(&mut pauses, &mut collector)?;
                pauses.position()
            }
        };
        let segments = collector.segments;
        Ok(Transcript {
            task: self.options.task,
            language: main_language(&segments),
            duration: end.seconds(),
            segments,
        })
    }
}

/// Hands segments on and keeps them.
struct Collector<'a> {
    observer: &'a mut dyn Observer,
    segments: Vec<Segment>,
}

impl Sink for Collector<'_> {
    fn decoded(&mut self, decoded: &Decoded) {
        for segment in &decoded.segments {
            self.observer.segment(segment);
            self.segments.push(segment.clone());
        }
        self.observer.progress(decoded.span.start + decoded.consumed as u64);
    }

    fn stopped(&self) -> bool {
        self.observer.stopped()
    }
}

/// The language that most seconds are in.
pub(super) fn main_language(segments: &[Segment]) -> String {
    let mut seconds: Vec<(&str, f64)> = Vec::new();
    for segment in segments {
        match seconds.iter_mut().find(|(language, _)| *language == segment.language) {
            Some((_, total)) => *total += segment.span.seconds(),
            None => seconds.push((&segment.language, segment.span.seconds())),
        }
    }
    seconds
        .into_iter()
        .max_by(|a, b| a.1.total_cmp(&b.1))
        .map_or(String::new(), |(language, _)| language.to_owned())
}
