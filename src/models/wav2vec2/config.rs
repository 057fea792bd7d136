//! Sizes and variants, from `config.json`.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;

use crate::{Error, Result};

/// Which of the networks it is: they differ in names of tensors and in details.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Family {
    /// wav2vec 2.0, XLSR-53, XLS-R and MMS.
    Wav2vec2,
    /// HuBERT.
    Hubert,
    /// WavLM: a position bias in the attention, gated by what is attended from.
    Wavlm,
    /// data2vec: five small convolutions for positions.
    Data2vecAudio,
}

/// The norm of the convolutions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ConvNorm {
    /// Of the first one, each channel over all of the time.
    Group,
    /// Of each, over the channels of a frame.
    Layer,
}

/// Sizes and variants of a network. Names are those of Hugging Face transformers, and so are the defaults.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default)]
#[expect(missing_docs, reason = "the names are those of transformers' configuration, which documents them")]
pub struct Config {
    pub model_type: Family,
    pub hidden_size: usize,
    pub num_hidden_layers: usize,
    pub num_attention_heads: usize,
    pub intermediate_size: usize,
    pub hidden_act: String,
    pub feat_extract_activation: String,
    pub feat_extract_norm: ConvNorm,
    pub feat_proj_layer_norm: bool,
    pub conv_dim: Vec<usize>,
    pub conv_kernel: Vec<usize>,
    pub conv_stride: Vec<usize>,
    pub conv_bias: bool,
    pub conv_pos_batch_norm: bool,
    pub num_conv_pos_embeddings: usize,
    pub num_conv_pos_embedding_groups: usize,
    pub conv_pos_kernel_size: usize,
    pub do_stable_layer_norm: bool,
    pub layer_norm_eps: f32,
    pub vocab_size: usize,
    pub pad_token_id: usize,
    pub adapter_attn_dim: Option<usize>,
    pub add_adapter: bool,
    pub num_buckets: usize,
    pub max_bucket_distance: usize,
    pub classifier_proj_size: usize,
    pub use_weighted_layer_sum: bool,
    pub tdnn_dilation: Vec<usize>,
    pub id2label: BTreeMap<usize, String>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            model_type: Family::Wav2vec2,
            hidden_size: 768,
            num_hidden_layers: 12,
            num_attention_heads: 12,
            intermediate_size: 3072,
            hidden_act: "gelu".into(),
            feat_extract_activation: "gelu".into(),
            feat_extract_norm: ConvNorm::Group,
            feat_proj_layer_norm: true,
            conv_dim: vec![512; 7],
            conv_kernel: vec![10, 3, 3, 3, 3, 2, 2],
            conv_stride: vec![5, 2, 2, 2, 2, 2, 2],
            conv_bias: false,
            conv_pos_batch_norm: false,
            num_conv_pos_embeddings: 128,
            num_conv_pos_embedding_groups: 16,
            conv_pos_kernel_size: 19,
            do_stable_layer_norm: false,
            layer_norm_eps: 1e-5,
            vocab_size: 32,
            pad_token_id: 0,
            adapter_attn_dim: None,
            add_adapter: false,
            num_buckets: 320,
            max_bucket_distance: 800,
            classifier_proj_size: 256,
            use_weighted_layer_sum: false,
            tdnn_dilation: vec![1, 2, 3, 1, 1],
            id2label: BTreeMap::new(),
        }
    }
}

impl Config {
    /// Reads `config.json`.
    ///
    /// # Errors
    /// One that names the file, where it cannot be read or tells of a network that is not of this family, or of a variant
    /// that is not built here.
    pub fn read(path: &Path) -> Result<Self> {
        let json = std::fs::read_to_string(path).map_err(|error| Error::io(path, error))?;
        Self::parse(&json).map_err(|reason| Error::model(path.display().to_string(), reason))
    }

    /// The same of a network that is computed elsewhere, of whichever family: only how sound becomes frames, and what rows
    /// are called, must be of use.
    ///
    /// # Errors
    /// One that names the file, where it cannot be read.
    pub fn read_of_export(path: &Path) -> Result<Self> {
        let json = std::fs::read_to_string(path).map_err(|error| Error::io(path, error))?;
        Self::parse_of_export(&json).map_err(|reason| Error::model(path.display().to_string(), reason))
    }

    fn parse_of_export(json: &str) -> Result<Self, String> {
        let mut settings: serde_json::Map<String, serde_json::Value> =
            serde_json::from_str(json).map_err(|error| error.to_string())?;
        settings.remove("model_type");
        let config: Self = serde_json::from_value(settings.into()).map_err(|error| error.to_string())?;
        config.check_convolutions().map(|()| config)
    }

