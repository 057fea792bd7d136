//! The stage that finds speech: sound in, speech events and work for the heads out.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Stage;
use super::instruments::Instruments;
use super::source::Sound;
use super::work::{Utterance, Work};
use crate::Result;
use crate::event::{Compute, Draft, EndReason, EventKind};
use crate::time::{SampleIndex, Span};
use crate::vad::{Heard, LiveOptions, LiveSegmenter, SpeechSegment};

/// Samples of the longest gap that speech goes on over, as silence: 0.5 s.
const SHORT_GAP: u64 = 8_000;

/// Finds speech in a stream.
pub struct Hear {
    segmenter: LiveSegmenter,
    options: LiveOptions,
    instruments: Arc<Instruments>,
    heard: Vec<Heard>,
    clock: CaptureClock,
}

/// What comes of sound.
#[derive(Debug)]
pub enum Found {
    /// Something to tell.
    Event(Draft),
    /// Something to do.
    Work(Work),
}

/// When samples were captured, by the newest block.
#[derive(Debug, Clone, Copy, Default)]
struct CaptureClock {
    position: SampleIndex,
    at: Option<Instant>,
}

impl CaptureClock {
    /// When the sample before `position`, which is not in the future, was captured.
    fn captured(&self, position: SampleIndex) -> Option<Instant> {
        let behind = Duration::from_secs_f64(SampleIndex(self.position - position).seconds());
        self.at?.checked_sub(behind)
    }
}

impl Hear {
    /// A stage at the start of a stream.
    ///
    /// # Errors
    /// [`Error::Setting`](crate::Error::Setting) where an option is out of range.
    pub fn new(options: LiveOptions, instruments: Arc<Instruments>) -> Result<Self> {
        Ok(Self {
            segmenter: LiveSegmenter::new(&options)?,
            options,
            instruments,
            heard: Vec::new(),
            clock: CaptureClock::default(),
        })
    }

    fn hear(&mut self, samples: &[f32], at: Option<Instant>, output: &mut Vec<Found>) {
        self.segmenter.push(samples, &mut self.heard);
        let position = self.segmenter.position();
        self.clock = CaptureClock { position, at };
        self.instruments.heard(position, samples, self.segmenter.probability());
        if let Some(at) = at {
            self.instruments.paths().vad.add(at.elapsed());
        }
        self.report(output);
    }

    fn skip(&mut self, samples: u64, output: &mut Vec<Found>) {
        if samples <= SHORT_GAP {
            let at = self.clock.at;
            return self.hear(&vec![0.0; samples as usize], at, output);
        }
        self.segmenter.skip(samples, &mut self.heard);
        self.report(output);
        let position = self.segmenter.position();
        self.instruments.heard(position, &[], 0.0);
        self.clock = CaptureClock { position, at: None };
    }

    /// Turns what was heard into events and work.
    fn report(&mut self, output: &mut Vec<Found>) {
        let clock = self.clock;
        let utterance = |segment: u64, speech: SpeechSegment, offset: SampleIndex| Utterance {
            segment,
            offset,
            found: Instant::now(),
            captured: clock.captured(offset),
            speech: Arc::new(speech),
        };
        for heard in self.heard.drain(..) {
            match heard {
                Heard::Start { segment, span } => {
                    let latency = clock.captured(span.start).map(|at| at.elapsed().as_secs_f64());
                    let compute = Compute { latency, ..Compute::default() };
                    let kind = EventKind::SpeechStart { segment };
                    output.push(Found::Event(Draft { span, kind, compute }));
                }
                Heard::Grown { segment, speech } => {
                    let end = speech.span.end;
                    output.push(Found::Work(Work::Grown(utterance(segment, speech, end))));
                }
                Heard::Window { segment, speech, end } => {
                    let offset = speech.span.end;
                    output.push(Found::Work(Work::Window(utterance(segment, speech, offset), end)));
                }
                Heard::Pause { segment, speech } => {
                    let end = speech.span.end;
                    output.push(Found::Work(Work::Likely(utterance(segment, speech, end))));
                }
                Heard::End { segment, speech, offset, reason } => {
                    let span = speech.span;
                    let utterance = utterance(segment, speech, offset);
                    let latency = utterance.captured.map(|at| at.elapsed().as_secs_f64());
                    let compute = Compute { latency, ..Compute::default() };
                    let kind = EventKind::SpeechEnd { segment, reason };
                    output.push(Found::Event(Draft { span, kind, compute }));
                    output.push(Found::Work(Work::Final(utterance, reason)));
                }
            }
        }
    }
}

impl Stage for Hear {
    type Input = Sound;
    type Output = Found;

    fn name(&self) -> &'static str {
        "hear"
    }

    /// For a block of 32 ms.
    fn budget(&self) -> Duration {
        Duration::from_millis(5)
    }

    fn push(&mut self, input: Sound, output: &mut Vec<Found>) -> Result<()> {
        match input {
            Sound::Block { samples, at } => self.hear(&samples, at, output),
            Sound::Gap { samples, reason } => {
                let start = self.segmenter.position();
                let span = Span::new(start, start + samples);
                output.push(Found::Event(Draft::new(span, EventKind::Gap { reason })));
                self.skip(samples, output);
            }
            Sound::Marker(name) => {
                self.segmenter.flush(EndReason::Marker, &mut self.heard);
                self.report(output);
                output.push(Found::Work(Work::Marker(name, self.segmenter.position())));
            }
        }
        Ok(())
    }

    fn flush(&mut self, output: &mut Vec<Found>) -> Result<()> {
        self.segmenter.flush(EndReason::StreamEnd, &mut self.heard);
        self.report(output);
        Ok(())
    }

    fn reset(&mut self) {
        // The options were accepted once.
        if let Ok(segmenter) = LiveSegmenter::new(&self.options) {
            self.segmenter = segmenter;
        }
        self.heard.clear();
        self.clock = CaptureClock::default();
    }
}
