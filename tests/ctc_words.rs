//! Promise: words of models that spell can be steered by a beam, an n-gram model and hot-words, and what is wrong with these
//! is told.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

const LETTERS: &str = "abcdefghijklmnopqrs";

fn root(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// A small random network that spells English letters.
fn model() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let fixture = root("tests/fixtures/wav2vec2/wav2vec2-base");
    for name in ["config.json", "model.safetensors"] {
        fs::copy(fixture.join(name), folder.path().join(name)).unwrap();
    }
    let special = ["<pad>", "<s>", "</s>", "<unk>", "|"].map(str::to_owned);
    let tokens = special.into_iter().chain(LETTERS.chars().map(String::from)).zip(0..24);
    let vocabulary: std::collections::BTreeMap<String, u32> = tokens.collect();
    fs::write(folder.path().join("vocab.json"), serde_json::to_string(&vocabulary).unwrap()).unwrap();
    folder
}

fn transcribe(model: &Path, more: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_awaaz"))
        .arg("transcribe")
        .arg(root("audio-fixtures/espeak-en/audio.flac"))
        .args(["--no-vad", "--quiet", "--offline", "--no-weight-cache", "--model"])
        .arg(model)
        .args(more)
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

fn text(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// An n-gram model that likes these words and no other.
fn arpa(folder: &Path, words: &[&str]) -> String {
    let path = folder.join("words.arpa");
    let mut lines = format!("\\data\\\nngram 1={}\n\n\\1-grams:\n", words.len() + 3);
    lines += "-9.0\t<unk>\n-1.0\t<s>\n-1.0\t</s>\n";
    words.iter().for_each(|word| lines += &format!("-0.5\t{word}\n"));
    fs::write(&path, lines + "\n\\end\\\n").unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn a_beam_gives_words_in_the_order_of_their_times() {
    let model = model();
    let output = text(&transcribe(model.path(), &["--beam", "8", "--word-times", "--format", "json"]));
    let transcript: serde_json::Value = serde_json::from_str(&output).unwrap();
    let segments = transcript["segments"].as_array().unwrap().iter();
    let words: Vec<_> = segments.flat_map(|segment| segment["words"].as_array().unwrap()).collect();
    assert!(!words.is_empty());
    let mut last = 0.0;
    for word in words {
        let (start, end) = (word["start"].as_f64().unwrap(), word["end"].as_f64().unwrap());
        assert!(last <= start && start <= end, "{word}");
        let probability = word["probability"].as_f64().unwrap();
        assert!((0.0..=1.0).contains(&probability), "{word}");
        last = end;
    }
}

#[test]
fn an_n_gram_model_and_hot_words_change_what_is_written() {
    let model = model();
    let beam = text(&transcribe(model.path(), &["--beam", "8"]));
    let letter = beam.chars().find(|letter| letter.is_ascii_lowercase()).unwrap().to_string();
    let lm = arpa(model.path(), &[&letter]);
    let weighed = text(&transcribe(model.path(), &["--beam", "8", "--lm", &lm, "--lm-weight", "20"]));
    assert_ne!(beam, weighed, "words that the n-gram model does not know cost much");
    let pair: String = beam.chars().take(2).collect();
    let hot = text(&transcribe(model.path(), &["--beam", "8", "--hotwords", &pair]));
    let count = |text: &str| text.split_whitespace().filter(|word| *word == pair).count();
    assert!(count(&beam) == 0 && count(&hot) > 3, "{pair} of {beam} in {hot}");
}

#[test]
fn what_is_wrong_is_told_in_a_line() {
    let model = model();
    let bad = model.path().join("bad.arpa");
    fs::write(&bad, "\\data\\\nngram 1=2\n\n\\1-grams:\nnot a number\n").unwrap();
    let bad = bad.to_str().unwrap();
    let lm = arpa(model.path(), &["word"]);
    let cases: [(&[&str], &str); 4] = [
        (&["--lm", "nowhere.arpa"], "nowhere.arpa"),
        (&["--lm", bad], "bad.arpa"),
        (&["--lm-weight", "1"], "--lm"),
        (&["--lm", &lm, "--task", "translate"], "translation needs Whisper"),
    ];
    for (arguments, expected) in cases {
        let output = transcribe(model.path(), arguments);
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && stderr.contains(expected), "{arguments:?}: {stderr}");
        assert!(!stderr.contains("panicked"), "{stderr}");
    }
}

#[test]
fn languages_of_a_classifier_are_probabilities_in_order() {
    let model = root("tests/fixtures/wav2vec2/xls-r-classifier");
    let output = Command::new(env!("CARGO_BIN_EXE_awaaz"))
        .arg("language")
        .arg(root("audio-fixtures/espeak-en/audio.flac"))
        .args(["--offline", "--json", "--top", "99", "--model"])
        .arg(&model)
        .output()
        .unwrap();
    let line: serde_json::Value = serde_json::from_str(text(&output).lines().next().unwrap()).unwrap();
    let languages = line["languages"].as_array().unwrap();
    let probabilities: Vec<f64> =
        languages.iter().map(|language| language["probability"].as_f64().unwrap()).collect();
    assert!(!probabilities.is_empty() && probabilities.is_sorted_by(|a, b| a >= b), "{line}");
    let sum: f64 = probabilities.iter().sum();
    assert!((sum - 1.0).abs() < 1e-3, "{line}");
}
