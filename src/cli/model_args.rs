//! Which model to use, and how.

use std::fs;
use std::io::{self, Write};
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;
use std::time::UNIX_EPOCH;

use clap::Args;

use crate::asr::ctc::missing_adapter;
use crate::asr::identify::{LanguageIdentifier, load_identifier};
use crate::asr::{LanguageChoice, Model};
use crate::cli::ctc_args::CtcArgs;
use crate::cli::models::pull_listener;
use crate::cli::onnx_args::OnnxArgs;
use crate::cli::stop::Stop;
use crate::compute::{Place, Placement, Precision, Threads};
use crate::models::backend::Backend;
use crate::models::encoder::{Encoder, load_encoder};
use crate::models::speaker::{SpeakerEncoder, is_speaker_encoder, load_speaker_encoder};
use crate::text::{TextClassifier, TextHead, TransformerClassifier};
use crate::weights::{ModelFiles, Network, PullOptions, resolve, resolve_adapter};
use crate::{Error, Result};

/// Arguments that name a recogniser's model.
#[derive(Debug, Clone, Args)]
pub struct ModelArgs {
    /// A model's name (see `awaaz models list`), the path of its folder, or OWNER/NAME of one on the Hugging Face hub:
    /// Whisper, or wav2vec 2.0, XLS-R, MMS, HuBERT, WavLM with a CTC head, also as an ONNX export.
    #[arg(
        long,
        visible_alias = "encoder",
        value_name = "NAME|PATH",
        default_value = "base",
        help_heading = "Model"
    )]
    pub model: String,
    /// Numbers that the network is multiplied in: f32 as it was trained, int8 faster and smaller, auto for int8 where the
    /// processor is made for it [default: f32, live int8].
    #[arg(long, value_name = "f32|bf16|int8|auto", help_heading = "Model")]
    precision: Option<Precision>,
    /// Do not keep weights as the processor wants them for the next start (in packs/ of the cache; as large as the model).
    #[arg(long, help_heading = "Model")]
    no_weight_cache: bool,
    /// Threads, or the processors that they stay on, one on each: cpu0-3,6 [default: one a processor core].
    #[arg(long, value_name = "N|cpuLIST", help_heading = "Model")]
    pub(super) threads: Option<Placement>,
    /// Compute the encoder on a graphics card: cuda, or cuda:1 for the second [default: cpu].
    #[arg(long, value_name = "cpu|cuda[:N]", default_value_t = Place::Processor, hide_default_value = true, help_heading = "Model")]
    on: Place,
    /// Fail rather than fetch a model.
    #[arg(long, help_heading = "Model")]
    pub(super) offline: bool,
    #[command(flatten)]
    onnx: OnnxArgs,
}

/// Whether the user is told how a pull goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Talk {
    /// On stderr.
    Stderr,
    /// No.
    Quiet,
}

/// What is wanted of a network that gives features.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// Hidden states, also of one that tells who speaks.
    States,
    /// What it is made for.
    Any,
}

/// A network that gives features.
pub enum Features {
    /// A row for each frame.
    Frames(Box<dyn Encoder>),
    /// A vector for a sound, which tells who speaks.
    Speaker(Box<dyn SpeakerEncoder>),
}

impl ModelArgs {
    /// A model by name or path, with as many threads as there are cores.
    pub fn named(model: impl Into<String>, precision: Precision) -> Self {
        Self {
            model: model.into(),
            precision: Some(precision),
            threads: None,
            no_weight_cache: false,
            on: Place::Processor,
            offline: false,
            onnx: OnnxArgs::default(),
        }
    }

    /// The same model, run so where it is an ONNX export.
    pub fn through(self, onnx: OnnxArgs) -> Self {
        Self { onnx, ..self }
    }

    /// The same settings for another model.
    pub fn for_model(&self, model: &str) -> Self {
        Self { model: model.to_owned(), ..self.clone() }
    }

    /// Threads of the layers, at least one.
    pub fn threads(&self) -> usize {
        self.threads.as_ref().map_or_else(cores, Placement::count)
    }

    /// The pool that layers run on.
    ///
    /// # Errors
    /// [`Error::Setting`] for processors that may not be used.
    pub fn pool(&self) -> Result<Threads> {
        match &self.threads {
            Some(placement) => Threads::placed(placement),
            None => Threads::new(cores()),
        }
    }

    /// Numbers that the network is multiplied in; `usual` where nothing was said.
    pub fn precision_or(&self, usual: Precision) -> Precision {
        self.precision.unwrap_or(usual)
    }

    /// Finds the model, pulling it first where that is needed and allowed, and loads it to multiply in `precision` and to
    /// hear `language`; with the model that finds languages, if `ctc` names one.
    ///
    /// # Errors
    /// Those of finding, reading and checking the model; [`Error::Interrupted`] where `stop`
    /// is asked for during the pull.
    pub fn load(
        &self,
        precision: Precision,
        language: &LanguageChoice,
        ctc: &CtcArgs,
        talk: Talk,
        stop: &Stop,
    ) -> Result<Model> {
        let (mut files, backend) = self.open(precision, talk, stop)?;
        if let LanguageChoice::Fixed(language) = language
            && let Some(adapter) = missing_adapter(&files, &backend, language)?
        {
            files.adapter = resolve_adapter(&self.model, &adapter, &self.pull_options(talk, stop)?)?;
        }
        let identifier = ctc.load_identifier(self, talk, stop)?;
        Model::load(&files, self.pool()?, backend, language, identifier)
    }

