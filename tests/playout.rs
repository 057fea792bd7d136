//! What is heard is played again, later and censored: on the system's real path, without hardware.
#![cfg(all(feature = "mic", target_os = "linux"))]

use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use awaaz::audio::capture::{Capture, CaptureOptions, Captured};
use awaaz::audio::playout::{PlayOptions, PlayTotals, Player, QUEUE_DELAY};
use awaaz::pipeline::{DeviceOut, Playback, Sound, Tap};

#[path = "support/room.rs"]
mod room;
use room::{in_room, server};

const MODEL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/onnx/ctc/model.safetensors");
/// Seconds that the line holds.
const HELD: f64 = 0.5;

/// A stream of a tone of 440 Hz that comes as it is spoken, and what is heard in the room meanwhile.
struct Room {
    out: DeviceOut,
    report: Box<dyn Fn() -> PlayTotals>,
    capture: Capture,
    start: Instant,
    pushed: u64,
}

impl Room {
    fn open() -> Self {
        let playback = Playback::new(HELD, 0.0);
        let capture = Capture::open(&CaptureOptions::default()).unwrap();
        let player = Player::open(&PlayOptions::default(), playback.clone()).unwrap();
        println!("{:?}", player.info());
        let report = Box::new(player.report());
        let out = DeviceOut::new(playback, player);
        Self { out, report, capture, start: Instant::now(), pushed: 0 }
    }

    /// Gives sound for `time`; what is heard, and the time from the first sample given to the first heard.
    fn play(&mut self, time: Duration) -> (Vec<f32>, Option<f64>) {
        let (begin, mut heard, mut first) = (Instant::now(), Vec::new(), None);
        while begin.elapsed() < time {
            while self.pushed < (self.start.elapsed().as_secs_f64() * 16_000.0) as u64 {
                let tone = |n: u64| 0.3 * (n as f32 * 440.0 / 16_000.0 * std::f32::consts::TAU).sin();
                let samples: Arc<[f32]> = (self.pushed..self.pushed + 160).map(tone).collect();
                self.out.write(&Sound::Block { samples, at: None }).unwrap();
                self.pushed += 160;
            }
            if let Some(Captured::Audio { samples, at }) =
                self.capture.read(Duration::from_millis(2)).unwrap()
            {
                if let Some(loud) = samples.iter().position(|sample| sample.abs() > 0.05)
                    && first.is_none()
                {
                    let before_end = (samples.len() - loud) as f64 / 16_000.0;
                    first = Some(at.duration_since(self.start).as_secs_f64() - before_end);
                }
                heard.extend(samples);
            }
        }
        (heard, first)
    }
}

/// The part of the energy that is at 440 Hz.
fn purity(sound: &[f32]) -> f32 {
    let phase = |n: usize| n as f32 * 440.0 / 16_000.0 * std::f32::consts::TAU;
    let (mut real, mut imaginary, mut energy) = (0.0, 0.0, 0.0);
    for (n, sample) in sound.iter().enumerate() {
        real += sample * phase(n).cos();
        imaginary += sample * phase(n).sin();
        energy += sample * sample;
    }
    2.0 * (real * real + imaginary * imaginary) / (energy * sound.len() as f32).max(1e-9)
}

#[test]
fn what_is_played_is_heard_after_the_delay_and_whole() {
    in_room("what_is_played_is_heard_after_the_delay_and_whole", || {
        let mut room = Room::open();
        let (heard, first) = room.play(Duration::from_secs(5));
        let totals = (room.report)();
        let delay = totals.delay().unwrap();
        println!("heard {first:?} s later, {delay:.3} s by its own account; {totals:?}");
        assert!((delay - HELD - QUEUE_DELAY).abs() < 0.5, "{delay}");
        let first = first.unwrap();
        assert!(first > HELD && first < delay + 1.5, "{first}");
        let tail = &heard[heard.len() - 16_000..];
        let best = tail.chunks_exact(1_600).map(purity).fold(0.0, f32::max);
        assert!(best > 0.9, "{best}");
        room.out.finish().unwrap();
    });
}

#[test]
fn a_server_that_dies_and_returns_is_played_on_no_later() {
    in_room("a_server_that_dies_and_returns_is_played_on_no_later", || {
        let mut room = Room::open();
        room.play(Duration::from_secs(2));
        let before = (room.report)();
        server("stop");
        room.play(Duration::from_millis(1500));
        server("start");
        let begin = Instant::now();
        while (room.report)().reconnects == 0 {
            room.play(Duration::from_millis(100));
            assert!(
                begin.elapsed() < Duration::from_secs(15),
                "it is not opened again: {:?}",
                (room.report)()
            );
        }
        room.play(Duration::from_secs(2));
        let after = (room.report)();
        println!("{before:?}, {after:?}");
        assert!(after.callbacks > before.callbacks);
        assert!(after.delay().unwrap() < before.delay().unwrap() + 0.5);
    });
}

#[test]
fn listen_plays_later_and_tells_how_it_went() {
    in_room("listen_plays_later_and_tells_how_it_went", || {
        let folder = tempfile::tempdir().unwrap();
        let events = folder.path().join("talk.jsonl");
        let child = Command::new(env!("CARGO_BIN_EXE_awaaz"))
            .args([
                "listen", "--model", MODEL, "--play", "--censor", "bleep", "--delay", "1", "-o", "none",
                "--events",
            ])
            .arg(&events)
            .env("AWAAZ_OFFLINE", "1")
            .stderr(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_secs(6));
        assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
        let output = child.wait_with_output().unwrap();
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{told}");
        println!("{told}");
        assert!(told.contains("s later on average (1.00 s were asked for)"), "{told}");
        let events = std::fs::read_to_string(&events).unwrap();
        assert!(events.lines().next().unwrap().contains(r#""censor":"bleep""#), "{events}");
    });
}

#[test]
fn a_device_that_is_not_there_is_told_of_before_a_model_is_loaded() {
    in_room("a_device_that_is_not_there_is_told_of_before_a_model_is_loaded", || {
        let output = Command::new(env!("CARGO_BIN_EXE_awaaz"))
            .args(["listen", "--model", "no-such-model", "--play", "no such loudspeaker"])
            .output()
            .unwrap();
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(told.contains("no such loudspeaker: there is no output device of that name"), "{told}");
        assert_eq!(output.status.code(), Some(1));
    });
}
