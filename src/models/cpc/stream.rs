//! Frames of sound as it comes.

use super::Cpc;
use super::convolutions::ConvState;
use crate::Result;
use crate::compute::LstmState;

/// Samples that are worked on at once at most, half a second: what a large block needs stays in the processor's cache.
const PIECE: usize = 8000;

/// A stream's sound on its way through a network.
///
/// A frame comes as soon as all is there that it hears, [`Cpc::LOOK_AHEAD`] samples after its hop. What comes is,
/// up to rounding, what [`Cpc::encode`] gives for the whole, however the sound is cut into blocks. Nothing is computed
/// twice, and once the largest block was heard nothing is allocated.
#[derive(Debug, Clone)]
pub struct CpcStream {
    convolutions: Vec<ConvState>,
    lstm: Vec<LstmState>,
    /// Frames that were made last, of `z` and of each layer of the LSTM.
    states: Vec<Vec<f32>>,
    /// What goes into a convolution, and what comes out; the gates of an LSTM.
    input: Vec<f32>,
    output: Vec<f32>,
    gates: Vec<f32>,
    width: usize,
}

/// Frames that follow on those before, at least one.
#[derive(Debug, Clone, Copy)]
pub struct CpcFrames<'a> {
    states: &'a [Vec<f32>],
    width: usize,
}

impl<'a> CpcFrames<'a> {
    /// How many.
    pub fn count(&self) -> usize {
        self.z().len() / self.width
    }

    /// Outputs of the convolutions, `[count, Cpc::width(0)]`.
    pub fn z(&self) -> &'a [f32] {
        &self.states[0]
    }

    /// Outputs of the LSTM's last layer, `[count, Cpc::width(Cpc::layers())]`.
    pub fn c(&self) -> &'a [f32] {
        &self.states[self.states.len() - 1]
    }

    /// `z` for layer 0, what that layer of the LSTM gives for others, `[count, Cpc::width(layer)]`.
    ///
    /// # Panics
    /// Where there is no such layer.
    pub fn state(&self, layer: usize) -> &'a [f32] {
        &self.states[layer]
    }
}

impl CpcStream {
    /// A stream through `network` before any sound.
    pub fn new(network: &Cpc) -> Self {
        Self {
            convolutions: network.convolutions.iter().map(|layer| layer.state()).collect(),
            lstm: network.lstm.iter().map(|layer| layer.state()).collect(),
            states: vec![Vec::new(); network.layers() + 1],
            input: Vec::new(),
            output: Vec::new(),
            gates: Vec::new(),
            width: network.width(0),
        }
    }

    /// Takes samples at 16 kHz, and calls `take` with the frames that they complete, once a piece of the sound.
    ///
    /// # Errors
    /// Those of `take`.
    pub fn push(
        &mut self,
        network: &Cpc,
        samples: &[f32],
        mut take: impl FnMut(CpcFrames) -> Result<()>,
    ) -> Result<()> {
        for piece in samples.chunks(PIECE) {
            self.begin(piece);
            for (layer, state) in network.convolutions.iter().zip(&mut self.convolutions) {
                layer.push(&self.input, state, &mut self.output);
                std::mem::swap(&mut self.input, &mut self.output);
            }
            self.give(network, &mut take)?;
        }
        Ok(())
    }

    /// Ends the sound, and calls `take` with its last frames, if there are any. The stream is as new.
    ///
    /// # Errors
    /// Those of `take`.
    pub fn flush(&mut self, network: &Cpc, mut take: impl FnMut(CpcFrames) -> Result<()>) -> Result<()> {
        self.begin(&[]);
        for (layer, state) in network.convolutions.iter().zip(&mut self.convolutions) {
            layer.finish(&self.input, state, &mut self.output);
            std::mem::swap(&mut self.input, &mut self.output);
        }
        let given = self.give(network, &mut take);
        *self = Self::new(network);
        given
    }

    fn begin(&mut self, samples: &[f32]) {
        self.input.clear();
        self.input.extend_from_slice(samples);
    }

    /// Takes what left the last convolution through the LSTM.
    fn give(&mut self, network: &Cpc, take: &mut impl FnMut(CpcFrames) -> Result<()>) -> Result<()> {
        if self.input.is_empty() {
            return Ok(());
        }
        std::mem::swap(&mut self.input, &mut self.states[0]);
        for (index, (layer, state)) in network.lstm.iter().zip(&mut self.lstm).enumerate() {
            let (before, after) = self.states.split_at_mut(index + 1);
            layer.forward_into(&before[index], state, &mut self.gates, &mut after[0]);
        }
        take(CpcFrames { states: &self.states, width: self.width })
    }
}
