//! Word lists: which of their terms stand in a text, where, and why they count.
//!
//! Terms match whole words of the [normal form](super::normalise()), so that case, hidden characters, stretched letters and
//! digits for letters hide nothing; and a term in one script matches how it sounds in another, so that a list in
//! Devanagari finds Hindi in Latin letters. No list is built in: users bring theirs.
//!
//! ```
//! use awaaz::text::Lexicon;
//!
//! let lexicon = Lexicon::parse("term,category,severity,language\nblorg,insult,2,en\n", "mine.csv")?;
//! let hits = lexicon.find("You BL0RG!");
//! assert_eq!((hits[0].span.clone(), hits[0].entry.category.as_str()), (4..9, "insult"));
//! # Ok::<(), awaaz::Error>(())
//! ```

mod automaton;
mod entry;

use std::ops::Range;
use std::path::Path;

pub use entry::Entry;

use super::latin::{latin, sound};
use super::normalise::{NormalText, normalise};
use crate::Result;
use automaton::{Automaton, Found};

/// Sounds of fewer letters than this are those of too many words.
const SHORTEST_SOUND: usize = 4;

/// Word lists, ready to be looked for.
#[derive(Debug)]
pub struct Lexicon {
    entries: Vec<Entry>,
    /// As they are written; patterns are squeezed, and so are texts.
    written: Automaton,
    /// As they sound.
    sounded: Automaton,
    terms: Vec<Term>,
}

/// What of an entry is compared.
#[derive(Debug)]
struct Term {
    normal: String,
    script: Script,
}

/// A term that stands in a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hit<'a> {
    /// Its bytes in the original text.
    pub span: Range<usize>,
    /// The term, and what its list says of it.
    pub entry: &'a Entry,
    /// How it was recognised.
    pub spelling: Spelling,
}

/// How a term was recognised.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Spelling {
    /// It is spelled as in the list, but for what normalisation takes away.
    Written,
    /// It sounds so in another script.
    Sounded,
}

/// Whether words are in Latin letters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Script {
    Latin,
    Other,
}

impl Script {
    fn of(word: &str) -> Self {
        // With accents: "coño" is not "cono" in another script.
        let is_latin =
            |c: char| matches!(c, '\0'..='\u{24F}' | '\u{300}'..='\u{36F}' | '\u{1E00}'..='\u{1EFF}');
        if word.chars().all(is_latin) { Self::Latin } else { Self::Other }
    }
}

impl Lexicon {
    /// The terms of all these lists.
    ///
    /// # Errors
    /// [`Error::Io`](crate::Error::Io) where one cannot be read; [`Error::Corpus`](crate::Error::Corpus), naming the line,
    /// where it is no list.
    pub fn read(paths: &[impl AsRef<Path>]) -> Result<Self> {
        let mut entries = Vec::new();
        for path in paths {
            entries.extend(entry::read(path.as_ref())?);
        }
        Self::of(entries)
    }

    /// The terms of a list in memory, which errors call `name`; what that ends in says its form, as for a file.
    ///
    /// # Errors
    /// [`Error::Corpus`](crate::Error::Corpus), naming the line, where it is no list.
    pub fn parse(list: &str, name: &str) -> Result<Self> {
        Self::of(entry::parse(list, name.as_ref())?)
    }

    /// These terms. Those without a letter or a pictogram are never found.
    ///
    /// # Errors
    /// [`Error::Setting`](crate::Error::Setting) where there are too many for this machine.
    pub fn of(entries: Vec<Entry>) -> Result<Self> {
        let normals: Vec<String> =
            entries.iter().map(|entry| normalise(&entry.term).as_str().to_owned()).collect();
        let written = Automaton::new(normals.iter().map(|normal| squeeze(normal)))?;
        let sounded = Automaton::new(normals.iter().map(|normal| {
            let sound = sound_of(normal);
            if sound.chars().count() < SHORTEST_SOUND { String::new() } else { sound }
        }))?;
        let term = |normal: String| Term { script: Script::of(&normal), normal };
        Ok(Self { entries, written, sounded, terms: normals.into_iter().map(term).collect() })
    }

