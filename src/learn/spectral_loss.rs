//! How far one sound is from another by their spectra, and the slopes of it: what vocoders are trained on.
//!
//! Magnitudes at several resolutions, as shares of their norm and by their logarithms (Yamamoto, Song and Kim, "Parallel
//! WaveGAN", 2020, equations 4 to 6), and the logarithms of mel bands (Kong, Kim and Bae, "HiFi-GAN", 2020, equation 4). Phases do
//! not count. Slopes are computed here, not by candle, which has no Fourier transform.

use std::sync::Arc;

use realfft::num_complex::Complex;
use realfft::{ComplexToReal, RealFftPlanner, RealToComplex};

use crate::dsp::{Bins, MelFilters, MelShape, Window};

/// What is added to the square of a magnitude: what is quieter counts little.
const FLOOR: f32 = 1e-6;
/// The least energy of a band.
const LEAST_BAND: f32 = 1e-5;
/// What the bands count beside each of the two others.
const MEL_WEIGHT: f64 = 2.0;

/// Samples of a transform, of its window and from one to the next.
const RESOLUTIONS: [(usize, usize, usize); 4] =
    [(256, 200, 50), (512, 400, 100), (1024, 800, 200), (2048, 1600, 400)];

/// The plan of a loss.
pub struct SpectralLoss {
    resolutions: Vec<Resolution>,
    bands: Resolution,
    filters: MelFilters,
}

/// A loss and its parts, each a mean.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Spectral {
    /// The norm of what magnitudes differ by, as a share of that of the target.
    pub convergence: f64,
    /// How far the logarithms of magnitudes are.
    pub magnitudes: f64,
    /// How far the logarithms of bands are.
    pub bands: f64,
}

impl Spectral {
    /// The parts together.
    pub fn total(&self) -> f64 {
        self.convergence + self.magnitudes + MEL_WEIGHT * self.bands
    }
}

struct Resolution {
    fft: usize,
    hop: usize,
    window: Vec<f32>,
    forward: Arc<dyn RealToComplex<f32>>,
    inverse: Arc<dyn ComplexToReal<f32>>,
}

impl Resolution {
    fn new((fft, window, hop): (usize, usize, usize)) -> Self {
        let mut planner = RealFftPlanner::new();
        let mut padded = vec![0.0; fft];
        let before = (fft - window) / 2;
        padded[before..before + window].copy_from_slice(&Window::Hann.periodic(window));
        let (forward, inverse) = (planner.plan_fft_forward(fft), planner.plan_fft_inverse(fft));
        Self { fft, hop, window: padded, forward, inverse }
    }

    /// Starts of the windows that lie within a sound.
    fn starts(&self, samples: usize) -> impl Iterator<Item = usize> {
        (0..(samples + 1).saturating_sub(self.fft)).step_by(self.hop)
    }

    fn spectra(&self, samples: &[f32]) -> Vec<Vec<Complex<f32>>> {
        let spectrum = |start: usize| {
            let part = samples[start..start + self.fft].iter().zip(&self.window);
            let mut windowed: Vec<f32> = part.map(|(sample, weight)| sample * weight).collect();
            let mut bins = vec![Complex::new(0.0, 0.0); self.fft / 2 + 1];
            self.forward.process(&mut windowed, &mut bins).expect("the buffers are of the transform's sizes");
            bins
        };
        self.starts(samples.len()).map(spectrum).collect()
    }

    /// Adds to `slopes` of samples what those of magnitudes are, given the spectra.
    fn back(&self, spectra: &[Vec<Complex<f32>>], of_magnitudes: &[Vec<f32>], slopes: &mut [f32]) {
        let mut samples = vec![0.0; self.fft];
        for ((start, bins), of_bins) in self.starts(slopes.len()).zip(spectra).zip(of_magnitudes) {
            let last = bins.len() - 1;
            let slope = |(at, (bin, slope)): (usize, (&Complex<f32>, &f32))| {
                // The inverse takes each bin but the first and the last for two.
                let share = if at == 0 || at == last { 1.0 } else { 0.5 };
                bin * (share * slope / magnitude(bin))
            };
            let mut of_spectrum: Vec<Complex<f32>> =
                bins.iter().zip(of_bins).enumerate().map(slope).collect();
            (of_spectrum[0].im, of_spectrum[last].im) = (0.0, 0.0);
            self.inverse
                .process(&mut of_spectrum, &mut samples)
                .expect("the buffers are of the transform's sizes");
            for ((slope, sample), weight) in slopes[start..].iter_mut().zip(&samples).zip(&self.window) {
                *slope += sample * weight;
            }
        }
    }
}

fn magnitude(bin: &Complex<f32>) -> f32 {
    (bin.norm_sqr() + FLOOR).sqrt()
}

fn magnitudes(spectra: &[Vec<Complex<f32>>]) -> Vec<Vec<f32>> {
    spectra.iter().map(|bins| bins.iter().map(magnitude).collect()).collect()
}

impl SpectralLoss {
    /// With the bands of `mel`.
    pub fn new(mel: MelShape) -> Self {
        let bins = Bins { fft: mel.fft, rate: f64::from(mel.rate) };
        Self {
            resolutions: RESOLUTIONS.into_iter().map(Resolution::new).collect(),
            bands: Resolution::new((mel.fft, mel.window, mel.hop)),
            filters: MelFilters::slaney_over(mel.mels, bins, mel.range),
        }
    }

    /// Samples of the shortest sound.
    pub fn shortest(&self) -> usize {
        self.resolutions.iter().map(|resolution| resolution.fft).max().unwrap_or(0).max(self.bands.fft)
    }

