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
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
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

impl CensorStyle {
    /// What `actions` ask for, if any of them does: silence where both are there.
    pub fn asked_by(actions: &[Action]) -> Option<Self> {
        let style = |action: &Action| match action {
            Action::Mute => Some(Self::Mute),
            Action::Bleep => Some(Self::Bleep),
            _ => None,
        };
        let styles: Vec<Self> = actions.iter().filter_map(style).collect();
        styles.iter().copied().find(|&style| style == Self::Mute).or(styles.first().copied())
    }

    /// The action that asks for this.
    pub fn action(self) -> Action {
        match self {
            Self::Mute => Action::Mute,
            Self::Bleep => Action::Bleep,
        }
    }
}

/// A part of a stream that is to be censored, in seconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Stretch {
    /// Where it begins.
    pub t0: f64,
    /// Where it ends.
    pub t1: f64,
    /// What becomes of it.
    pub style: CensorStyle,
}

/// What of a stream an event asks to censor: of a verdict what its actions say, words with `margin` seconds around each; of a
/// speaker who is watched for, all of the segment.
pub fn flagged_stretches(event: &Event, margin: f64) -> Vec<Stretch> {
    match &event.kind {
        EventKind::Verdict(verdict) => censored_stretches(verdict, margin),
        EventKind::Speaker(told) => CensorStyle::asked_by(&told.actions)
            .map(|style| Stretch { t0: event.t0, t1: event.t1, style })
            .into_iter()
            .collect(),
        _ => Vec::new(),
    }
}

/// What the actions of a verdict ask to censor: its words, each with `margin` seconds around it, or all of its evidence where
/// it has none. Nothing where they do not ask for it, or it is withdrawn.
fn censored_stretches(verdict: &Verdict, margin: f64) -> Vec<Stretch> {
    let Some(style) = CensorStyle::asked_by(&verdict.actions) else { return Vec::new() };
    if verdict.status == VerdictStatus::Withdrawn {
        return Vec::new();
    }
    let evidence = &verdict.evidence;
    match evidence.words.as_slice() {
        [] => vec![Stretch { t0: evidence.t0, t1: evidence.t1, style }],
        words => {
            let around = |t0: f64, t1: f64| Stretch { t0: (t0 - margin).max(0.0), t1: t1 + margin, style };
            words.iter().map(|word| around(word.t0, word.t1)).collect()
        }
    }
}

/// Frames that are censored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Span {
    start: u64,
    end: u64,
    style: CensorStyle,
}

/// Censors sound that passes in order.
#[derive(Debug, Clone)]
pub struct Censor {
    rate: u32,
    /// In order of their starts.
    spans: VecDeque<Span>,
    /// Frames that a fade takes.
    fade: u64,
}

impl Censor {
    /// Censors sound of so many frames a second.
    pub fn new(rate: u32) -> Self {
        Self { rate, spans: VecDeque::new(), fade: (FADE * f64::from(rate)).round().max(1.0) as u64 }
    }

    /// Frames that a fade takes before and after a span.
    pub fn fade(&self) -> u64 {
        self.fade
    }

    /// Censors a stretch, whose seconds are from the start. Returns the frames, `start..end`.
    pub fn add(&mut self, stretch: Stretch) -> (u64, u64) {
        let span = self.span(stretch);
        if span.end > span.start {
            let at = self.spans.partition_point(|other| *other <= span);
            self.spans.insert(at, span);
        }
        (span.start, span.end)
    }

    /// Takes back what was added, from `frame` on: what passed before stays what it was, and the sound fades in from there.
    /// Returns how many frames are no longer censored.
    pub fn take_back(&mut self, stretch: Stretch, frame: u64) -> u64 {
        let span = self.span(stretch);
        let Some(at) = self.spans.iter().position(|other| *other == span) else { return 0 };
        self.spans.remove(at);
        if span.start < frame + self.fade {
            // It is fading out at least: it ends here.
            let end = span.end.min(frame.max(span.start));
            let at = self.spans.partition_point(|other| *other <= Span { end, ..span });
            self.spans.insert(at, Span { end, ..span });
            return span.end - end;
        }
        span.end - span.start
    }

    fn span(&self, Stretch { t0, t1, style }: Stretch) -> Span {
        let frame = |seconds: f64| seconds.max(0.0) * f64::from(self.rate);
        Span { start: frame(t0).floor() as u64, end: frame(t1).ceil() as u64, style }
    }

    /// Forgets spans that end well before `frame`.
    pub fn forget_before(&mut self, frame: u64) {
        self.spans.retain(|span| span.end + self.fade > frame);
    }

