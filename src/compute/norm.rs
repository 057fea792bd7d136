//! Layer normalisation.

use candle_core::{Result, Tensor};
use rayon::prelude::*;
use rten_simd::SimdOp;
use rten_vecmath::{Normalize, NormalizeOptions, Sum, SumSquareSub};

use super::tensor;

/// Rows that a task takes at least.
const GRAIN: usize = 16;

/// `(x - mean) / sqrt(variance + eps) * weight + bias` over the last axis.
pub struct LayerNorm {
    weight: Vec<f32>,
    bias: Vec<f32>,
    eps: f32,
}

impl LayerNorm {
    /// A layer norm with `weight` and `bias` of `[dim]`.
    pub fn new(weight: Vec<f32>, bias: Vec<f32>, eps: f32) -> Self {
        assert_eq!(weight.len(), bias.len(), "weight and bias of a layer norm have one length");
        Self { weight, bias, eps }
    }

    /// Normalises each row of `x`, `[rows, dim]`.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let dim = self.weight.len();
        let values = tensor::with_slice(x, |x| {
            let mut out = x.to_vec();
            out.par_chunks_mut(GRAIN * dim).for_each(|rows| self.in_place(rows));
            out
        })?;
        tensor::from_values(values, x.shape())
    }

    /// Normalises each row of `x` into `out`; both `[rows, dim]`.
    pub fn forward_into(&self, x: &[f32], out: &mut [f32]) {
        out.copy_from_slice(x);
        self.in_place(out);
    }

    /// Normalises each row of `rows`, `[rows, dim]`, in place.
    pub fn in_place(&self, rows: &mut [f32]) {
        let dim = self.weight.len();
        for row in rows.chunks_exact_mut(dim) {
            let mean = Sum::new(row).dispatch() / dim as f32;
            let variance = SumSquareSub::new(row, mean).dispatch() / dim as f32;
            let options = NormalizeOptions {
                pre_scale_bias: mean,
                scale: (variance + self.eps).sqrt().recip(),
                element_scale: Some(&self.weight),
                element_bias: Some(&self.bias),
                ..Default::default()
            };
            Normalize::new_mut(row, options).dispatch();
        }
    }
}

/// Normalises each channel of `x`, `[time, channels]`, over time, then scales and shifts it: PyTorch's `GroupNorm` with a
/// group for each channel.
pub fn normalise_channels(x: &Tensor, weight: &[f32], bias: &[f32], eps: f32) -> Result<Tensor> {
    let channels = weight.len();
    let values = tensor::with_slice(x, |x| {
        let time = (x.len() / channels) as f64;
        let mut mean = vec![0.0f64; channels];
        for row in x.chunks_exact(channels) {
            mean.iter_mut().zip(row).for_each(|(sum, &x)| *sum += f64::from(x));
        }
        mean.iter_mut().for_each(|sum| *sum /= time);
        let mut variance = vec![0.0f64; channels];
        for row in x.chunks_exact(channels) {
            for ((sum, mean), &x) in variance.iter_mut().zip(&mean).zip(row) {
                *sum += (f64::from(x) - mean).powi(2);
            }
        }
        variance.iter_mut().for_each(|sum| *sum /= time);
        let scale: Vec<f32> = std::iter::zip(&variance, weight)
            .map(|(&variance, &weight)| weight / (variance as f32 + eps).sqrt())
            .collect();
        let mut out = x.to_vec();
        out.par_chunks_mut(GRAIN * channels).for_each(|rows| {
            for row in rows.chunks_exact_mut(channels) {
                for (channel, x) in row.iter_mut().enumerate() {
                    *x = (*x - mean[channel] as f32) * scale[channel] + bias[channel];
                }
            }
        });
        out
    })?;
    tensor::from_values(values, x.shape())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn normalises_each_row_by_itself() {
        let norm = LayerNorm::new(vec![1.0, 2.0, 1.0, 1.0], vec![0.0, 0.0, 0.5, 0.0], 0.0);
        let mut out = [0.0; 8];
        norm.forward_into(&[1.0, 3.0, 1.0, 3.0, 10.0, 10.0, 20.0, 20.0], &mut out);
        let expected = [-1.0, 2.0, -0.5, 1.0, -1.0, -2.0, 1.5, 1.0];
        for (out, expected) in out.iter().zip(expected) {
            assert!((out - expected).abs() < 1e-5);
        }
    }
}
