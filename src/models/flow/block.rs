//! A block of the transformer, whose norms are told the time.

use candle_core::{Result as CandleResult, Tensor};

use super::config::{Config, Rotary};
use crate::Result;
use crate::models::trainable::{Init, Linear, Params, Within, layer_norm, softmax};

const EPS: f64 = 1e-6;

/// Attention and a wider layer, each after a norm that the time shifts and scales, and behind a gate of it.
pub(super) struct Block {
    modulation: Linear,
    query: Linear,
    key: Linear,
    value: Linear,
    out: Linear,
    widen: Linear,
    narrow: Linear,
    heads: usize,
    head_width: usize,
    rotary: Rotary,
}

/// Cosines and sines of rotary positions, `[time, head_width / 2]`.
pub(super) struct Angles {
    cosines: Tensor,
    sines: Tensor,
}

impl Angles {
    pub fn new(time: usize, head_width: usize, device: &candle_core::Device) -> CandleResult<Self> {
        let half = head_width / 2;
        let angle = |at: usize| {
            let (time, pair) = (at / half, at % half);
            time as f64 / 10_000f64.powf(2.0 * pair as f64 / head_width as f64)
        };
        let table = |of: fn(f64) -> f64| {
            let values: Vec<f32> = (0..time * half).map(|at| of(angle(at)) as f32).collect();
            Tensor::from_vec(values, (time, half), device)
        };
        Ok(Self { cosines: table(f64::cos)?, sines: table(f64::sin)? })
    }

    /// Pairs of neighbours of `x`, `[batch, heads, time, head_width]`, turned.
    fn turn(&self, x: &Tensor) -> CandleResult<Tensor> {
        let (batch, heads, time, width) = x.dims4()?;
        let pairs = x.reshape((batch, heads, time, width / 2, 2))?;
        let part = |index: usize| pairs.narrow(4, index, 1)?.squeeze(4);
        let (first, second) = (part(0)?, part(1)?);
        let turned = |a: &Tensor, b: &Tensor| {
            Ok::<_, candle_core::Error>((a.broadcast_mul(&self.cosines)?, b.broadcast_mul(&self.sines)?))
        };
        let (a, b) = turned(&first, &second)?;
        let (c, d) = turned(&second, &first)?;
        Tensor::stack(&[(a - b)?, (c + d)?], 4)?.reshape((batch, heads, time, width))
    }
}

impl Block {
    pub fn new(params: &dyn Params, config: &Config) -> Result<Self> {
        let (width, within) = (config.width, config.heads * config.head_width);
        let attention = Within::new(params, "attn");
        let wide = Within::new(params, "ff.ff");
        Ok(Self {
            // Gates that begin at zero leave what goes in as it is.
            modulation: Linear::with_init(params, "attn_norm.linear", width, 6 * width, Init::Zeros)?,
            query: Linear::new(&attention, "to_q", width, within)?,
            key: Linear::new(&attention, "to_k", width, within)?,
            value: Linear::new(&attention, "to_v", width, within)?,
            out: Linear::new(&attention, "to_out.0", within, width)?,
            widen: Linear::new(&wide, "0.0", width, config.widening * width)?,
            narrow: Linear::new(&wide, "2", config.widening * width, width)?,
            heads: config.heads,
            head_width: config.head_width,
            rotary: config.rotary,
        })
    }

    /// What it makes of `x`, `[batch, time, width]`, at `time`, `[batch, width]`.
    pub fn forward(&self, x: &Tensor, time: &Tensor, angles: &Angles) -> CandleResult<Tensor> {
        let told = self.modulation.forward(&time.silu()?)?.unsqueeze(1)?;
        let width = x.dim(2)?;
        let part = |index: usize| told.narrow(2, index * width, width);
        let heard = self.attend(&modulated(x, &part(0)?, &part(1)?)?, angles)?;
        let x = (x + heard.broadcast_mul(&part(2)?)?)?;
        let wide = self.widen.forward(&modulated(&x, &part(3)?, &part(4)?)?)?.gelu()?;
        &x + self.narrow.forward(&wide)?.broadcast_mul(&part(5)?)?
    }

    fn attend(&self, x: &Tensor, angles: &Angles) -> CandleResult<Tensor> {
        let (batch, time, _) = x.dims3()?;
        let heads = |layer: &Linear| {
            let x = layer.forward(x)?.reshape((batch, time, self.heads, self.head_width))?;
            x.transpose(1, 2)?.contiguous()
        };
        let (query, key, value) =
            (self.turned(&heads(&self.query)?, angles)?, heads(&self.key)?, heads(&self.value)?);
        let key = self.turned(&key, angles)?;
        let scale = (self.head_width as f64).powf(-0.5);
        let weights = softmax(&(query.matmul(&key.t()?.contiguous()?)? * scale)?)?;
        let mixed = weights.matmul(&value)?.transpose(1, 2)?.contiguous()?;
        self.out.forward(&mixed.reshape((batch, time, self.heads * self.head_width))?)
    }

    fn turned(&self, x: &Tensor, angles: &Angles) -> CandleResult<Tensor> {
        match self.rotary {
            Rotary::All => angles.turn(x),
            Rotary::First if self.heads == 1 => angles.turn(x),
            Rotary::First => {
                let first = angles.turn(&x.narrow(1, 0, 1)?)?;
                Tensor::cat(&[first, x.narrow(1, 1, self.heads - 1)?], 1)?.contiguous()
            }
        }
    }
}

/// The norm of `x`, scaled and shifted.
pub(super) fn modulated(x: &Tensor, shift: &Tensor, scale: &Tensor) -> CandleResult<Tensor> {
    layer_norm(x, EPS)?.broadcast_mul(&(scale + 1.0)?)?.broadcast_add(shift)
}
