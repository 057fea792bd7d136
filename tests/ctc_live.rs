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
    let mut longest = "";
    for segment in finals.iter().map(|event| &event["segment"]) {
        let of_segment = partials.iter().filter(|event| event["segment"] == *segment);
        let stable: Vec<&str> = of_segment.map(|event| event["stable"].as_str().unwrap()).collect();
        assert!(stable.is_sorted_by(|a, b| b.starts_with(a)), "{stable:?}");
        longest = stable.last().copied().filter(|last| last.len() > longest.len()).unwrap_or(longest);
    }
    assert!(longest.contains(' '), "{partials:?}");
}

/// The language of each event of a type, with the number of its segment; neighbours that are alike stand once.
fn languages(events: &[Value], kind: &str) -> Vec<(u64, String)> {
    let language =
        |event: &Value| (event["segment"].as_u64().unwrap(), event["language"].as_str().unwrap().to_owned());
    let mut found: Vec<_> = of(events, kind).iter().map(language).collect();
    found.dedup();
    found
}

#[test]
fn the_language_that_is_found_is_told_in_partials_and_finals() {
    let (model, identifier) = (spelling(), telling(LANGUAGES));
    let identifier = identifier.path().to_str().unwrap();
    let found = |more: &[&str]| {
        let events =
            events("moderate", model.path(), &[&["-o", "json", "--identify", identifier], more].concat());
        (languages(&events, "final"), languages(&events, "partial"))
    };
    let (likeliest, _) = found(&[]);
    assert!(!likeliest.is_empty() && likeliest.iter().all(|(_, code)| !code.is_empty()), "{likeliest:?}");
    let (finals, partials) = found(&["--realtime"]);
    assert_eq!(finals, likeliest);
    // In its first second nobody knows a segment's language; from then on it is one.
    for (segment, _) in &finals {
        let codes: Vec<&str> =
            partials.iter().filter(|(of, _)| of == segment).map(|(_, code)| code.as_str()).collect();
        assert!(matches!(codes[..], [""] | ["", _] | [_]), "{codes:?}");
    }
    assert!(partials.iter().any(|(_, code)| !code.is_empty()), "{partials:?}");

    // Of two that are not the likeliest, one is found.
    let is_other = |code: &&str| likeliest.iter().all(|(_, likely)| likely != code);
    let others: Vec<&str> = ["en", "hi", "ta", "ur"].into_iter().filter(is_other).take(2).collect();
    let among = others.join(",");
    let (finals, partials) = found(&["--realtime", "--languages", &among]);
    assert!(finals.iter().all(|(_, code)| others.contains(&code.as_str())), "{finals:?} of {among}");
    assert!(
        partials.iter().all(|(_, code)| code.is_empty() || others.contains(&code.as_str())),
        "{partials:?}"
    );
    let more = ["--identify", identifier, "--languages", &among, "--format", "jsonl"];
    let segments = events("transcribe", model.path(), &more);
    assert!(!segments.is_empty());
    assert!(segments.iter().all(|line| others.contains(&line["language"].as_str().unwrap())), "{segments:?}");
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
