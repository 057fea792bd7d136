//! Log-mel filter banks as Kaldi computes them, which networks of its descent were trained with.
//!
//! Frames of 25 ms every 10 ms that lie within the sound, without dither: the mean is taken off, then pre-emphasis of 0.97, the
//! window, the power spectrum of 512 samples, filters from 20 Hz to half the rate, the logarithm. `feature-window.cc` and
//! `feature-fbank.cc` of Kaldi; torchaudio's `compliance.kaldi.fbank` does the same.

use std::sync::Arc;

use realfft::{RealFftPlanner, RealToComplex};

use super::{Bins, HOP, MelFilters, Window};
use crate::time::SampleRate;

/// Samples of a frame.
const FRAME: usize = 400;
const FFT: usize = 512;
const PRE_EMPHASIS: f32 = 0.97;
const LOWEST_HERTZ: f64 = 20.0;

/// The window of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FbankWindow {
    /// A Hann window to the power of 0.85, Kaldi's own.
    Povey,
    /// A Hamming window.
    Hamming,
}

/// The plan of filter banks.
pub struct Fbank {
    filters: MelFilters,
    window: Vec<f32>,
    fft: Arc<dyn RealToComplex<f32>>,
}

impl Fbank {
    /// Samples of the shortest sound that has a frame.
    pub const SHORTEST: usize = FRAME;

    /// Filter banks of `mels` bands of 16 kHz sound.
    pub fn new(mels: usize, window: FbankWindow) -> Self {
        let bins = Bins { fft: FFT, rate: f64::from(SampleRate::PIPELINE.0) };
        let mut values = match window {
            FbankWindow::Povey => Window::Hann.symmetric(FRAME),
            FbankWindow::Hamming => Window::Hamming.symmetric(FRAME),
        };
        if window == FbankWindow::Povey {
            values.iter_mut().for_each(|x| *x = x.powf(0.85));
        }
        Self {
            filters: MelFilters::kaldi(mels, bins, (LOWEST_HERTZ, bins.rate / 2.0)),
            window: values,
            fft: RealFftPlanner::new().plan_fft_forward(FFT),
        }
    }

    /// Number of mel bands.
    pub fn mels(&self) -> usize {
        self.filters.mels()
    }

    /// Logarithms of the energies of `samples`, `[frames, mels]`; no frame where there are fewer than
    /// [`SHORTEST`](Self::SHORTEST).
    pub fn log_energies(&self, samples: &[f32]) -> Vec<f32> {
        let mut windowed = self.fft.make_input_vec();
        let mut spectrum = self.fft.make_output_vec();
        let mut scratch = self.fft.make_scratch_vec();
        let mut power = vec![0.0; spectrum.len()];
        let mut out = Vec::new();
        for start in (0..samples.len()).step_by(HOP) {
            let Some(frame) = samples.get(start..start + FRAME) else { break };
            self.window_into(frame, &mut windowed);
            self.fft
                .process_with_scratch(&mut windowed, &mut spectrum, &mut scratch)
                .expect("the buffers were made by this transform");
            for (power, bin) in power.iter_mut().zip(&spectrum) {
                *power = bin.norm_sqr();
            }
            out.extend(self.filters.energies(&power).map(|energy| energy.max(f32::EPSILON).ln()));
        }
        out
    }

    fn window_into(&self, frame: &[f32], windowed: &mut [f32]) {
        let mean = (frame.iter().map(|&x| f64::from(x)).sum::<f64>() / FRAME as f64) as f32;
        windowed.fill(0.0);
        let before = frame.first().into_iter().chain(frame);
        for (((windowed, x), before), weight) in windowed.iter_mut().zip(frame).zip(before).zip(&self.window)
        {
            *windowed = ((x - mean) - PRE_EMPHASIS * (before - mean)) * weight;
        }
    }
}

/// Takes its mean over all frames off each band of `features`, `[frames, width]`.
pub fn subtract_mean(features: &mut [f32], width: usize) {
    let mut means = vec![0.0f64; width];
    for frame in features.chunks_exact(width) {
        means.iter_mut().zip(frame).for_each(|(sum, &x)| *sum += f64::from(x));
    }
    let frames = (features.len() / width.max(1)).max(1) as f64;
    for frame in features.chunks_exact_mut(width) {
        frame.iter_mut().zip(&means).for_each(|(x, sum)| *x -= (sum / frames) as f32);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_lie_within_the_sound() {
        for window in [FbankWindow::Povey, FbankWindow::Hamming] {
            let plan = Fbank::new(80, window);
            for (samples, frames) in [(0, 0), (399, 0), (400, 1), (559, 1), (560, 2), (16_000, 98)] {
                let found = plan.log_energies(&vec![0.5; samples]);
                assert_eq!(found.len(), frames * 80, "{samples}");
                // What does not change has no energy.
                assert!(found.iter().all(|x| (x - f32::EPSILON.ln()).abs() < 1e-3));
            }
        }
    }

    #[test]
    fn bands_without_their_mean_sum_to_zero() {
        let mut features = vec![1.0, 5.0, 3.0, 5.0];
        subtract_mean(&mut features, 2);
        assert_eq!(features, [-1.0, 0.0, 1.0, 0.0]);
        subtract_mean(&mut [], 2);
    }
}
