//! `awaaz bench ctc-streaming`: what hearing in chunks costs a CTC model.

use std::collections::HashMap;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::Args;
use serde::Serialize;

use crate::asr::ctc::{CtcEngine, LogProbabilities, PartialOptions, greedy};
use crate::asr::{LanguageChoice, Model};
use crate::audio::{AudioStream, DecodeOptions};
use crate::cli::Exit;
use crate::cli::ctc_args::CtcArgs;
use crate::cli::inputs::expand;
use crate::cli::model_args::{ModelArgs, Talk};
use crate::cli::stop::Stop;
use crate::cli::values::{language, seconds, seconds_or_none};
use crate::compute::Precision;
use crate::score::{Edits, char_errors};
use crate::time::SampleIndex;
use crate::{Error, Result};

const AFTER_HELP: &str = "\
Examples:
  awaaz bench ctc-streaming --model mms --language hi talks/
  awaaz bench ctc-streaming --model wav2vec2 *.wav --chunk 0.5,1 --look-ahead 0,0.5 --references texts.tsv

Of each setting it tells how long sound may wait at most until its frames settle, in what share of frames the best token
is that of the whole file, how the texts differ in characters, and the time to compute over the length of the sound.";

/// Tell how what a CTC model hears in chunks differs from what it hears in the whole file.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct CtcStreamingArgs {
    /// Audio files, folders (searched for audio) or patterns; each is heard as one segment.
    #[arg(required = true, value_name = "FILES")]
    inputs: Vec<PathBuf>,
    /// Sound that is encoded at once.
    #[arg(long, value_name = "SECONDS,...", value_delimiter = ',', value_parser = seconds, default_value = "0.5")]
    chunk: Vec<Duration>,
    /// Sound after a chunk that it waits for.
    #[arg(
        long,
        value_name = "SECONDS,...",
        value_delimiter = ',',
        value_parser = seconds_or_none,
        default_value = "0,0.5"
    )]
    look_ahead: Vec<Duration>,
    /// Sound before a chunk that it hears.
    #[arg(
        long,
        value_name = "SECONDS,...",
        value_delimiter = ',',
        value_parser = seconds_or_none,
        default_value = "4"
    )]
    left_context: Vec<Duration>,
    /// The texts that are spoken: a line a file, its name without folder and extension, a tab, the text.
    #[arg(long, value_name = "FILE")]
    references: Option<PathBuf>,
    /// The language spoken, for models that need to know.
    #[arg(long, value_name = "LANGUAGE", value_parser = language)]
    language: Option<String>,
    /// Write the figures as JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    model: ModelArgs,
}

/// Longer than any file that is heard as one segment.
const UNBOUNDED: Duration = Duration::from_secs(86_400);

/// A file, and what is heard of it as a whole.
struct Sound {
    samples: Vec<f32>,
    whole: LogProbabilities,
    /// The same with mean and variance as they are known on the way.
    running: LogProbabilities,
    text: String,
    reference: Option<String>,
}

/// What is measured with one setting, or with whole files where there is none.
#[derive(Serialize, Default)]
struct Row {
    /// Seconds.
    chunk: Option<f64>,
    look_ahead: Option<f64>,
    left_context: Option<f64>,
    /// Seconds of sound from the begin of a chunk to where it settles.
    latency: Option<f64>,
    /// Share of frames whose best token is that of the whole file.
    agreement: f64,
    /// Share of frames whose best token is that of the whole file heard with mean and variance as they are known on the way:
    /// what is left is the doing of the bounded context alone.
    agreement_running: f64,
    /// Character errors against the text of the whole file, over its characters.
    unlike_whole: f64,
    /// Character errors against the references.
    error: Option<f64>,
    real_time_factor: f64,
}

/// Runs the subcommand.
///
/// # Errors
/// Those of the inputs, the settings and the model; [`Error::Setting`] for a model that is not CTC.
pub fn run(args: &CtcStreamingArgs) -> Result<Exit> {
    let stop = Stop::on_signals()?;
    let precision = args.model.precision_or(Precision::F32);
    let language = args.language.clone().map_or(LanguageChoice::Detect, LanguageChoice::Fixed);
    let model = args.model.load(precision, &language, &CtcArgs::default(), Talk::Stderr, &stop)?;
    let Model::Ctc(engine) = model else {
        return Err(Error::Setting("this is of models with a CTC head; Whisper has none".into()));
    };
    let (sounds, took) = hear_whole(args, &engine)?;
    let mut rows =
        vec![Row { real_time_factor: took, ..compared(&sounds, &engine, |sound| Ok(sound.whole.clone()))? }];
    for &left in &args.left_context {
        for &chunk in &args.chunk {
            for &look_ahead in &args.look_ahead {
                if stop.is_requested() {
                    return Err(Error::Interrupted);
                }
                let options = PartialOptions { left, chunk, look_ahead };
                let row = compared(&sounds, &engine, |sound| engine.listen_live(&sound.samples, options))?;
                rows.push(Row {
                    chunk: Some(chunk.as_secs_f64()),
                    look_ahead: Some(look_ahead.as_secs_f64()),
                    left_context: Some(left.as_secs_f64()),
                    latency: Some(engine.algorithmic_latency(options).as_secs_f64()),
                    ..row
                });
            }
        }
    }
    let text = match args.json {
        true => serde_json::to_string(&rows).map_err(|error| Error::io("stdout", error.into()))? + "\n",
        false => table(&rows),
    };
    io::stdout().write_all(text.as_bytes()).map_err(|error| Error::io("stdout", error))?;
    Ok(Exit::Success)
}

