//! `awaaz transcribe`: audio in, transcripts out, file by file.
//!
//! A file that fails is told of and left behind; the run goes on. What stands in the way of all (settings, the
//! model, a full disk behind stdout) ends the run.

mod args;
mod live;
mod speakers;

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

pub use args::{DiarizerSettings, RecognizerSettings, TranscribeArgs};

use super::Exit;
use super::inputs::{Input, expand};
use super::stop::Stop;
use crate::asr::{AudioSource, Recognizer, Transcript};
use crate::audio::{AudioStream, DecodeOptions};
use crate::compute::{Precision, give_back_large_buffers};
use crate::output::{
    Existing, Format, Origin, OutputFolder, Progress, Style, output_names, pace, split_by_speaker,
};
use crate::{Error, Result};
use live::{Live, Watcher};
use speakers::{Heard, Told};

/// What a run touches outside itself.
pub struct Environment<'a> {
    /// Makes the recogniser. Called once, and only when there is something to recognise.
    pub load: &'a mut dyn FnMut(&RecognizerSettings) -> Result<Box<dyn Recognizer>>,
    /// Where data goes.
    pub stdout: &'a mut dyn Write,
    /// Where talk goes.
    pub progress: Progress,
    /// Whether the user has asked to stop.
    pub stop: Stop,
}

/// Makes the recogniser that the settings ask for.
///
/// # Errors
/// Those of finding, reading and checking the model.
pub fn load_recognizer(settings: &RecognizerSettings, stop: &Stop) -> Result<Box<dyn Recognizer>> {
    let precision = settings.model.precision_or(Precision::F32);
    let model =
        settings.model.load(precision, &settings.options.language, &settings.ctc, settings.talk, stop)?;
    model.recognizer(settings.options.clone())
}

/// Transcribes what `args` name.
///
/// # Errors
/// [`Error::Setting`] where the arguments contradict each other, [`Error::Io`] where the output folder cannot be
/// made or stdout cannot be written to, and those of loading the model, unless a file was done before.
pub fn run(args: &TranscribeArgs, environment: Environment) -> Result<Exit> {
    give_back_large_buffers();
    let expanded = expand(&args.inputs);
    let tally = Tally { inputs: expanded.len(), ..Tally::default() };
    let (inputs, unusable): (Vec<_>, Vec<_>) = expanded.into_iter().partition(Result::is_ok);
    let inputs: Vec<Input> = inputs.into_iter().flatten().collect();
    let mut run = Run {
        sink: Sink::new(args, inputs.len())?,
        decode: args.decode_options()?,
        style: Style {
            file: String::new(),
            channel: args.ctm_channel(),
            layout: args.layout(),
            script: args.script(),
            turns: Vec::new(),
        },
        speakers: args.diarizer().map(Told::new),
        settings: args.recognizer_settings(),
        recognizer: None,
        environment,
        tally,
    };
    let jobs = match run.sink {
        Sink::Folder { .. } => named(inputs)?,
        Sink::Stdout { .. } => inputs.into_iter().map(|input| Job { input, name: PathBuf::new() }).collect(),
    };
    for error in unusable.into_iter().filter_map(Result::err) {
        run.fail(&error);
    }
    run.all(&jobs)
}

/// An input and the name of its files, if it has files.
struct Job {
    input: Input,
    name: PathBuf,
}

fn named(inputs: Vec<Input>) -> Result<Vec<Job>> {
    let origins: Vec<Origin> =
        inputs.iter().map(|input| Origin { path: &input.path, relative: &input.relative }).collect();
    let names = output_names(&origins)?;
    Ok(inputs.into_iter().zip(names).map(|(input, name)| Job { input, name }).collect())
}

/// Where transcripts go.
enum Sink {
    /// Segment by segment, where the format allows; with a heading a file where there are several.
    Stdout { format: Format, headed: bool },
    /// Whole files.
    Folder { folder: OutputFolder, formats: Vec<Format> },
}

impl Sink {
    fn new(args: &TranscribeArgs, inputs: usize) -> Result<Self> {
        let formats = args.formats();
        if let Some(folder) = &args.out_dir {
            let existing = if args.force { Existing::Replace } else { Existing::Keep };
            return Ok(Self::Folder { folder: OutputFolder::open(folder, existing)?, formats });
        }
        let [format] = formats[..] else {
            return Err(Error::Setting("several formats need --out-dir: stdout takes one".into()));
        };
        if inputs > 1 && !format.may_be_joined() {
            return Err(Error::Setting(format!(
                "{inputs} inputs as {format} need --out-dir: on stdout they would run together (jsonl may)"
            )));
        }
        Ok(Self::Stdout { format, headed: inputs > 1 && format == Format::Text })
    }
}

