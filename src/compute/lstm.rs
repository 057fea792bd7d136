//! Long short-term memory, a frame at a time.

use rten_simd::SimdUnaryOp;
use rten_vecmath::{Sigmoid, Tanh};

use super::{Linear, RowMatrix};

/// A layer of an LSTM (Hochreiter and Schmidhuber 1997), as `torch.nn.LSTM` computes it.
pub struct Lstm {
    /// The share of the input in the gates, for all frames at once.
    input: Linear,
    /// The share of the last frame, which is there one frame at a time.
    recurrent: RowMatrix,
}

/// What an [`Lstm`] remembers of the frames before.
#[derive(Debug, Clone)]
pub struct LstmState {
    hidden: Vec<f32>,
    cell: Vec<f32>,
    /// Room for the recurrent share of the gates of one frame.
    share: Vec<f32>,
}

impl Lstm {
    /// A layer with `input` from a frame to the gates, both biases within, and `recurrent` `[4 width, width]` from its last
    /// output to them. The gates are PyTorch's: input, forget, cell, output.
    pub fn new(input: Linear, recurrent: RowMatrix) -> Self {
        assert_eq!(input.outputs(), recurrent.outputs(), "both shares are of the same gates");
        assert_eq!(recurrent.outputs(), 4 * recurrent.inputs(), "there are four gates a value");
        Self { input, recurrent }
    }

    /// Width of a frame that goes in.
    pub fn inputs(&self) -> usize {
        self.input.inputs()
    }

    /// Width of a frame that comes out.
    pub fn width(&self) -> usize {
        self.recurrent.inputs()
    }

    /// The state before the first frame.
    pub fn state(&self) -> LstmState {
        let zeros = vec![0.0; self.width()];
        LstmState { hidden: zeros.clone(), cell: zeros, share: vec![0.0; 4 * self.width()] }
    }

    /// Hears `x`, `[frames, inputs]`, after what `state` remembers, and replaces `out` by `[frames, width]`. Nothing is
    /// allocated once `gates` and `out` have grown to the most frames that are heard at once.
    pub fn forward_into(&self, x: &[f32], state: &mut LstmState, gates: &mut Vec<f32>, out: &mut Vec<f32>) {
        let (frames, width) = (x.len() / self.inputs(), self.width());
        gates.resize(frames * 4 * width, 0.0);
        out.resize(frames * width, 0.0);
        self.input.forward_into(x, gates);
        for (gates, out) in gates.chunks_exact_mut(4 * width).zip(out.chunks_exact_mut(width)) {
            self.recurrent.multiply_into(&state.hidden, &mut state.share);
            super::add_into(&state.share, gates);
            lstm_cell(gates, &mut state.cell, &mut state.hidden);
            out.copy_from_slice(&state.hidden);
        }
    }
}

/// One step of an LSTM cell (PyTorch's order of gates), from the sums before the activations, `[4 width]`.
pub(crate) fn lstm_cell(gates: &mut [f32], cell: &mut [f32], hidden: &mut [f32]) {
    let width = cell.len();
    Sigmoid {}.map_mut(&mut gates[..2 * width]);
    Tanh {}.map_mut(&mut gates[2 * width..3 * width]);
    Sigmoid {}.map_mut(&mut gates[3 * width..]);
    let (input_and_forget, candidate_and_output) = gates.split_at(2 * width);
    let (input, forget) = input_and_forget.split_at(width);
    let (candidate, output) = candidate_and_output.split_at(width);
    for (((cell, forget), input), candidate) in cell.iter_mut().zip(forget).zip(input).zip(candidate) {
        *cell = forget * *cell + input * candidate;
    }
    hidden.copy_from_slice(cell);
    Tanh {}.map_mut(hidden);
    for (hidden, output) in hidden.iter_mut().zip(output) {
        *hidden *= output;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compute::Precision;
    use crate::compute::plain::{dot, sigmoid};
    use crate::compute::rows::values;
    use proptest::prelude::*;

    /// A layer's weights, for the equations of `torch.nn.LSTM`.
    struct Weights {
        input: Vec<f32>,
        bias: Vec<f32>,
        recurrent: Vec<f32>,
        inputs: usize,
        width: usize,
    }

    impl Weights {
        /// What comes out of all frames of `x`, `[frames, width]`.
        fn expected(&self, x: &[f32]) -> Vec<f32> {
            let (inputs, width) = (self.inputs, self.width);
            let (mut hidden, mut cell, mut out) = (vec![0.0f32; width], vec![0.0; width], Vec::new());
            for x in x.chunks_exact(inputs) {
                let gate = |gate: usize, at: usize| {
                    let row = gate * width + at;
                    dot(&self.input[row * inputs..][..inputs], x)
                        + f64::from(self.bias[row])
                        + dot(&self.recurrent[row * width..][..width], &hidden)
                };
                let step = |at: usize, cell: &mut f64| {
                    *cell = sigmoid(gate(1, at)) * *cell + sigmoid(gate(0, at)) * gate(2, at).tanh();
                    (sigmoid(gate(3, at)) * cell.tanh()) as f32
                };
                hidden = cell.iter_mut().enumerate().map(|(at, cell)| step(at, cell)).collect();
                out.extend_from_slice(&hidden);
            }
            out
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 4 } else { 128 }))]

        /// However frames are cut into blocks.
        #[test]
        fn equals_the_equations(
            inputs in 1usize..20, width in 1usize..20, blocks in prop::collection::vec(0usize..9, 1..5), seed in 0u32..99,
        ) {
            let frames: usize = blocks.iter().sum();
            let [input, bias, recurrent, x] = [4 * width * inputs, 4 * width, 4 * width * width, frames * inputs]
                .map(|count| values(count, seed + count as u32).iter().map(|x| 3.0 * x).collect::<Vec<f32>>());
            let layer = Lstm::new(
                Linear::new(&input, Some(bias.clone()), inputs, Precision::F32),
                RowMatrix::from_f32(recurrent.clone(), width),
            );
            let expected = Weights { input, bias, recurrent, inputs, width }.expected(&x);
            let (mut state, mut gates, mut out, mut found) = (layer.state(), Vec::new(), Vec::new(), Vec::new());
            let mut rest = &x[..];
            for frames in blocks {
                let (block, later) = rest.split_at(frames * inputs);
                layer.forward_into(block, &mut state, &mut gates, &mut out);
                prop_assert_eq!(out.len(), frames * width);
                found.extend_from_slice(&out);
                rest = later;
            }
            for (found, expected) in found.iter().zip(&expected) {
                prop_assert!((found - expected).abs() < 1e-4, "{found} is not {expected}");
            }
        }
    }
}
