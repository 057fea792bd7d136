//! Weights of a byte each.

/// Signed numbers that the bytes stand for.
pub(super) const LEVELS: usize = 256;
/// The largest byte.
const MOST: f32 = 127.0;

/// Weights as bytes, and a table of what each byte means.
///
/// Most weights are small and a few are large, so that equal steps would lose nearly all: the steps grow with the square of
/// the byte.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Quantised {
    pub bytes: Vec<i8>,
    /// For bytes from -128 on.
    pub levels: Vec<f32>,
}

impl Quantised {
    /// The nearest to `weights`; what is no number is 0.
    pub fn of(weights: &[f32]) -> Self {
        let largest = weights.iter().map(|weight| weight.abs()).filter(|w| w.is_finite()).fold(0.0, f32::max);
        let level = |byte: i8| {
            let share = (f32::from(byte) / MOST).clamp(-1.0, 1.0);
            largest * share * share.abs()
        };
        let byte = |&weight: &f32| {
            let share = if largest > 0.0 { weight / largest } else { 0.0 };
            // Casting saturates, and takes what is no number for 0.
            (share.signum() * share.abs().sqrt() * MOST).round() as i8
        };
        Self { bytes: weights.iter().map(byte).collect(), levels: (i8::MIN..=i8::MAX).map(level).collect() }
    }

    /// The weight of a bucket.
    pub fn get(&self, bucket: u32) -> f32 {
        self.levels[(i16::from(self.bytes[bucket as usize]) + 128) as usize]
    }
}