    fn parse(json: &str) -> Result<Self, String> {
        let mut config: Self = serde_json::from_str(json).map_err(|error| error.to_string())?;
        // data2vec has a norm on each convolution, and counts its small convolutions where the others have a kernel.
        if config.model_type == Family::Data2vecAudio {
            config.feat_extract_norm = ConvNorm::Layer;
        }
        config.check().map(|()| config)
    }

    fn check_convolutions(&self) -> Result<(), String> {
        let layers = self.conv_dim.len();
        if layers == 0 || self.conv_kernel.len() != layers || self.conv_stride.len() != layers {
            return Err("conv_dim, conv_kernel and conv_stride need one length, not zero".into());
        }
        let mut all = self.conv_dim.iter().chain(&self.conv_kernel).chain(&self.conv_stride);
        if all.any(|&size| size == 0 || size > 1 << 16) {
            return Err("a size is zero or beyond 65536".into());
        }
        let hop = self.conv_stride.iter().try_fold(1usize, |hop, &stride| hop.checked_mul(stride));
        match hop.is_some_and(|hop| hop <= 1 << 16) {
            true => Ok(()),
            false => Err("conv_stride makes frames of more than 65536 samples".into()),
        }
    }

    fn check(&self) -> Result<(), String> {
        self.check_convolutions()?;
        let sizes = [
            self.hidden_size,
            self.num_attention_heads,
            self.intermediate_size,
            self.num_conv_pos_embeddings,
            self.num_conv_pos_embedding_groups,
            self.conv_pos_kernel_size,
        ];
        if sizes.iter().any(|&size| size == 0 || size > 1 << 16) {
            return Err("a size is zero or beyond 65536".into());
        }
        if !self.hidden_size.is_multiple_of(self.num_attention_heads)
            || !self.hidden_size.is_multiple_of(self.num_conv_pos_embedding_groups)
        {
            return Err("hidden_size is no multiple of the heads and of the groups of positions".into());
        }
        for activation in [&self.hidden_act, &self.feat_extract_activation] {
            if activation != "gelu" {
                return Err(format!("activation {activation} is not built here, only gelu"));
            }
        }
        if self.tdnn_dilation.iter().any(|&dilation| dilation == 0 || dilation > 1 << 16) {
            return Err("tdnn_dilation has a size that is zero or beyond 65536".into());
        }
        if self.add_adapter || self.conv_pos_batch_norm {
            return Err("add_adapter and conv_pos_batch_norm are not built here".into());
        }
        Ok(())
    }

    /// Samples from one frame to the next.
    pub fn hop(&self) -> usize {
        self.conv_stride.iter().product()
    }

    /// Samples that one frame hears.
    pub fn field(&self) -> usize {
        let layers = self.conv_kernel.iter().zip(&self.conv_stride).rev();
        layers.fold(1, |field, (kernel, stride)| (field - 1) * stride + kernel)
    }

    /// Frames that `samples` give.
    pub fn frames(&self, samples: usize) -> usize {
        let layers = self.conv_kernel.iter().zip(&self.conv_stride);
        layers.fold(samples, |length, (&kernel, &stride)| match length.checked_sub(kernel) {
            Some(rest) => rest / stride + 1,
            None => 0,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn xls_r_has_frames_of_25_ms_every_20_ms() {
        let config =
            Config::parse(r#"{"model_type": "wav2vec2", "hidden_size": 1024, "num_attention_heads": 16}"#)
                .unwrap();
        assert_eq!((config.hop(), config.field()), (320, 400));
        assert_eq!([399, 400, 16_000].map(|samples| config.frames(samples)), [0, 1, 49]);
    }

    #[test]
    fn what_is_not_built_is_refused() {
        for (json, reason) in [
            (r#"{"model_type": "bert"}"#, "unknown variant"),
            (r#"{"hidden_act": "relu"}"#, "relu"),
            (r#"{"conv_dim": [512]}"#, "one length"),
            (r#"{"hidden_size": 100}"#, "no multiple"),
            (r#"{"num_attention_heads": 0}"#, "zero"),
            (r#"{"add_adapter": true}"#, "add_adapter"),
            (r#"{"conv_stride": [65536, 65536, 65536, 65536, 1, 1, 1]}"#, "frames of more"),
        ] {
            let error = Config::parse(json).unwrap_err();
            assert!(error.contains(reason), "{json}: {error}");
        }
    }

    #[test]
    fn of_an_export_only_the_convolutions_must_be_known() {
        let json = r#"{"model_type": "unispeech-sat", "hidden_act": "relu", "pad_token_id": 3, "add_adapter": true}"#;
        let config = Config::parse_of_export(json).unwrap();
        assert_eq!((config.hop(), config.pad_token_id), (320, 3));
        for json in [r#"{"conv_dim": [512]}"#, "[]", r#"{"conv_stride": [0, 2, 2, 2, 2, 2, 2]}"#] {
            assert!(Config::parse_of_export(json).is_err(), "{json}");
        }
    }
}