    /// The loss of `found` against `target`, equally long; the slopes of its [`total`](Spectral::total), times `weight`, are
    /// added to `slopes`, where they are asked for.
    ///
    /// # Panics
    /// Where the sounds are not equally long, or shorter than [`shortest`](Self::shortest).
    pub fn of(&self, found: &[f32], target: &[f32], weight: f64, mut slopes: Option<&mut [f32]>) -> Spectral {
        assert!(found.len() == target.len() && found.len() >= self.shortest(), "sounds of one length");
        let mut loss = Spectral::default();
        let count = self.resolutions.len() as f64;
        for resolution in &self.resolutions {
            let (spectra, goal) = (resolution.spectra(found), magnitudes(&resolution.spectra(target)));
            let (convergence, logs, of_magnitudes) = compared(&magnitudes(&spectra), &goal, weight / count);
            loss.convergence += convergence / count;
            loss.magnitudes += logs / count;
            if let Some(slopes) = slopes.as_deref_mut() {
                resolution.back(&spectra, &of_magnitudes, slopes);
            }
        }
        let spectra = self.bands.spectra(found);
        let (bands, of_magnitudes) = self.of_bands(
            &magnitudes(&spectra),
            &magnitudes(&self.bands.spectra(target)),
            MEL_WEIGHT * weight,
        );
        loss.bands = bands;
        if let Some(slopes) = slopes {
            self.bands.back(&spectra, &of_magnitudes, slopes);
        }
        loss
    }

    /// How far bands are, and the slopes of it, times `weight`, by magnitudes.
    fn of_bands(&self, found: &[Vec<f32>], goal: &[Vec<f32>], weight: f64) -> (f64, Vec<Vec<f32>>) {
        let all = (found.len() * self.filters.mels()) as f64;
        let share = (weight / all) as f32;
        let (mut sum, mut slopes) = (0.0, Vec::with_capacity(found.len()));
        for (found, goal) in found.iter().zip(goal) {
            let both = self.filters.energies(found).zip(self.filters.energies(goal));
            let of_bands: Vec<f32> = both
                .map(|(found, goal)| {
                    let far = found.max(LEAST_BAND).ln() - goal.max(LEAST_BAND).ln();
                    sum += f64::from(far.abs());
                    if found > LEAST_BAND { share * sign(far) / found } else { 0.0 }
                })
                .collect();
            let mut of_bins = vec![0.0; found.len()];
            self.filters.spread(&of_bands, &mut of_bins);
            slopes.push(of_bins);
        }
        (sum / all, slopes)
    }
}

/// The two losses of magnitudes, and the slopes of their sum, times `weight`.
fn compared(found: &[Vec<f32>], goal: &[Vec<f32>], weight: f64) -> (f64, f64, Vec<Vec<f32>>) {
    let pairs = || found.iter().flatten().zip(goal.iter().flatten());
    let norm: f64 = goal.iter().flatten().map(|&x| f64::from(x).powi(2)).sum::<f64>().sqrt();
    let far: f64 = pairs().map(|(a, b)| f64::from(a - b).powi(2)).sum::<f64>().sqrt();
    let count = pairs().count() as f64;
    let logs = pairs().map(|(a, b)| f64::from((a / b).ln().abs())).sum::<f64>() / count;
    let (of_far, of_log) = ((weight / (norm * far.max(1e-9))) as f32, (weight / count) as f32);
    let row = |(found, goal): (&Vec<f32>, &Vec<f32>)| {
        let slope = |(a, b): (&f32, &f32)| of_far * (a - b) + of_log * sign(a / b - 1.0) / a;
        found.iter().zip(goal).map(slope).collect()
    };
    (far / norm, logs, found.iter().zip(goal).map(row).collect())
}

/// 0 of 0.
fn sign(x: f32) -> f32 {
    if x == 0.0 { 0.0 } else { x.signum() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noise(seed: u64, level: f32) -> Vec<f32> {
        let mut random = fastrand::Rng::with_seed(seed);
        (0..2500).map(|_| level * (random.f32() - 0.5)).collect()
    }

    #[test]
    fn slopes_are_those_of_small_steps() {
        let loss = SpectralLoss::new(MelShape::EZ_VC);
        let (found, target) = (noise(1, 0.5), noise(2, 0.8));
        let mut slopes = vec![0.0; found.len()];
        loss.of(&found, &target, 1.0, Some(&mut slopes));
        // In a direction of its own, since a step of one sample is lost in rounding.
        for seed in 3..6 {
            let direction = noise(seed, 1.0);
            let moved = |by: f32| {
                let found: Vec<f32> = found.iter().zip(&direction).map(|(x, along)| x + by * along).collect();
                loss.of(&found, &target, 1.0, None).total()
            };
            let expected = (moved(1e-3) - moved(-1e-3)) / 2e-3;
            let along: f64 = slopes.iter().zip(&direction).map(|(a, b)| f64::from(a * b)).sum();
            assert!((along - expected).abs() < 0.03 * expected.abs().max(0.5), "{along} is not {expected}");
        }
    }

    #[test]
    fn a_sound_is_no_distance_from_itself_and_phases_do_not_count() {
        let loss = SpectralLoss::new(MelShape::EZ_VC);
        let sound = noise(1, 0.5);
        let flipped: Vec<f32> = sound.iter().map(|x| -x).collect();
        let mut slopes = vec![0.0; sound.len()];
        assert!(loss.of(&flipped, &sound, 1.0, Some(&mut slopes)).total() < 1e-5);
        assert!(slopes.iter().all(|slope| slope.abs() < 1e-3));
        let louder: Vec<f32> = sound.iter().map(|x| 2.0 * x).collect();
        let found = loss.of(&louder, &sound, 1.0, None);
        assert!(
            (found.convergence - 1.0).abs() < 0.01 && (found.bands - 2f64.ln()).abs() < 0.01,
            "{found:?}"
        );
    }
}
