//! Whisper's decoder: many sequences a step, each at its own place, over preallocated caches.

use std::sync::Arc;

use candle_core::Tensor;

use super::{Config, EPS};

use crate::Result;
use crate::compute::{
    HeadCache, LayerNorm, Linear, Precision, RowLinear, RowMatrix, add_into, attend_cached_into,
    gelu_in_place,
};
use crate::models::loader::Loader;

/// Tokens of a sequence that there is room for at first: those of most texts of 30 s.
const FIRST_POSITIONS: usize = 128;

/// Token and position embeddings, a stack of pre-norm transformer layers with cross-attention, and logits
/// tied to the token embeddings.
pub struct Decoder {
    config: Config,
    embed_tokens: RowMatrix,
    embed_positions: Vec<f32>,
    layers: Vec<Layer>,
    layer_norm: LayerNorm,
    precision: Precision,
}

struct Layer {
    self_attn_layer_norm: LayerNorm,
    qkv_proj: RowLinear,
    self_out_proj: RowLinear,
    encoder_attn_layer_norm: LayerNorm,
    cross_q_proj: RowLinear,
    cross_kv_proj: Linear,
    cross_out_proj: RowLinear,
    final_layer_norm: LayerNorm,
    fc1: RowLinear,
    fc2: RowLinear,
}

/// Keys and values that every layer's cross-attention sees: computed once an encoding, shared by hypotheses.
pub struct CrossCache {
    layers: Vec<HeadCache>,
    frames: usize,
}

impl CrossCache {
    /// Encoder frames (20 ms each) that are attended to.
    pub fn frames(&self) -> usize {
        self.frames
    }
}

/// One hypothesis being decoded: what it listens to and the keys and values of its tokens so far.
pub struct DecoderState {
    cross: Arc<CrossCache>,
    layers: Vec<HeadCache>,
    length: usize,
    positions: usize,
}

impl DecoderState {
    /// Tokens decoded so far.
    pub fn length(&self) -> usize {
        self.length
    }

    /// Tokens that the network has positions for.
    pub fn capacity(&self) -> usize {
        self.positions
    }

    /// What it listens to.
    pub fn cross(&self) -> Arc<CrossCache> {
        Arc::clone(&self.cross)
    }

    /// Begins again, listening to `cross`.
    pub fn restart(&mut self, cross: Arc<CrossCache>) {
        self.cross = cross;
        self.length = 0;
    }

    /// Forgets all but the first `length` tokens.
    pub fn truncate(&mut self, length: usize) {
        self.length = self.length.min(length);
    }

    /// Makes room for `more` tokens.
    fn reserve(&mut self, more: usize) {
        for layer in &mut self.layers {
            layer.reserve(self.length + more);
        }
    }

    /// Becomes a copy of `other`.
    pub fn copy_from(&mut self, other: &Self) {
        self.cross = Arc::clone(&other.cross);
        self.length = other.length;
        for (to, from) in self.layers.iter_mut().zip(&other.layers) {
            to.copy_from(from, other.length);
        }
    }
}

/// Attention weights of one decoder layer over the encoding, for the rows of one call.
pub struct CrossWeights<'a> {
    weights: &'a [f32],
    heads: usize,
    stride: usize,
}

impl CrossWeights<'_> {
    /// Weights of `row` and `head` over encoder frames; those past the encoding's length mean nothing.
    pub fn row(&self, row: usize, head: usize) -> &[f32] {
        &self.weights[(row * self.heads + head) * self.stride..][..self.stride]
    }
}

/// Buffers of a decoding step. They grow to the largest number of rows asked for, and are then reused.
#[derive(Default)]
pub struct Workspace {
    x: Vec<f32>,
    normed: Vec<f32>,
    wide: Vec<f32>,
    mixed: Vec<f32>,
    projected: Vec<f32>,
    weights: Vec<f32>,
    positions: Vec<usize>,
    wanted: Vec<usize>,
    logits: Vec<f32>,
}

impl Workspace {
    /// Logits of the first `count` wanted inputs of the last call, `[count, vocabulary]`.
    pub fn logits(&mut self, count: usize, vocabulary: usize) -> &mut [f32] {
        &mut self.logits[..count * vocabulary]
    }

    fn reserve(&mut self, rows: usize, wanted: usize, config: &Config, stride: usize) {
        let grow = |buffer: &mut Vec<f32>, length: usize| {
            if buffer.len() < length {
                buffer.resize(length, 0.0);
            }
        };
        let dim = config.dim;
        for buffer in [&mut self.x, &mut self.normed, &mut self.mixed, &mut self.projected] {
            grow(buffer, rows * dim);
        }
        grow(&mut self.wide, rows * config.decoder_hidden.max(3 * dim));
        grow(&mut self.weights, rows * config.decoder_heads * stride);
        grow(&mut self.logits, wanted * config.vocabulary);
    }
}

