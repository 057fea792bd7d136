//! Which classifier is fitted to features, and how.

use clap::{Args, ValueEnum};

use crate::Result;
use crate::learn::folds::{Order, stratified};
use crate::learn::head::Model;
use crate::learn::{Dataset, Logistic, LogisticOptions, Svm, SvmKernel, SvmOptions};
use crate::score::classification::Confusion;

/// Values of C that are tried where none is given.
const GRID: [f64; 4] = [0.001, 0.01, 0.1, 1.0];
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
}

/// Arguments of fitting.
#[derive(Debug, Clone, Copy, Args)]
pub struct ProbeArgs {
    /// How much errors cost beside weights [default: what does best in folds of the training part, apart by speakers].
    #[arg(long, value_name = "C", help_heading = "Learning")]
    pub cost: Option<f64>,
}

impl Probe {
    /// Its name in tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Logistic => "logistic regression",
            Self::Svm => "linear SVM",
            Self::RbfSvm => "RBF SVM",
        }
    }

    /// A classifier fitted to `dataset`, with `cost`, or with the one that does best in folds of it.
    ///
    /// # Errors
    /// Those of fitting.
    pub fn fit(self, dataset: &Dataset, cost: Option<f64>, seed: u64) -> Result<Model> {
        let cost = match cost {
            Some(cost) => cost,
            None => self.best_cost(dataset, seed)?,
        };
        self.fit_with(dataset, cost)
    }

    fn fit_with(self, dataset: &Dataset, c: f64) -> Result<Model> {
        let svm =
            |kernel| Ok(Model::Svm(Svm::fit(dataset, &SvmOptions { kernel, c, ..SvmOptions::default() })?));
        match self {
            Self::Logistic => Ok(Model::Logistic(Logistic::fit(
                dataset,
                &LogisticOptions { c, ..LogisticOptions::default() },
            )?)),
            Self::Svm => svm(SvmKernel::Linear),
            Self::RbfSvm => svm(SvmKernel::ScaledRbf),
        }
    }

    /// The first of the grid where too few speakers are there to choose by.
    fn best_cost(self, dataset: &Dataset, seed: u64) -> Result<f64> {
        // A Gaussian kernel has its own scale.
        let grid = GRID.map(|cost| if self == Self::RbfSvm { cost * 100.0 } else { cost });
        let Ok(folds) = stratified(dataset, FOLDS, Order::Shuffled(seed)) else { return Ok(grid[1]) };
        let mut best = (f64::NEG_INFINITY, grid[1]);
        for cost in grid {
            let mut sum = None::<Confusion>;
            for fold in &folds {
                let (train, test) = (dataset.subset(&fold.train)?, dataset.subset(&fold.test)?);
                // A part that lacks a class cannot be learnt from.
                let Ok(model) = self.fit_with(&train, cost) else { continue };
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
