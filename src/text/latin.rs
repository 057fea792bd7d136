//! Words in Latin letters, and what is left of them when spellings that sound alike are made one.

use std::borrow::Cow;

use crate::asr::romanize::romanize;

/// A normalised word in small Latin letters, where its script is known to [`romanize`]; in its own otherwise.
pub(super) fn latin(word: &str) -> Cow<'_, str> {
    match word.is_ascii() {
        true => Cow::Borrowed(word),
        false => Cow::Owned(romanize(word, usual_language(word)).to_lowercase()),
    }
}

/// A language that is usually written in the script of `word`, for the rules of romanisation that differ.
fn usual_language(word: &str) -> &'static str {
    match word.chars().next() {
        Some('\u{600}'..='\u{6FF}') => "ur",
        Some('\u{900}'..='\u{97F}') => "hi",
        Some('\u{980}'..='\u{9FF}') => "bn",
        Some('\u{A00}'..='\u{A7F}') => "pa",
        Some('\u{A80}'..='\u{AFF}') => "gu",
        _ => "",
    }
}

/// What a word in Latin letters sounds like, roughly, so that "chutiyaa", as tables write it, is "chutya", as people do.
///
/// Long vowels are short, doubled letters single, aspiration is lost, v is w and z is j, a nasal is that of the consonant
/// after it, and an "a" between single consonants inside a word is not spoken, as in Hindi.
pub(super) fn sound(latin: &str) -> String {
    let mut out = String::with_capacity(latin.len());
    for c in nasals(&spoken(&plain(latin))) {
        if !out.ends_with(c) {
            out.push(c);
        }
    }
    out
}

/// With one letter for each of the sounds that have several.
fn plain(latin: &str) -> Vec<char> {
    let mut out: Vec<char> = Vec::with_capacity(latin.len());
    let mut letters = latin.chars().peekable();
    while let Some(c) = letters.next() {
        let next = letters.peek().copied();
        let long = matches!((c, next), ('e', Some('e')) | ('o', Some('o')));
        if long {
            letters.next();
        }
        let c = match (c, next) {
            ('e', _) if long => 'i',
            ('o', _) if long => 'u',
            ('t', Some('c')) | ('c', Some('k')) => continue,
            ('i', Some('y')) if !out.is_empty() => continue,
            ('h', _) if out.last().is_some_and(|&last| is_consonant(last)) => continue,
            ('w', _) => 'v',
            ('z', _) => 'j',
            ('q', _) => 'k',
            ('x', _) => {
                out.push('k');
                's'
            }
            _ => c,
        };
        if out.last() != Some(&c) {
            out.push(c);
        }
    }
    out
}

fn nasals(letters: &[char]) -> Vec<char> {
    let at = |(at, &c): (usize, &char)| match (c, letters.get(at + 1)) {
        ('m', Some(&next)) if is_consonant(next) && !matches!(next, 'p' | 'b' | 'f' | 'y' | 'r' | 'l') => 'n',
        _ => c,
    };
    letters.iter().enumerate().map(at).collect()
}

/// Without each "a" that has a vowel and a consonant before it, and a consonant and a vowel after it. From the end, as the
/// last of several goes first.
fn spoken(letters: &[char]) -> Vec<char> {
    let mut out: Vec<char> = Vec::with_capacity(letters.len());
    // `out` is backwards: its last letters are those after `at`.
    for (at, &c) in letters.iter().enumerate().rev() {
        let before = at >= 2 && is_vowel(letters[at - 2]) && is_consonant(letters[at - 1]);
        let after = matches!(out[..], [.., vowel, consonant] if is_vowel(vowel) && is_consonant(consonant));
        if c != 'a' || !before || !after {
            out.push(c);
        }
    }
    out.reverse();
    out
}

fn is_vowel(c: char) -> bool {
    matches!(c, 'a' | 'e' | 'i' | 'o' | 'u')
}

fn is_consonant(c: char) -> bool {
    c.is_ascii_lowercase() && !is_vowel(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_tables_write_and_what_people_write_sound_alike() {
        for (native, written) in [
            ("कामचोर", "kamchor"),
            ("निकम्मा", "nikamma"),
            ("शैतान", "shaitan"),
            ("चूहा", "chuha"),
            ("गंदा", "ganda"),
            ("जाहिल", "zaahil"),
            ("दीवार", "deewar"),
            ("बिल्ली", "billi"),
            ("दुनिया", "duniya"),
            ("नमकीन", "namkeen"),
        ] {
            assert_eq!(sound(&latin(native)), sound(written), "{native}");
        }
    }

    #[test]
    fn other_words_sound_otherwise() {
        for (one, other) in [("kal", "kala"), ("bat", "bit"), ("din", "dil"), ("pani", "rani"), ("so", "se")]
        {
            assert_ne!(sound(one), sound(other));
        }
    }
}
