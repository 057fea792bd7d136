//! Events on a stream.

use std::io::Write;

use crate::event::Event;
use crate::pipeline::EventSink;
use crate::{Error, Result};

/// Writes an event a line, each flushed, so that a reader has it at once.
#[derive(Debug)]
pub struct JsonLines<W> {
    out: W,
    name: String,
}

impl<W: Write> JsonLines<W> {
    /// Writes to `out`, which reports call `name`.
    pub fn new(out: W, name: impl Into<String>) -> Self {
        Self { out, name: name.into() }
    }

    fn write_line(&mut self, event: &Event) -> std::io::Result<()> {
        let mut line = event.to_line();
        line.push('\n');
        self.out.write_all(line.as_bytes())?;
        self.out.flush()
    }
}

impl<W: Write + Send> EventSink for JsonLines<W> {
    fn name(&self) -> &str {
        &self.name
    }

    /// # Errors
    /// [`Error::Io`] with the name. Its kind is [`BrokenPipe`](std::io::ErrorKind::BrokenPipe) where the reader has
    /// gone, which is no failure: `head` does so.
    fn write(&mut self, event: &Event) -> Result<()> {
        self.write_line(event).map_err(|e| Error::io(&self.name, e))
    }
}
