//! When the sound of a segment raises an alert, and what becomes of it: a state machine with hysteresis.
//!
//! All of it depends on the windows and finals of one segment alone, so that segments can be judged in any company.

use super::policy::{Policy, Thresholds};
use crate::event::VerdictStatus;
use crate::time::{SampleIndex, Span};

/// The state of the segment that is heard.
#[derive(Debug, Clone, Default)]
pub struct Alerts {
    segment: Option<u64>,
    /// Whether windows are above the release threshold since an alert.
    is_on: bool,
    /// Where windows began to stay below it.
    below_since: Option<SampleIndex>,
    /// The window of the alert with the highest score, and that.
    strongest: Option<(Span, f32)>,
}

impl Alerts {
    /// Takes the score of a window of `segment`; windows come in order of their ends. True where it raises an alert.
    pub fn window(&mut self, segment: u64, span: Span, score: f32, policy: &Policy) -> bool {
        if self.segment != Some(segment) {
            *self = Self { segment: Some(segment), ..Self::default() };
        }
        let Thresholds { raise, release } = policy.alert;
        let is_first = !self.is_on && score >= raise;
        if self.is_on || is_first {
            self.is_on = true;
            let stronger = self.strongest.is_none_or(|(_, strongest)| score > strongest);
            if score >= raise && stronger {
                self.strongest = Some((span, score));
            }
        }
        if score >= release {
            self.below_since = None;
        } else if self.is_on {
            let since = *self.below_since.get_or_insert(span.end);
            if span.end - since >= policy.hold {
                self.is_on = false;
                self.below_since = None;
            }
        }
        is_first
    }

    /// The strongest window of the alert of `segment`, if there was one.
    pub fn alerted(&self, segment: u64) -> Option<Span> {
        let (span, _) = self.strongest.filter(|_| self.segment == Some(segment))?;
        Some(span)
    }

    /// What becomes of `segment`, whose final score this is; none where there is nothing to say. What was alerted is
    /// confirmed down to the release threshold.
    pub fn conclude(
        &mut self,
        segment: u64,
        score: Option<f32>,
        thresholds: Thresholds,
    ) -> Option<VerdictStatus> {
        let alerted = self.alerted(segment).is_some();
        if self.segment == Some(segment) {
            *self = Self::default();
        }
        let needed = if alerted { thresholds.release } else { thresholds.raise };
        match (score.is_some_and(|score| score >= needed), alerted) {
            (true, _) => Some(VerdictStatus::Confirmed),
            (false, true) => Some(VerdictStatus::Withdrawn),
            (false, false) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn span(number: usize) -> Span {
        let start = 16_000 * number as u64;
        Span::new(SampleIndex(start), SampleIndex(start + 32_000))
    }

    /// Numbers of the windows that raise an alert.
    fn raised(scores: &[f32]) -> Vec<usize> {
        let mut alerts = Alerts::default();
        let policy = Policy::default();
        (0..scores.len()).filter(|&i| alerts.window(0, span(i), scores[i], &policy)).collect()
    }

    #[test]
    fn alerts_do_not_flicker() {
        assert_eq!(raised(&[0.1, 0.79, 0.8, 0.9, 0.8]), [2]);
        // Between the thresholds, and below for less than the hold time, it stays on.
        assert_eq!(raised(&[0.9, 0.6, 0.9, 0.4, 0.9]), [0]);
        assert_eq!(raised(&[0.9, 0.4, 0.4, 0.9]), [0, 3]);
    }

    #[test]
    fn a_segment_is_confirmed_or_withdrawn_once() {
        let thresholds = Thresholds { raise: 0.5, release: 0.35 };
        let policy = Policy::default();
        let mut alerts = Alerts::default();
        assert!(alerts.window(3, span(0), 0.9, &policy));
        assert_eq!(alerts.alerted(3), Some(span(0)));
        assert_eq!(alerts.alerted(2), None);
        assert_eq!(alerts.conclude(3, Some(0.4), thresholds), Some(VerdictStatus::Confirmed));
        assert_eq!(alerts.conclude(3, Some(0.4), thresholds), None);
        assert!(alerts.window(4, span(9), 0.9, &policy));
        assert_eq!(alerts.conclude(4, Some(0.3), thresholds), Some(VerdictStatus::Withdrawn));
        assert!(alerts.window(5, span(12), 0.9, &policy));
        assert_eq!(alerts.conclude(5, None, thresholds), Some(VerdictStatus::Withdrawn));
        assert_eq!(alerts.conclude(6, Some(0.5), thresholds), Some(VerdictStatus::Confirmed));
    }

    proptest! {
        #[test]
        fn between_two_alerts_windows_stay_below_for_the_hold_time(
            scores in proptest::collection::vec(0.0f32..1.0, 0..60)
        ) {
            let policy = Policy::default();
            let at = raised(&scores);
            for pair in at.windows(2) {
                let low: Vec<bool> =
                    scores[pair[0]..pair[1]].iter().map(|&score| score < policy.alert.release).collect();
                let needed = 1 + (policy.hold / 16_000) as usize;
                prop_assert!(low.windows(needed).any(|run| run.iter().all(|&low| low)));
            }
            prop_assert!(at.iter().all(|&i| scores[i] >= policy.alert.raise));
        }
    }
}
