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

    /// The delay of each of the final's words, which is shown now; `captured` says when a sample was. Begins another
    /// segment.
    pub fn finish(&mut self, finals: &[Word], captured: impl Fn(&Word) -> Instant) -> Vec<Duration> {
        let texts: Vec<String> = finals.iter().map(|word| word.text.trim().to_owned()).collect();
        let mut first: Vec<Option<Instant>> = vec![None; finals.len()];
        for (at, words) in self.shown.drain(..) {
            for i in common(&texts, &words) {
                first[i].get_or_insert(at);
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

/// Which of the words `a` stand in `b` too, in the same order: a longest common subsequence.
fn common(a: &[String], b: &[String]) -> Vec<usize> {
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
            found.push(i);
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

    #[test]
    fn a_word_counts_from_when_it_was_first_shown() {
        let start = Instant::now();
        let ms = Duration::from_millis;
        let word = |text: &str, at: u64| Word {
            text: text.into(),
            span: Span::new(SampleIndex(at), SampleIndex(at)),
            probability: 1.0,
        };
        let mut delays = WordDelays::default();
        delays.show(start + ms(500), "it was");
        delays.show(start + ms(1000), "It was, a best");
        let finals = [word(" It", 100), word(" was", 200), word(" the", 300), word(" best", 400)];
        let found = delays.finish(&finals, |word| start + ms(word.span.end.0));
        assert_eq!(found[..2], [ms(400), ms(300)]);
        assert_eq!(found[3], ms(600));
        // "the" is shown with the final only, which is now.
        assert!(found[2] < ms(100));
    }
}
