//! One-dimensional convolution over time-major frames.

use rayon::prelude::*;

use super::linear::After;
use super::{Linear, Precision};

/// A convolution along time.
///
/// Frames are `[time, channels]`, so that the window of each output frame is one contiguous stretch and the
/// whole convolution is one matrix product without copying windows out.
pub struct Conv1d {
    linear: Linear,
    channels: usize,
    stride: usize,
    padding: usize,
}

impl Conv1d {
    /// A convolution with `weight` `[outputs, channels, kernel]` (PyTorch's layout) and `bias` `[outputs]`, with `padding`
    /// frames of zeros on both sides, multiplied in `precision`.
    pub fn new(
        weight: &[f32],
        bias: Option<Vec<f32>>,
        channels: usize,
        kernel: usize,
        stride: usize,
        padding: usize,
        precision: Precision,
    ) -> Self {
        Self::of_matrix(Self::matrix(weight, bias, channels, kernel, precision), channels, stride, padding)
    }

    /// The same from the layer that [`matrix`](Self::matrix) gives.
    pub fn of_matrix(linear: Linear, channels: usize, stride: usize, padding: usize) -> Self {
        Self { linear, channels, stride, padding }
    }

    /// The layer that takes a window, `[kernel, channels]`, to a frame of outputs.
    pub fn matrix(
        weight: &[f32],
        bias: Option<Vec<f32>>,
        channels: usize,
        kernel: usize,
        precision: Precision,
    ) -> Linear {
        let mut by_time = vec![0.0; weight.len()];
        for (from, to) in
            weight.chunks_exact(channels * kernel).zip(by_time.chunks_exact_mut(channels * kernel))
        {
            for channel in 0..channels {
                for tap in 0..kernel {
                    to[tap * channels + channel] = from[channel * kernel + tap];
                }
            }
        }
        Linear::new(&by_time, bias, channels * kernel, precision)
    }

    /// Width of a frame that goes in.
    pub fn channels(&self) -> usize {
        self.channels
    }

    /// Width of a frame that comes out.
    pub fn outputs(&self) -> usize {
        self.linear.outputs()
    }

    /// Frames that go in from one that comes out to the next.
    pub fn stride(&self) -> usize {
        self.stride
    }

    /// Frames that an output depends on.
    pub fn kernel(&self) -> usize {
        self.linear.inputs() / self.channels
    }

    /// Number of frames that come out of `frames`, without padding.
    pub fn frames(&self, frames: usize) -> usize {
        frames.checked_sub(self.kernel()).map_or(0, |rest| rest / self.stride + 1)
    }

    /// The GELU of the convolution of `x`, `[time, channels]`, with its padding: `[(time + 2 padding - kernel) / stride + 1,
    /// outputs]`.
    pub fn padded_gelu(&self, x: &[f32]) -> Vec<f32> {
        let zeros = || std::iter::repeat_n(0.0, self.padding * self.channels);
        let padded: Vec<f32> = zeros().chain(x.iter().copied()).chain(zeros()).collect();
        let mut out = Vec::new();
        self.forward_gelu_into(&padded, &mut out);
        out
    }

    /// The convolution of `x`, `[time, channels]`, as it is, without padding; replaces `out` by
    /// `[(time - kernel) / stride + 1, outputs]`, or no frame where the kernel is longer than all of it.
    pub fn forward_into(&self, x: &[f32], out: &mut Vec<f32>) {
        self.apply(x, out, After::Store);
    }

    /// The same, then the exact GELU.
    pub fn forward_gelu_into(&self, x: &[f32], out: &mut Vec<f32>) {
        self.apply(x, out, After::Gelu);
    }

    /// Frames of zeros that belong on both sides of what goes in.
    pub fn padding(&self) -> usize {
        self.padding
    }

    fn apply(&self, x: &[f32], out: &mut Vec<f32>, after: After) {
        let frames = self.frames(x.len() / self.channels);
        out.resize(frames * self.linear.outputs(), 0.0);
        self.linear.forward_windows_into(x, self.stride * self.channels, out, after);
    }
}

/// A convolution along time of groups of channels, each group by itself, with stride 1.
pub struct GroupedConv1d {
    groups: Vec<Conv1d>,
    channels: usize,
}

impl GroupedConv1d {
    /// A convolution with `weight` `[outputs, channels / groups, kernel]` and `bias` `[outputs]`, where there are as many
    /// outputs as channels, multiplied in `precision`.
    pub fn new(
        weight: &[f32],
        bias: &[f32],
        groups: usize,
        kernel: usize,
        padding: usize,
        precision: Precision,
    ) -> Self {
        let channels = bias.len();
        let width = channels / groups;
        assert_eq!(
            weight.len(),
            channels * width * kernel,
            "a weight is outputs times channels of a group times kernel"
        );
        let group = |(weight, bias): (&[f32], &[f32])| {
            Conv1d::new(weight, Some(bias.to_vec()), width, kernel, 1, padding, precision)
        };
        let groups =
            weight.chunks_exact(width * width * kernel).zip(bias.chunks_exact(width)).map(group).collect();
        Self { groups, channels }
    }

    /// The convolution of `x`, `[time, channels]`, into `out` of the same shape. A frame more than there is time for, which
    /// an even kernel gives, is left out.
    pub fn forward_into(&self, x: &[f32], out: &mut [f32]) {
        self.apply(x, out, After::Store);
    }

    /// The same, then the exact GELU.
    pub fn forward_gelu_into(&self, x: &[f32], out: &mut [f32]) {
        self.apply(x, out, After::Gelu);
    }

