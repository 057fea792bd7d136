//! `awaaz bench text`: how well abuse is told in text, of languages that were learnt and of others.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::PathBuf;
use std::time::Instant;

use clap::Args;
use serde::Serialize;

use crate::cli::Exit;
use crate::cli::stop::Stop;
use crate::cli::text_args::{FeatureArgs, LabelArgs, LearnArgs};
use crate::output::write_whole;
use crate::score::bootstrap::{Bootstrap, Interval};
use crate::text::dataset::{Example, Part, Table};
use crate::text::figures::Counts;
use crate::text::train::{TrainOptions, counts, languages, train};
use crate::text::{Letters, TextClassifier};
use crate::{Error, Result};

const AFTER_HELP: &str = "\
Examples:
  awaaz bench text --data macd/
  awaaz bench text --data macd/ --out text.json > text.md
  awaaz bench text --data macd/ --part validation --ngrams 2-6 --cost 2     to choose settings
  awaaz bench text --data macd/ uli/testing/ --head abuse.safetensors       a classifier that is there

The folder has a table for each part of each language, named as those of MACD: hindi_train.csv, hindi_val.csv,
hindi_test.csv. For each language it tells the macro-F1 of a classifier of that language alone, of one of all languages,
and of those that were trained on all others, zero-shot: with letters as they are written, as they sound in Latin letters,
and with both; with the interval of 95 % of 1000 draws of the texts. Temperatures and thresholds are found on validation data
of the languages that were learnt. With --head nothing is learnt: that classifier is measured on each of the data.";

/// Tell how well abuse is told in text, also of languages that were not learnt.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct TextArgs {
    /// A folder of tables of labelled texts; with --head, several.
    #[arg(long, required = true, num_args = 1.., value_name = "DIR")]
    data: Vec<PathBuf>,
    /// Measure this classifier.
    #[arg(long, value_name = "FILE")]
    head: Option<PathBuf>,
    /// Write the figures as JSON, too.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// The part to measure on; use test once, when all is chosen.
    #[arg(long, value_name = "PART", default_value = "test")]
    part: Measured,
    #[command(flatten)]
    labels: LabelArgs,
    #[command(flatten)]
    features: FeatureArgs,
    #[command(flatten)]
    learn: LearnArgs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Measured {
    /// What settings may be chosen by.
    Validation,
    /// What nothing was chosen by.
    Test,
}

#[derive(Serialize)]
struct Figures {
    options: TrainOptions,
    /// By what was learnt.
    systems: Vec<System>,
    /// Bytes of the file of all languages.
    bytes: usize,
    /// Microseconds that it takes for a text: the mean over all texts, on one thread.
    microseconds: f64,
}

#[derive(Serialize)]
struct System {
    name: &'static str,
    languages: BTreeMap<String, Figure>,
}

#[derive(Serialize)]
struct Figure {
    macro_f1: f64,
    /// Between what it lies: 95 % of 1000 draws of the texts.
    macro_f1_low: f64,
    macro_f1_high: f64,
    accuracy: f64,
    #[serde(flatten)]
    counts: Counts,
}

/// The texts, by part.
struct Bench<'a> {
    training: Vec<Example>,
    validation: Vec<Example>,
    measured: Vec<Example>,
    options: TrainOptions,
    stop: &'a Stop,
}

/// Which languages are learnt for one that is measured.
#[derive(Clone, Copy)]
enum Learnt {
    It,
    Others,
}

/// Runs the subcommand.
///
/// # Errors
/// Those of the data, the settings and the output; [`Error::Interrupted`].
pub fn run(args: &TextArgs) -> Result<Exit> {
    let stop = Stop::on_signals()?;
    if let Some(head) = &args.head {
        return measure(args, &TextClassifier::open(head)?);
    }
    if args.data.len() > 1 {
        return Err(Error::Setting(
            "--data: give one folder to learn from, or --head to measure on several".into(),
        ));
    }
    let bench = Bench::read(args, &stop)?;
    let own = bench.options.features.letters;
    let all = bench.train(&|_| true, own)?;
    let microseconds = microseconds(&all, &bench.measured);
    let systems = vec![
        bench.system("one language", Learnt::It, own)?,
        bench.system_of("all languages", &all)?,
        bench.system("zero-shot, as written", Learnt::Others, Letters::Own)?,
        bench.system("zero-shot, Latin", Learnt::Others, Letters::Latin)?,
        bench.system("zero-shot, both", Learnt::Others, Letters::Both)?,
    ];
    let figures =
        Figures { options: bench.options.clone(), systems, bytes: all.to_bytes()?.len(), microseconds };
    if let Some(path) = &args.out {
        let json = serde_json::to_string_pretty(&figures).map_err(|error| Error::io(path, error.into()))?;
        write_whole(path, (json + "\n").as_bytes())?;
    }
    io::stdout().write_all(figures.table().as_bytes()).map_err(|error| Error::io("stdout", error))?;
    Ok(Exit::Success)
}

/// Tells what `head` scores on each of the data.
fn measure(args: &TextArgs, head: &TextClassifier) -> Result<Exit> {
    let mut out =
        "| data | language | texts | abusive | macro-F1 | accuracy |\n|---|---|---|---|---|---|\n".to_owned();
    for path in &args.data {
        let mut examples = Vec::new();
        for table in Table::all_at(path)? {
            if args.part.is(table.part) {
                examples.extend(args.labels.read(&table)?);
            }
        }
        if examples.is_empty() {
            return Err(Error::corpus(path, "there is no text of the part that is measured; see --part"));
        }
        let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
        for language in languages(&examples) {
            let counts = counts(head, &among(&examples, &|other| other == language));
            let abusive = counts.hits + counts.misses;
            let (texts, accuracy) = (counts.total(), counts.accuracy());
            let Interval { value, low, high } = counts.macro_f1_interval(&Bootstrap::default())?;
            let f1 = format!("{value:.3} ({low:.3}-{high:.3})");
            out += &format!("| {name} | {language} | {texts} | {abusive} | {f1} | {accuracy:.3} |\n");
        }
    }
    io::stdout().write_all(out.as_bytes()).map_err(|error| Error::io("stdout", error))?;
    Ok(Exit::Success)
}

