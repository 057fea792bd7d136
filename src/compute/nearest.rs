//! The nearest of many points to each row: a matrix product and a search for the least.

use rayon::prelude::*;

use super::{Linear, Precision};

/// Rows whose distances are held at once by a task.
const BLOCK: usize = 64;

/// Points that rows are compared with, by their Euclidean distance.
///
/// Of points that are equally near, the first is taken. The answer for a row does not depend on other rows, nor on threads.
pub struct Nearest {
    /// `|c|² - 2 x·c` of a row `x` and each point `c`: the squared distance without `|x|²`, which changes no order.
    linear: Linear,
}

impl Nearest {
    /// The points `[count, width]`.
    ///
    /// # Panics
    /// Where the width is zero or no divisor of the number of values.
    pub fn new(points: &[f32], width: usize) -> Self {
        let weight: Vec<f32> = points.iter().map(|value| -2.0 * value).collect();
        let square = |point: &[f32]| point.iter().map(|&value| f64::from(value).powi(2)).sum::<f64>() as f32;
        let squares = points.chunks_exact(width).map(square).collect();
        Self { linear: Linear::new(&weight, Some(squares), width, Precision::F32) }
    }

    /// Number of points.
    pub fn count(&self) -> usize {
        self.linear.outputs()
    }

    /// Values of a row.
    pub fn width(&self) -> usize {
        self.linear.inputs()
    }

    /// The number of the nearest point to each of `rows`, `[rows, width]`.
    pub fn of(&self, rows: &[f32]) -> Vec<u32> {
        self.with_distances(rows).into_iter().map(|(point, _)| point).collect()
    }

    /// The same, each with its squared distance.
    pub fn with_distances(&self, rows: &[f32]) -> Vec<(u32, f32)> {
        let width = self.width();
        let nearest = |rows: &[f32]| {
            let mut scores = vec![0.0; rows.len() / width * self.count()];
            self.linear.forward_into(rows, &mut scores);
            let found = rows.chunks_exact(width).zip(scores.chunks_exact(self.count()));
            found.map(|(row, scores)| nearest_of(row, scores)).collect::<Vec<_>>()
        };
        rows.par_chunks(BLOCK * width).flat_map_iter(nearest).collect()
    }
}

fn nearest_of(row: &[f32], scores: &[f32]) -> (u32, f32) {
    let (mut nearest, mut least) = (0, f32::INFINITY);
    for (point, &score) in scores.iter().enumerate() {
        if score < least {
            (nearest, least) = (point, score);
        }
    }
    let square: f64 = row.iter().map(|&value| f64::from(value).powi(2)).sum();
    (nearest as u32, (square + f64::from(least)).max(0.0) as f32)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_first_of_equally_near_points_is_taken() {
        // The first and third points are the same; the last row is as far from the first as from the second.
        let nearest = Nearest::new(&[0.0, 0.0, 2.0, 0.0, 0.0, 0.0], 2);
        assert_eq!((nearest.count(), nearest.width()), (3, 2));
        assert_eq!(nearest.of(&[0.1, 0.0, 1.9, 0.0, 1.0, 5.0]), [0, 1, 0]);
        assert_eq!(nearest.with_distances(&[0.0, 3.0]), [(0, 9.0)]);
        assert!(nearest.of(&[]).is_empty());
    }

    proptest! {
        #[test]
        fn no_point_is_nearer(rows in 1usize..150, points in 1usize..40, width in 1usize..20, seed in 0u64..99) {
            let mut random = fastrand::Rng::with_seed(seed);
            let mut values = |count: usize| (0..count).map(|_| random.f32() - 0.5).collect::<Vec<f32>>();
            let (x, c) = (values(rows * width), values(points * width));
            let distance = |row: &[f32], point: &[f32]| -> f32 {
                row.iter().zip(point).map(|(a, b)| (a - b).powi(2)).sum()
            };
            for (row, (point, found)) in x.chunks(width).zip(Nearest::new(&c, width).with_distances(&x)) {
                let own = distance(row, &c[point as usize * width..][..width]);
                prop_assert!((own - found).abs() < 1e-4);
                let least = c.chunks(width).map(|point| distance(row, point)).fold(f32::INFINITY, f32::min);
                prop_assert!(own < least + 1e-5);
            }
        }
    }
}