/// Why a file was not done.
enum Trouble {
    /// Its output exists.
    Exists(Error),
    /// It cannot be done; others may.
    File(Error),
    /// Nor can the others.
    All(Error),
    /// Who read stdout has gone.
    ReaderGone,
    /// The user asked to stop.
    Stopped,
}

/// A run on its way.
struct Run<'a> {
    sink: Sink,
    decode: DecodeOptions,
    style: Style,
    settings: RecognizerSettings,
    recognizer: Option<Box<dyn Recognizer>>,
    /// Who says what, where that is asked for.
    speakers: Option<Told>,
    environment: Environment<'a>,
    tally: Tally,
}

/// What has become of the files so far.
#[derive(Default)]
struct Tally {
    inputs: usize,
    done: usize,
    failed: usize,
    skipped: usize,
    audio_seconds: f64,
    took: Duration,
}

impl Run<'_> {
    fn all(mut self, jobs: &[Job]) -> Result<Exit> {
        for (index, job) in jobs.iter().enumerate() {
            let trouble = match self.one(job, index + 1, jobs.len()) {
                Ok(()) => continue,
                Err(trouble) => trouble,
            };
            self.environment.progress.abandon();
            match trouble {
                Trouble::Exists(error) => self.skip(&error),
                Trouble::File(error) => self.fail(&error),
                Trouble::All(error) if self.tally.done == 0 => return Err(error),
                Trouble::All(error) => {
                    self.fail(&error);
                    break;
                }
                Trouble::ReaderGone => return Ok(Exit::Success),
                Trouble::Stopped => {
                    self.environment.progress.error(&format!("stopped; {}", self.tally.summary()));
                    return Ok(Exit::Interrupted);
                }
            }
        }
        if self.tally.inputs > 1 {
            self.environment.progress.say(&self.tally.summary());
        }
        Ok(self.tally.exit())
    }

    fn one(&mut self, job: &Job, number: usize, count: usize) -> Result<(), Trouble> {
        if self.environment.stop.is_requested() {
            return Err(Trouble::Stopped);
        }
        if let Sink::Folder { folder, formats } = &self.sink {
            folder.check_free(&job.name, formats).map_err(Trouble::output)?;
        }
        let input = job.input.audio();
        let name = input.to_string();
        let mut audio = AudioStream::open(input, &self.decode).map_err(Trouble::file)?;
        self.load()?;
        self.style.file = name.clone();
        self.environment.progress.begin(&name, number, count, audio.info().duration);
        let transcript = self.transcript(&name, &mut audio)?;
        for warning in audio.warnings() {
            self.environment.progress.say(&format!("{name}: {warning}"));
        }
        if transcript.segments.is_empty() {
            self.environment.progress.say(&format!("{name}: no speech was found"));
        }
        self.save(&job.name, &transcript)?;
        self.tally.done += 1;
        self.tally.audio_seconds += transcript.duration;
        self.tally.took += self.environment.progress.finish(transcript.duration);
        Ok(())
    }

    fn load(&mut self) -> Result<(), Trouble> {
        if self.recognizer.is_none() {
            self.recognizer = Some((self.environment.load)(&self.settings).map_err(Trouble::All)?);
        }
        Ok(())
    }

    /// The transcript of `audio`, cut by who says it where that is asked for; by the end, all of it is on stdout where it goes
    /// there.
    fn transcript(&mut self, name: &str, audio: &mut AudioStream) -> Result<Transcript, Trouble> {
        if self.speakers.is_none() {
            return self.recognize(name, audio);
        }
        let mut heard = Heard::new(audio);
        let transcript = self.recognize(name, &mut heard)?;
        let samples = heard.into_samples().map_err(Trouble::file)?;
        let Some(told) = &mut self.speakers else { return Ok(transcript) };
        let turns = told.turns(&samples, &mut self.environment.progress, &self.environment.stop);
        let turns = turns.map_err(|error| match error {
            Error::Interrupted => Trouble::Stopped,
            error => Trouble::All(error),
        })?;
        let (transcript, turns) = split_by_speaker(&transcript, &turns);
        self.style.turns = turns;
        self.show(name, &transcript)?;
        Ok(transcript)
    }

    /// Puts a transcript that was not shown while it grew on stdout, where it goes there.
    fn show(&mut self, name: &str, transcript: &Transcript) -> Result<(), Trouble> {
        let Sink::Stdout { format, headed } = &self.sink else { return Ok(()) };
        let heading = if *headed { live::heading(name, self.tally.done == 0) } else { String::new() };
        let text = heading + &format.render(transcript, &self.style);
        let stdout = &mut *self.environment.stdout;
        let shown = self
            .environment
            .progress
            .aside(|| stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()));
        shown.map_err(|error| match error.kind() {
            io::ErrorKind::BrokenPipe => Trouble::ReaderGone,
            _ => Trouble::All(Error::io("stdout", error)),
        })
    }

    /// The transcript of `audio`; by the end, all of it is on stdout where it goes there, but for one that is still to be cut.
    fn recognize(&mut self, name: &str, audio: &mut dyn AudioSource) -> Result<Transcript, Trouble> {
        let Some(recognizer) = &mut self.recognizer else { return Err(Trouble::Stopped) };
        let live = match &self.sink {
            Sink::Stdout { .. } if self.speakers.is_some() => None,
            Sink::Stdout { format, headed } => {
                let heading = headed.then(|| live::heading(name, self.tally.done == 0));
                Some(Live::new(&mut *self.environment.stdout, format.writer(&self.style), heading))
            }
            Sink::Folder { .. } => None,
        };
        let mut watcher = Watcher::new(name, &mut self.environment.progress, &self.environment.stop, live);
        let transcript = recognizer.transcribe(audio, &mut watcher);
        if let Ok(transcript) = &transcript {
            watcher.end(transcript);
        }
        match (watcher.into_failure(), transcript) {
            (Some(error), _) if error.kind() == io::ErrorKind::BrokenPipe => Err(Trouble::ReaderGone),
            (Some(error), _) => Err(Trouble::All(Error::io("stdout", error))),
            (None, Err(Error::Interrupted)) => Err(Trouble::Stopped),
            (None, transcript) => transcript.map_err(Trouble::file),
        }
    }

    /// Writes the files of a transcript, where it goes into files.
    fn save(&self, name: &Path, transcript: &Transcript) -> Result<(), Trouble> {
        let Sink::Folder { folder, formats } = &self.sink else { return Ok(()) };
        for &format in formats {
            folder.write(name, format, &format.render(transcript, &self.style)).map_err(Trouble::output)?;
        }
        Ok(())
    }

    fn fail(&mut self, error: &Error) {
        self.tally.failed += 1;
        self.environment.progress.error(&format!("error: {error}"));
    }

    fn skip(&mut self, error: &Error) {
        self.tally.skipped += 1;
        self.environment.progress.error(&format!("skipped: {error}; --force replaces it"));
    }
}

