//! Caches of every kind against the definition of attention.

use half::f16;
use proptest::prelude::*;

use super::*;
use crate::compute::plain::attention;
use crate::compute::rows::values;

/// How a cache came by what it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Filled,
    Grown,
    Copied,
    Narrow,
    Int8,
}

const KINDS: [Kind; 5] = [Kind::Filled, Kind::Grown, Kind::Copied, Kind::Narrow, Kind::Int8];

impl Kind {
    /// A cache of `keys_values`, `[time, 2 * heads * head_dim]`, that held something else before, and less of it.
    fn cache(self, keys_values: &[f32], heads: usize, head_dim: usize, time: usize) -> HeadCache {
        let dim = heads * head_dim;
        let new = match self {
            Self::Narrow => HeadCache::narrow,
            Self::Int8 => HeadCache::int8,
            Self::Filled | Self::Grown | Self::Copied => HeadCache::new,
        };
        let mut cache = new(heads, head_dim, 1);
        cache.fill(&vec![7.0; 2 * dim * cache.capacity()]);
        match self {
            Self::Filled | Self::Narrow | Self::Int8 => cache.fill(keys_values),
            Self::Grown => {
                for (t, row) in keys_values.chunks_exact(2 * dim).enumerate() {
                    cache.reserve(t + 1);
                    cache.set(t, &row[..dim], &row[dim..]);
                }
            }
            Self::Copied => cache.copy_from(&Self::Grown.cache(keys_values, heads, head_dim, time), time),
        }
        cache
    }

    /// A number of those that a cache holds, as it is kept.
    fn kept(self, value: f32) -> f32 {
        match self {
            Self::Narrow => f16::from_f32(value).to_f32(),
            _ => value,
        }
    }

    fn tolerance(self) -> f32 {
        match self {
            // What eight bits lose; that the kernels lose no more is for the tests of the kernels.
            Self::Int8 => 3e-2,
            _ => 1e-5,
        }
    }
}

/// Times about the ends of vectors and of blocks.
fn times() -> impl Strategy<Value = usize> {
    // Miri is slow.
    match cfg!(miri) {
        true => (1usize..5).boxed(),
        false => prop_oneof![1usize..5, 14usize..18, 62usize..67, 126usize..131, 255usize..258].boxed(),
    }
}

/// Widths of heads about the ends of vectors and of what heads are padded to.
fn width() -> impl Strategy<Value = usize> {
    match cfg!(miri) {
        true => (1usize..5).boxed(),
        false => prop_oneof![1usize..20, 62usize..67, 127usize..131].boxed(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 8 } else { 128 }))]

    /// Queries that see as many times of one cache, which are attended to together, and such as do not.
    #[test]
    fn every_cache_equals_the_definition(
        kind in prop::sample::select(&KINDS[..]), time in times(), heads in 1usize..4, head_dim in width(),
        rows in 1usize..10, alike: bool, seed in 0u32..99,
    ) {
        let dim = heads * head_dim;
        let keys_values: Vec<f32> = values(time * 2 * dim, seed).iter().map(|x| 2.0 * x).collect();
        let queries: Vec<f32> = values(rows * dim, seed + 1).iter().map(|x| 4.0 * x).collect();
        let cache = kind.cache(&keys_values, heads, head_dim, time);
        let seen = |row: usize| if alike { time } else { 1 + (row * 31 + time / 2) % time };
        // A stride that is longer than the cache, as where another row's cache is longer.
        let stride = cache.capacity() + TIME_STEP;
        let (mut weights, mut out) = (vec![f32::NAN; rows * heads * stride], vec![f32::NAN; rows * dim]);
        attend_cached_into(&queries, |row| (&cache, seen(row)), heads, &mut weights, stride, &mut out);

        let kept: Vec<f32> = keys_values.iter().map(|&value| kind.kept(value)).collect();
        for row in 0..rows {
            for head in 0..heads {
                let part = |offset: usize| -> Vec<&[f32]> {
                    let cells = kept.chunks_exact(2 * dim).take(seen(row));
                    cells.map(|cells| &cells[offset + head * head_dim..][..head_dim]).collect()
                };
                let place = row * dim + head * head_dim..row * dim + (head + 1) * head_dim;
                let (keys, values, bias) = (part(0), part(dim), vec![0.0; seen(row)]);
                let query = &queries[place.clone()];
                let expected = attention(query, &keys, &values, &bias);
                for (out, expected) in out[place].iter().zip(&expected) {
                    prop_assert!((out - expected).abs() < kind.tolerance(), "{out} is not {expected}");
                }
                // The weights that are left behind make the same of values that tell one time from another.
                let weights = &weights[(row * heads + head) * stride..][..seen(row)];
                prop_assert!((weights.iter().sum::<f32>() - 1.0).abs() < 1e-5);
                let place = |time: usize| time as f32 / 64.0;
                let places: Vec<Vec<f32>> = (0..seen(row)).map(|time| vec![place(time); head_dim]).collect();
                let places: Vec<&[f32]> = places.iter().map(Vec::as_slice).collect();
                let expected = attention(query, &keys, &places, &bias)[0];
                let found: f32 = weights.iter().enumerate().map(|(time, weight)| weight * place(time)).sum();
                prop_assert!((found - expected).abs() < kind.tolerance());
            }
        }
    }
}

/// Room is made in blocks of 128 times: as many as are needed where a cache is filled, twice as many where it grows.
#[test]
fn caches_are_as_long_as_what_they_hold() {
    for new in [HeadCache::new, HeadCache::narrow, HeadCache::int8] {
        let mut cache = new(2, 1, 0);
        assert_eq!(cache.capacity(), 0);
        for (times, capacity) in [(1, 128), (300, 384), (128, 384), (1500, 1536)] {
            cache.fill(&values(times * 4, 1));
            assert_eq!(cache.capacity(), capacity, "{times}");
        }
    }
    let mut cache = HeadCache::new(2, 1, 128);
    for (times, capacity) in [(128, 128), (129, 256), (257, 512), (300, 512)] {
        cache.reserve(times);
        assert_eq!(cache.capacity(), capacity, "{times}");
    }
}

#[test]
fn queries_of_one_cache_give_the_same_bits_together_and_alone() {
    let shapes = [(1, 2, 64), (77, 1, 16), (300, 3, 80)];
    // Miri is slow.
    let shapes = if cfg!(miri) { &shapes[..1] } else { &shapes };
    for &(time, heads, head_dim) in shapes {
        let (rows, dim) = (7, heads * head_dim);
        let queries = values(rows * dim, 1);
        let mut cache = HeadCache::narrow(heads, head_dim, time);
        cache.fill(&values(time * 2 * dim, 2));
        let stride = cache.capacity();
        let attend = |queries: &[f32]| {
            let rows = queries.len() / dim;
            let (mut weights, mut out) = (vec![0.0; rows * heads * stride], vec![0.0; rows * dim]);
            attend_cached_into(queries, |_| (&cache, time), heads, &mut weights, stride, &mut out);
            (weights.chunks(stride).flat_map(|row| row[..time].to_vec()).collect::<Vec<_>>(), out)
        };
        let alone: Vec<_> = queries.chunks_exact(dim).map(attend).collect();
        let (weights, out) = attend(&queries);
        assert_eq!(weights, alone.iter().flat_map(|alone| alone.0.clone()).collect::<Vec<_>>());
        assert_eq!(out, alone.iter().flat_map(|alone| alone.1.clone()).collect::<Vec<_>>());
    }
}
