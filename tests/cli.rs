//! The program as a user and a shell meet it. Recognition itself is played by a script here.

use std::cell::Cell;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::{Arc, Mutex};

use awaaz::asr::{AudioSource, Chunking, LanguageChoice, Observer, Recognizer, Segment, Task, Transcript};
use awaaz::audio::{AudioInput, AudioStream, DecodeOptions};
use awaaz::cli::Exit;
use awaaz::cli::stop::Stop;
use awaaz::cli::transcribe::{Environment, RecognizerSettings, TranscribeArgs, run};
use awaaz::output::{Detail, Format, Progress};
use awaaz::time::{SampleIndex, Span};
use awaaz::{Error, Result};
use clap::Parser;

const SECOND: u64 = 16_000;

/// A buffer that is written in one place and looked into in another.
#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Vec<u8>>>);

impl Shared {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A writer that fails from the `left`th write on.
struct Failing {
    kind: io::ErrorKind,
    left: usize,
}

impl Write for Failing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.left = self.left.checked_sub(1).ok_or(self.kind)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Hears a word a second of audio: "word0", "word1", ...; `after` is called after each.
struct Scripted<F>(F);

impl<F: FnMut(usize)> Recognizer for Scripted<F> {
    fn transcribe(&mut self, audio: &mut dyn AudioSource, observer: &mut dyn Observer) -> Result<Transcript> {
        let (mut samples, mut block) = (0, Vec::new());
        while audio.read(&mut block)? > 0 {
            samples += block.len() as u64;
        }
        let mut segments = Vec::new();
        for index in 0..samples / SECOND {
            if observer.stopped() {
                return Err(Error::Interrupted);
            }
            let segment = spoken(index);
            observer.segment(&segment);
            observer.progress(segment.span.end);
            segments.push(segment);
            (self.0)(index as usize);
        }
        let duration = SampleIndex(samples).seconds();
        Ok(Transcript { task: Task::Transcribe, language: "en".into(), duration, segments })
    }
}

fn spoken(index: u64) -> Segment {
    Segment {
        span: Span::new(SampleIndex(index * SECOND), SampleIndex((index + 1) * SECOND)),
        text: format!("word{index}"),
        spaced: true,
        language: "en".into(),
        tokens: vec![],
        words: vec![],
        chars: vec![],
        temperature: 0.0,
        average_logprob: -0.1,
        compression_ratio: 1.0,
        no_speech_probability: 0.0,
    }
}

#[derive(Parser)]
struct Program {
    #[command(flatten)]
    args: TranscribeArgs,
}

fn parse(line: &[&str]) -> TranscribeArgs {
    Program::try_parse_from([&["transcribe"], line].concat()).unwrap_or_else(|error| panic!("{error}")).args
}

/// A folder with recordings, and runs over them.
struct Bench {
    home: tempfile::TempDir,
    stdout: Shared,
    stderr: Shared,
    stop: Stop,
    /// Times that a recogniser was made.
    loaded: Cell<usize>,
}

impl Bench {
    /// With these files, each of so many seconds.
    fn with(files: &[(&str, u32)]) -> Self {
        let home = tempfile::tempdir().unwrap();
        for (name, seconds) in files {
            record(&home.path().join(name), *seconds);
        }
        let (stdout, stderr) = (Shared::default(), Shared::default());
        Self { home, stdout, stderr, stop: Stop::default(), loaded: Cell::new(0) }
    }

    /// Runs `line`; in it, `@` stands for the folder.
    fn run(&self, line: &str) -> Result<Exit> {
        self.run_with(line, &mut self.stdout.clone(), |_| {})
    }

