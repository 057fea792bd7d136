//! Diarization error rate: for how much of the speech it is not told, or told wrongly, who speaks.
//!
//! The measure of NIST's Rich Transcription evaluations ("The 2009 (RT-09) rich transcription meeting recognition evaluation
//! plan", section 4.1), as `md-eval.pl`, `dscore` and `pyannote.metrics` compute it. Speakers of the hypothesis are nameless:
//! they are given to those of the reference one to one, so that most time is shared. Where several speak at once, each counts.
//! What is scored lies between the earliest start and the latest end of both.

use std::ops::{Add, AddAssign};
use std::time::Duration;

use super::assignment::best_assignment;
use crate::speaker::diarize::{Turn, joined};
use crate::time::{SampleIndex, Span};

/// What is scored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DiarizationScoring {
    /// Not scored to either side of every start and end of a turn of the reference, as those are never exact. NIST's is
    /// 0.25 s; `pyannote.metrics` names the sum of both sides.
    pub collar: Duration,
    /// Whether times at which several speak at once count.
    pub overlap: Overlap,
}

/// What becomes of times at which several speakers of the reference speak at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Overlap {
    /// They are scored.
    #[default]
    Scored,
    /// They are left out.
    Skipped,
}

/// Errors in samples of speech, each speaker's counted: sums over recordings have a rate, means of rates have no meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DiarizationErrors {
    /// Speech of the reference where the hypothesis has too few speakers.
    pub missed: u64,
    /// Speech of the hypothesis where it has too many speakers.
    pub false_alarm: u64,
    /// Speech that is given to another speaker.
    pub confusion: u64,
    /// Speech of the reference.
    pub total: u64,
}

impl DiarizationErrors {
    /// All errors in shares of the speech; may exceed 1. Without speech it is 0, or 1 where there are errors, as in
    /// `pyannote.metrics`.
    pub fn rate(&self) -> f64 {
        self.share(self.missed + self.false_alarm + self.confusion)
    }

    /// Samples of one kind of error in shares of the speech, as [`rate`](Self::rate).
    pub fn share(&self, samples: u64) -> f64 {
        match self.total {
            0 => f64::from(u8::from(samples > 0)),
            total => samples as f64 / total as f64,
        }
    }
}

impl Add for DiarizationErrors {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            missed: self.missed + other.missed,
            false_alarm: self.false_alarm + other.false_alarm,
            confusion: self.confusion + other.confusion,
            total: self.total + other.total,
        }
    }
}

impl AddAssign for DiarizationErrors {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl DiarizationScoring {
    /// The errors of a hypothesis about one recording.
    pub fn errors(&self, reference: &[Turn], hypothesis: &[Turn]) -> DiarizationErrors {
        let (reference, hypothesis) = (Side::of(reference), Side::of(hypothesis));
        let stretches = self.stretches(&reference, &hypothesis);
        let mut shared = vec![vec![0; hypothesis.speakers.len()]; reference.speakers.len()];
        for stretch in &stretches {
            for &truth in &stretch.reference {
                stretch.hypothesis.iter().for_each(|&told| shared[truth][told] += stretch.samples);
            }
        }
        let told_of = best_assignment(&shared);
        let mut errors = DiarizationErrors::default();
        for Stretch { samples, reference, hypothesis } in &stretches {
            let (spoken, told) = (reference.len() as u64, hypothesis.len() as u64);
            let right = reference
                .iter()
                .filter(|&&truth| told_of[truth].is_some_and(|told| hypothesis.contains(&told)));
            errors.total += samples * spoken;
            errors.missed += samples * spoken.saturating_sub(told);
            errors.false_alarm += samples * told.saturating_sub(spoken);
            errors.confusion += samples * (spoken.min(told) - right.count() as u64);
        }
        errors
    }

