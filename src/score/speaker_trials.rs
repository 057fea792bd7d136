//! Trials of a corpus with the speakers of both sides, so that errors have intervals when speakers are drawn.
//!
//! A trial is of two speakers, so neither trials nor clips can be drawn by themselves: speakers are, and a trial counts as
//! often as its sides were drawn together (Bolle, Ratha and Pankanti, "Error analysis of pattern recognition systems: the
//! subsets bootstrap", 2004). Trials are sorted once, so that a draw takes one walk along them.

use super::bootstrap::{Bootstrap, Interval};
use super::verification::{DetPoint, DetectionCost, Verification};
use crate::Result;

/// A trial: its score, and the speakers of both sides.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SpeakerTrial {
    /// Larger where it is likelier that both are one speaker.
    pub score: f32,
    /// The speakers' numbers.
    pub speakers: (usize, usize),
}

/// Trials, by score.
#[derive(Debug, Clone, PartialEq)]
pub struct SpeakerTrials {
    trials: Vec<SpeakerTrial>,
    /// As many as the largest number needs.
    speakers: usize,
}

/// What errors there are.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TrialErrors {
    /// The equal error rate.
    pub eer: f64,
    /// The least detection cost at the priors that were asked for.
    pub min_cost: f64,
}

impl SpeakerTrials {
    /// These trials.
    ///
    /// # Errors
    /// [`Error::Setting`](crate::Error::Setting) where there is none of one speaker, none of two, or a score is no number.
    pub fn new(mut trials: Vec<SpeakerTrial>) -> Result<Self> {
        // Says what is wrong.
        Verification::new(trials.iter().map(SpeakerTrial::scored))?;
        trials.sort_by(|a, b| a.score.total_cmp(&b.score));
        let speakers =
            trials.iter().map(|trial| trial.speakers.0.max(trial.speakers.1) + 1).max().unwrap_or(0);
        Ok(Self { trials, speakers })
    }

    /// The trials without their speakers.
    ///
    /// # Errors
    /// None that [`new`](Self::new) has not had.
    pub fn verification(&self) -> Result<Verification> {
        Verification::new(self.trials.iter().map(SpeakerTrial::scored))
    }

    /// Number of trials of one speaker, and of two.
    pub fn counts(&self) -> (usize, usize) {
        let same = self.trials.iter().filter(|trial| trial.is_same()).count();
        (same, self.trials.len() - same)
    }

    /// The equal error rate, with its interval when speakers are drawn.
    ///
    /// # Errors
    /// [`Error::Setting`](crate::Error::Setting) where the bootstrap's settings have no sense.
    pub fn equal_error_rate(&self, bootstrap: &Bootstrap) -> Result<Interval> {
        self.interval(bootstrap, &|weights| self.errors(weights, None).eer)
    }

    /// The least detection cost, with its interval when speakers are drawn.
    ///
    /// # Errors
    /// As [`equal_error_rate`](Self::equal_error_rate).
    pub fn min_cost(&self, cost: DetectionCost, bootstrap: &Bootstrap) -> Result<Interval> {
        self.interval(bootstrap, &|weights| self.errors(weights, Some(cost)).min_cost)
    }

    fn interval(&self, bootstrap: &Bootstrap, figure: &(dyn Fn(&[u32]) -> f64 + Sync)) -> Result<Interval> {
        let present: Vec<usize> = {
            let mut present: Vec<usize> =
                self.trials.iter().flat_map(|trial| [trial.speakers.0, trial.speakers.1]).collect();
            present.sort_unstable();
            present.dedup();
            present
        };
        let drawn = |rows: &[usize]| {
            let mut weights = vec![0; self.speakers];
            rows.iter().for_each(|&row| weights[present[row]] += 1);
            figure(&weights)
        };
        bootstrap.of_rows(present.len(), drawn)
    }

    /// The errors where the trials count by how often their speakers were drawn. Where no trial of one kind is left, there are
    /// none.
    fn errors(&self, weights: &[u32], cost: Option<DetectionCost>) -> TrialErrors {
        let weight = |trial: &SpeakerTrial| {
            let (a, b) = trial.speakers;
            if a == b { f64::from(weights[a]) } else { f64::from(weights[a]) * f64::from(weights[b]) }
        };
        let (mut all_same, mut all_different) = (0.0, 0.0);
        for trial in &self.trials {
            *(if trial.is_same() { &mut all_same } else { &mut all_different }) += weight(trial);
        }
        if all_same == 0.0 || all_different == 0.0 {
            return TrialErrors { eer: 0.0, min_cost: 0.0 };
        }
        let (mut missed, mut rejected) = (0.0, 0.0);
        let (mut eer, mut min_cost) = (None, f64::INFINITY);
        let mut before: Option<DetPoint> = None;
        let mut visit = |threshold: f32, missed: f64, rejected: f64| {
            let point =
                DetPoint { threshold, miss: missed / all_same, false_alarm: 1.0 - rejected / all_different };
            if let Some(cost) = cost {
                min_cost = f64::min(min_cost, cost.at(&point));
            }
            if eer.is_none() && point.miss >= point.false_alarm {
                eer = Some(crossing(before.unwrap_or(point), point));
            }
            before = Some(point);
        };
        for run in self.trials.chunk_by(|a, b| a.score == b.score) {
            visit(run[0].score, missed, rejected);
            for trial in run {
                *(if trial.is_same() { &mut missed } else { &mut rejected }) += weight(trial);
            }
        }
        visit(f32::INFINITY, missed, rejected);
        TrialErrors { eer: eer.unwrap_or(0.0), min_cost }
    }
}

