//! Networks of the wav2vec 2.0 family that say what a whole sound is.

use super::{LanguageIdentifier, LikelyLanguage, ranked};
use crate::asr::chunk::MAX_CHUNK;
use crate::compute::{Threads, log_softmax};
use crate::models::backend::Backend;
use crate::models::export::Export;
use crate::models::onnx::OutputKind;
use crate::models::wav2vec2::{Config, Standardise, Wav2Vec2ForSequenceClassification};
use crate::weights::ModelFiles;
use crate::{Error, Result};

/// A network with a head for classes, and what they are called.
pub struct Classifier {
    network: Network,
    labels: Vec<String>,
    standardise: Standardise,
    threads: Threads,
}

/// A network with a head for classes, whatever computes it.
enum Network {
    Native(Box<Wav2Vec2ForSequenceClassification>),
    Export(Box<Export>),
}

impl Network {
    fn config(&self) -> &Config {
        match self {
            Self::Native(network) => &network.encoder.config,
            Self::Export(export) => &export.config,
        }
    }

    fn classes(&self) -> usize {
        match self {
            Self::Native(network) => network.classes(),
            Self::Export(export) => export.width(),
        }
    }

    fn logits(&self, samples: &[f32]) -> Result<Vec<f32>> {
        match self {
            Self::Native(network) => network.logits(samples),
            Self::Export(export) => export.run(samples).map(|output| output.values),
        }
    }
}

impl Classifier {
    /// Loads a model's files, to be computed by `backend`.
    ///
    /// # Errors
    /// One that names the file that is missing or wrong, or says that the network has no classes.
    pub fn load(files: &ModelFiles, threads: Threads, backend: impl Into<Backend>) -> Result<Self> {
        let broken = |reason: String| Error::model(files.folder.display().to_string(), reason);
        let config = files.config.as_deref().ok_or_else(|| broken("has no config.json".into()))?;
        let backend = backend.into();
        let config = backend.config(config)?;
        let labels: Vec<String> = config.id2label.values().cloned().collect();
        let network = match backend {
            Backend::Onnx(model) => {
                Network::Export(Box::new(Export::new(*model, config, OutputKind::Sound)?))
            }
            Backend::Native(target) => {
                let checkpoint = files.checkpoint()?;
                if !checkpoint.contains("classifier.weight") {
                    return Err(broken(
                        "has no classes: it writes or encodes, but does not say what a sound is".into(),
                    ));
                }
                let load = || Wav2Vec2ForSequenceClassification::load(&checkpoint, config, target);
                Network::Native(Box::new(threads.run(load)?))
            }
        };
        if labels.len() != network.classes() {
            let (named, classes) = (labels.len(), network.classes());
            return Err(broken(format!("config.json names {named} classes, the weights have {classes}")));
        }
        Ok(Self { network, labels, standardise: Standardise::read(&files.folder)?, threads })
    }

    /// The classes of `samples` (16 kHz) with their probabilities, in the order of the configuration's `id2label`.
    ///
    /// # Errors
    /// Those of the network.
    pub fn classify(&self, samples: &[f32]) -> Result<Vec<(String, f32)>> {
        let ready = self.standardise.apply(samples, self.network.config().field());
        let mut logits = self.threads.run(|| self.network.logits(&ready))?;
        log_softmax(&mut logits);
        Ok(self.labels.iter().cloned().zip(logits.iter().map(|logarithm| logarithm.exp())).collect())
    }
}

impl LanguageIdentifier for Classifier {
    fn identify(&self, samples: &[f32]) -> Result<Vec<LikelyLanguage>> {
        Ok(ranked(self.classify(&samples[..samples.len().min(MAX_CHUNK)])?))
    }
}
