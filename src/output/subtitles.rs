//! SubRip and WebVTT.

use std::fmt::Write;

use super::clock::{Timestamp, milliseconds};
use super::cues::{Cue, cues};
use super::{Style, Writer};
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
    style: Style,
    cues_written: usize,
}

impl Subtitles {
    pub(super) fn srt(style: &Style) -> Self {
        Self { dialect: Dialect::Srt, style: style.clone(), cues_written: 0 }
    }

    pub(super) fn vtt(style: &Style) -> Self {
        Self { dialect: Dialect::Vtt, style: style.clone(), cues_written: 0 }
    }

    fn cue(&mut self, cue: &Cue, speaker: Option<&str>, out: &mut String) {
        self.cues_written += 1;
        let (number, decimal_mark) = match self.dialect {
            Dialect::Srt => (format!("{}\n", self.cues_written), ','),
            Dialect::Vtt => (String::new(), '.'),
        };
        let start = milliseconds(cue.span.start);
        // A cue must not end where it starts.
        let end = milliseconds(cue.span.end).max(start + 1);
        let [start, end] = [start, end].map(|milliseconds| Timestamp { milliseconds, decimal_mark });
        let text = self.dialect.said(&cue.lines.join("\n"), speaker);
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
        let speaker = self.style.speaker(segment.span).map(str::to_owned);
        for cue in cues(segment, &self.style.layout) {
            self.cue(&cue, speaker.as_deref(), out);
        }
    }
}

impl Dialect {
    /// Text with who says it, where that is known: in WebVTT as its voice, in SubRip before the text.
    fn said(self, text: &str, speaker: Option<&str>) -> String {
        let text = self.escape(text);
        match (self, speaker) {
            (_, None) => text,
            (Self::Srt, Some(speaker)) => format!("{}: {text}", self.escape(speaker)),
            (Self::Vtt, Some(speaker)) => format!("<v {}>{text}", self.escape(speaker)),
        }
    }

    /// Text that cannot be taken for markup or for a line of times. SubRip has no escapes: there an arrow is
    /// written as one character.
    fn escape(self, text: &str) -> String {
        match self {
            Self::Srt => text.replace("-->", "→"),
            Self::Vtt => text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;"),
        }
    }
}
