//! Which adapter makes a network one for a language, where it has one for each (MMS, Pratap et al. 2023).

use std::path::Path;

use super::Vocabulary;
use super::tokenizer_config::TokenizerConfig;
use super::vocabulary::{is_by_language, is_meant, meant};
use crate::Result;
use crate::models::backend::Backend;
use crate::models::wav2vec2::{Config, adapter_file, adapter_languages, with_adapter};
use crate::weights::{Checkpoint, ModelFiles};

/// What is known of a network and the language that it is to hear.
pub(super) struct Wanted<'a> {
    /// The network's files.
    pub files: &'a ModelFiles,
    /// The network's dimensions.
    pub config: &'a Config,
    /// The vocabulary that was chosen.
    pub vocabulary: &'a Vocabulary,
    /// The language that was asked for.
    pub language: Option<&'a str>,
    /// The language that the weights are for without an adapter.
    pub own: Option<&'a str>,
}

impl Wanted<'_> {
    /// The weights of the network for the language.
    ///
    /// # Errors
    /// [`Error::Model`](crate::Error::Model) where there is no adapter for it, with some of those that there are; those of
    /// reading the files.
    pub fn checkpoint(&self) -> Result<Checkpoint> {
        let network = self.files.checkpoint()?;
        let Some(language) = self.adapter()? else { return Ok(network) };
        let adapter = match &self.files.adapter {
            Some(pulled) => pulled.clone(),
            None => adapter_file(&self.files.folder, &language)?,
        };
        with_adapter(network, Checkpoint::open(&adapter)?)
    }

    /// The name of the adapter that is needed; none where the weights are for the language as they are.
    fn adapter(&self) -> Result<Option<String>> {
        if self.config.adapter_attn_dim.is_none() {
            return Ok(None);
        }
        let Some(language) = self.vocabulary.language().or(self.language) else { return Ok(None) };
        let known = adapter_languages(&self.files.folder)?;
        if let Some(name) = meant(known.iter().map(String::as_str), language) {
            return Ok(Some(name.to_owned()));
        }
        let is_own = self.own.is_some_and(|own| is_meant(language, own) || is_meant(own, language));
        // A network that was tuned for one language has the layers, and its own in them.
        let is_of_one = self.vocabulary.language().is_none() && known.is_empty();
        Ok((!is_own && !is_of_one).then(|| language.to_owned()))
    }
}

/// Whether a model must be told the language before it is loaded: it has a vocabulary, and mostly an adapter, for each.
/// What is wrong with the files is left to be found when the model is loaded.
pub fn has_a_vocabulary_for_each_language(files: &ModelFiles) -> bool {
    is_by_language(&files.folder.join("vocab.json")).unwrap_or(false)
}

/// The name of the adapter that a model needs to hear `language` and that is not in its folder; none where it needs none.
/// What is wrong with the files is left to be found when the model is loaded.
///
/// # Errors
/// Those of reading the files.
pub fn missing_adapter(files: &ModelFiles, backend: &Backend, language: &str) -> Result<Option<String>> {
    let vocab_json = files.folder.join("vocab.json");
    let (Backend::Native(_), Some(config)) = (backend, &files.config) else { return Ok(None) };
    if !vocab_json.is_file() || crate::models::encoder::model_type(files)? == "whisper" {
        return Ok(None);
    }
    let config = Config::read(config)?;
    if config.adapter_attn_dim.is_none() {
        return Ok(None);
    }
    let tokenizer = TokenizerConfig::beside(&files.folder)?;
    let vocabulary = Vocabulary::read(&vocab_json, config.pad_token_id as u32, Some(language), &tokenizer)?;
    let own = tokenizer.target_lang.as_deref();
    let wanted = Wanted { files, config: &config, vocabulary: &vocabulary, language: Some(language), own };
    Ok(wanted.adapter()?.filter(|name| is_missing(&files.folder, name)))
}

fn is_missing(folder: &Path, language: &str) -> bool {
    adapter_file(folder, language).is_err()
}
