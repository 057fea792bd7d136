//! Any rate to 16 kHz, and back for output devices, in streaming blocks, on time to the sample.
//!
//! The filter is rubato's synchronous FFT resampler: a Blackman-Harris² windowed sinc, linear in phase. Its
//! delay is dropped at the start and its tail is pushed out at the end, so that a click at `t` seconds of the
//! input is at `t` seconds of the output, and `n` samples in give `round(n · 16000 / rate)` out.

use rubato::audioadapter_buffers::direct::SequentialSlice;
use rubato::{Fft, FixedSync, Resampler as _};

use crate::time::SampleRate;
use crate::{Error, Result};

/// Frames of the FFT on its shorter side, at least. More makes the passband wider and the delay longer: 512
/// frames at 16 kHz are 32 ms, half of which is the delay, with the passband flat to 7.6 kHz.
const MIN_FFT_FRAMES: usize = 512;
/// The same where the delay matters more: 16 ms, with the passband flat to 7.0 kHz.
const LIVE_FFT_FRAMES: usize = 256;

/// Mono samples at one rate in, at another out, one of which is 16 kHz. Where they are equal, samples pass untouched.
///
/// How the input is split between calls of [`push`](Self::push) never changes the output.
#[derive(Debug)]
pub struct Resampler {
    from: SampleRate,
    to: SampleRate,
    filter: Option<Filter>,
}

impl Resampler {
    /// A resampler from `rate` to [`SampleRate::PIPELINE`].
    ///
    /// # Errors
    /// [`Error::Setting`] where `rate` is not between [`MIN_RATE`](super::MIN_RATE) and
    /// [`MAX_RATE`](super::MAX_RATE).
    pub fn new(rate: SampleRate) -> Result<Self> {
        Self::with_fft(rate, SampleRate::PIPELINE, MIN_FFT_FRAMES)
    }

    /// A resampler for live sound, with half the delay of [`new`](Self::new): 24 ms from 48 kHz and 30 ms from
    /// 44.1 kHz at worst. What it costs is the top of the band: it is flat to 7.0 kHz rather than 7.6 kHz.
    ///
    /// # Errors
    /// Those of [`new`](Self::new).
    pub fn low_latency(rate: SampleRate) -> Result<Self> {
        Self::with_fft(rate, SampleRate::PIPELINE, LIVE_FFT_FRAMES)
    }

    /// The other way, from [`SampleRate::PIPELINE`] to the `rate` of an output device, with the same delay.
    ///
    /// # Errors
    /// Those of [`new`](Self::new).
    pub fn for_output(rate: SampleRate) -> Result<Self> {
        Self::with_fft(SampleRate::PIPELINE, rate, LIVE_FFT_FRAMES)
    }

    fn with_fft(from: SampleRate, to: SampleRate, frames: usize) -> Result<Self> {
        let range = super::MIN_RATE..=super::MAX_RATE;
        if let Some(rate) = [from, to].into_iter().find(|rate| !range.contains(rate)) {
            return Err(Error::Setting(format!(
                "sample rate {rate} is outside {} to {}",
                super::MIN_RATE,
                super::MAX_RATE
            )));
        }
        let filter = if from == to { None } else { Some(Filter::new(from, to, frames)?) };
        Ok(Self { from, to, filter })
    }

    /// The rate of the input.
    pub fn rate(&self) -> SampleRate {
        self.from
    }

    /// The rate of the output.
    pub fn output_rate(&self) -> SampleRate {
        self.to
    }

    /// How much later a sample comes out than it went in, in samples of the output and at worst.
    pub fn latency(&self) -> usize {
        // One block must fill before it is filtered, and half a block is the filter's own delay.
        self.filter.as_ref().map_or(0, |filter| filter.fft.fft_size_out() * 3 / 2)
    }

    /// Takes `samples` and appends to `out` what is ready.
    pub fn push(&mut self, samples: &[f32], out: &mut Vec<f32>) {
        match &mut self.filter {
            None => out.extend_from_slice(samples),
            Some(filter) => filter.push(samples, out),
        }
    }

    /// Ends the stream: appends what is still inside to `out` and makes ready for another stream.
    pub fn flush(&mut self, out: &mut Vec<f32>) {
        if let Some(filter) = &mut self.filter {
            filter.flush(out);
            filter.reset();
        }
    }

    /// Forgets all that was pushed.
    pub fn reset(&mut self) {
        if let Some(filter) = &mut self.filter {
            filter.reset();
        }
    }
}

/// The FFT filter with the bookkeeping that keeps it on time.
#[derive(Debug)]
struct Filter {
    fft: Fft<f32>,
    from: SampleRate,
    to: SampleRate,
    /// Input that does not fill a block yet.
    block: Vec<f32>,
    /// Output of one block.
    filtered: Vec<f32>,
    /// Output samples still to drop: the filter's delay.
    delay_left: usize,
    /// Samples taken since the start.
    taken: u64,
    /// Samples given since the start.
    given: u64,
}

