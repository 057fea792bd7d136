//! Features of a sound by which a trained head tells who speaks: vectors of other speaker encoders and pooled hidden states.

use super::{Projected, SpeakerEncoder, embed_in_pieces, is_speaker_encoder, load_speaker_encoder};
use crate::compute::Precision;
use crate::dsp::pool::pool;
use crate::learn::speaker::Source;
use crate::models::backend::Backend;
use crate::models::encoder::{Encoder, load_encoder};
use crate::weights::{Checkpoint, Network, PullOptions, resolve};
use crate::{Error, Result};

/// Samples heard at once by encoders without a bound of their own: 30 s.
const PIECE: usize = 30 * 16_000;

/// The networks that features are of.
pub struct SpeakerFeatures {
    loaded: Vec<Loaded>,
}

enum Loaded {
    Vector(Box<dyn SpeakerEncoder>),
    States(Box<dyn Encoder>, Source),
}

impl SpeakerFeatures {
    /// Loads the networks of `sources`, which must be on this machine, to multiply in `precision`.
    ///
    /// # Errors
    /// One that names the network that is not there or not usable; [`Error::Setting`] for layers that it does not have.
    pub fn open(sources: &[Source], precision: Precision) -> Result<Self> {
        let options = PullOptions { network: Network::Forbidden, ..PullOptions::from_env()? };
        let load = |source: &Source| -> Result<Loaded> {
            let files = resolve(&source.model, &options)?;
            let backend = Backend::from(precision);
            if Projected::recognises(&Checkpoint::open(&files.weights)?) {
                return Err(Error::Setting(format!("{} is a head itself; name its networks", source.model)));
            }
            let tells = is_speaker_encoder(&files, &backend)?;
            match (source.layers.last(), tells) {
                (None, true) => Ok(Loaded::Vector(load_speaker_encoder(&files, backend)?)),
                (None, false) => Err(Error::Setting(format!(
                    "{0} gives hidden states and no vector; name its layers ({0}:1-3)",
                    source.model
                ))),
                (Some(&last), _) => {
                    let encoder = load_encoder(&files, backend)?;
                    encoder.check_layer(last)?;
                    Ok(Loaded::States(encoder, source.clone()))
                }
            }
        };
        Ok(Self { loaded: sources.iter().map(load).collect::<Result<_>>()? })
    }

    /// Number of features.
    pub fn width(&self) -> usize {
        let width = |loaded: &Loaded| match loaded {
            Loaded::Vector(encoder) => encoder.width(),
            Loaded::States(encoder, source) => source.pool.width(encoder.width()) * source.layers.len(),
        };
        self.loaded.iter().map(width).sum()
    }

    /// Samples of the shortest sound that all of them hear as it is.
    pub fn shortest(&self) -> usize {
        let shortest = |loaded: &Loaded| match loaded {
            Loaded::Vector(encoder) => encoder.shortest(),
            Loaded::States(encoder, _) => encoder.hop(),
        };
        self.loaded.iter().map(shortest).max().unwrap_or(1)
    }

    /// The features of a sound, 16 kHz samples, `[width]`.
    ///
    /// # Errors
    /// Those of the networks; [`Error::Setting`] for a sound without samples.
    pub fn of(&self, samples: &[f32]) -> Result<Vec<f32>> {
        super::check_not_empty(samples)?;
        let mut features = Vec::with_capacity(self.width());
        for loaded in &self.loaded {
            match loaded {
                Loaded::Vector(encoder) => {
                    features.extend(embed_in_pieces(encoder.as_ref(), samples, 2 * PIECE)?);
                }
                Loaded::States(encoder, source) => {
                    features.extend(pooled(encoder.as_ref(), source, samples)?)
                }
            }
        }
        Ok(features)
    }
}

/// Hidden states of all pieces of a sound, pooled, layer after layer.
fn pooled(encoder: &dyn Encoder, source: &Source, samples: &[f32]) -> Result<Vec<f32>> {
    let piece = encoder.longest().unwrap_or(PIECE).min(PIECE);
    let mut frames: Vec<Vec<f32>> = vec![Vec::new(); source.layers.len()];
    for piece in samples.chunks(piece) {
        for (frames, state) in frames.iter_mut().zip(encoder.encode_layers(piece, &source.layers)?) {
            frames.extend(state.flatten_all()?.to_vec1::<f32>()?);
        }
    }
    Ok(frames.into_iter().flat_map(|frames| pool(frames, encoder.width(), source.pool)).collect())
}
