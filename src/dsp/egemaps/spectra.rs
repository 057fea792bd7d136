//! Frames, windows and Fourier transforms: 20 ms frames for what is loud and how, 60 ms frames for pitch.

use std::f64::consts::PI;
use std::sync::Arc;

use realfft::num_complex::Complex64;
use realfft::{RealFftPlanner, RealToComplex};

use super::{HOP, LONG, SHORT};

/// Length of the Fourier transform of a short frame.
pub(super) const SHORT_FFT: usize = 512;
/// Length of the Fourier transform of a long frame.
pub(super) const LONG_FFT: usize = 1024;
/// Hertz from one bin of a short spectrum to the next.
pub(super) const SHORT_STEP: f64 = 16_000.0 / SHORT_FFT as f64;
/// Hertz from one bin of a long spectrum to the next.
pub(super) const LONG_STEP: f64 = 16_000.0 / LONG_FFT as f64;
/// Width of the Gaussian window in halves of its length.
const SIGMA: f64 = 0.4;

/// How many frames of `length` samples start every [`HOP`] samples and end within `samples`.
pub(super) fn frames(samples: usize, length: usize) -> usize {
    if samples < length { 0 } else { (samples - length) / HOP + 1 }
}

/// The Hamming window of short frames.
pub(super) fn hamming() -> Vec<f64> {
    let phase = |i: usize| 2.0 * PI * i as f64 / (SHORT - 1) as f64;
    (0..SHORT).map(|i| 0.54 - 0.46 * phase(i).cos()).collect()
}

/// The Gaussian window of long frames.
pub(super) fn gauss() -> Vec<f64> {
    let half = (LONG - 1) as f64 / 2.0;
    let weight = |i: usize| (-0.5 * ((i as f64 - half) / (SIGMA * half)).powi(2)).exp();
    (0..LONG).map(weight).collect()
}

/// Windows and transforms frames of one length, one after the other, into its own buffers.
pub(super) struct Spectrum {
    window: Vec<f64>,
    fft: Arc<dyn RealToComplex<f64>>,
    padded: Vec<f64>,
    scratch: Vec<Complex64>,
    /// The spectrum of the last frame, `[length / 2 + 1]`.
    pub complex: Vec<Complex64>,
    /// The magnitudes of `complex`.
    pub magnitude: Vec<f64>,
    /// The root mean square of the last windowed frame.
    pub rms: f64,
}

impl Spectrum {
    /// Frames as long as `window`, padded with zeros on both sides to `length`.
    pub(super) fn new(window: Vec<f64>, length: usize) -> Self {
        let fft = RealFftPlanner::new().plan_fft_forward(length);
        Self {
            padded: fft.make_input_vec(),
            scratch: fft.make_scratch_vec(),
            complex: fft.make_output_vec(),
            magnitude: vec![0.0; length / 2 + 1],
            rms: 0.0,
            window,
            fft,
        }
    }

    /// Transforms `frame`, which is as long as the window.
    pub(super) fn transform(&mut self, frame: &[f64]) {
        let before = (self.padded.len() - self.window.len()) / 2;
        self.padded.fill(0.0);
        for ((padded, sample), weight) in self.padded[before..].iter_mut().zip(frame).zip(&self.window) {
            *padded = sample * weight;
        }
        let energy: f64 = self.padded.iter().map(|x| x * x).sum();
        self.rms = (energy / self.window.len() as f64).sqrt();
        self.fft
            .process_with_scratch(&mut self.padded, &mut self.complex, &mut self.scratch)
            .expect("the buffers were made by this transform");
        for (magnitude, value) in self.magnitude.iter_mut().zip(&self.complex) {
            *magnitude = value.norm();
        }
    }
}
