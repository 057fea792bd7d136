//! How well trained speaker heads tell speakers apart that they never heard, and how much of the language is left.

use std::collections::BTreeMap;

use crate::learn::folds::{Fold, Order, leave_one_out, stratified};
use crate::learn::laspa::Projection;
use crate::learn::standardise::{Moments, Standardiser};
use crate::learn::{By, Classifier, Dataset, Example, Logistic, LogisticOptions};
use crate::score::verification::Verification;
use crate::{Error, Result};

/// Of what figures are made.
pub(super) struct Scorer<'a> {
    /// Features; labels are speakers.
    pub dataset: &'a Dataset,
    pub seed: u64,
    pub folds: usize,
}

/// The scores of trials, by corpus.
type Trials = BTreeMap<String, Vec<(f32, bool)>>;

impl Scorer<'_> {
    /// Figures by name: `eer_features_CORPUS` of features less their mean, `eer_CORPUS` of heads that never heard the
    /// speakers, `eer_unheard_CORPUS` of one that never heard the corpus, and `language_accuracy_features` and
    /// `language_accuracy` of a probe on both. Trials are all pairs of clips of one corpus that one head was tested on. `train`
    /// trains a head on a part of the data.
    ///
    /// # Errors
    /// Those of `train`; [`Error::Setting`] where there are fewer speakers than folds.
    pub fn score(
        &self,
        mut train: impl FnMut(&Dataset, &str) -> Result<(Moments, Projection)>,
    ) -> Result<BTreeMap<String, f64>> {
        // Groups are what matters; speakers as classes could not be evened out.
        let folds = stratified(&by_corpus(self.dataset)?, self.folds, Order::Shuffled(self.seed))?;
        let (mut plain, mut trained) = (Trials::new(), Trials::new());
        let (mut right_plain, mut right, mut asked) = (0, 0, 0);
        for Fold { train: heard, test } in &folds {
            let (part, held) = (self.dataset.subset(heard)?, self.dataset.subset(test)?);
            let (moments, projection) = train(&part, "fold")?;
            let before = |of: &Dataset| -> Result<Vec<Vec<f32>>> {
                Ok(Standardiser::fit(&part, By::All).apply(of)?.features().map(unit).collect())
            };
            let after = |of: &Dataset| -> Result<Vec<Vec<f32>>> { Ok(project(of, &moments, &projection)) };
            add_trials(&mut plain, &held, &before(&held)?);
            add_trials(&mut trained, &held, &after(&held)?);
            if part.parts(By::Language).1.len() > 1 {
                right_plain += languages_told(&part, &held, before)?;
                right += languages_told(&part, &held, after)?;
                asked += held.rows();
            }
        }
        let mut figures = BTreeMap::new();
        add_rates(&mut figures, "eer_features_", plain);
        add_rates(&mut figures, "eer_", trained);
        if asked > 0 {
            figures.insert("language_accuracy_features".into(), right_plain as f64 / asked as f64);
            figures.insert("language_accuracy".into(), right as f64 / asked as f64);
        }
        if self.dataset.parts(By::Corpus).1.len() > 1 {
            let mut unheard = Trials::new();
            for (corpus, Fold { train: heard, test }) in leave_one_out(self.dataset, By::Corpus)? {
                let held = self.dataset.subset(&test)?;
                match train(&self.dataset.subset(&heard)?, &corpus) {
                    Ok((moments, projection)) => {
                        add_trials(&mut unheard, &held, &project(&held, &moments, &projection));
                    }
                    // Without this corpus there may be one language alone.
                    Err(Error::Setting(_)) => {}
                    Err(error) => return Err(error),
                }
            }
            add_rates(&mut figures, "eer_unheard_", unheard);
        }
        Ok(figures)
    }
}

/// What a head's figures say, in lines.
pub(super) fn report(figures: &BTreeMap<String, f64>) -> String {
    let mut told =
        "EER in %: features, heads that never heard the speaker, heads that never heard the corpus"
            .to_owned();
    for corpus in figures.keys().filter_map(|name| name.strip_prefix("eer_features_")) {
        let figure = |prefix: &str| {
            figures
                .get(&format!("{prefix}{corpus}"))
                .map_or("-".into(), |rate| format!("{:.1}", 100.0 * rate))
        };
        told += &format!(
            "\n  {corpus}: {}, {}, {}",
            figure("eer_features_"),
            figure("eer_"),
            figure("eer_unheard_")
        );
    }
    if let (Some(before), Some(after)) =
        (figures.get("language_accuracy_features"), figures.get("language_accuracy"))
    {
        told += &format!(
            "\na probe tells the language of {:.1} % by the features, of {:.1} % by the vectors",
            100.0 * before,
            100.0 * after
        );
    }
    told
}

