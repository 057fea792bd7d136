//! Log-probabilities of tokens, frame by frame.

use crate::compute::log_softmax;

/// Log-probabilities, `[frames, tokens]`.
#[derive(Debug, Clone)]
pub struct LogProbabilities {
    values: Vec<f32>,
    tokens: usize,
}

impl LogProbabilities {
    /// Those of `logits`, `[frames, tokens]`.
    ///
    /// # Panics
    /// Where there is no whole number of frames.
    pub fn new(mut logits: Vec<f32>, tokens: usize) -> Self {
        assert!(tokens > 0 && logits.len().is_multiple_of(tokens), "logits are whole frames");
        logits.chunks_exact_mut(tokens).for_each(log_softmax);
        Self { values: logits, tokens }
    }

    /// Those of the first `frames` frames.
    pub fn first(&self, frames: usize) -> Self {
        Self { values: self.values[..frames * self.tokens].to_vec(), tokens: self.tokens }
    }

    /// Adds frames after the last.
    ///
    /// # Panics
    /// Where `later` has another number of tokens.
    pub fn append(&mut self, later: Self) {
        assert_eq!(self.tokens, later.tokens, "frames of one network have one number of tokens");
        self.values.extend(later.values);
    }

    /// Number of frames.
    pub fn frames(&self) -> usize {
        self.values.len() / self.tokens
    }

    /// Number of tokens.
    pub fn tokens(&self) -> usize {
        self.tokens
    }

    /// Those of a frame.
    pub fn frame(&self, index: usize) -> &[f32] {
        &self.values[index * self.tokens..(index + 1) * self.tokens]
    }

    /// The most probable token of a frame, the first of equals, and its log-probability.
    pub fn best(&self, frame: usize) -> (u32, f32) {
        // Of equals `max_by` takes the last; half-precision logits have such.
        let tokens = self.frame(frame).iter().copied().enumerate().rev();
        let best = tokens.max_by(|(_, a), (_, b)| a.total_cmp(b));
        best.map_or((0, f32::NEG_INFINITY), |(token, value)| (token as u32, value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_equals_is_the_best() {
        let probabilities = LogProbabilities::new(vec![1.0, 2.0, 2.0, 3.0, 3.0, 3.0], 3);
        assert_eq!((probabilities.best(0).0, probabilities.best(1).0), (1, 0));
    }
}
