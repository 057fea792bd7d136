//! Fewer vectors for clustering: neighbours in time that are alike become one.

use super::vectors::centre;
use crate::speaker::cosine;

/// Groups of consecutive `vectors`, at most `most`, as the number of vectors in each. Those two neighbours that are most alike
/// are joined first.
pub fn groups(vectors: &[Vec<f32>], most: usize) -> Vec<usize> {
    let mut sums: Vec<(Vec<f32>, usize)> = vectors.iter().map(|vector| (vector.clone(), 1)).collect();
    while sums.len() > most.max(1) {
        // Half of what is too many at once, so that an hour takes no longer than its length squared.
        let mut alike: Vec<(f32, usize)> =
            (1..sums.len()).map(|at| (cosine(&sums[at - 1].0, &sums[at].0), at)).collect();
        alike.sort_by(|(a, _), (b, _)| b.total_cmp(a));
        let excess = (sums.len() - most.max(1)).div_ceil(2);
        let mut joins = vec![false; sums.len() + 1];
        let mut left = excess;
        for (_, at) in alike {
            // A group joins with one neighbour in a round.
            if left > 0 && !joins[at - 1] && !joins[at + 1] {
                joins[at] = true;
                left -= 1;
            }
        }
        let mut next: Vec<(Vec<f32>, usize)> = Vec::new();
        for (at, (vector, count)) in sums.into_iter().enumerate() {
            match next.last_mut().filter(|_| joins[at]) {
                Some((sum, members)) => {
                    let weighted = |vector: &[f32], by: usize| -> Vec<f32> {
                        vector.iter().map(|x| x * by as f32).collect()
                    };
                    let (a, b) = (weighted(sum, *members), weighted(&vector, count));
                    *sum = centre([a.as_slice(), b.as_slice()]);
                    *members += count;
                }
                None => next.push((vector, count)),
            }
        }
        sums = next;
    }
    sums.into_iter().map(|(_, count)| count).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_alike_is_joined_first() {
        let [a, b] = [vec![1.0, 0.0], vec![0.0, 1.0]];
        let vectors = [&a, &a, &a, &b, &b, &a].map(Clone::clone);
        assert_eq!(groups(&vectors, 3), [3, 2, 1]);
        assert_eq!(groups(&vectors, 6), [1; 6]);
        assert!(groups(&[], 3).is_empty());
    }

    proptest! {
        #[test]
        fn none_is_lost_and_there_are_no_more_than_allowed(
            values in prop::collection::vec(0u8..8, 0..60),
            most in 1usize..20,
        ) {
            let vector = |value: &u8| {
                let angle = f32::from(*value) / 4.0;
                vec![angle.cos(), angle.sin()]
            };
            let vectors: Vec<Vec<f32>> = values.iter().map(vector).collect();
            let found = groups(&vectors, most);
            prop_assert!(found.len() <= most);
            prop_assert_eq!(found.iter().sum::<usize>(), vectors.len());
        }
    }
}
