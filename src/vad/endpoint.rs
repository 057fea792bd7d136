//! From probabilities to speech: where it starts, where it ends, where to cut it when it goes on for too long.
//!
//! The rules are those of `get_speech_timestamps_from_probs` (Python package `silero-vad` 6.2.3), made causal, with
//! two differences. Padding takes only silence that was already heard when the end was decided, so that an event never
//! waits for what comes after it. And over-long speech is cut at the quietest place of its second half, not at the
//! longest pause of all of it or, without one, wherever the limit falls.

use std::ops::Range;
use std::time::Duration;

use super::FRAME_SAMPLES;
use crate::time::{SampleIndex, SampleRate, Span};
use crate::{Error, Result};

const FRAME: u64 = FRAME_SAMPLES as u64;

/// When a frame counts as speech, and how long speech and silence have to last.
#[derive(Debug, Clone, PartialEq)]
pub struct VadOptions {
    /// Speech starts at a frame of at least this probability.
    pub threshold: f32,
    /// Speech may end at a frame below this probability; at most `threshold`.
    pub negative_threshold: f32,
    /// Speech that is not longer than this is dropped. It is also how late the start of speech is reported.
    pub min_speech: Duration,
    /// Speech ends after this much silence. It is also how late the end of speech is reported.
    pub min_silence: Duration,
    /// Audio kept before and after speech, so that no onset is lost; after speech, at most `min_silence` is kept.
    pub padding: Duration,
    /// Longer speech, padding included, is cut.
    pub max_speech: Duration,
}

impl Default for VadOptions {
    /// Silero's thresholds, and times for a recogniser: pauses of half a second end an utterance, 0.3 s are kept
    /// around it, 30 s (Whisper's window) are the limit.
    fn default() -> Self {
        Self {
            threshold: 0.5,
            negative_threshold: 0.35,
            min_speech: Duration::from_millis(250),
            min_silence: Duration::from_millis(500),
            padding: Duration::from_millis(300),
            max_speech: Duration::from_secs(30),
        }
    }
}

/// A decision about speech in a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SpeechEvent {
    /// Speech starts here (padding included).
    Start(SampleIndex),
    /// The speech that started last is this (padding included). When over-long speech is cut, a start follows at once.
    End(Span),
}

/// Turns the probabilities of consecutive frames into speech events.
#[derive(Debug, Clone)]
pub(super) struct Endpointer {
    options: VadOptions,
    min_speech: u64,
    min_silence: u64,
    padding: u64,
    /// Longest speech without its padding.
    max_speech: u64,
    frames: u64,
    /// End of the last speech reported; none starts before it.
    last_end: SampleIndex,
    speech: Option<Speech>,
}

/// Speech that has not ended.
#[derive(Debug, Clone)]
struct Speech {
    /// First sample, without padding.
    onset: u64,
    /// First sample, with padding.
    start: SampleIndex,
    /// Whether it has lasted long enough to be kept.
    reported: bool,
    /// Start of the silence that will end it if it lasts.
    silence: Option<u64>,
    first_frame: u64,
    /// Of each frame since `first_frame`.
    probabilities: Vec<f32>,
}

impl Endpointer {
    /// # Errors
    /// [`Error::Setting`] where a threshold is no probability, or the longest speech would leave no room to cut.
    pub(super) fn new(options: &VadOptions) -> Result<Self> {
        let VadOptions { threshold, negative_threshold, .. } = *options;
        if !(0.0..=1.0).contains(&negative_threshold) || !(negative_threshold..=1.0).contains(&threshold) {
            return Err(Error::Setting(format!(
                "vad thresholds {negative_threshold} and {threshold}: need 0 <= negative_threshold <= threshold <= 1"
            )));
        }
        let padding = samples(options.padding);
        let max_speech = samples(options.max_speech).saturating_sub(padding.saturating_mul(2));
        if max_speech < u64::from(SampleRate::PIPELINE.0) {
            return Err(Error::Setting(format!(
                "vad max_speech {:?}: needs at least 1 s more than the padding of {:?} on both sides",
                options.max_speech, options.padding
            )));
        }
        Ok(Self {
            options: options.clone(),
            min_speech: samples(options.min_speech),
            min_silence: samples(options.min_silence),
            padding,
            max_speech,
            frames: 0,
            last_end: SampleIndex(0),
            speech: None,
        })
    }

