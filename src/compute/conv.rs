//! One-dimensional convolution over time-major frames.

use candle_core::{Result, Tensor};
use rayon::prelude::*;

use super::linear::After;
use super::{Linear, Precision, tensor};

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
    /// frames of zeros on both sides.
    pub fn new(
        weight: &[f32],
        bias: Option<Vec<f32>>,
        channels: usize,
        kernel: usize,
        stride: usize,
        padding: usize,
    ) -> Self {
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
        let linear = Linear::new(&by_time, bias, channels * kernel, Precision::F32);
        Self { linear, channels, stride, padding }
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

    /// The convolution of `x`, `[time, channels]`: `[(time + 2 padding - kernel) / stride + 1, outputs]`, or no frame where
    /// the kernel is longer than all of it.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        self.apply(x, After::Store)
    }

    /// The same, then the exact GELU.
    pub fn forward_gelu(&self, x: &Tensor) -> Result<Tensor> {
        self.apply(x, After::Gelu)
    }

    /// The convolution of `x`, `[time, channels]`, as it is, without padding; replaces `out` by
    /// `[(time - kernel) / stride + 1, outputs]`, and tells how many frames that is.
    pub fn forward_into(&self, x: &[f32], out: &mut Vec<f32>) -> usize {
        let stride = self.stride * self.channels;
        let frames = x.len().checked_sub(self.linear.inputs()).map_or(0, |rest| rest / stride + 1);
        out.resize(frames * self.linear.outputs(), 0.0);
        self.linear.forward_windows_into(x, stride, out, After::Store);
        frames
    }

    /// Frames of zeros on both sides of what goes in, but for [`forward_into`](Self::forward_into).
    pub fn padding(&self) -> usize {
        self.padding
    }

    fn apply(&self, x: &Tensor, after: After) -> Result<Tensor> {
        let outputs = self.linear.outputs();
        let out = tensor::with_slice(x, |x| {
            let margin = self.padding * self.channels;
            let padded;
            let x = match margin {
                0 => x,
                _ => {
                    let zeros = || std::iter::repeat_n(0.0, margin);
                    padded = zeros().chain(x.iter().copied()).chain(zeros()).collect::<Vec<_>>();
                    &padded
                }
            };
            let stride = self.stride * self.channels;
            let frames = x.len().checked_sub(self.linear.inputs()).map_or(0, |rest| rest / stride + 1);
            let mut out = vec![0.0; frames * outputs];
            self.linear.forward_windows_into(x, stride, &mut out, after);
            out
        })?;
        let frames = out.len() / outputs;
        tensor::from_values(out, (frames, outputs))
    }
}

/// A convolution along time of groups of channels, each group by itself, with stride 1.
pub struct GroupedConv1d {
    groups: Vec<Conv1d>,
    channels: usize,
}

impl GroupedConv1d {
    /// A convolution with `weight` `[outputs, channels / groups, kernel]` and `bias` `[outputs]`, where there are as many
    /// outputs as channels.
    pub fn new(weight: &[f32], bias: &[f32], groups: usize, kernel: usize, padding: usize) -> Self {
        let channels = bias.len();
        let width = channels / groups;
        assert_eq!(
            weight.len(),
            channels * width * kernel,
            "a weight is outputs times channels of a group times kernel"
        );
        let group = |(weight, bias): (&[f32], &[f32])| {
            Conv1d::new(weight, Some(bias.to_vec()), width, kernel, 1, padding)
        };
        let groups =
            weight.chunks_exact(width * width * kernel).zip(bias.chunks_exact(width)).map(group).collect();
        Self { groups, channels }
    }

    /// The convolution of `x`, `[time, channels]`.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let width = self.channels / self.groups.len();
        let part =
            |(index, conv): (usize, &Conv1d)| conv.forward(&x.narrow(1, index * width, width)?.contiguous()?);
        let parts = self.groups.par_iter().enumerate().map(part).collect::<Result<Vec<_>>>()?;
        Tensor::cat(&parts, 1)?.contiguous()
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
            let conv = Conv1d::new(&weight, Some(bias.to_vec1().unwrap()), 5, 3, stride, 1);
            let out = conv.forward_gelu(&x).unwrap();
            assert_eq!(out.dims(), expected.dims());
            let error =
                (out - expected).unwrap().abs().unwrap().max_all().unwrap().to_scalar::<f32>().unwrap();
            assert!(error < 1e-5, "{error}");
        }
    }

    #[test]
    fn groups_equal_candle() {
        let device = Device::Cpu;
        let x = Tensor::randn(0f32, 1.0, (20, 12), &device).unwrap();
        let weight = Tensor::randn(0f32, 1.0, (12, 4, 6), &device).unwrap();
        let expected = x.t().unwrap().unsqueeze(0).unwrap().contiguous().unwrap();
        let expected = expected.conv1d(&weight, 3, 1, 1, 3).unwrap().squeeze(0).unwrap().t().unwrap();
        let weight: Vec<f32> = weight.flatten_all().unwrap().to_vec1().unwrap();
        let out = GroupedConv1d::new(&weight, &[0.5; 12], 3, 6, 3).forward(&x).unwrap();
        assert_eq!(out.dims(), [21, 12]);
        let error = (out - expected).unwrap().affine(1.0, -0.5).unwrap().abs().unwrap().max_all().unwrap();
        assert!(error.to_scalar::<f32>().unwrap() < 1e-5);
    }

    #[test]
    fn too_little_sound_gives_no_frame() {
        let conv = Conv1d::new(&[1.0; 10], None, 1, 10, 5, 0);
        let frames = |time: usize| {
            let x = Tensor::zeros((time, 1), candle_core::DType::F32, &Device::Cpu).unwrap();
            conv.forward(&x).unwrap().dims()[0]
        };
        assert_eq!([9, 10, 14, 15].map(frames), [0, 1, 1, 2]);
    }
}
