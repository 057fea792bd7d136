//! The power of mel bands, in windows that are centred on their frames.

use std::sync::Arc;

use realfft::{RealFftPlanner, RealToComplex};

use super::MelFilters;

/// What is taken to lie before the first and after the last sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Edges {
    /// Silence.
    Zeros,
    /// The mirror image of the sound, which is longer than half the transform.
    Mirror,
}

/// The plan of a spectrogram, as `torch.stft` and librosa compute it with `center`.
pub struct MelSpectrogram {
    filters: MelFilters,
    window: Vec<f32>,
    hop: usize,
    edges: Edges,
    fft: Arc<dyn RealToComplex<f32>>,
}

impl MelSpectrogram {
    /// A spectrogram with `window` in the middle of a transform of `fft` samples, which `filters` are for.
    pub fn new(window: &[f32], fft: usize, hop: usize, edges: Edges, filters: MelFilters) -> Self {
        assert!(window.len() <= fft && hop > 0, "a window lies within its transform");
        let mut padded = vec![0.0; fft];
        let before = (fft - window.len()) / 2;
        padded[before..before + window.len()].copy_from_slice(window);
        Self { filters, window: padded, hop, edges, fft: RealFftPlanner::new().plan_fft_forward(fft) }
    }

    /// Number of mel bands.
    pub fn mels(&self) -> usize {
        self.filters.mels()
    }

    /// The power of `samples`, `[1 + samples / hop, mels]`.
    pub fn power(&self, samples: &[f32]) -> Vec<f32> {
        let frames = 1 + samples.len() / self.hop;
        let padded = self.padded(samples);
        let mut windowed = self.fft.make_input_vec();
        let mut spectrum = self.fft.make_output_vec();
        let mut scratch = self.fft.make_scratch_vec();
        let mut power = vec![0.0; spectrum.len()];
        let mut out = Vec::with_capacity(frames * self.mels());
        for frame in 0..frames {
            let sound = &padded[frame * self.hop..];
            for ((windowed, sample), weight) in windowed.iter_mut().zip(sound).zip(&self.window) {
                *windowed = sample * weight;
            }
            self.fft
                .process_with_scratch(&mut windowed, &mut spectrum, &mut scratch)
                .expect("the buffers were made by this transform");
            for (power, bin) in power.iter_mut().zip(&spectrum) {
                *power = bin.norm_sqr();
            }
            out.extend(self.filters.energies(&power));
        }
        out
    }

    /// `samples` with half a transform before and after.
    fn padded(&self, samples: &[f32]) -> Vec<f32> {
        let half = self.window.len() / 2;
        let mut padded = Vec::with_capacity(samples.len() + 2 * half);
        match self.edges {
            Edges::Zeros => padded.resize(half, 0.0),
            Edges::Mirror => padded.extend((1..=half).rev().map(|index| mirrored(samples, index))),
        }
        padded.extend_from_slice(samples);
        match self.edges {
            Edges::Zeros => padded.resize(samples.len() + 2 * half, 0.0),
            Edges::Mirror => {
                padded.extend((2..half + 2).map(|back| mirrored(samples, samples.len().wrapping_sub(back))));
            }
        }
        padded
    }
}

/// A sample of the mirror image; silence where the sound is too short for it.
fn mirrored(samples: &[f32], index: usize) -> f32 {
    samples.get(index).copied().unwrap_or(0.0)
}

/// How a window falls off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Window {
    /// Raised cosine.
    Hann,
    /// Raised cosine on a platform.
    Hamming,
}

impl Window {
    /// The window of `length` samples that repeats without a seam, as spectrograms want it.
    pub fn periodic(self, length: usize) -> Vec<f32> {
        self.values(length, length)
    }

    /// The window of `length` samples whose two ends are equal.
    pub fn symmetric(self, length: usize) -> Vec<f32> {
        self.values(length, length - 1)
    }

    fn values(self, length: usize, period: usize) -> Vec<f32> {
        let platform = match self {
            Self::Hann => 0.5,
            Self::Hamming => 0.54,
        };
        let value = |index: usize| {
            let phase = std::f64::consts::TAU * index as f64 / period as f64;
            (platform - (1.0 - platform) * phase.cos()) as f32
        };
        (0..length).map(value).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dsp::Bins;

    const BINS: Bins = Bins { fft: 16, rate: 16_000.0 };

    fn plan(edges: Edges) -> MelSpectrogram {
        MelSpectrogram::new(&Window::Hann.periodic(12), 16, 4, edges, MelFilters::slaney(3, BINS))
    }

    #[test]
    fn windows_end_as_they_should() {
        assert_eq!(Window::Hann.periodic(4), [0.0, 0.5, 1.0, 0.5]);
        let hamming = Window::Hamming.symmetric(5);
        assert_eq!((hamming[0], hamming[2], hamming[4]), (0.08, 1.0, 0.08));
    }

    #[test]
    fn edges_are_silence_or_the_mirror_image() {
        let samples: Vec<f32> = (1..=12).map(|x| x as f32).collect();
        let zeros = plan(Edges::Zeros).padded(&samples);
        assert_eq!((zeros.len(), zeros[7], zeros[8], zeros[20]), (28, 0.0, 1.0, 0.0));
        let mirror = plan(Edges::Mirror).padded(&samples);
        assert_eq!((mirror[0], mirror[7], mirror[8]), (9.0, 2.0, 1.0));
        assert_eq!((mirror[19], mirror[20], mirror[27]), (12.0, 11.0, 4.0));
    }

    #[test]
    fn any_length_has_its_frames() {
        for edges in [Edges::Zeros, Edges::Mirror] {
            for (samples, frames) in [(0, 1), (1, 1), (4, 2), (7, 2), (40, 11)] {
                let power = plan(edges).power(&vec![1.0; samples]);
                assert_eq!(power.len(), 3 * frames, "{edges:?}, {samples}");
                assert!(power.iter().all(|x| x.is_finite()), "{edges:?}, {samples}");
            }
        }
    }
}
