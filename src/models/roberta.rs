//! Transformers that sort whole texts into classes: XLM-R, RoBERTa and BERT with a head for it.
//!
//! RoBERTa (Liu et al. 2019) and XLM-R (Conneau et al. 2020) are BERT's network (Devlin et al. 2019) with other positions and
//! another head. Names of tensors are those of Hugging Face transformers, `modeling_xlm_roberta.py` and `modeling_bert.py`.

mod config;

pub use config::{Config, Family};

use crate::Result;
use crate::compute::{LayerNorm, Linear, Precision, RowMatrix, add_into, self_attention_into};
use crate::models::loader::Loader;
use crate::weights::Checkpoint;

/// `XLMRobertaForSequenceClassification`, `RobertaForSequenceClassification` or `BertForSequenceClassification`.
pub struct SequenceClassifier {
    config: Config,
    word_embeddings: RowMatrix,
    /// `[max_position_embeddings, hidden_size]`, with what is added for the only type of token that is there.
    positions: Vec<f32>,
    layer_norm: LayerNorm,
    layers: Vec<Layer>,
    /// From the state of the first token to what the last layer sees, under a hyperbolic tangent.
    dense: Option<Linear>,
    out: Linear,
}

struct Layer {
    qkv: Linear,
    attention_output: Linear,
    attention_norm: LayerNorm,
    intermediate: Linear,
    output: Linear,
    norm: LayerNorm,
}

impl SequenceClassifier {
    /// The network of `checkpoint`, which multiplies in `precision`.
    ///
    /// # Errors
    /// [`Error::Tensor`](crate::Error::Tensor) where a tensor is missing or of another shape.
    pub fn load(checkpoint: &Checkpoint, config: Config, precision: Precision) -> Result<Self> {
        let loader = Loader::new(checkpoint, precision);
        let (dim, labels) = (config.hidden_size, config.labels());
        let classify = |name: &str, outputs: usize| loader.linear(&[name.to_owned()], dim, outputs);
        // The base network has a pooler only where the head is a single layer, as BERT's.
        let pooler = format!("{}.pooler.dense", config.model_type.prefix());
        let (dense, out) = match loader.contains("classifier.out_proj.weight") {
            true => (Some(classify("classifier.dense", dim)?), classify("classifier.out_proj", labels)?),
            false => {
                let has_pooler = loader.contains(&format!("{pooler}.weight"));
                let dense = has_pooler.then(|| classify(&pooler, dim)).transpose()?;
                (dense, classify("classifier", labels)?)
            }
        };
        let prefix = format!("{}.", config.model_type.prefix());
        let loader = Loader::new(checkpoint, precision).within(&prefix);
        let words = ["embeddings.word_embeddings.weight".to_owned()];
        let shape = [config.max_position_embeddings, dim];
        let mut positions = loader.values("embeddings.position_embeddings.weight", &shape)?;
        let types =
            loader.values("embeddings.token_type_embeddings.weight", &[config.type_vocab_size, dim])?;
        positions.chunks_exact_mut(dim).for_each(|position| add_into(&types[..dim], position));
        Ok(Self {
            word_embeddings: loader.row_matrix(&words, dim, config.vocab_size)?,
            positions,
            layer_norm: loader.norm("embeddings.LayerNorm", dim, config.layer_norm_eps)?,
            layers: (0..config.num_hidden_layers)
                .map(|index| Layer::load(&loader, &config, index))
                .collect::<Result<_>>()?,
            dense,
            out,
            config,
        })
    }

    /// Sizes and labels.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The logit of each label for a text of these tokens, those that begin and end it among them: at least one, at most
    /// [`Config::longest`], each below `vocab_size`.
    pub fn logits(&self, tokens: &[u32]) -> Vec<f32> {
        let mut x = self.embed(tokens);
        let mut scratch = Scratch::default();
        for layer in &self.layers {
            layer.forward(&mut x, self.config.num_attention_heads, &mut scratch);
        }
        x.truncate(self.config.hidden_size);
        if let Some(dense) = &self.dense {
            let mut hidden = vec![0.0; dense.outputs()];
            dense.forward_into(&x, &mut hidden);
            hidden.iter_mut().for_each(|value| *value = value.tanh());
            x = hidden;
        }
        let mut logits = vec![0.0; self.out.outputs()];
        self.out.forward_into(&x, &mut logits);
        logits
    }

    /// What enters the first layer, `[tokens, hidden_size]`.
    fn embed(&self, tokens: &[u32]) -> Vec<f32> {
        let dim = self.config.hidden_size;
        let mut x = vec![0.0; tokens.len() * dim];
        for ((row, &token), position) in
            x.chunks_exact_mut(dim).zip(tokens).zip(self.config.positions(tokens))
        {
            self.word_embeddings.row_into(token as usize, row);
            add_into(&self.positions[position * dim..][..dim], row);
        }
        self.layer_norm.in_place_parallel(&mut x);
        x
    }
}

/// Room for what is between the parts of a layer.
#[derive(Default)]
struct Scratch {
    /// `[tokens, 3 * hidden_size]`.
    qkv: Vec<f32>,
    /// `[tokens, hidden_size]`.
    mixed: Vec<f32>,
    /// `[tokens, intermediate_size]`.
    hidden: Vec<f32>,
}

impl Layer {
    fn load(loader: &Loader, config: &Config, index: usize) -> Result<Self> {
        let name = |part: &str| format!("encoder.layer.{index}.{part}");
        let (dim, hidden, eps) = (config.hidden_size, config.intermediate_size, config.layer_norm_eps);
        let qkv = ["query", "key", "value"].map(|part| name(&format!("attention.self.{part}")));
        Ok(Self {
            qkv: loader.linear(&qkv, dim, dim)?,
            attention_output: loader.linear(&[name("attention.output.dense")], dim, dim)?,
            attention_norm: loader.norm(&name("attention.output.LayerNorm"), dim, eps)?,
            intermediate: loader.linear(&[name("intermediate.dense")], dim, hidden)?,
            output: loader.linear(&[name("output.dense")], hidden, dim)?,
            norm: loader.norm(&name("output.LayerNorm"), dim, eps)?,
        })
    }

    fn forward(&self, x: &mut [f32], heads: usize, Scratch { qkv, mixed, hidden }: &mut Scratch) {
        let rows = x.len() / self.intermediate.inputs();
        qkv.resize(3 * x.len(), 0.0);
        mixed.resize(x.len(), 0.0);
        hidden.resize(rows * self.intermediate.outputs(), 0.0);
        self.qkv.forward_into(x, qkv);
        self_attention_into(qkv, heads, &[rows], Precision::F32, None, mixed);
        self.attention_output.forward_add_into(mixed, x);
        self.attention_norm.in_place_parallel(x);
        self.intermediate.forward_gelu_into(x, hidden);
        self.output.forward_add_into(hidden, x);
        self.norm.in_place_parallel(x);
    }
}
