//! `awaaz train emotion` and `awaaz train abuse`: heads from labelled clips.

use std::path::PathBuf;

use clap::Args;

use crate::cli::Exit;
use crate::cli::clip_features::{ClipFeatureArgs, ClipFeatures, Corpus, Kind, pooling};
use crate::cli::probe_args::{Fitting, Probe, ProbeArgs};
use crate::cli::scale::{Scale, moments};
use crate::cli::stop::Stop;
use crate::corpus::datasets::Classes;
use crate::dsp::pool::Pool;
use crate::learn::calibrate::{calibration_error, temperature};
use crate::learn::folds::{Fold, Order, stratified};
use crate::learn::head::{ATTENTION, Card, Data, Head, Model};
use crate::learn::standardise::Moments;
use crate::learn::{Attention, AttentionOptions, By, Clips, Dataset};
use crate::output::Progress;
use crate::score::bootstrap::Bootstrap;
use crate::score::classification::Confusion;
use crate::{Error, Result};

const AFTER_HELP: &str = "\
Examples:
  awaaz train emotion --data urdu/ emodb/ emovo/ ravdess/ --out emotion.safetensors
  awaaz train emotion --data ravdess/ --licence \"CC BY-NC-SA 4.0\" --model facebook/wav2vec2-xls-r-300m --layers 6-12 --out e.safetensors
  awaaz train abuse --data ADIMA/ --least-seconds 15 --out abuse.safetensors
  awaaz train emotion --data labels.csv --features egemaps --probe svm --out e.safetensors
  awaaz train emotion --data urdu/ --layers 0-6 --probe layer-mix --out e.safetensors
  awaaz train emotion --data urdu/ --layers 2 --pool attention --out e.safetensors

Data are folders of ADIMA, URDU, EMO-DB, SAVEE, EMOVO or RAVDESS as they are given out, or a manifest.csv or .jsonl of
path,label,speaker,language. Emotions are anger, happiness, neutral and sadness; others are left out. Features are computed
once and kept: a run that was stopped goes on where it was. Figures come from folds that are apart by speakers, each scored
by a head that never heard them, and are in the head's card; the head that is written has heard all. The same data and seed
give the same file to the byte.";

/// Train a head from labelled clips.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct ClipArgs {
    /// Corpora: folders, or manifests.
    #[arg(long, required = true, num_args = 1.., value_name = "DIR")]
    data: Vec<PathBuf>,
    /// Where the head is written.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// The licence of each corpus in turn, for the head's card.
    #[arg(long, value_name = "NAME")]
    licence: Vec<String>,
    /// What is heard.
    #[arg(long, value_name = "WHAT", default_value = "encoder", help_heading = "Features")]
    features: Kind,
    #[command(flatten)]
    clips: ClipFeatureArgs,
    /// How frames become one vector: mean, l2-mean or mean-std; or attention, which learns how much each frame counts.
    #[arg(long, value_name = "POOL", default_value = "mean-std", value_parser = pooled, help_heading = "Features")]
    pool: Pool,
    /// The classifier.
    #[arg(long, value_name = "NAME", default_value = "logistic", help_heading = "Learning")]
    probe: Probe,
    #[command(flatten)]
    learn: ProbeArgs,
    /// What has a scale of its own in training. The head brings what it hears to the scale of all together.
    #[arg(long, value_name = "WHAT", default_value = "all", help_heading = "Learning")]
    standardise: Scale,
    /// Folds, apart by speakers.
    #[arg(long, value_name = "N", default_value_t = 5, help_heading = "Learning")]
    folds: usize,
    /// Seed of the folds.
    #[arg(long, value_name = "N", default_value_t = 0, help_heading = "Learning")]
    seed: u64,
    /// Tell of errors alone.
    #[arg(long, short)]
    quiet: bool,
}

