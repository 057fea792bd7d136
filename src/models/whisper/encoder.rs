//! Whisper's encoder.

use candle_core::{Device, Tensor};

use super::device_encoder::DeviceEncoder;
use super::{Config, EPS};

use crate::compute::{CandleTarget, Conv1d, LayerNorm, Linear, Precision, add_into, self_attention_into};
use crate::models::encoding::States;
use crate::models::loader::Loader;
use crate::{Error, Result};

/// Rows whose feed-forward part is computed at once: all threads have enough to do, and what is between its two layers is
/// never whole.
const FEED_FORWARD_ROWS: usize = 504;

/// Two convolutions and a stack of pre-norm transformer layers.
pub struct Encoder(Form);

/// By what it is computed.
enum Form {
    Packed(Box<PackedEncoder>),
    Device(Box<DeviceEncoder>),
}

impl Encoder {
    pub(super) fn load(loader: &Loader, config: &Config) -> Result<Self> {
        Ok(Self(Form::Packed(Box::new(PackedEncoder::load(loader, config)?))))
    }

    /// The same, computed by candle's operations on `target`.
    pub(super) fn on_device(loader: &Loader, config: &Config, target: &CandleTarget) -> Result<Self> {
        Ok(Self(Form::Device(Box::new(DeviceEncoder::load(loader, config, target)?))))
    }

    fn layers(&self) -> usize {
        match &self.0 {
            Form::Packed(encoder) => encoder.layers.len(),
            Form::Device(encoder) => encoder.layers(),
        }
    }

    fn dim(&self) -> usize {
        match &self.0 {
            Form::Packed(encoder) => encoder.dim,
            Form::Device(encoder) => encoder.dim(),
        }
    }

    /// Log-mel features `[frames, mels]` (10 ms a frame, at most 3000) to an encoding `[frames / 2, dim]`.
    pub fn forward(&self, log_mel: &Tensor) -> Result<Tensor> {
        self.hidden_state(log_mel, self.layers())
    }

    /// Hidden state number `layer` of log-mel features `[frames, mels]`, `[frames / 2, dim]`: 0 enters the first layer, and
    /// so on; the last has the final norm. Layers after it are not run.
    pub fn hidden_state(&self, log_mel: &Tensor, layer: usize) -> Result<Tensor> {
        let state = self.run(log_mel, layer, &[])?.0;
        let frames = state.len() / self.dim();
        Ok(Tensor::from_vec(state, (frames, self.dim()), &Device::Cpu)?)
    }

    /// Runs log-mel features through the first `last` layers; returns what leaves them, `[frames / 2, dim]`, and of the hidden
    /// states before it those whose numbers are in `keep`.
    pub(crate) fn run(&self, log_mel: &Tensor, last: usize, keep: &[usize]) -> Result<(Vec<f32>, States)> {
        let count = self.layers();
        if last > count {
            return Err(Error::Setting(format!("there is no layer {last}: the encoder has {count}")));
        }
        match &self.0 {
            Form::Packed(encoder) => encoder.run(log_mel, last, keep),
            Form::Device(encoder) => encoder.run(log_mel, last, keep),
        }
    }
}

/// An encoder of layers made for the processor.
struct PackedEncoder {
    conv1: Conv1d,
    conv2: Conv1d,
    /// `[source_positions, dim]`.
    embed_positions: Vec<f32>,
    layers: Vec<Layer>,
    layer_norm: LayerNorm,
    dim: usize,
}

struct Layer {
    self_attn_layer_norm: LayerNorm,
    qkv_proj: Linear,
    out_proj: Linear,
    heads: usize,
    precision: Precision,
    final_layer_norm: LayerNorm,
    fc1: Linear,
    fc2: Linear,
}

