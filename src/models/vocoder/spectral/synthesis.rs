//! The head's values and the source to sound, and the slopes of a loss of the sound back to the head's values.

use std::sync::Arc;

use realfft::num_complex::Complex;
use realfft::{ComplexToReal, RealFftPlanner, RealToComplex};

use super::{AROUND, BINS, Excitation, FFT, MEL, Shape};
use crate::dsp::{Bins, MelFilters, Window};

/// The sum of the squares of windows over one another, four deep.
const OVERLAP: f32 = 1.5;
/// The logarithm of the greatest factor of a bin.
const MOST: f32 = 7.0;
/// By how much noise begins below the bands' envelope where there is a voice, in e-folds.
const NOISE_UNDER_VOICE: f32 = 2.0;

/// Makes sound of frames.
pub struct Synthesis {
    inverse: Arc<dyn ComplexToReal<f32>>,
    forward: Arc<dyn RealToComplex<f32>>,
    window: Vec<f32>,
    /// For each bin the band below it and the share of the one above.
    places: Vec<(usize, f32)>,
    /// By how much the logarithm of a band is above that of the magnitudes in it.
    excess: Vec<f32>,
}

/// What is known of the frames of a sound.
pub struct Frames<'a> {
    /// Bands, `[frames, mels]`.
    pub mel: &'a [f32],
    /// The head's values, `[frames, 3 bins]`.
    pub head: &'a [f32],
    /// The source of each.
    pub source: &'a [Excitation],
}

/// The factors of a bin: of its harmonics, and of its noise.
struct Factors {
    harmonics: Complex<f32>,
    noise: f32,
    /// Whether each follows the head, or has reached [`MOST`].
    free: [bool; 2],
}

impl Default for Synthesis {
    fn default() -> Self {
        let mut planner = RealFftPlanner::new();
        let bins = Bins { fft: MEL.fft, rate: f64::from(MEL.rate) };
        let filters = MelFilters::slaney_over(MEL.mels, bins, MEL.range);
        let sums: Vec<f32> = filters.energies(&vec![1.0; MEL.fft / 2 + 1]).collect();
        let centres = centres(&filters);
        let hertz = |bin: usize| MEL.rate as f32 * bin as f32 / FFT as f32;
        let place = |bin: usize| {
            let above = centres.partition_point(|&centre| centre <= hertz(bin));
            match above {
                0 => (0, 0.0),
                above if above >= MEL.mels => (MEL.mels - 2, 1.0),
                above => {
                    let (low, high) = (centres[above - 1], centres[above]);
                    (above - 1, (hertz(bin) - low) / (high - low))
                }
            }
        };
        Self {
            inverse: planner.plan_fft_inverse(FFT),
            forward: planner.plan_fft_forward(FFT),
            window: Window::Hann.periodic(FFT),
            places: (0..BINS).map(place).collect(),
            excess: sums.iter().map(|sum| sum.ln()).collect(),
        }
    }
}

/// The middle of each filter in hertz, by its weights.
fn centres(filters: &MelFilters) -> Vec<f32> {
    let bins = MEL.fft / 2 + 1;
    let hertz: Vec<f32> = (0..bins).map(|bin| MEL.rate as f32 * bin as f32 / MEL.fft as f32).collect();
    let sums = filters.energies(&vec![1.0; bins]).collect::<Vec<_>>();
    filters.energies(&hertz).zip(sums).map(|(of, sum)| of / sum).collect()
}

impl Synthesis {
    /// The logarithm of the magnitudes that the bands of a frame tell of, for each bin.
    fn envelope(&self, mel: &[f32]) -> Vec<f32> {
        let level = |band: usize| mel[band] - self.excess[band];
        let at = |&(band, share): &(usize, f32)| level(band) * (1.0 - share) + level(band + 1) * share;
        self.places.iter().map(at).collect()
    }

