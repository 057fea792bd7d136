//! One short stream with an event of every type, and text in several scripts.

use awaaz::compute::Precision;
use awaaz::event::{
    Action, Compute, EndReason, EndStatus, Event, EventKind, EventWord, Evidence, EvidenceWord, GapReason,
    Latency, LinkReport, Parts, Report, ShedState, ShedWork, SpeakerTold, StageReport, StreamStart, Totals,
    VERSION, Verdict, VerdictStatus,
};

pub const URDU: &str = "آواز سنتے ہی جواب دیتا ہے، اور ہر لفظ کا وقت بتاتا ہے۔";
pub const TAMIL: &str = "குரலைக் கேட்டவுடன் பதில் சொல்கிறது.";

fn event(id: &str, t0: f64, t1: f64, kind: EventKind) -> Event {
    let compute = Some(Compute { at: Some(1_750_000_000.0 + t1), ..Compute::default() });
    Event { v: VERSION, id: id.into(), stream: "talk".into(), t0, t1, kind, compute }
}

fn words(text: &str, t0: f64) -> Vec<EventWord> {
    let word = |(number, word): (usize, &str)| {
        let t0 = t0 + 0.5 * number as f64;
        EventWord { text: word.into(), romanized: None, t0, t1: t0 + 0.375, probability: 0.875 }
    };
    text.split_whitespace().enumerate().map(word).collect()
}

fn partial(id: &str, segment: u64, t0: f64, t1: f64, stable: &str, unstable: &str, language: &str) -> Event {
    let (stable, unstable, language) = (stable.into(), unstable.into(), language.into());
    event(id, t0, t1, EventKind::Partial { segment, stable, unstable, romanized: None, language })
}

fn text(id: &str, segment: u64, t0: f64, t1: f64, text: &str, language: &str) -> Event {
    let kind = EventKind::Final {
        segment,
        text: text.into(),
        romanized: None,
        language: language.into(),
        words: words(text, t0),
        average_logprob: -0.25,
        temperature: 0.0,
    };
    let mut event = event(id, t0, t1, kind);
    event.compute = Some(Compute {
        at: Some(1_750_000_000.0 + t1),
        latency: Some(0.625),
        took: Some(0.25),
        report: None,
    });
    event
}

fn latency(name: &str, budget: f64) -> Latency {
    Latency { name: name.into(), budget, count: 3, p50: 0.5, p95: 0.625, p99: 0.625, max: 0.625 }
}

/// A stream from start to end.
pub fn sample() -> Vec<Event> {
    let start = StreamStart {
        source: "talk.wav".into(),
        sample_rate: 16_000,
        program: "0.1.0".into(),
        model: "base".into(),
        precision: Precision::F32,
        languages: vec!["en".into(), "ta".into(), "ur".into()],
        beam: 5,
        temperatures: vec![0.0, 0.6],
        vad_threshold: 0.5,
        min_silence: 0.5,
        max_segment: 25.0,
        ..StreamStart::default()
    };
    let totals = Totals {
        segments: 3,
        words: 20,
        speech: 12.5,
        gaps: 1,
        missing: 0.25,
        errors: 1,
        confirmed: 1,
        withdrawn: 0,
    };
    let mut end =
        event("stream_end-0", 0.0, 24.0, EventKind::StreamEnd { status: EndStatus::Finished, totals });
    end.compute = Some(Compute {
        at: Some(1_750_000_024.75),
        report: Some(Box::new(Report {
            wall: 24.75,
            cpu: 0.5,
            load: 0.25,
            drift_ppm: Some(12.5),
            paths: vec![latency("speech_end_to_final", 0.7)],
            stages: vec![StageReport { status: EndStatus::Finished, took: latency("vad", 0.05) }],
            links: vec![LinkReport {
                name: "vad-asr".into(),
                passed: 3,
                dropped: 0,
                deepest: 1,
                waited: 0.0,
            }],
        })),
        ..Compute::default()
    });
    let confirmed = Verdict {
        segment: 1,
        status: VerdictStatus::Confirmed,
        category: "insult".into(),
        score: 0.875,
        parts: Parts { audio: Some(0.75), text: None, lexicon: Some(0.5), anger: Some(0.625) },
        reason: "جواب is on a list (insult, severity 2)".into(),
        evidence: Evidence {
            t0: 9.25,
            t1: 9.625,
            words: vec![EvidenceWord { text: "جواب".into(), t0: 9.25, t1: 9.625 }],
        },
        actions: vec![Action::Bleep, Action::SaveClip],
    };
    let emotion = EventKind::Emotion {
        segment: 1,
        label: "anger".into(),
        probabilities: [("anger".into(), 0.625), ("neutral".into(), 0.375)].into(),
        arousal: Some(0.625),
    };
    let speaker = SpeakerTold {
        segment: 1,
        speaker: Some("S1".into()),
        score: 0.875,
        name: Some("asha".into()),
        name_score: Some(0.75),
        merged: vec!["S2".into()],
        actions: vec![Action::Alert],
    };
    let pause = |segment| EventKind::SpeechEnd { segment, reason: EndReason::Pause };
    vec![
        event("stream_start-0", 0.0, 0.0, EventKind::StreamStart(Box::new(start))),
        event("speech_start-0", 1.0, 1.25, EventKind::SpeechStart { segment: 0 }),
        partial("partial-0", 0, 1.0, 2.5, "It was the best", "of ties", "en"),
        event("speech_end-0", 0.75, 5.0, pause(0)),
        text("final-0", 0, 0.75, 5.0, "It was the best of times.", "en"),
        event("gap-0", 6.0, 6.25, EventKind::Gap { reason: GapReason::Overrun }),
        event("speech_start-1", 8.0, 8.25, EventKind::SpeechStart { segment: 1 }),
        event("speech_end-1", 7.75, 12.0, pause(1)),
        event("speaker-0", 7.75, 12.0, EventKind::Speaker(Box::new(speaker))),
        text("final-1", 1, 7.75, 12.0, URDU, "ur"),
        event("emotion-0", 7.75, 12.0, emotion),
        event("verdict-0", 7.75, 12.0, EventKind::Verdict(Box::new(confirmed))),
        event(
            "shed-0",
            13.0,
            13.0,
            EventKind::Shed { work: ShedWork::Partials, state: ShedState::Thinned, step: 1.0 },
        ),
        event("speech_start-2", 14.0, 14.25, EventKind::SpeechStart { segment: 2 }),
        text("final-2", 2, 13.75, 17.0, TAMIL, "ta"),
        event("marker-0", 18.0, 18.0, EventKind::Marker { name: "flush".into() }),
        event(
            "error-0",
            19.0,
            19.0,
            EventKind::Error { stage: "events.jsonl".into(), message: "no space left on device".into() },
        ),
        end,
    ]
}
