//! A network with a CTC head, its vocabulary and its threads.

use std::collections::BTreeMap;
use std::sync::Arc;

use candle_core::{Device, Tensor};

use super::adapter::Wanted;
use super::network::{CtcNetwork, values};
use super::tokenizer_config::TokenizerConfig;
use super::{LogProbabilities, Vocabulary};
use crate::asr::identify::LanguageIdentifier;
use crate::asr::live::no_states;
use crate::compute::Threads;
use crate::models::backend::Backend;
use crate::models::encoding::{EncoderMeter, Encoding};
use crate::models::wav2vec2::{Standardise, Wav2Vec2ForCtc};
use crate::vad::SpeechSegment;
use crate::weights::ModelFiles;
use crate::{Error, Result};

/// A model that spells what it hears.
pub struct CtcEngine {
    pub(super) network: CtcNetwork,
    pub(super) vocabulary: Vocabulary,
    pub(super) threads: Threads,
    pub(super) standardise: Standardise,
    meter: EncoderMeter,
    language: String,
    identifier: Option<Arc<dyn LanguageIdentifier>>,
    /// Codes of the languages that may be spoken; any where there is none.
    among: Vec<String>,
}

impl CtcEngine {
    /// Loads a model's files, to be computed by `backend`. `language` is the code of the language that is spoken: networks
    /// with a vocabulary or an adapter for each need it, of others it says what their text is marked as.
    ///
    /// # Errors
    /// One that names the file that is missing or wrong; or, with some of those that there are, the language.
    pub fn load(
        files: &ModelFiles,
        threads: Threads,
        backend: impl Into<Backend>,
        language: Option<&str>,
    ) -> Result<Self> {
        let missing = |what: &str| {
            Error::model(
                files.folder.display().to_string(),
                format!("has no {what}; put it beside the weights"),
            )
        };
        let backend = backend.into();
        let config = backend.config(files.config.as_deref().ok_or_else(|| missing("config.json"))?)?;
        let tokenizer = TokenizerConfig::beside(&files.folder)?;
        let vocab_json = files.folder.join("vocab.json");
        if !vocab_json.is_file() {
            return Err(missing("vocab.json"));
        }
        let target = language.or(tokenizer.target_lang.as_deref());
        let vocabulary = Vocabulary::read(&vocab_json, config.pad_token_id as u32, target, &tokenizer)?;
        let network = match backend {
            Backend::Onnx(model) => CtcNetwork::of_export(*model, config, &vocabulary)?,
            Backend::Native(place) => {
                let own = tokenizer.target_lang.as_deref();
                let wanted =
                    Wanted { files, config: &config, vocabulary: &vocabulary, language: target, own };
                let checkpoint = wanted.checkpoint()?;
                let network = threads.run(|| Wav2Vec2ForCtc::load(&checkpoint, config, place))?;
                CtcNetwork::Native(Box::new(network))
            }
        };
        Ok(Self {
            network,
            vocabulary,
            threads,
            standardise: Standardise::read(&files.folder)?,
            meter: EncoderMeter::default(),
            language: target.unwrap_or_default().to_owned(),
            identifier: None,
            among: Vec::new(),
        })
    }

    /// The same with a model that says which of the languages `among`, or of all where it is empty, is spoken.
    pub fn with_identifier(self, identifier: Arc<dyn LanguageIdentifier>, among: Vec<String>) -> Self {
        Self { identifier: Some(identifier), among, language: String::new(), ..self }
    }

    /// The tokens.
    pub fn vocabulary(&self) -> &Vocabulary {
        &self.vocabulary
    }

    /// Code of the language; empty where nobody has said.
    pub fn language(&self) -> &str {
        &self.language
    }

    /// Whether another model finds the language.
    pub fn identifies(&self) -> bool {
        self.identifier.is_some()
    }

