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
    use crate::compute::rows::values;
    use proptest::prelude::*;

    proptest! {
        /// Rows that are far from 0, too, as those of a network's last layers.
        #[test]
        fn equals_the_definition(dim in 1usize..140, rows in 1usize..40, offset in -20f32..20.0, seed in 0u32..99) {
            let (weight, bias) = (values(dim, seed), values(dim, seed + 1));
            let x: Vec<f32> = values(rows * dim, seed + 2).iter().map(|x| 6.0 * x + offset).collect();
            let norm = LayerNorm::new(weight.clone(), bias.clone(), 1e-5);
            let (mut out, mut parallel) = (vec![0.0; x.len()], x.clone());
            norm.forward_into(&x, &mut out);
            norm.in_place_parallel(&mut parallel);
            prop_assert_eq!(&out, &parallel);
            for (row, out) in x.chunks(dim).zip(out.chunks(dim)) {
                let mean = row.iter().copied().map(f64::from).sum::<f64>() / dim as f64;
                let variance = row.iter().map(|&x| (f64::from(x) - mean).powi(2)).sum::<f64>() / dim as f64;
                for (((x, out), weight), bias) in row.iter().zip(out).zip(&weight).zip(&bias) {
                    let normal = (f64::from(*x) - mean) / (variance + 1e-5).sqrt();
                    let expected = normal * f64::from(*weight) + f64::from(*bias);
                    // The mean is rounded to f32 as values are, which a small deviation magnifies.
                    let tolerance = 1e-5 + 4e-6 * f64::from(offset.abs()) / (variance + 1e-5).sqrt();
                    prop_assert!((f64::from(*out) - expected).abs() < tolerance, "{out} is not {expected}");
                }
            }
        }
    }

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
