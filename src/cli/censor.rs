//! A copy of a file with what was flagged muted or under a tone.

use std::fs;
use std::io::BufWriter;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use hound::{SampleFormat, WavSpec, WavWriter};

use crate::audio::{AudioInput, FrameStream, RawFormat};
use crate::event::{Event, EventKind, VerdictStatus};
use crate::moderation::{Censor, Stretch, flagged_stretches};
use crate::pipeline::EventSink;
use crate::{Error, Result};

/// Codecs whose samples 16 bits do not hold; those that are lossy are rounded.
const WIDE: [&str; 4] = ["pcm_s24", "pcm_s32", "pcm_f32", "pcm_f64"];

/// Collects what confirmed verdicts, and people who are watched for, ask to censor.
#[derive(Debug, Clone, Default)]
pub struct Flagged {
    stretches: Arc<Mutex<Vec<Stretch>>>,
    margin: f64,
}

impl Flagged {
    /// Collects words with `margin` seconds around them.
    pub fn new(margin: f64) -> Self {
        Self { margin, ..Self::default() }
    }

    /// What was flagged.
    pub fn stretches(&self) -> Vec<Stretch> {
        self.stretches.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl EventSink for Flagged {
    fn name(&self) -> &str {
        "censor"
    }

    fn write(&mut self, event: &Event) -> Result<()> {
        let is_final = match &event.kind {
            EventKind::Verdict(verdict) => verdict.status == VerdictStatus::Confirmed,
            _ => true,
        };
        if is_final {
            let mut stretches = self.stretches.lock().unwrap_or_else(PoisonError::into_inner);
            stretches.extend(flagged_stretches(event, self.margin));
        }
        Ok(())
    }
}

/// Writes `input` to the WAV file `out`, with `stretches` of it censored in all channels: rate, channels and length are its
/// own. Samples are of 16 bits, or 32-bit floats where 16 bits do not hold those of the input's PCM.
///
/// Returns the seconds that are censored.
///
/// # Errors
/// Those of reading `input`; [`Error::Io`] where `out` cannot be written. It is there whole or not at all.
pub fn write_censored(
    input: AudioInput,
    raw: Option<RawFormat>,
    out: &Path,
    stretches: &[Stretch],
) -> Result<f64> {
    let mut sound = FrameStream::open(input, raw)?;
    let (rate, channels) = (sound.rate(), sound.channels());
    let is_wide = WIDE.iter().any(|codec| sound.info().codec.starts_with(codec));
    let (bits_per_sample, sample_format) =
        if is_wide { (32, SampleFormat::Float) } else { (16, SampleFormat::Int) };
    let spec = WavSpec { channels: channels as u16, sample_rate: rate, bits_per_sample, sample_format };
    let mut censor = Censor::new(rate);
    for &stretch in stretches {
        censor.add(stretch);
    }
    let folder = out.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::create_dir_all(folder).map_err(|error| Error::io(folder, error))?;
    let refused = |error: hound::Error| match error {
        hound::Error::IoError(source) => Error::io(out, source),
        other => Error::io(out, std::io::Error::other(other)),
    };
    let file = tempfile::NamedTempFile::new_in(folder).map_err(|error| Error::io(folder, error))?;
    let mut writer = WavWriter::new(BufWriter::new(file.as_file()), spec).map_err(refused)?;
    let (mut position, mut censored) = (0, 0);
    while let Some(block) = sound.read()? {
        censored += censor.apply(position, channels, block);
        position += (block.len() / channels.max(1)) as u64;
        for &sample in block.iter() {
            let written = match is_wide {
                true => writer.write_sample(sample),
                // The conversion saturates, and takes what is no number as zero.
                false => writer.write_sample((sample * 32_768.0).round() as i16),
            };
            written.map_err(refused)?;
        }
    }
    writer.finalize().map_err(refused)?;
    file.persist(out).map_err(|error| Error::io(out, error.error))?;
    Ok(censored as f64 / f64::from(rate))
}

/// Where the copy of an input goes: `out` itself where it is one WAV file for one input, else a file in the folder `out`.
pub fn output_path(out: &Path, name: &Path, count: usize) -> PathBuf {
    let is_wav = out.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("wav"));
    if count == 1 && is_wav && !out.is_dir() {
        return out.to_owned();
    }
    let mut file = name.as_os_str().to_owned();
    file.push(".wav");
    out.join(file)
}
