//! GE2E: a d-vector from the last state of an LSTM, averaged over short stretches of sound.
//!
//! Wan, Wang, Papir and Moreno, "Generalized end-to-end loss for speaker verification" (arXiv 1710.10467), as Resemblyzer
//! published it: names of tensors, features and stretches are those of its `voice_encoder.py` and `audio.py`. The scale and
//! offset of similarities that training needs play no part. Resemblyzer cuts long silences out of a sound before it is
//! embedded; that is left to who calls.

use rayon::prelude::*;

use super::{SpeakerEncoder, check_not_empty, unit};
use crate::Result;
use crate::compute::{Linear, Lstm, Precision};
use crate::dsp::{Bins, Edges, HOP, MelFilters, MelSpectrogram, Window};
use crate::models::loader::Loader;
use crate::time::SampleRate;
use crate::weights::Checkpoint;

/// Samples of a window: 25 ms.
const WINDOW: usize = 400;
/// Frames of a stretch that is heard at once: 1.6 s.
const STRETCH: usize = 160;
/// Frames from one stretch to the next: 1.3 stretches begin a second.
const STEP: usize = 77;
/// The share of the last stretch that must be sound.
const COVERAGE: f64 = 0.75;
/// The volume in dBFS that a quieter sound is raised to.
const VOLUME: f64 = -30.0;

/// An LSTM over the power of mel bands.
pub struct Ge2e {
    spectrogram: MelSpectrogram,
    lstm: Vec<Lstm>,
    linear: Linear,
}

impl Ge2e {
    /// Whether the tensors of `checkpoint` are named as those of such a network.
    pub fn recognises(checkpoint: &Checkpoint) -> bool {
        checkpoint.contains("lstm.weight_ih_l0") && checkpoint.contains("linear.weight")
    }

    /// Reads the tensors of `checkpoint`, to multiply in `precision` but where sound enters and the vector leaves. How many bands, layers and values there are, the
    /// tensors tell.
    ///
    /// # Errors
    /// One that names the first tensor that is missing or misshapen.
    pub fn load(checkpoint: &Checkpoint, precision: Precision) -> Result<Self> {
        let loader = Loader::new(checkpoint, precision);
        let sizes = |name: &str| match checkpoint.shape(name).as_deref() {
            Some(&[rows, columns]) => (rows, columns),
            // Reading the tensor tells what is wrong with it.
            _ => (0, 1),
        };
        let (_, mels) = sizes("lstm.weight_ih_l0");
        let (_, width) = sizes("lstm.weight_hh_l0");
        let (outputs, _) = sizes("linear.weight");
        let mut lstm = Vec::new();
        let mut inputs = mels;
        while lstm.is_empty() || checkpoint.contains(&format!("lstm.weight_ih_l{}", lstm.len())) {
            lstm.push(Self::load_layer(&loader, lstm.len(), inputs, width, precision)?);
            inputs = width;
        }
        let bins = Bins { fft: WINDOW, rate: f64::from(SampleRate::PIPELINE.0) };
        let filters = MelFilters::slaney(mels, bins);
        Ok(Self {
            spectrogram: MelSpectrogram::new(
                &Window::Hann.periodic(WINDOW),
                WINDOW,
                HOP,
                Edges::Zeros,
                filters,
            ),
            lstm,
            linear: Loader::new(checkpoint, Precision::F32).linear(&["linear".into()], width, outputs)?,
        })
    }

    fn load_layer(
        loader: &Loader,
        index: usize,
        inputs: usize,
        width: usize,
        precision: Precision,
    ) -> Result<Lstm> {
        let name = |part: &str| format!("lstm.{part}_l{index}");
        let weight = loader.values(&name("weight_ih"), &[4 * width, inputs])?;
        let mut bias = loader.values(&name("bias_ih"), &[4 * width])?;
        crate::compute::add_into(&loader.values(&name("bias_hh"), &[4 * width])?, &mut bias);
        let recurrent = loader.row_matrix(&[name("weight_hh")], width, 4 * width)?;
        // Without a logarithm, the power of the bands of a frame spans more than eight bits.
        let precision = if index == 0 { Precision::F32 } else { precision };
        Ok(Lstm::new(Linear::new(&weight, Some(bias), inputs, precision), recurrent))
    }

