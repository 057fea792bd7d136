//! The microphone on its real path, from the system's sound server to 16 kHz mono, without hardware: `sound-server.sh`
//! runs a server whose microphone hears what is played.
#![cfg(all(feature = "mic", target_os = "linux"))]

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use awaaz::audio::capture::{Capture, CaptureOptions, Captured};
use awaaz::audio::{AudioInput, AudioStream, DecodeOptions, WavRecorder};
use awaaz::event::GapReason;
use awaaz::pipeline::{Microphone, Recording, Sound, Source, SourceStep, Tap};

#[path = "support/room.rs"]
mod room;
#[path = "support/small_ctc.rs"]
#[allow(dead_code, reason = "the other networks are for other tests")]
mod small_ctc;
use room::{in_room, server};

const CLIP: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/audio-fixtures/librivox-0870/audio.flac");
/// Plays the clip until dropped.
struct Player(Child);

impl Player {
    fn start() -> Self {
        let mut command = Command::new("sh");
        // The player is told to end with its shell: a shell that is killed takes no child along.
        let play = "trap 'kill $!; exit' TERM; while :; do paplay \"$0\" & wait $!; done";
        Self(command.args(["-c", play, CLIP]).stderr(Stdio::null()).spawn().unwrap())
    }
}

impl Drop for Player {
    fn drop(&mut self) {
        let _ = Command::new("kill").arg(self.0.id().to_string()).status();
        let _ = self.0.wait();
    }
}

#[derive(Default)]
struct Heard {
    audio: Vec<f32>,
    lost: u64,
    overrun: u64,
    /// How late the samples came, at most.
    latest: Duration,
    /// When the last of them was captured.
    last: Option<Instant>,
}

impl Heard {
    fn read_for(&mut self, capture: &mut Capture, time: Duration) {
        let start = Instant::now();
        while start.elapsed() < time {
            match capture.read(Duration::from_millis(50)).unwrap() {
                Some(Captured::Audio { samples, at }) => {
                    self.audio.extend(samples);
                    self.latest = self.latest.max(at.elapsed());
                    self.last = Some(at);
                }
                Some(Captured::Gap { samples, reason: GapReason::DeviceLost }) => self.lost += samples,
                Some(Captured::Gap { samples, reason: GapReason::Overrun }) => self.overrun += samples,
                None => {}
            }
        }
    }

    /// Reads for some time; when the last sample was captured.
    fn last_after(&mut self, capture: &mut Capture, time: Duration) -> Instant {
        self.read_for(capture, time);
        self.last.unwrap()
    }

    /// Reads until a second of sound has come.
    fn read_until_sound(&mut self, capture: &mut Capture) {
        let (start, enough) = (Instant::now(), self.audio.len() + 16_000);
        while self.audio.len() < enough {
            self.read_for(capture, Duration::from_millis(50));
            assert!(start.elapsed() < Duration::from_secs(15), "no sound: {:?}", capture.counters());
        }
    }

    fn seconds(&self) -> f64 {
        (self.audio.len() as u64 + self.lost + self.overrun) as f64 / 16_000.0
    }

    fn level(&self) -> f32 {
        (self.audio.iter().map(|s| s * s).sum::<f32>() / self.audio.len().max(1) as f32).sqrt()
    }
}

/// Opens the default device and waits until it delivers: a sink that was idle has rendered silence for a second or two
/// ahead, and its monitor waits for that.
fn open() -> Capture {
    let mut capture = Capture::open(&CaptureOptions::default()).unwrap();
    Heard::default().read_until_sound(&mut capture);
    capture
}

/// The largest correlation of `part` with any stretch of `whole`, 1 where it is found unchanged.
fn likeness(part: &[f32], whole: &[f32]) -> f32 {
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>();
    let norm = dot(part, part);
    let at = |stretch: &[f32]| dot(part, stretch) / (norm * dot(stretch, stretch)).sqrt().max(1e-9);
    whole.windows(part.len()).map(at).fold(0.0, f32::max)
}

fn clip() -> Vec<f32> {
    let mut stream = AudioStream::open(AudioInput::from_arg(CLIP), &DecodeOptions::default()).unwrap();
    let (mut all, mut block) = (Vec::new(), Vec::new());
    while stream.read(&mut block).unwrap() > 0 {
        all.extend_from_slice(&block);
    }
    all
}

