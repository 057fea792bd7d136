//! One-dimensional convolution with gaps between the frames that it hears.

use super::{Conv1d, Precision};

/// What lies beyond the edges of a sound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Margin {
    /// Zeros.
    Zeros,
    /// The mirror image of its frames; zeros where there are too few.
    Mirror,
    /// Nothing: only where all frames are there that it hears, the convolution gives one.
    None,
}

/// A convolution along time, of an odd kernel where it has a margin, so that as many frames come out as go in.
///
/// Of every `dilation`th frame, the windows lie one after the other, so that each such phase is one matrix product.
pub struct DilatedConv1d {
    conv: Conv1d,
    dilation: usize,
    margin: Margin,
}

impl DilatedConv1d {
    /// A convolution with `weight` `[outputs, channels, kernel]` and `bias` `[outputs]`, which hears every `dilation`th frame.
    pub fn new(
        weight: &[f32],
        bias: Vec<f32>,
        channels: usize,
        kernel: usize,
        dilation: usize,
        margin: Margin,
    ) -> Self {
        let conv = Conv1d::new(weight, Some(bias), channels, kernel, 1, 0, Precision::F32);
        Self { conv, dilation, margin }
    }

    /// Width of a frame that goes in.
    pub fn channels(&self) -> usize {
        self.conv.channels()
    }

    /// Width of a frame that comes out.
    pub fn outputs(&self) -> usize {
        self.conv.outputs()
    }

    /// Frames from the first that one is made of to the last, without it.
    pub fn heard(&self) -> usize {
        self.conv.kernel().saturating_sub(1) * self.dilation
    }

    /// The convolution of `x`, `[frames, channels]`: `[frames, outputs]`; without a margin, fewer frames.
    pub fn forward(&self, x: &[f32]) -> Vec<f32> {
        let channels = self.channels();
        let padded;
        let sound = match (self.margin, self.reach()) {
            (Margin::None, _) | (_, 0) => x,
            _ => {
                padded = self.padded(x, channels);
                &padded
            }
        };
        match self.dilation {
            1 => {
                let mut out = Vec::new();
                self.conv.forward_into(sound, &mut out);
                out
            }
            _ => self.phases(sound),
        }
    }

    /// Every `dilation`th frame by itself, from each of the first `dilation` on.
    fn phases(&self, sound: &[f32]) -> Vec<f32> {
        let (channels, outputs) = (self.channels(), self.outputs());
        let frames = (sound.len() / channels).saturating_sub(self.heard());
        let mut out = vec![0.0; frames * outputs];
        let (mut phase, mut found) = (Vec::new(), Vec::new());
        for first in 0..self.dilation.min(frames) {
            phase.clear();
            sound
                .chunks_exact(channels)
                .skip(first)
                .step_by(self.dilation)
                .for_each(|x| phase.extend_from_slice(x));
            self.conv.forward_into(&phase, &mut found);
            let rows = out.chunks_exact_mut(outputs).skip(first).step_by(self.dilation);
            rows.zip(found.chunks_exact(outputs)).for_each(|(out, found)| out.copy_from_slice(found));
        }
        out
    }

    /// Frames that are heard before and after one.
    fn reach(&self) -> usize {
        self.conv.kernel() / 2 * self.dilation
    }

    fn padded(&self, x: &[f32], channels: usize) -> Vec<f32> {
        let (frames, reach) = (x.len() / channels, self.reach());
        let mut padded = vec![0.0; x.len() + 2 * reach * channels];
        padded[reach * channels..reach * channels + x.len()].copy_from_slice(x);
        if self.margin == Margin::Zeros {
            return padded;
        }
        let mut copy = |to: usize, from: usize| {
            let from = &x[from * channels..(from + 1) * channels];
            padded[to * channels..(to + 1) * channels].copy_from_slice(from);
        };
        for distance in 1..=reach.min(frames.saturating_sub(1)) {
            copy(reach - distance, distance);
            copy(reach + frames - 1 + distance, frames - 1 - distance);
        }
        padded
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compute::plain::{Convolution, padded};
    use crate::compute::rows::values;
    use proptest::prelude::*;

    proptest! {
        /// Sounds that are shorter than what a frame hears, too.
        #[test]
        fn equals_the_definition(
            channels in 1usize..10, outputs in 1usize..20, reach in 0usize..4, dilation in 1usize..13,
            margin in prop::sample::select(&[Margin::Zeros, Margin::Mirror, Margin::None][..]),
            frames in 1usize..60, seed in 0u32..99,
        ) {
            let kernel = 2 * reach + 1;
            let (weight, bias) = (values(outputs * channels * kernel, seed), values(outputs, seed + 1));
            let x = values(frames * channels, seed + 2);
            let conv = DilatedConv1d::new(&weight, bias.clone(), channels, kernel, dilation, margin);
            let out = conv.forward(&x);
            let convolution =
                Convolution { weight: &weight, bias: &bias, channels, kernel, stride: 1, dilation, groups: 1 };
            let expected = convolution.of(&padded(&x, channels, reach * dilation, margin));
            prop_assert_eq!(out.len(), expected.len());
            for (out, expected) in out.iter().zip(&expected) {
                prop_assert!((f64::from(*out) - expected).abs() < 1e-5, "{out} is not {expected}");
            }
        }
    }

    #[test]
    fn equals_the_sums_by_hand() {
        // Two channels to one output, three taps that hear every second frame.
        let weight = [1.0, 10.0, 100.0, 0.5, 0.0, 0.0];
        let conv = |margin| DilatedConv1d::new(&weight, vec![0.25], 2, 3, 2, margin);
        let x = [1.0, 2.0, 2.0, 4.0, 3.0, 6.0, 4.0, 8.0];
        // Of frames 1 to 4 with half the second channel of the first tap, which is twice the first.
        let zeros = [310.25, 420.25, 2.0 + 30.0 + 0.25, 4.0 + 40.0 + 0.25];
        assert_eq!(conv(Margin::Zeros).forward(&x), zeros);
        // Before the first frame are the third and the second, after the last the third and the second.
        let mirror = [6.0 + 310.25, 4.0 + 420.25, 2.0 + 30.0 + 300.25, 4.0 + 40.0 + 200.25];
        assert_eq!(conv(Margin::Mirror).forward(&x), mirror);
        assert_eq!(conv(Margin::Mirror).forward(&x[..2]), [10.25]);
        let longer = [x, x].concat();
        assert_eq!(conv(Margin::None).forward(&longer), conv(Margin::Zeros).forward(&longer)[2..6]);
        assert!(conv(Margin::None).forward(&x).is_empty());
    }
}
