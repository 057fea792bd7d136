//! Support vector machines, linear or with a Gaussian kernel, as scikit-learn's `SVC` and libsvm define them: a machine for
//! each pair of classes, which vote.

use rayon::prelude::*;

use super::class_weights::ClassWeights;
use super::classifier::Classifier;
use super::dataset::Dataset;
use super::kernel::{Kernel, Matrix};
use super::smo::{self, Limits, Solution};
use super::vector::{add_scaled, dot};
use crate::{Error, Result};

/// How alike two rows are taken to be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum SvmKernel {
    /// Their inner product.
    Linear,
    /// `exp(-gamma |a - b|^2)` with this gamma.
    Rbf(f64),
    /// The same with a gamma of `1 / (width * variance of all features)`, scikit-learn's `scale`.
    ScaledRbf,
}

/// How to fit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SvmOptions {
    /// The kernel.
    pub kernel: SvmKernel,
    /// How much errors cost beside the margin.
    pub c: f64,
    /// How much examples of each class count.
    pub class_weights: ClassWeights,
    /// How nearly the conditions of an optimum must hold.
    pub tolerance: f64,
    /// Steps of one machine at most.
    pub steps: usize,
}

impl Default for SvmOptions {
    fn default() -> Self {
        let class_weights = ClassWeights::Balanced;
        Self { kernel: SvmKernel::ScaledRbf, c: 1.0, class_weights, tolerance: 1e-3, steps: 10_000_000 }
    }
}

/// How the machine of one pair of classes was found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SvmSolution {
    /// The least value of the dual problem.
    pub objective: f64,
    /// Steps taken; as many as the options allow where it did not converge.
    pub steps: usize,
    /// Number of support vectors.
    pub support_vectors: usize,
}

/// Fitted machines. Pairs of classes are in the order (0, 1), (0, 2), ..., (1, 2), ...
#[derive(Debug, Clone, PartialEq)]
pub struct Svm {
    pub(super) width: usize,
    pub(super) classes: usize,
    /// None of linear machines.
    pub(super) gamma: Option<f64>,
    /// Support vectors `[vectors, width]`, none of linear machines.
    pub(super) vectors: Vec<f32>,
    /// `[pairs, vectors]`, or `[pairs, width]` of linear machines.
    pub(super) coefficients: Vec<f64>,
    /// `[pairs]`.
    pub(super) intercepts: Vec<f64>,
}

impl Svm {
    /// Fits to every row of `dataset`.
    ///
    /// # Errors
    /// [`Error::Setting`] where C, gamma or the tolerance is not positive, there are not two classes, or one has no example.
    pub fn fit(dataset: &Dataset, options: &SvmOptions) -> Result<Self> {
        Ok(Self::fit_to_the_end(dataset, options)?.0)
    }

    /// The same with how the machine of each pair was found.
    ///
    /// # Errors
    /// As [`Svm::fit`].
    pub fn fit_to_the_end(dataset: &Dataset, options: &SvmOptions) -> Result<(Self, Vec<SvmSolution>)> {
        let kernel = kernel(dataset, options)?;
        let class_weights = options.class_weights.of(dataset)?;
        let limits = Limits { tolerance: options.tolerance, steps: options.steps };
        let solved = |&(first, second): &(usize, usize)| {
            let labels = dataset.labels();
            let of_pair = |&row: &usize| labels[row] == first || labels[row] == second;
            let rows: Vec<usize> = (0..dataset.rows()).filter(of_pair).collect();
            let signs: Vec<f64> =
                rows.iter().map(|&row| if labels[row] == first { 1.0 } else { -1.0 }).collect();
            let bounds: Vec<f64> = rows.iter().map(|&row| options.c * class_weights[labels[row]]).collect();
            let part = dataset.subset(&rows)?;
            let solution = smo::solve(&mut Matrix::new(&part, kernel), &signs, &bounds, limits);
            Ok(Machine { rows, signs, solution })
        };
        let machines = pairs(dataset.classes()).par_iter().map(solved).collect::<Result<Vec<_>>>()?;
        let solutions = machines.iter().map(Machine::summary).collect();
        let intercepts = machines.iter().map(|machine| -machine.solution.rho).collect();
        let (gamma, vectors, coefficients) = match kernel {
            Kernel::Linear => (None, Vec::new(), linear(dataset, &machines)),
            Kernel::Rbf { gamma } => {
                let (vectors, coefficients) = support(dataset, &machines);
                (Some(gamma), vectors, coefficients)
            }
        };
        let (width, classes) = (dataset.width(), dataset.classes());
        Ok((Self { width, classes, gamma, vectors, coefficients, intercepts }, solutions))
    }

