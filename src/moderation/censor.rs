//! Sound with parts that are silent or under a tone, without clicks and to the sample as long as it was.

use std::collections::VecDeque;
use std::f64::consts::PI;
use std::str::FromStr;

use crate::event::{Action, Event, EventKind, Verdict, VerdictStatus};

/// Seconds in which sound fades before and after what is censored.
const FADE: f64 = 0.005;
/// Hz of the tone, and its amplitude.
const TONE: f64 = 1000.0;
const LOUDNESS: f64 = 0.1;

/// What becomes of sound that is censored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CensorStyle {
    /// It is silent.
    Mute,
    /// A tone takes its place.
    Bleep,
}

impl FromStr for CensorStyle {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        match name {
            "mute" => Ok(Self::Mute),
            "bleep" => Ok(Self::Bleep),
            _ => Err(format!("no way {name} to censor; there are mute and bleep")),
        }
    }
}

/// What of the stream an event asks to censor, in seconds: of a verdict its words, each with `margin` seconds around it; of a
/// speaker who is watched for, all of the segment where the policy says so.
pub fn flagged_spans(event: &Event, margin: f64) -> Vec<(f64, f64)> {
    match &event.kind {
        EventKind::Verdict(verdict) => censored_spans(verdict, margin),
        EventKind::Speaker(told)
            if told.actions.iter().any(|action| matches!(action, Action::Mute | Action::Bleep)) =>
        {
            vec![(event.t0, event.t1)]
        }
        _ => Vec::new(),
    }
}

/// What of the stream a verdict asks to censor, in seconds: its words, each with `margin` seconds around it, or all of its
/// evidence where it has none. Nothing where it is withdrawn.
fn censored_spans(verdict: &Verdict, margin: f64) -> Vec<(f64, f64)> {
    if verdict.status == VerdictStatus::Withdrawn {
        return Vec::new();
    }
    let evidence = &verdict.evidence;
    match evidence.words.as_slice() {
        [] => vec![(evidence.t0, evidence.t1)],
        words => words.iter().map(|word| ((word.t0 - margin).max(0.0), word.t1 + margin)).collect(),
    }
}

/// Censors sound that passes in order.
#[derive(Debug, Clone)]
pub struct Censor {
    style: CensorStyle,
    rate: u32,
    /// Frames that are censored, `start..end`, in order of their starts.
    spans: VecDeque<(u64, u64)>,
    /// Frames that a fade takes.
    fade: u64,
}

impl Censor {
    /// Censors sound of so many frames a second.
    pub fn new(style: CensorStyle, rate: u32) -> Self {
        Self { style, rate, spans: VecDeque::new(), fade: (FADE * f64::from(rate)).round().max(1.0) as u64 }
    }

    /// Frames that a fade takes before and after a span.
    pub fn fade(&self) -> u64 {
        self.fade
    }

    /// Censors from `t0` to `t1`, in seconds from the start. Returns the frames, `start..end`.
    pub fn add(&mut self, t0: f64, t1: f64) -> (u64, u64) {
        let frame = |seconds: f64| seconds.max(0.0) * f64::from(self.rate);
        let span = (frame(t0).floor() as u64, frame(t1).ceil() as u64);
        if span.1 > span.0 {
            let at = self.spans.partition_point(|other| *other <= span);
            self.spans.insert(at, span);
        }
        span
    }

    /// Forgets spans that end well before `frame`.
    pub fn forget_before(&mut self, frame: u64) {
        self.spans.retain(|(_, end)| end + self.fade > frame);
    }

