//! Candidates of the pitch by sub-harmonic summation: Hermes, "Measurement of pitch by subharmonic summation"
//! (1988).

use super::octaves::{POINTS, octave, points_per_octave};
use super::parabola::vertex;

/// Candidates kept of a frame.
pub(super) const CANDIDATES: usize = 6;
const HARMONICS: usize = 15;
/// The weight of a harmonic over that of the one below it.
const COMPRESSION: f64 = 0.85;
/// The lowest and the highest pitch, in hertz.
const RANGE: (f64, f64) = (55.0, 1000.0);

/// A frequency that may be the pitch; one of 0 Hz is none.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Candidate {
    /// Hertz.
    pub frequency: f64,
    /// How sure it is, from 0 to 1.
    pub voicing: f64,
}

/// The best candidates of a frame, the highest sum first; the places left are empty.
pub(super) type Candidates = [Candidate; CANDIDATES];

/// Candidates of an octave spectrum.
pub(super) fn candidates(spectrum: &[f64]) -> Candidates {
    let sums = subharmonic_sums(spectrum);
    let mean = sums.iter().sum::<f64>() / POINTS as f64;
    let mut found: Vec<(f64, Candidate)> =
        highest_peaks(&sums).into_iter().map(|at| candidate(&sums, at, mean)).collect();
    found.retain(|(_, candidate)| candidate.frequency >= RANGE.0 && candidate.frequency <= RANGE.1);
    // Between samples a lower peak may be the higher one: only the best has to be first.
    let best = (0..found.len()).rev().max_by(|&a, &b| found[a].0.total_cmp(&found[b].0));
    if let Some(best) = best {
        found.swap(0, best);
    }
    let mut candidates = Candidates::default();
    for (place, (_, candidate)) in candidates.iter_mut().zip(found) {
        *place = candidate;
    }
    candidates
}

/// Adds what lies at the harmonics of a point to it.
fn subharmonic_sums(spectrum: &[f64]) -> Vec<f64> {
    let mut sums = spectrum.to_vec();
    let mut weight = 1.0;
    for harmonic in 2..=HARMONICS {
        weight *= COMPRESSION;
        let shift = (points_per_octave() * (harmonic as f64).log2()).floor() as usize;
        for (sum, value) in sums.iter_mut().zip(&spectrum[shift.min(POINTS)..]) {
            *sum += value * weight;
        }
    }
    for sum in &mut sums {
        *sum /= HARMONICS as f64;
    }
    sums
}

/// Places of the highest peaks, the highest first.
fn highest_peaks(sums: &[f64]) -> Vec<usize> {
    let mut peaks: Vec<usize> =
        (1..sums.len() - 1).filter(|&i| sums[i - 1] < sums[i] && sums[i] > sums[i + 1]).collect();
    peaks.sort_by(|&a, &b| sums[b].total_cmp(&sums[a]));
    peaks.truncate(CANDIDATES);
    peaks
}

/// The candidate of a peak, with the height of its top.
fn candidate(sums: &[f64], at: usize, mean: f64) -> (f64, Candidate) {
    let (place, height) = vertex([sums[at - 1], sums[at], sums[at + 1]]);
    let voicing = if height > mean { 1.0 - mean / height } else { 0.0 };
    (height, Candidate { frequency: octave(at as f64 + place).exp2(), voicing })
}