    /// Takes the probability of the stream's next frame.
    pub(super) fn push(&mut self, probability: f32, events: &mut Vec<SpeechEvent>) {
        let at = self.frames * FRAME;
        self.frames += 1;
        let Some(mut speech) = self.speech.take().or_else(|| self.open(at, probability)) else { return };
        speech.probabilities.push(probability);
        if probability >= self.options.threshold {
            speech.silence = None;
        } else if probability < self.options.negative_threshold {
            let silence = *speech.silence.get_or_insert(at);
            if at - silence >= self.min_silence {
                return self.close(&speech, silence, at, events);
            }
        }
        if !speech.reported && speech.silence.is_none() && at + FRAME - speech.onset > self.min_speech {
            speech.reported = true;
            events.push(SpeechEvent::Start(speech.start));
        }
        self.speech = if at + FRAME - speech.onset > self.max_speech {
            self.cut(speech, at, events)
        } else {
            Some(speech)
        };
    }

    /// Ends the stream at `end`, which is inside or at the end of the last frame.
    pub(super) fn finish(&mut self, end: SampleIndex, events: &mut Vec<SpeechEvent>) {
        let Some(speech) = self.speech.take() else { return };
        if !speech.reported {
            if end.0.saturating_sub(speech.onset) <= self.min_speech {
                return;
            }
            events.push(SpeechEvent::Start(speech.start));
        }
        events.push(SpeechEvent::End(Span::new(speech.start, end)));
    }

    pub(super) fn reset(&mut self) {
        self.frames = 0;
        self.last_end = SampleIndex(0);
        self.speech = None;
    }

    /// The earliest place where speech that has not ended yet can start.
    pub(super) fn next_start(&self) -> SampleIndex {
        match &self.speech {
            Some(speech) => speech.start,
            None => self.start_of(self.frames * FRAME),
        }
    }

    /// The earliest place where speech that has not ended yet can end.
    pub(super) fn next_end(&self) -> SampleIndex {
        let silence = self.speech.as_ref().and_then(|speech| speech.silence);
        SampleIndex(silence.unwrap_or(self.frames * FRAME))
    }

    /// Whether there is speech that ends where the last frames were silent, if the silence lasts.
    pub(super) fn is_silent(&self) -> bool {
        self.speech.as_ref().is_some_and(|speech| speech.silence.is_some())
    }

    /// The speech that ends at this frame if the silence lasts, once all of its padding was heard.
    pub(super) fn pause(&self) -> Option<Span> {
        let speech = self.speech.as_ref().filter(|speech| speech.reported)?;
        let end = speech.silence? + self.padding;
        (self.frames * FRAME >= end).then(|| Span::new(speech.start, SampleIndex(end)))
    }

    /// Where speech starts, with padding, that has its onset at `onset`.
    fn start_of(&self, onset: u64) -> SampleIndex {
        SampleIndex(onset.saturating_sub(self.padding)).max(self.last_end)
    }

    fn open(&self, at: u64, probability: f32) -> Option<Speech> {
        (probability >= self.options.threshold).then(|| Speech {
            onset: at,
            start: self.start_of(at),
            reported: false,
            silence: None,
            first_frame: at / FRAME,
            probabilities: Vec::new(),
        })
    }

    /// Reports that `speech` ended at `offset`, with the silence up to `silent_until` as room for padding.
    fn close(&mut self, speech: &Speech, offset: u64, silent_until: u64, events: &mut Vec<SpeechEvent>) {
        if !speech.reported {
            return;
        }
        let end = SampleIndex(silent_until.min(offset + self.padding));
        events.push(SpeechEvent::End(Span::new(speech.start, end)));
        self.last_end = end;
    }

