//! Contents, pitch and a speaker's vector to log-mel frames: the decoder that is trained here, as a file.
//!
//! The network is the `simple` synthesiser of S3PRL-VC, told who speaks by a GE2E vector: a frame comes out for each that goes in. Beside
//! what is said it is told the pitch, which contents of few clusters have lost.

use std::path::Path;

use candle_core::{Device, Tensor};
use serde::{Deserialize, Serialize};

use crate::dsp::PITCH_RANGE;
use crate::learn::head::{Data, Encoder};
use crate::models::synthesiser::{Config, Dropout, Synthesiser, resampled};
use crate::models::trainable::{Params, Tensors};
use crate::models::vocoder::spectral::MEL;
use crate::{Error, Result};

/// What the card is called in the file.
const KEY: &str = "awaaz.vc";
/// Places on the scale of the pitch, an octave about 7.5 of them.
const PLACES: usize = 23;
/// Values that tell the pitch: whether there is a voice, and how near it is to each place.
const PITCH_VALUES: usize = PLACES + 1;

/// What is known of a decoder.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DecoderCard {
    /// What the network is made of.
    pub shape: DecoderShape,
    /// How soft contents are; see [`Contents::mixtures`](super::content::Contents::mixtures).
    pub softness: f64,
    /// The SHA-256 of the codebook's file.
    pub codebook: String,
    /// Whose vectors tell it who speaks.
    pub speaker: Encoder,
    /// What it was trained on.
    pub data: Vec<Data>,
    /// Steps of training.
    pub steps: u64,
    /// Seconds of sound that it learnt from, those of speakers who were held out not counted.
    pub seconds: f64,
    /// The loss on speakers who were held out.
    pub validation: f64,
    /// The seed of its training.
    pub seed: u64,
    /// The program that made it, and its version.
    pub created_by: String,
}

/// What a decoder's network is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct DecoderShape {
    /// Values of a content.
    pub content: usize,
    /// Values of a frame within.
    pub width: usize,
    /// Values of a speaker's vector.
    pub speaker: usize,
}

impl DecoderShape {
    /// Values of a frame that goes in.
    pub fn inputs(self) -> usize {
        self.content + PITCH_VALUES
    }

    /// The synthesiser of this shape.
    pub fn config(self) -> Config {
        Config::simple(self.inputs(), MEL.mels, self.width, self.speaker)
    }

    /// The network with the tensors of `params`.
    ///
    /// # Errors
    /// Those of [`Params::tensor`].
    pub fn network(self, params: &dyn Params) -> Result<Synthesiser> {
        Synthesiser::new(params, self.config())
    }

    /// What goes into the network: contents, `[frames, content]` of 20 ms, each for two frames of 10 ms, and the pitch of each of
    /// these in hertz, 0 without voice: `[pitches, inputs]`. Where contents end early, the last stays.
    ///
    /// # Errors
    /// [`Error::Setting`] where there is no content.
    pub fn inputs_of(self, contents: &[f32], pitch: &[f32]) -> Result<Vec<f32>> {
        let twice = resampled(contents, self.content, 2.0);
        let count = twice.len() / self.content.max(1);
        if count == 0 {
            return Err(Error::Setting("there is no content to decode".into()));
        }
        let mut out = Vec::with_capacity(pitch.len() * self.inputs());
        for (at, &hertz) in pitch.iter().enumerate() {
            out.extend_from_slice(&twice[at.min(count - 1) * self.content..][..self.content]);
            out.extend(pitch_values(hertz));
        }
        Ok(out)
    }
}

/// Whether there is a voice, and how near its pitch is to each of the places, in shares of the way to the next.
fn pitch_values(hertz: f32) -> [f32; PITCH_VALUES] {
    let mut values = [0.0; PITCH_VALUES];
    if hertz <= 0.0 {
        return values;
    }
    values[0] = 1.0;
    let octaves = (PITCH_RANGE.1 / PITCH_RANGE.0).log2();
    let place = (hertz / PITCH_RANGE.0).log2() / octaves * (PLACES - 1) as f32;
    let place = place.clamp(0.0, (PLACES - 1) as f32);
    for (at, value) in values[1..].iter_mut().enumerate() {
        *value = (1.0 - (place - at as f32).abs()).max(0.0);
    }
    values
}

/// A decoder.
pub struct Decoder {
    card: DecoderCard,
    network: Synthesiser,
}

