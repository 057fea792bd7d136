//! How fast audio is resampled and decoded: `cargo bench --bench audio`. Throughput is in input samples.

use std::hint::black_box;
use std::path::Path;
use std::time::Duration;

use awaaz::audio::{AudioInput, AudioStream, DecodeOptions, Resampler};
use awaaz::time::SampleRate;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

/// Ten seconds of a chirp, in the blocks that a decoder gives.
fn resample(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("resample");
    for rate in [8_000, 22_050, 44_100, 48_000, 96_000] {
        let input: Vec<f32> = (0..rate * 10).map(|n| (n as f32 * n as f32 * 1e-6).sin()).collect();
        group.throughput(Throughput::Elements(input.len() as u64));
        group.bench_function(format!("{rate} Hz"), |bencher| {
            let mut resampler = Resampler::new(SampleRate(rate)).unwrap();
            let mut out = Vec::with_capacity(160_000);
            bencher.iter(|| {
                out.clear();
                input.chunks(1152).for_each(|block| resampler.push(block, &mut out));
                resampler.flush(&mut out);
                black_box(&out);
            });
        });
    }
    group.finish();
}

/// The one-second clip of each format, opened, decoded, mixed and resampled.
fn decode(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("decode");
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("audio-fixtures/formats");
    for name in [
        "reference.flac",
        "stereo-44k.mp3",
        "stereo-44k.m4a",
        "stereo-48k.ogg",
        "stereo-48k.opus",
        "voice-note.opus",
    ] {
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                let input = AudioInput::File(folder.join(name));
                AudioStream::open(input, &DecodeOptions::default()).unwrap().read_all().unwrap()
            });
        });
    }
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default().measurement_time(Duration::from_secs(2)).warm_up_time(Duration::from_millis(500)).sample_size(10);
    targets = resample, decode
}
criterion_main!(benches);
