//! The file of a head: safetensors, with the card as JSON in its metadata under `awaaz.head`.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::super::standardise::Moments;
use super::card::Card;
use super::model::{Kind, Model};
use super::tensors::{Tensor, Tensors};
use super::{Encoder, Head};
use crate::output::write_whole;
use crate::weights::Carded;
use crate::{Error, Result};

const FILE: Carded = Carded {
    key: "awaaz.head",
    version: 1,
    // Heads are small.
    limit: 1 << 30,
    what: "a trained head",
    remedy: "train it again",
};
/// Classes at most: a machine for each pair is made of them.
const MOST_CLASSES: usize = 4096;

const MEANS: &str = "standardise.mean";
const DEVIATIONS: &str = "standardise.deviation";

#[derive(Serialize, Deserialize)]
struct Stored {
    #[serde(flatten)]
    kind: Kind,
    temperature: f32,
    #[serde(flatten)]
    card: Card,
}

impl Head {
    /// The file's bytes; the same head always has the same.
    ///
    /// # Errors
    /// [`Error::Setting`] where the head is too large for the format.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        let mut tensors = self.model.tensors();
        if let Some(Moments { means, deviations }) = &self.moments {
            tensors.push(Tensor::f32(MEANS, &[means.len()], means));
            tensors.push(Tensor::f32(DEVIATIONS, &[deviations.len()], deviations));
        }
        let card = Card { figures: finite(&self.card), ..self.card.clone() };
        let stored = Stored { kind: self.model.kind(), temperature: self.temperature, card };
        let views =
            tensors.iter().map(|tensor| Ok((&tensor.name, tensor.view()?))).collect::<Result<Vec<_>>>()?;
        FILE.to_bytes(&stored, views)
    }

    /// Writes the file, and the folders above it; what was there is replaced at once or not at all.
    ///
    /// # Errors
    /// [`Error::Io`] where it cannot be written; those of [`Head::to_bytes`].
    pub fn save(&self, path: &Path) -> Result<()> {
        write_whole(path, &self.to_bytes()?)
    }

    /// Reads a file that [`Head::save`] wrote.
    ///
    /// # Errors
    /// [`Error::Io`] where it cannot be read; [`Error::Model`] or [`Error::Tensor`] where it is damaged, or no head.
    pub fn load(path: &Path) -> Result<Self> {
        Self::from_bytes(path, &FILE.read(path)?)
    }

    /// Reads the bytes of such a file, which errors call `path`.
    ///
    /// # Errors
    /// As [`Head::load`].
    pub fn from_bytes(path: &Path, bytes: &[u8]) -> Result<Self> {
        let (stored, file): (Stored, _) = FILE.open(path, bytes)?;
        let classes = stored.card.labels.len();
        if !(2..=MOST_CLASSES).contains(&classes) {
            return Err(fault(
                path,
                format!("its card has {classes} labels; a head has from 2 to {MOST_CLASSES}"),
            ));
        }
        let tensors = Tensors { path, file };
        let model = Model::read(stored.kind, classes, &tensors)?;
        let width = model.classifier().width();
        let moments = match tensors.has(MEANS) {
            true => Some(Moments {
                means: tensors.f32(MEANS, &[width])?,
                deviations: tensors.f32(DEVIATIONS, &[width])?,
            }),
            false => None,
        };
        let head = Self { card: stored.card, moments, model, temperature: stored.temperature };
        head.fault().map_or(Ok(head), |reason| Err(fault(path, reason)))
    }

    /// Whether it is for features of this encoder, as far as its card says: by the hash where both are known, else by the
    /// name.
    pub fn is_for(&self, encoder: &Encoder) -> bool {
        let Some(own) = &self.card.encoder else { return true };
        match (&own.sha256, &encoder.sha256) {
            (Some(own), Some(other)) => own.eq_ignore_ascii_case(other),
            _ => own.name == encoder.name,
        }
    }
}

/// JSON has no other numbers.
fn finite(card: &Card) -> BTreeMap<String, f64> {
    card.figures.clone().into_iter().filter(|(_, figure)| figure.is_finite()).collect()
}

fn fault(path: &Path, reason: String) -> Error {
    Error::model(path.display().to_string(), reason)
}
