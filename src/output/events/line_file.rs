//! A file of whole lines, whatever happens to the disk or the process.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;

/// Lines are appended, each whole or not at all.
#[derive(Debug)]
pub struct LineFile {
    file: File,
    /// Whether the last line lacks its end.
    torn: bool,
}

impl LineFile {
    /// Opens the file at `path`, which is made if need be. What a process that was killed has left of a line stays
    /// a line of its own.
    pub fn open(path: &Path) -> io::Result<Self> {
        let torn = match std::fs::metadata(path) {
            Ok(found) if found.is_file() => ends_within_a_line(&mut File::open(path)?)?,
            _ => false,
        };
        let file = OpenOptions::new().append(true).create(true).open(path)?;
        Ok(Self { file, torn })
    }

    /// The open file, to lock it or to ask about it.
    pub fn file(&self) -> &File {
        &self.file
    }

    /// Appends a line, which comes without its end.
    pub fn append(&mut self, line: &str) -> io::Result<()> {
        let before = self.file.metadata()?.len();
        let mut text = String::with_capacity(line.len() + 2);
        if self.torn {
            text.push('\n');
        }
        text.push_str(line);
        text.push('\n');
        match self.file.write_all(text.as_bytes()) {
            Ok(()) => {
                self.torn = false;
                Ok(())
            }
            Err(error) => {
                self.take_back(before);
                Err(error)
            }
        }
    }

    /// Removes what was written of a line on a disk that is full.
    fn take_back(&mut self, length: u64) {
        let is_longer = self.file.metadata().is_ok_and(|now| now.len() > length);
        if is_longer && self.file.set_len(length).is_err() {
            self.torn = true;
        }
    }
}

/// Whether `file` holds something after its last line's end.
fn ends_within_a_line(file: &mut File) -> io::Result<bool> {
    if file.metadata()?.len() == 0 {
        return Ok(false);
    }
    file.seek(SeekFrom::End(-1))?;
    let mut last = [0];
    file.read_exact(&mut last)?;
    Ok(last != *b"\n")
}
