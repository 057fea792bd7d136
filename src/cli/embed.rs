//! `awaaz embed`: sound in, features out, for a corpus.

use std::collections::VecDeque;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::Exit;
use super::input_args::InputArgs;
use super::inputs::{Input, expand};
use super::model_args::{Features, ModelArgs, Talk, Wanted};
use super::stop::Stop;
use super::values::{count, seconds};
use crate::audio::DecodeOptions;
use crate::compute::{Precision, Threads};
use crate::corpus::Journal;
use crate::dsp::pool::{Pool, pool};
use crate::models::encoder::Encoder;
use crate::models::speaker::{SpeakerEncoder, embed_in_pieces};
use crate::output::embeddings::{Embedding, EmbeddingFormat, to_npy, to_parquet, to_safetensors};
use crate::output::{Origin, Progress, output_names, pace, write_whole};
use crate::time::SampleIndex;
use crate::{Error, Result};

const AFTER_HELP: &str = "\
Examples:
  awaaz embed clips/ --model facebook/wav2vec2-xls-r-300m --layer 12 --pool mean --out features
  awaaz embed clips/ --out features --format safetensors          frames of Whisper base's encoder
  awaaz embed clips/ --pool l2-mean --format parquet --out table  a row a clip, in tables
  awaaz embed clips/ --model ge2e --out voices                    a vector a clip, which tells who speaks

DIR/embeddings.jsonl has a line for each sound that is done: its id, file, span, hop, shape and what made it. Run again
after it was stopped or killed, the command goes on where it was.

Exit codes: 0 all was done, 1 nothing was, 2 some was not, 64 wrong arguments, 130 stopped; what was done is kept.";

/// Write the features that a network makes of sound.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct EmbedArgs {
    /// Audio or video files, folders (searched for audio), or patterns.
    #[arg(required = true, value_name = "FILES")]
    inputs: Vec<PathBuf>,
    /// The folder that is written into.
    #[arg(long, short, value_name = "DIR", help_heading = "Output")]
    out: PathBuf,
    /// npy and safetensors: a file a sound; parquet: tables of many.
    #[arg(long, value_name = "FORMAT", default_value = "npy", help_heading = "Output")]
    format: EmbeddingFormat,
    /// Begin anew, whatever the folder holds.
    #[arg(long, help_heading = "Output")]
    force: bool,
    /// Tell of errors alone.
    #[arg(long, short, help_heading = "Output")]
    quiet: bool,
    #[command(flatten)]
    model: ModelArgs,
    /// Which hidden state: 0 enters the first layer, 1 leaves it, and so on [default: the last; of a network that tells who
    /// speaks, its vector].
    #[arg(long, value_name = "K", help_heading = "Model")]
    layer: Option<usize>,
    /// none: every frame; mean: their mean; l2-mean: the mean of the frames, each of length 1; mean-std: mean and standard
    /// deviation. Without effect on the vector
    /// of a network that tells who speaks, of which there is one a sound.
    #[arg(long, value_name = "POOL", default_value = "none", help_heading = "Model")]
    pool: Pool,
    /// Sound heard at once, in seconds; what is longer is cut into pieces of this length [at most 30 with Whisper]. Of vectors
    /// that tell who speaks the mean is taken.
    #[arg(long, value_name = "SECONDS", default_value = "60", value_parser = seconds, help_heading = "Model")]
    window: Duration,
    /// Sounds encoded together at most.
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = count::<1, 256>, help_heading = "Model")]
    batch: usize,
    #[command(flatten)]
    input: InputArgs,
}

/// Samples encoded together at most, where there are several sounds: 30 s. More make no product faster.
const MOST_TOGETHER: usize = 30 * 16_000;
/// Sounds that are read before the shortest of them are encoded together.
const READ_AHEAD: usize = 64;
/// Rows of a Parquet table, and its values at most, which are held in memory.
const TABLE_ROWS: usize = 1024;
const TABLE_VALUES: usize = 16 << 20;

/// A line of the journal.
#[derive(Debug, Serialize, Deserialize)]
struct Entry {
    id: String,
    source: String,
    file: String,
    start: f64,
    end: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    hop: Option<f64>,
    shape: Vec<usize>,
    #[serde(flatten)]
    made_by: MadeBy,
}

/// What embeddings are made by: all of a folder by the same.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct MadeBy {
    model: String,
    precision: Precision,
    /// None for vectors that tell who speaks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    layer: Option<usize>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pool: Option<Pool>,
    window: f64,
}

