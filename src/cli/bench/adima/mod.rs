//! `awaaz bench adima`: abuse in the speech of ten languages, told by what was learnt from one, from others, and from few.

mod few_shot;
mod figures;
mod html;
mod markdown;
mod published;

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::Args;

use crate::cli::Exit;
use crate::cli::bench::heads::Forms;
use crate::cli::clip_features::{ClipFeatureArgs, ClipFeatures, Corpus, Kind, pooling};
use crate::cli::probe_args::{Fitting, Probe, ProbeArgs};
use crate::cli::scale::Scale;
use crate::cli::stop::Stop;
use crate::corpus::datasets::{self, Classes};
use crate::dsp::pool::Pool;
use crate::learn::standardise::Standardiser;
use crate::learn::{By, Dataset};
use crate::output::Progress;
use crate::{Error, Result};

use figures::{Report, System};

/// A file beside the data whose first line says that they are made up, and how.
const SYNTHETIC: &str = "SYNTHETIC.txt";

const AFTER_HELP: &str = "\
Examples:
  awaaz bench adima --data ADIMA/                        annotations/ and SC_audio_{Language}/ in it, or Parquet tables
  awaaz bench adima --data ADIMA/ --out report           report.md, report.json and report.html in report/
  awaaz bench adima --data ADIMA/ --model facebook/wav2vec2-xls-r-300m --layers 6-12 --pool mean
  awaaz bench adima --data ADIMA/ --shots 50 --steps 100 --draws 2             a quick look

Official parts: heads learn from train and are scored on test. Per language accuracy and macro-F1: of a head of that language
alone, of one of all others (zero-shot), from each language to each, and of few-shot learners that have learnt from all
others and then get 50 to 200 clips, half of each class: MAML, its first order, ANIL, prototypes, and plain logistic
regression, which they have to beat. The figures that Sharma et al. published (COLING 2025) stand beside them.

Where a file SYNTHETIC.txt lies in the folder, its first line is said in every report: such figures are not of ADIMA.";

/// Tell how well abuse is told by sound within and across languages.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct AdimaArgs {
    /// The folder of ADIMA.
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// Write report.md, report.json and report.html into this folder.
    #[arg(long, short, value_name = "DIR")]
    out: Option<PathBuf>,
    /// What is heard.
    #[arg(long, value_name = "WHAT", default_value = "encoder", help_heading = "Features")]
    features: Kind,
    #[command(flatten)]
    clips: ClipFeatureArgs,
    /// How frames become one vector, in turn: mean, l2-mean, mean-std.
    #[arg(
        long,
        value_name = "POOL,...",
        value_delimiter = ',',
        default_value = "mean,l2-mean",
        value_parser = pooling,
        help_heading = "Features"
    )]
    pool: Vec<Pool>,
    /// The classifier where there is more than a few clips.
    #[arg(long, value_name = "NAME", default_value = "logistic", help_heading = "Learning")]
    probe: Probe,
    #[command(flatten)]
    learn: ProbeArgs,
    /// What has a scale of its own, for which no labels are needed: all clips that are learnt from, or each language.
    #[arg(long, value_name = "WHAT", default_value = "all", help_heading = "Learning")]
    standardise: Scale,
    /// Clips of a language that few-shot learners get, both classes together.
    #[arg(
        long,
        value_name = "N,...",
        value_delimiter = ',',
        default_value = "50,100,150,200",
        help_heading = "Few shots"
    )]
    shots: Vec<usize>,
    /// Draws of these clips.
    #[arg(long, value_name = "N", default_value_t = 5, help_heading = "Few shots")]
    draws: u64,
    /// Steps of learning to learn.
    #[arg(long, value_name = "N", default_value_t = 300, help_heading = "Few shots")]
    steps: usize,
    /// Seed of everything.
    #[arg(long, value_name = "N", default_value_t = 0, help_heading = "Learning")]
    seed: u64,
    /// Tell of errors alone.
    #[arg(long, short)]
    quiet: bool,
}

/// How heads are trained.
struct Settings<'a> {
    fitting: &'a Fitting,
    scale: Scale,
    shots: &'a [usize],
    draws: u64,
    steps: usize,
    seed: u64,
    stop: &'a Stop,
}

/// The official parts.
struct Split {
    /// Those that have clips of both classes in both parts, sorted.
    languages: Vec<String>,
    train: Dataset,
    test: Dataset,
}

