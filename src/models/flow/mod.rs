//! Units to log-mel frames by flow matching: the diffusion transformer of F5-TTS (Chen et al., 2024) as EZ-VC (Advait et al.,
//! 2025) uses it, on candle tensors, so that it also learns.
//!
//! [`FlowDecoder`] tells where noise flows to (`SWivid/F5-TTS`, `model/backbones/dit.py` and `model/modules.py`, whose names
//! its tensors have); [`sample`] follows it in Euler's steps (`model/cfm.py`). What is peculiar and kept: rotary positions turn
//! the first head alone where [`Rotary::First`] says so, units have positions of their own from a fixed table, they are not
//! aligned with frames but stand at the front, and the last norm has its scale before its shift.
//!
//! Our own networks may be told a speaker's vector beside the prompt, and units frame by frame, so that timing is kept.

mod block;
mod config;
mod network;
mod sampler;
mod units;

pub use config::{Config, Filler, Rotary};
pub use network::{Condition, FlowDecoder, Hint};
pub use sampler::{Options, noise, sample, steps};
