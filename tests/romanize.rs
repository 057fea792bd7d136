//! How far romanisation agrees with uroman, language by language, on sentences of everyday use; or, to look only, on
//! those of a file of the same form that AWAAZ_ROMANIZE_SENTENCES names.

use std::collections::BTreeMap;

use awaaz::asr::romanize::romanize;
use awaaz::score::{Edits, char_errors, word_errors};

/// Language, sentence, and what uroman makes of it.
const SENTENCES: &str = include_str!("fixtures/romanize/sentences.tsv");

/// What every language must reach, in percent: as of writing all 238 sentences agree to the letter.
const LEAST_WORDS_EQUAL: f64 = 99.0;
const MOST_CHAR_ERRORS: f64 = 0.1;

#[derive(Default)]
struct Agreement {
    lines: usize,
    words: Edits,
    chars: Edits,
}

impl Agreement {
    fn add(&mut self, ours: &str, reference: &str) {
        self.lines += 1;
        self.words += word_errors(reference, ours);
        self.chars += char_errors(reference, ours);
    }

    fn words_equal(&self) -> f64 {
        100.0 * self.words.hits as f64 / self.words.reference_len() as f64
    }

    fn char_errors(&self) -> f64 {
        100.0 * self.chars.rate()
    }
}

#[test]
fn agrees_with_uroman() {
    let mut languages: BTreeMap<&str, Agreement> = BTreeMap::new();
    let other = std::env::var_os("AWAAZ_ROMANIZE_SENTENCES")
        .map(|path| std::fs::read_to_string(path).expect("the file of other sentences is read"));
    for line in other.as_deref().unwrap_or(SENTENCES).lines() {
        let [language, text, reference] = line.split('\t').collect::<Vec<_>>()[..] else {
            panic!("a line of the fixture has three columns: {line}");
        };
        let ours = romanize(text, language);
        if ours != reference {
            println!("{language}: {text}\n    uroman {reference}\n    ours   {ours}");
        }
        languages.entry(language).or_default().add(&ours, reference);
    }
    println!("language  lines  words  equal %  character errors %");
    for (language, agreement) in &languages {
        let [lines, words] = [agreement.lines, agreement.words.reference_len()];
        let [equal, errors] = [agreement.words_equal(), agreement.char_errors()];
        println!("{language:8} {lines:6} {words:6} {equal:8.1} {errors:19.2}");
    }
    if other.is_some() {
        return;
    }
    assert_eq!(languages.values().map(|agreement| agreement.lines).sum::<usize>(), 238);
    for (language, agreement) in languages {
        let [equal, errors] = [agreement.words_equal(), agreement.char_errors()];
        assert!(equal >= LEAST_WORDS_EQUAL, "{language}: {equal} % of words");
        assert!(errors <= MOST_CHAR_ERRORS, "{language}: {errors} % errors");
    }
}