    fn factors(envelope: f32, head: [f32; 3], voice: f32) -> Factors {
        let (loud, noisy) = (envelope + head[0], envelope - NOISE_UNDER_VOICE * voice + head[2]);
        Factors {
            harmonics: Complex::from_polar(loud.min(MOST).exp(), head[1]),
            noise: noisy.min(MOST).exp(),
            free: [loud < MOST, noisy < MOST],
        }
    }

    /// What a frame adds to the sound: `FFT` samples, windowed.
    pub(super) fn frame(&self, mel: &[f32], head: &[f32], source: &Excitation) -> Vec<f32> {
        let envelope = self.envelope(mel);
        let mut spectrum = vec![Complex::new(0.0, 0.0); BINS];
        for (bin, sum) in spectrum.iter_mut().enumerate() {
            let factors = Self::factors(envelope[bin], of_bin(head, bin), source.voice);
            *sum = factors.harmonics * source.harmonics[bin] + source.noise[bin] * factors.noise;
        }
        (spectrum[0].im, spectrum[BINS - 1].im) = (0.0, 0.0);
        let mut samples = vec![0.0; FFT];
        self.inverse.process(&mut spectrum, &mut samples).expect("the buffers are of the transform's sizes");
        for (sample, weight) in samples.iter_mut().zip(&self.window) {
            *sample *= weight / (OVERLAP * FFT as f32);
        }
        samples
    }

    /// The sound of frames, a hop of samples for each.
    pub fn sound(&self, frames: &Frames) -> Vec<f32> {
        let count = frames.source.len();
        let mut sound = vec![0.0; count * MEL.hop + 2 * AROUND];
        for (at, source) in frames.source.iter().enumerate() {
            let mel = &frames.mel[at * MEL.mels..][..MEL.mels];
            let head = &frames.head[at * Shape::OUTPUTS..][..Shape::OUTPUTS];
            crate::compute::add_into(&self.frame(mel, head, source), &mut sound[at * MEL.hop..][..FFT]);
        }
        sound.truncate(count * MEL.hop + AROUND);
        sound.drain(..AROUND.min(sound.len()));
        sound
    }

    /// The slopes of the head's values, `[frames, 3 bins]`, where those of the sound are `slopes`.
    pub fn slopes(&self, frames: &Frames, slopes: &[f32]) -> Vec<f32> {
        let mut out = Vec::with_capacity(frames.head.len());
        for (at, source) in frames.source.iter().enumerate() {
            let mel = &frames.mel[at * MEL.mels..][..MEL.mels];
            let head = &frames.head[at * Shape::OUTPUTS..][..Shape::OUTPUTS];
            let start = at * MEL.hop;
            let slope = |place: usize| {
                (start + place).checked_sub(AROUND).and_then(|at| slopes.get(at)).copied().unwrap_or(0.0)
            };
            let mut windowed: Vec<f32> = self
                .window
                .iter()
                .enumerate()
                .map(|(place, weight)| slope(place) * weight / (OVERLAP * FFT as f32))
                .collect();
            out.extend(self.frame_slopes(mel, head, source, &mut windowed));
        }
        out
    }

    fn frame_slopes(&self, mel: &[f32], head: &[f32], source: &Excitation, windowed: &mut [f32]) -> Vec<f32> {
        let mut bins = vec![Complex::new(0.0, 0.0); BINS];
        self.forward.process(windowed, &mut bins).expect("the buffers are of the transform's sizes");
        let envelope = self.envelope(mel);
        let mut out = vec![0.0; Shape::OUTPUTS];
        for (bin, slope) in bins.into_iter().enumerate() {
            // The inverse takes each bin but the first and the last for two, and of those the real part alone.
            let slope = match bin {
                0 => Complex::new(slope.re, 0.0),
                bin if bin == BINS - 1 => Complex::new(slope.re, 0.0),
                _ => slope * 2.0,
            };
            let factors = Self::factors(envelope[bin], of_bin(head, bin), source.voice);
            let harmonics = factors.harmonics * source.harmonics[bin];
            let noise = source.noise[bin] * factors.noise;
            let along = |part: Complex<f32>| slope.re * part.re + slope.im * part.im;
            if factors.free[0] {
                out[bin] = along(harmonics);
            }
            out[BINS + bin] = slope.im * harmonics.re - slope.re * harmonics.im;
            if factors.free[1] {
                out[2 * BINS + bin] = along(noise);
            }
        }
        out
    }
}