/// Runs the subcommand for `classes`, which the head's card calls `task`.
///
/// # Errors
/// Those of the data, the model and the settings; [`Error::Interrupted`].
pub fn run(args: &ClipArgs, task: &str, classes: Classes) -> Result<Exit> {
    let stop = Stop::on_signals()?;
    let mut progress = if args.quiet { Progress::on_stderr().quietly() } else { Progress::on_stderr() };
    if args.licence.len() > args.data.len() {
        return Err(Error::Setting("there are more licences than corpora".into()));
    }
    let corpora = args.data.iter().map(|path| Corpus::read(path)).collect::<Result<Vec<_>>>()?;
    let features = ClipFeatures::open(&args.clips, args.features, args.pool, &stop)?;
    let (source, dataset) = Source::of(args, &features, &corpora, classes, &mut progress)?;
    let speakers = dataset.parts(By::Group).1.len();
    progress.say(&format!("{} clips of {speakers} speakers, {} features", dataset.rows(), features.width()));
    let scored = score(args, &source, &dataset, &stop)?;
    let mut card = features.described(Card::new(task, classes.names().iter().copied()));
    card.seed = args.seed;
    card.data = corpora
        .iter()
        .enumerate()
        .map(|(at, corpus)| Data {
            name: corpus.name.clone(),
            licence: args.licence.get(at).cloned().unwrap_or_else(|| "not stated".into()),
        })
        .collect();
    card.figures = scored.figures;
    let (model, moments) = source.fit(&dataset, args)?;
    let head = Head::new(card, Some(moments), model)?.with_temperature(scored.temperature)?;
    head.save(&args.out)?;
    progress.say(&format!("{}wrote {}", scored.told, args.out.display()));
    Ok(Exit::Success)
}

/// How frames become one vector: by a fixed rule, or by what is learnt ([`Pool::None`]).
fn pooled(name: &str) -> std::result::Result<Pool, String> {
    if name == ATTENTION {
        Ok(Pool::None)
    } else {
        pooling(name).map_err(|told| format!("{told}; or {ATTENTION}"))
    }
}

/// What heads are fitted to.
enum Source {
    /// One vector of each clip.
    Vectors(Fitting),
    /// The frames of each clip.
    Frames(Clips, AttentionOptions),
}

impl Source {
    fn of(
        args: &ClipArgs,
        features: &ClipFeatures<'_>,
        corpora: &[Corpus],
        classes: Classes,
        progress: &mut Progress,
    ) -> Result<(Self, Dataset)> {
        if args.pool != Pool::None {
            let fitting = args.learn.fitting(args.probe, features.layers());
            return Ok((Self::Vectors(fitting), features.dataset(corpora, classes, progress)?));
        }
        if args.features != Kind::Encoder || args.probe != Probe::Logistic || args.standardise != Scale::All {
            return Err(Error::Setting(
                "--pool attention learns of an encoder's frames with a classifier and a scale of its own; leave --features, \
                 --probe and --standardise as they are"
                    .into(),
            ));
        }
        let (clips, dataset) = features.clips(corpora, classes, progress)?;
        let usual = AttentionOptions::of(features.layers());
        let options = AttentionOptions {
            c: args.learn.cost.unwrap_or(usual.c),
            class_weights: args.learn.class_weights.into(),
            ..usual
        };
        Ok((Self::Frames(clips, options), dataset))
    }

    /// A classifier, and the scale that it brings features to.
    fn fit(&self, dataset: &Dataset, args: &ClipArgs) -> Result<(Model, Moments)> {
        match self {
            Self::Vectors(fitting) => {
                Ok((fitting.fit(&args.standardise.apply(dataset)?, args.seed)?, moments(dataset)?))
            }
            Self::Frames(clips, options) => {
                let numbers: Vec<usize> = dataset.features().map(|row| row[0] as usize).collect();
                let moments = clips.moments(&numbers);
                let fitted = Attention::fit(clips, dataset, &moments, options)?;
                Ok((Model::Attention(fitted), moments))
            }
        }
    }

    /// What a head is given of a row of the data.
    fn values<'a>(&'a self, row: &'a [f32]) -> &'a [f32] {
        match self {
            Self::Vectors(_) => row,
            Self::Frames(clips, _) => clips.frames(row[0] as usize),
        }
    }
}

