//! Promise: speech is judged by the encoding that it is recognised by, the same however it is heard, and what is flagged can
//! be censored to the word.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use awaaz::asr::live::SegmentRecognizer;
use awaaz::asr::{AudioSource, LanguageChoice, Model, Options};
use awaaz::audio::{AudioInput, AudioStream, DecodeOptions};
use awaaz::compute::{Precision, Threads};
use awaaz::dsp::pool::Pool;
use awaaz::event::{Action, Event, EventKind, StreamStart, Verdict, VerdictStatus};
use awaaz::learn::head::{Card, Encoder, Head, Layers, Model as Kind};
use awaaz::learn::{Dataset, Example, Logistic, LogisticOptions};
use awaaz::moderation::{CensorStyle, Heads, Judges, Moderator, Policy};
use awaaz::pipeline::{
    EventSink, Flagging, Outcome, Paced, PcmOut, Playback, Sound, Source, SourcePace, SourceStep, Stream,
    StreamOptions,
};
use awaaz::time::{SampleIndex, Span};
use awaaz::vad::{LiveOptions, SpeechSegment};
use awaaz::weights::{Network, PullOptions, resolve};
use awaaz::{Error, Result};

/// The hidden state that the heads of these tests hear.
const LAYER: usize = 1;

fn root(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn samples(clip: &str) -> Vec<f32> {
    let path = root(&format!("audio-fixtures/{clip}/audio.flac"));
    AudioStream::open(AudioInput::from_arg(path), &DecodeOptions::default()).unwrap().read_all().unwrap()
}

/// A small network with a CTC head.
fn ctc() -> String {
    root("tests/fixtures/onnx/ctc/model.safetensors").to_str().unwrap().to_owned()
}

/// The model of that name, if it is on this machine; says so where it is not.
fn model(name: &str) -> Option<Model> {
    let options = PullOptions { network: Network::Forbidden, ..PullOptions::from_env().unwrap() };
    let Ok(files) = resolve(name, &options) else {
        println!("skipped: the model {name} is not on this machine; `awaaz models pull {name}` fetches it");
        return None;
    };
    let language = LanguageChoice::Fixed("en".into());
    let threads = Threads::new(2).unwrap();
    Some(Model::load(&files.in_int8(), threads, Precision::Int8, &language, None).unwrap())
}

fn recognizer(model: &Model) -> Box<dyn SegmentRecognizer> {
    let options = Options { language: LanguageChoice::Fixed("en".into()), ..Options::default() };
    model.live_recognizer(Options { temperatures: vec![0.0], ..options }).unwrap()
}

/// A head of two classes, the second of which is speech and the first noise, silence and tones; learned from the encodings
/// of the model that it is for.
fn head(model: &Model, name: &str, task: &str, labels: [&str; 2]) -> Head {
    let mut recognizer = recognizer(model);
    let tone: Vec<f32> = (0..64_000).map(|n| 0.3 * (n as f32 * 0.3).sin()).collect();
    let sounds = [(samples("noise"), 0), (tone, 0), (vec![0.0; 64_000], 0), (samples("librivox-0930"), 1)];
    let (mut features, mut examples) = (Vec::new(), Vec::new());
    for (sound, label) in &sounds {
        for window in sound.chunks_exact(16_000).take(8) {
            let span = Span::new(SampleIndex(0), SampleIndex(window.len() as u64));
            let speech = SpeechSegment { span, samples: window.to_vec() };
            let encoding = recognizer.encode(&speech, &[LAYER]).unwrap();
            features.extend(encoding.pooled(&[LAYER], Pool::Mean).unwrap());
            examples.push(Example {
                label: *label,
                group: String::new(),
                corpus: String::new(),
                language: String::new(),
            });
        }
    }
    let width = features.len() / examples.len();
    let dataset = Dataset::new(features, width, 2, examples).unwrap();
    let logistic = Logistic::fit(&dataset, &LogisticOptions::default()).unwrap();
    let card = Card {
        encoder: Some(Encoder { name: name.into(), sha256: None }),
        layers: Some(Layers::One(LAYER)),
        pooling: Some("mean".into()),
        ..Card::new(task, labels)
    };
    Head::new(card, None, Kind::Logistic(logistic)).unwrap()
}

fn abuse(model: &Model, name: &str) -> Head {
    head(model, name, "abuse", ["clean", "abusive"])
}

fn emotion(model: &Model, name: &str) -> Head {
    head(model, name, "emotion", ["neutral", "anger"])
}

#[derive(Clone, Default)]
struct Keeper(Arc<Mutex<Vec<Event>>>);

impl EventSink for Keeper {
    fn name(&self) -> &str {
        "keeper"
    }
    fn write(&mut self, event: &Event) -> Result<()> {
        self.0.lock().unwrap().push(event.clone());
        Ok(())
    }
}

struct Blocks(Vec<f32>, usize, usize);

impl Source for Blocks {
    fn next(&mut self) -> Result<SourceStep> {
        let Self(sound, at, size) = self;
        let end = (*at + *size).min(sound.len());
        let block = sound[*at..end].into();
        let is_end = *at == end;
        *at = end;
        Ok(if is_end {
            SourceStep::End
        } else {
            SourceStep::Sound(Sound::Block { samples: block, at: None })
        })
    }
}

/// Hears two sentences in blocks of that size.
fn hear(model: &Model, heads: Vec<Head>, block: usize) -> (Outcome, Vec<Event>, u64) {
    let mut judges = Judges::default();
    for head in heads {
        judges.heads.add(Path::new("head.safetensors"), head).unwrap();
    }
    let silence = vec![0.0; 16_000];
    let sound = [samples("librivox-0870"), silence.clone(), samples("librivox-0880"), silence].concat();
    let keeper = Keeper::default();
    let recognizer = recognizer(model);
    let before = model.encoder_meter().runs();
    let stream = Stream {
        options: StreamOptions {
            name: "test".into(),
            start: StreamStart::default(),
            live: LiveOptions { step: None, ..LiveOptions::default() },
            pace: SourcePace::Batch,
            backlog: Duration::from_secs(120),
            deadline: Duration::from_secs(60),
        },
        source: Box::new(Blocks(sound, 0, block)),
        recognizer,
        moderator: Some(Moderator::new(Arc::new(judges))),
        speakers: None,
        taps: Vec::new(),
        sinks: vec![Box::new(keeper.clone())],
    };
    let outcome = stream.run(&Arc::new(AtomicBool::new(false))).unwrap();
    assert_eq!(outcome.troubles, []);
    let events = keeper.0.lock().unwrap().clone();
    (outcome, events, model.encoder_meter().runs() - before)
}

fn count(events: &[Event], name: &str) -> u64 {
    events.iter().filter(|event| event.type_name() == name).count() as u64
}

fn path_count(outcome: &Outcome, name: &str) -> u64 {
    outcome.report.paths.iter().find(|path| path.name == name).map_or(0, |path| path.count)
}

fn determined(events: &[Event]) -> Vec<String> {
    let mut lines: Vec<String> = events
        .iter()
        .filter(|event| event.kind.is_determined() && event.type_name() != "stream_start")
        .map(|event| event.clone().without_compute().to_line())
        .collect();
    lines.sort();
    lines
}

fn verdicts(events: &[Event]) -> Vec<&Verdict> {
    let verdict = |event: &'_ Event| matches!(event.kind, EventKind::Verdict(_));
    let found = events.iter().filter(|event| verdict(event));
    found
        .filter_map(
            |event| if let EventKind::Verdict(verdict) = &event.kind { Some(&**verdict) } else { None },
        )
        .collect()
}

#[test]
fn one_encoding_of_a_final_is_for_the_recogniser_and_every_head() {
    for name in ["base", &ctc()] {
        let Some(model) = model(name) else { continue };
        let (_, events, runs) = hear(&model, vec![emotion(&model, name)], 4096);
        assert!(count(&events, "final") >= 2);
        assert_eq!(runs, count(&events, "final"), "{name}: an emotion head costs no pass of the encoder");
        assert_eq!(count(&events, "emotion"), count(&events, "final"));

        let (outcome, events, runs) = hear(&model, vec![emotion(&model, name), abuse(&model, name)], 4096);
        let windows = path_count(&outcome, "encoding and judging a window");
        assert!(windows >= 8, "{windows}");
        assert_eq!(runs, count(&events, "final") + windows, "{name}");
        let judging = outcome.report.paths.iter().find(|path| path.name == "judging a final").unwrap();
        println!("{name}: {windows} windows, judging a final takes {:.3} ms", judging.p50 * 1000.0);
    }
}

#[test]
fn verdicts_do_not_hang_on_the_size_of_blocks() {
    for name in ["base", &ctc()] {
        let Some(model) = model(name) else { continue };
        let heads = || vec![abuse(&model, name), emotion(&model, name)];
        let (_, expected, _) = hear(&model, heads(), 512);
        assert!(!verdicts(&expected).is_empty(), "{name}");
        for block in [160, 7_001, 1_000_000] {
            let (_, events, _) = hear(&model, heads(), block);
            assert_eq!(determined(&events), determined(&expected), "{name}, blocks of {block}");
        }
    }
}

#[test]
fn heads_that_cannot_be_used_are_told_with_their_files() {
    let Some(model) = model(&ctc()) else { return };
    let name = ctc();
    let mut heads = Heads::default();
    let path = Path::new("mine.safetensors");
    heads.add(path, abuse(&model, &name)).unwrap();
    let told = |error: Error| error.to_string();
    let second = told(heads.add(path, abuse(&model, &name)).unwrap_err());
    assert!(second.contains("mine.safetensors") && second.contains("second head for abuse"), "{second}");
    let odd = told(Heads::default().add(path, head(&model, &name, "abuse", ["x", "y"])).unwrap_err());
    assert!(odd.contains("labels x, y"), "{odd}");
    let (layers, width) = model.encoder_shape().unwrap();
    heads.check(&Encoder { name: name.clone(), sha256: None }, layers, width).unwrap();
    let other = told(heads.check(&Encoder { name: "tiny".into(), sha256: None }, layers, width).unwrap_err());
    assert!(other.contains("mine.safetensors") && other.contains("tiny"), "{other}");
    assert!(heads.check(&Encoder { name, sha256: None }, layers, width + 1).is_err());
}

struct Clip(Vec<f32>, usize);

impl AudioSource for Clip {
    fn read(&mut self, block: &mut Vec<f32>) -> Result<usize> {
        let end = (self.1 + 1_600).min(self.0.len());
        block.clear();
        block.extend_from_slice(&self.0[self.1..end]);
        self.1 = end;
        Ok(block.len())
    }
}

#[derive(Clone, Default)]
struct Bytes(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Bytes {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Hears a sentence as it is spoken, by a head that takes speech for abuse, and plays it two seconds later: what was written,
/// the sentence, and the verdicts.
fn played(model: &Model, name: &str, policy: Policy) -> (Vec<i16>, Vec<f32>, Vec<Verdict>, Playback) {
    let mut judges = Judges { policy, ..Judges::default() };
    judges.heads.add(Path::new("head.safetensors"), abuse(model, name)).unwrap();
    let sound = [vec![0.0; 8_000], samples("librivox-0870"), vec![0.0; 56_000]].concat();
    let playback = Playback::new(2.0, 0.05);
    let (keeper, bytes) = (Keeper::default(), Bytes::default());
    let stream = Stream {
        options: StreamOptions {
            name: "test".into(),
            start: StreamStart::default(),
            live: LiveOptions { step: None, ..LiveOptions::default() },
            pace: SourcePace::Live,
            backlog: Duration::from_secs(120),
            deadline: Duration::from_secs(60),
        },
        source: Box::new(Paced::new(Clip(sound.clone(), 0))),
        recognizer: recognizer(model),
        speakers: None,
        moderator: Some(Moderator::new(Arc::new(judges))),
        taps: vec![Box::new(PcmOut::new(playback.clone(), bytes.clone()))],
        sinks: vec![
            Box::new(keeper.clone()),
            Box::new(Flagging::new(playback.clone(), Arc::new(|line: &str| println!("{line}")))),
        ],
    };
    let outcome = stream.run(&Arc::new(AtomicBool::new(false))).unwrap();
    assert_eq!(outcome.troubles, []);
    let written = bytes.0.lock().unwrap();
    let heard = written.chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]])).collect();
    let events = keeper.0.lock().unwrap();
    (heard, sound, verdicts(&events).into_iter().cloned().collect(), playback)
}

