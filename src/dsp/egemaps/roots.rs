//! Roots of polynomials, by the method of Aberth (1973).

use std::f64::consts::TAU;

use realfft::num_complex::Complex64;

/// Steps after which the roots are taken as they are.
const STEPS: usize = 100;
const PRECISION: f64 = 1e-13;

/// The roots of `z^n + c[0] z^(n-1) + ... + c[n-1]`; those at 0 are left out.
pub(super) fn roots(coefficients: &[f64]) -> Vec<Complex64> {
    let degree = coefficients.iter().rposition(|&c| c != 0.0).map_or(0, |last| last + 1);
    let coefficients = &coefficients[..degree];
    let start = |i: usize| Complex64::from_polar(0.9, TAU * (i as f64 + 0.3) / degree as f64);
    let mut roots: Vec<Complex64> = (0..degree).map(start).collect();
    for _ in 0..STEPS {
        let mut largest: f64 = 0.0;
        for i in 0..degree {
            let step = step(coefficients, &roots, i);
            roots[i] -= step;
            largest = largest.max(step.norm());
        }
        if largest < PRECISION {
            break;
        }
    }
    roots
}

/// Newton's step of a root, pushed away from the other roots.
fn step(coefficients: &[f64], roots: &[Complex64], i: usize) -> Complex64 {
    let z = roots[i];
    let (mut value, mut derivative) = (Complex64::ONE, Complex64::ZERO);
    for &coefficient in coefficients {
        derivative = derivative * z + value;
        value = value * z + coefficient;
    }
    let newton = value / derivative;
    let others = roots.iter().enumerate().filter(|&(j, _)| j != i);
    let push: Complex64 = others.map(|(_, other)| (z - other).inv()).sum();
    let step = newton / (Complex64::ONE - newton * push);
    if step.is_finite() { step } else { Complex64::ZERO }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roots_are_those_the_polynomial_was_made_of() {
        let made = [(0.9, 0.5), (0.95, 1.2), (0.5, 2.5), (1.3, 2.0)];
        let mut coefficients = vec![1.0];
        for (radius, angle) in made {
            let factor = [1.0, -2.0 * radius * f64::cos(angle), radius * radius];
            let mut product = vec![0.0; coefficients.len() + 2];
            for (i, a) in coefficients.iter().enumerate() {
                for (j, b) in factor.iter().enumerate() {
                    product[i + j] += a * b;
                }
            }
            coefficients = product;
        }
        let found = roots(&coefficients[1..]);
        assert_eq!(found.len(), 8);
        for (radius, angle) in made {
            for wanted in [Complex64::from_polar(radius, angle), Complex64::from_polar(radius, -angle)] {
                assert!(found.iter().any(|root| (root - wanted).norm() < 1e-9), "{wanted} of {found:?}");
            }
        }
    }

    #[test]
    fn roots_at_zero_are_left_out() {
        assert_eq!(roots(&[0.0; 11]), []);
        let found = roots(&[-0.5, 0.0, 0.0]);
        assert!(found.len() == 1 && (found[0] - 0.5).norm() < 1e-12, "{found:?}");
    }
}
