//! The layers that networks are made of, at the shapes of Whisper base and XLS-R-300M. Throughput is in multiply-adds.
//!
//! `AWAAZ_THREADS` sets the number of threads (default 2).

use std::hint::black_box;

use awaaz::compute::{
    Conv1d, GroupedConv1d, HeadCache, LayerNorm, Linear, Precision, RowLinear, RowMatrix, Threads,
    attend_cached_into, self_attention_into,
};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};

fn threads() -> Threads {
    let count = std::env::var("AWAAZ_THREADS").ok().and_then(|count| count.parse().ok()).unwrap_or(2);
    Threads::new(count).expect("threads start")
}

fn values(count: usize) -> Vec<f32> {
    let mut random = fastrand::Rng::with_seed(1);
    (0..count).map(|_| random.f32() - 0.5).collect()
}

/// Many rows: rows, inputs and outputs, as after 1 and 10 s of sound in XLS-R-300M and 30 s in Whisper base.
fn linear(criterion: &mut Criterion) {
    let threads = threads();
    for precision in Precision::ALL {
        let mut group = criterion.benchmark_group(format!("linear-{precision}"));
        for (rows, inputs, outputs) in [
            (8, 1024, 4096),
            (49, 1024, 3072),
            (49, 4096, 1024),
            (499, 1024, 1024),
            (499, 1024, 4096),
            (499, 4096, 1024),
            (1500, 512, 2048),
        ] {
            let layer = Linear::new(&values(inputs * outputs), Some(values(outputs)), inputs, precision);
            let (x, mut out) = (values(rows * inputs), vec![0.0; rows * outputs]);
            group.throughput(Throughput::Elements((rows * inputs * outputs) as u64));
            group.bench_function(BenchmarkId::from_parameter(format!("{rows}x{inputs}x{outputs}")), |b| {
                b.iter(|| threads.run(|| layer.forward_into(black_box(&x), &mut out)))
            });
        }
    }
}

/// One row and a few: a step of Whisper base's decoder.
fn rows(criterion: &mut Criterion) {
    let threads = threads();
    let (inputs, outputs) = (512, 2048);
    let weight = values(inputs * outputs);
    let half = weight.iter().map(|&x| half::f16::from_f32(x)).collect();
    let layers = [
        ("f32", RowMatrix::from_f32(weight.clone(), inputs)),
        ("f16", RowMatrix::from_f16(half, inputs)),
        ("int8", RowMatrix::int8(&weight, inputs)),
    ];
    for (name, matrix) in layers {
        let layer = RowLinear::new(matrix, values(outputs));
        let mut group = criterion.benchmark_group(format!("rows-{name}"));
        for rows in [1, 4, 8] {
            let (x, mut out) = (values(rows * inputs), vec![0.0; rows * outputs]);
            group.throughput(Throughput::Elements((rows * inputs * outputs) as u64));
            group.bench_function(BenchmarkId::from_parameter(rows), |b| {
                b.iter(|| threads.run(|| layer.forward_into(black_box(&x), &mut out)))
            });
        }
    }
}

/// Times, width and heads.
fn self_attention(criterion: &mut Criterion) {
    let threads = threads();
    for precision in [Precision::F32, Precision::Int8] {
        let mut group = criterion.benchmark_group(format!("self-attention-{precision}"));
        for (time, dim, heads) in [(49, 1024, 16), (499, 1024, 16), (1500, 512, 8)] {
            let (qkv, mut out) = (values(time * 3 * dim), vec![0.0; time * dim]);
            group.throughput(Throughput::Elements((2 * time * time * dim) as u64));
            group.bench_function(BenchmarkId::from_parameter(format!("{time}x{dim}")), |b| {
                b.iter(|| {
                    threads.run(|| {
                        self_attention_into(black_box(&qkv), heads, &[time], precision, None, &mut out)
                    })
                })
            });
        }
    }
}

/// One query over the 1500 times of 30 s, eight heads of 64, as in Whisper base's cross-attention.
fn cached_attention(criterion: &mut Criterion) {
    let (threads, heads, width, times) = (threads(), 8, 64, 1500);
    let dim = heads * width;
    let keys_values = values(times * 2 * dim);
    let mut group = criterion.benchmark_group("cached-attention");
    group.throughput(Throughput::Elements((2 * times * dim) as u64));
    for (name, mut cache) in
        [("f32", HeadCache::new(heads, width, times)), ("f16", HeadCache::narrow(heads, width, times))]
    {
        cache.fill(&keys_values);
        let (queries, mut out) = (values(dim), vec![0.0; dim]);
        let mut weights = vec![0.0; heads * cache.capacity()];
        let stride = cache.capacity();
        group.bench_function(name, |b| {
            b.iter(|| {
                threads.run(|| {
                    let target = |_| (&cache, times);
                    attend_cached_into(black_box(&queries), target, heads, &mut weights, stride, &mut out)
                })
            })
        });
    }
}

/// XLS-R-300M's positional convolution, and the second of wav2vec's seven; Whisper base's second.
fn convolutions(criterion: &mut Criterion) {
    let threads = threads();
    let mut group = criterion.benchmark_group("convolution");
    let (time, channels, groups, kernel) = (499, 1024, 16, 128);
    let weight = values(channels * channels / groups * kernel);
    let conv = GroupedConv1d::new(&weight, &values(channels), groups, kernel, kernel / 2, Precision::F32);
    let (x, mut out) = (values(time * channels), vec![0.0; time * channels]);
    group.throughput(Throughput::Elements((time * weight.len()) as u64));
    group.bench_function("positional-f32/10 s", |b| {
        b.iter(|| threads.run(|| conv.forward_gelu_into(black_box(&x), &mut out)))
    });
    for precision in [Precision::F32, Precision::Int8] {
        for (name, channels, stride, frames) in [("wav2vec", 512, 2, 3199), ("whisper", 512, 2, 3001)] {
            let weight = values(512 * channels * 3);
            let conv = Conv1d::new(&weight, Some(values(512)), channels, 3, stride, 0, precision);
            let (x, mut out) = (values(frames * channels), Vec::new());
            group.throughput(Throughput::Elements((conv.frames(frames) * weight.len()) as u64));
            group.bench_function(format!("{name}-{precision}"), |b| {
                b.iter(|| threads.run(|| conv.forward_gelu_into(black_box(&x), &mut out)))
            });
        }
    }
}

fn norm(criterion: &mut Criterion) {
    let (threads, dim) = (threads(), 1024);
    let layer = LayerNorm::new(values(dim), values(dim), 1e-5);
    let mut x = values(499 * dim);
    criterion.bench_function("layer-norm/499x1024", |b| {
        b.iter(|| threads.run(|| layer.in_place_parallel(black_box(&mut x))))
    });
}

criterion_group!(benches, linear, rows, self_attention, cached_attention, convolutions, norm);
criterion_main!(benches);
