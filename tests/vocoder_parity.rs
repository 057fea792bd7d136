//! Generators of HiFi-GAN and BigVGAN compute what the authors' architectures compute in PyTorch, whole and as a stream.
//!
//! `tests/reference/vocoder.py` made the fixtures and says what they are.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use awaaz::compute::Threads;
use awaaz::models::vocoder::{Config, Generator, Stream};
use awaaz::weights::Checkpoint;
use candle_core::{Device, Tensor};
use proptest::prelude::*;

#[path = "support/assert_close.rs"]
mod assert_close;
use assert_close::assert_close;

/// Bound of the absolute error in f32, of samples up to 1.
const TOLERANCE: f32 = 1e-5;

/// Names, and the extensions of the files of weights.
const NETWORKS: [(&str, &str); 4] =
    [("hifigan", "safetensors"), ("hifigan-2", "safetensors"), ("snakebeta", "safetensors"), ("snake", "pt")];

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/vocoder").join(name)
}

fn generator((name, extension): (&str, &str)) -> Generator {
    let config = Config::read(&fixture(&format!("{name}.json"))).unwrap();
    Generator::load(&Checkpoint::open(&fixture(&format!("{name}.{extension}"))).unwrap(), config).unwrap()
}

fn reference(name: &str) -> HashMap<String, Vec<f32>> {
    let path = fixture(&format!("{name}-reference.safetensors"));
    let tensors = candle_core::safetensors::load(path, &Device::Cpu).unwrap();
    let values = |tensor: Tensor| tensor.flatten_all().unwrap().to_vec1().unwrap();
    tensors.into_iter().map(|(name, tensor)| (name, values(tensor))).collect()
}

#[test]
fn sound_equals_that_of_pytorch() {
    for network in NETWORKS {
        let reference = reference(network.0);
        let found = generator(network).forward(&reference["mel"]);
        assert_close(network.0, &found, &reference["sound"], TOLERANCE);
    }
}

#[test]
fn threads_do_not_matter() {
    for network in NETWORKS {
        let (generator, mel) = (generator(network), reference(network.0).remove("mel").unwrap());
        let sound = |threads| Threads::new(threads).unwrap().run(|| generator.forward(&mel));
        assert_eq!(sound(1), sound(3), "{}", network.0);
    }
}

/// The look-ahead is what is missing after many frames, neither more nor less.
#[test]
fn streams_are_behind_by_the_look_ahead() {
    for network in NETWORKS {
        let generator = generator(network);
        let (mels, frames) = (generator.config.mels, 200);
        let mut stream = Stream::new(&generator);
        let complete = stream.push(&generator, &vec![0.1; frames * mels]).len();
        assert_eq!(complete + generator.look_ahead(), frames * generator.config.hop(), "{}", network.0);
        assert!(generator.look_ahead() > 0);
    }
}

fn streamed(generator: &Generator, mel: &[f32], sizes: &[usize]) -> Vec<f32> {
    let mut stream = Stream::new(generator);
    let (mut sound, mut rest, mut sizes) = (Vec::new(), mel, sizes.iter().cycle());
    while !rest.is_empty() {
        let size = (sizes.next().unwrap() * generator.config.mels).min(rest.len());
        sound.extend(stream.push(generator, &rest[..size]));
        rest = &rest[size..];
    }
    sound.extend(stream.finish(generator));
    // A stream that has ended begins another sound.
    assert_eq!(stream.push(generator, mel), Stream::new(generator).push(generator, mel));
    sound
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn pieces_give_what_the_whole_gives(
        network in 0usize..4,
        frames in 1usize..40,
        sizes in proptest::collection::vec(0usize..9, 1..5),
    ) {
        prop_assume!(sizes.iter().any(|&size| size > 0));
        let generator = generator(NETWORKS[network]);
        let mut mel = reference(NETWORKS[network].0).remove("mel").unwrap();
        mel.resize(frames * generator.config.mels, 0.3);
        let (whole, pieces) = (generator.forward(&mel), streamed(&generator, &mel, &sizes));
        prop_assert_eq!(whole.len(), pieces.len());
        prop_assert!(whole.iter().zip(&pieces).all(|(a, b)| (a - b).abs() < TOLERANCE));
    }
}

#[test]
fn nothing_gives_no_sound() {
    for network in NETWORKS {
        assert!(generator(network).forward(&[]).is_empty(), "{}", network.0);
    }
}

#[test]
fn what_does_not_fit_is_told_of() {
    let config = Config::read(&fixture("snakebeta.json")).unwrap();
    let load = |file: &str, config: Config| {
        Generator::load(&Checkpoint::open(&fixture(file)).unwrap(), config).err().unwrap().to_string()
    };
    let told = load("hifigan.safetensors", config.clone());
    assert!(told.contains("ups.0.0"), "{told}");
    let told = load("hifigan-reference.safetensors", config.clone());
    assert!(told.contains("conv_pre.bias"), "{told}");
    let told = load("snakebeta.safetensors", Config { mels: 11, ..config });
    assert!(told.contains("conv_pre") && told.contains("11"), "{told}");
}
