//! The file of a classifier: safetensors, with the card as JSON in its metadata under `awaaz.text`.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView};
use serde::{Deserialize, Serialize};

use super::quantise::{LEVELS, Quantised};
use super::{Card, TextClassifier};
use crate::output::write_whole;
use crate::{Error, Result};

/// The name of the classifier that is built in; `models/abuse-text/README.md` is its card.
pub const BUILT_IN: &str = "abuse";
static BUILT_IN_BYTES: &[u8] = include_bytes!("../../../models/abuse-text/abuse.safetensors");

/// What the card is called in the metadata.
const KEY: &str = "awaaz.text";
/// Changes when files of before cannot be read any more, or mean something else: also with the normal form of text.
const VERSION: u32 = 1;
/// Bytes of a file at most.
const LIMIT: u64 = 1 << 30;
/// Characters of an n-gram at most.
pub(in crate::text) const LONGEST_GRAM: usize = 16;

/// Bytes, a weight for each bucket: `[buckets]`.
const WEIGHTS: &str = "weights";
/// What each byte means, from -128 on: `[256]`.
const LEVEL_TABLE: &str = "levels";

#[derive(Serialize, Deserialize)]
struct Stored {
    version: u32,
    #[serde(flatten)]
    card: Card,
}

impl TextClassifier {
    /// The file's bytes; the same classifier always has the same.
    ///
    /// # Errors
    /// [`Error::Setting`] where it is too large for the format.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        let refused = |error: &dyn std::fmt::Display| {
            Error::Setting(format!("a classifier cannot be written: {error}"))
        };
        let stored = Stored { version: VERSION, card: self.card.clone() };
        let json = serde_json::to_string(&stored).map_err(|error| refused(&error))?;
        let weights: Vec<u8> = self.weights.bytes.iter().map(|byte| byte.cast_unsigned()).collect();
        let levels: Vec<u8> = self.weights.levels.iter().flat_map(|level| level.to_le_bytes()).collect();
        let view = |dtype, length, bytes| TensorView::new(dtype, vec![length], bytes);
        let tensors = [
            (WEIGHTS, view(Dtype::I8, weights.len(), &weights).map_err(|error| refused(&error))?),
            (LEVEL_TABLE, view(Dtype::F32, LEVELS, &levels).map_err(|error| refused(&error))?),
        ];
        let metadata = HashMap::from([(KEY.to_string(), json)]);
        safetensors::serialize(tensors, Some(metadata)).map_err(|error| refused(&error))
    }

    /// Writes the file, and the folders above it; what was there is replaced at once or not at all.
    ///
    /// # Errors
    /// [`Error::Io`] where it cannot be written; those of [`TextClassifier::to_bytes`].
    pub fn save(&self, path: &Path) -> Result<()> {
        write_whole(path, &self.to_bytes()?)
    }

    /// The classifier that is built in, where `name` is [`BUILT_IN`] and there is no such file; else that of the file.
    ///
    /// # Errors
    /// As [`TextClassifier::load`].
    pub fn open(name: &Path) -> Result<Self> {
        match name == Path::new(BUILT_IN) && !name.exists() {
            true => Self::from_bytes(name, BUILT_IN_BYTES),
            false => Self::load(name),
        }
    }

    /// Reads a file that [`TextClassifier::save`] wrote.
    ///
    /// # Errors
    /// [`Error::Io`] where it cannot be read; [`Error::Model`] or [`Error::Tensor`] where it is damaged, or no text
    /// classifier.
    pub fn load(path: &Path) -> Result<Self> {
        let size = fs::metadata(path).map_err(|error| Error::io(path, error))?.len();
        if size > LIMIT {
            let reason = format!("a file of {size} bytes is no text classifier; they have at most {LIMIT}");
            return Err(fault(path, reason));
        }
        let bytes = fs::read(path).map_err(|error| Error::io(path, error))?;
        Self::from_bytes(path, &bytes)
    }

    /// Reads the bytes of such a file, which errors call `path`.
    ///
    /// # Errors
    /// As [`TextClassifier::load`].
    pub fn from_bytes(path: &Path, bytes: &[u8]) -> Result<Self> {
        let damaged = |error: &dyn std::fmt::Display| {
            fault(path, format!("is no text classifier, or damaged: {error}; train it again"))
        };
        let (_, header) = SafeTensors::read_metadata(bytes).map_err(|error| damaged(&error))?;
        let json = header.metadata().as_ref().and_then(|metadata| metadata.get(KEY)).ok_or_else(|| {
            fault(path, "is no text classifier; make one with `awaaz train text`".to_string())
        })?;
        let found: serde_json::Value = serde_json::from_str(json).map_err(|error| damaged(&error))?;
        let version = &found["version"];
        if version.as_u64() != Some(VERSION.into()) {
            let reason = format!("is of version {version}, this program reads {VERSION}; train it again");
            return Err(fault(path, reason));
        }
        let Stored { card, .. } = serde_json::from_value(found).map_err(|error| damaged(&error))?;
        check(&card).map_err(|reason| damaged(&reason))?;
        let tensors = SafeTensors::deserialize(bytes).map_err(|error| damaged(&error))?;
        let weights = tensor(path, &tensors, WEIGHTS, Dtype::I8, card.features.buckets as usize)?;
        let levels = tensor(path, &tensors, LEVEL_TABLE, Dtype::F32, LEVELS)?;
        let levels: Vec<f32> =
            levels.as_chunks::<4>().0.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect();
        if !levels.iter().all(|level| level.is_finite()) {
            return Err(fault_in(path, LEVEL_TABLE, "has what is no number; train it again"));
        }
        let bytes = weights.iter().map(|byte| byte.cast_signed()).collect();
        Ok(Self { card, weights: Quantised { bytes, levels } })
    }
}

/// What is wrong with a card.
fn check(card: &Card) -> Result<(), String> {
    let features = &card.features;
    if features.buckets == 0 || features.shortest == 0 || features.lengths().is_empty() {
        return Err("there are no features".into());
    }
    if features.longest > LONGEST_GRAM {
        return Err(format!("n-grams of {} characters; at most {LONGEST_GRAM} are read", features.longest));
    }
    if !card.bias.is_finite() || !card.threshold.is_finite() {
        return Err("the bias or threshold is no number".into());
    }
    if !(card.temperature.is_finite() && card.temperature > 0.0) {
        return Err(format!("a temperature of {}", card.temperature));
    }
    Ok(())
}

fn tensor<'a>(
    path: &Path,
    tensors: &SafeTensors<'a>,
    name: &str,
    dtype: Dtype,
    length: usize,
) -> Result<&'a [u8]> {
    let found = tensors.tensor(name).map_err(|_| fault_in(path, name, "is missing; train it again"))?;
    if found.dtype() != dtype || found.shape() != [length] {
        let reason = format!("is {:?} {:?}, not {dtype:?} [{length}]", found.dtype(), found.shape());
        return Err(fault_in(path, name, reason));
    }
    Ok(found.data())
}

fn fault(path: &Path, reason: String) -> Error {
    Error::model(path.display().to_string(), reason)
}

fn fault_in(path: &Path, tensor: &str, reason: impl Into<String>) -> Error {
    Error::Tensor { path: path.to_path_buf(), tensor: tensor.into(), reason: reason.into() }
}
