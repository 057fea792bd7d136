//! What a stream promises, whatever its source, its recogniser and its sinks do.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use awaaz::asr::live::{FinalText, PartialText, SegmentRecognizer};
use awaaz::asr::{AudioSource, Word};
use awaaz::audio::{AudioInput, AudioStream, DecodeOptions};
use awaaz::event::{EndStatus, Event, EventKind, GapReason, StreamStart};
use awaaz::pipeline::{
    EventSink, Outcome, Paced, Recorded, Sound, Source, SourcePace, SourceStep, Stream, StreamOptions,
};
use awaaz::vad::{LiveOptions, SpeechSegment};
use awaaz::{Error, Result};
use proptest::prelude::*;

/// A person reading for 7 s.
fn sentence() -> Vec<f32> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/audio-fixtures/librivox-0870/audio.flac");
    let mut audio = AudioStream::open(AudioInput::from_arg(path), &DecodeOptions::default()).unwrap();
    audio.read_all().unwrap()
}

/// The sentence, silence, the sentence, silence.
fn two_sentences() -> Vec<f32> {
    let (sentence, silence) = (sentence(), vec![0.0; 16_000]);
    [sentence.clone(), silence.clone(), sentence, silence].concat()
}

/// Writes down how much it heard, as a network would what it heard.
#[derive(Clone, Default)]
struct Scripted {
    /// What each partial takes.
    partial: Duration,
    /// What each final takes.
    last: Duration,
    /// Panics at its first final.
    panics: bool,
    /// Fails at its first final.
    fails: bool,
}

impl SegmentRecognizer for Scripted {
    fn partial(
        &mut self,
        segment: u64,
        speech: &SpeechSegment,
        _: &dyn Fn() -> bool,
    ) -> Result<Option<PartialText>> {
        std::thread::sleep(self.partial);
        let unstable = format!("{segment} to {}", speech.span.end.0);
        Ok(Some(PartialText { stable: String::new(), unstable, language: "en".into() }))
    }

    fn prepare(&mut self, _: u64, _: &SpeechSegment) -> Result<Option<PartialText>> {
        Ok(None)
    }

    fn finish(&mut self, speech: &SpeechSegment) -> Result<FinalText> {
        assert!(!self.panics, "the recogniser is broken");
        if self.fails {
            return Err(Error::model("scripted", "has failed"));
        }
        std::thread::sleep(self.last);
        let loudness: f32 = speech.samples.iter().map(|sample| sample * sample).sum();
        let text = format!("{} samples of {loudness}", speech.samples.len());
        let word = Word { text: text.clone(), span: speech.span, probability: 1.0 };
        Ok(FinalText { text, language: "en".into(), words: vec![word], ..FinalText::default() })
    }

    fn reset(&mut self) {}
}

/// Keeps events.
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

/// Gives what it was given.
struct Pieces(std::vec::IntoIter<Sound>);

impl Source for Pieces {
    fn next(&mut self) -> Result<SourceStep> {
        Ok(self.0.next().map_or(SourceStep::End, SourceStep::Sound))
    }
}

fn block(samples: &[f32]) -> Sound {
    Sound::Block { samples: samples.into(), at: None }
}

fn pieces(pieces: Vec<Sound>) -> Box<dyn Source> {
    Box::new(Pieces(pieces.into_iter()))
}

struct Samples(std::vec::IntoIter<f32>);

impl AudioSource for Samples {
    fn read(&mut self, block: &mut Vec<f32>) -> Result<usize> {
        block.clear();
        block.extend(self.0.by_ref().take(4096));
        Ok(block.len())
    }
}

fn options(pace: SourcePace) -> StreamOptions {
    StreamOptions {
        name: "test".into(),
        start: StreamStart::default(),
        live: LiveOptions::default(),
        pace,
        backlog: Duration::from_secs(120),
        deadline: Duration::from_secs(10),
    }
}

