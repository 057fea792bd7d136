//! Speaker encoders that were exported to ONNX by WeSpeaker or 3D-Speaker: ResNet, CAM++, ERes2Net and whatever else takes
//! Kaldi's filter banks and gives a vector.
//!
//! Both take 80 bands of frames of 25 ms every 10 ms, without dither, each band with mean 0 over the sound, `[1, frames, 80]`.
//! WeSpeaker (`wespeaker/cli/speaker.py`; its input is called `feats`) has a Hamming window and samples in the range of 16-bit
//! integers; 3D-Speaker (`speakerlab/process/processor.py`; its input is called `feature`) Kaldi's own window and samples
//! between -1 and 1. An input of another name is heard as WeSpeaker's.

use super::{SpeakerEncoder, check_not_empty, repeated, unit};
use crate::Result;
use crate::dsp::{Fbank, FbankWindow, subtract_mean};
use crate::models::onnx::{OnnxModel, OutputKind};

/// Half a second: a network halves frames three times or four, and of what is left takes the deviation.
const SHORTEST: usize = 8_000;
/// What samples between -1 and 1 are multiplied by to be in the range of 16-bit integers.
const INTEGERS: f32 = 32_768.0;
/// The name of 3D-Speaker's input.
const OF_3D_SPEAKER: &str = "feature";

/// A network in ONNX Runtime that hears filter banks.
pub struct ExportedSpeaker {
    model: OnnxModel,
    fbank: Fbank,
    scale: f32,
    width: usize,
}

impl ExportedSpeaker {
    /// The network `model`, which hears a second of silence, to see that it gives a vector, and of what width.
    ///
    /// # Errors
    /// [`Error::Model`](crate::Error::Model) where it takes samples, or sounds of one length alone, gives a row for each
    /// frame, or fails.
    pub fn new(model: OnnxModel) -> Result<Self> {
        let Some(bands) = model.bands() else {
            return Err(model.fault("takes samples; a speaker encoder takes filter banks".into()));
        };
        if model.output_kind() != OutputKind::Sound {
            return Err(model.fault("gives a row for each frame, not a vector for a sound".into()));
        }
        if let Some(length) = model.fixed_length() {
            return Err(model.fault(format!(
                "takes sounds of {length} frames alone; export it for sounds of any length (a dynamic axis)"
            )));
        }
        let (window, scale) = match model.input() == OF_3D_SPEAKER {
            true => (FbankWindow::Povey, 1.0),
            false => (FbankWindow::Hamming, INTEGERS),
        };
        let mut encoder = Self { fbank: Fbank::new(bands, window), scale, width: 0, model };
        encoder.width = encoder.vector(&[0.0; 16_000])?.len();
        Ok(encoder)
    }

    /// The vector of a sound, 16 kHz samples, as it leaves the network, of any length.
    ///
    /// # Errors
    /// [`Error::Setting`](crate::Error::Setting) for a sound without samples; those of the network.
    pub fn vector(&self, samples: &[f32]) -> Result<Vec<f32>> {
        check_not_empty(samples)?;
        let sound: Vec<f32> = repeated(samples, SHORTEST).iter().map(|x| x * self.scale).collect();
        let mut features = self.fbank.log_energies(&sound);
        subtract_mean(&mut features, self.fbank.mels());
        Ok(self.model.run_filter_banks(&features)?.values)
    }
}

impl SpeakerEncoder for ExportedSpeaker {
    fn width(&self) -> usize {
        self.width
    }

    /// Half a second; shorter sounds are repeated.
    fn shortest(&self) -> usize {
        SHORTEST
    }

    fn embed(&self, samples: &[f32]) -> Result<Vec<f32>> {
        Ok(unit(self.vector(samples)?))
    }
}
