//! `awaaz speakers calibrate`: what scores mean, by speech of people who are told apart by their folders.

use std::path::{Path, PathBuf};

use clap::Args;

use super::voices::{read_cohort, write_out};
use crate::audio::DecodeOptions;
use crate::cli::Exit;
use crate::cli::inputs::{Input, expand};
use crate::cli::model_args::Talk;
use crate::cli::speaker_args::SpeakerModelArgs;
use crate::cli::stop::Stop;
use crate::output::{Progress, write_whole};
use crate::score::verification::Verification;
use crate::speaker::{Calibration, Calibrations, Cohort, Silences, SpeakerModel, Trial, Voiceprint};
use crate::{Error, Result};

/// Samples of speech of each sound that voices are made of: 1, 2, 3, 5 and 10 s.
const LENGTHS: [usize; 5] = [16_000, 32_000, 48_000, 80_000, 160_000];
/// Trials of one kind at most; of more, so many are drawn.
const MOST_TRIALS: usize = 100_000;
/// Of the draw.
const SEED: u64 = 1;

const AFTER_HELP: &str = "\
Examples:
  awaaz speakers calibrate LibriSpeech/test-other --out ge2e.json
  awaaz speakers calibrate voices/ --cohort strangers/ --out ge2e.json   also for scores set against strangers
  awaaz speakers verify a.wav b.wav --calibration ge2e.json

Of each folder in DIR one person speaks, in two files at least; a file that lies in DIR itself is of a person of its own.
Voices of 1, 2, 3, 5 and 10 s of speech of two files each are compared. With --cohort, the strangers must be others.";

/// Learn what probability a score means, for a speaker encoder and the kind of speech given.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct CalibrateArgs {
    /// Folders with a folder for each speaker.
    #[arg(required = true, value_name = "DIR")]
    folders: Vec<PathBuf>,
    /// The file of the calibration.
    #[arg(long, short, value_name = "FILE")]
    out: PathBuf,
    /// Also calibrate scores that are set against those of strangers.
    #[arg(long, value_name = "FILE|DIR")]
    cohort: Option<PathBuf>,
    #[command(flatten)]
    model: SpeakerModelArgs,
    /// Tell of errors alone.
    #[arg(long, short)]
    quiet: bool,
}

/// A voice, by the number of its speaker and of its file.
struct Voice {
    speaker: usize,
    file: usize,
    voiceprint: Voiceprint,
}

/// Runs the subcommand.
///
/// # Errors
/// Those of the sounds, the settings and the model; [`Error::Corpus`] where there is nothing to compare.
pub fn run(args: &CalibrateArgs) -> Result<Exit> {
    let stop = Stop::on_signals()?;
    let talk = if args.quiet { Talk::Quiet } else { Talk::Stderr };
    let mut progress = if args.quiet { Progress::on_stderr().quietly() } else { Progress::on_stderr() };
    let model = args.model.load(talk, &stop)?;
    let cohort = match &args.cohort {
        Some(path) => Some(read_cohort(path, &model, &mut progress)?),
        None => None,
    };
    let Some(voices) = voices(args, &model, &mut progress, &stop)? else { return Ok(Exit::Interrupted) };
    let pairs = pairs(&voices);
    if !pairs.iter().any(|&(a, b)| voices[a].speaker == voices[b].speaker) {
        let reason = "no speaker has two files; give folders with a folder for each speaker";
        return Err(Error::corpus(&args.folders[0], reason));
    }
    let trials = |score: &dyn Fn(&Voiceprint, &Voiceprint) -> f32| -> Vec<Trial> {
        let trial = |&(a, b): &(usize, usize)| {
            let (a, b): (&Voice, &Voice) = (&voices[a], &voices[b]);
            Trial {
                score: score(&a.voiceprint, &b.voiceprint),
                seconds: a.voiceprint.seconds().min(b.voiceprint.seconds()),
                is_same: a.speaker == b.speaker,
            }
        };
        pairs.iter().map(trial).collect()
    };
    let cosines = trials(&Voiceprint::cosine);
    let cosine = Calibration::fit(&cosines)?;
    let mut report = told("cosine", &cosine, &cosines)?;
    let mut normalised = None;
    if let Some(cohort) = &cohort {
        let scores = trials(&|a, b| Cohort::normalised(cohort, a, b));
        let fitted = Calibration::fit(&scores)?;
        report += &told("against strangers", &fitted, &scores)?;
        normalised = Some(fitted);
    }
    let json = serde_json::to_string_pretty(&Calibrations { cosine, normalised })
        .map_err(|error| Error::Setting(format!("a calibration cannot be written: {error}")))?;
    write_whole(&args.out, (json + "\n").as_bytes())?;
    write_out(&report)?;
    Ok(Exit::Success)
}

