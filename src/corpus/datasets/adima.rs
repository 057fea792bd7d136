//! ADIMA as its makers give it out: tables of file names and labels, and a folder of clips for each language.

use std::path::{Path, PathBuf};

use super::classes::{ABUSIVE, CLEAN};
use super::record::{Content, Record};
use super::{files, language, table};
use crate::{Error, Result};

pub(super) const FORM: &str =
    "annotations/{Language}_{train,test}.csv of filename,label (Yes or No) and clips in SC_audio_{Language}/";

/// The folders, below that of the corpus, that clips' folders may be in: code that was released with it has the second.
const HOMES: [&str; 2] = ["", "Prima"];

/// The clips of all tables.
pub(super) fn read(folder: &Path) -> Result<Vec<Record>> {
    let tables = tables(folder)?;
    if tables.is_empty() {
        return Err(Error::corpus(folder, format!("there is no table in annotations/; expected {FORM}")));
    }
    Ok(tables
        .iter()
        .map(|table| of_table(folder, table))
        .collect::<Result<Vec<_>>>()?
        .into_iter()
        .flatten()
        .collect())
}

pub(super) fn tables(folder: &Path) -> Result<Vec<PathBuf>> {
    let annotations = folder.join("annotations");
    if annotations.is_dir() { files::within(&annotations, &["csv"]) } else { Ok(Vec::new()) }
}

/// `abusive` of yes and `clean` of no.
pub(super) fn label(abuse: &str) -> Option<&'static str> {
    match abuse.trim() {
        "Yes" => Some(ABUSIVE),
        "No" => Some(CLEAN),
        _ => None,
    }
}

fn of_table(folder: &Path, table: &Path) -> Result<Vec<Record>> {
    let (language, split) = table::language_and_split(table).ok_or_else(|| {
        Error::corpus(table, format!("the table's name says no language and split; expected {FORM}"))
    })?;
    let clips = clips(folder, language).ok_or_else(|| {
        Error::corpus(
            folder,
            format!(
                "there is no folder SC_audio_{language}, whose labels are in {}",
                files::id(folder, table)
            ),
        )
    })?;
    let rows = table::rows(table, ["filename", "label"])?;
    let (mut records, mut missing) = (Vec::with_capacity(rows.len()), Vec::new());
    for (row, [filename, abuse]) in rows {
        let label = label(&abuse).ok_or_else(|| {
            Error::corpus(table, format!("row {row}: the label of {filename} is {abuse}; expected Yes or No"))
        })?;
        let Some(path) = files::clip(clips.join(&filename)).filter(|_| !filename.is_empty()) else {
            missing.push((row, filename));
            continue;
        };
        records.push(Record {
            id: files::id(folder, &path),
            content: Content::File(path),
            label: label.into(),
            speaker: None,
            language: Some(language::code(language)),
            split: Some(split),
        });
    }
    match missing.first() {
        Some((row, filename)) => Err(Error::corpus(
            table,
            format!(
                "{} of {} clips are not in {}, such as {filename:?} of row {row}; unpack them there, as WAV or FLAC",
                missing.len(),
                missing.len() + records.len(),
                clips.display()
            ),
        )),
        None => Ok(records),
    }
}

fn clips(folder: &Path, language: &str) -> Option<PathBuf> {
    let named = HOMES.map(|home| folder.join(home).join(format!("SC_audio_{language}")));
    named.into_iter().find(|clips| clips.is_dir())
}

#[cfg(test)]
mod tests {
    use super::super::Split;
    use super::super::files::tests::tree;
    use super::*;

    #[test]
    fn clips_come_with_label_language_and_split() {
        let home = tree(&[
            ("annotations/Hindi_train.csv", "filename,label\na.wav,Yes\nb.wav,No\n"),
            ("annotations/Hindi_test.csv", "filename,label\nc.wav,No\n"),
            ("annotations/Bhojpuri_test.csv", "label,filename\nYes,d.wav\n"),
            ("SC_audio_Hindi/a.wav", ""),
            ("SC_audio_Hindi/b.flac", ""),
            ("SC_audio_Hindi/c.wav", ""),
            ("Prima/SC_audio_Bhojpuri/d.wav", ""),
        ]);
        let found = read(home.path()).unwrap();
        let rows: Vec<_> = found
            .iter()
            .map(|r| (r.id.as_str(), r.label.as_str(), r.language.as_deref().unwrap(), r.split.unwrap()))
            .collect();
        let expected = [
            ("Prima/SC_audio_Bhojpuri/d.wav", "abusive", "bho", Split::Test),
            ("SC_audio_Hindi/c.wav", "clean", "hi", Split::Test),
            ("SC_audio_Hindi/a.wav", "abusive", "hi", Split::Train),
            ("SC_audio_Hindi/b.flac", "clean", "hi", Split::Train),
        ];
        assert_eq!(rows, expected);
        assert!(found.iter().all(|record| record.speaker.is_none() && record.group() == record.id));
    }

    #[test]
    fn errors_say_what_was_expected_and_found() {
        struct Case {
            files: &'static [(&'static str, &'static str)],
            says: &'static [&'static str],
        }
        let cases = [
            Case { files: &[("a.wav", "")], says: &["no table in annotations/", "SC_audio_{Language}"] },
            Case { files: &[("annotations/all.csv", "")], says: &["all.csv", "no language and split"] },
            Case {
                files: &[("annotations/Hindi_test.csv", "filename,label\n")],
                says: &["no folder SC_audio_Hindi", "annotations/Hindi_test.csv"],
            },
            Case {
                files: &[
                    ("annotations/Hindi_test.csv", "filename,label\na.wav,Yes\nb.wav,No\nc.wav,No\n"),
                    ("SC_audio_Hindi/a.wav", ""),
                ],
                says: &["Hindi_test.csv", "2 of 3 clips", "\"b.wav\" of row 2"],
            },
            Case {
                files: &[
                    ("annotations/Hindi_test.csv", "filename,label\na.wav,1\n"),
                    ("SC_audio_Hindi/a.wav", ""),
                ],
                says: &["Hindi_test.csv", "row 1", "a.wav is 1", "Yes or No"],
            },
        ];
        for case in cases {
            let error = read(tree(case.files).path()).unwrap_err().to_string();
            assert!(case.says.iter().all(|says| error.contains(says)), "{error}");
        }
    }
}
