//! Texts that are labelled as abusive or not, as they lie on disk.
//!
//! Tables in CSV (quoted, also over several lines) with a header, in which `label` and `text` are columns and `language` may
//! be; or JSON, an object a line with the same names. `class` and `tweet` are understood too. The name of a file may end in
//! the part that it is (`hindi_train.csv`) and begin with its language.
//!
//! In tables named as those of MACD (`LANGUAGE_train.csv`, `_val`, `_test`, of label and text alone) label 0 is abusive and
//! 1 is not, as its makers have it; in that of Davidson et al. (`labeled_data.csv`, English) 0 is hateful, 1 offensive and 2
//! neither; in those of Uli (`train_hi_l3.csv`) most votes count; elsewhere 1 is abusive.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use super::votes::Votes;
use crate::asr::languages;
use crate::{Error, Result};

/// Characters of a text at most.
const MOST_CHARACTERS: usize = 1 << 20;
const LABEL: [&str; 2] = ["label", "class"];
const TEXT: [&str; 2] = ["text", "tweet"];
const LANGUAGE: [&str; 1] = ["language"];
/// The columns of Davidson et al., "Automated Hate Speech Detection and the Problem of Offensive Language" (2017).
const DAVIDSON: [&str; 5] = ["hate_speech", "offensive_language", "neither", "class", "tweet"];

const ABUSIVE: [&str; 8] = ["1", "abusive", "abuse", "offensive", "hate", "toxic", "true", "yes"];
const CLEAN: [&str; 10] =
    ["0", "clean", "not abusive", "not", "none", "neither", "normal", "neutral", "false", "no"];

/// A labelled text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Example {
    /// The text.
    pub text: String,
    /// Whether it is abusive.
    pub abusive: bool,
    /// The code of its language, or `und` where that is not known.
    pub language: String,
}

/// Which part of a data set a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Part {
    /// To learn from.
    Training,
    /// To choose settings by.
    Validation,
    /// To measure with, once.
    Test,
}

/// A file of labelled texts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// Where it lies.
    pub path: PathBuf,
    /// The part that its name tells of.
    pub part: Option<Part>,
    /// The code of the language that its name tells of.
    pub language: Option<String>,
}

/// Labels that mean abuse.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Labels {
    /// Those of MACD in its tables; the usual words, 0 and 1, in others.
    #[default]
    Usual,
    /// These; any other means that there is none.
    Abusive(Vec<String>),
}

impl Table {
    /// The file at `path`, of which the name alone is looked at.
    pub fn at(path: &Path) -> Self {
        let stem = path.file_stem().unwrap_or_default().to_string_lossy().to_lowercase();
        let (language, part) = match stem.rsplit_once(['_', '-', '.']) {
            Some((rest, "train" | "training")) => (rest, Some(Part::Training)),
            Some((rest, "val" | "dev" | "valid" | "validation")) => (rest, Some(Part::Validation)),
            Some((rest, "test" | "testing")) => (rest, Some(Part::Test)),
            // As in Uli.
            _ if stem.starts_with("train_") => (stem.as_str(), Some(Part::Training)),
            _ if stem.starts_with("test_") => (stem.as_str(), Some(Part::Test)),
            _ => (stem.as_str(), None),
        };
        Self { path: path.to_path_buf(), part, language: language_code(language) }
    }

    /// The tables at `path`: itself, or those of a folder, by name.
    ///
    /// # Errors
    /// [`Error::Io`] where it cannot be read; [`Error::Corpus`] for a folder without tables.
    pub fn all_at(path: &Path) -> Result<Vec<Self>> {
        let failed = |error| Error::io(path, error);
        if !fs::metadata(path).map_err(failed)?.is_dir() {
            return Ok(vec![Self::at(path)]);
        }
        let entries = fs::read_dir(path).map_err(failed)?;
        let mut paths = entries
            .map(|entry| entry.map(|entry| entry.path()))
            .filter(|path| path.as_ref().map_or(true, |path| is_table(path)))
            .collect::<std::io::Result<Vec<PathBuf>>>()
            .map_err(failed)?;
        if paths.is_empty() {
            return Err(Error::corpus(path, "there is no table in this folder; expected .csv or .jsonl"));
        }
        paths.sort();
        Ok(paths.iter().map(|path| Self::at(path)).collect())
    }