    /// The decision value of each pair of classes `[pairs]`, positive for the first.
    pub fn decisions(&self, row: &[f32]) -> Vec<f64> {
        let mut values: Vec<f64> = row.iter().map(|&value| f64::from(value)).collect();
        if let Some(gamma) = self.gamma {
            let kernel = Kernel::Rbf { gamma };
            values = self.vectors.chunks_exact(self.width).map(|vector| kernel.of(vector, &values)).collect();
        }
        let pair = |(pair, intercept): (usize, &f64)| {
            dot(&values, &self.coefficients[pair * values.len()..][..values.len()]) + intercept
        };
        self.intercepts.iter().enumerate().map(pair).collect()
    }

    /// How many pairs each class wins `[classes]`.
    pub fn votes(&self, row: &[f32]) -> Vec<usize> {
        self.count(&self.decisions(row))
    }

    fn count(&self, decisions: &[f64]) -> Vec<usize> {
        let mut votes = vec![0; self.classes];
        for ((first, second), &decision) in pairs(self.classes).into_iter().zip(decisions) {
            votes[if decision > 0.0 { first } else { second }] += 1;
        }
        votes
    }

    /// Number of support vectors, 0 of linear machines, which need none.
    pub fn support_vectors(&self) -> usize {
        self.vectors.len() / self.width
    }
}

impl Classifier for Svm {
    fn width(&self) -> usize {
        self.width
    }

    fn classes(&self) -> usize {
        self.classes
    }

    /// Of two classes 0 and the decision value of the second. Of more the votes, with ties broken by the sum of the class's
    /// decision values, brought to within a third of a vote: scikit-learn's `decision_function` of shape `ovr`. Their
    /// softmax is a probability only after calibration.
    fn logits(&self, row: &[f32]) -> Vec<f64> {
        let decisions = self.decisions(row);
        if let [decision] = decisions[..] {
            return vec![0.0, -decision];
        }
        let mut sums = vec![0.0; self.classes];
        for ((first, second), decision) in pairs(self.classes).into_iter().zip(&decisions) {
            sums[first] += decision;
            sums[second] -= decision;
        }
        let logit = |(votes, sum): (usize, f64)| votes as f64 + sum / (3.0 * (sum.abs() + 1.0));
        self.count(&decisions).into_iter().zip(sums).map(logit).collect()
    }
}

/// The machine of one pair.
struct Machine {
    /// The pair's rows in the data set.
    rows: Vec<usize>,
    signs: Vec<f64>,
    solution: Solution,
}

impl Machine {
    fn summary(&self) -> SvmSolution {
        let Solution { objective, steps, .. } = self.solution;
        SvmSolution { objective, steps, support_vectors: self.factors().count() }
    }

    /// The support vectors' rows and signed factors.
    fn factors(&self) -> impl Iterator<Item = (usize, f64)> {
        let factors = self.solution.alphas.iter().zip(&self.signs).map(|(alpha, sign)| alpha * sign);
        self.rows.iter().copied().zip(factors).filter(|&(_, factor)| factor != 0.0)
    }
}

/// Pairs of classes in their order.
pub(super) fn pairs(classes: usize) -> Vec<(usize, usize)> {
    (0..classes).flat_map(|first| (first + 1..classes).map(move |second| (first, second))).collect()
}

fn kernel(dataset: &Dataset, options: &SvmOptions) -> Result<Kernel> {
    let kernel = match options.kernel {
        SvmKernel::Linear => Kernel::Linear,
        SvmKernel::Rbf(gamma) => Kernel::Rbf { gamma },
        SvmKernel::ScaledRbf => Kernel::Rbf { gamma: scaled(dataset) },
    };
    let gamma = if let Kernel::Rbf { gamma } = kernel { gamma } else { 1.0 };
    for (name, value) in [("C", options.c), ("gamma", gamma), ("the tolerance", options.tolerance)] {
        if !(value > 0.0 && value.is_finite()) {
            return Err(Error::Setting(format!("{name} is {value}; it must be a positive number")));
        }
    }
    Ok(kernel)
}

fn scaled(dataset: &Dataset) -> f64 {
    let count = (dataset.rows() * dataset.width()) as f64;
    let values = dataset.features().flatten().map(|&value| f64::from(value));
    let mean = values.clone().sum::<f64>() / count;
    let variance = values.map(|value| (value - mean).powi(2)).sum::<f64>() / count;
    if variance > 0.0 { 1.0 / (dataset.width() as f64 * variance) } else { 1.0 }
}