    /// Stretches in which nothing changes, of what is scored.
    fn stretches(&self, reference: &Side, hypothesis: &Side) -> Vec<Stretch> {
        let collars = self.collars(reference);
        let spans = reference.spans().chain(hypothesis.spans()).chain(collars.iter().copied());
        let mut borders: Vec<u64> = spans.flat_map(|span| [span.start.0, span.end.0]).collect();
        borders.sort_unstable();
        borders.dedup();
        let mut sweeps = (Sweep::of(&reference.turns), Sweep::of(&hypothesis.turns));
        let mut collars = collars.iter().peekable();
        let mut stretches = Vec::new();
        for pair in borders.windows(2) {
            let (start, end) = (pair[0], pair[1]);
            let (spoken, told) = (sweeps.0.at(start), sweeps.1.at(start));
            while collars.next_if(|collar| collar.end.0 <= start).is_some() {}
            let in_collar = collars.peek().is_some_and(|collar| collar.start.0 <= start);
            let skipped = self.overlap == Overlap::Skipped && spoken.len() > 1;
            let is_silent = spoken.is_empty() && told.is_empty();
            if !in_collar && !skipped && !is_silent {
                stretches.push(Stretch { samples: end - start, reference: spoken, hypothesis: told });
            }
        }
        stretches
    }

    /// What is not scored around the borders of the reference's turns.
    fn collars(&self, reference: &Side) -> Vec<Span> {
        let collar = SampleIndex::from_seconds(self.collar.as_secs_f64()).0;
        if collar == 0 {
            return Vec::new();
        }
        let around = |at: SampleIndex| Span::new(SampleIndex(at.0.saturating_sub(collar)), at + collar);
        let spans = reference.spans().flat_map(|span| [around(span.start), around(span.end)]);
        crate::speaker::diarize::union(spans.collect())
    }
}

/// The turns of one side, with numbers for speakers.
struct Side {
    speakers: Vec<String>,
    /// In order of start.
    turns: Vec<(Span, usize)>,
}

impl Side {
    fn of(turns: &[Turn]) -> Self {
        let turns = joined(turns);
        let mut speakers: Vec<String> = turns.iter().map(|turn| turn.speaker.clone()).collect();
        speakers.sort_unstable();
        speakers.dedup();
        let number = |turn: &Turn| speakers.binary_search(&turn.speaker).unwrap_or_default();
        let turns = turns.iter().map(|turn| (turn.span, number(turn))).collect();
        Self { turns, speakers }
    }

    fn spans(&self) -> impl Iterator<Item = Span> + '_ {
        self.turns.iter().map(|(span, _)| *span)
    }
}

/// A stretch in which nothing changes: how long it is, and who speaks on both sides.
struct Stretch {
    samples: u64,
    reference: Vec<usize>,
    hypothesis: Vec<usize>,
}

/// Who speaks, at times that only grow.
struct Sweep<'a> {
    rest: &'a [(Span, usize)],
    active: Vec<(Span, usize)>,
}

impl<'a> Sweep<'a> {
    fn of(turns: &'a [(Span, usize)]) -> Self {
        Self { rest: turns, active: Vec::new() }
    }

