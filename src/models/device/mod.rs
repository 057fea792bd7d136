//! Layers of candle's operations, for devices that are not the processor: what [`compute`](crate::compute) is there.
//!
//! Shapes are `[batch, time, width]`. Weights and activations are in the target's numbers; norms, softmax and their sums are
//! f32.

mod attention;

use candle_core::{D, DType, Tensor};

use super::loader::Loader;
use crate::Result;
use crate::compute::CandleTarget;

pub use attention::{attend, key_mask};

/// Reads tensors to a device.
pub struct DeviceLoader<'a> {
    pub loader: &'a Loader<'a>,
    pub target: &'a CandleTarget,
}

impl DeviceLoader<'_> {
    /// The tensor `name`, of this shape.
    pub fn tensor(&self, name: &str, shape: &[usize]) -> Result<Tensor> {
        self.place(self.loader.values(name, shape)?, shape)
    }

    /// `values` on the device.
    pub fn place(&self, values: Vec<f32>, shape: &[usize]) -> Result<Tensor> {
        Ok(Tensor::from_vec(values, shape, &self.target.device)?.to_dtype(self.target.dtype)?)
    }

    /// Layers of one width of input, stacked to one; a bias that is missing counts as zeros.
    pub fn linear(&self, names: &[String], inputs: usize, outputs: usize) -> Result<DeviceLinear> {
        let (mut weight, mut bias) = (Vec::new(), Vec::new());
        for name in names {
            weight.extend(self.loader.values(&format!("{name}.weight"), &[outputs, inputs])?);
            match self.loader.contains(&format!("{name}.bias")) {
                true => bias.extend(self.loader.values(&format!("{name}.bias"), &[outputs])?),
                false => bias.resize(bias.len() + outputs, 0.0),
            }
        }
        let outputs = outputs * names.len();
        let weight = self.place(weight, &[outputs, inputs])?.t()?.contiguous()?;
        Ok(DeviceLinear { weight, bias: self.place(bias, &[outputs])? })
    }

    /// A layer norm over `dim`.
    pub fn norm(&self, name: &str, dim: usize, eps: f32) -> Result<DeviceNorm> {
        let single = |part: &str| -> Result<Tensor> {
            let values = self.loader.values(&format!("{name}.{part}"), &[dim])?;
            Ok(Tensor::from_vec(values, dim, &self.target.device)?)
        };
        Ok(DeviceNorm { scale: Some((single("weight")?, single("bias")?)), eps: f64::from(eps) })
    }

    /// A convolution along time of weight `[outputs, channels / groups, kernel]`.
    pub fn conv(
        &self,
        weight: Vec<f32>,
        shape: &[usize; 3],
        bias: Option<Vec<f32>>,
        shift: Shift,
    ) -> Result<DeviceConv> {
        let bias = bias.map(|bias| self.place(bias, &[1, shape[0], 1])).transpose()?;
        Ok(DeviceConv { weight: self.place(weight, shape)?, bias, shift })
    }
}

/// `x Wᵀ + b`.
pub struct DeviceLinear {
    /// `[inputs, outputs]`.
    weight: Tensor,
    bias: Tensor,
}

impl DeviceLinear {
    /// The layer applied to `x`, `[.., inputs]`.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let (inputs, outputs) = self.weight.dims2()?;
        let mut shape = x.dims().to_vec();
        let rows = x.elem_count() / inputs;
        let out = x.reshape((rows, inputs))?.matmul(&self.weight)?.broadcast_add(&self.bias)?;
        shape.pop();
        shape.push(outputs);
        Ok(out.reshape(shape)?)
    }
}

/// A layer norm, in f32.
pub struct DeviceNorm {
    /// What the outcome is multiplied by, and what is added to it.
    scale: Option<(Tensor, Tensor)>,
    eps: f64,
}

impl DeviceNorm {
    /// One that scales and shifts nothing.
    pub fn plain(eps: f32) -> Self {
        Self { scale: None, eps: f64::from(eps) }
    }

    /// `x` normalised over its last axis.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let normed = standardised(&x.to_dtype(DType::F32)?, self.eps)?;
        let normed = match &self.scale {
            Some((weight, bias)) => normed.broadcast_mul(weight)?.broadcast_add(bias)?,
            None => normed,
        };
        Ok(normed.to_dtype(x.dtype())?)
    }
}

/// `x` in f32 less its mean over the last axis, divided by its deviation.
pub fn standardised(x: &Tensor, eps: f64) -> Result<Tensor> {
    let centred = x.broadcast_sub(&x.mean_keepdim(D::Minus1)?)?;
    let variance = centred.sqr()?.mean_keepdim(D::Minus1)?;
    Ok(centred.broadcast_div(&(variance + eps)?.sqrt()?)?)
}

/// How a convolution goes along time.
#[derive(Debug, Clone, Copy)]
pub struct Shift {
    pub stride: usize,
    pub padding: usize,
    pub groups: usize,
}

/// A convolution along time.
pub struct DeviceConv {
    weight: Tensor,
    bias: Option<Tensor>,
    shift: Shift,
}

impl DeviceConv {
    /// The convolution of `x`, `[batch, channels, time]`.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let Shift { stride, padding, groups } = self.shift;
        let out = x.conv1d(&self.weight, padding, stride, 1, groups)?;
        Ok(match &self.bias {
            Some(bias) => out.broadcast_add(bias)?,
            None => out,
        })
    }
}
