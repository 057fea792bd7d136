//! Which classifier is fitted to features, and how.

use clap::{Args, ValueEnum};

use crate::learn::folds::{Order, stratified};
use crate::learn::head::Model;
use crate::learn::{
    ClassWeights, Dataset, LayerMix, LayerMixOptions, Lbfgs, Logistic, LogisticOptions, Mlp, MlpOptions, Svm,
    SvmKernel, SvmOptions,
};
use crate::score::classification::Confusion;
use crate::{Error, Result};

/// Values of C that are tried where none is given.
const GRID: [f64; 4] = [0.001, 0.01, 0.1, 1.0];
/// When a fit ends that only tells which C is best.
const COARSE: Lbfgs = Lbfgs { memory: 10, iterations: 100, tolerance: 1e-4 };
/// Folds of the training part by which C is chosen.
const FOLDS: usize = 3;

/// Classifiers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Probe {
    /// Logistic regression.
    Logistic,
    /// A linear support vector machine.
    Svm,
    /// One with a Gaussian kernel.
    RbfSvm,
    /// A network with hidden layers, which ends when speakers that are kept apart get no better.
    Mlp,
    /// A mix of the layers and a linear classifier of it, learnt together.
    LayerMix,
}

/// Weights of classes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Weights {
    /// All classes count the same, however many examples they have.
    Balanced,
    /// All examples count the same.
    Equal,
}

impl From<Weights> for ClassWeights {
    fn from(weights: Weights) -> Self {
        match weights {
            Weights::Balanced => Self::Balanced,
            Weights::Equal => Self::Equal,
        }
    }
}

/// Arguments of fitting.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Learning")]
pub struct ProbeArgs {
    /// How much errors cost beside weights [default: what does best in folds of the training part, apart by speakers].
    #[arg(long, value_name = "C")]
    pub cost: Option<f64>,
    /// What counts the same.
    #[arg(long, value_name = "WHAT", default_value = "balanced")]
    pub class_weights: Weights,
    /// Units of each hidden layer of a network.
    #[arg(long, value_name = "N,...", value_delimiter = ',', default_value = "128")]
    pub hidden: Vec<usize>,
    /// The share of hidden units that is left out of a step of a network's training.
    #[arg(long, value_name = "SHARE", default_value_t = 0.2)]
    pub dropout: f64,
    /// Passes of a network over the examples at most.
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub epochs: usize,
}

/// A classifier with all that it takes to fit it.
#[derive(Debug, Clone)]
pub struct Fitting {
    /// Which.
    pub probe: Probe,
    cost: Option<f64>,
    class_weights: ClassWeights,
    network: MlpOptions,
    /// Layers whose features follow one another.
    layers: usize,
}

impl Probe {
    /// Its name in tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Logistic => "logistic regression",
            Self::Svm => "linear SVM",
            Self::RbfSvm => "RBF SVM",
            Self::Mlp => "MLP",
            Self::LayerMix => "layer mix",
        }
    }
}

impl ProbeArgs {
    /// How `probe` is fitted to features of so many layers, which follow one another.
    pub fn fitting(&self, probe: Probe, layers: usize) -> Fitting {
        let class_weights = self.class_weights.into();
        let network = MlpOptions {
            hidden: self.hidden.clone(),
            dropout: self.dropout,
            epochs: self.epochs,
            class_weights,
            ..MlpOptions::default()
        };
        Fitting { probe, cost: self.cost, class_weights, network, layers }
    }
}

impl Fitting {
    /// A classifier fitted to `dataset`, with the cost that was given, or with the one that does best in folds of it.
    ///
    /// # Errors
    /// Those of fitting; [`Error::Setting`] for a mix of features that are not of layers.
    pub fn fit(&self, dataset: &Dataset, seed: u64) -> Result<Model> {
        let chosen = self.chosen(dataset, seed)?;
        match (chosen.probe, chosen.cost) {
            (Probe::Mlp, _) => Ok(Model::Mlp(Mlp::fit(dataset, &MlpOptions { seed, ..chosen.network })?)),
            (_, cost) => chosen.fit_with(dataset, cost.unwrap_or(1.0), Lbfgs::default()),
        }
    }

    /// The same with the cost that does best in folds of `dataset`, where none was given.
    ///
    /// # Errors
    /// As [`fit`](Self::fit).
    pub fn chosen(&self, dataset: &Dataset, seed: u64) -> Result<Self> {
        if self.probe == Probe::LayerMix && self.layers == 0 {
            return Err(Error::Setting(
                "a layer mix needs features of layers: give --features encoder and several --layers".into(),
            ));
        }
        let cost = match (self.probe, self.cost) {
            (Probe::Mlp, _) => None,
            (_, Some(cost)) => Some(cost),
            (_, None) => Some(self.best_cost(dataset, seed)?),
        };
        Ok(Self { cost, ..self.clone() })
    }

    fn fit_with(&self, dataset: &Dataset, c: f64, solver: Lbfgs) -> Result<Model> {
        let class_weights = self.class_weights;
        let svm = |kernel| SvmOptions { kernel, c, class_weights, ..SvmOptions::default() };
        Ok(match self.probe {
            Probe::Logistic => {
                let options = LogisticOptions { c, class_weights, solver };
                Model::Logistic(Logistic::fit(dataset, &options)?)
            }
            Probe::Svm => Model::Svm(Svm::fit(dataset, &svm(SvmKernel::Linear))?),
            Probe::RbfSvm => Model::Svm(Svm::fit(dataset, &svm(SvmKernel::ScaledRbf))?),
            Probe::Mlp => Model::Mlp(Mlp::fit(dataset, &self.network)?),
            Probe::LayerMix => {
                let options = LayerMixOptions { c, class_weights, solver, layers: self.layers };
                Model::LayerMix(LayerMix::fit(dataset, &options)?)
            }
        })
    }

    /// The second of the grid where too few speakers are there to choose by.
    fn best_cost(&self, dataset: &Dataset, seed: u64) -> Result<f64> {
        // A Gaussian kernel has its own scale.
        let grid = GRID.map(|cost| if self.probe == Probe::RbfSvm { cost * 100.0 } else { cost });
        let Ok(folds) = stratified(dataset, FOLDS, Order::Shuffled(seed)) else { return Ok(grid[1]) };
        let mut best = (f64::NEG_INFINITY, grid[1]);
        for cost in grid {
            let mut sum = None::<Confusion>;
            for fold in &folds {
                let (train, test) = (dataset.subset(&fold.train)?, dataset.subset(&fold.test)?);
                // A part that lacks a class cannot be learnt from.
                let Ok(model) = self.fit_with(&train, cost, COARSE) else { continue };
                let found = model.classifier().confusion(&test)?;
                match &mut sum {
                    Some(sum) => sum.add(&found)?,
                    None => sum = Some(found),
                }
            }
            let score = sum.map_or(f64::NEG_INFINITY, |sum| sum.uar());
            if score > best.0 {
                best = (score, cost);
            }
        }
        Ok(best.1)
    }
}
