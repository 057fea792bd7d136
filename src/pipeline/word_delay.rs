//! How long after a word was spoken it is first shown.

use std::time::{Duration, Instant};

use crate::asr::Word;
use crate::asr::live::same;

/// What was shown of the segment that is growing.
#[derive(Debug, Default)]
pub struct WordDelays {
    shown: Vec<(Instant, Vec<String>)>,
}

impl WordDelays {
    /// Takes note that `text` was shown at `at`.
    pub fn show(&mut self, at: Instant, text: &str) {
        self.shown.push((at, words(text)));
    }

    /// The delay of each of the final's words, which is shown now; `captured` says when a word's end was. Begins another
    /// segment; where speech went on in that, what was shown after the final's words counts for it.
    pub fn finish(
        &mut self,
        finals: &[Word],
        goes_on: bool,
        captured: impl Fn(&Word) -> Instant,
    ) -> Vec<Duration> {
        let texts: Vec<String> = finals.iter().map(|word| word.text.trim().to_owned()).collect();
        let mut first: Vec<Option<Instant>> = vec![None; finals.len()];
        for (at, mut words) in std::mem::take(&mut self.shown) {
            let found = common(&texts, &words);
            for &(i, _) in found.iter().filter(|(i, _)| captured(&finals[*i]) <= at) {
                first[i].get_or_insert(at);
            }
            if goes_on {
                words.drain(..found.last().map_or(0, |(_, j)| j + 1));
                self.shown.push((at, words));
            }
        }
        let now = Instant::now();
        let shown = first.into_iter().map(|at| at.unwrap_or(now));
        std::iter::zip(finals, shown).map(|(word, at)| at.saturating_duration_since(captured(word))).collect()
    }
}

fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}

/// Which of the words `a` stand in `b` too, and where, in the same order: a longest common subsequence.
fn common(a: &[String], b: &[String]) -> Vec<(usize, usize)> {
    // lengths[i][j]: of the longest that a[i..] and b[j..] have in common.
    let mut lengths = vec![vec![0u32; b.len() + 1]; a.len() + 1];
    for i in (0..a.len()).rev() {
        for j in (0..b.len()).rev() {
            lengths[i][j] = match same(&a[i], &b[j]) {
                true => lengths[i + 1][j + 1] + 1,
                false => lengths[i + 1][j].max(lengths[i][j + 1]),
            };
        }
    }
    let (mut i, mut j) = (0, 0);
    let mut found = Vec::new();
    while i < a.len() && j < b.len() {
        if same(&a[i], &b[j]) {
            found.push((i, j));
            (i, j) = (i + 1, j + 1);
        } else if lengths[i + 1][j] >= lengths[i][j + 1] {
            i += 1;
        } else {
            j += 1;
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::{SampleIndex, Span};

    /// A word that ends at sample `at`.
    fn word(text: &str, at: u64) -> Word {
        Word { text: text.into(), span: Span::new(SampleIndex(at), SampleIndex(at)), probability: 1.0 }
    }

    #[test]
    fn a_word_counts_from_when_it_was_first_shown() {
        let start = Instant::now();
        let ms = Duration::from_millis;
        let mut delays = WordDelays::default();
        delays.show(start + ms(500), "it was");
        delays.show(start + ms(1000), "It was, a best");
        let finals = [word(" It", 100), word(" was", 200), word(" the", 300), word(" best", 400)];
        let found = delays.finish(&finals, false, |word| start + ms(word.span.end.0));
        assert_eq!(found[..2], [ms(400), ms(300)]);
        assert_eq!(found[3], ms(600));
        // "the" is shown with the final only, which is now.
        assert!(found[2] < ms(100));
    }

    #[test]
    fn words_of_speech_that_goes_on_count_from_when_they_were_shown_in_the_segment_before() {
        let start = Instant::now();
        let ms = Duration::from_millis;
        let when = |word: &Word| start + ms(word.span.end.0);
        let mut delays = WordDelays::default();
        delays.show(start + ms(500), "the one the");
        delays.finish(&[word("the", 100), word("one", 200)], true, when);
        delays.show(start + ms(900), "the other");
        assert_eq!(delays.finish(&[word("the", 300), word("other", 600)], false, when), [ms(200), ms(300)]);
    }
}
