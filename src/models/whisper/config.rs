//! Sizes of a Whisper network.

use std::path::Path;

use serde::Deserialize;

use crate::weights::Checkpoint;
use crate::{Error, Result};

/// Width of an attention head in every Whisper that was released.
const HEAD_DIM: usize = 64;

/// Sizes of a Whisper network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Mel bands of the features: 80, or 128 for large-v3 and turbo.
    pub mels: usize,
    /// Width of the encoder and the decoder.
    pub dim: usize,
    /// Attention heads of an encoder layer.
    pub encoder_heads: usize,
    /// Encoder layers.
    pub encoder_layers: usize,
    /// Attention heads of a decoder layer.
    pub decoder_heads: usize,
    /// Decoder layers.
    pub decoder_layers: usize,
    /// Width of the hidden layer of the encoder's feed-forward parts.
    pub encoder_hidden: usize,
    /// As `encoder_hidden`, for the decoder.
    pub decoder_hidden: usize,
    /// Tokens in the vocabulary.
    pub vocabulary: usize,
    /// Encoder frames (20 ms) at most: 1500.
    pub source_positions: usize,
    /// Tokens of a sequence at most: 448.
    pub target_positions: usize,
}

/// What `config.json` says that shapes do not.
#[derive(Deserialize)]
struct Heads {
    encoder_attention_heads: Option<usize>,
    decoder_attention_heads: Option<usize>,
}

impl Config {
    /// Reads sizes from the shapes in `checkpoint`, and head counts from `config.json` or CTranslate2's
    /// scalars where they say them; otherwise heads are 64 wide.
    pub fn read(checkpoint: &Checkpoint, config_json: Option<&Path>) -> Result<Self> {
        let shape = |name: &str| {
            checkpoint.shape(name).ok_or_else(|| Error::Tensor {
                path: checkpoint.path().to_path_buf(),
                tensor: name.to_owned(),
                reason: "missing; is this a Whisper model?".into(),
            })
        };
        let axis = |name: &str, axis: usize| -> Result<usize> {
            let shape = shape(name)?;
            shape.get(axis).copied().filter(|&size| size > 0).ok_or_else(|| Error::Tensor {
                path: checkpoint.path().to_path_buf(),
                tensor: name.to_owned(),
                reason: format!("has shape {shape:?}, which is not that of a Whisper model"),
            })
        };
        let layers = |part: &str| {
            (0..).take_while(|i| checkpoint.contains(&format!("model.{part}.layers.{i}.fc1.weight"))).count()
        };
        let dim = axis("model.encoder.conv1.weight", 0)?;
        let heads = read_heads(config_json)?;
        let count = |stated: Option<usize>, part: &str| {
            let scalar = checkpoint.scalar(&format!("{part}/num_heads"));
            let heads =
                stated.or(scalar.and_then(|heads| usize::try_from(heads).ok())).unwrap_or(dim / HEAD_DIM);
            match heads > 0 && dim.is_multiple_of(heads) {
                true => Ok(heads),
                false => Err(Error::model(
                    checkpoint.path().display().to_string(),
                    format!("{heads} attention heads do not divide a width of {dim}"),
                )),
            }
        };
        Ok(Self {
            mels: axis("model.encoder.conv1.weight", 1)?,
            dim,
            encoder_heads: count(heads.encoder_attention_heads, "encoder")?,
            encoder_layers: layers("encoder"),
            decoder_heads: count(heads.decoder_attention_heads, "decoder")?,
            decoder_layers: layers("decoder"),
            encoder_hidden: axis("model.encoder.layers.0.fc1.weight", 0)?,
            decoder_hidden: axis("model.decoder.layers.0.fc1.weight", 0)?,
            vocabulary: axis("model.decoder.embed_tokens.weight", 0)?,
            source_positions: axis("model.encoder.embed_positions.weight", 0)?,
            target_positions: axis("model.decoder.embed_positions.weight", 0)?,
        })
    }
}

fn read_heads(config_json: Option<&Path>) -> Result<Heads> {
    let Some(path) = config_json else {
        return Ok(Heads { encoder_attention_heads: None, decoder_attention_heads: None });
    };
    let text = std::fs::read_to_string(path).map_err(|error| Error::io(path, error))?;
    serde_json::from_str(&text).map_err(|error| Error::model(path.display().to_string(), error))
}
