//! How well scores tell trials of one speaker from trials of two: equal error rate, least detection cost, DET curve.
//!
//! A trial is accepted where its score is at least the threshold. A miss is a trial of one speaker that is not accepted, a
//! false alarm one of two speakers that is. Martin et al., "The DET curve in assessment of detection task performance"
//! (Eurospeech 1997); the cost is that of NIST's speaker recognition evaluations.

use crate::{Error, Result};

/// The scores of the trials of one speaker, and of those of two.
#[derive(Debug, Clone, PartialEq)]
pub struct Verification {
    /// Sorted.
    same: Vec<f32>,
    /// Sorted.
    different: Vec<f32>,
}

/// The errors at a threshold.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DetPoint {
    /// The least score that is accepted.
    pub threshold: f32,
    /// The share of the trials of one speaker that is not accepted.
    pub miss: f64,
    /// The share of the trials of two speakers that is accepted.
    pub false_alarm: f64,
}

/// What errors cost, and how often there is something to miss.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DetectionCost {
    /// The probability of a trial of one speaker, between 0 and 1.
    pub p_target: f64,
    /// What a miss costs.
    pub miss: f64,
    /// What a false alarm costs.
    pub false_alarm: f64,
}

impl DetectionCost {
    /// Errors that cost 1, with trials of one speaker as probable as `p_target`: 0.01 and 0.05 are usual.
    pub fn of(p_target: f64) -> Self {
        Self { p_target, miss: 1.0, false_alarm: 1.0 }
    }

    /// The cost at a point of the DET curve, in shares of that of the better of accepting all and accepting none.
    pub fn at(&self, point: &DetPoint) -> f64 {
        let (miss, false_alarm) = (self.miss * self.p_target, self.false_alarm * (1.0 - self.p_target));
        (miss * point.miss + false_alarm * point.false_alarm) / miss.min(false_alarm)
    }
}

impl Verification {
    /// Trials as scores and whether both sounds are of one speaker; larger scores mean that they are.
    ///
    /// # Errors
    /// [`Error::Setting`] where there is no trial of one of the two kinds, or a score is no number.
    pub fn new(trials: impl IntoIterator<Item = (f32, bool)>) -> Result<Self> {
        let (mut same, mut different) = (Vec::new(), Vec::new());
        for (score, is_same) in trials {
            if score.is_nan() {
                return Err(Error::Setting("the score of a trial is no number".into()));
            }
            if is_same { same.push(score) } else { different.push(score) }
        }
        if same.is_empty() || different.is_empty() {
            return Err(Error::Setting(format!(
                "{} trials of one speaker and {} of two; errors need both",
                same.len(),
                different.len()
            )));
        }
        same.sort_by(f32::total_cmp);
        different.sort_by(f32::total_cmp);
        Ok(Self { same, different })
    }

    /// Number of trials of one speaker, and of two.
    pub fn trials(&self) -> (usize, usize) {
        (self.same.len(), self.different.len())
    }

    /// The errors at every threshold that changes them, from that at which all is accepted to an infinite one, at which
    /// nothing is.
    pub fn det(&self) -> Vec<DetPoint> {
        let mut points = Vec::new();
        let (mut missed, mut rejected) = (0, 0);
        let point = |threshold: f32, missed: usize, rejected: usize| DetPoint {
            threshold,
            miss: missed as f64 / self.same.len() as f64,
            false_alarm: 1.0 - rejected as f64 / self.different.len() as f64,
        };
        while let Some(threshold) = least(self.same.get(missed), self.different.get(rejected)) {
            points.push(point(threshold, missed, rejected));
            missed += equal(&self.same[missed..], threshold);
            rejected += equal(&self.different[rejected..], threshold);
        }
        points.push(point(f32::INFINITY, missed, rejected));
        points
    }

