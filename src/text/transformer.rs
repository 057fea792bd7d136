//! Classifiers of texts that are transformers: XLM-R and its kin, as Hugging Face transformers keeps them.
//!
//! A text that is longer than the network can read is read in windows, each of which overlaps the one before by a quarter;
//! each label has the highest of its probabilities, so that abuse in a part is abuse. Which words speak for a label is not
//! told: a transformer does not say, and asking it once for each word left out would take as many times as long.

use std::fmt;

use tokenizers::Tokenizer;

use super::classifier::{Evidence, sigmoid};
use super::head::{Judged, TextHead};
use super::normalise::NormalText;
use crate::compute::{Precision, Threads};
use crate::learn::labels;
use crate::models::roberta::{Config, SequenceClassifier};
use crate::weights::ModelFiles;
use crate::{Error, Result};

/// A probability from which a text is abusive: nothing better is known of it.
const THRESHOLD: f32 = 0.5;

/// A network that sorts texts into classes, with its tokenizer.
pub struct TransformerClassifier {
    name: String,
    network: SequenceClassifier,
    tokenizer: Tokenizer,
    labels: Vec<String>,
    /// The label that means abuse.
    abuse: Option<usize>,
    threads: Threads,
}

impl fmt::Debug for TransformerClassifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TransformerClassifier")
            .field("name", &self.name)
            .field("labels", &self.labels)
            .finish()
    }
}

impl TransformerClassifier {
    /// Loads a model of Hugging Face transformers, which computes in f32 on `threads`.
    ///
    /// # Errors
    /// [`Error::Model`] where a file is missing, or tells of another network; those of the weights.
    pub fn load(files: &ModelFiles, threads: Threads) -> Result<Self> {
        let fault = |reason: String| Error::model(&files.name, reason);
        let Some(config) = &files.config else {
            return Err(fault("there is no config.json; a classifier of texts needs one".into()));
        };
        let config = Config::read(config)?;
        let Some(path) = &files.tokenizer else {
            return Err(fault(
                "there is no tokenizer.json; AutoTokenizer.from_pretrained(...).save_pretrained(...) makes one".into(),
            ));
        };
        let unreadable = |error: tokenizers::Error| Error::model(path.display().to_string(), error);
        let mut tokenizer = Tokenizer::from_file(path).map_err(unreadable)?;
        tokenizer.with_padding(None);
        tokenizer.with_truncation(None).map_err(unreadable)?;
        let names = config.label_names();
        let network =
            threads.run(|| SequenceClassifier::load(&files.checkpoint()?, config, Precision::F32))?;
        Ok(Self {
            name: files.name.clone(),
            network,
            tokenizer,
            abuse: labels::abusive(&names).ok(),
            labels: names,
            threads,
        })
    }

    /// The probability of each label, in their order.
    ///
    /// # Errors
    /// [`Error::Model`] where the tokenizer has tokens that the network has not.
    pub fn probabilities(&self, text: &str) -> Result<Vec<f32>> {
        let fault = |reason: String| Error::model(&self.name, reason);
        let encoded = self.tokenizer.encode(text, true).map_err(|error| fault(error.to_string()))?;
        let (tokens, known) = (encoded.get_ids(), self.network.config().vocab_size);
        if tokens.is_empty() {
            return Err(fault("its tokenizer puts nothing around a text".into()));
        }
        if let Some(token) = tokens.iter().find(|&&token| token as usize >= known) {
            return Err(fault(format!("its tokenizer has the token {token}, and the network knows {known}")));
        }
        let mut highest = vec![0.0f32; self.labels.len()];
        for window in windows(tokens, encoded.get_special_tokens_mask(), self.network.config().longest()) {
            let logits = self.threads.run(|| self.network.logits(&window));
            for (highest, probability) in highest.iter_mut().zip(self.normalise(&logits)) {
                *highest = highest.max(probability);
            }
        }
        Ok(highest)
    }

    fn normalise(&self, logits: &[f32]) -> Vec<f32> {
        if self.network.config().is_multi_label() {
            return logits.iter().map(|&logit| sigmoid(logit)).collect();
        }
        let most = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let powers: Vec<f32> = logits.iter().map(|logit| (logit - most).exp()).collect();
        let sum: f32 = powers.iter().sum();
        powers.into_iter().map(|power| power / sum).collect()
    }
}

/// A text's tokens in windows of at most `longest`, a quarter of which each shares with the one before; those that `is_special`
/// (1) at both ends are around each.
fn windows(tokens: &[u32], is_special: &[u32], longest: usize) -> Vec<Vec<u32>> {
    let before = is_special.iter().take_while(|&&special| special == 1).count();
    let after = is_special[before..].iter().rev().take_while(|&&special| special == 1).count();
    let (before, rest) = tokens.split_at(before);
    let (inner, after) = rest.split_at(rest.len() - after);
    let size = longest.saturating_sub(before.len() + after.len()).max(1);
    let step = size.saturating_sub(longest / 4).max(1);
    let mut found = Vec::new();
    for start in (0..inner.len().max(1)).step_by(step) {
        let end = (start + size).min(inner.len());
        found.push([before, &inner[start..end], after].concat());
        if end == inner.len() {
            break;
        }
    }
    found
}

impl TextHead for TransformerClassifier {
    fn knows_abuse(&self) -> bool {
        self.abuse.is_some()
    }

    fn judge(&self, text: &str, _: &NormalText) -> Result<Judged> {
        let probabilities = self.probabilities(text)?;
        Ok(Judged {
            abuse: self.abuse.map(|index| probabilities[index]),
            labels: self.labels.iter().cloned().zip(probabilities).collect(),
        })
    }

    fn is_abusive(&self, probability: f32) -> bool {
        probability >= THRESHOLD
    }

    fn explain(&self, _: &NormalText, _: usize) -> Option<Vec<Evidence>> {
        None
    }
}
