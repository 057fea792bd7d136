//! A mix of an encoder's layers and a linear head on it, learnt together.
//!
//! Features are those of all layers, `[rows, layers, width]`. Their mix is their sum weighted by the softmax of one number a
//! layer, as ELMo does it (Peters et al., "Deep contextualized word representations", NAACL 2018, equation 1, without its
//! scale) and SUPERB's probes do (Yang et al., Interspeech 2021). Layers differ in scale: standardise the features first.

use super::blocks::sum_over_rows;
use super::class_weights::ClassWeights;
use super::classifier::Classifier;
use super::dataset::Dataset;
use super::lbfgs::{Lbfgs, Minimum};
use super::vector::{add_scaled, dot, softmax};
use crate::{Error, Result};

/// Rows whose gradient is summed by one thread.
const BLOCK_ROWS: usize = 64;

/// How to fit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LayerMixOptions {
    /// Number of layers, whose features follow one another in every row.
    pub layers: usize,
    /// How much errors cost beside the head's weights, as in logistic regression. The layers' weights cost nothing.
    pub c: f64,
    /// How much examples of each class count.
    pub class_weights: ClassWeights,
    /// When to end.
    pub solver: Lbfgs,
}

impl LayerMixOptions {
    /// The usual options for this number of layers.
    pub fn of(layers: usize) -> Self {
        Self { layers, c: 1.0, class_weights: ClassWeights::Balanced, solver: Lbfgs::default() }
    }
}

/// A fitted mix with its head.
#[derive(Debug, Clone, PartialEq)]
pub struct LayerMix {
    /// Features of one layer.
    pub(super) width: usize,
    /// `[layers]`, whose softmax weights the layers.
    pub(super) scores: Vec<f64>,
    /// `[classes, width]`.
    pub(super) weights: Vec<f64>,
    /// `[classes]`.
    pub(super) intercepts: Vec<f64>,
}

impl LayerMix {
    /// Fits to every row of `dataset`.
    ///
    /// # Errors
    /// [`Error::Setting`] where C is not positive, the features are not of so many layers, there are not two classes, or one
    /// has no example.
    pub fn fit(dataset: &Dataset, options: &LayerMixOptions) -> Result<Self> {
        Ok(Self::fit_to_the_end(dataset, options)?.0)
    }

    /// The same with what the solver found.
    ///
    /// # Errors
    /// As [`LayerMix::fit`].
    pub fn fit_to_the_end(dataset: &Dataset, options: &LayerMixOptions) -> Result<(Self, Minimum)> {
        if !(options.c > 0.0 && options.c.is_finite()) {
            return Err(Error::Setting(format!("C is {}; it must be a positive number", options.c)));
        }
        if options.layers == 0 || !dataset.width().is_multiple_of(options.layers) {
            return Err(Error::Setting(format!(
                "{} features are not those of {} layers; give the number of layers that were embedded",
                dataset.width(),
                options.layers
            )));
        }
        let class_weights = options.class_weights.of(dataset)?;
        let whole: f64 = dataset.labels().iter().map(|&label| class_weights[label]).sum();
        let (layers, width, classes) = (options.layers, dataset.width() / options.layers, dataset.classes());
        let penalty = 1.0 / (options.c * whole);
        let objective = |parameters: &[f64]| {
            let mix = Self::of_parameters(parameters, layers, width, classes);
            let (mut loss, mut gradient) = mix.loss(dataset, &class_weights);
            loss /= whole;
            gradient.iter_mut().for_each(|value| *value /= whole);
            add_scaled(&mut gradient[layers..layers + classes * width], penalty, &mix.weights);
            (loss + penalty / 2.0 * dot(&mix.weights, &mix.weights), gradient)
        };
        let minimum = options.solver.minimise(vec![0.0; layers + classes * (width + 1)], objective);
        Ok((Self::of_parameters(&minimum.point, layers, width, classes), minimum))
    }

    fn of_parameters(parameters: &[f64], layers: usize, width: usize, classes: usize) -> Self {
        let (scores, head) = parameters.split_at(layers);
        let (weights, intercepts) = head.split_at(classes * width);
        Self { width, scores: scores.to_vec(), weights: weights.to_vec(), intercepts: intercepts.to_vec() }
    }

    /// How much of each layer is in the mix `[layers]`; their sum is 1.
    pub fn layer_weights(&self) -> Vec<f64> {
        let mut weights = self.scores.clone();
        softmax(&mut weights);
        weights
    }

    fn mixed(&self, layer_weights: &[f64], row: &[f32]) -> Vec<f64> {
        let mut mixed = vec![0.0; self.width];
        for (layer, weight) in row.chunks_exact(self.width).zip(layer_weights) {
            add_scaled(&mut mixed, *weight, layer);
        }
        mixed
    }

    fn head(&self, mixed: &[f64]) -> Vec<f64> {
        let rows = self.weights.chunks_exact(self.width).zip(&self.intercepts);
        rows.map(|(weights, intercept)| dot(mixed, weights) + intercept).collect()
    }

