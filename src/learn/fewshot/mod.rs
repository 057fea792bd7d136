//! Learns a language from few examples, after other languages: MAML, ANIL, prototypes, and the probe that they have to beat.
//!
//! A [`FewShot`] learner is trained on all languages but one, then given a few examples of each class of that one, and tested
//! on others, which [`evaluate`] draws. FSL-ADIMA (Sharma et al., COLING 2025) sets the task; its released code keeps the
//! first order only and holds no language out.

mod maml;
mod probe;
mod prototypes;
mod tasks;

use super::Classifier;
use super::dataset::Dataset;
use crate::score::classification::Confusion;
use crate::{Error, Result};

pub use maml::{Adapted, Learnt, Maml, MamlOptions, Order};
pub use probe::Probe;
pub use prototypes::{Nearest, PrototypeOptions, Prototypes};
pub use tasks::{Shots, Task, Tasks};

/// Learns classes from few examples.
pub trait FewShot: Sync {
    /// A classifier for what `support` shows.
    ///
    /// # Errors
    /// [`Error::Setting`] where `support` is of another width or number of classes, or a class has no example.
    fn adapt(&self, support: &Dataset) -> Result<Box<dyn Classifier>>;
}

/// The confusion of the query of every one of `episodes` tasks of `language`, after adapting to their support.
///
/// # Errors
/// [`Error::Setting`] where no task can be drawn, or the learner cannot adapt.
pub fn evaluate(
    learner: &dyn FewShot,
    dataset: &Dataset,
    language: &str,
    shots: Shots,
    episodes: usize,
    seed: u64,
) -> Result<Vec<Confusion>> {
    let tasks = Tasks::new(dataset, shots, &[language])?;
    let mut random = fastrand::Rng::with_seed(seed);
    let episode = |_| {
        let task = tasks.draw(&mut random)?;
        learner.adapt(&dataset.subset(&task.support)?)?.confusion(&dataset.subset(&task.query)?)
    };
    (0..episodes).map(episode).collect()
}

/// Refuses examples that a learner of `width` and `classes` cannot adapt to.
fn same_form(support: &Dataset, width: usize, classes: usize) -> Result<()> {
    if support.width() == width && support.classes() == classes {
        return Ok(());
    }
    Err(Error::Setting(format!(
        "a learner of {width} features and {classes} classes was given {} features and {} classes",
        support.width(),
        support.classes()
    )))
}
