//! The sample clock: the only clock of the pipeline.

use std::fmt;
use std::ops::{Add, Sub};

/// Samples per second and channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SampleRate(pub u32);

impl SampleRate {
    /// The rate that every stage after resampling works at: 16 kHz.
    pub const PIPELINE: Self = Self(16_000);
}

impl fmt::Display for SampleRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} Hz", self.0)
    }
}

/// A point in a stream: the number of 16 kHz samples since its start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct SampleIndex(pub u64);

impl SampleIndex {
    /// The point nearest to `seconds`; negative or NaN counts as the start.
    pub fn from_seconds(seconds: f64) -> Self {
        Self((seconds.max(0.0) * f64::from(SampleRate::PIPELINE.0)).round() as u64)
    }

    /// Seconds since the stream's start.
    pub fn seconds(self) -> f64 {
        self.0 as f64 / f64::from(SampleRate::PIPELINE.0)
    }
}

impl Add<u64> for SampleIndex {
    type Output = Self;
    fn add(self, samples: u64) -> Self {
        Self(self.0 + samples)
    }
}

impl Sub for SampleIndex {
    type Output = u64;
    /// Samples from `earlier` to `self`; zero where `earlier` is the later one.
    fn sub(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// A half-open stretch of a stream, `start..end`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Span {
    /// First sample inside.
    pub start: SampleIndex,
    /// First sample after.
    pub end: SampleIndex,
}

impl Span {
    /// The span from `start` to `end`; empty where `end` is before `start`.
    pub fn new(start: SampleIndex, end: SampleIndex) -> Self {
        Self { start, end: end.max(start) }
    }

    /// Length in samples.
    #[allow(clippy::len_without_is_empty)]
    pub fn len(self) -> u64 {
        self.end - self.start
    }

    /// Length in seconds.
    pub fn seconds(self) -> f64 {
        SampleIndex(self.len()).seconds()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_round_trip_to_the_sample() {
        for samples in [0, 1, 159, 16_000, 16_000 * 3600 * 24 + 7] {
            let index = SampleIndex(samples);
            assert_eq!(SampleIndex::from_seconds(index.seconds()), index);
        }
    }

    #[test]
    fn spans_never_have_negative_length() {
        let span = Span::new(SampleIndex(10), SampleIndex(4));
        assert_eq!(span.len(), 0);
        assert_eq!(SampleIndex::from_seconds(f64::NAN), SampleIndex(0));
    }
}
