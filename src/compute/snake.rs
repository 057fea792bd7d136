//! Periodic activations, and the filters that keep their overtones from folding back: BigVGAN's.
//!
//! Lee et al., "BigVGAN: A universal neural vocoder with large-scale training" (2023). Sound is brought to twice its rate,
//! passed through the activation and brought back, both with a windowed sinc of twelve taps, as in alias-free-torch.

use rayon::prelude::*;
use rten_simd::SimdUnaryOp;
use rten_vecmath::Sin;

/// Taps of the filter.
pub const TAPS: usize = 12;
/// Frames before and after one whose doubling it is made of.
pub const DOUBLING_REACH: usize = 5;
/// Added to a magnitude before it is divided by.
const NO_ZERO: f32 = 1e-9;
/// Values that a task takes at least.
const GRAIN: usize = 16 * 1024;

/// `x + sin(a x)² / b`, of each channel with its own `a` and `b`.
#[derive(Debug, Clone)]
pub struct Snake {
    frequencies: Vec<f32>,
    /// `1 / b`.
    magnitudes: Vec<f32>,
}

impl Snake {
    /// Of `frequencies` and `magnitudes`, `[channels]`, as they stand after any exponential.
    pub fn new(frequencies: Vec<f32>, magnitudes: &[f32]) -> Self {
        assert_eq!(frequencies.len(), magnitudes.len(), "a channel has a frequency and a magnitude");
        Self { frequencies, magnitudes: magnitudes.iter().map(|b| 1.0 / (b + NO_ZERO)).collect() }
    }

    /// Number of channels.
    pub fn channels(&self) -> usize {
        self.frequencies.len()
    }

    /// Applies it to frames, `[frames, channels]`, in place.
    pub fn in_place(&self, frames: &mut [f32]) {
        let channels = self.channels();
        frames.par_chunks_mut(GRAIN.div_ceil(channels) * channels).for_each(|frames| {
            let mut sines = vec![0.0; frames.len()];
            for (sines, frame) in sines.chunks_exact_mut(channels).zip(frames.chunks_exact(channels)) {
                for ((sine, x), a) in sines.iter_mut().zip(frame).zip(&self.frequencies) {
                    *sine = a * x;
                }
            }
            Sin::new().map_mut(&mut sines);
            for (frame, sines) in frames.chunks_exact_mut(channels).zip(sines.chunks_exact(channels)) {
                for ((x, sine), b) in frame.iter_mut().zip(sines).zip(&self.magnitudes) {
                    *x += b * sine * sine;
                }
            }
        });
    }
}

/// The filter for a factor of two, up or down: a sinc that falls off at half of half the rate, under a Kaiser window.
#[derive(Debug, Clone, Copy)]
pub struct HalfBand([f32; TAPS]);

impl Default for HalfBand {
    fn default() -> Self {
        Self::new()
    }
}

impl HalfBand {
    /// The filter of alias-free-torch: cutoff 1/4, half width 0.3.
    pub fn new() -> Self {
        let half = (TAPS / 2) as f64;
        // Kaiser's formula for the attenuation of a filter of this width.
        let attenuation = 2.285 * (half - 1.0) * std::f64::consts::PI * 4.0 * 0.3 + 7.95;
        let beta = match attenuation {
            a if a > 50.0 => 0.1102 * (a - 8.7),
            a if a >= 21.0 => 0.5842 * (a - 21.0).powf(0.4) + 0.07886 * (a - 21.0),
            _ => 0.0,
        };
        let tap = |at: usize| {
            let time = at as f64 - half + 0.5;
            let across = 2.0 * at as f64 / (TAPS - 1) as f64 - 1.0;
            let window = bessel((1.0 - across * across).max(0.0).sqrt() * beta) / bessel(beta);
            // Twice the cutoff is one half.
            let phase = std::f64::consts::PI * 0.5 * time;
            0.5 * window * phase.sin() / phase
        };
        let taps: Vec<f64> = (0..TAPS).map(tap).collect();
        let sum: f64 = taps.iter().sum();
        Self(std::array::from_fn(|at| (taps[at] / sum) as f32))
    }

    /// Its taps.
    pub fn taps(&self) -> &[f32; TAPS] {
        &self.0
    }

    /// Appends to `out` both frames of twice the rate for each frame of `x`, `[frames, channels]`, that has
    /// [`DOUBLING_REACH`] frames before and after it.
    pub fn double(&self, x: &[f32], channels: usize, out: &mut Vec<f32>) {
        let frames = (x.len() / channels).saturating_sub(2 * DOUBLING_REACH);
        let start = out.len();
        out.resize(start + 2 * frames * channels, 0.0);
        // An output hears every second tap: the even one from the frame 3 before it on, the odd one from 2 before it.
        let even: [f32; TAPS / 2] = std::array::from_fn(|at| 2.0 * self.0[TAPS - 1 - 2 * at]);
        let odd: [f32; TAPS / 2] = std::array::from_fn(|at| 2.0 * self.0[TAPS - 2 - 2 * at]);
        let task = GRAIN.div_ceil(2 * channels);
        out[start..].par_chunks_mut(task * 2 * channels).enumerate().for_each(|(task_number, out)| {
            for (at, pair) in out.chunks_exact_mut(2 * channels).enumerate() {
                let frame = task_number * task + at + DOUBLING_REACH;
                let (first, second) = pair.split_at_mut(channels);
                weigh(&x[(frame - 3) * channels..], channels, &even, first);
                weigh(&x[(frame - 2) * channels..], channels, &odd, second);
            }
        });
    }

