//! The stage that tells who speaks, beside the one that recognises: no final waits for it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Stage;
use super::instruments::{Instruments, SPEAKER_BUDGET};
use super::link::Counters;
use super::work::{Utterance, Work};
use crate::Result;
use crate::event::{Compute, Draft, EventKind, ShedState, ShedWork};
use crate::speaker::LiveSpeakers;
use crate::time::{SampleIndex, Span};

/// Tells who speaks in the segments of a stream.
pub struct Speakers {
    speakers: LiveSpeakers,
    instruments: Arc<Instruments>,
    /// Of the link that the recogniser's work comes by, and the samples on it beyond which this work is left out.
    backlog: Option<(Arc<Counters>, u64)>,
    is_shed: bool,
}

impl Speakers {
    /// A stage at the start of a stream.
    pub fn new(speakers: LiveSpeakers, instruments: Arc<Instruments>) -> Self {
        Self { speakers, instruments, backlog: None, is_shed: false }
    }

    /// The same with work left out while more than `samples` of speech wait for the recogniser.
    pub fn making_way(self, waiting: Arc<Counters>, samples: u64) -> Self {
        Self { backlog: Some((waiting, samples)), ..self }
    }

    fn must_make_way(&self) -> bool {
        self.backlog.as_ref().is_some_and(|(waiting, most)| waiting.samples() > *most)
    }

    fn last(&mut self, utterance: &Utterance, output: &mut Vec<Draft>) -> Result<()> {
        let span = utterance.speech.span;
        let must = self.must_make_way();
        if must != self.is_shed {
            self.is_shed = must;
            output.push(shed(span.end, if must { ShedState::Stopped } else { ShedState::Restored }));
        }
        if must {
            return Ok(());
        }
        let start = Instant::now();
        let told = self.speakers.finish(utterance.segment, &utterance.speech)?;
        let compute = Compute {
            latency: utterance.captured.map(|at| at.elapsed().as_secs_f64()),
            took: Some(start.elapsed().as_secs_f64()),
            ..Compute::default()
        };
        if utterance.captured.is_some() {
            self.instruments.paths().speaker.add(utterance.found.elapsed());
        }
        output.push(Draft { span, kind: EventKind::Speaker(Box::new(told)), compute });
        Ok(())
    }
}

/// What is told where this work is left out, or done again.
pub(super) fn shed(at: SampleIndex, state: ShedState) -> Draft {
    Draft::new(Span::new(at, at), EventKind::Shed { work: ShedWork::Speakers, state, step: 0.0 })
}

impl Stage for Speakers {
    type Input = Work;
    type Output = Draft;

    fn name(&self) -> &'static str {
        "speakers"
    }

    fn budget(&self) -> Duration {
        SPEAKER_BUDGET
    }

    fn push(&mut self, input: Work, output: &mut Vec<Draft>) -> Result<()> {
        match input {
            Work::Grown(utterance) if !self.must_make_way() => self.speakers.grow(&utterance.speech),
            Work::Final(utterance, _) => self.last(&utterance, output),
            _ => Ok(()),
        }
    }

    /// Nothing is held back.
    fn flush(&mut self, _: &mut Vec<Draft>) -> Result<()> {
        Ok(())
    }

    fn reset(&mut self) {
        self.speakers.reset();
        self.is_shed = false;
    }
}
