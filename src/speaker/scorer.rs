//! How alike two voices are, as a score and as a probability; scores may be set against those of strangers.

use serde::{Deserialize, Serialize};

use super::{Calibration, Voiceprint, cosine};
use crate::{Error, Result};

/// Strangers whose scores count, the nearest of a cohort: Matějka et al. use 200 to 400.
const NEAREST: usize = 200;
/// Strangers that a cohort has at least; a deviation of fewer says little.
pub const LEAST_COHORT: usize = 20;
/// Deviations of the strangers' scores are taken to be at least this.
const LEAST_DEVIATION: f64 = 1e-3;

/// Voices of many strangers, none of whom is compared otherwise.
///
/// Adaptive symmetric score normalisation: Matějka et al., "Analysis of score normalization in multilingual speaker
/// recognition" (Interspeech 2017), equation 4 (AS-Norm1): a score less the mean of those of the nearest strangers, over
/// their deviation; the mean of that for either side.
#[derive(Debug, Clone, PartialEq)]
pub struct Cohort {
    vectors: Vec<Vec<f32>>,
}

impl Cohort {
    /// A cohort of vectors `[strangers][width]`.
    ///
    /// # Errors
    /// [`Error::Setting`] where they are fewer than [`LEAST_COHORT`].
    pub fn new(vectors: Vec<Vec<f32>>) -> Result<Self> {
        if vectors.len() < LEAST_COHORT {
            return Err(Error::Setting(format!(
                "a cohort of {} voices is too small; give {LEAST_COHORT} at least, of as many speakers",
                vectors.len()
            )));
        }
        Ok(Self { vectors })
    }

    /// Its vectors, `[strangers][width]`.
    pub fn vectors(&self) -> &[Vec<f32>] {
        &self.vectors
    }

    /// The cosine of `a` and `b`, set against those of the strangers that are nearest to each.
    pub fn normalised(&self, a: &Voiceprint, b: &Voiceprint) -> f32 {
        let score = f64::from(a.cosine(b));
        let against = |(mean, deviation): (f64, f64)| (score - mean) / deviation;
        (0.5 * (against(self.nearest(a)) + against(self.nearest(b)))) as f32
    }

    /// Mean and deviation of the scores of the strangers that are nearest to a voice: what many trials of one voice share.
    pub fn nearest(&self, voice: &Voiceprint) -> (f64, f64) {
        let mut scores: Vec<f32> =
            self.vectors.iter().map(|stranger| cosine(voice.vector(), stranger)).collect();
        scores.sort_by(|a, b| b.total_cmp(a));
        scores.truncate(NEAREST);
        let count = scores.len() as f64;
        let mean = scores.iter().map(|&score| f64::from(score)).sum::<f64>() / count;
        let variance = scores.iter().map(|&score| (f64::from(score) - mean).powi(2)).sum::<f64>() / count;
        (mean, variance.sqrt().max(LEAST_DEVIATION))
    }
}

/// The calibrations of a model.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Calibrations {
    /// Of cosines.
    pub cosine: Calibration,
    /// Of scores that were set against a cohort's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub normalised: Option<Calibration>,
}

impl Calibrations {
    /// Those of a model of the registry, by its name; measured as `docs/speakers.md` tells.
    pub fn of_model(name: &str) -> Option<Self> {
        Calibration::of_model(name)
            .map(|cosine| Self { cosine, normalised: Calibration::of_model_normalised(name) })
    }
}

/// Compares voices.
#[derive(Debug, Clone)]
pub struct Scorer {
    calibration: Calibration,
    cohort: Option<Cohort>,
}

/// How alike two voices are.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Likeness {
    /// The cosine of their vectors, -1 to 1.
    pub cosine: f32,
    /// The same set against the scores of strangers, where there is a cohort.
    pub normalised: Option<f32>,
    /// The logarithm of the likelihood ratio of one speaker to two.
    pub log_ratio: f64,
}

impl Likeness {
    /// The probability that both voices are one speaker's, where that is as likely as not before they are heard.
    pub fn probability(&self) -> f32 {
        (1.0 / (1.0 + (-self.log_ratio).exp())) as f32
    }
}

