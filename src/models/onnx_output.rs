//! What a network in ONNX Runtime gives.

/// What a network gave for one sound.
#[derive(Debug, Clone, PartialEq)]
pub struct OnnxOutput {
    /// `[frames, width]`, row by row.
    pub values: Vec<f32>,
    /// The number of rows; 1 where the network gives one for the whole sound.
    pub frames: usize,
    /// The length of a row.
    pub width: usize,
}

/// What the rows of an output are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutputKind {
    /// One for each frame, `[frames, width]`: hidden states, or logits of tokens for CTC.
    Frames,
    /// One for the whole sound, `[1, width]`: logits of labels.
    Sound,
}
