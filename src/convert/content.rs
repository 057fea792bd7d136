//! What is said, frame by frame, without who says it: frames of an encoder as mixtures of the centroids of a codebook.

use candle_core::{D, Device, Tensor};

use super::units::{Codebook, Standard};
use crate::Result;
use crate::models::trainable::softmax;

/// Frames that are compared at once.
const ROWS: usize = 2048;

/// Makes contents of frames.
pub struct Contents<'a> {
    codebook: &'a Codebook,
    parts: Vec<Centroids>,
}

/// Of a part: `[width, k]` turned, `[k, width]`, and the squared lengths.
struct Centroids {
    start: usize,
    width: usize,
    turned: Tensor,
    rows: Tensor,
    lengths: Tensor,
}

impl<'a> Contents<'a> {
    /// Of the frames that `codebook` is for.
    ///
    /// # Errors
    /// Those of candle.
    pub fn new(codebook: &'a Codebook) -> Result<Self> {
        let part = |part: &super::units::Part| {
            let shape = (part.clusters(), part.width);
            let rows = Tensor::from_slice(&part.centroids, shape, &Device::Cpu)?;
            let lengths = rows.sqr()?.sum(D::Minus1)?;
            let turned = rows.t()?.contiguous()?;
            Ok(Centroids { start: part.start, width: part.width, turned, rows, lengths })
        };
        Ok(Self { codebook, parts: codebook.parts().iter().map(part).collect::<Result<_>>()? })
    }

    /// Values of a frame.
    pub fn width(&self) -> usize {
        self.parts.iter().map(|part| part.width).sum()
    }

    /// For `frames`, `[frames, width]`, mixtures of the centroids, those of all parts side by side, on the scale on which they are
    /// compared. Each centroid counts by `exp(-d / (softness d0))`, where `d` is its squared distance and `d0` the mean one of
    /// frames to the nearest: the smaller the softness, the more it is the nearest alone.
    ///
    /// # Errors
    /// Those of candle.
    pub fn mixtures(&self, frames: &[f32], softness: f64) -> Result<Vec<f32>> {
        let width = self.codebook.width();
        let spread = softness * self.codebook.card().inertia.max(1e-6) / self.parts.len() as f64;
        let mut out = Vec::with_capacity(frames.len() / width * self.width());
        for piece in frames.chunks(ROWS * width) {
            let scaled = match self.codebook.standard() {
                Standard::AsTheyAre => piece.to_vec(),
                Standard::Moments(moments) => {
                    let mut scaled = piece.to_vec();
                    scaled.chunks_exact_mut(width).for_each(|frame| moments.apply(frame));
                    scaled
                }
            };
            let x = Tensor::from_vec(scaled, (piece.len() / width, width), &Device::Cpu)?;
            let mixed = self.parts.iter().map(|part| part.mixed(&x, spread));
            let mixed = mixed.collect::<Result<Vec<_>>>()?;
            out.extend(Tensor::cat(&mixed, 1)?.flatten_all()?.to_vec1::<f32>()?);
        }
        Ok(out)
    }
}

impl Centroids {
    fn mixed(&self, x: &Tensor, spread: f64) -> Result<Tensor> {
        let block = x.narrow(1, self.start, self.width)?.contiguous()?;
        // The frame's own length is the same for all centroids.
        let near = ((block.matmul(&self.turned)? * 2.0)?.broadcast_sub(&self.lengths)? / spread)?;
        Ok(softmax(&near)?.matmul(&self.rows)?)
    }
}

#[cfg(test)]
mod tests {
    use super::super::units::tests_support::codebook;
    use super::*;

    #[test]
    fn hard_mixtures_are_the_nearest_centroids_and_soft_ones_lie_between() {
        let codebook = codebook();
        let contents = Contents::new(&codebook).unwrap();
        let frames = [1.0, 0.1, 0.9, 3.0, 4.0, 4.0];
        let hard = contents.mixtures(&frames, 1e-4).unwrap();
        assert_eq!(hard, codebook.quantised(&codebook.units(&frames)).unwrap());
        let soft = contents.mixtures(&frames, 100.0).unwrap();
        assert_eq!((soft.len(), contents.width()), (10, 5));
        assert!(soft[0] > 0.2 && soft[0] < 0.8, "{soft:?}");
    }
}
