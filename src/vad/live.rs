//! From samples to segments of speech while they grow, for a recogniser that does not wait for their end.

use std::collections::VecDeque;
use std::time::Duration;

use super::detector::Framer;
use super::endpoint::Endpointer;
use super::{FRAME_SAMPLES, SileroVad, SpeechEvent, SpeechSegment, VadOptions};
use crate::event::EndReason;
use crate::time::{SampleIndex, Span};
use crate::{Error, Result};

/// What becomes a segment, and how often it is shown while it grows.
#[derive(Debug, Clone, PartialEq)]
pub struct LiveOptions {
    /// What counts as speech. Its padding may not be longer than its `min_silence`.
    pub vad: VadOptions,
    /// Sound between two looks at a growing segment; none: it is not looked at before its end.
    pub step: Option<Duration>,
    /// Windows within a segment that are shown; none: there are none.
    pub windows: Option<Windows>,
}

/// Windows within segments, at places that hang on the sound alone: the first begins with the segment, each other so much
/// later, and one ends wherever silence begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Windows {
    /// Samples of a window.
    pub length: u64,
    /// Samples from one to the next.
    pub step: u64,
}

/// Where a window ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WindowEnd {
    /// In speech.
    Within,
    /// Where silence begins, which may end the segment.
    Silence,
}

impl Default for LiveOptions {
    /// Pauses of 0.4 s end a segment, 0.2 s are kept around it, speech is cut after 25 s; a look every half second.
    fn default() -> Self {
        Self {
            vad: VadOptions {
                min_silence: Duration::from_millis(400),
                padding: Duration::from_millis(200),
                max_speech: Duration::from_secs(25),
                ..VadOptions::default()
            },
            step: Some(Duration::from_millis(300)),
            windows: None,
        }
    }
}

/// What was heard.
#[derive(Debug, Clone, PartialEq)]
pub enum Heard {
    /// A segment has begun.
    Start {
        /// Its number.
        segment: u64,
        /// From its first sample to where that was certain.
        span: Span,
    },
    /// The segment so far.
    Grown {
        /// Its number.
        segment: u64,
        /// Its sound up to now.
        speech: SpeechSegment,
    },
    /// A window within the segment.
    Window {
        /// Its number.
        segment: u64,
        /// The sound of the window.
        speech: SpeechSegment,
        /// Where it ends.
        end: WindowEnd,
    },
    /// The segment is this, if the silence that has just begun lasts.
    Pause {
        /// Its number.
        segment: u64,
        /// Its sound, to the end of the padding.
        speech: SpeechSegment,
    },
    /// The segment is this.
    End {
        /// Its number.
        segment: u64,
        /// Its sound.
        speech: SpeechSegment,
        /// Where the silence began that ended it; where it was cut for its length, how far the stream was heard then.
        offset: SampleIndex,
        /// What ended it.
        reason: EndReason,
    },
}

/// Cuts a stream of 16 kHz samples into segments of speech and shows them while they grow.
///
/// Holds no more sound than the longest segment.
#[derive(Debug, Clone)]
pub struct LiveSegmenter {
    vad: SileroVad,
    framer: Framer,
    cutter: Cutter,
}

/// Samples that a window before silence must have which no window before it had: 0.25 s.
const LEAST_NEW: u64 = 4_000;

/// Decides on frames and keeps the sound that segments may need.
#[derive(Debug, Clone)]
struct Cutter {
    endpointer: Endpointer,
    padding: u64,
    step: Option<u64>,
    windows: Option<Windows>,
    /// Where the next window begins, and where the last one ended.
    next_window: SampleIndex,
    last_window: SampleIndex,
    /// Whether the last frame of the open segment was silent, for windows.
    quiet: bool,
    /// Where the endpointer's clock is zero.
    base: SampleIndex,
    /// The stream from `audio_start` on.
    audio: VecDeque<f32>,
    audio_start: SampleIndex,
    position: SampleIndex,
    /// Start of the segment that is open, as it was reported.
    open: Option<SampleIndex>,
    segment: u64,
    /// How far the open segment was shown.
    shown: SampleIndex,
    /// Whether the last frame of the open segment was silent.
    silent: bool,
    /// The last pause reported.
    pause: Option<Span>,
    probability: f32,
    events: Vec<SpeechEvent>,
}

