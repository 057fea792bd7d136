//! Which words of a final stand where in its text.

use std::ops::Range;

use crate::asr::Word;
use crate::event::EvidenceWord;

/// The words of `words` that any of `spans`, bytes of `text`, touches; in order, each once.
pub fn words_at(text: &str, words: &[Word], spans: &[Range<usize>]) -> Vec<EvidenceWord> {
    let mut found = Vec::new();
    let mut cursor = 0;
    for word in words {
        let trimmed = word.text.trim();
        // Words are the text cut into pieces; one that is not there is passed over.
        let Some(at) = text.get(cursor..).and_then(|rest| rest.find(trimmed)) else { continue };
        let range = cursor + at..cursor + at + trimmed.len();
        cursor = range.end;
        if spans.iter().any(|span| span.start < range.end && range.start < span.end) {
            found.push(EvidenceWord {
                text: trimmed.to_owned(),
                t0: word.span.start.seconds(),
                t1: word.span.end.seconds(),
            });
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::{SampleIndex, Span};

    #[test]
    fn words_are_found_where_they_stand_also_the_second_time() {
        let word = |text: &str, second: u64| Word {
            text: text.into(),
            span: Span::new(SampleIndex(second * 16_000), SampleIndex(second * 16_000 + 8_000)),
            probability: 1.0,
        };
        let words = [word(" So", 0), word(" it", 1), word(" is", 2), word(" it!", 3), word(" आवाज़", 4)];
        let text = "So it is it! आवाज़";
        let at = |spans: &[Range<usize>]| {
            words_at(text, &words, spans).into_iter().map(|word| (word.text, word.t0)).collect::<Vec<_>>()
        };
        assert_eq!(at(std::slice::from_ref(&(9..11))), [("it!".to_owned(), 3.0)]);
        assert_eq!(at(std::slice::from_ref(&(3..8))), [("it".to_owned(), 1.0), ("is".to_owned(), 2.0)]);
        assert_eq!(at(std::slice::from_ref(&(13..text.len()))), [("आवाज़".to_owned(), 4.0)]);
        assert_eq!(at(&[]), []);
    }
}
