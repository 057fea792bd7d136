//! Promise: however the view ends, the terminal is as it was before. Needs `tmux`.

#![cfg(all(feature = "view", unix))]

use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use awaaz::event::{Event, EventKind, VERSION};
use awaaz::output::view::View;
use awaaz::pipeline::{EventSink, Gauges};

#[path = "support/sample_events.rs"]
mod sample_events;
use sample_events::sample;

const GROWING: &str = "குரலைக் கேட்டவுடன் क्षत्रिय ज्ञान देखो मुड़कर।";

/// A terminal of 80 columns and 24 rows.
struct Tmux {
    socket: String,
}

impl Tmux {
    /// Runs the stream below in it; none without tmux. `ending` is how the stream is to end.
    fn replay(name: &str, ending: &str) -> Option<Self> {
        let tmux = Self { socket: format!("awaaz-{}-{name}", std::process::id()) };
        let helper = std::env::current_exe().unwrap();
        let script = format!(
            "export RUST_BACKTRACE=0; stty -g > /dev/null; echo before-$(stty -g | cksum | cut -d' ' -f1); \
             AWAAZ_TEST_ENDING={ending} {} --exact replays_a_stream --ignored --nocapture; \
             echo after-$(stty -g | cksum | cut -d' ' -f1); sleep 60",
            helper.display()
        );
        let started = tmux.command(&["new-session", "-d", "-x", "80", "-y", "24", &script]).status();
        started.is_ok_and(|status| status.success()).then_some(tmux)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("tmux");
        command.args(["-u", "-f", "/dev/null", "-L", &self.socket]).args(arguments);
        command.stdin(Stdio::null()).stderr(Stdio::null());
        command
    }

    fn ask(&self, arguments: &[&str]) -> String {
        String::from_utf8_lossy(&self.command(arguments).output().unwrap().stdout).into_owned()
    }

    fn press(&self, key: &str) {
        assert!(self.command(&["send-keys", key]).status().unwrap().success());
    }

    /// The screen, once it shows `text`.
    fn wait_for(&self, text: &str) -> String {
        let start = Instant::now();
        loop {
            let screen = self.ask(&["capture-pane", "-p"]);
            if screen.contains(text) {
                return screen;
            }
            assert!(start.elapsed() < Duration::from_secs(20), "no {text} in\n{screen}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Waits for the program's end, and asserts that it has left nothing behind.
    fn assert_restored(&self) -> String {
        let screen = self.wait_for("after-");
        let word = |start: &str| {
            let from = screen.find(start).unwrap() + start.len();
            screen[from..].split_whitespace().next().unwrap().to_owned()
        };
        assert_eq!(word("before-"), word("after-"), "the terminal's settings\n{screen}");
        let modes = self.ask(&["display-message", "-p", "#{alternate_on}#{cursor_flag}#{wrap_flag}"]);
        assert_eq!(modes.trim(), "011", "alternate screen, cursor, wrapping");
        screen
    }
}

impl Drop for Tmux {
    fn drop(&mut self) {
        let _ = self.command(&["kill-server"]).status();
    }
}

fn replay(name: &str, ending: &str) -> Option<Tmux> {
    let tmux = Tmux::replay(name, ending);
    if tmux.is_none() {
        println!("skipped: no tmux here");
    }
    tmux
}

#[test]
fn the_keys_quit_and_the_terminal_is_restored() {
    for key in ["q", "C-c"] {
        let Some(tmux) = replay(&format!("key-{key}"), "quit") else { return };
        let screen = tmux.wait_for("best of times");
        assert!(screen.contains("p pause  q quit  ? help"), "{screen}");
        println!("{screen}");
        tmux.press("?");
        tmux.wait_for("freeze the picture");
        tmux.press("p");
        tmux.wait_for("paused");
        tmux.press(key);
        let screen = tmux.assert_restored();
        assert!(screen.contains("a notice from within"), "notices outlive the view\n{screen}");
    }
}

#[test]
fn the_terminal_is_restored_when_the_stream_ends() {
    let Some(tmux) = replay("end", "finish") else { return };
    tmux.assert_restored();
}

#[test]
fn the_terminal_is_restored_when_the_view_is_dropped() {
    let Some(tmux) = replay("drop", "drop") else { return };
    tmux.assert_restored();
}

#[test]
fn the_terminal_is_restored_before_a_panic_is_told() {
    let Some(tmux) = replay("panic", "panic") else { return };
    let screen = tmux.assert_restored();
    assert!(screen.contains("a bug in another thread"), "{screen}");
}

/// Terminals and this program may take a syllable for another number of columns.
#[test]
fn a_growing_text_leaves_nothing_behind_in_any_script() {
    let Some(tmux) = replay("grow", "quit") else { return };
    let screen = tmux.wait_for("मुड़कर।");
    let rows: Vec<&str> = screen.lines().map(str::trim_end).collect();
    let expected = format!("0:00:14 ta  {GROWING}");
    assert!(rows.contains(&&*expected), "{screen}");
    assert_eq!(rows[3..18].iter().filter(|row| !row.is_empty()).count(), 4, "{screen}");
    assert!(rows[18].starts_with("────") && rows[23].starts_with("final p50"), "{screen}");
    println!("{screen}");
}

/// Not a test: what those above run in a terminal.
#[test]
#[ignore = "needs a terminal, and a key to end"]
fn replays_a_stream() {
    let Ok(ending) = std::env::var("AWAAZ_TEST_ENDING") else {
        println!("skipped: it is for other tests to run");
        return;
    };
    let quit = Arc::new(AtomicBool::new(false));
    let asked = quit.clone();
    let mut view = View::open("talk", move || asked.store(true, Ordering::SeqCst)).unwrap();
    view.notify()("a notice from within");
    let words = GROWING.split_inclusive(' ').count();
    for event in sample().iter().filter(|event| event.type_name() != "speaker").take(14) {
        view.write(event).unwrap();
    }
    for tenth in 0..200 {
        let position = 20.0 + 0.1 * f64::from(tenth);
        let peak_dbfs = -30.0 + (tenth % 20) as f32;
        view.write(&partial(words.min(tenth as usize + 1))).unwrap();
        view.gauge(&Gauges { position, peak_dbfs, ..Gauges::default() });
        std::thread::sleep(Duration::from_millis(100));
        if quit.load(Ordering::SeqCst) {
            break;
        }
        match ending.as_str() {
            "finish" if tenth == 5 => break,
            "drop" if tenth == 5 => return,
            "panic" if tenth == 5 => {
                let _ = std::thread::spawn(|| panic!("a bug in another thread")).join();
                // The stream ends cleanly a while later.
                std::thread::sleep(Duration::from_millis(300));
                break;
            }
            _ => {}
        }
    }
    view.finish().unwrap();
}

/// What was understood after so many words, the last two of which may change.
fn partial(words: usize) -> Event {
    let heard: Vec<&str> = GROWING.split_inclusive(' ').take(words).collect();
    let (stable, unstable) = heard.split_at(heard.len().saturating_sub(2));
    let kind = EventKind::Partial {
        segment: 3,
        stable: stable.concat().trim_end().into(),
        unstable: unstable.concat().trim_end().into(),
        romanized: None,
        language: "ta".into(),
    };
    let id = format!("partial-{words}");
    Event { v: VERSION, id, stream: "talk".into(), t0: 14.0, t1: 15.0, kind, compute: None }
}