/// The weights of linear machines `[pairs, width]`.
fn linear(dataset: &Dataset, machines: &[Machine]) -> Vec<f64> {
    let mut weights = vec![0.0; machines.len() * dataset.width()];
    for (machine, weights) in machines.iter().zip(weights.chunks_exact_mut(dataset.width())) {
        machine.factors().for_each(|(row, factor)| add_scaled(weights, factor, dataset.row(row)));
    }
    weights
}

/// The rows that are a support vector of any pair, and their coefficients `[pairs, vectors]`.
fn support(dataset: &Dataset, machines: &[Machine]) -> (Vec<f32>, Vec<f64>) {
    let mut used: Vec<usize> =
        machines.iter().flat_map(|machine| machine.factors().map(|(row, _)| row)).collect();
    used.sort_unstable();
    used.dedup();
    let mut places = vec![0; dataset.rows()];
    used.iter().enumerate().for_each(|(place, &row)| places[row] = place);
    let mut coefficients = vec![0.0; machines.len() * used.len()];
    for (pair, machine) in machines.iter().enumerate() {
        machine.factors().for_each(|(row, factor)| coefficients[pair * used.len() + places[row]] = factor);
    }
    (used.iter().flat_map(|&row| dataset.row(row)).copied().collect(), coefficients)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::learn::dataset::tests::{clouds, examples};

    const KERNELS: [SvmKernel; 3] = [SvmKernel::Linear, SvmKernel::Rbf(0.05), SvmKernel::ScaledRbf];

    #[test]
    fn classes_apart_are_told_apart() {
        for (kernel, classes) in
            KERNELS.into_iter().flat_map(|kernel| [2, 3, 5].map(|classes| (kernel, classes)))
        {
            let dataset = clouds(60, 5, classes, 9.0, 3);
            let (fitted, found) =
                Svm::fit_to_the_end(&dataset, &SvmOptions { kernel, ..SvmOptions::default() }).unwrap();
            assert_eq!(found.len(), classes * (classes - 1) / 2);
            assert_eq!(fitted.confusion(&dataset).unwrap().accuracy(), 1.0, "{kernel:?}, {classes} classes");
        }
    }

    /// No line tells the corners of a square from its other corners.
    #[test]
    fn gaussian_kernels_bend() {
        let rows = examples(&[(0, "a", "hi"), (1, "a", "hi"), (1, "a", "hi"), (0, "a", "hi")]);
        let square = vec![0.0, 0.0, 0.0, 1.0, 1.0, 0.0, 1.0, 1.0];
        let dataset = Dataset::new(square, 2, 2, rows).unwrap();
        let accuracy = |kernel: SvmKernel| {
            let options = SvmOptions { kernel, c: 100.0, ..SvmOptions::default() };
            Svm::fit(&dataset, &options).unwrap().confusion(&dataset).unwrap().accuracy()
        };
        assert_eq!(accuracy(SvmKernel::Rbf(1.0)), 1.0);
        assert!(accuracy(SvmKernel::Linear) < 1.0);
    }

    #[test]
    fn the_largest_logit_is_of_a_class_with_most_votes() {
        let dataset = clouds(80, 3, 4, 0.7, 4);
        for kernel in KERNELS {
            let fitted = Svm::fit(&dataset, &SvmOptions { kernel, ..SvmOptions::default() }).unwrap();
            for row in dataset.features() {
                let votes = fitted.votes(row);
                assert_eq!(votes.iter().sum::<usize>(), 6);
                assert_eq!(votes.iter().max(), votes.get(fitted.predict(row)));
            }
        }
    }

    #[test]
    fn the_same_bytes_with_any_number_of_threads() {
        let dataset = clouds(120, 4, 3, 0.5, 5);
        let fitted = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| Svm::fit(&dataset, &SvmOptions::default()).unwrap())
        };
        assert_eq!(fitted(1), fitted(4));
    }

    #[test]
    fn settings_without_sense_are_refused() {
        let dataset = clouds(10, 2, 2, 1.0, 6);
        let usual = SvmOptions::default();
        for options in [
            SvmOptions { c: 0.0, ..usual },
            SvmOptions { kernel: SvmKernel::Rbf(-1.0), ..usual },
            SvmOptions { kernel: SvmKernel::Rbf(f64::NAN), ..usual },
            SvmOptions { tolerance: 0.0, ..usual },
        ] {
            assert!(Svm::fit(&dataset, &options).is_err(), "{options:?}");
        }
    }
}
