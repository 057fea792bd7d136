//! Whisper's tokens: text both ways, the special ones, and what each model forbids.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use serde::Deserialize;

use crate::{Error, Result};

/// From this vocabulary size on, a Whisper model knows languages other than English.
const MULTILINGUAL_VOCABULARY: usize = 51_865;

/// Whisper's vocabulary and special tokens.
pub struct Tokenizer {
    /// Bytes of each text token, by id.
    bytes: Vec<Vec<u8>>,
    special: Special,
    /// Language codes, in the order of their tokens from `special.first_language` on.
    languages: Vec<String>,
    suppressed: Vec<u32>,
    suppressed_at_begin: Vec<u32>,
    alignment_heads: Vec<(usize, usize)>,
    path: PathBuf,
    /// Only prompts need text turned into tokens, and this takes a while to load.
    encoder: OnceLock<std::result::Result<tokenizers::Tokenizer, String>>,
}

/// Ids of the special tokens.
#[derive(Debug, Clone, Copy)]
pub struct Special {
    /// End of text.
    pub end: u32,
    /// Start of transcript.
    pub start: u32,
    /// The first language; the others follow.
    pub first_language: u32,
    /// Task: into English.
    pub translate: u32,
    /// Task: as spoken.
    pub transcribe: u32,
    /// Start of the previous text, which is how a prompt is given.
    pub previous: u32,
    /// Nothing is said.
    pub no_speech: u32,
    /// No timestamps are wanted.
    pub no_timestamps: u32,
    /// The timestamp of 0 s; each next one is 20 ms later.
    pub first_timestamp: u32,
}

#[derive(Deserialize)]
struct TokenizerFile {
    #[serde(default)]
    added_tokens: Vec<AddedToken>,
    model: ModelPart,
}

#[derive(Deserialize)]
struct AddedToken {
    id: u32,
    content: String,
}

#[derive(Deserialize)]
struct ModelPart {
    vocab: HashMap<String, u32>,
}

/// What `generation_config.json` (Hugging Face) or `config.json` (CTranslate2) says of a model's tokens.
#[derive(Deserialize, Default)]
struct Generation {
    #[serde(alias = "suppress_ids", default)]
    suppress_tokens: Option<Vec<i64>>,
    #[serde(alias = "suppress_ids_begin", default)]
    begin_suppress_tokens: Option<Vec<i64>>,
    #[serde(default)]
    alignment_heads: Option<Vec<(usize, usize)>>,
}

impl Tokenizer {
    /// Reads `tokenizer.json` and, where there is one, the file that names suppressed tokens and alignment
    /// heads. `vocabulary` is the number of tokens that the network knows.
    pub fn load(tokenizer_json: &Path, generation_json: Option<&Path>, vocabulary: usize) -> Result<Self> {
        let file: TokenizerFile = read_json(tokenizer_json)?;
        let generation: Generation = generation_json.map(read_json).transpose()?.unwrap_or_default();
        let malformed = |reason: String| Error::model(tokenizer_json.display().to_string(), reason);

        let added: HashMap<&str, u32> =
            file.added_tokens.iter().map(|t| (t.content.as_str(), t.id)).collect();
        let id = |names: &[&str]| {
            names
                .iter()
                .find_map(|name| added.get(name).or_else(|| file.model.vocab.get(*name)))
                .copied()
                .ok_or_else(|| malformed(format!("has no token {}; is this a Whisper tokenizer?", names[0])))
        };
        let no_timestamps = id(&["<|notimestamps|>"])?;
        let special = Special {
            end: id(&["<|endoftext|>"])?,
            start: id(&["<|startoftranscript|>"])?,
            first_language: id(&["<|startoftranscript|>"])? + 1,
            translate: id(&["<|translate|>"])?,
            transcribe: id(&["<|transcribe|>"])?,
            previous: id(&["<|startofprev|>"])?,
            no_speech: id(&["<|nospeech|>", "<|nocaptions|>"])?,
            no_timestamps,
            first_timestamp: no_timestamps + 1,
        };
        if special.first_timestamp as usize > vocabulary {
            return Err(malformed(format!("has more tokens than the model's {vocabulary}")));
        }

        let mut languages: Vec<(u32, String)> = file
            .added_tokens
            .iter()
            .filter(|token| (special.first_language..special.translate).contains(&token.id))
            .map(|token| (token.id, token.content.trim_matches(['<', '|', '>']).to_owned()))
            .collect();
        languages.sort_unstable();
        let languages = match vocabulary >= MULTILINGUAL_VOCABULARY {
            true => languages.into_iter().map(|(_, code)| code).collect(),
            false => vec!["en".to_owned()],
        };

        let mut bytes = vec![Vec::new(); vocabulary];
        let byte_of = byte_alphabet();
        for (token, id) in &file.model.vocab {
            if let Some(bytes) = bytes.get_mut(*id as usize).filter(|_| *id < special.end) {
                *bytes = token.chars().filter_map(|c| byte_of.get(&c).copied()).collect();
            }
        }

        let ids = |list: Option<Vec<i64>>| -> Vec<u32> {
            list.unwrap_or_default().into_iter().filter_map(|id| u32::try_from(id).ok()).collect()
        };
        let mut suppressed = ids(generation.suppress_tokens);
        suppressed.extend(special.end + 1..special.first_timestamp);
        suppressed.retain(|&id| (id as usize) < vocabulary);
        suppressed.sort_unstable();
        suppressed.dedup();
        let mut suppressed_at_begin = ids(generation.begin_suppress_tokens);
        suppressed_at_begin.push(special.end);
        suppressed_at_begin.retain(|&id| (id as usize) < vocabulary);
        Ok(Self {
            bytes,
            special,
            languages,
            suppressed,
            suppressed_at_begin,
            alignment_heads: generation.alignment_heads.unwrap_or_default(),
            path: tokenizer_json.to_path_buf(),
            encoder: OnceLock::new(),
        })
    }

