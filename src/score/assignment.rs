//! Which of two sets belong together one to one, so that most is shared.
//!
//! Kuhn, "The Hungarian method for the assignment problem" (1955), in the form with potentials and shortest paths, which
//! takes the cube of the larger side.

/// The column of each row, none where there are more rows than columns and the row is left over: of all ways to give every
/// column to one row at most, that with the greatest sum of `weights`, `[rows][columns]`, none of them negative.
///
/// A row is given a column of weight 0 where nothing better is left for it.
pub fn best_assignment(weights: &[Vec<u64>]) -> Vec<Option<usize>> {
    let rows = weights.len();
    let columns = weights.iter().map(Vec::len).max().unwrap_or(0);
    let size = rows.max(columns);
    let most = weights.iter().flatten().copied().max().unwrap_or(0) as i128;
    // What is lost against the greatest weight; rows and columns that are made up lose everything.
    let cost = |row: usize, column: usize| {
        most - weights.get(row).and_then(|row| row.get(column)).copied().unwrap_or(0) as i128
    };
    let row_of = least_cost(size, cost);
    let mut found = vec![None; rows];
    for (column, &row) in row_of.iter().enumerate().take(columns) {
        if row < rows {
            found[row] = Some(column);
        }
    }
    found
}

/// The row of each column of a square of costs, of least sum. Row and column 0 of the work are made up.
fn least_cost(size: usize, cost: impl Fn(usize, usize) -> i128) -> Vec<usize> {
    let (mut row_potential, mut column_potential) = (vec![0; size + 1], vec![0; size + 1]);
    let mut row_of = vec![0; size + 1];
    for row in 1..=size {
        row_of[0] = row;
        let mut column = 0;
        let mut least = vec![i128::MAX; size + 1];
        let mut before = vec![0; size + 1];
        let mut used = vec![false; size + 1];
        while row_of[column] != 0 {
            used[column] = true;
            let from = row_of[column];
            let (mut step, mut next) = (i128::MAX, 0);
            for to in (1..=size).filter(|&to| !used[to]) {
                let reduced = cost(from - 1, to - 1) - row_potential[from] - column_potential[to];
                if reduced < least[to] {
                    (least[to], before[to]) = (reduced, column);
                }
                if least[to] < step {
                    (step, next) = (least[to], to);
                }
            }
            for to in 0..=size {
                if used[to] {
                    row_potential[row_of[to]] += step;
                    column_potential[to] -= step;
                } else if to > 0 {
                    least[to] -= step;
                }
            }
            column = next;
        }
        while column != 0 {
            row_of[column] = row_of[before[column]];
            column = before[column];
        }
    }
    row_of[1..].iter().map(|row| row - 1).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sum(weights: &[Vec<u64>], columns: &[Option<usize>]) -> u64 {
        columns.iter().enumerate().filter_map(|(row, column)| column.map(|column| weights[row][column])).sum()
    }

    /// The greatest sum, by trying every way.
    fn by_trying(weights: &[Vec<u64>], row: usize, used: &mut Vec<bool>) -> u64 {
        if row == weights.len() {
            return 0;
        }
        let mut best = by_trying(weights, row + 1, used);
        for column in 0..used.len() {
            if !used[column] {
                used[column] = true;
                best = best.max(weights[row][column] + by_trying(weights, row + 1, used));
                used[column] = false;
            }
        }
        best
    }

    #[test]
    fn the_greedy_way_is_not_always_the_best() {
        let weights = vec![vec![10, 9], vec![9, 0]];
        assert_eq!(best_assignment(&weights), [Some(1), Some(0)]);
        assert_eq!(best_assignment(&[]), []);
        assert_eq!(best_assignment(&[vec![], vec![]]), [None, None]);
    }

    proptest! {
        #[test]
        fn no_way_has_a_greater_sum(
            (columns, weights) in (0usize..5).prop_flat_map(|columns| {
                (Just(columns), prop::collection::vec(prop::collection::vec(0u64..20, columns), 0..5))
            }),
        ) {
            let found = best_assignment(&weights);
            let mut given: Vec<usize> = found.iter().flatten().copied().collect();
            prop_assert_eq!(given.len(), weights.len().min(columns));
            given.sort_unstable();
            given.dedup();
            prop_assert_eq!(given.len(), weights.len().min(columns), "a column is given twice");
            prop_assert_eq!(sum(&weights, &found), by_trying(&weights, 0, &mut vec![false; columns]));
        }
    }
}
