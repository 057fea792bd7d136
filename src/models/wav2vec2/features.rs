//! Sound to features: seven convolutions, and a projection to the width of the transformer.

use rayon::prelude::*;

use super::config::{Config, ConvNorm};
use crate::Result;
use crate::compute::{Conv1d, LayerNorm, Linear, Precision, gelu_in_place};
use crate::models::loader::Loader;

/// Frames that are made together: what is between two layers stays in a second-level cache.
const TILE: usize = 16;
/// Outputs of the first convolution whose sums are taken together.
const STATISTICS_PART: usize = 1024;

/// The convolutions, `[samples, 1]` to `[frames, channels]`.
pub struct FeatureEncoder {
    pub(super) layers: Vec<ConvLayer>,
}

/// A convolution with its norm.
pub(super) struct ConvLayer {
    pub(super) conv: Conv1d,
    norm: Norm,
}

enum Norm {
    None,
    /// Of each channel over time, with scale, shift and epsilon.
    Channels(Vec<f32>, Vec<f32>),
    /// Of each frame over its channels.
    Frames(LayerNorm),
}

/// PyTorch's default, which the convolutions' norms keep whatever the configuration says.
pub(super) const EPS: f32 = 1e-5;

impl FeatureEncoder {
    pub fn load(loader: &Loader, config: &Config) -> Result<Self> {
        let layers = (0..config.conv_dim.len()).map(|index| ConvLayer::load(loader, config, index));
        Ok(Self { layers: layers.collect::<Result<_>>()? })
    }

    /// Width of a frame that comes out.
    pub fn channels(&self) -> usize {
        self.layers.last().map_or(1, |layer| layer.conv.outputs())
    }

    /// The features of `sound`, `[frames, channels]`; none of one that is shorter than a frame.
    ///
    /// Frames are made a few at a time, through all layers, so that what is between layers stays in the processor's cache;
    /// a frame does not depend on which others it is made with.
    pub fn forward(&self, sound: &[f32]) -> Vec<f32> {
        let frames = self.layers.iter().fold(sound.len(), |frames, layer| layer.conv.frames(frames));
        if frames == 0 {
            return Vec::new();
        }
        let standard = self.layers.first().map(|first| first.channel_norm(sound)).unwrap_or_default();
        let threads = rayon::current_num_threads();
        let tile = frames.div_ceil(frames.div_ceil(TILE).next_multiple_of(threads)).max(1);
        let mut out = vec![0.0; frames * self.channels()];
        let tiles = out.par_chunks_mut(tile * self.channels()).enumerate();
        tiles.for_each_init(Default::default, |buffers: &mut [Vec<f32>; 2], (index, out)| {
            let first = index * tile;
            let (mut start, mut count) = (first, out.len() / self.channels());
            for layer in self.layers.iter().rev() {
                start *= layer.conv.stride();
                count = (count - 1) * layer.conv.stride() + layer.conv.kernel();
            }
            let [x, next] = buffers;
            x.clear();
            x.extend_from_slice(&sound[start..start + count]);
            for layer in &self.layers {
                layer.forward_into(x, &standard, next);
                std::mem::swap(x, next);
            }
            out.copy_from_slice(x);
        });
        out
    }
}

impl ConvLayer {
    fn load(loader: &Loader, config: &Config, index: usize) -> Result<Self> {
        let name = |part: &str| format!("feature_extractor.conv_layers.{index}.{part}");
        let (outputs, kernel) = (config.conv_dim[index], config.conv_kernel[index]);
        let channels = if index == 0 { 1 } else { config.conv_dim[index - 1] };
        // Sound itself is multiplied as it is: it costs little, and loudness is not for rounding.
        let precision = if index == 0 { Precision::F32 } else { loader.precision() };
        let linear = loader.packed(&[name("conv")], channels * kernel, outputs, || {
            let weight = loader.values(&name("conv.weight"), &[outputs, channels, kernel])?;
            let bias = match config.conv_bias {
                true => Some(loader.values(&name("conv.bias"), &[outputs])?),
                false => None,
            };
            Ok(Conv1d::matrix(&weight, bias, channels, kernel, precision))
        })?;
        let conv = Conv1d::of_matrix(linear, channels, config.conv_stride[index], 0);
        let norm = match config.feat_extract_norm {
            ConvNorm::Layer => Norm::Frames(loader.norm(&name("layer_norm"), outputs, EPS)?),
            ConvNorm::Group if index == 0 => {
                let values = |part: &str| loader.values(&name(part), &[outputs]);
                Norm::Channels(values("layer_norm.weight")?, values("layer_norm.bias")?)
            }
            ConvNorm::Group => Norm::None,
        };
        Ok(Self { conv, norm })
    }

