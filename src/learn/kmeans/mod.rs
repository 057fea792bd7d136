//! Clusters without labels: k-means, over all rows at once or over small draws of them.
//!
//! The start is k-means++ (Arthur and Vassilvitskii, 2007), each centroid the best of a few candidates; all rows at once are
//! Lloyd's iterations (1982), draws are Sculley's "Web-scale k-means clustering" (2010), with centroids that win too little
//! put elsewhere. Of several starts the one with the least inertia is kept. The same seed gives the same centroids to the
//! bit, with any number of threads: sums are taken in the order of the rows.

mod batches;
mod lloyd;
mod start;

use crate::compute::Nearest;
use crate::{Error, Result};

/// How to cluster.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct KMeansOptions {
    /// Number of clusters.
    pub clusters: usize,
    /// How rows are taken.
    pub method: Method,
    /// Times that it is begun anew; the best is kept.
    pub starts: usize,
    /// Rows that the start is found among at most.
    pub start_rows: usize,
    /// The seed of everything that is drawn.
    pub seed: u64,
}

/// How rows are taken.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Method {
    /// All of them in each iteration.
    Full {
        /// Iterations at most.
        iterations: usize,
        /// Ends where the squared movement of all centroids together is at most this share of the variance of a feature.
        tolerance: f64,
    },
    /// A draw of them in each step.
    Batches {
        /// Rows of a draw.
        rows: usize,
        /// Steps at most.
        steps: usize,
        /// Ends after so many steps without a smaller smoothed inertia.
        patience: usize,
    },
}

impl Default for Method {
    fn default() -> Self {
        Self::Full { iterations: 100, tolerance: 1e-4 }
    }
}

impl Default for KMeansOptions {
    fn default() -> Self {
        Self { clusters: 200, method: Method::default(), starts: 1, start_rows: 20_000, seed: 0 }
    }
}

/// Centroids, and how far rows are from them.
#[derive(Debug, Clone, PartialEq)]
pub struct KMeans {
    /// `[clusters, width]`.
    pub centroids: Vec<f32>,
    /// Values of a row.
    pub width: usize,
    /// The mean squared distance of a row to the nearest centroid.
    pub inertia: f64,
    /// Iterations or steps of the start that was kept.
    pub steps: usize,
}

/// What is told while it goes on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Step {
    /// Which start, counted from 0.
    pub start: usize,
    /// Which iteration or step, counted from 1.
    pub number: usize,
    /// The mean squared distance of the rows of it.
    pub inertia: f64,
}

impl KMeans {
    /// Clusters `rows`, `[rows, width]`. `hear` is told of each step and may end the work with an error.
    ///
    /// # Errors
    /// [`Error::Setting`] where there are fewer rows than clusters, a value is not finite, or a setting has no sense; those of
    /// `hear`.
    pub fn fit(
        rows: &[f32],
        width: usize,
        options: &KMeansOptions,
        mut hear: impl FnMut(Step) -> Result<()>,
    ) -> Result<Self> {
        check(rows, width, options)?;
        let mut best: Option<Self> = None;
        for start in 0..options.starts {
            let mut random = fastrand::Rng::with_seed(options.seed.wrapping_add(start as u64));
            let first = start::plus_plus(rows, width, options, &mut random);
            let mut told = |number, inertia| hear(Step { start, number, inertia });
            let (centroids, steps) = match options.method {
                Method::Full { iterations, tolerance } => {
                    lloyd::run(rows, width, first, (iterations, tolerance), &mut told)?
                }
                Method::Batches { rows: of, steps, patience } => {
                    let plan = batches::Plan { rows: of, steps, patience };
                    batches::run(rows, width, first, plan, &mut random, &mut told)?
                }
            };
            let inertia = inertia(rows, width, &centroids);
            if best.as_ref().is_none_or(|best| inertia < best.inertia) {
                best = Some(Self { centroids, width, inertia, steps });
            }
        }
        best.ok_or_else(|| Error::Setting("k-means needs at least one start".into()))
    }
}

fn check(rows: &[f32], width: usize, options: &KMeansOptions) -> Result<()> {
    let refused = |reason: String| Err(Error::Setting(reason));
    if width == 0 || !rows.len().is_multiple_of(width) {
        return refused(format!("{} values are no rows of {width}", rows.len()));
    }
    let (count, clusters) = (rows.len() / width, options.clusters);
    if clusters == 0 || count < clusters {
        return refused(format!("{count} rows cannot be cut into {clusters} clusters; give more sound"));
    }
    if let Some(at) = rows.iter().position(|value| !value.is_finite()) {
        return refused(format!("value {} of row {} is not finite", at % width, at / width));
    }
    match options.method {
        Method::Batches { rows: 0, .. } => refused("a draw needs at least one row".into()),
        _ => Ok(()),
    }
}

/// The mean squared distance of a row to the nearest of `centroids`.
fn inertia(rows: &[f32], width: usize, centroids: &[f32]) -> f64 {
    mean_distance(&Nearest::new(centroids, width).with_distances(rows))
}

fn mean_distance(assigned: &[(u32, f32)]) -> f64 {
    let sum: f64 = assigned.iter().map(|&(_, distance)| f64::from(distance)).sum();
    sum / assigned.len().max(1) as f64
}

#[cfg(test)]
mod tests;