fn run_with(
    options: StreamOptions,
    source: Box<dyn Source>,
    recognizer: Scripted,
    sinks: Vec<Box<dyn EventSink>>,
) -> (Outcome, Vec<Event>) {
    let keeper = Keeper::default();
    let mut all: Vec<Box<dyn EventSink>> = vec![Box::new(keeper.clone())];
    all.extend(sinks);
    let stream =
        Stream { options, source, recognizer, moderator: None, speakers: None, taps: Vec::new(), sinks: all };
    let outcome = stream.run(&Arc::new(AtomicBool::new(false))).unwrap();
    let events = keeper.0.lock().unwrap().clone();
    (outcome, events)
}

fn run(pace: SourcePace, source: Box<dyn Source>, recognizer: Scripted) -> (Outcome, Vec<Event>) {
    run_with(options(pace), source, recognizer, Vec::new())
}

/// The events that the same sound always gives, as lines in order of their ids.
fn determined(events: &[Event]) -> Vec<String> {
    let mut lines: Vec<String> = events
        .iter()
        .filter(|event| event.kind.is_determined())
        .map(|event| event.clone().without_compute().to_line())
        .collect();
    lines.sort();
    lines
}

fn finals(events: &[Event]) -> Vec<&Event> {
    events.iter().filter(|event| matches!(event.kind, EventKind::Final { .. })).collect()
}

fn errors(events: &[Event]) -> Vec<String> {
    let error = |event: &Event| match &event.kind {
        EventKind::Error { stage, message } => Some(format!("{stage}: {message}")),
        _ => None,
    };
    events.iter().filter_map(error).collect()
}

#[test]
fn every_stream_begins_and_ends_and_says_what_was_in_it() {
    let (outcome, events) =
        run(SourcePace::Batch, pieces(vec![block(&two_sentences())]), Scripted::default());
    assert_eq!(outcome.status, EndStatus::Finished);
    assert_eq!(outcome.troubles, []);
    assert!(matches!(events[0].kind, EventKind::StreamStart(_)));
    let Some(EventKind::StreamEnd { status, totals }) = events.last().map(|event| &event.kind) else {
        panic!("{events:?}");
    };
    assert_eq!(*status, EndStatus::Finished);
    assert_eq!(totals.segments as usize, finals(&events).len());
    assert!(totals.segments >= 2);
    let report = events.last().and_then(|event| event.compute.clone()?.report).unwrap();
    assert!(report.stages.iter().all(|stage| stage.status == EndStatus::Finished), "{report:?}");
    // Nothing is said of latency where nothing is live.
    assert_eq!(report.paths, []);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn blocks_do_not_matter(cuts in prop::collection::vec(1usize..30_000, 1..40)) {
        let samples = two_sentences();
        let mut blocks = Vec::new();
        let mut rest = &samples[..];
        for cut in cuts.iter().cycle() {
            let (now, later) = rest.split_at(rest.len().min(*cut));
            blocks.push(block(now));
            rest = later;
            if rest.is_empty() {
                break;
            }
        }
        let (_, whole) = run(SourcePace::Batch, pieces(vec![block(&samples)]), Scripted::default());
        let (_, cut) = run(SourcePace::Batch, pieces(blocks), Scripted::default());
        prop_assert_eq!(determined(&whole), determined(&cut));
    }
}

#[test]
fn live_pace_gives_the_events_of_batch() {
    let samples = sentence();
    let (_, batch) = run(SourcePace::Batch, pieces(vec![block(&samples)]), Scripted::default());
    let paced = Box::new(Paced::new(Samples(samples.clone().into_iter())));
    let started = Instant::now();
    let (outcome, live) = run(SourcePace::Live, paced, Scripted::default());
    let took = started.elapsed().as_secs_f64();
    let seconds = samples.len() as f64 / 16_000.0;
    assert!((seconds..seconds + 1.0).contains(&took), "{seconds} s of sound took {took} s");
    assert_eq!(determined(&batch), determined(&live));
    assert!(live.iter().any(|event| matches!(event.kind, EventKind::Partial { .. })));
    let paths: Vec<&str> = outcome.report.paths.iter().map(|path| path.name.as_str()).collect();
    assert_eq!(paths.len(), 3, "{paths:?}");
}

