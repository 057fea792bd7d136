//! A small random network that spells, and one that tells languages.

use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

/// What the network of [`spelling`] spells with, beside its special tokens.
pub const LETTERS: &str = "abcdefghijklmnopqrs";
/// The numbers of its special tokens: but for the blank, numbers that it hears often in speech.
const SPECIAL_AT: [u32; 5] = [0, 7, 9, 10, 22];
/// The special tokens of [`spelling`]: the blank, begin and end of a sentence, the unknown, and the end of a word.
pub const SPECIAL: [&str; 5] = ["<pad>", "<s>", "</s>", "<unk>", "|"];

pub fn root(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// A network that spells letters.
pub fn spelling() -> TempDir {
    spelling_with(SPECIAL, &[])
}

/// The same with other special tokens, and with files beside it, each with its name.
pub fn spelling_with(special: [&str; 5], files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let fixture = root("tests/fixtures/wav2vec2/wav2vec2-base");
    for name in ["config.json", "model.safetensors"] {
        fs::copy(fixture.join(name), folder.path().join(name)).unwrap();
    }
    let letters = LETTERS.chars().map(String::from).zip((0..24).filter(|at| !SPECIAL_AT.contains(at)));
    let special = special.into_iter().map(str::to_owned).zip(SPECIAL_AT);
    let vocabulary: std::collections::BTreeMap<String, u32> = letters.chain(special).collect();
    fs::write(folder.path().join("vocab.json"), serde_json::to_string(&vocabulary).unwrap()).unwrap();
    for (name, content) in files {
        fs::write(folder.path().join(name), content).unwrap();
    }
    folder
}

/// A network that tells these languages, five of them.
pub fn telling(languages: [&str; 5]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let fixture = root("tests/fixtures/wav2vec2/xls-r-classifier");
    fs::copy(fixture.join("model.safetensors"), folder.path().join("model.safetensors")).unwrap();
    let json = fs::read_to_string(fixture.join("config.json")).unwrap();
    let mut config: serde_json::Value = serde_json::from_str(&json).unwrap();
    let labels = languages.iter().enumerate().map(|(class, name)| (class.to_string(), (*name).into()));
    config["id2label"] = serde_json::Value::Object(labels.collect());
    fs::write(folder.path().join("config.json"), config.to_string()).unwrap();
    folder
}
