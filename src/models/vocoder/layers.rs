//! Layers that sound goes through piece by piece.
//!
//! Each keeps what it needs of the frames before; at the start it takes what its padding says to be before the first frame,
//! and at the end, after the last. So pieces come out as the whole would.

use rten_simd::SimdUnaryOp;
use rten_vecmath::{LeakyRelu, Tanh};

use crate::compute::{DOUBLING_REACH, DilatedConv1d, HalfBand, Snake, TAPS, TransposedConv1d};

/// Frames of the filter before the middle of what a frame of half the rate is made of; there is one more after it.
const HALVING_REACH: usize = TAPS / 2 - 1;

/// Whether more frames come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Piece {
    /// They may.
    More,
    /// These are the last.
    Last,
}

/// A convolution with zeros on both sides, as many frames out as in.
pub(super) struct Conv {
    conv: DilatedConv1d,
}

impl Conv {
    /// `conv` has no margin and an odd kernel.
    pub fn new(conv: DilatedConv1d) -> Self {
        Self { conv }
    }

    /// Frames that it is behind.
    pub fn lag(&self) -> usize {
        self.conv.heard() / 2
    }

    /// What it has kept at the start: zeros.
    pub fn state(&self) -> Vec<f32> {
        vec![0.0; self.lag() * self.conv.channels()]
    }

    pub fn pass(&self, kept: &mut Vec<f32>, x: &[f32], piece: Piece) -> Vec<f32> {
        kept.extend_from_slice(x);
        if piece == Piece::Last {
            kept.resize(kept.len() + self.lag() * self.conv.channels(), 0.0);
        }
        let out = self.conv.forward(kept);
        kept.drain(..out.len() / self.conv.outputs() * self.conv.channels());
        out
    }
}

/// A transposed convolution, `rate` frames out for each in.
pub(super) struct Up {
    conv: TransposedConv1d,
}

/// What an [`Up`] has kept.
#[derive(Debug, Clone)]
pub(super) struct UpState {
    kept: Vec<f32>,
    /// Frames that went in, and that came out.
    heard: usize,
    told: usize,
    /// Frames that are still to be cut off the start.
    cut: usize,
}

impl Up {
    pub fn new(conv: TransposedConv1d) -> Self {
        Self { conv }
    }

    pub fn rate(&self) -> usize {
        self.conv.stride()
    }

    /// Frames that are cut off both ends: PyTorch's padding.
    pub fn lag(&self) -> usize {
        (self.conv.kernel() - self.conv.stride()) / 2
    }

    pub fn state(&self) -> UpState {
        let kept = vec![0.0; (self.conv.window() - 1) * self.conv.channels()];
        UpState { kept, heard: 0, told: 0, cut: self.lag() }
    }

    pub fn pass(&self, state: &mut UpState, x: &[f32], piece: Piece) -> Vec<f32> {
        let (channels, outputs) = (self.conv.channels(), self.conv.outputs());
        state.kept.extend_from_slice(x);
        state.heard += x.len() / channels;
        if piece == Piece::Last {
            state.kept.resize(state.kept.len() + (self.conv.window() - 1) * channels, 0.0);
        }
        let mut out = Vec::new();
        self.conv.forward_into(&state.kept, &mut out);
        state.kept.drain(..out.len() / outputs / self.rate() * channels);
        let cut = state.cut.min(out.len() / outputs);
        state.cut -= cut;
        out.drain(..cut * outputs);
        if piece == Piece::Last {
            out.truncate(self.whole(state.heard).saturating_sub(state.told) * outputs);
        }
        state.told += out.len() / outputs;
        out
    }

    /// Frames that come out of `frames` in all.
    fn whole(&self, frames: usize) -> usize {
        match frames {
            0 => 0,
            _ => (frames - 1) * self.rate() + self.conv.kernel() - 2 * self.lag(),
        }
    }
}

/// A snake at twice the rate.
pub(super) struct AntiAliased {
    snake: Snake,
    filter: HalfBand,
}

/// What an [`AntiAliased`] has kept: frames, and frames of twice the rate.
#[derive(Debug, Clone, Default)]
pub(super) struct AntiAliasedState {
    single: Vec<f32>,
    double: Vec<f32>,
}

impl AntiAliased {
    pub fn new(snake: Snake) -> Self {
        Self { snake, filter: HalfBand::new() }
    }

    pub fn lag(&self) -> usize {
        // The second filter hears frames of twice the rate.
        DOUBLING_REACH + (HALVING_REACH + 1).div_ceil(2)
    }

    pub fn pass(&self, state: &mut AntiAliasedState, x: &[f32], piece: Piece) -> Vec<f32> {
        let channels = self.snake.channels();
        let AntiAliasedState { single, double } = state;
        extended(single, x, channels, (DOUBLING_REACH, DOUBLING_REACH), piece);
        let mut wound = Vec::new();
        self.filter.double(single, channels, &mut wound);
        single.drain(..wound.len() / 2);
        self.snake.in_place(&mut wound);
        extended(double, &wound, channels, (HALVING_REACH, HALVING_REACH + 1), piece);
        let mut out = Vec::new();
        self.filter.halve(double, channels, &mut out);
        double.drain(..2 * out.len());
        out
    }
}

/// Adds `x` to what was kept, with the first frame of all repeated before it, and the last after it.
fn extended(kept: &mut Vec<f32>, x: &[f32], channels: usize, (before, after): (usize, usize), piece: Piece) {
    if kept.is_empty() && x.len() >= channels {
        (0..before).for_each(|_| kept.extend_from_slice(&x[..channels]));
    }
    kept.extend_from_slice(x);
    if piece == Piece::Last && kept.len() >= channels {
        let last = kept[kept.len() - channels..].to_vec();
        (0..after).for_each(|_| kept.extend_from_slice(&last));
    }
}

/// A leaky ReLU, in place.
pub(super) fn leaky(x: &mut [f32], slope: f32) {
    LeakyRelu { alpha: slope }.map_mut(x);
}

/// The hyperbolic tangent, in place.
pub(super) fn tanh(x: &mut [f32]) {
    Tanh {}.map_mut(x);
}