/// All files, and the real-time factor of hearing them whole.
fn hear_whole(args: &CtcStreamingArgs, engine: &CtcEngine) -> Result<(Vec<Sound>, f64)> {
    let references = args.references.as_deref().map(read_references).transpose()?;
    let (mut sounds, mut took, mut length) = (Vec::new(), 0.0, 0.0);
    for input in expand(&args.inputs) {
        let input = input?;
        let samples = AudioStream::open(input.audio(), &DecodeOptions::default())?.read_all()?;
        let start = Instant::now();
        let whole = engine.listen(&[&samples])?.remove(0);
        took += start.elapsed().as_secs_f64();
        let (left, chunk, look_ahead) = (Duration::ZERO, UNBOUNDED, Duration::ZERO);
        let running = engine.listen_live(&samples, PartialOptions { left, chunk, look_ahead })?;
        length += SampleIndex(samples.len() as u64).seconds();
        let text = greedy(&whole, engine.vocabulary()).text;
        let name = input.path.file_stem().unwrap_or_default().to_string_lossy();
        let reference = references.as_ref().and_then(|texts| texts.get(name.as_ref()).cloned());
        sounds.push(Sound { samples, whole, running, text, reference });
    }
    Ok((sounds, took / length))
}

fn read_references(path: &Path) -> Result<HashMap<String, String>> {
    let text = std::fs::read_to_string(path).map_err(|error| Error::io(path, error))?;
    let row = |line: &str| line.split_once('\t').map(|(name, text)| (name.to_owned(), text.to_owned()));
    Ok(text.lines().filter_map(row).collect())
}

/// What `hear` makes of the sounds, beside what was heard of them as a whole.
fn compared(
    sounds: &[Sound],
    engine: &CtcEngine,
    hear: impl Fn(&Sound) -> Result<LogProbabilities>,
) -> Result<Row> {
    let (mut agreement, mut running) = (Agreement::default(), Agreement::default());
    let (mut took, mut length) = (0.0, 0.0);
    let (mut unlike_whole, mut errors) = (Edits::default(), Edits::default());
    for sound in sounds {
        let start = Instant::now();
        let heard = hear(sound)?;
        took += start.elapsed().as_secs_f64();
        length += SampleIndex(sound.samples.len() as u64).seconds();
        agreement.add(&sound.whole, &heard);
        running.add(&sound.running, &heard);
        let text = greedy(&heard, engine.vocabulary()).text;
        unlike_whole += char_errors(&sound.text, &text);
        if let Some(reference) = &sound.reference {
            errors += char_errors(reference, &text);
        }
    }
    Ok(Row {
        agreement: agreement.share(),
        agreement_running: running.share(),
        unlike_whole: unlike_whole.rate(),
        error: sounds.iter().any(|sound| sound.reference.is_some()).then(|| errors.rate()),
        real_time_factor: took / length,
        ..Row::default()
    })
}

/// In how many frames two have the same best token.
#[derive(Default)]
struct Agreement {
    equal: usize,
    frames: usize,
}

impl Agreement {
    fn add(&mut self, a: &LogProbabilities, b: &LogProbabilities) {
        self.frames += a.frames().max(b.frames());
        let both = 0..a.frames().min(b.frames());
        self.equal += both.filter(|&frame| a.best(frame).0 == b.best(frame).0).count();
    }

    fn share(&self) -> f64 {
        self.equal as f64 / self.frames.max(1) as f64
    }
}

fn table(rows: &[Row]) -> String {
    let mut text = String::from(
        "| left, s | chunk, s | look-ahead, s | latency, s | frames equal, % | by context alone, % | unlike the whole, % | error, % | \
         real-time factor |\n|---|---|---|---|---|---|---|---|---|\n",
    );
    let given = |number: Option<f64>| number.map_or("whole".into(), |number| format!("{number}"));
    let percent = |share: f64| format!("{:.1}", share * 100.0);
    for row in rows {
        let latency = row.latency.map_or(String::new(), |latency| format!("{latency:.3}"));
        text += &format!(
            "| {} | {} | {} | {latency} | {} | {} | {} | {} | {:.3} |\n",
            given(row.left_context),
            given(row.chunk),
            given(row.look_ahead),
            percent(row.agreement),
            percent(row.agreement_running),
            percent(row.unlike_whole),
            row.error.map_or(String::new(), percent),
            row.real_time_factor,
        );
    }
    text
}
