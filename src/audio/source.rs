//! Where samples come from, whatever hears them.

use super::AudioStream;
use crate::Result;

/// 16 kHz mono samples in order.
pub trait AudioSource {
    /// Puts the next samples into `block`, in place of what it held, and returns how many: zero at the end and
    /// ever after.
    ///
    /// # Errors
    /// Those of the input, which end it.
    fn read(&mut self, block: &mut Vec<f32>) -> Result<usize>;

    /// What was doubtful in the input so far, a line each.
    fn warnings(&self) -> Vec<String> {
        Vec::new()
    }
}

impl AudioSource for AudioStream {
    fn read(&mut self, block: &mut Vec<f32>) -> Result<usize> {
        AudioStream::read(self, block)
    }

    fn warnings(&self) -> Vec<String> {
        AudioStream::warnings(self).iter().map(ToString::to_string).collect()
    }
}

/// All at once.
impl AudioSource for &[f32] {
    fn read(&mut self, block: &mut Vec<f32>) -> Result<usize> {
        block.clear();
        block.extend_from_slice(self);
        *self = &[];
        Ok(block.len())
    }
}