    /// As [`load`](Self::load), for a model that says which language is spoken.
    ///
    /// # Errors
    /// As there.
    pub fn load_identifier(
        &self,
        precision: Precision,
        talk: Talk,
        stop: &Stop,
    ) -> Result<Arc<dyn LanguageIdentifier>> {
        let (files, backend) = self.open(precision, talk, stop)?;
        load_identifier(&files, self.pool()?, backend)
    }

    /// As [`load`](Self::load), for a model whose hidden states are wanted.
    ///
    /// # Errors
    /// As there.
    pub fn load_encoder(
        &self,
        precision: Precision,
        threads: &Threads,
        talk: Talk,
        stop: &Stop,
    ) -> Result<Box<dyn Encoder>> {
        let (files, backend) = self.open(precision, talk, stop)?;
        threads.run(|| load_encoder(&files, backend))
    }

    /// As [`load`](Self::load), for a model whose hidden states are wanted, or the vectors by which it tells who speaks.
    ///
    /// # Errors
    /// As there.
    pub fn load_features(
        &self,
        precision: Precision,
        wanted: Wanted,
        threads: &Threads,
        talk: Talk,
        stop: &Stop,
    ) -> Result<Features> {
        let (files, backend) = self.open(precision, talk, stop)?;
        if wanted == Wanted::States || !is_speaker_encoder(&files, &backend)? {
            return threads.run(|| load_encoder(&files, backend)).map(Features::Frames);
        }
        threads.run(|| load_speaker_encoder(&files, backend)).map(Features::Speaker)
    }

    /// What tells the model's weights, as this program computes them, from others: it changes when they do.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub fn identity(&self, precision: Precision, talk: Talk, stop: &Stop) -> Result<String> {
        let path = resolve(&self.model, &self.pull_options(talk, stop)?)?.weights;
        let file = fs::metadata(&path).map_err(|error| Error::io(&path, error))?;
        let changed = file.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
        let changed = changed.unwrap_or_default().as_nanos();
        Ok(format!("{} of {} bytes of {changed}, in {precision} on {}", path.display(), file.len(), self.on))
    }

    /// The file of the network's own weights, which is there already.
    pub fn weights(&self) -> Result<std::path::PathBuf> {
        let options = PullOptions { network: Network::Forbidden, ..PullOptions::from_env()? };
        Ok(resolve(&self.model, &options)?.weights)
    }

    /// The model's files, and what computes it. Of an ONNX export the user is told what that is.
    fn open(&self, precision: Precision, talk: Talk, stop: &Stop) -> Result<(ModelFiles, Backend)> {
        let options = self.pull_options(talk, stop)?;
        let found = resolve(&self.model, &options)?;
        let network = found.weights.clone();
        let mut files = match precision {
            // Who names the network itself wants that one.
            Precision::Int8 if Path::new(&self.model) != network => found.in_int8(),
            _ => found,
        };
        files.packs = (!self.no_weight_cache).then(|| options.cache.join("packs"));
        let backend = Backend::open(&files, self.on, precision, &self.onnx.options(self.threads()))?;
        if let (Backend::Onnx(model), Talk::Stderr) = (&backend, talk) {
            let mut line = model.report();
            if let Some(precision) = self.precision.filter(|_| files.weights == network) {
                line += &format!("; in the numbers of the export, whatever --precision {precision} says");
            }
            // Without stderr there is nobody to tell.
            let _ = writeln!(io::stderr(), "{line}");
        }
        Ok((files, backend))
    }

    /// The classifier of texts that `name` is: built in, a file, a folder, or OWNER/NAME of the hub.
    ///
    /// # Errors
    /// Those of finding, reading and checking it; [`Error::Setting`] where it does not tell abuse.
    pub fn load_text_head(&self, name: &Path, talk: Talk, stop: &Stop) -> Result<Box<dyn TextHead>> {
        let head = open_text_head(name, &self.pull_options(talk, stop)?, || self.pool())?;
        if !head.knows_abuse() {
            let reason = "--text-head: none of its labels means abuse, or several do; rename one to `abusive` in id2label of \
                          its config.json, or give another";
            return Err(Error::Setting(format!("{}: {reason}", name.display())));
        }
        Ok(head)
    }

    fn pull_options(&self, talk: Talk, stop: &Stop) -> Result<PullOptions> {
        let mut options = PullOptions::from_env()?;
        options.stop = stop.flag();
        if self.offline {
            options.network = Network::Forbidden;
        }
        if talk == Talk::Stderr {
            options.listener = pull_listener();
        }
        Ok(options)
    }
}

/// The classifier of texts that `name` is: built in, or a file, else a transformer in a folder, or of the hub, which computes on `threads`.
///
/// # Errors
/// Those of finding, reading and checking it.
pub fn open_text_head(
    name: &Path,
    options: &PullOptions,
    threads: impl FnOnce() -> Result<Threads>,
) -> Result<Box<dyn TextHead>> {
    let is_file = name.is_file() || name.extension().is_some_and(|extension| extension == "safetensors");
    match name.to_str().filter(|name| !is_file && name.contains(['/', '\\']) || Path::new(name).is_dir()) {
        Some(model) => Ok(Box::new(TransformerClassifier::load(&resolve(model, options)?, threads()?)?)),
        None => Ok(Box::new(TextClassifier::open(name)?)),
    }
}

/// Cores that this process may use. Two threads on one core are no faster at matrix products.
fn cores() -> usize {
    let available = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    num_cpus::get_physical().clamp(1, available)
}
