//! Eigenvalues and eigenvectors of a real symmetric matrix.
//!
//! Householder's reduction to three diagonals and the QL algorithm with implicit shifts: `tred2` and `tql2` of EISPACK
//! (Wilkinson and Reinsch, "Linear Algebra", 1971, contributions II/2 and II/4). The cube of the size in time.

/// Steps of the QL algorithm for one value; two are usual.
const MOST_STEPS: usize = 60;

/// A matrix as its eigenvalues, from the least, and its eigenvectors.
pub struct Eigen {
    /// The values, from the least.
    pub values: Vec<f64>,
    /// `[value][row]`: the vector of each value, of length 1; none where they were not asked for.
    pub vectors: Vec<Vec<f64>>,
}

/// What is wanted of a matrix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// The values alone, which takes a third of the time.
    Values,
    /// Values and vectors.
    Vectors,
}

/// The eigenvalues of a symmetric matrix `[size, size]`, of which the lower half is read, and its eigenvectors where wanted.
pub fn eigen(matrix: &[f64], size: usize, wanted: Wanted) -> Eigen {
    let mut rows: Vec<Vec<f64>> = matrix.chunks_exact(size.max(1)).map(<[f64]>::to_vec).collect();
    let (mut diagonal, mut beside) = reduce(&mut rows, wanted);
    iterate(&mut diagonal, &mut beside, &mut rows, wanted);
    let mut order: Vec<usize> = (0..size).collect();
    order.sort_by(|&a, &b| diagonal[a].total_cmp(&diagonal[b]));
    let vectors = match wanted {
        Wanted::Values => Vec::new(),
        // The vectors are the rows by now.
        Wanted::Vectors => order.iter().map(|&at| std::mem::take(&mut rows[at])).collect(),
    };
    Eigen { values: order.iter().map(|&at| diagonal[at]).collect(), vectors }
}

/// Makes the matrix one of three diagonals: returns the middle one and that beside it (from its second place on), and leaves
/// the transposed product of the reflections in `rows` where vectors are wanted.
fn reduce(rows: &mut [Vec<f64>], wanted: Wanted) -> (Vec<f64>, Vec<f64>) {
    let size = rows.len();
    let (mut diagonal, mut beside) = (vec![0.0; size], vec![0.0; size]);
    // The reflections, each with half of its squared length.
    let mut reflections: Vec<(Vec<f64>, f64)> = Vec::new();
    for last in (1..size).rev() {
        let (above, below) = rows.split_at_mut(last);
        let row = &mut below[0][..last];
        let scale: f64 = row[..last - 1].iter().map(|x| x.abs()).sum();
        if scale == 0.0 {
            beside[last] = row[last - 1];
            reflections.push((Vec::new(), 0.0));
            continue;
        }
        let norm: f64 = row.iter().map(|x| x * x).sum();
        let length = if row[last - 1] >= 0.0 { -norm.sqrt() } else { norm.sqrt() };
        let half = norm - row[last - 1] * length;
        beside[last] = length;
        let mut reflection = row.to_vec();
        reflection[last - 1] -= length;
        let product = symmetric_product(above, &reflection, half);
        let along: f64 = dot(&product, &reflection) / (2.0 * half);
        let shift: Vec<f64> = product.iter().zip(&reflection).map(|(p, u)| p - along * u).collect();
        for (at, row) in above.iter_mut().enumerate() {
            let (u, q) = (reflection[at], shift[at]);
            for (x, (v, p)) in row[..=at].iter_mut().zip(reflection.iter().zip(&shift)) {
                *x -= u * p + q * v;
            }
        }
        reflections.push((reflection, half));
    }
    for (at, row) in rows.iter_mut().enumerate() {
        diagonal[at] = row[at];
    }
    if wanted == Wanted::Vectors {
        accumulate(rows, &reflections);
    }
    (diagonal, beside)
}

/// The symmetric matrix whose lower half is `rows`, times `vector`, over `by`.
fn symmetric_product(rows: &[Vec<f64>], vector: &[f64], by: f64) -> Vec<f64> {
    let mut product = vec![0.0; vector.len()];
    for (at, row) in rows.iter().enumerate() {
        let mut sum = row[at] * vector[at];
        for ((x, v), p) in row[..at].iter().zip(vector).zip(&mut product) {
            sum += x * v;
            *p += x * vector[at];
        }
        product[at] += sum;
    }
    product.iter_mut().for_each(|p| *p /= by);
    product
}

/// Makes `rows` the transposed product of the reflections, of which the first is of the whole size but one.
fn accumulate(rows: &mut [Vec<f64>], reflections: &[(Vec<f64>, f64)]) {
    let size = rows.len();
    for (at, row) in rows.iter_mut().enumerate() {
        row.fill(0.0);
        row[at] = 1.0;
    }
    for (reflection, half) in reflections.iter().rev().filter(|(reflection, _)| !reflection.is_empty()) {
        let width = reflection.len().min(size);
        for row in &mut rows[..width] {
            let along = dot(&row[..width], reflection) / half;
            row[..width].iter_mut().zip(reflection).for_each(|(x, u)| *x -= along * u);
        }
    }
}

