//! Lloyd's iterations: rows go to the nearest centroid, centroids to the mean of their rows.

use rayon::prelude::*;

use super::mean_distance;
use crate::Result;
use crate::compute::Nearest;

/// Moves `centroids` until they rest, and tells in how many iterations.
pub(super) fn run(
    rows: &[f32],
    width: usize,
    mut centroids: Vec<f32>,
    (iterations, tolerance): (usize, f64),
    hear: &mut impl FnMut(usize, f64) -> Result<()>,
) -> Result<(Vec<f32>, usize)> {
    let rest = tolerance * mean_variance(rows, width);
    for iteration in 1..=iterations {
        let assigned = Nearest::new(&centroids, width).with_distances(rows);
        hear(iteration, mean_distance(&assigned))?;
        let moved = means(rows, width, &assigned, centroids.len() / width);
        let movement: f64 = moved.iter().zip(&centroids).map(|(a, b)| f64::from(a - b).powi(2)).sum();
        centroids = moved;
        if movement <= rest {
            return Ok((centroids, iteration));
        }
    }
    Ok((centroids, iterations))
}

/// The mean of the rows of each cluster. A cluster without rows gets the row that is farthest from its centroid; of several
/// such clusters the next gets the next.
fn means(rows: &[f32], width: usize, assigned: &[(u32, f32)], clusters: usize) -> Vec<f32> {
    let mut members = vec![Vec::new(); clusters];
    for (row, &(cluster, _)) in assigned.iter().enumerate() {
        members[cluster as usize].push(row);
    }
    for row in farthest(assigned, members.iter().filter(|members| members.is_empty()).count()) {
        if let Some(empty) = members.iter_mut().find(|members| members.is_empty()) {
            empty.push(row);
        }
    }
    let mean = |members: &Vec<usize>| {
        let mut sum = vec![0.0_f64; width];
        for &row in members {
            let row = &rows[row * width..][..width];
            sum.iter_mut().zip(row).for_each(|(sum, &value)| *sum += f64::from(value));
        }
        sum.into_iter().map(|sum| (sum / members.len() as f64) as f32).collect::<Vec<_>>()
    };
    members.par_iter().flat_map_iter(mean).collect()
}

/// The `count` rows that are farthest from their centroids, the farthest first, of equals the first.
fn farthest(assigned: &[(u32, f32)], count: usize) -> Vec<usize> {
    if count == 0 {
        return Vec::new();
    }
    let mut order: Vec<usize> = (0..assigned.len()).collect();
    order.sort_by(|&a, &b| assigned[b].1.total_cmp(&assigned[a].1).then(a.cmp(&b)));
    order.truncate(count);
    order
}

/// The mean over features of their variance.
fn mean_variance(rows: &[f32], width: usize) -> f64 {
    let count = (rows.len() / width).max(1) as f64;
    let (mut sums, mut squares) = (vec![0.0; width], vec![0.0; width]);
    for row in rows.chunks_exact(width) {
        for ((sum, square), &value) in sums.iter_mut().zip(&mut squares).zip(row) {
            *sum += f64::from(value);
            *square += f64::from(value).powi(2);
        }
    }
    let variance = |(sum, square): (&f64, &f64)| (square / count - (sum / count).powi(2)).max(0.0);
    sums.iter().zip(&squares).map(variance).sum::<f64>() / width as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clusters_without_rows_get_the_farthest() {
        let rows = [0.0, 1.0, 9.0, 8.0];
        let assigned = [(0, 0.0), (0, 1.0), (0, 81.0), (0, 64.0)];
        assert_eq!(means(&rows, 1, &assigned, 3), [4.5, 9.0, 8.0]);
    }

    #[test]
    fn the_variance_is_the_mean_of_those_of_features() {
        assert!((mean_variance(&[1.0, 0.0, 3.0, 4.0], 2) - 2.5).abs() < 1e-12);
    }
}
