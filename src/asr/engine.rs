//! A Whisper model with its vocabulary and its threads.

use candle_core::{Device, Tensor};

use super::tokenizer::Tokenizer;
use crate::compute::{Target, Threads};
use crate::dsp::HOP;
use crate::models::encoding::{EncoderMeter, Encoding, States};
use crate::models::whisper::{Config, CrossCache, Whisper};
use crate::time::Span;
use crate::vad::SpeechSegment;
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
    /// Counts what the encoder does.
    pub(super) meter: EncoderMeter,
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
        Ok(Self { model: model?, tokenizer: tokenizer?, threads, meter: EncoderMeter::default() })
    }

    /// The vocabulary.
    pub fn tokenizer(&self) -> &Tokenizer {
        &self.tokenizer
    }

    /// Layers of the encoder and values of a frame.
    pub(super) fn encoder_shape(&self) -> (usize, usize) {
        (self.model.config.encoder_layers, self.model.config.dim)
    }

    /// What its encoder did so far.
    pub fn meter(&self) -> &EncoderMeter {
        &self.meter
    }

    /// Encodes `samples`, with silence after them up to `least` frames, and puts the decoder's keys and values of them
    /// into `cache`. Returns the hidden states whose numbers are in `keep`, of the silence too.
    pub(super) fn listen(
        &self,
        samples: &[f32],
        least: usize,
        keep: &[usize],
        cache: &mut CrossCache,
    ) -> Result<States> {
        let frames = (samples.len().div_ceil(HOP) + TRAILING_FRAMES).max(least);
        let frames = frames.next_multiple_of(2).min(MAX_FRAMES);
        let mels = self.model.config.mels;
        let log_mel =
            Tensor::from_vec(self.model.log_mel.spectrogram(samples, frames), (frames, mels), &Device::Cpu)?;
        let (last, dim) = (self.model.config.encoder_layers, self.model.config.dim);
        let (encoding, mut kept) = self.run(&log_mel, last, keep)?;
        if keep.contains(&last) {
            kept.insert(last, encoding.clone());
        }
        let encoding = Tensor::from_vec(encoding, (frames / 2, dim), &Device::Cpu)?;
        self.model.decoder.fill_cross_cache(&encoding, cache)?;
        Ok(kept)
    }

    /// The hidden states of a sound, without silence after it, whose numbers are in `keep`.
    ///
    /// # Errors
    /// [`Error::Setting`] where there is no such layer.
    pub fn encode(&self, sound: &SpeechSegment, keep: &[usize]) -> Result<Encoding> {
        let frames = (sound.samples.len().div_ceil(2 * HOP).max(1) * 2).min(MAX_FRAMES);
        let mels = self.model.config.mels;
        let last = keep.iter().copied().max().unwrap_or(0);
        let mut states = self.threads.run(|| {
            let spectrogram = self.model.log_mel.spectrogram(&sound.samples, frames);
            let log_mel = Tensor::from_vec(spectrogram, (frames, mels), &Device::Cpu)?;
            let (state, mut kept) = self.run(&log_mel, last, keep)?;
            kept.insert(last, state);
            Ok::<_, Error>(kept)
        })?;
        states.retain(|layer, _| keep.contains(layer));
        Ok(self.encoding(sound.span, states))
    }

    pub(super) fn encoding(&self, span: Span, states: States) -> Encoding {
        Encoding::new(span, 2 * HOP, self.model.config.dim, states)
    }

    fn run(&self, log_mel: &Tensor, last: usize, keep: &[usize]) -> Result<(Vec<f32>, States)> {
        self.meter.measure(|| self.model.encoder.run(log_mel, last, keep))
    }
}