    /// Code of the language that `samples` are in; empty where nobody knows.
    ///
    /// # Errors
    /// Those of the model that finds it; [`Error::Setting`] where it knows none of the languages that may be spoken.
    pub fn language_of(&self, samples: &[f32]) -> Result<String> {
        let Some(identifier) = &self.identifier else { return Ok(self.language.clone()) };
        let codes = identifier.identify(samples)?.into_iter().map(|language| language.code);
        let is_possible = |code: &String| self.among.is_empty() || self.among.contains(code);
        codes.into_iter().find(is_possible).ok_or_else(|| {
            let among = self.among.join(", ");
            Error::Setting(format!("the model that finds the language knows none of {among}"))
        })
    }

    /// Log-probabilities of the tokens in each of `sounds`, 16 kHz samples. What is shorter than a frame counts as
    /// silence after it.
    ///
    /// # Errors
    /// Those of the network.
    pub fn listen(&self, sounds: &[&[f32]]) -> Result<Vec<LogProbabilities>> {
        let field = self.network.config().field();
        let ready: Vec<Vec<f32>> = sounds.iter().map(|sound| self.standardise.apply(sound, field)).collect();
        let ready: Vec<&[f32]> = ready.iter().map(Vec::as_slice).collect();
        self.threads.run(|| self.meter.measure(|| self.network.listen(&ready)))
    }

    /// What its encoder did so far, but for what grows.
    pub fn meter(&self) -> &EncoderMeter {
        &self.meter
    }

    /// Log-probabilities of the tokens in a sound, and the hidden states whose numbers are in `keep`, of one pass.
    ///
    /// # Errors
    /// Those of the network; [`Error::Setting`] where it is an export, which gives no hidden states.
    pub fn listen_and_keep(
        &self,
        sound: &SpeechSegment,
        keep: &[usize],
    ) -> Result<(LogProbabilities, Encoding)> {
        let CtcNetwork::Native(network) = &self.network else { return Err(no_states()) };
        let last = network.encoder.config.num_hidden_layers;
        let all: Vec<usize> = keep.iter().copied().chain([last]).collect();
        let mut states = self.states(network, sound, &all)?;
        let width = network.encoder.config.hidden_size;
        let state = states.get(&last).cloned().unwrap_or_default();
        let hidden = Tensor::from_vec(state.clone(), (state.len() / width, width), &Device::Cpu)?;
        let logits = self.threads.run(|| network.logits_of(&hidden))?;
        states.retain(|layer, _| keep.contains(layer));
        let heard = LogProbabilities::new(values(&logits)?, self.network.tokens());
        Ok((heard, Encoding::new(sound.span, self.hop(), width, states)))
    }

    /// The hidden states of a sound whose numbers are in `keep`.
    ///
    /// # Errors
    /// As [`listen_and_keep`](Self::listen_and_keep).
    pub fn encode(&self, sound: &SpeechSegment, keep: &[usize]) -> Result<Encoding> {
        let CtcNetwork::Native(network) = &self.network else { return Err(no_states()) };
        let states = self.states(network, sound, keep)?;
        Ok(Encoding::new(sound.span, self.hop(), network.encoder.config.hidden_size, states))
    }

    fn states(
        &self,
        network: &Wav2Vec2ForCtc,
        sound: &SpeechSegment,
        layers: &[usize],
    ) -> Result<BTreeMap<usize, Vec<f32>>> {
        let ready = self.standardise.apply(&sound.samples, self.network.config().field());
        self.threads.run(|| self.meter.measure(|| network.encoder.states_of(&ready, layers)))
    }

    /// Layers of the encoder and values of a frame; none for an export, which gives no hidden states.
    pub fn encoder_shape(&self) -> Option<(usize, usize)> {
        let CtcNetwork::Native(network) = &self.network else { return None };
        Some((network.encoder.config.num_hidden_layers, network.encoder.config.hidden_size))
    }

    /// Samples from one frame to the next.
    pub fn hop(&self) -> usize {
        self.network.config().hop()
    }
}
