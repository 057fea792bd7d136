//! Where noise flows to.

use candle_core::{Device, Result as CandleResult, Tensor};

use super::block::{Angles, Block, modulated};
use super::config::{Config, Filler, Rotary};
use super::units::{Told, UnitEmbedding};
use crate::models::trainable::{Conv1d, Init, Linear, Params, Stored, Within, mish};
use crate::weights::Checkpoint;
use crate::{Error, Result};

/// The kernel and groups of the convolutions that tell positions.
const KERNEL: usize = 31;
const GROUPS: usize = 16;
/// Values of a time before its layers, and what it is multiplied by.
const TIME_WIDTH: usize = 256;
const TIME_SCALE: f64 = 1000.0;

/// The network.
pub struct FlowDecoder {
    /// What it is made of.
    pub config: Config,
    units: UnitEmbedding,
    input: Linear,
    positions: [Conv1d; 2],
    time: [Linear; 2],
    speaker: Option<Linear>,
    blocks: Vec<Block>,
    modulation: Linear,
    out: Linear,
}

/// What a decoder is told, each of `[batch, ...]`.
#[derive(Debug, Clone)]
pub struct Condition {
    /// Frames that are known, `[batch, time, mels]`; zeros where they are to be found.
    pub known: Tensor,
    /// Units, counted from 1, `[batch, time]` of u32; 0 where there is none.
    pub units: Tensor,
    /// Vectors of speakers, `[batch, speaker]`, where the decoder knows them.
    pub speaker: Option<Tensor>,
}

/// Which part of a condition is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hint {
    /// All of it.
    All,
    /// Units and speaker, and no frame.
    WithoutFrames,
    /// None.
    Nothing,
}

impl Condition {
    /// The condition of one sound: `prompt`, frames that are known, `[prompt frames, mels]`, then frames to be found, `time`
    /// in all, and units as they stand, from the front. Units beyond the last frame are left out.
    ///
    /// # Errors
    /// [`Error::Setting`] where there are more frames in the prompt than in all.
    pub fn of_one(prompt: &[f32], mels: usize, units: &[u32], time: usize, device: &Device) -> Result<Self> {
        let mut known = prompt.to_vec();
        if known.len() > time * mels {
            return Err(Error::Setting(format!(
                "a prompt of {} frames leaves none to be found",
                known.len() / mels
            )));
        }
        known.resize(time * mels, 0.0);
        let mut ids: Vec<u32> = units.iter().take(time).map(|unit| unit + 1).collect();
        ids.resize(time, 0);
        Ok(Self {
            known: Tensor::from_vec(known, (1, time, mels), device)?,
            units: Tensor::from_vec(ids, (1, time), device)?,
            speaker: None,
        })
    }

    /// The same, and the speaker's vector.
    ///
    /// # Errors
    /// Those of candle.
    #[must_use = "the condition is returned, not changed"]
    pub fn with_speaker(self, speaker: &[f32]) -> Result<Self> {
        let vector = Tensor::from_slice(speaker, (1, speaker.len()), self.known.device())?;
        Ok(Self { speaker: Some(vector), ..self })
    }
}

impl FlowDecoder {
    /// A network of `config` with the tensors of `params`.
    ///
    /// # Errors
    /// Those of [`Params::tensor`].
    pub fn new(params: &dyn Params, config: Config) -> Result<Self> {
        let (width, mels) = (config.width, config.mels);
        let positions = Within::new(params, "input_embed.conv_pos_embed.conv1d");
        let position = |name: &str| Conv1d::new(&positions, name, (width, width), KERNEL, GROUPS);
        let time = Within::new(params, "time_embed.time_mlp");
        let block = |index| Block::new(&Within::new(params, format!("transformer_blocks.{index}")), &config);
        let speaker = match config.speaker {
            0 => None,
            values => Some(Linear::without_bias(params, "speaker_embed", values, width)?),
        };
        Ok(Self {
            units: UnitEmbedding::new(params, &config)?,
            input: Linear::new(params, "input_embed.proj", 2 * mels + config.unit_width, width)?,
            positions: [position("0")?, position("2")?],
            time: [Linear::new(&time, "0", TIME_WIDTH, width)?, Linear::new(&time, "2", width, width)?],
            speaker,
            blocks: (0..config.depth).map(block).collect::<Result<_>>()?,
            modulation: Linear::with_init(params, "norm_out.linear", width, 2 * width, Init::Zeros)?,
            out: Linear::with_init(params, "proj_out", width, mels, Init::Zeros)?,
            config,
        })
    }

