//! Layers of candle tensors, which compute on any device and learn: for networks that are trained here.
//!
//! Whatever gives tensors by name is [`Params`]: a [`Checkpoint`](crate::weights::Checkpoint) through [`Stored`], or variables
//! that are learnt. Frames are `[batch, time, channels]`; names of tensors are PyTorch's.

mod file;
mod fused;
mod layers;
mod params;

pub use file::Tensors;
pub use layers::{
    Conv1d, Depthwise, Embedding, LayerNorm, Linear, Lstm, Reach, embedding, gelu, layer_norm, mish, softmax,
};
pub use params::{Init, Params, Stored, Within};