impl PackedEncoder {
    fn load(loader: &Loader, config: &Config) -> Result<Self> {
        let dim = config.dim;
        let conv = |name: &str, channels: usize, stride: usize| -> Result<Conv1d> {
            let weight = loader.values(&format!("model.encoder.{name}.weight"), &[dim, channels, 3])?;
            let bias = loader.values(&format!("model.encoder.{name}.bias"), &[dim])?;
            Ok(Conv1d::new(&weight, Some(bias), channels, 3, stride, 1, Precision::F32))
        };
        let positions = [config.source_positions, dim];
        let embed_positions = loader.values("model.encoder.embed_positions.weight", &positions)?;
        Ok(Self {
            conv1: conv("conv1", config.mels, 1)?,
            conv2: conv("conv2", dim, 2)?,
            embed_positions,
            layers: (0..config.encoder_layers)
                .map(|i| Layer::load(loader, config, i))
                .collect::<Result<_>>()?,
            layer_norm: loader.norm("model.encoder.layer_norm", dim, EPS)?,
            dim,
        })
    }

    fn run(&self, log_mel: &Tensor, last: usize, keep: &[usize]) -> Result<(Vec<f32>, States)> {
        let log_mel = log_mel.contiguous()?.flatten_all()?.to_vec1()?;
        let mut x = self.conv2.padded_gelu(&self.conv1.padded_gelu(&log_mel));
        add_into(&self.embed_positions[..x.len()], &mut x);
        let mut scratch = Scratch::default();
        let mut kept = States::new();
        for (number, layer) in self.layers[..last].iter().enumerate() {
            if keep.contains(&number) {
                kept.insert(number, x.clone());
            }
            layer.forward(&mut x, &mut scratch);
        }
        if last == self.layers.len() {
            self.layer_norm.in_place_parallel(&mut x);
        }
        Ok((x, kept))
    }
}

/// Room for what is between the parts of a layer.
#[derive(Default)]
struct Scratch {
    /// `[frames, 3 * dim]`.
    qkv: Vec<f32>,
    /// `[frames, dim]`.
    mixed: Vec<f32>,
    /// `[504, hidden]` at most.
    hidden: Vec<f32>,
}

impl Layer {
    fn load(loader: &Loader, config: &Config, index: usize) -> Result<Self> {
        let name = |part: &str| format!("model.encoder.layers.{index}.{part}");
        let (dim, hidden) = (config.dim, config.encoder_hidden);
        let qkv = ["q", "k", "v"].map(|part| name(&format!("self_attn.{part}_proj")));
        // What the first layer's attention loses in eight bits, no later layer makes good: of base in int8 it is most of all
        // that is lost.
        let of_attention = match loader.precision() {
            Precision::Int8 if index == 0 => Precision::Bf16,
            precision => precision,
        };
        Ok(Self {
            self_attn_layer_norm: loader.norm(&name("self_attn_layer_norm"), dim, EPS)?,
            qkv_proj: loader.linear_in(of_attention, &qkv, dim, dim)?,
            out_proj: loader.linear_in(of_attention, &[name("self_attn.out_proj")], dim, dim)?,
            heads: config.encoder_heads,
            precision: loader.precision(),
            final_layer_norm: loader.norm(&name("final_layer_norm"), dim, EPS)?,
            fc1: loader.linear(&[name("fc1")], dim, hidden)?,
            fc2: loader.linear(&[name("fc2")], hidden, dim)?,
        })
    }

    fn forward(&self, x: &mut [f32], Scratch { qkv, mixed, hidden }: &mut Scratch) {
        let rows = x.len() / self.fc1.inputs();
        qkv.resize(3 * x.len(), 0.0);
        mixed.resize(x.len(), 0.0);
        self.qkv_proj.forward_normed_into(&self.self_attn_layer_norm, x, qkv);
        self_attention_into(qkv, self.heads, &[rows], self.precision, None, mixed);
        self.out_proj.forward_add_into(mixed, x);
        let block = rows.div_ceil(rows.div_ceil(FEED_FORWARD_ROWS).max(1)).max(1);
        for x in x.chunks_mut(block * self.fc1.inputs()) {
            hidden.resize(x.len() / self.fc1.inputs() * self.fc1.outputs(), 0.0);
            self.fc1.forward_normed_gelu_into(&self.final_layer_norm, x, hidden);
            self.fc2.forward_add_into(hidden, x);
        }
    }
}
