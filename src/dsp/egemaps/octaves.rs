//! Spectra on a scale of octaves, on which the harmonics of every pitch make the same pattern.

use std::f64::consts::PI;

use super::spectra::{LONG_FFT, LONG_STEP};

/// Points of an octave spectrum: as many as the long spectrum has bins.
pub(super) const POINTS: usize = LONG_FFT / 2 + 1;
/// The lowest frequency of the scale, in hertz.
const LOWEST: f64 = 25.0;
const HIGHEST: f64 = 8000.0;
/// Bins this far from a peak and farther are no part of it.
const PEAK_REACH: usize = 3;

/// How a point is made of the spline's piece it lies on.
struct Piece {
    below: usize,
    weights: [f64; 4],
}

/// The plan of the change of scale: natural cubic splines over the logarithms of the bins' frequencies.
pub(super) struct Octaves {
    places: Vec<f64>,
    pieces: Vec<Piece>,
    hearing: Vec<f64>,
    enhanced: Vec<f64>,
    second: Vec<f64>,
    work: Vec<f64>,
    /// The last spectrum, `[POINTS]`.
    pub spectrum: Vec<f64>,
}

impl Octaves {
    pub(super) fn new() -> Self {
        let mut places: Vec<f64> = (0..POINTS).map(|bin| (bin as f64 * LONG_STEP).log2()).collect();
        // The logarithm of 0 Hz is set as if the bins below went on like those above it.
        places[0] = 2.0 * places[1] - places[2];
        let hearing = |i: usize| {
            let middle = points_per_octave() * (65.0_f64 / 50.0).log2() - 1.0;
            0.5 + (3.0 * (i as f64 + 1.0 - middle) / points_per_octave()).atan() / PI
        };
        Self {
            pieces: (0..POINTS).map(|i| piece(&places, octave(i as f64))).collect(),
            hearing: (0..POINTS).map(hearing).collect(),
            enhanced: vec![0.0; POINTS],
            second: vec![0.0; POINTS],
            work: vec![0.0; POINTS],
            spectrum: vec![0.0; POINTS],
            places,
        }
    }

    /// Enhances the peaks of a long frame's magnitudes, smooths them, changes the scale and weights as the ear.
    pub(super) fn transform(&mut self, magnitude: &[f64]) {
        self.enhanced.copy_from_slice(magnitude);
        enhance(&mut self.enhanced);
        smooth(&mut self.enhanced);
        self.second_derivatives();
        for ((out, piece), hearing) in self.spectrum.iter_mut().zip(&self.pieces).zip(&self.hearing) {
            let [a, b, c, d] = piece.weights;
            let (y, second) = (&self.enhanced[piece.below..], &self.second[piece.below..]);
            let value = a * y[0] + b * y[1] + c * second[0] + d * second[1];
            *out = value.max(0.0) * hearing;
        }
    }

    /// Solves the tridiagonal system of the natural spline.
    fn second_derivatives(&mut self) {
        let (x, y, last) = (&self.places, &self.enhanced, POINTS - 1);
        (self.second[0], self.work[0]) = (0.0, 0.0);
        for i in 1..last {
            let (left, right, both) = (x[i] - x[i - 1], x[i + 1] - x[i], x[i + 1] - x[i - 1]);
            let share = left / both;
            let pivot = share * self.second[i - 1] + 2.0;
            let bend = (y[i + 1] - y[i]) / right - (y[i] - y[i - 1]) / left;
            self.second[i] = (share - 1.0) / pivot;
            self.work[i] = (6.0 * bend / both - share * self.work[i - 1]) / pivot;
        }
        self.second[last] = 0.0;
        for i in (0..last).rev() {
            self.second[i] = self.second[i] * self.second[i + 1] + self.work[i];
        }
    }
}

/// Points of the scale in an octave, counting the point at either end.
pub(super) fn points_per_octave() -> f64 {
    POINTS as f64 / (HIGHEST / LOWEST).log2()
}

/// Octaves over 1 Hz at a point of the scale.
pub(super) fn octave(point: f64) -> f64 {
    LOWEST.log2() + point * (HIGHEST / LOWEST).log2() / (POINTS - 1) as f64
}

fn piece(places: &[f64], x: f64) -> Piece {
    let above = places.partition_point(|&place| place < x).clamp(1, POINTS - 1);
    let width = places[above] - places[above - 1];
    let a = (places[above] - x) / width;
    let b = 1.0 - a;
    let cubic = |w: f64| (w * w * w - w) * width * width / 6.0;
    Piece { below: above - 1, weights: [a, b, cubic(a), cubic(b)] }
}

/// Empties what lies between peaks.
fn enhance(magnitude: &mut [f64]) {
    let last = magnitude.len() - 1;
    let rises = |at: usize| at == 0 || magnitude[at] > magnitude[at - 1];
    let falls = |at: usize| {
        at == last || if at == 0 { magnitude[0] > magnitude[1] } else { magnitude[at] >= magnitude[at + 1] }
    };
    let peaks: Vec<usize> = (0..=last).filter(|&at| rises(at) && falls(at)).collect();
    if peaks.len() == 1 {
        // The reference looks one peak too far where there is one alone, and takes it for one at 0 Hz.
        magnitude[PEAK_REACH..].fill(0.0);
    }
    for pair in peaks.windows(2) {
        let (from, to) = (pair[0] + PEAK_REACH, (pair[1] + 1).saturating_sub(PEAK_REACH));
        if from < to {
            magnitude[from..to].fill(0.0);
        }
    }
}

/// Averages over three bins, the middle one twice; the last is left.
fn smooth(magnitude: &mut [f64]) {
    let mut before = 0.0;
    for i in 0..magnitude.len() - 1 {
        let here = magnitude[i];
        magnitude[i] = (before + 2.0 * here + magnitude[i + 1]) / 4.0;
        before = here;
    }
}
