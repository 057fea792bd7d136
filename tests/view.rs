//! Promise: the view shows what is heard, in any script, in terminals down to 40 columns and 10 rows.

#![cfg(feature = "view")]

use std::fs;
use std::path::Path;

use awaaz::event::Event;
use awaaz::output::view::{Move, ViewState, draw};
use awaaz::pipeline::Gauges;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::style::Modifier;
use unicode_width::UnicodeWidthStr;

#[path = "support/sample_events.rs"]
mod sample_events;
use sample_events::{URDU, sample};

const HINDI: &str = "आवाज़ सुनते ही जवाब देता है।";

fn gauges() -> Gauges {
    Gauges {
        position: 754.3,
        peak_dbfs: -23.4,
        speech: 0.9,
        load: 0.23,
        backlog: 0.4,
        final_p50: 0.42,
        final_p95: 0.612,
    }
}

/// The sample up to its end, without speakers, with a segment that is under way.
fn state() -> ViewState {
    let mut state = ViewState::new("talk");
    let mut events = sample();
    events.pop();
    events.retain(|event| event.type_name() != "speaker");
    for event in &events {
        state.apply(event);
    }
    state.gauge(&Gauges { peak_dbfs: -12.0, ..gauges() });
    state.gauge(&gauges());
    state.apply(&under_way(&format!("{HINDI} {URDU}"), "और फिर कुछ और"));
    state
}

fn under_way(stable: &str, unstable: &str) -> Event {
    let line = serde_json::json!({
        "v": 1, "id": "partial-9", "stream": "talk", "t0": 750.0, "t1": 754.0, "type": "partial",
        "segment": 9, "stable": stable, "unstable": unstable, "language": "hi",
    });
    serde_json::from_value(line).unwrap()
}

fn terminal(state: &ViewState, width: u16, height: u16) -> Terminal<TestBackend> {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| draw(frame, state)).unwrap();
    terminal
}

/// The picture as text, a line a row.
fn picture(state: &ViewState, width: u16, height: u16) -> String {
    let terminal = terminal(state, width, height);
    let buffer = terminal.backend().buffer();
    let mut text = String::new();
    for y in 0..height {
        let mut row = String::new();
        let mut x = 0;
        while x < width {
            let symbol = buffer[(x, y)].symbol();
            row.push_str(symbol);
            // The cell after a wide symbol is covered by it.
            x += (symbol.width() as u16).max(1);
        }
        text.push_str(row.trim_end());
        text.push('\n');
    }
    text
}

fn assert_as_stored(name: &str, picture: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/expected").join(name);
    if std::env::var_os("AWAAZ_BLESS").is_some() {
        fs::write(&path, picture).unwrap();
    }
    let expected = fs::read_to_string(&path).unwrap();
    assert_eq!(picture, expected, "{name} changed; AWAAZ_BLESS=1 takes it over\n{picture}");
}

#[test]
fn the_view_looks_as_it_did() {
    assert_as_stored("view-80x24.txt", &picture(&state(), 80, 24));
    assert_as_stored("view-40x10.txt", &picture(&state(), 40, 10));
    let mut help = state();
    help.toggle_help();
    help.toggle_pause();
    assert_as_stored("view-help-40x10.txt", &picture(&help, 40, 10));
    assert_as_stored("view-empty-80x24.txt", &picture(&ViewState::new("talk"), 80, 24));
}

#[test]
fn no_size_of_terminal_is_too_small() {
    let mut helped = state();
    helped.toggle_help();
    for (width, height) in [(0, 0), (1, 1), (2, 3), (5, 5), (12, 2), (20, 4), (39, 9), (300, 100)] {
        for state in [&state(), &helped, &ViewState::new("")] {
            let rows = picture(state, width, height);
            assert_eq!(rows.lines().count(), usize::from(height));
        }
    }
}

#[test]
fn no_row_is_wider_than_the_terminal() {
    for width in 20..100 {
        for row in picture(&state(), width, 24).lines() {
            assert!(row.width() <= usize::from(width), "{width}: {row}");
        }
    }
}

#[test]
fn only_what_may_change_is_dim() {
    let mut state = ViewState::new("talk");
    state.apply(&under_way("stable", "unstable"));
    let terminal = terminal(&state, 80, 24);
    let buffer = terminal.backend().buffer();
    let row = |y: u16| (0..80).map(|x| buffer[(x, y)].symbol()).collect::<String>();
    let y = (0..24).find(|&y| row(y).contains("stable unstable")).unwrap();
    let at = row(y).find("stable").unwrap() as u16;
    let is_dim = |x: u16| buffer[(x, y)].modifier.contains(Modifier::DIM);
    assert!((at..at + 6).all(|x| !is_dim(x)));
    assert!((at + 7..at + 15).all(is_dim));
}

#[test]
fn history_can_be_scrolled_to_its_start_and_back() {
    let mut state = ViewState::new("talk");
    let finals = sample().into_iter().filter(|event| event.type_name() == "final");
    for (number, event) in finals.cycle().take(60).enumerate() {
        let mut line: serde_json::Value = serde_json::from_str(&event.to_line()).unwrap();
        line["text"] = format!("sentence {number}.").into();
        state.apply(&serde_json::from_value(line).unwrap());
    }
    let newest = picture(&state, 80, 24);
    assert!(newest.contains("sentence 59.") && !newest.contains("sentence 40."));
    state.scroll(Move::Back(usize::MAX), 15, |_| 1);
    let oldest = picture(&state, 80, 24);
    assert!(oldest.contains("sentence 0.") && oldest.contains("sentence 14."), "{oldest}");
    assert!(oldest.contains("history"));
    state.scroll(Move::Forth(usize::MAX), 15, |_| 1);
    assert_eq!(picture(&state, 80, 24), newest);
}
