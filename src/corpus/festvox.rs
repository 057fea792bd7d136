//! Voices of Festival as `festvox` builds them: recordings with phones, as Debian's `festvox-ru` installs one.
//!
//! | file | what is in it |
//! |---|---|
//! | `wav/ID.wav` | a recording |
//! | `lab/ID.lab` | its phones: lines before one with `#` alone are a header, then `END COLOUR PHONE` a line, END in seconds |
//! | `etc/txt.done.data` | `( ID "text" )` a line |
//!
//! A phone begins where the one before it ends, the first at 0.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::{Error, Result};

/// A recording with its phones.
#[derive(Debug, Clone, PartialEq)]
pub struct Utterance {
    /// Its name, without extension.
    pub id: String,
    /// The recording.
    pub audio: PathBuf,
    /// What is said, where it is known.
    pub text: Option<String>,
    /// Its phones, in their order.
    pub phones: Vec<Phone>,
}

/// A phone and when it is spoken.
#[derive(Debug, Clone, PartialEq)]
pub struct Phone {
    /// Its name in the voice's phone set; silence is most often `pau`.
    pub name: String,
    /// Seconds from the start of the recording.
    pub start: f64,
    /// Seconds; after `start` or equal.
    pub end: f64,
}

/// Whether a folder is laid out so.
pub fn recognises(folder: &Path) -> bool {
    folder.join("lab").is_dir() && folder.join("wav").is_dir()
}

/// The recordings of the voice in `folder` that have phones, by name.
///
/// # Errors
/// [`Error::Io`] where it cannot be read; [`Error::Corpus`] where a line is not as it should be, there is no label, or one is
/// of no recording.
pub fn read(folder: &Path) -> Result<Vec<Utterance>> {
    let labels = folder.join("lab");
    let entries = fs::read_dir(&labels).map_err(|error| Error::io(&labels, error))?;
    let mut paths = entries
        .map(|entry| entry.map(|entry| entry.path()).map_err(|error| Error::io(&labels, error)))
        .collect::<Result<Vec<PathBuf>>>()?;
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "lab"));
    paths.sort();
    if paths.is_empty() {
        return Err(Error::corpus(&labels, "there is no label; expected ID.lab beside wav/ID.wav"));
    }
    let mut texts = texts(&folder.join("etc/txt.done.data"))?;
    let utterance = |path: PathBuf| {
        let id = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let audio = folder.join("wav").join(format!("{id}.wav"));
        if !audio.is_file() {
            return Err(Error::corpus(&path, format!("is of no recording; expected {}", audio.display())));
        }
        Ok(Utterance { audio, text: texts.remove(&id), phones: phones(&path)?, id })
    };
    paths.into_iter().map(utterance).collect()
}

fn phones(path: &Path) -> Result<Vec<Phone>> {
    let text = fs::read_to_string(path).map_err(|error| Error::io(path, error))?;
    let lines: Vec<&str> = text.lines().collect();
    let Some(header) = lines.iter().position(|line| line.trim() == "#") else {
        return Err(Error::corpus(path, "has no line with # alone, after which phones begin"));
    };
    let (mut phones, mut start) = (Vec::new(), 0.0);
    for (number, line) in lines.iter().enumerate().skip(header + 1) {
        if line.trim().is_empty() {
            continue;
        }
        let fields: Vec<&str> = line.split_whitespace().collect();
        let end = fields.first().and_then(|end| end.parse::<f64>().ok()).filter(|end| *end >= start);
        // Silence may have no name at all.
        let (Some(end), 2..=3) = (end, fields.len()) else {
            let reason =
                format!("line {}: expected END COLOUR PHONE, with END not before the last", number + 1);
            return Err(Error::corpus(path, reason));
        };
        phones.push(Phone { name: fields.get(2).copied().unwrap_or_default().into(), start, end });
        start = end;
    }
    Ok(phones)
}

/// What is said, by name; nothing where there is no such file.
fn texts(path: &Path) -> Result<HashMap<String, String>> {
    if !path.is_file() {
        return Ok(HashMap::new());
    }
    let text = fs::read_to_string(path).map_err(|error| Error::io(path, error))?;
    let entry = |line: &str| {
        let inner = line.trim().strip_prefix('(')?.strip_suffix(')')?.trim();
        let (id, quoted) = inner.split_once(char::is_whitespace)?;
        let said = quoted.trim().strip_prefix('"')?.strip_suffix('"')?;
        Some((id.to_owned(), said.to_owned()))
    };
    Ok(text.lines().filter_map(entry).collect())
}

/// The name of the phone at `seconds`; none after the last.
pub fn phone_at(phones: &[Phone], seconds: f64) -> Option<&str> {
    let after = phones.partition_point(|phone| phone.end <= seconds);
    phones.get(after).map(|phone| phone.name.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn voice(files: &[(&str, &str)]) -> tempfile::TempDir {
        let home = tempfile::tempdir().unwrap();
        for (name, contents) in files {
            let path = home.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, contents).unwrap();
        }
        home
    }

    #[test]
    fn phones_follow_one_another() {
        let home = voice(&[
            ("wav/ru_1.wav", ""),
            ("wav/ru_2.wav", ""),
            ("lab/ru_2.lab", "separator ;\nnfields 1\n#\n0.1 125 t\n"),
            ("lab/ru_1.lab", "#\n 0.34200 125 pau\n0.39 125 k\n0.39 125 ay\n0.9 125\n"),
            ("lab/notes.txt", ""),
            ("etc/txt.done.data", "( ru_1 \"Да, (нет) \\\" .\" )\nnonsense\n"),
        ]);
        assert!(recognises(home.path()) && !recognises(&home.path().join("wav")));
        let read = read(home.path()).unwrap();
        assert_eq!(read.iter().map(|utterance| utterance.id.as_str()).collect::<Vec<_>>(), ["ru_1", "ru_2"]);
        assert_eq!(read[0].text.as_deref(), Some("Да, (нет) \\\" ."));
        assert_eq!(read[1].text, None);
        let phones = &read[0].phones;
        assert_eq!(phones.len(), 4);
        assert_eq!((phones[1].name.as_str(), phones[1].start, phones[1].end), ("k", 0.342, 0.39));
        let at = |seconds| phone_at(phones, seconds);
        assert_eq!(
            [0.0, 0.3, 0.342, 0.39, 0.9].map(at),
            [Some("pau"), Some("pau"), Some("k"), Some(""), None]
        );
    }

    #[test]
    fn what_does_not_fit_is_told_of() {
        for (files, says) in [
            (vec![("lab/a.lab", "#\n0.2 1 a\n0.1 1 b\n"), ("wav/a.wav", "")], "line 3"),
            (vec![("lab/a.lab", "#\nx 1 a\n"), ("wav/a.wav", "")], "line 2"),
            (vec![("lab/a.lab", "0.2 1 a\n"), ("wav/a.wav", "")], "no line with #"),
            (vec![("lab/a.lab", "#\n"), ("wav/b.wav", "")], "of no recording"),
            (vec![("lab/a.txt", ""), ("wav/a.wav", "")], "no label"),
        ] {
            let error = read(voice(&files).path()).unwrap_err().to_string();
            assert!(error.contains(says), "{error}");
        }
        assert!(matches!(read(Path::new("/nowhere")), Err(Error::Io { .. })));
    }
}
