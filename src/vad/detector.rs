//! From samples to speech events, for a live stream.

use super::endpoint::Endpointer;
use super::{FRAME_SAMPLES, SileroVad, SpeechEvent, VadOptions};
use crate::Result;
use crate::time::SampleIndex;

/// Finds where speech starts and ends in a stream of 16 kHz samples.
#[derive(Debug, Clone)]
pub struct SpeechDetector {
    vad: SileroVad,
    framer: Framer,
    endpointer: Endpointer,
}

impl SpeechDetector {
    /// A detector at the start of a stream.
    ///
    /// # Errors
    /// [`Error::Setting`](crate::Error::Setting) where an option is out of range.
    pub fn new(options: &VadOptions) -> Result<Self> {
        Ok(Self { vad: SileroVad::new()?, framer: Framer::default(), endpointer: Endpointer::new(options)? })
    }

    /// Takes the stream's next samples and appends what was decided to `events`.
    pub fn push(&mut self, samples: &[f32], events: &mut Vec<SpeechEvent>) {
        let Self { vad, framer, endpointer } = self;
        framer.push(samples, |frame| endpointer.push(vad.process(frame), events));
    }

    /// Ends the stream: speech that is still open ends here. The next `push` starts a new stream.
    pub fn flush(&mut self, events: &mut Vec<SpeechEvent>) {
        let end = self.framer.position();
        if let Some(frame) = self.framer.last_frame() {
            self.endpointer.push(self.vad.process(&frame), events);
        }
        self.endpointer.finish(end, events);
        self.reset();
    }

    /// Forgets the stream; the next `push` starts a new one.
    pub fn reset(&mut self) {
        self.vad.reset();
        self.framer = Framer::default();
        self.endpointer.reset();
    }
}

/// Cuts blocks of any size into frames.
#[derive(Debug, Clone)]
pub(super) struct Framer {
    frame: [f32; FRAME_SAMPLES],
    filled: usize,
    frames: u64,
}

impl Default for Framer {
    fn default() -> Self {
        Self { frame: [0.0; FRAME_SAMPLES], filled: 0, frames: 0 }
    }
}

impl Framer {
    /// Calls `each` for every frame that `samples` complete.
    pub(super) fn push(&mut self, mut samples: &[f32], mut each: impl FnMut(&[f32; FRAME_SAMPLES])) {
        while !samples.is_empty() {
            let (now, later) = samples.split_at(samples.len().min(FRAME_SAMPLES - self.filled));
            self.frame[self.filled..][..now.len()].copy_from_slice(now);
            self.filled += now.len();
            samples = later;
            if self.filled == FRAME_SAMPLES {
                each(&self.frame);
                self.frames += 1;
                self.filled = 0;
            }
        }
    }

    /// The end of the samples taken so far.
    pub(super) fn position(&self) -> SampleIndex {
        SampleIndex(self.frames * FRAME_SAMPLES as u64 + self.filled as u64)
    }

    /// The samples that do not fill a frame, with zeros after them; none where there are no such samples.
    pub(super) fn last_frame(&mut self) -> Option<[f32; FRAME_SAMPLES]> {
        if self.filled == 0 {
            return None;
        }
        self.frame[self.filled..].fill(0.0);
        Some(self.frame)
    }
}
