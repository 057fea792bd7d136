//! Who speaks: in a stream, whatever its blocks; and from the command line, by the real network where it is on this machine.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use awaaz::Result;
use awaaz::asr::live::{FinalText, PartialText, SegmentRecognizer};
use awaaz::audio::{AudioInput, AudioStream, DecodeOptions};
use awaaz::compute::Threads;
use awaaz::event::{Action, Event, EventKind, ShedWork, SpeakerTold, StreamStart};
use awaaz::learn::head::Encoder as Identity;
use awaaz::models::speaker::SpeakerEncoder;
use awaaz::pipeline::{EventSink, Recorded, Sound, Source, SourcePace, SourceStep, Stream, StreamOptions};
use awaaz::speaker::{
    Calibration, Calibrations, Gallery, LiveSpeakers, OnlineOptions, Scorer, Silences, SpeakerModel,
};
use awaaz::vad::{LiveOptions, SpeechSegment};
use awaaz::weights::{PullOptions, Registry, find};
use serde_json::Value;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("audio-fixtures").join(name).join("audio.flac")
}

fn samples(name: &str) -> Vec<f32> {
    let path = fixture(name);
    AudioStream::open(AudioInput::File(path), &DecodeOptions::default()).unwrap().read_all().unwrap()
}

/// Tells speakers apart by the mean of a sound, which speech leaves at 0: each is a direction of its own.
struct ByOffset;

impl SpeakerEncoder for ByOffset {
    fn width(&self) -> usize {
        3
    }

    fn shortest(&self) -> usize {
        25_600
    }

    fn embed(&self, samples: &[f32]) -> Result<Vec<f32>> {
        let mean = samples.iter().sum::<f32>() / samples.len() as f32;
        let mut vector = vec![0.0; 3];
        vector[((mean / OFFSET).round().max(0.0) as usize).min(2)] = 1.0;
        Ok(vector)
    }
}

const OFFSET: f32 = 0.01;

fn model() -> SpeakerModel {
    let identity = Identity { name: "by offset".into(), sha256: None };
    SpeakerModel::new(identity, Arc::new(ByOffset), Arc::new(Threads::new(1).unwrap()))
}

fn sentence(name: &str, speaker: usize) -> Vec<f32> {
    let mut sound = samples(name);
    let mean = sound.iter().sum::<f32>() / sound.len() as f32;
    sound.iter_mut().for_each(|sample| *sample -= mean);
    sound.extend(vec![0.0; 16_000]);
    sound.iter_mut().for_each(|sample| *sample += speaker as f32 * OFFSET);
    sound
}

/// Three people: the first, the second, the first again, the third.
fn conversation() -> Vec<f32> {
    [("librivox-0870", 0), ("librivox-0880", 1), ("librivox-0890", 0), ("librivox-0930", 2)]
        .map(|(name, speaker)| sentence(name, speaker))
        .concat()
}

fn speakers(gallery: Option<Gallery>) -> LiveSpeakers {
    let cosine = Calibration { scale: 20.0, length: 0.0, offset: -10.0 };
    let scorer = Scorer::new(&Calibrations { cosine, normalised: None }, None).unwrap();
    LiveSpeakers::new(model(), scorer, gallery.map(Arc::new), OnlineOptions::default())
}

/// Says nothing, and takes its time for that.
#[derive(Clone, Default)]
struct Mute(Duration);

impl SegmentRecognizer for Mute {
    fn partial(&mut self, _: u64, _: &SpeechSegment, _: &dyn Fn() -> bool) -> Result<Option<PartialText>> {
        Ok(None)
    }

    fn prepare(&mut self, _: u64, _: &SpeechSegment) -> Result<Option<PartialText>> {
        Ok(None)
    }

    fn finish(&mut self, _: &SpeechSegment) -> Result<FinalText> {
        std::thread::sleep(self.0);
        Ok(FinalText::default())
    }