/// A block is heard for longer than threads wait before they look whether the stream ends, as on a busy machine.
#[test]
fn no_final_is_lost_where_hearing_takes_longer_than_the_source() {
    let sound = two_sentences().repeat(20);
    let at_once = run(SourcePace::Batch, pieces(vec![block(&sound)]), Scripted::default());
    let blocks = sound.chunks(4096).map(block).collect();
    let one_by_one = run(SourcePace::Batch, pieces(blocks), Scripted::default());
    assert_eq!(at_once.0.status, EndStatus::Finished);
    assert!(finals(&at_once.1).len() >= 40);
    assert_eq!(determined(&at_once.1), determined(&one_by_one.1));
}

#[test]
fn a_marker_comes_after_all_that_was_said_before_it() {
    let samples = sentence();
    let middle = samples.len() / 2;
    let marked = vec![
        block(&samples[..middle]),
        Sound::Marker("here".into()),
        block(&samples[middle..]),
        Sound::Marker("end".into()),
    ];
    let (_, events) = run(SourcePace::Batch, pieces(marked), Scripted::default());
    let position = |name: &str| {
        events
            .iter()
            .position(|event| matches!(&event.kind, EventKind::Marker { name: found } if found == name))
    };
    let (here, end) = (position("here").unwrap(), position("end").unwrap());
    assert_eq!(events[here].t0, middle as f64 / 16_000.0);
    // Speech goes on over the middle, so the marker ends a segment there.
    assert!(finals(&events[..here]).iter().any(|event| event.t1 == events[here].t0));
    assert!(finals(&events[here..]).iter().all(|event| event.t0 >= events[here].t0));
    assert_eq!(finals(&events[end..]).len(), 0);
}

#[test]
fn a_long_gap_ends_speech_and_a_short_one_does_not_and_both_stay_in_the_clock() {
    let samples = sentence();
    let middle = samples.len() / 2;
    let with_gap = |gap: u64| {
        let gap = Sound::Gap { samples: gap, reason: GapReason::Overrun };
        let sound = vec![block(&samples[..middle]), gap, block(&samples[middle..])];
        run(SourcePace::Batch, pieces(sound), Scripted::default()).1
    };
    let across = |events: &[Event]| {
        let at = middle as f64 / 16_000.0;
        finals(events).iter().any(|event| event.t0 < at && event.t1 > at + 0.01)
    };
    let short = with_gap(800);
    assert!(across(&short));
    assert_eq!(short.last().unwrap().t1, (samples.len() + 800) as f64 / 16_000.0);
    let day = 24 * 3600 * 16_000;
    let long = with_gap(day);
    assert!(!across(&long));
    assert_eq!(long.last().unwrap().t1, (samples.len() as u64 + day) as f64 / 16_000.0);
    let Some(EventKind::StreamEnd { totals, .. }) = long.last().map(|event| &event.kind) else { panic!() };
    assert_eq!((totals.gaps, totals.missing), (1, 86_400.0));
    // A gap at the end counts too.
    let gap = Sound::Gap { samples: day, reason: GapReason::DeviceLost };
    let (_, ended) = run(SourcePace::Batch, pieces(vec![block(&samples), gap]), Scripted::default());
    assert_eq!(ended.last().unwrap().t1, (samples.len() as u64 + day) as f64 / 16_000.0);
    // After a day the clock is still right to the sample.
    let last = finals(&long).last().copied().cloned().unwrap();
    let sample = last.t0 * 16_000.0;
    assert!(last.t0 > 86_400.0 && sample == sample.round());
}

#[test]
fn a_recogniser_that_stalls_loses_partials_and_nothing_else() {
    let samples = two_sentences();
    let (_, batch) = run(SourcePace::Batch, pieces(vec![block(&samples)]), Scripted::default());
    let stalling = Scripted { partial: Duration::from_secs(5), ..Scripted::default() };
    let paced = Box::new(Paced::new(Samples(samples.into_iter())));
    let (outcome, live) = run(SourcePace::Live, paced, stalling);
    assert_eq!(determined(&batch), determined(&live));
    assert_eq!(errors(&live), [""; 0]);
    let shed = live.iter().filter(|event| matches!(event.kind, EventKind::Shed { .. })).count();
    assert!(shed >= 1);
    let work = outcome.report.links.iter().find(|link| link.name == "hear to recognise").unwrap();
    assert!(work.dropped > 0, "{work:?}");
}

