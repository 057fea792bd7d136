//! What tells whether a text is abusive, whatever computes it.

use std::fmt;

use super::classifier::{Evidence, TextClassifier};
use super::normalise::NormalText;
use crate::Result;

/// A trained classifier of texts.
pub trait TextHead: fmt::Debug + Send + Sync {
    /// Whether it tells abuse. One that sorts texts in another way gives probabilities of its labels alone.
    fn knows_abuse(&self) -> bool;

    /// What `text` is, whose normal form is `normal`.
    ///
    /// # Errors
    /// Those of the network.
    fn judge(&self, text: &str, normal: &NormalText) -> Result<Judged>;

    /// Whether a text of this probability is best taken for abusive.
    fn is_abusive(&self, probability: f32) -> bool;

    /// The words that speak most for abuse, the strongest first, at most `most`; none where it cannot tell.
    fn explain(&self, normal: &NormalText, most: usize) -> Option<Vec<Evidence>>;
}

/// What a text is.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Judged {
    /// The probability that it is abusive; none where that is not told.
    pub abuse: Option<f32>,
    /// The probability of each label; empty where there is nothing but abuse.
    pub labels: Vec<(String, f32)>,
}

impl TextHead for TextClassifier {
    fn knows_abuse(&self) -> bool {
        true
    }

    fn judge(&self, _: &str, normal: &NormalText) -> Result<Judged> {
        Ok(Judged { abuse: Some(self.probability_of(normal)), labels: Vec::new() })
    }

    fn is_abusive(&self, probability: f32) -> bool {
        self.is_abusive(probability)
    }

    fn explain(&self, normal: &NormalText, most: usize) -> Option<Vec<Evidence>> {
        Some(self.explain(normal, most))
    }
}
