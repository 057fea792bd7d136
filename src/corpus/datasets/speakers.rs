//! Clips of which no more is known than who speaks: LibriSpeech, or a folder for each speaker, as VCTK and VoxCeleb have them.

use std::path::{Path, PathBuf};

use super::files::{self, AUDIO};
use super::record::{Content, Record};
use crate::{Error, Result};

/// The clips below `folder`, with empty labels: of LibriSpeech by their names (`84-121123-0001.flac` is of speaker 84), of
/// others by the first folder on the way to them.
///
/// # Errors
/// [`Error::Io`] where the folder cannot be read; [`Error::Corpus`] where there is no clip, or one lies in no folder.
pub fn read_speakers(folder: &Path) -> Result<Vec<Record>> {
    const FORM: &str = "SPEAKER/.../clip.flac, or clips named as those of LibriSpeech (84-121123-0001.flac)";
    let clips = files::below(folder, &AUDIO)?;
    if clips.is_empty() {
        return Err(Error::corpus(folder, format!("there is no WAV or FLAC file; expected {FORM}")));
    }
    let record = |path: PathBuf| {
        let id = files::id(folder, &path);
        let of_folder = || id.split_once('/').map(|(first, _)| first.to_owned());
        let Some(speaker) = of_librispeech(files::stem(&path)).or_else(of_folder) else {
            return Err(Error::corpus(
                folder,
                format!("nobody can tell who speaks in {id}; expected {FORM}"),
            ));
        };
        let (label, language) = (String::new(), None);
        Ok(Record { id, content: Content::File(path), label, speaker: Some(speaker), language, split: None })
    };
    clips.into_iter().map(record).collect()
}

/// The speaker in a name of LibriSpeech: speaker, chapter, utterance.
fn of_librispeech(stem: &str) -> Option<String> {
    let parts: Vec<&str> = stem.split('-').collect();
    let numbers = parts.iter().all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()));
    (parts.len() == 3 && numbers).then(|| parts[0].to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn speakers_are_told_by_names_or_folders() {
        let folder = tempfile::tempdir().unwrap();
        let add = |name: &str| {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        };
        ["84-121123-0001.flac", "x/85-1-0002.flac", "p225/p225_003.wav", "id10/a/0001.wav"]
            .into_iter()
            .for_each(add);
        let found = read_speakers(folder.path()).unwrap();
        let speakers: Vec<&str> = found.iter().map(Record::group).collect();
        assert_eq!(speakers, ["84", "id10", "p225", "85"]);
        add("nobody.wav");
        let error = read_speakers(folder.path()).unwrap_err().to_string();
        assert!(error.contains("who speaks in nobody.wav"), "{error}");
        assert!(read_speakers(tempfile::tempdir().unwrap().path()).is_err());
    }
}
