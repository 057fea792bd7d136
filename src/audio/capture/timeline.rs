//! What devices deliver, placed on the stream's clock.
//!
//! Device frame `f` is at `base + round(f · 16000 / rate)`, whatever was lost before it. So rounding does not add up,
//! and the samples and gaps given out always reach exactly to where the device is.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::Captured;
use super::drift::Drift;
use super::ring::Clock;
use crate::Result;
use crate::audio::mix::mix_into;
use crate::audio::resample::resampled_len;
use crate::audio::{Channel, Resampler};
use crate::event::GapReason;
use crate::time::{SampleIndex, SampleRate};

/// Places frames and losses of one device after another on one clock.
pub(super) struct Timeline {
    channel: Channel,
    /// Samples given out, those of gaps among them.
    position: u64,
    /// When the last of them was captured.
    until: Option<Instant>,
    line: Option<Line>,
    /// Of devices that are gone.
    drift_ppm: Option<f64>,
    ready: VecDeque<Captured>,
    mono: Vec<f32>,
}

/// One device, from when it was opened to when it was lost.
struct Line {
    rate: SampleRate,
    channels: usize,
    resampler: Resampler,
    drift: Drift,
    clock: Option<Clock>,
    /// Position of the device's first frame.
    base: u64,
    /// Frames so far, lost ones among them.
    frames: u64,
    /// Frame that the resampler was started at.
    start: u64,
    /// Samples that it has given since.
    given: u64,
}

impl Line {
    /// Position of a frame.
    fn position(&self, frame: u64) -> u64 {
        self.base + resampled_len(frame, self.rate)
    }

    /// When the last sample that was given was captured.
    fn captured(&self) -> Option<Instant> {
        let clock = self.clock?;
        let given = SampleIndex(self.given).seconds();
        let seconds = given + (self.start as f64 - clock.position as f64) / f64::from(self.rate.0);
        let distance = Duration::from_secs_f64(seconds.abs());
        if seconds < 0.0 { clock.at.checked_sub(distance) } else { clock.at.checked_add(distance) }
    }
}

impl Timeline {
    /// An empty stream.
    pub fn new(channel: Channel) -> Self {
        Self {
            channel,
            position: 0,
            until: None,
            line: None,
            drift_ppm: None,
            ready: VecDeque::new(),
            mono: Vec::new(),
        }
    }

    /// The next sound or gap.
    pub fn next(&mut self) -> Option<Captured> {
        self.ready.pop_front()
    }

    /// Whether there is neither sound nor gap.
    pub fn is_empty(&self) -> bool {
        self.ready.is_empty()
    }

    /// By how many parts per million the device's clock is fast; the last device's until that of this one is known.
    pub fn drift_ppm(&self) -> Option<f64> {
        self.line.as_ref().and_then(|line| line.drift.ppm()).or(self.drift_ppm)
    }

    /// Goes on with a device.
    ///
    /// # Errors
    /// [`Error::Setting`](crate::Error::Setting) where `rate` is out of range.
    pub fn begin(&mut self, rate: SampleRate, channels: usize) -> Result<()> {
        self.line = Some(Line {
            rate,
            channels,
            resampler: Resampler::low_latency(rate)?,
            drift: Drift::new(rate),
            clock: None,
            base: self.position,
            frames: 0,
            start: 0,
            given: 0,
        });
        Ok(())
    }

    /// Learns when frames were captured. The first time of a device tells how long there was none.
    pub fn clock(&mut self, clock: Clock) {
        let Some(line) = &mut self.line else { return };
        line.drift.add(clock);
        let is_first = line.clock.replace(clock).is_none();
        if !is_first {
            return;
        }
        let length = Duration::from_secs_f64(clock.position as f64 / f64::from(line.rate.0));
        if let Some(begin) = clock.at.checked_sub(length) {
            self.gap_until(begin);
        }
        if let Some(line) = &mut self.line {
            line.base = self.position;
        }
    }

    /// Takes frames, interleaved.
    pub fn frames(&mut self, interleaved: &[f32]) {
        let Some(line) = &mut self.line else { return };
        self.mono.clear();
        mix_into(interleaved, line.channels, self.channel, &mut self.mono);
        line.frames += self.mono.len() as u64;
        let mut samples = Vec::with_capacity(resampled_len(self.mono.len() as u64, line.rate) as usize);
        line.resampler.push(&self.mono, &mut samples);
        self.give(samples);
    }

    /// Frames of the device are missing.
    pub fn overrun(&mut self, frames: u64) {
        self.flush();
        let Some(line) = &mut self.line else { return };
        line.frames += frames;
        (line.start, line.given) = (line.frames, 0);
        let end = line.position(line.frames);
        self.until = line.captured();
        self.gap(end.saturating_sub(self.position), GapReason::Overrun);
    }

    /// The device is gone, and no sound came until `now`.
    pub fn device_lost(&mut self, now: Instant) {
        self.flush();
        self.drift_ppm = self.drift_ppm();
        self.line = None;
        self.gap_until(now);
    }

    /// Gives what is still in the resampler.
    fn flush(&mut self) {
        let Some(line) = &mut self.line else { return };
        let mut samples = Vec::new();
        line.resampler.flush(&mut samples);
        self.give(samples);
    }

