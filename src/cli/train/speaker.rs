//! `awaaz train speaker`: a projection of speaker features that tells speakers apart, with or without their language.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{Args, ValueEnum};

use super::speaker_score::{Scorer, report};
use crate::asr::identify::LanguageIdentifier;
use crate::cli::Exit;
use crate::cli::clip_features::{keep, kept_at, read_values};
use crate::cli::model_args::{ModelArgs, Talk};
use crate::cli::stop::Stop;
use crate::compute::{Precision, Threads};
use crate::corpus::datasets::{Layout, Record, read_speakers};
use crate::learn::head::Data;
use crate::learn::laspa::{self, LaspaOptions, Losses, Projection};
use crate::learn::speaker::{Source, SpeakerCard, SpeakerHead};
use crate::learn::standardise::{Moments, Standardiser};
use crate::learn::{By, Dataset, Example};
use crate::models::speaker::SpeakerFeatures;
use crate::output::Progress;
use crate::weights::{PullOptions, text_digest};
use crate::{Error, Result};

const AFTER_HELP: &str = "\
Examples:
  awaaz train speaker --data LibriSpeech/train-clean-100 vctk/ --out speaker.safetensors
  awaaz train speaker --data ravdess/ emodb/ emovo/ --sources ge2e base:1-3 --out speaker.safetensors
  awaaz train speaker --data mine.csv --method laspa --identify base --out speaker.safetensors
  awaaz embed clips/ --model ./speaker.safetensors --out voices            use it

Data are LibriSpeech, folders of speakers' folders, URDU, EMO-DB, SAVEE, EMOVO or RAVDESS as they are given out, or a
manifest.csv or .jsonl of path,label,speaker,language. Features are computed once and kept: a run that was stopped goes on
where it was. Figures come from heads that never heard the speakers that they are tested on, and where there are several
corpora from heads that never heard the corpus; they are in the head's card. The head that is written has heard all. The
same data and seed give the same file to the byte.

Exit codes: 0 done, 1 failed, 64 wrong arguments, 130 stopped.";

/// Train a head that tells who speaks, on vectors and hidden states of networks that stay as they are.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct SpeakerArgs {
    /// Corpora: folders, or manifests.
    #[arg(long, required = true, num_args = 1.., value_name = "DIR")]
    data: Vec<PathBuf>,
    /// Where the head is written.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// The licence of each corpus in turn, for the head's card.
    #[arg(long, num_args = 1.., value_name = "NAME")]
    licence: Vec<String>,
    /// The language of each corpus in turn, for clips of which it is not known.
    #[arg(long, num_args = 1.., value_name = "CODE")]
    languages: Vec<String>,
    /// Ask this model for the language of clips of which it is not known, such as base.
    #[arg(long, value_name = "MODEL")]
    identify: Option<String>,
    /// What is heard: a network that tells who speaks, or one and its layers.
    #[arg(long, num_args = 1.., value_name = "MODEL[:K-K]", default_value = "ge2e", help_heading = "Features")]
    sources: Vec<Source>,
    /// Threads [default: one a processor core].
    #[arg(long, value_name = "N", help_heading = "Features")]
    threads: Option<usize>,
    /// margin tells speakers apart; laspa takes the language out as well, for which clips must be in two at least.
    #[arg(long, value_name = "NAME", default_value = "margin", help_heading = "Learning")]
    method: Method,
    /// Values of a vector.
    #[arg(long, value_name = "N", default_value_t = 192, help_heading = "Learning")]
    width: usize,
    /// Passes over the clips.
    #[arg(long, value_name = "N", default_value_t = 30, help_heading = "Learning")]
    epochs: usize,
    /// AdamW's rate.
    #[arg(long, value_name = "RATE", default_value_t = 1e-3, help_heading = "Learning")]
    rate: f64,
    /// The share of features that is left out of every step.
    #[arg(long, value_name = "SHARE", default_value_t = 0.2, help_heading = "Learning")]
    dropout: f64,
    /// Folds, apart by speakers, that figures come from.
    #[arg(long, value_name = "N", default_value_t = 3, help_heading = "Learning")]
    folds: usize,
    /// Seed of the folds and of the training.
    #[arg(long, value_name = "N", default_value_t = 0, help_heading = "Learning")]
    seed: u64,
    /// Tell of errors alone.
    #[arg(long, short)]
    quiet: bool,
}