    /// Replaces `out` by the outputs of `x`, `[frames, channels]`. A norm over time takes from `standard` what to subtract
    /// from each channel and to multiply it by.
    fn forward_into(&self, x: &[f32], standard: &[(f32, f32)], out: &mut Vec<f32>) {
        match &self.norm {
            Norm::None => self.conv.forward_gelu_into(x, out),
            Norm::Channels(weight, bias) => {
                self.conv.forward_into(x, out);
                normalise_channels(out, standard, weight, bias);
                gelu_in_place(out);
            }
            Norm::Frames(norm) => {
                self.conv.forward_into(x, out);
                norm.in_place_parallel(out);
                gelu_in_place(out);
            }
        }
    }

    /// What to subtract from each channel of the convolution of `x` and to multiply it by, where the norm is over time.
    fn channel_norm(&self, x: &[f32]) -> Vec<(f32, f32)> {
        let Norm::Channels(weight, _) = &self.norm else { return Vec::new() };
        let (stride, kernel) = (self.conv.stride(), self.conv.kernel());
        let frames = self.conv.frames(x.len());
        let sums = |part: usize| {
            let count = STATISTICS_PART.min(frames - part * STATISTICS_PART);
            let start = part * STATISTICS_PART * stride;
            let mut values = Vec::new();
            self.conv.forward_into(&x[start..start + (count - 1) * stride + kernel], &mut values);
            let mut sums = vec![(0.0, 0.0); weight.len()];
            for row in values.chunks_exact(weight.len()) {
                for ((sum, squares), &x) in sums.iter_mut().zip(row) {
                    let x = f64::from(x);
                    *sum += x;
                    *squares += x * x;
                }
            }
            sums
        };
        // In order, so that the sum is the same whichever thread is first.
        let parts: Vec<Vec<(f64, f64)>> =
            (0..frames.div_ceil(STATISTICS_PART)).into_par_iter().map(sums).collect();
        let standard = |channel: usize| {
            let add = |(a, b): (f64, f64), part: &Vec<(f64, f64)>| (a + part[channel].0, b + part[channel].1);
            let (sum, squares) = parts.iter().fold((0.0, 0.0), add);
            let mean = sum / frames as f64;
            let variance = (squares / frames as f64 - mean * mean).max(0.0);
            (mean as f32, (variance + f64::from(EPS)).sqrt().recip() as f32)
        };
        (0..weight.len()).map(standard).collect()
    }

    /// The outputs that `x`, a part of a stream, is enough for, and how many of its frames no later output needs. A norm
    /// over time takes from `channel_norm` what to subtract from each channel of the values and to multiply it by.
    pub(super) fn forward_part(
        &self,
        x: &[f32],
        channel_norm: impl FnOnce(&[f32], usize) -> Vec<(f32, f32)>,
    ) -> (Vec<f32>, usize) {
        let mut out = Vec::new();
        match &self.norm {
            Norm::Channels(weight, bias) => {
                self.conv.forward_into(x, &mut out);
                let standard = channel_norm(&out, weight.len());
                normalise_channels(&mut out, &standard, weight, bias);
                gelu_in_place(&mut out);
            }
            Norm::None | Norm::Frames(_) => self.forward_into(x, &[], &mut out),
        }
        let frames = out.len() / self.conv.outputs();
        (out, frames * self.conv.stride())
    }
}

/// Subtracts from each channel of `values`, `[time, channels]`, and multiplies it by what `standard` has, then scales and
/// shifts it.
fn normalise_channels(values: &mut [f32], standard: &[(f32, f32)], weight: &[f32], bias: &[f32]) {
    for row in values.chunks_exact_mut(weight.len()) {
        for (((x, (mean, scale)), weight), bias) in row.iter_mut().zip(standard).zip(weight).zip(bias) {
            *x = (*x - mean) * scale * weight + bias;
        }
    }
}

/// A norm and a linear layer, `[frames, channels]` to `[frames, hidden_size]`.
pub struct FeatureProjection {
    layer_norm: Option<LayerNorm>,
    projection: Linear,
}

impl FeatureProjection {
    pub fn load(loader: &Loader, config: &Config) -> Result<Self> {
        let channels = config.conv_dim[config.conv_dim.len() - 1];
        let layer_norm = match config.feat_proj_layer_norm {
            true => Some(loader.norm("feature_projection.layer_norm", channels, config.layer_norm_eps)?),
            false => None,
        };
        let projection =
            loader.linear(&["feature_projection.projection".into()], channels, config.hidden_size)?;
        Ok(Self { layer_norm, projection })
    }