    /// The share of errors at the threshold at which misses and false alarms are equal shares of their trials, on straight
    /// lines between the points of the DET curve.
    pub fn equal_error_rate(&self) -> f64 {
        let points = self.det();
        // Misses grow along the curve from none to all, and false alarms fall from all to none.
        let after = points.iter().position(|point| point.miss >= point.false_alarm).unwrap_or(0);
        let (right, left) = (points[after], points[after.saturating_sub(1)]);
        let (gap_left, gap_right) = (left.false_alarm - left.miss, right.miss - right.false_alarm);
        match gap_left + gap_right {
            gaps if gaps > 0.0 => left.miss + (right.miss - left.miss) * gap_left / gaps,
            _ => right.miss,
        }
    }

    /// The least cost over all thresholds, and the point at which it is had.
    pub fn min_cost(&self, cost: DetectionCost) -> (f64, DetPoint) {
        let points = self.det();
        let costs = points.iter().map(|point| (cost.at(point), *point));
        let first = (cost.at(&points[0]), points[0]);
        costs.fold(first, |least, found| if found.0 < least.0 { found } else { least })
    }
}

fn least(same: Option<&f32>, different: Option<&f32>) -> Option<f32> {
    same.into_iter().chain(different).copied().min_by(f32::total_cmp)
}

