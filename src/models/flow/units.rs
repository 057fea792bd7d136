//! Units to vectors, a place for each frame: F5-TTS's text embedding.

use candle_core::{DType, Device, Result as CandleResult, Tensor};

use super::config::{Config, Filler};
use crate::Result;
use crate::models::trainable::{Depthwise, Embedding, Init, LayerNorm, Linear, Params, Reach, Within};

/// The kernel of a block's convolution.
const KERNEL: usize = 7;
/// By how much a block is wider within.
const WIDENING: usize = 2;
const EPS: f64 = 1e-6;

/// The table of units and the blocks over them.
pub(super) struct UnitEmbedding {
    table: Embedding,
    blocks: Vec<ConvNext>,
    width: usize,
    filler: Filler,
}

impl UnitEmbedding {
    pub fn new(params: &dyn Params, config: &Config) -> Result<Self> {
        let params = Within::new(params, "text_embed");
        let block =
            |index| ConvNext::new(&Within::new(&params, format!("text_blocks.{index}")), config.unit_width);
        Ok(Self {
            table: Embedding::new(&params, "text_embed", config.units + 1, config.unit_width)?,
            blocks: (0..config.unit_blocks).map(block).collect::<Result<_>>()?,
            width: config.unit_width,
            filler: config.filler,
        })
    }

    /// The vectors of `ids`, `[batch, time]`, of which 0 is the filler; where `told` is not, of fillers alone.
    pub fn forward(&self, ids: &Tensor, told: Told) -> CandleResult<Tensor> {
        let mask = match self.filler {
            Filler::Masked => Some(ids.gt(0_u32)?.to_dtype(DType::F32)?.unsqueeze(2)?),
            Filler::Kept => None,
        };
        let x = match told {
            Told::Units => self.table.forward(ids)?,
            Told::Nothing => self.table.forward(&ids.zeros_like()?)?,
        };
        if self.blocks.is_empty() {
            return Ok(x);
        }
        let masked = |x: Tensor| match &mask {
            Some(mask) => x.broadcast_mul(mask),
            None => Ok(x),
        };
        let positions = positions(ids.dim(1)?, self.width, x.device())?;
        let mut x = masked(x.broadcast_add(&positions)?)?;
        for block in &self.blocks {
            x = masked(block.forward(&x)?)?;
        }
        Ok(x)
    }
}

/// Whether units are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Told {
    Units,
    Nothing,
}

/// A table of positions, `[1, time, width]`: cosines, then sines.
fn positions(time: usize, width: usize, device: &Device) -> CandleResult<Tensor> {
    let half = width / 2;
    let angle = |time: usize, at: usize| time as f64 / 10_000f64.powf(2.0 * at as f64 / width as f64);
    let row = |time: usize| {
        let cosines = (0..half).map(move |at| angle(time, at).cos() as f32);
        cosines.chain((0..half).map(move |at| angle(time, at).sin() as f32))
    };
    Tensor::from_vec((0..time).flat_map(row).collect::<Vec<f32>>(), (1, time, 2 * half), device)
}

/// A block of ConvNeXt V2.
struct ConvNext {
    conv: Depthwise,
    norm: LayerNorm,
    widen: Linear,
    gamma: Tensor,
    beta: Tensor,
    narrow: Linear,
}

impl ConvNext {
    fn new(params: &dyn Params, width: usize) -> Result<Self> {
        let wide = WIDENING * width;
        let grn = Within::new(params, "grn");
        Ok(Self {
            conv: Depthwise::new(params, "dwconv", width, KERNEL, Reach::Both)?,
            norm: LayerNorm::new(params, "norm", width, EPS)?,
            widen: Linear::new(params, "pwconv1", width, wide)?,
            gamma: grn.tensor("gamma", &[1, 1, wide], Init::Zeros)?,
            beta: grn.tensor("beta", &[1, 1, wide], Init::Zeros)?,
            narrow: Linear::new(params, "pwconv2", wide, width)?,
        })
    }

    fn forward(&self, x: &Tensor) -> CandleResult<Tensor> {
        let y = self.widen.forward(&self.norm.forward(&self.conv.forward(x)?)?)?.gelu_erf()?;
        let y = self.respond(&y)?;
        x + self.narrow.forward(&y)?
    }

    /// Global response normalisation: over time, then by the mean of the channels.
    fn respond(&self, x: &Tensor) -> CandleResult<Tensor> {
        let length = x.sqr()?.sum_keepdim(1)?.sqrt()?;
        let share = length.broadcast_div(&(length.mean_keepdim(2)? + EPS)?)?;
        let weighed = x.broadcast_mul(&share)?.broadcast_mul(&self.gamma)?;
        weighed.broadcast_add(&self.beta)? + x
    }
}
