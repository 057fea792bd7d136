//! Sequential minimal optimisation: the dual problem of a support vector machine of two classes.
//!
//! The least of `a Q a / 2 - sum of a` where `0 <= a_i <= C_i` and `sum of y_i a_i = 0`. Pairs are chosen by second-order
//! information: Fan, Chen and Lin, "Working set selection using second order information" (JMLR 2005), as libsvm does it
//! (`Solver::select_working_set` and `Solver::Solve` in svm.cpp), without shrinking, which only saves time.

use super::kernel::Matrix;

/// Stands in for a curvature that is not positive.
const TAU: f64 = 1e-12;

/// The problem's solution.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Solution {
    /// The factor of every row, 0 for all but support vectors.
    pub alphas: Vec<f64>,
    /// What is taken from `sum of y_i a_i K(x_i, x)`.
    pub rho: f64,
    /// The least value that was found.
    pub objective: f64,
    /// Pairs that were changed.
    pub steps: usize,
}

/// When to end.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// It ends where the conditions of Karush, Kuhn and Tucker hold to within this.
    pub tolerance: f64,
    pub steps: usize,
}

struct Solver<'a> {
    /// 1 or -1.
    signs: &'a [f64],
    /// The most that the factor of each row may be.
    bounds: &'a [f64],
    diagonal: Vec<f64>,
    alphas: Vec<f64>,
    gradient: Vec<f64>,
}

/// Solves for rows of the classes `signs`, whose errors cost `bounds`.
pub(super) fn solve(matrix: &mut Matrix<'_>, signs: &[f64], bounds: &[f64], limits: Limits) -> Solution {
    let rows = signs.len();
    let diagonal = matrix.diagonal();
    let mut solver = Solver { signs, bounds, diagonal, alphas: vec![0.0; rows], gradient: vec![-1.0; rows] };
    let mut steps = 0;
    while steps < limits.steps
        && let Some((i, j)) = solver.pair(matrix, limits.tolerance)
    {
        solver.change(matrix, i, j);
        steps += 1;
    }
    let rho = solver.rho();
    let terms = solver.alphas.iter().zip(&solver.gradient).map(|(alpha, slope)| alpha * (slope - 1.0) / 2.0);
    let objective = terms.sum();
    Solution { alphas: solver.alphas, rho, objective, steps }
}