/// One token to decode.
#[derive(Debug, Clone, Copy)]
pub struct Input {
    /// Which state it belongs to.
    pub state: usize,
    /// The token.
    pub token: u32,
    /// Whether its logits are wanted.
    pub wanted: bool,
}

impl Decoder {
    pub(super) fn load(loader: &Loader, config: &Config) -> Result<Self> {
        let dim = config.dim;
        let tokens = ["model.decoder.embed_tokens.weight".to_owned()];
        let positions = [config.target_positions, dim];
        Ok(Self {
            embed_tokens: loader.row_matrix(&tokens, dim, config.vocabulary)?,
            embed_positions: loader.values("model.decoder.embed_positions.weight", &positions)?,
            layers: (0..config.decoder_layers)
                .map(|i| Layer::load(loader, config, i))
                .collect::<Result<_>>()?,
            layer_norm: loader.norm("model.decoder.layer_norm", dim, EPS)?,
            config: config.clone(),
            precision: loader.precision(),
        })
    }

    /// Keys and values of an encoding, `[frames, dim]`, for every layer, in f32.
    pub fn cross_cache(&self, encoding: &Tensor) -> Result<CrossCache> {
        let frames = encoding.dim(0)?;
        let mut cache = self.new_cross_cache(|heads, head_dim| HeadCache::new(heads, head_dim, frames));
        self.fill_cross_cache(encoding, &mut cache)?;
        Ok(cache)
    }

    /// An empty cache, whose keys and values will be in f16, or int8 where the network is: half or a quarter of the memory to
    /// read in each step. It grows to the longest encoding that is put into it.
    pub fn narrow_cross_cache(&self) -> CrossCache {
        self.new_cross_cache(|heads, head_dim| match self.precision {
            Precision::F32 | Precision::Bf16 => HeadCache::narrow(heads, head_dim, 0),
            Precision::Int8 => HeadCache::int8(heads, head_dim, 0),
        })
    }

    fn new_cross_cache(&self, new: impl Fn(usize, usize) -> HeadCache) -> CrossCache {
        let Config { decoder_heads: heads, dim, .. } = self.config;
        CrossCache { layers: self.layers.iter().map(|_| new(heads, dim / heads)).collect(), frames: 0 }
    }

    /// Puts the keys and values of an encoding, `[frames, dim]`, into `cache`, in place of what it held.
    pub fn fill_cross_cache(&self, encoding: &Tensor, cache: &mut CrossCache) -> Result<()> {
        for (layer, cache) in self.layers.iter().zip(&mut cache.layers) {
            layer.cross_kv_proj.forward_with(encoding, |keys_values| cache.fill(keys_values))?;
        }
        cache.frames = encoding.dim(0)?;
        Ok(())
    }

    /// A hypothesis with no tokens yet that listens to `cross`.
    pub fn state(&self, cross: Arc<CrossCache>) -> DecoderState {
        let Config { decoder_heads: heads, dim, target_positions, .. } = self.config;
        let room = FIRST_POSITIONS.min(target_positions);
        let layers = self.layers.iter().map(|_| HeadCache::new(heads, dim / heads, room)).collect();
        DecoderState { cross, layers, length: 0, positions: target_positions }
    }

