//! `awaaz bench speakers`: how well voices are told apart, and how well it is told who speaks when.

mod clips;
mod figures;
mod html;
mod markdown;
mod systems;
mod talks;
mod trials;

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::Args;

use crate::audio::WavRecorder;
use crate::cli::Exit;
use crate::cli::model_args::Talk;
use crate::cli::speaker_args::SpeakerModelArgs;
use crate::cli::speakers::voices::read_cohort;
use crate::cli::stop::Stop;
use crate::cli::values::{count, seconds, unit_interval};
use crate::corpus::conversations::Conversation;
use crate::output::{Progress, to_rttm, write_whole};
use crate::score::bootstrap::Bootstrap;
use crate::time::SampleIndex;
use crate::weights::PullOptions;
use crate::{Error, Result};

use clips::{Kept, Voices, corpora};
use figures::{CorpusSize, Curve, Report, Row, SystemSpeed};
use systems::{Encoder, Normalised, VoiceSystem};
use talks::Talks;
use trials::{Condition, Pairs};

const AFTER_HELP: &str = "\
Examples:
  awaaz bench speakers --data librispeech/test-other ravdess emovo   all pairs of each corpus, by condition and length
  awaaz bench speakers --data voxceleb1 --trials veri_test2.txt      a list in the form of VoxCeleb's
  awaaz bench speakers --data corpora/ --models ge2e,my-ecapa/ --cohort librispeech/train-clean-100 --out report
                                                        several systems, also with AS-norm, and a report with DET curves
  awaaz bench speakers --data librispeech/test-other --lengths= --talk-speakers 2,4 --keep-talks talks
                                                        conversations that are mixed, kept as WAV and RTTM

Corpora are those of `awaaz train`, LibriSpeech, VCTK, or a manifest with speakers. Conversations are mixed of clips of the first
corpus. Vectors are kept for the next run.";

/// Clips that a system's speed is measured by.
const TIMED: usize = 10;

/// Tell how well voices are told apart, and who speaks when.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct SpeakersArgs {
    /// Corpora whose speakers are known, or folders of them.
    #[arg(long, required = true, num_args = 1.., value_name = "DIR")]
    data: Vec<PathBuf>,
    /// Compare the clips of this list (1 or 0, enrolment, test: as VoxCeleb's) rather than all pairs; of one corpus.
    #[arg(long, value_name = "FILE")]
    trials: Option<PathBuf>,
    /// Write report.md, report.json and report.html into this folder.
    #[arg(long, short, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Cut clips to so many seconds of speech, in turn.
    #[arg(long, value_name = "SECONDS,...", value_delimiter = ',', default_value = "1,2,3,5", value_parser = length, help_heading = "Verification")]
    lengths: Vec<Option<Duration>>,
    /// Set scores against those of strangers, too (AS-norm): a folder of speech of many people, each in one file.
    #[arg(long, value_name = "DIR", help_heading = "Verification")]
    cohort: Option<PathBuf>,
    /// Draws of speakers for intervals.
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = count::<1, 1_000_000>, help_heading = "Verification")]
    draws: usize,
    /// Conversations of each number of speakers; 0 leaves them out.
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = count::<0, 10_000>, help_heading = "Conversations")]
    talks: usize,
    /// Speakers of a conversation.
    #[arg(long, value_name = "N,...", value_delimiter = ',', default_value = "2,3,4,5", value_parser = count::<1, 100>, help_heading = "Conversations")]
    talk_speakers: Vec<usize>,
    /// Seconds that a conversation lasts.
    #[arg(long, value_name = "SECONDS", default_value = "90", value_parser = seconds, help_heading = "Conversations")]
    talk_length: Duration,
    /// The share of turns that begin before the one before ends.
    #[arg(long, value_name = "SHARE", default_value_t = 0.3, value_parser = unit_interval, help_heading = "Conversations")]
    early: f32,
    /// The cosine down to which windows are joined by the agglomerative system.
    #[arg(long, value_name = "COSINE", default_value_t = 0.6, value_parser = unit_interval, help_heading = "Conversations")]
    least_alike: f32,
    /// The same seed mixes the same conversations.
    #[arg(long, value_name = "N", default_value_t = 0, help_heading = "Conversations")]
    seed: u64,
    /// Write the conversations into this folder, as WAV and RTTM.
    #[arg(long, value_name = "DIR", help_heading = "Conversations")]
    keep_talks: Option<PathBuf>,
    /// Several models, in turn, rather than one.
    #[arg(long, value_name = "NAME|PATH,...", value_delimiter = ',', help_heading = "Model")]
    models: Vec<String>,
    #[command(flatten)]
    model: SpeakerModelArgs,
    /// Do not keep vectors for the next run.
    #[arg(long, help_heading = "Model")]
    no_feature_cache: bool,
    /// Tell of errors alone.
    #[arg(long, short)]
    quiet: bool,
}