    fn give(&mut self, samples: Vec<f32>) {
        let Some(line) = &mut self.line else { return };
        line.given += samples.len() as u64;
        self.position += samples.len() as u64;
        let Some(at) = line.captured() else { return };
        self.until = Some(at);
        if !samples.is_empty() {
            self.ready.push_back(Captured::Audio { samples, at });
        }
    }

    /// Fills the time from the last sample to `end`.
    fn gap_until(&mut self, end: Instant) {
        let Some(until) = self.until else { return };
        let passed = end.saturating_duration_since(until);
        self.until = Some(end.max(until));
        self.gap(SampleIndex::from_seconds(passed.as_secs_f64()).0, GapReason::DeviceLost);
    }

    fn gap(&mut self, samples: u64, reason: GapReason) {
        self.position += samples;
        if samples > 0 {
            self.ready.push_back(Captured::Gap { samples, reason });
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn drain(timeline: &mut Timeline) -> (u64, Vec<Captured>) {
        let all: Vec<_> = std::iter::from_fn(|| timeline.next()).collect();
        let length = all
            .iter()
            .map(|captured| match captured {
                Captured::Audio { samples, .. } => samples.len() as u64,
                Captured::Gap { samples, .. } => *samples,
            })
            .sum();
        (length, all)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn sound_and_gaps_reach_exactly_to_where_the_device_is(
            rate in prop::sample::select(vec![8_000u32, 16_000, 22_050, 44_100, 48_000, 96_000]),
            pieces in prop::collection::vec((1usize..3_000, 0u64..5_000), 1..12),
        ) {
            let mut timeline = Timeline::new(Channel::Mix);
            timeline.begin(SampleRate(rate), 1).unwrap();
            timeline.clock(Clock { position: 0, at: Instant::now() });
            let mut frames = 0;
            for (heard, lost) in pieces {
                timeline.frames(&vec![0.1; heard]);
                timeline.overrun(lost);
                frames += heard as u64 + lost;
            }
            let (length, _) = drain(&mut timeline);
            // A loss shorter than half a sample can end one sample late.
            prop_assert!(length.abs_diff(resampled_len(frames, SampleRate(rate))) <= 1);
        }
    }

    #[test]
    fn a_click_behind_a_loss_is_at_its_time() {
        let mut timeline = Timeline::new(Channel::Only(1));
        timeline.begin(SampleRate(48_000), 2).unwrap();
        timeline.clock(Clock { position: 0, at: Instant::now() });
        timeline.frames(&[0.0; 2 * 4_800]);
        timeline.overrun(48_000);
        let mut frames = vec![0.0; 2 * 9_600];
        frames[2 * 4_800 + 1] = 1.0;
        timeline.frames(&frames);
        timeline.flush();
        let mut all = Vec::new();
        for captured in drain(&mut timeline).1 {
            match captured {
                Captured::Audio { samples, .. } => all.extend(samples),
                Captured::Gap { samples, reason } => {
                    assert_eq!((samples, reason), (16_000, GapReason::Overrun));
                    all.extend(std::iter::repeat_n(0.0, samples as usize));
                }
            }
        }
        let loudest = (0..all.len()).max_by(|&a, &b| all[a].total_cmp(&all[b])).unwrap();
        assert_eq!(loudest, 1_600 + 16_000 + 1_600);
    }

    #[test]
    fn each_sample_has_the_time_that_it_was_captured_at() {
        let (start, rate) = (Instant::now(), SampleRate(44_100));
        let mut timeline = Timeline::new(Channel::Mix);
        timeline.begin(rate, 1).unwrap();
        let mut position = 0;
        for block in 1..=100u64 {
            let at = start + Duration::from_secs_f64(block as f64 * 441.0 / 44_100.0);
            timeline.clock(Clock { position: block * 441, at });
            timeline.frames(&[0.0; 441]);
            while let Some(captured) = timeline.next() {
                let Captured::Audio { samples, at } = captured else { panic!("no gap") };
                position += samples.len() as u64;
                let expected = start + Duration::from_secs_f64(SampleIndex(position).seconds());
                let error = at.max(expected) - at.min(expected);
                assert!(error < Duration::from_micros(10), "{error:?}");
            }
        }
        assert!(position > 15_000);
    }

    #[test]
    fn the_time_without_a_device_is_a_gap() {
        let start = Instant::now();
        let after = |seconds| start + Duration::from_secs_f64(seconds);
        let mut timeline = Timeline::new(Channel::Mix);
        timeline.begin(SampleRate(48_000), 1).unwrap();
        timeline.clock(Clock { position: 48_000, at: after(1.0) });
        timeline.frames(&[0.0; 48_000]);
        timeline.device_lost(after(2.0));
        assert_eq!(drain(&mut timeline).0, 32_000);
        // It comes back with another rate; its first frames were captured before their callback.
        timeline.begin(SampleRate(44_100), 1).unwrap();
        timeline.clock(Clock { position: 4_410, at: after(5.1) });
        timeline.frames(&[0.0; 4_410]);
        timeline.clock(Clock { position: 48_510, at: after(6.1) });
        timeline.frames(&[0.0; 44_100]);
        timeline.device_lost(after(6.1));
        let (length, all) = drain(&mut timeline);
        assert!(
            matches!(all[0], Captured::Gap { samples: 48_000, reason: GapReason::DeviceLost }),
            "{:?}",
            all[0]
        );
        assert_eq!(length, 48_000 + 17_600);
    }
}
