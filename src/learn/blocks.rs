//! Sums over rows, made side by side in blocks and added in the order of the rows.
//!
//! Where the blocks end does not depend on the number of threads, and so neither does the sum, to the last bit.

use std::ops::Range;

use rayon::prelude::*;

use super::number::Number;

/// The sum over blocks of `rows` of a number and of a vector of `length`. `block` adds the vector of its rows to the zeros
/// that it is given, and returns their number.
pub(super) fn sum_over_rows<T: Number>(
    rows: usize,
    block_rows: usize,
    length: usize,
    block: impl Fn(Range<usize>, &mut [T]) -> T + Sync,
) -> (T, Vec<T>) {
    let starts: Vec<usize> = (0..rows).step_by(block_rows).collect();
    let one = |&start: &usize| {
        let mut vector = vec![T::default(); length];
        let value = block(start..rows.min(start + block_rows), &mut vector);
        (value, vector)
    };
    let mut blocks = starts.par_iter().map(one).collect::<Vec<_>>().into_iter();
    let (mut value, mut vector) = blocks.next().unwrap_or((T::default(), vec![T::default(); length]));
    for (more, other) in blocks {
        value += more;
        vector.iter_mut().zip(other).for_each(|(sum, other)| *sum += other);
    }
    (value, vector)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_are_the_same_with_any_number_of_threads() {
        let summed = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| {
                sum_over_rows(1000, 64, 3, |rows, vector: &mut [f64]| {
                    rows.map(|row| {
                        vector.iter_mut().for_each(|sum| *sum += 1.0 / (row as f64 + 0.3));
                        (row as f64).sin()
                    })
                    .sum()
                })
            })
        };
        let once = summed(1);
        assert!(once.0.is_finite() && once.1.len() == 3);
        for threads in [2, 3, 7] {
            assert_eq!(summed(threads), once, "{threads} threads");
        }
    }

    #[test]
    fn no_rows_sum_to_nothing() {
        assert_eq!(sum_over_rows(0, 64, 2, |_, _: &mut [f64]| 1.0), (0.0, vec![0.0; 2]));
    }
}
