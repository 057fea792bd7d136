//! Time per frame (32 ms of audio) of the voice activity network, and per second of the segmenter.

use std::hint::black_box;

use awaaz::vad::{FRAME_SAMPLES, Segmenter, SegmenterOptions, SileroVad};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

fn vad(criterion: &mut Criterion) {
    let second: Vec<f32> = (0..16_000).map(|n| 0.2 * (n as f32 * 0.05).sin()).collect();

    let mut vad = SileroVad::new().expect("built-in weights");
    let frame = second.first_chunk::<FRAME_SAMPLES>().expect("a second is longer than a frame");
    criterion.bench_function("silero frame", |bencher| bencher.iter(|| vad.process(black_box(frame))));

    let mut segmenter = Segmenter::new(&SegmenterOptions::default()).expect("defaults are in range");
    let mut segments = Vec::new();
    let mut group = criterion.benchmark_group("segmenter");
    group.throughput(Throughput::Elements(second.len() as u64));
    group.bench_function("one second", |bencher| {
        bencher.iter(|| {
            segments.clear();
            segmenter.push(black_box(&second), &mut segments);
        });
    });
}

criterion_group!(benches, vad);
criterion_main!(benches);
