//! How long to wait after a failure.

use std::time::Duration;

/// A wait that doubles with each failure in a row.
#[derive(Debug)]
pub struct Backoff {
    first: Duration,
    longest: Duration,
    failures: u32,
}

impl Backoff {
    /// Starts at `first` and grows to `longest`.
    pub fn new(first: Duration, longest: Duration) -> Self {
        Self { first, longest, failures: 0 }
    }

    /// The wait after another failure. `jitter`, 0 to 1, takes away up to half of it, so that senders that failed
    /// together do not come back together.
    pub fn next(&mut self, jitter: f64) -> Duration {
        let doubled = self.first.saturating_mul(1 << self.failures.min(20));
        self.failures += 1;
        doubled.min(self.longest).mul_f64(1.0 - jitter.clamp(0.0, 1.0) / 2.0)
    }

    /// Something succeeded.
    pub fn reset(&mut self) {
        self.failures = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_longest() {
        let mut backoff = Backoff::new(Duration::from_millis(500), Duration::from_secs(60));
        let waits: Vec<f64> = (0..9).map(|_| backoff.next(0.0).as_secs_f64()).collect();
        assert_eq!(waits, [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0]);
        for _ in 0..100 {
            assert_eq!(backoff.next(1.0), Duration::from_secs(30));
        }
        backoff.reset();
        assert_eq!(backoff.next(0.5), Duration::from_millis(375));
    }
}