    /// Decodes `inputs`, in order of time for each state, and advances the states.
    ///
    /// Logits of the wanted inputs, in their order, are then in `workspace`. `observe` sees the
    /// cross-attention weights of each layer.
    ///
    /// Nothing is allocated once `workspace` has seen as many inputs, and the states have held as many tokens: room for them
    /// is doubled when it is full, at first after 128.
    ///
    /// # Panics
    /// Where a state would pass the network's last position, or a token lies outside the vocabulary.
    pub fn forward(
        &self,
        states: &mut [DecoderState],
        inputs: &[Input],
        workspace: &mut Workspace,
        mut observe: impl FnMut(usize, CrossWeights),
    ) {
        let Config { dim, decoder_heads: heads, vocabulary, .. } = self.config;
        let rows = inputs.len();
        for (index, state) in states.iter_mut().enumerate() {
            state.reserve(inputs.iter().filter(|input| input.state == index).count());
        }
        let self_stride = states.iter().flat_map(|state| state.layers.first()).map(HeadCache::capacity).max();
        let cross_stride =
            states.iter().flat_map(|state| state.cross.layers.first()).map(HeadCache::capacity).max();
        let (Some(self_stride), Some(cross_stride)) = (self_stride, cross_stride) else {
            return;
        };
        let wanted = inputs.iter().filter(|input| input.wanted).count();
        workspace.reserve(rows, wanted, &self.config, self_stride.max(cross_stride));
        let Workspace { x, normed, wide, mixed, projected, weights, positions, wanted, logits } = workspace;
        let (x, normed, mixed, projected) = (
            &mut x[..rows * dim],
            &mut normed[..rows * dim],
            &mut mixed[..rows * dim],
            &mut projected[..rows * dim],
        );

        positions.clear();
        for (input, x) in inputs.iter().zip(x.chunks_exact_mut(dim)) {
            let state = &mut states[input.state];
            assert!(
                state.length < self.config.target_positions,
                "a sequence is longer than the network allows"
            );
            positions.push(state.length);
            self.embed_tokens.row_into(input.token as usize, x);
            add_into(&self.embed_positions[state.length * dim..(state.length + 1) * dim], x);
            state.length += 1;
        }

        for (index, layer) in self.layers.iter().enumerate() {
            layer.self_attn_layer_norm.forward_into(x, normed);
            let qkv = &mut wide[..rows * 3 * dim];
            layer.qkv_proj.forward_into(normed, qkv);
            for (row, input) in inputs.iter().enumerate() {
                let qkv = &qkv[row * 3 * dim..(row + 1) * 3 * dim];
                normed[row * dim..(row + 1) * dim].copy_from_slice(&qkv[..dim]);
                states[input.state].layers[index].set(positions[row], &qkv[dim..2 * dim], &qkv[2 * dim..]);
            }
            let past = |row: usize| (&states[inputs[row].state].layers[index], positions[row] + 1);
            attend_cached_into(normed, past, heads, weights, self_stride, mixed);
            layer.self_out_proj.forward_into(mixed, projected);
            add_into(projected, x);

            layer.encoder_attn_layer_norm.forward_into(x, normed);
            layer.cross_q_proj.forward_into(normed, projected);
            let heard = |row: usize| {
                let cross = &states[inputs[row].state].cross;
                (&cross.layers[index], cross.frames)
            };
            attend_cached_into(projected, heard, heads, weights, cross_stride, mixed);
            observe(index, CrossWeights { weights, heads, stride: cross_stride });
            layer.cross_out_proj.forward_into(mixed, projected);
            add_into(projected, x);

            layer.final_layer_norm.forward_into(x, normed);
            let hidden = &mut wide[..rows * layer.fc1.outputs()];
            layer.fc1.forward_into(normed, hidden);
            gelu_in_place(hidden);
            layer.fc2.forward_into(hidden, projected);
            add_into(projected, x);
        }

        wanted.clear();
        wanted.extend((0..rows).filter(|&row| inputs[row].wanted));
        for (to, &row) in wanted.iter().enumerate() {
            self.layer_norm
                .forward_into(&x[row * dim..(row + 1) * dim], &mut normed[to * dim..(to + 1) * dim]);
        }
        let wanted = wanted.len();
        self.embed_tokens.multiply_into(&normed[..wanted * dim], &mut logits[..wanted * vocabulary]);
    }
}

impl Layer {
    fn load(loader: &Loader, config: &Config, index: usize) -> Result<Self> {
        let name = |part: &str| format!("model.decoder.layers.{index}.{part}");
        let (dim, hidden) = (config.dim, config.decoder_hidden);
        let qkv = ["q", "k", "v"].map(|part| name(&format!("self_attn.{part}_proj")));
        let cross_kv = ["k", "v"].map(|part| name(&format!("encoder_attn.{part}_proj")));
        let square = |part: &str| loader.row_linear(&[name(part)], dim, dim);
        Ok(Self {
            self_attn_layer_norm: loader.norm(&name("self_attn_layer_norm"), dim, EPS)?,
            qkv_proj: loader.row_linear(&qkv, dim, dim)?,
            self_out_proj: square("self_attn.out_proj")?,
            encoder_attn_layer_norm: loader.norm(&name("encoder_attn_layer_norm"), dim, EPS)?,
            cross_q_proj: square("encoder_attn.q_proj")?,
            cross_kv_proj: loader.linear(&cross_kv, dim, dim)?,
            cross_out_proj: square("encoder_attn.out_proj")?,
            final_layer_norm: loader.norm(&name("final_layer_norm"), dim, EPS)?,
            fc1: loader.row_linear(&[name("fc1")], dim, hidden)?,
            fc2: loader.row_linear(&[name("fc2")], hidden, dim)?,
        })
    }
}
