//! Finds the least value of a smooth function by L-BFGS.
//!
//! Directions are those of Nocedal and Wright, "Numerical Optimization" (2006), algorithm 7.4; steps are found by halving and
//! doubling until they satisfy the weak Wolfe conditions (Lewis and Overton, "Nonsmooth optimization via quasi-Newton
//! methods", 2013, algorithm 2.6).

use std::collections::VecDeque;

use super::vector::{add_scaled, dot};

/// The value must fall by this share of what its slope promises.
const SUFFICIENT: f64 = 1e-4;
/// The slope must rise to this share of what it was.
const CURVATURE: f64 = 0.9;
/// Trials of a step before the function is taken to have no lower value that numbers can tell.
const MOST_TRIALS: usize = 60;

/// When to end.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Lbfgs {
    /// Steps remembered.
    pub memory: usize,
    /// Steps at most.
    pub iterations: usize,
    /// It ends where no entry of the gradient is larger.
    pub tolerance: f64,
}

impl Default for Lbfgs {
    fn default() -> Self {
        Self { memory: 10, iterations: 1000, tolerance: 1e-6 }
    }
}

/// Where it ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Minimum {
    /// The place.
    pub point: Vec<f64>,
    /// The function's value there.
    pub value: f64,
    /// The largest entry of the gradient there.
    pub slope: f64,
    /// Steps taken.
    pub iterations: usize,
}

struct State {
    point: Vec<f64>,
    value: f64,
    gradient: Vec<f64>,
}

/// One step and how the gradient changed on it, with the inverse of their product.
struct Change {
    step: Vec<f64>,
    gradient: Vec<f64>,
    inverse: f64,
}

impl Lbfgs {
    /// The minimum near `start` of a function that returns its value and its gradient.
    pub fn minimise(&self, start: Vec<f64>, mut function: impl FnMut(&[f64]) -> (f64, Vec<f64>)) -> Minimum {
        let (value, gradient) = function(&start);
        let mut state = State { point: start, value, gradient };
        let mut changes = VecDeque::new();
        for iterations in 0..self.iterations {
            if largest(&state.gradient) <= self.tolerance {
                return state.ended(iterations);
            }
            let direction = direction(&state.gradient, &changes);
            let first = if changes.is_empty() { 1.0 / length(&state.gradient).max(1.0) } else { 1.0 };
            let Some(next) = search(&state, &direction, first, &mut function) else {
                return state.ended(iterations);
            };
            remember(&mut changes, &state, &next);
            if changes.len() > self.memory {
                changes.pop_front();
            }
            state = next;
        }
        state.ended(self.iterations)
    }
}

impl State {
    fn ended(self, iterations: usize) -> Minimum {
        let slope = largest(&self.gradient);
        Minimum { point: self.point, value: self.value, slope, iterations }
    }
}

/// No number where one of them is none, which the maximum would pass over.
fn largest(values: &[f64]) -> f64 {
    if values.iter().any(|value| value.is_nan()) {
        return f64::NAN;
    }
    values.iter().fold(0.0, |largest, value| value.abs().max(largest))
}

fn length(values: &[f64]) -> f64 {
    dot(values, values).sqrt()
}

fn remember(changes: &mut VecDeque<Change>, from: &State, to: &State) {
    let difference = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a - b).collect::<Vec<f64>>();
    let (step, gradient) = (difference(&to.point, &from.point), difference(&to.gradient, &from.gradient));
    let product = dot(&step, &gradient);
    // Otherwise the next direction might lead upwards.
    if product > f64::EPSILON * dot(&gradient, &gradient) {
        changes.push_back(Change { step, gradient, inverse: 1.0 / product });
    }
}

fn direction(gradient: &[f64], changes: &VecDeque<Change>) -> Vec<f64> {
    let mut direction: Vec<f64> = gradient.iter().map(|value| -value).collect();
    let mut shares = Vec::with_capacity(changes.len());
    for change in changes.iter().rev() {
        let share = change.inverse * dot(&change.step, &direction);
        add_scaled(&mut direction, -share, &change.gradient);
        shares.push(share);
    }
    if let Some(last) = changes.back() {
        let scale = 1.0 / (last.inverse * dot(&last.gradient, &last.gradient));
        direction.iter_mut().for_each(|value| *value *= scale);
    }
    for (change, share) in changes.iter().zip(shares.into_iter().rev()) {
        let back = change.inverse * dot(&change.gradient, &direction);
        add_scaled(&mut direction, share - back, &change.step);
    }
    direction
}

fn search(
    from: &State,
    direction: &[f64],
    first: f64,
    function: &mut impl FnMut(&[f64]) -> (f64, Vec<f64>),
) -> Option<State> {
    let slope = dot(&from.gradient, direction);
    if slope >= 0.0 {
        return None;
    }
    let (mut low, mut high, mut length) = (0.0, f64::INFINITY, first);
    for _ in 0..MOST_TRIALS {
        let mut point = from.point.clone();
        add_scaled(&mut point, length, direction);
        let (value, gradient) = function(&point);
        let falls = value <= from.value + SUFFICIENT * length * slope;
        if falls && dot(&gradient, direction) >= CURVATURE * slope {
            return Some(State { point, value, gradient });
        }
        if falls {
            low = length
        } else {
            high = length
        }
        length = if high.is_finite() { f64::midpoint(low, high) } else { 2.0 * low };
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_known_minima() {
        struct Case {
            what: &'static str,
            start: Vec<f64>,
            function: fn(&[f64]) -> (f64, Vec<f64>),
            minimum: Vec<f64>,
        }
        let cases = [
            Case {
                what: "a bowl a thousand times as steep one way as the other",
                start: vec![4.0, -3.0, 2.0],
                function: |x| {
                    let steep = [1.0, 30.0, 1000.0];
                    let value = x.iter().zip(steep).map(|(x, s)| s * (x - 1.0).powi(2)).sum();
                    (value, x.iter().zip(steep).map(|(x, s)| 2.0 * s * (x - 1.0)).collect())
                },
                minimum: vec![1.0; 3],
            },
            Case {
                what: "Rosenbrock's valley",
                start: vec![-1.2, 1.0],
                function: |x| {
                    let (a, b) = (1.0 - x[0], x[1] - x[0] * x[0]);
                    (a * a + 100.0 * b * b, vec![-2.0 * a - 400.0 * x[0] * b, 200.0 * b])
                },
                minimum: vec![1.0, 1.0],
            },
            Case {
                what: "there already",
                start: vec![0.0],
                function: |x| (x[0] * x[0], vec![2.0 * x[0]]),
                minimum: vec![0.0],
            },
        ];
        for case in cases {
            let options = Lbfgs { tolerance: 1e-9, ..Lbfgs::default() };
            let found = options.minimise(case.start, case.function);
            assert!(found.slope <= 1e-9 && found.iterations < 100, "{}: {found:?}", case.what);
            let off = found.point.iter().zip(&case.minimum).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
            assert!(off < 1e-6, "{}: {found:?}", case.what);
        }
    }

    #[test]
    fn ends_where_the_function_has_no_least_value_or_is_no_number() {
        let falling = Lbfgs::default().minimise(vec![0.0], |x| (-x[0], vec![-1.0]));
        assert_eq!(falling.iterations, 0);
        let nan = Lbfgs::default().minimise(vec![0.0], |_| (f64::NAN, vec![f64::NAN]));
        assert!(nan.iterations == 0 && nan.slope.is_nan(), "{nan:?}");
    }
}
