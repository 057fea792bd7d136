//! SubRip and WebVTT.

use std::fmt::Write;

use super::Writer;
use super::clock::{Timestamp, milliseconds};
use super::cues::{Cue, Layout, cues};
use crate::asr::Segment;

/// Which of the two is written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Dialect {
    Srt,
    Vtt,
}

/// Numbered cues of SubRip, or those of WebVTT.
pub(super) struct Subtitles {
    dialect: Dialect,
    layout: Layout,
    cues_written: usize,
}

impl Subtitles {
    pub(super) fn srt(layout: Layout) -> Self {
        Self { dialect: Dialect::Srt, layout, cues_written: 0 }
    }

    pub(super) fn vtt(layout: Layout) -> Self {
        Self { dialect: Dialect::Vtt, layout, cues_written: 0 }
    }

    fn cue(&mut self, cue: &Cue, out: &mut String) {
        self.cues_written += 1;
        let (number, decimal_mark) = match self.dialect {
            Dialect::Srt => (format!("{}\n", self.cues_written), ','),
            Dialect::Vtt => (String::new(), '.'),
        };
        let start = milliseconds(cue.span.start);
        // A cue must not end where it starts.
        let end = milliseconds(cue.span.end).max(start + 1);
        let [start, end] = [start, end].map(|milliseconds| Timestamp { milliseconds, decimal_mark });
        let text = self.dialect.escape(&cue.lines.join("\n"));
        let _ = write!(out, "{number}{start} --> {end}\n{text}\n\n");
    }
}

impl Writer for Subtitles {
    fn begin(&mut self, out: &mut String) {
        if self.dialect == Dialect::Vtt {
            out.push_str("WEBVTT\n\n");
        }
    }

    fn segment(&mut self, segment: &Segment, out: &mut String) {
        for cue in cues(segment, &self.layout) {
            self.cue(&cue, out);
        }
    }
}

impl Dialect {
    /// Text that cannot be taken for markup or for a line of times. SubRip has no escapes: there an arrow is
    /// written as one character.
    fn escape(self, text: &str) -> String {
        match self {
            Self::Srt => text.replace("-->", "→"),
            Self::Vtt => text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;"),
        }
    }
}