    /// Its texts, in order.
    ///
    /// # Errors
    /// [`Error::Io`] where it cannot be read; [`Error::Corpus`], naming the row, where it is not as described above.
    pub fn read(&self, labels: &Labels) -> Result<Vec<Example>> {
        match is_json(&self.path) {
            true => self.read_json(labels),
            false => self.read_csv(labels),
        }
    }

    fn read_csv(&self, labels: &Labels) -> Result<Vec<Example>> {
        let failed = |error: csv::Error| match error.into_kind() {
            csv::ErrorKind::Io(source) => Error::io(&self.path, source),
            kind => Error::corpus(&self.path, format!("{kind:?}; expected a table in UTF-8 with a header")),
        };
        let mut reader = csv::ReaderBuilder::new().flexible(true).from_path(&self.path).map_err(failed)?;
        let header = reader.headers().map_err(failed)?.clone();
        let column = |names: &[&str]| {
            header.iter().position(|cell| names.contains(&cell.trim_start_matches('\u{feff}').trim()))
        };
        if let Some(votes) = Votes::of(&header) {
            let rows = reader.records().enumerate().map(|(at, row)| Ok((at, row.map_err(failed)?)));
            return self.read_votes(&votes, rows);
        }
        let (Some(label), Some(text)) = (column(&LABEL), column(&TEXT)) else {
            let found: Vec<&str> = header.iter().collect();
            let reason = format!("expected the columns label and text, and found {}", found.join(", "));
            return Err(Error::corpus(&self.path, reason));
        };
        let language = column(&LANGUAGE);
        let is_davidson = DAVIDSON.iter().all(|name| header.iter().any(|cell| cell == *name));
        let davidson = ["0", "1"].map(str::to_owned);
        let meaning = match labels {
            Labels::Usual if is_davidson => Meaning::Told(&davidson),
            _ => self.meaning(labels, header.len()),
        };
        let row = |(at, record): (usize, csv::Result<csv::StringRecord>)| {
            let record = record.map_err(failed)?;
            let cell = |column: usize| record.get(column);
            let (Some(label), Some(text)) = (cell(label), cell(text)) else {
                return Err(self.fault(at, "has too few columns".into()));
            };
            let language = if is_davidson { Some("en") } else { language.and_then(cell) };
            self.example(at, &meaning, label, text.into(), language)
        };
        reader.records().enumerate().map(row).collect()
    }

    fn read_votes(
        &self,
        votes: &Votes,
        rows: impl Iterator<Item = Result<(usize, csv::StringRecord)>>,
    ) -> Result<Vec<Example>> {
        let mut out = Vec::new();
        for row in rows {
            let (at, row) = row?;
            if let Some((text, abusive)) = votes.judged(&row) {
                let text = self.checked(at, text.into())?;
                out.push(Example { text, abusive, language: votes.language.clone() });
            }
        }
        Ok(out)
    }

    fn read_json(&self, labels: &Labels) -> Result<Vec<Example>> {
        let file = File::open(&self.path).map_err(|error| Error::io(&self.path, error))?;
        let meaning = self.meaning(labels, 0);
        let mut out = Vec::new();
        for (at, line) in BufReader::new(file).lines().enumerate() {
            let line = line.map_err(|error| Error::io(&self.path, error))?;
            if line.trim().is_empty() {
                continue;
            }
            let object: serde_json::Value = serde_json::from_str(&line)
                .map_err(|error| self.fault(at, format!("is no JSON: {error}")))?;
            let field = |names: &[&str]| names.iter().find_map(|&name| object.get(name));
            let label = field(&LABEL).map(|label| label.as_str().map_or(label.to_string(), str::to_owned));
            let text = field(&TEXT).and_then(|text| text.as_str());
            let language = field(&LANGUAGE).and_then(|language| language.as_str());
            let (Some(label), Some(text)) = (label, text) else {
                return Err(self.fault(at, "has no label or no text".into()));
            };
            out.push(self.example(at, &meaning, &label, text.into(), language)?);
        }
        Ok(out)
    }

