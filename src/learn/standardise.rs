//! Brings every feature to mean 0 and variance 1, over all rows or over those of each speaker, language or corpus.
//!
//! Means and variances need no labels: rows of an unheard speaker may be brought to that speaker's own, by fitting to them.

use std::collections::BTreeMap;

use super::dataset::{By, Dataset};
use crate::{Error, Result};

/// What features of one part of the data are brought from.
#[derive(Debug, Clone, PartialEq)]
pub struct Moments {
    /// `[width]`.
    pub means: Vec<f32>,
    /// Standard deviations `[width]`, with 1 for a feature that is constant.
    pub deviations: Vec<f32>,
}

/// The moments of every part of some rows.
#[derive(Debug, Clone, PartialEq)]
pub struct Standardiser {
    by: By,
    parts: BTreeMap<String, Moments>,
}

impl Moments {
    pub(super) fn of<'a>(width: usize, rows: impl Iterator<Item = &'a [f32]> + Clone) -> Self {
        let count = rows.clone().count().max(1) as f64;
        let mut means = vec![0.0_f64; width];
        for row in rows.clone() {
            means.iter_mut().zip(row).for_each(|(sum, &value)| *sum += f64::from(value));
        }
        means.iter_mut().for_each(|sum| *sum /= count);
        let mut variances = vec![0.0; width];
        for row in rows {
            for ((sum, mean), &value) in variances.iter_mut().zip(&means).zip(row) {
                *sum += (f64::from(value) - mean).powi(2) / count;
            }
        }
        let deviation = |(mean, &variance): (&f64, &f64)| {
            // Within what rounding makes of equal numbers.
            let constant = count * f64::EPSILON * variance + (count * mean * f64::EPSILON).powi(2);
            if variance <= constant { 1.0 } else { variance.sqrt() as f32 }
        };
        let deviations: Vec<f32> = means.iter().zip(&variances).map(deviation).collect();
        // The square of a number next to zero may be zero in single precision.
        let deviations = deviations.into_iter().map(|d| if d > 0.0 { d } else { 1.0 }).collect();
        Self { means: means.into_iter().map(|mean| mean as f32).collect(), deviations }
    }

    /// The moments of `rows`, `[rows, width]`.
    pub fn of_rows(rows: &[f32], width: usize) -> Self {
        Self::of(width, rows.chunks_exact(width))
    }

    /// Standardises one row in place.
    pub fn apply(&self, row: &mut [f32]) {
        for ((value, mean), deviation) in row.iter_mut().zip(&self.means).zip(&self.deviations) {
            // What deviates little may be far off in other rows, but must stay a number.
            *value = ((*value - mean) / deviation).clamp(f32::MIN, f32::MAX);
        }
    }
}

impl Standardiser {
    /// The moments of the parts of `dataset`.
    pub fn fit(dataset: &Dataset, by: By) -> Self {
        let (numbers, names) = dataset.parts(by);
        let moments = |part: usize| {
            let rows = numbers.iter().enumerate().filter(move |&(_, &number)| number == part);
            Moments::of(dataset.width(), rows.map(|(row, _)| dataset.row(row)))
        };
        let parts = names.into_iter().enumerate().map(|(part, name)| (name, moments(part))).collect();
        Self { by, parts }
    }

    /// Every row standardised by the moments of its part.
    ///
    /// # Errors
    /// [`Error::Setting`] where the width is another, or a row is of a part that was not fitted to.
    pub fn apply(&self, dataset: &Dataset) -> Result<Dataset> {
        let (numbers, names) = dataset.parts(self.by);
        let moments = |name: &String| {
            let found = self.parts.get(name).ok_or_else(|| unknown(name))?;
            if found.means.len() == dataset.width() {
                return Ok(found);
            }
            Err(Error::Setting(format!(
                "{} features are standardised by moments of {}",
                dataset.width(),
                found.means.len()
            )))
        };
        let moments = names.iter().map(moments).collect::<Result<Vec<_>>>()?;
        let mut features: Vec<f32> = dataset.features().flatten().copied().collect();
        let rows = features.chunks_exact_mut(dataset.width());
        rows.zip(numbers).for_each(|(row, part)| moments[part].apply(row));
        dataset.with_features(features, dataset.width())
    }

    /// The moments of the part of this name; that of [`By::All`] is `all`.
    pub fn moments(&self, part: &str) -> Option<&Moments> {
        self.parts.get(part)
    }
}

fn unknown(name: &str) -> Error {
    Error::Setting(format!(
        "nothing is known of the moments of {name}; fit the standardisation to rows of it"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::learn::dataset::tests::{clouds, examples};

    fn moments_of(dataset: &Dataset, by: By, part: usize) -> (Vec<f64>, Vec<f64>) {
        let numbers = dataset.parts(by).0;
        let rows: Vec<usize> = (0..dataset.rows()).filter(|&row| numbers[row] == part).collect();
        let mean = |f: &dyn Fn(f64) -> f64, at: usize| {
            rows.iter().map(|&row| f(f64::from(dataset.row(row)[at]))).sum::<f64>() / rows.len() as f64
        };
        let columns = 0..dataset.width();
        (
            columns.clone().map(|at| mean(&|x| x, at)).collect(),
            columns.map(|at| mean(&|x| x * x, at)).collect(),
        )
    }

    #[test]
    fn every_part_gets_mean_zero_and_variance_one() {
        for by in [By::All, By::Corpus, By::Language, By::Domain, By::Group] {
            let dataset = clouds(60, 4, 3, 5.0, 1);
            let dataset = Standardiser::fit(&dataset, by).apply(&dataset).unwrap();
            for part in 0..dataset.parts(by).1.len() {
                let (means, squares) = moments_of(&dataset, by, part);
                assert!(means.iter().all(|mean| mean.abs() < 1e-5), "{by:?}: {means:?}");
                assert!(squares.iter().all(|square| (square - 1.0).abs() < 1e-4), "{by:?}: {squares:?}");
            }
        }
    }

    #[test]
    fn constant_features_become_zero() {
        for constant in [0.0, 0.1, -3.7e8, 1e-42] {
            let rows = examples(&[(0, "a", "hi"); 7]);
            let dataset = Dataset::new([constant; 7].to_vec(), 1, 1, rows).unwrap();
            let fitted = Standardiser::fit(&dataset, By::Group);
            assert_eq!(fitted.moments("made-up/a").unwrap().deviations, [1.0]);
            assert!(fitted.apply(&dataset).unwrap().features().flatten().all(|&value| value == 0.0));
        }
    }

    #[test]
    fn unknown_parts_and_other_widths_are_refused() {
        let dataset = clouds(20, 2, 2, 1.0, 2);
        let fitted = Standardiser::fit(&dataset.subset(&[0, 1]).unwrap(), By::Group);
        let error = fitted.apply(&dataset).unwrap_err().to_string();
        assert!(error.contains("made-up/s1"), "{error}");
        assert!(Standardiser::fit(&clouds(4, 3, 2, 1.0, 2), By::All).apply(&dataset).is_err());
    }
}
