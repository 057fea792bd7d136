//! From drafts to events: numbered, counted, shared with every sink.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use super::link::{Item, NotSent, Sender};
use crate::event::{Compute, Draft, Event, EventKind, Totals, VERSION, VerdictStatus};

impl Item for Draft {}

impl Item for Arc<Event> {
    fn is_optional(&self) -> bool {
        matches!(self.kind, EventKind::Partial { .. })
    }
}

/// Publishes the events of one stream.
pub struct Publisher {
    stream: String,
    numbers: BTreeMap<&'static str, u64>,
    totals: Totals,
    sinks: Vec<Sender<Arc<Event>>>,
}

impl Publisher {
    /// A publisher for `stream` to `sinks`.
    pub fn new(stream: impl Into<String>, sinks: Vec<Sender<Arc<Event>>>) -> Self {
        Self { stream: stream.into(), numbers: BTreeMap::new(), totals: Totals::default(), sinks }
    }

    /// Publishes `draft`.
    pub fn publish(&mut self, draft: Draft) {
        self.totals.count(&draft);
        let Draft { span, kind, compute } = draft;
        let number = self.numbers.entry(kind.type_name()).or_default();
        let event = Arc::new(Event {
            v: VERSION,
            id: format!("{}-{number}", kind.type_name()),
            stream: self.stream.clone(),
            t0: span.start.seconds(),
            t1: span.end.seconds(),
            kind,
            compute: Some(Compute { at: Some(unix_seconds()), ..compute }),
        });
        *number += 1;
        // A sink that is full has lost the event; its link counts it.
        self.sinks.retain(|sink| sink.send(Arc::clone(&event)) != Err(NotSent::Gone));
    }

    /// What was published so far.
    pub fn totals(&self) -> &Totals {
        &self.totals
    }
}

impl Totals {
    fn count(&mut self, draft: &Draft) {
        match &draft.kind {
            EventKind::SpeechEnd { .. } => {
                self.segments += 1;
                self.speech += draft.span.seconds();
            }
            EventKind::Final { words, .. } => self.words += words.len() as u64,
            EventKind::Gap { .. } => {
                self.gaps += 1;
                self.missing += draft.span.seconds();
            }
            EventKind::Error { .. } => self.errors += 1,
            EventKind::Verdict(verdict) => match verdict.status {
                VerdictStatus::Alert => {}
                VerdictStatus::Confirmed => self.confirmed += 1,
                VerdictStatus::Withdrawn => self.withdrawn += 1,
            },
            _ => {}
        }
    }
}

fn unix_seconds() -> f64 {
    // A clock set before 1970 counts as 1970. Microseconds are what an f64 holds of it.
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_micros() as f64 / 1e6
}