/// A sound that was read.
struct Sound {
    id: String,
    source: String,
    samples: Vec<f32>,
}

/// Runs the subcommand.
///
/// # Errors
/// Those of the settings, of the model and of the folder. Inputs that fail are told of, and the run goes on.
pub fn run(args: &EmbedArgs) -> Result<Exit> {
    let stop = Stop::on_signals()?;
    let talk = if args.quiet { Talk::Quiet } else { Talk::Stderr };
    let precision = args.model.precision_or(Precision::F32);
    let threads = args.model.pool()?;
    let wanted = if args.layer.is_some() { Wanted::States } else { Wanted::Any };
    let features = args.model.load_features(precision, wanted, &threads, talk, &stop)?;
    let network = Network::of(features, args)?;
    let mut progress = if args.quiet { Progress::on_stderr().quietly() } else { Progress::on_stderr() };
    if matches!(network, Network::Speaker(_)) && args.pool != Pool::None {
        progress.say(&format!("--pool {} has no effect: this network gives one vector a sound", args.pool));
    }
    let asked = SampleIndex::from_seconds(args.window.as_secs_f64()).0 as usize;
    let window = network.window(asked);
    let made_by = MadeBy {
        model: args.model.model.clone(),
        precision,
        layer: network.layer(),
        pool: network.layer().map(|_| args.pool),
        window: SampleIndex(window as u64).seconds(),
    };
    let (inputs, unusable): (Vec<_>, Vec<_>) = expand(&args.inputs).into_iter().partition(Result::is_ok);
    let inputs: Vec<Input> = inputs.into_iter().flatten().collect();
    let mut failed = 0;
    for error in unusable.into_iter().filter_map(Result::err) {
        failed += 1;
        progress.error(&format!("error: {error}"));
    }
    let origins: Vec<Origin> =
        inputs.iter().map(|input| Origin { path: &input.path, relative: &input.relative }).collect();
    let names = output_names(&origins)?;
    let folder = Folder::open(args, made_by)?;
    let mut run = Run {
        network: &network,
        threads: &threads,
        window,
        args,
        decode: args.input.decode_options()?,
        folder,
        progress,
        stop: &stop,
        done: 0,
        failed,
        samples: 0,
    };
    run.all(&inputs, &names)
}

/// What makes the embeddings.
enum Network {
    /// A hidden state of an encoder.
    Frames(Box<dyn Encoder>, usize),
    /// A vector a sound.
    Speaker(Box<dyn SpeakerEncoder>),
}

impl Network {
    fn of(features: Features, args: &EmbedArgs) -> Result<Self> {
        match features {
            Features::Speaker(encoder) => Ok(Self::Speaker(encoder)),
            Features::Frames(encoder) => {
                let layer = args.layer.unwrap_or(encoder.layers());
                encoder.check_layer(layer)?;
                Ok(Self::Frames(encoder, layer))
            }
        }
    }

    fn layer(&self) -> Option<usize> {
        match self {
            Self::Frames(_, layer) => Some(*layer),
            Self::Speaker(_) => None,
        }
    }

    /// Samples heard at once, where so many were asked for.
    fn window(&self, asked: usize) -> usize {
        match self {
            Self::Frames(encoder, _) => asked.min(encoder.longest().unwrap_or(usize::MAX)).max(encoder.hop()),
            Self::Speaker(encoder) => asked.max(encoder.shortest()),
        }
    }
}

/// A run on its way.
struct Run<'a> {
    network: &'a Network,
    threads: &'a Threads,
    window: usize,
    args: &'a EmbedArgs,
    decode: DecodeOptions,
    folder: Folder<'a>,
    progress: Progress,
    stop: &'a Stop,
    done: usize,
    failed: usize,
    samples: u64,
}

