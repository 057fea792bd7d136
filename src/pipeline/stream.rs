//! A stream from its source to its sinks.
//!
//! ```text
//! source ─┬─> hear ─┬─> recognise ─┬─> publish ─┬─> sink
//!         └─> taps  ├─> speakers ──┤            └─> sink ...
//!                   └──────────────┘
//! ```
//!
//! Each box is a thread, each arrow a bounded link. A source that ends, or is stopped, ends what is behind it, in order:
//! each stage works off what it was sent before it ends itself.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use cpu_time::ProcessTime;
use crossbeam_channel::RecvTimeoutError;

use super::crew::{Crew, Ended};
use super::hear::{Found, Hear};
use super::instruments::Instruments;
use super::latency::Percentiles;
use super::link::{Bound, Counters, Item, NotSent, Policy, Receiver, Sender, link};
use super::outlets::{Tap, start_sinks, start_taps};
use super::publish::Publisher;
use super::recognise::Recognise;
use super::source::{Sound, Source, SourceStep};
use super::speakers::{self, Speakers};
use super::work::Work;
use super::{EventSink, Stage};
use crate::Result;
use crate::asr::live::SegmentRecognizer;
use crate::event::{
    Compute, Draft, EndStatus, EventKind, Report, ShedState, StageReport, StreamStart, Totals,
};
use crate::moderation::Moderator;
use crate::speaker::LiveSpeakers;
use crate::time::{SampleIndex, SampleRate, Span};
use crate::vad::LiveOptions;

/// How long a thread waits before it looks whether the stream is closing.
pub(super) const TICK: Duration = Duration::from_millis(50);

/// How a stream is run.
#[derive(Debug, Clone)]
pub struct StreamOptions {
    /// Its name, in every event.
    pub name: String,
    /// What it is heard with; told by the first event.
    pub start: StreamStart,
    /// What becomes a segment.
    pub live: LiveOptions,
    /// Whether the source can wait.
    pub pace: SourcePace,
    /// Seconds of speech that may wait for the recogniser, where the source cannot wait.
    pub backlog: Duration,
    /// How long to wait for the next sign of life of the stages once the source has ended.
    pub deadline: Duration,
}

/// Whether a source can wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SourcePace {
    /// It comes when it comes: a microphone, or a file paced like one.
    Live,
    /// It is taken as fast as it can be worked on, and never faster.
    Batch,
}

/// What a stream is made of.
pub struct Stream<R> {
    /// How it is run.
    pub options: StreamOptions,
    /// Where sound comes from.
    pub source: Box<dyn Source>,
    /// What recognises speech.
    pub recognizer: R,
    /// What judges it; none: nothing is judged.
    pub moderator: Option<Moderator>,
    /// What tells who speaks; none: nobody does.
    pub speakers: Option<LiveSpeakers>,
    /// Who hears the sound besides.
    pub taps: Vec<Box<dyn Tap>>,
    /// Where events go.
    pub sinks: Vec<Box<dyn EventSink>>,
}

/// What became of a stream.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// How it ended.
    pub status: EndStatus,
    /// Where it ended.
    pub length: SampleIndex,
    /// What was in it.
    pub totals: Totals,
    /// How well it was kept up with.
    pub report: Report,
    /// Threads that did not end as they should, with their reasons.
    pub troubles: Vec<Ended>,
    /// What was doubtful in the input.
    pub warnings: Vec<String>,
}

/// What the source's thread leaves behind.
type SourceEnd = (Option<f64>, Vec<String>);