/// The same clips with their corpora as labels.
fn by_corpus(dataset: &Dataset) -> Result<Dataset> {
    relabelled(dataset, dataset, By::Corpus, dataset.features().flatten().copied().collect(), dataset.width())
}

/// `dataset` with other features, and as labels the numbers that parts have in `whole`.
fn relabelled(
    dataset: &Dataset,
    whole: &Dataset,
    by: By,
    features: Vec<f32>,
    width: usize,
) -> Result<Dataset> {
    let names = whole.parts(by).1;
    let (parts, own) = dataset.parts(by);
    let number = |row: usize| names.iter().position(|name| *name == own[parts[row]]).unwrap_or(names.len());
    let examples: Vec<Example> = (0..dataset.rows())
        .map(|row| Example { label: number(row), ..dataset.example(row).clone() })
        .collect();
    // Parts that the whole has not are a class more, which a probe is never right about.
    Dataset::new(features, width, names.len() + 1, examples)
}

fn project(dataset: &Dataset, moments: &Moments, projection: &Projection) -> Vec<Vec<f32>> {
    let vector = |row: &[f32]| {
        let mut row = row.to_vec();
        moments.apply(&mut row);
        let rows = projection.weight.chunks_exact(row.len()).zip(&projection.bias);
        let values: Vec<f32> = rows
            .map(|(weights, bias)| weights.iter().zip(&row).map(|(a, b)| a * b).sum::<f32>() + bias)
            .collect();
        unit(&values)
    };
    dataset.features().map(vector).collect()
}

fn unit(vector: &[f32]) -> Vec<f32> {
    let length = vector.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>().sqrt().max(1e-12);
    vector.iter().map(|&x| (f64::from(x) / length) as f32).collect()
}

/// Adds all pairs of clips of one corpus.
fn add_trials(trials: &mut Trials, dataset: &Dataset, vectors: &[Vec<f32>]) {
    for a in 0..dataset.rows() {
        let corpus = &dataset.example(a).corpus;
        for b in (0..a).filter(|&b| dataset.example(b).corpus == *corpus) {
            let score = vectors[a].iter().zip(&vectors[b]).map(|(a, b)| a * b).sum();
            let same = dataset.labels()[a] == dataset.labels()[b];
            trials.entry(corpus.clone()).or_default().push((score, same));
        }
    }
}

/// Equal error rates, where there are trials of both kinds.
fn add_rates(figures: &mut BTreeMap<String, f64>, prefix: &str, trials: Trials) {
    for (corpus, trials) in trials {
        if let Ok(verification) = Verification::new(trials) {
            figures.insert(format!("{prefix}{corpus}"), verification.equal_error_rate());
        }
    }
}

/// Of how many clips of `held` a probe that is fitted to `part` tells the language, by the vectors that `vectors` makes.
fn languages_told(
    part: &Dataset,
    held: &Dataset,
    vectors: impl Fn(&Dataset) -> Result<Vec<Vec<f32>>>,
) -> Result<usize> {
    let labelled = |of: &Dataset| -> Result<Dataset> {
        let vectors = vectors(of)?;
        let width = vectors.first().map_or(0, Vec::len);
        relabelled(of, part, By::Language, vectors.concat(), width)
    };
    let (part, held) = (labelled(part)?, labelled(held)?);
    // Without the class that the part has no clips of.
    let classes = part.class_counts().iter().filter(|&&count| count > 0).count();
    let features = part.features().flatten().copied().collect();
    let examples = (0..part.rows()).map(|row| part.example(row).clone()).collect();
    let part = Dataset::new(features, part.width(), classes, examples)?;
    let probe = Logistic::fit(&part, &LogisticOptions { c: 10.0, ..LogisticOptions::default() })?;
    let right = |(row, &label): (&[f32], &usize)| probe.predict(row) == label;
    Ok(held.features().zip(held.labels()).filter(|&(row, label)| right((row, label))).count())
}
