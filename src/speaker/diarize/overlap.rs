//! Where a second speaker is heard at once.
//!
//! The vector of a window in which two speak lies between their voices, but so does that of a window in which one follows the
//! other. What is heard in each window is therefore taken apart into voices (least squares, no share below zero), and a
//! linear rule weighs those shares, around each moment, against what the turns of the first voices put there.

use super::resegment::{MOMENT, Moments, spread};
use super::windows::Windows;
use crate::speaker::cosine;
use crate::time::Span;

/// Whether it is told where two speak at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Simultaneous {
    /// Two turns overlap there.
    Marked,
    /// Each moment has one speaker, the likeliest.
    Unmarked,
}

/// Moments away from the one that is judged, at which is looked.
const LOOKS: [isize; 5] = [-8, -4, 0, 4, 8];
/// Values at each: the share of the second voice, that of its turns, the same of the first voice, and what is left over.
const VALUES: usize = 5;
/// What is known of a moment.
pub const FEATURES: usize = LOOKS.len() * VALUES;

/// Weights of the features, and what is added. These were set by hand, not fitted: the share of the second voice must exceed
/// 0.3, and more where its turns are near. `examples/fit_overlap.rs` fits such numbers.
const WEIGHTS: [f32; FEATURES] = [
    0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 10.0, -8.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0,
    0.0, 0.0, 0.0, 0.0, 0.0,
];
const OFFSET: f32 = -3.0;
/// Moments that a second voice lasts at least: 0.3 s.
const LEAST_MOMENTS: usize = 3;
/// Rounds of the least squares.
const ROUNDS: usize = 60;

/// A moment at which a second voice may be heard.
pub struct Suspect {
    /// The second voice, if there is one.
    pub voice: usize,
    /// What is known of it.
    pub features: [f32; FEATURES],
}

/// Windows taken apart into voices.
pub struct Apart {
    /// `[window][voice]`, and what is left over in the last place.
    shares: Vec<Vec<f32>>,
    cut: Windows,
}

impl Apart {
    /// Takes `vectors` of windows, cut so, apart.
    pub fn new(vectors: &[Vec<f32>], voices: &[Vec<f32>], cut: Windows) -> Self {
        let among: Vec<Vec<f32>> =
            voices.iter().map(|a| voices.iter().map(|b| cosine(a, b)).collect()).collect();
        let shares = vectors.iter().map(|vector| {
            let alike: Vec<f32> = voices.iter().map(|voice| cosine(vector, voice)).collect();
            let mut shares = shares(&among, &alike);
            // Of a vector of length 1, the square of what is left over.
            let explained: f32 = shares.iter().zip(&alike).map(|(share, alike)| share * alike).sum();
            shares.push((1.0 - explained).max(0.0).sqrt());
            shares
        });
        Self { shares: shares.collect(), cut }
    }

    /// What is known of each moment, given its first voice; nothing where there is one voice alone.
    pub fn suspects(&self, moments: &Moments, first: &[usize], windows: &[Span]) -> Vec<Suspect> {
        let heard = spread(&moments.spans, windows, &self.shares, 2 * self.cut.hop);
        let voices = self.shares.first().map_or(0, |shares| shares.len() - 1);
        if voices < 2 {
            return Vec::new();
        }
        let reach = (self.cut.length / MOMENT / 2) as usize;
        let suspect = |at: usize| {
            let others = (0..voices).filter(|&voice| voice != first[at]);
            let voice = others.max_by(|&a, &b| heard[at][a].total_cmp(&heard[at][b])).unwrap_or(0);
            let mut features = [0.0; FEATURES];
            for (look, values) in LOOKS.iter().zip(features.chunks_exact_mut(VALUES)) {
                let there = at.saturating_add_signed(*look).min(first.len() - 1);
                let near = moments.near(there, reach);
                let turns = |voice: usize| {
                    near.clone().filter(|&other| first[other] == voice).count() as f32
                        / (2 * reach + 1) as f32
                };
                let left = heard[there][voices];
                values.copy_from_slice(&[
                    heard[there][voice],
                    turns(voice),
                    heard[there][first[at]],
                    turns(first[at]),
                    left,
                ]);
            }
            Suspect { voice, features }
        };
        (0..first.len()).map(suspect).collect()
    }
}

