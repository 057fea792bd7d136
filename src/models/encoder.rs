//! Sound to frames of features, by whichever network.

use candle_core::{Device, Tensor};
use rayon::prelude::*;
use serde::Deserialize;

use super::backend::Backend;
use super::cpc::Cpc;
use super::encoding::States;
use super::export::Export;
use super::onnx::{OnnxModel, OutputKind};
use super::speaker;
use super::wav2vec2::{self, Standardise, Wav2Vec2};
use super::whisper::{self, Whisper};
use crate::compute::Precision;
use crate::dsp::HOP;
use crate::weights::{Checkpoint, ModelFiles, ModelKind};
use crate::{Error, Result};

/// A network whose hidden states are used as features.
pub trait Encoder: Send + Sync {
    /// Samples at 16 kHz from one frame to the next.
    fn hop(&self) -> usize;

    /// Samples at 16 kHz from the start of a sound to the middle of what its first frame is of.
    fn centre(&self) -> usize {
        self.hop() / 2
    }

    /// Layers; hidden states are numbered from 0, what enters the first, to this, what leaves the last.
    fn layers(&self) -> usize;

    /// Values of a frame.
    fn width(&self) -> usize;

    /// Samples of the longest sound that it can hear at once; none where it has no bound but memory, which the attention
    /// needs in proportion to the square of the length.
    fn longest(&self) -> Option<usize> {
        None
    }

    /// Whether hidden state `layer` can be had.
    ///
    /// # Errors
    /// [`Error::Setting`] where it cannot, with what can.
    fn check_layer(&self, layer: usize) -> Result<()> {
        match self.layers() {
            layers if layer > layers => {
                Err(Error::Setting(format!("there is no layer {layer}: the network has {layers}")))
            }
            _ => Ok(()),
        }
    }

    /// Hidden state `layer` of each of `sounds` (16 kHz samples), `[frames, width]`. A sound does not depend on what else
    /// is encoded with it; one shorter than a frame counts as followed by silence.
    ///
    /// # Errors
    /// Those of the network; [`Error::Setting`] where there is no such layer.
    fn encode(&self, sounds: &[&[f32]], layer: usize) -> Result<Vec<Tensor>>;

    /// Hidden states `layers` of one sound, each `[frames, width]`.
    ///
    /// # Errors
    /// As [`Encoder::encode`].
    fn encode_layers(&self, sound: &[f32], layers: &[usize]) -> Result<Vec<Tensor>> {
        layers.iter().map(|&layer| Ok(self.encode(&[sound], layer)?.remove(0))).collect()
    }
}

/// What `config.json` says of the kind of network.
#[derive(Deserialize)]
struct Kind {
    #[serde(default)]
    model_type: String,
}

/// The `model_type` of a Hugging Face folder ("wav2vec2"); "whisper" for a CTranslate2 folder and one that does not say, whose
/// loader then tells what is missing.
///
/// # Errors
/// One that names `config.json`, where it cannot be read.
pub fn model_type(files: &ModelFiles) -> Result<String> {
    let path = match &files.config {
        Some(path) if matches!(files.kind, ModelKind::HuggingFace | ModelKind::Onnx) => path,
        _ => return Ok("whisper".into()),
    };
    let json = std::fs::read_to_string(path).map_err(|error| Error::io(path, error))?;
    let kind: Kind = serde_json::from_str(&json).map_err(|error| {
        Error::model(path.display().to_string(), format!("is not a configuration: {error}"))
    })?;
    Ok(if kind.model_type.is_empty() { "whisper".into() } else { kind.model_type })
}