    fn reset(&mut self) {}
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

/// Sound in blocks of that size.
struct Blocks(Vec<f32>, usize, usize);

impl Source for Blocks {
    fn next(&mut self) -> Result<SourceStep> {
        let Self(sound, at, size) = self;
        let end = (*at + *size).min(sound.len());
        let block: Arc<[f32]> = sound[*at..end].into();
        *at = end;
        Ok(match block.is_empty() {
            true => SourceStep::End,
            false => SourceStep::Sound(Sound::Block { samples: block, at: None }),
        })
    }
}

fn hear(
    source: Box<dyn Source>,
    live: LiveOptions,
    pace: SourcePace,
    recognizer: Mute,
    backlog: Duration,
    speakers: LiveSpeakers,
) -> Vec<Event> {
    let keeper = Keeper::default();
    let stream = Stream {
        options: StreamOptions {
            name: "test".into(),
            start: StreamStart::default(),
            live,
            pace,
            backlog,
            deadline: Duration::from_secs(60),
        },
        source,
        recognizer,
        moderator: None,
        speakers: Some(speakers),
        taps: Vec::new(),
        sinks: vec![Box::new(keeper.clone())],
    };
    let outcome = stream.run(&Arc::new(AtomicBool::new(false))).unwrap();
    assert_eq!(outcome.troubles, []);
    keeper.0.lock().unwrap().clone()
}

fn in_blocks(size: usize, live: LiveOptions, pace: SourcePace, speakers: LiveSpeakers) -> Vec<Event> {
    let source = Box::new(Blocks(conversation(), 0, size));
    hear(source, live, pace, Mute::default(), Duration::from_secs(120), speakers)
}

fn without_steps() -> LiveOptions {
    LiveOptions { step: None, ..LiveOptions::default() }
}

fn told(events: &[Event]) -> Vec<SpeakerTold> {
    let speaker = |event: &Event| match &event.kind {
        EventKind::Speaker(told) => Some((**told).clone()),
        _ => None,
    };
    events.iter().filter_map(speaker).collect()
}

/// The speaker events as lines, without what was measured.
fn lines(events: &[Event]) -> Vec<String> {
    let speakers = events.iter().filter(|event| event.type_name() == "speaker");
    speakers.map(|event| event.clone().without_compute().to_line()).collect()
}

#[test]
fn every_segment_has_its_speaker_and_numbers_are_given_as_they_come() {
    let events = in_blocks(512, without_steps(), SourcePace::Batch, speakers(None));
    let told = told(&events);
    let segments: Vec<u64> = told.iter().map(|told| told.segment).collect();
    assert_eq!(segments, (0..told.len() as u64).collect::<Vec<_>>());
    let mut ids: Vec<&str> = told.iter().filter_map(|told| told.speaker.as_deref()).collect();
    ids.dedup();
    assert_eq!(ids, ["S1", "S2", "S1", "S3"]);
    assert!(
        told.iter().all(|told| told.name.is_none() && told.score > 0.9 && told.merged.is_empty()),
        "{told:?}"
    );
    for event in events.iter().filter(|event| event.type_name() == "speaker") {
        assert!(event.compute.as_ref().is_some_and(|compute| compute.took.is_some()));
    }
}

#[test]
fn the_same_sound_gives_the_same_speakers_in_any_blocks_live_or_not() {
    let expected = lines(&in_blocks(512, without_steps(), SourcePace::Batch, speakers(None)));
    assert!(expected.len() >= 4);
    for size in [160, 4_096, 100_000] {
        for (live, pace) in [(without_steps(), SourcePace::Batch), (LiveOptions::default(), SourcePace::Live)]
        {
            assert_eq!(lines(&in_blocks(size, live, pace, speakers(None))), expected, "{size} {pace:?}");
        }
    }
}

#[test]
fn who_is_enrolled_is_named_and_watched_for_and_others_are_not() {
    let mut gallery = Gallery::new(&model());
    let asha = sentence("librivox-0920", 1);
    gallery.enroll("asha", model().embed(&asha, Silences::Kept).unwrap()).unwrap();
    let watched = BTreeMap::from([("asha".to_owned(), vec![Action::Alert, Action::SaveClip])]);
    let speakers = speakers(Some(gallery)).watching(watched);
    for told in told(&in_blocks(512, without_steps(), SourcePace::Batch, speakers)) {
        let is_asha = told.speaker.as_deref() == Some("S2");
        assert_eq!(told.name.as_deref(), is_asha.then_some("asha"), "{told:?}");
        assert_eq!(told.actions.is_empty(), !is_asha, "{told:?}");
    }
}

#[test]
fn speakers_make_way_for_finals_and_come_back() {
    let silence = vec![0.0; 16_000];
    let sound = [samples("librivox-0930"), silence].concat().repeat(6);
    let source = Box::new(Blocks(sound, 0, 4_096));
    let recognizer = Mute(Duration::from_millis(1_500));
    // What waits for the recogniser is more than half of this from the second segment on.
    let backlog = Duration::from_secs(9);
    let events = hear(source, without_steps(), SourcePace::Live, recognizer, backlog, speakers(None));
    let count = |name: &str| events.iter().filter(|event| event.type_name() == name).count();
    let is_shed = |event: &&Event| matches!(event.kind, EventKind::Shed { work: ShedWork::Speakers, .. });
    assert!(events.iter().any(|event| is_shed(&event)), "{events:?}");
    assert!(count("speaker") < count("speech_end"));
}

#[test]
fn a_stream_without_sound_has_no_speakers() {
    let source = Box::new(Recorded::new(
        AudioStream::open(AudioInput::File(fixture("silence")), &DecodeOptions::default()).unwrap(),
    ));
    let events = hear(
        source,
        without_steps(),
        SourcePace::Batch,
        Mute::default(),
        Duration::from_secs(60),
        speakers(None),
    );
    assert!(told(&events).is_empty());
}

/// Runs the program; none, and a word on it, where the network is not on this machine.
fn awaaz(arguments: &[&str]) -> Option<Output> {
    let entry = Registry::builtin().find("ge2e").unwrap();
    if find(entry, &PullOptions::from_env().unwrap()).is_none() {
        println!("skipped: the model is not here; `awaaz models pull ge2e` gets it");
        return None;
    }
    Some(Command::new(env!("CARGO_BIN_EXE_awaaz")).args(arguments).output().unwrap())
}

fn stdout(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout.clone()).unwrap()
}

