//! `awaaz units`: sound in, discrete units out.

use std::fs;
use std::io::{self, Write};
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use serde::Serialize;

use super::Exit;
use super::input_args::InputArgs;
use super::inputs::{Input, expand};
use super::model_args::{ModelArgs, Talk};
use super::stop::Stop;
use super::unit_args::UnitMaker;
use crate::audio::{AudioStream, DecodeOptions};
use crate::convert::units::{Run, collapse};
use crate::output::embeddings::to_npy_i32;
use crate::output::{Origin, Progress, output_names, pace, write_whole};
use crate::time::SampleIndex;
use crate::{Error, Result};

const AFTER_HELP: &str = "\
Examples:
  awaaz units talk.wav --codebook units.safetensors                       a line of JSON for each sound
  awaaz units talk.wav --codebook units.safetensors --runs                equal neighbours as one, with times
  awaaz units clips/ --codebook units.safetensors --format npy --out units/
  awaaz units clips/ --codebook units.safetensors --out units.jsonl

A line has the id and file of the sound, seconds from one unit to the next (hop) and to the middle of the first (centre),
its length, and units: a number a frame; of a codebook of several parts a list of numbers for each part. With --runs it has
instead runs of [unit, start, end], in seconds. npy has a row of whole numbers for each part. `awaaz train units` makes
codebooks; the encoder must be the one that the codebook is for.

Exit codes: 0 all was done, 1 nothing was, 2 some was not, 64 wrong arguments, 130 stopped.";

/// Write the discrete units of sound.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct UnitsArgs {
    /// Audio or video files, folders (searched for audio), or patterns; - for standard input.
    #[arg(required = true, value_name = "FILES")]
    inputs: Vec<PathBuf>,
    /// The codebook.
    #[arg(long, value_name = "FILE")]
    codebook: PathBuf,
    /// What is written.
    #[arg(long, value_name = "FORMAT", default_value = "jsonl", help_heading = "Output")]
    format: Form,
    /// The file of lines, or the folder of npy files [default: lines to stdout].
    #[arg(long, short, value_name = "PATH", help_heading = "Output")]
    out: Option<PathBuf>,
    /// Equal neighbours as one, with start and end.
    #[arg(long, help_heading = "Output")]
    runs: bool,
    /// Tell of errors alone.
    #[arg(long, short, help_heading = "Output")]
    quiet: bool,
    #[command(flatten)]
    model: ModelArgs,
    #[command(flatten)]
    input: InputArgs,
}

/// The form of what is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Form {
    /// A line of JSON for each sound.
    Jsonl,
    /// A file for each sound, NumPy's.
    Npy,
}

/// A line.
#[derive(Serialize)]
struct Line<'a> {
    id: &'a str,
    source: String,
    hop: f64,
    centre: f64,
    seconds: f64,
    #[serde(flatten)]
    told: Told,
}

/// Units or runs; of one part without a list around it.
#[derive(Serialize)]
#[serde(rename_all = "lowercase")]
enum Told {
    Units(OneOrMore<Vec<u32>>),
    Runs(OneOrMore<Vec<(u32, f64, f64)>>),
}

#[derive(Serialize)]
#[serde(untagged)]
enum OneOrMore<T> {
    One(T),
    More(Vec<T>),
}

impl<T> OneOrMore<T> {
    fn of(mut parts: Vec<T>) -> Self {
        match (parts.len(), parts.pop()) {
            (1, Some(only)) => Self::One(only),
            (_, last) => {
                parts.extend(last);
                Self::More(parts)
            }
        }
    }
}

/// Where it is written.
enum Sink {
    Stdout,
    /// Lines so far; written whole at the end.
    File(PathBuf, String),
    Folder(PathBuf),
}

/// Runs the subcommand.
///
/// # Errors
/// Those of the settings, of the codebook and of the model. Inputs that fail are told of, and the run goes on.
pub fn run(args: &UnitsArgs) -> Result<Exit> {
    let stop = Stop::on_signals()?;
    let mut sink = sink(args)?;
    let talk = if args.quiet { Talk::Quiet } else { Talk::Stderr };
    let mut progress = if args.quiet { Progress::on_stderr().quietly() } else { Progress::on_stderr() };
    let maker = UnitMaker::open(&args.codebook, &args.model, talk, &stop)?;
    let decode = args.input.decode_options()?;
    let (inputs, unusable): (Vec<_>, Vec<_>) = expand(&args.inputs).into_iter().partition(Result::is_ok);
    let inputs: Vec<Input> = inputs.into_iter().flatten().collect();
    let (mut done, mut failed, mut samples) = (0, 0, 0);
    for error in unusable.into_iter().filter_map(Result::err) {
        failed += 1;
        progress.error(&format!("error: {error}"));
    }
    let origins: Vec<Origin> =
        inputs.iter().map(|input| Origin { path: &input.path, relative: &input.relative }).collect();
    let names = output_names(&origins)?;
    let started = std::time::Instant::now();
    for (number, (input, name)) in inputs.iter().zip(&names).enumerate() {
        if stop.is_requested() {
            sink.finish()?;
            return Ok(Exit::Interrupted);
        }
        let id = name.to_string_lossy().replace('\\', "/");
        match sound(input, &decode) {
            Ok(sound) => {
                let units = maker.units(&maker.frames(&sound)?);
                samples += sound.len();
                sink.put(args, &maker, &id, input, sound.len(), units)?;
                done += 1;
                progress.say(&format!("{} of {}: {id}", number + 1, inputs.len()));
            }
            Err(error) => {
                failed += 1;
                progress.error(&format!("error: {error}"));
            }
        }
    }
    sink.finish()?;
    let seconds = SampleIndex(samples as u64).seconds();
    progress.say(&format!("{done} done; {}", pace(seconds, started.elapsed())));
    Ok(Exit::of(done, failed))
}