    /// Cuts over-long speech at the quietest place of its second half and returns what is left of it.
    fn cut(&mut self, mut speech: Speech, at: u64, events: &mut Vec<SpeechEvent>) -> Option<Speech> {
        if !speech.reported {
            events.push(SpeechEvent::Start(speech.start));
            speech.reported = true;
        }
        let silent = self.options.negative_threshold;
        // The newest frame is the one that is too many.
        let pause = quietest(&speech.probabilities[..speech.probabilities.len() - 1], silent);
        let frame_start = |frame: usize| (speech.first_frame + frame as u64) * FRAME;
        if let Some(silence) = speech.silence
            && silence <= frame_start(pause.start)
        {
            self.close(&speech, silence, at, events);
            return None;
        }
        let middle = (frame_start(pause.start) + frame_start(pause.end)) / 2;
        // Without a pause nothing is left out: both sides meet in the middle of the quietest frame.
        let (offset, onset, kept) = if speech.probabilities[pause.start] < silent {
            (frame_start(pause.start), frame_start(pause.end), pause.end)
        } else {
            (middle, middle, pause.start)
        };
        self.close(&speech, offset, middle, events);
        speech.onset = onset;
        speech.start = self.start_of(onset);
        speech.first_frame += kept as u64;
        speech.probabilities.drain(..kept);
        events.push(SpeechEvent::Start(speech.start));
        Some(speech)
    }
}

/// The longest run of frames below `silent` in the second half of `probabilities`, or else the least probable frame;
/// the later one of equals.
fn quietest(probabilities: &[f32], silent: f32) -> Range<usize> {
    let half = probabilities.len() / 2;
    let mut longest = 0..0;
    let mut run = half..half;
    let mut least = half;
    for (frame, &probability) in probabilities.iter().enumerate().skip(half) {
        if probability <= probabilities[least] {
            least = frame;
        }
        run = if probability < silent { run.start..frame + 1 } else { frame + 1..frame + 1 };
        if !run.is_empty() && run.len() >= longest.len() {
            longest = run.clone();
        }
    }
    if longest.is_empty() { least..least + 1 } else { longest }
}

