//! Synthesisers of S3PRL-VC compute what the authors' architectures compute in PyTorch.
//!
//! `tests/reference/synthesiser.py` made the fixtures and says what they are.

use std::path::{Path, PathBuf};

use awaaz::models::synthesiser::{Config, Decoding, Dropout, EncoderKind, Join, Speaker, Synthesiser};
use awaaz::weights::Checkpoint;
use candle_core::{Device, Tensor};

#[path = "support/assert_close.rs"]
mod assert_close;
use assert_close::assert_close;

const TOLERANCE: f32 = 1e-5;

const NETWORKS: [&str; 4] = ["simple", "simple-speaker", "simple-ar", "taco2-ar"];

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/synthesiser").join(name)
}

fn checkpoint(name: &str) -> Checkpoint {
    Checkpoint::open(&fixture(&format!("{name}.safetensors"))).unwrap()
}

fn run(name: &str, dropout: Dropout) -> (Vec<f32>, Vec<f32>) {
    let path = fixture(&format!("{name}-reference.safetensors"));
    let reference = candle_core::safetensors::load(path, &Device::Cpu).unwrap();
    let network = Synthesiser::load(&checkpoint(name), &Device::Cpu).unwrap();
    let found = network.forward(&reference["features"], reference.get("speaker"), dropout).unwrap();
    let values = |tensor: &Tensor| tensor.flatten_all().unwrap().to_vec1().unwrap();
    (values(&found), values(&reference["frames"]))
}

#[test]
fn frames_equal_those_of_pytorch() {
    for name in NETWORKS {
        let (found, expected) = run(name, Dropout::None);
        assert_close(name, &found, &expected, TOLERANCE);
    }
}

#[test]
fn tensors_tell_what_a_network_is() {
    let config = |name| Config::of(&checkpoint(name)).unwrap();
    assert_eq!(config("simple"), Config::simple(7, 5, 12, 0));
    assert_eq!(config("simple-speaker"), Config::simple(7, 5, 12, 6));
    let added = Some(Speaker { width: 12, join: Join::Added });
    let decoding = Decoding::Autoregressive { prenet: vec![] };
    assert_eq!(config("simple-ar"), Config { decoding, speaker: added, ..Config::simple(7, 5, 12, 0) });
    let found = config("taco2-ar");
    assert_eq!(found.encoder, EncoderKind::Tacotron { channels: 10, convolutions: 3, kernel: 5 });
    assert_eq!(found.decoding, Decoding::Autoregressive { prenet: vec![8, 6] });
}

/// Dropout changes what is told of the frame before, the same with the same seed, and nothing where none is told.
#[test]
fn dropout_comes_again_with_its_seed() {
    let of = |name, dropout| run(name, dropout).0;
    assert_eq!(of("simple", Dropout::Half(1)), of("simple", Dropout::None));
    for name in ["simple-ar", "taco2-ar"] {
        let drawn = of(name, Dropout::Half(1));
        assert_eq!(drawn, of(name, Dropout::Half(1)), "{name}");
        assert_ne!(drawn, of(name, Dropout::Half(2)), "{name}");
        assert_ne!(drawn, of(name, Dropout::None), "{name}");
    }
}

#[test]
fn other_files_are_told_of() {
    let file = checkpoint("simple-reference");
    let error = Synthesiser::load(&file, &Device::Cpu).err().unwrap().to_string();
    assert!(error.contains("proj.bias: missing"), "{error}");
}