/// A length, or nothing where nothing is written.
fn length(text: &str) -> std::result::Result<Option<Duration>, String> {
    if text.trim().is_empty() { Ok(None) } else { seconds(text).map(Some) }
}

/// Runs the subcommand.
///
/// # Errors
/// Those of the data, the models and the settings; [`Error::Interrupted`].
pub fn run(args: &SpeakersArgs) -> Result<Exit> {
    let stop = Stop::on_signals()?;
    let mut progress = if args.quiet { Progress::on_stderr().quietly() } else { Progress::on_stderr() };
    let corpora = corpora(&args.data)?;
    if args.trials.is_some() && corpora.len() > 1 {
        return Err(Error::Setting(format!(
            "a list of trials is of one corpus, and there are {}; give one with --data",
            corpora.len()
        )));
    }
    let encoders = encoders(args, &stop)?;
    let systems = systems(args, &encoders, &mut progress)?;
    let voices = corpora
        .iter()
        .map(|(name, corpus)| Voices::read(corpus, name, &stop, &mut progress))
        .collect::<Result<Vec<_>>>()?;
    let cache = (!args.no_feature_cache).then(|| PullOptions::from_env().map(|o| o.cache.join("features")));
    let run = Run {
        args,
        systems: &systems,
        kept: Kept { cache: cache.transpose()?, stop: &stop },
        bootstrap: Bootstrap { draws: args.draws, ..Bootstrap::default() },
    };
    let mut report = Report {
        program: concat!("awaaz ", env!("CARGO_PKG_VERSION")),
        draws: args.draws,
        corpora: voices.iter().map(size).collect(),
        systems: Vec::new(),
        verification: Vec::new(),
        det: Vec::new(),
        conversations: None,
    };
    for voices in &voices {
        run.verify(voices, &mut report, &mut progress)?;
    }
    report.systems =
        systems.iter().map(|system| run.speed(system.as_ref(), &voices[0])).collect::<Result<_>>()?;
    if args.talks > 0 {
        let talks = Talks {
            each: args.talks,
            speakers: &args.talk_speakers,
            seconds: args.talk_length.as_secs_f64(),
            early: f64::from(args.early),
            seed: args.seed,
            least_alike: args.least_alike,
            stop: &stop,
        };
        let mixed = talks.mix(&voices[0])?;
        if let Some(folder) = &args.keep_talks {
            keep(folder, &mixed)?;
        }
        report.conversations =
            Some(talks.measure(&voices[0], &mixed, &encoders_as_systems(&encoders), &mut progress)?);
    }
    let text = markdown::report(&report);
    if let Some(folder) = &args.out {
        write(folder, &report, &text)?;
    }
    io::stdout().write_all(text.as_bytes()).map_err(|error| Error::io("stdout", error))?;
    Ok(Exit::Success)
}

fn size(voices: &Voices) -> CorpusSize {
    CorpusSize { name: voices.name.clone(), clips: voices.clips.len(), speakers: voices.speakers() }
}

/// The encoders that are named.
fn encoders(args: &SpeakersArgs, stop: &Stop) -> Result<Vec<Encoder>> {
    let talk = if args.quiet { Talk::Quiet } else { Talk::Stderr };
    let named = |model: &String| {
        let loaded = args.model.for_model(model).load(talk, stop)?;
        let weights = loaded.identity().sha256.clone().unwrap_or_else(|| model.clone());
        let identity = format!("{weights} in {}", args.model.precision());
        Ok(Encoder { name: loaded.identity().name.clone(), identity, model: loaded })
    };
    match args.models.as_slice() {
        [] => Ok(vec![named(&args.model.model)?]),
        several => several.iter().map(named).collect(),
    }
}

