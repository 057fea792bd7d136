//! The event schema, version 1: what a stream says while it is heard. `docs/events.md` describes it for readers.
//!
//! An event is one JSON object on one line. The same sound gives the same events, but for three things: the field
//! `compute`, which holds all that is measured rather than heard; `partial`; and `shed`. How often those two come
//! depends on the machine.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::asr::romanize::Script;
use crate::compute::Precision;
use crate::time::Span;

/// Version of the schema. Within it, fields are added and never renamed.
pub const VERSION: u32 = 1;

/// Something that happened in a stream.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Version of the schema.
    pub v: u32,
    /// Name of the event, unlike any other of the stream: its type and its number among those of its type. A receiver
    /// that gets an event twice knows it by `stream` and `id`.
    pub id: String,
    /// Name of the stream.
    pub stream: String,
    /// Where it begins, in seconds of the stream's clock.
    pub t0: f64,
    /// Where it ends, in seconds of the stream's clock.
    pub t1: f64,
    /// What happened.
    #[serde(flatten)]
    pub kind: EventKind,
    /// What was measured on the way; the only field that differs when the same sound is heard again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compute: Option<Compute>,
}

/// What an event tells.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum EventKind {
    /// The stream begins. All that is needed to hear it again in the same way.
    StreamStart(Box<StreamStart>),
    /// Speech was heard; `t0` is its onset, `t1` where that became certain.
    SpeechStart {
        /// Number of the segment, from 0.
        segment: u64,
    },
    /// Speech has ended; `t0` to `t1` is the segment, with the padding around it.
    SpeechEnd {
        /// Number of the segment.
        segment: u64,
        /// What ended it.
        reason: EndReason,
    },
    /// What was understood of a segment so far; `t1` is how far it was heard.
    Partial {
        /// Number of the segment.
        segment: u64,
        /// The part that two hypotheses in a row agree on. It only grows until the segment is final.
        stable: String,
        /// The rest of the newest hypothesis, which may change.
        unstable: String,
        /// Both in Latin letters, where that was asked for.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        romanized: Option<String>,
        /// Language code.
        language: String,
    },
    /// The text of a segment. It never changes, and every segment has one.
    Final {
        /// Number of the segment.
        segment: u64,
        /// The text; empty where nothing was understood.
        text: String,
        /// The text in Latin letters, where that was asked for.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        romanized: Option<String>,
        /// Language code; empty where nothing was understood.
        language: String,
        /// The words with their times.
        words: Vec<EventWord>,
        /// Mean log-probability of the tokens.
        average_logprob: f32,
        /// Temperature that the text was decoded at; 0 is greedy or beam search.
        temperature: f32,
    },
    /// Whether speech is abusive; `t0` to `t1` is what was judged: a window, or the segment.
    Verdict(Box<Verdict>),
    /// In what emotion a segment was spoken.
    Emotion {
        /// Number of the segment.
        segment: u64,
        /// The likeliest class.
        label: String,
        /// The probability of every class of the head.
        probabilities: BTreeMap<String, f32>,
        /// Probability of the classes that are of high arousal, where it is known of every class.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        arousal: Option<f32>,
    },
    /// Who speaks in a segment.
    Speaker(Box<SpeakerTold>),
    /// Sound is missing from `t0` to `t1`; the clock goes on.
    Gap {
        /// Why.
        reason: GapReason,
    },
    /// Work was left out, or is done again, because of load.
    Shed {
        /// What kind of work.
        work: ShedWork,
        /// What became of it.
        state: ShedState,
        /// Seconds of sound between two pieces of such work from now on; 0 where it stopped.
        step: f64,
    },
    /// A mark set by the source. All that was said before it has its final before it.
    Marker {
        /// The mark's name.
        name: String,
    },
    /// Something failed; the stream goes on, or its `stream_end` follows.
    Error {
        /// The stage, source or sink that failed.
        stage: String,
        /// One line.
        message: String,
    },
    /// The stream has ended; `t1` is its length.
    StreamEnd {
        /// How it ended.
        status: EndStatus,
        /// What was in it.
        totals: Totals,
    },
}