    /// The special tokens.
    pub fn special(&self) -> Special {
        self.special
    }

    /// Whether the model knows languages other than English.
    pub fn is_multilingual(&self) -> bool {
        self.languages.len() > 1
    }

    /// Codes of the languages that the model knows, in the order of their tokens.
    pub fn languages(&self) -> &[String] {
        &self.languages
    }

    /// The token of a language code.
    pub fn language_token(&self, code: &str) -> Option<u32> {
        let index = self.languages.iter().position(|language| language == code)?;
        Some(self.special.first_language + index as u32)
    }

    /// Tokens that are never decoded as text: sounds, symbols and the special ones.
    pub fn suppressed(&self) -> &[u32] {
        &self.suppressed
    }

    /// Tokens that no text begins with.
    pub fn suppressed_at_begin(&self) -> &[u32] {
        &self.suppressed_at_begin
    }

    /// `(layer, head)` pairs whose cross-attention follows time; empty where the model does not say.
    pub fn alignment_heads(&self) -> &[(usize, usize)] {
        &self.alignment_heads
    }

    /// Whether `token` stands for a time.
    pub fn is_timestamp(&self, token: u32) -> bool {
        token >= self.special.first_timestamp
    }

    /// Bytes of a text token; empty for special ones. A character may take several tokens.
    pub fn bytes(&self, token: u32) -> &[u8] {
        self.bytes.get(token as usize).map_or(&[], Vec::as_slice)
    }

    /// The text of `tokens`, special ones left out.
    pub fn decode(&self, tokens: &[u32]) -> String {
        let bytes: Vec<u8> = tokens.iter().flat_map(|&token| self.bytes(token)).copied().collect();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// The tokens of `text`.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>> {
        let loaded = self
            .encoder
            .get_or_init(|| tokenizers::Tokenizer::from_file(&self.path).map_err(|error| error.to_string()));
        let failed = |reason: &str| Error::model(self.path.display().to_string(), reason);
        let encoder = loaded.as_ref().map_err(|reason| failed(reason))?;
        let encoding = encoder.encode_fast(text, false).map_err(|error| failed(&error.to_string()))?;
        Ok(encoding.get_ids().to_vec())
    }
}

fn read_json<T: for<'de> Deserialize<'de>>(path: &Path) -> Result<T> {
    let bytes = std::fs::read(path).map_err(|error| Error::io(path, error))?;
    serde_json::from_slice(&bytes).map_err(|error| Error::model(path.display().to_string(), error))
}

/// GPT-2's alphabet, in which a vocabulary file writes bytes: printable ones as themselves, the others as
/// characters from U+0100 on.
fn byte_alphabet() -> HashMap<char, u8> {
    let mut next = 0x100;
    (0..=255u8)
        .map(|byte| match byte {
            b'!'..=b'~' | 0xA1..=0xAC | 0xAE..=0xFF => (char::from(byte), byte),
            _ => {
                let letter = char::from_u32(next).unwrap_or(char::REPLACEMENT_CHARACTER);
                next += 1;
                (letter, byte)
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_alphabet_has_every_byte_once() {
        let alphabet = byte_alphabet();
        assert_eq!(alphabet.len(), 256);
        assert_eq!(alphabet[&'Ġ'], b' ');
        assert_eq!(alphabet[&'a'], b'a');
    }
}
