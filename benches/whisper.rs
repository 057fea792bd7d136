//! Whisper, part by part: features, encoder, keys and values, decoding.
//!
//! Needs the base model in the cache (`awaaz models pull base`); without it, says so and measures features only.
//! `AWAAZ_THREADS` sets the number of threads (default 2).

use std::hint::black_box;
use std::sync::Arc;

use awaaz::compute::{Precision, Threads};
use awaaz::dsp::LogMel;
use awaaz::models::whisper::{Config, Input, Whisper, Workspace};
use awaaz::weights::{Checkpoint, PullOptions, Registry, find};
use candle_core::{Device, Tensor};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

/// Seconds of the longest chunk.
const SECONDS: usize = 30;
/// Tokens of a text of common length, after which a step is measured.
const TEXT: usize = 50;

fn sound() -> Vec<f32> {
    (0..SECONDS * 16_000).map(|i| (i as f32 * i as f32 * 1e-6).sin() * 0.3).collect()
}

fn threads() -> Threads {
    let count = std::env::var("AWAAZ_THREADS").ok().and_then(|count| count.parse().ok()).unwrap_or(2);
    Threads::new(count).expect("threads start")
}

fn base(precision: Precision) -> Option<Whisper> {
    let files = find(Registry::builtin().find("base").ok()?, &PullOptions::from_env().ok()?)?;
    let checkpoint = Checkpoint::open(&files.weights).ok()?;
    let config = Config::read(&checkpoint, files.config.as_deref()).ok()?;
    Whisper::load(&checkpoint, config, precision).ok()
}

fn features(criterion: &mut Criterion) {
    let plan = LogMel::new(80);
    let sound = sound();
    criterion
        .bench_function("log-mel/30 s", |b| b.iter(|| plan.spectrogram(black_box(&sound), 100 * SECONDS)));
}

fn network(criterion: &mut Criterion) {
    for precision in Precision::ALL {
        network_in(precision, criterion);
    }
}

fn network_in(precision: Precision, criterion: &mut Criterion) {
    let Some(model) = base(precision) else {
        println!("skipped: the base model is not in the cache (awaaz models pull base)");
        return;
    };
    let threads = threads();
    let frames = 100 * SECONDS;
    let log_mel = Tensor::from_vec(model.log_mel.spectrogram(&sound(), frames), (frames, 80), &Device::Cpu)
        .expect("features have this shape");
    let mut group = criterion.benchmark_group(format!("whisper-base-{precision}"));
    group.sample_size(10);
    for seconds in [2, 10, 30] {
        let part = log_mel.narrow(0, 0, 100 * seconds).expect("frames are there");
        group.bench_function(format!("encoder/{seconds} s"), |b| {
            b.iter(|| threads.run(|| model.encoder.forward(black_box(&part)).expect("encodes")));
        });
    }
    let encoding = threads.run(|| model.encoder.forward(&log_mel)).expect("encodes");
    group.bench_function("cross-attention cache/30 s", |b| {
        b.iter(|| threads.run(|| model.decoder.cross_cache(black_box(&encoding)).expect("fits")));
    });
    let cross = Arc::new(threads.run(|| model.decoder.cross_cache(&encoding)).expect("fits"));
    for batch in [1, 4, 8] {
        let mut states: Vec<_> = (0..batch).map(|_| model.decoder.state(Arc::clone(&cross))).collect();
        let mut workspace = Workspace::default();
        let prompt: Vec<Input> = (0..batch)
            .flat_map(|state| (0..TEXT).map(move |_| Input { state, token: 440, wanted: false }))
            .collect();
        let step: Vec<Input> = (0..batch).map(|state| Input { state, token: 440, wanted: true }).collect();
        group.throughput(Throughput::Elements(batch as u64));
        group.bench_function(format!("decode step/{batch} sequences"), |b| {
            b.iter_batched(
                || (),
                |()| {
                    if states[0].length() + 1 >= states[0].capacity() || states[0].length() == 0 {
                        states.iter_mut().for_each(|state| state.restart(Arc::clone(&cross)));
                        threads
                            .run(|| model.decoder.forward(&mut states, &prompt, &mut workspace, |_, _| {}));
                    }
                    threads.run(|| model.decoder.forward(&mut states, &step, &mut workspace, |_, _| {}));
                },
                criterion::BatchSize::SmallInput,
            );
        });
    }
    group.finish();
}

criterion_group!(benches, features, network);
criterion_main!(benches);
