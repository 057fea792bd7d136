//! `awaaz train units`: a codebook from sound.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::audio::{AudioStream, DecodeOptions};
use crate::cli::Exit;
use crate::cli::inputs::{Input, expand};
use crate::cli::model_args::{ModelArgs, Talk};
use crate::cli::stop::Stop;
use crate::cli::unit_args::encoder_of;
use crate::cli::values::count;
use crate::compute::{Precision, Threads};
use crate::convert::units::{Card, Codebook, Part, Standard, frames};
use crate::learn::head::Data;
use crate::learn::kmeans::{KMeans, KMeansOptions, Method, Step};
use crate::learn::standardise::Moments;
use crate::models::encoder::Encoder;
use crate::output::Progress;
use crate::{Error, Result};

const AFTER_HELP: &str = "\
Examples:
  awaaz train units --data clips/ --layer 5 --k 200 --out units.safetensors
  awaaz train units --data clips/ more/ --licence \"CC BY 4.0\" \"CC BY 4.0\" --layer 5 --k 500 --out u500.safetensors
  awaaz train units --data clips/ --model cpc.pt --layer 1 --k 50 --batches --out cpc50.safetensors
  awaaz train units --data clips/ --layer 5 --k 32 --blocks 4 --out product.safetensors   four units a frame
  awaaz train units --data clips/ --layer 5 --k 100 --ensemble 3 --out three.safetensors  three starts, three units a frame

Sounds are taken in an order that the seed draws, until there are --most-frames frames. All of them are held in memory: 2 KB a
frame with Whisper base. Of --starts starts the one with the least inertia is kept. The same data and seed give the same file
to the byte, with any number of threads.";

/// Frames between two lines on how far a run is.
const FRAMES_A_LINE: usize = 20_000;

/// Train a codebook of discrete units.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct UnitArgs {
    /// Audio files, folders (searched for audio), or patterns.
    #[arg(long, required = true, num_args = 1.., value_name = "FILES")]
    data: Vec<PathBuf>,
    /// Where the codebook is written.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// The licence of each of --data in turn, for the card.
    #[arg(long, num_args = 1.., value_name = "NAME")]
    licence: Vec<String>,
    #[command(flatten)]
    model: ModelArgs,
    /// Which hidden state: 0 enters the first layer, 1 leaves it, and so on.
    #[arg(long, value_name = "K", help_heading = "Units")]
    layer: usize,
    /// Clusters of each part.
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = count::<2, 65_536>, help_heading = "Units")]
    k: usize,
    /// Cut the features into so many blocks, each with clusters of its own.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = count::<1, 64>, help_heading = "Units")]
    blocks: usize,
    /// Cluster each block so many times from different starts, and keep them all.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = count::<1, 64>, help_heading = "Units")]
    ensemble: usize,
    /// The scale on which features are compared.
    #[arg(long, value_name = "SCALE", default_value = "standard", help_heading = "Units")]
    scale: Scale,
    /// Frames that are clustered at most.
    #[arg(long, value_name = "N", default_value_t = 200_000, value_parser = count::<2, 100_000_000>, help_heading = "Units")]
    most_frames: usize,
    /// Take small draws of frames in turn, not all of them: faster, a little less exact.
    #[arg(long, help_heading = "Clustering")]
    batches: bool,
    /// Frames of a draw.
    #[arg(long, value_name = "N", default_value_t = 4096, value_parser = count::<1, 10_000_000>, help_heading = "Clustering")]
    batch: usize,
    /// Iterations over all frames, or draws, at most [default: 100, or 2000 draws].
    #[arg(long, value_name = "N", value_parser = count::<1, 1_000_000>, help_heading = "Clustering")]
    steps: Option<usize>,
    /// Starts, of which the best is kept.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = count::<1, 1000>, help_heading = "Clustering")]
    starts: usize,
    /// Seed of all that is drawn.
    #[arg(long, value_name = "N", default_value_t = 0, help_heading = "Clustering")]
    seed: u64,
    /// Tell of errors alone.
    #[arg(long, short)]
    quiet: bool,
}

/// On which scale features are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Scale {
    /// Each feature brought to mean 0 and variance 1.
    Standard,
    /// As the encoder gives them.
    Plain,
}

