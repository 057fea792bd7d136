//! What every trained classifier can do.

use rayon::prelude::*;

use super::dataset::Dataset;
use super::vector::{largest, softmax};
use crate::score::classification::Confusion;
use crate::{Error, Result};

/// Tells classes from features.
pub trait Classifier: Sync {
    /// Features of a row.
    fn width(&self) -> usize;

    /// Number of classes.
    fn classes(&self) -> usize;

    /// A score for each class, the larger the likelier; of most classifiers their softmax is a probability. `row` is
    /// `[width]`.
    fn logits(&self, row: &[f32]) -> Vec<f64>;

    /// The likeliest class.
    fn predict(&self, row: &[f32]) -> usize {
        largest(&self.logits(row))
    }

    /// The softmax of the logits.
    fn probabilities(&self, row: &[f32]) -> Vec<f64> {
        let mut probabilities = self.logits(row);
        softmax(&mut probabilities);
        probabilities
    }

    /// The logits of every row of `dataset`, `[rows][classes]`.
    ///
    /// # Errors
    /// [`Error::Setting`] where the width is another.
    fn logits_of(&self, dataset: &Dataset) -> Result<Vec<Vec<f64>>> {
        same_width(self.width(), dataset)?;
        Ok((0..dataset.rows()).into_par_iter().map(|row| self.logits(dataset.row(row))).collect())
    }

    /// The likeliest class of every row of `dataset`.
    ///
    /// # Errors
    /// [`Error::Setting`] where the width is another.
    fn predict_all(&self, dataset: &Dataset) -> Result<Vec<usize>> {
        same_width(self.width(), dataset)?;
        Ok((0..dataset.rows()).into_par_iter().map(|row| self.predict(dataset.row(row))).collect())
    }

    /// How often each class of `dataset` was taken for which.
    ///
    /// # Errors
    /// [`Error::Setting`] where the width or the number of classes is another.
    fn confusion(&self, dataset: &Dataset) -> Result<Confusion> {
        let predicted = self.predict_all(dataset)?;
        Confusion::new(dataset.classes(), dataset.labels().iter().copied().zip(predicted))
    }
}

fn same_width(width: usize, dataset: &Dataset) -> Result<()> {
    if dataset.width() == width {
        return Ok(());
    }
    Err(Error::Setting(format!("a classifier of {width} features was given {}", dataset.width())))
}
