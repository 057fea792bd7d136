//! `awaaz speakers verify`: whether two sounds are of one speaker.

use std::path::PathBuf;

use clap::Args;
use serde::Serialize;

use super::voices::{ScoreArgs, voiceprint_at, write_json, write_out};
use crate::Result;
use crate::cli::Exit;
use crate::cli::input_args::InputArgs;
use crate::cli::model_args::Talk;
use crate::cli::speaker_args::SpeakerModelArgs;
use crate::cli::stop::Stop;
use crate::cli::values::unit_interval;
use crate::output::Progress;

const AFTER_HELP: &str = "\
Examples:
  awaaz speakers verify call-1.wav call-2.wav
  awaaz speakers verify call-1.wav call-2.wav --json
  awaaz speakers verify a.wav b.wav --cohort strangers/    scores set against those of strangers

The probability is that of one speaker where one is as likely as two before they are heard. Silence is cut out first; 0.5 s
of speech are needed of each.";

/// Tell whether two sounds are of one speaker.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct VerifyArgs {
    /// One sound.
    a: PathBuf,
    /// The other.
    b: PathBuf,
    /// Probability from which they are taken for one speaker.
    #[arg(long, value_name = "P", default_value_t = 0.5, value_parser = unit_interval, help_heading = "Scores")]
    threshold: f32,
    #[command(flatten)]
    score: ScoreArgs,
    /// Write JSON.
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

/// What is told.
#[derive(Serialize)]
struct Report {
    same: bool,
    probability: f32,
    cosine: f32,
    #[serde(skip_serializing_if = "Option::is_none")]
    normalised: Option<f32>,
    /// Seconds of speech in each.
    seconds: [f64; 2],
}

/// Runs the subcommand.
///
/// # Errors
/// Those of the sounds, the settings and the model.
pub fn run(args: &VerifyArgs) -> Result<Exit> {
    let stop = Stop::on_signals()?;
    let talk = if args.quiet { Talk::Quiet } else { Talk::Stderr };
    let mut progress = if args.quiet { Progress::on_stderr().quietly() } else { Progress::on_stderr() };
    let decode = args.input.decode_options()?;
    let model = args.model.load(talk, &stop)?;
    let scorer = args.score.scorer(&model, None, &mut progress)?;
    let a = voiceprint_at(&model, &args.a, &decode, &mut progress)?;
    let b = voiceprint_at(&model, &args.b, &decode, &mut progress)?;
    let likeness = scorer.compare(&a, &b);
    let report = Report {
        same: likeness.probability() >= args.threshold,
        probability: likeness.probability(),
        cosine: likeness.cosine,
        normalised: likeness.normalised,
        seconds: [a.seconds(), b.seconds()],
    };
    if args.json {
        write_json(&report)?;
        return Ok(Exit::Success);
    }
    let normalised =
        report.normalised.map_or(String::new(), |score| format!(", against strangers {score:.2}"));
    write_out(&format!(
        "{}: probability {:.3} (cosine {:.3}{normalised})\n",
        if report.same { "one speaker" } else { "two speakers" },
        report.probability,
        report.cosine
    ))?;
    Ok(Exit::Success)
}