    fn apply(&self, x: &[f32], out: &mut [f32], after: After) {
        assert_eq!(x.len(), out.len(), "a frame of outputs for each of inputs");
        let (channels, time) = (self.channels, x.len() / self.channels);
        let width = channels / self.groups.len();
        let part = |(index, conv): (usize, &Conv1d)| {
            let margin = conv.padding() * width;
            let mut padded = vec![0.0; time * width + 2 * margin];
            for (to, from) in padded[margin..].chunks_exact_mut(width).zip(x.chunks_exact(channels)) {
                to.copy_from_slice(&from[index * width..(index + 1) * width]);
            }
            let mut part = vec![0.0; time * width];
            conv.linear.forward_windows_into(&padded, width, &mut part, after);
            part
        };
        let parts: Vec<Vec<f32>> = self.groups.par_iter().enumerate().map(part).collect();
        for (frame, out) in out.chunks_exact_mut(channels).enumerate() {
            for (out, part) in out.chunks_exact_mut(width).zip(&parts) {
                out.copy_from_slice(&part[frame * width..(frame + 1) * width]);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compute::Margin;
    use crate::compute::plain::{Convolution, error_of, gelu, padded};
    use crate::compute::rows::values;
    use proptest::prelude::*;

    fn precision() -> impl Strategy<Value = Precision> {
        prop::sample::select(&Precision::ALL[..])
    }

    /// Whether `out` is what `convolution` makes of `x`, within what `precision` rounds, with or without a GELU after it.
    fn check(
        convolution: &Convolution,
        x: &[f32],
        precision: Precision,
        after: After,
        out: &[f32],
    ) -> Result<(), TestCaseError> {
        let mut found = out.iter();
        let mut wrong = None;
        let mut missing = 0;
        convolution.each(x, |sum, weight, window| {
            let Some(&found) = found.next() else { return missing += 1 };
            // No slope of GELU is above 1.13.
            let (expected, steepest) = match after {
                After::Gelu => (gelu(sum), 1.13),
                _ => (sum, 1.0),
            };
            let tolerance = 1e-5 + steepest * error_of(precision, window, weight);
            if (f64::from(found) - expected).abs() > tolerance {
                wrong.get_or_insert(format!("{found} is not {expected} within {tolerance}"));
            }
        });
        prop_assert_eq!(wrong, None);
        prop_assert_eq!((missing, found.count()), (0, 0), "outputs that are missing and too many");
        Ok(())
    }

    proptest! {
        /// Whisper's stem has kernels of 3 and strides of 1 and 2, wav2vec's front end kernels of 10 to 2 and strides of 5 and 2.
        #[test]
        fn convolutions_equal_the_definition(
            precision in precision(), channels in 1usize..18, outputs in 1usize..36, kernel in 1usize..11,
            stride in 1usize..6, padding in 0usize..4, frames in 0usize..60, seed in 0u32..99,
        ) {
            let (weight, bias) = (values(outputs * channels * kernel, seed), values(outputs, seed + 1));
            let x: Vec<f32> = values(frames * channels, seed + 2).iter().map(|x| 3.0 * x).collect();
            let convolution =
                Convolution { weight: &weight, bias: &bias, channels, kernel, stride, dilation: 1, groups: 1 };
            let conv = Conv1d::new(&weight, Some(bias.clone()), channels, kernel, stride, padding, precision);
            // What was in the output before does not matter.
            let mut out = vec![7.0; 5];
            conv.forward_into(&x, &mut out);
            check(&convolution, &x, precision, After::Store, &out)?;
            conv.forward_gelu_into(&x, &mut out);
            check(&convolution, &x, precision, After::Gelu, &out)?;
            let sound = padded(&x, channels, padding, Margin::Zeros);
            check(&convolution, &sound, precision, After::Gelu, &conv.padded_gelu(&x))?;
        }

        /// Groups of one channel, too: a depthwise convolution. An even kernel leaves out a frame.
        #[test]
        fn grouped_convolutions_equal_the_definition(
            precision in precision(), groups in 1usize..6, width in 1usize..9, kernel in 1usize..20,
            frames in 1usize..50, seed in 0u32..99,
        ) {
            let channels = groups * width;
            let (weight, bias) = (values(channels * width * kernel, seed), values(channels, seed + 1));
            let x: Vec<f32> = values(frames * channels, seed + 2).iter().map(|x| 3.0 * x).collect();
            let convolution =
                Convolution { weight: &weight, bias: &bias, channels, kernel, stride: 1, dilation: 1, groups };
            let conv = GroupedConv1d::new(&weight, &bias, groups, kernel, kernel / 2, precision);
            let mut sound = padded(&x, channels, kernel / 2, Margin::Zeros);
            sound.truncate((frames + kernel - 1) * channels);
            let mut out = vec![7.0; x.len()];
            conv.forward_into(&x, &mut out);
            check(&convolution, &sound, precision, After::Store, &out)?;
            conv.forward_gelu_into(&x, &mut out);
            check(&convolution, &sound, precision, After::Gelu, &out)?;
        }
    }

    #[test]
    fn too_little_sound_gives_no_frame() {
        let conv = Conv1d::new(&[1.0; 10], None, 1, 10, 5, 0, Precision::F32);
        let frames = |time: usize| {
            let mut out = Vec::new();
            conv.forward_into(&vec![0.0; time], &mut out);
            out.len()
        };
        assert_eq!([9, 10, 14, 15].map(frames), [0, 1, 1, 2]);
    }
}