/// Runs the subcommand.
///
/// # Errors
/// Those of the data, the model and the settings; [`Error::Interrupted`].
pub fn run(args: &UnitArgs) -> Result<Exit> {
    let stop = Stop::on_signals()?;
    let talk = if args.quiet { Talk::Quiet } else { Talk::Stderr };
    let mut progress = if args.quiet { Progress::on_stderr().quietly() } else { Progress::on_stderr() };
    if args.licence.len() > args.data.len() {
        return Err(Error::Setting("there are more licences than data".into()));
    }
    let threads = args.model.pool()?;
    let precision = args.model.precision_or(Precision::F32);
    let encoder = args.model.load_encoder(precision, &threads, talk, &stop)?;
    encoder.check_layer(args.layer)?;
    let width = encoder.width();
    if !width.is_multiple_of(args.blocks) {
        return Err(Error::Setting(format!("{width} features cannot be cut into {} blocks", args.blocks)));
    }
    let mut heard = hear(args, encoder.as_ref(), &threads, &mut progress, &stop)?;
    let count = heard.len() / width;
    let standard = match args.scale {
        Scale::Plain => Standard::AsTheyAre,
        Scale::Standard => {
            let moments = Moments::of_rows(&heard, width);
            heard.chunks_exact_mut(width).for_each(|frame| moments.apply(frame));
            Standard::Moments(moments)
        }
    };
    let (parts, inertia) = threads.run(|| parts(args, &heard, width, &mut progress, &stop))?;
    let card = Card {
        encoder: encoder_of(&args.model)?,
        layer: args.layer,
        hop: encoder.hop(),
        centre: encoder.centre(),
        data: data(args),
        frames: count,
        inertia,
        method: if args.batches { "batches" } else { "full" }.into(),
        seed: args.seed,
        created_by: concat!("awaaz ", env!("CARGO_PKG_VERSION")).into(),
    };
    Codebook::new(card, width, standard, parts)?.save(&args.out)?;
    progress.say(&format!("wrote {}: {count} frames, inertia {inertia:.4} a frame", args.out.display()));
    Ok(Exit::Success)
}

/// Frames of the sounds, in an order that is drawn, as many as are wanted.
fn hear(
    args: &UnitArgs,
    encoder: &dyn Encoder,
    threads: &Threads,
    progress: &mut Progress,
    stop: &Stop,
) -> Result<Vec<f32>> {
    let mut inputs = expand(&args.data).into_iter().collect::<Result<Vec<Input>>>()?;
    fastrand::Rng::with_seed(args.seed).shuffle(&mut inputs);
    let width = encoder.width();
    let (mut heard, mut told): (Vec<f32>, usize) = (Vec::new(), 0);
    for (number, input) in inputs.iter().enumerate() {
        if stop.is_requested() {
            return Err(Error::Interrupted);
        }
        let samples = AudioStream::open(input.audio(), &DecodeOptions::default())?.read_all()?;
        if samples.is_empty() {
            continue;
        }
        heard.extend(threads.run(|| frames(encoder, &samples, args.layer))?);
        let count = heard.len() / width;
        if count >= args.most_frames {
            heard.truncate(args.most_frames * width);
            break;
        }
        if count >= told + FRAMES_A_LINE {
            told = count;
            progress.say(&format!("heard {} of {} sounds, {count} frames", number + 1, inputs.len()));
        }
    }
    Ok(heard)
}

/// Clusters of each block from each start of the ensemble, and their inertia together.
fn parts(
    args: &UnitArgs,
    heard: &[f32],
    width: usize,
    progress: &mut Progress,
    stop: &Stop,
) -> Result<(Vec<Part>, f64)> {
    let of_block = width / args.blocks;
    let (mut parts, mut inertia) = (Vec::new(), 0.0);
    for block in 0..args.blocks {
        let start = block * of_block;
        let cut: Vec<f32>;
        let rows = match args.blocks {
            1 => heard,
            _ => {
                cut = heard
                    .chunks_exact(width)
                    .flat_map(|row| &row[start..start + of_block])
                    .copied()
                    .collect();
                &cut
            }
        };
        for member in 0..args.ensemble {
            let options = options(args, parts.len());
            let hear = |step: Step| {
                if stop.is_requested() {
                    return Err(Error::Interrupted);
                }
                if step.number.is_power_of_two() || step.number.is_multiple_of(100) {
                    progress.say(&format!(
                        "block {block}, member {member}, start {}, step {}: inertia {:.4}",
                        step.start, step.number, step.inertia
                    ));
                }
                Ok(())
            };
            let found = KMeans::fit(rows, of_block, &options, hear)?;
            inertia += found.inertia;
            parts.push(Part { start, width: of_block, centroids: found.centroids });
        }
    }
    Ok((parts, inertia))
}

/// How to cluster part number `part`: each from seeds of its own.
fn options(args: &UnitArgs, part: usize) -> KMeansOptions {
    let method = match args.batches {
        true => Method::Batches { rows: args.batch, steps: args.steps.unwrap_or(2000), patience: 50 },
        false => Method::Full { iterations: args.steps.unwrap_or(100), tolerance: 1e-4 },
    };
    let seed = args.seed.wrapping_add((part * args.starts) as u64);
    KMeansOptions { clusters: args.k, method, starts: args.starts, seed, ..KMeansOptions::default() }
}

fn data(args: &UnitArgs) -> Vec<Data> {
    let licence = |at: usize| args.licence.get(at).cloned().unwrap_or_else(|| "not stated".into());
    let name = |path: &PathBuf| path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
    args.data.iter().enumerate().map(|(at, path)| Data { name: name(path), licence: licence(at) }).collect()
}
