//! The Whisper network computes what Hugging Face transformers computes.
//!
//! `tests/fixtures/whisper/README.md` says what the fixtures are and how they were made.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use awaaz::audio::{AudioInput, AudioStream, DecodeOptions};
use awaaz::compute::Precision;
use awaaz::dsp::LogMel;
use awaaz::models::whisper::{Config, CrossCache, Input, Whisper, Workspace};
use awaaz::weights::{Checkpoint, PullOptions, Registry, find};
use candle_core::{Device, Tensor};

#[path = "support/assert_close.rs"]
mod assert_close;
use assert_close::assert_close;

/// Bound of the absolute error in f32.
const TOLERANCE: f32 = 2e-3;
/// Bound for the trained network's logits, which reach 69, where cross-attention reads keys and values in f16.
const NARROW_TOLERANCE: f32 = 1e-2;

fn fixture(folder: &str, file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/whisper").join(folder).join(file)
}

/// The input that the fixtures' README defines.
fn signal(samples: usize) -> Vec<f32> {
    let mut state = 1u32;
    (0..samples)
        .map(|n| {
            let t = n as f64 / 16_000.0;
            let tau = std::f64::consts::TAU;
            let phase = tau * (120.0 * t + 4.0 * (tau * 0.5 * t).sin());
            let voice: f64 = (1..=12).map(|k| (f64::from(k) * phase).sin() / f64::from(k)).sum();
            let loudness = 0.5 - 0.5 * (tau * 1.5 * t).cos();
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let noise = f64::from(state) / f64::from(1u32 << 31) - 1.0;
            (0.15 * loudness * voice + 0.01 * noise) as f32
        })
        .collect()
}

/// Stored tensors, by name.
struct Reference(std::collections::HashMap<String, Tensor>);

impl Reference {
    fn load(folder: &str) -> Self {
        Self::read(&fixture(folder, "reference.safetensors"))
    }

    fn read(path: &Path) -> Self {
        Self(candle_core::safetensors::load(path, &Device::Cpu).unwrap())
    }

    fn values(&self, name: &str) -> Vec<f32> {
        self.0[name].flatten_all().unwrap().to_vec1().unwrap()
    }

    fn indices(&self, name: &str) -> Vec<u32> {
        self.0[name].flatten_all().unwrap().to_vec1().unwrap()
    }

    /// Compares the frames of `found`, `[frames, width]`, that were stored.
    fn assert_frames(&self, name: &str, found: &[f32], width: usize) {
        let frames = self.indices(&format!("{name}_frames"));
        assert!(!frames.is_empty());
        let listed: Vec<f32> =
            frames.iter().flat_map(|&f| &found[f as usize * width..][..width]).copied().collect();
        assert_close(name, &listed, &self.values(name), TOLERANCE);
    }
}

fn load(folder: &str, file: &str) -> Whisper {
    let checkpoint = Checkpoint::open(&fixture(folder, file)).unwrap();
    let config = Config::read(&checkpoint, Some(&fixture(folder, "config.json"))).unwrap();
    Whisper::load(&checkpoint, config, Precision::F32).unwrap()
}

/// Logits and cross-attention weights `[layers, heads, tokens, frames]` of `tokens` given at once.
fn decode(model: &Whisper, log_mel: &Tensor, tokens: &[u32]) -> (Vec<f32>, Vec<f32>) {
    let encoding = model.encoder.forward(log_mel).unwrap();
    decode_with(model, model.decoder.cross_cache(&encoding).unwrap(), tokens)
}

fn decode_with(model: &Whisper, cross: CrossCache, tokens: &[u32]) -> (Vec<f32>, Vec<f32>) {
    let cross = Arc::new(cross);
    let frames = cross.frames();
    let mut states = [model.decoder.state(cross)];
    let inputs: Vec<Input> = tokens.iter().map(|&token| Input { state: 0, token, wanted: true }).collect();
    let mut workspace = Workspace::default();
    let mut attention = Vec::new();
    model.decoder.forward(&mut states, &inputs, &mut workspace, |_, weights| {
        for head in 0..model.config.decoder_heads {
            for row in 0..tokens.len() {
                attention.extend_from_slice(&weights.row(row, head)[..frames]);
            }
        }
    });
    (workspace.logits(tokens.len(), model.config.vocabulary).to_vec(), attention)
}

fn features(mels: usize, samples: &[f32], frames: usize) -> Tensor {
    let values = LogMel::new(mels).spectrogram(samples, frames);
    Tensor::from_vec(values, (frames, mels), &Device::Cpu).unwrap()
}

fn flat(tensor: &Tensor) -> Vec<f32> {
    tensor.flatten_all().unwrap().to_vec1().unwrap()
}