/// What a stream is heard with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Default)]
pub struct StreamStart {
    /// The file or device.
    pub source: String,
    /// Samples a second of the stream's clock.
    pub sample_rate: u32,
    /// Version of the program.
    pub program: String,
    /// Name or path of the recogniser's model.
    pub model: String,
    /// Numbers that the model is multiplied in.
    #[serde(default)]
    pub precision: Precision,
    /// The language asked for, the languages allowed, or none.
    pub languages: Vec<String>,
    /// Hypotheses kept while decoding; 1 is greedy search.
    pub beam: usize,
    /// Temperatures tried in turn until the text of a final is good.
    pub temperatures: Vec<f32>,
    /// Words that were expected.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub hotwords: String,
    /// The n-gram model that words were chosen by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language_model: Option<String>,
    /// How much it counted; none is what is usual.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lm_weight: Option<f32>,
    /// What was added for each word; none is what is usual.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub word_bonus: Option<f32>,
    /// What was added for each word that it does not know; none is what is usual.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unknown_penalty: Option<f32>,
    /// How much a hot-word counted; none is what is usual.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hotword_weight: Option<f32>,
    /// The model that found the language of each segment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identifier: Option<String>,
    /// Letters of the text.
    #[serde(default, skip_serializing_if = "Script::is_own")]
    pub script: Script,
    /// Probability from which a frame is speech.
    pub vad_threshold: f32,
    /// Seconds of silence that end a segment.
    pub min_silence: f64,
    /// Seconds of the longest segment.
    pub max_segment: f64,
    /// Channel that is heard; none is the mean of all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel: Option<usize>,
    /// The files of the heads that heard it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub heads: Vec<String>,
    /// The word lists that were looked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lexicons: Vec<String>,
    /// The classifier of the text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text_head: Option<String>,
    /// The model that voices were told apart by; none: nobody told who speaks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub speaker_model: Option<String>,
    /// The file of the people who were known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gallery: Option<String>,
    /// What made probabilities of its scores; none is what is usual of the model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub speaker_calibration: Option<String>,
    /// The policy that verdicts were made by; none is the usual one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
    /// What is done to the sound where the policy does not say: to mute or to bleep; none is nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub censor: Option<Action>,
}

/// A word of a `final`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EventWord {
    /// The word, with its punctuation.
    pub text: String,
    /// The word in Latin letters, where that was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub romanized: Option<String>,
    /// Seconds of the stream's clock.
    pub t0: f64,
    /// Seconds of the stream's clock.
    pub t1: f64,
    /// Mean probability of its tokens, 0 to 1.
    pub probability: f32,
}

/// Whether speech is abusive, how sure that is, and why.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// Number of the segment.
    pub segment: u64,
    /// How certain it is.
    pub status: VerdictStatus,
    /// What kind of abuse: the category of a word list's term, or `abuse`.
    pub category: String,
    /// The probability of abuse by all parts together, 0 to 1.
    pub score: f32,
    /// What it is made of.
    pub parts: Parts,
    /// Why, in words for people.
    pub reason: String,
    /// Where in the stream.
    pub evidence: Evidence,
    /// What the policy asks for.
    pub actions: Vec<Action>,
}

/// How certain a verdict is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VerdictStatus {
    /// It sounds so; the text is not known yet.
    Alert,
    /// It is so, by the whole segment and its text.
    Confirmed,
    /// It is not so after all: takes back the alert of the segment.
    Withdrawn,
}

/// The parts of a verdict's score, each 0 to 1; those that nothing was there to judge by are none.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Parts {
    /// Probability of abuse by the sound.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audio: Option<f32>,
    /// Probability of abuse by the text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<f32>,
    /// What the gravest term of the word lists counts; 0 where none was said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lexicon: Option<f32>,
    /// Probability of anger.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub anger: Option<f32>,
}

/// Where in the stream a verdict's reason is.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Evidence {
    /// Seconds of the stream's clock.
    pub t0: f64,
    /// Seconds of the stream's clock.
    pub t1: f64,
    /// The words that were found; none where the whole is flagged.
    pub words: Vec<EvidenceWord>,
}

/// A word that was found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EvidenceWord {
    /// As it is in the `final`.
    pub text: String,
    /// Seconds of the stream's clock.
    pub t0: f64,
    /// Seconds of the stream's clock.
    pub t1: f64,
}

/// Who speaks in a segment. A segment has one such event at most, and what it tells stays told.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct SpeakerTold {
    /// Number of the segment.
    pub segment: u64,
    /// The speaker, numbered from `S1` in the order of their first segments; none where there is too little to tell.
    pub speaker: Option<String>,
    /// Probability that it is this speaker, 0 to 1; of the first segment of a speaker, that it is none of those before.
    pub score: f32,
    /// Name of the person, where the speaker is in the gallery.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Probability of the name, by all that the speaker has said so far.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name_score: Option<f32>,
    /// Speakers that turned out to be this one: what was told of them is of this one, and they do not come again.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub merged: Vec<String>,
    /// What the policy's watch list asks for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub actions: Vec<Action>,
}

/// What a policy asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// To tell of it.
    Alert,
    /// To make it silent.
    Mute,
    /// To put a tone over it.
    Bleep,
    /// To post the verdict.
    Webhook,
    /// To keep the sound of the evidence.
    SaveClip,
}

/// What ended a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndReason {
    /// Silence.
    Pause,
    /// It reached the longest length and was cut at its quietest place.
    Length,
    /// A marker.
    Marker,
    /// A gap in the sound.
    Gap,
    /// The end of the stream.
    StreamEnd,
}

/// Why sound is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GapReason {
    /// Samples came faster than they were taken.
    Overrun,
    /// The device was away.
    DeviceLost,
}

/// Work that may be left out under load.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ShedWork {
    /// Partial transcripts.
    Partials,
    /// Who speaks.
    Speakers,
}

/// What became of work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ShedState {
    /// Done less often.
    Thinned,
    /// Not done.
    Stopped,
    /// Done as often as asked for.
    Restored,
}

