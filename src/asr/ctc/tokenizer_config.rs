//! What is said of a vocabulary beside `vocab.json`: `tokenizer_config.json` and `special_tokens_map.json`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer};

use super::vocabulary::Units;
use crate::{Error, Result};

/// What stands for the end of a word where nothing is said: transformers' default.
const DELIMITER: &str = "|";
/// Tokens that spell nothing, said or not.
const SILENT: [&str; 7] = ["<pad>", "<s>", "</s>", "<unk>", "[PAD]", "[UNK]", "<mask>"];

/// What is of use of both files.
#[derive(Debug, Default)]
pub(super) struct TokenizerConfig {
    /// The language that the network's own weights are for, where it has adapters for others.
    pub target_lang: Option<String>,
    /// What its tokens are.
    pub units: Units,
    /// Its tokens that are no text.
    pub special: SpecialTokens,
}

/// Tokens that are no text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SpecialTokens {
    /// The token between words; none where words are not parted.
    pub delimiter: Option<String>,
    /// The blank, where it is said.
    pub pad: Option<String>,
    /// Tokens that spell nothing.
    pub silent: BTreeSet<String>,
}

impl Default for SpecialTokens {
    fn default() -> Self {
        Self {
            delimiter: Some(DELIMITER.to_owned()),
            pad: None,
            silent: SILENT.map(str::to_owned).into_iter().collect(),
        }
    }
}

/// `tokenizer_config.json`; `special_tokens_map.json` has some of it.
#[derive(Debug, Deserialize, Default)]
struct Json {
    tokenizer_class: Option<String>,
    target_lang: Option<String>,
    /// Null, too, says something: that there is none.
    #[serde(default, deserialize_with = "said")]
    word_delimiter_token: Option<Option<Token>>,
    pad_token: Option<Token>,
    unk_token: Option<Token>,
    bos_token: Option<Token>,
    eos_token: Option<Token>,
    mask_token: Option<Token>,
    additional_special_tokens: Option<Vec<Token>>,
    #[serde(default)]
    added_tokens_decoder: BTreeMap<String, AddedToken>,
}

/// A token as older and as newer versions of transformers write it.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Token {
    Plain(String),
    Added { content: String },
    Other(IgnoredAny),
}

#[derive(Debug, Deserialize)]
struct AddedToken {
    content: String,
    #[serde(default)]
    special: bool,
}

fn said<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<Token>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

impl Token {
    fn text(&self) -> Option<&str> {
        match self {
            Self::Plain(text) | Self::Added { content: text } => Some(text),
            Self::Other(_) => None,
        }
    }
}

impl Json {
    /// The names of tokens that are no text.
    fn silent(&self) -> impl Iterator<Item = String> {
        let named = [&self.pad_token, &self.unk_token, &self.bos_token, &self.eos_token, &self.mask_token];
        let named = named.into_iter().flatten().chain(self.additional_special_tokens.iter().flatten());
        let added = self.added_tokens_decoder.values().filter(|token| token.special);
        named.filter_map(Token::text).chain(added.map(|token| token.content.as_str())).map(str::to_owned)
    }
}

impl TokenizerConfig {
    /// That of the model in `folder`; the usual where nothing is said. What both files say is as the first has it.
    ///
    /// # Errors
    /// One that names the file that cannot be read.
    pub fn beside(folder: &Path) -> Result<Self> {
        let read = |name: &str| side_file(&folder.join(name));
        Ok(Self::of(read("tokenizer_config.json")?, read("special_tokens_map.json")?))
    }

    fn of(config: Json, map: Json) -> Self {
        let text = |token: Option<&Token>| token.and_then(Token::text).map(str::to_owned);
        let usual = SpecialTokens::default();
        let delimiter = match config.word_delimiter_token.as_ref().or(map.word_delimiter_token.as_ref()) {
            Some(said) => text(said.as_ref()),
            None => usual.delimiter,
        };
        let special = SpecialTokens {
            delimiter,
            pad: text(config.pad_token.as_ref().or(map.pad_token.as_ref())),
            silent: usual.silent.into_iter().chain(config.silent()).chain(map.silent()).collect(),
        };
        let spells_phones = config.tokenizer_class.is_some_and(|class| class.contains("Phoneme"));
        Self {
            target_lang: config.target_lang,
            units: if spells_phones { Units::Phones } else { Units::Letters },
            special,
        }
    }
}

/// A JSON file beside the weights; as if it were empty, where it is not there.
fn side_file(path: &Path) -> Result<Json> {
    let json = match std::fs::read_to_string(path) {
        Ok(json) => json,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Json::default()),
        Err(error) => return Err(Error::io(path, error)),
    };
    serde_json::from_str(&json).map_err(|error| {
        Error::model(path.display().to_string(), format!("is not what it should be: {error}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn special(config: &str, map: &str) -> SpecialTokens {
        TokenizerConfig::of(serde_json::from_str(config).unwrap(), serde_json::from_str(map).unwrap()).special
    }

    #[test]
    fn the_delimiter_is_what_the_first_file_says_or_else_the_second_or_else_a_bar() {
        let space = r#"{"word_delimiter_token": " "}"#;
        let object = r#"{"word_delimiter_token": {"content": "/", "lstrip": false}}"#;
        let none = r#"{"word_delimiter_token": null}"#;
        let cases = [
            ("{}", "{}", Some("|")),
            (space, "{}", Some(" ")),
            ("{}", space, Some(" ")),
            (object, space, Some("/")),
            (none, space, None),
        ];
        for (config, map, expected) in cases {
            assert_eq!(special(config, map).delimiter.as_deref(), expected, "{config} {map}");
        }
    }

    #[test]
    fn special_tokens_are_found_in_every_form() {
        let config = r#"{
            "unk_token": "[UNK]", "pad_token": {"content": "[PAD]"}, "bos_token": null, "eos_token": 7,
            "additional_special_tokens": ["<a>", {"content": "<b>"}],
            "added_tokens_decoder": {"4": {"content": "<c>", "special": true}, "5": {"content": "d"}}
        }"#;
        let found = special(config, r#"{"bos_token": "<begin>"}"#);
        assert_eq!(found.pad.as_deref(), Some("[PAD]"));
        for token in ["[UNK]", "[PAD]", "<a>", "<b>", "<c>", "<begin>", "</s>"] {
            assert!(found.silent.contains(token), "{token}");
        }
        assert!(!found.silent.contains("d"));
    }
}
