//! The best token of each frame.

use super::spelling::{Spelled, SpelledToken};
use super::{LogProbabilities, Vocabulary};

/// The text of the best token of each frame.
pub fn greedy(probabilities: &LogProbabilities, vocabulary: &Vocabulary) -> Spelled {
    let mut tokens: Vec<SpelledToken> = Vec::new();
    let (mut before, mut score) = (vocabulary.blank(), 0.0);
    for frame in 0..probabilities.frames() {
        let (token, log_probability) = probabilities.best(frame);
        score += log_probability;
        match tokens.last_mut() {
            Some(last) if token == before && vocabulary.is_text(token) => {
                let length = last.frames.len() as f32;
                last.probability = (last.probability * length + log_probability.exp()) / (length + 1.0);
                last.frames.end = frame + 1;
            }
            _ if vocabulary.is_text(token) => {
                tokens.push(SpelledToken {
                    token,
                    frames: frame..frame + 1,
                    probability: log_probability.exp(),
                });
            }
            _ => {}
        }
        before = token;
    }
    Spelled::new(tokens, vocabulary, score)
}

#[cfg(test)]
mod tests {
    use super::super::tests::{likely, vocabulary};
    use super::*;

    #[test]
    fn runs_are_one_token_and_blanks_part_them() {
        let spelled = greedy(&likely("__aab_b|_cc_"), &vocabulary());
        assert_eq!(spelled.text, "abb c");
        let frames: Vec<_> = spelled.tokens.iter().map(|token| token.frames.clone()).collect();
        assert_eq!(frames, [2..4, 4..5, 6..7, 9..11]);
        assert_eq!((spelled.words[0].frames.clone(), spelled.words[1].frames.clone()), (2..7, 9..11));
        assert!(spelled.words.iter().all(|word| (0.89..0.91).contains(&word.probability)));
    }

    #[test]
    fn blanks_alone_are_no_text() {
        assert_eq!(greedy(&likely("____"), &vocabulary()).text, "");
        assert_eq!(greedy(&likely("_||_"), &vocabulary()).text, "");
        assert_eq!(greedy(&likely(""), &vocabulary()).text, "");
    }
}
