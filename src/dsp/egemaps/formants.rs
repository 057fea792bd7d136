//! Formants as the poles of linear prediction.

use std::f64::consts::{PI, TAU};
use std::sync::Arc;

use realfft::num_complex::Complex64;
use realfft::{ComplexToReal, RealFftPlanner};

use super::roots::roots;

/// Rate to which a frame is resampled, in hertz.
const RATE: f64 = 11_000.0;
/// Samples of a short frame at that rate. The frame is in the middle of its padded spectrum, so the first of them
/// are padding, and the end of the frame is left out: so the reference has it.
const SAMPLES: usize = 220;
/// Samples of its padded spectrum at that rate.
const PADDED: usize = 352;
/// Bins of the spectrum that are kept: fewer than fit below half the rate, as the reference keeps them.
const BINS: usize = SAMPLES / 2;
const ORDER: usize = 11;
/// Formants looked for; three are described, but all tell which of the harmonics are theirs.
pub(super) const FORMANTS: usize = 5;
const RANGE: (f64, f64) = (50.0, 5450.0);

/// A resonance of the vocal tract; one of 0 Hz is none.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Formant {
    /// Centre in hertz.
    pub frequency: f64,
    /// Bandwidth in hertz.
    pub bandwidth: f64,
}

/// Finds formants of short frames.
pub(super) struct Formants {
    inverse: Arc<dyn ComplexToReal<f64>>,
    bins: Vec<Complex64>,
    sound: Vec<f64>,
    scratch: Vec<Complex64>,
}

impl Formants {
    pub(super) fn new() -> Self {
        let inverse = RealFftPlanner::new().plan_fft_inverse(PADDED);
        Self {
            bins: inverse.make_input_vec(),
            sound: inverse.make_output_vec(),
            scratch: inverse.make_scratch_vec(),
            inverse,
        }
    }

    /// The formants of a short frame's spectrum by rising frequency; the places left are empty.
    pub(super) fn find(&mut self, spectrum: &[Complex64]) -> [Formant; FORMANTS] {
        self.resample(spectrum);
        let mut found: Vec<Formant> =
            roots(&prediction(&self.sound[..SAMPLES])).into_iter().filter_map(formant).collect();
        found.sort_by(|a, b| a.frequency.total_cmp(&b.frequency));
        let mut formants = [Formant::default(); FORMANTS];
        for (place, formant) in formants.iter_mut().zip(found) {
            *place = formant;
        }
        formants
    }

    fn resample(&mut self, spectrum: &[Complex64]) {
        self.bins.fill(Complex64::ZERO);
        self.bins[0] = Complex64::new(spectrum[0].re, 0.0);
        for (bin, value) in self.bins.iter_mut().zip(&spectrum[..BINS]).skip(1) {
            *bin = value / 2.0;
        }
        self.inverse
            .process_with_scratch(&mut self.bins, &mut self.sound, &mut self.scratch)
            .expect("the buffers were made by this transform, and 0 Hz is real");
    }
}

/// Coefficients after the first of the polynomial whose roots are the poles, by the recursion of Levinson and
/// Durbin.
fn prediction(sound: &[f64]) -> [f64; ORDER] {
    let correlation: [f64; ORDER + 1] =
        std::array::from_fn(|lag| sound[lag..].iter().zip(sound).map(|(a, b)| a * b).sum());
    let mut filter = [0.0; ORDER];
    let mut error = correlation[0];
    for order in 0..ORDER {
        if error == 0.0 {
            break;
        }
        let sum: f64 = (0..order).map(|i| filter[i] * correlation[order - i]).sum();
        let reflection = -(correlation[order + 1] + sum) / error;
        let before = filter;
        for i in 0..order {
            filter[i] += reflection * before[order - 1 - i];
        }
        filter[order] = reflection;
        error *= 1.0 - reflection * reflection;
    }
    // The reference takes the filter's coefficients for those of the prediction, which are its negatives, and its
    // formants and their wide bands are the roots of what comes of that.
    filter.map(|coefficient| -coefficient)
}

/// The formant of a pole; poles of a pair make one.
fn formant(pole: Complex64) -> Option<Formant> {
    // A pole outside the unit circle stands for its mirror image within.
    let radius = if pole.norm() > 1.0 { 1.0 / pole.norm() } else { pole.norm() };
    let frequency = pole.arg() * RATE / TAU;
    let within = frequency >= RANGE.0 && frequency <= RANGE.1;
    within.then(|| Formant { frequency, bandwidth: -radius.ln() * RATE / PI })
}
