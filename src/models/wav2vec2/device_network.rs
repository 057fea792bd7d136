//! The network by candle's operations, on any of its devices.

use std::ops::RangeInclusive;

use candle_core::{DType, Device, Tensor};

use super::attention::PositionBias;
use super::config::{Config, ConvNorm, Family};
use super::{features, positions};
use crate::Result;
use crate::compute::CandleTarget;
use crate::models::device::{
    DeviceConv, DeviceLinear, DeviceLoader, DeviceNorm, Shift, attend, key_mask, standardised,
};
use crate::models::loader::Loader;

/// What [`Packed`](super::Packed) is on the processor. Sounds are encoded together, padded to the longest of them; what is
/// padded is not heard.
pub(super) struct DeviceNetwork {
    target: CandleTarget,
    convolutions: Vec<ConvLayer>,
    projection_norm: Option<DeviceNorm>,
    projection: DeviceLinear,
    positions: Vec<PositionLayer>,
    position_bias: Option<PositionBias>,
    layer_norm: DeviceNorm,
    layers: Vec<Layer>,
    heads: usize,
    pre_norm: bool,
}

/// A convolution of the front end with its norm.
struct ConvLayer {
    conv: DeviceConv,
    norm: ConvNormed,
}

enum ConvNormed {
    None,
    /// Of each channel over time: scale and shift, `[channels, 1]`, in f32.
    Channels(Tensor, Tensor),
    /// Of each frame over its channels.
    Frames(DeviceNorm),
}

/// A convolution that tells positions.
struct PositionLayer {
    conv: DeviceConv,
    /// data2vec's, which scales and shifts nothing.
    norm: Option<DeviceNorm>,
}

struct Layer {
    qkv_proj: DeviceLinear,
    out_proj: DeviceLinear,
    gate: Option<Gate>,
    layer_norm: DeviceNorm,
    intermediate_dense: DeviceLinear,
    output_dense: DeviceLinear,
    final_layer_norm: DeviceNorm,
    adapter: Option<(DeviceNorm, DeviceLinear, DeviceLinear)>,
}

/// How much of the position bias a frame takes (WavLM).
struct Gate {
    linear: DeviceLinear,
    /// `[heads]`, in f32.
    scale: Tensor,
}

impl DeviceNetwork {
    pub fn load(loader: &Loader, config: &Config, target: &CandleTarget) -> Result<Self> {
        let loader = DeviceLoader { loader, target };
        let (dim, eps) = (config.hidden_size, config.layer_norm_eps);
        let channels = config.conv_dim[config.conv_dim.len() - 1];
        let projection_norm = match config.feat_proj_layer_norm {
            true => Some(loader.norm("feature_projection.layer_norm", channels, eps)?),
            false => None,
        };
        let convolutions = (0..config.conv_dim.len()).map(|index| ConvLayer::load(&loader, config, index));
        let layers = (0..config.num_hidden_layers).map(|index| Layer::load(&loader, config, index));
        Ok(Self {
            convolutions: convolutions.collect::<Result<_>>()?,
            projection_norm,
            projection: loader.linear(&["feature_projection.projection".into()], channels, dim)?,
            positions: position_layers(&loader, config)?,
            position_bias: PositionBias::load(loader.loader, config)?,
            layer_norm: loader.norm("encoder.layer_norm", dim, eps)?,
            layers: layers.collect::<Result<_>>()?,
            heads: config.num_attention_heads,
            pre_norm: config.do_stable_layer_norm,
            target: target.clone(),
        })
    }

