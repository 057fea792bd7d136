//! Events in a file.

use std::fs::TryLockError;
use std::io;
use std::path::{Path, PathBuf};

use super::Notify;
use super::line_file::LineFile;
use super::losses::{Losses, events};
use crate::event::Event;
use crate::pipeline::EventSink;
use crate::{Error, Result};

/// Appends an event a line to a file, which holds whole lines only.
///
/// Where the disk is full, events are lost until there is room again; the stream goes on.
pub struct EventFile {
    path: PathBuf,
    name: String,
    lines: LineFile,
    losses: Losses,
    /// Why the last event that was lost could not be written.
    reason: String,
    notify: Notify,
}

impl EventFile {
    /// Appends to the file at `path`, which is made if need be; `notify` hears of trouble.
    ///
    /// # Errors
    /// [`Error::Io`] where the file cannot be opened, [`Error::Setting`] where another process writes to it.
    pub fn append(path: &Path, notify: Notify) -> Result<Self> {
        let lines = LineFile::open(path).map_err(|e| Error::io(path, e))?;
        // Lines that fail are taken back by length, which must not cut off another process's. Devices and pipes
        // have no length, and some file systems no locks.
        let is_regular = lines.file().metadata().is_ok_and(|found| found.is_file());
        if is_regular && matches!(lines.file().try_lock(), Err(TryLockError::WouldBlock)) {
            return Err(Error::Setting(format!(
                "{}: another process writes to it; name another file for the events",
                path.display()
            )));
        }
        let name = path.display().to_string();
        Ok(Self { path: path.into(), name, lines, losses: Losses::default(), reason: String::new(), notify })
    }

    fn lose(&mut self, error: &io::Error) {
        self.reason = error.to_string();
        if self.losses.add() {
            (self.notify)(&format!(
                "{}: {error}; events are lost until it can be written again: free some space",
                self.name
            ));
        }
    }
}

impl EventSink for EventFile {
    fn name(&self) -> &str {
        &self.name
    }

    /// # Errors
    /// [`Error::Io`] where `path` is a pipe whose reader has gone. All other trouble may pass.
    fn write(&mut self, event: &Event) -> Result<()> {
        match self.lines.append(&event.to_line()) {
            Ok(()) => {
                if let Some(lost) = self.losses.end_row() {
                    (self.notify)(&format!("{}: written again; {} lost", self.name, events(lost)));
                }
                Ok(())
            }
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Err(Error::io(&self.path, error)),
            Err(error) => {
                self.lose(&error);
                Ok(())
            }
        }
    }

    /// # Errors
    /// [`Error::Io`] where events were lost, with their number.
    fn finish(&mut self) -> Result<()> {
        match self.losses.total() {
            0 => Ok(()),
            lost => {
                let told = format!("{} could not be written: {}", events(lost), self.reason);
                Err(Error::io(&self.path, io::Error::other(told)))
            }
        }
    }
}
