//! Files that say which phones are where, in the format of ZeroSpeech 2017 and Libri-light.

use std::path::Path;

use crate::{Error, Result};

/// The columns of a file; its first line names them.
const COLUMNS: [&str; 7] = ["#file", "onset", "offset", "#phone", "prev-phone", "next-phone", "speaker"];

/// A token of a phone.
#[derive(Debug, Clone, PartialEq)]
pub struct AbxItem {
    /// The name of its file, without folder and extension.
    pub file: String,
    /// Where it begins, in seconds of the file.
    pub onset: f64,
    /// Where it ends, after where it begins.
    pub offset: f64,
    /// What it is.
    pub phone: String,
    /// The phones before and after it, as in `a+t`.
    pub context: String,
    /// Who says it.
    pub speaker: String,
}

/// Reads a `.item` file.
///
/// # Errors
/// [`Error::Io`] where it cannot be read; those of [`parse_items`].
pub fn read_items(path: &Path) -> Result<Vec<AbxItem>> {
    let text = std::fs::read_to_string(path).map_err(|error| Error::io(path, error))?;
    parse_items(&path.display().to_string(), &text)
}

/// Reads the text of a `.item` file: a line that names the columns, then a line for each token, with the columns between
/// white space: `#file onset offset #phone prev-phone next-phone speaker`. `label` stands for its path in errors.
///
/// # Errors
/// [`Error::Setting`] that names the line that is not so.
pub fn parse_items(label: &str, text: &str) -> Result<Vec<AbxItem>> {
    let mut lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    let wrong = |line: usize, reason: String| Error::Setting(format!("{label}: line {}: {reason}", line + 1));
    match lines.next() {
        Some((_, line)) if line.starts_with('#') => {}
        _ => return Err(wrong(0, format!("the columns are not named; expected {}", COLUMNS.join(" ")))),
    }
    lines.map(|(number, line)| item(line).map_err(|reason| wrong(number, reason))).collect()
}

fn item(line: &str) -> Result<AbxItem, String> {
    let columns: Vec<&str> = line.split_whitespace().collect();
    let [file, onset, offset, phone, before, after, speaker] = columns[..] else {
        return Err(format!(
            "has {} columns, expected {}: {}",
            columns.len(),
            COLUMNS.len(),
            COLUMNS.join(" ")
        ));
    };
    let (onset, offset) = (seconds("onset", onset)?, seconds("offset", offset)?);
    if offset <= onset {
        return Err(format!("ends at {offset} s, not after it begins at {onset} s"));
    }
    Ok(AbxItem {
        file: file.to_owned(),
        onset,
        offset,
        phone: phone.to_owned(),
        context: format!("{before}+{after}"),
        speaker: speaker.to_owned(),
    })
}

fn seconds(column: &str, text: &str) -> Result<f64, String> {
    let seconds = text.parse().ok().filter(|seconds: &f64| seconds.is_finite() && *seconds >= 0.0);
    seconds.ok_or_else(|| format!("{column} {text} is no number of seconds"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const HEADER: &str = "#file onset offset #phone prev-phone next-phone speaker\n";

    #[test]
    fn lines_become_items() {
        let items = parse_items("a.item", &format!("{HEADER}2107 0.3225 0.5225 n ae d 8193\r\n\n"));
        let expected = AbxItem {
            file: "2107".into(),
            onset: 0.3225,
            offset: 0.5225,
            phone: "n".into(),
            context: "ae+d".into(),
            speaker: "8193".into(),
        };
        assert_eq!(items.unwrap(), [expected]);
        assert_eq!(parse_items("a.item", HEADER).unwrap(), []);
    }

    #[test]
    fn a_line_that_is_wrong_is_named() {
        struct Case {
            text: &'static str,
            reason: &'static str,
        }
        let cases = [
            Case { text: "", reason: "line 1: the columns are not named; expected #file onset" },
            Case { text: "f 0 1 p a b s\n", reason: "line 1: the columns are not named" },
            Case { text: "#\nf 0 1 p a b s\nf 0 1 p\n", reason: "line 3: has 4 columns, expected 7: #file" },
            Case { text: "#\nf x 1 p a b s\n", reason: "line 2: onset x is no number of seconds" },
            Case { text: "#\n\nf 0 inf p a b s\n", reason: "line 3: offset inf is no number of seconds" },
            Case { text: "#\nf -1 1 p a b s\n", reason: "onset -1 is no number" },
            Case { text: "#\nf 1 1 p a b s\n", reason: "ends at 1 s, not after it begins at 1 s" },
        ];
        for case in cases {
            let error = parse_items("a.item", case.text).unwrap_err().to_string();
            assert!(error.starts_with("a.item: line ") && error.contains(case.reason), "{error}");
        }
    }

    proptest! {
        #[test]
        fn no_text_does_harm(text in "(#[a-z ]*\n)?([a-z0-9.# -]{0,40}\n){0,5}.{0,20}") {
            let _items = parse_items("a.item", &text);
        }
    }
}