impl<R: SegmentRecognizer + 'static> Stream<R> {
    /// Runs the stream to its end, or until `stop` is true and all that was heard by then is worked off.
    ///
    /// # Errors
    /// Those of starting; all others become events.
    pub fn run(self, stop: &Arc<AtomicBool>) -> Result<Outcome> {
        let Self { mut options, source, recognizer, moderator, speakers, taps, sinks } = self;
        options.live.windows = moderator.as_ref().and_then(Moderator::windows);
        let cpu = ProcessTime::now();
        let instruments = Arc::new(Instruments::default());
        let mut links: Vec<Arc<Counters>> = Vec::new();

        let (to_recognise, work) =
            link("hear to recognise", work_bound(&options), refuse_if_live(options.pace));
        let backlog = to_recognise.counters();

        let mut outlets = Crew::default();
        let sinks = start_sinks(&mut outlets, sinks, &options, &instruments, &backlog, &mut links)?;
        let mut publisher = Publisher::new(options.name.clone(), sinks);
        let start = StreamStart { sample_rate: SampleRate::PIPELINE.0, ..options.start.clone() };
        publisher.publish(Draft::new(Span::default(), EventKind::StreamStart(Box::new(start))));

        // The publisher works on this thread; it ends when all who send drafts have ended.
        let everything = Bound { items: 1024, samples: u64::MAX };
        let (to_publish, mut drafts) = link("stages to publish", everything, Policy::Block);

        let mut crew = Crew::default();
        let taps = start_taps(&mut crew, taps, &to_publish, &mut links)?;
        let sound_bound = Bound { items: 64, samples: u64::MAX };
        let (to_hear, sound) = link("source to hear", sound_bound, Policy::Block);
        links.extend([to_hear.counters(), to_recognise.counters(), to_publish.counters()]);

        let hear = Hear::new(options.live.clone(), Arc::clone(&instruments))?;
        let step = options.live.step.unwrap_or_default();
        let waiting = Arc::clone(&backlog);
        let recognise =
            Recognise::new(recognizer, step, Arc::clone(&instruments), backlog).writing(options.start.script);
        let recognise = recognise.judged_by(moderator)?;
        let speakers = speakers.map(|speakers| {
            let speakers = Speakers::new(speakers, Arc::clone(&instruments));
            match options.pace {
                // Half of what may wait for the recogniser.
                SourcePace::Live => speakers.making_way(waiting, work_bound(&options).samples / 2),
                SourcePace::Batch => speakers,
            }
        });
        let mut meters = vec![Meter::of(&hear), Meter::of(&recognise)];
        let source_end = Arc::new(Mutex::new(SourceEnd::default()));

        start_recognise(&mut crew, recognise, work, meters[1].clone(), to_publish.clone())?;
        let mut to_speakers = None;
        if let Some(stage) = speakers {
            let (sender, work) = link("hear to speakers", work_bound(&options), refuse_if_live(options.pace));
            links.push(sender.counters());
            meters.push(Meter::of(&stage));
            start_speakers(&mut crew, stage, work, meters[2].clone(), to_publish.clone())?;
            to_speakers = Some(sender);
        }
        start_hear(
            &mut crew,
            hear,
            sound,
            meters[0].clone(),
            Heads { to_recognise, to_speakers },
            to_publish.clone(),
            &instruments,
        )?;
        start_source(&mut crew, source, to_hear, taps, Arc::clone(stop), Arc::clone(&source_end))?;
        drop(to_publish);

        let ends = conduct(
            &mut crew,
            &mut drafts,
            &mut publisher,
            &mut outlets,
            stop,
            options.deadline,
            &instruments,
        );

        let (drift_ppm, warnings) =
            source_end.lock().map(|mut end| std::mem::take(&mut *end)).unwrap_or_default();
        let stages = meters.iter().map(|meter| meter.report(&ends)).collect();
        let status = overall(&ends, stop);
        let wall = instruments.wall();
        let report = Report {
            wall: wall.as_secs_f64(),
            cpu: cpu.elapsed().as_secs_f64() / wall.as_secs_f64().max(1e-9),
            load: instruments.load(),
            drift_ppm,
            paths: instruments.latencies(),
            stages,
            links: links.iter().map(|counters| counters.report()).collect(),
        };
        let totals = publisher.totals().clone();
        let end = instruments.position();
        publisher.publish(Draft {
            span: Span::new(SampleIndex(0), end),
            kind: EventKind::StreamEnd { status, totals: totals.clone() },
            compute: Compute { report: Some(Box::new(report.clone())), ..Compute::default() },
        });
        drop(publisher);
        let ends = ends.into_iter().chain(outlets.wait(Instant::now() + options.deadline));
        let troubles = ends.filter(|end| end.reason.is_some()).collect();
        Ok(Outcome { status, length: end, totals, report, troubles, warnings })
    }
}