    /// The hidden states whose numbers are `wanted`, of each of `sounds`, `[frames, hidden_size]` on the processor in f32.
    pub fn states(&self, sounds: &[&[f32]], wanted: RangeInclusive<usize>) -> Result<Vec<Vec<Tensor>>> {
        let features = sounds.iter().map(|sound| self.features(sound)).collect::<Result<Vec<_>>>()?;
        let lengths = features.iter().map(|features| Ok(features.dim(0)?)).collect::<Result<Vec<usize>>>()?;
        let longest = lengths.iter().copied().max().unwrap_or(0);
        let padded = features.iter().map(|x| Ok(x.pad_with_zeros(0, 0, longest - x.dim(0)?)?));
        let mut x = Tensor::stack(&padded.collect::<Result<Vec<_>>>()?, 0)?;
        if let Some(norm) = &self.projection_norm {
            x = norm.forward(&x)?;
        }
        let mask = key_mask(&lengths, &self.target.device)?;
        let heard = mask.as_ref().map(|mask| self.heard(mask)).transpose()?;
        let quiet = |x: Tensor| -> Result<Tensor> {
            Ok(match &heard {
                Some(heard) => x.broadcast_mul(heard)?,
                None => x,
            })
        };
        x = quiet(self.projection.forward(&x)?)?;
        let mut positions = x.clone();
        for layer in &self.positions {
            positions = quiet(layer.forward(&positions)?)?;
        }
        x = (x + positions)?;
        if !self.pre_norm {
            x = self.layer_norm.forward(&x)?;
        }
        let bias = self.position_bias.as_ref().map(|bias| self.bias(bias, longest)).transpose()?;
        let mut states = Vec::new();
        for (number, layer) in self.layers.iter().enumerate().take(*wanted.end()) {
            if wanted.contains(&number) {
                states.push(parts(&x, &lengths)?);
            }
            x = layer.forward(&x, self.heads, self.pre_norm, mask.as_ref(), bias.as_ref())?;
        }
        if *wanted.end() == self.layers.len() && self.pre_norm {
            x = self.layer_norm.forward(&x)?;
        }
        states.push(parts(&x, &lengths)?);
        Ok(states)
    }

    /// What the convolutions make of a sound, `[frames, channels]`.
    fn features(&self, sound: &[f32]) -> Result<Tensor> {
        let x = Tensor::from_slice(sound, (1, 1, sound.len()), &self.target.device)?;
        let mut x = x.to_dtype(self.target.dtype)?;
        for layer in &self.convolutions {
            x = layer.forward(&x)?;
        }
        Ok(x.squeeze(0)?.t()?.contiguous()?)
    }

    /// 1 where a sound is, 0 after it, `[sounds, frames, 1]`, of the mask of keys.
    fn heard(&self, mask: &Tensor) -> Result<Tensor> {
        let (sounds, _, _, frames) = mask.dims4()?;
        Ok(mask.exp()?.reshape((sounds, frames, 1))?.to_dtype(self.target.dtype)?)
    }

    /// The bias of each head, query and key, `[1, heads, frames, frames]`.
    fn bias(&self, bias: &PositionBias, frames: usize) -> Result<Tensor> {
        let table = bias.table(frames);
        let heads = table.chunks_exact(2 * frames - 1);
        let rows =
            heads.flat_map(|row| (0..frames).flat_map(move |query| &row[frames - 1 - query..][..frames]));
        let values: Vec<f32> = rows.copied().collect();
        Ok(Tensor::from_vec(values, (1, self.heads, frames, frames), &self.target.device)?)
    }
}

/// The rows of `x`, `[sounds, longest, width]`, that belong to each sound.
fn parts(x: &Tensor, lengths: &[usize]) -> Result<Vec<Tensor>> {
    let x = x.to_dtype(DType::F32)?.to_device(&Device::Cpu)?;
    let part = |(sound, &length): (usize, &usize)| Ok(x.get(sound)?.narrow(0, 0, length)?.contiguous()?);
    lengths.iter().enumerate().map(part).collect()
}

