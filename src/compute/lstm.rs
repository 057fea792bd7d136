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

    /// Two frames of a layer of one value, by the equations.
    #[test]
    fn equals_the_equations() {
        let (weight, bias, recurrent) = ([0.5, -1.0, 2.0, 0.3], [0.1, 1.0, -0.2, 0.4], [0.7, 0.2, -0.6, 1.1]);
        let layer = Lstm::new(
            Linear::new(&weight, Some(bias.to_vec()), 1, Precision::F32),
            RowMatrix::from_f32(recurrent.to_vec(), 1),
        );
        let sigmoid = |x: f32| 1.0 / (1.0 + (-x).exp());
        let (mut hidden, mut cell, mut expected) = (0.0f32, 0.0f32, Vec::new());
        for x in [0.8, -1.5] {
            let gate = |index: usize| weight[index] * x + bias[index] + recurrent[index] * hidden;
            cell = sigmoid(gate(1)) * cell + sigmoid(gate(0)) * gate(2).tanh();
            hidden = sigmoid(gate(3)) * cell.tanh();
            expected.push(hidden);
        }
        let (mut state, mut gates, mut out) = (layer.state(), Vec::new(), Vec::new());
        layer.forward_into(&[0.8, -1.5], &mut state, &mut gates, &mut out);
        for (out, expected) in out.iter().zip(&expected) {
            assert!((out - expected).abs() < 1e-6, "{out} is not {expected}");
        }
    }
}