/// How a head is trained.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Method {
    /// Additive-margin softmax.
    Margin,
    /// With the branch of the language.
    Laspa,
}

impl Method {
    fn name(self) -> &'static str {
        match self {
            Self::Margin => "margin",
            Self::Laspa => "laspa",
        }
    }
}

impl SpeakerArgs {
    fn options(&self) -> LaspaOptions {
        let usual = match self.method {
            Method::Margin => LaspaOptions::speaker_alone(),
            Method::Laspa => LaspaOptions::default(),
        };
        let Self { width, epochs, rate, dropout, seed, .. } = *self;
        LaspaOptions { width, epochs, rate, dropout, seed, ..usual }
    }
}

/// Runs the subcommand.
///
/// # Errors
/// Those of the data, the networks and the settings; [`Error::Interrupted`].
pub fn run(args: &SpeakerArgs) -> Result<Exit> {
    let stop = Stop::on_signals()?;
    let mut progress = if args.quiet { Progress::on_stderr().quietly() } else { Progress::on_stderr() };
    if args.licence.len() > args.data.len() || args.languages.len() > args.data.len() {
        return Err(Error::Setting("there are more licences or languages than corpora".into()));
    }
    let threads = match args.threads {
        Some(count) => Threads::new(count)?,
        None => ModelArgs::named("", Precision::F32).pool()?,
    };
    let features = Features::open(args, &threads, &stop)?;
    let dataset = features.dataset(&mut progress)?;
    let speakers = dataset.class_counts().len();
    progress.say(&format!("{} clips of {speakers} speakers, {} features", dataset.rows(), dataset.width()));
    let options = args.options();
    let figures = threads.run(|| {
        let train = |part: &Dataset, _: &str| fit(part, &options, &stop, &mut |_, _| {});
        Scorer { dataset: &dataset, seed: args.seed, folds: args.folds }.score(train)
    })?;
    progress.say(&report(&figures));
    let mut tell = |epoch: usize, losses: &Losses| {
        if epoch == options.epochs || epoch.is_multiple_of(10) {
            progress.say(&format!(
                "pass {epoch} of {}: speaker {:.3}, language {:.3}, correlation {:.3}, reconstruction {:.3}",
                options.epochs, losses.speaker, losses.language, losses.correlation, losses.reconstruction
            ));
        }
    };
    let (moments, projection) = threads.run(|| fit(&dataset, &options, &stop, &mut tell))?;
    let head = SpeakerHead::new(card(args, &dataset, figures), moments, projection)?;
    head.save(&args.out)?;
    progress.say(&format!("wrote {}", args.out.display()));
    Ok(Exit::Success)
}

fn card(
    args: &SpeakerArgs,
    dataset: &Dataset,
    figures: std::collections::BTreeMap<String, f64>,
) -> SpeakerCard {
    let names = dataset.parts(By::Corpus).1;
    let data = names.into_iter().enumerate().map(|(at, name)| Data {
        name,
        licence: args.licence.get(at).cloned().unwrap_or_else(|| "not stated".into()),
    });
    SpeakerCard {
        sources: args.sources.clone(),
        method: args.method.name().into(),
        data: data.collect(),
        languages: dataset.parts(By::Language).1,
        figures,
        seed: args.seed,
        created_by: concat!("awaaz ", env!("CARGO_PKG_VERSION")).into(),
    }
}

/// How features are standardised, and the projection, trained on `dataset`, of which some speakers may have no clips.
fn fit(
    dataset: &Dataset,
    options: &LaspaOptions,
    stop: &Stop,
    tell: &mut (dyn FnMut(usize, &Losses) + Send),
) -> Result<(Moments, Projection)> {
    let standardiser = Standardiser::fit(dataset, By::All);
    let moments = standardiser.moments("all").cloned();
    let moments = moments.ok_or_else(|| Error::Setting("there are no clips".into()))?;
    let standard = standardiser.apply(dataset)?;
    let projection = laspa::train(&standard, options, |epoch, losses| {
        if stop.is_requested() {
            return Err(Error::Interrupted);
        }
        tell(epoch, losses);
        Ok(())
    })?;
    Ok((moments, projection))
}

