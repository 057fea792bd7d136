//! The flow decoder computes what F5-TTS's architecture computes in PyTorch, with the noise that it is given.
//!
//! `tests/reference/flow.py` made the fixtures and says what they are.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use awaaz::models::flow::{Condition, Config, Filler, FlowDecoder, Hint, Options, Rotary, sample};
use awaaz::weights::Checkpoint;
use candle_core::{Device, Tensor};

#[path = "support/assert_close.rs"]
mod assert_close;
use assert_close::assert_close;

/// Bound of the absolute error in f32, of values up to about 4.
const TOLERANCE: f32 = 3e-5;
/// Of what became of noise in five steps, where errors add up.
const SAMPLE_TOLERANCE: f32 = 2e-4;

const NETWORKS: [(&str, Rotary, Filler); 3] = [
    ("first-head", Rotary::First, Filler::Kept),
    ("all-heads", Rotary::All, Filler::Masked),
    ("speaker", Rotary::First, Filler::Kept),
];

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/flow").join(name)
}

fn decoder((name, rotary, filler): (&str, Rotary, Filler)) -> FlowDecoder {
    let checkpoint = Checkpoint::open(&fixture(&format!("{name}.safetensors"))).unwrap();
    FlowDecoder::load(&checkpoint, rotary, filler, &Device::Cpu).unwrap()
}

fn reference(name: &str) -> HashMap<String, Tensor> {
    candle_core::safetensors::load(fixture(&format!("{name}-reference.safetensors")), &Device::Cpu).unwrap()
}

fn values(tensor: &Tensor) -> Vec<f32> {
    tensor.flatten_all().unwrap().to_vec1().unwrap()
}

fn condition(reference: &HashMap<String, Tensor>) -> Condition {
    let time = reference["noise"].dim(1).unwrap();
    let units: Vec<u32> = values(&reference["units"]).iter().map(|&unit| unit as u32).collect();
    let condition = Condition::of_one(&values(&reference["known"]), 10, &units, time, &Device::Cpu).unwrap();
    match reference.get("speaker") {
        Some(speaker) => condition.with_speaker(&values(speaker)).unwrap(),
        None => condition,
    }
}

#[test]
fn sizes_are_those_of_the_tensors() {
    let config = decoder(NETWORKS[2]).config;
    let expected = Config {
        width: 32,
        depth: 2,
        heads: 4,
        head_width: 8,
        widening: 2,
        mels: 10,
        units: 12,
        unit_width: 16,
        unit_blocks: 2,
        rotary: Rotary::First,
        filler: Filler::Kept,
        speaker: 6,
    };
    assert_eq!(config, expected);
}

#[test]
fn velocities_equal_those_of_pytorch() {
    for network in NETWORKS {
        let (decoder, reference) = (decoder(network), reference(network.0));
        let condition = condition(&reference);
        let time = Tensor::new(&[0.3f32], &Device::Cpu).unwrap();
        for (what, hint) in [("told", Hint::All), ("untold", Hint::Nothing)] {
            let found = decoder.velocity(&reference["noise"], &time, &condition, hint).unwrap();
            assert_close(
                &format!("{}, {what}", network.0),
                &values(&found),
                &values(&reference[what]),
                TOLERANCE,
            );
        }
    }
}

#[test]
fn noise_becomes_what_it_becomes_in_pytorch() {
    for network in NETWORKS {
        let reference = reference(network.0);
        let options = Options { steps: 5, guidance: 2.0, sway: -1.0 };
        let found = sample(&decoder(network), &condition(&reference), &reference["noise"], &options).unwrap();
        assert_close(network.0, &values(&found), &values(&reference["sample"]), SAMPLE_TOLERANCE);
    }
}

/// Without guidance the network is asked once a step, and gives the same as with a guidance of almost none.
#[test]
fn guidance_of_nothing_is_none() {
    let reference = reference("first-head");
    let (decoder, condition) = (decoder(NETWORKS[0]), condition(&reference));
    let of = |guidance| {
        let options = Options { steps: 2, guidance, sway: 0.0 };
        values(&sample(&decoder, &condition, &reference["noise"], &options).unwrap())
    };
    assert_close("guidance", &of(0.0), &of(1e-4), 1e-2);
    assert_ne!(of(0.0), of(2.0));
}

#[test]
fn sounds_together_are_as_each_alone() {
    let reference = reference("speaker");
    let (decoder, one) = (decoder(NETWORKS[2]), condition(&reference));
    let twice = |tensor: &Tensor| Tensor::cat(&[tensor, tensor], 0).unwrap();
    let both = Condition {
        known: twice(&one.known),
        units: twice(&one.units),
        speaker: one.speaker.as_ref().map(twice),
    };
    let noise = twice(&reference["noise"]);
    let time = Tensor::new(&[0.3f32, 0.3], &Device::Cpu).unwrap();
    let found = decoder.velocity(&noise, &time, &both, Hint::All).unwrap();
    let expected = values(&reference["told"]);
    assert_close("both", &values(&found), &[expected.clone(), expected].concat(), TOLERANCE);
}

#[test]
fn what_does_not_fit_is_told_of() {
    let open = |path: &Path| {
        let checkpoint = Checkpoint::open(path).unwrap();
        FlowDecoder::load(&checkpoint, Rotary::First, Filler::Kept, &Device::Cpu).err().unwrap().to_string()
    };
    let told = open(&fixture("speaker-reference.safetensors"));
    assert!(told.contains("input_embed.proj.bias"), "{told}");
    let told = Condition::of_one(&[0.0; 20], 10, &[], 1, &Device::Cpu).unwrap_err().to_string();
    assert!(told.contains("leaves none to be found"), "{told}");
    let none = Options { steps: 0, ..Options::default() };
    let reference = reference("first-head");
    assert!(sample(&decoder(NETWORKS[0]), &condition(&reference), &reference["noise"], &none).is_err());
}