/// Runs the subcommand.
///
/// # Errors
/// Those of the data, the model and the settings; [`Error::Interrupted`].
pub fn run(args: &AdimaArgs) -> Result<Exit> {
    let stop = Stop::on_signals()?;
    let mut progress = if args.quiet { Progress::on_stderr().quietly() } else { Progress::on_stderr() };
    check(args)?;
    let corpus = Corpus::read(&args.data)?;
    let mut report: Option<Report> = None;
    // What is not pooled is the same for all poolings.
    let pools = if args.features == Kind::Egemaps { &args.pool[..1] } else { &args.pool[..] };
    for &pool in pools {
        let features = ClipFeatures::open(&args.clips, args.features, pool, &stop)?;
        let split = Split::of(&features, &corpus, &args.data, &mut progress)?;
        let fitting = args.learn.fitting(args.probe, features.layers());
        let settings = Settings {
            fitting: &fitting,
            scale: args.standardise,
            shots: &args.shots,
            draws: args.draws,
            steps: args.steps,
            seed: args.seed,
            stop: &stop,
        };
        let name = format!("{}, {pool}, {}{}", features.name(), args.probe.name(), args.standardise.told());
        let mut hear = |line: &str| progress.say(&format!("{name}: {line}"));
        let system = System::measure(&name, pool.name(), &split, &settings, &mut hear)?;
        let report = match &mut report {
            Some(report) => report,
            none => none.insert(Report::new(
                features.name(),
                synthetic(&args.data)?,
                Classes::Abuse.names(),
                &split,
            )?),
        };
        report.systems.push(system);
    }
    let Some(report) = report else { return Err(Error::Setting("--pool: give one".into())) };
    let text = markdown::report(&report);
    if let Some(folder) = &args.out {
        let html = html::report(&report)?;
        Forms { report: &report, markdown: &text, html: &html }.write(folder)?;
    }
    io::stdout().write_all(text.as_bytes()).map_err(|error| Error::io("stdout", error))?;
    Ok(Exit::Success)
}

fn check(args: &AdimaArgs) -> Result<()> {
    if matches!(args.standardise, Scale::Speaker | Scale::Corpus) {
        let reason = "--standardise: ADIMA is one corpus, whose speakers are not known; give all or language";
        return Err(Error::Setting(reason.into()));
    }
    if args.shots.iter().any(|&shots| shots < 2 || shots % 2 != 0) {
        return Err(Error::Setting("--shots: half of them are of each class; give even numbers".into()));
    }
    if args.draws == 0 {
        return Err(Error::Setting("--draws: give one at least".into()));
    }
    Ok(())
}

/// What the data say of themselves where they are made up.
fn synthetic(folder: &Path) -> Result<Option<String>> {
    let path = folder.join(SYNTHETIC);
    match fs::read_to_string(&path) {
        Ok(text) => Ok(Some(text.lines().next().unwrap_or_default().trim().to_owned())),
        Err(error) if error.kind() == io::ErrorKind::NotFound || !folder.is_dir() => Ok(None),
        Err(error) => Err(Error::io(path, error)),
    }
}

impl Settings<'_> {
    /// Clips to learn from and to be tested with, on one scale.
    fn scaled(&self, train: &Dataset, test: &Dataset) -> Result<(Dataset, Dataset)> {
        if self.scale == Scale::Language {
            return Ok((self.scale.apply(train)?, self.scale.apply(test)?));
        }
        let standard = Standardiser::fit(train, By::All);
        Ok((standard.apply(train)?, standard.apply(test)?))
    }

    fn check(&self) -> Result<()> {
        if self.stop.is_requested() { Err(Error::Interrupted) } else { Ok(()) }
    }
}

impl Split {
    fn of(
        features: &ClipFeatures<'_>,
        corpus: &Corpus,
        path: &Path,
        progress: &mut Progress,
    ) -> Result<Self> {
        let mut part = |split| {
            let part = corpus.part(split);
            features.dataset(std::slice::from_ref(&part), Classes::Abuse, progress)
        };
        let (train, test) = (part(datasets::Split::Train)?, part(datasets::Split::Test)?);
        let whole = |dataset: &Dataset, name: &String| {
            figures::of_language(dataset, name)
                .is_ok_and(|of| of.class_counts().iter().all(|&count| count > 1))
        };
        let mut languages = train.parts(By::Language).1;
        languages.retain(|name| whole(&train, name) && whole(&test, name));
        languages.sort();
        if languages.len() < 2 {
            return Err(Error::corpus(
                path,
                format!(
                    "expected clips of both labels to train and to test with, of two languages at least; found them of {}",
                    languages.len()
                ),
            ));
        }
        let of_these = |dataset: &Dataset| {
            let rows: Vec<usize> = (0..dataset.rows())
                .filter(|&row| languages.contains(&dataset.example(row).language))
                .collect();
            dataset.subset(&rows)
        };
        let (train, test) = (of_these(&train)?, of_these(&test)?);
        Ok(Self { languages, train, test })
    }
}