impl Filter {
    fn new(from: SampleRate, to: SampleRate, frames: usize) -> Result<Self> {
        let (input, output) = (from.0 as usize, to.0 as usize);
        let divisor = gcd(input, output);
        let (step_in, step_out) = (input / divisor, output / divisor);
        // An even number of steps makes both FFT sizes even, so that the delay is a whole number of samples.
        let steps = 2 * (frames / 2).div_ceil(step_in.min(step_out));
        let fft = Fft::new(input, output, steps * step_in, 1, FixedSync::Both)
            .map_err(|e| Error::Setting(format!("cannot resample from {from} to {to}: {e}")))?;
        let block = Vec::with_capacity(fft.fft_size_in());
        let filtered = vec![0.0; fft.fft_size_out()];
        let delay_left = fft.output_delay();
        Ok(Self { fft, from, to, block, filtered, delay_left, taken: 0, given: 0 })
    }

    fn push(&mut self, mut samples: &[f32], out: &mut Vec<f32>) {
        self.taken += samples.len() as u64;
        let size = self.fft.fft_size_in();
        while !samples.is_empty() {
            let (head, rest) = samples.split_at(samples.len().min(size - self.block.len()));
            self.block.extend_from_slice(head);
            samples = rest;
            if self.block.len() == size {
                self.filter_block(out);
            }
        }
    }

    /// Filters the full block and appends what is not delay to `out`.
    fn filter_block(&mut self, out: &mut Vec<f32>) {
        let (size_in, size_out) = (self.block.len(), self.filtered.len());
        let input = SequentialSlice::new(&self.block[..], 1, size_in);
        let output = SequentialSlice::new_mut(&mut self.filtered[..], 1, size_out);
        let (Ok(input), Ok(mut output)) = (input, output) else {
            unreachable!("both adapters wrap a slice of their own length");
        };
        if let Err(error) = self.fft.process_into_buffer(&input, &mut output, None) {
            unreachable!("a block of the size that the filter asks for is refused: {error}");
        }
        self.block.clear();
        let dropped = self.delay_left.min(size_out);
        self.delay_left -= dropped;
        out.extend_from_slice(&self.filtered[dropped..]);
        self.given += (size_out - dropped) as u64;
    }

    fn flush(&mut self, out: &mut Vec<f32>) {
        let total = converted_len(self.taken, self.from, self.to);
        while self.given < total {
            self.block.resize(self.fft.fft_size_in(), 0.0);
            self.filter_block(out);
        }
        out.truncate(out.len() - (self.given - total) as usize);
    }

    fn reset(&mut self) {
        self.fft.reset();
        self.block.clear();
        self.delay_left = self.fft.output_delay();
        self.taken = 0;
        self.given = 0;
    }
}

/// How many samples at 16 kHz last as long as `samples` at `rate`, rounded to the nearest.
pub(super) fn resampled_len(samples: u64, rate: SampleRate) -> u64 {
    converted_len(samples, rate, SampleRate::PIPELINE)
}

fn converted_len(samples: u64, from: SampleRate, to: SampleRate) -> u64 {
    let (from, to) = (u128::from(from.0), u128::from(to.0));
    ((u128::from(samples) * to * 2 + from) / (from * 2)) as u64
}