impl LiveSegmenter {
    /// A segmenter at the start of a stream.
    ///
    /// # Errors
    /// [`Error::Setting`] where an option is out of range.
    pub fn new(options: &LiveOptions) -> Result<Self> {
        let samples = |duration: Duration| SampleIndex::from_seconds(duration.as_secs_f64()).0;
        if options.vad.padding > options.vad.min_silence {
            return Err(Error::Setting(format!(
                "vad padding {:?} is longer than the silence of {:?} that ends speech",
                options.vad.padding, options.vad.min_silence
            )));
        }
        let cutter = Cutter {
            endpointer: Endpointer::new(&options.vad)?,
            padding: samples(options.vad.padding),
            step: options.step.map(|step| samples(step).max(1)),
            windows: options.windows,
            next_window: SampleIndex(0),
            last_window: SampleIndex(0),
            quiet: false,
            base: SampleIndex(0),
            audio: VecDeque::new(),
            audio_start: SampleIndex(0),
            position: SampleIndex(0),
            open: None,
            segment: 0,
            shown: SampleIndex(0),
            silent: false,
            pause: None,
            probability: 0.0,
            events: Vec::new(),
        };
        Ok(Self { vad: SileroVad::new()?, framer: Framer::default(), cutter })
    }

    /// Takes the stream's next samples and appends what was heard to `heard`.
    pub fn push(&mut self, samples: &[f32], heard: &mut Vec<Heard>) {
        let Self { vad, framer, cutter } = self;
        framer.push(samples, |frame| cutter.push(frame, vad.process(frame), heard));
    }

    /// Ends the segment that is open, if one is, because of `reason`. The stream goes on.
    pub fn flush(&mut self, reason: EndReason, heard: &mut Vec<Heard>) {
        let end = self.cutter.base + self.framer.position().0;
        if let Some(frame) = self.framer.last_frame() {
            self.cutter.push(&frame, self.vad.process(&frame), heard);
        }
        self.cutter.finish(end, reason, heard);
        self.go_on_at(end);
    }

    /// Ends the segment that is open and lets the clock jump over `samples` that are missing.
    pub fn skip(&mut self, samples: u64, heard: &mut Vec<Heard>) {
        self.flush(EndReason::Gap, heard);
        self.go_on_at(self.cutter.base + samples);
    }

    /// The end of the samples taken so far.
    pub fn position(&self) -> SampleIndex {
        self.cutter.base + self.framer.position().0
    }

    /// Probability that the last whole frame is speech.
    pub fn probability(&self) -> f32 {
        self.cutter.probability
    }

    fn go_on_at(&mut self, position: SampleIndex) {
        self.vad.reset();
        self.framer = Framer::default();
        self.cutter.restart(position);
    }
}

impl Cutter {
    fn push(&mut self, frame: &[f32; FRAME_SAMPLES], probability: f32, heard: &mut Vec<Heard>) {
        self.audio.extend(frame);
        self.position = self.position + frame.len() as u64;
        self.probability = probability;
        self.endpointer.push(probability, &mut self.events);
        self.report(EndReason::Pause, heard);
        self.watch(heard);
        self.show(heard);
        self.forget();
    }

    fn finish(&mut self, end: SampleIndex, reason: EndReason, heard: &mut Vec<Heard>) {
        self.position = end;
        self.endpointer.finish(SampleIndex(end - self.base), &mut self.events);
        self.report(reason, heard);
    }

    fn restart(&mut self, position: SampleIndex) {
        self.endpointer.reset();
        self.base = position;
        self.position = position;
        self.audio.clear();
        self.audio_start = position;
        self.open = None;
        self.pause = None;
    }

