//! What events other than text say in one line.

use super::wrap::clean;
use crate::event::{EndStatus, Event, EventKind, GapReason, ShedState, ShedWork, VerdictStatus};
use crate::output::verdicts::{about_speaker, emotion, told};

/// A line of the events region.
#[derive(Debug, Clone, PartialEq)]
pub struct LaneEntry {
    /// Seconds of the stream's clock.
    pub at: f64,
    /// The event's type, or `notice`.
    pub lane: &'static str,
    /// What it says.
    pub text: String,
    /// How much it matters.
    pub weight: Weight,
}

/// How much an entry matters to who watches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weight {
    /// Good to know.
    Note,
    /// Something is worse than it could be.
    Warning,
    /// Something failed.
    Failure,
}

impl LaneEntry {
    /// What the user is told beside the events.
    pub fn notice(at: f64, text: &str) -> Self {
        Self { at, lane: "notice", text: clean(text), weight: Weight::Warning }
    }

    /// The entry of an event; none for those that are shown in other ways.
    pub fn of(event: &Event) -> Option<Self> {
        let length = event.t1 - event.t0;
        let (weight, text) = match &event.kind {
            EventKind::Gap { reason } => {
                let why = match reason {
                    GapReason::Overrun => "samples came faster than they were taken",
                    GapReason::DeviceLost => "the device was away",
                };
                (Weight::Warning, format!("{length:.2} s of sound are missing: {why}"))
            }
            EventKind::Shed { work, state, step } => {
                let what = match work {
                    ShedWork::Partials => "partials",
                    ShedWork::Speakers => "speakers",
                };
                match state {
                    ShedState::Thinned => (Weight::Warning, format!("{what} only every {step:.1} s")),
                    ShedState::Stopped => (Weight::Warning, format!("no more {what}")),
                    ShedState::Restored if *step > 0.0 => {
                        (Weight::Note, format!("{what} every {step:.1} s again"))
                    }
                    ShedState::Restored => (Weight::Note, format!("{what} again")),
                }
            }
            EventKind::Verdict(verdict) => {
                let weight = match verdict.status {
                    VerdictStatus::Alert => Weight::Warning,
                    VerdictStatus::Confirmed => Weight::Failure,
                    VerdictStatus::Withdrawn => Weight::Note,
                };
                (weight, clean(&told(verdict)))
            }
            EventKind::Emotion { label, probabilities, .. } => {
                (Weight::Note, clean(&emotion(label, probabilities)))
            }
            EventKind::Speaker(told) => {
                let weight = if told.actions.is_empty() { Weight::Note } else { Weight::Warning };
                (weight, clean(&about_speaker(told)?))
            }
            EventKind::Marker { name } => (Weight::Note, clean(name)),
            EventKind::Error { stage, message } => (Weight::Failure, clean(&format!("{stage}: {message}"))),
            EventKind::StreamEnd { status, totals } => {
                let (weight, how) = ending(*status);
                (weight, format!("{how}: {} segments, {} words", totals.segments, totals.words))
            }
            EventKind::StreamStart(_)
            | EventKind::SpeechStart { .. }
            | EventKind::SpeechEnd { .. }
            | EventKind::Partial { .. }
            | EventKind::Final { .. } => return None,
        };
        Some(Self { at: event.t0, lane: event.type_name(), text, weight })
    }
}

fn ending(status: EndStatus) -> (Weight, &'static str) {
    match status {
        EndStatus::Finished => (Weight::Note, "finished"),
        EndStatus::Stopped => (Weight::Note, "stopped"),
        EndStatus::DownstreamGone => (Weight::Failure, "nobody takes the results any more"),
        EndStatus::Failed => (Weight::Failure, "failed"),
        EndStatus::Panicked => (Weight::Failure, "failed by a bug"),
        EndStatus::Abandoned => (Weight::Failure, "did not end in time"),
    }
}
