//! `awaaz moderate`: files in, events out.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;

use super::Exit;
use super::censor::{Flagged, output_path, write_censored};
use super::input_args::InputArgs;
use super::inputs::{Input, expand};
use super::stop::Stop;
use super::stream::{HearArgs, Heard, Listener, StreamOutput};
use crate::audio::AudioStream;
use crate::event::EndStatus;
use crate::moderation::CensorStyle;
use crate::output::{Origin, Progress, output_names, pace};
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
  awaaz moderate call.wav --lexicon words.csv --out clean.wav --censor bleep
                                                     a copy with a tone over the words of a list
  awaaz moderate call.wav --head abuse.safetensors --policy policy.toml
  ffmpeg -i film.avi -f s16le -ar 16000 -ac 1 - | awaaz moderate - --raw s16le

Exit codes: 0 all was heard, 1 nothing was, 2 some was not, 64 wrong arguments, 130 stopped.";

/// Hear files and tell what happens in them, as events: speech, its text, and whether it is abusive.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct ModerateArgs {
    /// Audio or video files, folders (searched for audio), patterns, or - for stdin.
    #[arg(required = true, value_name = "FILES")]
    inputs: Vec<PathBuf>,
    /// Hear at the pace of the sound, as if it were live, with partial transcripts.
    #[arg(long, help_heading = "Live")]
    realtime: bool,
    /// Write a copy of the sound with what was confirmed censored: a WAV file, or a folder for several. A rule of the policy
    /// with actions censors where these ask for it.
    #[arg(long, value_name = "FILE|DIR", help_heading = "Moderation")]
    out: Option<PathBuf>,
    /// How it is censored where the policy does not say: words are silent, or under a tone [default: mute].
    #[arg(long, value_name = "mute|bleep", requires = "out", help_heading = "Moderation")]
    censor: Option<CensorStyle>,
    #[command(flatten)]
    input: InputArgs,
    #[command(flatten)]
    hear: HearArgs,
}

impl ModerateArgs {
    fn style(&self) -> Option<CensorStyle> {
        self.out.as_ref().map(|_| self.censor.unwrap_or(CensorStyle::Mute))
    }
}

/// Runs the subcommand.
///
/// # Errors
/// [`Error::Setting`] where the arguments contradict each other, and those of loading the model.
pub fn run(args: &ModerateArgs) -> Result<Exit> {
    let stop = Stop::on_signals()?;
    let hear = args.hear.clone().judging();
    let listener = Listener::load(&hear, args.style(), &stop)?;
    let mut progress = args.hear.progress();
    let (mut done, mut failed) = (0, 0);
    if args.out.is_some() && listener.judges().is_empty() && listener.judges().policy.watch.is_empty() {
        return Err(Error::Setting(
            "--out: there is nothing to judge by: leave out --text-head none, or give --lexicon or --head"
                .into(),
        ));
    }
    let inputs = expand(&args.inputs);
    let copies = copies(args, &inputs)?;
    for (input, copy) in inputs.into_iter().zip(copies) {
        let heard = input.and_then(|input| hear_one(args, &listener, &input, copy.as_deref(), &mut progress));
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

/// Where the censored copy of each input goes.
fn copies(args: &ModerateArgs, inputs: &[Result<Input>]) -> Result<Vec<Option<PathBuf>>> {
    let Some(out) = &args.out else { return Ok(inputs.iter().map(|_| None).collect()) };
    let usable: Vec<&Input> = inputs.iter().flatten().collect();
    let origins: Vec<Origin> =
        usable.iter().map(|input| Origin { path: &input.path, relative: &input.relative }).collect();
    let mut names = output_names(&origins)?.into_iter();
    let mut copy = |input: &Result<Input>| match input {
        Ok(_) => names.next().map(|name| output_path(out, name.as_ref(), inputs.len())),
        Err(_) => None,
    };
    Ok(inputs.iter().map(&mut copy).collect())
}

fn hear_one(
    args: &ModerateArgs,
    listener: &Listener,
    input: &Input,
    copy: Option<&Path>,
    progress: &mut Progress,
) -> Result<()> {
    if let Some(copy) = copy
        && let (Ok(from), Ok(to)) = (input.path.canonicalize(), copy.canonicalize())
        && from == to
    {
        let reason = format!("--out: {} would be written over; name another file", copy.display());
        return Err(Error::Setting(reason));
    }
    if copy.is_some() && input.path == Path::new("-") {
        return Err(Error::Setting(
            "--out: standard input cannot be read a second time for the copy; give a file".into(),
        ));
    }
    let name = input.path.display().to_string();
    let audio = AudioStream::open(input.audio(), &args.input.decode_options()?)?;
    let (source, pace): (Box<dyn Source>, _) = match args.realtime {
        true => (Box::new(Paced::new(audio)), SourcePace::Live),
        false => (Box::new(Recorded::new(audio)), SourcePace::Batch),
    };
    let usual = if args.realtime { HearArgs::live_output() } else { StreamOutput::Json };
    let mut sinks = match copy.is_some() && args.hear.output_is_none() {
        true => listener.files(listener.notify(&name))?,
        false => listener.sinks(usual, &name)?,
    };
    let flagged = Flagged::new(listener.judges().policy.censor_margin);
    if copy.is_some() {
        sinks.push(Box::new(flagged.clone()));
    }
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
    judge(&name, &outcome)?;
    if let Some(copy) = copy {
        let raw = args.input.decode_options()?.raw;
        let censored = write_censored(input.audio(), raw, copy, &flagged.stretches())?;
        progress.say(&format!("{}: {censored:.2} s censored", copy.display()));
    }
    Ok(())
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