impl ConvLayer {
    fn load(loader: &DeviceLoader, config: &Config, index: usize) -> Result<Self> {
        let name = |part: &str| format!("feature_extractor.conv_layers.{index}.{part}");
        let (outputs, kernel) = (config.conv_dim[index], config.conv_kernel[index]);
        let channels = if index == 0 { 1 } else { config.conv_dim[index - 1] };
        let shape = [outputs, channels, kernel];
        let weight = loader.loader.values(&name("conv.weight"), &shape)?;
        let bias = match config.conv_bias {
            true => Some(loader.loader.values(&name("conv.bias"), &[outputs])?),
            false => None,
        };
        let shift = Shift { stride: config.conv_stride[index], padding: 0, groups: 1 };
        let norm = match config.feat_extract_norm {
            ConvNorm::Layer => {
                ConvNormed::Frames(loader.norm(&name("layer_norm"), outputs, features::EPS)?)
            }
            ConvNorm::Group if index == 0 => {
                let column = |part: &str| -> Result<Tensor> {
                    let values = loader.loader.values(&name(part), &[outputs])?;
                    Ok(Tensor::from_vec(values, (outputs, 1), &loader.target.device)?)
                };
                ConvNormed::Channels(column("layer_norm.weight")?, column("layer_norm.bias")?)
            }
            ConvNorm::Group => ConvNormed::None,
        };
        Ok(Self { conv: loader.conv(weight, &shape, bias, shift)?, norm })
    }

    /// `[1, channels, time]` to the same of the next layer.
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let x = self.conv.forward(x)?;
        let x = match &self.norm {
            ConvNormed::None => x,
            ConvNormed::Channels(weight, bias) => {
                let normed = standardised(&x.to_dtype(DType::F32)?, f64::from(features::EPS))?;
                normed.broadcast_mul(weight)?.broadcast_add(bias)?.to_dtype(x.dtype())?
            }
            ConvNormed::Frames(norm) => {
                norm.forward(&x.transpose(1, 2)?.contiguous()?)?.transpose(1, 2)?.contiguous()?
            }
        };
        Ok(x.gelu_erf()?)
    }
}

fn position_layers(loader: &DeviceLoader, config: &Config) -> Result<Vec<PositionLayer>> {
    let (dim, groups) = (config.hidden_size, config.num_conv_pos_embedding_groups);
    let layer = |weight: Vec<f32>, name: &str, kernel: usize, norm: Option<DeviceNorm>| -> Result<_> {
        let bias = loader.loader.values(name, &[dim])?;
        let shift = Shift { stride: 1, padding: kernel / 2, groups };
        let conv = loader.conv(weight, &[dim, dim / groups, kernel], Some(bias), shift)?;
        Ok(PositionLayer { conv, norm })
    };
    if config.model_type != Family::Data2vecAudio {
        let kernel = config.num_conv_pos_embeddings;
        let weight = positions::weight(loader.loader, dim, dim / groups, kernel)?;
        return Ok(vec![layer(weight, "encoder.pos_conv_embed.conv.bias", kernel, None)?]);
    }
    let kernel = config.conv_pos_kernel_size;
    let numbered = |index: usize| {
        let name = |part: &str| format!("encoder.pos_conv_embed.layers.{index}.conv.{part}");
        let weight = loader.loader.values(&name("weight"), &[dim, dim / groups, kernel])?;
        layer(weight, &name("bias"), kernel, Some(DeviceNorm::plain(features::EPS)))
    };
    (0..config.num_conv_pos_embeddings).map(numbered).collect()
}

impl PositionLayer {
    /// `[sounds, frames, hidden_size]` to the same.
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let frames = x.dim(1)?;
        // A kernel of even length gives a frame too many.
        let x = self.conv.forward(&x.transpose(1, 2)?.contiguous()?)?.narrow(2, 0, frames)?;
        let x = x.transpose(1, 2)?.contiguous()?;
        let x = match &self.norm {
            Some(norm) => norm.forward(&x)?,
            None => x,
        };
        Ok(x.gelu_erf()?)
    }
}

