//! The stack of transformer layers, with the norm before or after each part.

use std::ops::ControlFlow;

use rayon::prelude::*;

use super::attention::{Attention, PositionBias};
use super::config::Config;
use super::positions::PositionalConv;
use crate::Result;
use crate::compute::{LayerNorm, Linear, add_into};
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
        // All of them before the first error is looked for, so that it is the same one always.
        let layers: Vec<Result<Layer>> = (0..config.num_hidden_layers)
            .into_par_iter()
            .map(|index| Layer::load(loader, config, index))
            .collect();
        Ok(Self {
            pos_conv_embed: PositionalConv::load(loader, config)?,
            position_bias: PositionBias::load(loader, config)?,
            layer_norm: loader.norm("encoder.layer_norm", config.hidden_size, config.layer_norm_eps)?,
            layers: layers.into_iter().collect::<Result<_>>()?,
            pre_norm: config.do_stable_layer_norm,
        })
    }

    /// Number of layers.
    pub fn layers(&self) -> usize {
        self.layers.len()
    }

    /// Runs `x`, features `[frames, hidden_size]` of sounds of `lengths` frames one after the other, and hands each hidden
    /// state to `keep`, the first before any layer, until it says that it has enough.
    pub fn forward(
        &self,
        mut x: Vec<f32>,
        lengths: &[usize],
        mut keep: impl FnMut(&[f32]) -> ControlFlow<()>,
    ) {
        self.add_positions(&mut x, lengths);
        if !self.pre_norm {
            self.layer_norm.in_place_parallel(&mut x);
        }
        let longest = lengths.iter().copied().max().unwrap_or(0);
        let bias = self.position_bias.as_ref().map(|bias| bias.table(longest));
        let mut scratch = Scratch::default();
        for layer in &self.layers {
            if keep(&x).is_break() {
                return;
            }
            layer.forward(&mut x, lengths, bias.as_deref(), &mut scratch);
        }
        if self.pre_norm {
            self.layer_norm.in_place_parallel(&mut x);
        }
        // Whoever has not had enough by now gets no more.
        let _ = keep(&x);
    }

    fn add_positions(&self, x: &mut [f32], lengths: &[usize]) {
        let width = x.len() / lengths.iter().sum::<usize>().max(1);
        let mut rest = x;
        for &length in lengths {
            let (sound, others) = rest.split_at_mut(length * width);
            add_into(&self.pos_conv_embed.forward(sound), sound);
            rest = others;
        }
    }
}

/// Room for what is between the parts of a layer.
#[derive(Default)]
pub struct Scratch {
    /// `[frames, 3 * hidden_size]`.
    pub qkv: Vec<f32>,
    /// `[frames, hidden_size]`.
    pub mixed: Vec<f32>,
    /// `[frames, intermediate_size]`.
    hidden: Vec<f32>,
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

    fn forward(&self, x: &mut [f32], lengths: &[usize], bias: Option<&[f32]>, scratch: &mut Scratch) {
        let norm = self.pre_norm.then_some(&self.layer_norm);
        self.attention.forward_add(norm, x, lengths, bias, scratch);
        let rows = x.len() / self.intermediate_dense.inputs();
        scratch.hidden.resize(rows * self.intermediate_dense.outputs(), 0.0);
        if self.pre_norm {
            self.intermediate_dense.forward_normed_gelu_into(&self.final_layer_norm, x, &mut scratch.hidden);
            self.output_dense.forward_add_into(&scratch.hidden, x);
        } else {
            self.layer_norm.in_place_parallel(x);
            self.intermediate_dense.forward_gelu_into(x, &mut scratch.hidden);
            self.output_dense.forward_add_into(&scratch.hidden, x);
            self.final_layer_norm.in_place_parallel(x);
        }
        if let Some(adapter) = &self.adapter_layer {
            adapter.forward_add(x);
        }
    }
}

impl Adapter {
    fn forward_add(&self, x: &mut [f32]) {
        let rows = x.len() / self.linear_1.inputs();
        let mut hidden = vec![0.0; rows * self.linear_1.outputs()];
        self.linear_1.forward_normed_into(&self.norm, x, &mut hidden);
        hidden.iter_mut().for_each(|x| *x = x.max(0.0));
        self.linear_2.forward_add_into(&hidden, x);
    }
}
