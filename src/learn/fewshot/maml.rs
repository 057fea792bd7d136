//! Parameters from which a few steps on a few examples lead to a good head: MAML and ANIL.
//!
//! Finn, Abbeel and Levine, "Model-agnostic meta-learning" (ICML 2017), algorithm 2; ANIL adapts the last layer alone
//! (Raghu et al., "Rapid learning or feature reuse?", ICLR 2020). The exact gradient goes back through every inner step:
//! where a step is `p' = p - a M g(p)`, with M 1 for what is adapted, what comes back is `v - a H M v`, with the Hessian H of
//! the support's loss at p. The first order leaves the Hessian out.

use rayon::prelude::*;

use super::super::adam::Adam;
use super::super::classifier::Classifier;
use super::super::dataset::{By, Dataset};
use super::super::mlp::{Mlp, items};
use super::super::network::{Activation, Dropout, Item, Network};
use super::super::vector::add_scaled;
use super::{FewShot, Shots, Task, Tasks, same_form};
use crate::{Error, Result};

/// Which derivatives the outer gradient has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// Those of the query's loss after adapting; the adapted parameters are taken to move as those before them.
    First,
    /// All of them.
    Second,
}

/// What the inner steps change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Adapted {
    /// All layers: MAML.
    All,
    /// The last layer: ANIL.
    Last,
}

/// How to learn.
#[derive(Debug, Clone, PartialEq)]
pub struct MamlOptions {
    /// Units of each hidden layer; with none the head is linear.
    pub hidden: Vec<usize>,
    /// What follows each hidden layer.
    pub activation: Activation,
    /// Which derivatives the outer gradient has.
    pub order: Order,
    /// What the inner steps change.
    pub adapted: Adapted,
    /// Inner steps, in learning and in adapting.
    pub inner_steps: usize,
    /// The rate of inner steps.
    pub inner_rate: f64,
    /// Adam's rate.
    pub outer_rate: f64,
    /// Outer steps.
    pub outer_steps: usize,
    /// Tasks of an outer step.
    pub tasks: usize,
    /// Examples of a task.
    pub shots: Shots,
    /// The same seed gives the same parameters.
    pub seed: u64,
}

impl Default for MamlOptions {
    fn default() -> Self {
        Self {
            hidden: vec![64],
            activation: Activation::LeakyRelu,
            order: Order::Second,
            adapted: Adapted::All,
            inner_steps: 5,
            inner_rate: 0.1,
            outer_rate: 1e-3,
            outer_steps: 300,
            tasks: 4,
            shots: Shots { support: 5, query: 15 },
            seed: 0,
        }
    }
}

/// Parameters to adapt from.
#[derive(Debug, Clone, PartialEq)]
pub struct Maml {
    network: Network,
    parameters: Vec<f64>,
    inner: Inner,
}

/// How learning went.
#[derive(Debug, Clone, PartialEq)]
pub struct Learnt {
    /// The mean loss of the queries after adapting, of every outer step.
    pub losses: Vec<f64>,
}

/// The inner steps.
#[derive(Debug, Clone, PartialEq)]
struct Inner {
    order: Order,
    steps: usize,
    rate: f64,
    /// The first parameter that they change.
    first: usize,
}

impl Maml {
    /// Learns from tasks of the languages of `dataset`; hold the language of the test out.
    ///
    /// # Errors
    /// [`Error::Setting`] where an option is out of range, a language has too few examples for its tasks, or the loss is no
    /// number any more.
    pub fn learn(dataset: &Dataset, options: &MamlOptions) -> Result<(Self, Learnt)> {
        check(options)?;
        let network = Network::new(dataset.width(), &options.hidden, dataset.classes(), options.activation)?;
        let languages = dataset.parts(By::Language).1;
        let names: Vec<&str> = languages.iter().map(String::as_str).collect();
        let tasks = Tasks::new(dataset, options.shots, &names)?;
        let first = match options.adapted {
            Adapted::All => 0,
            Adapted::Last => network.parameters() - network.last_layer(),
        };
        let inner =
            Inner { order: options.order, steps: options.inner_steps, rate: options.inner_rate, first };
        let mut random = fastrand::Rng::with_seed(options.seed);
        let parameters = network.initial(&mut random);
        let mut maml = Self { network, parameters, inner };
        let mut adam = Adam::new(maml.parameters.len(), options.outer_rate, 0.0);
        let mut losses = Vec::with_capacity(options.outer_steps);
        for step in 1..=options.outer_steps {
            let drawn = (0..options.tasks).map(|_| tasks.draw(&mut random)).collect::<Result<Vec<_>>>()?;
            let (loss, gradient) = maml.outer(dataset, &drawn)?;
            if !(loss.is_finite() && gradient.iter().all(|slope| slope.is_finite())) {
                return Err(Error::Setting(format!(
                    "the loss of outer step {step} is no number; standardise the features or lower the rates"
                )));
            }
            adam.step(&mut maml.parameters, &gradient);
            losses.push(loss);
        }
        Ok((maml, Learnt { losses }))
    }

