//! Sound that is heard a fixed time later, censored where somebody said so in time.

use std::collections::VecDeque;

use super::censor::{Censor, Stretch};
use crate::time::SampleRate;

/// The most of the rate that the output is slowed down or sped up by, to keep the delay: 0.2 %, which is not heard.
const MOST_CORRECTION: f64 = 0.002;
/// Seconds in which an error of the delay is taken back.
const SETTLING: f64 = 10.0;

/// What came too late to be censored whole.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Late {
    /// Seconds of it that had been heard already.
    pub seconds: f64,
    /// Seconds of all of it.
    pub of: f64,
}

/// A delay line at the rate of the pipeline, one channel.
///
/// It is filled by the stream's clock and emptied by that of an output device. The two differ, so the line is read a little
/// faster or slower than it is written, by linear interpolation: the delay stays what it was asked to be for ever, and
/// nothing is dropped or repeated. Only where the line runs dry, what comes when its time has passed is left out.
#[derive(Debug)]
pub struct DelayLine {
    censor: Censor,
    /// Sound from `first` on.
    sound: VecDeque<f32>,
    first: u64,
    /// Samples to be held.
    delay: f64,
    /// Where the next sample is read; before the start while the line fills.
    position: f64,
    /// Mean of how much too much is held, in samples.
    surplus: f64,
    /// Samples that were asked for when none was there.
    starved: u64,
    /// Whether the line was full once.
    is_running: bool,
}

impl DelayLine {
    /// A line that holds `seconds` of sound.
    pub fn new(seconds: f64) -> Self {
        let delay = (seconds * f64::from(SampleRate::PIPELINE.0)).max(1.0);
        Self {
            censor: Censor::new(SampleRate::PIPELINE.0),
            sound: VecDeque::new(),
            first: 0,
            delay,
            position: 0.0,
            surplus: 0.0,
            starved: 0,
            is_running: false,
        }
    }

    /// Takes the stream's next samples.
    pub fn push(&mut self, samples: &[f32]) {
        self.sound.extend(samples);
    }

    /// Censors a stretch, in seconds of the stream's clock. What was read already is told.
    pub fn censor(&mut self, stretch: Stretch) -> Option<Late> {
        let (start, end) = self.censor.add(stretch);
        let heard = (self.position as u64).clamp(start, end.max(start)) - start;
        (heard > 0).then(|| Late { seconds: seconds(heard), of: seconds(end - start) })
    }

    /// Censors a stretch no longer. Returns the seconds that are heard for that.
    pub fn take_back(&mut self, stretch: Stretch) -> f64 {
        seconds(self.censor.take_back(stretch, self.position.ceil() as u64))
    }

    /// Seconds that are held now.
    pub fn delay(&self) -> f64 {
        (self.end() as f64 - self.position) / f64::from(SampleRate::PIPELINE.0)
    }

    /// Whether sound comes out of it.
    pub fn is_running(&self) -> bool {
        self.is_running
    }

    /// Leaves out what should have been heard while nobody read, so that the delay is what it was asked to be.
    pub fn catch_up(&mut self) {
        if self.is_running {
            self.position = self.position.max(self.end() as f64 - self.delay).round();
            self.surplus = 0.0;
        }
    }

    /// Samples that were asked for and not there, since the line was first full.
    pub fn starved(&self) -> u64 {
        self.starved
    }

    /// Fills `out` with the next samples: silence until the line is full, and where it is empty.
    pub fn pull(&mut self, out: &mut [f32]) {
        let held = self.end() as f64 - self.position;
        if !self.is_running {
            // To the sample: what is more than the delay is heard at the end of this block.
            let due = (held - self.delay).max(0.0) as usize;
            let silent = out.len().saturating_sub(due);
            out[..silent].fill(0.0);
            self.is_running = due > 0;
            return self.read(1.0, &mut out[silent..]);
        }
        let rate = f64::from(SampleRate::PIPELINE.0);
        // Blocks come and go in steps; only what stays counts.
        let share = (out.len() as f64 / rate).min(1.0);
        self.surplus += share * (held - out.len() as f64 - self.delay - self.surplus);
        let correction = (self.surplus / (SETTLING * rate)).clamp(-MOST_CORRECTION, MOST_CORRECTION);
        // Within a sample or so of the delay it is read as it is, to the bit.
        let step = if self.surplus.abs() < 0.001 * rate { 1.0 } else { 1.0 + correction };
        self.read(step, out);
    }

    /// What is left, at the end of the stream: one sample after the other until `out` is not filled.
    pub fn drain(&mut self, out: &mut [f32]) -> usize {
        let left = ((self.end() as f64 - self.position).max(0.0) as usize).min(out.len());
        self.read(1.0, &mut out[..left]);
        left
    }

    fn end(&self) -> u64 {
        self.first + self.sound.len() as u64
    }

