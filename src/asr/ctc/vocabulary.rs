//! The tokens that a network with a CTC head spells with, from `vocab.json`.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;

use super::normalise;
use crate::asr::languages::codes_of_three;
use crate::models::wav2vec2::some_of;
use crate::{Error, Result};

/// What stands for the end of a word in every published vocabulary.
const DELIMITER: &str = "|";
/// Tokens that spell nothing.
const SILENT: [&str; 5] = ["<pad>", "<s>", "</s>", "<unk>", "[PAD]"];

/// Tokens by number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vocabulary {
    tokens: Vec<String>,
    blank: u32,
    delimiter: Option<u32>,
    units: Units,
    language: Option<String>,
}

/// What tokens are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Units {
    /// Letters or syllables, of which words are made.
    Letters,
    /// Phones, which stand by themselves as words do.
    Phones,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Json {
    /// Token to number.
    One(BTreeMap<String, u32>),
    /// The same for each language (MMS).
    ByLanguage(BTreeMap<String, BTreeMap<String, u32>>),
}

impl Vocabulary {
    /// Reads `vocab.json`; of one for several languages, that of `language`. `blank` is the configuration's `pad_token_id`.
    ///
    /// # Errors
    /// One that names the file, where it cannot be read, or has no such language; and which there are.
    pub fn read(path: &Path, blank: u32, language: Option<&str>) -> Result<Self> {
        let json = std::fs::read_to_string(path).map_err(|error| Error::io(path, error))?;
        Self::parse(&json, blank, language).map_err(|reason| Error::model(path.display().to_string(), reason))
    }

    fn parse(json: &str, blank: u32, language: Option<&str>) -> Result<Self, String> {
        let (numbers, language) =
            match serde_json::from_str(json).map_err(|_| "is no vocabulary of token to number".to_owned())? {
                Json::One(numbers) => (numbers, None),
                Json::ByLanguage(mut languages) => {
                    let known = some_of(languages.keys().map(String::as_str), language.unwrap_or_default());
                    let name = language.ok_or_else(|| format!("a language is needed; there are {known}"))?;
                    let key = meant(languages.keys().map(String::as_str), name).map(str::to_owned);
                    let key = key.ok_or_else(|| format!("has no language {name}; there are {known}"))?;
                    (languages.remove(&key).unwrap_or_default(), Some(key))
                }
            };
        /// More than any alphabet or set of syllables has.
        const MOST: usize = 1 << 20;
        let count = numbers.values().max().map_or(0, |&most| most as usize + 1);
        if count == 0 || count > MOST || blank as usize >= count {
            return Err(format!("has {count} tokens, of which {blank} should be the blank"));
        }
        Ok(Self { language, ..Self::from_numbers(numbers, count, blank) })
    }

    fn from_numbers(numbers: BTreeMap<String, u32>, count: usize, blank: u32) -> Self {
        let mut tokens = vec![String::new(); count];
        let delimiter = numbers.get(DELIMITER).copied();
        for (token, number) in numbers {
            tokens[number as usize] = token;
        }
        for (number, token) in tokens.iter_mut().enumerate() {
            if number == blank as usize || SILENT.contains(&token.as_str()) {
                token.clear();
            }
        }
        Self { tokens, blank, delimiter, units: Units::Letters, language: None }
    }

    /// One of `tokens`, of which number `blank` is the blank.
    ///
    /// # Panics
    /// Where there are not so many.
    pub fn from_tokens(tokens: &[&str], blank: u32) -> Self {
        assert!((blank as usize) < tokens.len(), "the blank is one of the tokens");
        let numbers = (0u32..).zip(tokens).map(|(number, token)| ((*token).to_owned(), number)).collect();
        Self::from_numbers(numbers, tokens.len(), blank)
    }

    /// The same with tokens that are `units`.
    pub fn of(self, units: Units) -> Self {
        Self { units, ..self }
    }

    /// What its tokens are.
    pub fn units(&self) -> Units {
        self.units
    }

    /// The name that the file has for its language, of a vocabulary for several.
    pub fn language(&self) -> Option<&str> {
        self.language.as_deref()
    }

    /// Number of tokens.
    pub fn len(&self) -> usize {
        self.tokens.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.tokens.is_empty()
    }

    /// The token that stands for nothing new.
    pub fn blank(&self) -> u32 {
        self.blank
    }

    /// The token between words.
    pub fn delimiter(&self) -> Option<u32> {
        self.delimiter
    }

    /// What `token` spells; nothing for the blank, the delimiter and other special tokens.
    pub fn spelling(&self, token: u32) -> &str {
        match self.delimiter == Some(token) {
            true => "",
            false => self.tokens.get(token as usize).map_or("", String::as_str),
        }
    }

