//! Which model tells voices apart, and who is known.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;

use super::model_args::{Features, ModelArgs, Talk, Wanted};
use super::onnx_args::OnnxArgs;
use super::stop::Stop;
use crate::compute::{Placement, Precision};
use crate::learn::head::Encoder as Identity;
use crate::speaker::SpeakerModel;
use crate::weights::{PullOptions, Sha256};
use crate::{Error, Result};

/// The model that is used where nothing is said.
pub const USUAL_MODEL: &str = "ge2e";

/// Arguments that name a speaker encoder.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Model")]
pub struct SpeakerModelArgs {
    /// A speaker encoder's name (see `awaaz models list`), the path of its folder, or OWNER/NAME of one on the Hugging Face
    /// hub: GE2E, ECAPA-TDNN, or an x-vector head on WavLM or wav2vec 2.0.
    #[arg(long, value_name = "NAME|PATH", default_value = USUAL_MODEL)]
    pub model: String,
    /// Numbers that the network is multiplied in.
    #[arg(long, value_name = "f32|int8|auto", default_value = "f32")]
    precision: Precision,
    /// Threads, or the processors that they stay on, one on each: cpu0-3,6 [default: one a processor core].
    #[arg(long, value_name = "N|cpuLIST")]
    threads: Option<Placement>,
    /// Fail rather than fetch a model.
    #[arg(long)]
    offline: bool,
    #[command(flatten)]
    onnx: OnnxArgs,
}

impl SpeakerModelArgs {
    /// The model by name or path, computed in f32.
    pub fn named(model: impl Into<String>) -> Self {
        Self {
            model: model.into(),
            precision: Precision::F32,
            threads: None,
            offline: false,
            onnx: OnnxArgs::default(),
        }
    }

    /// The same settings for another model.
    pub fn for_model(&self, model: &str) -> Self {
        Self { model: model.to_owned(), ..self.clone() }
    }

    /// Numbers that the network is multiplied in.
    pub fn precision(&self) -> Precision {
        self.precision
    }

    /// Finds the model, pulling it first where that is needed and allowed, and loads it.
    ///
    /// # Errors
    /// Those of finding, reading and checking it; [`Error::Model`] where it does not tell who speaks.
    pub fn load(&self, talk: Talk, stop: &Stop) -> Result<SpeakerModel> {
        let mut model = ModelArgs::named(self.model.clone(), self.precision).through(self.onnx.clone());
        model.threads.clone_from(&self.threads);
        model.offline = self.offline;
        load_speaker_model(&model, self.precision, talk, stop)
    }
}

/// The speaker encoder that `args` name, on as many threads as they say.
///
/// # Errors
/// As [`SpeakerModelArgs::load`].
pub fn load_speaker_model(
    args: &ModelArgs,
    precision: Precision,
    talk: Talk,
    stop: &Stop,
) -> Result<SpeakerModel> {
    let threads = args.pool()?;
    let Features::Speaker(encoder) = args.load_features(precision, Wanted::Any, &threads, talk, stop)? else {
        let reason = format!("does not tell who speaks; give a speaker encoder such as {USUAL_MODEL}");
        return Err(Error::model(args.model.clone(), reason));
    };
    let sha256 = Some(Sha256::of_file(&args.weights()?)?.to_string());
    let identity = Identity { name: args.model.clone(), sha256 };
    Ok(SpeakerModel::new(identity, Arc::from(encoder), Arc::new(threads)))
}

/// Arguments that name a gallery.
#[derive(Debug, Clone, Default, Args)]
pub struct GalleryArgs {
    /// The file of the people who are known [default: speakers.safetensors in $AWAAZ_CACHE].
    #[arg(long, value_name = "FILE", help_heading = "Gallery")]
    pub gallery: Option<PathBuf>,
}

impl GalleryArgs {
    /// The gallery's path.
    ///
    /// # Errors
    /// [`Error::Setting`] where nothing is said and there is no home folder.
    pub fn path(&self) -> Result<PathBuf> {
        match &self.gallery {
            Some(path) => Ok(path.clone()),
            None => Ok(PullOptions::from_env()?.cache.join("speakers.safetensors")),
        }
    }
}
