//! How long things take: percentiles in fixed memory.

use std::time::Duration;

use hdrhistogram::Histogram;

use crate::event::Latency;

/// Collects durations; three digits are kept, up to an hour.
#[derive(Debug, Clone)]
pub struct Percentiles {
    name: String,
    budget: Duration,
    /// Microseconds. None only where the library refuses its fixed bounds, which it does not.
    histogram: Option<Histogram<u64>>,
}

impl Percentiles {
    /// A collection called `name`, of which 95 in 100 should stay within `budget`.
    pub fn new(name: impl Into<String>, budget: Duration) -> Self {
        const HOUR: u64 = 3_600_000_000;
        Self { name: name.into(), budget, histogram: Histogram::new_with_bounds(1, HOUR, 3).ok() }
    }

    /// Adds one.
    pub fn add(&mut self, duration: Duration) {
        if let Some(histogram) = &mut self.histogram {
            histogram.saturating_record(duration.as_micros() as u64);
        }
    }

    /// The duration that `share` of all are at most; zero where there are none.
    pub fn quantile(&self, share: f64) -> Duration {
        let micros = self.histogram.as_ref().map_or(0, |histogram| histogram.value_at_quantile(share));
        Duration::from_micros(micros)
    }

    /// As an event has it.
    pub fn report(&self) -> Latency {
        let seconds = |share: f64| self.quantile(share).as_secs_f64();
        Latency {
            name: self.name.clone(),
            budget: self.budget.as_secs_f64(),
            count: self.histogram.as_ref().map_or(0, Histogram::len),
            p50: seconds(0.5),
            p95: seconds(0.95),
            p99: seconds(0.99),
            max: seconds(1.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_those_of_what_was_added() {
        let mut percentiles = Percentiles::new("test", Duration::from_millis(700));
        for ms in 1..=1000 {
            percentiles.add(Duration::from_millis(ms));
        }
        let report = percentiles.report();
        assert_eq!(report.count, 1000);
        for (found, expected) in
            [(report.p50, 0.5), (report.p95, 0.95), (report.p99, 0.99), (report.max, 1.0)]
        {
            assert!((found - expected).abs() < 0.002, "{found} is not {expected}");
        }
        percentiles.add(Duration::from_secs(1_000_000));
        assert_eq!(percentiles.report().count, 1001);
    }
}
