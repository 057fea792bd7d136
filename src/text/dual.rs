//! Logistic regression by dual coordinate descent.
//!
//! Minimises |w|²/2 + C Σ ln(1 + exp(-y w·x)): Yu, Huang and Lin, "Dual coordinate descent methods for logistic regression
//! and maximum entropy models", Machine Learning 85 (2011), algorithm 5, as in LIBLINEAR. The optimum is one, there is no
//! rate to choose, and a step costs as much as an example has features.

use super::features::Features;
use crate::Result;

/// Steps of Newton's method for one example at most.
const MOST_STEPS: usize = 100;
/// The slope in which the problem of one example is solved, in the end.
const LEAST_INNER_SLOPE: f64 = 1e-8;

/// An example: its features, and whether it is of the positive class.
pub(super) struct Row {
    pub features: Features,
    pub positive: bool,
    /// C: what it costs to be wrong.
    pub cost: f64,
    /// The squares of the features, and of what is always 1.
    pub square: f64,
}

impl Row {
    /// A text whose features count as much as `scales` say.
    pub fn new(mut features: Features, scales: &[f32], positive: bool, cost: f64) -> Self {
        features.values.iter_mut().for_each(|(bucket, value)| *value *= scales[*bucket as usize]);
        let square = 1.0 + features.values.iter().map(|&(_, value)| f64::from(value).powi(2)).sum::<f64>();
        Self { features, positive, cost, square }
    }
}

/// How long to learn.
pub(super) struct Descent {
    /// Passes over the examples at most.
    pub passes: usize,
    /// The largest slope at which it is done.
    pub slope: f64,
    pub seed: u64,
}

/// The weights of the features and, last, of what is always 1.
pub(super) fn descend(
    rows: &[Row],
    width: usize,
    descent: &Descent,
    progress: &mut dyn FnMut(usize, f64) -> Result<()>,
) -> Result<Vec<f32>> {
    let mut weights = vec![0.0_f32; width + 1];
    // The dual variable of an example lies between 0 and its cost.
    let mut alphas: Vec<f64> = rows.iter().map(|row| (0.001 * row.cost).min(1e-8)).collect();
    for (row, &alpha) in rows.iter().zip(&alphas) {
        add(&mut weights, row, alpha);
    }
    let mut order: Vec<usize> = (0..rows.len()).collect();
    let mut random = fastrand::Rng::with_seed(descent.seed);
    let mut inner_slope = 1e-2;
    for pass in 1..=descent.passes {
        random.shuffle(&mut order);
        let (mut steepest, mut steps) = (0.0_f64, 0);
        for &at in &order {
            let row = &rows[at];
            let step = solve(row, alphas[at], margin(&weights, row), inner_slope);
            steepest = steepest.max(step.slope.abs());
            steps += step.count;
            if step.count > 0 {
                add(&mut weights, row, step.alpha - alphas[at]);
                alphas[at] = step.alpha;
            }
        }
        progress(pass, steepest)?;
        if steepest < descent.slope {
            break;
        }
        if steps <= rows.len() / 10 {
            inner_slope = LEAST_INNER_SLOPE.max(0.1 * inner_slope);
        }
    }
    Ok(weights)
}

/// What the problem of one example gives.
struct Step {
    alpha: f64,
    /// The slope before.
    slope: f64,
    /// Steps of Newton's method.
    count: usize,
}

/// The best dual variable of `row`, all others being as they are.
fn solve(row: &Row, alpha: f64, margin: f64, inner_slope: f64) -> Step {
    let cost = row.cost;
    let square = row.square;
    // Seen from the end that is nearer to the solution, as the logarithm is steep at both.
    let mirrored = 0.5 * square * (cost - 2.0 * alpha) + margin < 0.0;
    let (sign, old) = if mirrored { (-1.0, cost - alpha) } else { (1.0, alpha) };
    let slope_at = |z: f64| square * (z - old) + sign * margin + (z / (cost - z)).ln();
    let mut z = if cost - old < 0.5 * cost { 0.1 * old } else { old };
    let mut slope = slope_at(z);
    let first = slope;
    let mut count = 0;
    while count <= MOST_STEPS && slope.abs() >= inner_slope {
        let next = z - slope / (square + cost / (cost - z) / z);
        z = if next <= 0.0 { 0.1 * z } else { next };
        slope = slope_at(z);
        count += 1;
    }
    Step { alpha: if mirrored { cost - z } else { z }, slope: first, count }
}

/// The weighted sum of `row`, times its class.
fn margin(weights: &[f32], row: &Row) -> f64 {
    let sum = super::classifier::dot(weights, &row.features) + weights[weights.len() - 1];
    if row.positive { f64::from(sum) } else { -f64::from(sum) }
}

fn add(weights: &mut [f32], row: &Row, by: f64) {
    let by = if row.positive { by as f32 } else { -by as f32 };
    for &(bucket, value) in &row.features.values {
        weights[bucket as usize] += by * value;
    }
    if let Some(bias) = weights.last_mut() {
        *bias += by;
    }
}