fn sink(args: &UnitsArgs) -> Result<Sink> {
    match (args.format, &args.out) {
        (Form::Npy, None) => Err(Error::Setting("npy files need a folder: name one by --out".into())),
        (Form::Npy, Some(_)) if args.runs => {
            Err(Error::Setting("npy has units frame by frame; --runs goes with jsonl".into()))
        }
        (Form::Npy, Some(folder)) => {
            fs::create_dir_all(folder).map_err(|error| Error::io(folder, error))?;
            Ok(Sink::Folder(folder.clone()))
        }
        (Form::Jsonl, Some(path)) => Ok(Sink::File(path.clone(), String::new())),
        (Form::Jsonl, None) => Ok(Sink::Stdout),
    }
}

/// A sound that has samples.
fn sound(input: &Input, decode: &DecodeOptions) -> Result<Vec<f32>> {
    let samples = AudioStream::open(input.audio(), decode)?.read_all()?;
    match samples.is_empty() {
        true => Err(Error::audio(input.path.display().to_string(), "has no sound")),
        false => Ok(samples),
    }
}

impl Sink {
    fn put(
        &mut self,
        args: &UnitsArgs,
        maker: &UnitMaker,
        id: &str,
        input: &Input,
        samples: usize,
        units: Vec<Vec<u32>>,
    ) -> Result<()> {
        if let Self::Folder(folder) = self {
            let shape = [units.len(), units.first().map_or(0, Vec::len)];
            let values: Vec<i32> = units.iter().flatten().map(|&unit| unit as i32).collect();
            return write_whole(&folder.join(format!("{id}.npy")), &to_npy_i32(&values, &shape));
        }
        let hop = maker.codebook.hop_seconds();
        let seconds = SampleIndex(samples as u64).seconds();
        let told = match args.runs {
            false => Told::Units(OneOrMore::of(units)),
            true => {
                let runs =
                    |units: &Vec<u32>| collapse(units).iter().map(|run| timed(*run, hop, seconds)).collect();
                Told::Runs(OneOrMore::of(units.iter().map(runs).collect()))
            }
        };
        let centre = SampleIndex(maker.codebook.card().centre as u64).seconds();
        let line = Line { id, source: input.path.display().to_string(), hop, centre, seconds, told };
        let line = serde_json::to_string(&line).map_err(|error| Error::io("stdout", error.into()))?;
        match self {
            Self::File(_, lines) => lines.push_str(&format!("{line}\n")),
            _ => writeln!(io::stdout(), "{line}").map_err(|error| Error::io("stdout", error))?,
        }
        Ok(())
    }

    fn finish(&self) -> Result<()> {
        match self {
            Self::File(path, lines) => write_whole(path, lines.as_bytes()),
            Self::Stdout | Self::Folder(_) => Ok(()),
        }
    }
}

/// A run with its seconds; the last ends with the sound at the latest.
fn timed(run: Run, hop: f64, seconds: f64) -> (u32, f64, f64) {
    let at = |frame: usize| ((frame as f64 * hop).min(seconds) * 1e6).round() / 1e6;
    (run.unit, at(run.start), at(run.end()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_part_needs_no_list_of_parts() {
        let json = |told: Told| serde_json::to_string(&told).unwrap();
        assert_eq!(json(Told::Units(OneOrMore::of(vec![vec![1, 2]]))), r#"{"units":[1,2]}"#);
        assert_eq!(json(Told::Units(OneOrMore::of(vec![vec![1], vec![2]]))), r#"{"units":[[1],[2]]}"#);
        let run = timed(Run { unit: 4, start: 3, frames: 2 }, 0.02, 0.09);
        assert_eq!(json(Told::Runs(OneOrMore::of(vec![vec![run]]))), r#"{"runs":[[4,0.06,0.09]]}"#);
    }
}
