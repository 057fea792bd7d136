//! `awaaz moderate`: files in, events out.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::Exit;
use super::input_args::InputArgs;
use super::inputs::{Input, expand};
use super::stop::Stop;
use super::stream::{HearArgs, Heard, Listener, StreamOutput};
use crate::audio::AudioStream;
use crate::event::EndStatus;
use crate::output::{Progress, pace};
use crate::pipeline::{Outcome, Paced, Recorded, Source, SourcePace};
use crate::{Error, Result};

const AFTER_HELP: &str = "\
Examples:
  awaaz moderate call.mp3                            events on stdout, a JSON object a line
  awaaz moderate calls/ --events calls.jsonl -o none into a file
  awaaz moderate call.wav --realtime -o text         at the pace it was spoken, as lines of text
  awaaz moderate call.wav --language ta --romanize -o text
                                                     Tamil in Latin letters
  awaaz moderate call.wav --webhook https://example.org/events
  ffmpeg -i film.avi -f s16le -ar 16000 -ac 1 - | awaaz moderate - --raw s16le

Exit codes: 0 all was heard, 1 nothing was, 2 some was not, 64 wrong arguments, 130 stopped.";

/// Hear files and tell what happens in them, as events: speech and its text.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct ModerateArgs {
    /// Audio or video files, folders (searched for audio), patterns, or - for stdin.
    #[arg(required = true, value_name = "FILES")]
    inputs: Vec<PathBuf>,
    /// Hear at the pace of the sound, as if it were live, with partial transcripts.
    #[arg(long, help_heading = "Live")]
    realtime: bool,
    #[command(flatten)]
    input: InputArgs,
    #[command(flatten)]
    hear: HearArgs,
}

/// Runs the subcommand.
///
/// # Errors
/// [`Error::Setting`] where the arguments contradict each other, and those of loading the model.
pub fn run(args: &ModerateArgs) -> Result<Exit> {
    let stop = Stop::on_signals()?;
    let listener = Listener::load(&args.hear, &stop)?;
    let mut progress = args.hear.progress();
    let (mut done, mut failed) = (0, 0);
    for input in expand(&args.inputs) {
        let heard = input.and_then(|input| hear_one(args, &listener, &input, &mut progress));
        match heard {
            Ok(()) => done += 1,
            Err(Error::Interrupted) => return Ok(Exit::Interrupted),
            Err(Error::Io { source, .. }) if source.kind() == io::ErrorKind::BrokenPipe => break,
            Err(error @ Error::Setting(_)) => return Err(error),
            Err(error) => {
                failed += 1;
                progress.error(&format!("error: {error}"));
            }
        }
    }
    Ok(Exit::of(done, failed))
}

fn hear_one(args: &ModerateArgs, listener: &Listener, input: &Input, progress: &mut Progress) -> Result<()> {
    let name = input.path.display().to_string();
    let audio = AudioStream::open(input.audio(), &args.input.decode_options()?)?;
    let (source, pace): (Box<dyn Source>, _) = match args.realtime {
        true => (Box::new(Paced::new(audio)), SourcePace::Live),
        false => (Box::new(Recorded::new(audio)), SourcePace::Batch),
    };
    let usual = if args.realtime { HearArgs::live_output() } else { StreamOutput::Json };
    let sinks = listener.sinks(usual, &name)?;
    let heard = Heard {
        name: name.clone(),
        origin: name.clone(),
        source,
        pace,
        channel: args.input.channel,
        taps: Vec::new(),
    };
    let outcome = listener.hear(heard, sinks)?;
    for warning in &outcome.warnings {
        progress.error(&format!("warning: {name}: {warning}"));
    }
    progress.say(&summary(&name, &outcome));
    judge(&name, &outcome)
}

/// One line on how a stream went.
pub fn summary(name: &str, outcome: &Outcome) -> String {
    format!(
        "{name}: {}, {} segments, {} words",
        pace(outcome.length.seconds(), Duration::from_secs_f64(outcome.report.wall)),
        outcome.totals.segments,
        outcome.totals.words
    )
}

/// Whether a stream went well.
///
/// # Errors
/// What went wrong.
pub fn judge(name: &str, outcome: &Outcome) -> Result<()> {
    match outcome.status {
        EndStatus::Stopped => return Err(Error::Interrupted),
        EndStatus::Finished if outcome.troubles.is_empty() => return Ok(()),
        _ => {}
    }
    let reasons: Vec<String> = outcome
        .troubles
        .iter()
        .map(|end| format!("{}: {}", end.name, end.reason.as_deref().unwrap_or("ended early")))
        .collect();
    Err(Error::audio(name, reasons.join("; ")))
}
