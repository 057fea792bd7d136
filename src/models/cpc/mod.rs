//! Modified CPC: sound to a frame every 10 ms, by convolutions with a short look-ahead and an LSTM, so that it streams.
//!
//! Rivière, Joulin, Mazaré and Dupoux, "Unsupervised pretraining transfers well across languages" (arXiv 2002.02848), and
//! the model that Libri-light publishes. Names of tensors are those of the authors' code, `facebookresearch/CPC_audio`
//! (`cpc/model.py`); the heads that predict frames to come in training play no part.
//!
//! The convolutions hear 465 samples (29 ms) for a frame: its hop, 153 before and 152 after it. So a frame is complete 14.5 ms
//! after the middle of its hop, and what a stream gives is what the whole gives.

mod convolutions;
mod stream;

pub use stream::{CpcFrames, CpcStream};

use candle_core::{Device, Tensor};

use crate::compute::{Linear, Lstm, Precision};
use crate::models::loader::Loader;
use crate::weights::Checkpoint;
use crate::{Error, Result};

use convolutions::ConvLayer;

/// A network of five convolutions, whose output is `z`, and of the layers of an LSTM, the last of which gives `c`.
pub struct Cpc {
    convolutions: Vec<ConvLayer>,
    lstm: Vec<Lstm>,
}

/// What a network makes of a sound.
#[derive(Debug, Clone)]
pub struct CpcEncoding {
    /// Outputs of the convolutions, `[frames, Cpc::width(0)]`.
    pub z: Tensor,
    /// Outputs of the last layer of the LSTM, `[frames, Cpc::width(Cpc::layers())]`.
    pub c: Tensor,
}

impl Cpc {
    /// Samples at 16 kHz from one frame to the next.
    pub const HOP: usize = 160;

    /// Samples after its hop that a frame hears: frame `t` is complete in a stream of `HOP (t + 1) + LOOK_AHEAD` samples.
    pub const LOOK_AHEAD: usize = 152;

    /// Whether the tensors of `checkpoint` are named as those of a CPC network.
    pub fn recognises(checkpoint: &Checkpoint) -> bool {
        checkpoint.contains("gEncoder.conv0.weight")
    }

    /// Reads the tensors of `checkpoint`, a `.pt` file of the authors' code or safetensors with the same names. How many
    /// layers and how wide, the tensors tell. The LSTM multiplies in `precision`, the convolutions in f32.
    ///
    /// # Errors
    /// One that names the first tensor that is missing or misshapen; [`Error::Model`] for a variant that is not supported:
    /// batch norm, a recurrent network that is no LSTM, none at all.
    pub fn load(checkpoint: &Checkpoint, precision: Precision) -> Result<Self> {
        let loader = Loader::new(checkpoint, precision);
        let convolutions = ConvLayer::load_all(checkpoint, &loader)?;
        let mut network = Self { convolutions, lstm: Vec::new() };
        while network.lstm.is_empty() || loader.contains(&recurrent("weight_ih", network.layers())) {
            let layer = network.load_lstm(checkpoint, &loader, precision)?;
            network.lstm.push(layer);
        }
        Ok(network)
    }

    /// The next layer of the LSTM.
    fn load_lstm(&self, checkpoint: &Checkpoint, loader: &Loader, precision: Precision) -> Result<Lstm> {
        let (index, inputs) = (self.layers(), self.width(self.layers()));
        let name = |part: &str| recurrent(part, index);
        let hidden = name("weight_hh");
        let unsupported = |what: &str| {
            let reason = format!("has {what}; supported is an LSTM (arMode LSTM)");
            Error::model(checkpoint.path().display().to_string(), reason)
        };
        let Some(shape) = checkpoint.shape(&hidden) else {
            return Err(unsupported(&format!("no {hidden}")));
        };
        let (gates, width) = match shape[..] {
            [gates, width] if width > 0 => (gates, width),
            _ => return Err(Self::misfit(checkpoint, &hidden, &format!("has shape {shape:?}"))),
        };
        match gates / width {
            4 => {}
            3 => return Err(unsupported("a GRU")),
            1 => return Err(unsupported("a plain recurrent network")),
            _ => return Err(unsupported(&format!("{hidden} of shape {shape:?}"))),
        }
        let weight = loader.values(&name("weight_ih"), &[4 * width, inputs])?;
        let mut bias = loader.values(&name("bias_ih"), &[4 * width])?;
        crate::compute::add_into(&loader.values(&name("bias_hh"), &[4 * width])?, &mut bias);
        let input = Linear::new(&weight, Some(bias), inputs, precision);
        Ok(Lstm::new(input, loader.row_matrix(&[hidden], width, 4 * width)?))
    }

    fn misfit(checkpoint: &Checkpoint, tensor: &str, reason: &str) -> Error {
        Error::Tensor { path: checkpoint.path().to_path_buf(), tensor: tensor.into(), reason: reason.into() }
    }

    /// Layers of the LSTM.
    pub fn layers(&self) -> usize {
        self.lstm.len()
    }

    /// Width of a frame of `layer`: of `z` for 0, of what layer `layer` of the LSTM gives for others.
    ///
    /// # Panics
    /// Where there is no such layer.
    pub fn width(&self, layer: usize) -> usize {
        match layer {
            0 => self.convolutions[self.convolutions.len() - 1].outputs(),
            _ => self.lstm[layer - 1].width(),
        }
    }

    /// Frames of a sound of `samples`.
    pub fn frames(samples: usize) -> usize {
        (samples + 1) / Self::HOP
    }

    /// `z` and `c` of a sound, 16 kHz samples; of one shorter than 159 samples no frame.
    ///
    /// # Errors
    /// Those of candle.
    pub fn encode(&self, samples: &[f32]) -> Result<CpcEncoding> {
        let (mut z, mut c) = (Vec::new(), Vec::new());
        self.hear(samples, |frames| {
            z.extend_from_slice(frames.z());
            c.extend_from_slice(frames.c());
        })?;
        Ok(CpcEncoding { z: self.tensor(z, 0)?, c: self.tensor(c, self.layers())? })
    }

    /// The frames of `layer` alone, `[frames, width]`: 0 is `z`, others are what that layer of the LSTM gives.
    ///
    /// # Errors
    /// [`Error::Setting`] where there is no such layer; those of candle.
    pub fn hidden_state(&self, samples: &[f32], layer: usize) -> Result<Tensor> {
        if layer > self.layers() {
            let layers = self.layers();
            return Err(Error::Setting(format!("there is no layer {layer}: the network has {layers}")));
        }
        let mut values = Vec::with_capacity(Self::frames(samples.len()) * self.width(layer));
        self.hear(samples, |frames| values.extend_from_slice(frames.state(layer)))?;
        self.tensor(values, layer)
    }

    fn hear(&self, samples: &[f32], mut take: impl FnMut(CpcFrames)) -> Result<()> {
        let mut stream = CpcStream::new(self);
        let mut keep = |frames: CpcFrames| {
            take(frames);
            Ok(())
        };
        stream.push(self, samples, &mut keep)?;
        stream.flush(self, keep)
    }

    fn tensor(&self, values: Vec<f32>, layer: usize) -> Result<Tensor> {
        let width = self.width(layer);
        let frames = values.len() / width;
        Ok(Tensor::from_vec(values, (frames, width), &Device::Cpu)?)
    }
}

/// The name of a tensor of the recurrent network's layer `index`.
fn recurrent(part: &str, index: usize) -> String {
    format!("gAR.baseNet.{part}_l{index}")
}