    /// Appends to `out` a frame of half the rate for each window of [`TAPS`] frames of `x` that begins at an even one.
    pub fn halve(&self, x: &[f32], channels: usize, out: &mut Vec<f32>) {
        let frames = match x.len() / channels {
            count if count < TAPS => 0,
            count => (count - TAPS) / 2 + 1,
        };
        let start = out.len();
        out.resize(start + frames * channels, 0.0);
        let task = GRAIN.div_ceil(channels);
        out[start..].par_chunks_mut(task * channels).enumerate().for_each(|(task_number, out)| {
            for (at, out) in out.chunks_exact_mut(channels).enumerate() {
                weigh(&x[2 * (task_number * task + at) * channels..], channels, &self.0, out);
            }
        });
    }
}

/// The sum of the first frames of `x`, each by its weight.
fn weigh<const N: usize>(x: &[f32], channels: usize, weights: &[f32; N], out: &mut [f32]) {
    for (frame, weight) in x.chunks_exact(channels).zip(weights) {
        out.iter_mut().zip(frame).for_each(|(out, x)| *out += weight * x);
    }
}

/// The modified Bessel function of the first kind and order 0, by its series.
fn bessel(x: f64) -> f64 {
    let (mut term, mut sum) = (1.0, 1.0);
    for k in 1..50 {
        term *= (x / 2.0 / f64::from(k)).powi(2);
        sum += term;
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compute::rows::values;
    use proptest::prelude::*;

    /// `kaiser_sinc_filter1d(0.25, 0.3, 12)` of alias-free-torch, in double precision.
    #[test]
    fn the_filter_is_that_of_alias_free_torch() {
        let filter = HalfBand::new();
        let sum: f32 = filter.taps().iter().sum();
        assert!((sum - 1.0).abs() < 1e-6);
        for at in 0..TAPS {
            assert_eq!(filter.taps()[at], filter.taps()[TAPS - 1 - at]);
        }
        for (found, expected) in filter.taps().iter().zip(EXPECTED) {
            assert!((found - expected).abs() < 1e-6, "{:?}", filter.taps());
        }
    }

    const EXPECTED: [f32; 6] =
        [0.002_028_966_4, 0.009_389_464, -0.025_543_464, -0.057_657_376, 0.128_572_61, 0.443_209_8];

    proptest! {
        /// By the definitions: to double, zeros between frames and then the filter; to halve, the filter and then every second
        /// frame. What was in the output before stays.
        #[test]
        fn doubling_and_halving_equal_their_definitions(channels in 1usize..20, frames in 0usize..60, seed in 0u32..99) {
            let filter = HalfBand::new();
            let x = values(frames * channels, seed);
            let of = |frame: usize, channel: usize| f64::from(x[frame * channels + channel]);
            let tap = |at: usize| f64::from(filter.taps()[at]);
            let (mut doubled, mut halved) = (vec![7.0], vec![7.0]);
            filter.double(&x, channels, &mut doubled);
            filter.halve(&x, channels, &mut halved);
            prop_assert_eq!(doubled.len(), 1 + 2 * frames.saturating_sub(2 * DOUBLING_REACH) * channels);
            prop_assert_eq!(halved.len(), 1 + (frames + 2).saturating_sub(TAPS) / 2 * channels);
            for (at, found) in doubled[1..].iter().enumerate() {
                // Frame `at` of the doubled sound of frames from DOUBLING_REACH on; tap k hears place `at + 15 - k` of the zeros
                // and frames that begin five frames earlier.
                let (place, channel) = (at / channels + 15, at % channels);
                let heard = (0..TAPS).filter(|k| (place - k).is_multiple_of(2));
                let expected: f64 = heard.map(|k| 2.0 * tap(k) * of((place - k) / 2, channel)).sum();
                prop_assert!((f64::from(*found) - expected).abs() < 1e-6, "{at}: {found} is not {expected}");
            }
            for (at, found) in halved[1..].iter().enumerate() {
                let (frame, channel) = (at / channels, at % channels);
                let expected: f64 = (0..TAPS).map(|k| tap(k) * of(2 * frame + k, channel)).sum();
                prop_assert!((f64::from(*found) - expected).abs() < 1e-6, "{at}: {found} is not {expected}");
            }
            prop_assert_eq!((doubled[0], halved[0]), (7.0, 7.0));
        }

        #[test]
        fn snakes_wind_by_channel(channels in 1usize..40, frames in 0usize..1500, seed in 0u32..99) {
            let frames = if cfg!(miri) { frames % 9 } else { frames };
            let frequencies: Vec<f32> = values(channels, seed).iter().map(|x| 6.0 * x).collect();
            let magnitudes: Vec<f32> = values(channels, seed + 1).iter().map(|x| x + 0.6).collect();
            let x: Vec<f32> = values(frames * channels, seed + 2).iter().map(|x| 20.0 * x).collect();
            let mut found = x.clone();
            Snake::new(frequencies.clone(), &magnitudes).in_place(&mut found);
            for (at, (found, x)) in found.iter().zip(&x).enumerate() {
                let (a, b, x) = (frequencies[at % channels], f64::from(magnitudes[at % channels]), f64::from(*x));
                let expected = x + (f64::from(a) * x).sin().powi(2) / b;
                // A sine of up to 30 is off by what f32 rounds of its phase.
                prop_assert!((f64::from(*found) - expected).abs() < 1e-5 + 1e-5 / b, "{found} is not {expected}");
            }
        }
    }
}