    /// The head before it is adapted.
    pub fn head(&self) -> Mlp {
        Mlp { network: self.network.clone(), parameters: self.parameters.clone() }
    }

    /// The head after the inner steps on `support`.
    ///
    /// # Errors
    /// [`Error::Setting`] where `support` is of another width or number of classes.
    pub fn adapted(&self, support: &Dataset) -> Result<Mlp> {
        same_form(support, self.network.widths[0], self.network.classes())?;
        let equal = vec![1.0; support.classes()];
        let mut path = self.path(&items(support, &equal));
        let parameters = path.pop().unwrap_or_else(|| self.parameters.clone());
        Ok(Mlp { network: self.network.clone(), parameters })
    }

    /// The mean over tasks of the loss and of its gradient, summed in the order of the tasks.
    fn outer(&self, dataset: &Dataset, tasks: &[Task]) -> Result<(f64, Vec<f64>)> {
        let equal = vec![1.0; dataset.classes()];
        let one = |task: &Task| {
            let (support, query) = (dataset.subset(&task.support)?, dataset.subset(&task.query)?);
            Ok(self.task_gradient(&items(&support, &equal), &items(&query, &equal)))
        };
        let of_tasks = tasks.par_iter().map(one).collect::<Result<Vec<_>>>()?;
        let share = 1.0 / tasks.len() as f64;
        let (mut loss, mut gradient) = (0.0, vec![0.0; self.parameters.len()]);
        for (task_loss, task_gradient) in of_tasks {
            loss += share * task_loss;
            add_scaled(&mut gradient, share, &task_gradient);
        }
        Ok((loss, gradient))
    }

    /// The query's loss after adapting to the support, and its gradient by the parameters before.
    fn task_gradient(&self, support: &[Item<'_>], query: &[Item<'_>]) -> (f64, Vec<f64>) {
        let path = self.path(support);
        let (loss, mut gradient) = self.network.loss(&path[self.inner.steps], query, Dropout::NONE);
        if self.inner.order == Order::First {
            return (loss, gradient);
        }
        for before in path[..self.inner.steps].iter().rev() {
            let mut moved = gradient.clone();
            moved[..self.inner.first].fill(0.0);
            let product = self.network.hessian_times(before, &moved, support);
            add_scaled(&mut gradient, -self.inner.rate, &product);
        }
        (loss, gradient)
    }

