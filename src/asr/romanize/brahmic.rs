//! The nine scripts of India that share one layout of letters in Unicode, the order of ISCII: a letter has the same place
//! in each of their blocks of 128, and so one table serves them all. Where a script differs, it is said below the table.

use std::borrow::Cow;

use unicode_general_category::{GeneralCategory, get_general_category};

use super::{Piece, Place};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Script {
    Devanagari,
    Bengali,
    Gurmukhi,
    Gujarati,
    Odia,
    Tamil,
    Telugu,
    Kannada,
    Malayalam,
}

use Script::{Bengali, Devanagari, Gujarati, Gurmukhi, Kannada, Malayalam, Odia, Tamil, Telugu};

/// In the order of their blocks.
const SCRIPTS: [Script; 9] =
    [Devanagari, Bengali, Gurmukhi, Gujarati, Odia, Tamil, Telugu, Kannada, Malayalam];

const FIRST: u32 = 0x900;
const BLOCK: u32 = 0x80;

const VISARGA: u32 = 0x03;
const NUKTA: u32 = 0x3C;
const VIRAMA: u32 = 0x4D;
/// Of Gurmukhi; doubles the consonant after it.
const ADDAK: u32 = 0x71;

/// Signs, vowels, consonants and vowel signs up to 0x4F. Consonants are without their vowel, but for one that uroman
/// lists with it.
#[rustfmt::skip]
const LETTERS: [&str; 0x50] = [
    "", "m", "m", "h", "a", "a", "aa", "i", "ii", "u", "uu", "r", "l", "e", "e", "e",
    "ai", "o", "o", "o", "au", "k", "kh", "g", "gh", "ng", "c", "ch", "j", "jh", "nya", "tt",
    "tth", "dd", "ddh", "nn", "t", "th", "d", "dh", "n", "nnn", "p", "ph", "b", "bh", "m", "y",
    "r", "rr", "l", "ll", "lll", "v", "sh", "ss", "s", "h", "oe", "ooe", "", "'", "aa", "i",
    "ii", "u", "uu", "r", "rr", "e", "e", "e", "ai", "o", "o", "o", "au", "", "e", "aw",
];

/// The script of `c`, and its place in the block.
fn locate(c: char) -> Option<(Script, u32)> {
    let offset = u32::from(c).checked_sub(FIRST)?;
    Some((*SCRIPTS.get((offset / BLOCK) as usize)?, offset % BLOCK))
}

/// What a character is in Latin letters; none for digits and for symbols, which stay.
fn latin(script: Script, offset: u32) -> Option<&'static str> {
    if let Some(own) = own_latin(script, offset) {
        return Some(own);
    }
    match offset {
        ..=0x4F => Some(LETTERS[offset as usize]),
        0x60 => Some("rr"),
        0x61 | 0x63 => Some("ll"),
        0x62 => Some("l"),
        0x64 | 0x65 => Some("."),
        _ => None,
    }
}