/// Publishes what comes while the crew is at work, and sees to its end.
fn conduct(
    crew: &mut Crew,
    drafts: &mut Receiver<Draft>,
    publisher: &mut Publisher,
    outlets: &mut Crew,
    stop: &AtomicBool,
    deadline: Duration,
    instruments: &Instruments,
) -> Vec<Ended> {
    let mut ends: Vec<Ended> = Vec::new();
    let mut ending: Option<Instant> = None;
    loop {
        let received = drafts.recv_timeout(TICK);
        if let Ok(draft) = received {
            publisher.publish(draft);
            ending = ending.map(|_| Instant::now());
            continue;
        }
        while let Some(end) = crew.next_ended(Duration::ZERO) {
            if let Some(reason) = &end.reason {
                let kind = EventKind::Error { stage: end.name.clone(), message: reason.clone() };
                let at = instruments.position();
                publisher.publish(Draft::new(Span::new(at, at), kind));
            }
            ends.push(end);
        }
        ends.extend(std::iter::from_fn(|| outlets.next_ended(Duration::ZERO)));
        if !outlets.is_at_work() {
            // Nobody listens any more.
            stop.store(true, Ordering::Relaxed);
        }
        if received == Err(RecvTimeoutError::Disconnected) && !crew.is_at_work() {
            return ends;
        }
        if ending.is_none() && (stop.load(Ordering::Relaxed) || !crew.has("source")) {
            ending = Some(Instant::now());
        }
        if let Some(since) = ending {
            // A source that is stuck in a read cannot end what is behind it.
            if since.elapsed() > deadline / 2 || !crew.has("source") {
                crew.close();
            }
            if since.elapsed() > deadline {
                let abandoned = crew.wait(Instant::now());
                for end in &abandoned {
                    let message = "did not end in time and was left behind".to_owned();
                    let kind = EventKind::Error { stage: end.name.clone(), message };
                    let at = instruments.position();
                    publisher.publish(Draft::new(Span::new(at, at), kind));
                }
                ends.extend(abandoned);
                return ends;
            }
        }
    }
}

fn start_source(
    crew: &mut Crew,
    mut source: Box<dyn Source>,
    to_hear: Sender<Sound>,
    taps: Vec<Sender<Sound>>,
    stop: Arc<AtomicBool>,
    end: Arc<Mutex<SourceEnd>>,
) -> Result<()> {
    crew.start("source", move || {
        let status = loop {
            if stop.load(Ordering::Relaxed) {
                break Ok(EndStatus::Stopped);
            }
            match source.next() {
                Ok(SourceStep::Sound(sound)) => {
                    for tap in &taps {
                        // A tap that is gone or too slow has said so.
                        let _ = tap.send(sound.clone());
                    }
                    if to_hear.send(sound).is_err() {
                        break Ok(EndStatus::DownstreamGone);
                    }
                }
                Ok(SourceStep::Wait) => {}
                Ok(SourceStep::End) => break Ok(EndStatus::Finished),
                Err(error) => break Err(error),
            }
        };
        if let Ok(mut end) = end.lock() {
            *end = (source.drift_ppm(), source.warnings());
        }
        status
    })
}

/// Where work on speech goes.
struct Heads {
    to_recognise: Sender<Work>,
    to_speakers: Option<Sender<Work>>,
}

impl Heads {
    /// Sends work to all that do it; what becomes of that of the recogniser is given back.
    fn send(&self, work: Work, to_publish: &Sender<Draft>) -> std::result::Result<(), NotSent<Work>> {
        if let (Some(to_speakers), Work::Grown(_) | Work::Final(..)) = (&self.to_speakers, &work)
            && let Err(NotSent::Full(Work::Final(utterance, _))) = to_speakers.send(work.clone())
        {
            // Where nobody publishes, the next event tells; and where nobody tells who speaks, that was told.
            let _ = to_publish.send(speakers::shed(utterance.speech.span.end, ShedState::Stopped));
        }
        self.to_recognise.send(work)
    }
}

fn start_speakers(
    crew: &mut Crew,
    mut stage: Speakers,
    mut work: Receiver<Work>,
    meter: Meter,
    to_publish: Sender<Draft>,
) -> Result<()> {
    crew.start("speakers", move || {
        run_stage(&mut stage, &mut work, until_no_more_comes, &meter, |draft| to_publish.send(draft).is_ok())
    })
}

fn start_hear(
    crew: &mut Crew,
    mut hear: Hear,
    mut sound: Receiver<Sound>,
    meter: Meter,
    heads: Heads,
    to_publish: Sender<Draft>,
    instruments: &Arc<Instruments>,
) -> Result<()> {
    let instruments = Arc::clone(instruments);
    let closing = crew.closing();
    crew.start("hear", move || {
        let deliver = |found: Found| match found {
            Found::Event(draft) => to_publish.send(draft).is_ok(),
            Found::Work(work) => match heads.send(work, &to_publish) {
                Ok(()) => true,
                Err(NotSent::Full(work)) => to_publish.send(refused(&work, &instruments)).is_ok(),
                Err(NotSent::Gone) => false,
            },
        };
        run_stage(&mut hear, &mut sound, || closing.is_near(), &meter, deliver)
    })
}

