//! Text as the vocabularies of CTC recognisers spell it.
//!
//! The rules follow those by which the transcripts of MMS were made (Pratap et al. 2023; fairseq,
//! `examples/mms/data_prep/text_normalization.py`), with these differences: digits stay, hyphens separate words, joiners
//! and tatweel are dropped, yeh and kaf are those of the language, and the form is NFC instead of NFKC.
//!
//! NFC, because vocabularies hold text as keyboards and corpora write it, a token for each code point of the composed
//! form: "é", and the Tamil vowel sign ொ, are one token. The letters of India with a nukta are the exception: क़ to य़,
//! ড়, ঢ়, য়, ਸ਼ and the like are excluded from composition, so NFC writes them as a base letter and U+093C and its
//! sisters, and so do vocabularies made from NFC or NFKC text, as those of MMS. ऩ, ऱ and ऴ are not excluded and are one
//! token. NFKC would take apart the Thai ำ and change what is in no vocabulary anyway; only the forms of Arabic letters
//! (ﻻ), in which some files are written, are resolved as it does.

use unicode_normalization::UnicodeNormalization;

use crate::score::{Class, class};

const VIRAMAS: [char; 2] = ['\u{9CD}', '\u{D4D}'];
const JOINER: char = '\u{200D}';

/// `text` as words with one space between them, in NFC and in small letters, without punctuation.
///
/// For hot-words, words of a language model and references of word error rates. Letters, their marks and digits, those
/// of other scripts too, stay; an apostrophe stays between letters, as "'", whatever its shape. Everything else
/// separates words. A vocabulary of capitals needs them after this.
///
/// `language` is its code of ISO 639-1 or 639-3, or empty. It decides the following; the script decides all else.
///
/// - Turkish and Azerbaijani (tr, az): the small letter of I is ı.
/// - Urdu and Persian (ur, fa): the Arabic yeh, alef maksura and kaf become the Farsi yeh and the keheh.
/// - Hebrew (he): points are dropped.
/// - Sinhala (si): the zero-width joiner stays, as it makes conjuncts that are spelled otherwise without it.
///
/// Elsewhere zero-width joiners and non-joiners are dropped, also the non-joiner of Persian, where it stands between the
/// parts of a word (می‌روم becomes میروم, as in MMS); but what a joiner makes of a Bengali ত্ or a Malayalam consonant
/// becomes the letter that is spelled today (ৎ, ൻ). From Arabic script tatweel and harakat are dropped, also the short
/// vowels of Urdu; the superscript alef stays in Urdu and Persian, where words are always spelled with it (اعلیٰ).
pub fn normalise(text: &str, language: &str) -> String {
    let language = Language::of(language);
    let composed: Vec<char> = text.chars().flat_map(plain_form).nfc().collect();
    // What was dropped may have kept marks apart that belong to one letter.
    let letters: Vec<char> = letters(&composed, language).to_lowercase().nfc().collect();
    words(&letters)
}

/// `text` as it is spelled, with what stands between words.
fn letters(text: &[char], language: Language) -> String {
    let mut out = String::with_capacity(text.len() * 3);
    let mut at = 0;
    while let Some(&c) = text.get(at) {
        let (c, length) = joined(&text[at..]).map_or((c, 1), |letter| (letter, 3));
        at += length;
        if !is_dropped(c, language) {
            out.push(respelled(c, language));
        }
    }
    out
}

/// The words of `text`, with one space between them.
fn words(text: &[char]) -> String {
    let mut out = String::with_capacity(text.len() * 3);
    let mut separate = false;
    for (at, &c) in text.iter().enumerate() {
        let inside =
            || at > 0 && is_of_word(text[at - 1]) && text.get(at + 1).copied().is_some_and(is_of_word);
        let joins = is_apostrophe(c) && inside();
        if !joins && !is_of_word(c) {
            separate = true;
            continue;
        }
        if separate && !out.is_empty() {
            out.push(' ');
        }
        separate = false;
        out.push(if joins { '\'' } else { c });
    }
    out
}

/// Languages with rules of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Language {
    /// Turkish and Azerbaijani.
    Turkic,
    /// Urdu and Persian.
    PersoArabic,
    Hebrew,
    Sinhala,
    Other,
}

