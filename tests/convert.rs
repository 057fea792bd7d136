//! Voice conversion from the command line: runs that are stopped end as they would have, and converted sound keeps its length and
//! says what it is. Conversion itself runs where its models are on this machine.

use std::f64::consts::TAU;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output};
use std::time::{Duration, Instant};

use awaaz::audio::{AudioInput, FrameStream};
use awaaz::weights::{PullOptions, Registry, find};
use serde_json::Value;

fn awaaz(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_awaaz")).args(args).output().unwrap()
}

fn fixture(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("audio-fixtures").join(name);
    path.join("audio.flac").display().to_string()
}

/// Buzzes of two speakers, two seconds each.
fn corpus(home: &Path) -> PathBuf {
    let folder = home.join("voices");
    for (speaker, hertz) in [("ann", 210.0), ("ben", 110.0)] {
        fs::create_dir_all(folder.join(speaker)).unwrap();
        for clip in 0..2 {
            let path = folder.join(speaker).join(format!("{clip}.wav"));
            let spec = hound::WavSpec {
                channels: 1,
                sample_rate: 16_000,
                bits_per_sample: 16,
                sample_format: hound::SampleFormat::Int,
            };
            let mut wav = hound::WavWriter::create(path, spec).unwrap();
            for at in 0..32_000 {
                let phase = TAU * f64::from(at) * (hertz + 5.0 * f64::from(clip)) / 16_000.0;
                let sum: f64 = (1..12).map(|harmonic| (phase * f64::from(harmonic)).sin()).sum();
                wav.write_sample((sum * 1500.0) as i16).unwrap();
            }
            wav.finalize().unwrap();
        }
    }
    folder
}

fn trainer(data: &Path, out: &Path, more: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_awaaz"));
    command.args(["train", "vocoder", "--data"]).arg(data).arg("--out").arg(out);
    command.args("--steps 12 --every 3 --batch 2 --frames 40 --width 8 --hidden 16 --blocks 1".split(' '));
    command.args(["--threads", "1", "--held-out", "0.5"]).args(more);
    command
}

