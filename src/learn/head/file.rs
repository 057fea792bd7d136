//! The file of a head: safetensors, with the card as JSON in its metadata under `awaaz.head`.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::Path;

use safetensors::SafeTensors;
use serde::{Deserialize, Serialize};

use super::super::standardise::Moments;
use super::card::Card;
use super::model::{Kind, Model};
use super::tensors::{Tensor, Tensors};
use super::{Encoder, Head};
use crate::output::write_whole;
use crate::{Error, Result};

/// What the card is called in the metadata.
const KEY: &str = "awaaz.head";
/// Changes when files of before cannot be read any more.
const VERSION: u32 = 1;
/// Bytes of a file at most: heads are small.
const LIMIT: u64 = 1 << 30;
/// Classes at most: a machine for each pair is made of them.
const MOST_CLASSES: usize = 4096;

const MEANS: &str = "standardise.mean";
const DEVIATIONS: &str = "standardise.deviation";

#[derive(Serialize, Deserialize)]
struct Stored {
    version: u32,
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
        let refused =
            |error: &dyn std::fmt::Display| Error::Setting(format!("a head cannot be written: {error}"));
        let card = Card { figures: finite(&self.card), ..self.card.clone() };
        let stored =
            Stored { version: VERSION, kind: self.model.kind(), temperature: self.temperature, card };
        let json = serde_json::to_string(&stored).map_err(|error| refused(&error))?;
        let views =
            tensors.iter().map(|tensor| Ok((&tensor.name, tensor.view()?))).collect::<Result<Vec<_>>>()?;
        let metadata = HashMap::from([(KEY.to_string(), json)]);
        safetensors::serialize(views, Some(metadata)).map_err(|error| refused(&error))
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
        let size = fs::metadata(path).map_err(|error| Error::io(path, error))?.len();
        if size > LIMIT {
            return Err(fault(
                path,
                format!("a file of {size} bytes is no head; heads have at most {LIMIT}"),
            ));
        }
        let bytes = fs::read(path).map_err(|error| Error::io(path, error))?;
        Self::from_bytes(path, &bytes)
    }

    /// Reads the bytes of such a file, which errors call `path`.
    ///
    /// # Errors
    /// As [`Head::load`].
    pub fn from_bytes(path: &Path, bytes: &[u8]) -> Result<Self> {
        let damaged = |error| {
            fault(path, format!("not a safetensors file, or damaged: {error}; train or copy it again"))
        };
        let (_, metadata) = SafeTensors::read_metadata(bytes).map_err(damaged)?;
        let json = metadata.metadata().as_ref().and_then(|found| found.get(KEY));
        let json = json.ok_or_else(|| fault(path, "it has no card; it is not a trained head".into()))?;
        let stored = parse(path, json)?;
        let classes = stored.card.labels.len();
        if !(2..=MOST_CLASSES).contains(&classes) {
            return Err(fault(
                path,
                format!("its card has {classes} labels; a head has from 2 to {MOST_CLASSES}"),
            ));
        }
        let tensors = Tensors { path, file: SafeTensors::deserialize(bytes).map_err(damaged)? };
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

/// The version is looked at first: what a later one says may be of another form.
fn parse(path: &Path, json: &str) -> Result<Stored> {
    #[derive(Deserialize)]
    struct Version {
        version: u32,
    }
    let damaged = |error| fault(path, format!("its card is not valid: {error}"));
    let Version { version } = serde_json::from_str(json).map_err(damaged)?;
    if version != VERSION {
        return Err(fault(
            path,
            format!(
                "it is of version {version}, and version {VERSION} is read; update awaaz or train it again"
            ),
        ));
    }
    serde_json::from_str(json).map_err(damaged)
}

/// JSON has no other numbers.
fn finite(card: &Card) -> BTreeMap<String, f64> {
    card.figures.clone().into_iter().filter(|(_, figure)| figure.is_finite()).collect()
}

fn fault(path: &Path, reason: String) -> Error {
    Error::model(path.display().to_string(), reason)
}
