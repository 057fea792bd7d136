//! The class whose mean is nearest: prototypical networks (Snell, Swersky and Zemel, NeurIPS 2017, equations 1 and 2).
//!
//! Distances are those of the features, or of a linear projection that is learnt so that queries come near the mean of their
//! class. A class's logit is minus the square of the distance.

use super::super::adam::Adam;
use super::super::classifier::Classifier;
use super::super::dataset::{By, Dataset};
use super::super::vector::{add_scaled, dot, softmax, squared_distance};
use super::{FewShot, Shots, Tasks, same_form};
use crate::{Error, Result};

/// How to learn a projection.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PrototypeOptions {
    /// What features are projected to.
    pub width: usize,
    /// Adam's rate.
    pub rate: f64,
    /// Steps, of a task each.
    pub steps: usize,
    /// Examples of a task.
    pub shots: Shots,
    /// The same seed gives the same projection.
    pub seed: u64,
}

impl Default for PrototypeOptions {
    fn default() -> Self {
        Self { width: 32, rate: 1e-3, steps: 500, shots: Shots { support: 5, query: 15 }, seed: 0 }
    }
}

/// Finds the nearest class mean.
#[derive(Debug, Clone, PartialEq)]
pub struct Prototypes {
    projection: Option<Projection>,
}

/// Tells classes by their nearest mean.
#[derive(Debug, Clone, PartialEq)]
pub struct Nearest {
    projection: Option<Projection>,
    width: usize,
    /// The projected means of the classes.
    means: Vec<Vec<f64>>,
}

#[derive(Debug, Clone, PartialEq)]
struct Projection {
    inputs: usize,
    /// `[outputs, inputs]`.
    weights: Vec<f64>,
}

impl Prototypes {
    /// Distances between the features themselves.
    pub fn plain() -> Self {
        Self { projection: None }
    }

    /// Learns a projection from tasks of the languages of `dataset`; hold the language of the test out.
    ///
    /// # Errors
    /// [`Error::Setting`] where an option is out of range, a language has too few examples for its tasks, or the loss is no
    /// number any more.
    pub fn learn(dataset: &Dataset, options: &PrototypeOptions) -> Result<Self> {
        if options.width == 0 || options.steps == 0 || !(options.rate > 0.0 && options.rate.is_finite()) {
            return Err(Error::Setting("a projection needs a width, a step and a positive rate".into()));
        }
        if options.width > dataset.width() {
            return Err(Error::Setting(format!(
                "{} features are projected to {}; a projection has no more than there are features",
                dataset.width(),
                options.width
            )));
        }
        let languages = dataset.parts(By::Language).1;
        let names: Vec<&str> = languages.iter().map(String::as_str).collect();
        let tasks = Tasks::new(dataset, options.shots, &names)?;
        let mut random = fastrand::Rng::with_seed(options.seed);
        let inputs = dataset.width();
        let bound = (3.0 / inputs as f64).sqrt();
        let weights = (0..options.width * inputs).map(|_| bound * (2.0 * random.f64() - 1.0)).collect();
        let mut projection = Projection { inputs, weights };
        let mut adam = Adam::new(projection.weights.len(), options.rate, 0.0);
        for step in 1..=options.steps {
            let task = tasks.draw(&mut random)?;
            let means = means(&dataset.subset(&task.support)?)?;
            let (loss, gradient) = projection.loss(&means, &dataset.subset(&task.query)?);
            if !(loss.is_finite() && gradient.iter().all(|slope| slope.is_finite())) {
                return Err(Error::Setting(format!(
                    "the loss of step {step} is no number; standardise the features or lower the rate"
                )));
            }
            adam.step(&mut projection.weights, &gradient);
        }
        Ok(Self { projection: Some(projection) })
    }