impl Trouble {
    /// Of opening or recognising a file. Wrong settings are wrong for all.
    fn file(error: Error) -> Self {
        match error {
            Error::Setting(_) => Self::All(error),
            _ => Self::File(error),
        }
    }

    /// Of writing a file.
    fn output(error: Error) -> Self {
        use io::ErrorKind::{AlreadyExists, QuotaExceeded, ReadOnlyFilesystem, StorageFull};
        let Error::Io { source, .. } = &error else { return Self::File(error) };
        match source.kind() {
            AlreadyExists => Self::Exists(error),
            // Recognising more would be work for nothing.
            StorageFull | QuotaExceeded | ReadOnlyFilesystem => Self::All(error),
            _ => Self::File(error),
        }
    }
}

impl Tally {
    fn exit(&self) -> Exit {
        Exit::of(self.done, self.failed + self.skipped)
    }

    fn summary(&self) -> String {
        let mut summary = format!("{} of {} transcribed", self.done, self.inputs);
        if self.failed > 0 {
            summary += &format!(", {} failed", self.failed);
        }
        if self.skipped > 0 {
            summary += &format!(", {} skipped", self.skipped);
        }
        if self.done > 0 {
            summary += &format!("; {}", pace(self.audio_seconds, self.took));
        }
        summary
    }
}
