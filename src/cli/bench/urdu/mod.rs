//! `awaaz bench urdu`: emotions in one language, told by what was learnt from others.

mod figures;
mod html;
mod markdown;

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::Args;

use crate::cli::Exit;
use crate::cli::bench::heads::Forms;
use crate::cli::bench::heads::protocol::Protocol;
use crate::cli::clip_features::{ClipFeatureArgs, ClipFeatures, Corpus, Kind, PoolArgs};
use crate::cli::probe_args::{Probe, ProbeArgs};
use crate::cli::scale::Scale;
use crate::cli::stop::Stop;
use crate::corpus::datasets::{Classes, Layout};
use crate::learn::Dataset;
use crate::output::Progress;
use crate::{Error, Result};

use figures::{Report, System};

const AFTER_HELP: &str = "\
Examples:
  awaaz bench urdu --data corpora/                          folders of URDU, EMO-DB, EMOVO, RAVDESS, SAVEE in it
  awaaz bench urdu --data corpora/ --out report             report.md, report.json and report.html in report/
  awaaz bench urdu --data corpora/ --model facebook/wav2vec2-xls-r-300m --layers 6-12
  awaaz bench urdu --data corpora/ --features egemaps --cost 0.1             the paper's features alone, in a minute

Measures what Latif et al. did in \"Cross lingual speech emotion recognition: Urdu vs. Western languages\" (FIT 2018), with
speakers apart: within each corpus, from one to another in every direction, from all others to one, and with 10 to 80 % of
the corpus that is tested added. eGeMAPS with a linear SVM, as in the paper, stands beside the encoder's features, and both
together. Unweighted average recall (UAR), in percent.";

/// Tell how well emotions are told within and across languages.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct UrduArgs {
    /// A folder of corpora, or the corpora.
    #[arg(long, required = true, num_args = 1.., value_name = "DIR")]
    data: Vec<PathBuf>,
    /// Write report.md, report.json and report.html into this folder.
    #[arg(long, short, value_name = "DIR")]
    out: Option<PathBuf>,
    /// What is heard, in turn; eGeMAPS with a linear SVM.
    #[arg(
        long,
        value_name = "WHAT,...",
        value_delimiter = ',',
        default_value = "egemaps,encoder,both",
        help_heading = "Features"
    )]
    features: Vec<Kind>,
    #[command(flatten)]
    clips: ClipFeatureArgs,
    #[command(flatten)]
    pooled: PoolArgs,
    /// The classifier of the encoder's features.
    #[arg(long, value_name = "NAME", default_value = "logistic", help_heading = "Learning")]
    probe: Probe,
    #[command(flatten)]
    learn: ProbeArgs,
    /// What has a scale of its own: each corpus, and in rows of their own each speaker, of whom no labels are needed.
    #[arg(
        long,
        value_name = "WHAT,...",
        value_delimiter = ',',
        default_value = "corpus,speaker",
        help_heading = "Learning"
    )]
    standardise: Vec<Scale>,
    /// Ways to cut each corpus into folds.
    #[arg(long, value_name = "N", default_value_t = 5, help_heading = "Learning")]
    seeds: u64,
    /// Folds, apart by speakers.
    #[arg(long, value_name = "N", default_value_t = 5, help_heading = "Learning")]
    folds: usize,
    /// Shares of the tested corpus that are added to the others; nothing leaves that out.
    #[arg(
        long,
        value_name = "SHARE,...",
        value_delimiter = ',',
        default_value = "0,0.1,0.2,0.4,0.6,0.8",
        value_parser = share,
        help_heading = "Learning"
    )]
    shares: Vec<Option<f64>>,
    /// Tell of errors alone.
    #[arg(long, short)]
    quiet: bool,
}

