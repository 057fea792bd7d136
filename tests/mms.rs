//! A network with an adapter and a vocabulary for each of several languages, as MMS has them.

use std::path::Path;

use awaaz::asr::ctc::CtcEngine;
use awaaz::compute::{Precision, Threads};
use awaaz::weights::{PullOptions, resolve};

const FIXTURE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/mms-adapters");

/// The fixture with a vocabulary of 31 letters for Hindi and one of 19 for Tamil.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for file in ["config.json", "model.safetensors", "adapter.hin.safetensors", "adapter.tam.bin"] {
        std::fs::copy(Path::new(FIXTURE).join(file), folder.path().join(file)).unwrap();
    }
    let letters = |first: u32, count: u32| {
        let letter = |i: u32| char::from_u32(first + i).unwrap().to_string();
        let tokens = (0..count).map(|i| (if i == 0 { "<pad>".to_owned() } else { letter(i) }, i));
        tokens.collect::<std::collections::BTreeMap<_, _>>()
    };
    let vocabulary = serde_json::json!({ "hin": letters(0x905, 31), "tam": letters(0xb85, 19), "urd": letters(0x627, 19) });
    std::fs::write(folder.path().join("vocab.json"), vocabulary.to_string()).unwrap();
    folder
}

fn load(folder: &Path, language: Option<&str>) -> Result<CtcEngine, String> {
    let files = resolve(&folder.display().to_string(), &PullOptions::from_env().unwrap()).unwrap();
    CtcEngine::load(&files, Threads::new(1).unwrap(), Precision::F32, language)
        .map_err(|error| error.to_string())
}

#[test]
fn a_language_has_its_letters_and_its_adapter() {
    let folder = folder();
    for (language, letters) in [("hi", 31), ("hin", 31), ("ta", 19)] {
        let engine = load(folder.path(), Some(language)).unwrap();
        assert_eq!(engine.vocabulary().len(), letters, "{language}");
        let sound: Vec<f32> = (0..8000).map(|i| (i as f32 * 0.05).sin()).collect();
        engine.listen(&[&sound]).unwrap();
    }
}

#[test]
fn what_is_missing_is_said() {
    let folder = folder();
    let cases = [
        (None, "a language is needed; there are hin, tam, urd"),
        (Some("fr"), "has no language fr; there are hin, tam, urd"),
        (Some("ur"), "has no adapter for language urd; there are hin, tam"),
    ];
    for (language, reason) in cases {
        let error = load(folder.path(), language).err().unwrap();
        assert!(error.contains(reason), "{error}");
    }
}
