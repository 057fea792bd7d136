//! The network.

use candle_core::{D, Device, Result as CandleResult, Tensor};

use super::config::{Config, Decoding, Join};
use super::encoder::Encoder;
use crate::Result;
use crate::models::trainable::{Init, Linear, Lstm, Params, Stored, Within};
use crate::weights::Checkpoint;

/// What becomes of values of the prenet, half of which its authors leave out at random, also when it is not trained.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dropout {
    /// All are kept.
    None,
    /// Half are left out; the same seed leaves out the same.
    Half(u64),
}

/// A synthesiser of S3PRL-VC.
pub struct Synthesiser {
    /// What it is made of.
    pub config: Config,
    encoder: Encoder,
    speaker: Option<Linear>,
    prenet: Vec<Linear>,
    layers: Vec<Layer>,
    out: Linear,
    mean: Tensor,
    scale: Tensor,
}

/// A layer of LSTM and its projection.
struct Layer {
    lstm: Lstm,
    projection: Linear,
}

impl Synthesiser {
    /// A network of `config` with the tensors of `params`.
    ///
    /// # Errors
    /// Those of [`Params::tensor`].
    pub fn new(params: &dyn Params, config: Config) -> Result<Self> {
        let (width, mels) = (config.width, config.mels);
        let mut prenet = Vec::new();
        let mut told = mels;
        if let Decoding::Autoregressive { prenet: widths } = &config.decoding {
            for (at, &wide) in widths.iter().enumerate() {
                prenet.push(Linear::new(params, &format!("prenet.prenet.{at}.0"), told, wide)?);
                told = wide;
            }
        }
        let layer = |at: usize| {
            let params = Within::new(params, format!("lstmps.{at}"));
            let lstm = match config.decoding {
                Decoding::Parallel => Lstm::new(&Within::new(&params, "layer"), "_l0", width, width)?,
                Decoding::Autoregressive { .. } => {
                    let inputs = if at == 0 { width + told } else { width };
                    Lstm::new(&Within::new(&params, "cell"), "", inputs, width)?
                }
            };
            Ok(Layer { lstm, projection: Linear::new(&params, "pj", width, width)? })
        };
        let speaker = match config.speaker {
            None => None,
            Some(speaker) => {
                let inputs = speaker.width + if speaker.join == Join::Beside { width } else { 0 };
                Some(Linear::new(params, "spk_emb_projection", inputs, width)?)
            }
        };
        Ok(Self {
            encoder: Encoder::new(params, &config)?,
            speaker,
            prenet,
            layers: (0..config.layers).map(layer).collect::<Result<_>>()?,
            out: Linear::new(params, "proj", width, mels)?,
            // They are measured, not learnt.
            mean: params.tensor("target_mean", &[mels], Init::Zeros)?.detach(),
            scale: params.tensor("target_scale", &[mels], Init::Ones)?.detach(),
            config,
        })
    }

    /// Reads the network in `checkpoint`, to be computed on `device`.
    ///
    /// # Errors
    /// Those of [`Config::of`]; one that names the first tensor that is missing or misshapen.
    pub fn load(checkpoint: &Checkpoint, device: &Device) -> Result<Self> {
        let config = Config::of(checkpoint)?;
        Self::new(&Stored::beside(checkpoint, "proj.bias", device)?, config)
    }

    /// The log-mel frames, `[batch, time, mels]`, for features at the rate of the frames, `[batch, time, inputs]`, and
    /// vectors of speakers, `[batch, values]`, which count by their direction alone.
    ///
    /// # Errors
    /// Those of candle, where shapes do not fit.
    pub fn forward(&self, x: &Tensor, speaker: Option<&Tensor>, dropout: Dropout) -> CandleResult<Tensor> {
        let mut x = self.encoder.forward(x)?;
        if let (Some(layer), Some(speaker)) = (&self.speaker, speaker) {
            x = self.with_speaker(&x, layer, speaker)?;
        }
        match self.config.decoding {
            Decoding::Parallel => {
                for layer in &self.layers {
                    x = layer.projection.forward(&layer.lstm.forward(&x)?)?.tanh()?;
                }
                self.out.forward(&x)
            }
            Decoding::Autoregressive { .. } => self.step_by_step(&x, dropout),
        }
    }

