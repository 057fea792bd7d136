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

    #[test]
    fn log_softmax_sums_to_one_and_keeps_masked_entries() {
        let mut logits = [1.0, 2.0, f32::NEG_INFINITY, 80.0, 79.0];
        log_softmax(&mut logits);
        let sum: f32 = logits.iter().map(|x| x.exp()).sum();
        assert!((sum - 1.0).abs() < 1e-5);
        assert_eq!(logits[2], f32::NEG_INFINITY);
        assert!((logits[3] - logits[4] - 1.0).abs() < 1e-5);
    }

    #[test]
    fn gelu_is_the_exact_one() {
        // Values of torch.nn.functional.gelu (approximate="none").
        for (x, expected) in [(-3.0, -0.004_049_69), (-0.5, -0.154_268_77), (0.0, 0.0), (1.0, 0.841_344_7)] {
            let mut value = [x];
            gelu_in_place(&mut value);
            assert!((value[0] - expected).abs() < 1e-5, "gelu({x}) = {}", value[0]);
        }
    }
}
