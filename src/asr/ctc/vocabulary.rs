//! The tokens that a network with a CTC head spells with, from `vocab.json`.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;

use super::normalise;
use super::tokenizer_config::{SpecialTokens, TokenizerConfig};
use crate::asr::languages::codes_of_three;
use crate::models::wav2vec2::some_of;
use crate::{Error, Result};

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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Units {
    /// Letters or syllables, of which words are made.
    #[default]
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
    /// Reads `vocab.json`; of one for several languages, that of `language`. The blank is the padding that `tokenizer`
    /// names, or else number `blank`, the configuration's `pad_token_id`.
    ///
    /// # Errors
    /// One that names the file, where it cannot be read, or has no such language; and which there are.
    pub(super) fn read(
        path: &Path,
        blank: u32,
        language: Option<&str>,
        tokenizer: &TokenizerConfig,
    ) -> Result<Self> {
        let found = Self::parse(&read_json(path)?, blank, language, &tokenizer.special);
        let found = found.map_err(|reason| Error::model(path.display().to_string(), reason))?;
        Ok(Self { units: tokenizer.units, ..found })
    }

    fn parse(
        json: &str,
        blank: u32,
        language: Option<&str>,
        special: &SpecialTokens,
    ) -> Result<Self, String> {
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
        let blank = special.pad.as_ref().and_then(|pad| numbers.get(pad).copied()).unwrap_or(blank);
        if count == 0 || count > MOST || blank as usize >= count {
            return Err(format!("has {count} tokens, of which {blank} should be the blank"));
        }
        Ok(Self { language, ..Self::from_numbers(numbers, count, blank, special) })
    }

    fn from_numbers(
        numbers: BTreeMap<String, u32>,
        count: usize,
        blank: u32,
        special: &SpecialTokens,
    ) -> Self {
        let mut tokens = vec![String::new(); count];
        let delimiter = special.delimiter.as_ref().and_then(|delimiter| {
            // Some vocabularies have the space itself where the file says a bar.
            numbers.get(delimiter).or_else(|| numbers.get(" ")).copied()
        });
        for (token, number) in numbers {
            tokens[number as usize] = token;
        }
        for (number, token) in tokens.iter_mut().enumerate() {
            if number == blank as usize || special.silent.contains(token) {
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
        Self::from_numbers(numbers, tokens.len(), blank, &SpecialTokens::default())
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

/// Whether the vocabulary at `path` is one for each of several languages.
///
/// # Errors
/// One that names the file, where it cannot be read.
pub(super) fn is_by_language(path: &Path) -> Result<bool> {
    Ok(matches!(serde_json::from_str(&read_json(path)?), Ok(Json::ByLanguage(_))))
}

fn read_json(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).map_err(|error| Error::io(path, error))
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

    fn parse(json: &str, blank: u32, language: Option<&str>) -> Result<Vocabulary, String> {
        Vocabulary::parse(json, blank, language, &SpecialTokens::default())
    }

    #[test]
    fn special_tokens_spell_nothing() {
        let json = r#"{"<pad>": 0, "<s>": 1, "|": 2, "a": 3, "é": 4, "<unk>": 6}"#;
        let vocabulary = parse(json, 0, None).unwrap();
        assert_eq!(vocabulary.len(), 7);
        assert_eq!(
            [0, 1, 2, 3, 4, 5, 6, 99].map(|token| vocabulary.spelling(token)),
            ["", "", "", "a", "é", "", "", ""]
        );
        assert_eq!([1, 2, 3].map(|token| vocabulary.is_text(token)), [false, true, true]);
    }

    #[test]
    fn what_is_said_of_tokens_counts() {
        let json = r#"{" ": 0, "a": 1, "|": 2, "[UNK]": 3, "[PAD]": 4, "<noise>": 5}"#;
        let usual = SpecialTokens::default();
        let special = SpecialTokens {
            delimiter: Some(" ".into()),
            pad: Some("[PAD]".into()),
            silent: usual.silent.iter().cloned().chain(["<noise>".into()]).collect(),
        };
        let vocabulary = Vocabulary::parse(json, 0, None, &special).unwrap();
        assert_eq!((vocabulary.blank(), vocabulary.delimiter()), (4, Some(0)));
        assert_eq!([0, 1, 2, 3, 4, 5].map(|token| vocabulary.spelling(token)), ["", "a", "|", "", "", ""]);
        // Where the vocabulary has no bar, its space parts words.
        let vocabulary = Vocabulary::parse(r#"{"<pad>": 0, " ": 1, "a": 2}"#, 0, None, &usual).unwrap();
        assert_eq!(vocabulary.delimiter(), Some(1));
    }

    #[test]
    fn one_of_several_languages_is_taken() {
        let json = r#"{"hin": {"<pad>": 0, "क": 1}, "eng": {"<pad>": 0, "a": 1}}"#;
        for language in ["hin", "hi"] {
            let vocabulary = parse(json, 0, Some(language)).unwrap();
            assert_eq!((vocabulary.spelling(1), vocabulary.language()), ("क", Some("hin")));
        }
        for (language, reason) in [(None, "eng, hin"), (Some("tam"), "no language tam")] {
            assert!(parse(json, 0, language).unwrap_err().contains(reason));
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
            assert!(parse(json, 1, None).is_err(), "{json}");
        }
    }
}
