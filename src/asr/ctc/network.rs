//! A network with a CTC head, whatever computes it.

use candle_core::Tensor;

use super::{LogProbabilities, Vocabulary};
use crate::Result;
use crate::models::export::Export;
use crate::models::onnx::{OnnxModel, OutputKind};
use crate::models::wav2vec2::{Config, Wav2Vec2ForCtc};

/// A network with a CTC head.
pub(super) enum CtcNetwork {
    /// Computed here.
    Native(Box<Wav2Vec2ForCtc>),
    /// An export.
    Export(Box<Export>),
}

impl CtcNetwork {
    /// An export, which must have logits for the tokens of `vocabulary`.
    pub fn of_export(model: OnnxModel, config: Config, vocabulary: &Vocabulary) -> Result<Self> {
        let export = Export::new(model, config, OutputKind::Frames)?;
        let (width, tokens) = (export.width(), vocabulary.len());
        // Where there are added tokens, `vocab.json` has fewer than there are logits.
        if width != tokens && width != export.config.vocab_size {
            return Err(export.fault(format!(
                "gives rows of {width} for a vocabulary of {tokens} tokens: it is no export with the CTC head of this \
                 vocabulary"
            )));
        }
        Ok(Self::Export(Box::new(export)))
    }

    /// How sound becomes frames.
    pub fn config(&self) -> &Config {
        match self {
            Self::Native(network) => &network.encoder.config,
            Self::Export(export) => &export.config,
        }
    }

    /// Number of tokens that it gives logits of.
    pub fn tokens(&self) -> usize {
        match self {
            Self::Native(network) => network.tokens(),
            Self::Export(export) => export.width(),
        }
    }

    /// Log-probabilities of each of `sounds`, which are as the network wants them.
    pub fn listen(&self, sounds: &[&[f32]]) -> Result<Vec<LogProbabilities>> {
        match self {
            Self::Native(network) => network
                .logits(sounds)?
                .iter()
                .map(|logits| Ok(LogProbabilities::new(values(logits)?, self.tokens())))
                .collect(),
            Self::Export(export) => sounds
                .iter()
                .map(|sound| Ok(LogProbabilities::new(export.run(sound)?.values, self.tokens())))
                .collect(),
        }
    }
}

/// The numbers of a tensor, row by row.
pub(super) fn values(tensor: &Tensor) -> Result<Vec<f32>> {
    Ok(tensor.flatten_all()?.to_vec1()?)
}
