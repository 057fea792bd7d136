//! The layers of ECAPA-TDNN, on frames `[frames, channels]`.

use rten_simd::SimdUnaryOp;
use rten_vecmath::{Exp, Tanh};

use super::ecapa_layout::{BlockNames, Layout, Names, PARTS, TdnnNames};
use crate::Result;
use crate::compute::{DilatedConv1d, Linear, Margin};
use crate::models::loader::Loader;

/// What batch norm adds to the variance.
const EPS: f32 = 1e-5;

/// Batch norm with the statistics of training.
pub(super) struct Norm {
    scale: Vec<f32>,
    offset: Vec<f32>,
}

impl Norm {
    pub fn load(loader: &Loader, name: &str, width: usize) -> Result<Self> {
        let values = |part: &str| loader.values(&format!("{name}.{part}"), &[width]);
        let (mean, variance) = (values("running_mean")?, values("running_var")?);
        let (weight, bias) = (values("weight")?, values("bias")?);
        let scale: Vec<f32> =
            weight.iter().zip(&variance).map(|(weight, variance)| weight / (variance + EPS).sqrt()).collect();
        let offset =
            bias.iter().zip(mean.iter().zip(&scale)).map(|(bias, (mean, scale))| bias - mean * scale);
        Ok(Self { offset: offset.collect(), scale })
    }

    pub fn in_place(&self, rows: &mut [f32]) {
        for row in rows.chunks_exact_mut(self.scale.len()) {
            for ((x, scale), offset) in row.iter_mut().zip(&self.scale).zip(&self.offset) {
                *x = *x * scale + offset;
            }
        }
    }
}

/// A dilated convolution, a ReLU and a norm.
pub(super) struct Tdnn {
    conv: DilatedConv1d,
    norm: Option<Norm>,
}

impl Tdnn {
    pub fn load(
        loader: &Loader,
        layout: Layout,
        names: &TdnnNames,
        inputs: usize,
        outputs: usize,
        kernel: usize,
        dilation: usize,
    ) -> Result<Self> {
        let weight = loader.values(&format!("{}.weight", names.conv), &[outputs, inputs, kernel])?;
        let bias = loader.values(&format!("{}.bias", names.conv), &[outputs])?;
        let margin = match layout {
            Layout::SpeechBrain => Margin::Mirror,
            Layout::TaoRuijie => Margin::Zeros,
        };
        let norm = match &names.norm {
            Some(name) => Some(Norm::load(loader, name, outputs)?),
            None => None,
        };
        Ok(Self { conv: DilatedConv1d::new(&weight, bias, inputs.max(1), kernel, dilation, margin), norm })
    }

    pub fn outputs(&self) -> usize {
        self.conv.outputs()
    }

    pub fn forward(&self, x: &[f32]) -> Vec<f32> {
        let mut out = self.conv.forward(x);
        out.iter_mut().for_each(|x| *x = x.max(0.0));
        if let Some(norm) = &self.norm {
            norm.in_place(&mut out);
        }
        out
    }
}

/// Convolutions of parts of the channels one after the other, between two of all channels, then a factor for each channel.
pub(super) struct Res2Block {
    layout: Layout,
    enter: Tdnn,
    parts: Vec<Tdnn>,
    leave: Tdnn,
    squeeze: Linear,
    excite: Linear,
}

impl Res2Block {
    pub fn load(
        loader: &Loader,
        layout: Layout,
        names: &BlockNames,
        channels: usize,
        squeezed: usize,
        dilation: usize,
    ) -> Result<Self> {
        let width = channels / PARTS;
        let tdnn = |names: &TdnnNames| Tdnn::load(loader, layout, names, channels, channels, 1, 1);
        let part = |names: &TdnnNames| Tdnn::load(loader, layout, names, width, width, 3, dilation);
        Ok(Self {
            layout,
            enter: tdnn(&names.enter)?,
            parts: names.parts.iter().map(part).collect::<Result<_>>()?,
            leave: tdnn(&names.leave)?,
            squeeze: point(loader, &names.squeeze, channels, squeezed)?,
            excite: point(loader, &names.excite, squeezed, channels)?,
        })
    }

    pub fn forward(&self, x: &[f32]) -> Vec<f32> {
        let channels = self.enter.outputs();
        let mixed = self.mix(&self.enter.forward(x), channels);
        let mut out = self.leave.forward(&mixed);
        let factors = self.factors(&out, channels);
        for (out, x) in out.chunks_exact_mut(channels).zip(x.chunks_exact(channels)) {
            for ((out, factor), x) in out.iter_mut().zip(&factors).zip(x) {
                *out = *out * factor + x;
            }
        }
        out
    }

    /// Parts of the channels, each convolved with what the part before it gave added. The part that is left as it is comes
    /// first in the one code and last in the other.
    fn mix(&self, x: &[f32], channels: usize) -> Vec<f32> {
        let width = channels / PARTS;
        let part = |index: usize| -> Vec<f32> {
            x.chunks_exact(channels)
                .flat_map(|frame| &frame[index * width..(index + 1) * width])
                .copied()
                .collect()
        };
        let first = match self.layout {
            Layout::SpeechBrain => 1,
            Layout::TaoRuijie => 0,
        };
        let mut out = x.to_vec();
        let mut before: Option<Vec<f32>> = None;
        for (index, tdnn) in (first..).zip(&self.parts) {
            let mut input = part(index);
            if let Some(before) = &before {
                crate::compute::add_into(before, &mut input);
            }
            let output = tdnn.forward(&input);
            for (out, output) in out.chunks_exact_mut(channels).zip(output.chunks_exact(width)) {
                out[index * width..(index + 1) * width].copy_from_slice(output);
            }
            before = Some(output);
        }
        out
    }