fn samples(duration: Duration) -> u64 {
    SampleIndex::from_seconds(duration.as_secs_f64()).0
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn run(options: &VadOptions, probabilities: &[f32]) -> Vec<SpeechEvent> {
        let mut endpointer = Endpointer::new(options).unwrap();
        let mut events = Vec::new();
        for &probability in probabilities {
            endpointer.push(probability, &mut events);
        }
        endpointer.finish(SampleIndex(probabilities.len() as u64 * FRAME), &mut events);
        events
    }

    fn frames(start: u64, end: u64) -> Span {
        Span::new(SampleIndex(start * FRAME), SampleIndex(end * FRAME))
    }

    /// `frames` frames.
    fn lasting(frames: u64) -> Duration {
        Duration::from_secs_f64(SampleIndex(frames * FRAME).seconds())
    }

    fn options() -> VadOptions {
        VadOptions {
            min_speech: lasting(3),
            min_silence: lasting(5),
            padding: lasting(2),
            max_speech: lasting(50),
            ..VadOptions::default()
        }
    }

    /// Runs of equal probabilities.
    fn runs(runs: &[(usize, f32)]) -> Vec<f32> {
        runs.iter().flat_map(|&(frames, probability)| std::iter::repeat_n(probability, frames)).collect()
    }

    fn ends(events: &[SpeechEvent]) -> Vec<Span> {
        let end = |event: &SpeechEvent| match event {
            SpeechEvent::End(span) => Some(*span),
            SpeechEvent::Start(_) => None,
        };
        events.iter().filter_map(end).collect()
    }

    #[test]
    fn hysteresis_minimum_and_padding() {
        struct Case {
            promise: &'static str,
            probabilities: Vec<f32>,
            speech: Vec<Span>,
        }
        let cases = [
            Case {
                promise: "speech is padded on both sides",
                probabilities: runs(&[(10, 0.1), (10, 0.9), (10, 0.1)]),
                speech: vec![frames(8, 22)],
            },
            Case {
                promise: "padding does not reach before the stream",
                probabilities: runs(&[(1, 0.1), (10, 0.9), (10, 0.1)]),
                speech: vec![frames(0, 13)],
            },
            Case {
                promise: "short speech is dropped",
                probabilities: runs(&[(10, 0.1), (3, 0.9), (20, 0.1)]),
                speech: vec![],
            },
            Case {
                promise: "a short pause does not end speech",
                probabilities: runs(&[(5, 0.9), (5, 0.1), (5, 0.9), (10, 0.1)]),
                speech: vec![frames(0, 17)],
            },
            Case {
                promise: "between the thresholds speech goes on but does not start",
                probabilities: runs(&[(10, 0.4), (5, 0.9), (20, 0.4), (10, 0.1)]),
                speech: vec![frames(8, 37)],
            },
            Case {
                promise: "padding of neighbours does not overlap",
                probabilities: runs(&[(5, 0.9), (6, 0.1), (5, 0.9)]),
                speech: vec![frames(0, 7), frames(9, 16)],
            },
        ];
        for Case { promise, probabilities, speech } in cases {
            assert_eq!(ends(&run(&options(), &probabilities)), speech, "{promise}");
        }
    }

    #[test]
    fn long_speech_is_cut_at_its_longest_pause_or_else_its_least_probable_frame() {
        // 50 frames less twice the padding: the cut is due at the 47th frame of speech, between its 24th and 47th.
        let pauses =
            runs(&[(5, 0.9), (4, 0.1), (20, 0.9), (3, 0.1), (5, 0.9), (2, 0.1), (20, 0.9), (10, 0.1)]);
        let middle = 30 * FRAME + FRAME / 2;
        let expected = [
            Span::new(SampleIndex(0), SampleIndex(middle)),
            Span::new(SampleIndex(middle), frames(0, 61).end),
        ];
        assert_eq!(ends(&run(&options(), &pauses)), expected);

        let dips = runs(&[(10, 0.9), (1, 0.36), (20, 0.9), (1, 0.7), (40, 0.9), (10, 0.1)]);
        let middle = 31 * FRAME + FRAME / 2;
        let expected = [
            Span::new(SampleIndex(0), SampleIndex(middle)),
            Span::new(SampleIndex(middle), frames(0, 74).end),
        ];
        assert_eq!(ends(&run(&options(), &dips)), expected);
    }

    /// The least probable frame may be the very one that is too many.
    #[test]
    fn a_cut_at_the_newest_frame_keeps_the_limit() {
        let options = VadOptions { padding: Duration::ZERO, ..options() };
        let speech = ends(&run(&options, &runs(&[(5, 0.6), (46, 0.4)])));
        assert!(speech.iter().all(|span| span.len() <= samples(options.max_speech)), "{speech:?}");
    }

    #[test]
    fn decisions_come_at_once() {
        let mut endpointer = Endpointer::new(&options()).unwrap();
        let decided = |endpointer: &mut Endpointer, probability| {
            let mut events = Vec::new();
            (1..).find(|_| {
                endpointer.push(probability, &mut events);
                !events.is_empty()
            })
        };
        assert_eq!(decided(&mut endpointer, 0.9), Some(4), "as soon as speech is longer than min_speech");
        assert_eq!(decided(&mut endpointer, 0.1), Some(6), "as soon as silence has lasted min_silence");
    }

    proptest! {
        #[test]
        fn speech_is_in_order_within_the_limit_and_complete(
            runs in prop::collection::vec((1_usize..40, prop::sample::select(vec![0.0, 0.2, 0.4, 0.6, 1.0])), 0..60),
            min_silence in 0_u64..30,
            padding in 0_u64..8,
        ) {
            let probabilities = super::tests::runs(&runs);
            let options = VadOptions { min_silence: lasting(min_silence), padding: lasting(padding), ..options() };
            let events = run(&options, &probabilities);

            let mut before = SampleIndex(0);
            for pair in events.chunks(2) {
                let [SpeechEvent::Start(start), SpeechEvent::End(span)] = pair else {
                    return Err(TestCaseError::fail(format!("starts and ends do not alternate: {events:?}")));
                };
                prop_assert_eq!(*start, span.start);
                prop_assert!(before <= span.start && span.start < span.end);
                prop_assert!(span.len() <= samples(options.max_speech));
                before = span.end;
            }
            // Every run of speech that is long enough by itself lies inside.
            for (frame, four) in probabilities.windows(4).enumerate() {
                if four.iter().all(|&p| p >= options.threshold) {
                    let middle = SampleIndex((frame as u64 + 2) * FRAME);
                    let covered = ends(&events).iter().any(|span| span.start <= middle && middle <= span.end);
                    prop_assert!(covered, "frame {frame}: {events:?}");
                }
            }
        }
    }
}
