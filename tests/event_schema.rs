//! Promise: events are the JSON that `docs/events.md` says, and stay so within a version of the schema.

use std::fs;
use std::path::{Path, PathBuf};

use awaaz::event::{Event, EventKind, VERSION};
use serde_json::Value;

#[path = "support/sample_events.rs"]
mod sample_events;
use sample_events::sample;

fn root(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// The first event of each type.
fn one_of_each() -> Vec<Event> {
    let mut seen = std::collections::HashSet::new();
    sample().into_iter().filter(|event| seen.insert(event.type_name())).collect()
}

#[test]
fn the_sample_has_every_type() {
    // A type that is added fails to compile here, and belongs into the sample.
    let number = |event: &Event| match event.kind {
        EventKind::StreamStart(_) => 0,
        EventKind::SpeechStart { .. } => 1,
        EventKind::SpeechEnd { .. } => 2,
        EventKind::Partial { .. } => 3,
        EventKind::Final { .. } => 4,
        EventKind::Gap { .. } => 5,
        EventKind::Shed { .. } => 6,
        EventKind::Marker { .. } => 7,
        EventKind::Error { .. } => 8,
        EventKind::StreamEnd { .. } => 9,
        EventKind::Verdict(_) => 10,
        EventKind::Emotion { .. } => 11,
        EventKind::Speaker(_) => 12,
    };
    let mut numbers: Vec<u32> = one_of_each().iter().map(number).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (0..=12).collect::<Vec<u32>>());
}

#[test]
fn every_type_is_written_as_it_was() {
    let path = root("tests/expected/events.jsonl");
    let lines: String = one_of_each().iter().map(|event| event.to_line() + "\n").collect();
    if std::env::var_os("AWAAZ_BLESS").is_some() {
        fs::write(&path, &lines).unwrap();
    }
    let expected = fs::read_to_string(&path).unwrap();
    for (line, expected) in lines.lines().zip(expected.lines()) {
        assert_eq!(line, expected, "the schema changed; AWAAZ_BLESS=1 takes it over");
    }
    assert_eq!(lines.lines().count(), expected.lines().count());
}

#[test]
fn an_event_survives_the_way_through_json() {
    for event in sample() {
        let read: Event = serde_json::from_str(&event.to_line()).unwrap();
        assert_eq!(read, event);
        assert_eq!(read.v, VERSION);
    }
}

#[test]
fn fields_that_a_later_version_adds_are_passed_over() {
    for event in one_of_each() {
        let mut value: Value = serde_json::from_str(&event.to_line()).unwrap();
        value["added_later"] = Value::from(1);
        assert_eq!(serde_json::from_value::<Event>(value).unwrap(), event);
    }
}

#[test]
fn an_event_is_one_line_whatever_is_said() {
    let mut event = sample().remove(0);
    event.kind = EventKind::Marker { name: "a\nb\r\u{2028}\"\\\u{0}".into() };
    let line = event.to_line();
    assert_eq!(line.lines().count(), 1);
    assert_eq!(serde_json::from_str::<Event>(&line).unwrap(), event);
}

#[test]
fn the_page_on_events_shows_each_type_as_it_is_written() {
    let page = fs::read_to_string(root("docs/events.md")).unwrap();
    for event in one_of_each() {
        let name = event.type_name();
        assert!(
            page.contains(&event.to_line()),
            "docs/events.md lacks the line of {name}: {}",
            event.to_line()
        );
        assert!(page.contains(&format!("### `{name}`")), "docs/events.md lacks a section on {name}");
    }
}
