//! How well abuse is told from other text.

use serde::{Deserialize, Serialize};

use crate::Result;
use crate::score::bootstrap::{Bootstrap, Interval};

/// Numbers of texts by what they are and what they were taken for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Counts {
    /// Abusive, and taken for it.
    pub hits: usize,
    /// Abusive, and not taken for it.
    pub misses: usize,
    /// Not abusive, and taken for it.
    pub false_alarms: usize,
    /// Not abusive, and not taken for it.
    pub rejections: usize,
}

impl Counts {
    /// Counts a text.
    pub fn add(&mut self, abusive: bool, taken_for_abusive: bool) {
        *match (abusive, taken_for_abusive) {
            (true, true) => &mut self.hits,
            (true, false) => &mut self.misses,
            (false, true) => &mut self.false_alarms,
            (false, false) => &mut self.rejections,
        } += 1;
    }

    /// All texts.
    pub fn total(&self) -> usize {
        self.hits + self.misses + self.false_alarms + self.rejections
    }

    /// The share that was taken for what it is; 0 where there is none.
    pub fn accuracy(&self) -> f64 {
        (self.hits + self.rejections) as f64 / self.total().max(1) as f64
    }

    /// F1 of abuse; 0 where there is none and none was told of.
    pub fn f1(&self) -> f64 {
        f1(self.hits, self.misses + self.false_alarms)
    }

    /// [`macro_f1`](Self::macro_f1) and between what it lies where other texts of the kind are drawn.
    ///
    /// # Errors
    /// As [`Bootstrap::of_rows`]: where there are no texts.
    pub fn macro_f1_interval(&self, bootstrap: &Bootstrap) -> Result<Interval> {
        let ends = [self.hits, self.hits + self.misses, self.hits + self.misses + self.false_alarms];
        bootstrap.of_rows(self.total(), |rows| {
            let mut drawn = Self::default();
            for &row in rows {
                let kind = ends.partition_point(|&end| end <= row);
                drawn.add(kind < 2, kind == 0 || kind == 2);
            }
            drawn.macro_f1()
        })
    }

    /// The mean of F1 of abuse and F1 of the rest.
    pub fn macro_f1(&self) -> f64 {
        (self.f1() + f1(self.rejections, self.misses + self.false_alarms)) / 2.0
    }
}

fn f1(right: usize, wrong: usize) -> f64 {
    match 2 * right + wrong {
        0 => 0.0,
        all => 2.0 * right as f64 / all as f64,
    }
}

/// The threshold of probability with the best macro-F1 over pairs of probability and truth, halfway between two
/// probabilities; 0.5 where there are no pairs.
pub fn best_threshold(pairs: &[(f32, bool)]) -> f32 {
    let mut sorted = pairs.to_vec();
    sorted.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut counts = Counts::default();
    sorted.iter().for_each(|&(_, abusive)| counts.add(abusive, true));
    let (mut best, mut threshold) = (counts.macro_f1(), 0.0);
    for (at, &(probability, abusive)) in sorted.iter().enumerate() {
        match abusive {
            true => (counts.hits, counts.misses) = (counts.hits - 1, counts.misses + 1),
            false => {
                (counts.false_alarms, counts.rejections) = (counts.false_alarms - 1, counts.rejections + 1);
            }
        }
        let next = sorted.get(at + 1).map_or(1.0, |next| next.0);
        if next > probability && counts.macro_f1() > best {
            (best, threshold) = (counts.macro_f1(), f32::midpoint(probability, next));
        }
    }
    if pairs.is_empty() { 0.5 } else { threshold }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_of_counts_are_those_by_hand() {
        let counts = Counts { hits: 6, misses: 2, false_alarms: 4, rejections: 8 };
        assert_eq!((counts.total(), counts.accuracy()), (20, 0.7));
        // 12 / 18 and 16 / 22.
        assert!((counts.f1() - 2.0 / 3.0).abs() < 1e-12);
        assert!((counts.macro_f1() - (2.0 / 3.0 + 8.0 / 11.0) / 2.0).abs() < 1e-12);
        let none = Counts::default();
        assert_eq!((none.accuracy(), none.f1(), none.macro_f1()), (0.0, 0.0, 0.0));
    }

    #[test]
    fn the_interval_is_around_the_figure_and_narrower_with_more_texts() {
        let few = Counts { hits: 60, misses: 20, false_alarms: 40, rejections: 80 };
        let many = Counts { hits: 600, misses: 200, false_alarms: 400, rejections: 800 };
        let [few, many] = [few, many].map(|counts| {
            let found = counts.macro_f1_interval(&Bootstrap::default()).unwrap();
            assert!((found.value - counts.macro_f1()).abs() < 1e-12);
            assert!(found.low < found.value && found.value < found.high, "{found:?}");
            found.high - found.low
        });
        // As the root of the number.
        assert!((few / many - 10f64.sqrt()).abs() < 0.5, "{few} and {many}");
        assert!(Counts::default().macro_f1_interval(&Bootstrap::default()).is_err());
    }

    #[test]
    fn the_best_threshold_is_between_the_classes() {
        struct Case {
            pairs: &'static [(f32, bool)],
            threshold: f32,
        }
        let cases = [
            Case { pairs: &[], threshold: 0.5 },
            Case { pairs: &[(0.2, false), (0.6, true)], threshold: 0.4 },
            Case { pairs: &[(0.9, true), (0.1, false), (0.5, true), (0.3, false)], threshold: 0.4 },
            // One is wrong in any case; of those that are told apart by none, all go one way.
            Case { pairs: &[(0.1, false), (0.3, false), (0.3, true), (0.9, true)], threshold: 0.2 },
        ];
        for Case { pairs, threshold } in cases {
            let found = best_threshold(pairs);
            assert!((found - threshold).abs() < 1e-6, "{pairs:?}: {found}");
        }
    }
}
