//! Scaled dot-product attention of a few queries to cached keys and values: a decoding step.

use half::slice::HalfFloatSliceExt;
use rayon::prelude::*;
use rten_simd::ops::{BitOps, NumOps};
use rten_simd::{Isa, SimdOp};
use rten_vecmath::Softmax;

use super::cached_int8::Int8KeysValues;
use super::rows::Element;

/// Times in a cache are rounded up to this, so that kernels read whole vectors without a tail.
pub(super) const TIME_STEP: usize = 128;
/// Queries to the same times of one cache that are attended to together.
const ALIKE: usize = 4;
/// As [`TIME_STEP`], for the width of a head.
pub(super) const HEAD_STEP: usize = 64;

/// Keys and values of one layer and one sequence, by head, in f32, f16 or int8.
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
    Int8(Int8KeysValues),
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

impl<E> KeysValues<E> {
    fn of_head(&self, cache: &HeadCache, head: usize) -> (&[E], &[E]) {
        let cells = cache.padded_head() * cache.capacity;
        let range = head * cells..(head + 1) * cells;
        (&self.keys[range.clone()], &self.values[range])
    }
}

impl HeadCache {
    /// An empty cache of f32 with room for `capacity` times.
    pub fn new(heads: usize, head_dim: usize, capacity: usize) -> Self {
        let capacity = capacity.next_multiple_of(TIME_STEP);
        let cells = heads * head_dim.next_multiple_of(HEAD_STEP) * capacity;
        Self { storage: CacheStorage::F32(KeysValues::new(cells)), heads, head_dim, capacity }
    }

    /// An empty cache of f16 with room for `capacity` times, to be filled whole.
    pub fn narrow(heads: usize, head_dim: usize, capacity: usize) -> Self {
        let capacity = capacity.next_multiple_of(TIME_STEP);
        let cells = heads * head_dim.next_multiple_of(HEAD_STEP) * capacity;
        Self { storage: CacheStorage::F16(KeysValues::new(cells)), heads, head_dim, capacity }
    }

    /// An empty cache of int8 with room for `capacity` times, to be filled whole.
    pub fn int8(heads: usize, head_dim: usize, capacity: usize) -> Self {
        let capacity = capacity.next_multiple_of(TIME_STEP);
        let storage = CacheStorage::Int8(Int8KeysValues::new(heads, head_dim, capacity));
        Self { storage, heads, head_dim, capacity }
    }

    /// Makes the cache hold `keys_values`, `[time, 2 * heads * head_dim]`: keys, then values. It grows where they are more
    /// times than there is room for, and then has room for no more than these.
    pub fn fill(&mut self, keys_values: &[f32]) {
        let (heads, head_dim, dim) = (self.heads, self.head_dim, self.heads * self.head_dim);
        let times = keys_values.len() / (2 * dim);
        if times > self.capacity {
            let new = match &self.storage {
                CacheStorage::F32(_) => Self::new,
                CacheStorage::F16(_) => Self::narrow,
                CacheStorage::Int8(_) => Self::int8,
            };
            // What it was is given back before.
            *self = new(heads, head_dim, 0);
            *self = new(heads, head_dim, times);
        }
        let cells_of_head = self.padded_head() * self.capacity;
        match &mut self.storage {
            CacheStorage::F32(cells) => fill(cells, keys_values, dim, head_dim, cells_of_head),
            CacheStorage::F16(cells) => {
                let mut narrow = vec![half::f16::ZERO; keys_values.len()];
                narrow.convert_from_f32_slice(keys_values);
                fill(cells, &narrow, dim, head_dim, cells_of_head);
            }
            CacheStorage::Int8(cells) => cells.fill(keys_values),
        }
    }

    /// Stores `keys` and `values`, `[heads * head_dim]` each, at `time`.
    pub fn set(&mut self, time: usize, keys: &[f32], values: &[f32]) {
        assert!(time < self.capacity, "time {time} is past the cache's {}", self.capacity);
        let (head_dim, cells_of_head) = (self.head_dim, self.padded_head() * self.capacity);
        match &mut self.storage {
            CacheStorage::F32(cells) => set(cells, head_dim, cells_of_head, time, keys, values),
            _ => unreachable!("only growing caches, which are f32, are added to"),
        }
    }

    /// Makes room for `times` times, and for twice as many as there was at least; what it holds of f32 stays.
    pub fn reserve(&mut self, times: usize) {
        if times > self.capacity {
            let mut grown = Self::new(self.heads, self.head_dim, times.max(2 * self.capacity));
            grown.copy_from(self, self.capacity);
            *self = grown;
        }
    }

