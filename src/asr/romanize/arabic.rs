//! The Arabic script, with the letters of Persian, Urdu and their neighbours: consonants as they stand, vowels only where
//! they are written.

use super::{Piece, Place};

pub fn piece(place: &Place) -> Option<Piece> {
    if let Some(several) = several(place) {
        return Some(several);
    }
    let c = place.char();
    let latin = match (place.language, c) {
        ("fa", 'ه') if place.ends_word(1) => "e",
        ("fa", _) => persian(c).or_else(|| letter(c))?,
        _ => letter(c)?,
    };
    Some(Piece::new(latin, 1))
}

/// Whether `c` is a vowel mark that is written with Latin letters.
pub fn sounds(c: char) -> bool {
    matches!(c, '\u{64E}'..='\u{650}' | '\u{656}' | '\u{657}' | '\u{659}' | '\u{670}')
}

/// Letters that are read together.
fn several(place: &Place) -> Option<Piece> {
    let persian = place.language == "fa";
    let (latin, length) = match (place.char(), place.ahead(1)?, place.ahead(2)) {
        ('آ' | 'ا', 'ئ', Some('و')) if persian => ("au", 3),
        ('آ' | 'ا', 'ئ', Some('ی')) if persian => ("ai", 3),
        ('ع', 'ا', _) if persian => ("a", 2),
        ('ع', 'و', _) if persian => ("u", 2),
        ('ع', 'ی', _) if persian => ("i", 2),
        ('ه', '\u{654}', _) if persian && place.ends_word(2) => ("eye", 2),
        ('ا', '\u{64B}', _) => ("an", 2),
        ('ا', 'ی', _) if place.starts_word() => ("i", 2),
        _ => return None,
    };
    Some(Piece::new(latin, length))
}

fn persian(c: char) -> Option<&'static str> {
    Some(match c {
        'ث' => "s",
        'ذ' | 'ض' => "z",
        'ع' => "a",
        'و' => "v",
        'چ' => "ch",
        _ => return None,
    })
}

fn letter(c: char) -> Option<&'static str> {
    Some(match c {
        'ء' | '\u{654}' | '\u{655}' | 'ع' => "'",
        'آ' | 'أ' | 'ا' | 'ة' | 'ى' | '\u{64E}' | '\u{656}' | '\u{670}' | 'ٱ' | 'ٲ' | 'ٳ' | 'ٵ' | 'ۃ' => {
            "a"
        }
        'إ' | '\u{650}' | 'ی' => "i",
        'ؤ' | 'و' | 'ۄ' | 'ۊ' | 'ۏ' => "w",
        'ئ' | 'ؠ' | 'ؽ' | 'ؾ' | 'ؿ' | 'ۍ' | 'ێ' | 'ۑ' | 'ے' | 'ۓ' => "ye",
        'ب' | 'ٮ' | 'ٻ' | 'ڀ' => "b",
        'ت' | 'ط' | 'ټ' | 'ٽ' | 'ٿ' | 'ڟ' => "t",
        'ث' | 'ذ' => "th",
        'ج' | 'ژ' => "j",
        'ح' | 'ه' | 'ھ' | 'ہ' | 'ۀ' | 'ۂ' | 'ۿ' | 'ڂ' => "h",
        'خ' | 'ښ' => "kh",
        'د' | 'ض' | 'ډ' | 'ڊ' | 'ڋ' | 'ڌ' | 'ڎ' | 'ڏ' | 'ڐ' | 'ۮ' | 'ۻ' => "d",
        'ر' | 'ڒ' | 'ړ' | 'ڔ' | 'ڕ' | 'ڗ' | 'ڙ' | 'ۯ' => "r",
        'ز' | 'ظ' | 'ځ' => "z",
        'س' | 'ص' | 'ڛ' | 'ڜ' | 'ڝ' | 'ڞ' => "s",
        'ش' | 'ۺ' => "sh",
        'غ' | 'ۼ' => "gh",
        'ف' | 'ڡ' | 'ڢ' | 'ڣ' | 'ڥ' => "f",
        'ق' | 'ٯ' | 'ڧ' | 'ڨ' => "q",
        'ك' | 'ػ' | 'ؼ' | 'ک' | 'ڪ' | 'ڬ' | 'ڮ' => "k",
        'ل' | 'ڵ' | 'ڶ' | 'ڷ' | 'ڸ' => "l",
        'م' => "m",
        'ن' | 'ڠ' | 'ڹ' | 'ں' | 'ڼ' | 'ڽ' => "n",
        'ي' => "y",
        '\u{64F}' | '\u{657}' | 'ٷ' | 'ۇ' => "u",
        'ٹ' | 'ٺ' => "tt",
        'پ' | 'ڦ' => "p",
        'ڃ' => "ny",
        'ڄ' => "dy",
        'څ' => "ts",
        'چ' | 'ڇ' | 'ڿ' => "tch",
        'ڈ' | 'ڍ' => "dd",
        'ڑ' => "rr",
        'ڤ' | 'ۋ' => "v",
        'ګ' | 'گ' | 'ڰ' | 'ڲ' | 'ڳ' | 'ڴ' | 'ږ' => "g",
        'ڭ' | 'ڱ' => "ng",
        'ڻ' => "rn",
        'ۅ' | 'ۆ' => "oe",
        'ۈ' | 'ۉ' => "yu",
        'ې' | '\u{659}' => "e",
        'ە' => "ae",
        '،' | '٫' | '٬' => ",",
        '؛' => ";",
        '؟' => "?",
        '٪' => "%",
        '۔' => ".",
        '۽' => "&",
        'ـ' => "",
        _ => return None,
    })
}
