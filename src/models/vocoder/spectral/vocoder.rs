//! The vocoder as a file and as a stream.

use std::collections::VecDeque;
use std::path::Path;

use candle_core::{Device, Tensor};
use serde::{Deserialize, Serialize};

use super::network::{Piece, Shape, SpectralNetwork, State};
use super::source::{Excitation, Source};
use super::synthesis::Synthesis;
use super::{AROUND, FFT, MEL};
use crate::Result;
use crate::learn::head::Data;
use crate::models::trainable::Tensors;

/// What the card is called in the file.
const KEY: &str = "awaaz.vocoder";
/// The mean of a log-mel value of speech and its deviation, about.
const MEL_SCALE: (f32, f32) = (-5.0, 2.5);
/// The pitch in hertz whose logarithm counts as 0.
const MIDDLE_PITCH: f32 = 150.0;

/// What is known of a vocoder.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct VocoderCard {
    /// What the network is made of.
    pub shape: Shape,
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

/// A vocoder of 16 kHz: frames as [`MEL`] has them, and the pitch, to sound.
pub struct SpectralVocoder {
    card: VocoderCard,
    network: SpectralNetwork,
    synthesis: Synthesis,
}

/// A sound that is made as frames come.
pub struct SpectralStream<'a> {
    vocoder: &'a SpectralVocoder,
    state: State,
    source: Source,
    mels: VecDeque<Vec<f32>>,
    sources: VecDeque<Excitation>,
    heads: VecDeque<Vec<f32>>,
    /// Samples to which frames still add.
    open: Vec<f32>,
    /// Samples before the first that are still to be left out.
    before: usize,
}

/// What goes into the network for bands, `[frames, mels]`, and the pitch of each frame in hertz, 0 without voice:
/// `[frames, mels + 2]`.
pub fn inputs(mel: &[f32], pitch: &[f32]) -> Vec<f32> {
    let mut out = Vec::with_capacity(pitch.len() * Shape::INPUTS);
    for (mel, &hertz) in mel.chunks_exact(MEL.mels).zip(pitch) {
        out.extend(mel.iter().map(|x| (x - MEL_SCALE.0) / MEL_SCALE.1));
        out.extend(match hertz > 0.0 {
            true => [1.0, (hertz / MIDDLE_PITCH).log2()],
            false => [0.0, 0.0],
        });
    }
    out
}

impl SpectralVocoder {
    /// Reads the file at `path`.
    ///
    /// # Errors
    /// Those of [`Tensors::load`]; [`Error::Model`](crate::Error::Model) where a tensor is missing or misshapen.
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
    /// [`Error::Model`](crate::Error::Model) where a tensor is missing or misshapen.
    pub fn new(tensors: &Tensors, card: VocoderCard) -> Result<Self> {
        let network = SpectralNetwork::new(tensors, card.shape)?;
        Ok(Self { card, network, synthesis: Synthesis::default() })
    }

    /// Writes `tensors` and `card` as a file.
    ///
    /// # Errors
    /// Those of [`Tensors::save`].
    pub fn save(path: &Path, tensors: &Tensors, card: &VocoderCard) -> Result<()> {
        tensors.save(path, KEY, card)
    }

    /// What is known of it.
    pub fn card(&self) -> &VocoderCard {
        &self.card
    }

    /// By how many samples a stream is late: of n frames, n hops less this are complete.
    pub fn look_ahead(&self) -> usize {
        self.card.shape.look_ahead().max(Source::LOOK_AHEAD) * MEL.hop + AROUND
    }

    /// The sound of bands, `[frames, mels]`, and of the pitch of each frame in hertz, 0 without voice: a hop of samples for each
    /// frame. The same seed makes the same noise.
    ///
    /// # Errors
    /// Those of candle.
    pub fn sound(&self, mel: &[f32], pitch: &[f32], seed: u64) -> Result<Vec<f32>> {
        let (mut stream, mut out) = (self.stream(seed), Vec::new());
        stream.push(mel, pitch, &mut out)?;
        stream.finish(&mut out)?;
        Ok(out)
    }

    /// A sound that is made as frames come.
    pub fn stream(&self, seed: u64) -> SpectralStream<'_> {
        SpectralStream {
            vocoder: self,
            state: self.network.state(),
            source: Source::new(seed),
            mels: VecDeque::new(),
            sources: VecDeque::new(),
            heads: VecDeque::new(),
            open: vec![0.0; FFT],
            before: AROUND,
        }
    }
}

