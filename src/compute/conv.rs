//! One-dimensional convolution over time-major frames.

use candle_core::{Result, Tensor};

use super::{Linear, Precision, tensor};

/// A convolution along time with zero padding of half the kernel on both sides.
///
/// Frames are `[time, channels]`, so that the window of each output frame is one contiguous stretch and the
/// whole convolution is one matrix product without copying windows out.
pub struct Conv1d {
    linear: Linear,
    channels: usize,
    kernel: usize,
    stride: usize,
}

impl Conv1d {
    /// A convolution with `weight` `[outputs, channels, kernel]` (PyTorch's layout) and `bias` `[outputs]`.
    pub fn new(weight: &[f32], bias: Vec<f32>, channels: usize, kernel: usize, stride: usize) -> Self {
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
        let linear = Linear::new(&by_time, Some(bias), channels * kernel, Precision::F32);
        Self { linear, channels, kernel, stride }
    }

    /// The convolution of `x`, `[time, channels]`, then the exact GELU: `[ceil(time / stride), outputs]`.
    pub fn forward_gelu(&self, x: &Tensor) -> Result<Tensor> {
        let time = x.elem_count() / self.channels;
        let margin = self.kernel / 2 * self.channels;
        let padded = tensor::with_slice(x, |x| {
            let mut padded = vec![0.0; x.len() + 2 * margin];
            padded[margin..margin + x.len()].copy_from_slice(x);
            padded
        })?;
        let frames = (time + 2 * (self.kernel / 2)).saturating_sub(self.kernel) / self.stride + 1;
        let mut out = vec![0.0; frames * self.linear.outputs()];
        self.linear.forward_windows_gelu_into(&padded, self.stride * self.channels, &mut out);
        tensor::from_values(out, (frames, self.linear.outputs()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

    #[test]
    fn equals_candle_for_both_strides() {
        let device = Device::Cpu;
        for (time, stride) in [(9, 1), (9, 2), (8, 2)] {
            let x = Tensor::randn(0f32, 1.0, (time, 5), &device).unwrap();
            let weight = Tensor::randn(0f32, 1.0, (7, 5, 3), &device).unwrap();
            let bias = Tensor::randn(0f32, 1.0, 7, &device).unwrap();
            let expected = x.t().unwrap().unsqueeze(0).unwrap().contiguous().unwrap();
            let expected = expected.conv1d(&weight, 1, stride, 1, 1).unwrap();
            let expected = expected.broadcast_add(&bias.reshape((1, 7, 1)).unwrap()).unwrap();
            let expected = expected.squeeze(0).unwrap().t().unwrap().gelu_erf().unwrap();
            let weight: Vec<f32> = weight.flatten_all().unwrap().to_vec1().unwrap();
            let conv = Conv1d::new(&weight, bias.to_vec1().unwrap(), 5, 3, stride);
            let out = conv.forward_gelu(&x).unwrap();
            assert_eq!(out.dims(), expected.dims());
            let error =
                (out - expected).unwrap().abs().unwrap().max_all().unwrap().to_scalar::<f32>().unwrap();
            assert!(error < 1e-5, "{error}");
        }
    }
}