/// Loads the encoder of the model whose files are given, to be computed by `backend`. A head that it has is left aside. A CPC
/// network is known by its tensors and needs no `config.json`.
///
/// # Errors
/// One that names the file that is missing or wrong.
pub fn load_encoder(files: &ModelFiles, backend: impl Into<Backend>) -> Result<Box<dyn Encoder>> {
    let target = match backend.into() {
        Backend::Native(target) => target,
        Backend::Onnx(model) => return Ok(Box::new(ExportedEncoder::load(*model, files)?)),
    };
    let checkpoint = files.checkpoint()?;
    if speaker::has_no_frames(&checkpoint) {
        return Err(Error::model(
            files.weights.display().to_string(),
            "gives one vector for a sound, by which it tells who speaks, and no hidden states",
        ));
    }
    if Cpc::recognises(&checkpoint) {
        return load_cpc(&checkpoint, target.on_processor("CPC")?);
    }
    if model_type(files)? == "whisper" {
        let config = whisper::Config::read(&checkpoint, files.config.as_deref())?;
        return Ok(Box::new(Whisper::load(&checkpoint, config, target)?));
    }
    let Some(config) = &files.config else {
        return Err(Error::model(files.folder.display().to_string(), "has no config.json"));
    };
    Ok(Box::new(Wav2Vec2Encoder {
        network: Wav2Vec2::load(&checkpoint, wav2vec2::Config::read(config)?, target)?,
        standardise: Standardise::read(&files.folder)?,
    }))
}

fn load_cpc(checkpoint: &Checkpoint, precision: Precision) -> Result<Box<dyn Encoder>> {
    let network = Cpc::load(checkpoint, precision)?;
    let (z, c) = (network.width(0), network.width(network.layers()));
    if (1..=network.layers()).any(|layer| network.width(layer) != z) {
        return Err(Error::model(
            checkpoint.path().display().to_string(),
            format!(
                "has {z} values in a frame of z and {c} of c; features are read of networks where they are as many"
            ),
        ));
    }
    Ok(Box::new(network))
}

/// A network of the wav2vec 2.0 family, and what it wants its sound to be.
struct Wav2Vec2Encoder {
    network: Wav2Vec2,
    standardise: Standardise,
}

impl Encoder for Wav2Vec2Encoder {
    fn hop(&self) -> usize {
        self.network.config.hop()
    }

    fn centre(&self) -> usize {
        self.network.config.field() / 2
    }

    fn layers(&self) -> usize {
        self.network.config.num_hidden_layers
    }

    fn width(&self) -> usize {
        self.network.config.hidden_size
    }

    fn encode(&self, sounds: &[&[f32]], layer: usize) -> Result<Vec<Tensor>> {
        let least = self.network.config.field();
        let ready: Vec<Vec<f32>> = sounds.iter().map(|sound| self.standardise.apply(sound, least)).collect();
        let ready: Vec<&[f32]> = ready.iter().map(Vec::as_slice).collect();
        self.network.hidden_state(&ready, layer)
    }

    fn encode_layers(&self, sound: &[f32], layers: &[usize]) -> Result<Vec<Tensor>> {
        let ready = self.standardise.apply(sound, self.network.config.field());
        tensors(&self.network.states_of(&ready, layers)?, layers, self.width())
    }
}

/// The states of `layers`, `[frames, width]`.
fn tensors(states: &States, layers: &[usize], width: usize) -> Result<Vec<Tensor>> {
    let tensor = |layer: &usize| {
        let Some(state) = states.get(layer) else {
            return Err(Error::Setting(format!("there is no layer {layer}")));
        };
        Ok(Tensor::from_slice(state, (state.len() / width, width), &Device::Cpu)?)
    };
    layers.iter().map(tensor).collect()
}

/// An export that gives last hidden states, and what it wants its sound to be.
struct ExportedEncoder {
    export: Export,
    standardise: Standardise,
}

impl ExportedEncoder {
    fn load(model: OnnxModel, files: &ModelFiles) -> Result<Self> {
        let Some(config) = &files.config else {
            return Err(Error::model(files.folder.display().to_string(), "has no config.json"));
        };
        let export = Export::new(model, wav2vec2::Config::read_of_export(config)?, OutputKind::Frames)?;
        let (width, expected) = (export.width(), export.config.hidden_size);
        if width != expected {
            return Err(export.fault(format!(
                "gives rows of {width}, not hidden states of {expected}: it has a head; export it without \
                 (feature-extraction)"
            )));
        }
        Ok(Self { export, standardise: Standardise::read(&files.folder)? })
    }
}

