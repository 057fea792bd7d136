//! Speaker encoders that WeSpeaker and 3D-Speaker export give the vectors that PyTorch gives.
//!
//! The fixtures in `tests/fixtures/onnx-speakers` were made by `tests/reference/onnx_speakers.py`. What needs ONNX Runtime is
//! skipped, with a message, where `ORT_DYLIB_PATH` names none (`make test` fetches it).

#![cfg(feature = "ort")]

use std::path::{Path, PathBuf};

use awaaz::compute::{Place, Precision};
use awaaz::models::backend::Backend;
use awaaz::models::encoder::load_encoder;
use awaaz::models::onnx::OnnxOptions;
use awaaz::models::speaker::{SpeakerEncoder, is_speaker_encoder, load_speaker_encoder};
use awaaz::weights::ModelFiles;
use candle_core::Device;

#[path = "support/assert_close.rs"]
mod assert_close;
use assert_close::assert_close;

/// Bound of the absolute error, of vectors of length 1: filter banks are those of Kaldi within 1e-3. With the other window a
/// vector is 0.03 away at least.
const TOLERANCE: f32 = 2e-3;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

fn opened(path: &Path) -> Option<(ModelFiles, Backend)> {
    if std::env::var_os("ORT_DYLIB_PATH").is_none_or(|path| path.is_empty()) {
        println!("skipped: ORT_DYLIB_PATH names no ONNX Runtime");
        return None;
    }
    let files = ModelFiles::at(path).unwrap();
    let options = OnnxOptions { threads: 1, ..OnnxOptions::default() };
    let backend = Backend::open(&files, Place::Processor, Precision::F32, &options).unwrap();
    Some((files, backend))
}

fn encoder(name: &str) -> Option<Box<dyn SpeakerEncoder>> {
    let (files, backend) = opened(&fixture("onnx-speakers").join(name))?;
    assert!(is_speaker_encoder(&files, &backend).unwrap());
    Some(load_speaker_encoder(&files, backend).unwrap())
}

/// The noise that the fixtures were made with, over and over.
fn noise(samples: usize) -> Vec<f32> {
    let mut state = 1u32;
    let noise = |_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (f64::from(state) / f64::from(1u32 << 31) - 1.0) as f32 * 0.1
    };
    let once: Vec<f32> = (0..5000).map(noise).collect();
    once.into_iter().cycle().take(samples).collect()
}

fn unit(vector: &[f32]) -> Vec<f32> {
    let length = vector.iter().map(|x| x * x).sum::<f32>().sqrt();
    vector.iter().map(|x| x / length).collect()
}

#[test]
fn exports_give_the_vectors_of_pytorch() {
    let path = fixture("onnx-speakers").join("reference.safetensors");
    let reference = candle_core::safetensors::load(path, &Device::Cpu).unwrap();
    for (network, width) in [("resnet", 12), ("campplus", 10)] {
        let Some(encoder) = encoder(&format!("{network}.onnx")) else { return };
        assert_eq!((encoder.width(), encoder.shortest()), (width, 8000), "{network}");
        let of_network = reference.iter().filter_map(|(name, expected)| {
            let (of, samples) = name.split_once('.')?;
            (of == network).then(|| (samples.parse::<usize>().unwrap(), expected))
        });
        let mut heard = 0;
        for (samples, expected) in of_network {
            let expected = unit(&expected.to_vec1::<f32>().unwrap());
            let found = encoder.embed(&noise(samples)).unwrap();
            assert_close(&format!("{network}, {samples}"), &found, &expected, TOLERANCE);
            heard += 1;
        }
        assert_eq!(heard, 3);
    }
}

#[test]
fn short_sounds_are_repeated_and_none_is_an_error() {
    let Some(encoder) = encoder("resnet.onnx") else { return };
    let (short, twice) = (noise(4000), [noise(4000), noise(4000)].concat());
    assert_eq!(encoder.embed(&short).unwrap(), encoder.embed(&twice).unwrap());
    assert!(encoder.embed(&noise(1)).unwrap().iter().all(|x| x.is_finite()));
    assert!(encoder.embed(&vec![0.0; 16_000]).unwrap().iter().all(|x| x.is_finite()));
    assert!(encoder.embed(&[]).is_err());
}

#[test]
fn what_takes_samples_is_no_speaker_encoder_and_what_takes_filter_banks_has_no_frames() {
    let Some((files, backend)) = opened(&fixture("onnx/classifier/model.onnx")) else { return };
    assert!(!is_speaker_encoder(&files, &backend).unwrap());
    let error = load_speaker_encoder(&files, backend).err().unwrap().to_string();
    assert!(error.contains("is no speaker encoder"), "{error}");
    let Some((files, backend)) = opened(&fixture("onnx-speakers/resnet.onnx")) else { return };
    let Backend::Onnx(model) = &backend else { panic!("an export is run by ONNX Runtime") };
    let error = model.run(&[0.0; 16_000]).unwrap_err().to_string();
    assert!(error.contains("takes filter banks"), "{error}");
    assert!(load_encoder(&files, backend).is_err());
}
