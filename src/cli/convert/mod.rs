//! `awaaz convert`: speech in, the same words in another voice out.

pub mod judge;
pub mod parts;

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Instant;

use clap::{Args, ValueEnum};
use serde::Serialize;

use super::Exit;
use super::inputs::{Input, expand};
use super::model_args::Talk;
use super::stop::Stop;
use crate::audio::{AudioSource, AudioStream, DecodeOptions, MarkedWav, Resampler};
use crate::convert::converter::{Manner, Pitch, Target};
use crate::output::{Origin, Progress, output_names, write_whole};
use crate::time::{SampleIndex, SampleRate};
use crate::{Error, Result};
use judge::{Judge, alike, errors};
use parts::{PartArgs, Parts};

const AFTER_HELP: &str = "\
Examples:
  awaaz train vc --data LibriSpeech/train-clean-100 --codebook models/vc/units.safetensors --out vc.safetensors
  awaaz convert talk.wav --target ann.wav --decoder vc.safetensors                  talk.converted.wav, in Ann's voice
  awaaz convert talk.wav --target ann1.wav ann2.wav --decoder vc.safetensors -o said.wav --rate source
  awaaz convert talks/ --target ann/ --decoder vc.safetensors -o converted/ --consent \"Ann, 3 May, in writing\"
  awaaz convert talk.wav --target ann.wav --decoder vc.safetensors --report -       and how good it is, as JSON

A codebook and a vocoder are built in; a decoder is not. What comes out lasts as long as what went in, to the sample. Sounds of any
length are heard in windows of 20 s. Each file says in its metadata (LIST INFO: ICMT, ISFT) that it was converted and is not a
recording; leave that in. Take another's voice only with their consent.

Exit codes: 0 all was done, 1 nothing was, 2 some was not, 64 wrong arguments, 130 stopped.";

/// Samples that are held back until it is known how many there are to be.
const HELD_BACK: usize = 64;

/// Say it again in another voice, keeping words and timing.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct ConvertArgs {
    /// Audio or video files, folders (searched for audio), or patterns; - for standard input.
    #[arg(required = true, value_name = "SOURCE")]
    sources: Vec<PathBuf>,
    /// Recordings of the voice that it becomes: files, folders, or patterns. Some seconds of speech do.
    #[arg(long, required = true, num_args = 1.., value_name = "REF")]
    target: Vec<PathBuf>,
    /// The WAV file, or for several sources the folder [default: NAME.converted.wav in the current folder].
    #[arg(long, short, value_name = "PATH", help_heading = "Output")]
    out: Option<PathBuf>,
    /// Samples a second: a number, or source for that of each source. Sound has 16000 whatever this is.
    #[arg(long, value_name = "HZ|source", default_value = "16000", help_heading = "Output")]
    rate: Rate,
    /// Write how good it is, as JSON, into this file; - for stdout.
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    report: Option<PathBuf>,
    /// That the person whose voice it becomes agreed, in words that go into the metadata.
    #[arg(long, value_name = "TEXT", help_heading = "Output")]
    consent: Option<String>,
    /// Whose pitch is spoken.
    #[arg(long, value_name = "WHOSE", default_value = "target", help_heading = "Conversion")]
    pitch: Whose,
    /// Seed of the noise in voices.
    #[arg(long, value_name = "N", default_value_t = 0, help_heading = "Conversion")]
    seed: u64,
    #[command(flatten)]
    parts: PartArgs,
    /// Tell of errors alone.
    #[arg(long, short)]
    quiet: bool,
}

/// Whose pitch is spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Whose {
    /// The source's, as it is.
    Keep,
    /// The source's, moved so that its middle is the target's.
    Target,
}

impl From<Whose> for Pitch {
    fn from(whose: Whose) -> Self {
        match whose {
            Whose::Keep => Self::Keep,
            Whose::Target => Self::Target,
        }
    }
}

/// Samples a second of what is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rate {
    Source,
    Fixed(SampleRate),
}

impl FromStr for Rate {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        match (text, text.parse::<u32>()) {
            ("source", _) => Ok(Self::Source),
            (_, Ok(rate)) if (8_000..=192_000).contains(&rate) => Ok(Self::Fixed(SampleRate(rate))),
            _ => Err("neither source nor a number from 8000 to 192000".into()),
        }
    }
}

/// How good a conversion is.
#[derive(Debug, Serialize)]
struct Report {
    source: String,
    out: String,
    seconds: f64,
    /// Seconds of work for a second of sound, the report not counted.
    real_time_factor: f64,
    /// Cosines of GE2E's vectors.
    similarity_to_target: f64,
    similarity_to_source: f64,
    source_to_target: f64,
    nearer_to_target: bool,
    word_errors: usize,
    words: usize,
    word_error_rate: f64,
    source_text: String,
    converted_text: String,
}