/// The voices of all sounds, in the order of their paths; none where the user asked to stop.
fn voices(
    args: &CalibrateArgs,
    model: &SpeakerModel,
    progress: &mut Progress,
    stop: &Stop,
) -> Result<Option<Vec<Voice>>> {
    let inputs = expand(&args.folders).into_iter().collect::<Result<Vec<Input>>>()?;
    let mut speakers: Vec<PathBuf> = Vec::new();
    let mut voices = Vec::new();
    for (file, input) in inputs.iter().enumerate() {
        if stop.is_requested() {
            return Ok(None);
        }
        let name = speaker_of(input);
        let speaker = speakers.iter().position(|other| *other == name).unwrap_or_else(|| {
            speakers.push(name);
            speakers.len() - 1
        });
        let speech = match input.read(&DecodeOptions::default()) {
            Ok(samples) => crate::speaker::speech_of(&samples)?,
            Err(error) => {
                progress.error(&format!("left out: {error}"));
                continue;
            }
        };
        for length in LENGTHS.into_iter().filter(|&length| length <= speech.len()) {
            let voiceprint = model.embed(&speech[..length], Silences::Kept)?;
            voices.push(Voice { speaker, file, voiceprint });
        }
        if (file + 1) % 50 == 0 {
            progress.say(&format!("{} of {}", file + 1, inputs.len()));
        }
    }
    Ok(Some(voices))
}

/// The folder in the folder that was named, or the file that lies in that itself.
fn speaker_of(input: &Input) -> PathBuf {
    // Of a/b/c.wav below the folder, two up is a; of c.wav, none is the file itself.
    let up = input.relative.components().count().saturating_sub(1);
    input.path.ancestors().nth(up).map_or_else(|| input.path.clone(), Path::to_path_buf)
}

/// Pairs of voices of two files: all, or so many drawn of each kind.
fn pairs(voices: &[Voice]) -> Vec<(usize, usize)> {
    let all = (0..voices.len()).flat_map(|b| (0..b).map(move |a| (a, b)));
    let all = all.filter(|&(a, b)| voices[a].file != voices[b].file);
    let (mut same, mut different): (Vec<_>, Vec<_>) =
        all.partition(|&(a, b)| voices[a].speaker == voices[b].speaker);
    let mut random = fastrand::Rng::with_seed(SEED);
    for kind in [&mut same, &mut different] {
        random.shuffle(kind);
        kind.truncate(MOST_TRIALS);
    }
    same.append(&mut different);
    same
}

/// A calibration and the errors of its trials, in lines for people.
fn told(what: &str, calibration: &Calibration, trials: &[Trial]) -> Result<String> {
    let Calibration { scale, length, offset } = calibration;
    let mut text = format!(
        "{what}: log-likelihood ratio = {scale:.3} * score + {length:.3} * ln(seconds) + {offset:.3}\n"
    );
    let mut of = |name: String, trials: &mut dyn Iterator<Item = &Trial>| -> Result<()> {
        let trials: Vec<&Trial> = trials.collect();
        let scored = Verification::new(trials.iter().map(|trial| (trial.score, trial.is_same)))?;
        let (same, different) = scored.trials();
        let wrong = trials
            .iter()
            .filter(|trial| (calibration.log_ratio(trial.score, trial.seconds) >= 0.0) != trial.is_same)
            .count();
        let eer = 100.0 * scored.equal_error_rate();
        let wrong = 100.0 * wrong as f64 / trials.len() as f64;
        text += &format!(
            "  {name}: EER {eer:.2} %, {wrong:.2} % on the wrong side of 0.5 ({same} trials of one speaker, {different} of two)\n"
        );
        Ok(())
    };
    for seconds in LENGTHS.map(|samples| samples as f64 / 16_000.0) {
        let is_of = |trial: &&Trial| (trial.seconds - seconds).abs() < 0.01;
        let has = |is_same: bool| trials.iter().filter(is_of).any(|trial| trial.is_same == is_same);
        if has(true) && has(false) {
            of(format!("the shorter of {seconds} s"), &mut trials.iter().filter(is_of))?;
        }
    }
    of("all".into(), &mut trials.iter())?;
    Ok(text)
}
