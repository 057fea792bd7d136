//! The program hears streams with the trained network, and hears them again in the same way.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use awaaz::event::{Event, EventKind};
use awaaz::weights::{Network, PullOptions, resolve};

const AWAAZ: &str = env!("CARGO_BIN_EXE_awaaz");

fn clip(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("audio-fixtures").join(name)
}

/// Whether the default model is on this machine; says so where it is not.
fn has_model() -> bool {
    let found = PullOptions::from_env()
        .and_then(|options| resolve("base", &PullOptions { network: Network::Forbidden, ..options }));
    if found.is_err() {
        println!("skipped: the model base is not on this machine; `awaaz models pull base` fetches it");
    }
    found.is_ok()
}

fn awaaz(arguments: &[&str]) -> Output {
    Command::new(AWAAZ).args(arguments).env("AWAAZ_OFFLINE", "1").output().unwrap()
}

fn events(output: &Output) -> Vec<Event> {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let lines = String::from_utf8(output.stdout.clone()).unwrap();
    lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn determined(events: &[Event]) -> Vec<String> {
    let mut lines: Vec<String> = events
        .iter()
        .filter(|event| event.kind.is_determined())
        .map(|event| event.clone().without_compute().to_line())
        .collect();
    lines.sort();
    lines
}

fn text(events: &[Event]) -> String {
    let text = |event: &Event| match &event.kind {
        EventKind::Final { text, .. } => Some(text.clone()),
        _ => None,
    };
    events.iter().filter_map(text).collect::<Vec<_>>().join(" ")
}

#[test]
fn live_or_from_a_file_on_one_thread_or_two_the_finals_are_the_same() {
    if !has_model() {
        return;
    }
    let path = clip("librivox-0870/audio.flac");
    let path = path.to_str().unwrap();
    let batch = events(&awaaz(&["moderate", path, "-o", "json", "--threads", "2"]));
    let single = events(&awaaz(&["moderate", path, "-o", "json", "--threads", "1"]));
    // A file read at once has no partials, whose texts are drafts of the finals here.
    let live =
        events(&awaaz(&["moderate", path, "-o", "json", "--threads", "2", "--realtime", "--step", "0.3"]));
    assert_eq!(determined(&batch), determined(&single));
    assert_eq!(determined(&batch), determined(&live));
    assert!(live.iter().any(|event| matches!(event.kind, EventKind::Partial { .. })));

    let expected = std::fs::read_to_string(clip("librivox-0870/text.txt")).unwrap();
    let words = |text: &str| awaaz::score::normalise(text, awaaz::score::Normalisation::English);
    let errors = awaaz::score::word_errors(&words(&expected), &words(&text(&live)));
    assert!(errors.rate() <= 0.1, "heard: {}", text(&live));
}

#[test]
fn words_lie_within_their_segment_and_in_order() {
    if !has_model() {
        return;
    }
    let path = clip("librivox-0880/audio.flac");
    let events = events(&awaaz(&["moderate", path.to_str().unwrap(), "-o", "json"]));
    let mut count = 0;
    for event in &events {
        let EventKind::Final { words, .. } = &event.kind else { continue };
        assert!(words.iter().all(|word| event.t0 <= word.t0 && word.t0 <= word.t1 && word.t1 <= event.t1));
        assert!(words.windows(2).all(|pair| pair[0].t0 <= pair[1].t0));
        count += words.len();
    }
    assert!(count > 5);
}

#[test]
fn a_stream_is_replayed_and_a_difference_is_found() {
    if !has_model() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let recorded = folder.path().join("talk.jsonl");
    let (path, recorded) = (clip("librivox-0890/audio.flac"), recorded.to_str().unwrap());
    let path = path.to_str().unwrap();
    let heard =
        awaaz(&["moderate", path, "-o", "none", "--events", recorded, "--realtime", "--language", "en"]);
    assert!(heard.status.success(), "{}", String::from_utf8_lossy(&heard.stderr));

    let same = awaaz(&["replay", recorded, path]);
    assert!(same.status.success(), "{}", String::from_utf8_lossy(&same.stdout));
    assert!(String::from_utf8_lossy(&same.stdout).contains("none differs"));

    let other = clip("librivox-0870/audio.flac");
    let different = awaaz(&["replay", recorded, other.to_str().unwrap()]);
    assert_eq!(different.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&different.stdout).contains("differ"));
}

#[test]
fn bad_arguments_and_bad_files_are_told_in_one_line() {
    let missing = awaaz(&["moderate", "no-such-file.wav", "-o", "json", "--model", "/nowhere"]);
    assert_eq!(missing.status.code(), Some(1));
    let nowhere = awaaz(&["moderate", "a.wav", "--min-silence", "soon"]);
    assert_eq!(nowhere.status.code(), Some(64));
    if !has_model() {
        return;
    }
    let bad = awaaz(&["moderate", "no-such-file.wav", "-o", "json"]);
    assert_eq!(bad.status.code(), Some(1));
    let told = String::from_utf8(bad.stderr).unwrap();
    assert_eq!(told.lines().filter(|line| line.contains("no-such-file.wav")).count(), 1, "{told}");
}
