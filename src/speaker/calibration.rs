//! From a cosine to a probability.
//!
//! The logarithm of the likelihood ratio of one speaker to two is taken to be linear in the cosine and in the logarithm of
//! the shorter of both sounds: the less speech there is, the more a cosine falls short of what it would be. Brümmer and du
//! Preez, "Application-independent evaluation of speaker detection" (2006); the measure of quality is that of Mandasari et
//! al., "Quality measure functions for calibration of speaker recognition systems" (2013).

use serde::{Deserialize, Serialize};

use crate::learn::{ClassWeights, Dataset, Example, Logistic, LogisticOptions};
use crate::{Error, Result};

/// Seconds beyond which more speech changes scores no more, and below which nobody was asked.
const SECONDS: (f64, f64) = (LEAST, 10.0);
const LEAST: f64 = super::LEAST_SPEECH;

/// Two voices, and whether they are one speaker's.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Trial {
    /// How alike the voices are.
    pub score: f32,
    /// Seconds of speech of the shorter sound.
    pub seconds: f64,
    /// Whether they are of one speaker.
    pub is_same: bool,
}

/// What makes probabilities of scores.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Calibration {
    /// What the score is multiplied by.
    pub scale: f64,
    /// What the logarithm of the seconds is multiplied by.
    pub length: f64,
    /// What is added.
    pub offset: f64,
}

impl Calibration {
    /// That of the cosines of a model of the registry, by its name; fitted as `docs/speakers.md` tells.
    pub fn of_model(name: &str) -> Option<Self> {
        match name {
            "ge2e" | "resemblyzer" => Some(Self { scale: 67.984, length: -2.992, offset: -47.207 }),
            _ => None,
        }
    }

    /// That of a model's scores that are set against those of strangers, fitted in the same way.
    pub fn of_model_normalised(name: &str) -> Option<Self> {
        match name {
            "ge2e" | "resemblyzer" => Some(Self { scale: 3.384, length: -0.448, offset: -12.341 }),
            _ => None,
        }
    }

    /// The one that makes `trials` likeliest, where trials of one speaker and of two count the same in sum.
    ///
    /// # Errors
    /// [`Error::Setting`] where there are no trials of one kind, or a score is not finite.
    pub fn fit(trials: &[Trial]) -> Result<Self> {
        if trials.is_empty() {
            return Err(Error::Setting("there are no trials to calibrate by".into()));
        }
        let features = trials.iter().flat_map(|trial| [trial.score, length_of(trial.seconds) as f32]);
        let example = |trial: &Trial| Example {
            label: usize::from(trial.is_same),
            group: String::new(),
            corpus: String::new(),
            language: String::new(),
        };
        let examples = trials.iter().map(example).collect();
        let dataset = Dataset::new(features.collect(), 2, 2, examples)?;
        // Hardly a penalty: three numbers of many trials.
        let options =
            LogisticOptions { c: 1e6, class_weights: ClassWeights::Balanced, ..LogisticOptions::default() };
        let fitted = Logistic::fit(&dataset, &options)?;
        match (fitted.weights(), fitted.intercepts()) {
            (&[scale, length], &[offset]) => Ok(Self { scale, length, offset }),
            _ => Err(Error::Setting("calibration needs trials of one speaker and of two".into())),
        }
    }

    /// The logarithm of the likelihood ratio of a trial with this score, whose shorter sound has so many seconds of speech.
    pub fn log_ratio(&self, score: f32, seconds: f64) -> f64 {
        self.scale * f64::from(score) + self.length * length_of(seconds) + self.offset
    }

    /// The probability that both are one speaker, where that is as likely as not before they are heard.
    pub fn probability(&self, score: f32, seconds: f64) -> f32 {
        (1.0 / (1.0 + (-self.log_ratio(score, seconds)).exp())) as f32
    }
}

fn length_of(seconds: f64) -> f64 {
    seconds.clamp(SECONDS.0, SECONDS.1).ln()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Trials whose log-odds are those of `truth`.
    fn drawn(truth: &Calibration, count: usize) -> Vec<Trial> {
        let mut random = fastrand::Rng::with_seed(7);
        let trial = |_| {
            let (score, seconds) = (random.f32(), 0.5 + 9.5 * random.f64());
            Trial { score, seconds, is_same: random.f32() < truth.probability(score, seconds) }
        };
        (0..count).map(trial).collect()
    }

    #[test]
    fn a_fit_finds_what_trials_were_drawn_by() {
        let truth = Calibration { scale: 12.0, length: -1.0, offset: -5.0 };
        let trials = drawn(&truth, 40_000);
        let fitted = Calibration::fit(&trials).unwrap();
        let same = trials.iter().filter(|trial| trial.is_same).count() as f64;
        // Both kinds are made to count the same in sum.
        let prior = (same / (trials.len() as f64 - same)).ln();
        assert!((fitted.scale - truth.scale).abs() < 0.5, "{fitted:?}");
        assert!((fitted.length - truth.length).abs() < 0.15, "{fitted:?}");
        assert!((fitted.offset - (truth.offset - prior)).abs() < 0.4, "{fitted:?} {prior}");
    }

    #[test]
    fn trials_of_one_kind_are_refused() {
        let same = Trial { score: 0.5, seconds: 2.0, is_same: true };
        for trials in [vec![], vec![same; 4], vec![Trial { score: f32::NAN, ..same }, same]] {
            assert!(Calibration::fit(&trials).is_err());
        }
    }

    #[test]
    fn speech_beyond_ten_seconds_and_below_half_a_second_changes_nothing() {
        let calibration = Calibration { scale: 10.0, length: -1.0, offset: -5.0 };
        assert_eq!(calibration.probability(0.7, 10.0), calibration.probability(0.7, 1e9));
        assert_eq!(calibration.probability(0.7, 0.5), calibration.probability(0.7, 0.0));
        assert!(calibration.probability(0.7, 1.0) > calibration.probability(0.7, 5.0));
    }
}
