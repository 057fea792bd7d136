//! The file of a speaker head: safetensors, with the card as JSON in its metadata under `awaaz.speaker-head`.

use std::path::Path;

use super::SpeakerHead;
use crate::learn::head::tensors::{Tensor, Tensors};
use crate::learn::laspa::Projection;
use crate::learn::standardise::Moments;
use crate::output::write_whole;
use crate::weights::Carded;
use crate::{Error, Result};

const FILE: Carded = Carded {
    key: "awaaz.speaker-head",
    version: 1,
    // Heads are small.
    limit: 1 << 30,
    what: "a head for speakers",
    remedy: "train it again",
};

const MEANS: &str = "speaker_head.mean";
const DEVIATIONS: &str = "speaker_head.deviation";
const BIAS: &str = "speaker_head.bias";

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
        let mut card = self.card.clone();
        // JSON has no other numbers.
        card.figures.retain(|_, figure| figure.is_finite());
        let views =
            tensors.iter().map(|tensor| Ok((&tensor.name, tensor.view()?))).collect::<Result<Vec<_>>>()?;
        FILE.to_bytes(&card, views)
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
        Self::from_bytes(path, &FILE.read(path)?)
    }

    /// Reads the bytes of such a file, which errors call `path`.
    ///
    /// # Errors
    /// As [`SpeakerHead::load`].
    pub fn from_bytes(path: &Path, bytes: &[u8]) -> Result<Self> {
        let (card, file) = FILE.open(path, bytes)?;
        let tensors = Tensors { path, file };
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

fn fault(path: &Path, reason: String) -> Error {
    Error::model(path.display().to_string(), reason)
}
