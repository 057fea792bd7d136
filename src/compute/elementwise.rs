//! Functions of single elements and of single rows.

use rayon::prelude::*;
use rten_simd::{SimdOp, SimdUnaryOp};
use rten_vecmath::{Gelu, MaxNum, SumExpSub};

/// Elements that a task takes at least; less is not worth handing to another thread.
const GRAIN: usize = 16 * 1024;

/// The exact GELU, `x * Φ(x)`, of every element, in place.
pub fn gelu_in_place(values: &mut [f32]) {
    let apply = |values: &mut [f32]| Gelu {}.map_mut(values);
    match values.len() <= GRAIN {
        true => apply(values),
        false => values.par_chunks_mut(GRAIN).for_each(apply),
    }
}

/// Adds `x` to `sum`, element by element.
pub fn add_into(x: &[f32], sum: &mut [f32]) {
    for (sum, x) in sum.iter_mut().zip(x) {
        *sum += x;
    }
}

/// Replaces logits by their log-probabilities. Entries of minus infinity stay so.
pub fn log_softmax(logits: &mut [f32]) {
    let max = MaxNum::new(logits).dispatch();
    let log_sum = max + SumExpSub::new(logits, max).dispatch().ln();
    for x in logits {
        *x -= log_sum;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compute::plain;
    use proptest::prelude::*;

    proptest! {
        /// Of any length, and on many threads where it is long.
        #[test]
        fn gelu_is_the_exact_one(values in prop::collection::vec(-12f32..12.0, 1..70), times in 1usize..400) {
            let mut out = if cfg!(miri) { values.clone() } else { values.repeat(times) };
            gelu_in_place(&mut out);
            for (x, found) in values.iter().cycle().zip(&out) {
                let expected = plain::gelu(f64::from(*x));
                prop_assert!((f64::from(*found) - expected).abs() < 1e-5, "gelu({x}) = {found}");
            }
        }

        #[test]
        fn log_softmax_equals_the_definition(
            logits in prop::collection::vec(prop_oneof![4 => -80f32..80.0, 1 => Just(f32::NEG_INFINITY)], 1..140),
        ) {
            prop_assume!(logits.iter().any(|x| x.is_finite()));
            let mut found = logits.clone();
            log_softmax(&mut found);
            let most = f64::from(logits.iter().copied().fold(f32::NEG_INFINITY, f32::max));
            let total = logits.iter().map(|&x| (f64::from(x) - most).exp()).sum::<f64>().ln() + most;
            for (x, found) in logits.iter().zip(found) {
                match x.is_finite() {
                    true => prop_assert!((f64::from(found) - (f64::from(*x) - total)).abs() < 5e-5),
                    false => prop_assert_eq!(found, f32::NEG_INFINITY),
                }
            }
        }
    }
}