/// What makes features of clips, and keeps them.
struct Features<'a> {
    args: &'a SpeakerArgs,
    threads: &'a Threads,
    stop: &'a Stop,
    networks: SpeakerFeatures,
    identifier: Option<Arc<dyn LanguageIdentifier>>,
    folder: PathBuf,
}

/// Changes with what features are.
const FORMAT: &str = "awaaz speaker features, format 1";
/// Clips between two lines on how far a run is.
const CLIPS_A_LINE: usize = 100;

impl<'a> Features<'a> {
    fn open(args: &'a SpeakerArgs, threads: &'a Threads, stop: &'a Stop) -> Result<Self> {
        let mut identity = FORMAT.to_owned();
        for source in &args.sources {
            let model = ModelArgs::named(&source.model, Precision::F32);
            identity += &format!("\n{source} {}", model.identity(Precision::F32, Talk::Stderr, stop)?);
        }
        let digest = text_digest(&identity).to_string();
        let identifier = match &args.identify {
            Some(model) => {
                let model = ModelArgs::named(model, Precision::F32);
                Some(model.load_identifier(Precision::F32, Talk::Stderr, stop)?)
            }
            None => None,
        };
        Ok(Self {
            networks: threads.run(|| SpeakerFeatures::open(&args.sources, Precision::F32))?,
            folder: PullOptions::from_env()?.cache.join("features").join(&digest[..16]),
            identifier,
            args,
            threads,
            stop,
        })
    }

    /// All clips, each labelled with its speaker.
    fn dataset(&self, progress: &mut Progress) -> Result<Dataset> {
        let (mut features, mut examples) = (Vec::new(), Vec::new());
        let mut speakers: Vec<(String, String)> = Vec::new();
        for (number, path) in self.args.data.iter().enumerate() {
            let corpus = corpus_name(path, &self.args.data);
            let records = records(path)?;
            for (done, record) in records.iter().enumerate() {
                if self.stop.is_requested() {
                    return Err(Error::Interrupted);
                }
                if done > 0 && done % CLIPS_A_LINE == 0 {
                    progress.say(&format!("{corpus}: features of {done} of {} clips", records.len()));
                }
                let Some(speaker) = &record.speaker else {
                    return Err(Error::corpus(path, format!("nobody can tell who speaks in {}", record.id)));
                };
                let speaker = (corpus.clone(), speaker.clone());
                let label = speakers.iter().position(|known| *known == speaker).unwrap_or(speakers.len());
                if label == speakers.len() {
                    speakers.push(speaker.clone());
                }
                features.extend(self.of(record)?);
                let language = self.language(record, number)?;
                examples.push(Example { label, group: speaker.1, corpus: corpus.clone(), language });
            }
        }
        Dataset::new(features, self.networks.width(), speakers.len(), examples)
    }

    fn of(&self, record: &Record) -> Result<Vec<f32>> {
        let kept = kept_at(&self.folder, record);
        if let Some(values) = kept.as_ref().and_then(|path| read_values(path, Some(self.networks.width()))) {
            return Ok(values);
        }
        let samples = record.samples()?;
        let values = self.threads.run(|| self.networks.of(&samples))?;
        if let Some(path) = kept {
            keep(&path, &values)?;
        }
        Ok(values)
    }

    /// What is spoken: as the corpus says, or the user, or the identifier.
    fn language(&self, record: &Record, corpus: usize) -> Result<String> {
        if let Some(known) = record.language.as_ref().or(self.args.languages.get(corpus)) {
            return Ok(known.clone());
        }
        let Some(identifier) = &self.identifier else { return Ok("unknown".into()) };
        let likely = identifier.identify(&record.samples()?)?.into_iter().next();
        Ok(likely.map_or_else(|| "unknown".into(), |language| language.code))
    }
}

/// The name of a corpus: that of its folder or file, or all of its path where two have one name.
fn corpus_name(path: &Path, all: &[PathBuf]) -> String {
    let name = |path: &Path| path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    match all.iter().filter(|other| name(other) == name(path)).count() {
        1 => name(path),
        _ => path.display().to_string(),
    }
}

/// The clips of a corpus of a known layout, or of folders of speakers.
pub(in crate::cli) fn records(path: &Path) -> Result<Vec<Record>> {
    match Layout::detect(path) {
        Ok(layout) => layout.read(path)?.collect(),
        Err(Error::Corpus { .. }) if path.is_dir() => read_speakers(path),
        Err(error) => Err(error),
    }
}
