//! LocalAgreement-2: words that two hypotheses in a row agree on are stable (Liu et al. 2020; as in whisper_streaming).
//!
//! With one rule more: a hypothesis that repeats itself may be a loop, and two looping hypotheses agree. Of words that end
//! in a repetition only its first round becomes stable, until other words come after it.

/// Words of the longest phrase whose repetition is looked for.
const LONGEST_PHRASE: usize = 12;

/// Follows the hypotheses of a growing segment.
#[derive(Debug, Clone, Default)]
pub struct Agreement {
    stable: Vec<String>,
    newest: Vec<String>,
}

impl Agreement {
    /// Takes the newest hypothesis: the words of the whole segment so far.
    pub fn push(&mut self, words: Vec<String>) {
        let agreed = std::iter::zip(&self.newest, &words).take_while(|(a, b)| same(a, b)).count();
        let stable = before_repetition(&words[..agreed]);
        if stable > self.stable.len() {
            let grown = words[self.stable.len()..stable].iter().cloned();
            self.stable.extend(grown);
        }
        self.newest = words;
    }

    /// Words that stay until the segment is final.
    pub fn stable(&self) -> &[String] {
        &self.stable
    }

    /// Words of the newest hypothesis after the stable ones.
    pub fn unstable(&self) -> &[String] {
        &self.newest[self.stable.len().min(self.newest.len())..]
    }

    /// Begins another segment.
    pub fn reset(&mut self) {
        self.stable.clear();
        self.newest.clear();
    }
}

/// Whether two words differ in nothing but case and punctuation.
pub fn same(a: &str, b: &str) -> bool {
    let letters = |word: &str| -> String {
        word.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
    };
    a == b || letters(a) == letters(b)
}

/// How many of `words` there are before the second round of a repetition that they end in.
fn before_repetition(words: &[String]) -> usize {
    let repeated = |length: &usize| {
        (*length..words.len()).rev().take_while(|&i| same(&words[i], &words[i - length])).count()
    };
    (1..=LONGEST_PHRASE.min(words.len()))
        .filter_map(|length| Some(repeated(&length)).filter(|&repeated| repeated >= length))
        .map(|repeated| words.len() - repeated)
        .min()
        .unwrap_or(words.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.split(' ').filter(|word| !word.is_empty()).map(str::to_owned).collect()
    }

    fn stable_after(hypotheses: &[&str]) -> String {
        let mut agreement = Agreement::default();
        for hypothesis in hypotheses {
            agreement.push(words(hypothesis));
        }
        agreement.stable().join(" ")
    }

    #[test]
    fn agreement_makes_words_stable() {
        struct Case {
            hypotheses: &'static [&'static str],
            stable: &'static str,
        }
        let cases = [
            Case { hypotheses: &["it was"], stable: "" },
            Case { hypotheses: &["it was", "it was the best"], stable: "it was" },
            Case { hypotheses: &["It was,", "it was the best"], stable: "it was" },
            Case { hypotheses: &["it was the", "it was the", "it is"], stable: "it was the" },
            Case { hypotheses: &["a b c", "a b d", "a b d e"], stable: "a b d" },
            // Loops.
            Case { hypotheses: &["so so so so", "so so so so so"], stable: "so" },
            Case { hypotheses: &["go to a b c a b c a", "go to a b c a b c a b"], stable: "go to a b c" },
            Case { hypotheses: &["a b a b a b", "a b a b a b", "a b a b a b"], stable: "a b" },
            // A repetition that was said is stable once something else follows.
            Case { hypotheses: &["no no I did", "no no I did not"], stable: "no no I did" },
        ];
        for Case { hypotheses, stable } in cases {
            assert_eq!(stable_after(hypotheses), stable, "{hypotheses:?}");
        }
    }

    #[test]
    fn stable_words_never_change() {
        let mut agreement = Agreement::default();
        let mut before: Vec<String> = Vec::new();
        for hypothesis in ["a b", "a b c", "a x c d", "", "a b c d e", "a b c d e f"] {
            agreement.push(words(hypothesis));
            assert!(agreement.stable().starts_with(&before));
            before = agreement.stable().to_vec();
        }
        assert_eq!(before, words("a b c d e"));
    }
}
