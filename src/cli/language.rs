//! `awaaz language`: which languages are spoken in files.

use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use serde::Serialize;

use super::Exit;
use super::input_args::InputArgs;
use super::inputs::{Input, expand};
use super::model_args::{ModelArgs, Talk};
use super::stop::Stop;
use super::values::{count, seconds, unit_interval};
use crate::asr::AudioSource;
use crate::asr::identify::{LanguageIdentifier, LikelyLanguage, mean};
use crate::asr::languages::english_name;
use crate::audio::AudioStream;
use crate::compute::Precision;
use crate::time::SampleIndex;
use crate::vad::{Segmenter, SegmenterOptions, SpeechSegment, VadOptions};
use crate::{Error, Result};

const AFTER_HELP: &str = "\
Examples:
  awaaz language call.wav                                by Whisper base: 99 languages
  awaaz language calls/ --json > languages.jsonl         an object a file
  awaaz language call.wav --segments                     for each stretch of speech
  awaaz language call.wav --model facebook/mms-lid-126   by another model

The speech of a file is found first, silence and music are not asked about; a probability is the mean of those of the
stretches of speech, by their length.

Exit codes: 0 all was heard, 1 nothing was, 2 some was not (or has no speech), 64 wrong arguments, 130 stopped.";

/// Say which languages are spoken.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct LanguageArgs {
    /// Audio or video files, folders (searched for audio), patterns, or - for stdin.
    #[arg(required = true, value_name = "FILES")]
    inputs: Vec<PathBuf>,
    /// Languages told of each file.
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = count::<1, 10_000>, help_heading = "Output")]
    top: usize,
    /// Tell of each stretch of speech, too.
    #[arg(long, help_heading = "Output")]
    segments: bool,
    /// Write JSON, an object a file.
    #[arg(long, help_heading = "Output")]
    json: bool,
    /// Tell of errors alone.
    #[arg(long, short, help_heading = "Output")]
    quiet: bool,
    /// Speech to hear of each file at most, in seconds [default: 60; all with --segments].
    #[arg(long, value_name = "SECONDS", value_parser = seconds, help_heading = "Input")]
    limit: Option<Duration>,
    /// Probability from which a sound is taken for speech.
    #[arg(long, value_name = "P", default_value_t = 0.5, value_parser = unit_interval, help_heading = "Input")]
    vad_threshold: f32,
    #[command(flatten)]
    model: ModelArgs,
    #[command(flatten)]
    input: InputArgs,
}

/// What is told of a file.
#[derive(Serialize)]
struct Report<'a> {
    file: &'a str,
    /// Seconds of speech that were heard.
    speech: f64,
    languages: Vec<Row>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    segments: Vec<SegmentReport>,
}

#[derive(Serialize)]
struct SegmentReport {
    start: f64,
    end: f64,
    languages: Vec<Row>,
}

#[derive(Serialize)]
struct Row {
    language: String,
    name: String,
    probability: f32,
}

/// Runs the subcommand.
///
/// # Errors
/// Those of the settings, of the model and of stdout. Inputs that fail are told of, and the run goes on.
pub fn run(args: &LanguageArgs) -> Result<Exit> {
    let stop = Stop::on_signals()?;
    let talk = if args.quiet { Talk::Quiet } else { Talk::Stderr };
    let identifier = args.model.load_identifier(args.model.precision_or(Precision::F32), talk, &stop)?;
    let (mut done, mut failed) = (0, 0);
    for input in expand(&args.inputs) {
        match input.and_then(|input| one(args, &identifier, &input, &stop)) {
            Ok(()) => done += 1,
            Err(Error::Interrupted) => return Ok(Exit::Interrupted),
            Err(Error::Io { path, source }) if path.as_os_str() == "stdout" => {
                return Err(Error::Io { path, source });
            }
            Err(error @ Error::Setting(_)) => return Err(error),
            Err(error) => {
                failed += 1;
                // Who reads stderr may have gone; the exit code tells all the same.
                let _ = writeln!(io::stderr(), "error: {error}");
            }
        }
    }
    Ok(Exit::of(done, failed))
}

fn one(
    args: &LanguageArgs,
    identifier: &Arc<dyn LanguageIdentifier>,
    input: &Input,
    stop: &Stop,
) -> Result<()> {
    let name = input.path.display().to_string();
    let mut audio = AudioStream::open(input.audio(), &args.input.decode_options()?)?;
    let mut parts = Vec::new();
    let mut segments = Vec::new();
    let mut heard = 0;
    let limit = match args.limit {
        Some(limit) => SampleIndex::from_seconds(limit.as_secs_f64()).0,
        None if args.segments => u64::MAX,
        None => 60 * 16_000,
    };
    each_segment(&mut audio, args.vad_threshold, |segment| {
        if stop.is_requested() {
            return Err(Error::Interrupted);
        }
        let languages = identifier.identify(&segment.samples)?;
        heard += segment.span.len();
        if args.segments {
            segments.push(SegmentReport {
                start: segment.span.start.seconds(),
                end: segment.span.end.seconds(),
                languages: rows(&languages, args.top),
            });
        }
        parts.push((segment.span.seconds(), languages));
        Ok(heard < limit)
    })?;
    if parts.is_empty() {
        return Err(Error::audio(name, "no speech was found"));
    }
    let languages = rows(&mean(&parts), args.top);
    let report = Report { file: &name, speech: SampleIndex(heard).seconds(), languages, segments };
    let text = if args.json { json(&report)? } else { text(&report) };
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(|error| Error::io("stdout", error))
}

/// Calls `use_segment` with each stretch of speech until it says false.
fn each_segment(
    audio: &mut dyn AudioSource,
    threshold: f32,
    mut use_segment: impl FnMut(SpeechSegment) -> Result<bool>,
) -> Result<()> {
    let vad =
        VadOptions { threshold, negative_threshold: (threshold - 0.15).max(0.01), ..VadOptions::default() };
    let mut segmenter = Segmenter::new(&SegmenterOptions { vad, ..SegmenterOptions::default() })?;
    let (mut block, mut segments) = (Vec::new(), Vec::new());
    loop {
        let read = audio.read(&mut block)?;
        match read {
            0 => segmenter.flush(&mut segments),
            _ => segmenter.push(&block, &mut segments),
        }
        for segment in segments.drain(..) {
            if !use_segment(segment)? {
                return Ok(());
            }
        }
        if read == 0 {
            return Ok(());
        }
    }
}

fn rows(languages: &[LikelyLanguage], top: usize) -> Vec<Row> {
    let row = |language: &LikelyLanguage| Row {
        language: language.code.clone(),
        name: english_name(&language.code).to_owned(),
        probability: language.probability,
    };
    languages.iter().take(top).map(row).collect()
}

fn json(report: &Report) -> Result<String> {
    let line = serde_json::to_string(report).map_err(|error| Error::io("stdout", error.into()))?;
    Ok(line + "\n")
}

fn text(report: &Report) -> String {
    let told = |rows: &[Row]| {
        let tell = |row: &Row| match row.name == row.language {
            true => format!("{} {:.1} %", row.language, row.probability * 100.0),
            false => format!("{} ({}) {:.1} %", row.language, row.name, row.probability * 100.0),
        };
        rows.iter().map(tell).collect::<Vec<_>>().join(", ")
    };
    let mut text = format!("{}: {}\n", report.file, told(&report.languages));
    for segment in &report.segments {
        text += &format!("  {:9.2} {:9.2}  {}\n", segment.start, segment.end, told(&segment.languages));
    }
    text
}