fn start_recognise<R: SegmentRecognizer + 'static>(
    crew: &mut Crew,
    mut recognise: Recognise<R>,
    mut work: Receiver<Work>,
    meter: Meter,
    to_publish: Sender<Draft>,
) -> Result<()> {
    crew.start("recognise", move || {
        run_stage(&mut recognise, &mut work, until_no_more_comes, &meter, |draft| {
            to_publish.send(draft).is_ok()
        })
    })
}

/// What is behind `hear`, which ends in any case, does not end before it: where the machine is so busy that sound is still
/// being heard long after its source has ended, the last final is still to come.
fn until_no_more_comes() -> bool {
    false
}

/// Pushes what comes through a stage until nothing comes any more, or, where the stage `may_end`, nothing has come for a tick.
fn run_stage<S: Stage>(
    stage: &mut S,
    input: &mut Receiver<S::Input>,
    may_end: impl Fn() -> bool,
    meter: &Meter,
    deliver: impl Fn(S::Output) -> bool,
) -> Result<EndStatus>
where
    S::Input: Item,
{
    let mut output = Vec::new();
    loop {
        match input.recv_timeout(TICK) {
            Ok(item) => {
                let start = Instant::now();
                stage.push(item, &mut output)?;
                meter.add(start.elapsed());
            }
            Err(RecvTimeoutError::Timeout) if !may_end() => continue,
            Err(_) => break,
        }
        if !output.drain(..).all(&deliver) {
            return Ok(EndStatus::DownstreamGone);
        }
    }
    stage.flush(&mut output)?;
    output.drain(..).for_each(|item| {
        deliver(item);
    });
    Ok(EndStatus::Finished)
}

/// What is told of work that there was no room for.
fn refused(work: &Work, instruments: &Instruments) -> Draft {
    let (span, what) = match work {
        Work::Final(utterance, _) => (utterance.speech.span, format!("segment {}", utterance.segment)),
        _ => (Span::new(instruments.position(), instruments.position()), "a mark".to_owned()),
    };
    let message =
        format!("fell too far behind: {what} is not transcribed; use a smaller model or more threads");
    Draft::new(span, EventKind::Error { stage: "recognise".into(), message })
}

fn work_bound(options: &StreamOptions) -> Bound {
    match options.pace {
        SourcePace::Live => {
            Bound { items: 1024, samples: SampleIndex::from_seconds(options.backlog.as_secs_f64()).0 }
        }
        // Enough for one segment to be found while another is recognised.
        SourcePace::Batch => Bound { items: 2, samples: u64::MAX },
    }
}

fn refuse_if_live(pace: SourcePace) -> Policy {
    match pace {
        SourcePace::Live => Policy::Refuse,
        SourcePace::Batch => Policy::Block,
    }
}

/// How the stream ended, by how its threads did.
fn overall(ends: &[Ended], stop: &AtomicBool) -> EndStatus {
    let has = |status| ends.iter().any(|end| end.status == status);
    let worst = [EndStatus::Panicked, EndStatus::Abandoned, EndStatus::Failed, EndStatus::DownstreamGone];
    match worst.into_iter().find(|&status| has(status)) {
        Some(status) => status,
        None if stop.load(Ordering::Relaxed) => EndStatus::Stopped,
        None => EndStatus::Finished,
    }
}

/// Measures a stage.
#[derive(Clone)]
struct Meter {
    name: &'static str,
    took: Arc<Mutex<Percentiles>>,
}

impl Meter {
    fn of(stage: &impl Stage) -> Self {
        let took = Percentiles::new(stage.name(), stage.budget());
        Self { name: stage.name(), took: Arc::new(Mutex::new(took)) }
    }

    fn add(&self, took: Duration) {
        self.took.lock().unwrap_or_else(PoisonError::into_inner).add(took);
    }

    fn report(&self, ends: &[Ended]) -> StageReport {
        let status = ends.iter().find(|end| end.name == self.name).map(|end| end.status);
        StageReport {
            status: status.unwrap_or(EndStatus::Abandoned),
            took: self.took.lock().unwrap_or_else(PoisonError::into_inner).report(),
        }
    }
}
