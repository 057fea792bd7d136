//! Spectral clustering that finds by itself how many neighbours and how many speakers there are.
//!
//! Park, Han, Kumar and Narayanan, "Auto-tuning spectral clustering for speaker diarization using normalized maximum eigengap"
//! (IEEE Signal Processing Letters 2019): each vector keeps its `p` nearest neighbours; of several `p` that is taken for which
//! the share of neighbours over the largest gap between the least eigenvalues of the graph's Laplacian is least (section III);
//! that gap's place is the number of speakers.

use super::Speakers;
use super::eigen::{Wanted, eigen};
use super::kmeans::kmeans;
use crate::speaker::cosine;

/// The shares of vectors that are tried as number of neighbours: from the first to the second, in so many steps.
const SHARES: (f64, f64, usize) = (0.02, 0.3, 12);
/// Neighbours at least.
const LEAST_NEIGHBOURS: usize = 2;

/// The speaker of each of `vectors`, which are of length 1, numbered from 0.
pub fn spectral(vectors: &[Vec<f32>], speakers: Speakers) -> Vec<usize> {
    let size = vectors.len();
    let most = speakers.most.min(size);
    if most < 2 {
        return vec![0; size];
    }
    let neighbours = neighbours(vectors);
    let mut best: Option<(f64, usize, usize)> = None;
    for count in counts(size) {
        let values = eigen(&laplacian(&neighbours, count), size, Wanted::Values).values;
        let (gap, found) = largest_gap(&values, speakers.least.min(most), most);
        let normalised = gap / values.last().copied().unwrap_or(0.0).max(f64::MIN_POSITIVE);
        let ratio = count as f64 / size as f64 / normalised.max(1e-9);
        if best.is_none_or(|(least, ..)| ratio < least) {
            best = Some((ratio, count, found));
        }
    }
    let Some((_, count, found)) = best.filter(|(.., found)| *found > 1) else { return vec![0; size] };
    let vectors = eigen(&laplacian(&neighbours, count), size, Wanted::Vectors).vectors;
    let points: Vec<Vec<f64>> =
        (0..size).map(|row| vectors[..found].iter().map(|vector| vector[row]).collect()).collect();
    kmeans(&points, found)
}

/// Of each vector the others, from the nearest.
fn neighbours(vectors: &[Vec<f32>]) -> Vec<Vec<usize>> {
    let of = |at: usize| {
        let mut others: Vec<(usize, f32)> = (0..vectors.len())
            .filter(|&other| other != at)
            .map(|other| (other, cosine(&vectors[at], &vectors[other])))
            .collect();
        others.sort_by(|(_, a), (_, b)| b.total_cmp(a));
        others.into_iter().map(|(other, _)| other).collect()
    };
    (0..vectors.len()).map(of).collect()
}

/// The numbers of neighbours that are tried.
fn counts(size: usize) -> Vec<usize> {
    let (first, last, steps) = SHARES;
    let share = |step: usize| first + (last - first) * step as f64 / (steps - 1) as f64;
    let count =
        |step: usize| ((share(step) * size as f64) as usize).clamp(LEAST_NEIGHBOURS.min(size - 1), size - 1);
    let mut counts: Vec<usize> = (0..steps).map(count).collect();
    counts.dedup();
    counts
}

/// The Laplacian of the graph in which each is tied to its `count` nearest, half as strongly where that is not mutual.
fn laplacian(neighbours: &[Vec<usize>], count: usize) -> Vec<f64> {
    let size = neighbours.len();
    let mut matrix = vec![0.0; size * size];
    for (at, others) in neighbours.iter().enumerate() {
        for &other in &others[..count] {
            for (a, b) in [(at, other), (other, at)] {
                matrix[a * size + b] -= 0.5;
                matrix[a * size + a] += 0.5;
            }
        }
    }
    matrix
}

/// The largest gap above one of the `least..=most` least values, and how many values lie below it.
fn largest_gap(values: &[f64], least: usize, most: usize) -> (f64, usize) {
    let gap = |count: usize| values.get(count).map_or(0.0, |above| above - values[count - 1]);
    let gaps = (least.max(1)..=most).map(|count| (gap(count), count));
    gaps.fold((f64::NEG_INFINITY, 1), |best, found| if found.0 > best.0 { found } else { best })
}

#[cfg(test)]
mod tests {
    use super::super::vectors::{renumbered, unit};
    use super::*;

    /// Vectors around as many directions as there are counts, in turn.
    fn around(counts: &[usize], noise: f32) -> (Vec<Vec<f32>>, Vec<usize>) {
        let mut random = fastrand::Rng::with_seed(5);
        let truth: Vec<usize> =
            counts.iter().enumerate().flat_map(|(group, &count)| vec![group; count]).collect();
        let vector = |&group: &usize| {
            let mut vector: Vec<f32> = (0..8).map(|_| noise * (random.f32() - 0.5)).collect();
            vector[group] += 1.0;
            unit(vector)
        };
        (truth.iter().map(vector).collect(), truth)
    }

    #[test]
    fn speakers_are_counted_and_told_apart() {
        for counts in [vec![20, 30], vec![12, 40, 25], vec![15, 15, 15, 15]] {
            let (vectors, truth) = around(&counts, 0.3);
            let found = spectral(&vectors, Speakers::default());
            assert_eq!(renumbered(&found), (truth, counts.len()));
        }
    }

    #[test]
    fn a_number_that_is_given_is_kept() {
        let (vectors, truth) = around(&[20, 30, 10], 0.3);
        assert_eq!(renumbered(&spectral(&vectors, Speakers::exactly(3))), (truth, 3));
        assert_eq!(renumbered(&spectral(&vectors, Speakers::exactly(2))).1, 2);
        assert_eq!(renumbered(&spectral(&vectors, Speakers::exactly(1))).1, 1);
    }

    #[test]
    fn few_vectors_do_no_harm() {
        for count in 0..4 {
            let (vectors, _) = around(&[count], 0.1);
            assert_eq!(spectral(&vectors, Speakers::default()).len(), count);
            assert_eq!(spectral(&vectors, Speakers::exactly(3)).len(), count);
        }
    }
}
