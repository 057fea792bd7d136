//! Verdicts and emotions in a line for people.

use std::collections::BTreeMap;

use crate::event::{Verdict, VerdictStatus};

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
