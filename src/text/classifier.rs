//! How probable it is that a text is abusive: a linear model of hashed character n-grams.
//!
//! A trained one is a file of a few megabytes, with a [`Card`] that says what it is for. It takes a fraction of a
//! millisecond for a sentence.

mod card;
mod file;
mod quantise;

use std::ops::Range;

pub use card::{Card, Data, Figure};
pub use file::BUILT_IN;
pub(super) use file::LONGEST_GRAM;

use super::features::{FeatureOptions, Features};
use super::normalise::{NormalText, normalise};
use quantise::Quantised;

/// A trained classifier.
#[derive(Debug, Clone, PartialEq)]
pub struct TextClassifier {
    card: Card,
    weights: Quantised,
}

/// A word that speaks for abuse.
#[derive(Debug, Clone, PartialEq)]
pub struct Evidence {
    /// Its bytes in the original text.
    pub span: Range<usize>,
    /// What its n-grams add to the logit.
    pub weight: f32,
}

impl TextClassifier {
    /// Weights, one for each bucket, as a classifier that `card` describes.
    pub(super) fn new(card: Card, weights: &[f32]) -> Self {
        Self { card, weights: Quantised::of(weights) }
    }

    /// What it is for, and what it was trained on.
    pub fn card(&self) -> &Card {
        &self.card
    }

    pub(super) fn card_mut(&mut self) -> &mut Card {
        &mut self.card
    }

    /// This, saying on its card that it was trained on `data`.
    pub fn with_data(mut self, data: Vec<Data>) -> Self {
        self.card.data = data;
        self
    }

    /// The probability, from 0 to 1, that `text` is abusive.
    pub fn probability(&self, text: &str) -> f32 {
        self.probability_of(&normalise(text))
    }

    /// As [`probability`](Self::probability), of a text that was normalised already.
    pub fn probability_of(&self, text: &NormalText) -> f32 {
        sigmoid(self.logit(&self.card.features.features(text)) / self.card.temperature)
    }

    /// Whether a text of this probability is best taken for abusive.
    pub fn is_abusive(&self, probability: f32) -> bool {
        probability >= self.card.threshold
    }

    /// The words that speak most for abuse, the strongest first, at most `most`. Those that speak against it are none.
    pub fn explain(&self, text: &NormalText, most: usize) -> Vec<Evidence> {
        let features = self.card.features.features(text);
        let grams = self.card.features.grams(text);
        let mut counts: Vec<u32> = grams.iter().map(|gram| gram.bucket).collect();
        counts.sort_unstable();
        let count = |bucket: u32| {
            counts.partition_point(|&other| other <= bucket) - counts.partition_point(|&other| other < bucket)
        };
        let words: Vec<Range<usize>> = text.words().collect();
        let mut weights = vec![0.0; words.len()];
        for gram in grams {
            // What a feature adds is shared among the n-grams that it is made of.
            let value = features.value(gram.bucket) / count(gram.bucket).max(1) as f32;
            weights[gram.word as usize] += value * self.weights.get(gram.bucket) / self.card.temperature;
        }
        let mut found: Vec<Evidence> = words
            .into_iter()
            .zip(weights)
            .filter(|&(_, weight)| weight > 0.0)
            .map(|(word, weight)| Evidence { span: text.original(word), weight })
            .collect();
        found.sort_by(|a, b| b.weight.total_cmp(&a.weight));
        found.truncate(most);
        found
    }

    pub(super) fn logit(&self, features: &Features) -> f32 {
        let sum: f32 = features.values.iter().map(|&(bucket, value)| value * self.weights.get(bucket)).sum();
        sum + self.card.bias
    }

    /// How text becomes features.
    pub fn features(&self) -> &FeatureOptions {
        &self.card.features
    }
}

pub(super) fn sigmoid(logit: f32) -> f32 {
    1.0 / (1.0 + (-logit).exp())
}

/// The weighted sum of `features`.
pub(super) fn dot(weights: &[f32], features: &Features) -> f32 {
    features.values.iter().map(|&(bucket, value)| value * weights[bucket as usize]).sum()
}
