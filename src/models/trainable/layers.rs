//! Layers, and functions of whole tensors.

use candle_core::{D, Result as CandleResult, Tensor};

use super::fused;
use super::params::{Init, Params, Within};
use crate::Result;

/// `x Wᵀ + b`.
pub struct Linear {
    weight: Tensor,
    bias: Option<Tensor>,
}

impl Linear {
    /// The layer `name`, with a bias, which begins as PyTorch's does.
    ///
    /// # Errors
    /// Those of [`Params::tensor`].
    pub fn new(params: &dyn Params, name: &str, inputs: usize, outputs: usize) -> Result<Self> {
        let init = Init::Uniform((inputs.max(1) as f32).sqrt().recip());
        Self::with_init(params, name, inputs, outputs, init)
    }

    /// The same, beginning as `init` says.
    ///
    /// # Errors
    /// Those of [`Params::tensor`].
    pub fn with_init(
        params: &dyn Params,
        name: &str,
        inputs: usize,
        outputs: usize,
        init: Init,
    ) -> Result<Self> {
        let params = Within::new(params, name);
        let bias = Some(params.tensor("bias", &[outputs], init)?);
        Ok(Self { weight: params.tensor("weight", &[outputs, inputs], init)?, bias })
    }

    /// The same without a bias.
    ///
    /// # Errors
    /// Those of [`Params::tensor`].
    pub fn without_bias(params: &dyn Params, name: &str, inputs: usize, outputs: usize) -> Result<Self> {
        let init = Init::Uniform((inputs.max(1) as f32).sqrt().recip());
        Ok(Self { weight: Within::new(params, name).tensor("weight", &[outputs, inputs], init)?, bias: None })
    }

    /// The layer applied to the last axis.
    ///
    /// # Errors
    /// Those of candle.
    pub fn forward(&self, x: &Tensor) -> CandleResult<Tensor> {
        let shape = x.dims();
        let (inputs, outputs) = (x.dim(D::Minus1)?, self.weight.dim(0)?);
        let rows = x.reshape(((), inputs))?;
        let mut y = rows.matmul(&self.weight.t()?)?;
        if let Some(bias) = &self.bias {
            y = y.broadcast_add(bias)?;
        }
        let mut shape = shape.to_vec();
        if let Some(last) = shape.last_mut() {
            *last = outputs;
        }
        y.reshape(shape)
    }
}

/// A vector for each number.
pub struct Embedding {
    table: Tensor,
}

impl Embedding {
    /// The table `name` of `count` vectors.
    ///
    /// # Errors
    /// Those of [`Params::tensor`].
    pub fn new(params: &dyn Params, name: &str, count: usize, width: usize) -> Result<Self> {
        Ok(Self { table: Within::new(params, name).tensor("weight", &[count, width], Init::Normal(1.0))? })
    }

    /// The vectors of `ids`, `[batch, time]` of u32: `[batch, time, width]`.
    ///
    /// # Errors
    /// Those of candle, where a number is not in the table.
    pub fn forward(&self, ids: &Tensor) -> CandleResult<Tensor> {
        embedding(&self.table, ids)
    }
}

/// Rows of `table` by `ids`, `[batch, time]`.
///
/// # Errors
/// Those of candle.
pub fn embedding(table: &Tensor, ids: &Tensor) -> CandleResult<Tensor> {
    let (batch, time) = ids.dims2()?;
    table.index_select(&ids.flatten_all()?, 0)?.reshape((batch, time, table.dim(1)?))
}

/// A layer norm with weight and bias.
pub struct LayerNorm {
    weight: Tensor,
    bias: Tensor,
    eps: f64,
}

impl LayerNorm {
    /// The norm `name` over `width` channels.
    ///
    /// # Errors
    /// Those of [`Params::tensor`].
    pub fn new(params: &dyn Params, name: &str, width: usize, eps: f64) -> Result<Self> {
        let params = Within::new(params, name);
        let weight = params.tensor("weight", &[width], Init::Ones)?;
        Ok(Self { weight, bias: params.tensor("bias", &[width], Init::Zeros)?, eps })
    }

    /// The last axis normalised.
    ///
    /// # Errors
    /// Those of candle.
    pub fn forward(&self, x: &Tensor) -> CandleResult<Tensor> {
        if fused::fits(x) {
            return fused::layer_norm(x, &self.weight, &self.bias, self.eps);
        }
        layer_norm(x, self.eps)?.broadcast_mul(&self.weight)?.broadcast_add(&self.bias)
    }
}

/// The last axis brought to mean 0 and variance 1.
///
/// # Errors
/// Those of candle.
pub fn layer_norm(x: &Tensor, eps: f64) -> CandleResult<Tensor> {
    let centred = x.broadcast_sub(&x.mean_keepdim(D::Minus1)?)?;
    let variance = centred.sqr()?.mean_keepdim(D::Minus1)?;
    centred.broadcast_div(&(variance + eps)?.sqrt()?)
}

