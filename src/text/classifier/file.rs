//! The file of a classifier: safetensors, with the card as JSON in its metadata under `awaaz.text`.

use std::path::Path;

use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView};

use super::quantise::{LEVELS, Quantised};
use super::{Card, TextClassifier};
use crate::output::write_whole;
use crate::weights::{Carded, le_bytes};
use crate::{Error, Result};

/// The name of the classifier that is built in; `models/abuse-text/README.md` is its card.
pub const BUILT_IN: &str = "abuse";
static BUILT_IN_BYTES: &[u8] = include_bytes!("../../../models/abuse-text/abuse.safetensors");

const FILE: Carded = Carded {
    key: "awaaz.text",
    // Changes with the normal form of text, too.
    version: 1,
    limit: 1 << 30,
    what: "a text classifier",
    remedy: "train it again",
};
/// Characters of an n-gram at most.
pub(in crate::text) const LONGEST_GRAM: usize = 16;

/// Bytes, a weight for each bucket: `[buckets]`.
const WEIGHTS: &str = "weights";
/// What each byte means, from -128 on: `[256]`.
const LEVEL_TABLE: &str = "levels";

impl TextClassifier {
    /// The file's bytes; the same classifier always has the same.
    ///
    /// # Errors
    /// [`Error::Setting`] where it is too large for the format.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        let refused = |error: &dyn std::fmt::Display| {
            Error::Setting(format!("a classifier cannot be written: {error}"))
        };
        let weights: Vec<u8> = self.weights.bytes.iter().map(|byte| byte.cast_unsigned()).collect();
        let levels = le_bytes(&self.weights.levels);
        let view = |dtype, length, bytes| TensorView::new(dtype, vec![length], bytes);
        let tensors = [
            (WEIGHTS, view(Dtype::I8, weights.len(), &weights).map_err(|error| refused(&error))?),
            (LEVEL_TABLE, view(Dtype::F32, LEVELS, &levels).map_err(|error| refused(&error))?),
        ];
        FILE.to_bytes(&self.card, tensors)
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
        Self::from_bytes(path, &FILE.read(path)?)
    }

    /// Reads the bytes of such a file, which errors call `path`.
    ///
    /// # Errors
    /// As [`TextClassifier::load`].
    pub fn from_bytes(path: &Path, bytes: &[u8]) -> Result<Self> {
        let (card, tensors): (Card, _) = FILE.open(path, bytes)?;
        check(&card)
            .map_err(|reason| fault(path, format!("its card is not valid: {reason}; train it again")))?;
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
