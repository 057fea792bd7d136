//! Scaled dot-product attention of a few queries to cached keys and values: a decoding step.

use half::slice::HalfFloatSliceExt;
use rayon::prelude::*;
use rten_simd::ops::{BitOps, NumOps};
use rten_simd::{Isa, SimdOp};
use rten_vecmath::Softmax;

use super::rows::Element;

/// Times in a cache are rounded up to this, so that kernels read whole vectors without a tail.
const TIME_STEP: usize = 128;
/// As [`TIME_STEP`], for the width of a head.
const HEAD_STEP: usize = 64;

/// Keys and values of one layer and one sequence, by head, in f16 or f32.
///
/// Keys are stored transposed in blocks of 128 times, `[heads, blocks, head_dim, 128]`, so that
/// scores of many times are computed in one vector and times that are not used yet cost no memory; values are
/// `[heads, capacity, head_dim]`.
pub struct HeadCache {
    storage: CacheStorage,
    heads: usize,
    head_dim: usize,
    capacity: usize,
}

enum CacheStorage {
    F32(KeysValues<f32>),
    F16(KeysValues<half::f16>),
}

struct KeysValues<E> {
    keys: Vec<E>,
    values: Vec<E>,
}

impl<E: Copy + Default> KeysValues<E> {
    fn new(cells: usize) -> Self {
        Self { keys: vec![E::default(); cells], values: vec![E::default(); cells] }
    }
}

impl HeadCache {
    /// An empty cache of f32 for `capacity` times.
    pub fn new(heads: usize, head_dim: usize, capacity: usize) -> Self {
        let capacity = capacity.next_multiple_of(TIME_STEP);
        let cells = heads * head_dim.next_multiple_of(HEAD_STEP) * capacity;
        Self { storage: CacheStorage::F32(KeysValues::new(cells)), heads, head_dim, capacity }
    }

    /// An empty cache of f16 for `capacity` times, to be filled whole.
    pub fn narrow(heads: usize, head_dim: usize, capacity: usize) -> Self {
        let capacity = capacity.next_multiple_of(TIME_STEP);
        let cells = heads * head_dim.next_multiple_of(HEAD_STEP) * capacity;
        Self { storage: CacheStorage::F16(KeysValues::new(cells)), heads, head_dim, capacity }
    }

    /// Makes the cache hold `keys_values`, `[time, 2 * heads * head_dim]`: keys, then values.
    pub fn fill(&mut self, keys_values: &[f32]) {
        let (head_dim, dim, cells_of_head) =
            (self.head_dim, self.heads * self.head_dim, self.padded_head() * self.capacity);
        assert!(keys_values.len() <= 2 * dim * self.capacity, "more times than the cache has room for");
        match &mut self.storage {
            CacheStorage::F32(cells) => fill(cells, keys_values, dim, head_dim, cells_of_head),
            CacheStorage::F16(cells) => {
                let mut narrow = vec![half::f16::ZERO; keys_values.len()];
                narrow.convert_from_f32_slice(keys_values);
                fill(cells, &narrow, dim, head_dim, cells_of_head);
            }
        }
    }

    /// Stores `keys` and `values`, `[heads * head_dim]` each, at `time`.
    pub fn set(&mut self, time: usize, keys: &[f32], values: &[f32]) {
        assert!(time < self.capacity, "time {time} is past the cache's {}", self.capacity);
        let (head_dim, cells_of_head) = (self.head_dim, self.padded_head() * self.capacity);
        match &mut self.storage {
            CacheStorage::F32(cells) => set(cells, head_dim, cells_of_head, time, keys, values),
            CacheStorage::F16(_) => unreachable!("only growing caches, which are f32, are added to"),
        }
    }

    /// Makes the first `times` times those of `other`, a cache of the same shape.
    pub fn copy_from(&mut self, other: &Self, times: usize) {
        let cells_of_head = self.padded_head() * self.capacity;
        let used = times.next_multiple_of(TIME_STEP) * self.padded_head();
        match (&mut self.storage, &other.storage) {
            (CacheStorage::F32(to), CacheStorage::F32(from)) => {
                for head in 0..self.heads {
                    let range = head * cells_of_head..head * cells_of_head + used;
                    to.keys[range.clone()].copy_from_slice(&from.keys[range.clone()]);
                    to.values[range.clone()].copy_from_slice(&from.values[range]);
                }
            }
            _ => unreachable!("only growing caches, which are f32, are copied"),
        }
    }

    /// Number of times that there is room for.
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    fn padded_head(&self) -> usize {
        self.head_dim.next_multiple_of(HEAD_STEP)
    }
}