/// Makes the diagonal the values, and the rows the vectors where wanted.
fn iterate(diagonal: &mut [f64], beside: &mut [f64], rows: &mut [Vec<f64>], wanted: Wanted) {
    let size = diagonal.len();
    if size == 0 {
        return;
    }
    beside.rotate_left(1);
    beside[size - 1] = 0.0;
    for first in 0..size {
        for _ in 0..MOST_STEPS {
            let small =
                |at: usize| beside[at].abs() <= f64::EPSILON * (diagonal[at].abs() + diagonal[at + 1].abs());
            let last = (first..size - 1).find(|&at| small(at)).unwrap_or(size - 1);
            if last == first {
                break;
            }
            step(diagonal, beside, rows, first, last, wanted);
        }
    }
}

/// One step of the QL algorithm on the part from `first` to `last`.
fn step(
    diagonal: &mut [f64],
    beside: &mut [f64],
    rows: &mut [Vec<f64>],
    first: usize,
    last: usize,
    wanted: Wanted,
) {
    let slope = (diagonal[first + 1] - diagonal[first]) / (2.0 * beside[first]);
    let root = slope.hypot(1.0).copysign(slope);
    let mut g = diagonal[last] - diagonal[first] + beside[first] / (slope + root);
    let (mut sine, mut cosine, mut shift) = (1.0, 1.0, 0.0);
    for at in (first..last).rev() {
        let (f, b) = (sine * beside[at], cosine * beside[at]);
        let length = f.hypot(g);
        beside[at + 1] = length;
        if length == 0.0 {
            diagonal[at + 1] -= shift;
            beside[last] = 0.0;
            return;
        }
        (sine, cosine) = (f / length, g / length);
        g = diagonal[at + 1] - shift;
        let turned = (diagonal[at] - g) * sine + 2.0 * cosine * b;
        shift = sine * turned;
        diagonal[at + 1] = g + shift;
        g = cosine * turned - b;
        if wanted == Wanted::Vectors {
            let (lower, upper) = rows.split_at_mut(at + 1);
            for (x, y) in lower[at].iter_mut().zip(&mut upper[0]) {
                let old = *y;
                *y = sine * *x + cosine * old;
                *x = cosine * *x - sine * old;
            }
        }
    }
    diagonal[first] -= shift;
    beside[first] = g;
    beside[last] = 0.0;
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(matrix: &[f64], size: usize) {
        let found = eigen(matrix, size, Wanted::Vectors);
        let most = matrix.iter().fold(1.0, |most: f64, x| most.max(x.abs()));
        let close = |a: f64, b: f64| assert!((a - b).abs() < 1e-9 * most * size as f64, "{a} and {b}");
        assert!(found.values.is_sorted());
        for (value, vector) in found.values.iter().zip(&found.vectors) {
            for row in 0..size {
                let product: f64 = (0..size).map(|column| matrix[row * size + column] * vector[column]).sum();
                close(product, value * vector[row]);
            }
        }
        for a in 0..size {
            for b in 0..size {
                close(dot(&found.vectors[a], &found.vectors[b]), f64::from(u8::from(a == b)));
            }
        }
        let alone = eigen(matrix, size, Wanted::Values);
        alone.values.iter().zip(&found.values).for_each(|(&a, &b)| close(a, b));
        assert!(alone.vectors.is_empty());
    }

    #[test]
    fn known_matrices_have_known_values() {
        let values = |matrix: &[f64], size: usize| eigen(matrix, size, Wanted::Values).values;
        assert_eq!(values(&[], 0), [0.0; 0]);
        assert_eq!(values(&[3.0], 1), [3.0]);
        let found = values(&[2.0, 1.0, 1.0, 2.0], 2);
        assert!((found[0] - 1.0).abs() < 1e-12 && (found[1] - 3.0).abs() < 1e-12, "{found:?}");
        // Two parts that are not connected: the Laplacian has 0 twice.
        let parts = [1.0, -1.0, 0.0, 0.0, -1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0, -1.0, 0.0, 0.0, -1.0, 1.0];
        let found = values(&parts, 4);
        for (found, expected) in found.iter().zip([0.0, 0.0, 2.0, 2.0]) {
            assert!((found - expected).abs() < 1e-12);
        }
        check(&parts, 4);
        check(&[0.0; 9], 3);
    }

    proptest! {
        #[test]
        fn vectors_are_stretched_by_their_values(
            (size, values) in (1usize..12).prop_flat_map(|size| {
                (Just(size), prop::collection::vec(-4i8..5, size * size))
            }),
        ) {
            let at = |row: usize, column: usize| f64::from(values[row.max(column) * size + row.min(column)]);
            let matrix: Vec<f64> = (0..size * size).map(|index| at(index / size, index % size)).collect();
            check(&matrix, size);
        }
    }
}