impl Language {
    fn of(code: &str) -> Self {
        match code.split(['-', '_']).next().unwrap_or(code) {
            "tr" | "tur" | "az" | "aze" | "azj" => Self::Turkic,
            "ur" | "urd" | "fa" | "fas" | "pes" => Self::PersoArabic,
            "he" | "heb" => Self::Hebrew,
            "si" | "sin" => Self::Sinhala,
            _ => Self::Other,
        }
    }
}

/// Arabic letters in the forms that fonts join, as the letters; any other character as it is.
fn plain_form(c: char) -> impl Iterator<Item = char> {
    let is_form = matches!(c, '\u{FB50}'..='\u{FDFB}' | '\u{FE70}'..='\u{FEFC}');
    let (form, other) = if is_form { (Some(c), None) } else { (None, Some(c)) };
    form.into_iter().nfkc().chain(other)
}

/// The letter that a consonant, a virama and a joiner made before Unicode had it.
fn joined(text: &[char]) -> Option<char> {
    let &[consonant, virama, JOINER, ..] = text else {
        return None;
    };
    if !VIRAMAS.contains(&virama) {
        return None;
    }
    Some(match consonant {
        'ত' => 'ৎ',
        'ണ' => 'ൺ',
        'ന' => 'ൻ',
        'ര' => 'ർ',
        'ല' => 'ൽ',
        'ള' => 'ൾ',
        'ക' => 'ൿ',
        _ => return None,
    })
}

fn is_of_word(c: char) -> bool {
    !is_apostrophe(c) && class(c) != Class::Separator
}

/// The apostrophe of typewriters and what is written for it. The modifier letter is Ukrainian's.
fn is_apostrophe(c: char) -> bool {
    matches!(c, '\'' | '\u{2018}' | '\u{2019}' | '\u{201B}' | '\u{2BC}' | '\u{FF07}')
}

fn is_dropped(c: char, language: Language) -> bool {
    match c {
        // Tatweel, and signs that are written over and under Arabic letters.
        '\u{640}' | '\u{610}'..='\u{61A}' | '\u{64B}'..='\u{652}' | '\u{656}' | '\u{657}' => true,
        '\u{670}' => language != Language::PersoArabic,
        '\u{6D6}'..='\u{6DC}' | '\u{6DF}'..='\u{6E4}' | '\u{6E7}' | '\u{6E8}' | '\u{6EA}'..='\u{6ED}' => true,
        // They choose between pictures of one character.
        '\u{FE00}'..='\u{FE0F}' => true,
        '\u{591}'..='\u{5BD}' | '\u{5BF}' | '\u{5C1}' | '\u{5C2}' | '\u{5C4}' | '\u{5C5}' | '\u{5C7}' => {
            language == Language::Hebrew
        }
        JOINER => language != Language::Sinhala,
        _ => class(c) == Class::Ignored,
    }
}

