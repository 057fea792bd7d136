//! An x-vector of a network of the wav2vec 2.0 family.

use super::{SpeakerEncoder, check_not_empty, unit};
use crate::compute::Precision;
use crate::models::wav2vec2::{self, Standardise, Wav2Vec2ForXVector};
use crate::weights::{Checkpoint, ModelFiles};
use crate::{Error, Result};

/// A network with such a head, and what it wants its sound to be.
pub struct XVector {
    network: Wav2Vec2ForXVector,
    standardise: Standardise,
}

impl XVector {
    /// Reads the tensors of `checkpoint`, which is of the model whose files are given, to multiply in `precision`.
    ///
    /// # Errors
    /// Those of [`Wav2Vec2ForXVector::load`]; [`Error::Model`] where there is no `config.json`.
    pub fn load(checkpoint: &Checkpoint, files: &ModelFiles, precision: Precision) -> Result<Self> {
        let Some(config) = &files.config else {
            return Err(Error::model(files.folder.display().to_string(), "has no config.json"));
        };
        let config = wav2vec2::Config::read(config)?;
        let network = Wav2Vec2ForXVector::load(checkpoint, config, precision)?;
        Ok(Self { network, standardise: Standardise::read(&files.folder)? })
    }

    /// The vector of a sound, 16 kHz samples, as it leaves the network, of any length.
    ///
    /// # Errors
    /// [`Error::Setting`] for a sound without samples; those of the network.
    pub fn vector(&self, samples: &[f32]) -> Result<Vec<f32>> {
        check_not_empty(samples)?;
        let shortest = self.shortest();
        let ready = self.standardise.apply(samples, 0);
        let sound: Vec<f32> = ready.iter().copied().cycle().take(ready.len().max(shortest)).collect();
        self.network.vector(&sound)
    }
}

impl SpeakerEncoder for XVector {
    fn width(&self) -> usize {
        self.network.width()
    }

    /// Shorter sounds, of which the authors' code makes nothing, are repeated.
    fn shortest(&self) -> usize {
        self.network.shortest()
    }

    fn embed(&self, samples: &[f32]) -> Result<Vec<f32>> {
        Ok(unit(self.vector(samples)?))
    }
}
