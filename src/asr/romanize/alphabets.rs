//! Armenian, Georgian and Hebrew: alphabets with a few rules each.

use super::{Piece, Place, capital, titled};

/// Forms of "to be" and "I", which begin without the glide that other words begin with.
const ARMENIAN_WORDS: [(&str, &str); 5] =
    [("եմ", "em"), ("են", "en"), ("ենք", "enk"), ("ես", "es"), ("եք", "ek")];

pub fn armenian(place: &Place) -> Option<Piece> {
    if let Some(word) = armenian_word(place) {
        return Some(word);
    }
    let c = place.char();
    match (c, place.ahead(1)) {
        ('ո', Some('ւ')) => return Some(Piece::new("u", 2)),
        ('Ո', Some('ւ' | 'Ւ')) => return Some(Piece::new("U", 2)),
        ('ի', Some('ւ')) => return Some(Piece::new("yu", 2)),
        _ => {}
    }
    let small = c.to_lowercase().next().unwrap_or(c);
    let latin = match (small, place.starts_word()) {
        ('ե', true) => "ye",
        ('ո', true) => "vo",
        _ => armenian_letter(small)?,
    };
    Some(Piece::new(if c == small { latin.into() } else { titled(latin) }, 1))
}

fn armenian_word(place: &Place) -> Option<Piece> {
    let whole = |(armenian, _): &&(&str, &str)| {
        place.starts_with(armenian) && place.ends_word(armenian.chars().count())
    };
    let (armenian, latin) = ARMENIAN_WORDS.iter().filter(|_| place.starts_word()).find(whole)?;
    Some(Piece::new(*latin, armenian.chars().count()))
}

fn armenian_letter(small: char) -> Option<&'static str> {
    Some(match small {
        'ա' | 'ՠ' => "a",
        'բ' => "b",
        'գ' => "g",
        'դ' => "d",
        'ե' | 'է' | 'ը' => "e",
        'զ' => "z",
        'թ' | 'տ' => "t",
        'ժ' => "zh",
        'ի' => "i",
        'լ' => "l",
        'խ' => "kh",
        'ծ' => "ts",
        'կ' | 'ք' => "k",
        'հ' => "h",
        'ձ' => "dz",
        'ղ' => "gh",
        'ճ' => "tch",
        'մ' => "m",
        'յ' | 'ֈ' => "y",
        'ն' => "n",
        'շ' => "sh",
        'ո' | 'օ' => "o",
        'չ' => "ch",
        'պ' | 'փ' => "p",
        'ջ' => "j",
        'ռ' | 'ր' | 'ՙ' => "r",
        'ս' => "s",
        'վ' => "v",
        'ց' => "c",
        'ւ' => "w",
        'ֆ' => "f",
        'և' => "ev",
        '՛' | '՟' => "",
        '՝' => ",",
        '։' => ".",
        '֊' => "-",
        _ => return None,
    })
}

/// Letters of the modern alphabet and of older ones, from U+10D0.
#[rustfmt::skip]
const GEORGIAN: [&str; 43] = [
    "a", "b", "g", "d", "e", "v", "z", "t", "i", "k", "l", "m", "n", "o", "p", "zh", "r", "s", "t", "u", "ph", "kh",
    "gh", "q", "sh", "ch", "ts", "dz", "ts", "ch", "x", "j", "h", "ey", "i", "w", "q", "o", "f", "e", "a", "g", "'",
];

pub fn georgian(place: &Place) -> Option<Piece> {
    let c = u32::from(place.char());
    let letter = |first: u32| GEORGIAN.get(c.checked_sub(first)? as usize).copied();
    Some(match c {
        0x10FC => Piece::new("n", 1),
        0x10FD => Piece::new("e", 1),
        0x10FE => Piece::new("", 1),
        0x10FF => Piece::new("w", 1),
        0x10D0.. if c < 0x1C90 => Piece::new(letter(0x10D0)?, 1),
        0x1C90.. => Piece::new(capital(letter(0x1C90)?, place), 1),
        _ => Piece::new(capital(letter(0x10A0)?, place), 1),
    })
}

const DAGESH: char = '\u{5BC}';
const SIN_DOT: char = '\u{5C2}';
const HOLAM: char = '\u{5B9}';
const GERESH: char = '\u{5F3}';

pub fn hebrew(place: &Place) -> Option<Piece> {
    let c = place.char();
    let next = place.ahead(1);
    // A letter carries at most a vowel, a dagesh and a dot.
    let carries =
        |mark| (1..=3).map_while(|offset| place.ahead(offset).filter(|&c| is_point(c))).any(|c| c == mark);
    let pair = match (c, next) {
        ('ו', Some(HOLAM)) => Some("o"),
        ('ו', Some(DAGESH)) => Some("u"),
        ('ג', Some(GERESH)) => Some("j"),
        ('ד', Some(GERESH)) => Some("dh"),
        ('ז', Some(GERESH)) => Some("zh"),
        ('ת', Some(GERESH)) => Some("th"),
        ('\u{5B4}', Some('י')) => Some("i"),
        ('\u{5B5}', Some('י')) => Some("e"),
        ('\u{5B9}', Some('א')) => Some("o"),
        _ => None,
    };
    if let Some(pair) = pair {
        return Some(Piece::new(pair, 2));
    }
    let latin = match c {
        'ב' if carries(DAGESH) => "b",
        'פ' if carries(DAGESH) => "p",
        'ש' if carries(SIN_DOT) => "s",
        // It only carries the vowel.
        'א' if next
            .is_some_and(|c| hebrew_letter(c).is_some_and(|latin| is_point(c) && !latin.is_empty())) =>
        {
            ""
        }
        _ => hebrew_letter(c)?,
    };
    Some(Piece::new(latin, 1))
}

fn is_point(c: char) -> bool {
    matches!(c, '\u{591}'..='\u{5BD}' | '\u{5BF}' | '\u{5C1}' | '\u{5C2}' | '\u{5C4}' | '\u{5C5}' | '\u{5C7}')
}

fn hebrew_letter(c: char) -> Option<&'static str> {
    Some(match c {
        'א' => "a",
        'ב' | 'ו' => "v",
        'ג' => "g",
        'ד' => "d",
        'ה' => "h",
        'ז' => "z",
        'ח' => "ch",
        'ט' | 'ת' => "t",
        'י' => "y",
        'ך' | 'כ' => "k",
        'ל' => "l",
        'ם' | 'מ' => "m",
        'ן' | 'נ' => "n",
        'ס' => "s",
        'ע' => "'",
        'ף' => "p",
        'פ' => "f",
        'ץ' | 'צ' => "ts",
        'ק' => "q",
        'ר' => "r",
        'ש' => "sh",
        'װ' => "v",
        'ױ' => "oy",
        'ײ' => "yy",
        'ׯ' => "yyy",
        '\u{5B0}' | '\u{5B1}' | '\u{5B5}' | '\u{5B6}' => "e",
        '\u{5B2}' | '\u{5B7}' | '\u{5B8}' => "a",
        '\u{5B3}' | '\u{5B9}' => "o",
        '\u{5B4}' => "i",
        '\u{5BB}' => "u",
        '\u{5BE}' => "-",
        c if is_point(c) => "",
        _ => return None,
    })
}
