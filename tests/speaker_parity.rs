//! Speaker encoders compute what their authors' code computes.
//!
//! The fixtures in `tests/fixtures/speaker` were made by `ge2e.py`, `ecapa.py` and `xvector.py` of `tests/reference`, which say
//! what they are. The network
//! GE2E with its own weights is heard where `awaaz models pull ge2e` put them on this machine; else that is skipped.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use awaaz::audio::{AudioInput, AudioStream, DecodeOptions};
use awaaz::compute::Precision;
use awaaz::dsp::{Fbank, FbankWindow};
use awaaz::models::speaker::{Ecapa, SpeakerEncoder, XVector, load_speaker_encoder};
use awaaz::weights::{Checkpoint, ModelFiles, PullOptions, Registry, find};
use candle_core::{Device, Tensor};

#[path = "support/assert_close.rs"]
mod assert_close;
use assert_close::assert_close;

/// Bound of the absolute error in f32, of vectors of length 1 and of those that leave a network with values up to 16.
const TOLERANCE: f32 = 1e-4;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn fixture(name: &str) -> PathBuf {
    root().join("tests/fixtures/speaker").join(name)
}

fn reference(name: &str) -> HashMap<String, Tensor> {
    candle_core::safetensors::load(fixture(name), &Device::Cpu).unwrap()
}

fn values(tensor: &Tensor) -> Vec<f32> {
    tensor.flatten_all().unwrap().to_vec1().unwrap()
}

fn load(path: &Path, precision: Precision) -> Box<dyn SpeakerEncoder> {
    load_speaker_encoder(&ModelFiles::at(path).unwrap(), precision).unwrap()
}

/// The noise that the fixtures were made with, over and over.
fn noise(samples: usize) -> Vec<f32> {
    let mut state = 1u32;
    let noise = |_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (f64::from(state) / f64::from(1u32 << 31) - 1.0) as f32
    };
    let once: Vec<f32> = (0..5000).map(noise).collect();
    once.into_iter().cycle().take(samples).collect()
}

fn clip(name: &str) -> Vec<f32> {
    let path = root().join("audio-fixtures").join(name).join("audio.flac");
    let mut stream = AudioStream::open(AudioInput::File(path), &DecodeOptions::default()).unwrap();
    let (mut samples, mut block) = (Vec::new(), Vec::new());
    while stream.read(&mut block).unwrap() > 0 {
        samples.extend_from_slice(&block);
    }
    samples
}

fn cosine(a: &[f32], b: &[f32]) -> f32 {
    std::iter::zip(a, b).map(|(a, b)| a * b).sum()
}

/// GE2E with the weights that Resemblyzer carries.
fn ge2e(precision: Precision) -> Option<Box<dyn SpeakerEncoder>> {
    let entry = Registry::builtin().find("ge2e").unwrap();
    let Some(files) = find(entry, &PullOptions::from_env().unwrap()) else {
        println!("skipped: ge2e is not on this machine; `awaaz models pull ge2e` gets it");
        return None;
    };
    Some(load_speaker_encoder(&files, precision).unwrap())
}

#[test]
fn ge2e_hears_clips_as_resemblyzer_does() {
    let Some(encoder) = ge2e(Precision::F32) else { return };
    assert_eq!((encoder.width(), encoder.shortest()), (256, 25_600));
    for (name, expected) in reference("ge2e/reference.safetensors") {
        let (clip_name, part) = name.split_once('.').unwrap_or((&name, "whole"));
        let mut samples = clip(clip_name);
        match part {
            "short" => samples.truncate(16_000),
            "quiet" => samples.iter_mut().for_each(|x| *x *= 0.01),
            _ => {}
        }
        assert_close(&name, &encoder.embed(&samples).unwrap(), &values(&expected), TOLERANCE);
    }
}

#[test]
fn ge2e_in_int8_is_close_to_itself() {
    let (Some(exact), Some(int8)) = (ge2e(Precision::F32), ge2e(Precision::Int8)) else { return };
    let samples = clip("librivox-0870");
    let cosine = cosine(&exact.embed(&samples).unwrap(), &int8.embed(&samples).unwrap());
    println!("cosine {cosine}");
    assert!(cosine > 0.999, "{cosine}");
}

