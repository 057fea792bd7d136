//! How a spectrum falls and how it changes: alpha ratio, Hammarberg index, slopes, flux.

/// Power that counts as nothing.
const FLOOR: f64 = 1e-14;
/// Bins of a short spectrum at 500 Hz, 1 kHz, 1.5 kHz, 2 kHz and 5 kHz.
const AT_500: usize = 16;
const AT_1000: usize = 32;
const AT_1500: usize = 48;
const AT_2000: usize = 64;
const AT_5000: usize = 160;

/// What the envelope of a short frame's spectrum is like.
#[derive(Clone, Copy, Default)]
pub(super) struct Timbre {
    /// Energy of 1 to 5 kHz over that of 0 to 1 kHz, in dB.
    pub alpha_ratio: f64,
    /// The highest peak of 0 to 2 kHz over that of 2 to 5 kHz, in dB.
    pub hammarberg: f64,
    /// Regression slope from 0 to 500 Hz, in dB per Hz.
    pub slope_low: f64,
    /// Regression slope from 500 to 1500 Hz, in dB per Hz.
    pub slope_high: f64,
}

impl Timbre {
    pub(super) fn of(magnitude: &[f64]) -> Self {
        let power: Vec<f64> = magnitude[..=AT_5000].iter().map(|x| x * x).collect();
        let level: Vec<f64> = power.iter().map(|&power| decibel(power.max(FLOOR))).collect();
        let sum = |bins: &[f64]| bins.iter().sum::<f64>();
        let max = |bins: &[f64]| bins.iter().copied().fold(0.0, f64::max);
        let (low, high) = power.split_at(AT_1000);
        let (dark, bright) = power.split_at(AT_2000);
        Self {
            alpha_ratio: ratio(sum(high), sum(low)),
            hammarberg: ratio(max(dark), max(bright)),
            slope_low: slope(&level, 0, AT_500),
            slope_high: slope(&level, AT_500, AT_1500),
        }
    }
}

fn decibel(power: f64) -> f64 {
    10.0 * power.log10()
}

/// A ratio in dB; nothing to compare with is 0 dB.
fn ratio(of: f64, to: f64) -> f64 {
    if to > 0.0 { decibel(of.max(FLOOR)) - decibel(to) } else { 0.0 }
}

/// Least squares over the bins from `first` to `last`.
///
/// The number of points is that of the steps between them, one less than there are: so the reference has it,
/// and the slopes of published work with it.
fn slope(level: &[f64], first: usize, last: usize) -> f64 {
    let count = (last - first) as f64;
    let (mut x_sum, mut xx_sum, mut xy_sum, mut y_sum) = (0.0, 0.0, 0.0, 0.0);
    for (bin, y) in level.iter().enumerate().take(last + 1).skip(first) {
        let x = bin as f64 * super::spectra::SHORT_STEP;
        x_sum += x;
        xx_sum += x * x;
        xy_sum += x * y;
        y_sum += y;
    }
    (count * xy_sum - x_sum * y_sum) / (count * xx_sum - x_sum * x_sum)
}

/// Root mean square of the change of magnitudes below 5 kHz from one frame to the next.
pub(super) fn flux(previous: &[f64], current: &[f64]) -> f64 {
    let changes = previous.iter().zip(current).take(AT_5000).map(|(a, b)| (b - a) * (b - a));
    (changes.sum::<f64>() / AT_5000 as f64).sqrt()
}