fn respelled(c: char, language: Language) -> char {
    match (language, c) {
        (Language::PersoArabic, 'ي' | 'ى') => 'ی',
        (Language::PersoArabic, 'ك') => 'ک',
        (Language::Turkic, 'I') => 'ı',
        // Its small letter would get a second dot otherwise, a mark of its own.
        (_, 'İ') => 'i',
        _ => c,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use unicode_normalization::is_nfc;

    use super::*;

    struct Case {
        language: &'static str,
        text: &'static str,
        expected: &'static str,
    }

    const fn case(language: &'static str, text: &'static str, expected: &'static str) -> Case {
        Case { language, text, expected }
    }

    fn check(cases: &[Case]) {
        for Case { language, text, expected } in cases {
            assert_eq!(normalise(text, language), *expected, "{text:?} ({language})");
        }
    }

    #[test]
    fn latin_letters_are_small_and_composed_and_apostrophes_straight() {
        check(&[
            case("en", "", ""),
            case("en", "  Hello,\t WORLD! ", "hello world"),
            case("en", "It\u{2019}s a \u{2018}quoted\u{2019} word", "it's a quoted word"),
            case("en", "rock 'n' roll", "rock n roll"),
            case("en", "well-known 42%", "well known 42"),
            case("fr", "L\u{2019}E\u{301}COLE", "l'école"),
            case("de", "Straße", "straße"),
            case("uk", "п\u{2bc}ять", "п'ять"),
            case("el", "ΟΔΟΣ", "οδος"),
            case("en", "\u{feff}I \u{2764}\u{fe0f} tea", "i tea"),
            case("zh", "我爱你。OK吗", "我爱你 ok吗"),
        ]);
    }

    #[test]
    fn turkish_has_two_letters_i() {
        check(&[
            case("tr", "ISPARTA İZMİR", "ısparta izmir"),
            case("az", "IŞIQ", "ışıq"),
            case("tur", "DIŞ", "dış"),
            case("en", "ISPARTA İZMİR", "isparta izmir"),
        ]);
    }

    #[test]
    fn indic_words_lose_punctuation_and_joiners_and_keep_their_digits() {
        check(&[
            case("hi", "मैंने किताब पढ़ी।", "मैंने किताब पढ\u{93c}ी"),
            case("hi", "\u{95b}रूर ५ बजे॥", "ज\u{93c}रूर ५ बजे"),
            case("mr", "सुर\u{94d}\u{200d}या", "सुर\u{94d}या"),
            case("bn", "ব\u{9dc}ো, \u{9df}!", "ব\u{9a1}\u{9bc}ো \u{9af}\u{9bc}"),
            case("bn", "হঠাত\u{9cd}\u{200d} ১৫", "হঠাৎ ১৫"),
            case("pa", "\u{a36}ਹਿਰ ੧੨॥", "ਸ\u{a3c}ਹਿਰ ੧੨"),
            case("gu", "\u{200b}કેમ છો? ૩", "કેમ છો ૩"),
            case("or", "ଓ\u{b5c}ିଆ ୫।", "ଓଡ\u{b3c}ିଆ ୫"),
            case("ta", "போன\u{bc6}\u{bbe} \u{201c}சரி\u{201d}", "போன\u{bca} சரி"),
            case("te", "హైదరాబాద్\u{200c}లో, ౩", "హైదరాబాద్లో ౩"),
            case("kn", "ನೀವು ಹೇಗಿದ್ದೀರಿ? ರ\u{200d}್ಯ", "ನೀವು ಹೇಗಿದ್ದೀರಿ ರ್ಯ"),
            case("ml", "അവന\u{d4d}\u{200d} അവൻ.", "അവൻ അവൻ"),
            case("si", "ශ\u{dca}\u{200d}රී ලංකා.", "ශ\u{dca}\u{200d}රී ලංකා"),
        ]);
    }

    #[test]
    fn arabic_loses_tatweel_harakat_and_the_forms_of_its_letters() {
        check(&[
            case("ar", "شُكْرًا جَزِيلًا، ٢٠!", "شكرا جزيلا ٢٠"),
            case("ar", "العـــربية", "العربية"),
            case("ar", "ﻻ ﺑﺄس", "لا بأس"),
            case("ar", "ا\u{653}ن", "آن"),
            case("ar", "كتابي", "كتابي"),
            case("ar", "الرَّحْمٰن", "الرحمن"),
        ]);
    }

    #[test]
    fn urdu_and_persian_have_their_own_yeh_and_kaf() {
        check(&[
            case("ur", "آپ كيسے ہيں؟", "آپ کیسے ہیں"),
            case("ur", "اعلیٰ ۱۲۔", "اعلیٰ ۱۲"),
            case("ur", "مِیں", "میں"),
            case("fa", "كتابي كه مي\u{200c}خوانم", "کتابی که میخوانم"),
            case("urd-script_arabic", "كل", "کل"),
            case("ar", "کی", "کی"),
        ]);
    }

    #[test]
    fn hebrew_points_are_dropped_in_hebrew() {
        check(&[case("he", "שָׁלוֹם־עֲלֵיכֶם", "שלום עליכם"), case("yi", "אַ", "א\u{5b7}")]);
    }

    proptest! {
        #[test]
        fn what_is_normal_stays(text in any::<String>(), language in "(|tr|ur|he|si|hi)") {
            let once = normalise(&text, &language);
            prop_assert_eq!(normalise(&once, &language), once.as_str());
        }

        #[test]
        fn words_have_one_space_between_them(text in "[a-zA-Z'’ \u{900}-\u{d7f}\u{600}-\u{6ff}\u{200c}.,-]{0,30}") {
            let normal = normalise(&text, "");
            prop_assert!(!normal.starts_with(' ') && !normal.ends_with(' ') && !normal.contains("  "));
            prop_assert!(is_nfc(&normal) && !normal.contains('’'), "{:?}", normal);
        }
    }
}
