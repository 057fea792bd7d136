//! Which language a chunk is in.

use super::tokenizer::Tokenizer;
use crate::{Error, Result};

/// Seconds of speech that the belief in "any language" weighs as much as.
const OPEN_MIND: f64 = 1.0;

/// Finds the language of each chunk from the network's probabilities and from what was heard before.
///
/// Short or noisy chunks are often taken for another language, so the probabilities of a chunk are weighed
/// by the share of each language in the speech so far: a clear change of language still passes at once, a
/// doubtful one does not.
#[derive(Debug, Clone)]
pub struct LanguageTracker {
    /// Indices into the tokenizer's languages.
    allowed: Vec<usize>,
    /// Seconds heard of each allowed language.
    seconds: Vec<f64>,
}

impl LanguageTracker {
    /// A tracker of `codes`, or of all languages where there are none.
    pub fn new(tokenizer: &Tokenizer, codes: &[String]) -> Result<Self> {
        let languages = tokenizer.languages();
        let index = |code: &String| {
            languages.iter().position(|language| language == code).ok_or_else(|| unknown(code, tokenizer))
        };
        let allowed: Vec<usize> = match codes {
            [] => (0..languages.len()).collect(),
            codes => codes.iter().map(index).collect::<Result<_>>()?,
        };
        Ok(Self { seconds: vec![0.0; allowed.len()], allowed })
    }

    /// Forgets what was heard.
    pub fn forget(&mut self) {
        self.seconds.fill(0.0);
    }

    /// The language of a chunk of `seconds`, as an index into the tokenizer's languages.
    ///
    /// `logits` are those of the language tokens, in their order.
    pub fn decide(&mut self, logits: &[f32], seconds: f64) -> usize {
        let total: f64 = self.seconds.iter().sum();
        let count = self.allowed.len() as f64;
        let belief = |i: usize| ((self.seconds[i] + OPEN_MIND / count) / (total + OPEN_MIND)).ln();
        let score = |i: usize| f64::from(logits[self.allowed[i]]) + belief(i);
        let best = (0..self.allowed.len()).max_by(|&a, &b| score(a).total_cmp(&score(b))).unwrap_or(0);
        self.seconds[best] += seconds;
        self.allowed[best]
    }
}

/// The error for a language code that the model does not know.
pub(super) fn unknown(code: &str, tokenizer: &Tokenizer) -> Error {
    let known = tokenizer.languages();
    match tokenizer.is_multilingual() {
        true => Error::Setting(format!("unknown language {code}; the model knows {}", known.join(", "))),
        false => {
            Error::Setting(format!("language {code} needs a multilingual model; this one knows English only"))
        }
    }
}
