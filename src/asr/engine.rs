//! A Whisper model with its vocabulary and its threads.

use candle_core::{Device, Tensor};

use super::tokenizer::Tokenizer;
use crate::compute::{Target, Threads};
use crate::dsp::HOP;
use crate::models::whisper::{Config, CrossCache, Whisper};
use crate::weights::ModelFiles;
use crate::{Error, Result};

/// Frames of silence after the end of a chunk that the encoder hears, so that last words sound ended.
const TRAILING_FRAMES: usize = 100;
/// Log-mel frames that the encoder hears at least, silence included: 10 s. Trained on 30 s, the network often begins to
/// repeat a text whose sound is all that it hears.
pub(super) const LEAST_HEARD: usize = 1000;
/// Log-mel frames of the longest chunk.
const MAX_FRAMES: usize = 3000;

/// A Whisper model ready to transcribe.
pub struct Engine {
    pub(super) model: Whisper,
    pub(super) tokenizer: Tokenizer,
    pub(super) threads: Threads,
}

impl Engine {
    /// Loads a model's files, to be computed on `target`.
    ///
    /// # Errors
    /// One that names the file that is missing or wrong.
    pub fn load(files: &ModelFiles, threads: Threads, target: impl Into<Target>) -> Result<Self> {
        let target = target.into();
        let missing = |what: &str| {
            Error::model(
                files.folder.display().to_string(),
                format!("has no {what}; put it beside the weights"),
            )
        };
        let tokenizer_json = files.tokenizer.as_deref().ok_or_else(|| missing("tokenizer.json"))?;
        let generation_json = files.generation_config.as_deref().or(files.config.as_deref());
        let checkpoint = files.checkpoint()?;
        let config = Config::read(&checkpoint, files.config.as_deref())?;
        let vocabulary = config.vocabulary;
        let (model, tokenizer) = threads.run(|| {
            rayon::join(
                || Whisper::load(&checkpoint, config, target),
                || Tokenizer::load(tokenizer_json, generation_json, vocabulary),
            )
        });
        Ok(Self { model: model?, tokenizer: tokenizer?, threads })
    }

    /// The vocabulary.
    pub fn tokenizer(&self) -> &Tokenizer {
        &self.tokenizer
    }

    /// Encodes `samples`, with silence after them up to `least` frames, and puts the decoder's keys and values of them
    /// into `cache`.
    pub(super) fn listen(&self, samples: &[f32], least: usize, cache: &mut CrossCache) -> Result<()> {
        let frames = (samples.len().div_ceil(HOP) + TRAILING_FRAMES).max(least);
        let frames = frames.next_multiple_of(2).min(MAX_FRAMES);
        let mels = self.model.config.mels;
        let log_mel =
            Tensor::from_vec(self.model.log_mel.spectrogram(samples, frames), (frames, mels), &Device::Cpu)?;
        let encoding = self.model.encoder.forward(&log_mel)?;
        self.model.decoder.fill_cross_cache(&encoding, cache)
    }
}
