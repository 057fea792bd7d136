//! Finals as lines for people.

use std::collections::VecDeque;
use std::io::Write;

use crate::event::{Event, EventKind, ShedState, ShedWork};
use crate::output::clock::{Timestamp, milliseconds};
use crate::output::verdicts::{about_speaker, emotion, speaker, told};
use crate::pipeline::EventSink;
use crate::time::SampleIndex;
use crate::{Error, Result};

/// Lines that wait for who said the first of them, at most.
const MOST_WAITING: usize = 64;

/// Writes the text of each final as a line with the time that it begins at, and verdicts, emotions, gaps and errors too. Where
/// there is text in Latin letters, it is that. Where the stream tells who speaks, a final waits for that.
#[derive(Debug)]
pub struct TextLines<W> {
    out: W,
    name: String,
    /// Whether the stream tells who speaks.
    tells_speakers: bool,
    /// Speakers of segments whose final is to come.
    speakers: VecDeque<(u64, String)>,
    waiting: VecDeque<Waiting>,
}

/// A line that is not written yet.
#[derive(Debug)]
struct Waiting {
    t0: f64,
    /// The segment whose speaker it waits for.
    segment: Option<u64>,
    line: String,
}

impl<W: Write> TextLines<W> {
    /// Writes to `out`, which reports call `name`.
    pub fn new(out: W, name: impl Into<String>) -> Self {
        let (speakers, waiting) = (VecDeque::new(), VecDeque::new());
        Self { out, name: name.into(), tells_speakers: false, speakers, waiting }
    }

    /// Puts the speaker before the final of that segment, or keeps it for the final that is to come.
    fn name_speaker(&mut self, segment: u64, who: Option<&str>) {
        match self.waiting.iter_mut().find(|waiting| waiting.segment == Some(segment)) {
            Some(waiting) => {
                waiting.segment = None;
                if let Some(who) = who {
                    waiting.line = format!("{who}: {}", waiting.line);
                }
            }
            None => {
                self.speakers.push_back((segment, who.unwrap_or_default().to_owned()));
                if self.speakers.len() > MOST_WAITING {
                    self.speakers.pop_front();
                }
            }
        }
    }

    /// A final, with its speaker where that is told already.
    fn add_final(&mut self, segment: u64, t0: f64, text: &str) {
        let at = self.speakers.iter().position(|(of, _)| *of == segment);
        let who = at.and_then(|at| self.speakers.remove(at)).map(|(_, who)| who);
        let (segment, line) = match who {
            Some(who) if !who.is_empty() => (None, format!("{who}: {text}")),
            Some(_) => (None, text.to_owned()),
            None => (Some(segment).filter(|_| self.tells_speakers), text.to_owned()),
        };
        self.waiting.push_back(Waiting { t0, segment, line });
    }

    /// Writes the lines before the first that waits, or all but `most` of them.
    fn write_out(&mut self, most: usize) -> Result<()> {
        while let Some(first) = self.waiting.front() {
            if first.segment.is_some() && self.waiting.len() <= most {
                break;
            }
            let begin = milliseconds(SampleIndex::from_seconds(first.t0));
            let begin = Timestamp { milliseconds: begin, decimal_mark: '.' };
            let written = writeln!(self.out, "[{}] {}", begin, first.line).and_then(|()| self.out.flush());
            written.map_err(|error| Error::io(&self.name, error))?;
            self.waiting.pop_front();
        }
        Ok(())
    }
}

impl<W: Write + Send> EventSink for TextLines<W> {
    fn name(&self) -> &str {
        &self.name
    }

    fn write(&mut self, event: &Event) -> Result<()> {
        let mut most = MOST_WAITING;
        let line = match &event.kind {
            EventKind::StreamStart(start) => {
                self.tells_speakers = start.speaker_model.is_some();
                None
            }
            EventKind::Final { segment, text, romanized, .. } if !text.is_empty() => {
                self.add_final(*segment, event.t0, romanized.as_ref().unwrap_or(text));
                None
            }
            EventKind::Speaker(told) => {
                self.name_speaker(told.segment, speaker(told));
                about_speaker(told).map(|line| format!("({line})"))
            }
            EventKind::Verdict(verdict) => Some(format!("({})", told(verdict))),
            EventKind::Emotion { label, probabilities, .. } => {
                Some(format!("({})", emotion(label, probabilities)))
            }
            EventKind::Gap { .. } => Some(format!("(sound is missing for {:.1} s)", event.t1 - event.t0)),
            EventKind::Error { stage, message } => Some(format!("({stage}: {message})")),
            EventKind::Shed { work: ShedWork::Speakers, state, .. } => {
                // Nobody tells who said what waits, nor, for now, what comes.
                self.tells_speakers = *state != ShedState::Stopped;
                most = 0;
                None
            }
            EventKind::StreamEnd { .. } => {
                most = 0;
                None
            }
            _ => None,
        };
        let waiting = |line| Waiting { t0: event.t0, segment: None, line };
        self.waiting.extend(line.map(waiting));
        self.write_out(most)
    }

    fn finish(&mut self) -> Result<()> {
        self.write_out(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{SpeakerTold, StreamStart, VERSION};

    fn written(kinds: Vec<EventKind>) -> String {
        let mut out = Vec::new();
        let mut lines = TextLines::new(&mut out, "test");
        for kind in kinds {
            let (id, stream) = ("x".into(), "s".into());
            lines.write(&Event { v: VERSION, id, stream, t0: 1.0, t1: 2.0, kind, compute: None }).unwrap();
        }
        drop(lines);
        String::from_utf8(out).unwrap().replace("[00:00:01.000] ", "").replace("[00:01.000] ", "")
    }

    fn start(speaker_model: Option<&str>) -> EventKind {
        let speaker_model = speaker_model.map(str::to_owned);
        EventKind::StreamStart(Box::new(StreamStart { speaker_model, ..StreamStart::default() }))
    }

    fn text(segment: u64) -> EventKind {
        EventKind::Final {
            segment,
            text: format!("text {segment}"),
            romanized: None,
            language: "en".into(),
            words: Vec::new(),
            average_logprob: 0.0,
            temperature: 0.0,
        }
    }

    fn who(segment: u64, speaker: Option<&str>) -> EventKind {
        let speaker = speaker.map(str::to_owned);
        EventKind::Speaker(Box::new(SpeakerTold { segment, speaker, ..SpeakerTold::default() }))
    }

    #[test]
    fn a_final_waits_for_its_speaker_where_the_stream_tells_that() {
        let marker = || EventKind::Error { stage: "a".into(), message: "b".into() };
        assert_eq!(written(vec![start(None), text(0)]), "text 0\n");
        assert_eq!(written(vec![start(Some("m")), text(0)]), "");
        assert_eq!(
            written(vec![start(Some("m")), text(0), marker(), who(0, Some("S1"))]),
            "S1: text 0\n(a: b)\n"
        );
        assert_eq!(written(vec![start(Some("m")), who(0, Some("S1")), text(0)]), "S1: text 0\n");
        assert_eq!(written(vec![start(Some("m")), who(0, None), text(0)]), "text 0\n");
        let shed = EventKind::Shed { work: ShedWork::Speakers, state: ShedState::Stopped, step: 0.0 };
        assert_eq!(written(vec![start(Some("m")), text(0), shed, text(1)]), "text 0\ntext 1\n");
    }
}
