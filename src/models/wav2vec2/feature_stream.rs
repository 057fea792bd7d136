//! The convolutions on sound as it comes: no sample is convolved twice.

use super::features::{ConvLayer, FeatureEncoder};
use super::standardise::{Standardise, VARIANCE_EPS};

/// Samples that are worked on at once: 0.1 s. What a stream gives does not depend on how sound is cut into blocks, since
/// running means are taken at multiples of this.
const STEP: usize = 1600;

/// The state of the convolutions between one block of sound and the next.
///
/// Where a network has a norm over time (wav2vec 2.0 base) or wants sound of mean 0 and variance 1, a stream knows only what
/// it has heard: its features approach those of the whole as it goes on. Otherwise they are equal.
pub struct FeatureStream {
    standardise: Standardise,
    /// Samples that do not make a step yet.
    waiting: Vec<f32>,
    sound: Moments,
    layers: Vec<LayerState>,
}

#[derive(Default)]
struct LayerState {
    /// Frames that outputs to come need, `[frames, channels]`.
    pending: Vec<f32>,
    /// Of each channel, where the norm is over time.
    channels: Vec<Moments>,
}

/// Running mean and variance (Welford).
#[derive(Debug, Clone, Copy, Default)]
struct Moments {
    count: f64,
    mean: f64,
    squares: f64,
}

impl Moments {
    fn add(&mut self, x: f32) {
        let x = f64::from(x);
        self.count += 1.0;
        let before = x - self.mean;
        self.mean += before / self.count;
        self.squares += before * (x - self.mean);
    }

    /// What to subtract and then to multiply by, with `eps` added to the variance.
    fn standard(&self, eps: f64) -> (f32, f32) {
        let variance = self.squares / self.count.max(1.0);
        (self.mean as f32, (variance + eps).sqrt().recip() as f32)
    }
}

impl FeatureStream {
    /// The state before any sound, of `encoder`'s convolutions.
    pub(super) fn new(encoder: &FeatureEncoder, standardise: Standardise) -> Self {
        let layers = encoder.layers.iter().map(|_| LayerState::default()).collect();
        Self { standardise, waiting: Vec::new(), sound: Moments::default(), layers }
    }

    /// Takes samples and appends the features of the frames that are complete, `[frames, channels]`, to `out`.
    pub(super) fn push(&mut self, encoder: &FeatureEncoder, samples: &[f32], out: &mut Vec<f32>) {
        self.waiting.extend_from_slice(samples);
        let whole = self.waiting.len() / STEP * STEP;
        let steps: Vec<f32> = self.waiting.drain(..whole).collect();
        for step in steps.chunks_exact(STEP) {
            self.step(encoder, step.to_vec(), out);
        }
    }

    /// Works on what is left at the end of the sound.
    pub(super) fn flush(&mut self, encoder: &FeatureEncoder, out: &mut Vec<f32>) {
        let rest = std::mem::take(&mut self.waiting);
        self.step(encoder, rest, out);
    }

    fn step(&mut self, encoder: &FeatureEncoder, mut x: Vec<f32>, out: &mut Vec<f32>) {
        if self.standardise == Standardise::Yes {
            x.iter().for_each(|&x| self.sound.add(x));
            let (mean, scale) = self.sound.standard(VARIANCE_EPS);
            x.iter_mut().for_each(|x| *x = (*x - mean) * scale);
        }
        for (layer, state) in encoder.layers.iter().zip(&mut self.layers) {
            x = state.step(layer, &x);
        }
        out.append(&mut x);
    }
}

impl LayerState {
    /// The outputs that `input` completes.
    fn step(&mut self, layer: &ConvLayer, input: &[f32]) -> Vec<f32> {
        self.pending.extend_from_slice(input);
        let channels = layer.conv.channels();
        let pending = std::mem::take(&mut self.pending);
        let (outputs, done) = layer.forward_part(&pending, |values, width| self.channel_norm(values, width));
        self.pending = pending;
        self.pending.drain(..done * channels);
        outputs
    }

    /// What to subtract from each of `width` channels and to multiply it by, by all values so far, `values` included.
    fn channel_norm(&mut self, values: &[f32], width: usize) -> Vec<(f32, f32)> {
        self.channels.resize(width, Moments::default());
        for row in values.chunks_exact(width) {
            self.channels.iter_mut().zip(row).for_each(|(moments, &x)| moments.add(x));
        }
        self.channels.iter().map(|moments| moments.standard(f64::from(super::features::EPS))).collect()
    }
}
