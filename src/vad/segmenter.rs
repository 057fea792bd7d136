//! From samples to segments of speech with their audio, each short enough for a recogniser's window.
//!
//! Neighbouring stretches of speech share a segment while it stays within the limit, as in WhisperX: a recogniser that
//! pads its input to 30 s reads full windows, and text keeps its context. The silence between them stays in, so that
//! times inside a segment are times of the stream.

use std::collections::VecDeque;
use std::time::Duration;

use super::detector::Framer;
use super::endpoint::Endpointer;
use super::{FRAME_SAMPLES, SileroVad, SpeechEvent, VadOptions};
use crate::Result;
use crate::time::{SampleIndex, Span};

/// What becomes a segment.
#[derive(Debug, Clone, PartialEq)]
pub struct SegmenterOptions {
    /// What counts as speech. Its `max_speech` is also the length that no segment exceeds.
    pub vad: VadOptions,
    /// Speech on both sides of a shorter or equal gap may share a segment; zero keeps every stretch by itself.
    pub max_gap: Duration,
}

impl Default for SegmenterOptions {
    /// Gaps up to 2 s stay inside a segment, as in faster-whisper (its `min_silence_duration_ms`).
    fn default() -> Self {
        Self { vad: VadOptions::default(), max_gap: Duration::from_secs(2) }
    }
}

/// A stretch of a stream that holds speech.
#[derive(Debug, Clone, PartialEq)]
pub struct SpeechSegment {
    /// Where it is in the stream.
    pub span: Span,
    /// Its audio: `span.len()` samples at 16 kHz.
    pub samples: Vec<f32>,
}

/// Cuts a stream of 16 kHz samples into segments of speech.
///
/// Holds no more audio than two segments and a gap.
#[derive(Debug, Clone)]
pub struct Segmenter {
    vad: SileroVad,
    framer: Framer,
    joiner: Joiner,
}

impl Segmenter {
    /// A segmenter at the start of a stream.
    ///
    /// # Errors
    /// [`Error::Setting`](crate::Error::Setting) where an option is out of range.
    pub fn new(options: &SegmenterOptions) -> Result<Self> {
        Ok(Self { vad: SileroVad::new()?, framer: Framer::default(), joiner: Joiner::new(options)? })
    }

    /// Takes the stream's next samples and appends every segment that is complete to `segments`.
    pub fn push(&mut self, samples: &[f32], segments: &mut Vec<SpeechSegment>) {
        let Self { vad, framer, joiner } = self;
        framer.push(samples, |frame| joiner.push(frame, vad.process(frame), segments));
    }

    /// Ends the stream and appends what is left of it to `segments`. The next `push` starts a new stream.
    pub fn flush(&mut self, segments: &mut Vec<SpeechSegment>) {
        let end = self.framer.position();
        if let Some(frame) = self.framer.last_frame() {
            self.joiner.push(&frame, self.vad.process(&frame), segments);
        }
        self.joiner.finish(end, segments);
        self.reset();
    }

    /// Forgets the stream; the next `push` starts a new one.
    pub fn reset(&mut self) {
        self.vad.reset();
        self.framer = Framer::default();
        self.joiner.reset();
    }
}

/// Keeps the audio of speech until it is known which segment it belongs to.
#[derive(Debug, Clone)]
struct Joiner {
    endpointer: Endpointer,
    max_gap: u64,
    max_segment: u64,
    /// The stream from `audio_start` on.
    audio: VecDeque<f32>,
    audio_start: SampleIndex,
    /// Speech that may still be joined by what follows.
    pending: Option<Span>,
    events: Vec<SpeechEvent>,
}

impl Joiner {
    fn new(options: &SegmenterOptions) -> Result<Self> {
        let samples = |duration: Duration| SampleIndex::from_seconds(duration.as_secs_f64()).0;
        Ok(Self {
            endpointer: Endpointer::new(&options.vad)?,
            max_gap: samples(options.max_gap),
            max_segment: samples(options.vad.max_speech),
            audio: VecDeque::new(),
            audio_start: SampleIndex(0),
            pending: None,
            events: Vec::new(),
        })
    }

    fn push(&mut self, frame: &[f32; FRAME_SAMPLES], probability: f32, segments: &mut Vec<SpeechSegment>) {
        self.audio.extend(frame);
        self.endpointer.push(probability, &mut self.events);
        self.join_ended(segments);
        // What starts here at the earliest and ends there at the earliest decides whether waiting is of any use.
        let nearest = Span::new(self.endpointer.next_start(), self.endpointer.next_end());
        if self.pending.is_some_and(|pending| !self.fits(pending, nearest)) {
            self.release(segments);
        }
        self.forget();
    }

    fn finish(&mut self, end: SampleIndex, segments: &mut Vec<SpeechSegment>) {
        self.endpointer.finish(end, &mut self.events);
        self.join_ended(segments);
        self.release(segments);
    }

    fn reset(&mut self) {
        self.endpointer.reset();
        self.audio.clear();
        self.audio_start = SampleIndex(0);
        self.pending = None;
        self.events.clear();
    }

    /// Joins the speech that has just ended to what is pending, or releases that and waits with this.
    fn join_ended(&mut self, segments: &mut Vec<SpeechSegment>) {
        let mut events = std::mem::take(&mut self.events);
        for event in events.drain(..) {
            let SpeechEvent::End(speech) = event else { continue };
            match self.pending {
                Some(pending) if self.fits(pending, speech) => {
                    self.pending = Some(Span::new(pending.start, speech.end));
                }
                _ => {
                    self.release(segments);
                    self.pending = Some(speech);
                }
            }
        }
        self.events = events;
    }

    /// Whether `pending` and the speech after it can share a segment.
    fn fits(&self, pending: Span, speech: Span) -> bool {
        self.max_gap > 0
            && speech.start - pending.end <= self.max_gap
            && speech.end - pending.start <= self.max_segment
    }

    fn release(&mut self, segments: &mut Vec<SpeechSegment>) {
        let Some(span) = self.pending.take() else { return };
        let first = (span.start - self.audio_start) as usize;
        let samples = self.audio.range(first..first + span.len() as usize).copied().collect();
        segments.push(SpeechSegment { span, samples });
    }

    /// Drops the audio that no segment can need any more.
    fn forget(&mut self) {
        let next = self.endpointer.next_start();
        let needed = self.pending.map_or(next, |pending| pending.start.min(next));
        self.audio.drain(..(needed - self.audio_start) as usize);
        self.audio_start = needed;
    }
}
