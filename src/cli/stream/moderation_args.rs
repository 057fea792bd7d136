//! What streams are judged by.

use std::path::PathBuf;

use clap::Args;

use crate::Result;
use crate::asr::Model;
use crate::cli::model_args::ModelArgs;
use crate::event::StreamStart;
use crate::learn::head::Encoder;
use crate::moderation::Judges;
use crate::{Error, weights};

/// Arguments that say what speech is judged by.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Moderation")]
pub struct ModerationArgs {
    /// A trained head for abuse or emotion, on the encoder that recognises the speech; again for another.
    #[arg(long, value_name = "FILE")]
    pub head: Vec<PathBuf>,
    /// A list of words to look for in the text; again for another.
    #[arg(long, value_name = "FILE")]
    pub lexicon: Vec<PathBuf>,
    /// A classifier of the text (`awaaz train text` makes one).
    #[arg(long, value_name = "FILE")]
    pub text_head: Option<PathBuf>,
    /// Thresholds, weights and actions [default: those of docs/moderation.md].
    #[arg(long, value_name = "FILE")]
    pub policy: Option<PathBuf>,
}

impl ModerationArgs {
    /// Those that a stream was judged by.
    pub fn of_stream(start: &StreamStart) -> Self {
        let paths = |names: &[String]| names.iter().map(PathBuf::from).collect();
        Self {
            head: paths(&start.heads),
            lexicon: paths(&start.lexicons),
            text_head: start.text_head.as_ref().map(PathBuf::from),
            policy: start.policy.as_ref().map(PathBuf::from),
        }
    }

    /// Notes them in the first event.
    pub fn note(&self, start: StreamStart) -> StreamStart {
        let name = |path: &PathBuf| path.display().to_string();
        StreamStart {
            heads: self.head.iter().map(name).collect(),
            lexicons: self.lexicon.iter().map(name).collect(),
            text_head: self.text_head.as_ref().map(name),
            policy: self.policy.as_ref().map(name),
            ..start
        }
    }

    /// Reads the files.
    ///
    /// # Errors
    /// Those of each file; [`Error::Setting`] for a policy with nothing to judge by.
    pub fn read(&self) -> Result<Judges> {
        let judges =
            Judges::read(self.policy.as_deref(), &self.head, &self.lexicon, self.text_head.as_deref())?;
        if judges.is_empty() && judges.policy.watch.is_empty() && self.policy.is_some() {
            return Err(Error::Setting(
                "there is a policy and nothing to judge by: give --lexicon, --text-head or --head, or [[watch]] in it"
                    .into(),
            ));
        }
        Ok(judges)
    }

    /// Whether the heads of `judges` are for `model`, which `named` names.
    ///
    /// # Errors
    /// [`Error::Setting`] where one is not.
    pub fn check(&self, judges: &Judges, model: &Model, named: &ModelArgs) -> Result<()> {
        if judges.heads.is_empty() {
            return Ok(());
        }
        let Some((layers, width)) = model.encoder_shape() else {
            return Err(Error::Setting(format!(
                "--head: {} is an ONNX export, which gives no hidden states; give --model native weights",
                named.model
            )));
        };
        let sha256 = match judges.heads.know_digest() {
            true => Some(weights::Sha256::of_file(&named.weights()?)?.to_string()),
            false => None,
        };
        judges.heads.check(&Encoder { name: named.model.clone(), sha256 }, layers, width)
    }
}
