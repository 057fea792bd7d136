//! Chunks of sound on their way through the network, and what came of them.

use super::transcript::Segment;
use crate::Result;
use crate::time::{SampleIndex, Span};

/// Samples that the network hears at most: 30 s.
pub const MAX_CHUNK: usize = 30 * 16_000;

/// A stretch of sound to be transcribed at once.
#[derive(Debug, Clone)]
pub struct Chunk {
    /// Where it lies in the stream.
    pub span: Span,
    /// Its 16 kHz samples, at most [`MAX_CHUNK`].
    pub samples: Vec<f32>,
    /// Tokens of the text before, for a network that is told it.
    pub previous: Vec<u32>,
    /// Text tokens that it probably begins with: greedy search checks them in one step. They change nothing but the time
    /// it takes.
    pub draft: Vec<u32>,
    /// Its language, where it is known.
    pub language: Option<String>,
}

/// What came of a chunk.
#[derive(Debug, Clone)]
pub struct Decoded {
    /// Where the chunk lies in the stream.
    pub span: Span,
    /// Its text; empty where nothing was said.
    pub segments: Vec<Segment>,
    /// Samples of the chunk that the text covers. The rest was not understood whole, and is better heard
    /// again from its beginning.
    pub consumed: usize,
    /// Text tokens, to be told to the network with the next window; empty after a guess at high temperature.
    pub text: Vec<u32>,
}

/// Gives out chunks in order of time.
pub trait ChunkSource {
    /// The next chunk to work on.
    fn next(&mut self) -> Result<Next>;

    /// Takes note that a chunk is done. Chunks are done in order.
    fn done(&mut self, decoded: &Decoded);

    /// Where in the stream the source has got to.
    fn position(&self) -> SampleIndex;
}

/// What a source has to give.
pub enum Next {
    /// A chunk.
    Chunk(Chunk),
    /// Nothing yet: ask again once a chunk that was given out is done, or at once where there is none.
    Wait,
    /// Nothing any more.
    End,
}