impl Scorer {
    /// Compares by the calibration that fits: that of normalised scores where there is a cohort.
    ///
    /// # Errors
    /// [`Error::Setting`] where there is a cohort and no calibration for its scores.
    pub fn new(calibrations: &Calibrations, cohort: Option<Cohort>) -> Result<Self> {
        let calibration = match cohort {
            None => calibrations.cosine,
            Some(_) => calibrations.normalised.ok_or_else(|| {
                Error::Setting(
                    "there is a cohort, and the calibration is of scores without one; calibrate with --cohort"
                        .into(),
                )
            })?,
        };
        Ok(Self { calibration, cohort })
    }

    /// How alike two voices are.
    pub fn compare(&self, a: &Voiceprint, b: &Voiceprint) -> Likeness {
        let cosine = a.cosine(b);
        let normalised = self.cohort.as_ref().map(|cohort| cohort.normalised(a, b));
        let seconds = a.seconds().min(b.seconds());
        let log_ratio = self.calibration.log_ratio(normalised.unwrap_or(cosine), seconds);
        Likeness { cosine, normalised, log_ratio }
    }
}

/// The probability of each candidate, by the logarithms of their likelihood ratios, where a voice is before it is heard as
/// likely to be none of them as any, and each of them as likely as another. What is left of 1 is that of none.
pub fn posteriors(log_ratios: &[f64]) -> Vec<f32> {
    let candidates = log_ratios.len() as f64;
    let largest = log_ratios.iter().copied().fold(0.0, f64::max);
    let weight = |log_ratio: f64| (log_ratio - largest).exp() / candidates;
    let whole = (-largest).exp() + log_ratios.iter().map(|&ratio| weight(ratio)).sum::<f64>();
    log_ratios.iter().map(|&ratio| (weight(ratio) / whole) as f32).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn voice(vector: &[f32]) -> Voiceprint {
        Voiceprint::new(vector.to_vec(), 5.0).unwrap()
    }

    /// Strangers in a circle: the cosines of one axis with them are known.
    fn circle(count: usize) -> Cohort {
        let angle = |i: usize| std::f32::consts::TAU * i as f32 / count as f32;
        Cohort::new((0..count).map(|i| vec![angle(i).cos(), angle(i).sin()]).collect()).unwrap()
    }

    #[test]
    fn a_score_is_set_against_those_of_strangers() {
        // All of the circle count: cosines of mean 0 and deviation sqrt(1/2), whatever the side.
        let found = circle(100).normalised(&voice(&[1.0, 0.0]), &voice(&[0.6, 0.8]));
        assert!((found - 0.6 * 2f32.sqrt()).abs() < 1e-5, "{found}");
        // Of many, the nearest count, whose cosines are near 1: the same score is far below theirs.
        assert!(circle(4_000).normalised(&voice(&[1.0, 0.0]), &voice(&[0.6, 0.8])) < -10.0);
        assert!(Cohort::new(vec![vec![1.0]; LEAST_COHORT - 1]).is_err());
    }

    #[test]
    fn one_candidate_is_a_verification_and_many_share_the_chance() {
        let likeness = Likeness { cosine: 0.8, normalised: None, log_ratio: 1.5 };
        assert!((posteriors(&[1.5])[0] - likeness.probability()).abs() < 1e-6);
        // Of ten thousand people, the likeliest needs more to be known.
        let mut many = vec![-20.0; 10_000];
        many[7] = 5.0;
        assert!(posteriors(&many)[7] < 0.05 && posteriors(&[5.0])[0] > 0.99);
        assert!(posteriors(&[800.0, -800.0])[0] > 0.99 && posteriors(&[]).is_empty());
    }

    proptest! {
        #[test]
        fn posteriors_are_probabilities(ratios in prop::collection::vec(-1e6f64..1e6, 1..50)) {
            let all = posteriors(&ratios);
            prop_assert!(all.iter().all(|p| (0.0..=1.0).contains(p)));
            prop_assert!(all.iter().sum::<f32>() <= 1.0 + 1e-4);
        }
    }
}