impl Encoder for ExportedEncoder {
    fn hop(&self) -> usize {
        self.export.config.hop()
    }

    fn centre(&self) -> usize {
        self.export.config.field() / 2
    }

    fn layers(&self) -> usize {
        self.export.config.num_hidden_layers
    }

    fn width(&self) -> usize {
        self.export.width()
    }

    fn check_layer(&self, layer: usize) -> Result<()> {
        match self.layers() {
            last if layer != last => Err(Error::Setting(format!(
                "there is no layer {layer}: an ONNX export gives the last alone, {last}; native weights have all"
            ))),
            _ => Ok(()),
        }
    }

    fn encode(&self, sounds: &[&[f32]], layer: usize) -> Result<Vec<Tensor>> {
        self.check_layer(layer)?;
        let encode = |sound: &&[f32]| {
            let ready = self.standardise.apply(sound, self.export.config.field());
            let states = self.export.run(&ready)?;
            Ok(Tensor::from_vec(states.values, (states.frames, states.width), &Device::Cpu)?)
        };
        sounds.iter().map(encode).collect()
    }
}

impl Encoder for Whisper {
    fn hop(&self) -> usize {
        2 * HOP
    }

    /// Windows of the spectrogram have their middle on their frame, and so have the kernels of the convolutions.
    fn centre(&self) -> usize {
        0
    }

    fn layers(&self) -> usize {
        self.config.encoder_layers
    }

    fn width(&self) -> usize {
        self.config.dim
    }

    fn longest(&self) -> Option<usize> {
        Some(self.config.source_positions * 2 * HOP)
    }

    fn encode(&self, sounds: &[&[f32]], layer: usize) -> Result<Vec<Tensor>> {
        let encode = |samples: &&[f32]| {
            let frames = samples.len().div_ceil(2 * HOP).max(1) * 2;
            let spectrogram = self.log_mel.spectrogram(samples, frames);
            let log_mel = Tensor::from_vec(spectrogram, (frames, self.config.mels), &Device::Cpu)?;
            self.encoder.hidden_state(&log_mel, layer)
        };
        sounds.iter().map(encode).collect()
    }

    fn encode_layers(&self, sound: &[f32], layers: &[usize]) -> Result<Vec<Tensor>> {
        let frames = sound.len().div_ceil(2 * HOP).max(1) * 2;
        let spectrogram = self.log_mel.spectrogram(sound, frames);
        let log_mel = Tensor::from_vec(spectrogram, (frames, self.config.mels), &Device::Cpu)?;
        let last = layers.iter().copied().max().unwrap_or(0);
        let (state, mut kept) = self.encoder.run(&log_mel, last, layers)?;
        kept.insert(last, state);
        tensors(&kept, layers, self.config.dim)
    }
}

/// Layer 0 is `z`, what the convolutions give; the others are those of the LSTM, the last of which gives `c`.
impl Encoder for Cpc {
    fn hop(&self) -> usize {
        Self::HOP
    }

    fn layers(&self) -> usize {
        Self::layers(self)
    }

    fn width(&self) -> usize {
        Self::width(self, Self::layers(self))
    }

    fn encode(&self, sounds: &[&[f32]], layer: usize) -> Result<Vec<Tensor>> {
        // The LSTM goes frame by frame, so that threads gain most where each has a sound of its own.
        let encode = |samples: &&[f32]| match Self::frames(samples.len()) {
            0 => {
                let silence = std::iter::repeat_n(0.0, Self::HOP - samples.len());
                let samples: Vec<f32> = samples.iter().copied().chain(silence).collect();
                self.hidden_state(&samples, layer)
            }
            _ => self.hidden_state(samples, layer),
        };
        sounds.par_iter().map(encode).collect()
    }
}
