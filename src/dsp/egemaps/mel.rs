//! Loudness and cepstrum, both from 26 mel bands.

use std::f64::consts::PI;

use super::spectra::SHORT_STEP;

const BANDS: usize = 26;
/// Edges of the lowest and the highest band, in hertz.
const RANGE: (f64, f64) = (20.0, 8000.0);
/// First and one past the last bin that counts.
const BINS: (usize, usize) = (2, 256);
/// Power below which a band counts as silent for loudness.
const LOUDNESS_FLOOR: f64 = 9.3e-10;
/// Stevens' power law of hearing as PLP has it.
const COMPRESSION: f64 = 0.33;
/// The cepstrum is that of samples as 16-bit numbers, as HTK has it.
const HTK_SCALE: f64 = 32_767.0 * 32_767.0;
const LIFTER: f64 = 22.0;
/// Cepstral coefficients, from the first on.
pub(super) const COEFFICIENTS: usize = 4;

fn mel(hertz: f64) -> f64 {
    1127.0 * (1.0 + hertz / 700.0).ln()
}

fn hertz(mel: f64) -> f64 {
    700.0 * ((mel / 1127.0).exp() - 1.0)
}

/// The share of a bin in a band and, what is left, in the band above.
struct Share {
    /// The band whose falling edge the bin lies on; there is none below the first centre.
    falling: Option<usize>,
    weight: f64,
}

/// Triangular filters, the weights of hearing, and the cosines of the cepstrum.
pub(super) struct Mel {
    shares: Vec<Share>,
    equal_loudness: [f64; BANDS],
    cosines: [[f64; BANDS]; COEFFICIENTS],
}

impl Mel {
    pub(super) fn new() -> Self {
        let (low, high) = (mel(RANGE.0), mel(RANGE.1));
        let width = (high - low) / (BANDS + 1) as f64;
        let share = |bin: usize| {
            let place = (mel(bin as f64 * SHORT_STEP) - low) / width;
            let below = place.floor().clamp(0.0, BANDS as f64);
            Share { falling: (below as usize).checked_sub(1), weight: 1.0 - (place - below) }
        };
        let centre = |band: usize| hertz(low + (band + 1) as f64 * width);
        Self {
            shares: (BINS.0..BINS.1).map(share).collect(),
            equal_loudness: std::array::from_fn(|band| equal_loudness(centre(band))),
            cosines: std::array::from_fn(|i| std::array::from_fn(|band| cosine(i + 1, band))),
        }
    }

    /// Power of the bands of a short frame's magnitudes.
    pub(super) fn bands(&self, magnitude: &[f64]) -> [f64; BANDS] {
        let mut bands = [0.0; BANDS];
        for (share, magnitude) in self.shares.iter().zip(&magnitude[BINS.0..BINS.1]) {
            let power = magnitude * magnitude;
            if let Some(band) = share.falling {
                bands[band] += power * share.weight;
            }
            let above = share.falling.map_or(0, |band| band + 1);
            if above < BANDS {
                bands[above] += power * (1.0 - share.weight);
            }
        }
        bands
    }

    /// The mean of the compressed bands, weighted as the ear weights them.
    pub(super) fn loudness(&self, bands: &[f64; BANDS]) -> f64 {
        let compressed =
            |(power, weight): (&f64, &f64)| (power.max(LOUDNESS_FLOOR) * weight).powf(COMPRESSION);
        bands.iter().zip(&self.equal_loudness).map(compressed).sum::<f64>() / BANDS as f64
    }

    /// Liftered cepstral coefficients from the first on.
    pub(super) fn cepstrum(&self, bands: &[f64; BANDS]) -> [f64; COEFFICIENTS] {
        let log = bands.map(|power| (power * HTK_SCALE).max(1.0).ln());
        std::array::from_fn(|i| log.iter().zip(&self.cosines[i]).map(|(log, cosine)| log * cosine).sum())
    }
}

/// The entry of the cosine transform with the scale and the lifter of its coefficient.
fn cosine(coefficient: usize, band: usize) -> f64 {
    let coefficient = coefficient as f64;
    let lifter = 1.0 + LIFTER / 2.0 * (PI * coefficient / LIFTER).sin();
    let scale = (2.0 / BANDS as f64).sqrt();
    scale * lifter * (PI * coefficient / BANDS as f64 * (band as f64 + 0.5)).cos()
}

/// The equal-loudness curve of Hermansky, "Perceptual linear predictive analysis of speech" (1990), with its
/// term for frequencies over 5 kHz, scaled to a maximum of about one.
fn equal_loudness(hertz: f64) -> f64 {
    let w = 2.0 * PI * hertz;
    let w2 = w * w;
    let below = (w2 + 56.8e6) * w2 * w2 / ((w2 + 6.3e6) * (w2 + 6.3e6) * (w2 + 0.38e9));
    below * 1e32 / (w2 * w2 * w2 * w + 1.7e31)
}