#[test]
fn what_is_played_is_the_stream_two_seconds_later_with_alerts_silent() {
    let Some(model) = model(&ctc()) else { return };
    // What is confirmed comes after the sentence, too late for its beginning.
    let policy = Policy { rules: Vec::new(), ..Policy::default() };
    let rules = vec![awaaz::moderation::Rule {
        actions: Some(vec![Action::Alert]),
        ..Policy::default().rules[0].clone()
    }];
    let policy = Policy { rules, ..policy }.censoring(CensorStyle::Mute);
    let (heard, sound, verdicts, playback) = played(&model, &ctc(), policy);
    assert_eq!(heard.len(), sound.len() + 32_000, "the delay, and then every sample");
    assert!(heard[..32_000].iter().all(|&sample| sample == 0));
    let expected: Vec<i16> = sound.iter().map(|sample| (sample * 32_768.0).round() as i16).collect();
    let alerts: Vec<(usize, usize)> = verdicts
        .iter()
        .filter(|verdict| verdict.status == VerdictStatus::Alert)
        .map(|verdict| ((verdict.evidence.t0 * 16_000.0) as usize, (verdict.evidence.t1 * 16_000.0) as usize))
        .collect();
    assert!(!alerts.is_empty());
    let totals = playback.totals();
    assert_eq!(totals.flagged, alerts.len() as u64, "a rule that does not ask for it censors nothing");
    let is_near = |n: usize| alerts.iter().any(|&(start, end)| n + 100 > start && n < end + 100);
    let wrong = (0..sound.len()).filter(|&n| !is_near(n) && heard[32_000 + n] != expected[n]).count();
    assert_eq!(wrong, 0, "samples beyond the alerts are what they were");
    // A window of two seconds is judged as it ends: what of it is heard by then is told of.
    let silent = |&(start, end): &(usize, usize)| (start..end).filter(|&n| heard[32_000 + n] == 0).count();
    let (censored, all) =
        alerts.iter().fold((0, 0), |(a, b), alert| (a + silent(alert), b + alert.1 - alert.0));
    let late = (totals.late_seconds * 16_000.0) as usize;
    assert!(censored + late + 800 >= all, "{censored} of {all} samples are silent, {late} were late");
    assert!(censored > all / 2, "{censored} of {all}, {totals:?}");
}

