//! Rows of many features brought to as few as there are rows, with the same inner products.
//!
//! The weights of a linear model with an L2 penalty lie in the span of its rows: the rest of them would cost and tell nothing.
//! With rows X `[rows, width]` and the Cholesky factor L of X Xᵀ, the rows of L are those of X in an orthonormal basis of that
//! span. A model of L is the model of X, and where there are fewer rows than features it is found in fewer steps of shorter
//! loops. Its weights v are w = Xᵀ a with Lᵀ a = v in the features themselves.

use candle_core::{Device, Tensor};

use super::dataset::Dataset;
use super::vector::{add_scaled, dot};
use crate::Result;

/// The share of a row's square that must be new, for the row to be taken for one that is not a sum of others.
const LEAST_NEW: f64 = 1e-10;

/// The span of some rows.
pub(super) struct Span<'a> {
    dataset: &'a Dataset,
    /// `[rows, rows]`, lower triangular. A row that is a sum of others has 0 on the diagonal, as has all below it.
    lower: Vec<f64>,
}

impl<'a> Span<'a> {
    /// # Errors
    /// Those of the products of matrices.
    pub(super) fn of(dataset: &'a Dataset) -> Result<Self> {
        let wide: Vec<f64> = dataset.features().flatten().map(|&value| value.into()).collect();
        let features = Tensor::from_vec(wide, (dataset.rows(), dataset.width()), &Device::Cpu)?;
        let gram = features.matmul(&features.t()?)?.to_vec2()?;
        Ok(Self { dataset, lower: cholesky(&gram) })
    }

    /// The rows in the basis, `[rows, rows]`.
    ///
    /// # Errors
    /// Those of a data set.
    pub(super) fn rows(&self) -> Result<Dataset> {
        let features = self.lower.iter().map(|&value| value as f32).collect();
        self.dataset.with_features(features, self.dataset.rows())
    }

    /// Weights of the features of weights in the basis `[rows]`.
    pub(super) fn weights(&self, of_basis: &[f64]) -> Vec<f64> {
        let rows = of_basis.len();
        let mut shares = of_basis.to_vec();
        for row in (0..rows).rev() {
            let line = &self.lower[row * rows..][..=row];
            shares[row] = if line[row] > 0.0 { shares[row] / line[row] } else { 0.0 };
            let share = shares[row];
            shares[..row].iter_mut().zip(line).for_each(|(sum, value)| *sum -= share * value);
        }
        let mut weights = vec![0.0; self.dataset.width()];
        for (row, share) in self.dataset.features().zip(&shares) {
            add_scaled(&mut weights, *share, row);
        }
        weights
    }
}

/// The lower triangular factor `[rows, rows]` of a matrix of inner products, of which the lower half is read.
fn cholesky(gram: &[Vec<f64>]) -> Vec<f64> {
    let rows = gram.len();
    let mut lower = vec![0.0; rows * rows];
    for row in 0..rows {
        let (above, line) = lower.split_at_mut(row * rows);
        let line = &mut line[..=row];
        for column in 0..row {
            let other = &above[column * rows..][..=column];
            let pivot = other[column];
            let rest = gram[row][column] - dot(&line[..column], &other[..column]);
            line[column] = if pivot > 0.0 { rest / pivot } else { 0.0 };
        }
        let new = gram[row][row] - dot(&line[..row], &line[..row]);
        line[row] = if new > LEAST_NEW * gram[row][row] { new.sqrt() } else { 0.0 };
    }
    lower
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::learn::dataset::tests::clouds;

    #[test]
    fn inner_products_stay_and_weights_come_back() {
        let dataset = clouds(12, 40, 3, 1.0, 2);
        // A row that is there twice tells nothing new.
        let dataset = dataset.subset(&[0, 1, 2, 3, 4, 5, 2, 6, 7, 8]).unwrap();
        let span = Span::of(&dataset).unwrap();
        let rows = span.rows().unwrap();
        let product = |of: &Dataset, a: usize, b: usize| -> f64 {
            of.row(a).iter().zip(of.row(b)).map(|(x, y)| f64::from(*x) * f64::from(*y)).sum()
        };
        for (a, b) in (0..10).flat_map(|a| (0..10).map(move |b| (a, b))) {
            let (found, expected) = (product(&rows, a, b), product(&dataset, a, b));
            assert!((found - expected).abs() < 1e-4 * expected.abs().max(1.0), "{a} {b}: {found} {expected}");
        }
        let of_basis: Vec<f64> = (0..10).map(|at| if at == 6 { 0.0 } else { f64::from(at) - 4.0 }).collect();
        let weights = span.weights(&of_basis);
        for row in 0..10 {
            let (found, expected) = (dot(dataset.row(row), &weights), dot(rows.row(row), &of_basis));
            assert!((found - expected).abs() < 1e-4, "{row}: {found} {expected}");
        }
    }
}