    /// Keeps the class means of `support`.
    ///
    /// # Errors
    /// [`Error::Setting`] where a class has no example, or the width is not that of the projection.
    pub fn nearest(&self, support: &Dataset) -> Result<Nearest> {
        let width = self.projection.as_ref().map_or(support.width(), |projection| projection.inputs);
        same_form(support, width, support.classes())?;
        let projected = |mean: Vec<f64>| match &self.projection {
            Some(projection) => projection.of(&mean),
            None => mean,
        };
        let means = means(support)?.into_iter().map(projected).collect();
        Ok(Nearest { projection: self.projection.clone(), width, means })
    }
}

impl FewShot for Prototypes {
    fn adapt(&self, support: &Dataset) -> Result<Box<dyn Classifier>> {
        Ok(Box::new(self.nearest(support)?))
    }
}

impl Classifier for Nearest {
    fn width(&self) -> usize {
        self.width
    }

    fn classes(&self) -> usize {
        self.means.len()
    }

    fn logits(&self, row: &[f32]) -> Vec<f64> {
        let row: Vec<f64> = row.iter().map(|&value| f64::from(value)).collect();
        let row = self.projection.as_ref().map_or(row.clone(), |projection| projection.of(&row));
        self.means.iter().map(|mean| -squared_distance(&row, mean)).collect()
    }
}

impl Projection {
    fn of(&self, row: &[f64]) -> Vec<f64> {
        self.weights.chunks_exact(self.inputs).map(|weights| dot(row, weights)).collect()
    }

    /// The mean cross-entropy of `query` and its gradient. Means are projected as rows are, so only their differences count:
    /// a class's logit is `-|P d|^2`, of which the gradient is `-2 P d d`.
    fn loss(&self, means: &[Vec<f64>], query: &Dataset) -> (f64, Vec<f64>) {
        let (mut loss, mut gradient) = (0.0, vec![0.0; self.weights.len()]);
        let share = 1.0 / query.rows() as f64;
        for (row, &label) in query.features().zip(query.labels()) {
            let difference = |mean: &Vec<f64>| -> Vec<f64> {
                row.iter().zip(mean).map(|(&value, mean)| f64::from(value) - mean).collect()
            };
            let differences: Vec<Vec<f64>> = means.iter().map(difference).collect();
            let projected: Vec<Vec<f64>> = differences.iter().map(|row| self.of(row)).collect();
            let mut errors: Vec<f64> = projected.iter().map(|row| -dot(row, row)).collect();
            let own = errors[label];
            loss += share * (softmax(&mut errors) - own);
            errors[label] -= 1.0;
            for (error, (projected, difference)) in errors.iter().zip(projected.iter().zip(&differences)) {
                for (output, sums) in projected.iter().zip(gradient.chunks_exact_mut(self.inputs)) {
                    add_scaled(sums, -2.0 * share * error * output, difference);
                }
            }
        }
        (loss, gradient)
    }
}

