//! Attention of a sequence to itself, with WavLM's gated bias where there is one.

use super::config::{Config, Family};
use super::transformer::Scratch;
use crate::Result;
use crate::compute::{AddBias, LayerNorm, Linear, Precision, QueryAt, self_attention_into};
use crate::models::loader::Loader;

/// A layer's attention.
pub struct Attention {
    qkv_proj: Linear,
    out_proj: Linear,
    heads: usize,
    precision: Precision,
    gate: Option<Gate>,
}

/// How much of the position bias a frame takes, by what it is (WavLM).
struct Gate {
    /// `[8, head_dim]` and `[8]`.
    weight: Vec<f32>,
    bias: Vec<f32>,
    /// One for each head.
    scale: Vec<f32>,
}

impl Attention {
    pub fn load(loader: &Loader, config: &Config, index: usize) -> Result<Self> {
        let name = |part: &str| format!("encoder.layers.{index}.attention.{part}");
        let (dim, heads) = (config.hidden_size, config.num_attention_heads);
        let gate = match config.model_type {
            Family::Wavlm => Some(Gate {
                weight: loader.values(&name("gru_rel_pos_linear.weight"), &[8, dim / heads])?,
                bias: loader.values(&name("gru_rel_pos_linear.bias"), &[8])?,
                scale: loader.values(&name("gru_rel_pos_const"), &[1, heads, 1, 1])?,
            }),
            _ => None,
        };
        let qkv = ["q_proj", "k_proj", "v_proj"].map(name);
        Ok(Self {
            qkv_proj: loader.linear(&qkv, dim, dim)?,
            out_proj: loader.linear(&[name("out_proj")], dim, dim)?,
            heads,
            precision: loader.precision(),
            gate,
        })
    }

    /// Adds to `x`, `[frames, hidden_size]`, its attention, after `norm` where there is one: each of the sounds of `lengths`
    /// frames that are in `x` attends to itself alone. `bias` is [`PositionBias::table`]'s for the longest of them.
    pub fn forward_add(
        &self,
        norm: Option<&LayerNorm>,
        x: &mut [f32],
        lengths: &[usize],
        bias: Option<&[f32]>,
        Scratch { qkv, mixed, .. }: &mut Scratch,
    ) {
        qkv.resize(3 * x.len(), 0.0);
        mixed.resize(x.len(), 0.0);
        match norm {
            Some(norm) => self.qkv_proj.forward_normed_into(norm, x, qkv),
            None => self.qkv_proj.forward_into(x, qkv),
        }
        let mut attend = |add_bias: Option<&AddBias>| {
            self_attention_into(qkv, self.heads, lengths, self.precision, add_bias, mixed)
        };
        match (&self.gate, bias) {
            (Some(gate), Some(bias)) => {
                let mut normed = x.to_vec();
                if let Some(norm) = norm {
                    norm.in_place_parallel(&mut normed);
                }
                let gates = gate.of(&normed, self.heads);
                let around = bias.len() / self.heads;
                // The bias of a key depends on how far it is from the query alone.
                let same = around / 2;
                attend(Some(&|head, at: QueryAt, scores: &mut [f32]| {
                    let gate = gates[at.row * self.heads + head];
                    let bias = &bias[head * around + same - at.query..][..scores.len()];
                    scores.iter_mut().zip(bias).for_each(|(score, bias)| *score += gate * bias);
                }));
            }
            _ => attend(None),
        }
        self.out_proj.forward_add_into(mixed, x);
    }
}

impl Gate {
    /// The gate of each frame and head of `x`, `[frames, heads * head_dim]`.
    fn of(&self, x: &[f32], heads: usize) -> Vec<f32> {
        let head_dim = self.weight.len() / 8;
        let gate = |(index, x): (usize, &[f32])| {
            let row = |row: usize| {
                let weight = &self.weight[row * head_dim..(row + 1) * head_dim];
                x.iter().zip(weight).map(|(x, w)| x * w).sum::<f32>() + self.bias[row]
            };
            let sigmoid = |x: f32| 1.0 / (1.0 + (-x).exp());
            let a = sigmoid((0..4).map(row).sum());
            let b = sigmoid((4..8).map(row).sum());
            a * (b * self.scale[index % heads] - 1.0) + 2.0
        };
        x.chunks_exact(head_dim).enumerate().map(gate).collect()
    }
}

/// A bias for each head and each distance in time, shared by all layers (WavLM).
pub struct PositionBias {
    /// `[buckets, heads]`.
    embedding: Vec<f32>,
    heads: usize,
    buckets: usize,
    furthest: usize,
}

impl PositionBias {
    pub fn load(loader: &Loader, config: &Config) -> Result<Option<Self>> {
        if config.model_type != Family::Wavlm {
            return Ok(None);
        }
        let (buckets, heads) = (config.num_buckets, config.num_attention_heads);
        let name = "encoder.layers.0.attention.rel_attn_embed.weight";
        let embedding = loader.values(name, &[buckets, heads])?;
        Ok(Some(Self { embedding, heads, buckets, furthest: config.max_bucket_distance }))
    }

    /// The bias of each head for keys from `frames - 1` before a query to `frames - 1` after it, `[heads, 2 * frames - 1]`.
    pub fn table(&self, frames: usize) -> Vec<f32> {
        let distances = 1 - frames as i64..frames as i64;
        let heads = (0..self.heads).flat_map(|head| distances.clone().map(move |distance| (head, distance)));
        heads.map(|(head, distance)| self.embedding[self.bucket(distance) * self.heads + head]).collect()
    }

    /// Half of the buckets are for keys after the query. Of each half, the first half is for one distance each; the rest
    /// get wider with the distance.
    fn bucket(&self, distance: i64) -> usize {
        let half = self.buckets / 2;
        let first = if distance > 0 { half } else { 0 };
        let distance = distance.unsigned_abs() as usize;
        let exact = half / 2;
        if distance < exact {
            return first + distance;
        }
        let ratio = |a: usize, b: usize| (a as f32 / b as f32).ln();
        let far = ratio(distance, exact) / ratio(self.furthest, exact) * (half - exact) as f32;
        first + (exact + far as usize).min(half - 1)
    }
}
