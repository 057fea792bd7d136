//! What the arguments name: files, folders, patterns, standard input.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use walkdir::{DirEntry, WalkDir};

use crate::audio::{AudioInput, AudioStream, DecodeOptions};
use crate::{Error, Result};

/// Extensions of the files that are taken from a folder. A file that is named itself may have any.
const AUDIO_EXTENSIONS: [&str; 28] = [
    "3gp", "aac", "adts", "aif", "aifc", "aiff", "alac", "caf", "flac", "m4a", "m4b", "m4v", "mka", "mkv",
    "mov", "mp1", "mp2", "mp3", "mp4", "mpga", "oga", "ogg", "ogv", "ogx", "opus", "wav", "wave", "webm",
];

/// One thing to transcribe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Input {
    /// Its path as given, or `-` for standard input.
    pub path: PathBuf,
    /// Its path relative to the folder that was named, or its file name; what its outputs are named after.
    pub relative: PathBuf,
}

impl Input {
    fn file(path: PathBuf) -> Self {
        let relative = path.file_name().map_or_else(|| path.clone(), PathBuf::from);
        Self { path, relative }
    }

    fn stdin() -> Self {
        Self { path: "-".into(), relative: "stdin".into() }
    }

    /// Where its audio comes from.
    pub fn audio(&self) -> AudioInput {
        AudioInput::from_arg(&self.path)
    }

    /// All of its sound, 16 kHz samples.
    ///
    /// # Errors
    /// Those of decoding it; [`Error::Audio`] where it has no sound.
    pub fn read(&self, decode: &DecodeOptions) -> Result<Vec<f32>> {
        let mut audio = AudioStream::open(self.audio(), decode)?;
        let (mut samples, mut block) = (Vec::new(), Vec::new());
        while audio.read(&mut block)? > 0 {
            samples.extend_from_slice(&block);
        }
        match samples.is_empty() {
            true => Err(Error::audio(self.path.display().to_string(), "has no sound")),
            false => Ok(samples),
        }
    }
}

/// The inputs that `arguments` name, in their order and each once; folders and patterns in the order of names.
///
/// A file that is not there is an input all the same: opening it tells. Folders and patterns without an input
/// are errors in its place.
pub fn expand(arguments: &[PathBuf]) -> Vec<Result<Input>> {
    let mut seen = HashSet::new();
    let all = arguments.iter().flat_map(|argument| of_argument(argument));
    all.filter(|input| input.as_ref().map_or(true, |input| seen.insert(input.path.clone()))).collect()
}

fn of_argument(argument: &Path) -> Vec<Result<Input>> {
    if argument == Path::new("-") {
        return vec![Ok(Input::stdin())];
    }
    if argument.is_dir() {
        return in_folder(argument);
    }
    match argument.to_str() {
        // A file whose name has brackets is meant as it stands.
        Some(pattern) if pattern.contains(['*', '?', '[']) && !argument.exists() => matching(pattern),
        _ => vec![Ok(Input::file(argument.to_path_buf()))],
    }
}

/// The files and folders that match `pattern`, for shells that leave that to the program.
fn matching(pattern: &str) -> Vec<Result<Input>> {
    let paths = match glob::glob(pattern) {
        Ok(paths) => paths,
        Err(error) => return vec![Err(Error::audio(pattern, format!("not a file, nor a pattern: {error}")))],
    };
    let found: Vec<_> = paths
        .flat_map(|path| match path {
            Ok(path) if path.is_dir() => in_folder(&path),
            Ok(path) => vec![Ok(Input::file(path))],
            Err(error) => {
                let path = error.path().to_path_buf();
                vec![Err(Error::io(path, error.into()))]
            }
        })
        .collect();
    if found.is_empty() {
        return vec![Err(Error::audio(pattern, "no file matches"))];
    }
    found
}

/// The audio files under `folder`, links followed, hidden files left out.
fn in_folder(folder: &Path) -> Vec<Result<Input>> {
    let walk = WalkDir::new(folder).min_depth(1).follow_links(true).sort_by_file_name().into_iter();
    let found: Vec<_> = walk
        .filter_entry(|entry| !is_hidden(entry))
        .filter_map(|entry| match entry {
            Ok(entry) => is_audio(&entry).then(|| Ok(under(folder, entry.into_path()))),
            Err(error) => Some(Err(walk_error(folder, error))),
        })
        .collect();
    if found.is_empty() {
        return vec![Err(Error::audio(folder.display().to_string(), "no audio files in this folder"))];
    }
    found
}

fn under(folder: &Path, path: PathBuf) -> Input {
    let relative = path.strip_prefix(folder).unwrap_or(&path).to_path_buf();
    Input { path, relative }
}

fn walk_error(folder: &Path, error: walkdir::Error) -> Error {
    let path = error.path().unwrap_or(folder).to_path_buf();
    Error::io(path, error.into())
}

fn is_hidden(entry: &DirEntry) -> bool {
    entry.file_name().to_string_lossy().starts_with('.')
}

fn is_audio(entry: &DirEntry) -> bool {
    let extension = entry.path().extension().and_then(|extension| extension.to_str()).map(str::to_lowercase);
    entry.file_type().is_file() && extension.is_some_and(|e| AUDIO_EXTENSIONS.contains(&e.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn folder_with(files: &[&str]) -> tempfile::TempDir {
        let home = tempfile::tempdir().unwrap();
        for file in files {
            let path = home.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        home
    }

    fn names(arguments: &[PathBuf]) -> Vec<String> {
        let name = |input: Result<Input>| match input {
            Ok(input) => input.relative.to_string_lossy().replace('\\', "/"),
            Err(error) => format!("error: {error}"),
        };
        expand(arguments).into_iter().map(name).collect()
    }

    #[test]
    fn folders_give_their_audio_in_order_with_their_tree() {
        let home =
            folder_with(&["b.MP3", "a.wav", "notes.txt", ".hidden.wav", "deep/er/c.opus", "deep/._a.wav"]);
        assert_eq!(names(&[home.path().into()]), ["a.wav", "b.MP3", "deep/er/c.opus"]);
    }

    #[test]
    fn patterns_are_expanded_and_nothing_is_taken_twice() {
        let home = folder_with(&["b.wav", "a.wav", "c.txt"]);
        let (pattern, file) = (home.path().join("*.wav"), home.path().join("b.wav"));
        assert_eq!(
            names(&[file.clone(), pattern, file, "-".into(), "-".into()]),
            ["b.wav", "a.wav", "stdin"]
        );
    }

    #[test]
    fn what_names_nothing_is_told_and_what_is_missing_is_left_to_opening() {
        let home = folder_with(&["c.txt"]);
        let told = names(&[home.path().into(), home.path().join("*.wav"), home.path().join("missing.wav")]);
        assert!(told[0].starts_with("error: ") && told[0].ends_with("no audio files in this folder"));
        assert!(told[1].starts_with("error: ") && told[1].ends_with("*.wav: no file matches"));
        assert_eq!(told[2], "missing.wav");
    }

    #[test]
    fn a_name_with_brackets_that_is_there_is_no_pattern() {
        let home = folder_with(&["a [live].wav"]);
        assert_eq!(names(&[home.path().join("a [live].wav")]), ["a [live].wav"]);
    }
}