#[test]
fn a_backlog_beyond_the_bound_is_an_error_event() {
    let slow = Scripted { last: Duration::from_secs(4), ..Scripted::default() };
    let mut live = options(SourcePace::Live);
    live.backlog = Duration::from_secs(5);
    // As much as comes at once from a source that does not wait.
    let sound = (0..6).map(|_| block(&two_sentences())).collect();
    let (outcome, events) = run_with(live, pieces(sound), slow, Vec::new());
    assert_eq!(outcome.status, EndStatus::Finished);
    let errors = errors(&events);
    assert!(
        !errors.is_empty() && errors.iter().all(|error| error.contains("fell too far behind")),
        "{errors:?}"
    );
    let segments = events.iter().filter(|event| matches!(event.kind, EventKind::SpeechEnd { .. })).count();
    assert_eq!(finals(&events).len() + errors.len(), segments);
}

#[test]
fn a_panic_becomes_an_event_and_a_clean_end() {
    let broken = Scripted { panics: true, ..Scripted::default() };
    let (outcome, events) = run(SourcePace::Batch, pieces(vec![block(&two_sentences()); 20]), broken);
    assert_eq!(outcome.status, EndStatus::Panicked);
    assert_eq!(errors(&events), ["recognise: the recogniser is broken"]);
    assert!(matches!(events.last().unwrap().kind, EventKind::StreamEnd { status: EndStatus::Panicked, .. }));
    assert!(outcome.troubles.iter().any(|end| end.name == "recognise" && end.status == EndStatus::Panicked));
}

#[test]
fn a_failure_becomes_an_event_and_a_clean_end() {
    let broken = Scripted { fails: true, ..Scripted::default() };
    let (outcome, events) = run(SourcePace::Batch, pieces(vec![block(&two_sentences()); 20]), broken);
    assert_eq!(outcome.status, EndStatus::Failed);
    assert_eq!(errors(&events), ["recognise: model scripted: has failed"]);
}

#[test]
fn a_sink_that_blocks_for_ever_holds_nobody_up() {
    struct Blocked;
    impl EventSink for Blocked {
        fn name(&self) -> &str {
            "blocked"
        }
        fn write(&mut self, _: &Event) -> Result<()> {
            loop {
                std::thread::park();
            }
        }
    }
    let samples = sentence();
    let (_, batch) = run(SourcePace::Batch, pieces(vec![block(&samples)]), Scripted::default());
    let mut live = options(SourcePace::Live);
    live.deadline = Duration::from_millis(500);
    let paced = Box::new(Paced::new(Samples(samples.into_iter())));
    let (outcome, events) = run_with(live, paced, Scripted::default(), vec![Box::new(Blocked)]);
    assert_eq!(determined(&batch), determined(&events));
    assert!(outcome.troubles.iter().any(|end| end.name == "blocked" && end.status == EndStatus::Abandoned));
}

#[test]
fn a_sink_that_fails_leaves_the_others_and_the_last_one_ends_the_stream() {
    struct Failing;
    impl EventSink for Failing {
        fn name(&self) -> &str {
            "failing"
        }
        fn write(&mut self, _: &Event) -> Result<()> {
            Err(Error::io("failing", std::io::ErrorKind::BrokenPipe.into()))
        }
    }
    let sound = || pieces(vec![block(&two_sentences())]);
    let (outcome, events) =
        run_with(options(SourcePace::Batch), sound(), Scripted::default(), vec![Box::new(Failing)]);
    assert!(finals(&events).len() >= 2);
    assert!(outcome.troubles.iter().any(|end| end.name == "failing"));

    let endless = Box::new(Paced::new(Samples(vec![0.0; 16_000 * 600].into_iter())));
    let stream = Stream {
        options: options(SourcePace::Live),
        source: endless,
        recognizer: Scripted::default(),
        moderator: None,
        speakers: None,
        taps: Vec::new(),
        sinks: vec![Box::new(Failing)],
    };
    let started = Instant::now();
    let stop = Arc::new(AtomicBool::new(false));
    stream.run(&stop).unwrap();
    assert!(started.elapsed() < Duration::from_secs(5));
}

