//! Log-mel frames for vocoders equal those of librosa's filters and PyTorch's transforms.
//!
//! `tests/reference/vocoder_mel.py` made the fixture.

use std::path::Path;

use awaaz::dsp::{MelShape, VocoderMel};
use candle_core::Device;

#[path = "support/assert_close.rs"]
mod assert_close;
use assert_close::assert_close;

#[test]
fn frames_equal_those_of_the_authors() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/vocoder-mel.safetensors");
    let tensors = candle_core::safetensors::load(path, &Device::Cpu).unwrap();
    let values = |name: &str| -> Vec<f32> { tensors[name].flatten_all().unwrap().to_vec1().unwrap() };
    let sound = values("sound");
    // Of logarithms of sums of hundreds of bins.
    let cases = [
        ("ez-vc", VocoderMel::hifi_gan(MelShape::EZ_VC)),
        ("bigvgan-24k", VocoderMel::hifi_gan(MelShape::BIGVGAN_24K)),
        ("s3prl", VocoderMel::s3prl(MelShape::S3PRL)),
    ];
    for (name, plan) in cases {
        assert_close(name, &plan.frames(&sound), &values(name), 2e-3);
    }
}