fn set(
    cells: &mut KeysValues<f32>,
    head_dim: usize,
    cells_of_head: usize,
    time: usize,
    keys: &[f32],
    values: &[f32],
) {
    let stored = cells.keys.chunks_exact_mut(cells_of_head).zip(cells.values.chunks_exact_mut(cells_of_head));
    let given = keys.chunks_exact(head_dim).zip(values.chunks_exact(head_dim));
    for ((stored_keys, stored_values), (key, value)) in stored.zip(given) {
        set_head(stored_keys, stored_values, time, key, value);
    }
}

/// Stores `keys_values`, `[time, 2 * dim]`, each head apart.
fn fill<E: Element>(
    cells: &mut KeysValues<E>,
    keys_values: &[E],
    dim: usize,
    head_dim: usize,
    cells_of_head: usize,
) {
    let parts = cells.keys.par_chunks_mut(cells_of_head).zip(cells.values.par_chunks_mut(cells_of_head));
    parts.enumerate().for_each(|(head, (keys, values))| {
        let part = |offset: usize| {
            keys_values.chunks_exact(2 * dim).map(move |row| &row[offset + head * head_dim..][..head_dim])
        };
        for (time, (key, value)) in part(0).zip(part(dim)).enumerate() {
            set_head(keys, values, time, key, value);
        }
    });
}

/// Stores a key and a value, `[head_dim]` each, among those of one head.
fn set_head<E: Copy>(keys: &mut [E], values: &mut [E], time: usize, key: &[E], value: &[E]) {
    let padded = key.len().next_multiple_of(HEAD_STEP);
    let (block, column) = (time / TIME_STEP, time % TIME_STEP);
    for (row, &key) in keys[block * padded * TIME_STEP..].chunks_exact_mut(TIME_STEP).zip(key) {
        row[column] = key;
    }
    values[time * padded..][..value.len()].copy_from_slice(value);
}

/// Attention of query rows to cached keys and values, each row to its own cache.
///
/// `queries` and `out` are `[rows, heads * head_dim]`. Row `r` sees the first `target(r).1` times of the cache
/// `target(r).0`. `weights` is scratch of at least `rows * heads * stride` elements, where `stride` is the
/// largest capacity of the caches; row `r`, head `h` leaves its attention weights at
/// `(r * heads + h) * stride`.
pub fn attend_cached_into<'a>(
    queries: &[f32],
    target: impl Fn(usize) -> (&'a HeadCache, usize) + Sync,
    heads: usize,
    weights: &mut [f32],
    stride: usize,
    out: &mut [f32],
) {
    if queries.is_empty() {
        return;
    }
    let (first, _) = target(0);
    let head_dim = first.head_dim;
    let parts = queries.len() / head_dim;
    let task = |part: usize, query: &[f32], weights: &mut [f32], out: &mut [f32]| {
        let (cache, times) = target(part / heads);
        let head = part % heads;
        match &cache.storage {
            CacheStorage::F32(cells) => attend_head(cells, cache, head, times, query, weights, out),
            CacheStorage::F16(cells) => attend_head(cells, cache, head, times, query, weights, out),
        }
    };
    weights[..parts * stride]
        .par_chunks_mut(stride)
        .zip(out.par_chunks_mut(head_dim))
        .zip(queries.par_chunks(head_dim))
        .enumerate()
        .with_min_len(heads.div_ceil(2))
        .for_each(|(part, ((weights, out), query))| task(part, query, weights, out));
}

fn attend_head<E: Element>(
    cells: &KeysValues<E>,
    cache: &HeadCache,
    head: usize,
    times: usize,
    query: &[f32],
    weights: &mut [f32],
    out: &mut [f32],
) {
    let cells_of_head = cache.padded_head() * cache.capacity;
    let range = head * cells_of_head..(head + 1) * cells_of_head;
    let keys = &cells.keys[range.clone()];
    let values = &cells.values[range];
    Scores { keys, width: cache.padded_head(), times, query, out: weights }.dispatch();
    let weights = &mut weights[..times];
    Softmax::new_mut(weights).dispatch();
    Mix { values, width: cache.padded_head(), weights, out }.dispatch();
}

/// Scaled products of a query with the keys of the first `times` times.
struct Scores<'a, E> {
    keys: &'a [E],
    width: usize,
    times: usize,
    query: &'a [f32],
    out: &'a mut [f32],
}

