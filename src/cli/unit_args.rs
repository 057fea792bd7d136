//! A codebook and the encoder that it is for.

use std::path::Path;

use super::model_args::{ModelArgs, Talk};
use super::stop::Stop;
use crate::compute::{Precision, Threads};
use crate::convert::units::{Codebook, frames};
use crate::learn::head;
use crate::models::encoder::Encoder;
use crate::weights::Sha256;
use crate::{Error, Result};

/// What makes units of sound.
pub struct UnitMaker {
    /// The centroids.
    pub codebook: Codebook,
    /// The network that makes the frames.
    pub encoder: Box<dyn Encoder>,
    threads: Threads,
}

impl UnitMaker {
    /// Reads the codebook at `path` and loads the encoder that `model` names; it must be the one that the codebook is for.
    ///
    /// # Errors
    /// Those of the file and of the model; [`Error::Model`] where the encoder is another.
    pub fn open(path: &Path, model: &ModelArgs, talk: Talk, stop: &Stop) -> Result<Self> {
        Self::with(Codebook::load(path)?, &path.display().to_string(), model, talk, stop)
    }

    /// As [`open`](Self::open), with a codebook that is there already; `label` stands for it in errors.
    ///
    /// # Errors
    /// As there.
    pub fn with(codebook: Codebook, label: &str, model: &ModelArgs, talk: Talk, stop: &Stop) -> Result<Self> {
        let threads = model.pool()?;
        let encoder = model.load_encoder(model.precision_or(Precision::F32), &threads, talk, stop)?;
        let card = codebook.card();
        let found = encoder_of(model)?;
        let other = match (&card.encoder.sha256, &found.sha256) {
            (Some(own), Some(found)) => own != found,
            _ => card.encoder.name != found.name,
        };
        let misfit = encoder.width() != codebook.width() || encoder.hop() != card.hop;
        if other || misfit || encoder.check_layer(card.layer).is_err() {
            return Err(Error::model(
                label.to_owned(),
                format!(
                    "is for the frames of {}, not of {}; name that one by --model",
                    card.encoder.name, model.model
                ),
            ));
        }
        Ok(Self { codebook, encoder, threads })
    }

    /// The codebook, the network and the threads that it computes on.
    pub fn into_parts(self) -> (Codebook, Box<dyn Encoder>, Threads) {
        (self.codebook, self.encoder, self.threads)
    }

    /// The frames of a sound, 16 kHz samples, `[frames, width]`.
    ///
    /// # Errors
    /// Those of the network.
    pub fn frames(&self, samples: &[f32]) -> Result<Vec<f32>> {
        self.threads.run(|| frames(self.encoder.as_ref(), samples, self.codebook.card().layer))
    }

    /// The units of frames, of each part of the codebook in turn.
    pub fn units(&self, frames: &[f32]) -> Vec<Vec<u32>> {
        self.threads.run(|| self.codebook.units(frames))
    }
}

/// The encoder that `model` names, with the digest of its weights, which are there already.
///
/// # Errors
/// Those of finding and reading the weights.
pub fn encoder_of(model: &ModelArgs) -> Result<head::Encoder> {
    let sha256 = Some(Sha256::of_file(&model.weights()?)?.to_string());
    Ok(head::Encoder { name: model.model.clone(), sha256 })
}
