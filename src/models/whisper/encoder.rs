//! Whisper's encoder.

use candle_core::{Device, Tensor};

use super::{Config, EPS};

use crate::compute::{Conv1d, LayerNorm, Linear, self_attention};
use crate::models::loader::Loader;
use crate::{Error, Result};

/// Two convolutions and a stack of pre-norm transformer layers.
pub struct Encoder {
    conv1: Conv1d,
    conv2: Conv1d,
    embed_positions: Tensor,
    layers: Vec<Layer>,
    layer_norm: LayerNorm,
}

struct Layer {
    self_attn_layer_norm: LayerNorm,
    qkv_proj: Linear,
    out_proj: Linear,
    heads: usize,
    final_layer_norm: LayerNorm,
    fc1: Linear,
    fc2: Linear,
}

impl Encoder {
    pub(super) fn load(loader: &Loader, config: &Config) -> Result<Self> {
        let dim = config.dim;
        let conv = |name: &str, channels: usize, stride: usize| -> Result<Conv1d> {
            let weight = loader.values(&format!("model.encoder.{name}.weight"), &[dim, channels, 3])?;
            let bias = loader.values(&format!("model.encoder.{name}.bias"), &[dim])?;
            Ok(Conv1d::new(&weight, Some(bias), channels, 3, stride, 1))
        };
        let positions = [config.source_positions, dim];
        let embed_positions = loader.values("model.encoder.embed_positions.weight", &positions)?;
        Ok(Self {
            conv1: conv("conv1", config.mels, 1)?,
            conv2: conv("conv2", dim, 2)?,
            embed_positions: Tensor::from_vec(embed_positions, &positions, &Device::Cpu)?,
            layers: (0..config.encoder_layers)
                .map(|i| Layer::load(loader, config, i))
                .collect::<Result<_>>()?,
            layer_norm: loader.norm("model.encoder.layer_norm", dim, EPS)?,
        })
    }

    /// Log-mel features `[frames, mels]` (10 ms a frame, at most 3000) to an encoding `[frames / 2, dim]`.
    pub fn forward(&self, log_mel: &Tensor) -> Result<Tensor> {
        self.hidden_state(log_mel, self.layers.len())
    }

    /// Hidden state number `layer` of log-mel features `[frames, mels]`, `[frames / 2, dim]`: 0 enters the first layer, and
    /// so on; the last has the final norm. Layers after it are not run.
    pub fn hidden_state(&self, log_mel: &Tensor, layer: usize) -> Result<Tensor> {
        let Some(layers) = self.layers.get(..layer) else {
            let count = self.layers.len();
            return Err(Error::Setting(format!("there is no layer {layer}: the encoder has {count}")));
        };
        let x = self.conv2.forward_gelu(&self.conv1.forward_gelu(log_mel)?)?;
        let mut x = (&x + self.embed_positions.narrow(0, 0, x.dim(0)?)?)?;
        for layer in layers {
            x = layer.forward(&x)?;
        }
        if layer == self.layers.len() {
            x = self.layer_norm.forward(&x)?;
        }
        Ok(x)
    }
}

impl Layer {
    fn load(loader: &Loader, config: &Config, index: usize) -> Result<Self> {
        let name = |part: &str| format!("model.encoder.layers.{index}.{part}");
        let (dim, hidden) = (config.dim, config.encoder_hidden);
        let qkv = ["q", "k", "v"].map(|part| name(&format!("self_attn.{part}_proj")));
        Ok(Self {
            self_attn_layer_norm: loader.norm(&name("self_attn_layer_norm"), dim, EPS)?,
            qkv_proj: loader.linear(&qkv, dim, dim)?,
            out_proj: loader.linear(&[name("self_attn.out_proj")], dim, dim)?,
            heads: config.encoder_heads,
            final_layer_norm: loader.norm(&name("final_layer_norm"), dim, EPS)?,
            fc1: loader.linear(&[name("fc1")], dim, hidden)?,
            fc2: loader.linear(&[name("fc2")], hidden, dim)?,
        })
    }

    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let qkv = self.qkv_proj.forward(&self.self_attn_layer_norm.forward(x)?)?;
        let x = self.out_proj.forward_add(&self_attention(&qkv, self.heads)?, x)?;
        let hidden = self.fc1.forward_gelu(&self.final_layer_norm.forward(&x)?)?;
        Ok(self.fc2.forward_add(&hidden, &x)?)
    }
}
