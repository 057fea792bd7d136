//! Where centroids begin: rows far from one another, drawn by k-means++.

use rayon::prelude::*;

use super::KMeansOptions;

/// Rows whose distances are computed by one task.
const BLOCK_ROWS: usize = 256;

/// As many rows as there are clusters, each drawn in proportion to its squared distance from those before it; of a few that
/// are drawn, the one is taken that leaves the others nearest.
pub(super) fn plus_plus(
    rows: &[f32],
    width: usize,
    options: &KMeansOptions,
    random: &mut fastrand::Rng,
) -> Vec<f32> {
    let clusters = options.clusters;
    let drawn;
    let rows = match rows.len() / width {
        count if count > options.start_rows.max(clusters) => {
            drawn = sample(rows, width, options.start_rows.max(clusters), random);
            &drawn
        }
        _ => rows,
    };
    let count = rows.len() / width;
    let candidates = 2 + (clusters as f64).ln() as usize;
    let mut centroids = Vec::with_capacity(clusters * width);
    centroids.extend_from_slice(row(rows, width, random.usize(..count)));
    let mut nearest = distances(rows, &centroids);
    while centroids.len() < clusters * width {
        let whole: f64 = nearest.iter().map(|&distance| f64::from(distance)).sum();
        let mut best: Option<(f64, Vec<f32>, usize)> = None;
        for _ in 0..candidates {
            let candidate = draw(&nearest, whole, random);
            let mut left = distances(rows, row(rows, width, candidate));
            left.iter_mut().zip(&nearest).for_each(|(left, &before)| *left = left.min(before));
            let sum = left.iter().map(|&distance| f64::from(distance)).sum();
            if best.as_ref().is_none_or(|(least, ..)| sum < *least) {
                best = Some((sum, left, candidate));
            }
        }
        let Some((_, left, chosen)) = best else { break };
        centroids.extend_from_slice(row(rows, width, chosen));
        nearest = left;
    }
    centroids
}

/// `count` different rows, in their order.
pub(super) fn sample(rows: &[f32], width: usize, count: usize, random: &mut fastrand::Rng) -> Vec<f32> {
    let mut chosen = random.choose_multiple(0..rows.len() / width, count);
    chosen.sort_unstable();
    chosen.into_iter().flat_map(|at| row(rows, width, at)).copied().collect()
}

/// A row, drawn in proportion to `weights`; any where all are zero.
fn draw(weights: &[f32], whole: f64, random: &mut fastrand::Rng) -> usize {
    if whole <= 0.0 {
        return random.usize(..weights.len());
    }
    let mut left = random.f64() * whole;
    let fits = |&weight: &f32| {
        left -= f64::from(weight);
        left < 0.0
    };
    // Rounding may leave a little after the last.
    let last = weights.iter().rposition(|&weight| weight > 0.0).unwrap_or(0);
    weights.iter().position(fits).unwrap_or(last)
}

/// Squared distances of rows to a point.
fn distances(rows: &[f32], point: &[f32]) -> Vec<f32> {
    let distance = |row: &[f32]| row.iter().zip(point).map(|(a, b)| (a - b) * (a - b)).sum::<f32>();
    let block = |rows: &[f32]| rows.chunks_exact(point.len()).map(distance).collect::<Vec<_>>();
    rows.par_chunks(BLOCK_ROWS * point.len()).flat_map_iter(block).collect()
}

fn row(rows: &[f32], width: usize, at: usize) -> &[f32] {
    &rows[at * width..][..width]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_drawn_by_their_weight() {
        let mut random = fastrand::Rng::with_seed(1);
        let mut counts = [0; 4];
        (0..4000).for_each(|_| counts[draw(&[0.0, 1.0, 3.0, 0.0], 4.0, &mut random)] += 1);
        assert_eq!((counts[0], counts[3]), (0, 0));
        assert!((900..1100).contains(&counts[1]), "{counts:?}");
        assert!(draw(&[0.0; 3], 0.0, &mut random) < 3);
    }
}