    /// Reports what the endpointer decided. What follows an end at once was cut for its length.
    fn report(&mut self, reason: EndReason, heard: &mut Vec<Heard>) {
        let mut events = std::mem::take(&mut self.events);
        for (i, event) in events.iter().enumerate() {
            match *event {
                SpeechEvent::Start(start) => {
                    let start = self.base + start.0;
                    heard.push(Heard::Start { segment: self.segment, span: Span::new(start, self.position) });
                    self.open = Some(start);
                    self.shown = start;
                    self.next_window = start;
                    self.last_window = start;
                    self.quiet = false;
                }
                SpeechEvent::End(speech) => {
                    let span = Span::new(self.base + speech.start.0, self.base + speech.end.0);
                    let cut = matches!(events.get(i + 1), Some(SpeechEvent::Start(_)));
                    let paused = reason == EndReason::Pause && !cut;
                    let offset = match (paused, cut) {
                        (true, _) => SampleIndex((span.end - SampleIndex(self.padding)).max(span.start.0)),
                        (false, true) => self.position,
                        (false, false) => span.end,
                    };
                    heard.push(Heard::End {
                        segment: self.segment,
                        speech: self.speech(span),
                        offset,
                        reason: if cut { EndReason::Length } else { reason },
                    });
                    self.segment += 1;
                    self.open = None;
                    self.pause = None;
                }
            }
        }
        events.clear();
        self.events = events;
    }

    /// Shows the windows that are whole now.
    fn watch(&mut self, heard: &mut Vec<Heard>) {
        let (Some(Windows { length, step }), Some(open)) = (self.windows, self.open) else { return };
        let segment = self.segment;
        while self.next_window + length <= self.position {
            let span = Span::new(self.next_window, self.next_window + length);
            self.next_window = self.next_window + step.max(1);
            self.last_window = span.end;
            heard.push(Heard::Window { segment, speech: self.speech(span), end: WindowEnd::Within });
        }
        let was_quiet = std::mem::replace(&mut self.quiet, self.endpointer.is_silent());
        if self.quiet && !was_quiet && self.position - self.last_window >= LEAST_NEW {
            let start = SampleIndex(self.position.0.saturating_sub(length)).max(open);
            self.last_window = self.position;
            let speech = self.speech(Span::new(start, self.position));
            heard.push(Heard::Window { segment, speech, end: WindowEnd::Silence });
        }
    }

    /// Shows the open segment where it is time to.
    fn show(&mut self, heard: &mut Vec<Heard>) {
        let (Some(step), Some(start)) = (self.step, self.open) else { return };
        let pause =
            self.endpointer.pause().map(|span| Span::new(self.base + span.start.0, self.base + span.end.0));
        let segment = self.segment;
        if let Some(span) = pause.filter(|_| pause != self.pause) {
            self.pause = pause;
            self.shown = self.position;
            heard.push(Heard::Pause { segment, speech: self.speech(span) });
            return;
        }
        // A silence that begins is a good moment, as all that was said until then can be understood; what is shown later
        // would be in the way of the pause that may follow.
        let (silent, was_silent) = (self.endpointer.is_silent(), self.silent);
        self.silent = silent;
        let new = self.position - self.shown;
        if (!silent && new >= step) || (silent && !was_silent && 2 * new >= step) {
            self.shown = self.position;
            heard.push(Heard::Grown { segment, speech: self.speech(Span::new(start, self.position)) });
        }
    }

    fn speech(&self, span: Span) -> SpeechSegment {
        let first = (span.start - self.audio_start) as usize;
        SpeechSegment {
            span,
            samples: self.audio.range(first..first + span.len() as usize).copied().collect(),
        }
    }

