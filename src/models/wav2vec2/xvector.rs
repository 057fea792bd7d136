//! An x-vector of the hidden states of a network: `Wav2Vec2ForXVector` and `WavLMForXVector` of Hugging Face transformers.

use candle_core::Tensor;

use super::{Config, Wav2Vec2, softmax};
use crate::compute::{DilatedConv1d, Linear, Margin, Precision, Target};
use crate::models::loader::Loader;
use crate::weights::Checkpoint;
use crate::{Error, Result};

/// A network with a head of dilated convolutions and statistics over time, whose output tells who speaks.
pub struct Wav2Vec2ForXVector {
    /// The network below.
    pub encoder: Wav2Vec2,
    /// How much each hidden state counts, where the last is not all.
    layer_weights: Option<Vec<f32>>,
    projector: Linear,
    convolutions: Vec<DilatedConv1d>,
    /// Frames that all convolutions hear for one.
    field: usize,
    extractor: Linear,
}

impl Wav2Vec2ForXVector {
    /// Whether the tensors of `checkpoint` are named as those of such a head.
    pub fn recognises(checkpoint: &Checkpoint) -> bool {
        checkpoint.contains("tdnn.0.kernel.weight")
    }

    /// As [`Wav2Vec2::load`]. Widths and kernels of the head, the tensors tell.
    ///
    /// # Errors
    /// As there; [`Error::Model`] where there are fewer dilations than convolutions.
    pub fn load(checkpoint: &Checkpoint, config: Config, target: impl Into<Target>) -> Result<Self> {
        let loader = Loader::new(checkpoint, Precision::F32);
        let rows = |name: &str| {
            checkpoint.shape(&format!("{name}.weight")).and_then(|shape| shape.first().copied()).unwrap_or(0)
        };
        let layer_weights = match config.use_weighted_layer_sum {
            true => Some(softmax(&loader.values("layer_weights", &[config.num_hidden_layers + 1])?)),
            false => None,
        };
        let mut width = rows("projector");
        let projector = loader.linear(&["projector".into()], config.hidden_size, width)?;
        let (mut convolutions, mut field) = (Vec::new(), 1);
        while checkpoint.contains(&kernel_name(convolutions.len(), "weight")) {
            let Some(&dilation) = config.tdnn_dilation.get(convolutions.len()) else {
                return Err(Error::model(
                    checkpoint.path().display().to_string(),
                    "has more convolutions in its head than its config.json has in tdnn_dilation",
                ));
            };
            let (conv, kernel) = load_convolution(checkpoint, &loader, convolutions.len(), width, dilation)?;
            field += (kernel - 1) * dilation;
            width = conv.outputs();
            convolutions.push(conv);
        }
        let outputs = rows("feature_extractor");
        let extractor = loader.linear(&["feature_extractor".into()], 2 * width, outputs)?;
        let encoder = Wav2Vec2::load(checkpoint, config, target)?;
        Ok(Self { encoder, layer_weights, projector, convolutions, field, extractor })
    }

    /// Values of a vector.
    pub fn width(&self) -> usize {
        self.extractor.outputs()
    }

    /// Samples of the shortest sound that has a vector: two frames must be left by the convolutions, to have a deviation.
    pub fn shortest(&self) -> usize {
        self.encoder.config.field() + self.field * self.encoder.config.hop()
    }

    /// The vector of `samples` at 16 kHz, as it leaves the network.
    ///
    /// # Errors
    /// Those of candle; [`Error::Setting`] where the sound is shorter than [`shortest`](Self::shortest).
    pub fn vector(&self, samples: &[f32]) -> Result<Vec<f32>> {
        if samples.len() < self.shortest() {
            let (found, least) = (samples.len(), self.shortest());
            return Err(Error::Setting(format!(
                "{found} samples are too few for a vector; {least} is the least"
            )));
        }
        let hidden = self.encoder.mixed_state(samples, self.layer_weights.as_deref())?;
        let mut x = self.projector.forward_with(&hidden, <[f32]>::to_vec)?;
        for conv in &self.convolutions {
            x = conv.forward(&x);
            x.iter_mut().for_each(|x| *x = x.max(0.0));
        }
        let width = self.extractor.inputs() / 2;
        let frames = x.len() / width;
        let x = Tensor::from_vec(x, (frames, width), hidden.device())?;
        // The variance is that over one frame less than there are.
        let pooled = Tensor::cat(&[x.mean(0)?, x.var(0)?.sqrt()?], 0)?;
        Ok(self.extractor.forward(&pooled.unsqueeze(0)?)?.flatten_all()?.to_vec1()?)
    }
}

fn kernel_name(index: usize, part: &str) -> String {
    format!("tdnn.{index}.kernel.{part}")
}

/// A convolution, whose weight is that of a linear layer of all frames that it hears, and its kernel.
fn load_convolution(
    checkpoint: &Checkpoint,
    loader: &Loader,
    index: usize,
    inputs: usize,
    dilation: usize,
) -> Result<(DilatedConv1d, usize)> {
    let name = kernel_name(index, "weight");
    let (outputs, heard) = match checkpoint.shape(&name).as_deref() {
        Some(&[outputs, heard]) if inputs > 0 && heard >= inputs => (outputs, heard),
        _ => (0, inputs),
    };
    let kernel = heard / inputs.max(1);
    let values = loader.values(&name, &[outputs, kernel * inputs])?;
    let bias = loader.values(&kernel_name(index, "bias"), &[outputs])?;
    let mut weight = vec![0.0; values.len()];
    for (from, to) in values.chunks_exact(heard).zip(weight.chunks_exact_mut(heard)) {
        for tap in 0..kernel {
            for channel in 0..inputs {
                to[channel * kernel + tap] = from[tap * inputs + channel];
            }
        }
    }
    Ok((DilatedConv1d::new(&weight, bias, inputs, kernel, dilation, Margin::None), kernel))
}
