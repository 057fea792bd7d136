//! Feed-forward networks: their loss, its exact gradient, and exact products of its Hessian with vectors.
//!
//! Parameters are one vector: of each layer its weights `[outputs, inputs]`, then its biases `[outputs]`.

use super::blocks::sum_over_rows;
use super::number::{Dual, Number};
use crate::{Error, Result};

/// Rows whose gradient is summed by one thread.
const BLOCK_ROWS: usize = 16;
/// Parameters at most: of a head far more than are of use, and still few enough to hold.
const MOST_PARAMETERS: usize = 1 << 28;

/// What follows each hidden layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Activation {
    /// `max(x, 0)`.
    Relu,
    /// `max(x, x / 100)`.
    LeakyRelu,
    /// `x` times the normal distribution's share below it, in the form with tanh (Hendrycks and Gimpel, 2016).
    Gelu,
}

impl Activation {
    /// The value at `x` and the slope there.
    fn of<T: Number>(self, x: T) -> (T, T) {
        let (zero, one) = (T::default(), T::from(1.0));
        match self {
            Self::Relu if x.value() > 0.0 => (x, one),
            Self::Relu => (zero, zero),
            Self::LeakyRelu if x.value() > 0.0 => (x, one),
            Self::LeakyRelu => (T::from(0.01) * x, T::from(0.01)),
            Self::Gelu => {
                let (scale, cubic, half) =
                    (T::from(std::f64::consts::FRAC_2_PI.sqrt()), T::from(0.044715), T::from(0.5));
                let t = (scale * (x + cubic * x * x * x)).tanh();
                let inner = scale * (one + T::from(3.0) * cubic * x * x);
                (half * x * (one + t), half * (one + t) + half * x * (one - t * t) * inner)
            }
        }
    }
}

/// One row of a batch.
#[derive(Debug, Clone, Copy)]
pub(super) struct Item<'a> {
    pub features: &'a [f32],
    pub label: usize,
    /// How much it counts.
    pub weight: f64,
}

/// Which hidden units are left out; always the same with the same seed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Dropout {
    /// The share that is left out, from 0 to below 1.
    pub share: f64,
    pub seed: u64,
}

impl Dropout {
    pub(super) const NONE: Self = Self { share: 0.0, seed: 0 };

    fn random(self, row: usize) -> fastrand::Rng {
        fastrand::Rng::with_seed(self.seed ^ (row as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }
}

/// The form of a network; of two widths it is linear.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Network {
    /// Features, units of each hidden layer, classes.
    pub widths: Vec<usize>,
    pub activation: Activation,
}

/// What one row makes of every layer.
struct Trace<T> {
    /// The input of every layer.
    inputs: Vec<Vec<T>>,
    /// The slopes of what follows every hidden layer, with those of what is left out 0.
    slopes: Vec<Vec<T>>,
    logits: Vec<T>,
}

impl Network {
    /// # Errors
    /// [`Error::Setting`] where a width is 0, there are not two classes, or there are too many parameters.
    pub(super) fn new(
        features: usize,
        hidden: &[usize],
        classes: usize,
        activation: Activation,
    ) -> Result<Self> {
        let widths: Vec<usize> = [&[features], hidden, &[classes]].concat();
        if widths.contains(&0) || classes < 2 {
            return Err(Error::Setting(format!(
                "no network is of widths {widths:?}; each must be positive, with two classes at least"
            )));
        }
        let of_layer = |pair: &[usize]| pair[0].checked_add(1)?.checked_mul(pair[1]);
        let whole = widths.windows(2).try_fold(0_usize, |sum, pair| sum.checked_add(of_layer(pair)?));
        if whole.is_none_or(|whole| whole > MOST_PARAMETERS) {
            return Err(Error::Setting(format!(
                "a network of widths {widths:?} is too large; use smaller layers"
            )));
        }
        Ok(Self { widths, activation })
    }

    pub(super) fn classes(&self) -> usize {
        self.widths[self.widths.len() - 1]
    }

    /// Number of parameters.
    pub(super) fn parameters(&self) -> usize {
        self.widths.windows(2).map(|pair| (pair[0] + 1) * pair[1]).sum()
    }

    /// Number of parameters of the last layer, which are the last ones.
    pub(super) fn last_layer(&self) -> usize {
        (self.widths[self.widths.len() - 2] + 1) * self.classes()
    }

    /// Parameters to begin with: uniform within one over the root of a layer's inputs, as PyTorch's `Linear` has them.
    pub(super) fn initial(&self, random: &mut fastrand::Rng) -> Vec<f64> {
        let layer = |pair: &[usize]| {
            let bound = 1.0 / (pair[0] as f64).sqrt();
            (0..(pair[0] + 1) * pair[1]).map(|_| bound * (2.0 * random.f64() - 1.0)).collect::<Vec<f64>>()
        };
        self.widths.windows(2).flat_map(layer).collect()
    }

