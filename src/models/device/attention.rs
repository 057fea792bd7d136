//! Attention of sequences to themselves.

use candle_core::{D, DType, Device, Tensor};

use crate::Result;

/// Scores at once, of all heads and sequences: 256 MB of f32.
const MOST_SCORES: usize = 64 << 20;

/// Attention of queries, keys and values side by side, `[batch, time, 3 * dim]`: `[batch, time, dim]`. What `mask`, `[batch,
/// 1, 1, time]`, and `bias`, `[batch, heads, time, time]`, have is added to the scores, in f32.
pub fn attend(qkv: &Tensor, heads: usize, mask: Option<&Tensor>, bias: Option<&Tensor>) -> Result<Tensor> {
    let (batch, time, width) = qkv.dims3()?;
    let (dim, head_dim) = (width / 3, width / 3 / heads);
    let part = |index: usize| -> Result<Tensor> {
        let part = qkv.narrow(D::Minus1, index * dim, dim)?.reshape((batch, time, heads, head_dim))?;
        Ok(part.transpose(1, 2)?.contiguous()?)
    };
    let (queries, keys, values) = (part(0)?, part(1)?, part(2)?);
    let keys = keys.transpose(2, 3)?.contiguous()?;
    let scale = (head_dim as f64).powf(-0.5);
    let block = (MOST_SCORES / (batch * heads * time)).clamp(1, time);
    let mut mixed = Vec::with_capacity(time.div_ceil(block));
    for first in (0..time).step_by(block) {
        let rows = block.min(time - first);
        let queries = (queries.narrow(2, first, rows)?.contiguous()? * scale)?;
        let mut scores = queries.matmul(&keys)?.to_dtype(DType::F32)?;
        if let Some(bias) = bias {
            scores = scores.add(&bias.narrow(2, first, rows)?)?;
        }
        if let Some(mask) = mask {
            scores = scores.broadcast_add(mask)?;
        }
        mixed.push(softmax(&scores)?.to_dtype(values.dtype())?.matmul(&values)?);
    }
    let mixed = match mixed.len() {
        1 => mixed.remove(0),
        _ => Tensor::cat(&mixed, 2)?,
    };
    Ok(mixed.transpose(1, 2)?.contiguous()?.reshape((batch, time, dim))?)
}

/// Softmax over the last axis.
fn softmax(scores: &Tensor) -> Result<Tensor> {
    let exponentials = scores.broadcast_sub(&scores.max_keepdim(D::Minus1)?)?.exp()?;
    Ok(exponentials.broadcast_div(&exponentials.sum_keepdim(D::Minus1)?)?)
}

/// What hides keys past the end of sequences of `lengths`, `[batch, 1, 1, longest]`; none where they are of one length.
pub fn key_mask(lengths: &[usize], device: &Device) -> Result<Option<Tensor>> {
    let longest = lengths.iter().copied().max().unwrap_or(0);
    if lengths.iter().all(|&length| length == longest) {
        return Ok(None);
    }
    let row =
        |&length: &usize| (0..longest).map(move |time| if time < length { 0.0 } else { f32::NEG_INFINITY });
    let mask: Vec<f32> = lengths.iter().flat_map(row).collect();
    Ok(Some(Tensor::from_vec(mask, (lengths.len(), 1, 1, longest), device)?))
}
