//! Whisper's log-mel spectrogram, whole and streaming.
//!
//! Follows `WhisperFeatureExtractor` of Hugging Face transformers: 25 ms periodic Hann windows every 10 ms,
//! centred, power spectrum, Slaney mel filters from 0 to 8 kHz, log10, floor 8 below the maximum, `(x + 4) / 4`.

use std::sync::Arc;

use realfft::num_complex::Complex32;
use realfft::{RealFftPlanner, RealToComplex};

use super::{Bins, MelFilters, Window};
use crate::time::SampleRate;

/// Samples of a window.
const WINDOW: usize = 400;
/// Samples from one frame to the next: 10 ms.
pub const HOP: usize = 160;
/// Bins of the power spectrum.
const BINS: usize = WINDOW / 2 + 1;
/// Power below which the logarithm is cut.
const FLOOR: f32 = 1e-10;

/// The plan of a spectrogram: filters, window and Fourier transform, shared by any number of streams.
pub struct LogMel {
    filters: MelFilters,
    window: Vec<f32>,
    fft: Arc<dyn RealToComplex<f32>>,
}

impl LogMel {
    /// A spectrogram of `mels` bands (80, or 128 for large-v3 and turbo) of 16 kHz sound.
    pub fn new(mels: usize) -> Self {
        let bins = Bins { fft: WINDOW, rate: f64::from(SampleRate::PIPELINE.0) };
        Self {
            filters: MelFilters::slaney(mels, bins),
            window: Window::Hann.periodic(WINDOW),
            fft: RealFftPlanner::new().plan_fft_forward(WINDOW),
        }
    }

    /// Number of mel bands.
    pub fn mels(&self) -> usize {
        self.filters.mels()
    }

    /// The spectrogram of `samples`, `[frames, mels]`.
    ///
    /// Sound after the samples counts as digital silence: the result equals the first `frames` frames of the
    /// spectrogram of the samples padded with zeros, as Whisper pads them to 30 s.
    pub fn spectrogram(&self, samples: &[f32], frames: usize) -> Vec<f32> {
        let mut stream = LogMelStream::new(self);
        let mut out = Vec::with_capacity(frames * self.mels());
        stream.push(samples, &mut out);
        stream.flush(frames, &mut out);
        out.truncate(frames * self.mels());
        normalize(&mut out);
        out
    }
}

/// Floors log-mel values at 8 below their maximum (80 dB) and scales them, in place.
fn normalize(log_mel: &mut [f32]) {
    let max = log_mel.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    for value in log_mel {
        *value = (value.max(max - 8.0) + 4.0) / 4.0;
    }
}

/// A spectrogram that grows with its sound. Frames are log10 power; normalisation needs their maximum, so
/// it is left to the end.
pub struct LogMelStream<'a> {
    plan: &'a LogMel,
    /// Samples from the start of the next frame's window on.
    pending: Vec<f32>,
    /// Frames returned so far.
    frames: usize,
    started: bool,
    windowed: Vec<f32>,
    spectrum: Vec<Complex32>,
    scratch: Vec<Complex32>,
    power: Vec<f32>,
}

impl<'a> LogMelStream<'a> {
    /// A stream with nothing pushed yet.
    pub fn new(plan: &'a LogMel) -> Self {
        Self {
            plan,
            pending: Vec::new(),
            frames: 0,
            started: false,
            windowed: plan.fft.make_input_vec(),
            spectrum: plan.fft.make_output_vec(),
            scratch: plan.fft.make_scratch_vec(),
            power: vec![0.0; BINS],
        }
    }

    /// Takes 16 kHz `samples` and appends every frame whose window is complete to `out`, `[frames, mels]`.
    pub fn push(&mut self, samples: &[f32], out: &mut Vec<f32>) {
        self.pending.extend_from_slice(samples);
        if !self.started {
            // The first window is centred on the first sample: what lies before it is its mirror image.
            if self.pending.len() <= WINDOW / 2 {
                return;
            }
            let mirror: Vec<f32> = self.pending[1..=WINDOW / 2].iter().rev().copied().collect();
            self.pending.splice(0..0, mirror);
            self.started = true;
        }
        let mut start = 0;
        while start + WINDOW <= self.pending.len() {
            self.frame(start, out);
            start += HOP;
        }
        self.pending.drain(..start.min(self.pending.len()));
    }

    /// Appends frames up to a total of `frames`, as if silence followed.
    pub fn flush(&mut self, frames: usize, out: &mut Vec<f32>) {
        let silence = [0.0; WINDOW];
        while self.frames < frames {
            self.push(&silence, out);
        }
    }

    /// Forgets everything pushed.
    pub fn reset(&mut self) {
        self.pending.clear();
        self.frames = 0;
        self.started = false;
    }

    fn frame(&mut self, start: usize, out: &mut Vec<f32>) {
        let samples = &self.pending[start..start + WINDOW];
        for ((windowed, sample), weight) in self.windowed.iter_mut().zip(samples).zip(&self.plan.window) {
            *windowed = sample * weight;
        }
        self.plan
            .fft
            .process_with_scratch(&mut self.windowed, &mut self.spectrum, &mut self.scratch)
            .expect("the buffers were made by this transform");
        for (power, bin) in self.power.iter_mut().zip(&self.spectrum) {
            *power = bin.norm_sqr();
        }
        out.extend(self.plan.filters.energies(&self.power).map(|energy| energy.max(FLOOR).log10()));
        self.frames += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::super::mel_filters::{slaney_hertz, slaney_mel};
    use super::*;
    use proptest::prelude::*;

    fn chirp(samples: usize) -> Vec<f32> {
        (0..samples).map(|i| (i as f32 * i as f32 * 1e-5).sin() * 0.3).collect()
    }

    proptest! {
        #[test]
        fn block_sizes_do_not_matter(cuts in prop::collection::vec(1usize..900, 1..20)) {
            let plan = LogMel::new(80);
            let samples = chirp(5000);
            let mut whole = Vec::new();
            LogMelStream::new(&plan).push(&samples, &mut whole);
            let mut stream = LogMelStream::new(&plan);
            let mut pieces = Vec::new();
            let mut rest = samples.as_slice();
            for cut in cuts.into_iter().cycle() {
                let (piece, after) = rest.split_at(cut.min(rest.len()));
                stream.push(piece, &mut pieces);
                rest = after;
                if rest.is_empty() {
                    break;
                }
            }
            prop_assert_eq!(whole, pieces);
        }
    }

    #[test]
    fn shorter_spectrograms_are_prefixes_of_longer_ones() {
        let plan = LogMel::new(80);
        for samples in [0, 1, 200, 201, 3333] {
            let sound = chirp(samples);
            let long = plan.spectrogram(&sound, 100);
            let short = plan.spectrogram(&sound, 40);
            assert_eq!(short.len(), 40 * 80);
            assert_eq!(long[..40 * 80], short);
        }
    }

    #[test]
    fn a_tone_is_in_its_band() {
        let plan = LogMel::new(80);
        let tone: Vec<f32> =
            (0..16_000).map(|i| (std::f32::consts::TAU * 1000.0 * i as f32 / 16_000.0).sin()).collect();
        let frames = plan.spectrogram(&tone, 100);
        let frame = &frames[50 * 80..51 * 80];
        let loudest = (0..80).max_by(|&a, &b| frame[a].total_cmp(&frame[b])).unwrap();
        let (low, high) = (slaney_hertz(loudest as f64 * slaney_mel(8000.0) / 81.0), 1100.0);
        assert!((850.0..high).contains(&low), "band {loudest} starts at {low} Hz");
    }
}