    /// Weights `[outputs, inputs]` and biases of every layer.
    pub(super) fn layers<'a, T>(
        &'a self,
        mut rest: &'a [T],
    ) -> impl ExactSizeIterator<Item = (&'a [T], &'a [T])> + DoubleEndedIterator {
        let split = self.widths.windows(2).map(move |pair| {
            let (weights, after) = rest.split_at(pair[0] * pair[1]);
            let (biases, after) = after.split_at(pair[1]);
            rest = after;
            (weights, biases)
        });
        split.collect::<Vec<_>>().into_iter()
    }

    /// A score for each class.
    pub(super) fn logits(&self, parameters: &[f64], row: &[f32]) -> Vec<f64> {
        self.trace(parameters, row, Dropout::NONE, 0).logits
    }

    /// The weighted mean of the cross-entropies of `items`, and its gradient.
    pub(super) fn loss<T: Number>(
        &self,
        parameters: &[T],
        items: &[Item<'_>],
        dropout: Dropout,
    ) -> (T, Vec<T>) {
        let whole: f64 = items.iter().map(|item| item.weight).sum();
        sum_over_rows(items.len(), BLOCK_ROWS, parameters.len(), |rows, gradient| {
            let mut sum = T::default();
            for row in rows {
                let trace = self.trace(parameters, items[row].features, dropout, row);
                sum += self.back(parameters, trace, items[row].label, items[row].weight / whole, gradient);
            }
            sum
        })
    }

    /// The Hessian of the loss times `direction`.
    pub(super) fn hessian_times(
        &self,
        parameters: &[f64],
        direction: &[f64],
        items: &[Item<'_>],
    ) -> Vec<f64> {
        let moving = |(&value, &slope): (&f64, &f64)| Dual { value, slope };
        let moving: Vec<Dual> = parameters.iter().zip(direction).map(moving).collect();
        let (_, gradient) = self.loss(&moving, items, Dropout::NONE);
        gradient.into_iter().map(|slope| slope.slope).collect()
    }

    fn trace<T: Number>(&self, parameters: &[T], row: &[f32], dropout: Dropout, number: usize) -> Trace<T> {
        let mut random = dropout.random(number);
        let mut current: Vec<T> = row.iter().map(|&value| T::from(f64::from(value))).collect();
        let (mut inputs, mut slopes) = (Vec::new(), Vec::new());
        let hidden = self.widths.len() - 2;
        for (layer, (weights, biases)) in self.layers(parameters).enumerate() {
            let rows = weights.chunks_exact(current.len());
            let mut outputs: Vec<T> =
                rows.zip(biases).map(|(row, &bias)| dot(row, &current) + bias).collect();
            inputs.push(std::mem::take(&mut current));
            if layer < hidden {
                slopes.push(self.activate(&mut outputs, dropout.share, &mut random));
            }
            current = outputs;
        }
        Trace { inputs, slopes, logits: current }
    }

    /// Puts units through the activation, and returns its slopes.
    fn activate<T: Number>(&self, units: &mut [T], share: f64, random: &mut fastrand::Rng) -> Vec<T> {
        let mut slopes = Vec::with_capacity(units.len());
        for unit in units {
            let kept = match share > 0.0 && random.f64() < share {
                true => T::default(),
                false => T::from(1.0 / (1.0 - share)),
            };
            let (value, slope) = self.activation.of(*unit);
            *unit = value * kept;
            slopes.push(slope * kept);
        }
        slopes
    }

    /// Adds the gradient of one row's loss, and returns the loss; both times `weight`.
    fn back<T: Number>(
        &self,
        parameters: &[T],
        trace: Trace<T>,
        label: usize,
        weight: f64,
        gradient: &mut [T],
    ) -> T {
        let Trace { inputs, slopes, mut logits } = trace;
        let own = logits[label];
        let whole = log_softmax(&mut logits);
        logits[label] = logits[label] - T::from(1.0);
        let weight = T::from(weight);
        let mut errors: Vec<T> = logits.into_iter().map(|error| error * weight).collect();
        let mut end = parameters.len();
        for (layer, (weights, _)) in self.layers(parameters).enumerate().rev() {
            let input = &inputs[layer];
            let start = end - (input.len() + 1) * errors.len();
            let (by_weight, by_bias) = gradient[start..end].split_at_mut(weights.len());
            end = start;
            by_bias.iter_mut().zip(&errors).for_each(|(sum, &error)| *sum += error);
            by_weight
                .chunks_exact_mut(input.len())
                .zip(&errors)
                .for_each(|(sums, &e)| add_scaled(sums, e, input));
            if layer == 0 {
                break;
            }
            let mut before = vec![T::default(); input.len()];
            weights
                .chunks_exact(input.len())
                .zip(&errors)
                .for_each(|(row, &e)| add_scaled(&mut before, e, row));
            errors =
                before.into_iter().zip(&slopes[layer - 1]).map(|(error, &slope)| error * slope).collect();
        }
        (whole - own) * weight
    }
}

fn dot<T: Number>(a: &[T], b: &[T]) -> T {
    let mut sums = [T::default(); 4];
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<4>(), b.as_chunks::<4>());
    for (a, b) in a.iter().zip(b) {
        for (sum, (&a, &b)) in sums.iter_mut().zip(a.iter().zip(b)) {
            *sum += a * b;
        }
    }
    let mut whole = (sums[0] + sums[1]) + (sums[2] + sums[3]);
    a_rest.iter().zip(b_rest).for_each(|(&a, &b)| whole += a * b);
    whole
}

fn add_scaled<T: Number>(sums: &mut [T], scale: T, row: &[T]) {
    // Units that are left out or not active give nothing: skipping them saves about half of the loops.
    if scale == T::default() {
        return;
    }
    sums.iter_mut().zip(row).for_each(|(sum, &value)| *sum += scale * value);
}

/// Makes probabilities of logits, and returns the logarithm of the sum of their exponentials.
fn log_softmax<T: Number>(logits: &mut [T]) -> T {
    // Any constant may be taken away; it needs no derivative.
    let largest = T::from(logits.iter().map(|logit| logit.value()).fold(f64::NEG_INFINITY, f64::max));
    let mut sum = T::default();
    for logit in logits.iter_mut() {
        *logit = (*logit - largest).exp();
        sum += *logit;
    }
    logits.iter_mut().for_each(|probability| *probability = *probability / sum);
    largest + sum.ln()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::learn::dataset::Dataset;
    use crate::learn::dataset::tests::clouds;

    const ACTIVATIONS: [Activation; 3] = [Activation::Relu, Activation::LeakyRelu, Activation::Gelu];

    fn items(dataset: &Dataset) -> Vec<Item<'_>> {
        let item = |(features, (row, &label))| Item { features, label, weight: 1.0 + row as f64 / 10.0 };
        dataset.features().zip(dataset.labels().iter().enumerate()).map(item).collect()
    }