    fn read(&mut self, step: f64, out: &mut [f32]) {
        if step == 1.0 {
            self.position = self.position.round();
        }
        let begin = self.position as u64;
        let needed = (out.len() as f64 * step).ceil() as u64 + 2;
        let end = (begin + needed).min(self.end());
        let from = (begin.max(self.first) - self.first) as usize;
        let to = (end.max(self.first) - self.first) as usize;
        let mut window: Vec<f32> = self.sound.range(from.min(to)..to).copied().collect();
        self.censor.apply(begin, 1, &mut window);
        for sample in out.iter_mut() {
            let at = self.position - begin as f64;
            let whole = at as usize;
            let part = (at - whole as f64) as f32;
            *sample = match (window.get(whole), window.get(whole + 1)) {
                (Some(&a), _) if part == 0.0 => a,
                (Some(&a), Some(&b)) => a + (b - a) * part,
                _ => {
                    self.starved += 1;
                    0.0
                }
            };
            self.position += step;
        }
        // A sample before is kept, and the fades of spans that have passed.
        let kept = (self.position as u64).saturating_sub(self.censor.fade());
        let gone = (kept.max(self.first) - self.first).min(self.sound.len() as u64);
        self.sound.drain(..gone as usize);
        self.first += gone;
        self.censor.forget_before(kept);
    }
}

fn seconds(samples: u64) -> f64 {
    samples as f64 / f64::from(SampleRate::PIPELINE.0)
}

#[cfg(test)]
mod tests {
    use super::super::censor::CensorStyle;
    use super::*;

    fn mute(t0: f64, t1: f64) -> Stretch {
        Stretch { t0, t1, style: CensorStyle::Mute }
    }

    fn ramp(first: usize, count: usize) -> Vec<f32> {
        (first..first + count).map(|n| (n % 16_000) as f32 / 16_000.0).collect()
    }

    #[test]
    fn sound_comes_out_later_and_otherwise_the_same() {
        let mut line = DelayLine::new(0.5);
        let (mut heard, mut out) = (Vec::new(), vec![0.0; 160]);
        for block in 0..200 {
            line.push(&ramp(block * 160, 160));
            line.pull(&mut out);
            heard.extend_from_slice(&out);
        }
        let silent = heard.iter().take_while(|sample| **sample == 0.0).count();
        // The first sample of the ramp is silent, too.
        assert_eq!(silent, 8_001);
        assert_eq!(heard[8_000..], ramp(0, 24_000)[..]);
        assert_eq!(line.starved(), 0);
    }

    #[test]
    fn what_is_marked_in_time_is_silent_and_what_is_late_is_told() {
        let mut line = DelayLine::new(1.0);
        line.push(&vec![0.5; 32_000]);
        let mut out = vec![0.0; 16_000];
        assert_eq!(line.censor(mute(1.25, 1.5)), None);
        line.pull(&mut out);
        assert!(out.iter().all(|&sample| sample == 0.5));
        // A little more than one second was heard: the line holds too much and is read faster.
        let late = line.censor(mute(0.75, 1.125)).unwrap();
        assert!((late.seconds - 0.25).abs() < 0.01 && (late.of - 0.375).abs() < 1e-9, "{late:?}");
        assert!(line.censor(mute(0.1, 0.2)).is_some_and(|late| late.seconds == late.of));
        line.push(&vec![0.5; 16_000]);
        line.pull(&mut out);
        assert!(out[..1_900].iter().all(|&sample| sample == 0.0));
        assert!(out[4_000..7_900].iter().all(|&sample| sample == 0.0));
        assert_eq!(out[9_000], 0.5);
    }

    #[test]
    fn a_line_that_runs_dry_or_is_not_read_keeps_its_delay() {
        let mut line = DelayLine::new(1.0);
        let mut out = vec![0.0; 8_000];
        line.push(&ramp(0, 24_000));
        line.pull(&mut out);
        // For three seconds nothing comes, and then all of it at once.
        (0..6).for_each(|_| line.pull(&mut out));
        assert!(line.starved() >= 31_000, "{}", line.starved());
        line.push(&ramp(24_000, 48_000));
        assert!((line.delay() - 1.0).abs() < 0.02, "{}", line.delay());
        line.push(&ramp(72_000, 80_000));
        assert!(line.delay() > 5.9);
        line.catch_up();
        assert_eq!(line.delay(), 1.0);
        line.push(&ramp(152_000, 8_000));
        line.pull(&mut out);
        assert!(out == ramp(136_000, 8_000));
    }

    #[test]
    fn an_alert_that_is_taken_back_is_heard_from_there_on() {
        let mut line = DelayLine::new(1.0);
        line.push(&vec![0.5; 20_000]);
        let mut out = vec![0.0; 4_000];
        assert_eq!(line.censor(mute(0.1, 0.9)), None);
        line.pull(&mut out);
        assert_eq!((out[0], out[3_999]), (0.5, 0.0));
        assert!((line.take_back(mute(0.1, 0.9)) - 0.65).abs() < 0.001);
        line.pull(&mut out);
        assert_eq!(out[200], 0.5);
    }

    #[test]
    fn an_hour_with_clocks_that_differ_leaves_the_delay_as_it_was() {
        for ppm in [-300.0, -50.0, 0.0, 80.0, 300.0] {
            let mut line = DelayLine::new(1.5);
            let mut out = vec![0.0; 160];
            let (mut owed, mut worst) = (0.0, 0.0f64);
            for block in 0..360_000 {
                line.push(&[0.25; 160]);
                // The device takes a little more or less than was captured.
                owed += 160.0 * (1.0 + ppm * 1e-6);
                let count = owed as usize;
                owed -= count as f64;
                out.resize(count, 0.0);
                line.pull(&mut out);
                if block > 1_000 {
                    worst = worst.max((line.delay() - 1.5).abs());
                }
            }
            assert!(worst < 0.03, "{ppm} ppm: the delay is {worst} s off");
            assert_eq!(line.starved(), 0, "{ppm} ppm");
            assert!(line.sound.len() < 32_000);
        }
    }
}
