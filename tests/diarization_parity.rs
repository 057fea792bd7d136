//! Errors of diarization are those that `pyannote.metrics` counts.
//!
//! `tests/fixtures/diarization/errors.json` was made by `tests/reference/diarization.py`: drawn turns, overlapping ones among
//! them, and what systems might make of them, scored with and without collars and overlaps.

use std::time::Duration;

use awaaz::score::diarization::{DiarizationScoring, Overlap};
use awaaz::speaker::diarize::Turn;
use awaaz::time::{SampleIndex, Span};
use serde::Deserialize;

#[derive(Deserialize)]
struct Case {
    /// Speaker, start and end in milliseconds.
    reference: Vec<(String, u64, u64)>,
    hypothesis: Vec<(String, u64, u64)>,
    scores: Vec<Score>,
}

/// In seconds; the collar, which is to either side, in milliseconds.
#[derive(Deserialize)]
struct Score {
    collar: u64,
    skip_overlap: bool,
    missed: f64,
    false_alarm: f64,
    confusion: f64,
    total: f64,
}

fn turns(turns: &[(String, u64, u64)]) -> Vec<Turn> {
    let at = |milliseconds: u64| SampleIndex(16 * milliseconds);
    turns.iter().map(|(speaker, start, end)| Turn::new(speaker, Span::new(at(*start), at(*end)))).collect()
}

#[test]
fn errors_are_those_of_pyannote() {
    let cases: Vec<Case> = serde_json::from_str(include_str!("fixtures/diarization/errors.json")).unwrap();
    assert_eq!(cases.len(), 16);
    for (number, case) in cases.iter().enumerate() {
        let (reference, hypothesis) = (turns(&case.reference), turns(&case.hypothesis));
        for score in &case.scores {
            let scoring = DiarizationScoring {
                collar: Duration::from_millis(score.collar),
                overlap: if score.skip_overlap { Overlap::Skipped } else { Overlap::Scored },
            };
            let found = scoring.errors(&reference, &hypothesis);
            for (what, found, expected) in [
                ("missed", found.missed, score.missed),
                ("false alarm", found.false_alarm, score.false_alarm),
                ("confusion", found.confusion, score.confusion),
                ("total", found.total, score.total),
            ] {
                let found = SampleIndex(found).seconds();
                assert!(
                    (found - expected).abs() < 1e-3,
                    "case {number}, {scoring:?}: {what} is {found} and not {expected}"
                );
            }
        }
    }
}
