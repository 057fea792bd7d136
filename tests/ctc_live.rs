//! Promise: a model that spells is heard live as from a file, and its texts are marked with the language that another model
//! finds.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

#[path = "support/small_ctc.rs"]
#[allow(dead_code, reason = "the other networks are for other tests")]
mod small_ctc;
use small_ctc::{root, spelling, telling};

const LANGUAGES: [&str; 5] = ["eng", "hin", "tam", "urd", "xyz"];

/// The events of a command on speech.
fn events(command: &str, model: &Path, more: &[&str]) -> Vec<Value> {
    let output = Command::new(env!("CARGO_BIN_EXE_awaaz"))
        .arg(command)
        .arg(root("audio-fixtures/espeak-en/audio.flac"))
        .args(["--quiet", "--offline", "--no-weight-cache", "--threads", "2", "--model"])
        .arg(model)
        .args(more)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let lines = String::from_utf8(output.stdout).unwrap();
    lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Events of a type, without what they took to compute.
fn of(events: &[Value], kind: &str) -> Vec<Value> {
    let mut found: Vec<Value> = events.iter().filter(|event| event["type"] == kind).cloned().collect();
    found.iter_mut().for_each(|event| {
        event.as_object_mut().map(|event| event.remove("compute"));
    });
    found
}

#[test]
fn finals_are_the_same_live_and_from_a_file_and_partials_come_before_them() {
    let model = spelling();
    let live = events(
        "moderate",
        model.path(),
        &["-o", "json", "--realtime", "--chunk", "0.24", "--look-ahead", "0.1"],
    );
    let batch = events("moderate", model.path(), &["-o", "json"]);
    let finals = of(&live, "final");
    assert!(!finals.is_empty() && finals.iter().all(|event| event["text"] != ""));
    assert_eq!(finals, of(&batch, "final"));
    assert!(of(&batch, "partial").is_empty());
    let partials = of(&live, "partial");
    assert!(partials.len() >= 3, "{partials:?}");
    // What is stable stays, up to the final of its segment.
    for segment in finals.iter().map(|event| &event["segment"]) {
        let stable: Vec<&str> = partials
            .iter()
            .filter(|event| event["segment"] == *segment)
            .map(|event| event["stable"].as_str().unwrap())
            .filter(|stable| !stable.is_empty())
            .collect();
        assert!(!stable.is_empty() && stable.is_sorted_by(|a, b| b.starts_with(a)), "{stable:?}");
    }
}

#[test]
fn the_language_that_is_found_is_told_in_partials_and_finals() {
    let (model, identifier) = (spelling(), telling(LANGUAGES));
    let identifier = identifier.path().to_str().unwrap();
    let found = |more: &[&str]| {
        let more = [&["-o", "json", "--identify", identifier], more].concat();
        let events = events("moderate", model.path(), &more);
        let languages = |kind: &str| {
            let of_kind = of(&events, kind);
            let mut found: Vec<String> =
                of_kind.iter().map(|event| event["language"].as_str().unwrap().to_owned()).collect();
            found.dedup();
            found
        };
        (languages("final"), languages("partial"))
    };
    let (likeliest, none) = found(&[]);
    assert!(none.is_empty() && likeliest.len() == 1 && !likeliest[0].is_empty(), "{likeliest:?}");
    let (finals, partials) = found(&["--realtime"]);
    assert_eq!(finals, likeliest);
    // In the first second nobody knows; from then on, each segment is in one language.
    assert!(partials.len() <= 2 && partials.last().is_some_and(|code| !code.is_empty()), "{partials:?}");
    // Of two others, one is found.
    let others: Vec<&str> =
        ["en", "hi", "ta", "ur"].into_iter().filter(|code| *code != likeliest[0]).collect();
    let among = others[..2].join(",");
    let (finals, partials) = found(&["--realtime", "--languages", &among]);
    assert!(finals.len() == 1 && others[..2].contains(&finals[0].as_str()), "{finals:?} of {among}");
    assert!(
        partials.iter().all(|code| code.is_empty() || others[..2].contains(&code.as_str())),
        "{partials:?}"
    );
    let segments = events(
        "transcribe",
        model.path(),
        &["--identify", identifier, "--languages", &among, "--format", "jsonl"],
    );
    assert!(
        !segments.is_empty()
            && segments.iter().all(|line| others[..2].contains(&line["language"].as_str().unwrap()))
    );
}

#[test]
fn languages_that_nobody_knows_are_told_of() {
    let (model, identifier) = (spelling(), telling(LANGUAGES));
    let output = Command::new(env!("CARGO_BIN_EXE_awaaz"))
        .arg("transcribe")
        .arg(root("audio-fixtures/espeak-en/audio.flac"))
        .args(["--quiet", "--offline", "--no-weight-cache", "--languages", "de,fr"])
        .arg("--model")
        .arg(model.path())
        .arg("--identify")
        .arg(identifier.path())
        .output()
        .unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success() && told.contains("knows none of de, fr"), "{told}");
}
