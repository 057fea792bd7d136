//! Frames to the head's values. Each layer hears some frames before and fewer after its own; as a stream it keeps those that it
//! still needs, so that what comes out is what the whole would give.

use candle_core::{Result as CandleResult, Tensor};
use serde::{Deserialize, Serialize};

use super::{BINS, MEL};
use crate::Result;
use crate::models::trainable::{Depthwise, Init, LayerNorm, Linear, Params, Reach, Within, gelu};

/// Frames that the first layer hears before and after its own.
const EMBED: Field = Field { before: 3, after: 3 };
/// The same of a block: fewer after, since each of them makes the stream later.
const BLOCK: Field = Field { before: 5, after: 1 };
const EPS: f64 = 1e-6;

/// What a network is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shape {
    /// Values of a frame within.
    pub width: usize,
    /// The same within a block.
    pub hidden: usize,
    /// Blocks.
    pub blocks: usize,
}

impl Shape {
    /// Values of a frame that goes in: bands, whether there is a voice, and its pitch.
    pub const INPUTS: usize = MEL.mels + 2;
    /// Values of a frame that comes out: for each bin the logarithm of what harmonics are multiplied by, their phase, and the logarithm
    /// of what noise is multiplied by.
    pub const OUTPUTS: usize = 3 * BINS;

    /// Frames that are taken before the first comes out, less one.
    pub fn look_ahead(self) -> usize {
        EMBED.after + self.blocks * BLOCK.after
    }
}

#[derive(Clone, Copy)]
struct Field {
    before: usize,
    after: usize,
}

impl Field {
    fn kernel(self) -> usize {
        self.before + 1 + self.after
    }
}

/// The network.
pub struct SpectralNetwork {
    /// What it is made of.
    pub shape: Shape,
    embed: Linear,
    first: LayerNorm,
    blocks: Vec<Block>,
    last: LayerNorm,
    head: Linear,
}

struct Block {
    depthwise: Depthwise,
    norm: LayerNorm,
    wide: Linear,
    narrow: Linear,
}

/// Frames that each layer has kept.
pub(super) struct State(Vec<Option<Tensor>>);

/// Whether frames are still to come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Piece {
    Middle,
    Last,
}

impl SpectralNetwork {
    /// A network of `shape` with the tensors of `params`.
    ///
    /// # Errors
    /// Those of [`Params::tensor`].
    pub fn new(params: &dyn Params, shape: Shape) -> Result<Self> {
        let block = |at: usize| {
            let params = Within::new(params, format!("blocks.{at}"));
            // Blocks begin by changing little.
            let little = Init::Uniform(0.3 / (shape.hidden.max(1) as f32).sqrt());
            Ok(Block {
                depthwise: Depthwise::new(&params, "depthwise", shape.width, BLOCK.kernel(), Reach::Both)?,
                norm: LayerNorm::new(&params, "norm", shape.width, EPS)?,
                wide: Linear::new(&params, "wide", shape.width, shape.hidden)?,
                narrow: Linear::with_init(&params, "narrow", shape.hidden, shape.width, little)?,
            })
        };
        Ok(Self {
            embed: Linear::new(params, "embed", EMBED.kernel() * Shape::INPUTS, shape.width)?,
            first: LayerNorm::new(params, "first", shape.width, EPS)?,
            blocks: (0..shape.blocks).map(block).collect::<Result<_>>()?,
            last: LayerNorm::new(params, "last", shape.width, EPS)?,
            // The sound begins as the source with the envelope of the bands.
            head: Linear::with_init(params, "head", shape.width, Shape::OUTPUTS, Init::Uniform(0.01))?,
            shape,
        })
    }

    /// The head's values, `[batch, time, 3 bins]`, for `x`, `[batch, time, bands + 2]`, with zeros around the frames of each
    /// layer.
    ///
    /// # Errors
    /// Those of candle.
    pub fn forward(&self, x: &Tensor) -> CandleResult<Tensor> {
        let padded = |x: &Tensor, field: Field| x.pad_with_zeros(1, field.before, field.after);
        let mut x = self.embedded(&padded(x, EMBED)?)?;
        for block in &self.blocks {
            x = block.within(&padded(&x, BLOCK)?)?;
        }
        self.out(&x)
    }

    /// Before the first frame.
    pub(super) fn state(&self) -> State {
        State(vec![None; 1 + self.blocks.len()])
    }

