//! What the subcommands have in common: files become voiceprints, and voiceprints are compared.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::Args;

use crate::audio::DecodeOptions;
use crate::cli::inputs::{Input, expand};
use crate::output::Progress;
use crate::speaker::{
    Calibration, Calibrations, Cohort, Gallery, Scorer, Silences, SpeakerModel, Voiceprint,
};
use crate::{Error, Result};

/// Bytes of a file of calibrations at most.
const LIMIT: u64 = 1 << 16;

/// Arguments that say how voices are compared.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Scores")]
pub struct ScoreArgs {
    /// Set scores against those of strangers (AS-norm): a gallery that keeps a cohort, or a folder of speech of many
    /// people, each in one file. The cohort of the
    /// gallery is used unasked where the calibration is for such scores.
    #[arg(long, value_name = "FILE|DIR")]
    pub cohort: Option<PathBuf>,
    /// What makes probabilities of scores (`awaaz speakers calibrate` makes it) [default: that of the model].
    #[arg(long, value_name = "FILE")]
    pub calibration: Option<PathBuf>,
}

impl ScoreArgs {
    /// What compares voices of `model`, where `kept` is the cohort of the gallery.
    ///
    /// # Errors
    /// Those of the files; [`Error::Setting`] where the model has no calibration.
    pub fn scorer(
        &self,
        model: &SpeakerModel,
        kept: Option<&Cohort>,
        progress: &mut Progress,
    ) -> Result<Scorer> {
        let calibrations = calibrations(self.calibration.as_deref(), model)?;
        let cohort = match &self.cohort {
            Some(path) => Some(read_cohort(path, model, progress)?),
            // What a gallery keeps is used where it can be.
            None => kept.filter(|_| calibrations.normalised.is_some()).cloned(),
        };
        Scorer::new(&calibrations, cohort)
    }
}

/// The calibrations in the file at `path`, or those of the model.
///
/// # Errors
/// Those of the file; [`Error::Setting`] where there is none and the model has none.
pub fn calibrations(path: Option<&Path>, model: &SpeakerModel) -> Result<Calibrations> {
    let Some(path) = path else {
        return Calibrations::of_model(&model.identity().name).ok_or_else(|| {
            Error::Setting(format!(
                "nothing is known of the scores of {}; give --calibration (`awaaz speakers calibrate` makes it)",
                model.identity().name
            ))
        });
    };
    let size = fs::metadata(path).map_err(|error| Error::io(path, error))?.len();
    let fault = |reason: String| Error::Setting(format!("{}: {reason}", path.display()));
    if size > LIMIT {
        return Err(fault(format!("a file of {size} bytes is no calibration")));
    }
    let text = fs::read_to_string(path).map_err(|error| Error::io(path, error))?;
    let read: Calibrations =
        serde_json::from_str(&text).map_err(|error| fault(format!("no calibration: {error}")))?;
    let is_finite =
        |one: &Calibration| [one.scale, one.length, one.offset].iter().all(|value| value.is_finite());
    match is_finite(&read.cosine) && read.normalised.as_ref().is_none_or(is_finite) {
        true => Ok(read),
        false => Err(fault("a number is not finite".into())),
    }
}

/// The cohort that a gallery keeps, or that a folder holds, a file a stranger.
///
/// # Errors
/// Those of the files; [`Error::Setting`] where there are too few.
pub fn read_cohort(path: &Path, model: &SpeakerModel, progress: &mut Progress) -> Result<Cohort> {
    if !path.is_dir() {
        let gallery = Gallery::load(path)?;
        gallery.check(model, path)?;
        let none = || Error::Setting(format!("{}: keeps no cohort; give a folder of speech", path.display()));
        return gallery.cohort().cloned().ok_or_else(none);
    }
    let mut vectors = Vec::new();
    let inputs = expand(&[path.to_path_buf()]);
    for (number, input) in inputs.iter().enumerate() {
        let Ok(input) = input else { continue };
        match voiceprint_of(model, input, &DecodeOptions::default()) {
            Ok(voiceprint) => vectors.push(voiceprint.vector().to_vec()),
            Err(error) => progress.error(&format!("cohort: left out: {error}")),
        }
        if (number + 1) % 50 == 0 {
            progress.say(&format!("cohort: {} of {}", number + 1, inputs.len()));
        }
    }
    Cohort::new(vectors).map_err(|error| Error::Setting(format!("{}: {error}", path.display())))
}

/// The voiceprint of a file, without its silences.
///
/// # Errors
/// Those of reading it; [`Error::Audio`] where it has too little speech.
pub fn voiceprint_of(model: &SpeakerModel, input: &Input, decode: &DecodeOptions) -> Result<Voiceprint> {
    let samples = input.read(decode)?;
    match model.embed(&samples, Silences::Cut) {
        Err(Error::Setting(reason)) => Err(Error::audio(input.path.display().to_string(), reason)),
        done => done,
    }
}

/// As [`voiceprint_of`], for one path; the user is told where there is less speech than the network was made for.
///
/// # Errors
/// As there.
pub fn voiceprint_at(
    model: &SpeakerModel,
    path: &Path,
    decode: &DecodeOptions,
    progress: &mut Progress,
) -> Result<Voiceprint> {
    let input = match expand(&[path.to_path_buf()]).into_iter().collect::<Result<Vec<_>>>()?.as_slice() {
        [one] => one.clone(),
        several => {
            return Err(Error::Setting(format!(
                "{}: names {} files; give one",
                path.display(),
                several.len()
            )));
        }
    };
    let voiceprint = voiceprint_of(model, &input, decode)?;
    warn_if_short(model, &input.path, &voiceprint, progress);
    Ok(voiceprint)
}

/// Tells the user where there is less speech than the network was made for.
pub fn warn_if_short(model: &SpeakerModel, path: &Path, voiceprint: &Voiceprint, progress: &mut Progress) {
    let wanted = model.shortest();
    if voiceprint.seconds() < wanted {
        progress.error(&format!(
            "{}: has {:.1} s of speech; the answer is worth more with {wanted:.1} s",
            path.display(),
            voiceprint.seconds()
        ));
    }
}

/// Writes to stdout.
///
/// # Errors
/// [`Error::Io`] where that cannot be written.
pub fn write_out(text: &str) -> Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(|error| Error::io("stdout", error))
}

/// A line of JSON to stdout.
///
/// # Errors
/// As [`write_out`].
pub fn write_json(report: &impl serde::Serialize) -> Result<()> {
    let line = serde_json::to_string(report).map_err(|error| Error::io("stdout", error.into()))?;
    write_out(&(line + "\n"))
}