    fn example(
        &self,
        row: usize,
        meaning: &Meaning,
        label: &str,
        text: String,
        language: Option<&str>,
    ) -> Result<Example> {
        let text = self.checked(row, text)?;
        let abusive = meaning.of(label).ok_or_else(|| {
            self.fault(row, format!("has the label {label:?}; name the labels that mean abuse"))
        })?;
        let told = language.map(str::trim).filter(|language| !language.is_empty());
        let language = match told {
            Some(told) => language_code(told).unwrap_or_else(|| told.to_lowercase()),
            None => self.language.clone().unwrap_or_else(|| "und".into()),
        };
        Ok(Example { text, abusive, language })
    }

    fn checked(&self, row: usize, text: String) -> Result<String> {
        match text.len() > MOST_CHARACTERS {
            true => Err(self.fault(row, format!("is longer than {MOST_CHARACTERS} bytes; is a quote open?"))),
            false => Ok(text),
        }
    }

    fn meaning<'a>(&self, labels: &'a Labels, columns: usize) -> Meaning<'a> {
        let is_macd = columns == 2 && self.part.is_some() && self.language.is_some();
        match labels {
            Labels::Abusive(labels) => Meaning::Told(labels),
            Labels::Usual if is_macd => Meaning::Macd,
            Labels::Usual => Meaning::Words,
        }
    }

    fn fault(&self, row: usize, reason: String) -> Error {
        Error::corpus(&self.path, format!("row {} {reason}", row + 1))
    }
}

enum Meaning<'a> {
    Macd,
    Words,
    Told(&'a [String]),
}

impl Meaning<'_> {
    /// Whether `label` means abuse, where it means anything.
    fn of(&self, label: &str) -> Option<bool> {
        let label = label.trim().to_lowercase();
        match self {
            Self::Told(labels) => Some(labels.iter().any(|abusive| abusive.trim().to_lowercase() == label)),
            Self::Macd => match label.as_str() {
                "0" => Some(true),
                "1" => Some(false),
                _ => None,
            },
            Self::Words if ABUSIVE.contains(&label.as_str()) => Some(true),
            Self::Words => CLEAN.contains(&label.as_str()).then_some(false),
        }
    }
}

/// The code of a language that a file or a row names.
pub fn language_code(name: &str) -> Option<String> {
    match name.to_lowercase().as_str() {
        // As MACD spells it.
        "malyalam" => Some("ml".into()),
        name => languages::code_of(name).map(str::to_owned),
    }
}

fn is_table(path: &Path) -> bool {
    path.is_file() && (is_json(path) || path.extension().is_some_and(|end| end.eq_ignore_ascii_case("csv")))
}

