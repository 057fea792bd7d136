//! Whisper's encoder by candle's operations, on any of its devices.

use candle_core::{DType, Tensor};

use super::{Config, EPS};
use crate::Result;
use crate::compute::CandleTarget;
use crate::models::device::{DeviceConv, DeviceLinear, DeviceLoader, DeviceNorm, Shift, attend};
use crate::models::encoding::States;
use crate::models::loader::Loader;

/// The encoder of the same name for devices.
pub(super) struct DeviceEncoder {
    target: CandleTarget,
    convs: [DeviceConv; 2],
    /// `[source_positions, dim]`.
    embed_positions: Tensor,
    layers: Vec<Layer>,
    layer_norm: DeviceNorm,
    heads: usize,
}

struct Layer {
    self_attn_layer_norm: DeviceNorm,
    qkv_proj: DeviceLinear,
    out_proj: DeviceLinear,
    final_layer_norm: DeviceNorm,
    fc1: DeviceLinear,
    fc2: DeviceLinear,
}

impl DeviceEncoder {
    pub fn load(loader: &Loader, config: &Config, target: &CandleTarget) -> Result<Self> {
        let loader = DeviceLoader { loader, target };
        let dim = config.dim;
        let conv = |name: &str, channels: usize, stride: usize| {
            let shape = [dim, channels, 3];
            let weight = loader.loader.values(&format!("model.encoder.{name}.weight"), &shape)?;
            let bias = loader.loader.values(&format!("model.encoder.{name}.bias"), &[dim])?;
            loader.conv(weight, &shape, Some(bias), Shift { stride, padding: 1, groups: 1 })
        };
        let layers = (0..config.encoder_layers).map(|index| Layer::load(&loader, config, index));
        Ok(Self {
            convs: [conv("conv1", config.mels, 1)?, conv("conv2", dim, 2)?],
            embed_positions: loader
                .tensor("model.encoder.embed_positions.weight", &[config.source_positions, dim])?,
            layers: layers.collect::<Result<_>>()?,
            layer_norm: loader.norm("model.encoder.layer_norm", dim, EPS)?,
            heads: config.encoder_heads,
            target: target.clone(),
        })
    }

    pub fn layers(&self) -> usize {
        self.layers.len()
    }

    pub fn dim(&self) -> usize {
        self.embed_positions.dims().last().copied().unwrap_or_default()
    }

    /// Runs features `[frames, mels]` through the first `last` layers, of which there are as many; returns what leaves them,
    /// `[frames / 2, dim]`, and of the hidden states before it those whose numbers are in `keep`.
    pub fn run(&self, log_mel: &Tensor, last: usize, keep: &[usize]) -> Result<(Vec<f32>, States)> {
        let mut x = log_mel.to_device(&self.target.device)?.to_dtype(self.target.dtype)?.t()?.unsqueeze(0)?;
        for conv in &self.convs {
            x = conv.forward(&x.contiguous()?)?.gelu_erf()?;
        }
        let mut x = x.transpose(1, 2)?.contiguous()?;
        x = x.broadcast_add(&self.embed_positions.narrow(0, 0, x.dim(1)?)?)?;
        let mut kept = States::new();
        for (number, layer) in self.layers[..last].iter().enumerate() {
            if keep.contains(&number) {
                kept.insert(number, values(&x)?);
            }
            x = layer.forward(&x, self.heads)?;
        }
        if last == self.layers.len() {
            x = self.layer_norm.forward(&x)?;
        }
        Ok((values(&x)?, kept))
    }
}

/// The numbers of a tensor on a device.
fn values(x: &Tensor) -> Result<Vec<f32>> {
    Ok(x.to_dtype(DType::F32)?.flatten_all()?.to_vec1()?)
}

impl Layer {
    fn load(loader: &DeviceLoader, config: &Config, index: usize) -> Result<Self> {
        let name = |part: &str| format!("model.encoder.layers.{index}.{part}");
        let (dim, hidden) = (config.dim, config.encoder_hidden);
        let qkv = ["q", "k", "v"].map(|part| name(&format!("self_attn.{part}_proj")));
        Ok(Self {
            self_attn_layer_norm: loader.norm(&name("self_attn_layer_norm"), dim, EPS)?,
            qkv_proj: loader.linear(&qkv, dim, dim)?,
            out_proj: loader.linear(&[name("self_attn.out_proj")], dim, dim)?,
            final_layer_norm: loader.norm(&name("final_layer_norm"), dim, EPS)?,
            fc1: loader.linear(&[name("fc1")], dim, hidden)?,
            fc2: loader.linear(&[name("fc2")], hidden, dim)?,
        })
    }

    fn forward(&self, x: &Tensor, heads: usize) -> Result<Tensor> {
        let qkv = self.qkv_proj.forward(&self.self_attn_layer_norm.forward(x)?)?;
        let x = (x + self.out_proj.forward(&attend(&qkv, heads, None, None)?)?)?;
        let hidden = self.fc1.forward(&self.final_layer_norm.forward(&x)?)?.gelu_erf()?;
        Ok((&x + self.fc2.forward(&hidden)?)?)
    }
}
