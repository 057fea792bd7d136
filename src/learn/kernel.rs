//! Kernels of support vector machines, and rows of their matrix that are kept while there is room.

use std::collections::VecDeque;
use std::sync::Arc;

use rayon::prelude::*;

use super::dataset::Dataset;
use super::vector::{dot, squared_distance};

/// Bytes of kernel rows that are kept.
const CACHE_BYTES: usize = 256 << 20;

/// How alike two rows are.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Kernel {
    /// Their inner product.
    Linear,
    /// `exp(-gamma |a - b|^2)`.
    Rbf { gamma: f64 },
}

impl Kernel {
    pub(super) fn of(self, a: &[f32], b: &[f64]) -> f64 {
        match self {
            Self::Linear => dot(a, b),
            Self::Rbf { gamma } => (-gamma * squared_distance(a, b)).exp(),
        }
    }
}

/// The matrix of a kernel between the rows of a data set.
pub(super) struct Matrix<'a> {
    dataset: &'a Dataset,
    kernel: Kernel,
    rows: Vec<Option<Arc<[f64]>>>,
    /// The rows that are kept, oldest first.
    kept: VecDeque<usize>,
    most: usize,
}

impl<'a> Matrix<'a> {
    pub(super) fn new(dataset: &'a Dataset, kernel: Kernel) -> Self {
        let rows = dataset.rows();
        // Two rows are worked with at a time.
        let most = (CACHE_BYTES / (rows * size_of::<f64>())).max(2);
        Self { dataset, kernel, rows: vec![None; rows], kept: VecDeque::new(), most }
    }

    pub(super) fn diagonal(&self) -> Vec<f64> {
        (0..self.dataset.rows()).map(|row| self.kernel.of(self.dataset.row(row), &self.wide(row))).collect()
    }

    pub(super) fn row(&mut self, row: usize) -> Arc<[f64]> {
        if let Some(found) = &self.rows[row] {
            return Arc::clone(found);
        }
        let wide = self.wide(row);
        let value = |other: usize| self.kernel.of(self.dataset.row(other), &wide);
        let values: Vec<f64> = (0..self.dataset.rows()).into_par_iter().map(value).collect();
        if self.kept.len() == self.most
            && let Some(oldest) = self.kept.pop_front()
        {
            self.rows[oldest] = None;
        }
        self.kept.push_back(row);
        let values: Arc<[f64]> = values.into();
        self.rows[row] = Some(Arc::clone(&values));
        values
    }

    fn wide(&self, row: usize) -> Vec<f64> {
        self.dataset.row(row).iter().map(|&value| f64::from(value)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::learn::dataset::tests::clouds;

    #[test]
    fn rows_are_the_same_whether_kept_or_not() {
        let dataset = clouds(9, 3, 2, 1.0, 1);
        for kernel in [Kernel::Linear, Kernel::Rbf { gamma: 0.3 }] {
            let mut all = Matrix::new(&dataset, kernel);
            let mut two = Matrix { most: 2, ..Matrix::new(&dataset, kernel) };
            for row in [0, 3, 8, 0, 3, 3, 5] {
                assert_eq!(all.row(row), two.row(row));
                assert_eq!(all.row(row)[row], all.diagonal()[row]);
            }
            assert_eq!(two.rows.iter().flatten().count(), 2);
        }
    }
}
