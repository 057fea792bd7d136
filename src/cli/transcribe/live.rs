//! What happens while a file is recognised: segments go to stdout as they come, progress to the user.

use std::io::{self, Write};

use crate::asr::{Observer, Segment, Transcript};
use crate::cli::stop::Stop;
use crate::output::{Progress, Writer};
use crate::time::SampleIndex;

/// What stands above the text of a file where there are several, as `head` and `tail` have it.
pub(super) fn heading(name: &str, is_first: bool) -> String {
    format!("{}==> {name} <==\n", if is_first { "" } else { "\n" })
}

/// A transcript that is shown while it grows.
pub(super) struct Live<'a> {
    stdout: &'a mut dyn Write,
    writer: Box<dyn Writer>,
    /// What stands before all; taken when the first of the text is there, so that a failed file leaves nothing.
    heading: Option<String>,
    begun: bool,
    pending: String,
}

impl<'a> Live<'a> {
    pub(super) fn new(stdout: &'a mut dyn Write, writer: Box<dyn Writer>, heading: Option<String>) -> Self {
        Self { stdout, writer, heading, begun: false, pending: String::new() }
    }

    fn begin(&mut self) {
        if !self.begun {
            self.begun = true;
            self.pending.push_str(&self.heading.take().unwrap_or_default());
            self.writer.begin(&mut self.pending);
        }
    }

    fn segment(&mut self, segment: &Segment) {
        self.begin();
        self.writer.segment(segment, &mut self.pending);
    }

    fn end(&mut self, transcript: &Transcript) {
        self.begin();
        self.writer.end(transcript, &mut self.pending);
    }

    fn show(&mut self) -> io::Result<()> {
        self.stdout.write_all(self.pending.as_bytes())?;
        self.pending.clear();
        self.stdout.flush()
    }
}

/// Watches the recognition of one file.
pub(super) struct Watcher<'a> {
    name: &'a str,
    progress: &'a mut Progress,
    stop: &'a Stop,
    live: Option<Live<'a>>,
    /// Why stdout takes no more.
    failure: Option<io::Error>,
}

impl<'a> Watcher<'a> {
    pub(super) fn new(
        name: &'a str,
        progress: &'a mut Progress,
        stop: &'a Stop,
        live: Option<Live<'a>>,
    ) -> Self {
        Self { name, progress, stop, live, failure: None }
    }

    /// Shows what stands after the last segment.
    pub(super) fn end(&mut self, transcript: &Transcript) {
        self.show(|live| live.end(transcript));
    }

    /// Why stdout took not all.
    pub(super) fn into_failure(self) -> Option<io::Error> {
        self.failure
    }

    fn show(&mut self, add: impl FnOnce(&mut Live)) {
        let Some(live) = &mut self.live else { return };
        if self.failure.is_some() {
            return;
        }
        add(live);
        if !live.pending.is_empty() {
            self.failure = self.progress.aside(|| live.show()).err();
        }
    }
}

impl Observer for Watcher<'_> {
    fn segment(&mut self, segment: &Segment) {
        self.show(|live| live.segment(segment));
    }

    fn progress(&mut self, position: SampleIndex) {
        self.progress.reach(position);
    }

    fn warn(&mut self, message: &str) {
        self.progress.say(&format!("{}: {message}", self.name));
    }

    fn stopped(&self) -> bool {
        self.failure.is_some() || self.stop.is_requested()
    }
}
