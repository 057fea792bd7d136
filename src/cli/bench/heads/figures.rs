//! Figures that reports of heads have in common.

use serde::Serialize;

use super::protocol::Tested;
use crate::Result;
use crate::learn::{By, Dataset};
use crate::score::bootstrap::Bootstrap;
use crate::score::classification::Confusion;

/// Steps of the power iteration that finds an axis.
const ITERATIONS: usize = 100;

/// A clip in two dimensions.
#[derive(Serialize)]
pub struct Point {
    /// The number of its corpus, or language.
    pub part: usize,
    pub label: usize,
    pub x: f32,
    pub y: f32,
}

/// A figure in percent with the ends of its 95 % interval.
#[derive(Serialize, Clone, Copy)]
pub struct Percent {
    pub value: f64,
    pub low: f64,
    pub high: f64,
}

impl Percent {
    /// A score of clips of `dataset`, with its interval when speakers are drawn; where they are unknown, clips.
    ///
    /// # Errors
    /// Those of the interval.
    pub fn of_speakers(tested: &Tested, dataset: &Dataset, score: fn(&Confusion) -> f64) -> Result<Self> {
        let speakers = dataset.parts(By::Group).0;
        let groups: Vec<usize> = tested.rows.iter().map(|&(row, ..)| speakers[row]).collect();
        let of_rows = |of: &[usize]| {
            let pairs = of.iter().map(|&at| (tested.rows[at].1, tested.rows[at].2));
            Confusion::new(tested.classes, pairs).map_or(0.0, |confusion| score(&confusion))
        };
        let interval = Bootstrap::default().of_groups(&groups, of_rows)?;
        Ok(Self { value: 100.0 * interval.value, low: 100.0 * interval.low, high: 100.0 * interval.high })
    }
}

/// The mean of `scores` and their standard deviation.
pub fn mean_and_deviation(scores: &[f64]) -> (f64, f64) {
    let count = scores.len().max(1) as f64;
    let mean = scores.iter().sum::<f64>() / count;
    let variance = scores.iter().map(|score| (score - mean).powi(2)).sum::<f64>() / (count - 1.0).max(1.0);
    (mean, variance.sqrt())
}

/// Counts by true class, then by predicted class.
pub fn counts(confusion: &Confusion) -> Vec<Vec<u64>> {
    let classes = 0..confusion.classes();
    classes.clone().map(|truth| classes.clone().map(|p| confusion.count(truth, p)).collect()).collect()
}

/// The two axes along which clips differ most (PCA), and where each clip is; the number of a clip's part of `by` is that of
/// [`Dataset::parts`].
pub fn projection(all: &Dataset, by: By) -> Vec<Point> {
    let (parts, _) = all.parts(by);
    let mut axes: Vec<Vec<f64>> = Vec::new();
    let mut random = fastrand::Rng::with_seed(0);
    for _ in 0..2 {
        let mut axis: Vec<f64> = (0..all.width()).map(|_| random.f64() - 0.5).collect();
        for _ in 0..ITERATIONS {
            let mut next = vec![0.0; all.width()];
            for row in all.features() {
                let along = dot(row, &axis);
                next.iter_mut().zip(row).for_each(|(sum, &x)| *sum += along * f64::from(x));
            }
            for other in &axes {
                let along: f64 = next.iter().zip(other).map(|(a, b)| a * b).sum();
                next.iter_mut().zip(other).for_each(|(a, b)| *a -= along * b);
            }
            let length = next.iter().map(|x| x * x).sum::<f64>().sqrt().max(f64::MIN_POSITIVE);
            axis = next.into_iter().map(|x| x / length).collect();
        }
        axes.push(axis);
    }
    let point = |(row, features): (usize, &[f32])| Point {
        part: parts[row],
        label: all.labels()[row],
        x: dot(features, &axes[0]) as f32,
        y: dot(features, &axes[1]) as f32,
    };
    all.features().enumerate().map(point).collect()
}

fn dot(row: &[f32], axis: &[f64]) -> f64 {
    row.iter().zip(axis).map(|(&a, b)| f64::from(a) * b).sum()
}

/// A figure with its interval.
pub fn bracketed(percent: Percent) -> String {
    format!("{:.1} ({:.1}-{:.1})", percent.value, percent.low, percent.high)
}

/// Cells of a row in Markdown.
pub fn cells(values: impl Iterator<Item = String>) -> String {
    values.map(|value| format!(" {value} |")).collect()
}
