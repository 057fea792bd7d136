//! Text of any script in Latin letters, in the manner of uroman (Hermjakob, May and Knight: Out-of-the-box universal
//! romanization tool uroman, ACL 2018, demonstrations), as aligners and recognisers of the MMS family expect it.
//!
//! The tables are our own; they give what uroman 1.3.1.1 gives for ordinary text, as `tests/romanize.rs` measures.
//! [`romanize`] knows Devanagari, Bengali, Gurmukhi, Gujarati, Odia, Tamil, Telugu, Kannada, Malayalam, Arabic (with the
//! letters of Persian and Urdu), Cyrillic, Greek, Armenian, Georgian, Hebrew, Hangul, kana, Han (as pinyin without tones)
//! and Latin letters with accents. Other scripts, Thai among them, stay as they are.
//!
//! It differs from uroman on purpose in this: text that is canonically equivalent gives the same letters, numbers are
//! not computed (uroman writes 三百 as 300), and a Chinese character has one reading whatever stands beside it.

mod alphabets;
mod arabic;
mod brahmic;
mod cyrillic;
mod east_asian;
mod greek;
mod latin;

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use unicode_general_category::{GeneralCategory, get_general_category};
use unicode_normalization::UnicodeNormalization;

/// In which letters text is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Script {
    /// Those of the language.
    #[default]
    Own,
    /// Those of [`romanize`] too, or instead where there is place for one text alone.
    Latin,
}

impl Script {
    /// Whether text is given in the letters of its language alone.
    pub fn is_own(&self) -> bool {
        *self == Self::Own
    }
}

/// `text` in Latin letters.
///
/// `language` is its code of ISO 639-1 or 639-3 ("hi" or "hin", also as "pa-Guru"), or empty where it is unknown. It
/// decides the letters of Cyrillic and Persian, how a Greek beta sounds, and which languages drop the inherent vowel
/// at the end of a word; the script decides all else. Case, spaces and Latin letters without accents stay.
///
/// ```
/// use awaaz::asr::romanize::romanize;
///
/// assert_eq!(romanize("नमस्ते दुनिया।", "hi"), "namaste duniyaa.");
/// assert_eq!(romanize("Привет, мир", "ru"), "Privet, mir");
/// ```
pub fn romanize(text: &str, language: &str) -> String {
    let text: Vec<char> = text.nfc().collect();
    let language = two_letters(language);
    let mut out = String::with_capacity(text.len() * 2);
    let (mut at, mut after_sound) = (0, false);
    while at < text.len() {
        let piece = piece(&Place { text: &text, at, language, after_sound });
        after_sound = piece.latin.ends_with(is_letter);
        out.push_str(&piece.latin);
        at += piece.length.max(1);
    }
    out
}

/// The code of ISO 639-1 for one of 639-3, of the languages that have rules of their own.
fn two_letters(code: &str) -> &str {
    match code.split(['-', '_']).next().unwrap_or(code) {
        "asm" => "as",
        "bel" => "be",
        "ben" => "bn",
        "bul" => "bg",
        "ell" => "el",
        "fas" | "pes" => "fa",
        "guj" => "gu",
        "kas" => "ks",
        "mkd" => "mk",
        "pan" => "pa",
        "rus" => "ru",
        "san" => "sa",
        "srp" => "sr",
        "tur" => "tr",
        "ukr" => "uk",
        code => code,
    }
}

/// What the next characters are in Latin letters.
struct Piece {
    latin: Cow<'static, str>,
    /// Characters that it stands for.
    length: usize,
}

impl Piece {
    fn new(latin: impl Into<Cow<'static, str>>, length: usize) -> Self {
        Self { latin: latin.into(), length }
    }
}

/// A place in a text, where the next piece begins.
#[derive(Clone, Copy)]
struct Place<'a> {
    text: &'a [char],
    at: usize,
    /// ISO 639-1 where there is such a code; may be empty.
    language: &'a str,
    /// Whether the piece before ended in a letter.
    after_sound: bool,
}

