//! `awaaz bench encoder`: how long a network takes for a stretch of sound.

use std::io::{self, Write};
use std::time::{Duration, Instant};

use clap::Args;
use serde::Serialize;

use crate::cli::Exit;
use crate::cli::model_args::{ModelArgs, Talk};
use crate::cli::stop::Stop;
use crate::cli::values::{count, seconds};
use crate::compute::{Precision, Threads};
use crate::models::encoder::Encoder;
use crate::time::SampleIndex;
use crate::{Error, Result};

const AFTER_HELP: &str = "\
Examples:
  awaaz bench encoder --model facebook/wav2vec2-xls-r-300m
  awaaz bench encoder --model base --seconds 30 --precision int8 --threads 2 --json

Noise is heard; what is said in a sound does not matter to the time. Each length is heard once before it is measured.";

/// Tell how long a model's encoder takes for sound of several lengths.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct EncoderArgs {
    /// Lengths of sound.
    #[arg(long, value_name = "SECONDS,...", value_delimiter = ',', value_parser = seconds, default_value = "1,5,10")]
    seconds: Vec<Duration>,
    /// Rounds; the median of each length is told.
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = count::<1, 1000>)]
    rounds: usize,
    /// Write the figures as JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    model: ModelArgs,
}

#[derive(Serialize)]
struct Figures {
    model: String,
    precision: Precision,
    threads: usize,
    /// Seconds to load the weights.
    load: f64,
    lengths: Vec<Length>,
}

#[derive(Serialize)]
struct Length {
    /// Seconds of sound.
    sound: f64,
    /// Median of the seconds that it took, and the quickest round.
    median: f64,
    quickest: f64,
    /// Median over the length of the sound.
    real_time_factor: f64,
}

/// Runs the subcommand.
///
/// # Errors
/// Those of the settings and the model.
pub fn run(args: &EncoderArgs) -> Result<Exit> {
    let stop = Stop::on_signals()?;
    let precision = args.model.precision_or(Precision::F32);
    let threads = args.model.pool()?;
    let start = Instant::now();
    let encoder = args.model.load_encoder(precision, &threads, Talk::Stderr, &stop)?;
    let load = start.elapsed().as_secs_f64();
    let mut lengths = Vec::new();
    for length in &args.seconds {
        if stop.is_requested() {
            return Err(Error::Interrupted);
        }
        lengths.push(measure(encoder.as_ref(), &threads, *length, args.rounds)?);
    }
    let figures =
        Figures { model: args.model.model.clone(), precision, threads: threads.count(), load, lengths };
    let text = match args.json {
        true => serde_json::to_string(&figures).map_err(|error| Error::io("stdout", error.into()))? + "\n",
        false => table(&figures),
    };
    io::stdout().write_all(text.as_bytes()).map_err(|error| Error::io("stdout", error))?;
    Ok(Exit::Success)
}

fn measure(encoder: &dyn Encoder, threads: &Threads, length: Duration, rounds: usize) -> Result<Length> {
    let mut random = fastrand::Rng::with_seed(1);
    let samples = SampleIndex::from_seconds(length.as_secs_f64()).0 as usize;
    let samples = samples.min(encoder.longest().unwrap_or(usize::MAX));
    let sound: Vec<f32> = (0..samples).map(|_| random.f32() - 0.5).collect();
    let mut times = Vec::with_capacity(rounds);
    for round in 0..=rounds {
        let start = Instant::now();
        threads.run(|| encoder.encode(&[&sound], encoder.layers()))?;
        if round > 0 {
            times.push(start.elapsed().as_secs_f64());
        }
    }
    times.sort_by(f64::total_cmp);
    let (sound, median) = (SampleIndex(samples as u64).seconds(), times[times.len() / 2]);
    Ok(Length { sound, median, quickest: times[0], real_time_factor: median / sound })
}

fn table(figures: &Figures) -> String {
    let mut text = format!(
        "{} in {}, {} threads, loaded in {:.2} s\n{:>10} {:>12} {:>12} {:>18}\n",
        figures.model,
        figures.precision,
        figures.threads,
        figures.load,
        "sound, s",
        "median, ms",
        "quickest, ms",
        "real-time factor"
    );
    for length in &figures.lengths {
        text += &format!(
            "{:>10.1} {:>12.1} {:>12.1} {:>18.4}\n",
            length.sound,
            length.median * 1e3,
            length.quickest * 1e3,
            length.real_time_factor
        );
    }
    text
}
