//! Networks of the wav2vec 2.0 family compute what Hugging Face transformers computes.
//!
//! `tests/reference/wav2vec2.py` made the fixtures and says what they are.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use awaaz::compute::Precision;
use awaaz::models::wav2vec2::{
    Config, Standardise, StreamChunk, StreamOptions, Wav2Vec2, Wav2Vec2ForCtc,
    Wav2Vec2ForSequenceClassification, Wav2Vec2Stream, adapter_file, normalise, with_adapter,
};
use awaaz::weights::Checkpoint;
use candle_core::{Device, Tensor};

#[path = "support/assert_close.rs"]
mod assert_close;
use assert_close::assert_close;

/// Bound of the absolute error in f32.
const TOLERANCE: f32 = 2e-3;

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/wav2vec2").join(name)
}

/// The noise that the fixtures were made with.
fn sound() -> Vec<f32> {
    noise(5000)
}

fn noise(samples: usize) -> Vec<f32> {
    let mut state = 1u32;
    let noise = |_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (f64::from(state) / f64::from(1u32 << 31) - 1.0) as f32
    };
    (0..samples).map(noise).collect()
}

fn config(name: &str) -> Config {
    Config::read(&folder(name).join("config.json")).unwrap()
}

fn checkpoint(name: &str) -> Checkpoint {
    Checkpoint::open(&folder(name).join("model.safetensors")).unwrap()
}

fn values(tensor: &Tensor) -> Vec<f32> {
    tensor.flatten_all().unwrap().to_vec1().unwrap()
}

fn names() -> Vec<String> {
    let names = std::fs::read_dir(folder("")).unwrap().map(|entry| entry.unwrap().file_name());
    let names: Vec<String> = names.map(|name| name.into_string().unwrap()).collect();
    assert!(names.len() >= 14, "fixtures are missing: {names:?}");
    names
}

fn reference(name: &str) -> HashMap<String, Tensor> {
    candle_core::safetensors::load(folder(name).join("reference.safetensors"), &Device::Cpu).unwrap()
}

/// The sound of `wavlm-far` is so long that its frames are further apart than the network tells.
#[test]
fn every_hidden_state_and_the_logits_equal_those_of_transformers() {
    for name in &names() {
        let reference = reference(name);
        let sound = if name == "wavlm-far" { noise(270_000) } else { sound() };
        let network = Wav2Vec2::load(&checkpoint(name), config(name), Precision::F32).unwrap();
        let states = network.hidden_states(&sound).unwrap();
        assert_eq!(states.len(), network.config.num_hidden_layers + 1, "{name}");
        for (index, state) in states.iter().enumerate() {
            let what = format!("hidden.{index}");
            assert_eq!(state.dims(), reference[&what].dims(), "{name}");
            assert_close(&format!("{name}, {what}"), &values(state), &values(&reference[&what]), TOLERANCE);
        }
        let Some(expected) = reference.get("logits") else { continue };
        let logits = match checkpoint(name).contains("lm_head.weight") {
            true => {
                let network = Wav2Vec2ForCtc::load(&checkpoint(name), config(name), Precision::F32).unwrap();
                values(&network.logits(&[&sound]).unwrap()[0])
            }
            false => {
                let checkpoint = checkpoint(name);
                let network =
                    Wav2Vec2ForSequenceClassification::load(&checkpoint, config(name), Precision::F32)
                        .unwrap();
                network.logits(&sound).unwrap()
            }
        };
        assert_close(&format!("{name}, logits"), &logits, &values(expected), TOLERANCE);
    }
}

/// There the shorter ones are padded and masked, here they are not.
#[test]
fn a_batch_equals_a_padded_batch_of_transformers() {
    let reference = reference("xls-r");
    let network = Wav2Vec2ForCtc::load(&checkpoint("xls-r"), config("xls-r"), Precision::F32).unwrap();
    let sound = sound();
    let logits = network.logits(&[&sound[..4000], &sound[1000..2000], &sound]).unwrap();
    assert_eq!(logits.len(), 3);
    for (index, logits) in logits.iter().enumerate() {
        let expected = &reference[&format!("batch.{index}")];
        assert_eq!(logits.dims(), expected.dims());
        assert_close(&format!("sound {index}"), &values(logits), &values(expected), TOLERANCE);
    }
}