    fn at(&mut self, sample: u64) -> Vec<usize> {
        while let Some((first, rest)) = self.rest.split_first().filter(|(first, _)| first.0.start.0 <= sample)
        {
            self.active.push(*first);
            self.rest = rest;
        }
        self.active.retain(|(span, _)| span.end.0 > sample);
        self.active.iter().map(|(_, speaker)| *speaker).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn turns(turns: &[(&str, u64, u64)]) -> Vec<Turn> {
        let span = |start: u64, end: u64| Span::new(SampleIndex(start * 16_000), SampleIndex(end * 16_000));
        turns.iter().map(|&(speaker, start, end)| Turn::new(speaker, span(start, end))).collect()
    }

    /// Missed, false alarm, confusion, total in seconds.
    fn seconds(errors: DiarizationErrors) -> [u64; 4] {
        let DiarizationErrors { missed, false_alarm, confusion, total } = errors;
        [missed, false_alarm, confusion, total].map(|samples| samples / 16_000)
    }

    #[test]
    fn every_kind_of_error_is_counted_once() {
        struct Case {
            what: &'static str,
            reference: &'static [(&'static str, u64, u64)],
            hypothesis: &'static [(&'static str, u64, u64)],
            errors: [u64; 4],
        }
        let cases = [
            Case { what: "nothing", reference: &[], hypothesis: &[], errors: [0; 4] },
            Case {
                what: "other names",
                reference: &[("a", 0, 4), ("b", 4, 9)],
                hypothesis: &[("y", 0, 4), ("x", 4, 9)],
                errors: [0, 0, 0, 9],
            },
            Case {
                what: "one speaker for two",
                reference: &[("a", 0, 4), ("b", 4, 9)],
                hypothesis: &[("x", 0, 9)],
                errors: [0, 0, 4, 9],
            },
            Case {
                what: "two speakers for one",
                reference: &[("a", 0, 9)],
                hypothesis: &[("x", 0, 4), ("y", 4, 9)],
                errors: [0, 0, 4, 9],
            },
            Case {
                what: "too early and too short",
                reference: &[("a", 2, 8)],
                hypothesis: &[("x", 1, 7)],
                errors: [1, 1, 0, 6],
            },
            Case {
                what: "two at once, one told",
                reference: &[("a", 0, 6), ("b", 4, 9)],
                hypothesis: &[("x", 0, 6), ("y", 6, 9)],
                errors: [2, 0, 0, 11],
            },
            Case {
                what: "two at once, one of them wrong",
                reference: &[("a", 0, 6), ("b", 4, 9), ("c", 10, 20)],
                hypothesis: &[("x", 0, 6), ("z", 4, 6), ("y", 6, 9), ("z", 10, 20)],
                errors: [0, 0, 2, 21],
            },
        ];
        for case in cases {
            let errors =
                DiarizationScoring::default().errors(&turns(case.reference), &turns(case.hypothesis));
            assert_eq!(seconds(errors), case.errors, "{}", case.what);
        }
    }

    #[test]
    fn collars_and_overlaps_are_left_out_where_asked() {
        let reference = turns(&[("a", 0, 10), ("b", 8, 20)]);
        let hypothesis = turns(&[("x", 0, 11), ("y", 11, 21)]);
        let errors = |collar: u64, overlap: Overlap| {
            let scoring = DiarizationScoring { collar: Duration::from_secs(collar), overlap };
            seconds(scoring.errors(&reference, &hypothesis))
        };
        assert_eq!(errors(0, Overlap::Scored), [2, 1, 1, 22]);
        assert_eq!(errors(0, Overlap::Skipped), [0, 1, 1, 18]);
        // Scored are 1..7 and 11..19.
        assert_eq!(errors(1, Overlap::Scored), [0, 0, 0, 14]);
    }

    #[test]
    fn without_speech_any_error_is_whole() {
        let none = DiarizationErrors::default();
        assert_eq!(none.rate(), 0.0);
        assert_eq!(DiarizationErrors { false_alarm: 3, ..none }.rate(), 1.0);
    }

    fn any_turns() -> impl Strategy<Value = Vec<Turn>> {
        let turn = (0u8..4, 0u64..60, 0u64..12).prop_map(|(speaker, start, length)| {
            Turn::new(speaker.to_string(), Span::new(SampleIndex(start), SampleIndex(start + length)))
        });
        prop::collection::vec(turn, 0..12)
    }

    proptest! {
        /// Sample by sample, with the errors of every way to give speakers to speakers.
        #[test]
        fn equals_counting_every_sample(reference in any_turns(), hypothesis in any_turns()) {
            let errors = DiarizationScoring::default().errors(&reference, &hypothesis);
            let who = |turns: &[Turn], at: u64| -> Vec<String> {
                let at = SampleIndex(at);
                let mut who: Vec<String> = turns
                    .iter()
                    .filter(|turn| turn.span.start <= at && at < turn.span.end)
                    .map(|turn| turn.speaker.clone())
                    .collect();
                who.sort();
                who.dedup();
                who
            };
            let (mut missed, mut false_alarm, mut total, mut both) = (0, 0, 0, 0);
            let mut best = 0;
            for at in 0..80 {
                let (spoken, told) = (who(&reference, at).len() as u64, who(&hypothesis, at).len() as u64);
                missed += spoken.saturating_sub(told);
                false_alarm += told.saturating_sub(spoken);
                total += spoken;
                both += spoken.min(told);
            }
            // Every order of four names.
            for order in 0..256usize {
                let name = |speaker: usize| order >> (2 * speaker) & 3;
                if (0..4).map(|speaker| 1 << name(speaker)).sum::<usize>() != 15 {
                    continue;
                }
                let right = (0..80).map(|at| {
                    let told = who(&hypothesis, at);
                    let renamed = |truth: &String| name(truth.parse().unwrap()).to_string();
                    who(&reference, at).iter().filter(|truth| told.contains(&renamed(truth))).count() as u64
                });
                best = best.max(right.sum::<u64>());
            }
            let expected = DiarizationErrors { missed, false_alarm, confusion: both - best, total };
            prop_assert_eq!(errors, expected);
        }
    }
}
