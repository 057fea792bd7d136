//! Promise: words of models that spell can be steered by a beam, an n-gram model and hot-words, and what is wrong with these
//! is told.

use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};

#[path = "support/small_ctc.rs"]
#[allow(dead_code, reason = "the other networks are for other tests")]
mod small_ctc;
use small_ctc::{LETTERS, SPECIAL, root, spelling as model, spelling_with};

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
fn weights_of_hot_words_and_of_unknown_words_count() {
    let model = model();
    let said = |more: &[&str]| text(&transcribe(model.path(), &[&["--beam", "8"], more].concat()));
    let beam = said(&[]);
    let pair: String = beam.chars().take(2).collect();
    assert_eq!(said(&["--hotwords", &pair, "--hotword-weight", "0"]), beam);
    assert_ne!(said(&["--hotwords", &pair, "--hotword-weight", "20"]), beam);
    let lm = arpa(model.path(), &["nothing"]);
    let weighed =
        |penalty| said(&["--lm", &lm, "--lm-weight", "0", "--word-bonus", "0", "--unknown-penalty", penalty]);
    assert_eq!(weighed("0"), beam);
    let words = |text: &str| text.split_whitespace().count();
    assert!(words(&weighed("-30")) < words(&beam), "each word that is not known costs");
}

#[test]
fn the_word_delimiter_is_what_the_tokenizer_says() {
    let usual = text(&transcribe(model().path(), &[]));
    assert!(usual.trim().contains(' '), "{usual}");
    let mut special = SPECIAL;
    special[4] = " ";
    for name in ["tokenizer_config.json", "special_tokens_map.json"] {
        let other = spelling_with(special, &[(name, r#"{"word_delimiter_token": " "}"#)]);
        assert_eq!(text(&transcribe(other.path(), &[])), usual, "{name}");
    }
    special[4] = "/";
    let object = r#"{"word_delimiter_token": {"content": "/", "lstrip": false}}"#;
    let other = spelling_with(special, &[("tokenizer_config.json", object)]);
    assert_eq!(text(&transcribe(other.path(), &[])), usual);
}

#[test]
fn special_tokens_are_never_printed() {
    let usual = text(&transcribe(model().path(), &[]));
    let other = spelling_with(["[PAD]", "[CLS]", "[SEP]", "[UNK]", "|"], &[]);
    assert!(text(&transcribe(other.path(), &[])).contains("[CLS]"), "nothing says that these are special");
    let config = r#"{"unk_token": "[UNK]", "bos_token": {"content": "[CLS]"}}"#;
    let map = r#"{"eos_token": "[SEP]", "bos_token": "[CLS]"}"#;
    let files = [("tokenizer_config.json", config), ("special_tokens_map.json", map)];
    let other = spelling_with(["[PAD]", "[CLS]", "[SEP]", "[UNK]", "|"], &files);
    assert_eq!(text(&transcribe(other.path(), &[])), usual);
}

#[test]
fn characters_have_times_where_they_are_wanted() {
    let model = model();
    for search in [&["--beam", "1"], &["--beam", "8"]] {
        let more = [&search[..], &["--char-times", "--format", "json"]].concat();
        let json = text(&transcribe(model.path(), &more));
        let transcript: serde_json::Value = serde_json::from_str(&json).unwrap();
        let mut last = 0.0;
        for segment in transcript["segments"].as_array().unwrap() {
            let chars = segment["chars"].as_array().unwrap();
            let spelled: String = chars.iter().map(|char| char["char"].as_str().unwrap()).collect();
            assert_eq!(spelled, segment["text"].as_str().unwrap().replace(' ', ""));
            for char in chars {
                let (start, end) = (char["start"].as_f64().unwrap(), char["end"].as_f64().unwrap());
                assert!(last <= start && start < end, "{char}");
                assert!((0.0..=1.0).contains(&char["probability"].as_f64().unwrap()), "{char}");
                last = end;
            }
        }
        assert!(last > 0.0);
    }
    assert!(!text(&transcribe(model.path(), &["--format", "json"])).contains("chars"));
}

/// Words of Chinese are written without spaces, phones of Chinese with them.
#[test]
fn phones_are_parted_in_every_language() {
    let phonemes = r#"{"tokenizer_class": "Wav2Vec2PhonemeCTCTokenizer"}"#;
    let phones = spelling_with(SPECIAL, &[("tokenizer_config.json", phonemes)]);
    let letters = text(&transcribe(model().path(), &["--language", "zh"]));
    assert!(!letters.trim().contains(' '), "{letters}");
    for language in ["zh", "en", "th"] {
        let said = text(&transcribe(phones.path(), &["--language", language]));
        let alone = |phone: &str| phone.len() == 1 && LETTERS.contains(phone);
        assert!(said.split_whitespace().count() > 3 && said.split_whitespace().all(alone), "{said}");
        assert_eq!(said.replace([' ', '\n'], ""), letters.replace('\n', ""));
    }
}

#[test]
fn what_is_wrong_is_told_in_a_line() {
    let model = model();
    let bad = model.path().join("bad.arpa");
    fs::write(&bad, "\\data\\\nngram 1=2\n\n\\1-grams:\nnot a number\n").unwrap();
    let bad = bad.to_str().unwrap();
    let lm = arpa(model.path(), &["word"]);
    let cases: [(&[&str], &str); 7] = [
        (&["--lm", "nowhere.arpa"], "nowhere.arpa"),
        (&["--lm", bad], "bad.arpa"),
        (&["--lm-weight", "1"], "--lm"),
        (&["--unknown-penalty", "-1"], "--lm"),
        (&["--hotword-weight", "1"], "--hotwords"),
        (&["--languages", "en,hi"], "--identify"),
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