    /// The words of `text`, which is in `language`, as they are spelled with these tokens: as [`normalise`] has them, in
    /// capitals where there are no small letters. Where there are both, and of phones, they stay as they are.
    pub fn spelled(&self, text: &str, language: &str) -> String {
        let has = |is_such: fn(char) -> bool| self.tokens.iter().any(|token| token.chars().any(is_such));
        match (self.units, has(char::is_uppercase), has(char::is_lowercase)) {
            (Units::Phones, ..) | (_, true, true) => text.split_whitespace().collect::<Vec<_>>().join(" "),
            (_, true, false) => normalise(text, language).to_uppercase(),
            (_, false, _) => normalise(text, language),
        }
    }

    /// Whether `token` is part of a text: it spells something or ends a word.
    pub fn is_text(&self, token: u32) -> bool {
        self.delimiter == Some(token) || !self.spelling(token).is_empty()
    }
}

/// Whether MMS's name of a language, a code of three letters and sometimes a script (`urd-script_arabic`), is that of
/// `language`, any of its codes.
pub fn is_meant(key: &str, language: &str) -> bool {
    let code = key.split('-').next().unwrap_or(key);
    key == language || code == language || codes_of_three(language).contains(&code)
}

/// Which of MMS's names is that of `language`: the very name, or else the first that [`is_meant`].
pub fn meant<'a>(names: impl Iterator<Item = &'a str> + Clone, language: &str) -> Option<&'a str> {
    names
        .clone()
        .find(|name| *name == language)
        .or_else(|| names.clone().find(|name| is_meant(name, language)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn special_tokens_spell_nothing() {
        let json = r#"{"<pad>": 0, "<s>": 1, "|": 2, "a": 3, "é": 4, "<unk>": 6}"#;
        let vocabulary = Vocabulary::parse(json, 0, None).unwrap();
        assert_eq!(vocabulary.len(), 7);
        assert_eq!(
            [0, 1, 2, 3, 4, 5, 6, 99].map(|token| vocabulary.spelling(token)),
            ["", "", "", "a", "é", "", "", ""]
        );
        assert_eq!([1, 2, 3].map(|token| vocabulary.is_text(token)), [false, true, true]);
    }

    #[test]
    fn one_of_several_languages_is_taken() {
        let json = r#"{"hin": {"<pad>": 0, "क": 1}, "eng": {"<pad>": 0, "a": 1}}"#;
        for language in ["hin", "hi"] {
            let vocabulary = Vocabulary::parse(json, 0, Some(language)).unwrap();
            assert_eq!((vocabulary.spelling(1), vocabulary.language()), ("क", Some("hin")));
        }
        for (language, reason) in [(None, "eng, hin"), (Some("tam"), "no language tam")] {
            assert!(Vocabulary::parse(json, 0, language).unwrap_err().contains(reason));
        }
    }

    #[test]
    fn words_are_spelled_with_the_letters_that_there_are() {
        let of = |tokens: &[&str]| Vocabulary::from_tokens(&[&["<pad>", "|"], tokens].concat(), 0);
        let cases = [
            (of(&["a", "i"]), "tr", "Işık; DİL", "ışık dil"),
            (of(&["A", "B"]), "en", "don’t Stop.", "DON'T STOP"),
            (of(&["A", "b"]), "de", " in  Köln", "in Köln"),
            (of(&["ک", "ي"]), "ur", "كيا", "کیا"),
            (of(&["tʃ", "iː"]).of(Units::Phones), "en", "tʃ iː", "tʃ iː"),
        ];
        for (vocabulary, language, text, expected) in cases {
            assert_eq!(vocabulary.spelled(text, language), expected, "{text}");
        }
    }

    #[test]
    fn phones_stand_by_themselves() {
        let token = |token, at| super::super::SpelledToken { token, frames: at..at + 1, probability: 1.0 };
        let vocabulary = Vocabulary::from_tokens(&["<pad>", "|", "tʃ", "iː"], 0).of(Units::Phones);
        let spelled = super::super::Spelled::new(
            vec![token(2, 0), token(3, 1), token(1, 2), token(2, 3)],
            &vocabulary,
            0.0,
        );
        assert_eq!((spelled.text.as_str(), spelled.words.len()), ("tʃ iː tʃ", 3));
    }

    #[test]
    fn nonsense_is_refused() {
        for json in ["[]", "{}", r#"{"a": -1}"#, r#"{"a": 4000000000}"#, r#"{"a": 0}"#] {
            assert!(Vocabulary::parse(json, 1, None).is_err(), "{json}");
        }
    }
}