/// Runs the subcommand.
///
/// # Errors
/// Those of the settings, the target and the models. Sources that fail are told of, and the run goes on.
pub fn run(args: &ConvertArgs) -> Result<Exit> {
    let stop = Stop::on_signals()?;
    let talk = if args.quiet { Talk::Quiet } else { Talk::Stderr };
    let mut progress = if args.quiet { Progress::on_stderr().quietly() } else { Progress::on_stderr() };
    let (inputs, unusable): (Vec<_>, Vec<_>) = expand(&args.sources).into_iter().partition(Result::is_ok);
    let inputs: Vec<Input> = inputs.into_iter().flatten().collect();
    let outs = outs(args, &inputs)?;
    let parts = args.parts.load(talk, &stop)?;
    let target = parts.target(&args.target)?;
    let judge = match &args.report {
        Some(_) => Some(Judge::load(&args.parts.model, talk, &stop)?),
        None => None,
    };
    let mut work = Work {
        args,
        parts: &parts,
        target: &target,
        judge: judge.as_ref(),
        stop: &stop,
        reports: Vec::new(),
    };
    let mut failed = unusable.len();
    for error in unusable.into_iter().filter_map(Result::err) {
        progress.error(&format!("error: {error}"));
    }
    let mut done = 0;
    for (number, (input, out)) in inputs.iter().zip(&outs).enumerate() {
        match work.convert(input, out, (number + 1, inputs.len()), &mut progress) {
            Ok(()) => done += 1,
            Err(Error::Interrupted) => {
                progress.abandon();
                work.write_reports()?;
                return Ok(Exit::Interrupted);
            }
            Err(error) => {
                failed += 1;
                progress.abandon();
                progress.error(&format!("error: {error}"));
            }
        }
    }
    work.write_reports()?;
    Ok(Exit::of(done, failed))
}

/// Where each source goes.
fn outs(args: &ConvertArgs, inputs: &[Input]) -> Result<Vec<PathBuf>> {
    let is_file = |out: &Path| out.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("wav"));
    match (&args.out, inputs) {
        (Some(out), [_]) if is_file(out) && !out.is_dir() => return Ok(vec![out.clone()]),
        (Some(out), _) if is_file(out) && !out.is_dir() => {
            let reason =
                format!("{} is one file and there are several sources; name a folder", out.display());
            return Err(Error::Setting(reason));
        }
        _ => {}
    }
    let folder = args.out.clone().unwrap_or_default();
    let origins: Vec<Origin> =
        inputs.iter().map(|input| Origin { path: &input.path, relative: &input.relative }).collect();
    let name = |name: PathBuf| {
        let mut name = name.into_os_string();
        name.push(if args.out.is_some() { ".wav" } else { ".converted.wav" });
        folder.join(name)
    };
    let outs: Vec<PathBuf> = output_names(&origins)?.into_iter().map(name).collect();
    let same =
        |a: &Path, b: &Path| matches!((fs::canonicalize(a), fs::canonicalize(b)), (Ok(a), Ok(b)) if a == b);
    match inputs.iter().zip(&outs).find(|(input, out)| same(&input.path, out)) {
        Some((input, _)) => {
            let path = input.path.display();
            Err(Error::Setting(format!("{path} would be written over; name another folder by --out")))
        }
        None => Ok(outs),
    }
}

struct Work<'a> {
    args: &'a ConvertArgs,
    parts: &'a Parts,
    target: &'a Target,
    judge: Option<&'a Judge<'a>>,
    stop: &'a Stop,
    reports: Vec<Report>,
}

/// A source that is watched while it is read, and kept where it is to be judged.
struct Watched<'a> {
    audio: AudioStream,
    position: u64,
    kept: Option<Vec<f32>>,
    stop: &'a Stop,
    progress: &'a mut Progress,
}

impl AudioSource for Watched<'_> {
    fn read(&mut self, block: &mut Vec<f32>) -> Result<usize> {
        if self.stop.is_requested() {
            return Err(Error::Interrupted);
        }
        let read = self.audio.read(block)?;
        self.position += read as u64;
        self.progress.reach(SampleIndex(self.position));
        if let Some(kept) = &mut self.kept {
            kept.extend_from_slice(block);
        }
        Ok(read)
    }
}