impl Place<'_> {
    fn char(&self) -> char {
        self.text[self.at]
    }

    fn ahead(&self, offset: usize) -> Option<char> {
        self.text.get(self.at + offset).copied()
    }

    fn before(&self) -> Option<char> {
        self.text.get(self.at.checked_sub(1)?).copied()
    }

    fn starts_with(&self, characters: &str) -> bool {
        let rest = &self.text[self.at..];
        let count = characters.chars().count();
        count <= rest.len() && characters.chars().eq(rest[..count].iter().copied())
    }

    fn starts_word(&self) -> bool {
        !self.after_sound && !self.before().is_some_and(is_letter)
    }

    /// Whether a word ends `length` characters on.
    fn ends_word(&self, length: usize) -> bool {
        let rest = self.text.get(self.at + length..).unwrap_or_default();
        let next = rest.iter().copied().find(|&c| !brahmic::is_nukta(c));
        !next.is_some_and(|c| is_letter(c) || brahmic::sounds(c) || arabic::sounds(c))
    }

    /// The same place, one character on.
    fn next(&self) -> Option<Self> {
        (self.at + 1 < self.text.len()).then(|| Self { at: self.at + 1, after_sound: false, ..*self })
    }
}

fn piece(place: &Place) -> Piece {
    let known = match place.char() {
        '\0'..='\u{7F}' => None,
        '\u{370}'..='\u{3FF}' | '\u{1F00}'..='\u{1FFF}' => greek::piece(place),
        '\u{400}'..='\u{52F}' => cyrillic::piece(place),
        '\u{530}'..='\u{58F}' => alphabets::armenian(place),
        '\u{590}'..='\u{5FF}' => alphabets::hebrew(place),
        '\u{600}'..='\u{6FF}' => arabic::piece(place),
        '\u{900}'..='\u{D7F}' => brahmic::piece(place),
        '\u{10A0}'..='\u{10FF}' | '\u{1C90}'..='\u{1CBF}' => alphabets::georgian(place),
        '\u{3040}'..='\u{30FF}' => east_asian::kana(place),
        '\u{AC00}'..='\u{D7A3}' => east_asian::hangul(place),
        _ => latin::piece(place).or_else(|| east_asian::han(place)),
    };
    known.unwrap_or_else(|| latin::sign(place))
}

fn is_letter(c: char) -> bool {
    use GeneralCategory as G;
    c.is_ascii_alphabetic()
        || !c.is_ascii()
            && matches!(
                get_general_category(c),
                G::UppercaseLetter
                    | G::LowercaseLetter
                    | G::TitlecaseLetter
                    | G::ModifierLetter
                    | G::OtherLetter
            )
}