    /// Reads the network of F5-TTS, EZ-VC or one that was trained here from `checkpoint`, to be computed on `device`.
    ///
    /// # Errors
    /// Those of [`Config::of`]; one that names the first tensor that is missing or misshapen.
    pub fn load(checkpoint: &Checkpoint, rotary: Rotary, filler: Filler, device: &Device) -> Result<Self> {
        let config = Config::of(checkpoint, rotary, filler)?;
        Self::new(&Stored::beside(checkpoint, "input_embed.proj.bias", device)?, config)
    }

    /// The velocity of `x`, `[batch, time, mels]`, at `time`, `[batch]` from 0 (noise) to 1 (frames).
    ///
    /// # Errors
    /// Those of candle, where shapes do not fit.
    pub fn velocity(
        &self,
        x: &Tensor,
        time: &Tensor,
        condition: &Condition,
        hint: Hint,
    ) -> CandleResult<Tensor> {
        let units = self.embed_units(condition, hint)?;
        self.velocity_with(x, time, condition, &units, hint)
    }

    /// Vectors of the units, which are the same at all times.
    pub(super) fn embed_units(&self, condition: &Condition, hint: Hint) -> CandleResult<Tensor> {
        let told = if hint == Hint::Nothing { Told::Nothing } else { Told::Units };
        self.units.forward(&condition.units, told)
    }

    pub(super) fn velocity_with(
        &self,
        x: &Tensor,
        time: &Tensor,
        condition: &Condition,
        units: &Tensor,
        hint: Hint,
    ) -> CandleResult<Tensor> {
        let known = match hint {
            Hint::All => condition.known.clone(),
            Hint::WithoutFrames | Hint::Nothing => condition.known.zeros_like()?,
        };
        let x = self.input.forward(&Tensor::cat(&[x, &known, units], 2)?)?;
        let mut positions = x.clone();
        for conv in &self.positions {
            positions = mish(&conv.forward(&positions)?)?;
        }
        let mut x = (x + positions)?;
        let time = self.embed_time(time, condition, hint)?;
        let angles = Angles::new(x.dim(1)?, self.config.head_width, x.device())?;
        for block in &self.blocks {
            x = block.forward(&x, &time, &angles)?;
        }
        let told = self.modulation.forward(&time.silu()?)?.unsqueeze(1)?;
        let width = self.config.width;
        let (scale, shift) = (told.narrow(2, 0, width)?, told.narrow(2, width, width)?);
        self.out.forward(&modulated(&x, &shift, &scale)?)
    }

    fn embed_time(&self, time: &Tensor, condition: &Condition, hint: Hint) -> CandleResult<Tensor> {
        let half = TIME_WIDTH / 2;
        let step = 10_000f64.ln() / (half - 1) as f64;
        let rates: Vec<f32> = (0..half).map(|at| (TIME_SCALE * (-step * at as f64).exp()) as f32).collect();
        let rates = Tensor::from_vec(rates, (1, half), time.device())?;
        let angles = time.unsqueeze(1)?.broadcast_mul(&rates)?;
        let waves = Tensor::cat(&[angles.sin()?, angles.cos()?], 1)?;
        let time = self.time[1].forward(&self.time[0].forward(&waves)?.silu()?)?;
        match (&self.speaker, &condition.speaker) {
            (Some(layer), Some(speaker)) if hint != Hint::Nothing => time + layer.forward(speaker)?,
            _ => Ok(time),
        }
    }
}
