//! Sound to features: seven convolutions, and a projection to the width of the transformer.

use candle_core::Tensor;

use super::config::{Config, ConvNorm};
use crate::Result;
use crate::compute::{Conv1d, LayerNorm, Linear, gelu, normalise_channels};
use crate::models::loader::Loader;

/// The convolutions, `[samples, 1]` to `[frames, channels]`.
pub struct FeatureEncoder {
    layers: Vec<ConvLayer>,
}

struct ConvLayer {
    conv: Conv1d,
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
const EPS: f32 = 1e-5;

impl FeatureEncoder {
    pub fn load(loader: &Loader, config: &Config) -> Result<Self> {
        let layers = (0..config.conv_dim.len()).map(|index| ConvLayer::load(loader, config, index));
        Ok(Self { layers: layers.collect::<Result<_>>()? })
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
