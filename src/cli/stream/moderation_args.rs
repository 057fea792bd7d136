//! What streams are judged by.

use std::path::{Path, PathBuf};

use clap::Args;

use crate::Result;
use crate::asr::Model;
use crate::cli::model_args::{ModelArgs, Talk};
use crate::cli::stop::Stop;
use crate::event::StreamStart;
use crate::learn::head::Encoder;
use crate::moderation::Judges;
use crate::text::classifier::BUILT_IN;
use crate::{Error, weights};

/// Arguments that say what speech is judged by.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Moderation")]
pub struct ModerationArgs {
    /// A trained head for abuse or emotion, on the encoder that recognises the speech, or `emotion`, which is built in; again
    /// for another.
    #[arg(long, value_name = "NAME|FILE")]
    pub head: Vec<PathBuf>,
    /// A list of words to look for in the text; again for another.
    #[arg(long, value_name = "FILE")]
    pub lexicon: Vec<PathBuf>,
    /// A classifier of the text: `abuse`, which is built in; a file (`awaaz train text` makes one); the folder, or OWNER/NAME on
    /// the Hugging Face hub, of a transformer that sorts texts into classes; or `none` [default: none; of `moderate`: abuse].
    #[arg(long, value_name = "FILE|NAME")]
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

    /// The same with the built-in classifier of the text, where nothing was said of one.
    pub fn or_built_in(self) -> Self {
        let text_head = self.text_head.or_else(|| Some(PathBuf::from(BUILT_IN)));
        Self { text_head, ..self }
    }

    /// The classifier of the text, unless it is none.
    fn text_head(&self) -> Option<&Path> {
        self.text_head.as_deref().filter(|&head| head != Path::new("none"))
    }

    /// Notes them in the first event.
    pub fn note(&self, start: StreamStart) -> StreamStart {
        let name = |path: &PathBuf| path.display().to_string();
        StreamStart {
            heads: self.head.iter().map(name).collect(),
            lexicons: self.lexicon.iter().map(name).collect(),
            text_head: self.text_head().map(|path| path.display().to_string()),
            policy: self.policy.as_ref().map(name),
            ..start
        }
    }

    /// Reads the files; the classifier of the text is found, and computes, as `model` does.
    ///
    /// # Errors
    /// Those of each file; [`Error::Setting`] for a policy with nothing to judge by.
    pub fn read(&self, model: &ModelArgs, talk: Talk, stop: &Stop) -> Result<Judges> {
        let text = self.text_head().map(|head| model.load_text_head(head, talk, stop)).transpose()?;
        let judges = Judges::read(self.policy.as_deref(), &self.head, &self.lexicon, text)?;
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
