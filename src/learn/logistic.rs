//! Logistic regression with an L2 penalty, as scikit-learn's `LogisticRegression` defines it.
//!
//! The least of `C * sum of w_i * loss_i + |W|^2 / 2`, where intercepts are not penalised. Of two classes there is one row of
//! weights, that of the second class, and the loss is that of the sigmoid; of more there is one a class and the loss is that
//! of the softmax.

use super::blocks::sum_over_rows;
use super::class_weights::ClassWeights;
use super::classifier::Classifier;
use super::dataset::Dataset;
use super::lbfgs::{Lbfgs, Minimum};
use super::span::Span;
use super::vector::{add_scaled, dot, softmax};
use crate::{Error, Result};

/// Rows whose gradient is summed by one thread.
const BLOCK_ROWS: usize = 128;

/// How to fit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LogisticOptions {
    /// How much errors cost beside weights; the smaller, the smaller the weights.
    pub c: f64,
    /// How much examples of each class count.
    pub class_weights: ClassWeights,
    /// When to end. The tolerance is of the gradient of the objective, divided by `C * sum of w_i`.
    pub solver: Lbfgs,
}

impl Default for LogisticOptions {
    fn default() -> Self {
        Self { c: 1.0, class_weights: ClassWeights::Balanced, solver: Lbfgs::default() }
    }
}

/// A fitted regression.
#[derive(Debug, Clone, PartialEq)]
pub struct Logistic {
    pub(super) width: usize,
    pub(super) classes: usize,
    pub(super) weights: Vec<f64>,
    pub(super) intercepts: Vec<f64>,
}

impl Logistic {
    /// Fits to every row of `dataset`.
    ///
    /// # Errors
    /// [`Error::Setting`] where C is not positive, there are not two classes, or one has no example.
    pub fn fit(dataset: &Dataset, options: &LogisticOptions) -> Result<Self> {
        Ok(Self::fit_to_the_end(dataset, options)?.0)
    }

    /// The same with what the solver found: whether it converged shows in its slope. Where there are more features than rows,
    /// it has looked in the span of the rows, and its point is in a basis of that.
    ///
    /// # Errors
    /// As [`Logistic::fit`].
    pub fn fit_to_the_end(dataset: &Dataset, options: &LogisticOptions) -> Result<(Self, Minimum)> {
        if !(options.c > 0.0 && options.c.is_finite()) {
            return Err(Error::Setting(format!("C is {}; it must be a positive number", options.c)));
        }
        if dataset.rows() < dataset.width() {
            return Self::fit_in_span(dataset, options);
        }
        Self::fit_directly(dataset, options)
    }

    /// Where there are more features than rows, in the span of the rows.
    fn fit_in_span(dataset: &Dataset, options: &LogisticOptions) -> Result<(Self, Minimum)> {
        let span = Span::of(dataset)?;
        let (fitted, minimum) = Self::fit_directly(&span.rows()?, options)?;
        let weights = fitted.weights.chunks_exact(fitted.width).flat_map(|row| span.weights(row)).collect();
        Ok((Self { width: dataset.width(), weights, ..fitted }, minimum))
    }

    fn fit_directly(dataset: &Dataset, options: &LogisticOptions) -> Result<(Self, Minimum)> {
        let class_weights = options.class_weights.of(dataset)?;
        let (width, classes) = (dataset.width(), dataset.classes());
        let outputs = outputs(classes);
        let whole: f64 = dataset.labels().iter().map(|&label| class_weights[label]).sum();
        let objective = |parameters: &[f64]| {
            let (mut loss, mut gradient) = loss(dataset, &class_weights, parameters);
            loss /= whole;
            gradient.iter_mut().for_each(|value| *value /= whole);
            let weights = &parameters[..outputs * width];
            let penalty = 1.0 / (options.c * whole);
            add_scaled(&mut gradient, penalty, weights);
            (loss + penalty / 2.0 * dot(weights, weights), gradient)
        };
        let minimum = options.solver.minimise(vec![0.0; outputs * (width + 1)], objective);
        let (weights, intercepts) = minimum.point.split_at(outputs * width);
        let fitted = Self { width, classes, weights: weights.to_vec(), intercepts: intercepts.to_vec() };
        Ok((fitted, minimum))
    }

    /// `[classes, width]`, or `[1, width]` of two classes.
    pub fn weights(&self) -> &[f64] {
        &self.weights
    }

    /// `[classes]`, or `[1]` of two classes.
    pub fn intercepts(&self) -> &[f64] {
        &self.intercepts
    }
}

impl Classifier for Logistic {
    fn width(&self) -> usize {
        self.width
    }

    fn classes(&self) -> usize {
        self.classes
    }

    /// Of two classes the first has logit 0.
    fn logits(&self, row: &[f32]) -> Vec<f64> {
        logits(row, &self.weights, &self.intercepts, self.classes)
    }
}

fn outputs(classes: usize) -> usize {
    if classes == 2 { 1 } else { classes }
}

fn logits(row: &[f32], weights: &[f64], intercepts: &[f64], classes: usize) -> Vec<f64> {
    let mut logits = vec![0.0; classes - intercepts.len()];
    let outputs = weights.chunks_exact(row.len()).zip(intercepts);
    logits.extend(outputs.map(|(weights, intercept)| dot(row, weights) + intercept));
    logits
}

