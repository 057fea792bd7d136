//! A microphone as the source of a stream.

use std::time::Duration;

use super::source::{Sound, Source, SourceStep};
use crate::Result;
use crate::audio::capture::{Capture, Captured};

/// How long to wait for sound before others are asked whether to go on.
const WAIT: Duration = Duration::from_millis(100);

/// The sound of an input device. It ends only with the stream: a device that goes away is a gap.
pub struct Microphone {
    capture: Capture,
}

impl Microphone {
    /// Hears what `capture` captures.
    pub fn new(capture: Capture) -> Self {
        Self { capture }
    }
}

impl Source for Microphone {
    fn next(&mut self) -> Result<SourceStep> {
        Ok(match self.capture.read(WAIT)? {
            None => SourceStep::Wait,
            Some(Captured::Audio { samples, at }) => {
                SourceStep::Sound(Sound::Block { samples: samples.into(), at: Some(at) })
            }
            Some(Captured::Gap { samples, reason }) => SourceStep::Sound(Sound::Gap { samples, reason }),
        })
    }

    fn drift_ppm(&self) -> Option<f64> {
        self.capture.drift_ppm()
    }

    fn warnings(&self) -> Vec<String> {
        let counters = self.capture.counters();
        let mut warnings = Vec::new();
        if counters.overruns > 0 {
            warnings.push(format!(
                "{} frames of the device were lost; overruns: {}",
                counters.lost, counters.overruns
            ));
        }
        if counters.reconnects > 0 {
            warnings.push(format!("the device was lost; opened again: {}", counters.reconnects));
        }
        warnings
    }
}