#[test]
fn a_source_that_is_stuck_can_be_stopped() {
    struct Stuck;
    impl Source for Stuck {
        fn next(&mut self) -> Result<SourceStep> {
            loop {
                std::thread::park();
            }
        }
    }
    let mut live = options(SourcePace::Live);
    live.deadline = Duration::from_millis(400);
    let keeper = Keeper::default();
    let stop = Arc::new(AtomicBool::new(false));
    let stream = Stream {
        options: live,
        source: Box::new(Stuck),
        recognizer: Scripted::default(),
        moderator: None,
        speakers: None,
        taps: Vec::new(),
        sinks: vec![Box::new(keeper.clone())],
    };
    let asked = Arc::clone(&stop);
    std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(200));
        asked.store(true, Ordering::Relaxed);
    });
    let started = Instant::now();
    let outcome = stream.run(&stop).unwrap();
    assert!(started.elapsed() < Duration::from_secs(3));
    assert_eq!(outcome.status, EndStatus::Abandoned);
    assert!(matches!(keeper.0.lock().unwrap().last().unwrap().kind, EventKind::StreamEnd { .. }));
}

/// Kilobytes of memory that the process holds, where the system tells.
fn resident() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?.split_whitespace().next()?.parse().ok()
}

#[test]
fn four_hours_need_no_more_memory_than_ten_minutes() {
    if resident().is_none() {
        println!("skipped: this system does not tell how much memory a process holds");
        return;
    }
    // In a process of its own: tests beside this one need memory too.
    const ALONE: &str = "MEASURED_ALONE";
    if std::env::var_os(ALONE).is_none() {
        let mut alone = std::process::Command::new(std::env::current_exe().unwrap());
        alone.args(["four_hours_need_no_more_memory_than_ten_minutes", "--exact", "--nocapture"]);
        assert!(alone.env(ALONE, "1").status().unwrap().success());
        return;
    }
    /// The same sound again and again; takes note of the memory after ten minutes.
    struct Loop {
        sound: Arc<[f32]>,
        left: u64,
        at_first: Arc<Mutex<Option<u64>>>,
        given: u64,
    }
    impl Source for Loop {
        fn next(&mut self) -> Result<SourceStep> {
            if self.left == 0 {
                return Ok(SourceStep::End);
            }
            self.left = self.left.saturating_sub(self.sound.len() as u64);
            self.given += self.sound.len() as u64;
            if self.given > 600 * 16_000 {
                let mut at_first = self.at_first.lock().unwrap();
                *at_first = at_first.or(resident());
            }
            Ok(SourceStep::Sound(Sound::Block { samples: Arc::clone(&self.sound), at: None }))
        }
    }
    let at_first = Arc::new(Mutex::new(None));
    let source = Loop {
        sound: two_sentences().into(),
        left: 4 * 3600 * 16_000,
        at_first: Arc::clone(&at_first),
        given: 0,
    };
    struct Nowhere;
    impl EventSink for Nowhere {
        fn name(&self) -> &str {
            "nowhere"
        }
        fn write(&mut self, _: &Event) -> Result<()> {
            Ok(())
        }
    }
    let stream = Stream {
        options: options(SourcePace::Batch),
        source: Box::new(source),
        recognizer: Scripted::default(),
        moderator: None,
        speakers: None,
        taps: Vec::new(),
        sinks: vec![Box::new(Nowhere)],
    };
    let outcome = stream.run(&Arc::new(AtomicBool::new(false))).unwrap();
    let (first, last) = (at_first.lock().unwrap().unwrap(), resident().unwrap());
    println!(
        "{first} kB after ten minutes, {last} kB after four hours, {} segments",
        outcome.totals.segments
    );
    assert!(outcome.totals.segments > 1000);
    assert!(last < first + 10_000, "{first} kB grew to {last} kB");
}

#[test]
fn recorded_sound_is_taken_as_fast_as_it_is_worked_on() {
    let started = Instant::now();
    let source = Box::new(Recorded::new(Samples(vec![0.0; 60 * 16_000].into_iter())));
    let (outcome, events) = run(SourcePace::Batch, source, Scripted::default());
    assert!(started.elapsed() < Duration::from_secs(20));
    assert_eq!(outcome.length.seconds(), 60.0);
    assert_eq!(events.len(), 2);
}
