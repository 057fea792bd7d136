//! Positions, told to the transformer by convolutions along time.

use super::config::{Config, Family};
use crate::Result;
use crate::compute::{GroupedConv1d, LayerNorm, Precision, gelu_in_place};
use crate::models::loader::Loader;

/// What is added to the features before the first layer.
pub struct PositionalConv {
    layers: Vec<Layer>,
}

struct Layer {
    conv: GroupedConv1d,
    /// data2vec's, which scales and shifts nothing.
    norm: Option<LayerNorm>,
}

impl PositionalConv {
    pub fn load(loader: &Loader, config: &Config) -> Result<Self> {
        let (dim, groups) = (config.hidden_size, config.num_conv_pos_embedding_groups);
        // Each frame is in as many windows as the kernel is long; to quantise it for each would cost more than it saves.
        let precision = match loader.precision() {
            Precision::F32 => Precision::F32,
            Precision::Bf16 | Precision::Int8 => Precision::Bf16,
        };
        if config.model_type != Family::Data2vecAudio {
            let kernel = config.num_conv_pos_embeddings;
            let weight = weight(loader, dim, dim / groups, kernel)?;
            let bias = loader.values("encoder.pos_conv_embed.conv.bias", &[dim])?;
            let conv = GroupedConv1d::new(&weight, &bias, groups, kernel, kernel / 2, precision);
            return Ok(Self { layers: vec![Layer { conv, norm: None }] });
        }
        let kernel = config.conv_pos_kernel_size;
        let layer = |index: usize| {
            let name = |part: &str| format!("encoder.pos_conv_embed.layers.{index}.conv.{part}");
            let weight = loader.values(&name("weight"), &[dim, dim / groups, kernel])?;
            let bias = loader.values(&name("bias"), &[dim])?;
            let norm = LayerNorm::new(vec![1.0; dim], vec![0.0; dim], 1e-5);
            Ok(Layer {
                conv: GroupedConv1d::new(&weight, &bias, groups, kernel, kernel / 2, precision),
                norm: Some(norm),
            })
        };
        Ok(Self { layers: (0..config.num_conv_pos_embeddings).map(layer).collect::<Result<_>>()? })
    }

    /// What is added to `x`, `[frames, hidden_size]`; the same shape.
    pub fn forward(&self, x: &[f32]) -> Vec<f32> {
        let (mut x, mut out) = (x.to_vec(), vec![0.0; x.len()]);
        for layer in &self.layers {
            match &layer.norm {
                None => layer.conv.forward_gelu_into(&x, &mut out),
                Some(norm) => {
                    layer.conv.forward_into(&x, &mut out);
                    norm.in_place_parallel(&mut out);
                    gelu_in_place(&mut out);
                }
            }
            std::mem::swap(&mut x, &mut out);
        }
        x
    }
}

/// The kernel, `[dim, width, kernel]`, which is stored as a direction and a length for each of its positions in time, under
/// either of PyTorch's namings, or plain.
pub(super) fn weight(loader: &Loader, dim: usize, width: usize, kernel: usize) -> Result<Vec<f32>> {
    let name = |part: &str| format!("encoder.pos_conv_embed.conv.{part}");
    let [length, direction] = match loader.contains(&name("weight_v")) {
        true => ["weight_g", "weight_v"],
        false if loader.contains(&name("weight")) => {
            return loader.values(&name("weight"), &[dim, width, kernel]);
        }
        false => ["parametrizations.weight.original0", "parametrizations.weight.original1"],
    };
    let lengths = loader.values(&name(length), &[1, 1, kernel])?;
    let mut weight = loader.values(&name(direction), &[dim, width, kernel])?;
    let mut squares = vec![0.0f64; kernel];
    for row in weight.chunks_exact(kernel) {
        squares.iter_mut().zip(row).for_each(|(sum, &x)| *sum += f64::from(x).powi(2));
    }
    for row in weight.chunks_exact_mut(kernel) {
        for ((x, &length), square) in row.iter_mut().zip(&lengths).zip(&squares) {
            *x *= (f64::from(length) / square.sqrt()) as f32;
        }
    }
    Ok(weight)
}
