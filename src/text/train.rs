//! Trains [`TextClassifier`]s.

use rayon::prelude::*;

use super::classifier::{Card, Figure, TextClassifier, sigmoid};
use super::dataset::Example;
use super::dual::{Descent, Row, descend};
use super::features::{FeatureOptions, Features, Letters};
use super::figures::{Counts, best_threshold};
use super::normalise::normalise;
use super::scale::scales;
use crate::{Error, Result};

/// How a classifier is trained.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct TrainOptions {
    /// How text becomes features.
    pub features: FeatureOptions,
    /// What an error costs against large weights, C.
    pub cost: f64,
    /// Passes over the texts at most.
    pub passes: usize,
    /// The order of the texts hangs on it.
    pub seed: u64,
}

impl Default for TrainOptions {
    fn default() -> Self {
        Self { features: FeatureOptions::default(), cost: 2.0, passes: 20, seed: 1 }
    }
}

impl Default for FeatureOptions {
    fn default() -> Self {
        Self { letters: Letters::Both, shortest: 2, longest: 5, buckets: 4_800_000 }
    }
}

/// A pass over the texts that is done.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pass {
    /// Its number, from 1.
    pub number: usize,
    /// The largest slope that it met; 0 at the optimum.
    pub slope: f64,
}

/// Where training ends by itself.
const SLOPE: f64 = 0.01;

/// Learns from `training`; finds the temperature and the threshold on `validation`, and scores itself there. Languages and
/// figures of the card are filled in, its data is not. The same texts and options give the same classifier to the byte.
///
/// `progress` hears of each pass, and may end training by an error.
///
/// # Errors
/// [`Error::Setting`] where options are out of range or the texts are not of both kinds; those of `progress`.
pub fn train(
    training: &[Example],
    validation: &[Example],
    options: &TrainOptions,
    progress: &mut dyn FnMut(Pass) -> Result<()>,
) -> Result<TextClassifier> {
    check(training, options)?;
    let features: Vec<Features> =
        training.par_iter().map(|example| options.features.features(&normalise(&example.text))).collect();
    let positive: Vec<bool> = training.iter().map(|example| example.abusive).collect();
    let width = options.features.buckets as usize;
    let scales = scales(&features, &positive, width);
    let row = |(features, positive)| Row::new(features, &scales, positive, options.cost);
    let rows: Vec<Row> = features.into_iter().zip(positive).map(row).collect();
    let descent = Descent { passes: options.passes, slope: SLOPE, seed: options.seed };
    let mut told = |number, slope| progress(Pass { number, slope });
    let weights = descend(&rows, width, &descent, &mut told)?;
    let (weights, bias) = weights.split_at(width);
    let weights: Vec<f32> = weights.iter().zip(&scales).map(|(weight, scale)| weight * scale).collect();
    let card = Card {
        labels: ["clean".into(), "abusive".into()],
        languages: languages(training),
        features: options.features.clone(),
        bias: bias[0],
        temperature: 1.0,
        threshold: 0.5,
        data: Vec::new(),
        figures: Vec::new(),
        seed: options.seed,
        cost: options.cost,
        created_by: concat!("awaaz ", env!("CARGO_PKG_VERSION")).into(),
    };
    let mut classifier = TextClassifier::new(card, &weights);
    calibrate(&mut classifier, validation);
    let figures = languages(validation).into_iter().map(|language| figure(&classifier, validation, language));
    classifier.card_mut().figures = figures.collect();
    Ok(classifier)
}

/// How often `classifier` is right on `examples`.
pub fn counts(classifier: &TextClassifier, examples: &[Example]) -> Counts {
    let taken: Vec<bool> = examples
        .par_iter()
        .map(|example| classifier.is_abusive(classifier.probability(&example.text)))
        .collect();
    let mut counts = Counts::default();
    examples.iter().zip(taken).for_each(|(example, taken)| counts.add(example.abusive, taken));
    counts
}

/// The languages of `examples`, sorted.
pub fn languages(examples: &[Example]) -> Vec<String> {
    let found: std::collections::BTreeSet<&str> =
        examples.iter().map(|example| example.language.as_str()).collect();
    found.into_iter().map(str::to_owned).collect()
}

fn check(training: &[Example], options: &TrainOptions) -> Result<()> {
    let features = &options.features;
    let abusive = training.iter().filter(|example| example.abusive).count();
    let longest = super::classifier::LONGEST_GRAM;
    let reason = if features.shortest == 0 || features.lengths().is_empty() || features.longest > longest {
        format!(
            "n-grams of {} to {} characters; from 1 to {longest} can be had",
            features.shortest, features.longest
        )
    } else if features.buckets == 0 {
        "a classifier without buckets knows nothing; give it a million".into()
    } else if !(options.cost.is_finite() && options.cost > 0.0) {
        format!("a cost of {}; it must be more than 0", options.cost)
    } else if abusive == 0 || abusive == training.len() {
        let clean = training.len() - abusive;
        format!("{abusive} texts are abusive and {clean} are not; both kinds are needed to learn from")
    } else {
        return Ok(());
    };
    Err(Error::Setting(reason))
}

/// Finds the temperature and, after it, the threshold.
fn calibrate(classifier: &mut TextClassifier, validation: &[Example]) {
    let logits: Vec<(f32, bool)> = validation
        .par_iter()
        .map(|example| {
            let features = classifier.features().features(&normalise(&example.text));
            (classifier.logit(&features), example.abusive)
        })
        .collect();
    if logits.is_empty() {
        return;
    }
    let temperature = best_temperature(&logits);
    let probabilities: Vec<(f32, bool)> =
        logits.iter().map(|&(logit, abusive)| (sigmoid(logit / temperature), abusive)).collect();
    let card = classifier.card_mut();
    card.temperature = temperature;
    card.threshold = best_threshold(&probabilities);
}

/// The range of logarithms of temperatures. Below, validation data that are told apart without error would make everything
/// certain.
const LOG_TEMPERATURES: (f64, f64) = (-1.5, 3.0);

/// The temperature at which the probabilities of `logits` are best: Guo et al., "On calibration of modern neural networks"
/// (2017). Cross entropy has one minimum over its inverse; thirds of the logarithm are cut off until it is found.
fn best_temperature(logits: &[(f32, bool)]) -> f32 {
    let entropy = |log_temperature: f64| -> f64 {
        let scale = (-log_temperature).exp();
        let of = |&(logit, abusive): &(f32, bool)| {
            let margin = if abusive { f64::from(logit) } else { -f64::from(logit) } * scale;
            (-margin.abs()).exp().ln_1p() + (-margin).max(0.0)
        };
        logits.iter().map(of).sum()
    };
    let (mut low, mut high) = LOG_TEMPERATURES;
    for _ in 0..60 {
        let third = (high - low) / 3.0;
        match entropy(low + third) < entropy(high - third) {
            true => high -= third,
            false => low += third,
        }
    }
    f64::midpoint(low, high).exp() as f32
}

fn figure(classifier: &TextClassifier, validation: &[Example], language: String) -> Figure {
    let own: Vec<Example> =
        validation.iter().filter(|example| example.language == language).cloned().collect();
    let counts = counts(classifier, &own);
    Figure { language, texts: counts.total(), macro_f1: counts.macro_f1() }
}

#[cfg(test)]
mod tests;