    /// Between 0 and 1 for each channel, from their means over time.
    fn factors(&self, x: &[f32], channels: usize) -> Vec<f32> {
        let mean = weighted_mean(x, channels, None);
        let mut squeezed = vec![0.0; self.squeeze.outputs()];
        self.squeeze.forward_into(&mean, &mut squeezed);
        squeezed.iter_mut().for_each(|x| *x = x.max(0.0));
        let mut factors = vec![0.0; channels];
        self.excite.forward_into(&squeezed, &mut factors);
        factors.iter_mut().for_each(|x| *x = 1.0 / (1.0 + (-*x).exp()));
        factors
    }
}

/// A convolution of one frame.
fn point(loader: &Loader, name: &str, inputs: usize, outputs: usize) -> Result<Linear> {
    let weight = loader.values(&format!("{name}.weight"), &[outputs, inputs, 1])?;
    let bias = loader.values(&format!("{name}.bias"), &[outputs])?;
    Ok(Linear::new(&weight, Some(bias), inputs.max(1), crate::compute::Precision::F32))
}

/// Mean and deviation of each channel over time, weighted by attention to frames, which knows those of the whole sound.
pub(super) struct Pooling {
    layout: Layout,
    attend: Tdnn,
    attention: Linear,
}

impl Pooling {
    pub fn load(
        loader: &Loader,
        layout: Layout,
        names: &Names,
        channels: usize,
        hidden: usize,
    ) -> Result<Self> {
        Ok(Self {
            layout,
            attend: Tdnn::load(loader, layout, &names.attend, 3 * channels, hidden, 1, 1)?,
            attention: point(loader, &names.attention, hidden, channels)?,
        })
    }

    /// Means, then deviations, of `x`, `[frames, channels]`.
    pub fn forward(&self, x: Vec<f32>) -> Vec<f32> {
        let channels = self.attention.outputs();
        let frames = x.len() / channels;
        let mean = weighted_mean(&x, channels, None);
        let deviation = match self.layout {
            Layout::SpeechBrain => deviation(&x, &mean, None, 1e-12),
            // Over one frame less than there are.
            Layout::TaoRuijie => {
                let share = (frames as f32 / (frames - 1).max(1) as f32).sqrt();
                let of_all = deviation(&x, &mean, None, 0.0);
                of_all.iter().map(|x| (x * share).max(1e-2)).collect()
            }
        };
        let with_whole: Vec<f32> = x
            .chunks_exact(channels)
            .flat_map(|frame| frame.iter().chain(&mean).chain(&deviation))
            .copied()
            .collect();
        let mut attended = self.attend.forward(&with_whole);
        Tanh {}.map_mut(&mut attended);
        let mut weights = vec![0.0; x.len()];
        self.attention.forward_into(&attended, &mut weights);
        softmax_over_time(&mut weights, channels);
        let mut pooled = weighted_mean(&x, channels, Some(&weights));
        let least = match self.layout {
            Layout::SpeechBrain => 1e-12,
            Layout::TaoRuijie => 1e-4,
        };
        pooled.extend(self::deviation(&x, &pooled.clone(), Some(&weights), least));
        pooled
    }
}

/// Sums over time of `x` by `weights`, both `[frames, channels]`; the mean where there are no weights.
fn weighted_mean(x: &[f32], channels: usize, weights: Option<&[f32]>) -> Vec<f32> {
    let mut sums = vec![0.0f64; channels];
    let equal =
        vec![(x.len() / channels).max(1) as f32; channels].iter().map(|n| n.recip()).collect::<Vec<_>>();
    for (frame, x) in x.chunks_exact(channels).enumerate() {
        let weights =
            weights.map_or(&equal[..], |weights| &weights[frame * channels..(frame + 1) * channels]);
        for ((sum, x), weight) in sums.iter_mut().zip(x).zip(weights) {
            *sum += f64::from(weight * x);
        }
    }
    sums.iter().map(|&sum| sum as f32).collect()
}

/// Roots of the variances about `mean`, which count as `least` at least.
fn deviation(x: &[f32], mean: &[f32], weights: Option<&[f32]>, least: f32) -> Vec<f32> {
    let squares: Vec<f32> = x
        .chunks_exact(mean.len())
        .flat_map(|frame| frame.iter().zip(mean).map(|(x, mean)| (x - mean).powi(2)))
        .collect();
    weighted_mean(&squares, mean.len(), weights).iter().map(|variance| variance.max(least).sqrt()).collect()
}

fn softmax_over_time(x: &mut [f32], channels: usize) {
    let mut most = vec![f32::NEG_INFINITY; channels];
    for frame in x.chunks_exact(channels) {
        most.iter_mut().zip(frame).for_each(|(most, x)| *most = most.max(*x));
    }
    let mut sums = vec![0.0f32; channels];
    for frame in x.chunks_exact_mut(channels) {
        frame.iter_mut().zip(&most).for_each(|(x, most)| *x -= most);
        Exp {}.map_mut(frame);
        crate::compute::add_into(frame, &mut sums);
    }
    for frame in x.chunks_exact_mut(channels) {
        frame.iter_mut().zip(&sums).for_each(|(x, sum)| *x /= sum);
    }
}