    /// All terms.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The terms that stand in `text`, in order. A term inside a longer one, as a word of a phrase, is not told of; of
    /// several entries for the same words each is.
    pub fn find(&self, text: &str) -> Vec<Hit<'_>> {
        self.find_in(&normalise(text))
    }

    /// As [`find`](Self::find), in a text that was normalised already. Takes time linear in its length.
    pub fn find_in(&self, text: &NormalText) -> Vec<Hit<'_>> {
        let words: Vec<Range<usize>> = text.words().collect();
        let mut found = self.find_written(text, &words);
        found.extend(self.find_sounded(text, &words));
        // The longest of those that begin together comes first, and what is written before what sounds so.
        found.sort_by_key(|(found, spelling)| {
            (found.words.start, usize::MAX - found.words.end, found.pattern, *spelling != Spelling::Written)
        });
        found.dedup_by_key(|(found, _)| (found.words.clone(), found.pattern));
        let mut out = Vec::with_capacity(found.len());
        let mut longest = 0..0;
        for (Found { words: span, pattern }, spelling) in found {
            if span.end <= longest.end && span != longest {
                continue;
            }
            let range = words[span.start].start..words[span.end - 1].end;
            longest = span;
            out.push(Hit { span: text.original(range), entry: &self.entries[pattern], spelling });
        }
        out
    }

    fn find_written(&self, text: &NormalText, words: &[Range<usize>]) -> Vec<(Found, Spelling)> {
        let is_spelled = |found: &Found| {
            let range = words[found.words.start].start..words[found.words.end - 1].end;
            has_spelling(text, range, &self.terms[found.pattern].normal)
        };
        let found = self.written.find(words.iter().map(|word| squeeze(&text.as_str()[word.clone()])));
        found.into_iter().filter(is_spelled).map(|found| (found, Spelling::Written)).collect()
    }

    /// Across scripts alone: within one, words that sound alike are other words.
    fn find_sounded(&self, text: &NormalText, words: &[Range<usize>]) -> Vec<(Found, Spelling)> {
        let words: Vec<&str> = words.iter().map(|word| &text.as_str()[word.clone()]).collect();
        let is_other = |found: &Found| {
            let script = self.terms[found.pattern].script;
            words[found.words.clone()].iter().all(|word| Script::of(word) != script)
        };
        let found = self.sounded.find(words.iter().map(|word| sound_of(word)));
        found.into_iter().filter(is_other).map(|found| (found, Spelling::Sounded)).collect()
    }
}

/// How normalised words sound.
fn sound_of(normal: &str) -> String {
    let words: Vec<String> = normal.split(' ').map(|word| sound(&latin(word))).collect();
    words.join(" ")
}

/// `text` with one of each letter that is there twice or more in a row.
fn squeeze(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if !out.ends_with(c) {
            out.push(c);
        }
    }
    out
}

/// Whether `range` of `text`, which is `term` when both are squeezed, has as many of each letter; where one was stretched,
/// any number is right.
fn has_spelling(text: &NormalText, range: Range<usize>, term: &str) -> bool {
    let mut expected = term.chars().peekable();
    let mut found = text.as_str()[range.clone()].char_indices().peekable();
    while let Some((at, c)) = found.next() {
        let mut stretched = text.is_stretched(range.start + at);
        let mut count = 1;
        while let Some((at, _)) = found.next_if(|&(_, next)| next == c) {
            stretched |= text.is_stretched(range.start + at);
            count += 1;
        }
        let mut wanted = 0;
        while expected.next_if_eq(&c).is_some() {
            wanted += 1;
        }
        if wanted == 0 || !stretched && wanted != count {
            return false;
        }
    }
    expected.next().is_none()
}

#[cfg(test)]
mod tests;
