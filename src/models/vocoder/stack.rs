//! Layers one after the other, side by side, and around one another.

use super::layers::{AntiAliased, AntiAliasedState, Conv, Piece, Up, UpState, leaky, tanh};

/// A layer, or several as one.
pub(super) enum Layer {
    Conv(Conv),
    Up(Up),
    AntiAliased(AntiAliased),
    /// Of this slope below zero.
    Leaky(f32),
    /// What goes in, added to what comes out of the layers.
    Residual(Stack),
    /// The mean of what comes out of each.
    Mean(Vec<Stack>),
    Tanh,
    /// To what is from -1 to 1.
    Clamp,
}

/// Layers one after the other.
pub(super) struct Stack(pub Vec<Layer>);

/// What a layer has kept.
#[derive(Debug, Clone)]
enum LayerState {
    Nothing,
    Frames(Vec<f32>),
    Up(UpState),
    AntiAliased(AntiAliasedState),
    /// Frames whose sum is still to come.
    Residual(Vec<f32>, StackState),
    /// For each branch its state and what the others have yet to match.
    Mean(Vec<(StackState, Vec<f32>)>),
}

/// What all layers have kept.
#[derive(Debug, Clone)]
pub(super) struct StackState(Vec<LayerState>);

impl Stack {
    pub fn state(&self) -> StackState {
        StackState(self.0.iter().map(Layer::state).collect())
    }

    /// What comes out for `x`, in the frames that are whole.
    pub fn pass(&self, state: &mut StackState, x: Vec<f32>, piece: Piece) -> Vec<f32> {
        self.0.iter().zip(&mut state.0).fold(x, |x, (layer, state)| layer.pass(state, x, piece))
    }

    /// Frames that come out later than those of `lag` that go in late.
    pub fn lag(&self, lag: usize) -> usize {
        self.0.iter().fold(lag, |lag, layer| layer.lag(lag))
    }
}

impl Layer {
    fn state(&self) -> LayerState {
        match self {
            Self::Conv(conv) => LayerState::Frames(conv.state()),
            Self::Up(up) => LayerState::Up(up.state()),
            Self::AntiAliased(_) => LayerState::AntiAliased(AntiAliasedState::default()),
            Self::Residual(stack) => LayerState::Residual(Vec::new(), stack.state()),
            Self::Mean(stacks) => {
                LayerState::Mean(stacks.iter().map(|stack| (stack.state(), Vec::new())).collect())
            }
            Self::Leaky(_) | Self::Tanh | Self::Clamp => LayerState::Nothing,
        }
    }

    fn lag(&self, lag: usize) -> usize {
        match self {
            Self::Conv(conv) => lag + conv.lag(),
            Self::Up(up) => lag * up.rate() + up.lag(),
            Self::AntiAliased(snake) => lag + snake.lag(),
            Self::Residual(stack) => stack.lag(lag),
            Self::Mean(stacks) => stacks.iter().map(|stack| stack.lag(lag)).max().unwrap_or(lag),
            Self::Leaky(_) | Self::Tanh | Self::Clamp => lag,
        }
    }

    fn pass(&self, state: &mut LayerState, mut x: Vec<f32>, piece: Piece) -> Vec<f32> {
        match (self, state) {
            (Self::Conv(conv), LayerState::Frames(kept)) => conv.pass(kept, &x, piece),
            (Self::Up(up), LayerState::Up(state)) => up.pass(state, &x, piece),
            (Self::AntiAliased(snake), LayerState::AntiAliased(state)) => snake.pass(state, &x, piece),
            (Self::Residual(stack), LayerState::Residual(waiting, state)) => {
                waiting.extend_from_slice(&x);
                let mut out = stack.pass(state, x, piece);
                crate::compute::add_into(&waiting[..out.len()], &mut out);
                waiting.drain(..out.len());
                out
            }
            (Self::Mean(stacks), LayerState::Mean(states)) => mean(stacks, states, &x, piece),
            (Self::Leaky(slope), _) => {
                leaky(&mut x, *slope);
                x
            }
            (Self::Clamp, _) => {
                x.iter_mut().for_each(|x| *x = x.clamp(-1.0, 1.0));
                x
            }
            // States are made by the layers that they are given to; what is left is the tangent.
            _ => {
                tanh(&mut x);
                x
            }
        }
    }
}

fn mean(stacks: &[Stack], states: &mut [(StackState, Vec<f32>)], x: &[f32], piece: Piece) -> Vec<f32> {
    for (stack, (state, waiting)) in stacks.iter().zip(states.iter_mut()) {
        waiting.extend(stack.pass(state, x.to_vec(), piece));
    }
    let ready = states.iter().map(|(_, waiting)| waiting.len()).min().unwrap_or(0);
    let mut out = vec![0.0; ready];
    for (_, waiting) in states.iter_mut() {
        crate::compute::add_into(&waiting[..ready], &mut out);
        waiting.drain(..ready);
    }
    let count = stacks.len() as f32;
    out.iter_mut().for_each(|sum| *sum /= count);
    out
}
