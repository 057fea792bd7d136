//! Finals as lines for people.

use std::io::Write;

use crate::event::{Event, EventKind};
use crate::output::clock::{Timestamp, milliseconds};
use crate::output::verdicts::{emotion, told};
use crate::pipeline::EventSink;
use crate::time::SampleIndex;
use crate::{Error, Result};

/// Writes the text of each final as a line with the time that it begins at, and verdicts, emotions, gaps and errors too. Where there is text in
/// Latin letters, it is that.
#[derive(Debug)]
pub struct TextLines<W> {
    out: W,
    name: String,
}

impl<W: Write> TextLines<W> {
    /// Writes to `out`, which reports call `name`.
    pub fn new(out: W, name: impl Into<String>) -> Self {
        Self { out, name: name.into() }
    }
}

impl<W: Write + Send> EventSink for TextLines<W> {
    fn name(&self) -> &str {
        &self.name
    }

    fn write(&mut self, event: &Event) -> Result<()> {
        let line = match &event.kind {
            EventKind::Final { text, romanized, .. } if !text.is_empty() => {
                romanized.as_ref().unwrap_or(text).clone()
            }
            EventKind::Verdict(verdict) => format!("({})", told(verdict)),
            EventKind::Emotion { label, probabilities, .. } => format!("({})", emotion(label, probabilities)),
            EventKind::Gap { .. } => format!("(sound is missing for {:.1} s)", event.t1 - event.t0),
            EventKind::Error { stage, message } => format!("({stage}: {message})"),
            _ => return Ok(()),
        };
        let milliseconds = milliseconds(SampleIndex::from_seconds(event.t0));
        let begin = Timestamp { milliseconds, decimal_mark: '.' };
        let written = writeln!(self.out, "[{}] {line}", begin).and_then(|()| self.out.flush());
        written.map_err(|error| Error::io(&self.name, error))
    }
}
