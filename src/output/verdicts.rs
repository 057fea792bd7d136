//! Verdicts, emotions and speakers in a line for people.

use std::collections::BTreeMap;

use crate::event::{SpeakerTold, Verdict, VerdictStatus};

/// A verdict in a line.
pub fn told(verdict: &Verdict) -> String {
    let status = match verdict.status {
        VerdictStatus::Alert => "alert",
        VerdictStatus::Confirmed => "confirmed",
        VerdictStatus::Withdrawn => "withdrawn",
    };
    format!("{status}: {} {:.2}: {}", verdict.category, verdict.score, verdict.reason)
}

/// An emotion in a line.
pub fn emotion(label: &str, probabilities: &BTreeMap<String, f32>) -> String {
    match probabilities.get(label) {
        Some(probability) => format!("emotion: {label} {probability:.2}"),
        None => format!("emotion: {label}"),
    }
}

/// What a speaker is called: by name, else by number; none where there was too little to tell.
pub fn speaker(told: &SpeakerTold) -> Option<&str> {
    told.name.as_deref().or(told.speaker.as_deref())
}

/// What else is told of a speaker: that others turned out to be the same, or that the policy asks for something.
pub fn about_speaker(told: &SpeakerTold) -> Option<String> {
    let who = match (&told.speaker, &told.name) {
        (Some(speaker), Some(name)) => format!("{speaker}, {name},"),
        (Some(speaker), None) => speaker.clone(),
        (None, _) => return None,
    };
    let merged = told.merged.join(" and ");
    match (told.merged.is_empty(), told.actions.is_empty()) {
        (true, true) => None,
        (true, false) => Some(format!("{who} is watched for")),
        (false, true) => Some(format!("{who} is also who {merged} was")),
        (false, false) => Some(format!("{who} is watched for, and is also who {merged} was")),
    }
}
