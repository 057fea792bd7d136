//! The log-mel spectrograms that vocoders and voice conversion are trained on.
//!
//! [`VocoderMel`] computes them as `mel_spectrogram` of HiFi-GAN and BigVGAN does, and with it the front end of F5-TTS and EZ-VC
//! that is called bigvgan: magnitudes, not powers; filters of Slaney's scale and norm; no frame is centred on the first sample,
//! for half a window less half a hop is mirrored on both sides. [`VocoderMel::s3prl`] is that of S3PRL-VC.

use std::sync::Arc;

use realfft::{RealFftPlanner, RealToComplex};

use super::{Bins, MelFilters, Window};

/// What is added to the square of a magnitude.
const NO_ZERO: f32 = 1e-9;

/// What a spectrogram is made of.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MelShape {
    /// Samples a second.
    pub rate: u32,
    /// Samples of a transform.
    pub fft: usize,
    /// Samples of a window, in the middle of the transform.
    pub window: usize,
    /// Samples from one frame to the next.
    pub hop: usize,
    /// Bands.
    pub mels: usize,
    /// The lowest and the highest hertz of a band.
    pub range: (f64, f64),
}

impl MelShape {
    /// EZ-VC's: 16 kHz, 80 bands to 8 kHz, windows of 640 in transforms of 1024, every 10 ms.
    pub const EZ_VC: Self =
        Self { rate: 16_000, fft: 1024, window: 640, hop: 160, mels: 80, range: (0.0, 8000.0) };

    /// BigVGAN's of 24 kHz: 100 bands to 12 kHz, windows of 1024, every 256 samples.
    pub const BIGVGAN_24K: Self =
        Self { rate: 24_000, fft: 1024, window: 1024, hop: 256, mels: 100, range: (0.0, 12_000.0) };

    /// S3PRL-VC's: 24 kHz, 80 bands from 80 to 7600 Hz, windows of 1024, every 256 samples.
    pub const S3PRL: Self =
        Self { rate: 24_000, fft: 1024, window: 1024, hop: 256, mels: 80, range: (80.0, 7600.0) };
}

/// What becomes of magnitudes, and where frames lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// The natural logarithm of at least 1e-5; frames have their middle half a hop after a multiple of it.
    HifiGan,
    /// The decadic logarithm of at least 1e-10; frames have their middle at multiples of the hop.
    S3prl,
}

/// The plan of a spectrogram.
pub struct VocoderMel {
    shape: MelShape,
    kind: Kind,
    filters: MelFilters,
    window: Vec<f32>,
    fft: Arc<dyn RealToComplex<f32>>,
}

impl VocoderMel {
    /// That of HiFi-GAN, BigVGAN and EZ-VC.
    ///
    /// # Panics
    /// Where the window is longer than the transform, or there is no hop.
    pub fn hifi_gan(shape: MelShape) -> Self {
        Self::new(shape, Kind::HifiGan)
    }

    /// That of S3PRL-VC.
    ///
    /// # Panics
    /// As [`VocoderMel::hifi_gan`].
    pub fn s3prl(shape: MelShape) -> Self {
        Self::new(shape, Kind::S3prl)
    }

    fn new(shape: MelShape, kind: Kind) -> Self {
        assert!(
            shape.window <= shape.fft && shape.hop > 0 && shape.hop <= shape.fft,
            "a window lies within its transform"
        );
        let bins = Bins { fft: shape.fft, rate: f64::from(shape.rate) };
        let mut window = vec![0.0; shape.fft];
        let before = (shape.fft - shape.window) / 2;
        window[before..before + shape.window].copy_from_slice(&Window::Hann.periodic(shape.window));
        let filters = MelFilters::slaney_over(shape.mels, bins, shape.range);
        Self { shape, kind, filters, window, fft: RealFftPlanner::new().plan_fft_forward(shape.fft) }
    }

    /// What it is made of.
    pub fn shape(&self) -> MelShape {
        self.shape
    }

    /// The frames of a sound at its rate, `[frames, mels]`: as many as whole hops, with S3PRL-VC's one more. Of a sound too
    /// short to be mirrored, what is missing is silence.
    pub fn frames(&self, samples: &[f32]) -> Vec<f32> {
        let MelShape { fft, hop, mels, .. } = self.shape;
        let (around, count) = match self.kind {
            Kind::HifiGan => ((fft - hop) / 2, samples.len() / hop),
            Kind::S3prl => (fft / 2, samples.len() / hop + 1),
        };
        let at = |place: usize| mirrored(samples, place as i64 - around as i64);
        let mut windowed = self.fft.make_input_vec();
        let mut spectrum = self.fft.make_output_vec();
        let mut scratch = self.fft.make_scratch_vec();
        let mut magnitudes = vec![0.0; spectrum.len()];
        let mut out = Vec::with_capacity(count * mels);
        for frame in 0..count {
            for (index, (windowed, weight)) in windowed.iter_mut().zip(&self.window).enumerate() {
                *windowed = at(frame * hop + index) * weight;
            }
            self.fft
                .process_with_scratch(&mut windowed, &mut spectrum, &mut scratch)
                .expect("the buffers were made by this transform");
            for (magnitude, bin) in magnitudes.iter_mut().zip(&spectrum) {
                *magnitude = match self.kind {
                    Kind::HifiGan => (bin.norm_sqr() + NO_ZERO).sqrt(),
                    Kind::S3prl => bin.norm_sqr().sqrt(),
                };
            }
            out.extend(self.filters.energies(&magnitudes).map(|energy| match self.kind {
                Kind::HifiGan => energy.max(1e-5).ln(),
                Kind::S3prl => energy.max(1e-10).log10(),
            }));
        }
        out
    }
}

/// A sample of the sound or of its mirror image; silence beyond.
fn mirrored(samples: &[f32], place: i64) -> f32 {
    let length = samples.len() as i64;
    let place = match place {
        place if place < 0 => -place,
        place if place >= length => 2 * (length - 1) - place,
        place => place,
    };
    usize::try_from(place).ok().and_then(|place| samples.get(place)).copied().unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sounds_of_any_length_have_their_frames() {
        for (kind, more) in [(Kind::HifiGan, 0), (Kind::S3prl, 1)] {
            let plan = VocoderMel::new(MelShape::EZ_VC, kind);
            for samples in [0, 1, 159, 160, 500, 4000] {
                let frames = plan.frames(&vec![0.5; samples]);
                assert_eq!(frames.len(), (samples / 160 + more) * 80, "{kind:?}, {samples}");
                assert!(frames.iter().all(|x| x.is_finite()));
            }
        }
        let silence = VocoderMel::hifi_gan(MelShape::EZ_VC).frames(&[0.0; 1600]);
        assert!(silence.iter().all(|&x| (x - 1e-5f32.ln()).abs() < 1.0), "{:?}", &silence[..3]);
    }

    #[test]
    fn the_mirror_image_leaves_the_edge_out() {
        let places = [-2, -1, 0, 2, 3, 4, 9];
        assert_eq!(
            places.map(|place| mirrored(&[1.0, 2.0, 3.0], place)),
            [3.0, 2.0, 1.0, 3.0, 2.0, 1.0, 0.0]
        );
    }
}