/// The mean of every class.
fn means(support: &Dataset) -> Result<Vec<Vec<f64>>> {
    let counts = support.class_counts();
    if let Some(class) = counts.iter().position(|&count| count == 0) {
        return Err(Error::Setting(format!("class {class} has no example to take a mean of")));
    }
    let mut means = vec![vec![0.0; support.width()]; counts.len()];
    for (row, &label) in support.features().zip(support.labels()) {
        add_scaled(&mut means[label], 1.0 / counts[label] as f64, row);
    }
    Ok(means)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::learn::dataset::tests::{clouds, examples, normal};
    use crate::learn::fewshot::evaluate;

    #[test]
    fn the_nearest_mean_wins() {
        let rows = examples(&[(0, "a", "hi"), (0, "b", "hi"), (1, "a", "hi")]);
        let dataset = Dataset::new(vec![0.0, 0.0, 2.0, 0.0, 5.0, 0.0], 2, 2, rows).unwrap();
        let nearest = Prototypes::plain().nearest(&dataset).unwrap();
        assert_eq!(nearest.logits(&[1.0, 1.0]), [-1.0, -17.0]);
        assert_eq!([2.9, 3.1].map(|x| nearest.predict(&[x, 0.0])), [0, 1]);
        assert!(Prototypes::plain().nearest(&dataset.subset(&[0]).unwrap()).is_err());
    }

    #[test]
    fn gradients_are_those_of_finite_differences() {
        let dataset = clouds(30, 4, 3, 0.3, 1);
        let means = means(&dataset.subset(&[0, 1, 2, 3, 4, 5]).unwrap()).unwrap();
        let query = dataset.subset(&[10, 11, 20, 21]).unwrap();
        let mut random = fastrand::Rng::with_seed(1);
        let at = Projection { inputs: 4, weights: (0..8).map(|_| random.f64() - 0.5).collect() };
        for (entry, slope) in at.loss(&means, &query).1.iter().enumerate() {
            let moved = |by: f64| {
                let mut at = at.clone();
                at.weights[entry] += by;
                at.loss(&means, &query).0
            };
            let difference = (moved(1e-6) - moved(-1e-6)) / 2e-6;
            assert!((slope - difference).abs() < 1e-7, "{slope} is not {difference}");
        }
    }

    /// Features of loud noise drown distances, until they are projected away.
    #[test]
    fn projections_leave_noise_out() {
        let quiet = clouds(600, 4, 2, 0.8, 2);
        let mut random = fastrand::Rng::with_seed(3);
        let noisy = quiet.features().flat_map(|row| {
            let noise: Vec<f32> = (0..12).map(|_| 4.0 * normal(&mut random) as f32).collect();
            [row, &noise].concat()
        });
        let dataset = quiet.with_features(noisy.collect(), 16).unwrap();
        let others: Vec<usize> = (0..600).filter(|&row| dataset.example(row).language == "ta").collect();
        let options = PrototypeOptions { width: 4, rate: 1e-2, ..PrototypeOptions::default() };
        let learnt = Prototypes::learn(&dataset.subset(&others).unwrap(), &options).unwrap();
        let accuracy = |learner: &Prototypes| {
            let found = evaluate(learner, &dataset, "hi", options.shots, 20, 1).unwrap();
            found.iter().map(|confusion| confusion.accuracy()).sum::<f64>() / 20.0
        };
        let (plain, learnt) = (accuracy(&Prototypes::plain()), accuracy(&learnt));
        assert!(learnt > plain + 0.05, "{learnt} learnt, {plain} plain");
    }

    #[test]
    fn seeds_decide_and_threads_do_not() {
        let dataset = clouds(200, 4, 2, 1.0, 4);
        let learnt = |seed: u64, threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            let options = PrototypeOptions { width: 2, steps: 20, seed, ..PrototypeOptions::default() };
            pool.install(|| Prototypes::learn(&dataset, &options).unwrap())
        };
        assert_eq!(learnt(1, 1), learnt(1, 4));
        assert_ne!(learnt(1, 1), learnt(2, 1));
    }

    #[test]
    fn settings_without_sense_are_refused() {
        let dataset = clouds(100, 3, 2, 1.0, 1);
        let usual = PrototypeOptions { width: 3, ..PrototypeOptions::default() };
        assert!(Prototypes::learn(&dataset, &usual).is_ok());
        for options in [
            PrototypeOptions { width: 0, ..usual },
            PrototypeOptions { width: 4, ..usual },
            PrototypeOptions { rate: 1e300, ..usual },
            PrototypeOptions { steps: 0, ..usual },
            PrototypeOptions { rate: -1.0, ..usual },
        ] {
            assert!(Prototypes::learn(&dataset, &options).is_err());
        }
        let shots = Shots { support: 2, query: 2 };
        let learnt = Prototypes::learn(&dataset, &PrototypeOptions { steps: 1, shots, ..usual }).unwrap();
        assert!(learnt.nearest(&clouds(10, 4, 2, 1.0, 1)).is_err());
    }
}