/// How a stream or a stage ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndStatus {
    /// All input was worked off.
    Finished,
    /// The user stopped it; all input until then was worked off.
    Stopped,
    /// Who was to receive the results went away.
    DownstreamGone,
    /// An error ended it.
    Failed,
    /// A bug ended it.
    Panicked,
    /// It did not end in time and was left behind.
    Abandoned,
}

/// What was in a stream.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Totals {
    /// Segments of speech.
    pub segments: u64,
    /// Words of the finals.
    pub words: u64,
    /// Seconds in segments.
    pub speech: f64,
    /// Gaps in the sound.
    pub gaps: u64,
    /// Seconds in gaps.
    pub missing: f64,
    /// Errors.
    pub errors: u64,
    /// Segments that were confirmed to be abusive.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub confirmed: u64,
    /// Alerts that were withdrawn.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub withdrawn: u64,
}

fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// What was measured: times of the machine, not of the stream.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Compute {
    /// When the event was made, in seconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<f64>,
    /// Seconds from when the sound that the event rests on was captured to the event. Speech ends where silence
    /// begins, so for `speech_end` and `final` this includes the silence that is waited for. Live and paced sources
    /// only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latency: Option<f64>,
    /// Seconds that computing took.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub took: Option<f64>,
    /// Of the whole stream, at its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub report: Option<Box<Report>>,
}

/// How well a stream was kept up with.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Report {
    /// Seconds from the first sample to the last event.
    pub wall: f64,
    /// Processor seconds of the whole process over `wall`; 1 is one core.
    pub cpu: f64,
    /// Share of `wall` in which the recogniser was at work.
    pub load: f64,
    /// How much faster than the system's clock the device's is, in parts per million.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drift_ppm: Option<f64>,
    /// Latencies end to end.
    pub paths: Vec<Latency>,
    /// Each stage.
    pub stages: Vec<StageReport>,
    /// Each link between stages.
    pub links: Vec<LinkReport>,
}

/// A latency and its budget, in seconds.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Latency {
    /// What is measured.
    pub name: String,
    /// What 95 in 100 should stay within.
    pub budget: f64,
    /// How many were measured.
    pub count: u64,
    /// Median.
    pub p50: f64,
    /// 95 in 100 are at most this.
    pub p95: f64,
    /// 99 in 100 are at most this.
    pub p99: f64,
    /// The longest.
    pub max: f64,
}

/// A stage's end and what its work took.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StageReport {
    /// How it ended.
    pub status: EndStatus,
    /// Seconds for each input.
    #[serde(flatten)]
    pub took: Latency,
}

/// What passed through a link.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct LinkReport {
    /// The stages on both sides.
    pub name: String,
    /// Items that passed.
    pub passed: u64,
    /// Items dropped by the link's policy.
    pub dropped: u64,
    /// Most items that waited.
    pub deepest: u64,
    /// Seconds that the sender waited for room.
    pub waited: f64,
}

impl Event {
    /// Name of the event's type, as in its field `type`.
    pub fn type_name(&self) -> &'static str {
        self.kind.type_name()
    }

    /// What the policy asks for because of it.
    pub fn actions(&self) -> &[Action] {
        match &self.kind {
            EventKind::Verdict(verdict) => &verdict.actions,
            EventKind::Speaker(told) => &told.actions,
            _ => &[],
        }
    }

    /// The event as one line of JSON, without the line's end.
    pub fn to_line(&self) -> String {
        // Only maps with keys that are no strings fail, and there are none.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// The event without what was measured.
    pub fn without_compute(mut self) -> Self {
        self.compute = None;
        self
    }
}

impl EventKind {
    /// Name of the type, as in the field `type`.
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::StreamStart(_) => "stream_start",
            Self::SpeechStart { .. } => "speech_start",
            Self::SpeechEnd { .. } => "speech_end",
            Self::Partial { .. } => "partial",
            Self::Final { .. } => "final",
            Self::Verdict(_) => "verdict",
            Self::Emotion { .. } => "emotion",
            Self::Speaker(_) => "speaker",
            Self::Gap { .. } => "gap",
            Self::Shed { .. } => "shed",
            Self::Marker { .. } => "marker",
            Self::Error { .. } => "error",
            Self::StreamEnd { .. } => "stream_end",
        }
    }

    /// Whether the same sound gives this event on every machine, in live pace or not.
    pub fn is_determined(&self) -> bool {
        !matches!(self, Self::Partial { .. } | Self::Shed { .. })
    }
}

/// An event before it has its number: what happened, and where.
#[derive(Debug, Clone, PartialEq)]
pub struct Draft {
    /// Where in the stream.
    pub span: Span,
    /// What happened.
    pub kind: EventKind,
    /// What was measured.
    pub compute: Compute,
}

impl Draft {
    /// A draft of `kind` at `span`, with nothing measured.
    pub fn new(span: Span, kind: EventKind) -> Self {
        Self { span, kind, compute: Compute::default() }
    }
}
