//! The files of a corpus, sorted by name, links followed, hidden files left out.

use std::path::{Path, PathBuf};

use walkdir::{DirEntry, WalkDir};

use crate::{Error, Result};

/// The forms of clips.
pub(super) const AUDIO: [&str; 2] = ["flac", "wav"];

/// Files of these extensions anywhere below `folder`.
pub(super) fn below(folder: &Path, extensions: &[&str]) -> Result<Vec<PathBuf>> {
    find(WalkDir::new(folder), folder, extensions)
}

/// Files of these extensions in `folder` itself.
pub(super) fn within(folder: &Path, extensions: &[&str]) -> Result<Vec<PathBuf>> {
    find(WalkDir::new(folder).max_depth(1), folder, extensions)
}

/// `path` as it is told of: below the corpus's folder, with `/` between names on every system.
pub(super) fn id(folder: &Path, path: &Path) -> String {
    let relative = path.strip_prefix(folder).unwrap_or(path);
    relative.iter().map(|name| name.to_string_lossy()).collect::<Vec<_>>().join("/")
}

/// The name of a file without its extension, empty where it is not Unicode.
pub(super) fn stem(path: &Path) -> &str {
    path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default()
}

/// Where a clip lies of which a table says the path; its file may have been made the other of WAV and FLAC.
pub(super) fn clip(path: PathBuf) -> Option<PathBuf> {
    let others = AUDIO.map(|extension| path.with_extension(extension));
    std::iter::once(path).chain(others).find(|path| path.is_file())
}

fn find(walk: WalkDir, folder: &Path, extensions: &[&str]) -> Result<Vec<PathBuf>> {
    let walk = walk.min_depth(1).follow_links(true).sort_by_file_name().into_iter();
    let mut found = Vec::new();
    for entry in walk.filter_entry(|entry| !is_hidden(entry)) {
        let entry = entry.map_err(|error| fault(folder, error))?;
        if entry.file_type().is_file() && has_extension(entry.path(), extensions) {
            found.push(entry.into_path());
        }
    }
    Ok(found)
}

fn fault(folder: &Path, error: walkdir::Error) -> Error {
    let path = error.path().unwrap_or(folder).to_path_buf();
    Error::io(path, error.into())
}

pub(super) fn has_extension(path: &Path, extensions: &[&str]) -> bool {
    let found = path.extension().and_then(|extension| extension.to_str());
    found.is_some_and(|found| extensions.iter().any(|extension| extension.eq_ignore_ascii_case(found)))
}

fn is_hidden(entry: &DirEntry) -> bool {
    entry.file_name().to_string_lossy().starts_with('.')
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A folder with files of these names and contents.
    pub fn tree(files: &[(&str, &str)]) -> tempfile::TempDir {
        let home = tempfile::tempdir().unwrap();
        for (name, contents) in files {
            let path = home.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, contents).unwrap();
        }
        home
    }

    #[test]
    fn files_are_sorted_and_hidden_ones_left_out() {
        let home =
            tree(&[("b/2.wav", ""), ("b/10.FLAC", ""), ("a.wav", ""), ("b/._2.wav", ""), ("c.txt", "")]);
        let ids = |found: Vec<PathBuf>| found.iter().map(|path| id(home.path(), path)).collect::<Vec<_>>();
        assert_eq!(ids(below(home.path(), &AUDIO).unwrap()), ["a.wav", "b/10.FLAC", "b/2.wav"]);
        assert_eq!(ids(within(home.path(), &AUDIO).unwrap()), ["a.wav"]);
        assert!(below(&home.path().join("none"), &AUDIO).is_err());
    }

    #[test]
    fn clips_are_found_in_either_form() {
        let home = tree(&[("a.flac", ""), ("b.wav", "")]);
        let found = |name: &str| clip(home.path().join(name)).map(|path| id(home.path(), &path));
        assert_eq!(found("a.wav").as_deref(), Some("a.flac"));
        assert_eq!(found("b").as_deref(), Some("b.wav"));
        assert_eq!(found("c.wav"), None);
    }
}
