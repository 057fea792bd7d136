//! NIST's time-marked conversation format, as `sclite` reads it.

use std::fmt::Write;
use std::path::Path;

use super::clock::milliseconds;
use super::text::one_line;
use super::{Style, Writer};
use crate::asr::{Segment, Transcript, Word};

/// `file channel start duration word confidence`, a line a word, in order of start.
///
/// A segment whose words have no times becomes a comment, so that its text is not lost.
pub(super) struct Ctm {
    file: String,
    channel: String,
}

impl Ctm {
    pub(super) fn new(style: &Style) -> Self {
        let stem = Path::new(&style.file).file_stem().unwrap_or_default().to_string_lossy();
        Self { file: field(&stem), channel: field(&style.channel) }
    }

    fn word(&self, word: &Word, out: &mut String) {
        let text = field(&word.text);
        if text.is_empty() {
            return;
        }
        let (start, end) = (milliseconds(word.span.start), milliseconds(word.span.end));
        let (start, duration) = (start as f64 / 1000.0, end.saturating_sub(start) as f64 / 1000.0);
        let _ = writeln!(
            out,
            "{} {} {start:.3} {duration:.3} {text} {:.4}",
            self.file, self.channel, word.probability
        );
    }
}

impl Writer for Ctm {
    // Words of neighbouring segments may overlap, so that their order is known only at the end.
    fn segment(&mut self, _segment: &Segment, _out: &mut String) {}

    fn end(&mut self, transcript: &Transcript, out: &mut String) {
        let untimed = transcript.segments.iter().filter(|s| s.words.is_empty() && !s.text.is_empty());
        for segment in untimed {
            let (start, end) = (segment.span.start.seconds(), segment.span.end.seconds());
            let text = one_line(&segment.text);
            let _ = writeln!(out, ";; {} no word times from {start:.3} to {end:.3}: {text}", self.file);
        }
        let mut words: Vec<&Word> = transcript.segments.iter().flat_map(|s| &s.words).collect();
        words.sort_by_key(|word| word.span.start);
        for word in words {
            self.word(word, out);
        }
    }
}

/// `text` as one field: white space inside becomes `_`.
fn field(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join("_")
}
