//! Numbers that a network's loss is computed in: plain ones, and dual ones, which carry a derivative along.
//!
//! A gradient that is computed in dual numbers, at parameters that move along a direction, moves by the Hessian times that
//! direction. So the second order is exact and there is one formula for both. (Griewank and Walther, "Evaluating
//! Derivatives", 2008, section 5.1: forward over reverse.)

use std::ops::{Add, AddAssign, Div, Mul, Sub};

/// What a loss needs of its numbers.
pub(super) trait Number:
    Copy
    + Default
    + PartialEq
    + Send
    + Sync
    + From<f64>
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + AddAssign
{
    /// Without its derivative.
    fn value(self) -> f64;
    /// The exponential.
    fn exp(self) -> Self;
    /// The natural logarithm.
    fn ln(self) -> Self;
    /// The hyperbolic tangent.
    fn tanh(self) -> Self;
}

impl Number for f64 {
    fn value(self) -> f64 {
        self
    }

    fn exp(self) -> Self {
        self.exp()
    }

    fn ln(self) -> Self {
        self.ln()
    }

    fn tanh(self) -> Self {
        self.tanh()
    }
}

/// A number and its derivative along a direction.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Dual {
    pub value: f64,
    pub slope: f64,
}

impl From<f64> for Dual {
    fn from(value: f64) -> Self {
        Self { value, slope: 0.0 }
    }
}

impl Add for Dual {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self { value: self.value + other.value, slope: self.slope + other.slope }
    }
}

impl Sub for Dual {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self { value: self.value - other.value, slope: self.slope - other.slope }
    }
}

impl Mul for Dual {
    type Output = Self;

    fn mul(self, other: Self) -> Self {
        Self { value: self.value * other.value, slope: self.slope * other.value + self.value * other.slope }
    }
}

impl Div for Dual {
    type Output = Self;

    fn div(self, other: Self) -> Self {
        let value = self.value / other.value;
        Self { value, slope: (self.slope - value * other.slope) / other.value }
    }
}

impl AddAssign for Dual {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl Number for Dual {
    fn value(self) -> f64 {
        self.value
    }

    fn exp(self) -> Self {
        let value = self.value.exp();
        Self { value, slope: value * self.slope }
    }

    fn ln(self) -> Self {
        Self { value: self.value.ln(), slope: self.slope / self.value }
    }

    fn tanh(self) -> Self {
        let value = self.value.tanh();
        Self { value, slope: (1.0 - value * value) * self.slope }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slopes_are_those_of_finite_differences() {
        type Formula<T> = fn(T, T) -> T;
        let cases: [(&str, Formula<f64>, Formula<Dual>); 7] = [
            ("+", |a, b| a + b, |a, b| a + b),
            ("-", |a, b| a - b, |a, b| a - b),
            ("*", |a, b| a * b, |a, b| a * b),
            ("/", |a, b| a / b, |a, b| a / b),
            ("exp", |a, _| a.exp(), |a, _| Number::exp(a)),
            ("ln", |_, b| b.ln(), |_, b| Number::ln(b)),
            ("tanh", |a, b| (a * b).tanh(), |a, b| Number::tanh(a * b)),
        ];
        let (a, b) = (Dual { value: 0.7, slope: -1.3 }, Dual { value: 1.9, slope: 0.4 });
        for (name, plain, dual) in cases {
            let at = |t: f64| plain(a.value + t * a.slope, b.value + t * b.slope);
            let found = dual(a, b);
            assert_eq!(found.value, at(0.0), "{name}");
            let difference = (at(1e-5) - at(-1e-5)) / 2e-5;
            assert!((found.slope - difference).abs() < 1e-9, "{name}: {} is not {difference}", found.slope);
        }
    }
}