    /// The parameters before the inner steps and after each.
    fn path(&self, support: &[Item<'_>]) -> Vec<Vec<f64>> {
        let mut path = vec![self.parameters.clone()];
        for step in 0..self.inner.steps {
            let mut next = path[step].clone();
            let gradient = self.network.loss(&next, support, Dropout::NONE).1;
            let first = self.inner.first;
            add_scaled(&mut next[first..], -self.inner.rate, &gradient[first..]);
            path.push(next);
        }
        path
    }
}

impl FewShot for Maml {
    fn adapt(&self, support: &Dataset) -> Result<Box<dyn Classifier>> {
        Ok(Box::new(self.adapted(support)?))
    }
}

fn check(options: &MamlOptions) -> Result<()> {
    if options.outer_steps == 0 || options.tasks == 0 {
        return Err(Error::Setting("meta-learning needs an outer step and a task of it".into()));
    }
    for (name, rate) in [("inner", options.inner_rate), ("outer", options.outer_rate)] {
        if !(rate > 0.0 && rate.is_finite()) {
            return Err(Error::Setting(format!("the {name} rate is {rate}; it must be a positive number")));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::learn::dataset::Example;
    use crate::learn::dataset::tests::{clouds, normal};
    use crate::learn::fewshot::evaluate;

    fn maml(hidden: &[usize], activation: Activation, order: Order, adapted: Adapted, steps: usize) -> Maml {
        let network = Network::new(4, hidden, 3, activation).unwrap();
        let first = if adapted == Adapted::All { 0 } else { network.parameters() - network.last_layer() };
        let parameters = network.initial(&mut fastrand::Rng::with_seed(7));
        Maml { network, parameters, inner: Inner { order, steps, rate: 0.3, first } }
    }

    /// Where the inner steps lead is differentiated by moving every parameter before them.
    #[test]
    fn exact_gradients_are_those_of_finite_differences_through_the_inner_steps() {
        let dataset = clouds(60, 4, 3, 0.7, 1);
        let (support, query) = (dataset.subset(&[0, 1, 2, 3, 4, 5]), dataset.subset(&[20, 21, 22, 40, 44]));
        let (support, query) = (support.unwrap(), query.unwrap());
        let (support, query) = (items(&support, &[1.0; 3]), items(&query, &[1.0; 3]));
        for activation in [Activation::LeakyRelu, Activation::Gelu] {
            for (hidden, adapted) in [
                (&[][..], Adapted::All),
                (&[5][..], Adapted::All),
                (&[5, 4][..], Adapted::All),
                (&[5][..], Adapted::Last),
            ] {
                let at = maml(hidden, activation, Order::Second, adapted, 3);
                let (_, gradient) = at.task_gradient(&support, &query);
                let mut worst: f64 = 0.0;
                let mut first_order_off: f64 = 0.0;
                let first = Maml { inner: Inner { order: Order::First, ..at.inner.clone() }, ..at.clone() };
                let (_, first) = first.task_gradient(&support, &query);
                for entry in 0..gradient.len() {
                    let moved = |by: f64| {
                        let mut moved = at.clone();
                        moved.parameters[entry] += by;
                        moved.task_gradient(&support, &query).0
                    };
                    let difference = (moved(1e-6) - moved(-1e-6)) / 2e-6;
                    worst = worst.max((gradient[entry] - difference).abs());
                    first_order_off = first_order_off.max((first[entry] - difference).abs());
                }
                assert!(worst < 1e-8, "{hidden:?} {adapted:?} {activation:?}: {worst}");
                // The test would see a lost second order.
                assert!(first_order_off > 1e-3, "{hidden:?} {adapted:?}: {first_order_off}");
            }
        }
    }

    /// Languages in which the first two features, turned by an angle of the language's own, tell two classes, and six others
    /// are noise: which features matter is learnt across languages, where classes lie from the support.
    fn turned(languages: usize) -> Dataset {
        let mut random = fastrand::Rng::with_seed(5);
        let (mut features, mut examples) = (Vec::new(), Vec::new());
        for language in 0..languages {
            let angle = std::f64::consts::TAU * (0.1 + language as f64) / languages as f64;
            for row in 0..80 {
                let label = row % 2;
                let side = 2.0 * label as f64 - 1.0;
                for axis in [angle.cos(), angle.sin()] {
                    features.push((2.0 * side * axis + normal(&mut random)) as f32);
                }
                features.extend((0..6).map(|_| 2.0 * normal(&mut random) as f32));
                examples.push(Example {
                    label,
                    group: format!("{language}-{row}"),
                    corpus: "made-up".into(),
                    language: format!("l{language}"),
                });
            }
        }
        Dataset::new(features, 8, 2, examples).unwrap()
    }

    #[test]
    fn learns_to_learn_languages_that_were_held_out() {
        let dataset = turned(12);
        let held = |row: &usize| dataset.example(*row).language == "l4";
        let (_, rest): (Vec<usize>, Vec<usize>) = (0..dataset.rows()).partition(held);
        let others = dataset.subset(&rest).unwrap();
        let shots = Shots { support: 5, query: 15 };
        for (order, adapted) in
            [(Order::Second, Adapted::All), (Order::First, Adapted::All), (Order::Second, Adapted::Last)]
        {
            let options = MamlOptions {
                hidden: vec![16],
                order,
                adapted,
                inner_rate: 0.1,
                outer_rate: 1e-2,
                shots,
                ..MamlOptions::default()
            };
            let (learnt, training) = Maml::learn(&others, &options).unwrap();
            let mean = |losses: &[f64]| losses.iter().sum::<f64>() / losses.len() as f64;
            assert!(mean(&training.losses[250..]) < 0.6 * mean(&training.losses[..10]));
            let untrained = Maml {
                parameters: learnt.network.initial(&mut fastrand::Rng::with_seed(0)),
                ..learnt.clone()
            };
            let accuracy = |learner: &Maml| {
                let found = evaluate(learner, &dataset, "l4", shots, 20, 1).unwrap();
                found.iter().map(|confusion| confusion.accuracy()).sum::<f64>() / 20.0
            };
            let (after, before) = (accuracy(&learnt), accuracy(&untrained));
            assert!(after > 0.85 && after > before + 0.1, "{order:?} {adapted:?}: {after} after {before}");
        }
    }

    #[test]
    fn seeds_decide_and_threads_do_not() {
        let dataset = turned(4);
        let learnt = |seed: u64, threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            let options = MamlOptions { seed, outer_steps: 5, ..MamlOptions::default() };
            pool.install(|| Maml::learn(&dataset, &options).unwrap())
        };
        assert_eq!(learnt(1, 1), learnt(1, 4));
        assert_ne!(learnt(1, 1), learnt(2, 1));
    }

    #[test]
    fn settings_without_sense_are_refused() {
        let dataset = turned(2);
        let usual = MamlOptions::default;
        for options in [
            MamlOptions { outer_steps: 0, ..usual() },
            MamlOptions { tasks: 0, ..usual() },
            MamlOptions { inner_rate: 0.0, ..usual() },
            MamlOptions { outer_rate: f64::NAN, ..usual() },
            MamlOptions { shots: Shots { support: 60, query: 1 }, ..usual() },
        ] {
            assert!(Maml::learn(&dataset, &options).is_err(), "{options:?}");
        }
        let (learnt, _) = Maml::learn(&dataset, &MamlOptions { outer_steps: 1, ..usual() }).unwrap();
        assert!(learnt.adapted(&clouds(10, 3, 2, 1.0, 1)).is_err());
    }
}