    /// Makes the first `times` times those of `other`, a cache with heads of the same shape.
    pub fn copy_from(&mut self, other: &Self, times: usize) {
        self.reserve(times);
        let width = self.padded_head();
        let (cells, cells_of_other) = (self.capacity * width, other.capacity * width);
        let used = times.next_multiple_of(TIME_STEP) * width;
        match (&mut self.storage, &other.storage) {
            (CacheStorage::F32(to), CacheStorage::F32(from)) => {
                for head in 0..self.heads {
                    let (to_head, from_head) = (head * cells, head * cells_of_other);
                    let (to_head, from_head) = (to_head..to_head + used, from_head..from_head + used);
                    to.keys[to_head.clone()].copy_from_slice(&from.keys[from_head.clone()]);
                    to.values[to_head].copy_from_slice(&from.values[from_head]);
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
    let (first, times) = target(0);
    let head_dim = first.head_dim;
    let parts = queries.len() / head_dim;
    let rows = parts / heads;
    let is_first = |row: usize| std::ptr::eq(target(row).0, first) && target(row).1 == times;
    if rows >= ALIKE && (1..rows).all(is_first) {
        match &first.storage {
            CacheStorage::F32(cells) => {
                return attend_all_alike(cells, first, times, queries, weights, stride, out);
            }
            CacheStorage::F16(cells) => {
                return attend_all_alike(cells, first, times, queries, weights, stride, out);
            }
            // As quick one by one: there is little to read.
            CacheStorage::Int8(_) => {}
        }
    }
    let task = |part: usize, query: &[f32], weights: &mut [f32], out: &mut [f32]| {
        let (cache, times) = target(part / heads);
        let head = part % heads;
        match &cache.storage {
            CacheStorage::F32(cells) => attend_head(cells, cache, head, times, query, weights, out),
            CacheStorage::F16(cells) => attend_head(cells, cache, head, times, query, weights, out),
            CacheStorage::Int8(cells) => cells.attend(head, times, query, weights, out),
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

/// Attention of any number of queries to the same times of one cache, all heads.
fn attend_all_alike<E: Element>(
    cells: &KeysValues<E>,
    cache: &HeadCache,
    times: usize,
    queries: &[f32],
    weights: &mut [f32],
    stride: usize,
    out: &mut [f32],
) {
    let (heads, dim) = (cache.heads, cache.heads * cache.head_dim);
    let weights = weights[..queries.len() / cache.head_dim * stride].par_chunks_mut(ALIKE * heads * stride);
    let groups = weights.zip(out.par_chunks_mut(ALIKE * dim)).zip(queries.par_chunks(ALIKE * dim));
    groups.for_each(|((weights, out), queries)| {
        attend_alike(cells, cache, times, queries, weights, stride, out);
    });
}

/// Attention of up to [`ALIKE`] queries to the same times of one cache, all heads; numbers are widened once for all of them.
fn attend_alike<E: Element>(
    cells: &KeysValues<E>,
    cache: &HeadCache,
    times: usize,
    queries: &[f32],
    weights: &mut [f32],
    stride: usize,
    out: &mut [f32],
) {
    let (heads, dim) = (cache.heads, cache.heads * cache.head_dim);
    let rows = queries.len() / dim;
    for head in 0..heads {
        let columns = head * cache.head_dim..(head + 1) * cache.head_dim;
        if rows < ALIKE {
            for row in 0..rows {
                let query = &queries[row * dim..][columns.clone()];
                let weights = &mut weights[(row * heads + head) * stride..][..stride];
                attend_head(
                    cells,
                    cache,
                    head,
                    times,
                    query,
                    weights,
                    &mut out[row * dim..][columns.clone()],
                );
            }
            continue;
        }
        let (keys, values) = cells.of_head(cache, head);
        let mut rows = weights.chunks_exact_mut(stride).skip(head).step_by(heads);
        let mut weights: [&mut [f32]; ALIKE] = std::array::from_fn(|_| rows.next().unwrap_or_default());
        let queries: [&[f32]; ALIKE] = std::array::from_fn(|row| &queries[row * dim..][columns.clone()]);
        let width = cache.padded_head();
        Scores { keys, width, times, queries, out: weights.each_mut().map(|row| &mut **row) }.dispatch();
        for row in &mut weights {
            Softmax::new_mut(&mut row[..times]).dispatch();
        }
        let mut rows = out.chunks_exact_mut(dim).map(|row| &mut row[columns.clone()]);
        let out: [&mut [f32]; ALIKE] = std::array::from_fn(|_| rows.next().unwrap_or_default());
        Mix { values, width, weights: weights.each_ref().map(|row| &row[..times]), out }.dispatch();
    }
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
    let (keys, values) = cells.of_head(cache, head);
    let width = cache.padded_head();
    Scores { keys, width, times, queries: [query], out: [&mut *weights] }.dispatch();
    let weights = &mut weights[..times];
    Softmax::new_mut(weights).dispatch();
    Mix { values, width, weights: [&*weights], out: [out] }.dispatch();
}

/// Scaled products of queries with the keys of the first `times` times.
struct Scores<'a, E, const R: usize> {
    keys: &'a [E],
    width: usize,
    times: usize,
    queries: [&'a [f32]; R],
    out: [&'a mut [f32]; R],
}

impl<E: Element, const R: usize> SimdOp for Scores<'_, E, R> {
    type Output = ();

    #[inline(always)]
    fn eval<I: Isa>(self, isa: I) {
        /// Pairs of vectors summed side by side for one query, enough to hide the latency of a multiply-add.
        const PAIRS: usize = 4;
        let ops = isa.f32();
        let pair = 2 * ops.len();
        // Queries hide it, too.
        let pairs = if R == 1 { PAIRS } else { 1 };
        let scale = (self.queries[0].len() as f32).powf(-0.5);
        let mut outs = self.out;
        for start in (0..self.times).step_by(pairs * pair) {
            let (block, column) = (start / TIME_STEP, start % TIME_STEP);
            let keys = &self.keys[block * self.width * TIME_STEP..];
            let mut sums = [[[ops.zero(); 2]; PAIRS]; R];
            for (d, keys) in keys.chunks_exact(TIME_STEP).take(self.queries[0].len()).enumerate() {
                for place in 0..pairs {
                    let key = E::load_pair(isa, &keys[column + place * pair..]);
                    for r in 0..R {
                        let query = ops.splat(self.queries[r][d] * scale);
                        let sums = &mut sums[r][place];
                        sums[0] = ops.mul_add(key[0], query, sums[0]);
                        sums[1] = ops.mul_add(key[1], query, sums[1]);
                    }
                }
            }
            for (sums, out) in sums.iter().zip(&mut outs) {
                let out = &mut out[start..start + pairs * pair];
                for (sums, out) in sums.iter().zip(out.chunks_exact_mut(pair)) {
                    let (low, high) = out.split_at_mut(ops.len());
                    ops.store(sums[0], low);
                    ops.store(sums[1], high);
                }
            }
        }
    }
}

/// Sums of values by weights.
struct Mix<'a, E, const R: usize> {
    values: &'a [E],
    width: usize,
    weights: [&'a [f32]; R],
    out: [&'a mut [f32]; R],
}

impl<E: Element, const R: usize> SimdOp for Mix<'_, E, R> {
    type Output = ();

    #[inline(always)]
    fn eval<I: Isa>(self, isa: I) {
        let ops = isa.f32();
        let pair = 2 * ops.len();
        let times = self.weights[0].len();
        let mut outs = self.out;
        let mut mixed = [0.0; HEAD_STEP];
        for first in (0..outs[0].len()).step_by(pair) {
            // Even and odd times are summed apart to hide the latency of a multiply-add.
            let mut sums = [[[ops.zero(); 2]; 2]; R];
            for time in 0..times {
                let value = E::load_pair(isa, &self.values[time * self.width + first..]);
                for r in 0..R {
                    let weight = ops.splat(self.weights[r][time]);
                    let sums = &mut sums[r][time % 2];
                    sums[0] = ops.mul_add(value[0], weight, sums[0]);
                    sums[1] = ops.mul_add(value[1], weight, sums[1]);
                }
            }
            for ([even, odd], out) in sums.into_iter().zip(&mut outs) {
                ops.store(ops.add(even[0], odd[0]), &mut mixed[..ops.len()]);
                ops.store(ops.add(even[1], odd[1]), &mut mixed[ops.len()..pair]);
                let last = out.len().min(first + pair);
                out[first..last].copy_from_slice(&mixed[..last - first]);
            }
        }
    }
}

#[cfg(test)]
mod tests;