#[test]
fn one_reader_is_one_speaker_and_another_voice_is_not() {
    let verify = |a: &str, b: &str| -> Option<Value> {
        let (a, b) = (fixture(a), fixture(b));
        let output = awaaz(&["speakers", "verify", a.to_str()?, b.to_str()?, "--json", "--offline"])?;
        Some(serde_json::from_str(&stdout(&output)).unwrap())
    };
    for (a, b, is_same) in [
        ("librivox-0870", "librivox-0880", true),
        ("librivox-0890", "librivox-0920", true),
        ("librivox-0870", "espeak-en", false),
        ("librivox-0930", "espeak-hi", false),
    ] {
        let Some(found) = verify(a, b) else { return };
        assert_eq!(found["same"], is_same, "{a} {b}: {found}");
        let probability = found["probability"].as_f64().unwrap();
        assert!(if is_same { probability > 0.8 } else { probability < 0.2 }, "{a} {b}: {found}");
    }
    let Some(silent) = awaaz(&[
        "speakers",
        "verify",
        fixture("silence").to_str().unwrap(),
        fixture("espeak-en").to_str().unwrap(),
    ]) else {
        return;
    };
    let told = String::from_utf8_lossy(&silent.stderr).into_owned();
    assert!(!silent.status.success() && told.contains("has 0.0 s of speech"), "{told}");
}

#[test]
fn a_gallery_learns_knows_and_forgets_and_a_stranger_stays_unknown() {
    let home = tempfile::tempdir().unwrap();
    let gallery = home.path().join("people.safetensors");
    let at = ["--gallery", gallery.to_str().unwrap()];
    let files = ["librivox-0870", "librivox-0880", "librivox-0920", "librivox-0930", "espeak-en"]
        .map(|name| fixture(name).to_str().unwrap().to_owned());
    let run = |arguments: &[&str]| awaaz(&[&["speakers"], arguments, &at].concat());
    let Some(output) = run(&["enroll", "reader", &files[0], &files[1]]) else { return };
    stdout(&output);
    let list = stdout(&run(&["list", "--json"]).unwrap());
    let row: Value = serde_json::from_str(list.trim()).unwrap();
    assert_eq!((row["name"].as_str(), row["sounds"].as_u64()), (Some("reader"), Some(2)));

    let identify = |file: &str| -> Value {
        serde_json::from_str(&stdout(&run(&["identify", file, "--json"]).unwrap())).unwrap()
    };
    assert_eq!(identify(&files[2])["name"], "reader");
    assert_eq!(identify(&files[3])["name"], "reader");
    assert_eq!(identify(&files[4])["name"], Value::Null);

    // The same name again adds, and what was refused leaves the file as it was.
    stdout(&run(&["enroll", "reader", &files[3]]).unwrap());
    let before = std::fs::read(&gallery).unwrap();
    assert!(!run(&["enroll", "", &files[0]]).unwrap().status.success());
    assert!(!run(&["forget", "nobody"]).unwrap().status.success());
    assert_eq!(std::fs::read(&gallery).unwrap(), before);
    assert!(stdout(&run(&["list"]).unwrap()).contains("reader: "));

    stdout(&run(&["forget", "reader"]).unwrap());
    assert!(stdout(&run(&["list"]).unwrap()).starts_with("0 people"));
}

#[test]
fn a_file_that_is_no_gallery_is_refused() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("people.safetensors");
    std::fs::write(&path, b"no gallery").unwrap();
    let Some(output) = awaaz(&["speakers", "list", "--gallery", path.to_str().unwrap()]) else { return };
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && told.contains("not a gallery"), "{told}");
}
