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
        self.heads[head].attend(Kernel::best(), times, query, weights, out);
    }
}

impl Head {
    fn attend(&self, kernel: Kernel, times: usize, query: &[f32], weights: &mut [f32], out: &mut [f32]) {
        kernel.scores(self, times, query, weights);
        let weights = &mut weights[..times];
        Softmax::new_mut(weights).dispatch();
        kernel.mix(self, weights, out);
    }

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
    use crate::compute::plain::attention;
    use crate::compute::rows::values;
    use proptest::prelude::*;

    /// Rounded to the nearest of 127 steps on either side of 0.
    fn rounded(row: &[f32]) -> Vec<f32> {
        let most = row.iter().fold(0.0f32, |most, x| most.max(x.abs()));
        let step = if most > 0.0 { most / 127.0 } else { 1.0 };
        row.iter().map(|x| (x / step).round_ties_even() * step).collect()
    }

    /// Keys or values of one head, `[head_dim]` each.
    fn of_head(keys_values: &[f32], row: usize, offset: usize, head_dim: usize) -> Vec<Vec<f32>> {
        keys_values.chunks_exact(row).map(|cells| cells[offset..offset + head_dim].to_vec()).collect()
    }

    /// The same less their mean.
    fn centred(keys: &[Vec<f32>]) -> Vec<Vec<f32>> {
        let mut mean = vec![0.0; keys[0].len()];
        for key in keys {
            mean.iter_mut().zip(key).for_each(|(mean, key)| *mean += key);
        }
        mean.iter_mut().for_each(|mean| *mean /= keys.len() as f32);
        keys.iter().map(|key| key.iter().zip(&mean).map(|(key, mean)| key - mean).collect()).collect()
    }

    /// About the ends of vectors and blocks; fewer for Miri, which is slow.
    fn length() -> impl Strategy<Value = usize> {
        match cfg!(miri) {
            true => (1usize..5).boxed(),
            false => prop_oneof![1usize..20, 62usize..67, 126usize..131, 255usize..258].boxed(),
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 8 } else { 128 }))]

        /// Nothing is lost but what eight bits do not hold, by any kernel.
        #[test]
        fn every_kernel_equals_the_definition_of_rounded_keys_and_values(
            time in length(), heads in 1usize..4, head_dim in length(), seed in 0u32..99,
        ) {
            let dim = heads * head_dim;
            let capacity = time.next_multiple_of(TIME_STEP);
            let keys_values: Vec<f32> = values(time * 2 * dim, seed).iter().map(|x| 2.0 * x).collect();
            let query: Vec<f32> = values(head_dim, seed + 1).iter().map(|x| 4.0 * x).collect();
            let mut cache = Int8KeysValues::new(heads, head_dim, capacity);
            cache.fill(&keys_values);
            let seen = time.div_ceil(2);
            for (index, head) in cache.heads.iter().enumerate() {
                let part = |offset: usize| of_head(&keys_values, 2 * dim, offset + index * head_dim, head_dim);
                let keys: Vec<Vec<f32>> = centred(&part(0)).iter().map(|key| rounded(key)).collect();
                let mixed: Vec<Vec<f32>> = part(dim).iter().map(|value| rounded(value)).collect();
                let [keys, mixed] =
                    [&keys, &mixed].map(|rows| rows[..seen].iter().map(Vec::as_slice).collect::<Vec<_>>());
                let expected = attention(&query, &keys, &mixed, &vec![0.0; seen]);
                for kernel in Kernel::available() {
                    let (mut weights, mut out) = (vec![f32::NAN; capacity], vec![f32::NAN; head_dim]);
                    head.attend(kernel, seen, &query, &mut weights, &mut out);
                    for (out, expected) in out.iter().zip(&expected) {
                        prop_assert!((out - expected).abs() < 1e-4, "{kernel:?}: {out} is not {expected}");
                    }
                }
            }
        }
    }
}
