//! What keeps the queue of a device full.

use std::sync::Arc;

use super::PlaySource;
use super::queue::{QueueReader, QueueWriter, Tally, queue};
use crate::Result;
use crate::audio::Resampler;
use crate::time::SampleRate;

/// Seconds that wait in the queue: threads of a busy machine come late by some tens of milliseconds.
pub(super) const QUEUE: f64 = 0.1;
/// Samples that are pulled at once, 10 ms.
const BLOCK: usize = 160;

/// How much was put into the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fed {
    /// As much as should wait in it.
    Enough,
    /// All that there is.
    All,
}

/// Fills the queue of one device, at its rate.
pub(super) struct Feeder {
    queue: QueueWriter,
    resampler: Resampler,
    /// At the device's rate, not in the queue yet.
    ready: Vec<f32>,
    /// Samples pulled that have not come out of the resampler, at the device's rate.
    inside: f64,
    has_ended: bool,
}

impl Feeder {
    /// With the callback's end of the queue.
    ///
    /// # Errors
    /// [`Error::Setting`](crate::Error::Setting) where `rate` is out of range.
    pub fn new(rate: SampleRate, channels: usize) -> Result<(Self, QueueReader)> {
        let (queue, reader) = queue(rate, channels);
        let resampler = Resampler::for_output(rate)?;
        Ok((Self { queue, resampler, ready: Vec::new(), inside: 0.0, has_ended: false }, reader))
    }

    /// What callbacks are counted in.
    pub fn tally(&self) -> &Arc<Tally> {
        self.queue.tally()
    }

    /// The device's rate.
    pub fn rate(&self) -> SampleRate {
        self.resampler.output_rate()
    }

    /// Seconds that sound waits between the source and the loudspeaker.
    pub fn waiting(&self) -> f64 {
        let frames = self.queue.len() as f64 + self.ready.len() as f64 + self.inside;
        frames / f64::from(self.rate().0) + self.tally().latency().as_secs_f64()
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.queue.len() == 0 && self.ready.is_empty()
    }

    /// Puts as much of `source` into the queue as should wait there.
    pub fn feed(&mut self, source: &mut dyn PlaySource) -> Fed {
        let rate = f64::from(self.rate().0);
        // A device that asks for much at once finds it there.
        let wanted = ((QUEUE * rate) as usize).max(2 * self.tally().largest());
        let mut block = [0.0; BLOCK];
        while self.queue.len() + self.ready.len() < wanted && !self.has_ended {
            let count = source.pull(&mut block);
            let before = self.ready.len();
            self.resampler.push(&block[..count], &mut self.ready);
            let out = (self.ready.len() - before) as f64;
            self.inside += count as f64 * rate / f64::from(SampleRate::PIPELINE.0) - out;
            if count < BLOCK {
                self.resampler.flush(&mut self.ready);
                self.inside = 0.0;
                self.has_ended = true;
                self.tally().note_end();
            }
        }
        let put = self.queue.push(&self.ready);
        self.ready.drain(..put);
        if self.has_ended { Fed::All } else { Fed::Enough }
    }
}