fn gcd(a: usize, b: usize) -> usize {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[cfg(test)]
mod tests {
    use std::f64::consts::TAU;

    use proptest::prelude::*;

    use super::*;

    const RATES: [u32; 12] =
        [8_000, 11_025, 12_000, 16_000, 16_001, 22_050, 24_000, 32_000, 44_100, 48_000, 96_000, 192_000];

    fn resample(rate: u32, input: &[f32]) -> Vec<f32> {
        let mut resampler = Resampler::new(SampleRate(rate)).unwrap();
        let mut out = Vec::new();
        resampler.push(input, &mut out);
        resampler.flush(&mut out);
        out
    }

    fn sine(rate: u32, hertz: f64, seconds: f64) -> Vec<f32> {
        let samples = (f64::from(rate) * seconds) as usize;
        (0..samples).map(|n| (TAU * hertz * n as f64 / f64::from(rate)).sin() as f32).collect()
    }

    /// Level against a full-scale sine, in dB, away from the edges.
    fn level(samples: &[f32]) -> f64 {
        let middle = &samples[samples.len() / 4..samples.len() * 3 / 4];
        let power = middle.iter().map(|&s| f64::from(s).powi(2)).sum::<f64>() / middle.len() as f64;
        10.0 * (2.0 * power).max(1e-20).log10()
    }

    #[test]
    fn length_is_that_of_the_input_to_the_sample() {
        for rate in RATES {
            for samples in [0, 1, 2, 159, 441, 10_007, 50_001] {
                let out = resample(rate, &vec![0.1; samples]);
                assert_eq!(
                    out.len() as u64,
                    resampled_len(samples as u64, SampleRate(rate)),
                    "{samples} at {rate}"
                );
            }
        }
        assert_eq!(resampled_len(441, SampleRate(44_100)), 160);
        assert_eq!(resampled_len(3, SampleRate(48_000)), 1);
        assert_eq!(resampled_len(1, SampleRate(48_000)), 0);
    }

    #[test]
    fn a_tone_keeps_its_phase_and_level() {
        for rate in RATES {
            let (out, expected) = (resample(rate, &sine(rate, 1000.0, 1.0)), sine(16_000, 1000.0, 1.0));
            let middle = 2000..14_000;
            let error: Vec<f32> =
                out[middle.clone()].iter().zip(&expected[middle]).map(|(a, b)| a - b).collect();
            // Inputs with an odd FFT size do not exist here, so what is left is rounding.
            assert!(level(&error) < -100.0, "{rate}: error {:.1} dB", level(&error));
        }
    }

    #[test]
    fn the_passband_is_flat_and_what_is_above_it_is_gone() {
        for rate in [44_100, 48_000, 96_000] {
            for hertz in (100..=7500).step_by(740) {
                let level = level(&resample(rate, &sine(rate, f64::from(hertz), 0.5)));
                assert!(level.abs() < 0.01, "{hertz} Hz at {rate}: {level:.4} dB");
            }
            for hertz in [8_200, 9_000, 12_000, 15_900, 16_100, 20_000] {
                let level = level(&resample(rate, &sine(rate, f64::from(hertz), 0.5)));
                assert!(level < -90.0, "{hertz} Hz at {rate} leaves {level:.1} dB");
            }
        }
        // Upwards: no image of the tone beyond the old Nyquist frequency.
        let tone = resample(8_000, &sine(8_000, 3_000.0, 0.5));
        let expected = sine(16_000, 3_000.0, 0.5);
        let error: Vec<f32> = tone.iter().zip(&expected).map(|(a, b)| a - b).collect();
        assert!(level(&error) < -90.0, "{:.1} dB", level(&error));
    }

    #[test]
    fn low_latency_keeps_the_band_to_7_khz() {
        for (rate, latency) in [(44_100, 480), (48_000, 384), (96_000, 384)] {
            let through = |hertz: u32| {
                let mut resampler = Resampler::low_latency(SampleRate(rate)).unwrap();
                assert_eq!(resampler.latency(), latency, "{rate}");
                let mut out = Vec::new();
                resampler.push(&sine(rate, f64::from(hertz), 0.5), &mut out);
                resampler.flush(&mut out);
                level(&out)
            };
            for hertz in (100..=7_000).step_by(690) {
                let level = through(hertz);
                assert!(level.abs() < 0.05, "{hertz} Hz at {rate}: {level:.4} dB");
            }
            for hertz in [8_300, 9_000, 12_000, 16_100, 20_000] {
                let level = through(hertz);
                assert!(level < -80.0, "{hertz} Hz at {rate} leaves {level:.1} dB");
            }
        }
    }

    #[test]
    fn equal_rates_pass_untouched() {
        let input: Vec<f32> = (0..1000).map(|n| (n as f32).sin() * 1e-7).collect();
        assert_eq!(resample(16_000, &input), input);
    }

    #[test]
    fn a_flushed_resampler_starts_anew() {
        let mut resampler = Resampler::new(SampleRate(44_100)).unwrap();
        let (input, mut first, mut second) = (sine(44_100, 440.0, 0.3), Vec::new(), Vec::new());
        resampler.push(&input, &mut first);
        resampler.flush(&mut first);
        resampler.push(&input, &mut second);
        resampler.reset();
        second.clear();
        resampler.push(&input, &mut second);
        resampler.flush(&mut second);
        assert_eq!(first, second);
    }

    #[test]
    fn rates_out_of_range_are_refused() {
        for rate in [0, 7_999, 192_001, u32::MAX] {
            assert!(matches!(Resampler::new(SampleRate(rate)), Err(Error::Setting(_))), "{rate}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]
        #[test]
        fn blocks_change_nothing(
            rate in prop::sample::select(RATES.to_vec()),
            input in prop::collection::vec(-1.0f32..1.0, 0..6000),
            cuts in prop::collection::vec(0usize..6000, 0..8),
        ) {
            let whole = resample(rate, &input);
            let mut cuts: Vec<_> = cuts.into_iter().map(|cut| cut.min(input.len())).collect();
            cuts.extend([0, input.len()]);
            cuts.sort_unstable();
            let mut resampler = Resampler::new(SampleRate(rate)).unwrap();
            let mut out = Vec::new();
            for pair in cuts.windows(2) {
                resampler.push(&input[pair[0]..pair[1]], &mut out);
            }
            resampler.flush(&mut out);
            prop_assert_eq!(out, whole);
        }
    }
}
