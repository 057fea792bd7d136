//! `awaaz speakers diarize`: who speaks when.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use serde::Serialize;

use super::voices::write_out;
use crate::cli::Exit;
use crate::cli::diarize_args::{DiarizeArgs, Diarizer};
use crate::cli::input_args::InputArgs;
use crate::cli::inputs::{Input, expand};
use crate::cli::model_args::Talk;
use crate::cli::speaker_args::SpeakerModelArgs;
use crate::cli::stop::Stop;
use crate::output::{Origin, Progress, output_names, to_rttm, write_whole};
use crate::speaker::diarize::{Diarization, overlaps};
use crate::time::{SampleIndex, Span};
use crate::{Error, Result};

const AFTER_HELP: &str = "\
Examples:
  awaaz speakers diarize meeting.wav                      who speaks when, a line a turn
  awaaz speakers diarize meeting.wav --rttm > meeting.rttm
  awaaz speakers diarize meetings/ --out rttm             meeting.rttm of each
  awaaz speakers diarize call.wav --speakers 2 --json
  awaaz speakers diarize call.wav --name                  those who are enrolled by name
  awaaz transcribe call.wav --diarize --format srt        what is said, and by whom

A recording is held in memory as a whole. Exit codes: 0 all was heard, 1 nothing was, 2 some was not, 64 wrong arguments,
130 stopped.";

/// Tell who speaks when.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct DiarizeFilesArgs {
    /// Audio or video files, folders (searched for audio), or patterns.
    #[arg(required = true, value_name = "FILES")]
    inputs: Vec<PathBuf>,
    /// The form of what is told.
    #[arg(long, short, value_name = "FORM", default_value = "text", help_heading = "Output")]
    format: Form,
    /// The same as --format rttm.
    #[arg(long, conflicts_with_all = ["format", "json"], help_heading = "Output")]
    rttm: bool,
    /// The same as --format json.
    #[arg(long, conflicts_with = "format", help_heading = "Output")]
    json: bool,
    /// Write a file for each input into this folder, as RTTM where no form is named.
    #[arg(long, short, value_name = "DIR", help_heading = "Output")]
    out: Option<PathBuf>,
    #[command(flatten)]
    diarize: DiarizeArgs,
    #[command(flatten)]
    model: SpeakerModelArgs,
    #[command(flatten)]
    input: InputArgs,
    /// Tell of errors alone.
    #[arg(long, short)]
    quiet: bool,
}

/// The form of what is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Form {
    /// Start, end and speaker, a line a turn.
    Text,
    /// NIST's rich transcription time marks.
    Rttm,
    /// An object a file and line: its turns, where two speak at once, and how long each speaks.
    Json,
}

impl DiarizeFilesArgs {
    fn form(&self) -> Form {
        match (self.rttm, self.json) {
            (true, _) => Form::Rttm,
            (_, true) => Form::Json,
            _ if self.out.is_some() && self.format == Form::Text => Form::Rttm,
            _ => self.format,
        }
    }
}

/// Runs the subcommand.
///
/// # Errors
/// Those of the settings, the model and the gallery. Files that fail are told of, and the run goes on.
pub fn run(args: &DiarizeFilesArgs) -> Result<Exit> {
    let stop = Stop::on_signals()?;
    let talk = if args.quiet { Talk::Quiet } else { Talk::Stderr };
    let mut progress = if args.quiet { Progress::on_stderr().quietly() } else { Progress::on_stderr() };
    let decode = args.input.decode_options()?;
    let diarizer = Diarizer::new(&args.diarize, args.model.load(talk, &stop)?, &mut progress)?;
    let (inputs, unusable): (Vec<_>, Vec<_>) = expand(&args.inputs).into_iter().partition(Result::is_ok);
    let inputs: Vec<Input> = inputs.into_iter().flatten().collect();
    let origins: Vec<Origin> =
        inputs.iter().map(|input| Origin { path: &input.path, relative: &input.relative }).collect();
    let names = output_names(&origins)?;
    let (mut done, mut failed) = (0, unusable.len());
    unusable.into_iter().filter_map(Result::err).for_each(|error| progress.error(&format!("error: {error}")));
    for (number, (input, name)) in inputs.iter().zip(&names).enumerate() {
        if stop.is_requested() {
            return Ok(Exit::Interrupted);
        }
        progress.begin(&input.path.display().to_string(), number + 1, inputs.len(), None);
        let told = input.read(&decode).and_then(|samples| {
            let seconds = SampleIndex(samples.len() as u64).seconds();
            Ok((diarizer.diarize(&samples, &stop)?, seconds))
        });
        match told {
            Ok((found, seconds)) => {
                progress.finish(seconds);
                done += 1;
                tell(args, input, name, &found, inputs.len() > 1)?;
            }
            Err(Error::Interrupted) => return Ok(Exit::Interrupted),
            Err(error @ Error::Setting(_)) => return Err(error),
            Err(error) => {
                progress.abandon();
                failed += 1;
                progress.error(&format!("error: {error}"));
            }
        }
    }
    Ok(Exit::of(done, failed))
}

