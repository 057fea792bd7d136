//! The file of a speaker head: safetensors, with the card as JSON in its metadata under `awaaz.speaker-head`.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use safetensors::SafeTensors;
use serde::{Deserialize, Serialize};

use super::{SpeakerCard, SpeakerHead};
use crate::learn::head::tensors::{Tensor, Tensors};
use crate::learn::laspa::Projection;
use crate::learn::standardise::Moments;
use crate::output::write_whole;
use crate::{Error, Result};

const KEY: &str = "awaaz.speaker-head";
/// Changes when files of before cannot be read any more.
const VERSION: u32 = 1;
/// Bytes of a file at most: heads are small.
const LIMIT: u64 = 1 << 30;

const MEANS: &str = "speaker_head.mean";
const DEVIATIONS: &str = "speaker_head.deviation";
const BIAS: &str = "speaker_head.bias";

#[derive(Serialize, Deserialize)]
struct Stored {
    version: u32,
    #[serde(flatten)]
    card: SpeakerCard,
}

impl SpeakerHead {
    /// The name of the tensor by which such a file is known.
    pub const WEIGHT: &'static str = "speaker_head.weight";

    /// The file's bytes; the same head always has the same.
    ///
    /// # Errors
    /// [`Error::Setting`] where the format cannot hold it.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        let (inputs, width) = (self.inputs(), self.width());
        let tensors = [
            Tensor::f32(MEANS, &[inputs], &self.moments.means),
            Tensor::f32(DEVIATIONS, &[inputs], &self.moments.deviations),
            Tensor::f32(Self::WEIGHT, &[width, inputs], &self.projection.weight),
            Tensor::f32(BIAS, &[width], &self.projection.bias),
        ];
        let refused =
            |error: &dyn std::fmt::Display| Error::Setting(format!("a head cannot be written: {error}"));
        let mut card = self.card.clone();
        // JSON has no other numbers.
        card.figures.retain(|_, figure| figure.is_finite());
        let json =
            serde_json::to_string(&Stored { version: VERSION, card }).map_err(|error| refused(&error))?;
        let views =
            tensors.iter().map(|tensor| Ok((&tensor.name, tensor.view()?))).collect::<Result<Vec<_>>>()?;
        let metadata = HashMap::from([(KEY.to_string(), json)]);
        safetensors::serialize(views, Some(metadata)).map_err(|error| refused(&error))
    }

    /// Writes the file, and the folders above it; what was there is replaced at once or not at all.
    ///
    /// # Errors
    /// [`Error::Io`] where it cannot be written; those of [`SpeakerHead::to_bytes`].
    pub fn save(&self, path: &Path) -> Result<()> {
        write_whole(path, &self.to_bytes()?)
    }

    /// Reads a file that [`SpeakerHead::save`] wrote.
    ///
    /// # Errors
    /// [`Error::Io`] where it cannot be read; [`Error::Model`] or [`Error::Tensor`] where it is damaged, or no such head.
    pub fn load(path: &Path) -> Result<Self> {
        let size = fs::metadata(path).map_err(|error| Error::io(path, error))?.len();
        if size > LIMIT {
            return Err(fault(
                path,
                format!("a file of {size} bytes is no head; heads have at most {LIMIT}"),
            ));
        }
        Self::from_bytes(path, &fs::read(path).map_err(|error| Error::io(path, error))?)
    }

    /// Reads the bytes of such a file, which errors call `path`.
    ///
    /// # Errors
    /// As [`SpeakerHead::load`].
    pub fn from_bytes(path: &Path, bytes: &[u8]) -> Result<Self> {
        let damaged = |error| {
            fault(path, format!("not a safetensors file, or damaged: {error}; train or copy it again"))
        };
        let (_, metadata) = SafeTensors::read_metadata(bytes).map_err(damaged)?;
        let json = metadata.metadata().as_ref().and_then(|found| found.get(KEY));
        let json = json.ok_or_else(|| fault(path, "it has no card; it is no head for speakers".into()))?;
        let card = parse(path, json)?;
        let tensors = Tensors { path, file: SafeTensors::deserialize(bytes).map_err(damaged)? };
        let [width, inputs] = tensors.shape(Self::WEIGHT)?;
        let moments = Moments {
            means: tensors.f32(MEANS, &[inputs])?,
            deviations: tensors.f32(DEVIATIONS, &[inputs])?,
        };
        let projection = Projection {
            weight: tensors.f32(Self::WEIGHT, &[width, inputs])?,
            bias: tensors.f32(BIAS, &[width])?,
        };
        let head = Self { card, moments, projection };
        head.fault().map_or(Ok(head), |reason| Err(fault(path, reason)))
    }
}

/// The version is looked at first: what a later one says may be of another form.
fn parse(path: &Path, json: &str) -> Result<SpeakerCard> {
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
    let stored: Stored = serde_json::from_str(json).map_err(damaged)?;
    Ok(stored.card)
}

fn fault(path: &Path, reason: String) -> Error {
    Error::model(path.display().to_string(), reason)
}