impl Layer {
    fn load(loader: &DeviceLoader, config: &Config, index: usize) -> Result<Self> {
        let name = |part: &str| format!("encoder.layers.{index}.{part}");
        let (dim, hidden, eps) = (config.hidden_size, config.intermediate_size, config.layer_norm_eps);
        let heads = config.num_attention_heads;
        let qkv = ["q", "k", "v"].map(|part| name(&format!("attention.{part}_proj")));
        let gate = match config.model_type {
            Family::Wavlm => {
                let scale = loader.loader.values(&name("attention.gru_rel_pos_const"), &[1, heads, 1, 1])?;
                Some(Gate {
                    linear: loader.linear(&[name("attention.gru_rel_pos_linear")], dim / heads, 8)?,
                    scale: Tensor::from_vec(scale, heads, &loader.target.device)?,
                })
            }
            _ => None,
        };
        let adapter = match config.adapter_attn_dim {
            Some(width) => Some((
                loader.norm(&name("adapter_layer.norm"), dim, features::EPS)?,
                loader.linear(&[name("adapter_layer.linear_1")], dim, width)?,
                loader.linear(&[name("adapter_layer.linear_2")], width, dim)?,
            )),
            None => None,
        };
        Ok(Self {
            qkv_proj: loader.linear(&qkv, dim, dim)?,
            out_proj: loader.linear(&[name("attention.out_proj")], dim, dim)?,
            gate,
            layer_norm: loader.norm(&name("layer_norm"), dim, eps)?,
            intermediate_dense: loader.linear(&[name("feed_forward.intermediate_dense")], dim, hidden)?,
            output_dense: loader.linear(&[name("feed_forward.output_dense")], hidden, dim)?,
            final_layer_norm: loader.norm(&name("final_layer_norm"), dim, eps)?,
            adapter,
        })
    }

    /// `x`, `[sounds, frames, hidden_size]`, after the layer.
    fn forward(
        &self,
        x: &Tensor,
        heads: usize,
        pre_norm: bool,
        mask: Option<&Tensor>,
        bias: Option<&Tensor>,
    ) -> Result<Tensor> {
        let before = |norm: &DeviceNorm, x: &Tensor| if pre_norm { norm.forward(x) } else { Ok(x.clone()) };
        let after = |norm: &DeviceNorm, x: Tensor| if pre_norm { Ok(x) } else { norm.forward(&x) };
        let heard = before(&self.layer_norm, x)?;
        let bias = match (&self.gate, bias) {
            (Some(gate), Some(bias)) => Some(gate.of(&heard, heads)?.broadcast_mul(bias)?),
            _ => None,
        };
        let mixed = attend(&self.qkv_proj.forward(&heard)?, heads, mask, bias.as_ref())?;
        let x = after(&self.layer_norm, (x + self.out_proj.forward(&mixed)?)?)?;
        let hidden = self.intermediate_dense.forward(&before(&self.final_layer_norm, &x)?)?.gelu_erf()?;
        let mut x = after(&self.final_layer_norm, (&x + self.output_dense.forward(&hidden)?)?)?;
        if let Some((norm, first, second)) = &self.adapter {
            x = (&x + second.forward(&first.forward(&norm.forward(&x)?)?.relu()?)?)?;
        }
        Ok(x)
    }
}

impl Gate {
    /// The gate of each sound, head and frame of `x`, `[sounds, frames, dim]`: `[sounds, heads, frames, 1]`, in f32.
    fn of(&self, x: &Tensor, heads: usize) -> Result<Tensor> {
        let (sounds, frames, dim) = x.dims3()?;
        let rows = self.linear.forward(&x.reshape((sounds, frames, heads, dim / heads))?)?;
        let rows = rows.to_dtype(DType::F32)?;
        let sigmoid = |first: usize| -> Result<Tensor> {
            let sum = rows.narrow(3, first, 4)?.sum(3)?;
            Ok((sum.neg()?.exp()? + 1.0)?.recip()?)
        };
        let (a, b) = (sigmoid(0)?, sigmoid(4)?);
        let gate = ((a * (b.broadcast_mul(&self.scale)? - 1.0)?)? + 2.0)?;
        Ok(gate.transpose(1, 2)?.contiguous()?.unsqueeze(3)?)
    }
}
