//! Text alone, a line a segment; and openai-whisper's table of it.

use std::fmt::Write;

use super::clock::milliseconds;
use super::{Style, Writer};
use crate::asr::Segment;

/// `text` on one line: every run of white space is one space, none at the ends.
pub(super) fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The text, a line a segment.
pub(super) struct Text {
    style: Style,
}

impl Text {
    pub(super) fn new(style: &Style) -> Self {
        Self { style: style.clone() }
    }
}

impl Writer for Text {
    fn segment(&mut self, segment: &Segment, out: &mut String) {
        let text = one_line(&segment.text);
        if !text.is_empty() {
            out.push_str(&self.style.heading(segment.span));
            out.push_str(&text);
            out.push('\n');
        }
    }
}

/// Start and end in milliseconds and text, as `WriteTSV` of openai-whisper.
pub(super) struct Tsv {
    style: Style,
}

impl Tsv {
    pub(super) fn new(style: &Style) -> Self {
        Self { style: style.clone() }
    }
}

impl Writer for Tsv {
    fn begin(&mut self, out: &mut String) {
        out.push_str("start\tend\ttext\n");
    }

    fn segment(&mut self, segment: &Segment, out: &mut String) {
        let (start, end) = (milliseconds(segment.span.start), milliseconds(segment.span.end));
        // Writing to a string cannot fail.
        let heading = self.style.heading(segment.span);
        let _ = writeln!(out, "{start}\t{end}\t{heading}{}", one_line(&segment.text));
    }
}