    fn run_with(
        &self,
        line: &str,
        stdout: &mut dyn Write,
        after: impl FnMut(usize) + Clone + 'static,
    ) -> Result<Exit> {
        let home = self.home.path().to_str().unwrap();
        let words: Vec<String> = line.split(' ').map(|word| word.replace('@', home)).collect();
        let args = parse(&words.iter().map(String::as_str).collect::<Vec<_>>());
        let mut load = |_: &RecognizerSettings| {
            self.loaded.set(self.loaded.get() + 1);
            Ok(Box::new(Scripted(after.clone())) as Box<dyn Recognizer>)
        };
        let progress = Progress::to(self.stderr.clone(), Detail::Lines);
        run(&args, Environment { load: &mut load, stdout, progress, stop: self.stop.clone() })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }
}

fn record(path: &Path, seconds: u32) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: SECOND as u32,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut writer = hound::WavWriter::create(path, spec).unwrap();
    for sample in 0..seconds * SECOND as u32 {
        writer.write_sample((sample % 100) as i16).unwrap();
    }
    writer.finalize().unwrap();
}

#[test]
fn text_goes_to_stdout_and_talk_to_stderr() {
    let bench = Bench::with(&[("a.wav", 2)]);
    assert_eq!(bench.run("@/a.wav").unwrap(), Exit::Success);
    assert_eq!(bench.stdout.text(), "word0\nword1\n");
    let told = bench.stderr.text();
    assert!(told.contains("a.wav: 2.0 s of audio in 0.0 s ("), "{told}");
    assert_eq!(told.lines().count(), 1);
}

#[test]
fn silence_is_told_of_and_no_failure() {
    let bench = Bench::with(&[("a.wav", 0)]);
    assert_eq!(bench.run("@/a.wav").unwrap(), Exit::Success);
    assert_eq!(bench.stdout.text(), "");
    assert!(bench.stderr.text().contains("a.wav: no speech was found"), "{}", bench.stderr.text());
}

#[test]
fn segments_are_on_stdout_before_the_next_is_recognised() {
    for (format, first) in [("text", "word0\n"), ("srt", "word0\n\n"), ("vtt", "word0\n\n"), ("jsonl", "}\n")]
    {
        let bench = Bench::with(&[("a.wav", 2)]);
        let (stdout, seen) = (bench.stdout.clone(), Shared::default());
        let mut seen_there = seen.clone();
        let after = move |index| {
            if index == 0 {
                seen_there.write_all(stdout.text().as_bytes()).unwrap();
            }
        };
        let after = Arc::new(Mutex::new(after));
        let exit = bench
            .run_with(&format!("@/a.wav --format {format}"), &mut bench.stdout.clone(), move |index| {
                after.lock().unwrap()(index)
            })
            .unwrap();
        assert_eq!(exit, Exit::Success);
        assert!(seen.text().ends_with(first), "{format}: {:?}", seen.text());
        assert!(
            bench.stdout.text().starts_with(&seen.text()) && bench.stdout.text().len() > seen.text().len()
        );
    }
}

#[test]
fn a_bad_file_is_told_of_and_left_behind() {
    let bench = Bench::with(&[("a.wav", 1), ("c.wav", 1)]);
    fs::write(bench.path("b.wav"), "no audio").unwrap();
    assert_eq!(bench.run("@/a.wav @/b.wav @/missing.wav @/c.wav").unwrap(), Exit::Partial);
    let home = bench.home.path().display();
    assert_eq!(bench.stdout.text(), format!("==> {home}/a.wav <==\nword0\n\n==> {home}/c.wav <==\nword0\n"));
    let told = bench.stderr.text();
    assert!(told.contains(&format!("error: {home}/b.wav: ")), "{told}");
    assert!(told.contains(&format!("error: {home}/missing.wav: ")), "{told}");
    assert!(
        told.lines().last().unwrap().starts_with("2 of 4 transcribed, 2 failed; 2.0 s of audio"),
        "{told}"
    );
}

#[test]
fn where_nothing_can_be_heard_no_model_is_loaded() {
    let bench = Bench::with(&[]);
    assert_eq!(bench.run("@/missing.wav @/*.flac @").unwrap(), Exit::Failure);
    assert_eq!(bench.loaded.get(), 0);
    assert_eq!(bench.stderr.text().matches("error: ").count(), 3);
    assert_eq!(bench.stdout.text(), "");
}