impl Decoder {
    /// Reads the file at `path`.
    ///
    /// # Errors
    /// Those of [`Tensors::load`]; [`Error::Model`] where a tensor is missing or misshapen.
    pub fn load(path: &Path) -> Result<Self> {
        let (tensors, card) = Tensors::load(path, KEY)?;
        Self::new(&tensors, card)
    }

    /// Reads the bytes of a file; `label` stands for its path in errors.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub fn from_bytes(label: &Path, bytes: &[u8]) -> Result<Self> {
        let (tensors, card) = Tensors::from_bytes(label, bytes, KEY)?;
        Self::new(&tensors, card)
    }

    /// That of `card` with `tensors`.
    ///
    /// # Errors
    /// [`Error::Model`] where a tensor is missing or misshapen.
    pub fn new(tensors: &Tensors, card: DecoderCard) -> Result<Self> {
        Ok(Self { network: card.shape.network(tensors)?, card })
    }

    /// Writes `tensors` and `card` as a file.
    ///
    /// # Errors
    /// Those of [`Tensors::save`].
    pub fn save(path: &Path, tensors: &Tensors, card: &DecoderCard) -> Result<()> {
        tensors.save(path, KEY, card)
    }

    /// What is known of it.
    pub fn card(&self) -> &DecoderCard {
        &self.card
    }

    /// Log-mel frames of 10 ms, `[pitches, mels]`, for contents of 20 ms, `[frames, content]`, the pitch of each frame of 10 ms in
    /// hertz, 0 without voice, and a speaker's vector.
    ///
    /// # Errors
    /// [`Error::Setting`] where there is no content; those of candle, where shapes do not fit.
    pub fn frames(&self, contents: &[f32], pitch: &[f32], speaker: &[f32]) -> Result<Vec<f32>> {
        if pitch.is_empty() {
            return Ok(Vec::new());
        }
        let shape = self.card.shape;
        let inputs = shape.inputs_of(contents, pitch)?;
        let x = Tensor::from_vec(inputs, (1, pitch.len(), shape.inputs()), &Device::Cpu)?;
        let speaker = Tensor::from_slice(speaker, (1, speaker.len()), &Device::Cpu)?;
        let frames = self.network.forward(&x, Some(&speaker), Dropout::None)?;
        Ok(frames.flatten_all()?.to_vec1()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::learn::train::Vars;

    #[test]
    fn pitch_is_told_by_its_two_nearest_places() {
        assert_eq!(pitch_values(0.0), [0.0; PITCH_VALUES]);
        for hertz in [50.0, 60.0, 123.4, 499.0, 700.0] {
            let values = pitch_values(hertz);
            assert_eq!(values[0], 1.0);
            assert!((values[1..].iter().sum::<f32>() - 1.0).abs() < 1e-5, "{hertz}");
        }
        assert_eq!(pitch_values(60.0)[1], 1.0);
    }

    #[test]
    fn a_file_decodes_as_many_frames_as_there_are_pitches() {
        let shape = DecoderShape { content: 3, width: 8, speaker: 4 };
        let vars = Vars::new(1, &Device::Cpu);
        shape.network(&vars).unwrap();
        let all = vars.all().into_iter().map(|(name, var)| (name, var.as_tensor().clone()));
        let card = DecoderCard {
            shape,
            softness: 0.05,
            codebook: "c".into(),
            speaker: Encoder { name: "ge2e".into(), sha256: None },
            data: Vec::new(),
            steps: 0,
            seconds: 0.0,
            validation: 0.0,
            seed: 0,
            created_by: "awaaz".into(),
        };
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("d.safetensors");
        Decoder::save(&path, &Tensors::new(all.collect()), &card).unwrap();
        let decoder = Decoder::load(&path).unwrap();
        assert_eq!(decoder.card(), &card);
        let pitch = [0.0, 100.0, 110.0, 0.0, 0.0];
        let found = decoder.frames(&[0.1, 0.2, 0.3, 0.4, 0.5, 0.6], &pitch, &[1.0, 0.0, 0.0, 0.0]).unwrap();
        assert_eq!(found.len(), 5 * MEL.mels);
        assert!(decoder.frames(&[], &pitch, &[0.0; 4]).is_err());
        assert!(decoder.frames(&[], &[], &[0.0; 4]).unwrap().is_empty());
    }
}
