//! Hidden states of sound as it comes, in chunks that hear a bounded stretch before and after them.

use candle_core::{Device, Tensor};

use super::Wav2Vec2;
use super::feature_stream::FeatureStream;
use super::standardise::Standardise;
use crate::Result;

/// How much a chunk hears, in frames of the network (20 ms for all that is published).
///
/// The attention of these networks goes over all of a sound, so that states of a stream differ from those of the whole;
/// `docs/latency.md` has how much, by chunk and look-ahead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StreamOptions {
    /// Frames before a chunk that it hears.
    pub left: usize,
    /// Frames whose states are made at once.
    pub chunk: usize,
    /// Frames after a chunk that it hears; until they are there, it waits.
    pub look_ahead: usize,
    /// Whether sound is brought to mean 0 and variance 1.
    pub standardise: Standardise,
}

/// What was made of a chunk.
#[derive(Debug, Clone)]
pub struct StreamChunk {
    /// Last hidden states of its frames, `[chunk, hidden_size]`.
    pub states: Tensor,
    /// States of the frames after it that it heard, `[look_ahead, hidden_size]`: those of the next chunk will differ.
    pub ahead: Tensor,
}

/// A stream's sound on its way through a network. Memory does not grow with its length.
pub struct Wav2Vec2Stream {
    options: StreamOptions,
    features: FeatureStream,
    /// Features of the frames that are heard again, `[frames, channels]`, from frame `first` on.
    window: Vec<f32>,
    first: usize,
    /// Frames whose states were given out.
    given: usize,
}

impl Wav2Vec2Stream {
    /// A stream through `network` before any sound.
    ///
    /// # Errors
    /// [`Error::Setting`](crate::Error::Setting) for a network that is not on the processor.
    pub fn new(network: &Wav2Vec2, options: StreamOptions) -> Result<Self> {
        let features = FeatureStream::new(&network.packed()?.features, options.standardise);
        Ok(Self { options, features, window: Vec::new(), first: 0, given: 0 })
    }

    /// Takes samples at 16 kHz, and calls `take` with each chunk that is complete. What comes does not depend on how the
    /// sound is cut into blocks.
    ///
    /// # Errors
    /// Those of candle and of `take`.
    pub fn push(
        &mut self,
        network: &Wav2Vec2,
        samples: &[f32],
        mut take: impl FnMut(StreamChunk) -> Result<()>,
    ) -> Result<()> {
        self.features.push(&network.packed()?.features, samples, &mut self.window);
        let StreamOptions { chunk, look_ahead, .. } = self.options;
        while self.heard(network)? >= self.given + chunk + look_ahead {
            let states = self.states(network, self.given + chunk + look_ahead)?;
            take(StreamChunk {
                states: states.narrow(0, 0, chunk)?.contiguous()?,
                ahead: states.narrow(0, chunk, look_ahead)?.contiguous()?,
            })?;
            self.give(network, chunk)?;
        }
        Ok(())
    }

    /// Ends the sound: the states of what is left, if there is any. The stream is as new.
    ///
    /// # Errors
    /// Those of candle.
    pub fn flush(&mut self, network: &Wav2Vec2) -> Result<Option<Tensor>> {
        self.features.flush(&network.packed()?.features, &mut self.window);
        let rest = self.rest(network)?;
        *self = Self::new(network, self.options)?;
        Ok(rest)
    }

    /// States of the frames heard so far that belong to no complete chunk, as if the sound ended here; none where there is
    /// no such frame. Nothing is given out by it.
    ///
    /// # Errors
    /// Those of candle.
    pub fn rest(&self, network: &Wav2Vec2) -> Result<Option<Tensor>> {
        let heard = self.heard(network)?;
        if heard == self.given { Ok(None) } else { self.states(network, heard).map(Some) }
    }

    /// Frames whose features are there.
    fn heard(&self, network: &Wav2Vec2) -> Result<usize> {
        Ok(self.first + self.window.len() / network.packed()?.features.channels())
    }

    /// States of the frames from the first that was not given out to `end`.
    fn states(&self, network: &Wav2Vec2, end: usize) -> Result<Tensor> {
        let packed = network.packed()?;
        let frames = end - self.first;
        let last = packed.transform(&self.window[..frames * packed.features.channels()]);
        let width = network.config.hidden_size;
        let wanted = &last[(self.given - self.first) * width..];
        Ok(Tensor::from_slice(wanted, (end - self.given, width), &Device::Cpu)?)
    }

    fn give(&mut self, network: &Wav2Vec2, frames: usize) -> Result<()> {
        self.given += frames;
        let first = self.given.saturating_sub(self.options.left).max(self.first);
        self.window.drain(..(first - self.first) * network.packed()?.features.channels());
        self.first = first;
        Ok(())
    }
}