    /// The head's values, `[1, some time, 3 bins]`, that are whole after `x`, `[1, time, bands + 2]`.
    pub(super) fn pass(
        &self,
        state: &mut State,
        x: Option<Tensor>,
        piece: Piece,
    ) -> CandleResult<Option<Tensor>> {
        let (embed, blocks) = match state.0.split_first_mut() {
            Some(parts) => parts,
            None => return Ok(None),
        };
        let mut x = match joined(embed, x, EMBED, piece)? {
            Some(padded) => Some(self.embedded(&padded)?),
            None => None,
        };
        for (block, kept) in self.blocks.iter().zip(blocks) {
            x = match joined(kept, x, BLOCK, piece)? {
                Some(padded) => Some(block.within(&padded)?),
                None => None,
            };
        }
        x.map(|x| self.out(&x)).transpose()
    }

    /// Frames beside one another are a frame of the first layer: a convolution as one product.
    fn embedded(&self, padded: &Tensor) -> CandleResult<Tensor> {
        let time = padded.dim(1)? + 1 - EMBED.kernel();
        let shifted =
            (0..EMBED.kernel()).map(|at| padded.narrow(1, at, time)).collect::<CandleResult<Vec<_>>>()?;
        self.first.forward(&self.embed.forward(&Tensor::cat(&shifted, 2)?)?)
    }

    fn out(&self, x: &Tensor) -> CandleResult<Tensor> {
        self.head.forward(&self.last.forward(x)?)
    }
}

impl Block {
    /// The frames of `padded` that have all that they hear around them.
    fn within(&self, padded: &Tensor) -> CandleResult<Tensor> {
        let time = padded.dim(1)? + 1 - BLOCK.kernel();
        let x = self.norm.forward(&self.depthwise.within(padded)?)?;
        let x = self.narrow.forward(&gelu(&self.wide.forward(&x)?)?)?;
        padded.narrow(1, BLOCK.before, time)? + x
    }
}

/// What a layer has kept and what comes, with zeros at the start and at the end; none where that is too little for a frame.
fn joined(
    kept: &mut Option<Tensor>,
    x: Option<Tensor>,
    field: Field,
    piece: Piece,
) -> CandleResult<Option<Tensor>> {
    let zeros =
        |like: &Tensor, count: usize| Tensor::zeros((1, count, like.dim(2)?), like.dtype(), like.device());
    let mut parts = Vec::new();
    match (kept.take(), x) {
        (None, None) => return Ok(None),
        (None, Some(x)) => {
            parts.push(zeros(&x, field.before)?);
            parts.push(x);
        }
        (Some(kept), x) => {
            parts.push(kept);
            parts.extend(x);
        }
    }
    if piece == Piece::Last && field.after > 0 {
        parts.push(zeros(&parts[0], field.after)?);
    }
    let whole = Tensor::cat(&parts, 1)?;
    let long = whole.dim(1)?;
    let needed = (field.kernel() - 1).min(long);
    *kept = Some(whole.narrow(1, long - needed, needed)?.contiguous()?);
    Ok((long >= field.kernel()).then_some(whole))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::learn::train::Vars;
    use candle_core::Device;

    #[test]
    fn a_stream_gives_what_the_whole_gives_and_is_as_late_as_it_says() {
        let shape = Shape { width: 8, hidden: 16, blocks: 3 };
        let network = SpectralNetwork::new(&Vars::new(5, &Device::Cpu), shape).unwrap();
        for (frames, size) in [(1, 1), (4, 2), (40, 1), (40, 7), (40, 40)] {
            let x = Tensor::randn(0f32, 1.0, (1, frames, Shape::INPUTS), &Device::Cpu).unwrap();
            let whole = network.forward(&x).unwrap();
            let (mut state, mut parts) = (network.state(), Vec::new());
            let mut done = 0;
            for start in (0..frames).step_by(size) {
                let count = size.min(frames - start);
                let part = x.narrow(1, start, count).unwrap();
                parts.extend(network.pass(&mut state, Some(part), Piece::Middle).unwrap());
                done += count;
                let given: usize = parts.iter().map(|part: &Tensor| part.dim(1).unwrap()).sum();
                assert_eq!(given, done.saturating_sub(shape.look_ahead()));
            }
            parts.extend(network.pass(&mut state, None, Piece::Last).unwrap());
            let streamed = Tensor::cat(&parts, 1).unwrap();
            let far = (streamed - whole).unwrap().abs().unwrap().max_all().unwrap();
            assert!(far.to_scalar::<f32>().unwrap() < 1e-5, "{frames} frames by {size}");
        }
    }
}