fn is_json(path: &Path) -> bool {
    let is = |end: &str| path.extension().is_some_and(|found| found.eq_ignore_ascii_case(end));
    is("jsonl") || is("ndjson") || is("json")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(name: &str, contents: &[u8], labels: &Labels) -> Result<Vec<Example>> {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join(name);
        fs::write(&path, contents).unwrap();
        Table::at(&path).read(labels)
    }

    #[test]
    fn names_tell_of_parts_and_languages() {
        for (name, language, part) in [
            ("hindi_train.csv", Some("hi"), Some(Part::Training)),
            ("malyalam_val.csv", Some("ml"), Some(Part::Validation)),
            ("ta-test.jsonl", Some("ta"), Some(Part::Test)),
            ("comments_dev.csv", None, Some(Part::Validation)),
            ("kannada.csv", Some("kn"), None),
            ("labeled_data.csv", None, None),
            ("train_hi_l3.csv", None, Some(Part::Training)),
            ("test_ta_l1.csv", None, Some(Part::Test)),
        ] {
            let table = Table::at(name.as_ref());
            assert_eq!((table.language.as_deref(), table.part), (language, part), "{name}");
        }
    }

    #[test]
    fn labels_mean_what_the_table_says() {
        struct Case {
            name: &'static str,
            contents: &'static str,
            labels: Labels,
            /// Text, whether it is abusive, and its language.
            expected: &'static [(&'static str, bool, &'static str)],
        }
        let told = |labels: &[&str]| Labels::Abusive(labels.iter().map(|&label| label.to_owned()).collect());
        let cases = [
            Case {
                name: "hindi_train.csv",
                contents: "label,text\n0,\"one,\n two \"\"three\"\"\"\n1,four\n",
                labels: Labels::Usual,
                expected: &[("one,\n two \"three\"", true, "hi"), ("four", false, "hi")],
            },
            Case {
                name: "mine.csv",
                contents: "\u{feff}label,text,language\n1,bad,English\nclean,good,xyz\n",
                labels: Labels::Usual,
                expected: &[("bad", true, "en"), ("good", false, "xyz")],
            },
            Case {
                name: "tweets.csv",
                contents: ",count,class,tweet\n0,3,2,good\n1,3,0,bad\n2,3,1,rude\n",
                labels: told(&["0", "1"]),
                expected: &[("good", false, "und"), ("bad", true, "und"), ("rude", true, "und")],
            },
            Case {
                name: "labeled_data.csv",
                contents: ",count,hate_speech,offensive_language,neither,class,tweet\n0,3,0,0,3,2,good\n1,3,3,0,0,0,bad\n",
                labels: Labels::Usual,
                expected: &[("good", false, "en"), ("bad", true, "en")],
            },
            Case {
                name: "train_hi_l3.csv",
                contents: "text,key,hi_a1,hi_a2,hi_a3\nbad,question_3,1.0,,0.0\ngood,question_3,,0.0,\n\
                           unseen,question_3,,,\nother,question_1,1.0,1.0,1.0\n",
                labels: Labels::Usual,
                expected: &[("bad", true, "hi"), ("good", false, "hi")],
            },
            Case {
                name: "mine.jsonl",
                contents: "{\"label\": 1, \"text\": \"bad\"}\n\n{\"label\": false, \"text\": \"good\", \"language\": \"ta\"}\n",
                labels: Labels::Usual,
                expected: &[("bad", true, "und"), ("good", false, "ta")],
            },
        ];
        for Case { name, contents, labels, expected } in cases {
            let found = read(name, contents.as_bytes(), &labels).unwrap();
            let found: Vec<_> =
                found.iter().map(|e| (e.text.as_str(), e.abusive, e.language.as_str())).collect();
            assert_eq!(found, expected, "{name}");
        }
    }

    #[test]
    fn what_is_no_table_is_refused_with_its_row() {
        for (name, contents, told) in [
            ("a.csv", &b"words,more\n1,2\n"[..], "label and text"),
            ("a.csv", b"", "label and text"),
            ("a.csv", b"label,text\n1\n", "row 1"),
            ("a.csv", b"label,text\n1,ok\nperhaps,ok\n", "row 2 has the label \"perhaps\""),
            ("hindi_train.csv", b"label,text\n2,ok\n", "row 1"),
            ("a.csv", b"label,text\n1,\xff\xfe\n", "UTF-8"),
            ("a.jsonl", b"{\"label\": 1}\n", "row 1"),
            ("a.jsonl", b"label,text\n", "row 1 is no JSON"),
        ] {
            let found = read(name, contents, &Labels::Usual);
            let Err(Error::Corpus { reason, .. }) = found else { panic!("{name}: {found:?}") };
            assert!(reason.contains(told), "{name}: {reason}");
        }
        assert!(matches!(Table::all_at("no/such/folder".as_ref()), Err(Error::Io { .. })));
        let empty = tempfile::tempdir().unwrap();
        assert!(matches!(Table::all_at(empty.path()), Err(Error::Corpus { .. })));
    }

    proptest! {
        #[test]
        fn no_bytes_panic(contents in prop::collection::vec(any::<u8>(), 0..200)) {
            for (name, head) in [("a.csv", "label,text\n"), ("a.jsonl", "")] {
                let contents = [head.as_bytes(), &contents].concat();
                let _ = read(name, &contents, &Labels::Usual);
            }
        }
    }
}
