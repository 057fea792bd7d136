//! Lists of clips with their labels, as comma-separated values or lines of JSON.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::record::{Content, Record, Split};
use super::{files, table};
use crate::{Error, Result};

pub(super) const FORM: &str =
    "manifest.csv or manifest.jsonl of path,label and, where they are known, speaker,language,split";

const NAMES: [&str; 2] = ["manifest.csv", "manifest.jsonl"];

/// An entry. What is misspelt is refused: clips whose speakers were passed over would be on both sides of a split.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    path: String,
    label: String,
    speaker: Option<String>,
    language: Option<String>,
    split: Option<Split>,
}

/// Whether a file may be a manifest.
pub(super) fn fits(path: &Path) -> bool {
    files::has_extension(path, &["csv", "jsonl"])
}

/// The manifest of a folder.
pub(super) fn within(folder: &Path) -> Option<PathBuf> {
    NAMES.iter().map(|name| folder.join(name)).find(|path| path.is_file())
}

/// The clips of a manifest, or of that in a folder. Paths are below the manifest's folder.
pub(super) fn read(path: &Path) -> Result<Vec<Record>> {
    let path = if path.is_dir() {
        within(path).ok_or_else(|| Error::corpus(path, format!("there is no manifest; expected {FORM}")))?
    } else {
        path.to_path_buf()
    };
    let entries =
        if files::has_extension(&path, &["jsonl"]) { json(&path)? } else { comma_separated(&path)? };
    let mut seen = HashMap::new();
    let mut record = |(row, entry): (usize, Entry)| {
        let refused = |reason: String| Err(Error::corpus(&path, format!("row {row}: {reason}")));
        if entry.path.is_empty() || entry.label.is_empty() {
            return refused(format!("a path or label is empty; expected {FORM}"));
        }
        if let Some(first) = seen.insert(entry.path.clone(), row) {
            return refused(format!("{} is in row {first} already; list a clip once", entry.path));
        }
        let folder = path.parent().unwrap_or(Path::new(""));
        let Some(clip) = files::clip(folder.join(&entry.path)) else {
            return refused(format!(
                "there is no file {}; paths are below the manifest's folder",
                entry.path
            ));
        };
        Ok(Record {
            id: files::id(folder, &clip),
            content: Content::File(clip),
            label: entry.label,
            speaker: entry.speaker.filter(|speaker| !speaker.is_empty()),
            language: entry.language.filter(|language| !language.is_empty()),
            split: entry.split,
        })
    };
    entries.into_iter().map(&mut record).collect()
}

fn comma_separated(path: &Path) -> Result<Vec<(usize, Entry)>> {
    let fault = |error| table::fault(path, error);
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_path(path).map_err(fault)?;
    (1..).zip(reader.deserialize()).map(|(row, entry)| Ok((row, entry.map_err(fault)?))).collect()
}

/// Rows are lines here, empty ones too.
fn json(path: &Path) -> Result<Vec<(usize, Entry)>> {
    let text = std::fs::read_to_string(path).map_err(|error| Error::io(path, error))?;
    let entry = |(row, line): (usize, &str)| match serde_json::from_str(line) {
        Ok(entry) => Ok((row, entry)),
        Err(error) => Err(Error::corpus(path, format!("row {row}: {error}"))),
    };
    (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty()).map(entry).collect()
}

#[cfg(test)]
mod tests {
    use super::super::files::tests::tree;
    use super::*;

    #[test]
    fn both_forms_say_the_same() {
        let clips = [("clips/a.wav", ""), ("b.flac", "")];
        let csv = "path,label,speaker,language,split\nclips/a.wav,happy, ann ,de,val\nb.wav,sad,,,\n";
        let jsonl = r#"{"path": "clips/a.wav", "label": "happy", "speaker": "ann", "language": "de", "split": "validation"}

{"label": "sad", "path": "b.wav"}
"#;
        for (name, contents) in [("manifest.csv", csv), ("manifest.jsonl", jsonl)] {
            let home = tree(&[clips[0], clips[1], (name, contents)]);
            let found = read(home.path()).unwrap();
            let record = |id: &str, label: &str| Record {
                id: id.into(),
                content: Content::File(home.path().join(id)),
                label: label.into(),
                speaker: None,
                language: None,
                split: None,
            };
            let first = Record {
                speaker: Some("ann".into()),
                language: Some("de".into()),
                split: Some(Split::Validation),
                ..record("clips/a.wav", "happy")
            };
            assert_eq!(found, [first, record("b.flac", "sad")], "{name}");
            assert_eq!(read(&home.path().join(name)).unwrap(), found);
        }
    }

    #[test]
    fn errors_say_what_was_expected_and_found() {
        for (name, contents, says) in [
            ("manifest.csv", "path,label,speker\na.wav,x,ann\n", "unknown field `speker`"),
            ("manifest.csv", "path\na.wav\n", "missing field `label`"),
            ("manifest.csv", "path,label\na.wav,x\nc.wav,y\n", "row 2: there is no file c.wav"),
            ("manifest.csv", "path,label\na.wav,x\na.wav,y\n", "row 2: a.wav is in row 1 already"),
            ("manifest.csv", "path,label\na.wav,\n", "row 1: a path or label is empty"),
            ("manifest.csv", "path,label,split\na.wav,x,half\n", "unknown variant `half`"),
            ("manifest.jsonl", "{\"path\": \"a.wav\", \"label\": \"x\"}\nno\n", "row 2: expected"),
            ("manifest.jsonl", "{\"path\": \"a.wav\"}\n", "row 1: missing field `label`"),
            ("other.csv", "", "there is no manifest"),
        ] {
            let error = read(tree(&[("a.wav", ""), (name, contents)]).path()).unwrap_err().to_string();
            assert!(error.contains(says), "{error}");
        }
    }
}
