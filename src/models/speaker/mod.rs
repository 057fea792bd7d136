//! Sound to a vector that tells who speaks: vectors of one speaker are close, those of two are not, by their cosine.
//!
//! | network | known by |
//! |---|---|
//! | [`Ge2e`], a d-vector | tensors of an LSTM and a linear layer |
//! | [`Ecapa`], ECAPA-TDNN | tensors as SpeechBrain names them, or TaoRuijie/ECAPA-TDNN |
//! | [`ExportedSpeaker`], an ONNX export of WeSpeaker or 3D-Speaker (ResNet, CAM++, ...) | its input, filter banks |
//! | [`Projected`], a head that `awaaz train speaker` wrote, on any of them | its tensors |
//! | [`XVector`], a head on a network of the wav2vec 2.0 family | tensors of the head, as Hugging Face transformers names them |

mod ecapa;
mod ecapa_layers;
mod ecapa_layout;
mod exported;
mod features;
mod ge2e;
mod projected;
mod xvector;

pub use ecapa::Ecapa;
pub use exported::ExportedSpeaker;
pub use features::SpeakerFeatures;
pub use ge2e::Ge2e;
pub use projected::Projected;
pub use xvector::XVector;

use crate::compute::Precision;
use crate::models::backend::Backend;
use crate::models::wav2vec2::Wav2Vec2ForXVector;
use crate::weights::{Checkpoint, ModelFiles};
use crate::{Error, Result};

/// A network that tells who speaks.
pub trait SpeakerEncoder: Send + Sync {
    /// Values of a vector.
    fn width(&self) -> usize;

    /// Samples at 16 kHz of the shortest sound that is heard as it is. A shorter one is repeated, or counts as followed by
    /// silence, as its authors do; the network says which.
    fn shortest(&self) -> usize;

    /// The vector of a sound, 16 kHz samples: its length is 1, or 0 where the network has all zeros for it.
    ///
    /// # Errors
    /// [`Error::Setting`] for a sound without samples; those of the network.
    fn embed(&self, samples: &[f32]) -> Result<Vec<f32>>;
}

/// Which network tells who speaks.
enum Kind {
    Ge2e,
    Ecapa,
    XVector,
    Projected,
}

impl Kind {
    /// The one that a checkpoint is of, by its tensors.
    fn of(checkpoint: &Checkpoint) -> Option<Self> {
        match () {
            () if Ge2e::recognises(checkpoint) => Some(Self::Ge2e),
            () if Ecapa::recognises(checkpoint) => Some(Self::Ecapa),
            () if Wav2Vec2ForXVector::recognises(checkpoint) => Some(Self::XVector),
            () if Projected::recognises(checkpoint) => Some(Self::Projected),
            () => None,
        }
    }

    fn load(
        self,
        checkpoint: &Checkpoint,
        files: &ModelFiles,
        precision: Precision,
    ) -> Result<Box<dyn SpeakerEncoder>> {
        Ok(match self {
            Self::Ge2e => Box::new(Ge2e::load(checkpoint, precision)?),
            Self::Ecapa => Box::new(Ecapa::load(checkpoint)?),
            Self::XVector => Box::new(XVector::load(checkpoint, files, precision)?),
            Self::Projected => Box::new(Projected::load(files, precision)?),
        })
    }
}

/// Whether a checkpoint is of a network that tells who speaks and has no hidden states to take features of.
pub fn has_no_frames(checkpoint: &Checkpoint) -> bool {
    matches!(Kind::of(checkpoint), Some(Kind::Ge2e | Kind::Ecapa | Kind::Projected))
}

/// Whether the model whose files are given tells who speaks, by its tensors, or as an ONNX export by its input.
///
/// # Errors
/// One that names the file that cannot be read.
pub fn is_speaker_encoder(files: &ModelFiles, backend: &Backend) -> Result<bool> {
    match backend {
        Backend::Native(_) => Ok(Kind::of(&Checkpoint::open(&files.weights)?).is_some()),
        Backend::Onnx(model) => Ok(model.bands().is_some()),
    }
}

