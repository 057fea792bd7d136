//! Promise: a network with an adapter for each language hears the language that is asked for, and gets its adapter.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

#[cfg(feature = "hub")]
#[path = "support/fake_hub.rs"]
#[allow(dead_code, reason = "the faults are for other tests")]
mod fake_hub;

const SPEECH: &str = "audio-fixtures/espeak-en/audio.flac";
/// The first letters of the alphabets of the two adapters, which have 31 and 19 tokens.
const ALPHABETS: [(&str, char, u32); 2] = [("hin", 'अ', 31), ("tam-script_tamil", 'அ', 19)];
const HIN: &str = "adapter.hin.safetensors";
const TAM: &str = "adapter.tam-script_tamil.bin";

fn root(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn fixture(name: &str) -> Vec<u8> {
    let name = if name == TAM { "adapter.tam.bin" } else { name };
    fs::read(root("tests/fixtures/mms-adapters").join(name)).unwrap()
}

/// `vocab.json` as MMS has it: an object a language.
fn vocab_json() -> String {
    let of_one = |first: char, count: u32| {
        let letters = (5..count).map(|n| (char::from_u32(u32::from(first) + n - 5).unwrap().to_string(), n));
        let special = ["<pad>", "<s>", "</s>", "<unk>", "|"].map(str::to_owned).into_iter().zip(0..);
        special.chain(letters).collect::<std::collections::BTreeMap<String, u32>>()
    };
    let all: std::collections::BTreeMap<_, _> =
        ALPHABETS.iter().map(|&(language, first, count)| (language, of_one(first, count))).collect();
    serde_json::to_string(&all).unwrap()
}

/// A model with these adapters.
fn model(adapters: &[&str]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for name in ["config.json", "model.safetensors"].iter().chain(adapters) {
        fs::write(folder.path().join(name), fixture(name)).unwrap();
    }
    fs::write(folder.path().join("vocab.json"), vocab_json()).unwrap();
    folder
}

fn transcribe(model: &str, more: &[&str], settings: &[(&str, &str)]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_awaaz"))
        .arg("transcribe")
        .arg(root(SPEECH))
        .args(["--no-vad", "--quiet", "--model", model])
        .args(more)
        .stdin(Stdio::null())
        .envs(settings.iter().copied())
        .output()
        .unwrap()
}

fn text(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn letters(output: &Output) -> Vec<char> {
    let letters: Vec<char> = text(output).chars().filter(|c| !c.is_whitespace()).collect();
    assert!(!letters.is_empty());
    letters
}

#[test]
fn the_language_decides_the_adapter_and_the_letters() {
    let folder = model(&[HIN, TAM]);
    let folder = folder.path().to_str().unwrap();
    let heard = |language| letters(&transcribe(folder, &["--language", language], &[]));
    let (hindi, tamil) = (heard("hi"), heard("tam-script_tamil"));
    assert!(hindi.iter().all(|c| ('\u{900}'..'\u{980}').contains(c)), "{hindi:?}");
    assert!(tamil.iter().all(|c| ('\u{B80}'..'\u{C00}').contains(c)), "{tamil:?}");
    assert_eq!(heard("hindi"), hindi);
    assert_eq!(heard("ta"), tamil, "a code of two letters finds the name with the script");
}

#[test]
fn latin_letters_are_to_be_had_of_files_and_streams() {
    let folder = model(&[HIN]);
    let folder = folder.path().to_str().unwrap();
    let more = ["--language", "hi", "--romanize"];
    let latin = letters(&transcribe(folder, &more, &[]));
    assert!(latin.iter().all(|c| c.is_ascii_lowercase() || *c == '\''), "{latin:?}");

    let moderate = |output: &str| {
        Command::new(env!("CARGO_BIN_EXE_awaaz"))
            .arg("moderate")
            .arg(root(SPEECH))
            .args(["--quiet", "--model", folder, "--output", output])
            .args(more)
            .output()
            .unwrap()
    };
    let events = text(&moderate("json"));
    let events: Vec<serde_json::Value> =
        events.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(events[0]["script"], "latin");
    let last = events.iter().find(|event| event["type"] == "final").unwrap();
    let (own, latin) = (last["text"].as_str().unwrap(), last["romanized"].as_str().unwrap());
    assert_eq!(latin, awaaz::asr::romanize::romanize(own, "hi"));
    let words = last["words"].as_array().unwrap();
    assert!(!words.is_empty() && words.iter().all(|word| word["romanized"].as_str().unwrap().is_ascii()));
    let shown = text(&moderate("text"));
    assert!(shown.contains(&format!("] {latin}\n")), "{shown}");
}

#[test]
fn a_language_that_is_not_there_is_told_with_those_that_are() {
    let folder = model(&[HIN]);
    let folder = folder.path().to_str().unwrap();
    let told = |more: &[&str]| {
        let output = transcribe(folder, more, &[]);
        assert_eq!(output.status.code(), Some(1));
        String::from_utf8(output.stderr).unwrap()
    };
    let cases: [(&[&str], &str); 3] = [
        (&["--language", "ur"], "vocab.json: has no language ur; there are hin, tam-script_tamil"),
        (&["--language", "ta"], "has no adapter for language tam-script_tamil; there are hin"),
        (&[], "a language is needed; there are hin, tam-script_tamil"),
    ];
    for (more, reason) in cases {
        let told = told(more);
        assert!(told.contains(reason), "{told}");
    }
}

#[test]
fn one_adapter_cannot_follow_a_model_that_finds_languages() {
    let folder = model(&[HIN, TAM]);
    let identifier = root("tests/fixtures/wav2vec2/xls-r-classifier");
    let identifier = identifier.to_str().unwrap();
    let output = transcribe(folder.path().to_str().unwrap(), &["--identify", identifier], &[]);
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(
        !output.status.success() && told.contains("`awaaz language`") && told.contains("--language"),
        "{told}"
    );
}

/// Of the weights that facebook/mms-1b-all is published with, those of English are in the network itself.
#[test]
fn the_language_of_the_network_itself_needs_no_adapter() {
    let folder = model(&[]);
    let path = folder.path();
    fs::write(path.join("tokenizer_config.json"), r#"{"target_lang": "hin"}"#).unwrap();
    // Its head has 24 tokens, so the last letters of the alphabet are never written.
    let own = letters(&transcribe(path.to_str().unwrap(), &["--language", "hi"], &[]));
    assert!(own.iter().all(|c| ('\u{900}'..'\u{980}').contains(c)), "{own:?}");
    assert_eq!(letters(&transcribe(path.to_str().unwrap(), &[], &[])), own);
}

#[cfg(feature = "hub")]
#[test]
fn the_adapter_of_the_language_is_pulled_once_and_no_other() {
    let vocab_json = vocab_json();
    let names = ["config.json", "model.safetensors", HIN, "adapter.hin.bin", TAM];
    let bytes = names.map(|name| if name == "adapter.hin.bin" { Vec::new() } else { fixture(name) });
    let mut served: Vec<(&str, &[u8])> = std::iter::zip(names, bytes.iter().map(Vec::as_slice)).collect();
    served.push(("vocab.json", vocab_json.as_bytes()));
    let hub = fake_hub::FakeHub::serving(&served);
    let cache = tempfile::tempdir().unwrap();
    let settings = [
        ("AWAAZ_CACHE", cache.path().to_str().unwrap()),
        ("HF_HUB_CACHE", "/nowhere"),
        ("HF_ENDPOINT", hub.endpoint.as_str()),
    ];
    let offline = [&settings[..], &[("AWAAZ_OFFLINE", "1")]].concat();
    let heard =
        |language, settings: &[(&str, &str)]| transcribe("someone/mms", &["--language", language], settings);
    let asked = || {
        let adapters = hub.log().into_iter().map(|request| request.path);
        let mut adapters: Vec<String> = adapters.filter(|path| path.contains("adapter.")).collect();
        adapters.dedup();
        adapters
    };
    let hindi = letters(&heard("hi", &settings));
    assert!(hindi.iter().all(|c| ('\u{900}'..'\u{980}').contains(c)), "{hindi:?}");
    assert_eq!(asked()[0], "/someone/mms/resolve/main/adapter.hin.safetensors");
    assert!(
        asked().iter().all(|path| path.ends_with("adapter.hin.safetensors")
            || path.contains(&fake_hub::sha256(&fixture(HIN)))),
        "{:?}",
        asked()
    );

    let before = hub.log().len();
    assert_eq!(letters(&heard("hin", &offline)), hindi, "what was pulled is enough");
    let missing = heard("ta", &offline);
    let told = String::from_utf8(missing.stderr).unwrap();
    assert!(
        told.contains("someone--mms.adapter.tam-script_tamil: not on this machine, and offline"),
        "{told}"
    );
    assert_eq!(hub.log().len(), before);

    let tamil = letters(&heard("ta", &settings));
    assert!(tamil.iter().all(|c| ('\u{B80}'..'\u{C00}').contains(c)), "{tamil:?}");
    assert!(asked().iter().any(|path| path == "/someone/mms/resolve/main/adapter.tam-script_tamil.bin"));
}
