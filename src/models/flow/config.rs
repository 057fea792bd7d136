//! What a decoder is made of.

use crate::models::trainable::Stored;
use crate::weights::Checkpoint;
use crate::{Error, Result};

/// What a decoder is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Values of a frame within.
    pub width: usize,
    /// Blocks.
    pub depth: usize,
    /// Heads of attention.
    pub heads: usize,
    /// Values of a head.
    pub head_width: usize,
    /// By how much a block is wider within.
    pub widening: usize,
    /// Mel bands.
    pub mels: usize,
    /// Different units, the filler not counted.
    pub units: usize,
    /// Values of a unit.
    pub unit_width: usize,
    /// Convolutional blocks over units.
    pub unit_blocks: usize,
    /// Which heads know positions.
    pub rotary: Rotary,
    /// What becomes of places without a unit.
    pub filler: Filler,
    /// Values of a speaker's vector; 0 where there is none.
    pub speaker: usize,
}

/// Which heads are turned by rotary positions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rotary {
    /// The first alone (`pe_attn_head: 1`).
    First,
    /// All.
    All,
}

/// What becomes of places without a unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Filler {
    /// They are like a unit of its own (`text_mask_padding: false`).
    Kept,
    /// They are zeros before and after each convolutional block.
    Masked,
}

impl Config {
    /// EZ-VC's, for so many different units: about 300 million parameters.
    pub fn ez_vc(units: usize) -> Self {
        Self {
            width: 1024,
            depth: 22,
            heads: 16,
            head_width: 64,
            widening: 2,
            mels: 80,
            units,
            unit_width: 512,
            unit_blocks: 4,
            rotary: Rotary::First,
            filler: Filler::Kept,
            speaker: 0,
        }
    }

    /// The sizes of the network in `checkpoint`, by its tensors. Which heads know positions and what becomes of fillers, no
    /// tensor tells.
    ///
    /// # Errors
    /// [`Error::Tensor`] or [`Error::Model`] where its tensors are not those of such a network.
    pub fn of(checkpoint: &Checkpoint, rotary: Rotary, filler: Filler) -> Result<Self> {
        let stored = Stored::beside(checkpoint, "input_embed.proj.bias", &candle_core::Device::Cpu)?;
        let axis = |name: &str, axis: usize| {
            let found =
                stored.shape(name).and_then(|shape| shape.get(axis).copied()).filter(|&size| size > 0);
            found.ok_or_else(|| Error::Tensor {
                path: checkpoint.path().to_path_buf(),
                tensor: name.into(),
                reason: "missing or misshapen".into(),
            })
        };
        let count = |name: &dyn Fn(usize) -> String| {
            (0..).take_while(|&index| stored.shape(&name(index)).is_some()).count()
        };
        let width = axis("input_embed.proj.bias", 0)?;
        let head_width = match stored.shape("rotary_embed.inv_freq").as_deref() {
            Some(&[half]) if half > 0 => 2 * half,
            _ => 64,
        };
        if !width.is_multiple_of(head_width) {
            let reason = format!("has {width} values in a frame, which are no heads of {head_width}");
            return Err(Error::model(checkpoint.path().display().to_string(), reason));
        }
        let table = axis("text_embed.text_embed.weight", 0)?;
        Ok(Self {
            width,
            depth: count(&|index| format!("transformer_blocks.{index}.attn_norm.linear.bias")),
            heads: width / head_width,
            head_width,
            widening: (axis("transformer_blocks.0.ff.ff.0.0.bias", 0)? / width).max(1),
            mels: axis("proj_out.bias", 0)?,
            units: table - 1,
            unit_width: axis("text_embed.text_embed.weight", 1)?,
            unit_blocks: count(&|index| format!("text_embed.text_blocks.{index}.dwconv.bias")),
            rotary,
            filler,
            speaker: stored
                .shape("speaker_embed.weight")
                .and_then(|shape| shape.get(1).copied())
                .unwrap_or(0),
        })
    }
}