/// Where a script differs from the others, or has letters of its own.
fn own_latin(script: Script, offset: u32) -> Option<&'static str> {
    Some(match (script, offset) {
        (Gurmukhi | Tamil | Telugu | Kannada | Malayalam, 0x0F | 0x47) => "ee",
        (Gurmukhi | Tamil | Telugu | Kannada | Malayalam, 0x13 | 0x4B) => "oo",

        (Devanagari, 0x50) => "om",
        (Devanagari, 0x51 | 0x52) => "",
        (Devanagari, 0x55) => "e",
        (Devanagari, 0x56 | 0x76) => "ue",
        (Devanagari, 0x57 | 0x77) => "uue",
        (Devanagari, 0x70) => ".",
        (Devanagari, 0x71) => "",
        (Devanagari, 0x72) => "a",
        (Devanagari, 0x73) => "oe",
        (Devanagari, 0x74) => "ooe",
        (Devanagari, 0x75) => "w",
        (Devanagari, 0x78) => "dd",
        (Devanagari | Gujarati, 0x79) => "zh",
        (Devanagari, 0x7A) => "y",
        (Devanagari, 0x7B) => "gg",
        (Devanagari, 0x7C) => "jj",
        (Devanagari, 0x7D) => "'",
        (Devanagari, 0x7E) => "ddd",
        (Devanagari, 0x7F) => "bb",

        (Bengali, 0x01) => "n",
        (Bengali, 0x02) => "ng",
        (Bengali, 0x1A) => "ch",
        (Bengali, 0x1B) => "chh",
        (Bengali, 0x4E) => "t",
        (Bengali, 0x70 | 0x71) => "r",
        (Bengali, 0x77 | 0x7D) => ".",
        (Bengali, 0x7C) => "m",
        (Bengali, 0x7E) => "",

        (Gurmukhi, 0x5C) => "rr",
        (Gurmukhi, 0x70) => "m",
        (Gurmukhi, ADDAK) => "'",
        (Gurmukhi, 0x72 | 0x73) => "",
        (Gurmukhi, 0x74) => "ekonkar",
        (Gurmukhi, 0x76) => ".",

        (Gujarati | Tamil, 0x50) => "om",

        (Odia, 0x5F) => "ya",
        (Odia, 0x71) => "w",

        (Tamil, 0x1F) => "d",
        (Tamil, 0x23 | 0x29) => "n",
        (Tamil, 0x31) => "r",
        (Tamil, 0x33 | 0x34) => "l",

        (Telugu | Malayalam, 0x04) => "m",
        (Telugu, 0x58) => "ts",
        (Telugu, 0x59) => "dz",
        (Telugu, 0x5A) => "rrr",

        (Telugu | Kannada, 0x5D) => "n",
        (Kannada, 0x00) => "m",
        (Kannada, 0x04) => return None,
        (Kannada, 0x5E) => "f",
        (Kannada, 0x71 | 0x72) => "h",

        (Malayalam, 0x00 | 0x54) => "m",
        (Malayalam, 0x3A) => "ttt",
        (Malayalam, 0x3B | 0x3C | 0x4F) => "",
        (Malayalam, 0x4E) => "r",
        (Malayalam, 0x55) => "y",
        (Malayalam, 0x56) => "lll",
        (Malayalam, 0x57) => "au",
        (Malayalam, 0x5F) => "ii",
        (Malayalam, 0x7A) => "nn",
        (Malayalam, 0x7B) => "n",
        (Malayalam, 0x7C) => "rr",
        (Malayalam, 0x7D) => "l",
        (Malayalam, 0x7E) => "ll",
        (Malayalam, 0x7F) => "k",
        _ => return None,
    })
}

/// A consonant with a nukta, where that is another one.
fn with_nukta(script: Script, offset: u32) -> Option<&'static str> {
    Some(match (script, offset) {
        (Devanagari | Bengali, 0x15) => "q",
        (Devanagari, 0x16) => "kh",
        (Devanagari, 0x17) => "g",
        (Devanagari | Bengali | Gurmukhi, 0x1C) => "z",
        (Devanagari, 0x21) => "dd",
        (Devanagari, 0x22) => "ddh",
        (Devanagari | Bengali | Gurmukhi, 0x2B) => "f",
        (Bengali, 0x21) => "r",
        (Bengali | Odia, 0x22) => "rh",
        (Bengali, 0x2D) => "v",
        (Bengali, 0x2F) => "y",
        (Gurmukhi, 0x16) => "khh",
        (Gurmukhi, 0x17) => "ghh",
        (Gurmukhi, 0x32) => "ll",
        (Gurmukhi, 0x38) => "sh",
        (Odia, 0x21) => "rr",
        _ => return None,
    })
}

/// Whether it follows a vowel, so that none comes after it: candrabindu, anusvara, visarga.
fn is_tail(script: Script, offset: u32) -> bool {
    matches!(
        (script, offset),
        (_, ..=VISARGA) | (Telugu | Malayalam, 0x04) | (Gurmukhi, 0x70) | (Bengali, 0x7C)
    )
}

fn is_vowel_sign(c: char) -> bool {
    matches!(
        locate(c),
        Some((Devanagari, 0x3A | 0x3B | 0x4E | 0x4F | 0x55..=0x57) | (_, 0x3E..=0x4C | 0x62 | 0x63))
    )
}

fn is_vocalic(offset: u32) -> bool {
    matches!(offset, 0x0B | 0x0C | 0x43 | 0x44 | 0x60..=0x63)
}

fn is_virama(c: char) -> bool {
    matches!(locate(c), Some((_, VIRAMA)))
}

