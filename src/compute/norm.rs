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
        let values = tensor::with_slice(x, |x| self.rows(x))?;
        tensor::from_values(values, x.shape())
    }

    /// Each row of `x`, `[rows, dim]`, normalised.
    pub(super) fn rows(&self, x: &[f32]) -> Vec<f32> {
        let mut out = x.to_vec();
        self.in_place_parallel(&mut out);
        out
    }

    /// Normalises each row of `rows`, `[rows, dim]`, in place, on all threads.
    pub fn in_place_parallel(&self, rows: &mut [f32]) {
        rows.par_chunks_mut(GRAIN * self.weight.len()).for_each(|rows| self.in_place(rows));
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