    /// Drops the sound that no segment can need any more.
    fn forget(&mut self) {
        let needed = self.base + self.endpointer.next_start().0;
        self.audio.drain(..(needed - self.audio_start) as usize);
        self.audio_start = needed;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A vowel-like buzz that Silero takes for speech would be needed to test all of this with the network; the cutter
    /// is tested with probabilities instead.
    fn run(options: &LiveOptions, probabilities: &[f32]) -> Vec<Heard> {
        let mut segmenter = LiveSegmenter::new(options).unwrap();
        let mut heard = Vec::new();
        for (i, &probability) in probabilities.iter().enumerate() {
            segmenter.cutter.push(&[i as f32; FRAME_SAMPLES], probability, &mut heard);
        }
        let end = segmenter.cutter.position;
        segmenter.cutter.finish(end, EndReason::StreamEnd, &mut heard);
        heard
    }

    fn runs(runs: &[(usize, f32)]) -> Vec<f32> {
        runs.iter().flat_map(|&(frames, probability)| std::iter::repeat_n(probability, frames)).collect()
    }

    #[test]
    fn a_pause_tells_the_segment_that_its_end_confirms() {
        let heard = run(&LiveOptions::default(), &runs(&[(20, 0.0), (60, 0.9), (40, 0.0)]));
        let paused = heard.iter().find_map(|heard| match heard {
            Heard::Pause { speech, .. } => Some(speech.clone()),
            _ => None,
        });
        let Some(Heard::End { speech, offset, reason, .. }) = heard.last() else {
            panic!("{heard:?}");
        };
        assert_eq!(paused.as_ref(), Some(speech));
        assert_eq!(*reason, EndReason::Pause);
        assert_eq!(offset.0, 80 * FRAME_SAMPLES as u64);
        // The sound is that of its place in the stream.
        let frame_at = |sample: u64| (sample / FRAME_SAMPLES as u64) as f32;
        assert_eq!(speech.samples.first(), Some(&frame_at(speech.span.start.0)));
        assert_eq!(speech.samples.last(), Some(&frame_at(speech.span.end.0 - 1)));
    }

    #[test]
    fn a_short_pause_is_told_and_forgotten() {
        let heard =
            run(&LiveOptions::default(), &runs(&[(40, 0.9), (8, 0.0), (40, 0.9), (8, 0.0), (20, 0.9)]));
        let pauses = heard.iter().filter(|heard| matches!(heard, Heard::Pause { .. })).count();
        let ends = heard.iter().filter(|heard| matches!(heard, Heard::End { .. })).count();
        assert_eq!((pauses, ends), (2, 1));
    }

    #[test]
    fn long_speech_is_cut_for_its_length() {
        let heard = run(&LiveOptions::default(), &runs(&[(1000, 0.9)]));
        let ends: Vec<_> = heard
            .iter()
            .filter_map(|heard| match heard {
                Heard::End { segment, speech, reason, offset } => {
                    Some((*segment, speech.span, *reason, *offset))
                }
                _ => None,
            })
            .collect();
        assert_eq!(ends.len(), 2);
        // The cut lies in the past when it is made; nobody could have cut earlier.
        assert!(ends[0].3.seconds() >= 24.0 && ends[0].3 > ends[0].1.end);
        assert_eq!(ends[0].2, EndReason::Length);
        assert_eq!(ends[1].2, EndReason::StreamEnd);
        assert_eq!(ends[0].1.end, ends[1].1.start);
        assert!(ends.iter().all(|(_, span, ..)| span.seconds() <= 25.0));
        assert_eq!((ends[0].0, ends[1].0), (0, 1));
    }

    #[test]
    fn the_clock_jumps_over_what_is_missing() {
        let mut segmenter = LiveSegmenter::new(&LiveOptions::default()).unwrap();
        let mut heard = Vec::new();
        segmenter.push(&[0.0; 1000], &mut heard);
        segmenter.skip(24_000, &mut heard);
        assert_eq!(segmenter.position(), SampleIndex(25_000));
        segmenter.push(&[0.0; 100], &mut heard);
        assert_eq!(segmenter.position(), SampleIndex(25_100));
        assert!(heard.is_empty());
    }
}
