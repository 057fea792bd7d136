//! A head of one or two hidden layers, trained by AdamW on mini-batches until examples of other speakers get no better.

use super::adam::Adam;
use super::class_weights::ClassWeights;
use super::classifier::Classifier;
use super::dataset::Dataset;
use super::folds::{Fold, validation};
use super::network::{Activation, Dropout, Item, Network};
use super::vector::softmax;
use crate::{Error, Result};

/// How to train.
#[derive(Debug, Clone, PartialEq)]
pub struct MlpOptions {
    /// Units of each hidden layer; with none the head is linear.
    pub hidden: Vec<usize>,
    /// What follows each hidden layer.
    pub activation: Activation,
    /// The share of hidden units that is left out of every step, from 0 to below 1.
    pub dropout: f64,
    /// AdamW's rate.
    pub rate: f64,
    /// AdamW's decay of weights.
    pub weight_decay: f64,
    /// Examples of a step.
    pub batch: usize,
    /// Passes over the examples at most.
    pub epochs: usize,
    /// About the share of examples, whole groups of them, that are kept to tell when to end. With 0 all are trained with, for
    /// all epochs.
    pub validation: f64,
    /// Epochs without a lower loss of these before it ends.
    pub patience: usize,
    /// How much examples of each class count.
    pub class_weights: ClassWeights,
    /// The same seed gives the same head.
    pub seed: u64,
}

impl Default for MlpOptions {
    fn default() -> Self {
        Self {
            hidden: vec![128],
            activation: Activation::Relu,
            dropout: 0.2,
            rate: 1e-3,
            weight_decay: 1e-2,
            batch: 32,
            epochs: 100,
            validation: 0.2,
            patience: 10,
            class_weights: ClassWeights::Balanced,
            seed: 0,
        }
    }
}

/// A trained head.
#[derive(Debug, Clone, PartialEq)]
pub struct Mlp {
    pub(super) network: Network,
    pub(super) parameters: Vec<f64>,
}

/// How training went.
#[derive(Debug, Clone, PartialEq)]
pub struct Training {
    /// The epoch whose parameters were kept, counted from 1.
    pub best: usize,
    /// The mean loss after each epoch, of the examples that were kept apart; of all where none were.
    pub losses: Vec<f64>,
}

impl Mlp {
    /// Trains on `dataset`.
    ///
    /// # Errors
    /// [`Error::Setting`] where an option is out of range, a class has no example, no part can be kept apart by group, or the
    /// loss is no number any more.
    pub fn fit(dataset: &Dataset, options: &MlpOptions) -> Result<Self> {
        Ok(Self::fit_to_the_end(dataset, options)?.0)
    }

    /// The same with how training went.
    ///
    /// # Errors
    /// As [`Mlp::fit`].
    pub fn fit_to_the_end(dataset: &Dataset, options: &MlpOptions) -> Result<(Self, Training)> {
        check(options)?;
        let network = Network::new(dataset.width(), &options.hidden, dataset.classes(), options.activation)?;
        let all: Vec<usize> = (0..dataset.rows()).collect();
        let fold = match options.validation > 0.0 {
            true => validation(dataset, options.validation, options.seed)?,
            false => Fold { train: all.clone(), test: all },
        };
        let (train, held) = (dataset.subset(&fold.train)?, dataset.subset(&fold.test)?);
        let weights = options.class_weights.of(&train)?;
        let (train, held) = (items(&train, &weights), items(&held, &weights));

        let mut random = fastrand::Rng::with_seed(options.seed);
        let mut parameters = network.initial(&mut random);
        let mut adam = Adam::new(parameters.len(), options.rate, options.weight_decay);
        let mut kept = (f64::INFINITY, parameters.clone());
        let mut training = Training { best: 0, losses: Vec::new() };
        for epoch in 1..=options.epochs {
            let dropped = |seed: u64| Dropout { share: options.dropout, seed };
            for batch in shuffled(&train, &mut random).chunks(options.batch) {
                let gradient = network.loss(&parameters, batch, dropped(random.u64(..))).1;
                adam.step(&mut parameters, &gradient);
            }
            let loss = mean_loss(&network, &parameters, &held);
            if !loss.is_finite() {
                return Err(Error::Setting(format!(
                    "the loss of epoch {epoch} is no number; standardise the features or lower the rate"
                )));
            }
            training.losses.push(loss);
            if loss < kept.0 || options.validation == 0.0 {
                kept = (loss, parameters.clone());
                training.best = epoch;
            }
            if epoch - training.best >= options.patience {
                break;
            }
        }
        Ok((Self { network, parameters: kept.1 }, training))
    }
}

impl Classifier for Mlp {
    fn width(&self) -> usize {
        self.network.widths[0]
    }

    fn classes(&self) -> usize {
        self.network.classes()
    }

    fn logits(&self, row: &[f32]) -> Vec<f64> {
        self.network.logits(&self.parameters, row)
    }
}

/// The rows of `dataset` with the weights of their classes.
pub(super) fn items<'a>(dataset: &'a Dataset, weights: &[f64]) -> Vec<Item<'a>> {
    let item = |(features, &label): (&'a [f32], &usize)| Item { features, label, weight: weights[label] };
    dataset.features().zip(dataset.labels()).map(item).collect()
}

