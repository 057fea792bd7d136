//! `awaaz text`: how abusive written text is, and why.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;

use super::Exit;
use super::model_args::open_text_head;
use super::models::pull_listener;
use super::stop::Stop;
use super::values::{count, unit_interval};
use crate::compute::Threads;
use crate::text::classifier::Evidence;
use crate::text::lexicon::{Hit, Spelling};
use crate::text::{Judged, Lexicon, NormalText, TextHead, normalise};
use crate::weights::PullOptions;
use crate::{Error, Result};

const AFTER_HELP: &str = "\
Examples:
  awaaz text comments.txt --head abuse.safetensors
  awaaz text comments.txt --lexicon words.csv slurs.txt         word lists alone
  awaaz text comments.txt --head OWNER/NAME                       a transformer of the Hugging Face hub
  tail -f chat.log | awaaz text - --head abuse.safetensors --lexicon hindi.txt

A line of text in, an object of JSON out: probability (of the head) and abusive (whether that is at or above the
threshold), labels (of a transformer, with the probability of each), words (those that speak most for it, with what each adds to the logit; not of a transformer) and hits (terms of the word lists, with
category, severity and language, and whether they are spelled so or sound so in another script). Spans are bytes of the
line.

A word list has a word or phrase a line, or is CSV with the columns term,category,severity,language; severity is from 1 to
5. `awaaz train text` makes heads.";

/// Tell how abusive lines of text are, and why.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct TextArgs {
    /// A file of text, or - for stdin.
    #[arg(value_name = "FILE")]
    input: PathBuf,
    /// The classifier: `abuse`, which is built in, a file of `awaaz train text`, or the folder, or OWNER/NAME on the Hugging Face
    /// hub, of a transformer that sorts texts into classes (XLM-R, RoBERTa, BERT).
    #[arg(long, value_name = "FILE|NAME", required_unless_present = "lexicon")]
    head: Option<PathBuf>,
    /// Word lists.
    #[arg(long, value_name = "FILES", num_args = 1..)]
    lexicon: Vec<PathBuf>,
    /// Probability from which a text is taken for abusive [default: the best on validation data].
    #[arg(long, value_name = "P", value_parser = unit_interval, requires = "head")]
    threshold: Option<f32>,
    /// Words to tell of at most.
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = count::<0, 1000>)]
    words: usize,
}

/// What is told of a line.
#[derive(Serialize)]
struct Report<'a> {
    line: usize,
    text: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    probability: Option<f32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    abusive: Option<bool>,
    /// Of a transformer.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    labels: BTreeMap<String, f32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    words: Option<Vec<Word<'a>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hits: Option<Vec<Found<'a>>>,
}

#[derive(Serialize)]
struct Word<'a> {
    start: usize,
    end: usize,
    text: &'a str,
    weight: f32,
}

#[derive(Serialize)]
struct Found<'a> {
    start: usize,
    end: usize,
    text: &'a str,
    spelling: Spelling,
    #[serde(flatten)]
    entry: &'a crate::text::lexicon::Entry,
}

/// What looks at lines.
struct Judge {
    head: Option<Box<dyn TextHead>>,
    lexicon: Option<Lexicon>,
    threshold: Option<f32>,
    words: usize,
}

/// Runs the subcommand.
///
/// # Errors
/// Those of the files; [`Error::Interrupted`].
pub fn run(args: &TextArgs) -> Result<Exit> {
    let stop = Stop::on_signals()?;
    let judge = Judge {
        head: args.head.as_deref().map(|name| open(name, &stop)).transpose()?,
        lexicon: (!args.lexicon.is_empty()).then(|| Lexicon::read(&args.lexicon)).transpose()?,
        threshold: args.threshold,
        words: args.words,
    };
    let mut out = io::stdout().lock();
    for (at, line) in lines(&args.input)?.enumerate() {
        if stop.is_requested() {
            return Err(Error::Interrupted);
        }
        let line = line.map_err(|error| Error::io(&args.input, error))?;
        let text = String::from_utf8_lossy(&line);
        let text = text.strip_suffix('\r').unwrap_or(&text);
        let report = judge.report(at + 1, text)?;
        let json = serde_json::to_string(&report).map_err(|error| Error::io("stdout", error.into()))?;
        // Each at once: the reader may be waiting for it.
        writeln!(out, "{json}").and_then(|()| out.flush()).map_err(|error| Error::io("stdout", error))?;
    }
    Ok(Exit::Success)
}

fn open(name: &Path, stop: &Stop) -> Result<Box<dyn TextHead>> {
    let options = PullOptions { stop: stop.flag(), listener: pull_listener(), ..PullOptions::from_env()? };
    open_text_head(name, &options, || Threads::new(0))
}

fn lines(input: &Path) -> Result<Box<dyn Iterator<Item = io::Result<Vec<u8>>>>> {
    if input == Path::new("-") {
        return Ok(Box::new(BufReader::new(io::stdin()).split(b'\n')));
    }
    let file = File::open(input).map_err(|error| Error::io(input, error))?;
    Ok(Box::new(BufReader::new(file).split(b'\n')))
}

impl Judge {
    fn report<'a>(&'a self, line: usize, text: &'a str) -> Result<Report<'a>> {
        let normal = normalise(text);
        let judged =
            self.head.as_ref().map(|head| head.judge(text, &normal)).transpose()?.unwrap_or_default();
        let Judged { abuse: probability, labels } = judged;
        let abusive = self.head.as_ref().zip(probability).map(|(head, probability)| match self.threshold {
            Some(threshold) => probability >= threshold,
            None => head.is_abusive(probability),
        });
        let words = self.head.as_ref().and_then(|head| head.explain(&normal, self.words));
        let words = words.map(|words| words.into_iter().map(|word| told(word, text)).collect());
        let hits = self.lexicon.as_ref().map(|lexicon| hits(lexicon, &normal, text));
        Ok(Report { line, text, probability, abusive, labels: labels.into_iter().collect(), words, hits })
    }
}

fn told(Evidence { span, weight }: Evidence, text: &str) -> Word<'_> {
    Word { start: span.start, end: span.end, text: &text[span], weight }
}

fn hits<'a>(lexicon: &'a Lexicon, normal: &NormalText, text: &'a str) -> Vec<Found<'a>> {
    let found = |Hit { span, entry, spelling }: Hit<'a>| Found {
        start: span.start,
        end: span.end,
        text: &text[span],
        spelling,
        entry,
    };
    lexicon.find_in(normal).into_iter().map(found).collect()
}