    fn networks() -> impl Iterator<Item = Network> {
        let shapes: [&[usize]; 3] = [&[], &[6], &[5, 4]];
        ACTIVATIONS
            .into_iter()
            .flat_map(move |activation| shapes.map(|hidden| Network::new(5, hidden, 3, activation).unwrap()))
    }

    #[test]
    fn gradients_are_those_of_finite_differences() {
        let dataset = clouds(37, 5, 3, 0.5, 1);
        for (network, dropout) in
            networks().flat_map(|n| [(n.clone(), Dropout::NONE), (n, Dropout { share: 0.4, seed: 5 })])
        {
            let at = network.initial(&mut fastrand::Rng::with_seed(2));
            let gradient = network.loss(&at, &items(&dataset), dropout).1;
            for entry in 0..at.len() {
                let moved = |by: f64| {
                    let mut at = at.clone();
                    at[entry] += by;
                    network.loss(&at, &items(&dataset), dropout).0
                };
                let difference = (moved(1e-6) - moved(-1e-6)) / 2e-6;
                assert!(
                    (gradient[entry] - difference).abs() < 1e-7,
                    "{network:?}: {} {difference}",
                    gradient[entry]
                );
            }
        }
    }

    #[test]
    fn hessian_products_are_differences_of_gradients() {
        let dataset = clouds(20, 5, 3, 0.5, 1);
        for network in networks() {
            let mut random = fastrand::Rng::with_seed(3);
            let at = network.initial(&mut random);
            let direction: Vec<f64> = at.iter().map(|_| random.f64() - 0.5).collect();
            let product = network.hessian_times(&at, &direction, &items(&dataset));
            let moved = |by: f64| {
                let at: Vec<f64> = at.iter().zip(&direction).map(|(x, d)| x + by * d).collect();
                network.loss(&at, &items(&dataset), Dropout::NONE).1
            };
            let (above, below) = (moved(1e-6), moved(-1e-6));
            for (found, (above, below)) in product.iter().zip(above.iter().zip(below)) {
                assert!((found - (above - below) / 2e-6).abs() < 1e-6, "{network:?}");
            }
        }
    }

    #[test]
    fn dropout_keeps_the_mean_and_its_seed_decides() {
        let network = Network::new(5, &[400], 2, Activation::Relu).unwrap();
        let at = network.initial(&mut fastrand::Rng::with_seed(2));
        let row = [0.5, -1.0, 2.0, 0.1, -0.4];
        let dropped = |seed: u64| network.trace(&at, &row, Dropout { share: 0.5, seed }, 0).logits;
        assert_eq!(dropped(1), dropped(1));
        assert_ne!(dropped(1), dropped(2));
        let mean = (0..4000).map(|seed| dropped(seed)[0]).sum::<f64>() / 4000.0;
        assert!((mean - network.logits(&at, &row)[0]).abs() < 0.02);
    }

    #[test]
    fn widths_without_sense_are_refused() {
        for (features, hidden, classes) in
            [(0, 3, 2), (3, 0, 2), (3, 3, 1), (usize::MAX, 3, 2), (1 << 20, 1 << 20, 2)]
        {
            assert!(Network::new(features, &[hidden], classes, Activation::Relu).is_err());
        }
    }
}
