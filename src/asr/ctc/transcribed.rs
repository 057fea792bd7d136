//! Spelled text as segments, words and characters in time.

use std::ops::Range;

use super::spelling::{Spelled, SpelledToken, SpelledWord};
use super::{Units, Vocabulary};
use crate::asr::languages::has_spaces;
use crate::asr::transcript::{Segment, Word};
use crate::time::Span;

/// Samples between two words that end a segment: 0.5 s.
const PAUSE: u64 = 8_000;
/// Samples of the longest segment before any word may end it: 15 s.
const LONGEST: u64 = 240_000;

/// What stands between two words of `language` that are spelled in `units`: phones are parted in any language.
pub fn between(units: Units, language: &str) -> &'static str {
    if units == Units::Phones || has_spaces(language) { " " } else { "" }
}

/// What was spelled in a sound.
pub struct Transcribed<'a> {
    /// The text.
    pub spelled: &'a Spelled,
    /// Its tokens.
    pub vocabulary: &'a Vocabulary,
    /// Where the sound is.
    pub span: Span,
    /// What it is in.
    pub language: &'a str,
    /// Samples from one frame to the next.
    pub hop: usize,
}

impl Transcribed<'_> {
    /// Segments, cut where nobody speaks for a while.
    pub fn segments(&self) -> Vec<Segment> {
        let words = self.words();
        let mut found = Vec::new();
        let mut start = 0;
        for end in 1..=words.len() {
            let is_last = end == words.len();
            if is_last
                || words[end].span.start - words[end - 1].span.end >= PAUSE
                || words[end].span.end - words[start].span.start > LONGEST
            {
                let span = Span::new(words[start].span.start, words[end - 1].span.end);
                found.push(self.of_words(&words, start..end, span));
                start = end;
            }
        }
        found
    }

    /// All of it as one segment.
    pub fn segment(&self) -> Segment {
        let words = self.words();
        self.of_words(&words, 0..words.len(), self.span)
    }

    fn of_words(&self, all: &[Word], range: Range<usize>, span: Span) -> Segment {
        let words = all[range.clone()].to_vec();
        let frames = match self.spelled.words.get(range) {
            Some([first, .., last]) => first.frames.start..last.frames.end,
            Some([only]) => only.frames.clone(),
            _ => 0..0,
        };
        let is_within = |token: &&SpelledToken| frames.contains(&token.frames.start);
        let tokens: Vec<_> = self.spelled.tokens.iter().filter(is_within).collect();
        let logprobs: f32 = tokens.iter().map(|token| token.probability.max(f32::MIN_POSITIVE).ln()).sum();
        let text: String = words.iter().map(|word| word.text.as_str()).collect();
        Segment {
            span,
            text: text.trim().to_owned(),
            spaced: !between(self.vocabulary.units(), self.language).is_empty(),
            language: self.language.to_owned(),
            tokens: tokens.iter().map(|token| token.token).collect(),
            words,
            chars: tokens.iter().map(|token| self.character(token)).collect(),
            temperature: 0.0,
            average_logprob: logprobs / tokens.len().max(1) as f32,
            compression_ratio: 1.0,
            no_speech_probability: 0.0,
        }
    }

    fn words(&self) -> Vec<Word> {
        let space = between(self.vocabulary.units(), self.language);
        let word = |word: &SpelledWord| Word {
            text: format!("{space}{}", word.text),
            span: self.at(&word.frames),
            probability: word.probability,
        };
        self.spelled.words.iter().map(word).collect()
    }

    fn character(&self, token: &SpelledToken) -> Word {
        Word {
            text: self.vocabulary.spelling(token.token).to_owned(),
            span: self.at(&token.frames),
            probability: token.probability,
        }
    }

    fn at(&self, frames: &Range<usize>) -> Span {
        let at = |frame: usize| (self.span.start + (frame * self.hop) as u64).min(self.span.end);
        Span::new(at(frames.start), at(frames.end))
    }
}

#[cfg(test)]
mod tests {
    use super::super::greedy;
    use super::super::tests::{likely, vocabulary};
    use super::*;
    use crate::time::SampleIndex;

    /// Letters and what is between words, of `language`.
    fn said(vocabulary: &Vocabulary, language: &str) -> Segment {
        let spelled = greedy(&likely("_ab|_cc_"), vocabulary);
        let span = Span::new(SampleIndex(1000), SampleIndex(1000 + 8 * 320));
        Transcribed { spelled: &spelled, vocabulary, span, language, hop: 320 }.segment()
    }

    #[test]
    fn words_are_joined_as_their_units_and_language_are_written() {
        let phones = vocabulary().of(Units::Phones);
        let cases = [(vocabulary(), "en", "ab c"), (vocabulary(), "zh", "abc"), (phones, "zh", "a b c")];
        for (vocabulary, language, text) in cases {
            let segment = said(&vocabulary, language);
            assert_eq!((segment.text.as_str(), segment.spaced), (text, text.contains(' ')), "{language}");
        }
    }

    #[test]
    fn characters_have_times() {
        let found = said(&vocabulary(), "en").chars;
        let shown: Vec<_> =
            found.iter().map(|char| (char.text.as_str(), char.span.start.0, char.span.end.0)).collect();
        assert_eq!(shown, [("a", 1320, 1640), ("b", 1640, 1960), ("c", 2600, 3240)]);
        assert!(found.iter().all(|char| (0.89..0.91).contains(&char.probability)));
    }
}
