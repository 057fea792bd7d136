//! The files of word lists.

use std::fs;
use std::path::Path;

use crate::text::dataset::language_code;
use crate::{Error, Result};

/// Bytes of a list at most.
const LIMIT: u64 = 64 << 20;
/// The gravest severity.
const GRAVEST: u8 = 5;
/// What a term is where its list does not say.
const CATEGORY: &str = "abuse";

/// A term of a list.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Entry {
    /// The word or phrase, as the list spells it.
    pub term: String,
    /// What it is; `abuse` where the list does not say.
    pub category: String,
    /// From 1, mild, to 5, grave, where the list says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub severity: Option<u8>,
    /// The code of its language, where the list or its name says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
}

/// The entries of the list at `path`.
pub(super) fn read(path: &Path) -> Result<Vec<Entry>> {
    let size = fs::metadata(path).map_err(|error| Error::io(path, error))?.len();
    if size > LIMIT {
        return Err(Error::corpus(path, format!("a list of {size} bytes; at most {LIMIT} are read")));
    }
    let bytes = fs::read(path).map_err(|error| Error::io(path, error))?;
    let list = String::from_utf8(bytes)
        .map_err(|_| Error::corpus(path, "is not in UTF-8; convert it, as with iconv"))?;
    parse(&list, path)
}

/// The entries of `list`: CSV where the name ends so or the first line is a header, a term a line otherwise. Lines that
/// begin with "# " are comments.
pub(super) fn parse(list: &str, name: &Path) -> Result<Vec<Entry>> {
    let list = list.trim_start_matches('\u{feff}');
    let has_header = list.lines().next().is_some_and(is_header);
    let is_csv = name.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("csv"));
    if has_header || is_csv {
        return parse_csv(list, name);
    }
    let language = name.file_stem().and_then(|stem| language_code(&stem.to_string_lossy()));
    let terms = list.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("# "));
    let entry = |term: &str| Entry {
        term: term.into(),
        category: CATEGORY.into(),
        severity: None,
        language: language.clone(),
    };
    Ok(terms.map(entry).collect())
}

fn is_header(line: &str) -> bool {
    let mut cells = line.split(',').map(str::trim);
    cells.next() == Some("term") && cells.next().is_some()
}

/// Rows of term, category, severity and language, all but the first of which may be left out; in the order of the header
/// where there is one.
fn parse_csv(list: &str, name: &Path) -> Result<Vec<Entry>> {
    let mut columns = ["term", "category", "severity", "language"].map(str::to_owned).to_vec();
    let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(list.as_bytes());
    let mut out = Vec::new();
    for (at, row) in reader.records().enumerate() {
        let fault = |reason: String| Error::corpus(name, format!("row {}: {reason}", at + 1));
        let row = row.map_err(|error| fault(error.to_string()))?;
        if at == 0 && list.lines().next().is_some_and(is_header) {
            columns = row.iter().map(|cell| cell.trim().to_lowercase()).collect();
            continue;
        }
        let cell = |column: &str| {
            let at = columns.iter().position(|name| name == column)?;
            row.get(at).map(str::trim).filter(|cell| !cell.is_empty())
        };
        let Some(term) = cell("term") else { continue };
        let severity = cell("severity").map(|told| {
            told.parse().ok().filter(|severity| (1..=GRAVEST).contains(severity)).ok_or_else(|| {
                fault(format!(
                    "the severity is {told:?}; give a whole number from 1 to {GRAVEST}, or nothing"
                ))
            })
        });
        out.push(Entry {
            term: term.into(),
            category: cell("category").unwrap_or(CATEGORY).into(),
            severity: severity.transpose()?,
            language: cell("language").map(|told| language_code(told).unwrap_or_else(|| told.to_lowercase())),
        });
    }
    Ok(out)
}
