//! Sound to the frames `z`: five convolutions, each with a norm over channels and a ReLU.

use super::Cpc;
use crate::compute::{Conv1d, LayerNorm, Precision};
use crate::models::loader::Loader;
use crate::weights::Checkpoint;
use crate::{Error, Result};

/// Kernel, stride and padding of the convolutions, which are the same in all that the authors' code makes.
const SHAPES: [(usize, usize, usize); 5] = [(10, 5, 3), (8, 4, 2), (4, 2, 1), (4, 2, 1), (4, 2, 1)];
/// What the norm adds to the variance.
const EPS: f32 = 1e-5;

/// A convolution with its norm and ReLU.
pub(super) struct ConvLayer {
    conv: Conv1d,
    norm: LayerNorm,
}

/// What a convolution keeps of the frames that it has heard: those that outputs to come need, and before the first sound
/// the zeros that are taken to be before it.
#[derive(Debug, Clone)]
pub(super) struct ConvState {
    /// `[frames, channels]`.
    pending: Vec<f32>,
}

impl ConvLayer {
    /// All convolutions of a checkpoint; how wide they are, their weights tell.
    pub fn load_all(checkpoint: &Checkpoint, loader: &Loader) -> Result<Vec<Self>> {
        let mut channels = 1;
        let mut layers = Vec::with_capacity(SHAPES.len());
        for (index, shape) in SHAPES.into_iter().enumerate() {
            let layer = Self::load(checkpoint, loader, index, channels, shape)?;
            channels = layer.outputs();
            layers.push(layer);
        }
        Ok(layers)
    }

    fn load(
        checkpoint: &Checkpoint,
        loader: &Loader,
        index: usize,
        channels: usize,
        (kernel, stride, padding): (usize, usize, usize),
    ) -> Result<Self> {
        let norm = format!("gEncoder.batchNorm{index}");
        if loader.contains(&format!("{norm}.running_mean")) {
            return Err(Error::model(
                checkpoint.path().display().to_string(),
                "has batch norm, as the original CPC; supported is the modified CPC, whose norm is over channels (normMode \
                 layerNorm)",
            ));
        }
        let weight = format!("gEncoder.conv{index}.weight");
        let outputs = checkpoint.shape(&weight).and_then(|shape| shape.first().copied()).unwrap_or(0);
        if outputs < 2 && checkpoint.contains(&weight) {
            return Err(Cpc::misfit(checkpoint, &weight, "two channels are the least that have a variance"));
        }
        let values = loader.values(&weight, &[outputs, channels, kernel])?;
        let bias = loader.values(&format!("gEncoder.conv{index}.bias"), &[outputs])?;
        let part = |part: &str| loader.values(&format!("{norm}.{part}"), &[1, outputs, 1]);
        Ok(Self {
            conv: Conv1d::new(&values, Some(bias), channels, kernel, stride, padding, Precision::F32),
            norm: channel_norm(part("weight")?, part("bias")?),
        })
    }

    /// Width of a frame that comes out.
    pub fn outputs(&self) -> usize {
        self.conv.outputs()
    }

    /// The state before any sound.
    pub fn state(&self) -> ConvState {
        ConvState { pending: self.silence().collect() }
    }

    /// Replaces `out` by the outputs that `input` completes, `[frames, outputs]`.
    pub fn push(&self, input: &[f32], state: &mut ConvState, out: &mut Vec<f32>) {
        state.pending.extend_from_slice(input);
        self.complete(state, out);
    }

    /// The same with the last of the sound, and the zeros that are taken to be after it.
    pub fn finish(&self, input: &[f32], state: &mut ConvState, out: &mut Vec<f32>) {
        state.pending.extend_from_slice(input);
        state.pending.extend(self.silence());
        self.complete(state, out);
    }

    fn complete(&self, state: &mut ConvState, out: &mut Vec<f32>) {
        self.conv.forward_into(&state.pending, out);
        let frames = out.len() / self.outputs();
        state.pending.drain(..frames * self.conv.stride() * self.conv.channels());
        self.norm.in_place(out);
        for x in out {
            *x = x.max(0.0);
        }
    }

    fn silence(&self) -> impl Iterator<Item = f32> {
        std::iter::repeat_n(0.0, self.conv.padding() * self.conv.channels())
    }
}

/// The authors' ChannelNorm as a layer norm. It takes the variance of `n` channels as the sum of squares over `n - 1`, so
/// that `1 / sqrt(v n / (n - 1) + eps)` is `sqrt((n - 1) / n) / sqrt(v + eps (n - 1) / n)` of the variance `v` over `n`.
fn channel_norm(mut weight: Vec<f32>, bias: Vec<f32>) -> LayerNorm {
    let share = (weight.len() - 1) as f32 / weight.len() as f32;
    weight.iter_mut().for_each(|weight| *weight *= share.sqrt());
    LayerNorm::new(weight, bias, EPS * share)
}