#[test]
fn logits_of_sounds_together_are_as_if_alone() {
    let sound = sound();
    let sounds = [&sound[..4000], &sound[1000..2000], &sound[..]];
    for name in names().iter().filter(|name| checkpoint(name).contains("lm_head.weight")) {
        let network = Wav2Vec2ForCtc::load(&checkpoint(name), config(name), Precision::F32).unwrap();
        let together = network.logits(&sounds).unwrap();
        for (sound, together) in sounds.iter().zip(&together) {
            let alone = network.logits(&[sound]).unwrap().remove(0);
            assert_eq!(alone.dims(), together.dims(), "{name}");
            assert_close(name, &values(together), &values(&alone), 1e-5);
        }
    }
}

/// The files of the two languages, in safetensors and of PyTorch, have alphabets of 31 and 19 letters; `config.json` has 24.
#[test]
fn adapters_make_a_network_one_for_their_language() {
    let folder = folder("").with_file_name("mms-adapters");
    let open = |path: &Path| Checkpoint::open(path).unwrap();
    let reference =
        candle_core::safetensors::load(folder.join("reference.safetensors"), &Device::Cpu).unwrap();
    for language in ["hin", "tam"] {
        let adapter = open(&adapter_file(&folder, language).unwrap());
        let checkpoint = with_adapter(open(&folder.join("model.safetensors")), adapter).unwrap();
        let config = Config::read(&folder.join("config.json")).unwrap();
        let network = Wav2Vec2ForCtc::load(&checkpoint, config, Precision::F32).unwrap();
        let logits = network.logits(&[&sound()]).unwrap().remove(0);
        let expected = &reference[&format!("logits.{language}")];
        assert_eq!(logits.dims(), expected.dims(), "{language}");
        assert_eq!(network.encoder.config.vocab_size, expected.dims()[1], "{language}");
        assert_close(&format!("mms-adapters, {language}"), &values(&logits), &values(expected), TOLERANCE);
    }
}

/// The adapter of another network would fit none of the layers; its file is the one to look at.
#[test]
fn a_misshapen_adapter_is_named() {
    let folder = folder("").with_file_name("mms-adapters");
    let open = |path: &Path| Checkpoint::open(path).unwrap();
    let adapter = open(&adapter_file(&folder, "tam").unwrap());
    let checkpoint = with_adapter(open(&folder.join("model.safetensors")), adapter).unwrap();
    let wrong = Config { adapter_attn_dim: Some(7), ..Config::read(&folder.join("config.json")).unwrap() };
    let error = Wav2Vec2ForCtc::load(&checkpoint, wrong, Precision::F32).err().unwrap().to_string();
    assert!(error.contains("adapter.tam.bin: tensor wav2vec2.encoder.layers.0.adapter_layer.lin"), "{error}");
}

