//! How often a growing segment is recognised: as often as was asked for, while there is time.

use std::time::Duration;

use crate::event::ShedState;

/// Share of the time that partials may take. They step aside for finals, so that it may be high.
const SHARE: f64 = 0.9;
/// How much the newest partial counts in what they usually take.
const NEWEST: f64 = 0.25;
/// Sound between two partials at most; beyond it there are none.
const LONGEST: Duration = Duration::from_secs(4);
/// How much the step grows at a time.
const GROWTH: f64 = 1.5;

/// The step between partials, by what they take.
#[derive(Debug, Clone)]
pub struct Pace {
    asked: Duration,
    step: Duration,
    /// What a partial takes, on average of the last ones.
    usual: Option<Duration>,
    state: ShedState,
}

impl Pace {
    /// A pace of one partial every `asked`.
    pub fn new(asked: Duration) -> Self {
        Self { asked, step: asked, usual: None, state: ShedState::Restored }
    }

    /// Sound that must be new before the next partial; none: there is to be no partial.
    pub fn step(&self) -> Option<Duration> {
        (self.state != ShedState::Stopped).then_some(self.step)
    }

    /// Takes note of what a partial took. Returns the new state where it is another.
    pub fn took(&mut self, took: Duration) -> Option<ShedState> {
        let usual = self.usual.map_or(took, |usual| took.mul_f64(NEWEST) + usual.mul_f64(1.0 - NEWEST));
        self.usual = Some(usual);
        let needed = usual.div_f64(SHARE);
        if needed > self.step {
            self.step = needed.max(self.step.mul_f64(GROWTH));
        } else if needed < self.step.div_f64(GROWTH * GROWTH) {
            self.step = self.step.div_f64(GROWTH).max(self.asked);
        }
        self.change(match self.step {
            step if step > LONGEST => ShedState::Stopped,
            step if step > self.asked => ShedState::Thinned,
            _ => ShedState::Restored,
        })
    }

    /// A segment was worked off: partials that stopped are tried again, at the longest step.
    pub fn caught_up(&mut self) -> Option<ShedState> {
        if self.state != ShedState::Stopped {
            return None;
        }
        self.step = LONGEST;
        self.usual = None;
        self.change(ShedState::Thinned)
    }

    fn change(&mut self, state: ShedState) -> Option<ShedState> {
        (std::mem::replace(&mut self.state, state) != state).then_some(state)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partials_thin_out_stop_and_come_back() {
        let ms = Duration::from_millis;
        let mut pace = Pace::new(ms(500));
        assert_eq!(pace.took(ms(250)), None);
        assert_eq!(pace.step(), Some(ms(500)));
        // One that is slow does not count for much.
        assert_eq!(pace.took(ms(600)), None);
        assert_eq!(pace.took(ms(2000)), Some(ShedState::Thinned));
        assert!(pace.step().is_some_and(|step| step > ms(750)));
        assert_eq!(pace.took(ms(600)), None);
        assert_eq!(pace.took(ms(20_000)), Some(ShedState::Stopped));
        assert_eq!(pace.step(), None);
        assert_eq!(pace.caught_up(), Some(ShedState::Thinned));
        let mut changes = Vec::new();
        for _ in 0..10 {
            changes.extend(pace.took(ms(50)));
        }
        assert_eq!(changes, [ShedState::Restored]);
        assert_eq!(pace.step(), Some(ms(500)));
    }
}