fn encoders_as_systems<'a>(encoders: &[Encoder]) -> Vec<Box<dyn VoiceSystem + 'a>> {
    encoders.iter().map(|encoder| Box::new(encoder.clone()) as Box<dyn VoiceSystem>).collect()
}

/// Each encoder, and each again with AS-norm where there is a cohort.
fn systems<'a>(
    args: &SpeakersArgs,
    encoders: &'a [Encoder],
    progress: &mut Progress,
) -> Result<Vec<Box<dyn VoiceSystem + 'a>>> {
    let mut systems = encoders_as_systems(encoders);
    if let Some(path) = &args.cohort {
        for encoder in encoders {
            let cohort = read_cohort(path, &encoder.model, progress)?;
            systems.push(Box::new(Normalised::new(encoder, cohort)));
        }
    }
    Ok(systems)
}

/// What all measurements share.
struct Run<'a> {
    args: &'a SpeakersArgs,
    systems: &'a [Box<dyn VoiceSystem + 'a>],
    kept: Kept<'a>,
    bootstrap: Bootstrap,
}

impl Run<'_> {
    /// Adds what trials of a corpus tell.
    fn verify(&self, voices: &Voices, report: &mut Report, progress: &mut Progress) -> Result<()> {
        let pairs = match &self.args.trials {
            None => Pairs::all(voices),
            Some(path) => {
                Pairs::read(&fs::read_to_string(path).map_err(|error| Error::io(path, error))?, path, voices)?
            }
        };
        let (corpus, bootstrap) = (voices.name.as_str(), &self.bootstrap);
        for system in self.systems {
            let (system, name) = (system.as_ref(), system.name());
            progress.say(&format!("{corpus}: {name}"));
            let vectors = voices.vectors(system, None, &self.kept, progress)?;
            for condition in Condition::ALL.into_iter().filter(|condition| condition.fits(voices)) {
                let Some(trials) = pairs.scored(voices, &vectors, system, condition)? else { continue };
                let row = Row::of(corpus, name, condition.name().into(), &trials, bootstrap)?;
                report.verification.push(row);
                if condition == Condition::All {
                    report.det.push(Curve::of(corpus, name, &trials)?);
                }
            }
            for length in self.args.lengths.iter().flatten() {
                let samples = SampleIndex::from_seconds(length.as_secs_f64()).0;
                let vectors = voices.vectors(system, Some(samples), &self.kept, progress)?;
                let Some(trials) = pairs.scored(voices, &vectors, system, Condition::All)? else { continue };
                let condition = format!("{} s", length.as_secs_f64());
                report.verification.push(Row::of(corpus, name, condition, &trials, bootstrap)?);
            }
        }
        Ok(())
    }

    fn speed(&self, system: &dyn VoiceSystem, voices: &Voices) -> Result<SystemSpeed> {
        let (mut took, mut seconds) = (Duration::ZERO, 0.0);
        for clip in voices.clips.iter().take(TIMED) {
            let samples = clip.clip()?.samples;
            let started = Instant::now();
            system.embed(&samples)?;
            took += started.elapsed();
            seconds += SampleIndex(samples.len() as u64).seconds();
        }
        let milliseconds = 1000.0 * took.as_secs_f64() / seconds;
        Ok(SystemSpeed { name: system.name().to_owned(), milliseconds })
    }
}

/// Writes conversations, each with its turns.
fn keep(folder: &Path, talks: &[(usize, Conversation)]) -> Result<()> {
    fs::create_dir_all(folder).map_err(|error| Error::io(folder, error))?;
    for (number, (speakers, talk)) in talks.iter().enumerate() {
        let name = format!("talk-{number:03}-{speakers}");
        let mut wav = WavRecorder::create(folder.join(format!("{name}.wav")))?;
        wav.write(&talk.samples)?;
        wav.finish()?;
        write_whole(&folder.join(format!("{name}.rttm")), to_rttm(&name, &talk.turns).as_bytes())?;
    }
    Ok(())
}

fn write(folder: &Path, report: &Report, text: &str) -> Result<()> {
    let json_path = folder.join("report.json");
    let json = serde_json::to_string_pretty(report).map_err(|error| Error::io(&json_path, error.into()))?;
    write_whole(&folder.join("report.md"), text.as_bytes())?;
    write_whole(&json_path, (json + "\n").as_bytes())?;
    write_whole(&folder.join("report.html"), html::report(report)?.as_bytes())
}
