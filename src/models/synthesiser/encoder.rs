//! What frames pass before the decoder.

use candle_core::{Result as CandleResult, Tensor};

use super::config::{Config, EncoderKind};
use crate::Result;
use crate::models::trainable::{Init, Linear, Lstm, Params, Within};

/// What batch norm adds to a variance.
const EPS: f64 = 1e-5;

/// One of the two encoders.
pub(super) enum Encoder {
    Linear(Linear),
    Tacotron { input: Linear, convolutions: Vec<Convolution>, forwards: Lstm, backwards: Lstm },
}

/// A convolution without a bias, batch norm as it stands after training, and a ReLU.
pub(super) struct Convolution {
    weight: Tensor,
    scale: Tensor,
    shift: Tensor,
}

impl Encoder {
    pub fn new(params: &dyn Params, config: &Config) -> Result<Self> {
        let params = Within::new(params, "encoder");
        let EncoderKind::Tacotron { channels, convolutions, kernel } = config.encoder else {
            return Ok(Self::Linear(Linear::new(&params, "0", config.inputs, config.width)?));
        };
        let convolution =
            |at| Convolution::new(&Within::new(&params, format!("convs.{at}")), channels, kernel);
        let lstm = Within::new(&params, "blstm");
        Ok(Self::Tacotron {
            input: Linear::new(&params, "input_layer", config.inputs, channels)?,
            convolutions: (0..convolutions).map(convolution).collect::<Result<_>>()?,
            forwards: Lstm::new(&lstm, "_l0", channels, config.width / 2)?,
            backwards: Lstm::new(&lstm, "_l0_reverse", channels, config.width / 2)?,
        })
    }

    /// `x` is `[batch, time, inputs]`, what comes out `[batch, time, width]`.
    pub fn forward(&self, x: &Tensor) -> CandleResult<Tensor> {
        match self {
            Self::Linear(layer) => layer.forward(x)?.relu(),
            Self::Tacotron { input, convolutions, forwards, backwards } => {
                let mut x = input.forward(x)?;
                for convolution in convolutions {
                    x = convolution.forward(&x)?;
                }
                let there = forwards.forward(&x)?;
                let back = x.flip(&[1])?;
                Tensor::cat(&[there, backwards.forward(&back)?.flip(&[1])?], 2)
            }
        }
    }
}

impl Convolution {
    fn new(params: &dyn Params, channels: usize, kernel: usize) -> Result<Self> {
        let init = Init::Uniform(((channels * kernel).max(1) as f32).sqrt().recip());
        let norm = |part: &str, init| params.tensor(&format!("1.{part}"), &[channels], init);
        let deviation = (norm("running_var", Init::Ones)? + EPS)?.sqrt()?;
        let scale = (norm("weight", Init::Ones)? / deviation)?;
        let shift = (norm("bias", Init::Zeros)? - (norm("running_mean", Init::Zeros)? * &scale)?)?;
        Ok(Self { weight: params.tensor("0.weight", &[channels, channels, kernel], init)?, scale, shift })
    }

    fn forward(&self, x: &Tensor) -> CandleResult<Tensor> {
        let padding = self.weight.dim(2)? / 2;
        let x = x.transpose(1, 2)?.contiguous()?.conv1d(&self.weight, padding, 1, 1, 1)?;
        let x = x.transpose(1, 2)?.contiguous()?;
        x.broadcast_mul(&self.scale)?.broadcast_add(&self.shift)?.relu()
    }
}