impl Work<'_> {
    fn convert(
        &mut self,
        input: &Input,
        out: &Path,
        (number, count): (usize, usize),
        progress: &mut Progress,
    ) -> Result<()> {
        let name = input.path.display().to_string();
        let audio = AudioStream::open(input.audio(), &DecodeOptions::default())?;
        let own = audio.info().rate;
        let rate = match self.args.rate {
            Rate::Source => own,
            Rate::Fixed(rate) => rate,
        };
        progress.begin(&name, number, count, audio.info().duration);
        let started = Instant::now();
        let keep = || self.judge.is_some().then(Vec::new);
        let mut converted = keep();
        let mut source = Watched { audio, position: 0, kept: keep(), stop: self.stop, progress };
        let mut writer = Writer {
            wav: MarkedWav::create(out, rate)?,
            resampler: Resampler::for_output(rate)?,
            waiting: Vec::new(),
        };
        let manner = Manner { target: self.target, pitch: self.args.pitch.into(), seed: self.args.seed };
        let samples = self.parts.converter.convert(&mut source, manner, &mut |samples| {
            if let Some(converted) = &mut converted {
                converted.extend_from_slice(samples);
            }
            writer.push(samples)
        });
        let samples = samples.map_err(|error| match error {
            Error::Setting(reason) => Error::audio(name.clone(), reason),
            other => other,
        })?;
        // Resampled there and back, a sound may be a sample longer or shorter than it was.
        let whole = if rate == own { Some(source.audio.taken()) } else { None };
        let warnings = source.audio.warnings();
        let kept = source.kept;
        writer.finish(whole, &self.remark())?;
        let seconds = SampleIndex(samples).seconds();
        progress.finish(seconds);
        for warning in warnings {
            progress.error(&format!("warning: {name}: {warning}"));
        }
        if let (Some(judge), Some(source), Some(converted)) = (self.judge, kept, converted) {
            let factor = started.elapsed().as_secs_f64() / seconds.max(1e-3);
            let out = out.display().to_string();
            self.reports.push(self.judged(judge, (name, out), (&source, &converted), factor)?);
        }
        Ok(())
    }

    fn remark(&self) -> String {
        let mut remark =
            "Converted voice: made by a computer from another person's speech; this is no recording of the speaker."
                .to_owned();
        match &self.args.consent {
            Some(consent) => remark += &format!(" Consent of the person whose voice it is like: {consent}"),
            None => remark += " No consent was noted.",
        }
        remark
    }

    fn judged(
        &self,
        judge: &Judge,
        (source_name, out): (String, String),
        (source, converted): (&[f32], &[f32]),
        real_time_factor: f64,
    ) -> Result<Report> {
        let speakers = &self.parts.speakers;
        let own = speakers.vector(source)?;
        let similarity_to_target = alike(speakers, &self.target.vector, converted)?;
        let similarity_to_source = alike(speakers, &own, converted)?;
        let said = judge.words(source, None)?;
        let heard = judge.words(converted, Some(&said.language))?;
        let edits = errors(&said, &heard);
        Ok(Report {
            source: source_name,
            out,
            seconds: SampleIndex(source.len() as u64).seconds(),
            real_time_factor,
            similarity_to_target,
            similarity_to_source,
            source_to_target: alike(speakers, &self.target.vector, source)?,
            nearer_to_target: similarity_to_target > similarity_to_source,
            word_errors: edits.errors(),
            words: edits.reference_len(),
            word_error_rate: edits.rate(),
            source_text: said.text,
            converted_text: heard.text,
        })
    }

    fn write_reports(&self) -> Result<()> {
        let Some(path) = &self.args.report else { return Ok(()) };
        let json = serde_json::to_string_pretty(&self.reports);
        let json = json.map_err(|error| Error::io(path, error.into()))? + "\n";
        if path == Path::new("-") {
            return io::stdout().write_all(json.as_bytes()).map_err(|error| Error::io("stdout", error));
        }
        write_whole(path, json.as_bytes())
    }
}

/// Writes sound at its rate, as many samples as there are to be.
struct Writer {
    wav: MarkedWav,
    resampler: Resampler,
    waiting: Vec<f32>,
}

impl Writer {
    fn push(&mut self, samples: &[f32]) -> Result<()> {
        self.resampler.push(samples, &mut self.waiting);
        let ready = self.waiting.len().saturating_sub(HELD_BACK);
        self.wav.write(&self.waiting[..ready])?;
        self.waiting.drain(..ready);
        Ok(())
    }

    /// Ends the file with `whole` samples, or as many as there are.
    fn finish(mut self, whole: Option<u64>, remark: &str) -> Result<()> {
        self.resampler.flush(&mut self.waiting);
        if let Some(whole) = whole {
            self.waiting.resize(whole.saturating_sub(self.wav.written()) as usize, 0.0);
        }
        self.wav.write(&self.waiting)?;
        let program = concat!("awaaz ", env!("CARGO_PKG_VERSION"));
        self.wav.finish(&[(*b"ICMT", remark), (*b"ISFT", program)])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_numbers_or_the_sources() {
        assert_eq!("source".parse(), Ok(Rate::Source));
        assert_eq!("24000".parse(), Ok(Rate::Fixed(SampleRate(24_000))));
        assert!("7999".parse::<Rate>().is_err() && "fast".parse::<Rate>().is_err());
    }

    #[test]
    fn a_writer_ends_with_as_many_samples_as_it_is_told() {
        let home = tempfile::tempdir().unwrap();
        for (at, whole) in [Some(22_049), Some(22_051), None].into_iter().enumerate() {
            let path = home.path().join(format!("{at}.wav"));
            let rate = SampleRate(22_050);
            let mut writer = Writer {
                wav: MarkedWav::create(&path, rate).unwrap(),
                resampler: Resampler::for_output(rate).unwrap(),
                waiting: Vec::new(),
            };
            [0.25; 16_000].chunks(777).for_each(|part| writer.push(part).unwrap());
            writer.finish(whole, "converted").unwrap();
            let found = u64::from(hound::WavReader::open(&path).unwrap().duration());
            assert_eq!(found, whole.unwrap_or(22_050));
        }
    }
}