fn of_bin(head: &[f32], bin: usize) -> [f32; 3] {
    [head[bin], head[BINS + bin], head[2 * BINS + bin]]
}

#[cfg(test)]
mod tests {
    use super::super::Source;
    use super::*;
    use crate::dsp::VocoderMel;

    fn source(pitch: &[f32]) -> Vec<Excitation> {
        let mut source = Source::new(7);
        let mut out: Vec<Excitation> = pitch.iter().filter_map(|&hertz| source.push(hertz)).collect();
        out.extend(source.finish());
        out
    }

    #[test]
    fn slopes_are_those_of_small_steps() {
        let mut random = fastrand::Rng::with_seed(2);
        let frames = 6;
        let source = source(&[110.0, 112.0, 0.0, 0.0, 200.0, 210.0]);
        let mel: Vec<f32> = (0..frames * MEL.mels).map(|_| random.f32() - 2.0).collect();
        let head: Vec<f32> = (0..frames * Shape::OUTPUTS).map(|_| random.f32() - 0.5).collect();
        let synthesis = Synthesis::default();
        let weights: Vec<f32> = (0..frames * MEL.hop).map(|_| random.f32() - 0.5).collect();
        let value = |head: &[f32]| -> f64 {
            let sound = synthesis.sound(&Frames { mel: &mel, head, source: &source });
            assert_eq!(sound.len(), weights.len());
            sound.iter().zip(&weights).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
        };
        let slopes = synthesis.slopes(&Frames { mel: &mel, head: &head, source: &source }, &weights);
        let largest = slopes.iter().fold(0.0_f32, |most, slope| most.max(slope.abs()));
        for bin in [0, 5, 200, BINS - 1] {
            for part in 0..3 {
                for frame in 0..frames {
                    let at = frame * Shape::OUTPUTS + part * BINS + bin;
                    let moved = |by: f32| {
                        let mut head = head.clone();
                        head[at] += by;
                        value(&head)
                    };
                    let expected = ((moved(0.02) - moved(-0.02)) / 0.04) as f32;
                    assert!(
                        (slopes[at] - expected).abs() < 2e-3 * largest,
                        "{at}: {} {expected}",
                        slopes[at]
                    );
                }
            }
        }
    }

    /// Before anything is learnt, noise with the envelope of bands has about these bands.
    #[test]
    fn an_untrained_head_keeps_the_bands() {
        let mut random = fastrand::Rng::with_seed(4);
        let mut last = 0.0;
        let samples: Vec<f32> = (0..32_000)
            .map(|_| {
                last = 0.9 * last + 0.05 * (random.f32() - 0.5);
                last
            })
            .collect();
        let plan = VocoderMel::hifi_gan(MEL);
        let mel = plan.frames(&samples);
        let count = mel.len() / MEL.mels;
        let source = source(&vec![0.0; count]);
        let head = vec![0.0; count * Shape::OUTPUTS];
        let sound = Synthesis::default().sound(&Frames { mel: &mel, head: &head, source: &source });
        let again = plan.frames(&sound);
        let mean = |x: &[f32]| x.iter().sum::<f32>() / x.len() as f32;
        let inner = 10 * MEL.mels..(count - 10) * MEL.mels;
        assert!((mean(&again[inner.clone()]) - mean(&mel[inner])).abs() < 0.3);
    }
}
