//! Finds phrases among words, all at once.

use std::collections::HashMap;
use std::ops::Range;

use aho_corasick::{AhoCorasick, MatchKind};

use crate::{Error, Result};

/// Before each word, so that a phrase begins with one.
const BORDER: char = ' ';

/// Phrases to be looked for.
#[derive(Debug)]
pub(super) struct Automaton {
    patterns: AhoCorasick,
    /// The numbers of the phrases that are spelled as a pattern.
    numbers: Vec<Vec<usize>>,
}

/// A phrase that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    /// The words that it is.
    pub words: Range<usize>,
    /// Its number.
    pub pattern: usize,
}

impl Automaton {
    /// Phrases of words with one space between them; empty ones are never found.
    pub fn new(phrases: impl Iterator<Item = String>) -> Result<Self> {
        let mut places: HashMap<String, usize> = HashMap::new();
        let mut patterns = Vec::new();
        let mut numbers: Vec<Vec<usize>> = Vec::new();
        for (number, phrase) in phrases.enumerate().filter(|(_, phrase)| !phrase.trim().is_empty()) {
            let place = *places.entry(phrase).or_insert_with_key(|phrase| {
                patterns.push(format!("{BORDER}{phrase}"));
                numbers.push(Vec::new());
                numbers.len() - 1
            });
            numbers[place].push(number);
        }
        let patterns = AhoCorasick::builder()
            .match_kind(MatchKind::Standard)
            .build(&patterns)
            .map_err(|error| Error::Setting(format!("the word lists are too large: {error}")))?;
        Ok(Self { patterns, numbers })
    }

    /// The phrases among `words`.
    pub fn find(&self, words: impl Iterator<Item = String>) -> Vec<Found> {
        let mut text = String::new();
        let (mut starts, mut ends) = (HashMap::new(), HashMap::new());
        for (number, word) in words.enumerate() {
            starts.insert(text.len(), number);
            text.push(BORDER);
            text.push_str(&word);
            ends.insert(text.len(), number + 1);
        }
        let mut out = Vec::new();
        // A pattern begins with a border, so that at most as many end in one place as the longest has words.
        for found in self.patterns.find_overlapping_iter(&text) {
            let (Some(&start), Some(&end)) = (starts.get(&found.start()), ends.get(&found.end())) else {
                continue;
            };
            let phrases = &self.numbers[found.pattern().as_usize()];
            out.extend(phrases.iter().map(|&pattern| Found { words: start..end, pattern }));
        }
        out
    }
}