#[test]
fn an_alert_that_is_withdrawn_is_heard_again_and_a_policy_that_does_not_ask_censors_nothing() {
    let Some(model) = model(&ctc()) else { return };
    let strict = "[alert]\nactions = [\"bleep\"]\n[[rule]]\nraise = 1.0\nrelease = 1.0\n";
    let (_, _, verdicts, playback) = played(&model, &ctc(), Policy::parse(strict, Path::new("p")).unwrap());
    assert_eq!(verdicts.last().unwrap().status, VerdictStatus::Withdrawn);
    assert!(verdicts[0].actions == [Action::Bleep] && playback.totals().flagged > 0);
    println!("{:?}", playback.totals());

    let quiet = "[alert]\nactions = [\"alert\"]\n[[rule]]\nactions = [\"webhook\"]\n[webhook]\nurl = \"http://localhost\"\n";
    let policy = Policy::parse(quiet, Path::new("p")).unwrap().censoring(CensorStyle::Bleep);
    let (heard, sound, verdicts, playback) = played(&model, &ctc(), policy);
    assert!(!verdicts.is_empty() && playback.totals().flagged == 0);
    let expected: Vec<i16> = sound.iter().map(|sample| (sample * 32_768.0).round() as i16).collect();
    assert!(heard[32_000..] == expected[..]);
}