#[test]
fn int8_stays_near() {
    let states = |precision| {
        let network = Wav2Vec2::load(&checkpoint("xls-r"), config("xls-r"), precision).unwrap();
        values(&network.encode(&[&sound()]).unwrap()[0])
    };
    let (exact, int8) = (states(Precision::F32), states(Precision::Int8));
    let dot =
        |a: &[f32], b: &[f32]| std::iter::zip(a, b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum::<f64>();
    let cosine = dot(&exact, &int8) / (dot(&exact, &exact) * dot(&int8, &int8)).sqrt();
    println!("cosine {cosine}");
    assert!(cosine > 0.999 && exact != int8, "cosine {cosine}");
}

#[test]
fn a_missing_or_misshapen_tensor_is_named() {
    let wrong = Config { num_hidden_layers: 3, ..config("xls-r") };
    let error = Wav2Vec2::load(&checkpoint("xls-r"), wrong, Precision::F32).err().unwrap().to_string();
    assert!(error.contains("encoder.layers.2."), "{error}");
    let wrong = Config { intermediate_size: 50, ..config("xls-r") };
    let error = Wav2Vec2::load(&checkpoint("xls-r"), wrong, Precision::F32).err().unwrap().to_string();
    assert!(error.contains("intermediate_dense.weight") && error.contains("[48, 32]"), "{error}");
}

#[test]
fn sound_shorter_than_a_frame_is_refused() {
    let network = Wav2Vec2::load(&checkpoint("xls-r"), config("xls-r"), Precision::F32).unwrap();
    assert!(network.encode(&[&[0.0; 399]]).unwrap_err().to_string().contains("400 is the least"));
    assert_eq!(network.encode(&[&[0.0; 400]]).unwrap()[0].dims(), [1, 32]);
}

#[test]
fn normalised_sound_has_mean_0_and_variance_1() {
    let sound: Vec<f32> = sound().iter().map(|x| 0.1 * x + 3.0).collect();
    let normal = normalise(&sound);
    let mean = normal.iter().sum::<f32>() / normal.len() as f32;
    let variance = normal.iter().map(|x| (x - mean).powi(2)).sum::<f32>() / normal.len() as f32;
    assert!(mean.abs() < 1e-4 && (variance - 1.0).abs() < 1e-3, "mean {mean}, variance {variance}");
}

#[test]
fn sounds_encoded_together_are_as_if_alone() {
    for name in &names() {
        let network = Wav2Vec2::load(&checkpoint(name), config(name), Precision::F32).unwrap();
        let sound = sound();
        let sounds = [&sound[..4000], &sound[1000..2000], &sound[..]];
        let together = network.encode(&sounds).unwrap();
        assert_eq!(together.len(), sounds.len());
        for (sound, together) in sounds.iter().zip(&together) {
            let alone = network.encode(&[sound]).unwrap().remove(0);
            assert_eq!(alone.dims(), together.dims(), "{name}");
            assert_close(name, &values(together), &values(&alone), 1e-5);
        }
        assert!(network.encode(&[]).unwrap().is_empty());
    }
}

#[test]
fn any_layer_can_be_had_alone() {
    let network = Wav2Vec2::load(&checkpoint("xls-r"), config("xls-r"), Precision::F32).unwrap();
    let states = network.hidden_states(&sound()).unwrap();
    for (layer, state) in states.iter().enumerate() {
        let alone = network.hidden_state(&[&sound()], layer).unwrap().remove(0);
        assert_close(&format!("layer {layer}"), &values(&alone), &values(state), 1e-6);
    }
    let error = network.hidden_state(&[&sound()], states.len()).unwrap_err().to_string();
    assert!(error.contains("there is no layer"), "{error}");
}

/// Noise that grows louder and falls silent, as speech does.
fn long_sound() -> Vec<f32> {
    let loudness = |i: usize| 0.5 + 0.4 * (i as f32 / 5000.0).sin();
    sound().iter().cycle().take(40_000).enumerate().map(|(i, x)| x * loudness(i)).collect()
}

fn stream_in_blocks(network: &Wav2Vec2, options: StreamOptions, sound: &[f32], block: usize) -> Vec<f32> {
    let mut stream = Wav2Vec2Stream::new(network, options).unwrap();
    let mut states = Vec::new();
    for block in sound.chunks(block) {
        let take = |chunk: StreamChunk| {
            assert_eq!(chunk.ahead.dims()[0], options.look_ahead);
            states.extend(values(&chunk.states));
            Ok(())
        };
        stream.push(network, block, take).unwrap();
    }
    states.extend(stream.flush(network).unwrap().iter().flat_map(values));
    states
}

#[test]
fn a_stream_that_hears_all_equals_the_whole() {
    let network = Wav2Vec2::load(&checkpoint("xls-r"), config("xls-r"), Precision::F32).unwrap();
    let sound = long_sound();
    let options = StreamOptions { left: 1000, chunk: 1000, look_ahead: 0, standardise: Standardise::No };
    let whole = values(&network.encode(&[&sound]).unwrap()[0]);
    assert_close("stream", &stream_in_blocks(&network, options, &sound, 777), &whole, 1e-4);
}

#[test]
fn blocks_do_not_change_a_stream() {
    let options = StreamOptions { left: 20, chunk: 10, look_ahead: 5, standardise: Standardise::Yes };
    for name in ["xls-r", "wav2vec2-base", "wavlm-base"] {
        let network = Wav2Vec2::load(&checkpoint(name), config(name), Precision::F32).unwrap();
        let sound = long_sound();
        let expected = stream_in_blocks(&network, options, &sound, sound.len());
        assert_eq!(expected.len() / network.config.hidden_size, network.config.frames(sound.len()), "{name}");
        for block in [1, 160, 1601, 7000] {
            let found = stream_in_blocks(&network, options, &sound, block);
            assert_close(&format!("{name}, blocks of {block}"), &found, &expected, 1e-5);
        }
    }
}

#[test]
fn a_stream_begins_anew_after_its_end() {
    let network = Wav2Vec2::load(&checkpoint("xls-r"), config("xls-r"), Precision::F32).unwrap();
    let options = StreamOptions { left: 20, chunk: 10, look_ahead: 5, standardise: Standardise::Yes };
    let mut stream = Wav2Vec2Stream::new(&network, options).unwrap();
    let mut hear = |sound: &[f32]| {
        let mut states = Vec::new();
        let take = |chunk: StreamChunk| {
            states.extend(values(&chunk.states));
            Ok(())
        };
        stream.push(&network, sound, take).unwrap();
        states.extend(stream.flush(&network).unwrap().iter().flat_map(values));
        states
    };
    let first = hear(&long_sound());
    assert!(hear(&[0.0; 100]).is_empty());
    assert_eq!(hear(&long_sound()), first);
}