    pub fn forward(&self, features: &[f32]) -> Vec<f32> {
        let mut out = vec![0.0; features.len() / self.projection.inputs() * self.projection.outputs()];
        match &self.layer_norm {
            Some(norm) => self.projection.forward_normed_into(norm, features, &mut out),
            None => self.projection.forward_into(features, &mut out),
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compute::Threads;
    use crate::compute::plain::{self, Convolution};
    use proptest::prelude::*;

    /// Kernels and strides of wav2vec 2.0's seven layers.
    const SHAPE: [(usize, usize); 7] = [(10, 5), (3, 2), (3, 2), (3, 2), (3, 2), (2, 2), (2, 2)];

    /// The norm of a layer.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    enum Kind {
        None,
        Channels,
        Frames,
    }

    /// Weight and bias of each layer.
    type Weights = Vec<(Vec<f32>, Vec<f32>)>;

    fn weights(channels: usize, random: &mut fastrand::Rng) -> Weights {
        let layer = |(index, (kernel, _)): (usize, (usize, usize))| {
            let inputs = kernel * if index == 0 { 1 } else { channels };
            // Outputs are about as large as inputs.
            let mut draw = |count: usize, size: f32| -> Vec<f32> {
                (0..count).map(|_| size * (random.f32() - 0.5)).collect()
            };
            (draw(channels * inputs, 5.0 / (inputs as f32).sqrt()), draw(channels, 1.0))
        };
        SHAPE.into_iter().enumerate().map(layer).collect()
    }

    fn norm_of(index: usize, kind: Kind, bias: &[f32]) -> Norm {
        match kind {
            Kind::Channels if index == 0 => Norm::Channels(vec![1.5; bias.len()], bias.to_vec()),
            Kind::Frames => Norm::Frames(LayerNorm::new(vec![1.5; bias.len()], bias.to_vec(), EPS)),
            _ => Norm::None,
        }
    }

    fn encoder(weights: &Weights, kind: Kind, precision: Precision) -> FeatureEncoder {
        let layer = |(index, (weight, bias)): (usize, &(Vec<f32>, Vec<f32>))| {
            let (kernel, stride) = SHAPE[index];
            let channels = if index == 0 { 1 } else { bias.len() };
            let conv = Conv1d::new(weight, Some(bias.clone()), channels, kernel, stride, 0, precision);
            ConvLayer { conv, norm: norm_of(index, kind, bias) }
        };
        FeatureEncoder { layers: weights.iter().enumerate().map(layer).collect() }
    }

    /// By the definition, layer by layer.
    fn expected(weights: &Weights, kind: Kind, sound: &[f32]) -> Vec<f32> {
        let mut x = sound.to_vec();
        for (index, (weight, bias)) in weights.iter().enumerate() {
            let ((kernel, stride), outputs) = (SHAPE[index], bias.len());
            let channels = if index == 0 { 1 } else { outputs };
            let mut out =
                Convolution { weight, bias, channels, kernel, stride, dilation: 1, groups: 1 }.of(&x);
            if kind == Kind::Channels && index == 0 {
                for (channel, &shift) in bias.iter().enumerate() {
                    let column = || out.iter().skip(channel).step_by(outputs);
                    let count = column().count() as f64;
                    let mean = column().sum::<f64>() / count;
                    let variance = column().map(|x| (x - mean).powi(2)).sum::<f64>() / count;
                    let scale = 1.5 / (variance + f64::from(EPS)).sqrt();
                    out.iter_mut().skip(channel).step_by(outputs).for_each(|x| {
                        *x = (*x - mean) * scale + f64::from(shift);
                    });
                }
            }
            x = out.into_iter().map(|x| plain::gelu(x) as f32).collect();
        }
        x
    }

    fn sound(samples: usize, random: &mut fastrand::Rng) -> Vec<f32> {
        (0..samples).map(|_| 2.0 * random.f32() - 1.0).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        /// However many frames are made together, and by how many threads.
        #[test]
        fn frames_made_a_few_at_a_time_equal_the_definition(
            samples in 0usize..20_000, channels in 1usize..7, threads in 1usize..4, is_normed: bool, seed: u64,
        ) {
            let mut random = fastrand::Rng::with_seed(seed);
            let (weights, sound) = (weights(channels, &mut random), sound(samples, &mut random));
            let kind = if is_normed { Kind::Channels } else { Kind::None };
            let encoder = encoder(&weights, kind, Precision::F32);
            let found = Threads::new(threads).unwrap().run(|| encoder.forward(&sound));
            let expected = expected(&weights, kind, &sound);
            prop_assert_eq!(found.len(), expected.len());
            for (found, expected) in found.iter().zip(&expected) {
                prop_assert!((found - expected).abs() < 1e-4 * expected.abs().max(1.0), "{found} is not {expected}");
            }
        }

        /// To the bit, in all numbers.
        #[test]
        fn a_frame_does_not_depend_on_those_it_is_made_with(
            samples in 400usize..20_000, channels in 2usize..20, threads in 1usize..4, is_normed: bool, seed: u64,
            precision in prop::sample::select(&Precision::ALL[..]),
        ) {
            let mut random = fastrand::Rng::with_seed(seed);
            let (weights, sound) = (weights(channels, &mut random), sound(samples, &mut random));
            let kind = if is_normed { Kind::Frames } else { Kind::None };
            let encoder = encoder(&weights, kind, precision);
            let (mut whole, mut next) = (sound.clone(), Vec::new());
            for layer in &encoder.layers {
                layer.forward_into(&whole, &[], &mut next);
                std::mem::swap(&mut whole, &mut next);
            }
            let found = Threads::new(threads).unwrap().run(|| encoder.forward(&sound));
            prop_assert!(found == whole);
        }
    }
}