fn check(options: &MlpOptions) -> Result<()> {
    let refused = |what: &str| Err(Error::Setting(format!("training a network: {what}")));
    if options.batch == 0 || options.epochs == 0 || options.patience == 0 {
        return refused("a batch needs an example, and training and patience an epoch");
    }
    if !(options.rate > 0.0 && options.rate.is_finite()) {
        return refused(&format!("the rate is {}; it must be a positive number", options.rate));
    }
    if !(options.weight_decay >= 0.0 && options.weight_decay.is_finite()) {
        return refused(&format!(
            "the decay of weights is {}; it must not be negative",
            options.weight_decay
        ));
    }
    if [options.dropout, options.validation].iter().any(|share| !(0.0..1.0).contains(share)) {
        return refused("the shares of dropout and validation must be from 0 to below 1");
    }
    Ok(())
}

fn shuffled<'a>(items: &[Item<'a>], random: &mut fastrand::Rng) -> Vec<Item<'a>> {
    let mut items = items.to_vec();
    random.shuffle(&mut items);
    items
}

fn mean_loss(network: &Network, parameters: &[f64], items: &[Item<'_>]) -> f64 {
    let loss = |item: &Item<'_>| {
        let mut logits = network.logits(parameters, item.features);
        let own = logits[item.label];
        item.weight * (softmax(&mut logits) - own)
    };
    items.iter().map(loss).sum::<f64>() / items.iter().map(|item| item.weight).sum::<f64>()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::learn::dataset::tests::{clouds, examples};

    #[test]
    fn classes_apart_are_told_apart() {
        for (hidden, activation) in
            [(vec![], Activation::Relu), (vec![16], Activation::Relu), (vec![16, 8], Activation::Gelu)]
        {
            let dataset = clouds(150, 5, 3, 3.0, 3);
            let options = MlpOptions { hidden, activation, rate: 1e-2, ..MlpOptions::default() };
            let (fitted, training) = Mlp::fit_to_the_end(&dataset, &options).unwrap();
            assert!(fitted.confusion(&dataset).unwrap().accuracy() > 0.98, "{training:?}");
            let least = training.losses.iter().copied().fold(f64::INFINITY, f64::min);
            assert_eq!(training.losses[training.best - 1], least);
        }
    }

    /// No line tells the corners of a square from its other corners.
    #[test]
    fn hidden_layers_bend() {
        let rows = examples(&[(0, "a", "hi"), (1, "a", "hi"), (1, "a", "hi"), (0, "a", "hi")]);
        let square = vec![0.0, 0.0, 0.0, 1.0, 1.0, 0.0, 1.0, 1.0];
        let dataset = Dataset::new(square, 2, 2, rows).unwrap();
        let accuracy = |hidden: Vec<usize>| {
            let options = MlpOptions {
                hidden,
                dropout: 0.0,
                rate: 0.05,
                epochs: 300,
                validation: 0.0,
                ..MlpOptions::default()
            };
            Mlp::fit(&dataset, &options).unwrap().confusion(&dataset).unwrap().accuracy()
        };
        assert_eq!(accuracy(vec![16]), 1.0);
        assert!(accuracy(vec![]) < 1.0);
    }

    #[test]
    fn seeds_decide_and_threads_do_not() {
        let dataset = clouds(100, 4, 3, 0.5, 5);
        let fitted = |seed: u64, threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            let options = MlpOptions { seed, epochs: 5, batch: 40, ..MlpOptions::default() };
            pool.install(|| Mlp::fit(&dataset, &options).unwrap())
        };
        assert_eq!(fitted(1, 1), fitted(1, 4));
        assert_ne!(fitted(1, 1), fitted(2, 1));
    }

    /// Labels of noise cannot be learnt: the loss of other speakers rises, and training ends early.
    #[test]
    fn ends_where_other_speakers_get_no_better() {
        let dataset = clouds(60, 20, 2, 0.0, 6);
        let options = MlpOptions { rate: 1e-2, epochs: 500, patience: 5, ..MlpOptions::default() };
        let (_, training) = Mlp::fit_to_the_end(&dataset, &options).unwrap();
        assert_eq!(training.losses.len(), training.best + 5);
    }

    #[test]
    fn settings_without_sense_are_refused() {
        let dataset = clouds(20, 2, 2, 1.0, 6);
        let usual = MlpOptions::default;
        for options in [
            MlpOptions { batch: 0, ..usual() },
            MlpOptions { epochs: 0, ..usual() },
            MlpOptions { rate: f64::NAN, ..usual() },
            MlpOptions { rate: 1e300, ..usual() },
            MlpOptions { weight_decay: -1.0, ..usual() },
            MlpOptions { dropout: 1.0, ..usual() },
            MlpOptions { validation: 1.0, ..usual() },
            MlpOptions { hidden: vec![0], ..usual() },
        ] {
            assert!(Mlp::fit(&dataset, &options).is_err(), "{options:?}");
        }
    }
}
