//! Sound to features: seven convolutions, and a projection to the width of the transformer.

use candle_core::Tensor;

use super::config::{Config, ConvNorm};
use crate::Result;
use crate::compute::{Conv1d, LayerNorm, Linear, gelu, gelu_in_place, normalise_channels};
use crate::models::loader::Loader;

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

    pub fn forward(&self, sound: &Tensor) -> Result<Tensor> {
        let mut x = sound.clone();
        for layer in &self.layers {
            x = layer.forward(&x)?;
        }
        Ok(x)
    }
}

impl ConvLayer {
    fn load(loader: &Loader, config: &Config, index: usize) -> Result<Self> {
        let name = |part: &str| format!("feature_extractor.conv_layers.{index}.{part}");
        let (outputs, kernel) = (config.conv_dim[index], config.conv_kernel[index]);
        let channels = if index == 0 { 1 } else { config.conv_dim[index - 1] };
        let weight = loader.values(&name("conv.weight"), &[outputs, channels, kernel])?;
        let bias = match config.conv_bias {
            true => Some(loader.values(&name("conv.bias"), &[outputs])?),
            false => None,
        };
        let conv = Conv1d::new(&weight, bias, channels, kernel, config.conv_stride[index], 0);
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

    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        Ok(match &self.norm {
            Norm::None => self.conv.forward_gelu(x)?,
            Norm::Channels(weight, bias) => {
                gelu(&normalise_channels(&self.conv.forward(x)?, weight, bias, EPS)?)?
            }
            Norm::Frames(norm) => gelu(&norm.forward(&self.conv.forward(x)?)?)?,
        })
    }
}

impl ConvLayer {
    /// The outputs that `x`, a part of a stream, is enough for, and how many of its frames no later output needs. A norm
    /// over time takes from `channel_norm` what to subtract from each channel of the values and to multiply it by.
    pub(super) fn forward_part(
        &self,
        x: &Tensor,
        channel_norm: impl FnOnce(&[f32], usize) -> Vec<(f32, f32)>,
    ) -> Result<(Vec<f32>, usize)> {
        let out = match &self.norm {
            Norm::Channels(weight, bias) => {
                let mut values: Vec<f32> = self.conv.forward(x)?.flatten_all()?.to_vec1()?;
                let standard = channel_norm(&values, weight.len());
                for row in values.chunks_exact_mut(weight.len()) {
                    for (channel, x) in row.iter_mut().enumerate() {
                        let (mean, scale) = standard[channel];
                        *x = (*x - mean) * scale * weight[channel] + bias[channel];
                    }
                }
                gelu_in_place(&mut values);
                values
            }
            _ => self.forward(x)?.flatten_all()?.to_vec1()?,
        };
        let frames = out.len() / self.conv.outputs();
        Ok((out, frames * self.conv.stride()))
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

    pub fn forward(&self, features: &Tensor) -> Result<Tensor> {
        Ok(match &self.layer_norm {
            Some(norm) => self.projection.forward(&norm.forward(features)?)?,
            None => self.projection.forward(features)?,
        })
    }
}