/// Moments in which a second voice is heard, and which.
pub fn second_voices(suspects: &[Suspect]) -> Vec<(usize, usize)> {
    let is_heard = |features: &[f32; FEATURES]| {
        features.iter().zip(WEIGHTS).map(|(x, weight)| x * weight).sum::<f32>() + OFFSET > 0.0
    };
    let seconds: Vec<Option<usize>> =
        suspects.iter().map(|suspect| is_heard(&suspect.features).then_some(suspect.voice)).collect();
    let mut found = Vec::new();
    let mut at = 0;
    for run in seconds.chunk_by(|a, b| a == b) {
        if let Some(voice) = run[0].filter(|_| run.len() >= LEAST_MOMENTS) {
            found.extend((at..at + run.len()).map(|moment| (moment, voice)));
        }
        at += run.len();
    }
    found
}

/// The shares, none below zero, by which voices add up to what is heard most nearly: `among` has the cosines of voices,
/// `alike` those of what is heard with each. One coordinate after the other (Franc, Hlaváč and Navara, 2005).
fn shares(among: &[Vec<f32>], alike: &[f32]) -> Vec<f32> {
    let mut shares = vec![0.0f32; alike.len()];
    for _ in 0..ROUNDS {
        for voice in 0..shares.len() {
            let explained: f32 = among[voice].iter().zip(&shares).map(|(a, share)| a * share).sum();
            let itself = among[voice][voice].max(f32::MIN_POSITIVE);
            shares[voice] = (shares[voice] + (alike[voice] - explained) / itself).max(0.0);
        }
    }
    shares
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::SampleIndex;

    #[test]
    fn what_is_heard_is_taken_apart() {
        let among = [vec![1.0, 0.6], vec![0.6, 1.0]];
        // Half of the first and a quarter of the second.
        let found = shares(&among, &[0.5 + 0.6 * 0.25, 0.6 * 0.5 + 0.25]);
        assert!((found[0] - 0.5).abs() < 1e-4 && (found[1] - 0.25).abs() < 1e-4, "{found:?}");
        // Further away from the second than the first is.
        let found = shares(&among, &[0.5, 0.1]);
        assert!((found[0] - 0.5).abs() < 1e-4 && found[1] == 0.0, "{found:?}");
    }

    /// Twelve seconds: the first voice alone, then the second as well from second 4 to 8, then the second alone.
    #[test]
    fn a_lasting_second_voice_is_heard_and_a_change_is_none() {
        let voices = [vec![1.0, 0.0, 0.0], vec![0.0, 1.0, 0.0]];
        let cut = Windows { length: 16 * MOMENT, hop: 4 * MOMENT };
        let speech = [Span::new(SampleIndex(0), SampleIndex(120 * MOMENT))];
        let windows = cut.of(&speech);
        let found = |both: std::ops::Range<u64>, change: u64| {
            let vector = |window: &Span| {
                let moments = (window.start.0 / MOMENT)..(window.end.0 / MOMENT);
                let second = moments.clone().filter(|at| *at >= change || both.contains(at)).count() as f32;
                let first = moments.clone().filter(|at| *at < change || both.contains(at)).count() as f32;
                super::super::vectors::unit(vec![first, second, 0.3 * 16.0])
            };
            let vectors: Vec<Vec<f32>> = windows.iter().map(vector).collect();
            let moments = Moments::of(&speech, &windows, &vectors, &voices);
            let first = moments.likeliest();
            second_voices(&Apart::new(&vectors, &voices, cut).suspects(&moments, &first, &windows))
        };
        let both = found(40..80, 80);
        let inside = both.iter().filter(|(at, _)| (40..80).contains(at)).count();
        assert!(inside > 20 && inside + 8 > both.len(), "{both:?}");
        let change = found(0..0, 60);
        assert!(change.len() <= 6, "{change:?}");
    }
}
