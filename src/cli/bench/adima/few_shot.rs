//! A language learnt from a few of its clips, after the others.

use serde::Serialize;

use super::figures::{of_language, other_languages};
use super::{Settings, Split};
use crate::Result;
use crate::cli::bench::heads::figures::mean_and_deviation;
use crate::learn::fewshot::{
    Adapted, FewShot, Maml, MamlOptions, Order, Probe, PrototypeOptions, Prototypes,
};
use crate::learn::{By, Dataset, LogisticOptions};

/// C of the probe, which so few clips cannot choose.
const COST: f64 = 0.01;
/// Values that prototypes are projected to at most.
const PROJECTED: usize = 32;

/// A way to learn from few clips.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Method {
    /// MAML with the exact second order.
    Maml,
    /// MAML with the first order alone.
    FirstOrderMaml,
    /// The last layer adapts.
    Anil,
    /// The nearest class mean, in a projection that other languages taught.
    Prototypes,
    /// Logistic regression on the few clips and all of the other languages.
    Probe,
    /// Logistic regression on the few clips alone.
    ProbeAlone,
    /// Logistic regression on as many clips of every language, as the published figures have it.
    ProbePooled,
}

/// All of them.
pub const METHODS: [Method; 7] = [
    Method::Maml,
    Method::FirstOrderMaml,
    Method::Anil,
    Method::Prototypes,
    Method::Probe,
    Method::ProbeAlone,
    Method::ProbePooled,
];

/// What a method scored on a language's whole test part.
#[derive(Debug, Clone, Serialize)]
pub struct FewShotRow {
    pub method: Method,
    pub language: String,
    /// Clips of the language, both classes together.
    pub shots: usize,
    /// Mean and standard deviation over draws of the clips, in percent.
    pub accuracy: (f64, f64),
    pub macro_f1: (f64, f64),
}

impl Method {
    /// Its name in tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Maml => "MAML, second order",
            Self::FirstOrderMaml => "MAML, first order",
            Self::Anil => "ANIL",
            Self::Prototypes => "prototypes",
            Self::Probe => "probe, beside other languages",
            Self::ProbeAlone => "probe, the few alone",
            Self::ProbePooled => "probe, as few of every language",
        }
    }

    /// What has learnt from `others`, and now learns from few.
    fn learner(self, others: &Dataset, settings: &Settings<'_>) -> Result<Box<dyn FewShot>> {
        let maml = |order, adapted| {
            let options = MamlOptions {
                order,
                adapted,
                outer_steps: settings.steps,
                seed: settings.seed,
                ..MamlOptions::default()
            };
            Ok(Box::new(Maml::learn(&with_enough(others)?, &options)?.0) as Box<dyn FewShot>)
        };
        let options = LogisticOptions { c: COST, ..LogisticOptions::default() };
        match self {
            Self::Maml => maml(Order::Second, Adapted::All),
            Self::FirstOrderMaml => maml(Order::First, Adapted::All),
            Self::Anil => maml(Order::Second, Adapted::Last),
            Self::Prototypes => {
                let width = PROJECTED.min(others.width());
                let (steps, seed) = (settings.steps, settings.seed);
                let options = PrototypeOptions { width, steps, seed, ..PrototypeOptions::default() };
                Ok(Box::new(Prototypes::learn(&with_enough(others)?, &options)?))
            }
            Self::Probe => Ok(Box::new(Probe { options, beside: Some(others.clone()) })),
            Self::ProbeAlone | Self::ProbePooled => Ok(Box::new(Probe { options, beside: None })),
        }
    }
}

