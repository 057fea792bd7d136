//! Times as they are written.

use std::fmt;

use crate::time::SampleIndex;

/// Samples of the pipeline's rate in a millisecond.
const SAMPLES_PER_MILLISECOND: u64 = 16;

/// The millisecond nearest to `index`.
pub fn milliseconds(index: SampleIndex) -> u64 {
    (index.0 + SAMPLES_PER_MILLISECOND / 2) / SAMPLES_PER_MILLISECOND
}

/// Seconds, rounded to the millisecond so that they are short in decimal.
pub fn seconds(index: SampleIndex) -> f64 {
    milliseconds(index) as f64 / 1000.0
}

/// Milliseconds as `hh:mm:ss` and three decimals; hours grow past two digits.
pub struct Timestamp {
    /// Since the start.
    pub milliseconds: u64,
    /// What stands before the decimals: a comma in SRT, a point in WebVTT.
    pub decimal_mark: char,
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (all_seconds, rest) = (self.milliseconds / 1000, self.milliseconds % 1000);
        let (hours, minutes, seconds) = (all_seconds / 3600, all_seconds / 60 % 60, all_seconds % 60);
        write!(f, "{hours:02}:{minutes:02}:{seconds:02}{}{rest:03}", self.decimal_mark)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::SampleRate;
    use proptest::prelude::*;

    #[test]
    fn a_millisecond_has_the_samples_that_the_rate_says() {
        assert_eq!(SAMPLES_PER_MILLISECOND * 1000, u64::from(SampleRate::PIPELINE.0));
    }

    #[test]
    fn times_are_written_as_in_the_formats() {
        let written = |milliseconds, decimal_mark| Timestamp { milliseconds, decimal_mark }.to_string();
        assert_eq!(written(0, ','), "00:00:00,000");
        assert_eq!(written(3_723_004, '.'), "01:02:03.004");
        assert_eq!(written(360_000_000, ','), "100:00:00,000");
    }

    proptest! {
        #[test]
        fn a_written_time_reads_back_as_the_nearest_millisecond(samples in 0u64..1 << 44) {
            let milliseconds = milliseconds(SampleIndex(samples));
            let text = Timestamp { milliseconds, decimal_mark: '.' }.to_string();
            let fields: Vec<u64> = text.split([':', '.']).map(|field| field.parse().unwrap()).collect();
            prop_assert!(fields[1] < 60 && fields[2] < 60 && fields[3] < 1000);
            prop_assert_eq!(((fields[0] * 60 + fields[1]) * 60 + fields[2]) * 1000 + fields[3], milliseconds);
            prop_assert!((milliseconds * SAMPLES_PER_MILLISECOND).abs_diff(samples) <= SAMPLES_PER_MILLISECOND / 2);
        }

        #[test]
        fn written_times_keep_their_order(a in 0u64..1 << 40, b in 0u64..1 << 40) {
            let (early, late) = (SampleIndex(a.min(b)), SampleIndex(a.max(b)));
            prop_assert!(milliseconds(early) <= milliseconds(late));
            prop_assert!(seconds(early) <= seconds(late));
        }
    }
}
