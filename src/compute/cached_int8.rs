//! Keys and values of a cache in int8: a quarter of the memory of f32 to read in a decoding step.

use rayon::prelude::*;
use rten_simd::SimdOp;
use rten_vecmath::Softmax;

use super::cached_attention::{HEAD_STEP, TIME_STEP};

/// The largest value of a key or value becomes this.
const LARGEST: f32 = 127.0;
/// Added and taken away again, it leaves whole numbers; unlike `round`, whole vectors at a time on any processor.
const ROUND: f32 = 12_582_912.0;
/// Times whose scores are summed side by side.
const TIMES: usize = 64;

/// Keys and values by head, in int8, each key and each value of a head with a scale of its own.
///
/// Keys are `[heads, blocks, head_dim, 128]`, blocks of 128 times, less their mean over all times: it would add the same
/// to all scores of a query, which softmax takes away again. Values are `[heads, capacity, head_dim]`. Heads are padded to
/// whole vectors.
pub(super) struct Int8KeysValues {
    heads: Vec<Head>,
    head_dim: usize,
}

#[derive(Default)]
struct Head {
    keys: Vec<i8>,
    values: Vec<i8>,
    /// `[capacity]`; those of keys with the scale of attention in them.
    key_scales: Vec<f32>,
    value_scales: Vec<f32>,
    /// `[head_dim]`, the mean of the keys.
    mean: Vec<f32>,
}

impl Int8KeysValues {
    /// Room for `capacity` times, a multiple of 128.
    pub fn new(heads: usize, head_dim: usize, capacity: usize) -> Self {
        let cells = head_dim.next_multiple_of(HEAD_STEP) * capacity;
        let head = || Head {
            keys: vec![0; cells],
            values: vec![0; cells],
            key_scales: vec![0.0; capacity],
            value_scales: vec![0.0; capacity],
            mean: vec![0.0; head_dim],
        };
        Self { heads: (0..heads).map(|_| head()).collect(), head_dim }
    }

    /// Holds `keys_values`, `[time, 2 * heads * head_dim]`: keys, then values.
    pub fn fill(&mut self, keys_values: &[f32]) {
        let (head_dim, dim) = (self.head_dim, self.heads.len() * self.head_dim);
        self.heads.par_iter_mut().enumerate().for_each(|(index, head)| {
            let part = |offset: usize| {
                keys_values
                    .chunks_exact(2 * dim)
                    .map(move |row| &row[offset + index * head_dim..][..head_dim])
            };
            head.fill(part(0), part(dim));
        });
    }

    /// Attention of one query `[head_dim]` of `head` to the first `times` times; `weights` has the capacity's length.
    pub fn attend(&self, head: usize, times: usize, query: &[f32], weights: &mut [f32], out: &mut [f32]) {
        let head = &self.heads[head];
        let kernel = Kernel::best();
        kernel.scores(head, times, query, weights);
        let weights = &mut weights[..times];
        Softmax::new_mut(weights).dispatch();
        kernel.mix(head, weights, out);
    }
}

impl Head {
    fn fill<'a>(
        &mut self,
        keys: impl ExactSizeIterator<Item = &'a [f32]> + Clone,
        values: impl Iterator<Item = &'a [f32]>,
    ) {
        let (times, head_dim) = (keys.len(), self.mean.len());
        let padded = head_dim.next_multiple_of(HEAD_STEP);
        self.mean.fill(0.0);
        for key in keys.clone() {
            self.mean.iter_mut().zip(key).for_each(|(mean, key)| *mean += key);
        }
        self.mean.iter_mut().for_each(|mean| *mean /= times as f32);
        let scale_of_scores = (head_dim as f32).powf(-0.5);
        let mut centred = vec![0.0; head_dim];
        let mut integers = vec![0; head_dim];
        for (time, key) in keys.enumerate() {
            for ((centred, key), mean) in centred.iter_mut().zip(key).zip(&self.mean) {
                *centred = key - mean;
            }
            self.key_scales[time] = quantise(&centred, &mut integers) * scale_of_scores;
            let (block, column) = (time / TIME_STEP, time % TIME_STEP);
            let rows = self.keys[block * padded * TIME_STEP..].chunks_exact_mut(TIME_STEP);
            rows.zip(&integers).for_each(|(row, &integer)| row[column] = integer);
        }
        for (time, value) in values.enumerate() {
            self.value_scales[time] = quantise(value, &mut self.values[time * padded..][..head_dim]);
        }
    }
}

/// Quantises `values` symmetrically, and returns the scale that turns the integers back.
fn quantise(values: &[f32], integers: &mut [i8]) -> f32 {
    let most = values.iter().fold(0.0f32, |most, value| most.max(value.abs()));
    let scale = if most > 0.0 { most / LARGEST } else { 1.0 };
    for (to, value) in integers.iter_mut().zip(values) {
        *to = (value / scale + ROUND - ROUND) as i32 as i8;
    }
    scale
}

/// How the compiler is told to make the loops below.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kernel {
    #[cfg(target_arch = "x86_64")]
    Avx512,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    Plain,
}

impl Kernel {
    /// The fastest that the processor has.
    fn best() -> Self {
        Self::available().next().unwrap_or(Self::Plain)
    }

