//! Sizes and labels, from `config.json`.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde::Deserialize;

use crate::{Error, Result};

/// Which of the networks it is: they differ in the positions of tokens and in the names of tensors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Family {
    /// RoBERTa.
    Roberta,
    /// XLM-R.
    XlmRoberta,
    /// BERT.
    Bert,
}

impl Family {
    /// What the names of the base network's tensors begin with.
    pub fn prefix(self) -> &'static str {
        match self {
            Self::Roberta | Self::XlmRoberta => "roberta",
            Self::Bert => "bert",
        }
    }
}

/// Sizes and labels. Names are those of Hugging Face transformers, and so are the defaults.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[expect(missing_docs, reason = "the names are those of transformers' configuration, which documents them")]
pub struct Config {
    pub model_type: Family,
    pub vocab_size: usize,
    pub hidden_size: usize,
    pub num_hidden_layers: usize,
    pub num_attention_heads: usize,
    pub intermediate_size: usize,
    pub max_position_embeddings: usize,
    #[serde(default = "one")]
    pub type_vocab_size: usize,
    #[serde(default = "usual_eps")]
    pub layer_norm_eps: f32,
    #[serde(default = "usual_act")]
    pub hidden_act: String,
    #[serde(default)]
    pub position_embedding_type: Option<String>,
    #[serde(default)]
    pub pad_token_id: Option<u32>,
    #[serde(default)]
    pub problem_type: Option<String>,
    #[serde(default)]
    pub id2label: BTreeMap<usize, String>,
}

fn one() -> usize {
    1
}

fn usual_eps() -> f32 {
    1e-12
}

fn usual_act() -> String {
    "gelu".into()
}

impl Config {
    /// Reads `config.json`.
    ///
    /// # Errors
    /// [`Error::Io`] where it cannot be read; [`Error::Model`], naming it, where it tells of another network.
    pub fn read(path: &Path) -> Result<Self> {
        let bytes = fs::read(path).map_err(|error| Error::io(path, error))?;
        let fault = |reason: String| Error::model(path.display().to_string(), reason);
        let config: Self = serde_json::from_slice(&bytes).map_err(|error| {
            fault(format!("it is no XLM-R, RoBERTa or BERT that sorts texts into classes: {error}"))
        })?;
        config.check().map_err(fault)?;
        Ok(config)
    }

    fn check(&self) -> Result<(), String> {
        let sizes = [
            ("vocab_size", self.vocab_size, 10_000_000),
            ("hidden_size", self.hidden_size, 65_536),
            ("num_hidden_layers", self.num_hidden_layers, 1_000),
            ("num_attention_heads", self.num_attention_heads, 1_000),
            ("intermediate_size", self.intermediate_size, 1_000_000),
            ("max_position_embeddings", self.max_position_embeddings, 1_000_000),
            ("type_vocab_size", self.type_vocab_size, 1_000),
            ("the number of labels", self.labels(), 100_000),
        ];
        if let Some((name, size, most)) =
            sizes.into_iter().find(|(_, size, most)| !(1..=*most).contains(size))
        {
            return Err(format!("{name} is {size}; it must be from 1 to {most}"));
        }
        if !self.hidden_size.is_multiple_of(self.num_attention_heads) {
            return Err(format!("{} heads do not divide {}", self.num_attention_heads, self.hidden_size));
        }
        if self.longest() < 8 {
            return Err(format!("{} positions are too few for a text", self.max_position_embeddings));
        }
        if self.hidden_act != "gelu" {
            return Err(format!("its activation is {}; only gelu is known", self.hidden_act));
        }
        match self.position_embedding_type.as_deref() {
            None | Some("absolute") => {}
            Some(other) => return Err(format!("its positions are {other}; only absolute ones are known")),
        }
        if self.id2label.keys().copied().ne(0..self.id2label.len()) {
            return Err("id2label does not number its labels from 0 on".into());
        }
        Ok(())
    }

    /// Number of labels; transformers takes two where `id2label` is left out.
    pub fn labels(&self) -> usize {
        if self.id2label.is_empty() { 2 } else { self.id2label.len() }
    }

    /// The name of each label.
    pub fn label_names(&self) -> Vec<String> {
        match self.id2label.is_empty() {
            true => (0..2).map(|index| format!("LABEL_{index}")).collect(),
            false => self.id2label.values().cloned().collect(),
        }
    }

    /// Whether several labels can hold at once, each with a probability of its own.
    pub fn is_multi_label(&self) -> bool {
        self.labels() == 1 || self.problem_type.as_deref() == Some("multi_label_classification")
    }

    /// Tokens of the longest text, with those that begin and end it.
    pub fn longest(&self) -> usize {
        match self.model_type {
            Family::Bert => self.max_position_embeddings,
            _ => self.max_position_embeddings.saturating_sub(self.padding() + 1),
        }
    }

    /// Token of padding; positions of RoBERTa begin behind its number.
    fn padding(&self) -> usize {
        self.pad_token_id.unwrap_or(1) as usize
    }

    /// The position of each token. RoBERTa counts those that are no padding, which a text can contain by its name.
    pub(super) fn positions(&self, tokens: &[u32]) -> Vec<usize> {
        if self.model_type == Family::Bert {
            return (0..tokens.len()).collect();
        }
        let padding = self.padding();
        let mut last = padding;
        let position = |&token: &u32| {
            if token as usize == padding {
                return padding;
            }
            last += 1;
            last
        };
        tokens.iter().map(position).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Config> {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), text).unwrap();
        Config::read(file.path())
    }

    fn config(family: &str, more: &str) -> String {
        format!(
            r#"{{"model_type": "{family}", "vocab_size": 10, "hidden_size": 4, "num_hidden_layers": 1, "num_attention_heads": 2,
                "intermediate_size": 8, "max_position_embeddings": 514{more}}}"#
        )
    }

    #[test]
    fn positions_begin_behind_the_padding() {
        let roberta = read(&config("xlm-roberta", "")).unwrap();
        assert_eq!(roberta.positions(&[0, 5, 1, 6, 2]), [2, 3, 1, 4, 5]);
        assert_eq!(
            (roberta.longest(), roberta.label_names()),
            (512, vec!["LABEL_0".into(), "LABEL_1".into()])
        );
        let bert = read(&config("bert", "")).unwrap();
        assert_eq!((bert.positions(&[0, 5, 1]), bert.longest()), (vec![0, 1, 2], 514));
    }

    #[test]
    fn other_networks_are_refused_by_name() {
        let cases = [
            (config("xlm-roberta-xl", ""), "no XLM-R, RoBERTa or BERT"),
            (config("bert", r#", "hidden_act": "relu""#), "activation is relu"),
            (config("bert", r#", "position_embedding_type": "relative_key""#), "positions are relative_key"),
            (config("bert", r#", "id2label": {"1": "a", "2": "b"}"#), "from 0 on"),
            (
                config("bert", "").replace("\"hidden_size\": 4", "\"hidden_size\": 5"),
                "2 heads do not divide 5",
            ),
            ("{".into(), "no XLM-R"),
        ];
        for (text, expected) in cases {
            let told = read(&text).unwrap_err().to_string();
            assert!(told.contains(expected) && told.contains("/"), "{told}");
        }
    }
}
