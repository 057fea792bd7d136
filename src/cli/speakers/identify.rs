//! `awaaz speakers identify`: which of the people who are known speaks, or none of them.

use std::path::PathBuf;

use clap::Args;
use serde::Serialize;

use super::voices::{ScoreArgs, voiceprint_of, warn_if_short, write_json, write_out};
use crate::cli::Exit;
use crate::cli::input_args::InputArgs;
use crate::cli::inputs::{Input, expand};
use crate::cli::model_args::Talk;
use crate::cli::speaker_args::{GalleryArgs, SpeakerModelArgs};
use crate::cli::stop::Stop;
use crate::cli::values::{count, unit_interval};
use crate::output::Progress;
use crate::speaker::{Gallery, Match, Voiceprint};
use crate::{Error, Result};

const AFTER_HELP: &str = "\
Examples:
  awaaz speakers identify call.wav
  awaaz speakers identify calls/ --json --top 3 > who.jsonl

A voice is as likely to be none of the gallery's as any before it is heard; whoever has less than the threshold is not
named. Exit codes: 0 all was heard, 1 nothing was, 2 some was not, 64 wrong arguments, 130 stopped.";

/// Tell who of a gallery speaks, if anyone.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct IdentifyArgs {
    /// Audio or video files, folders (searched for audio), or patterns; one person speaks in each.
    #[arg(required = true, value_name = "FILES")]
    inputs: Vec<PathBuf>,
    #[command(flatten)]
    gallery: GalleryArgs,
    /// Probability from which somebody is named.
    #[arg(long, value_name = "P", default_value_t = 0.5, value_parser = unit_interval, help_heading = "Scores")]
    threshold: f32,
    #[command(flatten)]
    score: ScoreArgs,
    /// People told of each file.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = count::<1, 10_000>)]
    top: usize,
    /// Write JSON, an object a file.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    model: SpeakerModelArgs,
    #[command(flatten)]
    input: InputArgs,
    /// Tell of errors alone.
    #[arg(long, short)]
    quiet: bool,
}

/// What is told of a file.
#[derive(Serialize)]
struct Report<'a> {
    file: String,
    /// Who speaks; none where nobody who is known does.
    name: Option<&'a str>,
    /// Seconds of speech.
    seconds: f64,
    nearest: Vec<Row<'a>>,
}

#[derive(Serialize)]
struct Row<'a> {
    name: &'a str,
    probability: f32,
    cosine: f32,
    #[serde(skip_serializing_if = "Option::is_none")]
    normalised: Option<f32>,
}

/// Runs the subcommand.
///
/// # Errors
/// Those of the settings, the model and the gallery. Files that fail are told of, and the run goes on.
pub fn run(args: &IdentifyArgs) -> Result<Exit> {
    let stop = Stop::on_signals()?;
    let talk = if args.quiet { Talk::Quiet } else { Talk::Stderr };
    let mut progress = if args.quiet { Progress::on_stderr().quietly() } else { Progress::on_stderr() };
    let decode = args.input.decode_options()?;
    // A gallery that is not there is told before a model is fetched.
    let path = args.gallery.path()?;
    let gallery = Gallery::load(&path)?;
    let model = args.model.load(talk, &stop)?;
    gallery.check(&model, &path)?;
    let scorer = args.score.scorer(&model, gallery.cohort(), &mut progress)?;
    let (mut done, mut failed) = (0, 0);
    for input in expand(&args.inputs) {
        if stop.is_requested() {
            return Ok(Exit::Interrupted);
        }
        let voiceprint = input.and_then(|input| {
            let voiceprint = voiceprint_of(&model, &input, &decode)?;
            warn_if_short(&model, &input.path, &voiceprint, &mut progress);
            Ok((input, voiceprint))
        });
        match voiceprint {
            Ok((input, voiceprint)) => {
                done += 1;
                tell(args, &input, &voiceprint, &gallery.matches(&voiceprint, &scorer))?;
            }
            Err(error @ Error::Setting(_)) => return Err(error),
            Err(error) => {
                failed += 1;
                progress.error(&format!("error: {error}"));
            }
        }
    }
    Ok(Exit::of(done, failed))
}

fn tell(args: &IdentifyArgs, input: &Input, voiceprint: &Voiceprint, matches: &[Match]) -> Result<()> {
    let row = |found: &Match<'_>| (found.person.name.clone(), found.probability);
    let best = matches.first().filter(|best| best.probability >= args.threshold);
    if args.json {
        let rows = matches.iter().take(args.top).map(|found| Row {
            name: &found.person.name,
            probability: found.probability,
            cosine: found.likeness.cosine,
            normalised: found.likeness.normalised,
        });
        return write_json(&Report {
            file: input.path.display().to_string(),
            name: best.map(|best| best.person.name.as_str()),
            seconds: voiceprint.seconds(),
            nearest: rows.collect(),
        });
    }
    let nearest: Vec<String> = matches
        .iter()
        .take(args.top)
        .map(row)
        .map(|(name, probability)| format!("{name} {probability:.3}"))
        .collect();
    let who = best.map_or("nobody who is known", |best| best.person.name.as_str());
    write_out(&format!("{}: {who} ({})\n", input.path.display(), nearest.join(", ")))
}
