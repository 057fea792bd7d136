//! Clips of many speakers, with their frames and their pitch.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use rayon::prelude::*;

use super::speaker::records;
use crate::cli::stop::Stop;
use crate::corpus::datasets::Record;
use crate::dsp::{VocoderMel, pitch};
use crate::learn::head::Data;
use crate::models::vocoder::spectral::MEL;
use crate::output::Progress;
use crate::time::SampleIndex;
use crate::{Error, Result};

/// Clips between two lines on how far a run is.
const CLIPS_A_LINE: usize = 100;

/// Arguments that name clips.
#[derive(Debug, Clone, Args)]
pub struct VoiceArgs {
    /// Corpora whose speakers are known: folders, or manifests.
    #[arg(long, required = true, num_args = 1.., value_name = "DIR")]
    pub data: Vec<PathBuf>,
    /// The licence of each of --data in turn, for the card.
    #[arg(long, num_args = 1.., value_name = "NAME")]
    pub licence: Vec<String>,
    /// Seconds of each clip that are heard at most [default: all].
    #[arg(long, value_name = "SECONDS", value_parser = crate::cli::values::seconds)]
    seconds: Option<Duration>,
}

/// A clip.
pub struct Voice {
    /// Who speaks; one name in two corpora is two speakers.
    pub speaker: String,
    /// 16 kHz.
    pub samples: Vec<f32>,
    /// Log-mel frames of 10 ms, `[frames, mels]`.
    pub mel: Vec<f32>,
    /// Hertz of each frame, 0 without voice.
    pub pitch: Vec<f32>,
}

impl Voice {
    fn read(record: &Record, corpus: usize, most: usize) -> Result<Self> {
        let mut samples = record.samples()?;
        samples.truncate(samples.len().min(most) / MEL.hop * MEL.hop);
        let (mel, pitch) = (VocoderMel::hifi_gan(MEL).frames(&samples), pitch(&samples));
        Ok(Self { speaker: format!("{corpus}/{}", record.group()), samples, mel, pitch })
    }

    /// Frames of 10 ms.
    pub fn frames(&self) -> usize {
        self.pitch.len()
    }
}

/// Clips to learn from, and those of speakers who are held out.
pub struct Voices {
    /// To learn from.
    pub train: Vec<Voice>,
    /// Of the others.
    pub held_out: Vec<Voice>,
}

impl VoiceArgs {
    /// Reads the clips of `least` frames at least. Which speakers are held out, `share` of them and one at least, `seed` draws.
    ///
    /// # Errors
    /// Those of the corpora; [`Error::Setting`] where fewer than two speakers have such clips; [`Error::Interrupted`].
    pub fn read(
        &self,
        least: usize,
        share: f32,
        seed: u64,
        progress: &mut Progress,
        stop: &Stop,
    ) -> Result<Voices> {
        if self.licence.len() > self.data.len() {
            return Err(Error::Setting("there are more licences than corpora".into()));
        }
        let most = self
            .seconds
            .map_or(usize::MAX, |length| SampleIndex::from_seconds(length.as_secs_f64()).0 as usize);
        let mut all = Vec::new();
        for (corpus, path) in self.data.iter().enumerate() {
            all.extend(records(path)?.into_iter().map(|record| (corpus, record)));
        }
        let mut voices = Vec::with_capacity(all.len());
        for part in all.chunks(CLIPS_A_LINE) {
            if stop.is_requested() {
                return Err(Error::Interrupted);
            }
            let read = |(corpus, record): &(usize, Record)| Voice::read(record, *corpus, most);
            voices.extend(part.par_iter().map(read).collect::<Result<Vec<_>>>()?);
            progress.say(&format!("read {} of {} clips", voices.len(), all.len()));
        }
        voices.retain(|voice| voice.frames() >= least);
        split(voices, share, seed)
    }

    /// What it is and under which licences.
    pub fn cards(&self) -> Vec<Data> {
        let licence = |at: usize| self.licence.get(at).cloned().unwrap_or_else(|| "not stated".into());
        let name =
            |path: &PathBuf| path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
        let card = |(at, path)| Data { name: name(path), licence: licence(at) };
        self.data.iter().enumerate().map(card).collect()
    }
}

fn split(voices: Vec<Voice>, share: f32, seed: u64) -> Result<Voices> {
    let mut speakers: Vec<String> = voices.iter().map(|voice| voice.speaker.clone()).collect();
    speakers.sort_unstable();
    speakers.dedup();
    if speakers.len() < 2 {
        return Err(Error::Setting(
            "clips of two speakers at least are needed, one of them to be held out".into(),
        ));
    }
    fastrand::Rng::with_seed(seed).shuffle(&mut speakers);
    speakers.truncate(((speakers.len() as f32 * share).round() as usize).clamp(1, speakers.len() - 1));
    let (held_out, train) = voices.into_iter().partition(|voice| speakers.contains(&voice.speaker));
    Ok(Voices { train, held_out })
}

/// Seconds of clips.
pub fn seconds(voices: &[Voice]) -> f64 {
    SampleIndex(voices.iter().map(|voice| voice.samples.len() as u64).sum()).seconds()
}
