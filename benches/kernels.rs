//! The layers that networks are made of, at the shapes of Whisper base, XLS-R-300M, CPC, GE2E, HiFi-GAN and BigVGAN.
//! Throughput is in multiply-adds, or in numbers where there are none.
//!
//! `AWAAZ_THREADS` sets the number of threads (default 2).

use std::hint::black_box;

use awaaz::compute::{
    AddBias, Conv1d, DilatedConv1d, GroupedConv1d, HalfBand, HeadCache, LayerNorm, Linear, Lstm, Margin,
    Nearest, Precision, QueryAt, RowLinear, RowMatrix, Snake, Threads, TransposedConv1d, attend_cached_into,
    gelu_in_place, log_softmax, self_attention_into,
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

/// What is fused with a product: the feed-forward part of Whisper base's encoder, 30 s.
fn fused(criterion: &mut Criterion) {
    let (threads, rows, width, hidden) = (threads(), 1500, 512, 2048);
    let norm = LayerNorm::new(values(width), values(width), 1e-5);
    for precision in Precision::ALL {
        let layer = |inputs: usize, outputs: usize| {
            Linear::new(&values(inputs * outputs), Some(values(outputs)), inputs, precision)
        };
        let (fc1, fc2) = (layer(width, hidden), layer(hidden, width));
        let (mut x, mut between) = (values(rows * width), vec![0.0; rows * hidden]);
        let mut group = criterion.benchmark_group(format!("fused-{precision}"));
        group.throughput(Throughput::Elements((rows * width * hidden) as u64));
        group.bench_function("norm, product, GELU", |b| {
            b.iter(|| threads.run(|| fc1.forward_normed_gelu_into(&norm, black_box(&x), &mut between)))
        });
        group.bench_function("product, residual", |b| {
            b.iter(|| threads.run(|| fc2.forward_add_into(black_box(&between), &mut x)))
        });
    }
}

/// One row and a few: a step of Whisper base's decoder, and its logits.
fn rows(criterion: &mut Criterion) {
    let threads = threads();
    for (part, inputs, outputs) in [("rows", 512, 2048), ("logits", 512, 51_865)] {
        let weight = values(inputs * outputs);
        let half = weight.iter().map(|&x| half::f16::from_f32(x)).collect();
        let layers = [
            ("f32", RowMatrix::from_f32(weight.clone(), inputs)),
            ("f16", RowMatrix::from_f16(half, inputs)),
            ("int8", RowMatrix::int8(&weight, inputs)),
        ];
        for (name, matrix) in layers {
            let layer = RowLinear::new(matrix, values(outputs));
            let mut group = criterion.benchmark_group(format!("{part}-{name}"));
            for rows in [1, 4, 8] {
                let (x, mut out) = (values(rows * inputs), vec![0.0; rows * outputs]);
                group.throughput(Throughput::Elements((rows * inputs * outputs) as u64));
                group.bench_function(BenchmarkId::from_parameter(rows), |b| {
                    b.iter(|| threads.run(|| layer.forward_into(black_box(&x), &mut out)))
                });
            }
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

/// WavLM's bias by distance on 10 s; ten sounds of 1 s, each by itself.
fn other_attention(criterion: &mut Criterion) {
    let (threads, dim, heads, time) = (threads(), 1024, 16, 499);
    let bias = values(heads * (2 * time - 1));
    let by_distance = |head: usize, at: QueryAt, scores: &mut [f32]| {
        let bias = &bias[head * (2 * time - 1) + time - 1 - at.query..][..scores.len()];
        scores.iter_mut().zip(bias).for_each(|(score, bias)| *score += bias);
    };
    let biased: Option<&AddBias> = Some(&by_distance);
    for precision in [Precision::F32, Precision::Int8] {
        let mut group = criterion.benchmark_group(format!("other-attention-{precision}"));
        for (name, lengths, add_bias) in [("bias", vec![time], biased), ("ten sounds", vec![49; 10], None)] {
            let rows: usize = lengths.iter().sum();
            let (qkv, mut out) = (values(rows * 3 * dim), vec![0.0; rows * dim]);
            let products: usize = lengths.iter().map(|time| 2 * time * time * dim).sum();
            group.throughput(Throughput::Elements(products as u64));
            group.bench_function(name, |b| {
                b.iter(|| {
                    threads.run(|| {
                        self_attention_into(black_box(&qkv), heads, &lengths, precision, add_bias, &mut out)
                    })
                })
            });
        }
    }
}

/// Queries over the 1500 times of 30 s, eight heads of 64, as in Whisper base's cross-attention: a token, and four of a
/// draft.
fn cached_attention(criterion: &mut Criterion) {
    let (threads, heads, width, times) = (threads(), 8, 64, 1500);
    let dim = heads * width;
    let keys_values = values(times * 2 * dim);
    let mut group = criterion.benchmark_group("cached-attention");
    for (name, mut cache) in [
        ("f32", HeadCache::new(heads, width, times)),
        ("f16", HeadCache::narrow(heads, width, times)),
        ("int8", HeadCache::int8(heads, width, times)),
    ] {
        cache.fill(&keys_values);
        let stride = cache.capacity();
        for rows in [1, 4] {
            let (queries, mut out) = (values(rows * dim), vec![0.0; rows * dim]);
            let mut weights = vec![0.0; rows * heads * stride];
            group.throughput(Throughput::Elements((2 * rows * times * dim) as u64));
            group.bench_function(format!("{name}/{rows}"), |b| {
                b.iter(|| {
                    threads.run(|| {
                        let target = |_| (&cache, times);
                        attend_cached_into(black_box(&queries), target, heads, &mut weights, stride, &mut out)
                    })
                })
            });
        }
        group.throughput(Throughput::Elements(keys_values.len() as u64));
        group.bench_function(format!("{name}/fill"), |b| {
            b.iter(|| threads.run(|| cache.fill(black_box(&keys_values))))
        });
    }
}

/// XLS-R-300M's positional convolution, and the first and second of wav2vec's seven; both of Whisper base.
fn convolutions(criterion: &mut Criterion) {
    let threads = threads();
    let mut group = criterion.benchmark_group("convolution");
    let (time, channels, groups, kernel) = (499, 1024, 16, 128);
    let weight = values(channels * channels / groups * kernel);
    let (x, mut out) = (values(time * channels), vec![0.0; time * channels]);
    for precision in [Precision::F32, Precision::Bf16] {
        let conv = GroupedConv1d::new(&weight, &values(channels), groups, kernel, kernel / 2, precision);
        group.throughput(Throughput::Elements((time * weight.len()) as u64));
        group.bench_function(format!("positional-{precision}/10 s"), |b| {
            b.iter(|| threads.run(|| conv.forward_gelu_into(black_box(&x), &mut out)))
        });
    }
    for precision in [Precision::F32, Precision::Int8] {
        for (name, channels, kernel, stride, frames) in [
            ("wav2vec first", 1, 10, 5, 16_000),
            ("wav2vec", 512, 3, 2, 3199),
            ("whisper first", 80, 3, 1, 3002),
            ("whisper", 512, 3, 2, 3001),
        ] {
            let weight = values(512 * channels * kernel);
            let conv = Conv1d::new(&weight, Some(values(512)), channels, kernel, stride, 0, precision);
            let (x, mut out) = (values(frames * channels), Vec::new());
            group.throughput(Throughput::Elements((conv.frames(frames) * weight.len()) as u64));
            group.bench_function(format!("{name}-{precision}"), |b| {
                b.iter(|| threads.run(|| conv.forward_gelu_into(black_box(&x), &mut out)))
            });
        }
    }
}

/// A second of HiFi-GAN V1 at 22.05 kHz: the first stage's transposed convolution and the widest of its residual blocks.
fn vocoder_convolutions(criterion: &mut Criterion) {
    let (threads, frames) = (threads(), 86);
    let mut group = criterion.benchmark_group("vocoder");
    let (channels, outputs, kernel, rate) = (512, 256, 16, 8);
    let up = TransposedConv1d::new(&values(channels * outputs * kernel), &values(outputs), kernel, rate);
    let (x, mut out) = (values((frames + up.window() - 1) * channels), Vec::new());
    group.throughput(Throughput::Elements((frames * channels * outputs * kernel) as u64));
    group.bench_function("transposed 512 to 256", |b| {
        b.iter(|| threads.run(|| up.forward_into(black_box(&x), &mut out)))
    });
    let frames = frames * rate;
    for (kernel, dilation) in [(3, 1), (11, 5)] {
        let weight = values(outputs * outputs * kernel);
        let conv = DilatedConv1d::new(&weight, values(outputs), outputs, kernel, dilation, Margin::Zeros);
        let x = values(frames * outputs);
        group.throughput(Throughput::Elements((frames * weight.len()) as u64));
        group.bench_function(format!("256 channels, kernel {kernel}, dilation {dilation}"), |b| {
            b.iter(|| threads.run(|| conv.forward(black_box(&x))))
        });
    }
}

/// A second of CPC's frames, and the 1.6 s that GE2E hears at once.
fn lstm(criterion: &mut Criterion) {
    let threads = threads();
    let mut group = criterion.benchmark_group("lstm");
    for (name, inputs, width, frames) in [("cpc", 256, 256, 100), ("ge2e", 40, 256, 160)] {
        let input = Linear::new(&values(4 * width * inputs), Some(values(4 * width)), inputs, Precision::F32);
        let layer = Lstm::new(input, RowMatrix::from_f32(values(4 * width * width), width));
        let x = values(frames * inputs);
        let (mut state, mut gates, mut out) = (layer.state(), Vec::new(), Vec::new());
        group.throughput(Throughput::Elements((frames * 4 * width * (inputs + width)) as u64));
        group.bench_function(name, |b| {
            b.iter(|| threads.run(|| layer.forward_into(black_box(&x), &mut state, &mut gates, &mut out)))
        });
    }
}

/// BigVGAN's activation on 0.1 s at 22.05 kHz and its parts: the rate doubled, the snake, and the rate halved.
fn snake(criterion: &mut Criterion) {
    let (threads, channels, frames) = (threads(), 256, 700);
    let (filter, snake) = (HalfBand::new(), Snake::new(values(channels), &vec![0.7; channels]));
    let x = values(frames * channels);
    let mut group = criterion.benchmark_group("anti-aliased");
    group.throughput(Throughput::Elements(x.len() as u64));
    let (mut doubled, mut halved) = (Vec::new(), Vec::new());
    group.bench_function("double", |b| {
        b.iter(|| {
            doubled.clear();
            threads.run(|| filter.double(black_box(&x), channels, &mut doubled));
        })
    });
    group.bench_function("snake", |b| b.iter(|| threads.run(|| snake.in_place(black_box(&mut doubled)))));
    group.bench_function("halve", |b| {
        b.iter(|| {
            halved.clear();
            threads.run(|| filter.halve(black_box(&doubled), channels, &mut halved));
        })
    });
}

/// Norms and functions of single numbers: of 10 s in XLS-R-300M, of 30 s in Whisper base, of a row of its logits.
fn rows_alone(criterion: &mut Criterion) {
    let (threads, dim) = (threads(), 1024);
    let layer = LayerNorm::new(values(dim), values(dim), 1e-5);
    let mut x = values(499 * dim);
    criterion.bench_function("layer-norm/499x1024", |b| {
        b.iter(|| threads.run(|| layer.in_place_parallel(black_box(&mut x))))
    });
    let hidden = values(1500 * 2048);
    criterion.bench_function("gelu/1500x2048", |b| {
        b.iter_batched_ref(
            || hidden.clone(),
            |hidden| threads.run(|| gelu_in_place(black_box(hidden))),
            criterion::BatchSize::LargeInput,
        )
    });
    let mut logits = values(51_865);
    criterion.bench_function("log-softmax/51865", |b| b.iter(|| log_softmax(black_box(&mut logits))));
}

/// The units of 10 s: 1024 values a frame, 500 points.
fn nearest(criterion: &mut Criterion) {
    let (threads, width) = (threads(), 1024);
    let (points, frames) = (Nearest::new(&values(500 * width), width), values(499 * width));
    let mut group = criterion.benchmark_group("nearest");
    group.throughput(Throughput::Elements((499 * 500 * width) as u64));
    group.bench_function("499 of 500x1024", |b| b.iter(|| threads.run(|| points.of(black_box(&frames)))));
}

criterion_group!(
    benches,
    linear,
    fused,
    rows,
    self_attention,
    other_attention,
    cached_attention,
    convolutions,
    vocoder_convolutions,
    lstm,
    snake,
    rows_alone,
    nearest
);
criterion_main!(benches);
