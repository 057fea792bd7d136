//! The prefix tuner: one vector attends to another, with learned prefixes before its key and value.

use candle_core::{D, Tensor, Var};

use super::network::{Linear, random_tensor};
use crate::Result;

/// Multi-head cross-attention, `softmax(Q [P_k; K]^T / sqrt(d)) [P_v; V]`.
pub(super) struct PrefixTuner {
    query: Linear,
    key: Linear,
    value: Linear,
    out: Linear,
    /// `[1, heads, prefixes, width of a head]`.
    prefix_keys: Var,
    prefix_values: Var,
    heads: usize,
}

impl PrefixTuner {
    pub fn new(width: usize, heads: usize, prefixes: usize, random: &mut fastrand::Rng) -> Result<Self> {
        let shape = [1, heads, prefixes, width / heads];
        let mut linear = || Linear::new(width, width, random);
        let (query, key, value, out) = (linear()?, linear()?, linear()?, linear()?);
        Ok(Self {
            query,
            key,
            value,
            out,
            prefix_keys: random_tensor(&shape, 1.0, random)?,
            prefix_values: random_tensor(&shape, 1.0, random)?,
            heads,
        })
    }

    /// What `asking` takes from `asked`, `[batch, width]` both.
    pub fn forward(&self, asking: &Tensor, asked: &Tensor) -> Result<Tensor> {
        let (batch, width) = asking.dims2()?;
        let size = width / self.heads;
        let split = |x: Tensor| x.reshape((batch, self.heads, 1, size));
        let query = split(self.query.forward(asking)?)?;
        let joined = |prefixes: &Var, x: Tensor| -> Result<Tensor> {
            let (_, heads, count, size) = prefixes.dims4()?;
            let prefixes = prefixes.as_tensor().broadcast_as((batch, heads, count, size))?;
            Ok(Tensor::cat(&[prefixes, split(x)?], 2)?.contiguous()?)
        };
        let keys = joined(&self.prefix_keys, self.key.forward(asked)?)?;
        let values = joined(&self.prefix_values, self.value.forward(asked)?)?;
        let scores = (query.matmul(&keys.transpose(2, 3)?.contiguous()?)? / (size as f64).sqrt())?;
        let taken = softmax(&scores)?.matmul(&values)?.reshape((batch, width))?;
        self.out.forward(&taken)
    }

    pub fn parameters(&self) -> Vec<&Var> {
        let linear = [&self.query, &self.key, &self.value, &self.out];
        linear
            .into_iter()
            .flat_map(Linear::parameters)
            .chain([&self.prefix_keys, &self.prefix_values])
            .collect()
    }
}

/// Over the last axis.
pub(super) fn softmax(x: &Tensor) -> Result<Tensor> {
    // Any constant may be taken away; it needs no derivative.
    let exponentials = x.broadcast_sub(&x.max_keepdim(D::Minus1)?.detach())?.exp()?;
    Ok(exponentials.broadcast_div(&exponentials.sum_keepdim(D::Minus1)?)?)
}
