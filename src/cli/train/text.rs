//! `awaaz train text`: a classifier of abusive text from labelled texts.

use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;

use crate::cli::Exit;
use crate::cli::stop::Stop;
use crate::cli::text_args::{FeatureArgs, LabelArgs, LearnArgs, told};
use crate::output::{Detail, Progress};
use crate::text::TextClassifier;
use crate::text::classifier::{Card, Data};
use crate::text::dataset::{Example, Part, Table};
use crate::text::train::{Pass, languages, train};
use crate::{Error, Result};

const AFTER_HELP: &str = "\
Examples:
  awaaz train text --data macd/ --out abuse.safetensors                    all languages of a folder
  awaaz train text --data macd/ --languages hi,ta --out abuse.safetensors  two of them
  awaaz train text --data mine.csv more.jsonl --licence \"CC BY 4.0\" --out abuse.safetensors
  awaaz train text --data tweets.csv --abusive-labels 0,1 --languages en --out abuse.safetensors
  awaaz train text --data macd/ uli/training/ davidson/ --licence \"not stated\" \"CC BY 4.0\" --out abuse.safetensors
  awaaz text comments.txt --head abuse.safetensors                         use it

Data are tables in CSV with a header, or JSON with an object a line: label and text (or class and tweet), and language
where texts are of several. A table whose name ends in _val or _dev is validated on, one in _test is left alone; of one
whose name tells no part every tenth text is kept to validate on. Labels are 1 or abusive, and 0 or clean; but in tables
of two columns that are named as those of MACD (hindi_train.csv) 0 is abusive. Tables of Uli (several people judged a
text) and of Davidson et al. (labeled_data.csv) are known, too. The same data and seed give the same file to the byte.";

/// Train a classifier of abusive text.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct TextArgs {
    /// Tables of labelled texts, or folders of them.
    #[arg(long, required = true, num_args = 1.., value_name = "FILES")]
    data: Vec<PathBuf>,
    /// Where the classifier is written.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// The licence of each of them in turn, for the classifier's card [default: not stated].
    #[arg(long, value_name = "NAME")]
    licence: Vec<String>,
    #[command(flatten)]
    labels: LabelArgs,
    #[command(flatten)]
    features: FeatureArgs,
    #[command(flatten)]
    learn: LearnArgs,
    /// Tell of errors alone.
    #[arg(long, short)]
    quiet: bool,
}

/// Where a table tells no part, one text of as many is kept to validate on.
const KEPT: usize = 10;

/// Texts to learn from and to validate on, and the files that they are of.
#[derive(Default)]
struct Collected {
    training: Vec<Example>,
    validation: Vec<Example>,
    data: Vec<Data>,
}

/// Runs the subcommand.
///
/// # Errors
/// Those of the data and of the settings; [`Error::Interrupted`].
pub fn run(args: &TextArgs) -> Result<Exit> {
    let stop = Stop::on_signals()?;
    let options = args.learn.options(args.features.options()?);
    let mut progress = Progress::on_stderr();
    if args.quiet {
        progress = Progress::to(std::io::stderr(), Detail::Quiet);
    }
    let Collected { mut training, mut validation, data } = collect(args)?;
    if validation.is_empty() {
        (validation, training) = split(training);
    }
    let count = |examples: &[Example]| told(examples.len(), "text");
    let of = languages(&training).join(", ");
    progress.say(&format!("{} to learn from, {} to validate on: {of}", count(&training), count(&validation)));
    let passes = options.passes;
    let mut hear = |pass: Pass| {
        if stop.is_requested() {
            return Err(Error::Interrupted);
        }
        progress.say(&format!("pass {} of {passes}, slope {:.3}", pass.number, pass.slope));
        Ok(())
    };
    let classifier = train(&training, &validation, &options, &mut hear)?.with_data(data);
    classifier.save(&args.out)?;
    progress.say(&summary(&args.out, &classifier));
    Ok(Exit::Success)
}

fn collect(args: &TextArgs) -> Result<Collected> {
    if args.licence.len() > args.data.len() {
        return Err(Error::Setting("there are more licences than data".into()));
    }
    let mut found = Collected::default();
    for (at, path) in args.data.iter().enumerate() {
        let licence = args.licence.get(at).map_or("not stated", String::as_str);
        for table in Table::all_at(path)? {
            if table.part == Some(Part::Test) {
                continue;
            }
            let examples = args.labels.read(&table)?;
            if examples.is_empty() {
                continue;
            }
            let name = table.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            found.data.push(Data { name, texts: examples.len(), licence: licence.to_owned() });
            match table.part {
                Some(Part::Validation) => found.validation.extend(examples),
                Some(_) => found.training.extend(examples),
                None => {
                    let (kept, others) = split(examples);
                    found.validation.extend(kept);
                    found.training.extend(others);
                }
            }
        }
    }
    if found.training.is_empty() {
        return Err(Error::Setting(format!(
            "there is no text to learn from{}; look at the names of the tables and at --languages",
            args.labels.among()
        )));
    }
    Ok(found)
}

/// Every tenth text, and the others.
fn split(examples: Vec<Example>) -> (Vec<Example>, Vec<Example>) {
    let numbered = examples.into_iter().enumerate();
    let (kept, others): (Vec<_>, Vec<_>) = numbered.partition(|(number, _)| number % KEPT == KEPT - 1);
    let texts = |numbered: Vec<(usize, Example)>| numbered.into_iter().map(|(_, example)| example).collect();
    (texts(kept), texts(others))
}

fn summary(out: &Path, classifier: &TextClassifier) -> String {
    let Card { figures, temperature, threshold, .. } = classifier.card();
    let size = fs::metadata(out).map_or(0.0, |file| file.len() as f64 / 1e6);
    let line = |figure: &crate::text::classifier::Figure| {
        format!("{:<4} {:>8} {:>9.3}\n", figure.language, figure.texts, figure.macro_f1)
    };
    let table: String = figures.iter().map(line).collect();
    format!(
        "on validation data, from the probability {threshold:.3} on, at temperature {temperature:.2}:\n\
         lang    texts  macro-F1\n{table}wrote {}, {size:.1} MB",
        out.display()
    )
}