/// `latin`, which stands for the small letter, for the capital `c` at `place`: "Th" before a small letter, else "TH".
fn capital(latin: &'static str, place: &Place) -> Cow<'static, str> {
    match place.ahead(1).is_some_and(char::is_lowercase) {
        true => titled(latin),
        false => latin.to_uppercase().into(),
    }
}

/// `latin` with its first letter large.
fn titled(latin: &'static str) -> Cow<'static, str> {
    let mut out = latin.to_owned();
    if let Some(first) = out.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    out.into()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    struct Case {
        language: &'static str,
        text: &'static str,
        latin: &'static str,
    }

    const fn case(language: &'static str, text: &'static str, latin: &'static str) -> Case {
        Case { language, text, latin }
    }

    fn check(cases: &[Case]) {
        for Case { language, text, latin } in cases {
            assert_eq!(romanize(text, language), *latin, "{text} ({language})");
        }
    }

    #[test]
    fn an_inherent_vowel_is_written_but_where_a_sign_or_the_end_of_the_word_takes_it() {
        check(&[
            case("hi", "कमल", "kamal"),
            case("sa", "कमल", "kamala"),
            case("hi", "शब्द", "shabda"),
            case("hi", "न", "na"),
            case("hi", "ऋषि कृपा", "rassi krpaa"),
            case("bn", "কমল", "kamal"),
            case("", "কমল", "kamala"),
            case("ta", "மக்கள்", "makkal"),
            case("ml", "അവൻ", "avana"),
            case("hi", "क्\u{200d}ष", "kssa"),
        ]);
    }

    #[test]
    fn nuktas_addaks_and_tails_change_their_letter() {
        check(&[
            case("hi", "ज़रूर लड़का", "zaruur laddakaa"),
            case("hi", "हूँ दुःख", "huum duhkh"),
            case("bn", "বাংলা বড়", "baanglaa bar"),
            case("pa", "ਬੱਚਾ ਸ਼ਹਿਰ ਸਿੰਘ", "baccaa shahir simgh"),
            case("ta", "ஃபோன் அஃது", "foon ahtu"),
        ]);
    }

    #[test]
    fn equivalent_text_gives_equal_letters() {
        for (language, text) in
            [("hi", "पढ़ी ज़रूर"), ("pa", "ਸ਼ਹਿਰ"), ("ur", "آئے"), ("el", "ύψος"), ("ko", "한국")]
        {
            let [composed, decomposed]: [String; 2] = [text.nfc().collect(), text.nfd().collect()];
            assert_eq!(romanize(&composed, language), romanize(&decomposed, language), "{text}");
        }
    }

    #[test]
    fn the_language_decides_letters_that_it_reads_in_its_own_way() {
        check(&[
            case("ru", "Её ель", "Yeyo yel"),
            case("uk", "Київ гарний", "Kyiv harny"),
            case("", "Київ гарний", "Kiyiv garny"),
            case("bg", "Шумен къща, ОПЦИЯ", "Shumen kushta, OPCIA"),
            case("el", "βράδυ", "vrady"),
            case("fa", "عاشق چه", "ashq che"),
            case("ur", "چاہ", "tchah"),
            case("tr", "çiçek", "chichek"),
            case("rus", "ель", "yel"),
            case("pa-Guru", "ਘਰ", "ghar"),
        ]);
    }

    #[test]
    fn capitals_of_several_letters_follow_those_around() {
        check(&[
            case("el", "Θέμα ΘΕΜΑ", "Thema THEMA"),
            case("ru", "Щука", "Shchuka"),
            case("sr", "Његош ЊЕГОШ", "Njegosh NJEGOSh"),
        ]);
    }

    #[test]
    fn kana_doubles_glides_and_lengthens() {
        check(&[
            case("ja", "いっぽ ちょっと きょう", "ippo chotto kyou"),
            case("ja", "マッチ パーティー。", "matchi paatii. "),
            case("ja", "「はい」、", "\"hai\" , "),
        ]);
    }

    #[test]
    fn digits_and_signs_become_ascii() {
        check(&[
            case("hi", "०५ १२।", "05 12."),
            case("ar", "١٢٣؟", "123?"),
            case("", "½ ① ＡＢ ﻻ", "1/2 1 AB la"),
            case("", "ok, 3.5 €", "ok, 3.5 €"),
        ]);
    }

    #[test]
    fn scripts_without_a_table_stay() {
        check(&[case("th", "สวัสดี", "สวัสดี"), case("am", "ሰላም", "ሰላም")]);
    }

    fn letters(ranges: &[(u32, u32)]) -> Vec<char> {
        let all = ranges.iter().flat_map(|&(first, last)| (first..=last).filter_map(char::from_u32));
        all.filter(|&c| is_letter(c)).collect()
    }

    proptest! {
        #[test]
        fn nothing_panics(text in any::<String>(), language in "[a-z]{0,3}") {
            romanize(&text, &language);
        }

        #[test]
        fn neighbours_of_any_kind_do_not_panic(
            text in "[\u{300}\u{370}-\u{6ff}\u{900}-\u{d7f}\u{200c}\u{200d}\u{3040}-\u{30ff}a ]{0,12}",
        ) {
            romanize(&text, "fa");
        }

        #[test]
        fn letters_become_ascii(
            letters in prop::collection::vec(
                prop::sample::select(letters(&[
                    (0x370, 0x52f),
                    (0x1f00, 0x1fff),
                    (0x900, 0xd7f),
                    (0xac00, 0xd7a3),
                ])),
                1..20,
            ),
            language in prop::sample::select(vec!["", "hi", "bn", "ta", "ru", "uk", "el", "ko"]),
        ) {
            let text: String = letters.iter().collect();
            let latin = romanize(&text, language);
            prop_assert!(latin.is_ascii(), "{} is {}", text, latin);
        }
    }
}