#[test]
fn a_model_that_cannot_be_loaded_ends_the_run_at_once() {
    let bench = Bench::with(&[("a.wav", 1), ("b.wav", 1)]);
    let home = bench.home.path().to_str().unwrap();
    let tried = Cell::new(0);
    let mut load = |settings: &RecognizerSettings| {
        tried.set(tried.get() + 1);
        Err(Error::model(&settings.model.model, "damaged"))
    };
    let environment = Environment {
        load: &mut load,
        stdout: &mut bench.stdout.clone(),
        progress: Progress::to(bench.stderr.clone(), Detail::Lines),
        stop: Stop::default(),
    };
    let error = run(&parse(&[home, "--model", "mine"]), environment).unwrap_err();
    assert_eq!((error.to_string().as_str(), tried.get()), ("model mine: damaged", 1));
}

#[test]
fn files_are_never_replaced_unless_told_and_no_work_is_done_for_them() {
    let bench = Bench::with(&[("in/a.wav", 1), ("in/deep/b.wav", 2)]);
    assert_eq!(bench.run("@/in --out-dir @/out --format text,srt").unwrap(), Exit::Success);
    assert_eq!(bench.read("out/a.txt"), "word0\n");
    assert!(bench.read("out/deep/b.srt").contains("00:00:01,000 --> 00:00:02,000\nword1\n"));
    assert_eq!(bench.stdout.text(), "");

    fs::write(bench.path("out/a.srt"), "mine").unwrap();
    fs::remove_file(bench.path("out/deep/b.srt")).unwrap();
    fs::remove_file(bench.path("out/deep/b.txt")).unwrap();
    assert_eq!(bench.run("@/in --out-dir @/out --format srt").unwrap(), Exit::Partial);
    assert_eq!(bench.read("out/a.srt"), "mine");
    assert!(bench.path("out/deep/b.srt").exists());

    let loaded = bench.loaded.get();
    assert_eq!(bench.run("@/in --out-dir @/out --format srt").unwrap(), Exit::Failure);
    assert_eq!(bench.loaded.get(), loaded);
    assert!(bench.stderr.text().contains("out/a.srt: exists already; --force replaces it"));

    assert_eq!(bench.run("@/in --out-dir @/out --format srt --force").unwrap(), Exit::Success);
    assert!(bench.read("out/a.srt").starts_with("1\n00:00:00,000"));
}

#[test]
fn inputs_of_one_stem_have_outputs_of_their_own() {
    let bench = Bench::with(&[("x/a.wav", 1), ("x/a.wave", 2), ("y/a.wav", 1)]);
    assert_eq!(bench.run("@/x --out-dir @/out").unwrap(), Exit::Success);
    assert_eq!(
        (bench.read("out/a.wav.txt"), bench.read("out/a.wave.txt")),
        ("word0\n".into(), "word0\nword1\n".into())
    );
    let error = bench.run("@/x/a.wav @/y/a.wav --out-dir @/out").unwrap_err();
    assert!(matches!(&error, Error::Setting(reason) if reason.contains("same output")), "{error}");
}

#[test]
fn what_stdout_cannot_hold_is_refused_before_work() {
    let bench = Bench::with(&[("a.wav", 1), ("b.wav", 1)]);
    for (line, reason) in [
        ("@ --format srt", "--out-dir"),
        ("@ --format json", "--out-dir"),
        ("@/a.wav --format srt,json", "--out-dir"),
        ("@/a.wav --raw s17le", "s16le"),
    ] {
        let error = bench.run(line).unwrap_err();
        assert!(matches!(&error, Error::Setting(told) if told.contains(reason)), "{line}: {error}");
    }
    assert_eq!(bench.loaded.get(), 0);
    for format in ["text", "jsonl", "ctm"] {
        assert_eq!(bench.run(&format!("@ --format {format}")).unwrap(), Exit::Success, "{format}");
    }
}