    /// Censors `interleaved`, whose first frame is number `first`, of so many channels. What no span or fade touches stays
    /// what it was, to the bit. Returns how many frames are silent or under the tone.
    pub fn apply(&self, first: u64, channels: usize, interleaved: &mut [f32]) -> u64 {
        let last = first + (interleaved.len() / channels.max(1)) as u64;
        let touches = |span: &&Span| span.start < last + self.fade && span.end + self.fade > first;
        let near: Vec<Span> = self.spans.iter().filter(touches).copied().collect();
        if near.is_empty() {
            return 0;
        }
        let mut censored = 0;
        for (frame, samples) in (first..).zip(interleaved.chunks_mut(channels.max(1))) {
            // Silence is silence also where a tone is asked for.
            let (mut muted, mut bleeped) = (1.0f64, 1.0f64);
            for &span in &near {
                let gain = self.gain(frame, span);
                match span.style {
                    CensorStyle::Mute => muted = muted.min(gain),
                    CensorStyle::Bleep => bleeped = bleeped.min(gain),
                }
            }
            let gain = muted.min(bleeped);
            if gain >= 1.0 {
                continue;
            }
            censored += u64::from(gain <= 0.0);
            let phase = (frame as f64 * TONE / f64::from(self.rate)).fract();
            let tone = LOUDNESS * (2.0 * PI * phase).sin() * (1.0 - bleeped) * muted;
            samples.iter_mut().for_each(|sample| *sample = (f64::from(*sample) * gain + tone) as f32);
        }
        censored
    }

    /// What sound is multiplied by at `frame`: 0 within the span, 1 beyond its fades, a raised cosine between.
    fn gain(&self, frame: u64, Span { start, end, .. }: Span) -> f64 {
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

    fn stretch(t0: f64, t1: f64, style: CensorStyle) -> Stretch {
        Stretch { t0, t1, style }
    }

    fn noise(count: usize) -> Vec<f32> {
        let mut random = fastrand::Rng::with_seed(3);
        (0..count).map(|_| random.f32() * 0.5 - 0.25).collect()
    }

    #[test]
    fn a_span_is_silent_its_fades_are_short_and_the_rest_is_untouched() {
        let mut censor = Censor::new(16_000);
        let (start, end) = censor.add(stretch(0.25, 0.5, CensorStyle::Mute));
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
        let mut censor = Censor::new(16_000);
        censor.add(stretch(0.1, 0.3, CensorStyle::Bleep));
        let mut heard = vec![0.0; 8_000];
        censor.apply(0, 1, &mut heard);
        let step = heard.windows(2).map(|pair| (pair[1] - pair[0]).abs()).fold(0.0, f32::max);
        assert!(step < 0.05, "{step}");
        assert!(heard[2_000..4_000].iter().any(|sample| *sample > 0.09));
    }

    #[test]
    fn silence_wins_over_a_tone_and_each_span_has_its_own() {
        let mut censor = Censor::new(16_000);
        censor.add(stretch(0.1, 0.3, CensorStyle::Bleep));
        censor.add(stretch(0.2, 0.4, CensorStyle::Mute));
        let mut heard = noise(8_000);
        assert_eq!(censor.apply(0, 1, &mut heard), 4_800);
        assert!(heard[1_600..3_000].iter().any(|sample| *sample > 0.09));
        assert!(heard[3_200..6_400].iter().all(|&sample| sample == 0.0));
    }

    #[test]
    fn what_is_taken_back_ends_where_the_sound_is_without_a_step() {
        let alert = stretch(0.1, 0.4, CensorStyle::Mute);
        for at in [0u64, 1_590, 3_200, 9_000] {
            let mut censor = Censor::new(16_000);
            censor.add(alert);
            let mut heard = vec![0.5; 16_000];
            let (before, after) = heard.split_at_mut(at as usize);
            censor.apply(0, 1, before);
            let freed = censor.take_back(alert, at);
            assert_eq!(freed, 6_400u64.saturating_sub(at.max(1_600)));
            assert_eq!(censor.take_back(alert, at), 0);
            censor.apply(at, 1, after);
            let step = heard.windows(2).map(|pair| (pair[1] - pair[0]).abs()).fold(0.0, f32::max);
            assert!(step < 0.02, "{step} at {at}");
            let silent = heard.iter().filter(|sample| **sample == 0.0).count() as u64;
            assert_eq!(silent, at.clamp(1_600, 6_400) - 1_600, "at {at}");
        }
    }

    #[test]
    fn actions_say_what_is_censored_and_how() {
        let asked = |actions: &[Action]| CensorStyle::asked_by(actions);
        assert_eq!(asked(&[Action::Alert, Action::Webhook]), None);
        assert_eq!(asked(&[Action::Alert, Action::Bleep]), Some(CensorStyle::Bleep));
        assert_eq!(asked(&[Action::Bleep, Action::Mute]), Some(CensorStyle::Mute));
    }

    proptest! {
        #[test]
        fn blocks_do_not_matter(
            spans in proptest::collection::vec((0.0f64..1.0, 0.0f64..0.3, any::<bool>()), 0..4),
            cuts in proptest::collection::vec(1usize..4_000, 1..30),
            channels in 1usize..3,
        ) {
            let mut censor = Censor::new(8_000);
            for (start, length, is_mute) in spans {
                let style = if is_mute { CensorStyle::Mute } else { CensorStyle::Bleep };
                censor.add(stretch(start, start + length, style));
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
