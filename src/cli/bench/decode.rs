//! `awaaz bench decode`: how many tokens a second Whisper's decoder writes.

use std::io::{self, Write};
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use serde::Serialize;

use crate::asr::{LanguageChoice, MAX_CHUNK, Model, StepShape};
use crate::audio::{AudioInput, AudioStream, DecodeOptions};
use crate::cli::Exit;
use crate::cli::ctc_args::CtcArgs;
use crate::cli::model_args::{ModelArgs, Talk};
use crate::cli::stop::Stop;
use crate::cli::values::count;
use crate::compute::Precision;
use crate::{Error, Result};

const AFTER_HELP: &str = "\
Examples:
  awaaz bench decode talk.wav --model base --precision int8 --threads 2
  awaaz bench decode talk.wav --steps 200 --json

The first 30 s of the file are heard; each text goes on to the last step, whatever is said. A draft is a guess at tokens to
come, which a step checks together.";

/// Tell how many tokens a second a Whisper model's decoder writes, for one text, for several side by side, and for drafts.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct DecodeArgs {
    /// What is heard.
    #[arg(value_name = "FILE")]
    input: PathBuf,
    /// Steps that are measured.
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = count::<1, 400>)]
    steps: usize,
    /// Write the figures as JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    model: ModelArgs,
}

/// What is measured; drafts must fit in the network's positions.
const SHAPES: [StepShape; 5] = [
    StepShape { sequences: 1, tokens: 1 },
    StepShape { sequences: 4, tokens: 1 },
    StepShape { sequences: 8, tokens: 1 },
    StepShape { sequences: 1, tokens: 4 },
    StepShape { sequences: 1, tokens: 8 },
];

#[derive(Serialize)]
struct Figures {
    model: String,
    precision: Precision,
    threads: usize,
    shapes: Vec<Shape>,
}

#[derive(Serialize)]
struct Shape {
    sequences: usize,
    tokens: usize,
    /// Seconds of a step: the median, and the mean.
    median: f64,
    mean: f64,
    /// Tokens decoded a second, by the mean.
    tokens_per_second: f64,
}

/// Runs the subcommand.
///
/// # Errors
/// Those of the file, the settings and the model.
pub fn run(args: &DecodeArgs) -> Result<Exit> {
    let stop = Stop::on_signals()?;
    let mut audio = AudioStream::open(AudioInput::from_arg(&args.input), &DecodeOptions::default())?;
    let (mut sound, mut block) = (Vec::new(), Vec::new());
    while sound.len() < MAX_CHUNK && audio.read(&mut block)? > 0 {
        sound.extend_from_slice(&block);
    }
    sound.truncate(MAX_CHUNK);
    let precision = args.model.precision_or(Precision::F32);
    let (language, ctc) = (LanguageChoice::Detect, CtcArgs::default());
    let Model::Whisper(engine) = args.model.load(precision, &language, &ctc, Talk::Stderr, &stop)? else {
        return Err(Error::Setting(format!("{} has no decoder; Whisper has", args.model.model)));
    };
    let mut shapes = Vec::new();
    for shape in SHAPES {
        if stop.is_requested() {
            return Err(Error::Interrupted);
        }
        let mut times = engine.step_times(&sound, shape, args.steps.min(400 / shape.tokens))?;
        let mean = times.iter().sum::<Duration>().as_secs_f64() / times.len() as f64;
        times.sort();
        shapes.push(Shape {
            sequences: shape.sequences,
            tokens: shape.tokens,
            median: times[times.len() / 2].as_secs_f64(),
            mean,
            tokens_per_second: (shape.sequences * shape.tokens) as f64 / mean,
        });
    }
    let figures =
        Figures { model: args.model.model.clone(), precision, threads: args.model.threads(), shapes };
    let text = match args.json {
        true => serde_json::to_string(&figures).map_err(|error| Error::io("stdout", error.into()))? + "\n",
        false => table(&figures),
    };
    io::stdout().write_all(text.as_bytes()).map_err(|error| Error::io("stdout", error))?;
    Ok(Exit::Success)
}

fn table(figures: &Figures) -> String {
    let mut text = format!(
        "{} in {}, {} threads\n{:>10} {:>14} {:>12} {:>10} {:>9}\n",
        figures.model,
        figures.precision,
        figures.threads,
        "texts",
        "tokens of each",
        "median, ms",
        "mean, ms",
        "tokens/s"
    );
    for shape in &figures.shapes {
        text += &format!(
            "{:>10} {:>14} {:>12.2} {:>10.2} {:>9.0}\n",
            shape.sequences,
            shape.tokens,
            shape.median * 1e3,
            shape.mean * 1e3,
            shape.tokens_per_second
        );
    }
    text
}
