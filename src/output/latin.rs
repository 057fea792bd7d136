//! Any format in Latin letters.

use super::Writer;
use crate::asr::romanize::romanize;
use crate::asr::{Segment, Transcript, Word};

/// Writes as another writer does, but for the letters.
pub(super) struct InLatin(pub(super) Box<dyn Writer>);

impl Writer for InLatin {
    fn begin(&mut self, out: &mut String) {
        self.0.begin(out);
    }

    fn segment(&mut self, segment: &Segment, out: &mut String) {
        self.0.segment(&in_latin(segment), out);
    }

    fn end(&mut self, transcript: &Transcript, out: &mut String) {
        self.0.end(&transcript_in_latin(transcript), out);
    }
}

/// `transcript` with its text and words in Latin letters.
pub(super) fn transcript_in_latin(transcript: &Transcript) -> Transcript {
    Transcript {
        task: transcript.task,
        language: transcript.language.clone(),
        duration: transcript.duration,
        segments: transcript.segments.iter().map(in_latin).collect(),
    }
}

fn in_latin(segment: &Segment) -> Segment {
    let latin = |text: &str| romanize(text, &segment.language);
    let word = |word: &Word| Word { text: latin(&word.text), ..word.clone() };
    Segment { text: latin(&segment.text), words: segment.words.iter().map(word).collect(), ..segment.clone() }
}
