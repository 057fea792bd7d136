//! How far two tokens are apart: the angle of their frames along the best alignment.

use std::f64::consts::PI;

/// Frames of a token, each of length 1.
pub(super) struct Frames {
    /// `[frames, width]`.
    values: Vec<f32>,
    /// Which frames were all zeros, and so have no direction.
    null: Vec<bool>,
    width: usize,
}

impl Frames {
    /// Of `features`, `[frames, width]`, the directions.
    pub fn new(features: &[f32], width: usize) -> Self {
        let mut values = features.to_vec();
        let mut null = Vec::with_capacity(features.len() / width);
        for frame in values.chunks_exact_mut(width) {
            let length = dot(frame, frame).sqrt();
            null.push(length == 0.0);
            if length > 0.0 {
                frame.iter_mut().for_each(|x| *x = (f64::from(*x) / length) as f32);
            }
        }
        Self { values, null, width }
    }

    pub fn count(&self) -> usize {
        self.null.len()
    }

    fn frame(&self, index: usize) -> &[f32] {
        &self.values[index * self.width..(index + 1) * self.width]
    }

    /// The angle between a frame of this and one of `other`, over π: 0 to 1.
    fn angle(&self, index: usize, other: &Self, other_index: usize) -> f64 {
        match (self.null[index], other.null[other_index]) {
            (true, true) => 0.0,
            (true, false) | (false, true) => 1.0,
            (false, false) => dot(self.frame(index), other.frame(other_index)).clamp(-1.0, 1.0).acos() / PI,
        }
    }
}

/// The product of two frames. Eight sums at once let the compiler use vectors.
fn dot(a: &[f32], b: &[f32]) -> f64 {
    const LANES: usize = 8;
    let (a_lanes, b_lanes) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
    let tail = std::iter::zip(a_lanes.remainder(), b_lanes.remainder());
    let mut sum: f64 = tail.map(|(&a, &b)| f64::from(a) * f64::from(b)).sum();
    let mut sums = [0.0; LANES];
    for (a, b) in a_lanes.zip(b_lanes) {
        for lane in 0..LANES {
            sums[lane] += f64::from(a[lane]) * f64::from(b[lane]);
        }
    }
    sum += sums.iter().sum::<f64>();
    sum
}

/// Aligns tokens; keeps the room that it needs for it.
#[derive(Default)]
pub(super) struct Aligner {
    /// The smallest sum of distances up to each pair of frames, `[frames of x, frames of y]`.
    cost: Vec<f64>,
}

impl Aligner {
    /// The mean distance of the frame pairs along the best alignment of two tokens with frames.
    pub fn distance(&mut self, x: &Frames, y: &Frames) -> f64 {
        self.align(x.count(), y.count(), |i, j| x.angle(i, y, j))
    }

    /// The same of `rows` and `columns` frames whose distances are `distance`.
    fn align(&mut self, rows: usize, columns: usize, distance: impl Fn(usize, usize) -> f64) -> f64 {
        self.cost.clear();
        for i in 0..rows {
            for j in 0..columns {
                let before = match (i, j) {
                    (0, 0) => 0.0,
                    (0, _) => self.cost[j - 1],
                    (_, 0) => self.cost[(i - 1) * columns],
                    _ => {
                        let above = (i - 1) * columns + j;
                        self.cost[above].min(self.cost[above - 1]).min(self.cost[i * columns + j - 1])
                    }
                };
                self.cost.push(before + distance(i, j));
            }
        }
        self.cost[rows * columns - 1] / self.path_length(rows, columns) as f64
    }

    /// Pairs of frames on the best path. Of several equally good, it is the one that, from its end, goes along both first,
    /// then along the columns.
    fn path_length(&self, rows: usize, columns: usize) -> usize {
        let (mut i, mut j, mut length) = (rows - 1, columns - 1, 1);
        while i > 0 && j > 0 {
            let up = self.cost[(i - 1) * columns + j];
            let left = self.cost[i * columns + j - 1];
            let both = self.cost[(i - 1) * columns + j - 1];
            if both <= left && both <= up {
                i -= 1;
                j -= 1;
            } else if left <= up {
                j -= 1;
            } else {
                i -= 1;
            }
            length += 1;
        }
        length + i + j
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn frames_are_apart_by_their_angle() {
        let x = Frames::new(&[2.0, 0.0], 2);
        for (y, expected) in [
            ([3.0, 0.0], 0.0),
            ([1.0, 1.0], 0.25),
            ([0.0, 0.1], 0.5),
            ([-1.0, 1.0], 0.75),
            ([-5.0, 0.0], 1.0),
            ([0.0, 0.0], 1.0),
        ] {
            let distance = Aligner::default().distance(&x, &Frames::new(&y, 2));
            assert!((distance - expected).abs() < 1e-7, "{y:?}: {distance}");
        }
        let null = Frames::new(&[0.0, 0.0], 2);
        assert_eq!(Aligner::default().distance(&null, &Frames::new(&[0.0, 0.0], 2)), 0.0);
    }

    /// Worked by hand: sums up to each pair, then the pairs on the way back.
    #[test]
    fn tokens_are_aligned_by_the_smallest_sum() {
        struct Case {
            distances: &'static [&'static [f64]],
            sum: f64,
            pairs: f64,
        }
        let cases = [
            Case { distances: &[&[3.0]], sum: 3.0, pairs: 1.0 },
            Case { distances: &[&[1.0, 2.0, 3.0]], sum: 6.0, pairs: 3.0 },
            Case { distances: &[&[1.0], &[2.0]], sum: 3.0, pairs: 2.0 },
            // Sums 1 6 | 3 2: along both.
            Case { distances: &[&[1.0, 5.0], &[2.0, 1.0]], sum: 2.0, pairs: 2.0 },
            // Sums 1 2 3 | 10 10 3 | 19 19 4: along the first row, along both, down.
            Case { distances: &[&[1.0, 1.0, 1.0], &[9.0, 9.0, 1.0], &[9.0, 9.0, 1.0]], sum: 4.0, pairs: 4.0 },
            // Sums 1 10 19 | 2 3 12 | 11 11 4: along both, twice.
            Case { distances: &[&[1.0, 9.0, 9.0], &[1.0, 2.0, 9.0], &[9.0, 9.0, 1.0]], sum: 4.0, pairs: 3.0 },
            // Sums 0 1 | 0 1: both ways back from the end are as good, and that along both is taken.
            Case { distances: &[&[0.0, 1.0], &[0.0, 1.0]], sum: 1.0, pairs: 2.0 },
        ];
        for case in cases {
            let (rows, columns) = (case.distances.len(), case.distances[0].len());
            let found = Aligner::default().align(rows, columns, |i, j| case.distances[i][j]);
            assert_eq!(found, case.sum / case.pairs, "{:?}", case.distances);
        }
    }

    proptest! {
        #[test]
        fn a_token_is_at_0_from_itself_and_others_are_within_1(
            x in prop::collection::vec(-1.0f32..1.0, 3..30),
            y in prop::collection::vec(-1.0f32..1.0, 3..30),
        ) {
            let frames = |values: &[f32]| Frames::new(&values[..values.len() / 3 * 3], 3);
            let (x, y) = (frames(&x), frames(&y));
            let mut aligner = Aligner::default();
            // The cosine of a frame in f32 with itself is off 1 by some 1e-7, and the angle by the root of that.
            prop_assert!(aligner.distance(&x, &x) < 3e-4);
            let there = aligner.distance(&x, &y);
            prop_assert!((0.0..=1.0).contains(&there));
            prop_assert!((there - aligner.distance(&y, &x)).abs() < 1e-12);
        }
    }
}
