//! K-means of which each step sees a draw of the rows alone.

use super::mean_distance;
use super::start::sample;
use crate::Result;
use crate::compute::Nearest;

/// Steps between two looks for centroids that win too little, in clusters' worth of rows.
const LOOK_AFTER: usize = 10;
/// A centroid that has won fewer rows than this share of the largest is put elsewhere.
const LEAST_SHARE: f64 = 0.01;

/// How many rows, for how long.
#[derive(Debug, Clone, Copy)]
pub(super) struct Plan {
    pub rows: usize,
    pub steps: usize,
    pub patience: usize,
}

/// Moves `centroids` towards the rows of each draw, less the more rows they have won before, and tells in how many steps.
pub(super) fn run(
    rows: &[f32],
    width: usize,
    mut centroids: Vec<f32>,
    plan: Plan,
    random: &mut fastrand::Rng,
    hear: &mut impl FnMut(usize, f64) -> Result<()>,
) -> Result<(Vec<f32>, usize)> {
    let (count, clusters) = (rows.len() / width, centroids.len() / width);
    let drawn = plan.rows.min(count);
    let mut won = vec![0_u64; clusters];
    let mut smooth = Smooth::new(2.0 * drawn as f64 / (count + 1) as f64, plan.patience);
    let mut since_look = 0;
    for step in 1..=plan.steps {
        let batch = sample(rows, width, drawn, random);
        let assigned = Nearest::new(&centroids, width).with_distances(&batch);
        let inertia = mean_distance(&assigned);
        hear(step, inertia)?;
        for (row, &(cluster, _)) in batch.chunks_exact(width).zip(&assigned) {
            let cluster = cluster as usize;
            won[cluster] += 1;
            let share = 1.0 / won[cluster] as f32;
            let centroid = &mut centroids[cluster * width..][..width];
            centroid
                .iter_mut()
                .zip(row)
                .for_each(|(centroid, value)| *centroid += share * (value - *centroid));
        }
        since_look += drawn;
        if since_look >= LOOK_AFTER * clusters {
            since_look = 0;
            move_idle(&mut centroids, &mut won, &batch, width, random);
        }
        if smooth.rests(inertia) {
            return Ok((centroids, step));
        }
    }
    Ok((centroids, plan.steps))
}

/// Puts centroids that win too little where a row of the draw is; each counts as having won as many as the least of the
/// others.
fn move_idle(
    centroids: &mut [f32],
    won: &mut [u64],
    batch: &[f32],
    width: usize,
    random: &mut fastrand::Rng,
) {
    let most = won.iter().copied().max().unwrap_or(0) as f64;
    let is_idle = |won: u64| (won as f64) < LEAST_SHARE * most;
    let idle: Vec<usize> = (0..won.len()).filter(|&cluster| is_idle(won[cluster])).collect();
    // A draw has so many rows to give.
    let idle = &idle[..idle.len().min(batch.len() / width / 2)];
    let least = won.iter().copied().filter(|&won| !is_idle(won)).min().unwrap_or(1);
    let places = sample(batch, width, idle.len(), random);
    for (&cluster, place) in idle.iter().zip(places.chunks_exact(width)) {
        centroids[cluster * width..][..width].copy_from_slice(place);
        won[cluster] = least;
    }
}

/// The inertia of draws, smoothed, and whether it has stopped to fall.
struct Smooth {
    share: f64,
    patience: usize,
    value: Option<f64>,
    least: f64,
    waited: usize,
}

impl Smooth {
    fn new(share: f64, patience: usize) -> Self {
        Self { share: share.min(1.0), patience, value: None, least: f64::INFINITY, waited: 0 }
    }

    fn rests(&mut self, inertia: f64) -> bool {
        let value = self.value.map_or(inertia, |value| value + self.share * (inertia - value));
        self.value = Some(value);
        match value < self.least {
            true => (self.least, self.waited) = (value, 0),
            false => self.waited += 1,
        }
        self.waited >= self.patience
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn idle_centroids_are_put_where_rows_are() {
        let (mut centroids, mut won) = (vec![0.0, 50.0], vec![1000, 2]);
        move_idle(&mut centroids, &mut won, &[3.0, 3.0, 3.0], 1, &mut fastrand::Rng::with_seed(0));
        assert_eq!((centroids, won), (vec![0.0, 3.0], vec![1000, 1000]));
    }

    #[test]
    fn it_rests_when_the_inertia_falls_no_more() {
        let mut smooth = Smooth::new(1.0, 2);
        let rests: Vec<bool> = [3.0, 2.0, 2.5, 1.0, 1.0, 1.2].into_iter().map(|x| smooth.rests(x)).collect();
        assert_eq!(rests, [false, false, false, false, false, true]);
    }
}
