//! Weights whose norm is stored beside their direction, multiplied out.

use crate::weights::Checkpoint;
use crate::{Error, Result};

/// The tensors of a generator by name, wherever in the file they begin.
pub(super) struct Tensors<'a> {
    checkpoint: &'a Checkpoint,
    prefix: String,
}

impl<'a> Tensors<'a> {
    /// Those beside `mark`, which every network of the kind has.
    ///
    /// # Errors
    /// [`Error::Tensor`] where there is no such tensor.
    pub fn beside(checkpoint: &'a Checkpoint, mark: &str) -> Result<Self> {
        let found = checkpoint.names().find_map(|name| name.strip_suffix(mark));
        let fits = |prefix: &&str| prefix.is_empty() || prefix.ends_with('.');
        match found.filter(fits) {
            Some(prefix) => Ok(Self { checkpoint, prefix: prefix.to_owned() }),
            None => Err(Error::Tensor {
                path: checkpoint.path().to_path_buf(),
                tensor: mark.to_owned(),
                reason: "missing".into(),
            }),
        }
    }

    /// A tensor in f32.
    pub fn values(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>> {
        Ok(self.checkpoint.tensor(&format!("{}{name}", self.prefix), shape)?.into_f32())
    }

    /// The weight of layer `name`: `weight` itself, or `g v / |v|` of `weight_g` and `weight_v`, also under the names of
    /// PyTorch's parametrizations. The norm is over all axes but the first.
    pub fn weight(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>> {
        let mut norm = vec![1; shape.len()];
        norm[0] = shape[0];
        let parts = [
            (format!("{name}.weight_g"), format!("{name}.weight_v")),
            (
                format!("{name}.parametrizations.weight.original0"),
                format!("{name}.parametrizations.weight.original1"),
            ),
        ];
        for (g, v) in parts {
            if self.checkpoint.contains(&format!("{}{v}", self.prefix)) {
                return Ok(multiplied(&self.values(&g, &norm)?, self.values(&v, shape)?));
            }
        }
        self.values(&format!("{name}.weight"), shape)
    }
}

fn multiplied(norms: &[f32], mut directions: Vec<f32>) -> Vec<f32> {
    let length = directions.len() / norms.len().max(1);
    for (norm, direction) in norms.iter().zip(directions.chunks_exact_mut(length.max(1))) {
        let own = direction.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>().sqrt();
        let scale = if own > 0.0 { f64::from(*norm) / own } else { 0.0 };
        direction.iter_mut().for_each(|x| *x = (f64::from(*x) * scale) as f32);
    }
    directions
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directions_get_their_norm() {
        assert_eq!(multiplied(&[10.0, 1.0], vec![3.0, 4.0, 0.0, 0.0]), [6.0, 8.0, 0.0, 0.0]);
    }
}