fn tell(
    args: &DiarizeFilesArgs,
    input: &Input,
    name: &Path,
    found: &Diarization,
    is_one_of_several: bool,
) -> Result<()> {
    let file = input.path.display().to_string();
    let stem = name.to_string_lossy().replace('\\', "/");
    let (text, extension) = match args.form() {
        Form::Rttm => (to_rttm(&stem, &found.turns), "rttm"),
        Form::Json => (Report::of(&file, found).line()?, "json"),
        Form::Text => (lines(found), "txt"),
    };
    match &args.out {
        Some(folder) => write_whole(&folder.join(format!("{stem}.{extension}")), text.as_bytes()),
        None if args.form() == Form::Text && is_one_of_several => {
            write_out(&format!("==> {file} <==\n{text}"))
        }
        None => write_out(&text),
    }
}

fn lines(found: &Diarization) -> String {
    let line = |turn: &crate::speaker::diarize::Turn| {
        let (start, end) = (turn.span.start.seconds(), turn.span.end.seconds());
        format!("{start:9.2} {end:9.2}  {}\n", turn.speaker)
    };
    found.turns.iter().map(line).collect()
}

/// What is told of a file.
#[derive(Serialize)]
struct Report<'a> {
    file: &'a str,
    speakers: Vec<SpeakerTime<'a>>,
    turns: Vec<TurnTimes<'a>>,
    /// Where two speak at once.
    overlaps: Vec<Times>,
}

#[derive(Serialize)]
struct SpeakerTime<'a> {
    speaker: &'a str,
    /// Seconds of speech.
    seconds: f64,
}

#[derive(Serialize)]
struct TurnTimes<'a> {
    speaker: &'a str,
    #[serde(flatten)]
    times: Times,
}

#[derive(Serialize)]
struct Times {
    start: f64,
    end: f64,
}

impl<'a> Report<'a> {
    fn of(file: &'a str, found: &'a Diarization) -> Self {
        let times = |span: Span| Times { start: thousandths(span.start), end: thousandths(span.end) };
        let mut speakers: Vec<SpeakerTime> = Vec::new();
        for turn in &found.turns {
            match speakers.iter_mut().find(|known| known.speaker == turn.speaker) {
                Some(known) => known.seconds += turn.span.seconds(),
                None => speakers.push(SpeakerTime { speaker: &turn.speaker, seconds: turn.span.seconds() }),
            }
        }
        speakers.iter_mut().for_each(|known| known.seconds = (1000.0 * known.seconds).round() / 1000.0);
        let turn = |turn: &'a crate::speaker::diarize::Turn| TurnTimes {
            speaker: &turn.speaker,
            times: times(turn.span),
        };
        Self {
            file,
            speakers,
            turns: found.turns.iter().map(turn).collect(),
            overlaps: overlaps(&found.turns).into_iter().map(times).collect(),
        }
    }

    fn line(&self) -> Result<String> {
        let line = serde_json::to_string(self).map_err(|error| Error::io(self.file, error.into()))?;
        Ok(line + "\n")
    }
}

fn thousandths(at: SampleIndex) -> f64 {
    (1000.0 * at.seconds()).round() / 1000.0
}
