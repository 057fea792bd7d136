//! Cyrillic, as Russian, Ukrainian, Belarusian, Bulgarian, Serbian and Macedonian read it, and all others.

use super::{Piece, Place, capital, titled};

const ACUTE: char = '\u{301}';

/// Capitals that stay "Zh" among other capitals; the rest become "DZ" there.
const TITLED: &str = "ЁЖХЦЧШЩЄЮЯЏҤ";

pub fn piece(place: &Place) -> Option<Piece> {
    if let Some(several) = several(place) {
        return Some(several);
    }
    let c = place.char();
    let mut lower = c.to_lowercase();
    let small = lower.next().unwrap_or(c);
    let latin = match (place.language, small) {
        ("ru", 'е') if place.starts_word() => "ye",
        _ => own_letter(place.language, small).or_else(|| letter(small))?,
    };
    let latin = match c {
        _ if c == small => latin.into(),
        _ if TITLED.contains(c) || (place.language, c) == ("ru", 'Е') => titled(latin),
        'Ї' if place.language == "uk" => titled(latin),
        'Ђ' | 'Љ' | 'Ћ' if place.language == "sr" => titled(latin),
        _ => capital(latin, place),
    };
    Some(Piece::new(latin, 1))
}

/// Letters that are read together.
fn several(place: &Place) -> Option<Piece> {
    if place.starts_with("ий") {
        let latin = match (place.ends_word(2), place.language) {
            (true, _) => "y",
            (false, "uk") => "yi",
            (false, _) => "iy",
        };
        return Some(Piece::new(latin, 2));
    }
    match place.language {
        "ru" => iotated(place),
        "uk" if place.starts_with("иї") => Some(Piece::new("yi", 2)),
        "uk" if place.starts_with("Иї") => Some(Piece::new("Yi", 2)),
        "uk" if place.starts_with("ій") => Some(Piece::new("iy", 2)),
        "bg" if place.starts_with("ия") && place.ends_word(2) => Some(Piece::new("ia", 2)),
        "bg" if place.starts_with("ИЯ") && place.ends_word(2) => Some(Piece::new("IA", 2)),
        _ => None,
    }
}

/// A Russian е or ё after a vowel or a sign, which begins with a glide there.
fn iotated(place: &Place) -> Option<Piece> {
    let first = place.char();
    if !"аеиоуъь".contains(first) {
        return None;
    }
    let accent = usize::from(place.ahead(1) == Some(ACUTE) && !"ъь".contains(first));
    let glide = match place.ahead(1 + accent)? {
        'е' => "ye",
        'ё' => "yo",
        _ => return None,
    };
    Some(Piece::new(format!("{}{glide}", letter(first)?), 2 + accent))
}

/// What a language reads in its own way.
fn own_letter(language: &str, small: char) -> Option<&'static str> {
    Some(match (language, small) {
        ("ru" | "be", 'ё') => "yo",
        ("ru", 'й') => "y",
        ("be", 'й') => "j",
        ("uk" | "be", 'г') => "h",
        ("uk" | "be", 'ґ') => "g",
        ("uk", 'и') => "y",
        ("bg" | "sr" | "mk", 'х') => "h",
        ("bg" | "sr" | "mk", 'ц') => "c",
        ("bg", 'щ') => "sht",
        ("bg", 'ъ' | 'ѫ') => "u",
        ("ru" | "uk" | "be" | "bg", 'ѣ') => "e",
        _ => return None,
    })
}

fn letter(small: char) -> Option<&'static str> {
    Some(match small {
        'а' | 'ӑ' | 'ӓ' => "a",
        'б' => "b",
        'в' => "v",
        'г' => "g",
        'д' | 'ԁ' => "d",
        'е' | 'ё' | 'э' | 'ѥ' | 'ә' | 'ӛ' | 'ӭ' => "e",
        'ж' | 'җ' | 'ӂ' | 'ӝ' => "zh",
        'з' | 'ҙ' | 'ӟ' | 'ԑ' => "z",
        'и' | 'й' | 'і' | 'ѝ' | 'ѵ' | 'ѷ' | 'ҋ' | 'ӣ' | 'ӥ' => "i",
        'к' | 'ҁ' | 'қ' | 'ҝ' | 'ҟ' | 'ҡ' | 'ӄ' | 'ѹ' | 'ԟ' => "k",
        'л' | 'ӆ' | 'ԓ' | 'ԡ' | 'ԯ' => "l",
        'м' | 'ӎ' => "m",
        'н' | 'ң' | 'ӈ' | 'ӊ' | 'ԣ' | 'ԩ' => "n",
        'о' | 'ӧ' | 'ө' | 'ӫ' | 'ѡ' | 'ѻ' | 'ѽ' => "o",
        'п' | 'ҧ' | 'ԥ' => "p",
        'р' | 'ҏ' => "r",
        'с' | 'ҫ' | 'ҍ' => "s",
        'т' | 'ҭ' | 'ѿ' => "t",
        'у' | 'ў' | 'ү' | 'ұ' | 'ӯ' | 'ӱ' | 'ӳ' => "u",
        'ф' | 'ѳ' => "f",
        'х' => "kh",
        'ҩ' | 'ҳ' | 'ӽ' | 'ӿ' => "h",
        'ц' | 'ҵ' => "ts",
        'ч' | 'ҷ' | 'ҹ' | 'ҽ' | 'ҿ' | 'ӌ' | 'ӵ' => "ch",
        'ш' => "sh",
        'щ' => "shch",
        'ъ' | 'ь' => "",
        'ы' => "y",
        'ю' | 'ѧ' | 'ѩ' | 'ѫ' | 'ѭ' => "yu",
        'я' | 'ѣ' => "ya",
        'ђ' | 'ԃ' => "dj",
        'ѓ' => "gj",
        'є' | 'ѐ' | 'ӗ' => "ie",
        'ѕ' | 'ӡ' => "dz",
        'ї' => "yi",
        'ј' => "j",
        'љ' | 'ԉ' => "lj",
        'њ' | 'ԋ' => "nj",
        'ћ' => "tsh",
        'ќ' => "kj",
        'џ' => "dzh",
        'ѯ' => "ks",
        'ѱ' => "ps",
        'ґ' | 'ғ' | 'ҕ' | 'ӷ' | 'ӻ' => "gh",
        'ҥ' => "ng",
        'һ' | 'ԧ' => "shh",
        // The palochka, which has one form for both cases in most texts.
        'ӏ' => "'",
        'ӕ' => "ae",
        'ӹ' => "ye",
        'ԅ' => "zj",
        'ԇ' => "dzj",
        'ԍ' => "sj",
        'ԏ' => "tj",
        'ԕ' => "lh",
        'ԗ' => "rh",
        'ԙ' => "yae",
        'ԛ' => "q",
        'ԝ' => "w",
        'ԫ' => "dzzh",
        'ԭ' => "dch",
        _ => return None,
    })
}
