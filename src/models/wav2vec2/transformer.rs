//! The stack of transformer layers, with the norm before or after each part.

use std::ops::ControlFlow;

use candle_core::Tensor;

use super::attention::{Attention, PositionBias};
use super::config::Config;
use super::positions::PositionalConv;
use crate::Result;
use crate::compute::{LayerNorm, Linear};
use crate::models::loader::Loader;

/// Positions, layers, and a norm before or after them all.
pub struct Transformer {
    pos_conv_embed: PositionalConv,
    position_bias: Option<PositionBias>,
    layer_norm: LayerNorm,
    layers: Vec<Layer>,
    pre_norm: bool,
}

struct Layer {
    attention: Attention,
    layer_norm: LayerNorm,
    intermediate_dense: Linear,
    output_dense: Linear,
    final_layer_norm: LayerNorm,
    adapter_layer: Option<Adapter>,
    pre_norm: bool,
}

/// A small network after a layer, one for each language (MMS).
struct Adapter {
    norm: LayerNorm,
    linear_1: Linear,
    linear_2: Linear,
}

impl Transformer {
    pub fn load(loader: &Loader, config: &Config) -> Result<Self> {
        Ok(Self {
            pos_conv_embed: PositionalConv::load(loader, config)?,
            position_bias: PositionBias::load(loader, config)?,
            layer_norm: loader.norm("encoder.layer_norm", config.hidden_size, config.layer_norm_eps)?,
            layers: (0..config.num_hidden_layers)
                .map(|index| Layer::load(loader, config, index))
                .collect::<Result<_>>()?,
            pre_norm: config.do_stable_layer_norm,
        })
    }

    /// Runs `features`, `[frames, hidden_size]`, those of sounds of `lengths` frames one after the other, and hands each
    /// hidden state to `keep`, the first before any layer, until it says that it has enough.
    pub fn forward(
        &self,
        features: &Tensor,
        lengths: &[usize],
        mut keep: impl FnMut(&Tensor) -> ControlFlow<()>,
    ) -> Result<()> {
        let mut x = (features + self.positions(features, lengths)?)?;
        if !self.pre_norm {
            x = self.layer_norm.forward(&x)?;
        }
        let longest = lengths.iter().copied().max().unwrap_or(0);
        let bias = self.position_bias.as_ref().map(|bias| bias.table(longest));
        for layer in &self.layers {
            if keep(&x).is_break() {
                return Ok(());
            }
            x = layer.forward(&x, lengths, bias.as_deref())?;
        }
        if self.pre_norm {
            x = self.layer_norm.forward(&x)?;
        }
        // Whoever has not had enough by now gets no more.
        let _ = keep(&x);
        Ok(())
    }

    fn positions(&self, features: &Tensor, lengths: &[usize]) -> Result<Tensor> {
        if let [_] = lengths {
            return self.pos_conv_embed.forward(features);
        }
        let mut parts = Vec::with_capacity(lengths.len());
        let mut start = 0;
        for &length in lengths {
            parts.push(self.pos_conv_embed.forward(&features.narrow(0, start, length)?.contiguous()?)?);
            start += length;
        }
        Ok(Tensor::cat(&parts, 0)?)
    }
}

impl Layer {
    fn load(loader: &Loader, config: &Config, index: usize) -> Result<Self> {
        let name = |part: &str| format!("encoder.layers.{index}.{part}");
        let (dim, hidden, eps) = (config.hidden_size, config.intermediate_size, config.layer_norm_eps);
        let adapter_layer = match config.adapter_attn_dim {
            Some(width) => Some(Adapter {
                norm: loader.norm(&name("adapter_layer.norm"), dim, 1e-5)?,
                linear_1: loader.linear(&[name("adapter_layer.linear_1")], dim, width)?,
                linear_2: loader.linear(&[name("adapter_layer.linear_2")], width, dim)?,
            }),
            None => None,
        };
        Ok(Self {
            attention: Attention::load(loader, config, index)?,
            layer_norm: loader.norm(&name("layer_norm"), dim, eps)?,
            intermediate_dense: loader.linear(&[name("feed_forward.intermediate_dense")], dim, hidden)?,
            output_dense: loader.linear(&[name("feed_forward.output_dense")], hidden, dim)?,
            final_layer_norm: loader.norm(&name("final_layer_norm"), dim, eps)?,
            adapter_layer,
            pre_norm: config.do_stable_layer_norm,
        })
    }

    fn forward(&self, x: &Tensor, lengths: &[usize], bias: Option<&[f32]>) -> Result<Tensor> {
        let feed_forward = |normed: &Tensor, x: &Tensor| -> Result<Tensor> {
            Ok(self.output_dense.forward_add(&self.intermediate_dense.forward_gelu(normed)?, x)?)
        };
        let x = match self.pre_norm {
            true => {
                let x = self.attention.forward_add(&self.layer_norm.forward(x)?, x, lengths, bias)?;
                feed_forward(&self.final_layer_norm.forward(&x)?, &x)?
            }
            false => {
                let x = self.layer_norm.forward(&self.attention.forward_add(x, x, lengths, bias)?)?;
                self.final_layer_norm.forward(&feed_forward(&x, &x)?)?
            }
        };
        match &self.adapter_layer {
            Some(adapter) => adapter.forward_add(&x),
            None => Ok(x),
        }
    }
}

impl Adapter {
    fn forward_add(&self, x: &Tensor) -> Result<Tensor> {
        let hidden = self.linear_1.forward(&self.norm.forward(x)?)?.relu()?;
        Ok(self.linear_2.forward_add(&hidden, x)?)
    }
}
