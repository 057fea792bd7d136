//! Loops over numbers that learning is made of, in double precision and always in the same order.

/// Sums kept side by side, so that the compiler may add them at once.
const LANES: usize = 8;

/// The inner product of rows of one length.
pub(super) fn dot<T: Copy + Into<f64>>(row: &[T], weights: &[f64]) -> f64 {
    let mut sums = [0.0; LANES];
    let (rows, row_rest) = row.as_chunks::<LANES>();
    let (weight_chunks, weight_rest) = weights.as_chunks::<LANES>();
    for (values, weights) in rows.iter().zip(weight_chunks) {
        for ((sum, &value), weight) in sums.iter_mut().zip(values).zip(weights) {
            *sum += value.into() * weight;
        }
    }
    let rest: f64 = row_rest.iter().zip(weight_rest).map(|(&value, weight)| value.into() * weight).sum();
    sums.iter().sum::<f64>() + rest
}

/// Adds `scale` times `row` to `sums`.
pub(super) fn add_scaled<T: Copy + Into<f64>>(sums: &mut [f64], scale: f64, row: &[T]) {
    for (sum, &value) in sums.iter_mut().zip(row) {
        *sum += scale * value.into();
    }
}

/// The square of the distance of rows of one length.
pub(super) fn squared_distance<T: Copy + Into<f64>>(a: &[T], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(&a, b)| (a.into() - b).powi(2)).sum()
}

/// Makes probabilities of logits, and returns the logarithm of the sum of their exponentials.
pub(super) fn softmax(logits: &mut [f64]) -> f64 {
    let largest = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let mut sum = 0.0;
    for logit in logits.iter_mut() {
        *logit = (*logit - largest).exp();
        sum += *logit;
    }
    logits.iter_mut().for_each(|probability| *probability /= sum);
    largest + sum.ln()
}

/// Where the largest number is, and the first such place where there are several.
pub(super) fn largest(values: &[f64]) -> usize {
    let better = |best: usize, at: usize| if values[at] > values[best] { at } else { best };
    (0..values.len()).fold(0, better)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn products_are_those_of_plain_loops(pairs in prop::collection::vec((-9.0_f32..9.0, -9.0_f64..9.0), 0..40)) {
            let (a, b): (Vec<f32>, Vec<f64>) = pairs.iter().copied().unzip();
            let plain: f64 = pairs.iter().map(|&(a, b)| f64::from(a) * b).sum();
            prop_assert!((dot(&a, &b) - plain).abs() < 1e-10);
            let mut sums = b.clone();
            add_scaled(&mut sums, 0.5, &a);
            prop_assert!(sums.iter().zip(&pairs).all(|(sum, &(a, b))| (sum - b - 0.5 * f64::from(a)).abs() < 1e-12));
        }

        #[test]
        fn probabilities_sum_to_one_and_keep_their_order(logits in prop::collection::vec(-800.0_f64..800.0, 1..9)) {
            let mut probabilities = logits.clone();
            let whole = softmax(&mut probabilities);
            prop_assert!((probabilities.iter().sum::<f64>() - 1.0).abs() < 1e-12);
            prop_assert_eq!(largest(&probabilities), largest(&logits));
            prop_assert!(whole >= logits[largest(&logits)]);
        }
    }
}