impl Measured {
    /// Whether a table that is of `part` is measured on; one that tells none is.
    fn is(self, part: Option<Part>) -> bool {
        match self {
            Self::Validation => part == Some(Part::Validation),
            Self::Test => matches!(part, Some(Part::Test) | None),
        }
    }
}

impl<'a> Bench<'a> {
    fn read(args: &TextArgs, stop: &'a Stop) -> Result<Self> {
        let (mut training, mut validation, mut test) = (Vec::new(), Vec::new(), Vec::new());
        for table in Table::all_at(&args.data[0])? {
            let examples = args.labels.read(&table)?;
            match table.part {
                Some(Part::Training) => training.extend(examples),
                Some(Part::Validation) => validation.extend(examples),
                Some(Part::Test) => test.extend(examples),
                None => {}
            }
        }
        let measured = match args.part {
            Measured::Validation => validation.clone(),
            Measured::Test => test,
        };
        if measured.is_empty() || training.is_empty() {
            let reason = "expected tables such as hindi_train.csv, hindi_val.csv and hindi_test.csv, with texts in them";
            return Err(Error::corpus(&args.data[0], reason));
        }
        let options = args.learn.options(args.features.options()?);
        Ok(Self { training, validation, measured, options, stop })
    }

    /// A classifier of the languages that `is_learnt` holds for.
    fn train(&self, is_learnt: &dyn Fn(&str) -> bool, letters: Letters) -> Result<TextClassifier> {
        let mut options = self.options.clone();
        options.features.letters = letters;
        let [training, validation] = [&self.training, &self.validation].map(|texts| among(texts, is_learnt));
        train(&training, &validation, &options, &mut |_| match self.stop.is_requested() {
            true => Err(Error::Interrupted),
            false => Ok(()),
        })
    }

    /// What classifiers of `learnt` score in each language.
    fn system(&self, name: &'static str, learnt: Learnt, letters: Letters) -> Result<System> {
        let all = languages(&self.measured);
        if let (Learnt::Others, [_]) = (learnt, &all[..]) {
            return Ok(System { name, languages: BTreeMap::new() });
        }
        let mut found = BTreeMap::new();
        for language in all {
            let started = Instant::now();
            let is_learnt = |other: &str| match learnt {
                Learnt::It => other == language,
                Learnt::Others => other != language,
            };
            let classifier = self.train(&is_learnt, letters)?;
            let figure = self.figure(&classifier, &language)?;
            let took = started.elapsed().as_secs_f64();
            eprintln!("{name}, {language}: {:.3} in {took:.0} s", figure.macro_f1);
            found.insert(language, figure);
        }
        Ok(System { name, languages: found })
    }

    /// What one classifier scores in each language.
    fn system_of(&self, name: &'static str, classifier: &TextClassifier) -> Result<System> {
        let figure = |language: String| Ok((language.clone(), self.figure(classifier, &language)?));
        let languages = languages(&self.measured).into_iter().map(figure).collect::<Result<_>>()?;
        Ok(System { name, languages })
    }

    fn figure(&self, classifier: &TextClassifier, language: &str) -> Result<Figure> {
        let counts = counts(classifier, &among(&self.measured, &|other| other == language));
        let Interval { value, low, high } = counts.macro_f1_interval(&Bootstrap::default())?;
        let accuracy = counts.accuracy();
        Ok(Figure { macro_f1: value, macro_f1_low: low, macro_f1_high: high, accuracy, counts })
    }
}

fn among(examples: &[Example], is_of: &dyn Fn(&str) -> bool) -> Vec<Example> {
    examples.iter().filter(|example| is_of(&example.language)).cloned().collect()
}

/// The mean time for a text.
fn microseconds(classifier: &TextClassifier, examples: &[Example]) -> f64 {
    let started = Instant::now();
    for example in examples {
        std::hint::black_box(classifier.probability(&example.text));
    }
    started.elapsed().as_secs_f64() * 1e6 / examples.len() as f64
}

impl Figures {
    /// In Markdown.
    fn table(&self) -> String {
        let languages: Vec<&String> = self.systems[0].languages.keys().collect();
        let head: String = languages.iter().map(|language| format!(" {language} |")).collect();
        let mut out = format!("| macro-F1 |{head} mean |\n|---|{}\n", "---|".repeat(languages.len() + 1));
        for System { name, languages } in self.systems.iter().filter(|system| !system.languages.is_empty()) {
            let scores: Vec<f64> = languages.values().map(|figure| figure.macro_f1).collect();
            let cell = |figure: &Figure| {
                format!(" {:.3} ({:.3}-{:.3}) |", figure.macro_f1, figure.macro_f1_low, figure.macro_f1_high)
            };
            let cells: String = languages.values().map(cell).collect();
            let mean = scores.iter().sum::<f64>() / scores.len() as f64;
            out += &format!("| {name} |{cells} {mean:.3} |\n");
        }
        let megabytes = self.bytes as f64 / 1e6;
        out + &format!(
            "\nAll languages: {megabytes:.2} MB, {:.0} µs a text on one thread.\n",
            self.microseconds
        )
    }
}