/// Loads the speaker encoder of the model whose files are given, to be computed by `backend`.
///
/// # Errors
/// [`Error::Model`] where it is none; one that names the file or tensor that is missing or wrong.
pub fn load_speaker_encoder(
    files: &ModelFiles,
    backend: impl Into<Backend>,
) -> Result<Box<dyn SpeakerEncoder>> {
    let none = || Error::model(files.weights.display().to_string(), "is no speaker encoder");
    let target = match backend.into() {
        Backend::Native(target) => target,
        Backend::Onnx(model) if model.bands().is_some() => {
            return Ok(Box::new(ExportedSpeaker::new(*model)?));
        }
        Backend::Onnx(_) => return Err(none()),
    };
    let precision = target.on_processor("a speaker encoder")?;
    let checkpoint = Checkpoint::open(&files.weights)?;
    Kind::of(&checkpoint).ok_or_else(none)?.load(&checkpoint, files, precision)
}

/// The vector of a sound, of which at most `piece` samples are heard at once. Where it has more pieces, it is the mean of
/// their vectors, each by its length, brought to length 1; a last piece that is shorter than the network's shortest sound is
/// left out.
///
/// # Errors
/// As [`SpeakerEncoder::embed`]; [`Error::Setting`] where a piece is empty.
pub fn embed_in_pieces(encoder: &dyn SpeakerEncoder, samples: &[f32], piece: usize) -> Result<Vec<f32>> {
    if piece == 0 {
        return Err(Error::Setting("a piece of sound needs at least one sample".into()));
    }
    if samples.len() <= piece {
        return encoder.embed(samples);
    }
    let shortest = encoder.shortest().min(piece);
    let mut sum = vec![0.0; encoder.width()];
    for piece in samples.chunks(piece).filter(|piece| piece.len() >= shortest) {
        let weight = piece.len() as f32 / samples.len() as f32;
        for (sum, x) in sum.iter_mut().zip(encoder.embed(piece)?) {
            *sum += weight * x;
        }
    }
    Ok(unit(sum))
}

/// A sound as often after itself as it takes to have `shortest` samples.
fn repeated(samples: &[f32], shortest: usize) -> std::borrow::Cow<'_, [f32]> {
    match samples.len() < shortest {
        true => samples.iter().copied().cycle().take(shortest).collect(),
        false => samples.into(),
    }
}

fn check_not_empty(samples: &[f32]) -> Result<()> {
    match samples.is_empty() {
        true => Err(Error::Setting("there are no samples to embed".into())),
        false => Ok(()),
    }
}

/// A vector brought to length 1; zeros stay zeros.
fn unit(mut vector: Vec<f32>) -> Vec<f32> {
    let length = vector.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>().sqrt();
    if length > 0.0 {
        vector.iter_mut().for_each(|x| *x = (f64::from(*x) / length) as f32);
    }
    vector
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Tells the first sample and the length.
    struct First;

    impl SpeakerEncoder for First {
        fn width(&self) -> usize {
            2
        }

        fn shortest(&self) -> usize {
            3
        }

        fn embed(&self, samples: &[f32]) -> Result<Vec<f32>> {
            check_not_empty(samples)?;
            Ok(if samples[0] > 0.0 { vec![1.0, 0.0] } else { vec![0.0, 1.0] })
        }
    }

    #[test]
    fn pieces_count_by_their_length() {
        let samples = [1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0];
        assert_eq!(embed_in_pieces(&First, &samples, 7).unwrap(), [1.0, 0.0]);
        let expected = unit(vec![4.0, 3.0]);
        for (found, expected) in embed_in_pieces(&First, &samples, 4).unwrap().iter().zip(expected) {
            assert!((found - expected).abs() < 1e-6);
        }
        // The last piece is too short to count.
        assert_eq!(embed_in_pieces(&First, &samples, 5).unwrap(), [1.0, 0.0]);
        assert!(embed_in_pieces(&First, &samples, 0).is_err() && embed_in_pieces(&First, &[], 4).is_err());
    }
}