#[test]
fn a_stop_keeps_what_is_done() {
    let bench = Bench::with(&[("a.wav", 1), ("b.wav", 3), ("c.wav", 1)]);
    let stop_in_the_second_file = |stop: Stop| {
        move |index| {
            if index == 1 {
                stop.request();
            }
        }
    };
    let exit = bench
        .run_with("@ --out-dir @/out", &mut bench.stdout.clone(), stop_in_the_second_file(bench.stop.clone()))
        .unwrap();
    assert_eq!(exit, Exit::Interrupted);
    assert_eq!(bench.read("out/a.txt"), "word0\n");
    assert_eq!(fs::read_dir(bench.path("out")).unwrap().count(), 1, "an unfinished file was written");
    assert!(bench.stderr.text().contains("stopped; 1 of 3 transcribed"));
}

#[test]
fn a_stop_leaves_on_stdout_what_was_recognised() {
    let bench = Bench::with(&[("a.wav", 3)]);
    let stop = bench.stop.clone();
    let exit = bench
        .run_with("@/a.wav", &mut bench.stdout.clone(), move |_| {
            stop.request();
        })
        .unwrap();
    assert_eq!((exit, bench.stdout.text().as_str()), (Exit::Interrupted, "word0\n"));
}

#[test]
fn a_reader_that_goes_away_is_no_error_and_ends_the_work() {
    let bench = Bench::with(&[("a.wav", 5), ("b.wav", 5)]);
    let heard = Arc::new(Mutex::new(0));
    let count = heard.clone();
    let mut pipe = Failing { kind: io::ErrorKind::BrokenPipe, left: 1 };
    let exit = bench.run_with("@", &mut pipe, move |_| *count.lock().unwrap() += 1).unwrap();
    assert_eq!((exit, *heard.lock().unwrap()), (Exit::Success, 2));
    assert_eq!(bench.stderr.text(), "");
}

#[test]
fn a_full_disk_behind_stdout_is_an_error() {
    let bench = Bench::with(&[("a.wav", 5)]);
    let mut disk = Failing { kind: io::ErrorKind::StorageFull, left: 1 };
    let error = bench.run_with("@/a.wav", &mut disk, |_| {}).unwrap_err();
    assert!(error.to_string().starts_with("stdout: "), "{error}");
}

#[test]
fn arguments_reach_the_recogniser() {
    let bench = Bench::with(&[("a.wav", 1)]);
    let settings = |line: &str| {
        let file = bench.path("a.wav");
        let words: Vec<&str> = line.split_whitespace().chain([file.to_str().unwrap()]).collect();
        let mut taken = None;
        let mut load = |settings: &RecognizerSettings| {
            taken = Some(settings.clone());
            Err(Error::Interrupted)
        };
        let progress = Progress::to(Shared::default(), Detail::Quiet);
        let environment =
            Environment { load: &mut load, stdout: &mut Shared::default(), progress, stop: Stop::default() };
        assert!(run(&parse(&words), environment).is_err());
        taken.unwrap()
    };

    let plain = settings("");
    assert_eq!((plain.model.model.as_str(), plain.options.clone()), ("base", awaaz::asr::Options::default()));
    assert!(plain.model.threads() >= 1);

    let set = settings(
        "--model small --threads 3 --batch 4 --beam 5 --language Hindi --task translate --temperature 0,0.5 \
         --no-fallback --prompt Namaste --hotwords Awaaz --no-vad --format ctm",
    );
    assert_eq!((set.model.model.as_str(), set.model.threads()), ("small", 3));
    let options = set.options;
    assert_eq!((options.batch, options.beam, options.task), (4, 5, Task::Translate));
    assert_eq!(options.language, LanguageChoice::Fixed("hi".into()));
    assert_eq!(options.temperatures, [0.0]);
    assert_eq!((options.prompt.as_str(), options.hotwords.as_str()), ("Namaste", "Awaaz"));
    assert_eq!((options.chunking, options.word_times), (Chunking::Windows, true));

    let several = settings("--languages hi,ur,english --vad-threshold 0.3 --temperature 0.2,0.4").options;
    assert_eq!(several.language, LanguageChoice::Among(vec!["hi".into(), "ur".into(), "en".into()]));
    assert_eq!(several.chunking, Chunking::Speech { threshold: 0.3 });
    assert_eq!((several.temperatures, several.word_times), (vec![0.2, 0.4], false));
}

