//! What a stage is.

use std::time::Duration;

use crate::Result;

/// A step of the pipeline: a plain struct that takes inputs and gives outputs, and neither starts threads nor does I/O.
pub trait Stage: Send {
    /// What it takes.
    type Input: Send;
    /// What it gives.
    type Output: Send;

    /// What reports and events call it.
    fn name(&self) -> &'static str;

    /// What 95 in 100 inputs should take at most.
    fn budget(&self) -> Duration;

    /// Takes an input and appends what comes of it to `output`.
    ///
    /// # Errors
    /// Those that end the stream.
    fn push(&mut self, input: Self::Input, output: &mut Vec<Self::Output>) -> Result<()>;

    /// Ends the stream and appends what was held back to `output`.
    ///
    /// # Errors
    /// Those that end the stream.
    fn flush(&mut self, output: &mut Vec<Self::Output>) -> Result<()>;

    /// Forgets the stream; the next `push` begins another.
    fn reset(&mut self);
}