    /// Frames on the scale of the training data: what the loss is of.
    ///
    /// # Errors
    /// Those of candle.
    pub fn normalised(&self, frames: &Tensor) -> CandleResult<Tensor> {
        frames.broadcast_sub(&self.mean)?.broadcast_div(&self.scale)
    }

    fn with_speaker(&self, x: &Tensor, layer: &Linear, speaker: &Tensor) -> CandleResult<Tensor> {
        let length = speaker.sqr()?.sum_keepdim(D::Minus1)?.sqrt()?.maximum(1e-12)?;
        let unit = speaker.broadcast_div(&length)?.unsqueeze(1)?;
        match self.config.speaker.map(|speaker| speaker.join) {
            Some(Join::Added) => x.broadcast_add(&layer.forward(&unit)?),
            _ => {
                let (batch, time, _) = x.dims3()?;
                let beside = unit.broadcast_as((batch, time, unit.dim(2)?))?.contiguous()?;
                layer.forward(&Tensor::cat(&[x, &beside], 2)?)
            }
        }
    }

    /// Each frame is told the one before. What a layer remembers of its output is what the projection made of it.
    fn step_by_step(&self, x: &Tensor, dropout: Dropout) -> CandleResult<Tensor> {
        let (batch, time, width) = x.dims3()?;
        let zeros = |width: usize| Tensor::zeros((batch, width), x.dtype(), x.device());
        let mut states = (0..self.layers.len())
            .map(|_| Ok((zeros(width)?, zeros(width)?)))
            .collect::<CandleResult<Vec<_>>>()?;
        let mut last = zeros(self.config.mels)?;
        let mut random = match dropout {
            Dropout::None => None,
            Dropout::Half(seed) => Some(fastrand::Rng::with_seed(seed)),
        };
        let mut frames = Vec::with_capacity(time);
        for at in 0..time {
            let told = self.prenet(last, random.as_mut())?;
            let mut input = Tensor::cat(&[x.narrow(1, at, 1)?.squeeze(1)?, told], 1)?;
            for (layer, (hidden, cell)) in self.layers.iter().zip(&mut states) {
                let (output, kept) = layer.lstm.cell(&input, hidden, cell)?;
                (*hidden, *cell) = (layer.projection.forward(&output)?.tanh()?, kept);
                input = hidden.clone();
            }
            let frame = self.out.forward(&input)?;
            last = self.normalised(&frame)?;
            frames.push(frame);
        }
        Tensor::stack(&frames, 1)
    }

    fn prenet(&self, frame: Tensor, mut random: Option<&mut fastrand::Rng>) -> CandleResult<Tensor> {
        let mut dropped = |x: Tensor| match random.as_deref_mut() {
            None => Ok(x),
            Some(random) => {
                let mask: Vec<f32> =
                    (0..x.elem_count()).map(|_| if random.bool() { 2.0 } else { 0.0 }).collect();
                &x * Tensor::from_vec(mask, x.shape(), x.device())?
            }
        };
        if self.prenet.is_empty() {
            return dropped(frame);
        }
        self.prenet.iter().try_fold(frame, |x, layer| dropped(layer.forward(&x)?.relu()?))
    }
}

/// Rows of `x`, `[rows, width]`, at `ratio` times their rate, each the one at or before its place: `interpolate` of PyTorch with
/// a `scale_factor`.
pub fn resampled(x: &[f32], width: usize, ratio: f64) -> Vec<f32> {
    let rows = x.len() / width.max(1);
    let count = (rows as f64 * ratio) as usize;
    let source = |at: usize| ((at as f32 * (1.0 / ratio) as f32) as usize).min(rows.saturating_sub(1));
    (0..count).flat_map(|at| &x[source(at) * width..][..width]).copied().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_repeated_or_left_out() {
        assert_eq!(resampled(&[1.0, 2.0, 3.0, 4.0], 2, 2.0), [1.0, 2.0, 1.0, 2.0, 3.0, 4.0, 3.0, 4.0]);
        assert_eq!(resampled(&[1.0, 2.0, 3.0], 1, 0.5), [1.0]);
        // 50 frames a second to 93.75.
        assert_eq!(resampled(&[0.0, 1.0, 2.0, 3.0], 1, 1.875), [0.0, 0.0, 1.0, 1.0, 2.0, 2.0, 3.0]);
        assert!(resampled(&[], 3, 2.0).is_empty());
    }
}