impl SpectralStream<'_> {
    /// Takes bands, `[frames, mels]`, and the pitch of each frame; appends the samples that are complete to `out`. How frames are
    /// split between calls does not change what comes out.
    ///
    /// # Errors
    /// Those of candle.
    pub fn push(&mut self, mel: &[f32], pitch: &[f32], out: &mut Vec<f32>) -> Result<()> {
        if pitch.is_empty() {
            return Ok(());
        }
        let x = inputs(mel, pitch);
        let x = Tensor::from_vec(x, (1, pitch.len(), Shape::INPUTS), &Device::Cpu)?;
        let head = self.vocoder.network.pass(&mut self.state, Some(x), Piece::Middle)?;
        self.mels.extend(mel.chunks_exact(MEL.mels).map(<[f32]>::to_vec));
        for &hertz in pitch {
            self.sources.extend(self.source.push(hertz));
        }
        self.take(head, out)
    }

    /// Ends the sound: appends what is left to `out`.
    ///
    /// # Errors
    /// Those of candle.
    pub fn finish(mut self, out: &mut Vec<f32>) -> Result<()> {
        let head = self.vocoder.network.pass(&mut self.state, None, Piece::Last)?;
        let rest = self.source.finish();
        self.sources.extend(rest);
        self.take(head, out)?;
        out.extend_from_slice(&self.open[self.before..AROUND]);
        Ok(())
    }

    fn take(&mut self, head: Option<Tensor>, out: &mut Vec<f32>) -> Result<()> {
        if let Some(head) = head {
            let values: Vec<f32> = head.flatten_all()?.to_vec1()?;
            self.heads.extend(values.chunks_exact(Shape::OUTPUTS).map(<[f32]>::to_vec));
        }
        while !self.heads.is_empty() && !self.sources.is_empty() {
            let (Some(head), Some(source), Some(mel)) =
                (self.heads.pop_front(), self.sources.pop_front(), self.mels.pop_front())
            else {
                break;
            };
            let frame = self.vocoder.synthesis.frame(&mel, &head, &source);
            crate::compute::add_into(&frame, &mut self.open);
            let left_out = self.before.min(MEL.hop);
            self.before -= left_out;
            out.extend_from_slice(&self.open[left_out..MEL.hop]);
            self.open.copy_within(MEL.hop.., 0);
            self.open[FFT - MEL.hop..].fill(0.0);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::learn::train::Vars;

    /// A vocoder that was trained for no step.
    pub fn begun() -> SpectralVocoder {
        let shape = Shape { width: 8, hidden: 16, blocks: 2 };
        let vars = Vars::new(3, &Device::Cpu);
        SpectralNetwork::new(&vars, shape).unwrap();
        let all = vars.all().into_iter().map(|(name, var)| (name, var.as_tensor().clone()));
        let card = VocoderCard {
            shape,
            data: Vec::new(),
            steps: 0,
            seconds: 0.0,
            validation: 0.0,
            seed: 0,
            created_by: "awaaz".into(),
        };
        SpectralVocoder::new(&Tensors::new(all.collect()), card).unwrap()
    }

    #[test]
    fn a_stream_gives_what_the_whole_gives() {
        let vocoder = begun();
        let mut random = fastrand::Rng::with_seed(1);
        for frames in [0, 1, 2, 3, 50] {
            let mel: Vec<f32> = (0..frames * MEL.mels).map(|_| -3.0 - random.f32()).collect();
            let pitch: Vec<f32> =
                (0..frames).map(|at| if at % 20 < 12 { 110.0 + at as f32 } else { 0.0 }).collect();
            let whole = vocoder.sound(&mel, &pitch, 9).unwrap();
            assert_eq!(whole.len(), frames * MEL.hop);
            for size in [1, 3, 17] {
                let (mut stream, mut out, mut pushed) = (vocoder.stream(9), Vec::new(), 0);
                for (mel, pitch) in mel.chunks(size * MEL.mels).zip(pitch.chunks(size)) {
                    stream.push(mel, pitch, &mut out).unwrap();
                    pushed += pitch.len();
                    assert_eq!(out.len(), (pushed * MEL.hop).saturating_sub(vocoder.look_ahead()));
                }
                stream.finish(&mut out).unwrap();
                assert_eq!(out.len(), whole.len(), "{frames} frames by {size}");
                assert!(out.iter().zip(&whole).all(|(a, b)| (a - b).abs() < 1e-5), "{frames} by {size}");
            }
        }
    }

    #[test]
    fn files_give_the_same_sound_but_for_half_precision() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("v.safetensors");
        let vocoder = begun();
        let vars = Vars::new(3, &Device::Cpu);
        SpectralNetwork::new(&vars, vocoder.card.shape).unwrap();
        let all = vars.all().into_iter().map(|(name, var)| (name, var.as_tensor().clone()));
        SpectralVocoder::save(&path, &Tensors::new(all.collect()), vocoder.card()).unwrap();
        let read = SpectralVocoder::load(&path).unwrap();
        assert_eq!(read.card(), vocoder.card());
        let (mel, pitch) = (vec![-4.0; 20 * MEL.mels], vec![100.0; 20]);
        let (a, b) = (vocoder.sound(&mel, &pitch, 0).unwrap(), read.sound(&mel, &pitch, 0).unwrap());
        assert!(a.iter().zip(&b).all(|(a, b)| (a - b).abs() < 1e-3));
        assert!(SpectralVocoder::from_bytes(Path::new("none"), b"x").is_err());
    }
}
