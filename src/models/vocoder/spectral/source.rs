//! What is shaped: the harmonics of a pitch, and noise.

use std::collections::VecDeque;
use std::sync::Arc;

use realfft::num_complex::Complex;
use realfft::{RealFftPlanner, RealToComplex};

use super::{AROUND, BINS, FFT, MEL};
use crate::dsp::Window;

/// The deviation of noise whose bins have the magnitude 1 in the mean: its window's powers sum to 240, and magnitudes of noise
/// are Rayleigh's.
const NOISE: f32 = 0.072_86;
/// Hertz at which harmonics of the amplitude 1 have the magnitude 1 in the mean over all bins: there are `8000 / pitch` peaks, and a peak's bins sum
/// to 320.
const MEAN: f64 = 8000.0;

/// The spectra of a frame's source.
#[derive(Debug, Clone)]
pub struct Excitation {
    /// Of harmonics; zeros where there is no voice.
    pub harmonics: Vec<Complex<f32>>,
    /// Of noise.
    pub noise: Vec<Complex<f32>>,
    /// 1 with voice, 0 without.
    pub voice: f32,
}

/// Makes sources, frame by frame.
pub struct Source {
    fft: Arc<dyn RealToComplex<f32>>,
    window: Vec<f32>,
    random: fastrand::Rng,
    phase: f64,
    /// The hertz of the frame before.
    last: Option<f32>,
    /// Samples from the start of the next frame's window on.
    samples: VecDeque<(f32, f32)>,
    /// Voices of frames whose windows are not full yet.
    voices: VecDeque<f32>,
}

impl Source {
    /// Before the first frame. The same seed makes the same noise.
    pub fn new(seed: u64) -> Self {
        let mut random = fastrand::Rng::with_seed(seed);
        let phase = std::f64::consts::TAU * random.f64();
        Self {
            fft: RealFftPlanner::new().plan_fft_forward(FFT),
            window: Window::Hann.periodic(FFT),
            random,
            phase,
            last: None,
            samples: std::iter::repeat_n((0.0, 0.0), AROUND).collect(),
            voices: VecDeque::new(),
        }
    }

    /// Frames that are taken before the first is given, less one.
    pub const LOOK_AHEAD: usize = AROUND.div_ceil(MEL.hop);

    /// Takes the pitch of a frame in hertz, 0 without voice; gives the source of an earlier one.
    pub fn push(&mut self, hertz: f32) -> Option<Excitation> {
        let steps = if self.last.is_none() { MEL.hop / 2 } else { MEL.hop };
        self.glide(hertz, steps);
        self.last = Some(hertz);
        self.voices.push_back(if hertz > 0.0 { 1.0 } else { 0.0 });
        self.take()
    }

    /// The sources of the frames that are left.
    pub fn finish(&mut self) -> Vec<Excitation> {
        let hertz = self.last.unwrap_or(0.0);
        let mut rest = Vec::new();
        while !self.voices.is_empty() {
            self.glide(hertz, MEL.hop / 2);
            rest.extend(self.take());
        }
        rest
    }

    /// Samples on the way to a frame of `hertz`.
    fn glide(&mut self, hertz: f32, steps: usize) {
        let from = self.last.unwrap_or(hertz);
        let voice = |hertz: f32| if hertz > 0.0 { 1.0 } else { 0.0 };
        // Into and out of silence the pitch stays.
        let (low, high) = (if from > 0.0 { from } else { hertz }, if hertz > 0.0 { hertz } else { from });
        for step in 1..=steps {
            let share = step as f32 / steps as f32;
            let level = voice(from) * (1.0 - share) + voice(hertz) * share;
            let harmonic = match level > 0.0 {
                true => self.harmonic(f64::from(low + (high - low) * share)) * level,
                false => 0.0,
            };
            let noise = NOISE * 3f32.sqrt() * (2.0 * self.random.f32() - 1.0);
            self.samples.push_back((harmonic, noise));
        }
    }

    /// The sum of all cosines of harmonics of `hertz` up to half the rate, by Dirichlet's kernel.
    fn harmonic(&mut self, hertz: f64) -> f32 {
        let rate = f64::from(MEL.rate);
        self.phase = (self.phase + std::f64::consts::TAU * hertz / rate) % std::f64::consts::TAU;
        let count = (rate / 2.0 / hertz).floor();
        let half = (self.phase / 2.0).sin();
        let sum = match half.abs() > 1e-6 {
            true => ((count + 0.5) * self.phase).sin() / (2.0 * half) - 0.5,
            false => count,
        };
        (sum * hertz / MEAN) as f32
    }

    /// The source of the next frame, where its window is full.
    fn take(&mut self) -> Option<Excitation> {
        if self.samples.len() < FFT || self.voices.is_empty() {
            return None;
        }
        let voice = self.voices.pop_front()?;
        let spectrum = |of: &dyn Fn(&(f32, f32)) -> f32| {
            let samples = self.samples.iter().take(FFT).zip(&self.window);
            let mut windowed: Vec<f32> = samples.map(|(sample, weight)| of(sample) * weight).collect();
            let mut bins = vec![Complex::new(0.0, 0.0); BINS];
            self.fft.process(&mut windowed, &mut bins).expect("the buffers are of the transform's sizes");
            bins
        };
        let (harmonics, noise) = (spectrum(&|sample| sample.0), spectrum(&|sample| sample.1));
        self.samples.drain(..MEL.hop);
        Some(Excitation { harmonics, noise, voice })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(pitch: &[f32]) -> Vec<Excitation> {
        let mut source = Source::new(1);
        let mut out: Vec<Excitation> = pitch.iter().filter_map(|&hertz| source.push(hertz)).collect();
        assert_eq!(out.len(), pitch.len().saturating_sub(Source::LOOK_AHEAD));
        out.extend(source.finish());
        out
    }

    #[test]
    fn every_frame_has_a_source_of_magnitude_one_in_the_mean() {
        for hertz in [80.0, 150.0, 300.0] {
            let sources = all(&[hertz; 60]);
            assert_eq!(sources.len(), 60);
            let mean = |of: &dyn Fn(&Excitation) -> &Vec<Complex<f32>>| {
                let bins: Vec<f32> = sources[10..50]
                    .iter()
                    .flat_map(|source| of(source).iter().map(|bin| bin.norm()))
                    .collect();
                bins.iter().sum::<f32>() / bins.len() as f32
            };
            let (harmonics, noise) = (mean(&|source| &source.harmonics), mean(&|source| &source.noise));
            assert!((harmonics - 1.0).abs() < 0.15, "{hertz} Hz: {harmonics}");
            assert!((noise - 1.0).abs() < 0.1, "{noise}");
        }
    }

    #[test]
    fn without_voice_there_are_no_harmonics_and_joins_are_smooth() {
        assert!(
            all(&[0.0; 9]).iter().all(|source| {
                source.voice == 0.0 && source.harmonics.iter().all(|bin| bin.norm() == 0.0)
            })
        );
        let mut source = Source::new(2);
        for hertz in [0.0, 120.0, 125.0, 0.0, 0.0] {
            source.push(hertz);
        }
        let sources = all(&[0.0, 0.0, 120.0, 0.0]);
        assert_eq!(sources.iter().map(|source| source.voice).collect::<Vec<_>>(), [0.0, 0.0, 1.0, 0.0]);
        assert!(all(&[]).is_empty());
    }
}
