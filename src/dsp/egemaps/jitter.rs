//! How regular the periods of the voice are: jitter of their lengths and shimmer of their heights.

use std::ops::RangeInclusive;

use super::parabola::vertex;
use super::{HOP, LONG, RATE};

/// How far from the pitch's period a period is looked for.
const SEARCH: f64 = 0.1;
/// Periods that a voiced frame has to show.
const PERIODS: usize = 2;
/// Correlation of a period with the next from which on they count.
const CORRELATION: f64 = 0.5;

/// Perturbation of a frame; both are 0 without voice.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Perturbation {
    /// Mean change of the period from one to the next, over the mean period.
    pub jitter: f64,
    /// Mean change of the amplitude from one period to the next over the mean amplitude, plus 1, in dB.
    pub shimmer: f64,
}

/// Follows the periods from frame to frame: a frame goes on where the periods of the last one ended.
#[derive(Default)]
pub(super) struct Periods {
    /// Samples before the frame that the last one left.
    left_over: usize,
    /// The last period and its change, in seconds.
    period: Option<f64>,
    jitter: f64,
    shimmer: f64,
}

/// What the periods of one frame add up to.
#[derive(Default)]
struct Sums {
    periods: f64,
    period: f64,
    changes: f64,
    change: f64,
    amplitude: f64,
    amplitude_change: f64,
}

impl Periods {
    /// The perturbation of the long frame that starts at `start` of `samples` and has a pitch of `pitch` Hz.
    pub(super) fn frame(&mut self, samples: &[f64], start: usize, pitch: f64) -> Perturbation {
        if pitch <= 0.0 {
            *self = Self::default();
            return Perturbation::default();
        }
        let first = start - self.left_over;
        let own = HOP + self.left_over;
        let expected = RATE / pitch;
        let shortest = ((1.0 - SEARCH) * expected).floor() as usize;
        let longest = ((1.0 + SEARCH) * expected).ceil() as usize;
        let length = own.max(PERIODS * (longest + 1)).min(self.left_over + LONG);
        let sound = &samples[first..(first + length).min(samples.len())];

        let mut sums = Sums::default();
        let (mut at, mut end) = (0, 0);
        while at + 2 * longest + 1 < sound.len() {
            at += match self.next_period(&sound[at..], shortest..=longest, &mut sums) {
                Some(period) => period,
                None => expected.round() as usize,
            };
            if at + 1 < own {
                end = at;
            }
        }
        self.left_over = own - end;
        self.perturbation(&sums)
    }

    /// The length of the first period of `sound` in samples, if it shows one.
    fn next_period(
        &mut self,
        sound: &[f64],
        lengths: RangeInclusive<usize>,
        sums: &mut Sums,
    ) -> Option<usize> {
        let shortest = *lengths.start();
        let correlations: Vec<f64> =
            lengths.map(|length| correlation(&sound[..length], &sound[length..2 * length])).collect();
        let peak = highest_peak(&correlations)?;
        let (place, height) = vertex([correlations[peak - 1], correlations[peak], correlations[peak + 1]]);
        let length = shortest + peak;
        if height > CORRELATION {
            self.count((length as f64 + place).abs() / RATE, sums);
            let (first, second) = (amplitude(&sound[..length]), amplitude(&sound[length..2 * length]));
            sums.amplitude += (first + second) / 2.0;
            sums.amplitude_change += (first - second).abs();
        }
        Some(length)
    }

    fn count(&mut self, period: f64, sums: &mut Sums) {
        sums.periods += 1.0;
        sums.period += period;
        if let Some(last) = self.period {
            sums.changes += 1.0;
            sums.change += (period - last).abs();
        }
        self.period = Some(period);
    }

    /// A voiced frame without a period keeps what the last one had.
    fn perturbation(&mut self, sums: &Sums) -> Perturbation {
        if sums.periods > 0.0 && sums.changes > 0.0 {
            self.jitter = (sums.change / sums.changes / (sums.period / sums.periods)).min(1.0);
        }
        if sums.periods > 0.0 {
            let shimmer = if sums.amplitude > 0.0 { sums.amplitude_change / sums.amplitude } else { 0.0 };
            self.shimmer = shimmer.min(1.0);
        }
        let first_of_voice = sums.periods > 0.0 && sums.changes == 0.0;
        Perturbation {
            jitter: if first_of_voice { 0.0 } else { self.jitter },
            shimmer: 20.0 * (1.0 + self.shimmer).log10(),
        }
    }
}

/// Pearson's correlation; not a number where one of the two is constant.
fn correlation(x: &[f64], y: &[f64]) -> f64 {
    let count = x.len() as f64;
    let (x_mean, y_mean) = (x.iter().sum::<f64>() / count, y.iter().sum::<f64>() / count);
    let (mut xy, mut xx, mut yy) = (0.0, 0.0, 0.0);
    for (x, y) in x.iter().zip(y) {
        let (x, y) = (x - x_mean, y - y_mean);
        xy += x * y;
        xx += x * x;
        yy += y * y;
    }
    xy / (xx.sqrt() * yy.sqrt())
}

/// The highest peak within; the one before the last has no say, as in the reference.
fn highest_peak(values: &[f64]) -> Option<usize> {
    let peaks = (1..values.len().saturating_sub(2))
        .filter(|&i| values[i - 1] < values[i] && values[i] > values[i + 1]);
    peaks.reduce(|best, i| if values[i] > values[best] { i } else { best })
}

/// From the lowest to the highest sample; the first and the last do not count.
fn amplitude(period: &[f64]) -> f64 {
    let inner = &period[1..period.len() - 1];
    let (low, high) = inner.iter().fold((inner[0], inner[0]), |(low, high), &x| (low.min(x), high.max(x)));
    high - low
}
