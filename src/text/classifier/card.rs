//! What a classifier is for, and what it was trained on.

use serde::{Deserialize, Serialize};

use crate::text::FeatureOptions;

/// What a classifier's file says of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Card {
    /// The names of the classes, the second of which the probability is of.
    pub labels: [String; 2],
    /// The languages that it was trained on, by their codes.
    pub languages: Vec<String>,
    /// How text becomes features.
    pub features: FeatureOptions,
    /// What is added to the weighted sum of the features.
    pub bias: f32,
    /// What logits are divided by.
    pub temperature: f32,
    /// The probability from which a text is best taken for abusive.
    pub threshold: f32,
    /// What it was trained on.
    #[serde(default)]
    pub data: Vec<Data>,
    /// What it scored on validation data.
    #[serde(default)]
    pub figures: Vec<Figure>,
    /// The seed of its training.
    #[serde(default)]
    pub seed: u64,
    /// What an error costs in training, C.
    #[serde(default)]
    pub cost: f64,
    /// The program that made it, and its version.
    #[serde(default)]
    pub created_by: String,
}

/// A file that a classifier was trained on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Data {
    /// Its name, without folders.
    pub name: String,
    /// Texts in it.
    pub texts: usize,
    /// Its licence, or that none is stated.
    pub licence: String,
}

/// What a classifier scored in a language.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Figure {
    /// Its code.
    pub language: String,
    /// Number of texts.
    pub texts: usize,
    /// The mean of F1 of abuse and F1 of the rest.
    pub macro_f1: f64,
}