/// Whether `c` is the dot that makes another consonant of the one before.
pub fn is_nukta(c: char) -> bool {
    matches!(locate(c), Some((script, NUKTA)) if script != Malayalam)
}

/// Whether `c` is a sign that is written with Latin letters.
pub fn sounds(c: char) -> bool {
    let latin = locate(c).and_then(|(script, offset)| latin(script, offset));
    latin.is_some_and(|latin| latin.starts_with(|c: char| c.is_ascii_alphabetic()))
}

pub fn piece(place: &Place) -> Option<Piece> {
    let (script, offset) = locate(place.char())?;
    if (script, offset) == (Gurmukhi, ADDAK) {
        return Some(doubled(place).unwrap_or(Piece::new("'", 1)));
    }
    let (latin, length, tail) = match pair(place, script, offset) {
        Some(latin) => (latin, 2, false),
        None => (latin(script, offset)?, 1, is_tail(script, offset)),
    };
    let latin = match tail {
        true => latin.into(),
        false => with_vowel(latin, place, length, script),
    };
    let virama = place.ahead(length).is_some_and(is_virama);
    Some(Piece::new(latin, length + usize::from(virama)))
}

/// Two characters that are one letter.
fn pair(place: &Place, script: Script, offset: u32) -> Option<&'static str> {
    match (script, offset, locate(place.ahead(1)?)?) {
        (Tamil, VISARGA, (Tamil, 0x1C)) => Some("z"),
        (Tamil, VISARGA, (Tamil, 0x2A)) => Some("f"),
        (_, _, (next, NUKTA)) if next == script => with_nukta(script, offset),
        _ => None,
    }
}

/// An addak and the consonant that it doubles.
fn doubled(place: &Place) -> Option<Piece> {
    let next = place.next().filter(|next| matches!(locate(next.char()), Some((Gurmukhi, 0x15..=0x39))))?;
    let piece = piece(&next)?;
    let first = piece.latin.get(..1).filter(|first| !"vxy".contains(first))?;
    Some(Piece::new(format!("{first}{}", piece.latin), piece.length + 1))
}

/// `latin`, of `length` characters at `place`, with the inherent vowel of a consonant where it is spoken.
fn with_vowel(latin: &'static str, place: &Place, length: usize, script: Script) -> Cow<'static, str> {
    let bare = latin.strip_suffix('a').unwrap_or(latin);
    if bare.is_empty() || bare.contains(['a', 'e', 'i', 'o', 'u', '\'', '.']) {
        return latin.into();
    }
    match vowel(place, length, script) {
        Vowel::Silent => bare.into(),
        Vowel::Spoken => format!("{bare}a").into(),
        Vowel::AsListed => latin.into(),
    }
}

enum Vowel {
    Silent,
    Spoken,
    /// Only where the table has it.
    AsListed,
}

fn vowel(place: &Place, length: usize, script: Script) -> Vowel {
    let [next, after] = [length, length + 1].map(|offset| place.ahead(offset));
    let takes_vowel = |c: Option<char>| c.is_some_and(|c| is_vowel_sign(c) || is_virama(c));
    if takes_vowel(next) || (next.is_some_and(is_nonspacing) && takes_vowel(after)) {
        return Vowel::Silent;
    }
    let before = place.before();
    if before.is_some_and(is_virama) || place.starts_word() {
        return Vowel::Spoken;
    }
    if place.ends_word(length) {
        return at_end(script, place.language);
    }
    let of_script = |c: Option<char>| {
        c.is_some_and(|c| locate(c).is_some_and(|(other, offset)| other == script && offset / 2 != 0x32))
    };
    let last = place.ahead(length - 1).and_then(locate);
    match (of_script(before), last) {
        (false, _) => Vowel::Spoken,
        (true, Some((_, offset))) if is_vocalic(offset) => Vowel::Silent,
        _ if of_script(next) => Vowel::Spoken,
        _ => Vowel::AsListed,
    }
}

/// The languages of the north do not speak the vowel at the end of a word.
fn at_end(script: Script, language: &str) -> Vowel {
    let silent = match script {
        Devanagari => language != "sa",
        _ => ["as", "bn", "gu", "ks", "pa"].contains(&language),
    };
    if silent { Vowel::AsListed } else { Vowel::Spoken }
}

fn is_nonspacing(c: char) -> bool {
    get_general_category(c) == GeneralCategory::NonspacingMark
}