#[test]
fn a_microphone_hears_what_is_played_in_real_time() {
    in_room("a_microphone_hears_what_is_played_in_real_time", || {
        let _player = Player::start();
        let mut capture = open();
        let mut heard = Heard::default();
        heard.read_for(&mut capture, Duration::from_secs(4));
        println!("{:?}, {:?}, latest {:?}", capture.info(), capture.counters(), heard.latest);
        assert!((heard.seconds() / 4.0 - 1.0).abs() < 0.03, "{} s in 4 s", heard.seconds());
        assert_eq!(heard.lost + heard.overrun, 0);
        assert!(heard.level() > 0.005, "level {}", heard.level());
        let clip = clip();
        // One of three, for the clip may end within another.
        let like = heard.audio.chunks_exact(6_000).step_by(3).take(3).map(|part| likeness(part, &clip));
        let best = like.fold(0.0, f32::max);
        assert!(best > 0.95, "likeness {best}");
    });
}

#[test]
fn a_server_that_dies_and_returns_is_a_gap() {
    in_room("a_server_that_dies_and_returns_is_a_gap", || {
        let mut capture = open();
        let (start, mut heard) = (Instant::now(), Heard::default());
        heard.read_for(&mut capture, Duration::from_millis(1000));
        assert!(heard.lost == 0 && !heard.audio.is_empty());
        server("stop");
        heard.read_for(&mut capture, Duration::from_millis(1500));
        assert!(heard.lost > 0, "the loss is told of while it lasts");
        server("start");
        let _player = Player::start();
        heard.read_until_sound(&mut capture);
        let elapsed = start.elapsed().as_secs_f64();
        println!(
            "{} s of stream in {elapsed} s, {} lost, {:?}",
            heard.seconds(),
            heard.lost,
            capture.counters()
        );
        assert!(heard.level() > 0.001, "what is played is heard again");
        assert!((heard.seconds() - elapsed).abs() < 0.25, "{} s of stream in {elapsed} s", heard.seconds());
        assert_eq!(capture.counters().reconnects, 1);
    });
}

#[test]
fn a_server_that_hangs_is_a_gap() {
    in_room("a_server_that_hangs_is_a_gap", || {
        let mut capture = open();
        let (start, mut heard) = (Instant::now(), Heard::default());
        heard.read_for(&mut capture, Duration::from_millis(500));
        server("freeze");
        heard.read_for(&mut capture, Duration::from_millis(2000));
        let lost = heard.lost;
        server("thaw");
        heard.read_until_sound(&mut capture);
        let elapsed = start.elapsed().as_secs_f64();
        println!(
            "{} s of stream in {elapsed} s, {} lost, {:?}",
            heard.seconds(),
            heard.lost,
            capture.counters()
        );
        assert!(lost > 0, "the loss is told of while it lasts");
        assert!((heard.seconds() - elapsed).abs() < 0.25, "{} s of stream in {elapsed} s", heard.seconds());
    });
}

#[test]
fn what_a_slow_stream_misses_is_silence_in_its_recording() {
    in_room("what_a_slow_stream_misses_is_silence_in_its_recording", || {
        // Once heard, a device that is heard again delivers at once.
        let _first = open();
        let options = CaptureOptions { ring: Duration::from_millis(300), ..CaptureOptions::default() };
        let mut microphone = Microphone::new(Capture::open(&options).unwrap());
        let file = tempfile::NamedTempFile::new().unwrap();
        let mut recording = Recording::new(WavRecorder::create(file.path()).unwrap());
        let (start, mut position, mut missing) = (Instant::now(), 0, 0);
        for stall in [Duration::from_secs(1), Duration::ZERO] {
            let begun = Instant::now();
            while begun.elapsed() < Duration::from_secs(1) {
                let SourceStep::Sound(sound) = microphone.next().unwrap() else { continue };
                recording.write(&sound).unwrap();
                match sound {
                    Sound::Block { samples, .. } => position += samples.len() as u64,
                    Sound::Gap { samples, reason } => {
                        assert_eq!(reason, GapReason::Overrun);
                        missing += samples;
                    }
                    Sound::Marker(_) => {}
                }
            }
            std::thread::sleep(stall);
        }
        let elapsed = start.elapsed().as_secs_f64();
        recording.finish().unwrap();
        let recorded = hound::WavReader::open(file.path()).unwrap().duration();
        println!("{recorded} samples in {elapsed} s, {missing} missing, {:?}", microphone.warnings());
        assert_eq!(u64::from(recorded), position + missing);
        assert!((f64::from(recorded) / 16_000.0 - elapsed).abs() < 0.15);
        assert!((0.5..0.9).contains(&(missing as f64 / 16_000.0)), "0.7 s of 1 s do not fit");
        assert!(microphone.warnings()[0].ends_with("overruns: 1"), "{:?}", microphone.warnings());
    });
}