/// A convolution along time, whose output is as long as its input.
pub struct Conv1d {
    weight: Tensor,
    bias: Tensor,
    groups: usize,
}

impl Conv1d {
    /// The layer `name` with an odd `kernel`, of `groups` of channels.
    ///
    /// # Errors
    /// Those of [`Params::tensor`].
    pub fn new(
        params: &dyn Params,
        name: &str,
        (inputs, outputs): (usize, usize),
        kernel: usize,
        groups: usize,
    ) -> Result<Self> {
        let params = Within::new(params, name);
        let init = Init::Uniform(((inputs / groups * kernel).max(1) as f32).sqrt().recip());
        let weight = params.tensor("weight", &[outputs, inputs / groups, kernel], init)?;
        Ok(Self { weight, bias: params.tensor("bias", &[outputs], init)?, groups })
    }

    /// The convolution of `x`, `[batch, time, inputs]`, with zeros around it.
    ///
    /// # Errors
    /// Those of candle.
    pub fn forward(&self, x: &Tensor) -> CandleResult<Tensor> {
        let x = x.transpose(1, 2)?.contiguous()?;
        let y = x.conv1d(&self.weight, self.weight.dim(2)? / 2, 1, 1, self.groups)?;
        y.transpose(1, 2)?.contiguous()?.broadcast_add(&self.bias)
    }
}

/// What frames a convolution of single channels hears.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// As many after as before.
    Both,
    /// None after.
    Past,
}

/// A convolution along time of each channel by itself.
pub struct Depthwise {
    weight: Tensor,
    bias: Tensor,
    reach: Reach,
}

impl Depthwise {
    /// The layer `name` with an odd `kernel`.
    ///
    /// # Errors
    /// Those of [`Params::tensor`].
    pub fn new(
        params: &dyn Params,
        name: &str,
        channels: usize,
        kernel: usize,
        reach: Reach,
    ) -> Result<Self> {
        let params = Within::new(params, name);
        let init = Init::Uniform((kernel.max(1) as f32).sqrt().recip());
        let weight = params.tensor("weight", &[channels, 1, kernel], init)?;
        Ok(Self { weight, bias: params.tensor("bias", &[channels], init)?, reach })
    }

    /// The convolution of `x`, `[batch, time, channels]`, with zeros around it.
    ///
    /// # Errors
    /// Those of candle.
    pub fn forward(&self, x: &Tensor) -> CandleResult<Tensor> {
        let kernel = self.weight.dim(2)?;
        let (before, after) = match self.reach {
            Reach::Both => (kernel / 2, kernel - 1 - kernel / 2),
            Reach::Past => (kernel - 1, 0),
        };
        self.within(&x.pad_with_zeros(1, before, after)?)
    }

    /// The convolution of `padded`, `[batch, time + kernel - 1, channels]`, where all taps lie within: `[batch, time,
    /// channels]`. A sum of shifted frames: candle's own has a product for each group.
    ///
    /// # Errors
    /// Those of candle.
    pub fn within(&self, padded: &Tensor) -> CandleResult<Tensor> {
        let (channels, _, kernel) = self.weight.dims3()?;
        if fused::fits(padded) {
            let taps = self.weight.squeeze(1)?.t()?;
            return fused::depthwise(padded, &taps)?.broadcast_add(&self.bias);
        }
        let (batch, long, _) = padded.dims3()?;
        let time = long + 1 - kernel;
        let mut sum =
            self.bias.reshape((1, 1, channels))?.broadcast_as((batch, time, channels))?.contiguous()?;
        for tap in 0..kernel {
            let weight = self.weight.narrow(2, tap, 1)?.reshape((1, 1, channels))?;
            sum = (sum + padded.narrow(1, tap, time)?.broadcast_mul(&weight)?)?;
        }
        Ok(sum)
    }
}

/// A layer of an LSTM, forwards in time.
pub struct Lstm {
    input: Linear,
    recurrent: Linear,
    width: usize,
}

impl Lstm {
    /// The layer whose tensors are `weight_ih`, `weight_hh`, `bias_ih` and `bias_hh`, each followed by `ending` (`_l0` of
    /// `torch.nn.LSTM`, nothing of `torch.nn.LSTMCell`).
    ///
    /// # Errors
    /// Those of [`Params::tensor`].
    pub fn new(params: &dyn Params, ending: &str, inputs: usize, width: usize) -> Result<Self> {
        let init = Init::Uniform((width.max(1) as f32).sqrt().recip());
        let layer = |part: &str, inputs: usize| {
            let bias = params.tensor(&format!("bias_{part}{ending}"), &[4 * width], init)?;
            let weight = params.tensor(&format!("weight_{part}{ending}"), &[4 * width, inputs], init)?;
            Ok::<_, crate::Error>(Linear { weight, bias: Some(bias) })
        };
        Ok(Self { input: layer("ih", inputs)?, recurrent: layer("hh", width)?, width })
    }