fn wait_for(path: &Path, child: &mut Child) {
    let started = Instant::now();
    while !path.exists() && child.try_wait().unwrap().is_none() {
        assert!(started.elapsed() < Duration::from_secs(120), "{} never came", path.display());
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_vocoders_run_that_was_killed_ends_as_one_that_was_not() {
    let home = tempfile::tempdir().unwrap();
    let data = corpus(home.path());
    let (whole, cut) = (home.path().join("whole.safetensors"), home.path().join("cut.safetensors"));
    let told = trainer(&data, &whole, &[]).output().unwrap();
    let text = String::from_utf8_lossy(&told.stderr).into_owned();
    assert!(told.status.success(), "{text}");
    assert!(text.contains("step 12 of 12") && text.contains("left"), "{text}");
    let curve = fs::read_to_string(whole.with_extension("csv")).unwrap();
    assert_eq!(curve.lines().count(), 5, "{curve}");
    assert!(fs::read_to_string(whole.with_extension("svg")).unwrap().contains("<svg"));

    let mut child = trainer(&data, &cut, &["--quiet"]).spawn().unwrap();
    wait_for(&cut.with_extension("run"), &mut child);
    let _ = child.kill();
    child.wait().unwrap();
    let told = trainer(&data, &cut, &["--resume"]).output().unwrap();
    assert!(told.status.success(), "{}", String::from_utf8_lossy(&told.stderr));
    assert_eq!(fs::read(&whole).unwrap(), fs::read(&cut).unwrap());

    // A run goes on with the settings that it was begun with alone.
    let told = trainer(&data, &cut, &["--resume", "--rate", "0.5"]).output().unwrap();
    let text = String::from_utf8_lossy(&told.stderr).into_owned();
    assert!(!told.status.success() && text.contains("other data or settings"), "{text}");
}

#[test]
fn one_speaker_is_too_few() {
    let home = tempfile::tempdir().unwrap();
    let data = corpus(home.path());
    fs::remove_dir_all(data.join("ben")).unwrap();
    let told = trainer(&data, &home.path().join("v.safetensors"), &[]).output().unwrap();
    let text = String::from_utf8_lossy(&told.stderr).into_owned();
    assert!(!told.status.success() && text.contains("two speakers"), "{text}");
}

#[test]
fn settings_that_make_no_sense_are_told() {
    let told = |args: &[&str]| {
        let out = awaaz(args);
        (out.status.code(), String::from_utf8_lossy(&out.stderr).into_owned())
    };
    let (code, text) =
        told(&["convert", "a.wav", "b.wav", "--target", "c.wav", "--decoder", "d", "-o", "d.wav"]);
    assert!(code == Some(64) && text.contains("name a folder"), "{text}");
    let (code, text) = told(&["convert", "a.wav", "--target", "c.wav", "--decoder", "d", "--rate", "fast"]);
    assert!(code == Some(64) && text.contains("neither source nor a number"), "{text}");
    let (code, text) = told(&["convert", "a.wav", "--target", "c.wav"]);
    assert!(code == Some(64) && text.contains("--decoder"), "{text}");
}

/// Whether the models are on this machine, without which nothing is converted.
fn models_are_here() -> bool {
    let options = PullOptions::from_env().unwrap();
    let here = |name: &str| find(Registry::builtin().find(name).unwrap(), &options).is_some();
    let both = here("base") && here("ge2e");
    if !both {
        println!("skipped: the models are not here; `awaaz models pull base` and `... ge2e` get them");
    }
    both
}

/// A decoder that has learnt for two steps: what it says is not heard, but how the program goes about it is the same.
fn decoder(home: &Path) -> String {
    let (data, out) = (corpus(home), home.join("decoder.safetensors"));
    let codebook = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/vc/units.safetensors");
    let told = Command::new(env!("CARGO_BIN_EXE_awaaz"))
        .args(["train", "vc", "--data"])
        .arg(data)
        .arg("--codebook")
        .arg(codebook)
        .arg("--out")
        .arg(&out)
        .args("--steps 2 --batch 1 --frames 40 --width 8 --held-out 0.5 --seconds 1".split(' '))
        .output()
        .unwrap();
    assert!(told.status.success(), "{}", String::from_utf8_lossy(&told.stderr));
    out.display().to_string()
}

#[test]
fn converted_speech_lasts_as_long_and_says_what_it_is() {
    if !models_are_here() {
        return;
    }
    let home = tempfile::tempdir().unwrap();
    let decoder = decoder(home.path());
    let out = home.path().join("out.wav").display().to_string();
    let report = home.path().join("report.json").display().to_string();
    let (source, target) = (fixture("librivox-0870"), fixture("espeak-en"));
    let mut args = vec!["convert", &source, "--target", &target, "--decoder", &decoder];
    args.extend(["--consent", "a test", "--rate", "source", "-o", &out, "--report", &report]);
    let told = awaaz(&args);
    assert!(told.status.success(), "{}", String::from_utf8_lossy(&told.stderr));
    let wav = hound::WavReader::open(&out).unwrap();
    assert_eq!((wav.spec().sample_rate, u64::from(wav.duration())), rate_and_length(&source));
    let bytes = fs::read(&out).unwrap();
    let text = String::from_utf8_lossy(&bytes);
    assert!(text.contains("ICMT") && text.contains("Converted voice") && text.contains("a test"));
    let report: Value = serde_json::from_slice(&fs::read(&report).unwrap()).unwrap();
    for name in ["similarity_to_target", "similarity_to_source", "source_to_target"] {
        assert!((-1.0..=1.0).contains(&report[0][name].as_f64().unwrap()), "{name}: {report}");
    }
    assert!(
        report[0]["words"].as_u64().unwrap() > 5 && report[0]["real_time_factor"].as_f64().unwrap() > 0.0
    );

    // One source that is none does not stop the others; digital silence has no voice to take.
    let missing = home.path().join("missing.wav").display().to_string();
    let folder = home.path().join("out").display().to_string();
    let told =
        awaaz(&["convert", &missing, &source, "--target", &target, "--decoder", &decoder, "-o", &folder]);
    let text = String::from_utf8_lossy(&told.stderr).into_owned();
    assert!(told.status.code() == Some(2) && text.contains("missing.wav"), "{text}");
    assert!(home.path().join("out/audio.wav").exists());
    let silence = fixture("silence");
    let told = awaaz(&["convert", &source, "--target", &silence, "--decoder", &decoder, "-o", &folder]);
    let text = String::from_utf8_lossy(&told.stderr).into_owned();
    assert!(told.status.code() == Some(1) && text.contains("of speech"), "{text}");
}

/// Samples a second, and how many there are.
fn rate_and_length(path: &str) -> (u32, u64) {
    let mut stream = FrameStream::open(AudioInput::File(path.into()), None).unwrap();
    let mut count = 0;
    while let Some(samples) = stream.read().unwrap() {
        count += samples.len() as u64;
    }
    (stream.rate(), count / stream.channels() as u64)
}
