//! Where a second speaker is heard at once.
//!
//! The vector of a window in which two speak lies between their voices, but so does that of a window in which one follows the
//! other. What is heard is therefore taken apart into voices (least squares, no share below zero), and a second voice counts
//! where its share exceeds what the turns of [`first voices`](super::resegment::Moments::likeliest) put into the window.

use super::resegment::{MOMENT, Moments};
use crate::speaker::cosine;

/// Whether it is told where two speak at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Simultaneous {
    /// Two turns overlap there.
    Marked,
    /// Each moment has one speaker, the likeliest.
    Unmarked,
}

/// The share of a second voice from which it counts.
const LEAST_SHARE: f32 = 0.3;
/// By how much it must exceed that of its turns.
const LEAST_EXCESS: f32 = 0.15;
/// Moments that a second voice lasts at least: 0.3 s.
const LEAST_MOMENTS: usize = 3;
/// Rounds of the least squares.
const ROUNDS: usize = 60;

/// Moments in which a second voice is heard, and which, given the first of each. Windows are of `window` samples.
pub fn second_voices(
    moments: &Moments,
    first: &[usize],
    voices: &[Vec<f32>],
    window: u64,
) -> Vec<(usize, usize)> {
    if voices.len() < 2 {
        return Vec::new();
    }
    let among: Vec<Vec<f32>> = voices.iter().map(|a| voices.iter().map(|b| cosine(a, b)).collect()).collect();
    let reach = (window / MOMENT / 2) as usize;
    let second = |at: usize| {
        let shares = shares(&among, &moments.alike[at]);
        let (voice, share) = shares
            .iter()
            .copied()
            .enumerate()
            .filter(|(voice, _)| *voice != first[at])
            .max_by(|(_, a), (_, b)| a.total_cmp(b))?;
        let near = moments.near(at, reach);
        let own = near.clone().filter(|&other| first[other] == voice).count() as f32 / near.len() as f32;
        (share > LEAST_SHARE && share > own + LEAST_EXCESS).then_some(voice)
    };
    let seconds: Vec<Option<usize>> = (0..first.len()).map(second).collect();
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
    use crate::time::{SampleIndex, Span};

    fn moments(alike: Vec<Vec<f32>>) -> Moments {
        let span = |at: u64| Span::new(SampleIndex(at * MOMENT), SampleIndex((at + 1) * MOMENT));
        Moments { spans: (0..alike.len() as u64).map(span).collect(), alike }
    }

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

    /// One voice follows the other: windows around the change hold both, but never at once.
    #[test]
    fn a_change_is_no_overlap_and_a_lasting_second_voice_is() {
        let voices = [vec![1.0, 0.0], vec![0.0, 1.0]];
        let first: Vec<usize> = (0..40).map(|at| usize::from(at >= 20)).collect();
        let change = |at: usize| {
            let second = ((at as f32 - 12.0) / 16.0).clamp(0.0, 1.0);
            vec![1.0 - second, second]
        };
        let changing = moments((0..40).map(change).collect());
        assert_eq!(second_voices(&changing, &first, &voices, 16 * MOMENT), []);
        let both = moments((0..40).map(|at| if at < 10 { vec![0.5, 0.5] } else { change(at) }).collect());
        let found = second_voices(&both, &first, &voices, 16 * MOMENT);
        assert_eq!(found, (0..10).map(|at| (at, 1)).collect::<Vec<_>>());
        assert_eq!(second_voices(&both, &vec![0; 40], &voices[..1], 16 * MOMENT), []);
    }
}
