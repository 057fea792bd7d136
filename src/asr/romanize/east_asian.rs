//! Hangul by its arithmetic, kana by the Hepburn system, Han by its commonest Mandarin reading.

use pinyin::ToPinyin;

use super::{Piece, Place};

const FIRST_SYLLABLE: u32 = 0xAC00;

#[rustfmt::skip]
const LEADS: [&str; 19] =
    ["g", "gg", "n", "d", "dd", "r", "m", "b", "bb", "s", "ss", "", "j", "jj", "c", "k", "t", "p", "h"];
#[rustfmt::skip]
const VOWELS: [&str; 21] = [
    "a", "ae", "ya", "yae", "eo", "e", "yeo", "ye", "o", "wa", "wai", "oe", "yo", "u", "weo", "we", "wi", "yu", "eu",
    "yi", "i",
];
#[rustfmt::skip]
const TAILS: [&str; 28] = [
    "", "g", "gg", "gs", "n", "nj", "nh", "d", "l", "lg", "lm", "lb", "ls", "lt", "lp", "lh", "m", "b", "bs", "s", "ss",
    "ng", "j", "c", "k", "t", "p", "h",
];

pub fn hangul(place: &Place) -> Option<Piece> {
    let syllable = u32::from(place.char()).checked_sub(FIRST_SYLLABLE)? as usize;
    let (lead, vowel, tail) = (syllable / (28 * 21), syllable / 28 % 21, syllable % 28);
    Some(Piece::new(format!("{}{}{}", LEADS.get(lead)?, VOWELS[vowel], TAILS[tail]), 1))
}

const FIRST_KANA: u32 = 0x3041;
/// From a letter of hiragana to that of katakana.
const TO_KATAKANA: u32 = 0x60;
const LONG: char = 'ー';

/// Hiragana in the order of Unicode, in which a small letter comes before the large one.
#[rustfmt::skip]
const KANA: [&str; 86] = [
    "a", "a", "i", "i", "u", "u", "e", "e", "o", "o",
    "ka", "ga", "ki", "gi", "ku", "gu", "ke", "ge", "ko", "go",
    "sa", "za", "shi", "ji", "su", "zu", "se", "ze", "so", "zo",
    "ta", "da", "chi", "ji", "tsu", "tsu", "zu", "te", "de", "to", "do",
    "na", "ni", "nu", "ne", "no",
    "ha", "ba", "pa", "hi", "bi", "pi", "fu", "bu", "pu", "he", "be", "pe", "ho", "bo", "po",
    "ma", "mi", "mu", "me", "mo",
    "ya", "ya", "yu", "yu", "yo", "yo",
    "ra", "ri", "ru", "re", "ro",
    "wa", "wa", "wi", "we", "o", "n", "vu", "ka", "ke",
];

/// Spellings of foreign sounds.
#[rustfmt::skip]
const FOREIGN: [(&str, &str); 9] = [
    ("ウィ", "wi"), ("ジェ", "je"), ("チェ", "che"), ("ティ", "ti"), ("ディ", "di"), ("フィ", "fi"), ("フェ", "fe"),
    ("ヴィ", "vi"), ("ヴェ", "ve"),
];

pub fn kana(place: &Place) -> Option<Piece> {
    if matches!(place.char(), 'っ' | 'ッ')
        && let Some(doubled) = doubled(place)
    {
        return Some(doubled);
    }
    let Piece { latin, length } = syllable(place)?;
    match (place.ahead(length), latin.chars().last()) {
        (Some(LONG), Some(vowel)) if "aeiou".contains(vowel) => {
            Some(Piece::new(format!("{latin}{vowel}"), length + 1))
        }
        _ => Some(Piece { latin, length }),
    }
}

/// A small tsu and the syllable whose consonant it doubles.
fn doubled(place: &Place) -> Option<Piece> {
    let next = place.next().filter(|next| !matches!(next.char(), 'っ' | 'ッ'))?;
    let piece = kana(&next)?;
    let first = match piece.latin.get(..1)? {
        "c" => "t",
        first if "bdfghjklmnpqrstwz".contains(first) => first,
        _ => return None,
    };
    Some(Piece::new(format!("{first}{}", piece.latin), piece.length + 1))
}

fn syllable(place: &Place) -> Option<Piece> {
    if let Some((kana, latin)) = FOREIGN.iter().find(|(kana, _)| place.starts_with(kana)) {
        return Some(Piece::new(*latin, kana.chars().count()));
    }
    let c = place.char();
    let latin = letter(c)?;
    let Some(stem) = latin.strip_suffix('i').filter(|stem| !stem.is_empty()) else {
        return Some(Piece::new(latin, 1));
    };
    let Some(glide) =
        place.ahead(1).filter(|&next| "ゃゅょャュョ".contains(next) && is_katakana(next) == is_katakana(c))
    else {
        return Some(Piece::new(latin, 1));
    };
    let vowel = letter(glide)?;
    let vowel = if ["sh", "ch", "j"].contains(&stem) { vowel.trim_start_matches('y') } else { vowel };
    Some(Piece::new(format!("{stem}{vowel}"), 2))
}

fn is_katakana(c: char) -> bool {
    u32::from(c) >= FIRST_KANA + TO_KATAKANA
}

fn letter(c: char) -> Option<&'static str> {
    match c {
        'ヲ' => return Some("wo"),
        'ヷ' => return Some("va"),
        'ヸ' => return Some("vi"),
        'ヹ' => return Some("ve"),
        'ヺ' => return Some("vo"),
        '・' => return Some(" "),
        LONG => return Some(""),
        _ => {}
    }
    let hiragana = if is_katakana(c) { u32::from(c) - TO_KATAKANA } else { u32::from(c) };
    KANA.get(hiragana.checked_sub(FIRST_KANA)? as usize).copied()
}

pub fn han(place: &Place) -> Option<Piece> {
    let plain = place.char().to_pinyin()?.plain();
    Some(match plain.contains('ü') {
        true => Piece::new(plain.replace('ü', "u"), 1),
        false => Piece::new(plain, 1),
    })
}
