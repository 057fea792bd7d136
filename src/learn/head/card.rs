//! What a head is for, and what it was trained on.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The pooling of a card whose head pools frames itself.
pub const ATTENTION: &str = "attention";

/// What a head's file says of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Card {
    /// What is told: `emotion`, `abuse`.
    pub task: String,
    /// The names of the classes, in their order.
    pub labels: Vec<String>,
    /// Whose features it is for.
    pub encoder: Option<Encoder>,
    /// Which hidden states it hears.
    pub layers: Option<Layers>,
    /// How frames became one vector: `mean`, `l2-mean`, `mean-std`; `attention` where the head does it.
    pub pooling: Option<String>,
    /// Seconds of sound that were encoded at least, silence after the clip included; its frames were left out.
    #[serde(default)]
    pub least_seconds: f64,
    /// What it was trained on.
    #[serde(default)]
    pub data: Vec<Data>,
    /// What it scored, by name: `uar`, `accuracy`, `macro_f1`.
    #[serde(default)]
    pub figures: BTreeMap<String, f64>,
    /// The seed of its training.
    #[serde(default)]
    pub seed: u64,
    /// The program that made it, and its version.
    pub created_by: String,
}

/// The network whose features a head is for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Encoder {
    /// Its name.
    pub name: String,
    /// The SHA-256 of its weights, in hexadecimal, where it is known.
    pub sha256: Option<String>,
}

/// The hidden states that a head hears; 0 enters the first layer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Layers {
    /// One of them.
    One(usize),
    /// Several, whose features follow one another.
    Mix(Vec<usize>),
}

/// A data set that a head was trained on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Data {
    /// Its name.
    pub name: String,
    /// Its licence, or that it has none.
    pub licence: String,
}

impl Card {
    /// A card of this program's version that says no more than the task and its labels.
    pub fn new(task: impl Into<String>, labels: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self {
            task: task.into(),
            labels: labels.into_iter().map(Into::into).collect(),
            encoder: None,
            layers: None,
            pooling: None,
            least_seconds: 0.0,
            data: Vec::new(),
            figures: BTreeMap::new(),
            seed: 0,
            created_by: concat!("awaaz ", env!("CARGO_PKG_VERSION")).into(),
        }
    }
}
