//! The four losses, each a mean over a batch.

use candle_core::{D, Tensor};

use crate::Result;

/// Below any deviation of values that differ.
const TINY: f64 = 1e-6;

/// Additive-margin softmax (Wang et al., "Additive margin softmax for face verification", arXiv 1801.05599, equation 6) of
/// cosines with each speaker, `[batch, speakers]`, of which `speakers`, `[batch]`, are the right ones.
pub(super) fn additive_margin_softmax(
    cosines: &Tensor,
    speakers: &Tensor,
    margin: f64,
    scale: f64,
) -> Result<Tensor> {
    let right = one_hot(speakers, cosines.dim(1)?)?;
    let logits = ((cosines - (right * margin)?)? * scale)?;
    negative_log_likelihood(&logits, speakers)
}

/// Of the right classes, `[batch]`, by logits `[batch, classes]`.
pub(super) fn negative_log_likelihood(logits: &Tensor, classes: &Tensor) -> Result<Tensor> {
    let shifted = logits.broadcast_sub(&logits.max_keepdim(D::Minus1)?.detach())?;
    let sums = shifted.exp()?.sum_keepdim(D::Minus1)?.log()?;
    let right = shifted.gather(&classes.unsqueeze(1)?, 1)?;
    Ok((sums - right)?.mean_all()?)
}

/// The mean of the absolute Pearson correlations of each value of `a` with each of `b`, `[batch, width]` both, over the batch.
pub(super) fn correlation(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    let rows = a.dim(0)? as f64;
    let standard = |x: &Tensor| -> Result<Tensor> {
        let centred = x.broadcast_sub(&x.mean_keepdim(0)?)?;
        let deviation = (centred.sqr()?.mean_keepdim(0)? + TINY)?.sqrt()?;
        Ok(centred.broadcast_div(&deviation)?)
    };
    let correlations = (standard(a)?.t()?.contiguous()?.matmul(&standard(b)?)? / rows)?;
    Ok(correlations.abs()?.mean_all()?)
}

pub(super) fn mean_squared_error(found: &Tensor, expected: &Tensor) -> Result<Tensor> {
    Ok((found - expected)?.sqr()?.mean_all()?)
}

fn one_hot(classes: &Tensor, count: usize) -> Result<Tensor> {
    let classes = classes.to_vec1::<u32>()?;
    let mut rows = vec![0.0f32; classes.len() * count];
    rows.chunks_exact_mut(count).zip(&classes).for_each(|(row, &class)| row[class as usize] = 1.0);
    Ok(Tensor::from_vec(rows, (classes.len(), count), &candle_core::Device::Cpu)?)
}