    /// The vector of one stretch, `[frames, mels]`, of length 1.
    fn embed_stretch(&self, frames: &[f32]) -> Vec<f32> {
        let (mut input, mut output, mut gates) = (frames.to_vec(), Vec::new(), Vec::new());
        for layer in &self.lstm {
            layer.forward_into(&input, &mut layer.state(), &mut gates, &mut output);
            std::mem::swap(&mut input, &mut output);
        }
        let last = &input[input.len() - self.linear.inputs()..];
        let mut vector = vec![0.0; self.linear.outputs()];
        self.linear.forward_into(last, &mut vector);
        vector.iter_mut().for_each(|x| *x = x.max(0.0));
        unit(vector)
    }
}

impl SpeakerEncoder for Ge2e {
    fn width(&self) -> usize {
        self.linear.outputs()
    }

    /// One stretch; shorter sounds count as followed by silence.
    fn shortest(&self) -> usize {
        STRETCH * HOP
    }

    fn embed(&self, samples: &[f32]) -> Result<Vec<f32>> {
        check_not_empty(samples)?;
        let starts = stretches(samples.len());
        let mut sound = raised(samples);
        let end = starts.last().map_or(0, |start| (start + STRETCH) * HOP);
        sound.resize(sound.len().max(end), 0.0);
        let power = self.spectrogram.power(&sound);
        let mels = self.spectrogram.mels();
        let embed = |&start: &usize| self.embed_stretch(&power[start * mels..(start + STRETCH) * mels]);
        let vectors: Vec<Vec<f32>> = starts.par_iter().map(embed).collect();
        let mut sum = vec![0.0; self.width()];
        vectors.iter().for_each(|vector| crate::compute::add_into(vector, &mut sum));
        Ok(unit(sum))
    }
}

/// The frames that stretches begin at: of the last at least three quarters are sound, unless it is the only one.
fn stretches(samples: usize) -> Vec<usize> {
    let frames = (samples + 1).div_ceil(HOP);
    let end = (frames + STEP + 1).saturating_sub(STRETCH).max(1);
    let mut starts: Vec<usize> = (0..end).step_by(STEP).collect();
    let covered = |start: usize| (samples as f64 - (start * HOP) as f64) / (STRETCH * HOP) as f64;
    if starts.len() > 1 && starts.last().is_some_and(|&last| covered(last) < COVERAGE) {
        starts.pop();
    }
    starts
}

/// The sound at the volume that the network expects at least. Digital silence stays so.
fn raised(samples: &[f32]) -> Vec<f32> {
    let power = samples.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>() / samples.len().max(1) as f64;
    let gain = 10f64.powf(VOLUME / 20.0) / power.sqrt();
    match gain > 1.0 && gain.is_finite() {
        true => samples.iter().map(|&x| (f64::from(x) * gain) as f32).collect(),
        false => samples.to_vec(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What Resemblyzer's `compute_partial_slices` gives.
    #[test]
    fn stretches_are_those_of_resemblyzer() {
        struct Case {
            samples: usize,
            starts: &'static [usize],
        }
        let cases = [
            Case { samples: 1, starts: &[0] },
            Case { samples: 25_600, starts: &[0] },
            Case { samples: 31_519, starts: &[0] },
            Case { samples: 31_520, starts: &[0, 77] },
            Case { samples: 43_840, starts: &[0, 77, 154] },
            Case { samples: 80_000, starts: &[0, 77, 154, 231, 308] },
        ];
        for case in cases {
            assert_eq!(stretches(case.samples), case.starts, "{}", case.samples);
        }
    }

    #[test]
    fn quiet_sounds_are_raised_and_loud_ones_left() {
        let loud = [0.5, -0.5];
        assert_eq!(raised(&loud), loud);
        let quiet = raised(&[0.001, -0.001]);
        assert!((quiet[0] - 10f32.powf(-1.5)).abs() < 1e-6, "{quiet:?}");
        assert_eq!(raised(&[0.0; 3]), [0.0; 3]);
    }
}