    fn available() -> impl Iterator<Item = Self> {
        #[cfg(target_arch = "x86_64")]
        let kernels = [
            (is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512bw"), Self::Avx512),
            (is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma"), Self::Avx2),
            (true, Self::Plain),
        ];
        #[cfg(not(target_arch = "x86_64"))]
        let kernels = [(true, Self::Plain)];
        kernels.into_iter().filter_map(|(has, kernel)| has.then_some(kernel))
    }

    fn scores(self, head: &Head, times: usize, query: &[f32], out: &mut [f32]) {
        match self {
            // SAFETY: kernels are of those that the processor has.
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => unsafe { scores_avx512(head, times, query, out) },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => unsafe { scores_avx2(head, times, query, out) },
            Self::Plain => scores(head, times, query, out, |a, b, c| a * b + c),
        }
    }

    fn mix(self, head: &Head, weights: &[f32], out: &mut [f32]) {
        match self {
            // SAFETY: kernels are of those that the processor has.
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => unsafe { mix_avx512(head, weights, out) },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => unsafe { mix_avx2(head, weights, out) },
            Self::Plain => mix(head, weights, out, |a, b, c| a * b + c),
        }
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,fma")]
fn scores_avx512(head: &Head, times: usize, query: &[f32], out: &mut [f32]) {
    scores(head, times, query, out, f32::mul_add);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn scores_avx2(head: &Head, times: usize, query: &[f32], out: &mut [f32]) {
    scores(head, times, query, out, f32::mul_add);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,fma")]
fn mix_avx512(head: &Head, weights: &[f32], out: &mut [f32]) {
    mix(head, weights, out, f32::mul_add);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn mix_avx2(head: &Head, weights: &[f32], out: &mut [f32]) {
    mix(head, weights, out, f32::mul_add);
}

/// Products of a query with the keys of the first `times` times, and of some after them.
#[inline(always)]
fn scores(
    head: &Head,
    times: usize,
    query: &[f32],
    out: &mut [f32],
    multiply_add: impl Fn(f32, f32, f32) -> f32,
) {
    let padded = query.len().next_multiple_of(HEAD_STEP);
    for start in (0..times).step_by(TIMES) {
        let (block, column) = (start / TIME_STEP, start % TIME_STEP);
        let keys = head.keys[block * padded * TIME_STEP..].chunks_exact(TIME_STEP);
        let mut sums = [0.0; TIMES];
        for (&query, keys) in query.iter().zip(keys) {
            for (sum, &key) in sums.iter_mut().zip(&keys[column..column + TIMES]) {
                *sum = multiply_add(f32::from(key), query, *sum);
            }
        }
        let scales = &head.key_scales[start..start + TIMES];
        for ((out, sum), scale) in out[start..start + TIMES].iter_mut().zip(sums).zip(scales) {
            *out = sum * scale;
        }
    }
}

/// The sum of values by weights.
#[inline(always)]
fn mix(head: &Head, weights: &[f32], out: &mut [f32], multiply_add: impl Fn(f32, f32, f32) -> f32) {
    let padded = out.len().next_multiple_of(HEAD_STEP);
    for (part, out) in out.chunks_mut(HEAD_STEP).enumerate() {
        let mut sums = [0.0; HEAD_STEP];
        let values = head.values[part * HEAD_STEP..].chunks(padded);
        for ((&weight, &scale), values) in weights.iter().zip(&head.value_scales).zip(values) {
            let weight = weight * scale;
            for (sum, &value) in sums.iter_mut().zip(&values[..HEAD_STEP]) {
                *sum = multiply_add(f32::from(value), weight, *sum);
            }
        }
        out.copy_from_slice(&sums[..out.len()]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kernel_gives_what_the_plain_one_gives() {
        let mut random = fastrand::Rng::with_seed(1);
        let mut draw = |count: usize| (0..count).map(|_| random.f32() * 4.0 - 2.0).collect::<Vec<f32>>();
        let shapes = [(1, 2, 64), (64, 1, 64), (77, 1, 16), (130, 3, 80), (1500, 1, 64)];
        // Miri is slow.
        let shapes = if cfg!(miri) { &shapes[..4] } else { &shapes };
        for &(time, heads, head_dim) in shapes {
            let capacity = usize::next_multiple_of(time, TIME_STEP);
            let mut cache = Int8KeysValues::new(heads, head_dim, capacity);
            cache.fill(&draw(time * 2 * heads * head_dim));
            let (query, weights) = (draw(head_dim), draw(time));
            for head in &cache.heads {
                let run = |kernel: Kernel| {
                    let (mut scores, mut mixed) = (vec![0.0; capacity], vec![0.0; head_dim]);
                    kernel.scores(head, time, &query, &mut scores);
                    kernel.mix(head, &weights, &mut mixed);
                    scores.truncate(time);
                    (scores, mixed)
                };
                let (scores, mixed) = run(Kernel::Plain);
                for kernel in Kernel::available() {
                    let (s, m) = run(kernel);
                    let close = |a: &[f32], b: &[f32]| a.iter().zip(b).all(|(a, b)| (a - b).abs() < 2e-3);
                    assert!(close(&s, &scores) && close(&m, &mixed), "{kernel:?}, {time} x {head_dim}");
                }
            }
        }
    }
}
