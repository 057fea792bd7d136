//! From parts to one score.
//!
//! The sound and the text speak for abuse or against it: their log-odds are averaged by weight. Terms of word lists and anger
//! speak for it alone: each takes away a part of what is left to 1, `1 - (1 - score) · Π (1 - part)^weight` (a noisy or,
//! Pearl 1988), so that a list without a hit and a calm voice prove nothing. A part that is absent counts in no way.

use super::policy::Policy;
use crate::event::Parts;

/// Probabilities are kept so far from 0 and 1, where log-odds end.
const EDGE: f64 = 1e-4;

/// The probability of abuse by all parts that are there; none where there is no part.
pub fn fuse(parts: &Parts, policy: &Policy) -> Option<f32> {
    let weights = &policy.weights;
    let both = [(parts.audio, weights.audio), (parts.text, weights.text)];
    let raising = [(parts.lexicon, weights.lexicon), (parts.anger, weights.anger)];
    if both.iter().chain(&raising).all(|(part, _)| part.is_none()) {
        return None;
    }
    let there = |parts: [(Option<f32>, f32); 2]| {
        parts.into_iter().filter_map(|(part, weight)| Some((f64::from(part?), f64::from(weight))))
    };
    let total: f64 = there(both).map(|(_, weight)| weight).sum();
    let sum: f64 = there(both).map(|(part, weight)| weight * log_odds(part)).sum();
    let judged = if total > 0.0 { probability(sum / total) } else { 0.0 };
    let left: f64 = there(raising).map(|(part, weight)| (1.0 - part.clamp(0.0, 1.0)).powf(weight)).product();
    let score = 1.0 - (1.0 - judged) * left;
    let (scale, bias) = policy.calibration;
    if (scale, bias) == (1.0, 0.0) {
        return Some(score as f32);
    }
    Some(probability(f64::from(scale) * log_odds(score) + f64::from(bias)) as f32)
}

fn log_odds(probability: f64) -> f64 {
    let probability = probability.clamp(EDGE, 1.0 - EDGE);
    (probability / (1.0 - probability)).ln()
}

fn probability(log_odds: f64) -> f64 {
    1.0 / (1.0 + (-log_odds).exp())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn score(audio: Option<f32>, text: Option<f32>, lexicon: Option<f32>, anger: Option<f32>) -> Option<f32> {
        fuse(&Parts { audio, text, lexicon, anger }, &Policy::default())
    }

    #[test]
    fn one_part_is_its_own_score_and_none_is_no_score() {
        assert_eq!(score(None, None, None, None), None);
        for part in [0.1, 0.5, 0.9] {
            for found in [
                score(Some(part), None, None, None),
                score(None, Some(part), None, None),
                score(None, None, Some(part), None),
            ] {
                assert!((found.unwrap() - part).abs() < 1e-6);
            }
        }
        assert_eq!(score(None, None, Some(0.0), None), Some(0.0));
    }

    #[test]
    fn text_takes_back_what_the_sound_says_and_a_silent_list_does_not() {
        assert!(score(Some(0.8), Some(0.1), None, None).unwrap() < 0.5);
        assert!((score(Some(0.8), None, Some(0.0), None).unwrap() - 0.8).abs() < 1e-6);
        assert!(score(None, None, None, Some(0.9)).unwrap() < 0.4, "anger alone is no abuse");
    }

    fn part() -> impl Strategy<Value = Option<f32>> {
        proptest::option::of(0.0f32..=1.0)
    }

    proptest! {
        #[test]
        fn a_score_is_a_probability_and_grows_with_each_part(
            parts in (part(), part(), part(), part()), more in 0.0f32..=1.0, which in 0usize..4,
        ) {
            let parts = [parts.0, parts.1, parts.2, parts.3];
            let of = |parts: [Option<f32>; 4]| score(parts[0], parts[1], parts[2], parts[3]);
            if let Some(score) = of(parts) {
                prop_assert!((0.0..=1.0).contains(&score));
                if let Some(part) = parts[which] {
                    let mut raised = parts;
                    raised[which] = Some(part + (1.0 - part) * more);
                    prop_assert!(of(raised).unwrap() >= score - 1e-6);
                }
            }
        }
    }
}