/// The sum of the weighted losses of all rows and its gradient. Parameters are weights `[outputs, width]`, then intercepts.
fn loss(dataset: &Dataset, class_weights: &[f64], parameters: &[f64]) -> (f64, Vec<f64>) {
    let (width, classes) = (dataset.width(), dataset.classes());
    let outputs = outputs(classes);
    let (weights, intercepts) = parameters.split_at(outputs * width);
    sum_over_rows(dataset.rows(), BLOCK_ROWS, parameters.len(), |rows, gradient| {
        let (by_weight, by_intercept) = gradient.split_at_mut(outputs * width);
        let row_loss = |row: usize| {
            let (features, label) = (dataset.row(row), dataset.labels()[row]);
            let mut slopes = logits(features, weights, intercepts, classes);
            let own = slopes[label];
            let whole = softmax(&mut slopes);
            slopes[label] -= 1.0;
            for (output, slope) in slopes[classes - outputs..].iter().enumerate() {
                let slope = slope * class_weights[label];
                add_scaled(&mut by_weight[output * width..][..width], slope, features);
                by_intercept[output] += slope;
            }
            class_weights[label] * (whole - own)
        };
        rows.map(row_loss).sum()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::learn::dataset::tests::{clouds, examples};

    #[test]
    fn classes_apart_are_told_apart() {
        for classes in [2, 3, 7] {
            let dataset = clouds(70, 5, classes, 9.0, 3);
            let (fitted, minimum) = Logistic::fit_to_the_end(&dataset, &LogisticOptions::default()).unwrap();
            assert!(minimum.slope <= 1e-6, "{minimum:?}");
            assert_eq!(fitted.confusion(&dataset).unwrap().accuracy(), 1.0, "{classes} classes");
        }
    }

    #[test]
    fn gradients_are_those_of_finite_differences() {
        for classes in [2, 4] {
            let dataset = clouds(30, 3, classes, 1.0, 4);
            let weights: Vec<f64> = (1..=classes).map(|class| class as f64 / 2.0).collect();
            let mut random = fastrand::Rng::with_seed(1);
            let at: Vec<f64> = (0..outputs(classes) * 4).map(|_| random.f64() - 0.5).collect();
            let gradient = loss(&dataset, &weights, &at).1;
            for (entry, slope) in gradient.iter().enumerate() {
                let moved = |by: f64| {
                    let mut at = at.clone();
                    at[entry] += by;
                    loss(&dataset, &weights, &at).0
                };
                let difference = (moved(1e-5) - moved(-1e-5)) / 2e-5;
                assert!((slope - difference).abs() < 1e-6, "{slope} is not {difference}");
            }
        }
    }

    #[test]
    fn with_more_features_than_rows_it_is_the_same_regression() {
        for classes in [2, 4] {
            let dataset = clouds(24, 60, classes, 0.5, 8);
            for c in [0.01, 1.0] {
                let options = LogisticOptions { c, ..LogisticOptions::default() };
                let found = Logistic::fit(&dataset, &options).unwrap();
                let direct = Logistic::fit_directly(&dataset, &options).unwrap().0;
                let pairs = found.weights.iter().chain(&found.intercepts);
                for (found, direct) in pairs.zip(direct.weights.iter().chain(&direct.intercepts)) {
                    assert!((found - direct).abs() < 1e-4, "C {c}: {found} is not {direct}");
                }
            }
        }
    }

    #[test]
    fn the_same_bytes_with_any_number_of_threads() {
        let dataset = clouds(400, 6, 3, 0.5, 5);
        let fitted = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| Logistic::fit(&dataset, &LogisticOptions::default()).unwrap())
        };
        assert_eq!(fitted(1), fitted(4));
    }

    #[test]
    fn balanced_weights_find_the_rare_class() {
        let mut rows = vec![(0, "a", "hi"); 95];
        rows.extend([(1, "a", "hi"); 5]);
        let features =
            (0..100).map(|row| if row < 95 { (row % 19) as f32 } else { 15.0 + (row % 5) as f32 / 2.0 });
        let dataset = Dataset::new(features.collect(), 1, 2, examples(&rows)).unwrap();
        let recall = |class_weights: ClassWeights| {
            let options = LogisticOptions { class_weights, ..LogisticOptions::default() };
            Logistic::fit(&dataset, &options).unwrap().confusion(&dataset).unwrap().recall(1).unwrap()
        };
        assert!(recall(ClassWeights::Balanced) > 0.9 && recall(ClassWeights::Equal) < 0.5);
    }

    #[test]
    fn settings_without_sense_are_refused() {
        let dataset = clouds(10, 2, 2, 1.0, 6);
        for c in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert!(Logistic::fit(&dataset, &LogisticOptions { c, ..LogisticOptions::default() }).is_err());
        }
        let fitted = Logistic::fit(&dataset, &LogisticOptions::default()).unwrap();
        assert!(fitted.predict_all(&clouds(10, 3, 2, 1.0, 6)).is_err());
    }
}