    /// The sum of the weighted losses of all rows and its gradient by scores, weights and intercepts.
    fn loss(&self, dataset: &Dataset, class_weights: &[f64]) -> (f64, Vec<f64>) {
        let layer_weights = self.layer_weights();
        let (layers, head) = (self.scores.len(), self.weights.len());
        let length = layers + head + self.intercepts.len();
        sum_over_rows(dataset.rows(), BLOCK_ROWS, length, |rows, gradient: &mut [f64]| {
            let (by_score, rest) = gradient.split_at_mut(layers);
            let (by_weight, by_intercept) = rest.split_at_mut(head);
            let row_loss = |row: usize| {
                let (features, label) = (dataset.row(row), dataset.labels()[row]);
                let mixed = self.mixed(&layer_weights, features);
                let mut errors = self.head(&mixed);
                let own = errors[label];
                let whole = softmax(&mut errors);
                errors[label] -= 1.0;
                errors.iter_mut().for_each(|error| *error *= class_weights[label]);
                let mut by_mix = vec![0.0; self.width];
                for (class, &error) in errors.iter().enumerate() {
                    add_scaled(&mut by_weight[class * self.width..][..self.width], error, &mixed);
                    add_scaled(&mut by_mix, error, &self.weights[class * self.width..][..self.width]);
                    by_intercept[class] += error;
                }
                let mean = dot(&mixed, &by_mix);
                let of_layers = features.chunks_exact(self.width).zip(&layer_weights);
                for (sum, (layer, weight)) in by_score.iter_mut().zip(of_layers) {
                    *sum += weight * (dot(layer, &by_mix) - mean);
                }
                class_weights[label] * (whole - own)
            };
            rows.map(row_loss).sum()
        })
    }
}

impl Classifier for LayerMix {
    /// Features of all layers.
    fn width(&self) -> usize {
        self.width * self.scores.len()
    }

    fn classes(&self) -> usize {
        self.intercepts.len()
    }

    fn logits(&self, row: &[f32]) -> Vec<f64> {
        self.head(&self.mixed(&self.layer_weights(), row))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::learn::dataset::tests::{clouds, normal};
    use crate::learn::{Logistic, LogisticOptions};

    /// Four layers of noise as large as the clouds, of which `told` has the clouds instead.
    fn layers(told: usize) -> Dataset {
        let clouds = clouds(200, 6, 3, 1.0, 3);
        let mut random = fastrand::Rng::with_seed(4);
        let mut features = Vec::new();
        for row in clouds.features() {
            for layer in 0..4 {
                let noise = (0..6).map(|_| 1.5 * normal(&mut random) as f32).collect::<Vec<_>>();
                features.extend(if layer == told { row } else { &noise });
            }
        }
        clouds.with_features(features, 24).unwrap()
    }

    #[test]
    fn finds_the_layer_that_tells() {
        for told in [0, 2, 3] {
            let dataset = layers(told);
            let (fitted, minimum) =
                LayerMix::fit_to_the_end(&dataset, &LayerMixOptions { c: 0.1, ..LayerMixOptions::of(4) })
                    .unwrap();
            let weights = fitted.layer_weights();
            assert!(minimum.slope <= 1e-6 && weights[told] > 0.8, "{weights:?}");
            assert!((weights.iter().sum::<f64>() - 1.0).abs() < 1e-12);
            let layer = dataset.features().flat_map(|row| &row[6 * told..][..6]).copied().collect();
            let layer = dataset.with_features(layer, 6).unwrap();
            let alone =
                Logistic::fit(&layer, &LogisticOptions { c: 0.1, ..LogisticOptions::default() }).unwrap();
            let accuracy = |found: &dyn Classifier, dataset| found.confusion(dataset).unwrap().accuracy();
            let (mixed, alone) = (accuracy(&fitted, &dataset), accuracy(&alone, &layer));
            assert!(mixed > alone - 0.03 && alone > 0.6, "{mixed} mixed, {alone} alone");
        }
    }

    #[test]
    fn gradients_are_those_of_finite_differences() {
        let dataset = layers(1).subset(&(0..30).collect::<Vec<_>>()).unwrap();
        let mut random = fastrand::Rng::with_seed(1);
        let at: Vec<f64> = (0..4 + 3 * 7).map(|_| random.f64() - 0.5).collect();
        let loss = |at: &[f64]| LayerMix::of_parameters(at, 4, 6, 3).loss(&dataset, &[1.0, 0.5, 2.0]);
        for (entry, slope) in loss(&at).1.iter().enumerate() {
            let moved = |by: f64| {
                let mut at = at.clone();
                at[entry] += by;
                loss(&at).0
            };
            let difference = (moved(1e-5) - moved(-1e-5)) / 2e-5;
            assert!((slope - difference).abs() < 1e-6, "{slope} is not {difference}");
        }
    }

    #[test]
    fn the_same_bytes_with_any_number_of_threads() {
        let dataset = layers(1);
        let fitted = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| LayerMix::fit(&dataset, &LayerMixOptions::of(4)).unwrap())
        };
        assert_eq!(fitted(1), fitted(4));
    }

    #[test]
    fn settings_without_sense_are_refused() {
        let dataset = layers(0);
        for options in [
            LayerMixOptions::of(0),
            LayerMixOptions::of(5),
            LayerMixOptions { c: 0.0, ..LayerMixOptions::of(4) },
        ] {
            assert!(LayerMix::fit(&dataset, &options).is_err());
        }
    }
}
