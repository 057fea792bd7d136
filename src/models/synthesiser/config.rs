//! What a synthesiser is made of.

use candle_core::Device;

use crate::models::trainable::Stored;
use crate::weights::Checkpoint;
use crate::{Error, Result};

/// What a synthesiser is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Values of a frame that goes in.
    pub inputs: usize,
    /// Mel bands.
    pub mels: usize,
    /// Values of a frame within.
    pub width: usize,
    /// What comes first.
    pub encoder: EncoderKind,
    /// Layers of the decoder.
    pub layers: usize,
    /// How the decoder goes.
    pub decoding: Decoding,
    /// How it is told who speaks.
    pub speaker: Option<Speaker>,
}

/// What comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EncoderKind {
    /// A linear layer and a ReLU (`ffn`).
    Linear,
    /// That of Tacotron 2 (`taco2`): a linear layer, convolutions of this many values, and an LSTM in both directions.
    Tacotron {
        /// Values of a frame of the convolutions.
        channels: usize,
        /// Convolutions.
        convolutions: usize,
        /// Their kernel, an odd number.
        kernel: usize,
    },
}

/// How the decoder goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decoding {
    /// All frames at once.
    Parallel,
    /// Each told the one before, through layers of these widths.
    Autoregressive {
        /// Of the prenet; none where the frame is told as it is.
        prenet: Vec<usize>,
    },
}

/// How a synthesiser is told who speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Speaker {
    /// Values of the vector.
    pub width: usize,
    /// What is done with it.
    pub join: Join,
}

/// What is done with a speaker's vector.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Join {
    /// It stands beside each frame, and a linear layer takes both (`concat`).
    Beside,
    /// What a linear layer makes of it is added to each frame (`add`).
    Added,
}

impl Config {
    /// `simple` with `speaker` values of a vector beside each frame, for features of `inputs` values.
    pub fn simple(inputs: usize, mels: usize, width: usize, speaker: usize) -> Self {
        let speaker = (speaker > 0).then_some(Speaker { width: speaker, join: Join::Beside });
        let encoder = EncoderKind::Linear;
        Self { inputs, mels, width, encoder, layers: 2, decoding: Decoding::Parallel, speaker }
    }

    /// That of the network in `checkpoint`, by its tensors.
    ///
    /// # Errors
    /// [`Error::Tensor`] where its tensors are not those of such a network.
    pub fn of(checkpoint: &Checkpoint) -> Result<Self> {
        let stored = Stored::beside(checkpoint, "proj.bias", &Device::Cpu)?;
        let shape = |name: &str| stored.shape(name);
        let needed = |name: &str| {
            shape(name).filter(|shape| shape.iter().all(|&size| size > 0)).ok_or_else(|| Error::Tensor {
                path: checkpoint.path().to_path_buf(),
                tensor: name.into(),
                reason: "missing or empty".into(),
            })
        };
        let matrix = |name: &str| {
            let shape = needed(name)?;
            match shape[..] {
                [rows, columns] => Ok((rows, columns)),
                _ => Err(Error::Tensor {
                    path: checkpoint.path().to_path_buf(),
                    tensor: name.into(),
                    reason: format!("has shape {shape:?}, expected two axes"),
                }),
            }
        };
        let count =
            |name: &dyn Fn(usize) -> String| (0..).take_while(|&at| shape(&name(at)).is_some()).count();
        let (mels, width) = matrix("proj.weight")?;
        let (inputs, encoder) = match shape("encoder.input_layer.weight") {
            None => (matrix("encoder.0.weight")?.1, EncoderKind::Linear),
            Some(_) => {
                let (channels, inputs) = matrix("encoder.input_layer.weight")?;
                let kernel = needed("encoder.convs.0.0.weight")?.get(2).copied().unwrap_or(1);
                let convolutions = count(&|at| format!("encoder.convs.{at}.0.weight"));
                (inputs, EncoderKind::Tacotron { channels, convolutions, kernel })
            }
        };
        let (decoding, layers) = match shape("lstmps.0.cell.weight_ih") {
            None => (Decoding::Parallel, count(&|at| format!("lstmps.{at}.layer.weight_ih_l0"))),
            Some(_) => {
                let of = count(&|at| format!("prenet.prenet.{at}.0.weight"));
                let prenet = (0..of).map(|at| Ok(matrix(&format!("prenet.prenet.{at}.0.weight"))?.0));
                let prenet = prenet.collect::<Result<_>>()?;
                (Decoding::Autoregressive { prenet }, count(&|at| format!("lstmps.{at}.cell.weight_ih")))
            }
        };
        let speaker = match shape("spk_emb_projection.weight") {
            None => None,
            Some(_) => Some(match matrix("spk_emb_projection.weight")?.1 {
                columns if columns > width => Speaker { width: columns - width, join: Join::Beside },
                columns => Speaker { width: columns, join: Join::Added },
            }),
        };
        Ok(Self { inputs, mels, width, encoder, layers, decoding, speaker })
    }
}