/// Runs the subcommand.
///
/// # Errors
/// Those of the data, the model and the settings; [`Error::Interrupted`].
pub fn run(args: &UrduArgs) -> Result<Exit> {
    let stop = Stop::on_signals()?;
    let mut progress = if args.quiet { Progress::on_stderr().quietly() } else { Progress::on_stderr() };
    let corpora = corpora(&args.data)?;
    let shares: Vec<f64> = args.shares.iter().flatten().copied().collect();
    let mut report = Report::new(args.clips.model.model.clone(), args.seeds, args.folds);
    for &kind in &args.features {
        let features = ClipFeatures::open(&args.clips, kind, args.pooled.pool, &stop)?;
        // The paper's.
        let probe = if kind == Kind::Egemaps { Probe::Svm } else { args.probe };
        let fitting = args.learn.fitting(probe, features.layers());
        let protocol = Protocol { seeds: args.seeds, folds: args.folds, fitting: &fitting, stop: &stop };
        for classes in [Classes::Emotion, Classes::Valence] {
            let datasets = corpora
                .iter()
                .map(|corpus| {
                    let one = std::slice::from_ref(corpus);
                    Ok((corpus.name.clone(), features.dataset(one, classes, &mut progress)?))
                })
                .collect::<Result<Vec<_>>>()?;
            for &scale in &args.standardise {
                let name = format!("{}, {}{}", features.name(), probe.name(), told(scale));
                let scaled = match scale {
                    Scale::Speaker => on_scale(scale, &datasets)?,
                    // What each protocol does by itself.
                    _ => datasets.clone(),
                };
                let mut hear = |line: &str| progress.say(&format!("{name}: {line}"));
                report.systems.push(System::measure(&name, classes, &scaled, &protocol, &shares, &mut hear)?);
            }
        }
    }
    let text = markdown::report(&report);
    if let Some(folder) = &args.out {
        let html = html::report(&report)?;
        Forms { report: &report, markdown: &text, html: &html }.write(folder)?;
    }
    io::stdout().write_all(text.as_bytes()).map_err(|error| Error::io("stdout", error))?;
    Ok(Exit::Success)
}

/// A share of a corpus, or nothing where nothing is written.
fn share(text: &str) -> std::result::Result<Option<f64>, String> {
    if text.trim().is_empty() {
        return Ok(None);
    }
    match text.trim().parse() {
        Ok(share) if (0.0..=1.0).contains(&share) => Ok(Some(share)),
        _ => Err("not a share from 0 to 1".into()),
    }
}

fn told(scale: Scale) -> &'static str {
    if scale == Scale::Speaker { scale.told() } else { "" }
}

fn on_scale(scale: Scale, datasets: &[(String, Dataset)]) -> Result<Vec<(String, Dataset)>> {
    datasets.iter().map(|(name, dataset)| Ok((name.clone(), scale.apply(dataset)?))).collect()
}

/// The corpora of emotions at `paths` and in folders that are there.
fn corpora(paths: &[PathBuf]) -> Result<Vec<Corpus>> {
    let emotional = [Layout::Urdu, Layout::EmoDb, Layout::Emovo, Layout::Ravdess, Layout::Savee];
    let mut found: Vec<(usize, Corpus)> = Vec::new();
    for path in paths {
        let inner = fs::read_dir(path).map_err(|error| Error::io(path, error))?;
        let inner = inner.filter_map(|entry| Some(entry.ok()?.path()).filter(|path| path.is_dir()));
        let layout = |path: &Path| Layout::detect(path).ok().filter(|layout| emotional.contains(layout));
        let mut of_path: Vec<(PathBuf, Layout)> =
            inner.filter_map(|inner| layout(&inner).map(|layout| (inner, layout))).collect();
        of_path.sort_by(|(a, _), (b, _)| a.cmp(b));
        // What lies in a folder of one corpus, as URDU's of one emotion, is of the same layout.
        let is_one = of_path
            .first()
            .is_none_or(|(_, first)| of_path.len() > 1 && of_path.iter().all(|(_, l)| l == first));
        if is_one {
            of_path = layout(path).map(|layout| (path.clone(), layout)).into_iter().collect();
        }
        for (path, layout) in of_path {
            let place = emotional.iter().position(|&emotional| emotional == layout).unwrap_or(usize::MAX);
            if found.iter().all(|(other, _)| *other != place) {
                found.push((place, Corpus::read(&path)?));
            }
        }
    }
    found.sort_by_key(|(place, _)| *place);
    if found.len() < 2 {
        let names = emotional.map(|layout| layout.to_string()).join(", ");
        return Err(Error::corpus(
            &paths[0],
            format!("expected at least two corpora of {names}, found {}", found.len()),
        ));
    }
    Ok(found.into_iter().map(|(_, corpus)| corpus).collect())
}
