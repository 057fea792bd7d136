//! One-dimensional convolution that makes more frames than there are: the transpose of one with a stride.

use super::linear::After;
use super::{Linear, Precision};

/// A transposed convolution along time, as `torch.nn.ConvTranspose1d` computes it without padding.
///
/// `stride` frames that come out are made of a window of `ceil(kernel / stride)` frames that go in: one matrix product, of
/// which a row has all of them side by side.
pub struct TransposedConv1d {
    linear: Linear,
    channels: usize,
    outputs: usize,
    kernel: usize,
    stride: usize,
}

impl TransposedConv1d {
    /// A convolution with `weight` `[channels, outputs, kernel]` (PyTorch's layout) and `bias` `[outputs]`.
    ///
    /// # Panics
    /// Where the numbers of weights do not fit.
    pub fn new(weight: &[f32], bias: &[f32], kernel: usize, stride: usize) -> Self {
        let outputs = bias.len();
        let channels = weight.len() / (outputs * kernel);
        assert_eq!(
            weight.len(),
            channels * outputs * kernel,
            "a weight is channels times outputs times kernel"
        );
        let window = kernel.div_ceil(stride);
        // Row: an output of a phase. Column: a channel of a frame of the window, the oldest first.
        let mut matrix = vec![0.0; stride * outputs * window * channels];
        for phase in 0..stride {
            for back in 0..window {
                let tap = phase + back * stride;
                if tap >= kernel {
                    continue;
                }
                for output in 0..outputs {
                    let row = &mut matrix[(phase * outputs + output) * window * channels..];
                    for channel in 0..channels {
                        row[(window - 1 - back) * channels + channel] =
                            weight[(channel * outputs + output) * kernel + tap];
                    }
                }
            }
        }
        let bias = (0..stride).flat_map(|_| bias).copied().collect();
        let linear = Linear::new(&matrix, Some(bias), window * channels, Precision::F32);
        Self { linear, channels, outputs, kernel, stride }
    }

    /// Width of a frame that goes in.
    pub fn channels(&self) -> usize {
        self.channels
    }

    /// Width of a frame that comes out.
    pub fn outputs(&self) -> usize {
        self.outputs
    }

    /// Frames that come out for each that goes in.
    pub fn stride(&self) -> usize {
        self.stride
    }

    /// Frames that come out of one alone.
    pub fn kernel(&self) -> usize {
        self.kernel
    }

    /// Frames that go in of which `stride` that come out are made.
    pub fn window(&self) -> usize {
        self.kernel.div_ceil(self.stride)
    }

    /// Replaces `out` by the frames of the windows of `x`, `[frames, channels]`, of which each is whole:
    /// `[(frames - window + 1) stride, outputs]`. With `window - 1` frames of zeros before and after, it is all of the
    /// transposed convolution, and where the kernel is no multiple of the stride, some zeros and biases after it.
    pub fn forward_into(&self, x: &[f32], out: &mut Vec<f32>) {
        let frames = (x.len() / self.channels + 1).saturating_sub(self.window());
        out.resize(frames * self.stride * self.outputs, 0.0);
        self.linear.forward_windows_into(x, self.channels, out, After::Store);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compute::Margin;
    use crate::compute::plain::padded;
    use crate::compute::rows::values;
    use proptest::prelude::*;

    proptest! {
        /// Kernels that are no multiple of the stride, and such as are shorter than it, too.
        #[test]
        fn equals_the_definition(
            channels in 1usize..10, outputs in 1usize..20, kernel in 1usize..18, stride in 1usize..9,
            frames in 1usize..30, seed in 0u32..99,
        ) {
            let (weight, bias) = (values(channels * outputs * kernel, seed), values(outputs, seed + 1));
            let x = values(frames * channels, seed + 2);
            let conv = TransposedConv1d::new(&weight, &bias, kernel, stride);
            // Each frame that goes in adds its kernel to those that come out, from `stride` times its number on.
            let count = (frames + conv.window() - 1) * stride;
            let mut expected = vec![0.0; count * outputs];
            for (at, frame) in x.chunks_exact(channels).enumerate() {
                for (channel, &x) in frame.iter().enumerate() {
                    for (output, weight) in weight[channel * outputs * kernel..].chunks_exact(kernel).take(outputs).enumerate() {
                        for (tap, &weight) in weight.iter().enumerate() {
                            expected[(at * stride + tap) * outputs + output] += f64::from(x) * f64::from(weight);
                        }
                    }
                }
            }
            let mut out = vec![7.0; 3];
            conv.forward_into(&padded(&x, channels, conv.window() - 1, Margin::Zeros), &mut out);
            prop_assert_eq!(out.len(), expected.len());
            for ((out, expected), bias) in out.iter().zip(&expected).zip(bias.iter().cycle()) {
                let expected = expected + f64::from(*bias);
                prop_assert!((f64::from(*out) - expected).abs() < 1e-5, "{out} is not {expected}");
            }
        }
    }
}
