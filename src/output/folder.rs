//! Files written whole or not at all.

use std::ffi::OsString;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use super::Format;
use crate::{Error, Result};

/// What becomes of a file that exists where one is to be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Existing {
    /// It stays, and writing fails.
    Keep,
    /// It is replaced.
    Replace,
}

/// A folder that transcripts are written into.
///
/// A file appears complete or not at all, also when the machine fails while it is written.
#[derive(Debug)]
pub struct OutputFolder {
    folder: PathBuf,
    existing: Existing,
}

impl OutputFolder {
    /// The folder at this path, made if it is missing.
    ///
    /// # Errors
    /// [`Error::Io`] where it cannot be made.
    pub fn open(folder: impl Into<PathBuf>, existing: Existing) -> Result<Self> {
        let folder = folder.into();
        fs::create_dir_all(&folder).map_err(|error| Error::io(&folder, error))?;
        Ok(Self { folder, existing })
    }

    /// The file for `name`, a relative path without extension, in `format`.
    pub fn path(&self, name: &Path, format: Format) -> PathBuf {
        // Appended, not set: a name may have dots of its own.
        let mut path = OsString::from(self.folder.join(name));
        path.push(".");
        path.push(format.extension());
        path.into()
    }

    /// Succeeds where nothing that must stay is in the way of `name`: asked before the work is done.
    ///
    /// # Errors
    /// [`Error::Io`] of [`io::ErrorKind::AlreadyExists`] that names the first file in the way.
    pub fn check_free(&self, name: &Path, formats: &[Format]) -> Result<()> {
        if self.existing == Existing::Replace {
            return Ok(());
        }
        let mut paths = formats.iter().map(|&format| self.path(name, format));
        // A dangling link is in the way too.
        match paths.find(|path| path.symlink_metadata().is_ok()) {
            Some(path) => Err(already_exists(&path)),
            None => Ok(()),
        }
    }

    /// Writes the file for `name` in `format`, and the folders above it.
    ///
    /// # Errors
    /// [`Error::Io`] where the file system refuses, or a file that must stay has come into the way.
    pub fn write(&self, name: &Path, format: Format, contents: &str) -> Result<PathBuf> {
        let path = self.path(name, format);
        let folder = path.parent().unwrap_or(&self.folder);
        fs::create_dir_all(folder).map_err(|error| Error::io(folder, error))?;
        let temporary =
            complete_file(folder, contents.as_bytes()).map_err(|error| Error::io(&path, error))?;
        match self.existing {
            Existing::Keep => temporary.persist_noclobber(&path),
            Existing::Replace => temporary.persist(&path),
        }
        .map_err(|failed| match failed.error.kind() {
            io::ErrorKind::AlreadyExists => already_exists(&path),
            _ => Error::io(&path, failed.error),
        })?;
        sync_folder(folder);
        Ok(path)
    }
}

/// Writes the file at `path`, and the folders above it: whole, in place of what was there, or not at all.
///
/// # Errors
/// [`Error::Io`] where the file system refuses.
pub fn write_whole(path: &Path, contents: &[u8]) -> Result<()> {
    let folder = path.parent().unwrap_or(Path::new(""));
    fs::create_dir_all(folder).map_err(|error| Error::io(folder, error))?;
    let temporary = complete_file(folder, contents).map_err(|error| Error::io(path, error))?;
    temporary.persist(path).map_err(|failed| Error::io(path, failed.error))?;
    sync_folder(folder);
    Ok(())
}

fn already_exists(path: &Path) -> Error {
    Error::io(path, io::Error::new(io::ErrorKind::AlreadyExists, "exists already"))
}

/// `contents` on disk under a temporary name.
fn complete_file(folder: &Path, contents: &[u8]) -> io::Result<NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".awaaz-");
    // As for any new file, not as for a secret; the process's mask applies.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let mut file = builder.tempfile_in(folder)?;
    file.write_all(contents)?;
    file.as_file().sync_all()?;
    Ok(file)
}

/// Makes the new name last. Not all file systems can; the file itself is safe by then.
fn sync_folder(folder: &Path) {
    #[cfg(unix)]
    let _ = fs::File::open(folder).and_then(|folder| folder.sync_all());
    #[cfg(not(unix))]
    let _ = folder;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_exists_stays_unless_it_may_be_replaced() {
        let home = tempfile::tempdir().unwrap();
        let name = Path::new("talks/a.v2");
        let keep = OutputFolder::open(home.path().join("out"), Existing::Keep).unwrap();
        keep.check_free(name, &[Format::Srt, Format::Text]).unwrap();
        let path = keep.write(name, Format::Text, "first\n").unwrap();
        assert_eq!(path, home.path().join("out/talks/a.v2.txt"));

        keep.check_free(name, &[Format::Srt]).unwrap();
        for refused in [
            keep.check_free(name, &[Format::Srt, Format::Text]),
            keep.write(name, Format::Text, "second\n").map(drop),
        ] {
            let Err(Error::Io { path: named, source }) = refused else { panic!("{refused:?}") };
            assert_eq!((named.as_path(), source.kind()), (path.as_path(), io::ErrorKind::AlreadyExists));
        }
        assert_eq!(fs::read_to_string(&path).unwrap(), "first\n");

        let replace = OutputFolder::open(home.path().join("out"), Existing::Replace).unwrap();
        replace.check_free(name, &[Format::Text]).unwrap();
        replace.write(name, Format::Text, "second\n").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "second\n");
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1, "temporary files are left");
    }

    #[cfg(unix)]
    #[test]
    fn files_have_the_rights_of_any_new_file() {
        use std::os::unix::fs::PermissionsExt;
        let home = tempfile::tempdir().unwrap();
        let plain = home.path().join("plain");
        fs::write(&plain, "").unwrap();
        let folder = OutputFolder::open(home.path(), Existing::Keep).unwrap();
        let written = folder.write(Path::new("a"), Format::Text, "").unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode();
        assert_eq!(mode(&written), mode(&plain));
    }
}