fn every_output_agrees(folder: &str, mels: usize, seconds: usize) {
    let reference = Reference::load(folder);
    let model = load(folder, "model.safetensors");
    assert_eq!(model.config.mels, mels);
    let tokens = reference.indices("tokens");
    for (case, seconds) in [("short", 3), ("full", seconds)] {
        let log_mel = features(mels, &signal(seconds * 16_000), seconds * 100);
        reference.assert_frames(&format!("{case}.log_mel"), &flat(&log_mel), mels);
        let encoding = flat(&model.encoder.forward(&log_mel).unwrap());
        reference.assert_frames(&format!("{case}.encoding"), &encoding, model.config.dim);
        let (logits, attention) = decode(&model, &log_mel, &tokens);
        let name = format!("{case}.logits");
        assert_close(&name, &logits, &reference.values(&name), TOLERANCE);
        if case == "short" {
            let name = "short.cross_attention";
            assert_close(name, &attention, &reference.values(name), TOLERANCE);
        }
    }
}

#[test]
fn eighty_mels_agree_with_transformers() {
    every_output_agrees("mels80", 80, 30);
}

#[test]
fn one_hundred_and_twenty_eight_mels_and_uneven_layers_agree_with_transformers() {
    every_output_agrees("mels128", 128, 8);
}

#[test]
fn ctranslate2_files_hold_the_same_network() {
    let reference = Reference::load("mels128");
    let tokens = reference.indices("tokens");
    let log_mel = features(128, &signal(3 * 16_000), 300);
    for (file, name) in [("model-f16.bin", "short.logits"), ("model-int8.bin", "int8.short.logits")] {
        let (logits, _) = decode(&load("mels128", file), &log_mel, &tokens);
        assert_close(file, &logits, &reference.values(name), TOLERANCE);
    }
}

#[test]
fn the_trained_base_model_agrees_with_transformers() {
    let files = find(Registry::builtin().find("base").unwrap(), &PullOptions::from_env().unwrap());
    let Some(files) = files else {
        println!("skipped: the base model is not in the cache (awaaz models pull base)");
        return;
    };
    let checkpoint = Checkpoint::open(&files.weights).unwrap();
    let model = Whisper::load(&checkpoint, Config::read(&checkpoint, None).unwrap(), Precision::F32).unwrap();
    let reference = Reference::read(&fixture("", "base.safetensors"));
    let clip = Path::new(env!("CARGO_MANIFEST_DIR")).join("audio-fixtures/librivox-0870/audio.flac");
    let samples =
        AudioStream::open(AudioInput::File(clip), &DecodeOptions::default()).unwrap().read_all().unwrap();
    for (case, frames) in [("short", 2 * samples.len().div_ceil(320)), ("full", 3000)] {
        let log_mel = features(80, &samples, frames);
        let encoding = flat(&model.encoder.forward(&log_mel).unwrap());
        reference.assert_frames(&format!("{case}.encoding"), &encoding, 512);
        let tokens = reference.indices(&format!("{case}.tokens"));
        let given = &tokens[..tokens.len() - 1];
        let mut narrow = model.decoder.narrow_cross_cache();
        model.decoder.fill_cross_cache(&model.encoder.forward(&log_mel).unwrap(), &mut narrow).unwrap();
        let (exact, _) = decode(&model, &log_mel, given);
        let (logits, _) = decode_with(&model, narrow, given);
        let top = reference.indices(&format!("{case}.top_tokens"));
        let count = top.len() / given.len();
        let name = format!("{case}.top_logits");
        for (logits, tolerance) in [(&exact, TOLERANCE), (&logits, NARROW_TOLERANCE)] {
            let found: Vec<f32> = std::iter::zip(logits.chunks(model.config.vocabulary), top.chunks(count))
                .flat_map(|(row, top)| top.iter().map(|&token| row[token as usize]))
                .collect();
            assert_close(&name, &found, &reference.values(&name), tolerance);
        }
        // What is likeliest after each given token is the next one, from the end of the prompt on.
        for (row, &next) in logits.chunks(model.config.vocabulary).zip(&tokens[1..]).skip(3) {
            let best = (0..row.len()).max_by(|&a, &b| row[a].total_cmp(&row[b]));
            assert_eq!(best, Some(next as usize));
        }
    }
}

#[test]
fn tokens_one_by_one_give_the_same_bits_as_tokens_at_once() {
    let model = load("mels80", "model.safetensors");
    let tokens = Reference::load("mels80").indices("tokens");
    let log_mel = features(80, &signal(3 * 16_000), 300);
    let (at_once, _) = decode(&model, &log_mel, &tokens);
    let encoding = model.encoder.forward(&log_mel).unwrap();
    let mut states = [model.decoder.state(Arc::new(model.decoder.cross_cache(&encoding).unwrap()))];
    let mut workspace = Workspace::default();
    for (&token, expected) in tokens.iter().zip(at_once.chunks(model.config.vocabulary)) {
        let input = Input { state: 0, token, wanted: true };
        model.decoder.forward(&mut states, &[input], &mut workspace, |_, _| {});
        assert_eq!(workspace.logits(1, model.config.vocabulary), expected);
    }
}
