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
        let pause = quietest(&speech.probabilities, silent);
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
