//! How fast a device's clock runs against the system's.

use std::time::Duration;

use super::ring::Clock;
use crate::time::SampleRate;

/// The start of a stream, which comes in bursts, is left out.
const WARM_UP: Duration = Duration::from_secs(1);
/// The shortest time that a rate is told for.
const SHORTEST: f64 = 10.0;
/// Times that are kept; once there are more, pairs of them become one.
const MOST_BINS: usize = 256;
/// Seconds of the first bins.
const FIRST_WIDTH: f64 = 0.25;

/// Fits a line to the times of callbacks.
///
/// A callback is late by some milliseconds, sometimes many, but never early. So of each stretch of time only the
/// promptest counts, and the line through those is the median of the slopes between all pairs (Theil and Sen), which a
/// third of them cannot mislead.
#[derive(Debug)]
pub(super) struct Drift {
    rate: SampleRate,
    first: Option<Clock>,
    width: f64,
    bins: Vec<Bin>,
}

/// The promptest callback of a stretch.
#[derive(Debug, Clone, Copy)]
struct Bin {
    number: u64,
    /// Seconds since the first callback.
    time: f64,
    /// Seconds by which the callback came later than its frames say.
    lateness: f64,
}

impl Drift {
    /// For a device that says it runs at `rate`.
    pub fn new(rate: SampleRate) -> Self {
        Self { rate, first: None, width: FIRST_WIDTH, bins: Vec::new() }
    }

    /// Takes the time of a callback.
    pub fn add(&mut self, clock: Clock) {
        let first = *self.first.get_or_insert(clock);
        let passed = clock.at.saturating_duration_since(first.at);
        if passed < WARM_UP {
            return;
        }
        let time = passed.as_secs_f64();
        let lateness = time - (clock.position - first.position) as f64 / f64::from(self.rate.0);
        let number = (time / self.width) as u64;
        let bin = Bin { number, time, lateness };
        match self.bins.last_mut() {
            Some(last) if last.number == number => *last = prompter(*last, bin),
            _ => self.bins.push(bin),
        }
        if self.bins.len() > MOST_BINS {
            self.halve();
        }
    }

    /// By how many parts per million the device is faster than it says; none until that is known.
    pub fn ppm(&self) -> Option<f64> {
        let (first, last) = (self.bins.first()?, self.bins.last()?);
        if last.time - first.time < SHORTEST {
            return None;
        }
        let pairs = self.bins.iter().enumerate().flat_map(|(n, a)| {
            self.bins[n + 1..].iter().map(|b| (b.lateness - a.lateness) / (b.time - a.time))
        });
        let mut slopes: Vec<f64> = pairs.filter(|slope| slope.is_finite()).collect();
        if slopes.is_empty() {
            return None;
        }
        let middle = slopes.len() / 2;
        let (_, &mut slope, _) = slopes.select_nth_unstable_by(middle, f64::total_cmp);
        // Seconds of the device in a second of the system.
        Some(-slope * 1e6)
    }

    /// Makes one of each two bins.
    fn halve(&mut self) {
        self.width *= 2.0;
        let mut halved: Vec<Bin> = Vec::with_capacity(MOST_BINS);
        for bin in self.bins.drain(..) {
            let bin = Bin { number: bin.number / 2, ..bin };
            match halved.last_mut() {
                Some(last) if last.number == bin.number => *last = prompter(*last, bin),
                _ => halved.push(bin),
            }
        }
        self.bins = halved;
    }
}

fn prompter(a: Bin, b: Bin) -> Bin {
    if b.lateness < a.lateness { b } else { a }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    /// Callbacks of 10 ms from a device that is `ppm` fast, each late by a few milliseconds, some by many.
    fn measured(ppm: f64, seconds: u64) -> Option<f64> {
        let rate = SampleRate(48_000);
        let (mut drift, start) = (Drift::new(rate), Instant::now());
        let mut random = fastrand::Rng::with_seed(7);
        for n in 1..=seconds * 100 {
            let position = n * 480;
            let captured = position as f64 / (48_000.0 * (1.0 + ppm * 1e-6));
            let stalled = if random.u32(0..50) == 0 { 0.08 * random.f64() } else { 0.0 };
            let late = 0.004 * random.f64() + stalled;
            drift.add(Clock { position, at: start + Duration::from_secs_f64(captured + late) });
        }
        drift.ppm()
    }

    #[test]
    fn the_rate_is_found_under_jitter() {
        for ppm in [-250.0, -20.0, 0.0, 35.0, 500.0] {
            let found = measured(ppm, 120).unwrap();
            assert!((found - ppm).abs() < 5.0, "{ppm}: {found:.1}");
        }
    }

    #[test]
    fn an_hour_is_found_to_a_part_in_a_million() {
        let found = measured(42.0, 3600).unwrap();
        assert!((found - 42.0).abs() < 0.5, "{found:.2}");
    }

    #[test]
    fn a_short_time_tells_nothing() {
        assert_eq!(measured(100.0, 8), None);
    }
}
