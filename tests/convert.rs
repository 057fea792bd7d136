//! Voice conversion from the command line: runs that are stopped end as they would have, and converted sound keeps its length and
//! says what it is. Conversion itself runs where its models are on this machine.

use std::f64::consts::TAU;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output};
use std::time::{Duration, Instant};

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
    let (code, text) = told(&["convert", "a.wav", "b.wav", "--target", "c.wav", "-o", "d.wav"]);
    assert!(code == Some(64) && text.contains("name a folder"), "{text}");
    let (code, text) = told(&["convert", "a.wav", "--target", "c.wav", "--rate", "fast"]);
    assert!(code == Some(64) && text.contains("neither source nor a number"), "{text}");
    let (code, _) = told(&["convert", "a.wav"]);
    assert_eq!(code, Some(64));
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

#[test]
fn converted_speech_lasts_as_long_and_says_what_it_is() {
    if !models_are_here() {
        return;
    }
    let home = tempfile::tempdir().unwrap();
    let (out, report) = (home.path().join("out.wav"), home.path().join("report.json"));
    let (source, target) = (fixture("librivox-0870"), fixture("espeak-en"));
    let args = ["convert", &source, "--target", &target, "--consent", "a test", "--rate", "source"];
    let told = Command::new(env!("CARGO_BIN_EXE_awaaz"))
        .args(args)
        .arg("-o")
        .arg(&out)
        .arg("--report")
        .arg(&report)
        .output()
        .unwrap();
    assert!(told.status.success(), "{}", String::from_utf8_lossy(&told.stderr));
    let expected = {
        use awaaz::audio::{AudioInput, FrameStream};
        let mut stream = FrameStream::open(AudioInput::File(source.into()), None).unwrap();
        let (channels, mut count) = (stream.channels(), 0);
        while let Some(frames) = stream.read().unwrap() {
            count += frames.len() / channels;
        }
        (stream.rate(), count as u32)
    };
    let wav = hound::WavReader::open(&out).unwrap();
    assert_eq!((wav.spec().sample_rate, wav.duration()), expected);
    let bytes = fs::read(&out).unwrap();
    let text = String::from_utf8_lossy(&bytes);
    assert!(text.contains("ICMT") && text.contains("Converted voice") && text.contains("a test"));
    let report: Value = serde_json::from_slice(&fs::read(&report).unwrap()).unwrap();
    let number = |name: &str| report[0][name].as_f64().unwrap();
    assert!(number("similarity_to_target") > number("source_to_target"), "{report}");
    assert!(number("word_error_rate") < 0.9 && number("real_time_factor") > 0.0, "{report}");
}

#[test]
fn a_source_that_is_none_does_not_stop_the_others() {
    if !models_are_here() {
        return;
    }
    let home = tempfile::tempdir().unwrap();
    let missing = home.path().join("missing.wav").display().to_string();
    let (source, target) = (fixture("librivox-0870"), fixture("espeak-en"));
    let folder = home.path().join("out").display().to_string();
    let told = awaaz(&["convert", &missing, &source, "--target", &target, "-o", &folder]);
    let text = String::from_utf8_lossy(&told.stderr).into_owned();
    assert!(told.status.code() == Some(2) && text.contains("missing.wav"), "{text}");
    assert!(home.path().join("out/audio.wav").exists());
    // Digital silence has no voice to take.
    let told = awaaz(&["convert", &source, "--target", &fixture("silence"), "-o", &folder]);
    let text = String::from_utf8_lossy(&told.stderr).into_owned();
    assert!(told.status.code() == Some(1) && text.contains("of speech"), "{text}");
}