/// How many of sorted `scores` are not above `threshold`.
fn equal(scores: &[f32], threshold: f32) -> usize {
    scores.iter().take_while(|&&score| score <= threshold).count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn verification(same: &[f32], different: &[f32]) -> Verification {
        let trials = |scores: &[f32], is_same: bool| {
            scores.iter().map(move |&score| (score, is_same)).collect::<Vec<_>>()
        };
        Verification::new([trials(same, true), trials(different, false)].concat()).unwrap()
    }

    #[test]
    fn constructed_trials_have_the_errors_that_they_were_made_for() {
        struct Case {
            what: &'static str,
            same: &'static [f32],
            different: &'static [f32],
            eer: f64,
            cost_01: f64,
            cost_05: f64,
        }
        let cases = [
            Case {
                what: "apart",
                same: &[0.8, 0.9],
                different: &[0.1, 0.2],
                eer: 0.0,
                cost_01: 0.0,
                cost_05: 0.0,
            },
            Case {
                what: "the wrong way round",
                same: &[0.1, 0.2],
                different: &[0.8, 0.9],
                eer: 1.0,
                cost_01: 1.0,
                cost_05: 1.0,
            },
            Case {
                what: "all alike",
                same: &[0.5],
                different: &[0.5; 3],
                eer: 0.5,
                cost_01: 1.0,
                cost_05: 1.0,
            },
            Case {
                what: "one of four on the other side",
                same: &[0.3, 0.6, 0.7, 0.8],
                different: &[0.1, 0.2, 0.4, 0.25],
                eer: 0.25,
                // Three quarters are accepted without a false alarm.
                cost_01: 0.25,
                cost_05: 0.25,
            },
            Case {
                what: "between points: at 0.5 one of two is missed, and one of four accepted",
                same: &[0.4, 0.6],
                different: &[0.1, 0.2, 0.3, 0.5],
                eer: 0.25,
                cost_01: 0.5,
                cost_05: 0.5,
            },
            Case {
                what: "a tie: of the trials at 0.5 all go one way",
                same: &[0.5, 0.9],
                different: &[0.1, 0.5],
                eer: 0.25,
                cost_01: 0.5,
                cost_05: 0.5,
            },
        ];
        for case in cases {
            let found = verification(case.same, case.different);
            let close = |found: f64, expected: f64, what: &str| {
                assert!((found - expected).abs() < 1e-12, "{}, {what}: {found}", case.what);
            };
            close(found.equal_error_rate(), case.eer, "eer");
            close(found.min_cost(DetectionCost::of(0.01)).0, case.cost_01, "0.01");
            close(found.min_cost(DetectionCost::of(0.05)).0, case.cost_05, "0.05");
        }
    }

    /// With one trial of a hundred a false alarm, costs of 0.01 (99 a false alarm) and 0.05 (19) differ.
    #[test]
    fn rare_targets_make_false_alarms_dear() {
        let mut different = vec![0.0; 99];
        different.push(0.6);
        let found = verification(&[0.5, 0.7], &different);
        let (cost, point) = found.min_cost(DetectionCost::of(0.01));
        assert_eq!((cost, point.threshold), (0.5, 0.7));
        let (cost, point) = found.min_cost(DetectionCost::of(0.05));
        assert!((cost - 0.19).abs() < 1e-9, "{cost}");
        assert_eq!((point.threshold, point.miss), (0.5, 0.0));
        let dear = DetectionCost { p_target: 0.5, miss: 10.0, false_alarm: 1.0 };
        assert!((found.min_cost(dear).0 - 0.01).abs() < 1e-9);
    }

    #[test]
    fn trials_that_cannot_be_scored_are_refused() {
        for trials in [vec![], vec![(0.5, true)], vec![(0.5, false)], vec![(f32::NAN, true), (0.1, false)]] {
            assert!(Verification::new(trials).is_err());
        }
    }

    /// The shares of errors at `threshold`, counted.
    fn counted(trials: &[(f32, bool)], threshold: f32) -> (f64, f64) {
        let share = |is_same: bool, wrong: &dyn Fn(f32) -> bool| {
            let of_kind: Vec<f32> = trials.iter().filter(|t| t.1 == is_same).map(|t| t.0).collect();
            of_kind.iter().filter(|&&score| wrong(score)).count() as f64 / of_kind.len() as f64
        };
        (share(true, &|score| score < threshold), share(false, &|score| score >= threshold))
    }

    /// Where the lines between counted points meet the diagonal, by halving the way between all neighbours.
    fn eer_by_halving(points: &[(f64, f64)]) -> f64 {
        let crossing = |pair: &[(f64, f64)]| {
            let at =
                |t: f64| (pair[0].0 + (pair[1].0 - pair[0].0) * t, pair[0].1 + (pair[1].1 - pair[0].1) * t);
            let gap = |t: f64| at(t).0 - at(t).1;
            if gap(0.0) > 0.0 || gap(1.0) < 0.0 {
                return None;
            }
            let (mut low, mut high) = (0.0, 1.0);
            for _ in 0..60 {
                let middle = (low + high) / 2.0;
                if gap(middle) < 0.0 { low = middle } else { high = middle }
            }
            Some(at(high).0)
        };
        points.windows(2).find_map(crossing).unwrap()
    }

    proptest! {
        #[test]
        fn equals_counting_at_every_threshold(
            same in prop::collection::vec(-8i8..12, 1..40),
            different in prop::collection::vec(-12i8..8, 1..40),
        ) {
            let kind = |scores: Vec<i8>, is_same: bool| -> Vec<(f32, bool)> {
                scores.into_iter().map(|score| (f32::from(score) / 8.0, is_same)).collect()
            };
            let trials = [kind(same, true), kind(different, false)].concat();
            let found = Verification::new(trials.clone()).unwrap();
            let thresholds: Vec<f32> = (-13..=13).map(|step| step as f32 / 8.0).collect();
            let points: Vec<(f64, f64)> = thresholds.iter().map(|&t| counted(&trials, t)).collect();
            for point in found.det() {
                let (miss, false_alarm) = counted(&trials, point.threshold);
                prop_assert!((point.miss - miss).abs() < 1e-12 && (point.false_alarm - false_alarm).abs() < 1e-12);
            }
            prop_assert!((found.equal_error_rate() - eer_by_halving(&points)).abs() < 1e-9);
            for p_target in [0.01, 0.05, 0.5] {
                let cost = |&(miss, false_alarm): &(f64, f64)| {
                    (p_target * miss + (1.0 - p_target) * false_alarm) / f64::min(p_target, 1.0 - p_target)
                };
                let least = points.iter().map(cost).fold(f64::INFINITY, f64::min);
                prop_assert!((found.min_cost(DetectionCost::of(p_target)).0 - least).abs() < 1e-9);
            }
            // Seen from the other side, misses are false alarms.
            let mirrored = Verification::new(trials.iter().map(|&(score, is_same)| (-score, !is_same))).unwrap();
            prop_assert!((found.equal_error_rate() - mirrored.equal_error_rate()).abs() < 1e-9);
        }
    }
}