impl SpeakerTrial {
    fn is_same(&self) -> bool {
        self.speakers.0 == self.speakers.1
    }

    fn scored(&self) -> (f32, bool) {
        (self.score, self.is_same())
    }
}

/// Where misses and false alarms are equal on the line between two points.
fn crossing(left: DetPoint, right: DetPoint) -> f64 {
    let (gap_left, gap_right) = (left.false_alarm - left.miss, right.miss - right.false_alarm);
    match gap_left + gap_right {
        gaps if gaps > 0.0 => left.miss + (right.miss - left.miss) * gap_left / gaps,
        _ => right.miss,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn drawn(seed: u64, speakers: usize, clips: usize, apart: f32) -> Vec<SpeakerTrial> {
        let mut random = fastrand::Rng::with_seed(seed);
        let clips: Vec<usize> = (0..speakers * clips).map(|clip| clip % speakers).collect();
        let pairs = (0..clips.len()).flat_map(|a| (a + 1..clips.len()).map(move |b| (a, b)));
        pairs
            .map(|(a, b)| {
                let speakers = (clips[a], clips[b]);
                let shift = if speakers.0 == speakers.1 { apart } else { 0.0 };
                // Few values, so that there are ties.
                SpeakerTrial { score: ((random.f32() + shift) * 40.0).round() / 40.0, speakers }
            })
            .collect()
    }

    proptest! {
        #[test]
        fn values_are_those_of_plain_trials(seed in 0u64..1000, apart in 0.0f32..1.5) {
            let trials = SpeakerTrials::new(drawn(seed, 4, 5, apart)).unwrap();
            let plain = trials.verification().unwrap();
            let bootstrap = Bootstrap { draws: 3, ..Bootstrap::default() };
            let eer = trials.equal_error_rate(&bootstrap).unwrap();
            prop_assert!((eer.value - plain.equal_error_rate()).abs() < 1e-9);
            for p_target in [0.01, 0.05, 0.5] {
                let cost = trials.min_cost(DetectionCost::of(p_target), &bootstrap).unwrap();
                prop_assert!((cost.value - plain.min_cost(DetectionCost::of(p_target)).0).abs() < 1e-9);
            }
        }
    }

    /// A speaker drawn twice is two speakers' trials with others, twice as many with itself.
    #[test]
    fn weights_are_repetitions() {
        let trials = drawn(1, 3, 4, 0.5);
        let sorted = SpeakerTrials::new(trials.clone()).unwrap();
        let repeated: Vec<SpeakerTrial> = trials
            .iter()
            .flat_map(|trial| {
                let (a, b) = trial.speakers;
                let weights = [2, 0, 1];
                let times = if a == b { weights[a] } else { weights[a] * weights[b] };
                vec![*trial; times]
            })
            .collect();
        let expected = SpeakerTrials::new(repeated).unwrap().verification().unwrap();
        let found = sorted.errors(&[2, 0, 1], Some(DetectionCost::of(0.05)));
        assert!((found.eer - expected.equal_error_rate()).abs() < 1e-12);
        assert!((found.min_cost - expected.min_cost(DetectionCost::of(0.05)).0).abs() < 1e-12);
    }

    #[test]
    fn few_speakers_give_wide_intervals() {
        let width = |speakers: usize, clips: usize| {
            let trials = SpeakerTrials::new(drawn(3, speakers, clips, 0.4)).unwrap();
            let interval = trials.equal_error_rate(&Bootstrap::default()).unwrap();
            assert!(interval.low <= interval.value && interval.value <= interval.high);
            interval.high - interval.low
        };
        assert!(width(4, 10) > width(40, 4));
    }

    #[test]
    fn trials_of_one_kind_are_refused() {
        assert!(SpeakerTrials::new(vec![]).is_err());
        assert!(SpeakerTrials::new(vec![SpeakerTrial { score: 1.0, speakers: (0, 0) }]).is_err());
    }
}