impl Run<'_> {
    fn all(&mut self, inputs: &[Input], names: &[PathBuf]) -> Result<Exit> {
        let started = std::time::Instant::now();
        let mut waiting: VecDeque<(&Input, String)> = inputs
            .iter()
            .zip(names)
            .map(|(input, name)| (input, name.to_string_lossy().replace('\\', "/")))
            .collect();
        let before = waiting.len();
        waiting.retain(|(_, id)| !self.folder.journal.has(id));
        let skipped = before - waiting.len();
        if skipped > 0 {
            self.progress.say(&format!("{skipped} of {before} were done before"));
        }
        if waiting.is_empty() {
            return Ok(Exit::of(skipped, self.failed));
        }
        let total = waiting.len();
        while !waiting.is_empty() {
            let mut sounds = self.read_some(&mut waiting)?;
            // Sounds of one length share the matrix products best.
            sounds.sort_by_key(|sound| sound.samples.len());
            let mut rest = &sounds[..];
            if self.stop.is_requested() {
                return self.stopped(total);
            }
            while !rest.is_empty() {
                if self.stop.is_requested() {
                    return self.stopped(total);
                }
                let (batch, others) = rest.split_at(together(rest, self.args.batch));
                rest = others;
                self.embed(batch)?;
            }
            self.progress.say(&format!("{} of {total}", self.done));
        }
        self.folder.finish()?;
        let seconds = SampleIndex(self.samples).seconds();
        self.progress.say(&format!("{} of {total} done; {}", self.done, pace(seconds, started.elapsed())));
        Ok(Exit::of(self.done + skipped, self.failed))
    }

    fn stopped(&mut self, total: usize) -> Result<Exit> {
        self.folder.finish()?;
        self.progress.error(&format!("stopped; {} of {total} done", self.done));
        Ok(Exit::Interrupted)
    }

    /// Reads as many sounds as are sorted at once; of those that are left when a stop is asked for, none.
    fn read_some(&mut self, waiting: &mut VecDeque<(&Input, String)>) -> Result<Vec<Sound>> {
        let mut sounds = Vec::new();
        let mut samples = 0;
        while sounds.len() < READ_AHEAD && samples < 20 * MOST_TOGETHER && !self.stop.is_requested() {
            let Some((input, id)) = waiting.pop_front() else { break };
            match input.read(&self.decode) {
                Ok(sound) => {
                    samples += sound.len();
                    sounds.push(Sound { id, source: input.path.display().to_string(), samples: sound });
                }
                Err(error @ Error::Setting(_)) => return Err(error),
                Err(error) => {
                    self.failed += 1;
                    self.progress.error(&format!("error: {error}"));
                }
            }
        }
        Ok(sounds)
    }

    fn embed(&mut self, sounds: &[Sound]) -> Result<()> {
        let network = self.network;
        match network {
            Network::Frames(encoder, layer) => self.embed_frames(sounds, encoder.as_ref(), *layer),
            Network::Speaker(encoder) => self.embed_speakers(sounds, encoder.as_ref()),
        }
    }

    fn embed_frames(&mut self, sounds: &[Sound], encoder: &dyn Encoder, layer: usize) -> Result<()> {
        let pieces: Vec<&[f32]> = sounds.iter().flat_map(|sound| sound.samples.chunks(self.window)).collect();
        let mut states = VecDeque::new();
        // A sound of many pieces is not encoded at once.
        for pieces in pieces.chunks(self.args.batch) {
            let together = match pieces.iter().map(|piece| piece.len()).sum::<usize>() > MOST_TOGETHER {
                true => 1,
                false => pieces.len(),
            };
            for pieces in pieces.chunks(together) {
                states.extend(self.threads.run(|| encoder.encode(pieces, layer))?);
            }
        }
        let hop = (self.args.pool == Pool::None).then(|| SampleIndex(encoder.hop() as u64).seconds());
        for sound in sounds {
            let mut values: Vec<f32> = Vec::new();
            for _ in sound.samples.chunks(self.window) {
                let Some(state) = states.pop_front() else { break };
                values.extend(state.flatten_all()?.to_vec1::<f32>()?);
            }
            let width = encoder.width();
            let pooled = pool(values, width, self.args.pool);
            self.keep(sound, self.args.pool.width(width), hop, pooled)?;
        }
        Ok(())
    }

    fn embed_speakers(&mut self, sounds: &[Sound], encoder: &dyn SpeakerEncoder) -> Result<()> {
        let embed = |sound: &Sound| embed_in_pieces(encoder, &sound.samples, self.window);
        let vectors: Vec<Vec<f32>> =
            self.threads.run(|| sounds.par_iter().map(embed).collect::<Result<_>>())?;
        for (sound, vector) in sounds.iter().zip(vectors) {
            self.keep(sound, encoder.width(), None, vector)?;
        }
        Ok(())
    }

    fn keep(&mut self, sound: &Sound, width: usize, hop: Option<f64>, values: Vec<f32>) -> Result<()> {
        let span = (0.0, SampleIndex(sound.samples.len() as u64).seconds());
        self.folder.keep(Embedding { id: sound.id.clone(), span, hop, width, values }, &sound.source)?;
        self.done += 1;
        self.samples += sound.samples.len() as u64;
        Ok(())
    }
}

