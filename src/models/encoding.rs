//! What an encoder made of a sound, for all who need it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::dsp::pool::{Pool, pool};
use crate::time::Span;
use crate::{Error, Result};

/// Hidden states, `[frames, width]` each, by the numbers of their layers.
pub type States = BTreeMap<usize, Vec<f32>>;

/// Hidden states of a sound, of those layers that somebody wants. Frames of silence that a network hears after the sound are
/// left out.
#[derive(Debug, Clone, PartialEq)]
pub struct Encoding {
    /// Where the sound is in its stream.
    pub span: Span,
    /// Samples from one frame to the next.
    pub hop: usize,
    /// Values of a frame.
    pub width: usize,
    /// The states kept, `[frames, width]`, by the number of the layer: 0 enters the first.
    states: States,
}

impl Encoding {
    /// An encoding of the sound at `span`. Of each state the frames that begin within the sound are kept, one at least.
    pub fn new(span: Span, hop: usize, width: usize, mut states: States) -> Self {
        let frames = (span.len() as usize).div_ceil(hop).max(1);
        states.values_mut().for_each(|state| state.truncate(frames * width));
        Self { span, hop, width, states }
    }

    /// The layers that were kept.
    pub fn layers(&self) -> impl Iterator<Item = usize> {
        self.states.keys().copied()
    }

    /// The frames of `layers`, pooled, one layer after the other: `[layers, Pool::width(width)]`.
    ///
    /// # Errors
    /// [`Error::Setting`] where a layer was not kept.
    pub fn pooled(&self, layers: &[usize], how: Pool) -> Result<Vec<f32>> {
        let mut features = Vec::with_capacity(layers.len() * self.width);
        for layer in layers {
            let state = self.states.get(layer);
            let state = state.ok_or_else(|| Error::Setting(format!("layer {layer} was not kept")))?;
            features.extend(pool(state.clone(), self.width, how));
        }
        Ok(features)
    }

    /// The frames of `layers`, `[frames, layers, width]`.
    ///
    /// # Errors
    /// As [`pooled`](Self::pooled).
    pub fn frames(&self, layers: &[usize]) -> Result<Vec<f32>> {
        Ok(side_by_side(&self.pooled(layers, Pool::None)?, layers.len(), self.width))
    }
}

/// States that follow one another, `[layers, frames, width]`, frame by frame: `[frames, layers, width]`.
pub fn side_by_side(states: &[f32], layers: usize, width: usize) -> Vec<f32> {
    let frames = states.len() / (layers * width).max(1);
    let frame = |frame: usize| (0..layers).map(move |layer| (layer * frames + frame) * width);
    (0..frames).flat_map(frame).flat_map(|start| &states[start..start + width]).copied().collect()
}

/// Counts what an encoder does.
#[derive(Debug, Default)]
pub struct EncoderMeter {
    runs: AtomicU64,
    nanos: AtomicU64,
}

impl EncoderMeter {
    /// Runs the encoder, which is what `work` does.
    pub fn measure<T>(&self, work: impl FnOnce() -> T) -> T {
        let start = Instant::now();
        let done = work();
        self.runs.fetch_add(1, Ordering::Relaxed);
        self.nanos.fetch_add(start.elapsed().as_nanos() as u64, Ordering::Relaxed);
        done
    }

    /// How often it ran.
    pub fn runs(&self) -> u64 {
        self.runs.load(Ordering::Relaxed)
    }

    /// Time that it took in all.
    pub fn took(&self) -> Duration {
        Duration::from_nanos(self.nanos.load(Ordering::Relaxed))
    }
}
