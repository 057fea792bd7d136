//! What the harmonics of the voice say: harmonics over noise, and levels of harmonics and formants.

use std::sync::Arc;

use realfft::num_complex::Complex64;
use realfft::{ComplexToReal, RealFftPlanner};

use super::RATE;
use super::formants::{FORMANTS, Formant};
use super::parabola::{is_peak, vertex};
use super::spectra::{LONG_FFT, LONG_STEP};

/// Harmonics looked for.
const HARMONICS: usize = 100;
/// Bins of a long spectrum.
const BINS: usize = LONG_FFT / 2 + 1;
/// Level of what is not there, in dB over the harmonic at the pitch.
const ABSENT: f64 = -201.0;
/// Level of the faintest that is there.
const FAINTEST: f64 = -200.0;
/// The ratio of harmonics to noise lies between this and its inverse.
const RATIO: f64 = 1e11;
const LOWEST_RATIO: f64 = 1e-9;
/// A formant's harmonics lie within this part of its frequency.
const REACH: f64 = 0.2;

/// Formants whose levels are described.
pub(super) const LEVELS: usize = 3;

/// The harmonics of a frame.
#[derive(Clone, Copy)]
pub(super) struct Voice {
    /// Harmonics over noise in dB, 0 without voice.
    pub hnr: f64,
    /// H1 over H2 in dB, 0 without voice.
    pub first_to_second: f64,
    /// H1 over the highest harmonic of the third formant in dB, 0 without voice.
    pub first_to_third_formant: f64,
    /// The highest harmonics of the formants over that of the pitch in dB: -201 without voice, 0 without one.
    pub formants: [f64; LEVELS],
}

#[derive(Clone, Copy, Default)]
struct Harmonic {
    bin: usize,
    frequency: f64,
    magnitude: f64,
    /// Height of the top between bins.
    top: f64,
    /// Level over the harmonic at the pitch in dB.
    level: f64,
}

/// Describes voices by long spectra.
pub(super) struct Harmonics {
    inverse: Arc<dyn ComplexToReal<f64>>,
    power: Vec<Complex64>,
    correlation: Vec<f64>,
    scratch: Vec<Complex64>,
}

impl Harmonics {
    pub(super) fn new() -> Self {
        let inverse = RealFftPlanner::new().plan_fft_inverse(LONG_FFT);
        Self {
            power: inverse.make_input_vec(),
            correlation: inverse.make_output_vec(),
            scratch: inverse.make_scratch_vec(),
            inverse,
        }
    }

    /// The voice of a long frame's magnitudes with a pitch of `pitch` Hz.
    pub(super) fn describe(
        &mut self,
        magnitude: &[f64],
        pitch: f64,
        formants: &[Formant; FORMANTS],
    ) -> Voice {
        if pitch <= 0.0 {
            let levels = [ABSENT; LEVELS];
            return Voice { hnr: 0.0, first_to_second: 0.0, first_to_third_formant: 0.0, formants: levels };
        }
        let hnr = self.hnr(magnitude, pitch);
        let harmonics = find(magnitude, pitch);
        let highest: [Option<f64>; LEVELS] =
            std::array::from_fn(|i| highest_near(&harmonics, formants[i].frequency));
        // The reference counts the pitch itself as harmonic 0: its H1 and H2 are the two above.
        let (first, second) = (harmonics[1].level, harmonics[2].level);
        Voice {
            hnr,
            first_to_second: difference(first, second),
            first_to_third_formant: difference(first, highest[2].unwrap_or(-ABSENT)),
            formants: highest.map(|level| level.unwrap_or(0.0)),
        }
    }

    /// The peak of the autocorrelation at the pitch's period over what it lacks of the whole, in dB.
    fn hnr(&mut self, magnitude: &[f64], pitch: f64) -> f64 {
        for (power, magnitude) in self.power.iter_mut().zip(magnitude) {
            *power = Complex64::new(magnitude * magnitude, 0.0);
        }
        self.inverse
            .process_with_scratch(&mut self.power, &mut self.correlation, &mut self.scratch)
            .expect("the buffers were made by this transform, and the power is real");
        let correlation: Vec<f64> = self.correlation[..BINS].iter().map(|x| x.abs()).collect();
        let lag = closest_peak(&correlation, (RATE / pitch) as usize);
        let (harmonic, noise) = (correlation[lag], correlation[0] - correlation[lag]);
        let ratio = if noise == 0.0 { RATIO } else { harmonic / noise };
        // A lag of 0 has no noise at all, and no meaning.
        if lag == 0 { 0.0 } else { 10.0 * ratio.clamp(LOWEST_RATIO, RATIO).log10() }
    }
}

