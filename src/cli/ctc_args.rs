//! What may be asked of models that spell letter by letter (CTC).

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;

use super::model_args::{ModelArgs, Talk};
use super::stop::Stop;
use crate::Result;
use crate::asr::Options;
use crate::asr::ctc::Weights;
use crate::asr::identify::LanguageIdentifier;
use crate::compute::Precision;

/// Arguments for models of the wav2vec 2.0 family; Whisper takes none of them.
#[derive(Debug, Clone, Default, Args)]
pub struct CtcArgs {
    /// For models that spell (wav2vec 2.0, XLS-R, MMS, HuBERT): choose words by this n-gram model, in ARPA format.
    #[arg(long, value_name = "FILE", help_heading = "Recognition")]
    pub lm: Option<PathBuf>,
    /// How much the n-gram model counts [default: 0.5].
    #[arg(long, value_name = "W", requires = "lm", value_parser = weight, help_heading = "Recognition")]
    pub lm_weight: Option<f32>,
    /// Added for each word, against the n-gram model's liking for few [default: 1.5].
    #[arg(
        long,
        value_name = "W",
        requires = "lm",
        allow_hyphen_values = true,
        value_parser = weight,
        help_heading = "Recognition"
    )]
    pub word_bonus: Option<f32>,
    /// Added for each word that the n-gram model does not know [default: -10].
    #[arg(
        long,
        value_name = "W",
        requires = "lm",
        allow_hyphen_values = true,
        value_parser = weight,
        help_heading = "Recognition"
    )]
    pub unknown_penalty: Option<f32>,
    /// For models that spell: how much a hot-word counts [default: 10].
    #[arg(long, value_name = "W", requires = "hotwords", value_parser = weight, help_heading = "Recognition")]
    pub hotword_weight: Option<f32>,
    /// For models that spell: find the language of each segment by this model (see `awaaz language`).
    #[arg(long, value_name = "NAME|PATH", conflicts_with = "language", help_heading = "Recognition")]
    pub identify: Option<String>,
}

impl CtcArgs {
    /// A model that finds languages, loaded with the settings of `model`; none where none was asked for.
    ///
    /// # Errors
    /// Those of [`ModelArgs::load_identifier`].
    pub fn load_identifier(
        &self,
        model: &ModelArgs,
        talk: Talk,
        stop: &Stop,
    ) -> Result<Option<Arc<dyn LanguageIdentifier>>> {
        let Some(name) = &self.identify else { return Ok(None) };
        let model = model.for_model(name);
        model.load_identifier(model.precision_or(Precision::F32), talk, stop).map(Some)
    }

    /// `options` with what was asked for.
    pub fn apply(&self, options: Options) -> Options {
        let usual = Weights::default();
        Options {
            language_model: self.lm.clone(),
            ctc_weights: Weights {
                language_model: self.lm_weight.unwrap_or(usual.language_model),
                insertion: self.word_bonus.unwrap_or(usual.insertion),
                unknown: self.unknown_penalty.unwrap_or(usual.unknown),
                hotword: self.hotword_weight.unwrap_or(usual.hotword),
            },
            ..options
        }
    }
}

fn weight(text: &str) -> Result<f32, String> {
    match text.trim().parse::<f32>() {
        Ok(number) if (-100.0..=100.0).contains(&number) => Ok(number),
        _ => Err("not a number from -100 to 100".into()),
    }
}
