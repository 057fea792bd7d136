//! How often each class is taken for which, and what follows: accuracy, unweighted average recall, macro-F1.
//!
//! A class of which there is no example has no recall, and is left out of averages over classes.

use crate::{Error, Result};

/// Classes at most: there is a count for each pair of them.
const MOST_CLASSES: usize = 4096;

/// Numbers of examples by true and by predicted class.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Confusion {
    classes: usize,
    /// `[classes, classes]`, a row a true class.
    counts: Vec<u64>,
}

impl Confusion {
    /// Pairs of true and predicted class, both under `classes`.
    ///
    /// # Errors
    /// [`Error::Setting`] where a class is not under `classes`, or there are none or more than 4096.
    pub fn new(classes: usize, pairs: impl IntoIterator<Item = (usize, usize)>) -> Result<Self> {
        if !(1..=MOST_CLASSES).contains(&classes) {
            return Err(Error::Setting(format!(
                "{classes} classes cannot be counted; there must be from 1 to {MOST_CLASSES}"
            )));
        }
        let mut counts = vec![0; classes * classes];
        for (truth, predicted) in pairs {
            if truth >= classes || predicted >= classes {
                return Err(Error::Setting(format!(
                    "an example of class {truth} was taken for class {predicted}; there are {classes}"
                )));
            }
            counts[truth * classes + predicted] += 1;
        }
        Ok(Self { classes, counts })
    }

    /// Number of classes.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// Number of examples of class `truth` that were taken for `predicted`.
    pub fn count(&self, truth: usize, predicted: usize) -> u64 {
        self.counts[truth * self.classes + predicted]
    }

    /// Number of examples.
    pub fn total(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// Adds what another part of the examples was taken for.
    ///
    /// # Errors
    /// [`Error::Setting`] where the number of classes is another.
    pub fn add(&mut self, other: &Self) -> Result<()> {
        if self.classes != other.classes {
            return Err(Error::Setting(format!(
                "counts of {} classes cannot be added to those of {}",
                other.classes, self.classes
            )));
        }
        self.counts.iter_mut().zip(&other.counts).for_each(|(sum, count)| *sum += count);
        Ok(())
    }

    /// The share of examples that were taken for what they are, or 0 where there are none.
    pub fn accuracy(&self) -> f64 {
        let right: u64 = (0..self.classes).map(|class| self.count(class, class)).sum();
        share(right, self.total()).unwrap_or(0.0)
    }

    /// The share of the examples of `class` that were taken for it.
    pub fn recall(&self, class: usize) -> Option<f64> {
        share(self.count(class, class), (0..self.classes).map(|predicted| self.count(class, predicted)).sum())
    }

    /// The share of what was taken for `class` that is of it.
    pub fn precision(&self, class: usize) -> Option<f64> {
        share(self.count(class, class), (0..self.classes).map(|truth| self.count(truth, class)).sum())
    }

    /// The harmonic mean of precision and recall: `2 right / (examples + predictions)`. None of a class that neither occurs
    /// nor is predicted.
    pub fn f1(&self, class: usize) -> Option<f64> {
        let both = |at: usize| self.count(class, at) + self.count(at, class);
        share(2 * self.count(class, class), (0..self.classes).map(both).sum())
    }

    /// Unweighted average recall (UAR, balanced accuracy): the mean of the recalls of all classes that have examples.
    pub fn uar(&self) -> f64 {
        mean((0..self.classes).filter_map(|class| self.recall(class)))
    }

    /// The mean of F1 over all classes that occur or are predicted.
    pub fn macro_f1(&self) -> f64 {
        mean((0..self.classes).filter_map(|class| self.f1(class)))
    }
}

fn share(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (sum, count) = values.fold((0.0, 0), |(sum, count), value| (sum + value, count + 1));
    if count == 0 { 0.0 } else { sum / f64::from(count) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The figures are those of scikit-learn's `balanced_accuracy_score` and `f1_score(average="macro")`.
    #[test]
    fn figures_are_those_counted_by_hand() {
        struct Case {
            what: &'static str,
            classes: usize,
            pairs: &'static [(usize, usize)],
            accuracy: f64,
            uar: f64,
            macro_f1: f64,
        }
        let cases = [
            Case { what: "none", classes: 2, pairs: &[], accuracy: 0.0, uar: 0.0, macro_f1: 0.0 },
            Case {
                what: "right",
                classes: 2,
                pairs: &[(0, 0), (1, 1)],
                accuracy: 1.0,
                uar: 1.0,
                macro_f1: 1.0,
            },
            Case {
                what: "all taken for the larger class",
                classes: 2,
                pairs: &[(0, 0), (0, 0), (0, 0), (1, 0)],
                accuracy: 0.75,
                uar: 0.5,
                macro_f1: 3.0 / 7.0,
            },
            Case {
                what: "a class without examples that is predicted has an F1 of 0 and no recall",
                classes: 3,
                pairs: &[(0, 0), (0, 2), (1, 1), (1, 1)],
                accuracy: 0.75,
                uar: 0.75,
                macro_f1: (2.0 / 3.0 + 1.0) / 3.0,
            },
            Case {
                what: "a class that is nowhere is left out",
                classes: 3,
                pairs: &[(0, 0), (2, 2), (2, 0)],
                accuracy: 2.0 / 3.0,
                uar: 0.75,
                macro_f1: 2.0 / 3.0,
            },
        ];
        for case in cases {
            let found = Confusion::new(case.classes, case.pairs.iter().copied()).unwrap();
            let figures = [found.accuracy(), found.uar(), found.macro_f1()];
            let expected = [case.accuracy, case.uar, case.macro_f1];
            let close = figures.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-12);
            assert!(close, "{}: {figures:?} are not {expected:?}", case.what);
        }
    }

    #[test]
    fn classes_that_are_not_there_are_refused() {
        assert!(Confusion::new(2, [(2, 0)]).is_err() && Confusion::new(2, [(0, 2)]).is_err());
        assert!(Confusion::new(0, []).is_err() && Confusion::new(usize::MAX, []).is_err());
        let mut two = Confusion::new(2, [(0, 0)]).unwrap();
        assert!(two.add(&Confusion::new(3, [(0, 0)]).unwrap()).is_err());
    }

    proptest! {
        #[test]
        fn parts_add_up_and_figures_are_shares(pairs in prop::collection::vec((0..4_usize, 0..4_usize), 1..60), cut in 0..60_usize) {
            let whole = Confusion::new(4, pairs.iter().copied()).unwrap();
            let (left, right) = pairs.split_at(cut.min(pairs.len()));
            let mut sum = Confusion::new(4, left.iter().copied()).unwrap();
            sum.add(&Confusion::new(4, right.iter().copied()).unwrap()).unwrap();
            prop_assert_eq!(&sum, &whole);
            prop_assert_eq!(whole.total(), pairs.len() as u64);
            for figure in [whole.accuracy(), whole.uar(), whole.macro_f1()] {
                prop_assert!((0.0..=1.0).contains(&figure));
            }
            for class in 0..4 {
                if let (Some(recall), Some(precision), Some(f1)) = (whole.recall(class), whole.precision(class), whole.f1(class)) {
                    let harmonic = if recall + precision > 0.0 { 2.0 * recall * precision / (recall + precision) } else { 0.0 };
                    prop_assert!((f1 - harmonic).abs() < 1e-12);
                }
            }
        }
    }
}