fn difference(one: f64, other: f64) -> f64 {
    (one - other).clamp(ABSENT, -ABSENT)
}

/// The peak next to `at`, the earlier one of two.
fn closest_peak(values: &[f64], at: usize) -> usize {
    let last = values.len() - 1;
    if is_peak(values, at) {
        return at;
    }
    for offset in 1..=last {
        let candidates = [at.checked_sub(offset).filter(|&i| i > 0), Some(at + offset).filter(|&i| i < last)];
        if let Some(peak) = candidates.into_iter().flatten().find(|&i| is_peak(values, i)) {
            return peak;
        }
    }
    if values[0] > values[at.min(last)] { 0 } else { last }
}

/// The bin next to a frequency; 0 above the spectrum.
fn bin(frequency: f64) -> usize {
    let place = frequency / LONG_STEP;
    if place < (BINS - 1) as f64 { place.round() as usize } else { 0 }
}

/// The harmonics of a pitch with their levels; those at the bin of the one below are dropped.
fn find(magnitude: &[f64], pitch: f64) -> [Harmonic; HARMONICS] {
    let first_bin = bin(0.5 * pitch);
    let mut harmonics: [Harmonic; HARMONICS] =
        std::array::from_fn(|i| harmonic(magnitude, pitch, (i + 1) as f64, first_bin));
    let first = harmonics[0].magnitude;
    for i in 1..HARMONICS {
        harmonics[i].level = level(harmonics[i].top, first);
        if harmonics[i].bin == harmonics[i - 1].bin {
            harmonics[i] = Harmonic { level: ABSENT, ..Harmonic::default() };
        }
    }
    harmonics
}

fn level(top: f64, first: f64) -> f64 {
    match (top > 0.0, first > 0.0) {
        (_, false) => ABSENT,
        (false, true) => FAINTEST,
        (true, true) => (20.0 * (top / first).log10()).max(FAINTEST),
    }
}

/// The peak next to the place where the harmonic of this number is expected.
fn harmonic(magnitude: &[f64], pitch: f64, number: f64, first_bin: usize) -> Harmonic {
    let expected = bin(number * pitch);
    let range = (bin((number - 0.5) * pitch), bin((number + 0.5) * pitch));
    match peak_near(magnitude, expected, range) {
        Some(peak) if peak >= first_bin && peak < BINS - 1 => {
            let (place, top) = vertex([magnitude[peak - 1], magnitude[peak], magnitude[peak + 1]]);
            let frequency = (peak as f64 + place) * LONG_STEP;
            Harmonic { bin: peak, frequency, magnitude: magnitude[peak], top, level: 0.0 }
        }
        _ => Harmonic { bin: expected, ..Harmonic::default() },
    }
}

/// The peak next to `expected` within `range`, the later one of two.
fn peak_near(magnitude: &[f64], expected: usize, (low, high): (usize, usize)) -> Option<usize> {
    if is_peak(magnitude, expected) {
        return Some(expected);
    }
    let reach = expected.saturating_sub(low).max(high.saturating_sub(expected));
    let around = (1..=reach).flat_map(|offset| {
        let right = Some(expected + offset).filter(|&bin| bin <= high);
        let left = expected.checked_sub(offset).filter(|&bin| bin >= low);
        [right, left]
    });
    around.flatten().find(|&bin| is_peak(magnitude, bin))
}

/// The level of the highest harmonic near a formant.
fn highest_near(harmonics: &[Harmonic], formant: f64) -> Option<f64> {
    let near = (1.0 - REACH) * formant..=(1.0 + REACH) * formant;
    let highest =
        harmonics.iter().filter(|harmonic| harmonic.magnitude > 0.0 && near.contains(&harmonic.frequency));
    highest
        .reduce(|best, other| if other.magnitude > best.magnitude { other } else { best })
        .map(|best| best.level)
}
