//! Networks computed by candle's operations, as on a graphics card, give what Hugging Face transformers gives. The device is
//! the processor here, so that the tests run anywhere; with the feature `cuda` and a card they run there too.

use std::path::{Path, PathBuf};

use awaaz::compute::{CandleTarget, Precision, Target};
use awaaz::dsp::LogMel;
use awaaz::models::wav2vec2::{Config, Standardise, StreamOptions, Wav2Vec2, Wav2Vec2ForCtc, Wav2Vec2Stream};
use awaaz::models::whisper::{self, Whisper};
use awaaz::weights::Checkpoint;
use candle_core::{DType, Device, Tensor};

#[path = "support/assert_close.rs"]
mod assert_close;
use assert_close::assert_close;

/// Bound of the absolute error in f32.
const TOLERANCE: f32 = 2e-3;

fn devices() -> Vec<Device> {
    #[cfg(feature = "cuda")]
    match awaaz::compute::Target::open(awaaz::compute::Place::Cuda(0), Precision::F32) {
        Ok(Target::Candle(target)) => return vec![Device::Cpu, target.device],
        Ok(Target::Processor(_)) => unreachable!("a card was asked for"),
        Err(error) => println!("skipped on a card: {error}"),
    }
    vec![Device::Cpu]
}

fn on(device: &Device, dtype: DType) -> Target {
    Target::Candle(CandleTarget { device: device.clone(), dtype })
}

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

fn names() -> Vec<String> {
    let names = std::fs::read_dir(folder("wav2vec2")).unwrap().map(|entry| entry.unwrap().file_name());
    names.map(|name| name.into_string().unwrap()).collect()
}

fn network(name: &str, target: impl Into<Target>) -> Wav2Vec2 {
    let folder = folder("wav2vec2").join(name);
    let checkpoint = Checkpoint::open(&folder.join("model.safetensors")).unwrap();
    Wav2Vec2::load(&checkpoint, Config::read(&folder.join("config.json")).unwrap(), target).unwrap()
}

fn noise(samples: usize) -> Vec<f32> {
    let mut state = 1u32;
    let noise = |_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (f64::from(state) / f64::from(1u32 << 31) - 1.0) as f32
    };
    (0..samples).map(noise).collect()
}

fn values(tensor: &Tensor) -> Vec<f32> {
    tensor.flatten_all().unwrap().to_vec1().unwrap()
}

#[test]
fn every_hidden_state_equals_that_of_transformers() {
    for device in devices() {
        for name in names() {
            let path = folder("wav2vec2").join(&name).join("reference.safetensors");
            let reference = candle_core::safetensors::load(path, &Device::Cpu).unwrap();
            // The sound of `wavlm-far` is so long that its frames are further apart than the network tells.
            let sound = noise(if name == "wavlm-far" { 270_000 } else { 5000 });
            let states = network(&name, on(&device, DType::F32)).hidden_states(&sound).unwrap();
            for (index, state) in states.iter().enumerate() {
                let expected = &reference[&format!("hidden.{index}")];
                assert_eq!(state.dims(), expected.dims(), "{name}");
                assert_close(
                    &format!("{name}, hidden.{index}"),
                    &values(state),
                    &values(expected),
                    TOLERANCE,
                );
            }
        }
    }
}

#[test]
fn sounds_of_different_lengths_are_what_they_are_alone() {
    let sound = noise(9000);
    let sounds: [&[f32]; 3] = [&sound[..5000], &sound, &sound[4000..5000]];
    for device in devices() {
        for name in names() {
            let network = network(&name, on(&device, DType::F32));
            for layer in [0, network.config.num_hidden_layers] {
                for (together, sound) in network.hidden_state(&sounds, layer).unwrap().iter().zip(sounds) {
                    let alone = network.hidden_state(&[sound], layer).unwrap().remove(0);
                    assert_eq!(together.dims(), alone.dims(), "{name}");
                    assert_close(&format!("{name}, layer {layer}"), &values(together), &values(&alone), 1e-4);
                }
            }
        }
    }
}

#[test]
fn half_the_bits_stay_near_the_whole() {
    for device in devices() {
        for (dtype, least) in [(DType::BF16, 0.999), (DType::F16, 0.9999)] {
            for name in names() {
                let whole = network(&name, Precision::F32).encode(&[&noise(5000)]).unwrap().remove(0);
                let narrow = network(&name, on(&device, dtype)).encode(&[&noise(5000)]).unwrap().remove(0);
                let cosine = cosine(&values(&whole), &values(&narrow));
                assert!(cosine > least, "{name} in {dtype:?}: {cosine}");
            }
        }
    }
}

fn cosine(a: &[f32], b: &[f32]) -> f64 {
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum::<f64>();
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
}

#[test]
fn whispers_encoder_equals_the_one_of_the_processor() {
    for name in ["mels80", "mels128"] {
        let load = |target: Target| {
            let folder = folder("whisper").join(name);
            let checkpoint = Checkpoint::open(&folder.join("model.safetensors")).unwrap();
            let config = whisper::Config::read(&checkpoint, Some(&folder.join("config.json"))).unwrap();
            Whisper::load(&checkpoint, config, target).unwrap()
        };
        let packed = load(Precision::F32.into());
        let frames = 300;
        let spectrogram = LogMel::new(packed.config.mels).spectrogram(&noise(48_000), frames);
        let log_mel = Tensor::from_vec(spectrogram, (frames, packed.config.mels), &Device::Cpu).unwrap();
        for device in devices() {
            let network = load(on(&device, DType::F32));
            for layer in 0..=packed.config.encoder_layers {
                let expected = packed.encoder.hidden_state(&log_mel, layer).unwrap();
                let found = network.encoder.hidden_state(&log_mel, layer).unwrap();
                assert_eq!(found.dims(), expected.dims());
                assert_close(
                    &format!("{name}, layer {layer}"),
                    &values(&found),
                    &values(&expected),
                    TOLERANCE,
                );
            }
            assert!(network.encoder.hidden_state(&log_mel, packed.config.encoder_layers + 1).is_err());
        }
    }
}

#[test]
fn logits_are_made_of_states_from_a_device() {
    let folder = folder("wav2vec2").join("xls-r");
    let checkpoint = Checkpoint::open(&folder.join("model.safetensors")).unwrap();
    if !checkpoint.contains("lm_head.weight") {
        panic!("the fixture has no CTC head");
    }
    let load = |target: Target| {
        Wav2Vec2ForCtc::load(&checkpoint, Config::read(&folder.join("config.json")).unwrap(), target).unwrap()
    };
    let sound = noise(5000);
    let logits = |network: &Wav2Vec2ForCtc| values(&network.logits(&[&sound]).unwrap()[0]);
    let expected = logits(&load(Precision::F32.into()));
    assert_close("logits", &logits(&load(on(&Device::Cpu, DType::F32))), &expected, TOLERANCE);
}

#[test]
fn streams_of_a_device_are_refused() {
    let options = StreamOptions { left: 20, chunk: 10, look_ahead: 5, standardise: Standardise::Yes };
    let network = network("xls-r", on(&Device::Cpu, DType::F32));
    let error = Wav2Vec2Stream::new(&network, options).err().unwrap().to_string();
    assert!(error.contains("on the processor alone"), "{error}");
}