impl Solver<'_> {
    /// Whether the row's factor may move along its sign.
    fn may_rise(&self, row: usize) -> bool {
        if self.signs[row] > 0.0 { self.alphas[row] < self.bounds[row] } else { self.alphas[row] > 0.0 }
    }

    /// Whether it may move against its sign.
    fn may_fall(&self, row: usize) -> bool {
        if self.signs[row] > 0.0 { self.alphas[row] > 0.0 } else { self.alphas[row] < self.bounds[row] }
    }

    /// How steeply the objective falls along the row's sign.
    fn fall(&self, row: usize) -> f64 {
        -self.signs[row] * self.gradient[row]
    }

    /// The two rows to change, or none where the conditions hold.
    fn pair(&self, matrix: &mut Matrix<'_>, tolerance: f64) -> Option<(usize, usize)> {
        let rows = 0..self.signs.len();
        let steeper = |best: Option<usize>, row: usize| match best {
            Some(best) if self.fall(row) < self.fall(best) => Some(best),
            _ => Some(row),
        };
        let first = rows.clone().filter(|&row| self.may_rise(row)).fold(None, steeper)?;
        let steepest = self.fall(first);
        let kernels = matrix.row(first);
        let (mut second, mut least, mut flattest) = (None, f64::INFINITY, f64::INFINITY);
        for row in rows.filter(|&row| self.may_fall(row)) {
            flattest = flattest.min(self.fall(row));
            let difference = steepest - self.fall(row);
            if difference <= 0.0 {
                continue;
            }
            let gain = -difference * difference / self.curvature(first, row, kernels[row]);
            if gain <= least {
                (second, least) = (Some(row), gain);
            }
        }
        if steepest - flattest < tolerance { None } else { second.map(|second| (first, second)) }
    }

    fn curvature(&self, i: usize, j: usize, kernel: f64) -> f64 {
        let curvature = self.diagonal[i] + self.diagonal[j] - 2.0 * kernel;
        if curvature > 0.0 { curvature } else { TAU }
    }

    /// Moves two factors as far as the objective falls and their bounds allow. Along their signs, the first rises by as much
    /// as the second falls.
    fn change(&mut self, matrix: &mut Matrix<'_>, i: usize, j: usize) {
        let (kernels_i, kernels_j) = (matrix.row(i), matrix.row(j));
        let wanted = (self.fall(i) - self.fall(j)) / self.curvature(i, j, kernels_i[j]);
        let room = self.room(i, self.signs[i]).min(self.room(j, -self.signs[j]));
        let step = wanted.min(room);
        self.shift(i, self.signs[i] * step);
        self.shift(j, -self.signs[j] * step);
        let changes = kernels_i.iter().zip(kernels_j.iter()).zip(self.signs);
        for (slope, ((to_i, to_j), sign)) in self.gradient.iter_mut().zip(changes) {
            *slope += sign * step * (to_i - to_j);
        }
    }

    fn room(&self, row: usize, direction: f64) -> f64 {
        if direction > 0.0 { self.bounds[row] - self.alphas[row] } else { self.alphas[row] }
    }

    /// Factors that reach a bound are to be equal to it, whatever rounding makes of the sum.
    fn shift(&mut self, row: usize, by: f64) {
        let bound = self.bounds[row];
        let at_bound = self.room(row, by) <= by.abs();
        let moved = (self.alphas[row] + by).clamp(0.0, bound);
        self.alphas[row] = match (at_bound, by > 0.0) {
            (true, true) => bound,
            (true, false) => 0.0,
            (false, _) => moved,
        };
    }

    /// The mean of the slopes of the free rows; where there are none, the middle of what the others allow.
    fn rho(&self) -> f64 {
        let free = |row: usize| self.alphas[row] > 0.0 && self.alphas[row] < self.bounds[row];
        let slopes: Vec<f64> =
            (0..self.signs.len()).filter(|&row| free(row)).map(|row| -self.fall(row)).collect();
        if !slopes.is_empty() {
            return slopes.iter().sum::<f64>() / slopes.len() as f64;
        }
        let rows = 0..self.signs.len();
        let low = rows.clone().filter(|&row| self.may_fall(row)).map(|row| -self.fall(row));
        let high = rows.filter(|&row| self.may_rise(row)).map(|row| -self.fall(row));
        f64::midpoint(low.fold(f64::NEG_INFINITY, f64::max), high.fold(f64::INFINITY, f64::min))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::learn::dataset::Dataset;
    use crate::learn::dataset::tests::{clouds, examples};
    use crate::learn::kernel::Kernel;

    const TIGHT: Limits = Limits { tolerance: 1e-9, steps: 100_000 };

    /// Points at -1 and 1 on a line: both are support vectors with a factor of 1/2, and the margin is 1.
    #[test]
    fn two_points_are_solved_as_by_hand() {
        let rows = examples(&[(0, "a", "hi"), (1, "a", "hi")]);
        let dataset = Dataset::new(vec![1.0, -1.0], 1, 2, rows).unwrap();
        let found = solve(&mut Matrix::new(&dataset, Kernel::Linear), &[1.0, -1.0], &[10.0, 10.0], TIGHT);
        assert_eq!((found.alphas, found.rho, found.objective), (vec![0.5, 0.5], 0.0, -0.5));
        let bounded = solve(&mut Matrix::new(&dataset, Kernel::Linear), &[1.0, -1.0], &[0.1, 0.1], TIGHT);
        assert_eq!((bounded.alphas, bounded.rho), (vec![0.1, 0.1], 0.0));
    }

    #[test]
    fn factors_satisfy_the_constraints_and_no_small_move_lowers_the_objective() {
        let dataset = clouds(40, 3, 2, 0.4, 2);
        let signs: Vec<f64> = dataset.labels().iter().map(|&label| 1.0 - 2.0 * label as f64).collect();
        let bounds: Vec<f64> = signs.iter().map(|sign| 1.0 + 0.5 * sign).collect();
        let kernel = Kernel::Rbf { gamma: 0.5 };
        let mut matrix = Matrix::new(&dataset, kernel);
        let found = solve(&mut matrix, &signs, &bounds, TIGHT);
        let balance: f64 = found.alphas.iter().zip(&signs).map(|(alpha, sign)| alpha * sign).sum();
        assert!(balance.abs() < 1e-9, "{balance}");
        assert!(found.alphas.iter().zip(&bounds).all(|(alpha, bound)| (0.0..=*bound).contains(alpha)));
        let mut objective = |alphas: &[f64]| -> f64 {
            let row = |i: usize, kernels: &[f64]| -> f64 {
                (0..40).map(|j| alphas[i] * alphas[j] * signs[i] * signs[j] * kernels[j]).sum()
            };
            (0..40).map(|i| row(i, &matrix.row(i)) / 2.0 - alphas[i]).sum()
        };
        let least = objective(&found.alphas);
        assert!((least - found.objective).abs() < 1e-9);
        let mut random = fastrand::Rng::with_seed(3);
        for _ in 0..300 {
            let (i, j, step) = (random.usize(..40), random.usize(..40), 1e-3 * random.f64());
            let mut moved = found.alphas.clone();
            moved[i] += signs[i] * step;
            moved[j] -= signs[j] * step;
            if moved.iter().zip(&bounds).all(|(alpha, bound)| (0.0..=*bound).contains(alpha)) {
                assert!(objective(&moved) >= least - 1e-10);
            }
        }
    }
}