#[test]
fn small_ge2e_networks_of_any_size_equal_resemblyzer() {
    let encoder = load(&fixture("ge2e/small.pt"), Precision::F32);
    assert_eq!(encoder.width(), 10);
    for (samples, expected) in reference("ge2e/small.safetensors") {
        let sound = noise(samples.parse().unwrap());
        let vector = encoder.embed(&sound).unwrap();
        assert_close(&samples, &vector, &values(&expected), TOLERANCE);
        assert!((cosine(&vector, &vector) - 1.0).abs() < 1e-5);
    }
    assert!(encoder.embed(&[]).is_err());
    assert!(encoder.embed(&[0.0; 1000]).unwrap().iter().all(|x| x.is_finite()));
}

#[test]
fn what_is_no_speaker_encoder_is_told() {
    let files = ModelFiles::at(&root().join("tests/fixtures/cpc/two-layers.pt")).unwrap();
    let error = load_speaker_encoder(&files, Precision::F32).err().unwrap().to_string();
    assert!(error.contains("two-layers.pt: is no speaker encoder"), "{error}");
}

#[test]
fn ecapa_of_both_layouts_equals_pytorch() {
    for name in ["speechbrain.ckpt", "tao.pt"] {
        let path = fixture("ecapa").join(name);
        let network = Ecapa::load(&Checkpoint::open(&path).unwrap()).unwrap();
        assert_eq!((network.width(), network.shortest()), (12, 800), "{name}");
        let vectors = reference(&format!("ecapa/{}.safetensors", name.split_once('.').unwrap().0));
        for (samples, expected) in vectors {
            let sound: Vec<f32> = noise(samples.parse().unwrap()).iter().map(|x| 0.1 * x).collect();
            let vector = network.vector(&sound).unwrap();
            assert_close(&format!("{name}, {samples}"), &vector, &values(&expected), TOLERANCE);
        }
        let encoder = load(&path, Precision::F32);
        let short = encoder.embed(&noise(100)).unwrap();
        assert!((cosine(&short, &short) - 1.0).abs() < 1e-5, "{name}");
        assert!(encoder.embed(&[]).is_err(), "{name}");
        assert!(encoder.embed(&[0.0; 3000]).unwrap().iter().all(|x| x.is_finite()), "{name}");
    }
}

#[test]
fn x_vectors_equal_those_of_transformers() {
    for name in ["wavlm", "wav2vec2-weighted"] {
        let folder = fixture("xvector").join(name);
        let files = ModelFiles::at(&folder).unwrap();
        let checkpoint = Checkpoint::open(&files.weights).unwrap();
        let network = XVector::load(&checkpoint, &files, Precision::F32).unwrap();
        for (samples, expected) in reference(&format!("xvector/{name}/reference.safetensors")) {
            let vector = network.vector(&noise(samples.parse().unwrap())).unwrap();
            assert_close(&format!("{name}, {samples}"), &vector, &values(&expected), TOLERANCE);
        }
        let encoder = load(&folder, Precision::F32);
        assert_eq!((encoder.width(), encoder.shortest()), (9, 400 + 15 * 320), "{name}");
        let short = encoder.embed(&noise(100)).unwrap();
        assert!((cosine(&short, &short) - 1.0).abs() < 1e-5, "{name}");
    }
}

#[test]
fn filter_banks_equal_those_of_kaldi() {
    for (name, expected) in reference("ecapa/fbank.safetensors") {
        let (window, scale) = name.split_once('.').unwrap();
        let window = if window == "povey" { FbankWindow::Povey } else { FbankWindow::Hamming };
        let scale: f32 = scale.parse().unwrap();
        let sound: Vec<f32> = noise(4000).iter().map(|x| 0.1 * x * scale).collect();
        let found = Fbank::new(80, window).log_energies(&sound);
        assert_close(&name, &found, &values(&expected), 1e-3);
    }
}
