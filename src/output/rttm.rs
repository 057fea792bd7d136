//! NIST's rich transcription time marks: who speaks when, a line a turn, as `dscore` and `pyannote` read it.
//!
//! `SPEAKER file channel start duration <NA> <NA> speaker <NA> <NA>`, seconds with milliseconds.

use std::fmt::Write;
use std::path::Path;

use super::clock::milliseconds;
use crate::speaker::diarize::Turn;
use crate::time::{SampleIndex, Span};
use crate::{Error, Result};

/// Fields up to the speaker's name.
const FIELDS: usize = 8;

/// The lines of the turns of a recording, in order of start. White space in names becomes `_`.
pub fn to_rttm(file: &str, turns: &[Turn]) -> String {
    let mut turns: Vec<&Turn> = turns.iter().collect();
    turns.sort_by_key(|turn| (turn.span.start, turn.span.end));
    let mut text = String::new();
    for Turn { speaker, span } in turns {
        let (start, end) = (milliseconds(span.start), milliseconds(span.end));
        let (start, duration) = (start as f64 / 1000.0, end.saturating_sub(start) as f64 / 1000.0);
        let (file, speaker) = (field(file), field(speaker));
        // Writing to a string cannot fail.
        let _ = writeln!(text, "SPEAKER {file} 1 {start:.3} {duration:.3} <NA> <NA> {speaker} <NA> <NA>");
    }
    text
}

/// The turns of such a text, each with the name of its recording, in the order of the lines. Lines of other types and
/// comments (`;;`) are passed over.
///
/// # Errors
/// [`Error::Corpus`] that names `path` and the line that is cut off or whose times are none.
pub fn read_rttm(text: &str, path: &Path) -> Result<Vec<(String, Turn)>> {
    let mut turns = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let fields: Vec<&str> = line.split_whitespace().collect();
        if fields.first() != Some(&"SPEAKER") {
            continue;
        }
        let refused = |reason: String| Error::corpus(path, format!("line {number}: {reason}"));
        if fields.len() < FIELDS {
            return Err(refused(format!("expected at least {FIELDS} fields, found {}", fields.len())));
        }
        let seconds = |field: &str| match field.parse::<f64>() {
            Ok(seconds) if seconds.is_finite() && seconds >= 0.0 => Ok(seconds),
            _ => Err(refused(format!("{field:?} is no time in seconds"))),
        };
        let (start, duration) = (seconds(fields[3])?, seconds(fields[4])?);
        let span = Span::new(SampleIndex::from_seconds(start), SampleIndex::from_seconds(start + duration));
        turns.push((fields[1].to_owned(), Turn::new(fields[7], span)));
    }
    Ok(turns)
}

/// `text` as one field.
fn field(text: &str) -> String {
    let text = text.split_whitespace().collect::<Vec<_>>().join("_");
    if text.is_empty() { "<NA>".into() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn turns_are_lines_in_order_of_start() {
        let span = |start: u64, end: u64| Span::new(SampleIndex(start), SampleIndex(end));
        let turns = [Turn::new("Ann Lee", span(24_000, 40_008)), Turn::new("1", span(0, 16_000))];
        let text = to_rttm("my talk", &turns);
        let expected = "SPEAKER my_talk 1 0.000 1.000 <NA> <NA> 1 <NA> <NA>\n\
                        SPEAKER my_talk 1 1.500 1.001 <NA> <NA> Ann_Lee <NA> <NA>\n";
        assert_eq!(text, expected);
        assert_eq!(to_rttm("a", &[]), "");
    }

    #[test]
    fn lines_that_are_no_turns_are_told_of_or_passed_over() {
        let read = |text: &str| read_rttm(text, Path::new("a.rttm"));
        let other = ";; a comment\n\nSPKR-INFO a 1 <NA> <NA> <NA> unknown b <NA> <NA>\n";
        assert_eq!(read(other).unwrap(), []);
        for (text, says) in [
            ("SPEAKER a 1 0 1\n", "a.rttm: line 1: expected at least 8 fields, found 5"),
            ("\nSPEAKER a 1 x 1 <NA> <NA> b\n", "line 2: \"x\" is no time"),
            ("SPEAKER a 1 0 -1 <NA> <NA> b\n", "\"-1\" is no time"),
            ("SPEAKER a 1 0 inf <NA> <NA> b\n", "\"inf\" is no time"),
        ] {
            let error = read(text).unwrap_err().to_string();
            assert!(error.contains(says), "{error}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(
            times in prop::collection::vec((0u64..100_000, 1u64..50_000, "[a-zअ-ह]{1,6}"), 0..10),
        ) {
            // Whole milliseconds.
            let span = |start: u64, length: u64| {
                Span::new(SampleIndex(16 * start), SampleIndex(16 * (start + length)))
            };
            let turn = |(start, length, speaker): &(u64, u64, String)| Turn::new(speaker, span(*start, *length));
            let mut turns: Vec<Turn> = times.iter().map(turn).collect();
            turns.sort_by_key(|turn| (turn.span.start, turn.span.end));
            let read = read_rttm(&to_rttm("talk", &turns), Path::new("talk")).unwrap();
            prop_assert_eq!(read.iter().map(|(_, turn)| turn.clone()).collect::<Vec<_>>(), turns);
            prop_assert!(read.iter().all(|(file, _)| file == "talk"));
        }

        #[test]
        fn no_text_breaks_the_reader(text in "(SPEAKER [\\PC ]{0,40}\n|\\PC{0,40}\n){0,4}") {
            let _ = read_rttm(&text, Path::new("a"));
        }
    }
}