fn awaaz(arguments: &[&str]) -> Output {
    let run = Command::new(env!("CARGO_BIN_EXE_awaaz")).args(arguments).env("AWAAZ_OFFLINE", "1").output();
    run.unwrap()
}

fn events(output: &Output) -> Vec<Event> {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let lines = String::from_utf8(output.stdout.clone()).unwrap();
    lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn an_alert_by_the_sound_is_confirmed_by_a_word_and_heard_again_the_same() {
    let Some(model) = model("base") else { return };
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    abuse(&model, "base").save(Path::new(&file("abuse.safetensors"))).unwrap();
    drop(model);
    std::fs::write(file("words.csv"), "term,category,severity,language\nleisure,insult,4,en\n").unwrap();
    let policy = format!(
        "[[rule]]\ncategory = \"insult\"\nactions = [\"mute\", \"save-clip\"]\n[clip]\nfolder = {:?}\n",
        file("clips")
    );
    std::fs::write(file("policy.toml"), policy).unwrap();
    let path = root("audio-fixtures/librivox-0870/audio.flac");
    let path = path.to_str().unwrap();
    let (head, lexicon, policy) = (file("abuse.safetensors"), file("words.csv"), file("policy.toml"));
    let judged = ["--head", &head, "--lexicon", &lexicon, "--policy", &policy, "--language", "en"];
    let run =
        |more: &[&str]| events(&awaaz(&[&["moderate", path, "-o", "json"], &judged[..], more].concat()));

    let batch = run(&["--threads", "2"]);
    let found = verdicts(&batch);
    let (first, last) = (found[0], found[found.len() - 1]);
    assert_eq!(first.status, VerdictStatus::Alert);
    assert!(first.parts.audio.is_some() && first.parts.text.is_none() && first.parts.lexicon.is_none());
    assert_eq!((last.status, last.category.as_str()), (VerdictStatus::Confirmed, "insult"));
    assert_eq!(last.evidence.words.iter().map(|word| word.text.as_str()).collect::<Vec<_>>(), ["leisure"]);
    assert!(last.reason.contains("leisure is on a list (insult, severity 4)"), "{}", last.reason);
    assert_eq!(last.actions, [Action::Mute, Action::SaveClip]);
    let clip = std::fs::read_dir(file("clips")).unwrap().next().unwrap().unwrap().path();
    let clip = hound::WavReader::open(clip).unwrap().duration();
    let expected = (last.evidence.t1 - last.evidence.t0 + 1.0) * 16_000.0;
    assert!((f64::from(clip) - expected).abs() < 2.0, "{clip} samples, {expected} expected");

    assert_eq!(determined(&batch), determined(&run(&["--threads", "1"])));
    let recorded = file("talk.jsonl");
    let live = run(&["--threads", "2", "--realtime", "--events", &recorded]);
    assert_eq!(determined(&batch), determined(&live));
    let same = awaaz(&["replay", &recorded, path]);
    assert!(same.status.success(), "{}", String::from_utf8_lossy(&same.stdout));

    // A policy that nothing satisfies: the text takes the alert back.
    std::fs::write(&policy, "[[rule]]\nraise = 1.0\nrelease = 1.0\n").unwrap();
    let strict = run(&[]);
    let found = verdicts(&strict);
    assert_eq!(found[0].status, VerdictStatus::Alert);
    assert_eq!(found[found.len() - 1].status, VerdictStatus::Withdrawn);
}

#[test]
fn a_censored_word_is_silent_and_the_rest_is_untouched() {
    if model("base").is_none() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    std::fs::write(file("words.csv"), "leisure\n").unwrap();
    let path = root("audio-fixtures/librivox-0870/audio.flac");
    let (lexicon, out) = (file("words.csv"), file("clean.wav"));
    let run = |style: &str| {
        events(&awaaz(&[
            "moderate",
            path.to_str().unwrap(),
            "-o",
            "json",
            "--lexicon",
            &lexicon,
            "--out",
            &out,
            "--censor",
            style,
        ]))
    };
    let heard = run("mute");
    let word = &verdicts(&heard)[0].evidence.words[0];
    let original: Vec<i16> =
        samples("librivox-0870").iter().map(|sample| (sample * 32_768.0).round() as i16).collect();
    let read = || -> Vec<i16> {
        hound::WavReader::open(&out).unwrap().into_samples().map(|sample| sample.unwrap()).collect()
    };
    let muted = read();
    assert_eq!(muted.len(), original.len());
    let (start, end) = ((word.t0 * 16_000.0) as usize, (word.t1 * 16_000.0) as usize);
    assert!(end - start > 1_600, "{word:?}");
    assert!(muted[start..end].iter().all(|&sample| sample == 0));
    // 50 ms around a word are censored with it, and 5 ms more fade.
    let edge = 900;
    assert!(muted[..start - edge] == original[..start - edge], "sound before the word is untouched");
    assert!(muted[end + edge..] == original[end + edge..], "sound after the word is untouched");

    // The rule of a policy decides, whatever --censor says; one that asks for nothing leaves the sound as it is.
    let policy = file("policy.toml");
    let ruled = |actions: &str| {
        std::fs::write(&policy, format!("[[rule]]\nactions = [{actions}]\n")).unwrap();
        let arguments =
            ["moderate", path.to_str().unwrap(), "-o", "none", "--lexicon", &lexicon, "--policy", &policy];
        let output = awaaz(&[&arguments[..], &["--out", &out, "--censor", "bleep"]].concat());
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        read()
    };
    assert!(ruled("\"mute\"") == muted);
    assert!(ruled("\"alert\"") == original);

    run("bleep");
    let bleeped = read();
    assert!(bleeped[start..end].iter().any(|sample| sample.unsigned_abs() > 3_000));
    assert!(bleeped[end + edge..] == original[end + edge..]);
    let unjudged = ["moderate", path.to_str().unwrap(), "--out", &out, "--text-head", "none"];
    assert_eq!(awaaz(&unjudged).status.code(), Some(64));
}
