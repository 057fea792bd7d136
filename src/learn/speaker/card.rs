//! What a speaker head hears, and what it was trained on.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::dsp::pool::Pool;
use crate::learn::head::Data;

/// What a speaker head's file says of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SpeakerCard {
    /// What it hears: features of these follow one another.
    pub sources: Vec<Source>,
    /// How it was trained: `margin` or `laspa`.
    pub method: String,
    /// What it was trained on.
    #[serde(default)]
    pub data: Vec<Data>,
    /// The languages of that.
    #[serde(default)]
    pub languages: Vec<String>,
    /// What it scored, by name.
    #[serde(default)]
    pub figures: BTreeMap<String, f64>,
    /// The seed of its training.
    #[serde(default)]
    pub seed: u64,
    /// The program that made it, and its version.
    pub created_by: String,
}

/// A network, and what is taken of it: `ge2e` its vector, `base:1-3` the mean and deviation of hidden states 1 to 3.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// The name or path of the network.
    pub model: String,
    /// Hidden states, the features of which follow one another; of a network that tells who speaks none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub layers: Vec<usize>,
    /// How frames became one vector.
    #[serde(default = "mean_std")]
    pub pool: Pool,
}

fn mean_std() -> Pool {
    Pool::MeanStd
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.layers.first(), self.layers.last()) {
            (Some(first), Some(last)) if first == last => write!(f, "{}:{first}", self.model),
            (Some(first), Some(last)) => write!(f, "{}:{first}-{last}", self.model),
            _ => f.write_str(&self.model),
        }
    }
}

impl FromStr for Source {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let source = |model: &str, layers| Self { model: model.into(), layers, pool: Pool::MeanStd };
        if text.is_empty() {
            return Err("give a network (ge2e), or one and its layers (base:1-3)".into());
        }
        // A path may have colons of its own.
        let Some((model, layers)) = text.rsplit_once(':') else { return Ok(source(text, Vec::new())) };
        let (first, last) = layers.split_once('-').unwrap_or((layers, layers));
        match (first.parse::<usize>(), last.parse::<usize>()) {
            (Ok(first), Ok(last)) if first <= last && last < 1000 && !model.is_empty() => {
                Ok(source(model, (first..=last).collect()))
            }
            _ => Err(format!("{text}: layers are a number (3), or the first and the last of some (1-3)")),
        }
    }
}