    /// Censors `interleaved`, whose first frame is number `first`, of so many channels. What no span or fade touches stays
    /// what it was, to the bit. Returns how many frames are silent or under the tone.
    pub fn apply(&self, first: u64, channels: usize, interleaved: &mut [f32]) -> u64 {
        let last = first + (interleaved.len() / channels.max(1)) as u64;
        let touches = |&&(start, end): &&(u64, u64)| start < last + self.fade && end + self.fade > first;
        let near: Vec<(u64, u64)> = self.spans.iter().filter(touches).copied().collect();
        if near.is_empty() {
            return 0;
        }
        let mut censored = 0;
        for (frame, samples) in (first..).zip(interleaved.chunks_mut(channels.max(1))) {
            let gain = near.iter().map(|&span| self.gain(frame, span)).fold(1.0, f64::min);
            if gain >= 1.0 {
                continue;
            }
            censored += u64::from(gain <= 0.0);
            let tone = match self.style {
                CensorStyle::Mute => 0.0,
                CensorStyle::Bleep => {
                    let phase = (frame as f64 * TONE / f64::from(self.rate)).fract();
                    LOUDNESS * (2.0 * PI * phase).sin() * (1.0 - gain)
                }
            };
            samples.iter_mut().for_each(|sample| *sample = (f64::from(*sample) * gain + tone) as f32);
        }
        censored
    }

    /// What sound is multiplied by at `frame`: 0 within the span, 1 beyond its fades, a raised cosine between.
    fn gain(&self, frame: u64, (start, end): (u64, u64)) -> f64 {
        let away = if frame < start {
            start - frame
        } else if frame >= end {
            frame - end + 1
        } else {
            0
        };
        let way = (away as f64 / (self.fade + 1) as f64).min(1.0);
        0.5 - 0.5 * (PI * way).cos()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn noise(count: usize) -> Vec<f32> {
        let mut random = fastrand::Rng::with_seed(3);
        (0..count).map(|_| random.f32() * 0.5 - 0.25).collect()
    }

    #[test]
    fn a_span_is_silent_its_fades_are_short_and_the_rest_is_untouched() {
        let mut censor = Censor::new(CensorStyle::Mute, 16_000);
        let (start, end) = censor.add(0.25, 0.5);
        let sound = noise(16_000);
        let mut heard = sound.clone();
        assert_eq!(censor.apply(0, 1, &mut heard), end - start);
        let (start, end, fade) = (start as usize, end as usize, censor.fade() as usize);
        assert!(heard[start..end].iter().all(|&sample| sample == 0.0));
        assert_eq!(heard[..start - fade], sound[..start - fade]);
        assert_eq!(heard[end + fade..], sound[end + fade..]);
        assert!(fade <= 80);
    }

    #[test]
    fn a_tone_has_no_steps() {
        let mut censor = Censor::new(CensorStyle::Bleep, 16_000);
        censor.add(0.1, 0.3);
        let mut heard = vec![0.0; 8_000];
        censor.apply(0, 1, &mut heard);
        let step = heard.windows(2).map(|pair| (pair[1] - pair[0]).abs()).fold(0.0, f32::max);
        assert!(step < 0.05, "{step}");
        assert!(heard[2_000..4_000].iter().any(|sample| *sample > 0.09));
    }

    proptest! {
        #[test]
        fn blocks_do_not_matter(
            spans in proptest::collection::vec((0.0f64..1.0, 0.0f64..0.3), 0..4),
            cuts in proptest::collection::vec(1usize..4_000, 1..30),
            channels in 1usize..3,
        ) {
            let mut censor = Censor::new(CensorStyle::Bleep, 8_000);
            for (start, length) in spans {
                censor.add(start, start + length);
            }
            let sound = noise(10_000 * channels);
            let mut whole = sound.clone();
            censor.apply(0, channels, &mut whole);
            let mut pieces = sound;
            let mut at = 0;
            for cut in cuts.iter().cycle() {
                let end = (at + cut * channels).min(pieces.len());
                censor.apply((at / channels) as u64, channels, &mut pieces[at..end]);
                at = end;
                if at == pieces.len() {
                    break;
                }
            }
            prop_assert_eq!(whole, pieces);
        }
    }
}
