//! Where sound comes from: files as fast as they decode or paced as if live, standard input, and (in
//! [`audio::capture`](crate::audio)) microphones.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::link::Item;
use crate::Result;
use crate::asr::AudioSource;
use crate::event::GapReason;
use crate::time::SampleIndex;

/// A piece of a stream.
#[derive(Debug, Clone)]
pub enum Sound {
    /// Samples, 16 kHz mono.
    Block {
        /// The samples.
        samples: Arc<[f32]>,
        /// When the last of them was captured; none where that means nothing.
        at: Option<Instant>,
    },
    /// Samples are missing.
    Gap {
        /// How many, at 16 kHz.
        samples: u64,
        /// Why.
        reason: GapReason,
    },
    /// A mark that comes out behind all that was said before it.
    Marker(String),
}

impl Item for Sound {
    fn samples(&self) -> u64 {
        match self {
            Self::Block { samples, .. } => samples.len() as u64,
            _ => 0,
        }
    }
}

/// What a source has to give.
#[derive(Debug)]
pub enum SourceStep {
    /// The next piece.
    Sound(Sound),
    /// Nothing yet; ask again.
    Wait,
    /// Nothing any more.
    End,
}

/// A stream of sound.
pub trait Source: Send {
    /// The next piece; waits for it for a tenth of a second or so.
    ///
    /// # Errors
    /// Those that end the stream.
    fn next(&mut self) -> Result<SourceStep>;

    /// How much faster than the system's clock the source's is, in parts per million, where it has a clock.
    fn drift_ppm(&self) -> Option<f64> {
        None
    }

    /// What was doubtful in the input, once it has ended.
    fn warnings(&self) -> Vec<String> {
        Vec::new()
    }
}

/// Sound that is there already, as fast as it is taken.
pub struct Recorded<A> {
    audio: A,
    block: Vec<f32>,
}

impl<A: AudioSource + Send> Recorded<A> {
    /// The whole of `audio`.
    pub fn new(audio: A) -> Self {
        Self { audio, block: Vec::new() }
    }
}

impl<A: AudioSource + Send> Source for Recorded<A> {
    fn next(&mut self) -> Result<SourceStep> {
        Ok(match self.audio.read(&mut self.block)? {
            0 => SourceStep::End,
            _ => SourceStep::Sound(Sound::Block { samples: self.block.as_slice().into(), at: None }),
        })
    }

    fn warnings(&self) -> Vec<String> {
        self.audio.warnings()
    }
}

/// Sound that is there already, at the pace that it was recorded at: each block comes when its last sample would have
/// been captured.
pub struct Paced<A> {
    audio: A,
    block: Vec<f32>,
    taken: usize,
    position: SampleIndex,
    start: Option<Instant>,
}

/// Samples of a paced block: 32 ms.
const PACED_BLOCK: usize = 512;

impl<A: AudioSource + Send> Paced<A> {
    /// The whole of `audio`; its clock starts with the first block asked for.
    pub fn new(audio: A) -> Self {
        Self { audio, block: Vec::new(), taken: 0, position: SampleIndex(0), start: None }
    }
}

impl<A: AudioSource + Send> Source for Paced<A> {
    fn next(&mut self) -> Result<SourceStep> {
        if self.taken == self.block.len() {
            self.taken = 0;
            if self.audio.read(&mut self.block)? == 0 {
                return Ok(SourceStep::End);
            }
        }
        let rest = &self.block[self.taken..];
        let samples: Arc<[f32]> = rest[..rest.len().min(PACED_BLOCK)].into();
        self.taken += samples.len();
        self.position = self.position + samples.len() as u64;
        let start = *self.start.get_or_insert_with(Instant::now);
        let at = start + Duration::from_secs_f64(self.position.seconds());
        std::thread::sleep(at.saturating_duration_since(Instant::now()));
        Ok(SourceStep::Sound(Sound::Block { samples, at: Some(at) }))
    }

    fn warnings(&self) -> Vec<String> {
        self.audio.warnings()
    }
}