/// The program itself, without a network.
fn awaaz(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_awaaz"));
    command.args(arguments).stdin(Stdio::null()).env("AWAAZ_OFFLINE", "1");
    command
}

fn output(arguments: &[&str]) -> (Option<i32>, String, String) {
    let Output { status, stdout, stderr } = awaaz(arguments).output().unwrap();
    (status.code(), String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
}

#[test]
fn wrong_arguments_exit_with_64_and_say_what_is_wrong() {
    let cases: &[(&[&str], &str)] = &[
        (&[], "Usage: awaaz"),
        (&["transcribe"], "<FILES>"),
        (&["listen-to-me"], "listen-to-me"),
        (&["transcribe", "a.wav", "--format", "docx"], "jsonl"),
        (&["transcribe", "a.wav", "--language", "klingon"], "klingon"),
        (&["transcribe", "a.wav", "--language", "en", "--languages", "hi,ur"], "cannot be used with"),
        (&["transcribe", "a.wav", "--beam", "0"], "from 1 to 32"),
        (&["transcribe", "a.wav", "--temperature", "nan"], "from 0 to 1"),
        (&["transcribe", "a.wav", "--force"], "--out-dir"),
        (&["transcribe", "a.wav", "--rate", "8000"], "--raw"),
        (&["transcribe", "a.wav", "--format", "srt,vtt"], "--out-dir"),
        (&["transcribe", "-", "--raw", "s16le", "--rate", "1"], "8000"),
    ];
    for (arguments, reason) in cases {
        let (code, stdout, stderr) = output(arguments);
        assert_eq!((code, stdout.as_str()), (Some(64), ""), "{arguments:?}: {stderr}");
        assert!(stderr.contains(reason), "{arguments:?}: {stderr}");
    }
}

#[test]
fn help_goes_to_stdout_with_formats_examples_and_exit_codes() {
    let (code, help, stderr) = output(&["transcribe", "--help"]);
    assert_eq!((code, stderr.as_str()), (Some(0), ""));
    for format in Format::names() {
        assert!(help.contains(format), "{format}");
    }
    for exit in [Exit::Success, Exit::Failure, Exit::Partial, Exit::Usage, Exit::Interrupted] {
        assert!(
            help.lines().any(|line| line.trim_start().starts_with(&format!("{} ", exit.code()))),
            "{exit:?}"
        );
    }
    for part in ["Examples:", "Model:", "Recognition:", "Input:", "Output:", "awaaz transcribe talk.mp3"] {
        assert!(help.contains(part), "{part}");
    }
    let (code, version, _) = output(&["--version"]);
    assert_eq!((code, version), (Some(0), format!("awaaz {}\n", env!("CARGO_PKG_VERSION"))));
}

#[test]
fn files_that_are_missing_or_no_audio_exit_with_1_and_are_named() {
    let home = tempfile::tempdir().unwrap();
    let text = home.path().join("notes.txt");
    fs::write(&text, "not a recording").unwrap();
    for path in [home.path().join("missing.wav"), text] {
        let path = path.to_str().unwrap();
        let (code, stdout, stderr) = output(&["transcribe", path]);
        assert_eq!((code, stdout.as_str()), (Some(1), ""));
        assert!(stderr.starts_with(&format!("error: {path}: ")), "{stderr}");
        assert_eq!(stderr.lines().count(), 1, "{stderr}");
    }
}

#[test]
fn a_model_that_is_not_there_exits_with_1_and_is_named() {
    let bench = Bench::with(&[("a.wav", 1)]);
    let audio = bench.path("a.wav");
    let model = bench.path("no-model");
    let (code, stdout, stderr) =
        output(&["transcribe", audio.to_str().unwrap(), "--model", model.to_str().unwrap()]);
    assert_eq!((code, stdout.as_str()), (Some(1), ""));
    assert!(stderr.contains("no-model"), "{stderr}");
}

#[cfg(unix)]
#[test]
fn the_second_interrupt_ends_the_process_at_once() {
    use std::io::{BufRead, BufReader};
    let mut child = awaaz(&["transcribe", "-"]).stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let _held_open = child.stdin.take();
    let mut told = BufReader::new(child.stderr.take().unwrap()).lines();
    let interrupt = || Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    // Give the program time to take the signals over: before, the first would end it with no exit code.
    std::thread::sleep(std::time::Duration::from_millis(500));
    assert!(interrupt().success());
    assert!(told.any(|line| line.unwrap().contains("once more stops at once")));
    assert!(interrupt().success());
    assert_eq!(child.wait().unwrap().code(), Some(130));
}

/// A reading of "Sense and Sensibility", where both it and the model are here.
fn reading() -> Option<PathBuf> {
    let audio = Path::new(env!("CARGO_MANIFEST_DIR")).join("audio-fixtures/librivox-0870/audio.flac");
    if !audio.exists() {
        println!("skipped: {} is not here", audio.display());
        return None;
    }
    if output(&["models", "path", "base"]).0 != Some(0) {
        println!("skipped: the model is not here; `awaaz models pull base` gets it");
        return None;
    }
    Some(audio)
}

#[test]
fn speech_becomes_text_on_stdout() {
    let Some(audio) = reading() else { return };
    let (code, text, stderr) = output(&["transcribe", audio.to_str().unwrap()]);
    assert_eq!(code, Some(0), "{stderr}");
    assert!(text.to_lowercase().contains("had then leisure to consider"), "{text}");
    assert!(stderr.contains("audio.flac: 7.1 s of audio in "), "{stderr}");
}

#[test]
fn words_have_times_within_the_audio_and_in_order() {
    let Some(audio) = reading() else { return };
    let (code, json, stderr) =
        output(&["transcribe", "--format", "json", "--word-times", "--quiet", audio.to_str().unwrap()]);
    assert_eq!((code, stderr.as_str()), (Some(0), ""));
    let transcript: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!((&transcript["language"], &transcript["duration"]), (&"english".into(), &7.1.into()));
    let words = transcript["words"].as_array().unwrap();
    assert!(words.len() > 15, "{json}");
    let mut reached = 0.0;
    for word in words {
        let (start, end) = (word["start"].as_f64().unwrap(), word["end"].as_f64().unwrap());
        assert!(reached <= start && start <= end && end <= 7.1, "{word} after {reached}");
        reached = start;
    }
}

#[test]
fn a_pipe_of_bare_samples_says_what_the_file_says() {
    let Some(audio) = reading() else { return };
    let from_file = output(&["transcribe", "--quiet", audio.to_str().unwrap()]).1;
    assert!(!from_file.is_empty());
    let mut stream = AudioStream::open(AudioInput::from_arg(&audio), &DecodeOptions::default()).unwrap();
    let bytes: Vec<u8> = stream.read_all().unwrap().into_iter().flat_map(f32::to_le_bytes).collect();
    let mut child = awaaz(&["transcribe", "-", "--raw", "f32le", "--quiet"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(&bytes).unwrap();
    let Output { status, stdout, .. } = child.wait_with_output().unwrap();
    assert_eq!((status.code(), String::from_utf8(stdout).unwrap()), (Some(0), from_file));
}