    /// The outputs for `x`, `[batch, time, inputs]`: `[batch, time, width]`.
    ///
    /// # Errors
    /// Those of candle.
    pub fn forward(&self, x: &Tensor) -> CandleResult<Tensor> {
        let (batch, time, _) = x.dims3()?;
        let gates = self.input.forward(x)?;
        if fused::fits(&gates) {
            let gates = match &self.recurrent.bias {
                Some(bias) => gates.broadcast_add(bias)?,
                None => gates,
            };
            return fused::lstm(&gates, &self.recurrent.weight);
        }
        let mut hidden = Tensor::zeros((batch, self.width), x.dtype(), x.device())?;
        let mut cell = hidden.clone();
        let mut outputs = Vec::with_capacity(time);
        for at in 0..time {
            let gates = gates.narrow(1, at, 1)?.squeeze(1)?;
            (hidden, cell) = self.step(&gates, &hidden, &cell)?;
            outputs.push(hidden.clone());
        }
        Tensor::stack(&outputs, 1)
    }

    /// One step from a frame, `[batch, inputs]`, and the last output and cell: the new ones.
    ///
    /// # Errors
    /// Those of candle.
    pub fn cell(&self, x: &Tensor, hidden: &Tensor, cell: &Tensor) -> CandleResult<(Tensor, Tensor)> {
        self.step(&self.input.forward(x)?, hidden, cell)
    }

    fn step(&self, gates: &Tensor, hidden: &Tensor, cell: &Tensor) -> CandleResult<(Tensor, Tensor)> {
        let gates = (gates + self.recurrent.forward(hidden)?)?;
        let gate = |index: usize| gates.narrow(1, index * self.width, self.width);
        let kept = (sigmoid(&gate(1)?)? * cell)?;
        let cell = (kept + (sigmoid(&gate(0)?)? * gate(2)?.tanh()?)?)?;
        let hidden = (sigmoid(&gate(3)?)? * cell.tanh()?)?;
        Ok((hidden, cell))
    }
}

/// Of functions that candle differentiates.
fn sigmoid(x: &Tensor) -> CandleResult<Tensor> {
    ((x * 0.5)?.tanh()? + 1.0)? * 0.5
}

/// The exact GELU, `x Φ(x)`.
///
/// # Errors
/// Those of candle.
pub fn gelu(x: &Tensor) -> CandleResult<Tensor> {
    if fused::fits(x) { fused::gelu(x) } else { x.gelu_erf() }
}

/// `x tanh(ln(1 + exp x))`.
///
/// # Errors
/// Those of candle.
pub fn mish(x: &Tensor) -> CandleResult<Tensor> {
    // Of large x, exp x would be infinite; there, ln(1 + exp x) is x.
    let soft = ((x.abs()?.neg()?.exp()? + 1.0)?.log()? + x.relu()?)?;
    x * soft.tanh()?
}

/// Over the last axis.
///
/// # Errors
/// Those of candle.
pub fn softmax(x: &Tensor) -> CandleResult<Tensor> {
    let exponentials = x.broadcast_sub(&x.max_keepdim(D::Minus1)?.detach())?.exp()?;
    exponentials.broadcast_div(&exponentials.sum_keepdim(D::Minus1)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

    #[test]
    fn mish_is_smooth_and_stays_finite() {
        let x = Tensor::new(&[-200.0f32, -1.0, 0.0, 1.0, 200.0], &Device::Cpu).unwrap();
        let found = mish(&x).unwrap().to_vec1::<f32>().unwrap();
        for (found, expected) in found.iter().zip([0.0, -0.303_401_5, 0.0, 0.865_098_4, 200.0]) {
            assert!((found - expected).abs() < 1e-5, "{found} is not {expected}");
        }
    }

    #[test]
    fn depthwise_sums_equal_grouped_convolution() {
        let device = Device::Cpu;
        let x = Tensor::randn(0f32, 1.0, (2, 9, 4), &device).unwrap();
        let weight = Tensor::randn(0f32, 1.0, (4, 1, 5), &device).unwrap();
        let bias = Tensor::randn(0f32, 1.0, 4, &device).unwrap();
        let grouped = Conv1d { weight: weight.clone(), bias: bias.clone(), groups: 4 };
        let both = Depthwise { weight: weight.clone(), bias: bias.clone(), reach: Reach::Both };
        let far = |a: &Tensor, b: &Tensor| {
            (a - b).unwrap().abs().unwrap().max_all().unwrap().to_scalar::<f32>().unwrap()
        };
        let found = both.forward(&x).unwrap();
        assert!(far(&found, &grouped.forward(&x).unwrap()) < 1e-5);
        // Of the past alone: the same, two frames later.
        let past = Depthwise { weight, bias, reach: Reach::Past }.forward(&x).unwrap();
        let (late, early) = (past.narrow(1, 4, 5).unwrap(), found.narrow(1, 2, 5).unwrap());
        assert!(far(&late, &early) < 1e-5);
    }
}
