//! Layers by their definitions, in f64, for tests to compare kernels with.

use super::{Margin, Precision};

/// The exact GELU, by the series of the error function of which no term is negative.
pub(crate) fn gelu(x: f64) -> f64 {
    let z = x / std::f64::consts::SQRT_2;
    let (mut term, mut sum, mut n) = (z, 0.0, 0.0);
    while f64::abs(term) > 1e-17 * f64::abs(sum) {
        sum += term;
        n += 1.0;
        term *= 2.0 * z * z / (2.0 * n + 1.0);
    }
    let erf = 2.0 / std::f64::consts::PI.sqrt() * (-z * z).exp() * sum;
    0.5 * x * (1.0 + erf)
}

pub(crate) fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

/// The sum of products.
pub(crate) fn dot(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum()
}

/// How far a product of `x` and `weight` may be from that of f64 for what `precision` rounds and nothing else.
pub(crate) fn error_of(precision: Precision, x: &[f32], weight: &[f32]) -> f64 {
    let size = |values: &[f32]| values.iter().map(|&x| f64::from(x.abs())).sum::<f64>();
    let most = |values: &[f32]| values.iter().fold(0.0, |most: f64, &x| most.max(f64::from(x.abs())));
    let products: f64 = x.iter().zip(weight).map(|(&x, &w)| f64::from((x * w).abs())).sum();
    let rounding = 1e-6 * (products + 1.0);
    match precision {
        Precision::F32 => rounding,
        // Eight bits of either, rounded to the nearest.
        Precision::Bf16 => rounding + products / 128.0,
        // A step of 255 for activations and half a step of 63 for weights, the least that any kernel has.
        Precision::Int8 => {
            let range = |sign: f32| x.iter().fold(0.0, |most: f64, &x| most.max(f64::from(sign * x)));
            let (step, weight_step) = ((range(1.0) + range(-1.0)) / 255.0, most(weight) / 63.0);
            rounding + step * size(weight) + weight_step / 2.0 * (size(x) + step * x.len() as f64)
        }
    }
}

/// Attention of one query of one head; `bias` is added to the scores.
pub(crate) fn attention(query: &[f32], keys: &[&[f32]], values: &[&[f32]], bias: &[f32]) -> Vec<f32> {
    let scale = (query.len() as f64).powf(-0.5);
    let scores: Vec<f64> =
        keys.iter().zip(bias).map(|(key, &bias)| dot(query, key) * scale + f64::from(bias)).collect();
    let most = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let total: f64 = scores.iter().map(|score| (score - most).exp()).sum();
    let mut mixed = vec![0.0; query.len()];
    for (score, value) in scores.iter().zip(values) {
        let weight = (score - most).exp() / total;
        mixed.iter_mut().zip(*value).for_each(|(mixed, &value)| *mixed += weight * f64::from(value));
    }
    mixed.into_iter().map(|mixed| mixed as f32).collect()
}

/// A convolution along time in PyTorch's terms: `weight` is `[outputs, channels / groups, kernel]`.
pub(crate) struct Convolution<'a> {
    pub weight: &'a [f32],
    pub bias: &'a [f32],
    pub channels: usize,
    pub kernel: usize,
    pub stride: usize,
    pub dilation: usize,
    pub groups: usize,
}

impl Convolution<'_> {
    /// Of `x`, `[frames, channels]`, as it is: calls `each` with every output in turn, `[frames, outputs]`, its weight and
    /// what it is multiplied with.
    pub fn each(&self, x: &[f32], mut each: impl FnMut(f64, &[f32], &[f32])) {
        let (frames, heard) = (x.len() / self.channels, (self.kernel - 1) * self.dilation + 1);
        if frames < heard {
            return;
        }
        let (width, outputs) = (self.channels / self.groups, self.bias.len());
        for start in (0..=frames - heard).step_by(self.stride) {
            for (output, &bias) in self.bias.iter().enumerate() {
                let first = output / (outputs / self.groups) * width;
                let weight = &self.weight[output * width * self.kernel..][..width * self.kernel];
                let window: Vec<f32> = (0..width * self.kernel)
                    .map(|at| {
                        let (channel, tap) = (at / self.kernel, at % self.kernel);
                        x[(start + tap * self.dilation) * self.channels + first + channel]
                    })
                    .collect();
                each(dot(weight, &window) + f64::from(bias), weight, &window);
            }
        }
    }

    /// Of `x`, `[frames, channels]`, as it is: `[frames, outputs]`.
    pub fn of(&self, x: &[f32]) -> Vec<f64> {
        let mut out = Vec::new();
        self.each(x, |value, _, _| out.push(value));
        out
    }
}

/// `x`, `[frames, channels]`, between `count` frames of what `margin` says lies beyond it.
pub(crate) fn padded(x: &[f32], channels: usize, count: usize, margin: Margin) -> Vec<f32> {
    let frames = (x.len() / channels) as isize;
    let frame = |at: isize| {
        let mirrored = if at < 0 { -at } else { at.min(2 * (frames - 1) - at) };
        match (margin, (0..frames).contains(&at)) {
            (_, true) => Some(at),
            (Margin::Mirror, _) if (0..frames).contains(&mirrored) => Some(mirrored),
            _ => None,
        }
    };
    let count = if margin == Margin::None { 0 } else { count as isize };
    (-count..frames + count)
        .flat_map(|at| match frame(at) {
            Some(at) => x[at as usize * channels..][..channels].to_vec(),
            None => vec![0.0; channels],
        })
        .collect()
}

#[test]
fn the_series_gives_the_exact_gelu() {
    // Values of torch.nn.functional.gelu in double precision.
    for (x, expected) in [(-3.0, -0.004_049_694_f64), (-0.5, -0.154_268_77), (0.0, 0.0), (1.0, 0.841_344_746)]
    {
        assert!((gelu(x) - expected).abs() < 1e-8, "gelu({x}) = {}", gelu(x));
    }
    assert!((gelu(9.0) - 9.0).abs() < 1e-12 && gelu(-9.0).abs() < 1e-12);
}