/// How many of `sounds` are encoded together.
fn together(sounds: &[Sound], most: usize) -> usize {
    let mut samples = 0;
    let fit = sounds.iter().take(most).take_while(|sound| {
        samples += sound.samples.len();
        samples <= MOST_TOGETHER
    });
    fit.count().max(1)
}

/// Where embeddings are kept.
struct Folder<'a> {
    path: &'a Path,
    format: EmbeddingFormat,
    made_by: MadeBy,
    journal: Journal,
    /// Rows of the table that is not written yet, with their sources.
    table: Vec<(Embedding, String)>,
    tables: usize,
}

impl<'a> Folder<'a> {
    fn open(args: &'a EmbedArgs, made_by: MadeBy) -> Result<Self> {
        let path = args.out.as_path();
        fs::create_dir_all(path).map_err(|error| Error::io(path, error))?;
        let journal_path = path.join("embeddings.jsonl");
        if args.force && journal_path.exists() {
            fs::remove_file(&journal_path).map_err(|error| Error::io(&journal_path, error))?;
        }
        let mut tables = 0;
        let journal = Journal::open(&journal_path, |entry: &Entry| {
            if entry.made_by != made_by {
                return Err(Error::Setting(format!(
                    "{} has embeddings that were made in another way ({}{}); name another folder, or begin anew with \
                     --force",
                    path.display(),
                    entry.made_by.model,
                    entry.made_by.layer.map_or(String::new(), |layer| format!(", layer {layer}"))
                )));
            }
            tables = tables.max(table_number(&entry.file).map_or(0, |number| number + 1));
            Ok(entry.id.clone())
        })?;
        Ok(Self { path, format: args.format, made_by, journal, table: Vec::new(), tables })
    }

    /// Writes an embedding, or keeps it for a table.
    fn keep(&mut self, embedding: Embedding, source: &str) -> Result<()> {
        if self.format == EmbeddingFormat::Parquet {
            self.table.push((embedding, source.to_owned()));
            let values: usize = self.table.iter().map(|(embedding, _)| embedding.values.len()).sum();
            if self.table.len() >= TABLE_ROWS || values >= TABLE_VALUES {
                return self.finish();
            }
            return Ok(());
        }
        let bytes = match self.format {
            EmbeddingFormat::Npy => to_npy(&embedding),
            _ => to_safetensors(&embedding, &self.about())?,
        };
        let file = format!("{}.{}", embedding.id, self.format);
        write_whole(&self.path.join(&file), &bytes)?;
        self.note(&embedding, source, &file)
    }

    /// Writes the table that is not written yet.
    fn finish(&mut self) -> Result<()> {
        if self.table.is_empty() {
            return Ok(());
        }
        let file = format!("embeddings-{:05}.parquet", self.tables);
        self.tables += 1;
        let table = std::mem::take(&mut self.table);
        let (embeddings, sources): (Vec<Embedding>, Vec<String>) = table.into_iter().unzip();
        write_whole(&self.path.join(&file), &to_parquet(&embeddings)?)?;
        for (embedding, source) in embeddings.iter().zip(&sources) {
            self.note(embedding, source, &file)?;
        }
        Ok(())
    }

    fn note(&mut self, embedding: &Embedding, source: &str, file: &str) -> Result<()> {
        let entry = Entry {
            id: embedding.id.clone(),
            source: source.to_owned(),
            file: file.to_owned(),
            start: embedding.span.0,
            end: embedding.span.1,
            hop: embedding.hop,
            shape: embedding.shape(),
            made_by: self.made_by.clone(),
        };
        self.journal.add(&embedding.id, &entry)
    }

    fn about(&self) -> Vec<(&'static str, String)> {
        let MadeBy { model, precision, layer, pool, .. } = &self.made_by;
        let mut about = vec![("model", model.clone()), ("precision", precision.to_string())];
        about.extend(layer.map(|layer| ("layer", layer.to_string())));
        about.extend(pool.map(|pool| ("pool", pool.to_string())));
        about
    }
}

/// The number in a table's name.
fn table_number(file: &str) -> Option<usize> {
    file.strip_prefix("embeddings-")?.strip_suffix(".parquet")?.parse().ok()
}
