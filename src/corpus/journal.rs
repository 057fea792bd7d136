//! A journal: a line of JSON for each thing that is done, on disk before the next is begun.

use std::collections::HashSet;
use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{Error, Result};

/// What was done, by id.
pub struct Journal {
    path: PathBuf,
    file: File,
    done: HashSet<String>,
}

impl Journal {
    /// Opens the journal at `path`, or begins it. `id` names what a line is of; it may refuse a line that does not fit.
    ///
    /// A last line that a crash left unfinished is removed: what it was of is done again.
    ///
    /// # Errors
    /// [`Error::Io`] where it cannot be read or written; [`Error::Model`] where a line is not what it should be; those of
    /// `id`.
    pub fn open<T: DeserializeOwned>(path: &Path, mut id: impl FnMut(&T) -> Result<String>) -> Result<Self> {
        let fault = |error| Error::io(path, error);
        let mut options = OpenOptions::new();
        let mut file =
            options.read(true).write(true).create(true).truncate(false).open(path).map_err(fault)?;
        let mut text = String::new();
        file.read_to_string(&mut text).map_err(fault)?;
        let whole = text.rfind('\n').map_or(0, |end| end + 1);
        file.set_len(whole as u64).map_err(fault)?;
        file.seek(SeekFrom::End(0)).map_err(fault)?;
        let mut done = HashSet::new();
        for (number, line) in text[..whole].lines().enumerate() {
            let entry: T = serde_json::from_str(line).map_err(|error| {
                let line = number + 1;
                Error::model(
                    path.display().to_string(),
                    format!("line {line} is not what it should be: {error}"),
                )
            })?;
            done.insert(id(&entry)?);
        }
        Ok(Self { path: path.to_path_buf(), file, done })
    }

    /// Whether what has this id is done.
    pub fn has(&self, id: &str) -> bool {
        self.done.contains(id)
    }

    /// Writes down that what has this id is done.
    ///
    /// # Errors
    /// [`Error::Io`] where the file cannot be written.
    pub fn add(&mut self, id: &str, entry: &impl Serialize) -> Result<()> {
        let fault = |error| Error::io(&self.path, error);
        let mut line = serde_json::to_vec(entry).map_err(|error| fault(error.into()))?;
        line.push(b'\n');
        self.file.write_all(&line).and_then(|()| self.file.sync_data()).map_err(fault)?;
        self.done.insert(id.to_owned());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_done_is_known_again_and_half_a_line_is_forgotten() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("done.jsonl");
        let open = || Journal::open(&path, |id: &String| Ok(id.clone()));
        let mut journal = open().unwrap();
        journal.add("a", &"a").unwrap();
        journal.add("b", &"b").unwrap();
        drop(journal);
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, format!("{text}\"c")).unwrap();
        let mut journal = open().unwrap();
        assert_eq!(["a", "b", "c"].map(|id| journal.has(id)), [true, true, false]);
        journal.add("c", &"c").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "\"a\"\n\"b\"\n\"c\"\n");
        std::fs::write(&path, "nonsense\n").unwrap();
        assert!(open().err().unwrap().to_string().contains("line 1"));
    }
}