/// Every method on every language with every number of clips that it has.
///
/// # Errors
/// Those of learning.
pub fn few_shot(
    split: &Split,
    settings: &Settings<'_>,
    say: &mut dyn FnMut(&str),
) -> Result<Vec<FewShotRow>> {
    let mut rows = Vec::new();
    for language in &split.languages {
        let others = other_languages(&split.train, language)?;
        let (train, test) = (of_language(&split.train, language)?, of_language(&split.test, language)?);
        // The few are of one scale with what was learnt from before.
        let (others, train, test) = (
            settings.scaled(&others, &others)?.0,
            settings.scaled(&others, &train)?.1,
            settings.scaled(&others, &test)?.1,
        );
        for method in METHODS {
            settings.check()?;
            say(&format!("few shots of {language}, {}", method.name()));
            let learner = method.learner(&others, settings)?;
            for &shots in settings.shots {
                if train.class_counts().iter().any(|&count| count < shots / 2) {
                    continue;
                }
                let (mut accuracies, mut f1s) = (Vec::new(), Vec::new());
                for draw in 0..settings.draws {
                    let mut support = few_of(&train, shots / 2, draw)?;
                    if method == Method::ProbePooled {
                        support = support.with(&few_of_each(&others, split, shots / 2, draw)?)?;
                    }
                    let found = learner.adapt(&support)?.confusion(&test)?;
                    accuracies.push(100.0 * found.accuracy());
                    f1s.push(100.0 * found.macro_f1());
                }
                rows.push(FewShotRow {
                    method,
                    language: language.clone(),
                    shots,
                    accuracy: mean_and_deviation(&accuracies),
                    macro_f1: mean_and_deviation(&f1s),
                });
            }
        }
    }
    Ok(rows)
}

/// The clips of languages that have enough of each class for tasks to be drawn of them.
fn with_enough(dataset: &Dataset) -> Result<Dataset> {
    let needed = 2 * MamlOptions::default().shots.support;
    let (parts, names) = dataset.parts(By::Language);
    let mut counts: Vec<Vec<usize>> = vec![vec![0; dataset.classes()]; names.len()];
    parts.iter().zip(dataset.labels()).for_each(|(&part, &label)| counts[part][label] += 1);
    let enough = |row: &usize| counts[parts[*row]].iter().all(|&count| count >= needed);
    dataset.subset(&(0..dataset.rows()).filter(enough).collect::<Vec<usize>>())
}

/// `count` clips of each class, drawn by `seed`; fewer where there are fewer.
fn few_of(dataset: &Dataset, count: usize, seed: u64) -> Result<Dataset> {
    let mut rows: Vec<usize> = (0..dataset.rows()).collect();
    fastrand::Rng::with_seed(seed).shuffle(&mut rows);
    let mut left = vec![count; dataset.classes()];
    rows.retain(|&row| {
        let left = &mut left[dataset.labels()[row]];
        let kept = *left > 0;
        *left = left.saturating_sub(1);
        kept
    });
    dataset.subset(&rows)
}

/// The same of every language of `dataset`.
fn few_of_each(dataset: &Dataset, split: &Split, count: usize, seed: u64) -> Result<Dataset> {
    let mut all: Option<Dataset> = None;
    for language in &split.languages {
        let Ok(of) = of_language(dataset, language) else { continue };
        let few = few_of(&of, count, seed)?;
        all = Some(match all {
            Some(all) => all.with(&few)?,
            None => few,
        });
    }
    all.ok_or_else(|| crate::Error::Setting("there is no other language to learn from".into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::learn::Example;

    #[test]
    fn as_many_clips_of_each_class_are_drawn_and_the_same_again() {
        let example = |row: usize| Example {
            label: usize::from(row.is_multiple_of(5)),
            group: row.to_string(),
            corpus: "adima".into(),
            language: ["hi", "ta"][row / 25].into(),
        };
        let examples: Vec<Example> = (0..50).map(example).collect();
        let dataset = Dataset::new((0..50).map(|row| row as f32).collect(), 1, 2, examples).unwrap();
        let few = few_of(&dataset, 4, 1).unwrap();
        assert_eq!(few.class_counts(), [4, 4]);
        let values = |of: &Dataset| of.features().flatten().copied().collect::<Vec<f32>>();
        assert_eq!(values(&few), values(&few_of(&dataset, 4, 1).unwrap()));
        assert_ne!(values(&few), values(&few_of(&dataset, 4, 2).unwrap()));
        assert_eq!(few_of(&dataset, 40, 1).unwrap().class_counts(), [40, 10]);
    }
}
