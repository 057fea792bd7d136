//! Greek, with its pairs of letters, in modern reading; and the letters of Coptic that share its block.

use unicode_normalization::UnicodeNormalization;

use super::{Piece, Place, capital, titled};

/// Rough and smooth breathing; rho with either is written with an h.
const BREATHINGS: [char; 2] = ['\u{313}', '\u{314}'];

#[rustfmt::skip]
const TOGETHER: [(&str, &str); 19] = [
    ("λμπ", "lb"), ("νμπ", "nb"), ("ρμπ", "rb"),
    ("αυ", "au"), ("ει", "ei"), ("ευ", "eu"), ("ηυ", "eu"), ("ου", "ou"), ("υι", "ui"), ("ωυ", "ou"),
    ("Αυ", "Au"), ("Ει", "Ei"), ("Ευ", "Eu"), ("Ηυ", "Eu"), ("Ου", "Ou"), ("Υι", "Ui"), ("Ωυ", "Ou"),
    ("γγ", "ng"), ("ντ", "nd"),
];

pub fn piece(place: &Place) -> Option<Piece> {
    if let Some(several) = several(place) {
        return Some(several);
    }
    let c = place.char();
    let mut parts = [c].into_iter().nfd();
    let base = parts.next()?;
    let marks: Vec<char> = parts.collect();
    let small = base.to_lowercase().next().unwrap_or(base);
    let latin = match small {
        'υ' if !marks.is_empty() => "u",
        'ρ' if marks.iter().any(|mark| BREATHINGS.contains(mark)) => "rh",
        'β' | 'ϐ' if place.language == "el" => "v",
        _ => letter(small)?,
    };
    let latin = match c {
        _ if base == small => latin.into(),
        'Χ' => titled(latin),
        _ => capital(latin, place),
    };
    Some(Piece::new(latin, 1))
}

fn several(place: &Place) -> Option<Piece> {
    if let Some((greek, latin)) = TOGETHER.iter().find(|(greek, _)| place.starts_with(greek)) {
        return Some(Piece::new(*latin, greek.chars().count()));
    }
    // Voiced stops have no letters of their own.
    let latin = match (place.char(), place.ahead(1)?, place.starts_word()) {
        ('γ', 'κ', true) => "g",
        ('γ', 'κ', false) => "ng",
        ('μ', 'π', true) => "b",
        ('μ', 'π', false) => "mb",
        ('Γ', 'κ', _) => "G",
        ('Μ', 'π', _) => "B",
        ('Ν', 'τ', _) => "D",
        _ => return None,
    };
    Some(Piece::new(latin, 2))
}

fn letter(small: char) -> Option<&'static str> {
    Some(match small {
        'α' => "a",
        'β' | 'ϐ' => "b",
        'γ' => "g",
        'δ' | 'ϝ' => "d",
        'ε' | 'η' | 'ϵ' => "e",
        'ζ' => "z",
        'θ' | 'ϑ' => "th",
        'ι' => "i",
        'κ' | 'ϰ' | 'ϙ' | 'ϟ' => "k",
        'λ' => "l",
        'μ' => "m",
        'ν' => "n",
        'ξ' => "x",
        'ο' | 'ω' => "o",
        'π' | 'ϖ' => "p",
        'ρ' | 'ϱ' | 'ϼ' => "r",
        'σ' | 'ς' | 'ϲ' | 'ͻ' | 'ͼ' | 'ͽ' | 'ͳ' | 'ϡ' | 'ϻ' => "s",
        'τ' => "t",
        'υ' | 'ϒ' => "y",
        'φ' | 'ϕ' | 'ϥ' => "f",
        'χ' => "ch",
        'ψ' => "ps",
        'ͱ' | 'ϩ' => "h",
        'ͷ' => "w",
        'ͺ' | '΄' => "",
        'ϗ' => "kai",
        'ϛ' => "st",
        'ϣ' | 'ϸ' => "sh",
        'ϧ' => "kh",
        'ϫ' => "j",
        'ϭ' => "ch",
        'ϯ' => "ti",
        'ϳ' => "yo",
        _ => return None,
    })
}