/// What heads that never heard a speaker say of them.
struct Scored {
    figures: std::collections::BTreeMap<String, f64>,
    temperature: f64,
    told: String,
}

fn score(args: &ClipArgs, source: &Source, dataset: &Dataset, stop: &Stop) -> Result<Scored> {
    let folds = stratified(dataset, args.folds, Order::Shuffled(args.seed))?;
    let mut logits: Vec<(usize, Vec<f64>)> = Vec::with_capacity(dataset.rows());
    for Fold { train, test } in &folds {
        if stop.is_requested() {
            return Err(Error::Interrupted);
        }
        let (model, moments) = source.fit(&dataset.subset(train)?, args)?;
        logits.extend(test.iter().map(|&row| {
            let mut values = source.values(dataset.row(row)).to_vec();
            values.chunks_exact_mut(moments.means.len()).for_each(|frame| moments.apply(frame));
            (row, model.classifier().logits(&values))
        }));
    }
    logits.sort_by_key(|(row, _)| *row);
    let rows: Vec<usize> = logits.iter().map(|(row, _)| *row).collect();
    let labels: Vec<usize> = rows.iter().map(|&row| dataset.labels()[row]).collect();
    let logits: Vec<Vec<f64>> = logits.into_iter().map(|(_, logits)| logits).collect();
    let temperature = temperature(&logits, &labels)?;
    let probabilities: Vec<Vec<f64>> = logits.iter().map(|row| softmax(row, temperature)).collect();
    let predicted: Vec<usize> = probabilities.iter().map(|row| largest(row)).collect();
    let confusion =
        |of: &[usize]| Confusion::new(dataset.classes(), of.iter().map(|&at| (labels[at], predicted[at])));
    let groups = dataset.parts(By::Group).0;
    let uar = |of: &[usize]| confusion(of).map_or(0.0, |confusion| confusion.uar());
    let interval = Bootstrap { seed: args.seed, ..Bootstrap::default() }.of_groups(&groups, uar)?;
    let all = confusion(&(0..rows.len()).collect::<Vec<_>>())?;
    let calibration = calibration_error(&probabilities, &labels, crate::learn::calibrate::BINS)?;
    let mut figures = std::collections::BTreeMap::from([
        ("uar".to_owned(), interval.value),
        ("uar_low".to_owned(), interval.low),
        ("uar_high".to_owned(), interval.high),
        ("accuracy".to_owned(), all.accuracy()),
        ("macro_f1".to_owned(), all.macro_f1()),
        ("calibration_error".to_owned(), calibration),
    ]);
    let mut told = format!(
        "on speakers that were not heard: UAR {:.1} % ({:.1} to {:.1}), accuracy {:.1} %, calibration error {:.3}\n",
        100.0 * interval.value,
        100.0 * interval.low,
        100.0 * interval.high,
        100.0 * all.accuracy(),
        calibration
    );
    let (parts, names) = dataset.parts(By::Corpus);
    if names.len() > 1 {
        for (part, name) in names.iter().enumerate() {
            let of: Vec<usize> = (0..rows.len()).filter(|&at| parts[at] == part).collect();
            figures.insert(format!("uar_{name}"), uar(&of));
            told += &format!("  {name}: {:.1} %\n", 100.0 * uar(&of));
        }
    }
    Ok(Scored { figures, temperature, told })
}

fn softmax(logits: &[f64], temperature: f64) -> Vec<f64> {
    let most = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let exponentials: Vec<f64> = logits.iter().map(|logit| ((logit - most) / temperature).exp()).collect();
    let sum: f64 = exponentials.iter().sum();
    exponentials.into_iter().map(|value| value / sum).collect()
}

fn largest(values: &[f64]) -> usize {
    (0..values.len()).max_by(|&a, &b| values[a].total_cmp(&values[b]).then(b.cmp(&a))).unwrap_or(0)
}
