//! `awaaz bench abx`: whether features tell phones apart.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use serde::{Deserialize, Serialize};

use crate::cli::Exit;
use crate::cli::values::count;
use crate::output::embeddings::read_embedding;
use crate::score::abx::{AbxOptions, AbxScore, AbxTokens, normalise_over_time, read_items};
use crate::{Error, Result};

const AFTER_HELP: &str = "\
Examples:
  awaaz embed clips/ --model cpc.pt --out features
  awaaz bench abx --features features --item dev-clean.item --normalise

The file says which phones are where, in the format of ZeroSpeech 2017 and Libri-light: a line that begins with #file, then
FILE ONSET OFFSET PHONE PREVIOUS NEXT SPEAKER for each token. FILE is the name of the sound without folder and extension.
0 % is perfect, 50 % is chance.";

/// Tell how well features tell phones apart, by their ABX error.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct AbxArgs {
    /// The folder that `awaaz embed --pool none` wrote, in npy or safetensors.
    #[arg(long, value_name = "DIR")]
    features: PathBuf,
    /// The tokens of phones.
    #[arg(long, value_name = "FILE")]
    item: PathBuf,
    /// Whether the tokens that are compared are of one speaker.
    #[arg(long, value_name = "MODE", default_value = "both")]
    mode: Mode,
    /// Bring the features of each sound to mean 0 and variance 1 over time, as the scores of CPC were measured.
    #[arg(long)]
    normalise: bool,
    /// Tokens of a phone in a context by a speaker at most; of more, as many are drawn.
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = count::<2, 1_000_000>)]
    most_tokens: usize,
    /// Across speakers, speakers that each is compared with at most; of more, as many are drawn.
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = count::<1, 1_000_000>)]
    most_speakers: usize,
    /// Write the scores as JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Mode {
    /// All three of one speaker.
    Within,
    /// X of another speaker than A and B.
    Across,
    /// The one and the other.
    Both,
}

/// What is of use in a line of `embeddings.jsonl`.
#[derive(Deserialize)]
struct Entry {
    source: PathBuf,
    file: PathBuf,
    hop: Option<f64>,
}

#[derive(Serialize)]
struct Scores {
    /// Tokens in the file, and those that there are features of.
    tokens: usize,
    heard: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    within: Option<AbxScore>,
    #[serde(skip_serializing_if = "Option::is_none")]
    across: Option<AbxScore>,
}

/// Runs the subcommand.
///
/// # Errors
/// Those of the files; [`Error::Setting`] where nothing can be compared.
pub fn run(args: &AbxArgs) -> Result<Exit> {
    let items = read_items(&args.item)?;
    let count = items.len();
    let mut tokens = AbxTokens::new(items);
    hear(args, &mut tokens)?;
    let heard = tokens.heard();
    if heard < count {
        eprintln!("{} of {count} tokens have no features", count - heard);
    }
    let options =
        AbxOptions { most_tokens: args.most_tokens, most_speakers: args.most_speakers, ..Default::default() };
    let nothing = |what: &str| {
        let item = args.item.display();
        Error::Setting(format!("{item}: no tokens with features can be compared {what} speakers"))
    };
    let within = match args.mode {
        Mode::Across => None,
        Mode::Within | Mode::Both => Some(tokens.within(&options).ok_or_else(|| nothing("within"))?),
    };
    let across = match args.mode {
        Mode::Within => None,
        Mode::Across | Mode::Both => Some(tokens.across(&options).ok_or_else(|| nothing("across"))?),
    };
    let scores = Scores { tokens: count, heard, within, across };
    let text = match args.json {
        true => serde_json::to_string(&scores).map_err(|error| Error::io("stdout", error.into()))? + "\n",
        false => table(&scores),
    };
    io::stdout().write_all(text.as_bytes()).map_err(|error| Error::io("stdout", error))?;
    Ok(Exit::Success)
}

/// Cuts the tokens from the features of their files.
fn hear(args: &AbxArgs, tokens: &mut AbxTokens) -> Result<()> {
    let wanted: HashSet<String> = tokens.files().map(str::to_owned).collect();
    let mut sources: HashMap<String, PathBuf> = HashMap::new();
    for entry in entries(&args.features)? {
        let stem = entry.source.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        if !wanted.contains(&stem) {
            continue;
        }
        if let Some(other) = sources.insert(stem.clone(), entry.source.clone()) {
            return Err(Error::Setting(format!(
                "{} and {} are both named {stem}; embed them into folders of their own",
                other.display(),
                entry.source.display()
            )));
        }
        let path = args.features.join(&entry.file);
        let hop = entry.hop.ok_or_else(|| {
            Error::model(path.display().to_string(), "has one row for all; embed again with --pool none")
        })?;
        let (mut features, width) = read_embedding(&path)?;
        if args.normalise {
            normalise_over_time(&mut features, width);
        }
        tokens.hear(&stem, &features, width, hop)?;
    }
    Ok(())
}

/// What a folder's journal tells of. A last line that a crash left unfinished is none.
fn entries(folder: &Path) -> Result<Vec<Entry>> {
    let path = folder.join("embeddings.jsonl");
    let text = fs::read_to_string(&path).map_err(|error| Error::io(&path, error))?;
    let whole = text.rfind('\n').map_or(0, |end| end + 1);
    let entry = |(number, line)| {
        serde_json::from_str(line).map_err(|error| {
            let reason = format!("line {} is not what it should be: {error}", number + 1);
            Error::model(path.display().to_string(), reason)
        })
    };
    text[..whole].lines().enumerate().map(entry).collect()
}

fn table(scores: &Scores) -> String {
    let line = |name: &str, score: &Option<AbxScore>| match score {
        Some(AbxScore { error, pairs, groups, triplets }) => {
            let error = 100.0 * error;
            format!("{name:<16} {error:>8.2} {pairs:>12} {groups:>10} {triplets:>12}\n")
        }
        None => String::new(),
    };
    let (heard, tokens) = (scores.heard, scores.tokens);
    format!("{heard} of {tokens} tokens\nspeakers         error, %  phone pairs     groups     triplets\n")
        + &line("within", &scores.within)
        + &line("across", &scores.across)
}