impl<E: Element> SimdOp for Scores<'_, E> {
    type Output = ();

    #[inline(always)]
    fn eval<I: Isa>(self, isa: I) {
        /// Pairs of vectors summed side by side, enough to hide the latency of a multiply-add.
        const PAIRS: usize = 4;
        let ops = isa.f32();
        let pair = 2 * ops.len();
        let scale = (self.query.len() as f32).powf(-0.5);
        for start in (0..self.times).step_by(PAIRS * pair) {
            let (block, column) = (start / TIME_STEP, start % TIME_STEP);
            let keys = &self.keys[block * self.width * TIME_STEP..];
            let mut sums = [[ops.zero(); 2]; PAIRS];
            for (&query, keys) in self.query.iter().zip(keys.chunks_exact(TIME_STEP)) {
                let query = ops.splat(query * scale);
                for (sums, key) in sums.iter_mut().zip(keys[column..].chunks_exact(pair)) {
                    let key = E::load_pair(isa, key);
                    sums[0] = ops.mul_add(key[0], query, sums[0]);
                    sums[1] = ops.mul_add(key[1], query, sums[1]);
                }
            }
            let out = &mut self.out[start..start + PAIRS * pair];
            for (sums, out) in sums.into_iter().zip(out.chunks_exact_mut(pair)) {
                let (low, high) = out.split_at_mut(ops.len());
                ops.store(sums[0], low);
                ops.store(sums[1], high);
            }
        }
    }
}

/// The sum of values by weights.
struct Mix<'a, E> {
    values: &'a [E],
    width: usize,
    weights: &'a [f32],
    out: &'a mut [f32],
}

impl<E: Element> SimdOp for Mix<'_, E> {
    type Output = ();

    #[inline(always)]
    fn eval<I: Isa>(self, isa: I) {
        let ops = isa.f32();
        let pair = 2 * ops.len();
        let mut mixed = [0.0; HEAD_STEP];
        for (block, out) in self.out.chunks_mut(HEAD_STEP).enumerate() {
            for start in (0..HEAD_STEP).step_by(pair) {
                let column = block * HEAD_STEP + start;
                // Even and odd times are summed apart to hide the latency of a multiply-add.
                let mut sums = [[ops.zero(); 2]; 2];
                for (time, &weight) in self.weights.iter().enumerate() {
                    let weight = ops.splat(weight);
                    let value = E::load_pair(isa, &self.values[time * self.width + column..]);
                    let sums = &mut sums[time % 2];
                    sums[0] = ops.mul_add(value[0], weight, sums[0]);
                    sums[1] = ops.mul_add(value[1], weight, sums[1]);
                }
                let [even, odd] = sums;
                ops.store(ops.add(even[0], odd[0]), &mut mixed[start..start + ops.len()]);
                ops.store(ops.add(even[1], odd[1]), &mut mixed[start + ops.len()..start + pair]);
            }
            out.copy_from_slice(&mixed[..out.len()]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compute::self_attention::plain;
    use candle_core::Tensor;

    fn random(shape: (usize, usize)) -> Tensor {
        Tensor::randn(0f32, 1.0, shape, &candle_core::Device::Cpu).unwrap()
    }

    fn values(tensor: &Tensor) -> Vec<f32> {
        tensor.flatten_all().unwrap().to_vec1().unwrap()
    }

    fn assert_close(a: &[f32], b: &[f32], tolerance: f32) {
        assert_eq!(a.len(), b.len());
        for (a, b) in a.iter().zip(b) {
            assert!((a - b).abs() < tolerance, "{a} and {b}");
        }
    }

    #[test]
    fn cached_steps_equal_the_definition() {
        for (time, heads, head_dim) in [(1, 2, 64), (129, 2, 64), (200, 3, 80), (77, 1, 16)] {
            let dim = heads * head_dim;
            let (queries, keys, mixed) = (random((2, dim)), random((time, dim)), random((time, dim)));
            let both = Tensor::cat(&[&keys, &mixed], 1).unwrap();
            let mut filled = HeadCache::narrow(heads, head_dim, time);
            filled.fill(&values(&both));
            let mut grown = HeadCache::new(heads, head_dim, time);
            for (t, row) in values(&both).chunks_exact(2 * dim).enumerate() {
                grown.set(t, &row[..dim], &row[dim..]);
            }
            let mut copied = HeadCache::new(heads, head_dim, time);
            copied.copy_from(&grown, time);
            for (cache, tolerance) in [(&filled, 4e-3), (&grown, 1e-4), (&copied, 1e-4)] {
                let stride = cache.capacity();
                let mut weights = vec![0.0; 2 * heads * stride];
                let mut out = vec![0.0; 2 * dim];
                let seen = [time, time.div_ceil(2)];
                attend_cached_into(
                    &values(&queries),
                    |r| (cache, seen[r]),
                    heads,
                    &mut weights,
                    stride,
                    &mut out,
                );
                for (r, &seen) in seen.iter().enumerate() {
                    let row = queries.narrow(0, r, 1).unwrap();
                    let (keys, mixed) = (keys.narrow(0, 0, seen).unwrap(), mixed.narrow(0, 0, seen).unwrap());
                    let expected = values(&plain(&row, &keys, &mixed, heads));
                    assert_close(&out[r * dim..(r + 1) * dim], &expected, tolerance);
                    let total: f32 = weights[r * heads * stride..][..seen].iter().sum();
                    assert!((total - 1.0).abs() < 1e-4);
                }
            }
        }
    }
}
