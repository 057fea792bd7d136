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
    use candle_core::{Device, Tensor};

    #[test]
    fn equals_candle() {
        for (kernel, stride) in [(16, 8), (4, 2), (11, 5), (3, 1), (2, 4)] {
            let device = Device::Cpu;
            let x = Tensor::randn(0f32, 1.0, (1, 6, 9), &device).unwrap();
            let weight = Tensor::randn(0f32, 1.0, (6, 3, kernel), &device).unwrap();
            let expected = x.conv_transpose1d(&weight, 0, 0, stride, 1, 1).unwrap();
            let expected = (expected.squeeze(0).unwrap().t().unwrap().contiguous().unwrap() + 0.5).unwrap();
            let expected: Vec<f32> = expected.flatten_all().unwrap().to_vec1().unwrap();
            let weight: Vec<f32> = weight.flatten_all().unwrap().to_vec1().unwrap();
            let conv = TransposedConv1d::new(&weight, &[0.5; 3], kernel, stride);
            let x = x.squeeze(0).unwrap().t().unwrap().contiguous().unwrap();
            let around = vec![0.0; (conv.window() - 1) * 6];
            let padded = [around.clone(), x.flatten_all().unwrap().to_vec1().unwrap(), around].concat();
            let mut out = Vec::new();
            conv.forward_into(&padded, &mut out);
            assert!(out.len() >= expected.len().min(9 * stride * 3), "{kernel}, {stride}");
            for (at, (found, expected)) in out.iter().zip(&expected).enumerate() {
                assert!((found - expected).abs() < 1e-5, "{kernel}, {stride}, {at}");
            }
        }
    }
}
