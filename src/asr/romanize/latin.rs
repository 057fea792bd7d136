//! Latin letters with accents, and what belongs to no script: digits, punctuation, signs in other shapes.

use unicode_general_category::{GeneralCategory, get_general_category};
use unicode_normalization::UnicodeNormalization;

use super::{Piece, Place, is_letter, piece as next_piece, two_letters};

/// A letter that is more than an ASCII letter with accents.
fn letter(c: char, language: &str) -> Option<&'static str> {
    Some(match c {
        'ç' if language == "tr" => "ch",
        'Ç' if language == "tr" => "Ch",
        'Ä' | 'Æ' => "Ae",
        'ä' | 'æ' => "ae",
        'Å' => "Aa",
        'å' => "aa",
        'Ö' | 'Œ' => "Oe",
        'ö' | 'ø' | 'œ' | 'Ø' => "oe",
        'Ü' => "Ue",
        'ü' => "ue",
        'Ç' | 'ẞ' => "S",
        'ç' | 'ſ' => "s",
        'Ş' | 'Ș' => "Sh",
        'ş' | 'ș' | 'ʃ' => "sh",
        'Ț' => "Ts",
        'ț' => "ts",
        'ß' => "ss",
        'Ð' | 'Þ' => "TH",
        'ð' | 'þ' => "th",
        'Đ' | 'Ɖ' | 'Ɗ' => "D",
        'đ' | 'ɖ' | 'ɗ' => "d",
        'Ħ' => "H",
        'ħ' | 'ɦ' => "h",
        'ı' | 'ɨ' => "i",
        'ĸ' => "kr",
        'Ł' => "L",
        'ł' | 'ɫ' => "l",
        'Ŋ' => "NG",
        'ŋ' => "ng",
        'Ŧ' => "T",
        'ŧ' | 'ʈ' => "t",
        'Ɓ' => "B",
        'ɓ' => "b",
        'Ɔ' | 'Ɵ' => "O",
        'ɔ' | 'ɵ' => "o",
        'Ə' | 'Ɛ' | 'Ǝ' => "E",
        'ə' | 'ɛ' | 'ǝ' => "e",
        'Ƙ' => "K",
        'ƙ' => "k",
        'Ɲ' => "N",
        'ɲ' | 'ɳ' => "n",
        'Ƴ' => "Y",
        'ƴ' => "y",
        'Ʒ' => "ZH",
        'ʒ' => "zh",
        'ʔ' | 'ʕ' | 'ʹ' | 'ʻ' | 'ʼ' => "'",
        'ʿ' | 'ʾ' => "r",
        _ => return None,
    })
}

pub fn piece(place: &Place) -> Option<Piece> {
    let c = place.char();
    if !is_letter(c) || !matches!(c, '\u{C0}'..='\u{2FF}' | '\u{1E00}'..='\u{1EFF}') {
        return None;
    }
    if let Some(latin) = letter(c, place.language) {
        return Some(Piece::new(latin, 1));
    }
    let base = [c].into_iter().nfd().next()?;
    Some(match letter(base, place.language) {
        Some(latin) if base != c => Piece::new(latin, 1),
        _ => Piece::new(base.to_string(), 1),
    })
}

/// Any character: digits in ASCII, format characters and marks of known letters dropped, other shapes of characters as
/// what they are shapes of, the rest as it is.
pub fn sign(place: &Place) -> Piece {
    let c = place.char();
    if c.is_ascii() {
        return Piece::new(c.to_string(), 1);
    }
    if let Some(latin) = punctuation(c) {
        return Piece::new(spaced(latin, place), 1);
    }
    use GeneralCategory as G;
    match get_general_category(c) {
        G::NonspacingMark | G::SpacingMark | G::EnclosingMark if goes_with_letters(c) => {
            return Piece::new("", 1);
        }
        G::Format | G::PrivateUse => return Piece::new("", 1),
        G::DecimalNumber => {
            if let Some(digit) = digit(c) {
                return Piece::new(digit.to_string(), 1);
            }
        }
        _ => {}
    }
    Piece::new(other_shape(c, place).unwrap_or_else(|| c.to_string()), 1)
}

/// Whether the mark `c` goes with letters that have a table: those of other scripts stay, with their letters.
fn goes_with_letters(c: char) -> bool {
    matches!(c,
        '\u{300}'..='\u{6FF}' | '\u{8CA}'..='\u{D7F}' | '\u{1AB0}'..='\u{1AFF}' | '\u{1CD0}'..='\u{1CFF}'
        | '\u{1DC0}'..='\u{1DFF}' | '\u{20D0}'..='\u{20FF}' | '\u{3000}'..='\u{30FF}' | '\u{FE00}'..='\u{FE2F}')
}

/// The sets of ten digits begin at a multiple of sixteen, or six after it.
fn digit(c: char) -> Option<u32> {
    let code = u32::from(c);
    let row = code - code % 16;
    let is_digit = |code| {
        char::from_u32(code).is_some_and(|c| get_general_category(c) == GeneralCategory::DecimalNumber)
    };
    let first = if is_digit(row) { row } else { row + 6 };
    code.checked_sub(first).filter(|&digit| digit < 10)
}

/// Full-width letters, forms of Arabic letters, fractions and circled numbers, as what they are forms of.
fn other_shape(c: char, place: &Place) -> Option<String> {
    if !matches!(c,
        '\u{BC}'..='\u{BE}' | '\u{2150}'..='\u{215E}' | '\u{2460}'..='\u{24FF}' | '\u{1D400}'..='\u{1D7FF}'
        | '\u{FB00}'..='\u{FDFB}' | '\u{FE70}'..='\u{FEFC}' | '\u{FF01}'..='\u{FFDC}')
    {
        return None;
    }
    let text: Vec<char> = [c].into_iter().nfkc().map(|c| if c == '\u{2044}' { '/' } else { c }).collect();
    // What is left in such a shape has none other; a phrase in one sign is no word.
    if text.contains(&c) || text.contains(&' ') {
        return None;
    }
    let language = two_letters(place.language);
    let latin = |at| next_piece(&Place { text: &text, at, language, after_sound: place.after_sound }).latin;
    Some((0..text.len()).map(latin).collect())
}

/// `latin` without the space that stands beside it already.
fn spaced(latin: &'static str, place: &Place) -> &'static str {
    let latin = match place.before() {
        None | Some(' ') => latin.trim_start_matches(' '),
        Some(_) => latin,
    };
    if place.ahead(1) == Some(' ') { latin.trim_end_matches(' ') } else { latin }
}

fn punctuation(c: char) -> Option<&'static str> {
    Some(match c {
        '，' | '、' => ", ",
        '。' => ". ",
        '！' => "! ",
        '？' => "? ",
        '：' => ": ",
        '；' => ";",
        '（' => " (",
        '）' => ") ",
        '「' | '『' | '《' => " \"",
        '」' | '』' | '》' => "\" ",
        '\u{3000}' => " ",
        '\u{AD}' => "",
        '‐' => "-",
        '‼' => "!!",
        '⁇' => "??",
        '‽' | '⁈' => "?!",
        '⁉' => "!?",
        '﴾' => "(",
        '﴿' => ")",
        _ => return None,
    })
}