#[test]
fn the_drift_of_the_device_is_told() {
    in_room("the_drift_of_the_device_is_told", || {
        let mut capture = open();
        let mut heard = Heard::default();
        let first = heard.last_after(&mut capture, Duration::from_millis(100));
        heard.audio.clear();
        let last = heard.last_after(&mut capture, Duration::from_secs(13));
        let passed = last.duration_since(first).as_secs_f64();
        let rough = (heard.seconds() / passed - 1.0) * 1e6;
        let drift = capture.drift_ppm().unwrap();
        println!("{drift:.1} ppm, by the first and the last sample {rough:.1} ppm");
        // The server rounds each block down to whole microseconds, so its microphone is some 100 ppm fast.
        assert!(drift.abs() < 500.0 && (drift - rough).abs() < 400.0, "{drift:.1} ppm, {rough:.1} ppm");
    });
}

#[test]
fn a_model_that_spells_hears_the_microphone() {
    in_room("a_model_that_spells_hears_the_microphone", || {
        let _player = Player::start();
        let model = small_ctc::spelling();
        let mut command = Command::new(env!("CARGO_BIN_EXE_awaaz"));
        command.args([
            "listen",
            "-o",
            "json",
            "--quiet",
            "--offline",
            "--no-weight-cache",
            "--max-segment",
            "3",
        ]);
        command.arg("--encoder").arg(model.path()).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut listening = command.spawn().unwrap();
        // The first final, or a minute without one.
        let id = listening.id().to_string();
        let watch = std::thread::spawn(move || {
            let mut events = Vec::new();
            for line in BufReader::new(listening.stdout.take().unwrap()).lines() {
                let event: serde_json::Value = serde_json::from_str(&line.unwrap()).unwrap();
                let is_final = event["type"] == "final";
                events.push(event);
                if is_final {
                    break;
                }
            }
            let _ = Command::new("kill").args(["-INT", &listening.id().to_string()]).status();
            (events, listening.wait().unwrap())
        });
        let start = Instant::now();
        while !watch.is_finished() && start.elapsed() < Duration::from_secs(60) {
            std::thread::sleep(Duration::from_millis(100));
        }
        if !watch.is_finished() {
            let _ = Command::new("kill").args(["-INT", &id]).status();
        }
        let (events, _) = watch.join().unwrap();
        let of = |kind: &str| events.iter().filter(|event| event["type"] == kind).count();
        assert_eq!((of("stream_start"), of("final")), (1, 1), "{events:?}");
        assert!(of("partial") > 0, "{events:?}");
        let text = events.last().unwrap()["text"].as_str().unwrap();
        assert!(text.chars().any(|letter| small_ctc::LETTERS.contains(letter)), "{text}");
    });
}

#[test]
fn devices_are_listed() {
    in_room("devices_are_listed", || {
        let output = Command::new(env!("CARGO_BIN_EXE_awaaz")).arg("devices").output().unwrap();
        let table = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success() && table.lines().any(|line| line.starts_with("* ")), "{table}");
        let output = Command::new(env!("CARGO_BIN_EXE_awaaz")).args(["devices", "--json"]).output().unwrap();
        let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(json[0]["is_default"], true);
        assert!(json[0]["rate"].as_u64() >= Some(8_000), "{json}");
        for direction in ["input", "output"] {
            let is_listed =
                |device: &serde_json::Value| device["direction"] == direction && device["is_default"] == true;
            assert!(json.as_array().unwrap().iter().any(is_listed), "{direction}: {json}");
        }
    });
}

#[test]
fn where_nothing_can_be_heard_one_line_says_what_to_do() {
    in_room("where_nothing_can_be_heard_one_line_says_what_to_do", || {
        server("stop");
        let output = Command::new(env!("CARGO_BIN_EXE_awaaz")).arg("devices").output().unwrap();
        if output.status.success() {
            println!("skipped: this machine has a sound card");
            return;
        }
        let told = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1));
        assert!(told.lines().count() == 1 && told.contains("connect a microphone"), "{told}");
        let told = Capture::open(&CaptureOptions::default()).err().map(|error| error.to_string());
        assert!(told.as_deref().is_some_and(|told| told.starts_with("default input device: ")), "{told:?}");
    });
}
