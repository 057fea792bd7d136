//! The formats, and how each is written piece by piece.

use std::fmt;
use std::str::FromStr;

use super::ctm::Ctm;
use super::cues::Layout;
use super::json::{JsonLines, VerboseJson};
use super::latin::InLatin;
use super::speakers::speaker_of;
use super::subtitles::Subtitles;
use super::text::{Text, Tsv};
use crate::asr::romanize::Script;
use crate::asr::{Segment, Transcript};
use crate::speaker::diarize::Turn;
use crate::time::Span;
use crate::{Error, Result};

/// A form of transcript.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// The text, a line a segment.
    Text,
    /// One JSON object of the shape of OpenAI's `verbose_json`.
    Json,
    /// A JSON object a segment and line, each with the name of its file.
    JsonLines,
    /// SubRip subtitles.
    Srt,
    /// WebVTT subtitles.
    Vtt,
    /// openai-whisper's table: start and end in milliseconds, text.
    Tsv,
    /// NIST's time-marked conversation: a line a word.
    Ctm,
}

/// Name (which is how it is asked for) and extension of each format.
const FORMATS: [(Format, &str, &str); 7] = [
    (Format::Text, "text", "txt"),
    (Format::Json, "json", "json"),
    (Format::JsonLines, "jsonl", "jsonl"),
    (Format::Srt, "srt", "srt"),
    (Format::Vtt, "vtt", "vtt"),
    (Format::Tsv, "tsv", "tsv"),
    (Format::Ctm, "ctm", "ctm"),
];

impl Format {
    /// The names of all formats.
    pub fn names() -> impl Iterator<Item = &'static str> {
        FORMATS.iter().map(|row| row.1)
    }

    /// The extension of its files, without the dot.
    pub fn extension(self) -> &'static str {
        // The table is in the order of the enum, as a test proves.
        FORMATS[self as usize].2
    }

    /// Whether it says nothing without the times of words.
    pub fn needs_word_times(self) -> bool {
        matches!(self, Self::Ctm | Self::Srt | Self::Vtt)
    }

    /// Whether the transcripts of several files may follow one another in one stream.
    pub fn may_be_joined(self) -> bool {
        matches!(self, Self::Text | Self::JsonLines | Self::Ctm)
    }

    /// Whether it has a place for the text in Latin letters beside the text.
    fn has_both_scripts(self) -> bool {
        matches!(self, Self::Json | Self::JsonLines)
    }

    /// A writer of one transcript.
    pub fn writer(self, style: &Style) -> Box<dyn Writer> {
        let writer = self.plain_writer(style);
        match style.script {
            Script::Latin if !self.has_both_scripts() => Box::new(InLatin(writer)),
            _ => writer,
        }
    }

    fn plain_writer(self, style: &Style) -> Box<dyn Writer> {
        match self {
            Self::Text => Box::new(Text::new(style)),
            Self::Json => Box::new(VerboseJson::new(style)),
            Self::JsonLines => Box::new(JsonLines::new(style)),
            Self::Srt => Box::new(Subtitles::srt(style)),
            Self::Vtt => Box::new(Subtitles::vtt(style)),
            Self::Tsv => Box::new(Tsv::new(style)),
            Self::Ctm => Box::new(Ctm::new(style)),
        }
    }

    /// The whole of `transcript`: what its writer gives, joined.
    pub fn render(self, transcript: &Transcript, style: &Style) -> String {
        let (mut writer, mut out) = (self.writer(style), String::new());
        writer.begin(&mut out);
        for segment in &transcript.segments {
            writer.segment(segment, &mut out);
        }
        writer.end(transcript, &mut out);
        out
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(FORMATS[*self as usize].1)
    }
}

impl FromStr for Format {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        let found = FORMATS.iter().find(|row| row.1 == name).map(|row| row.0);
        found.ok_or_else(|| {
            let names: Vec<_> = Self::names().collect();
            Error::Setting(format!("unknown format {name:?}; there are {}", names.join(", ")))
        })
    }
}

/// What a transcript is written with, beside itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Style {
    /// The input, as the user named it.
    pub file: String,
    /// The channel of a CTM line.
    pub channel: String,
    /// How subtitles are cut.
    pub layout: Layout,
    /// The letters of the text; JSON has those of the language in any case.
    pub script: Script,
    /// Who speaks when, where that is known: each segment is then told with its speaker.
    pub turns: Vec<Turn>,
}

impl Style {
    /// The speaker of a stretch, where one is known.
    pub(super) fn speaker(&self, span: Span) -> Option<&str> {
        speaker_of(span, &self.turns)
    }

    /// What stands before the text of a segment: its speaker, where one is known.
    pub(super) fn heading(&self, span: Span) -> String {
        self.speaker(span).map_or(String::new(), |speaker| format!("{speaker}: "))
    }
}

/// Writes one transcript in one format, piece by piece, so that it can be shown while it grows.
///
/// Each call appends to `out` what is certain by then.
pub trait Writer {
    /// What stands before the first segment.
    fn begin(&mut self, _out: &mut String) {}

    /// The next segment, in order of time.
    fn segment(&mut self, segment: &Segment, out: &mut String);

    /// What stands after the last segment of `transcript`.
    fn end(&mut self, _transcript: &Transcript, _out: &mut String) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_the_order_of_the_enum_and_names_lead_back() {
        for (index, (format, name, extension)) in FORMATS.into_iter().enumerate() {
            assert_eq!(format as usize, index);
            assert_eq!((name.parse::<Format>().unwrap(), format.to_string().as_str()), (format, name));
            assert_eq!(format.extension(), extension);
        }
        assert!("docx".parse::<Format>().unwrap_err().to_string().contains("jsonl"));
    }
}
