//! Sound cut into windows of 30 s, each beginning where the text of the last one ended.

use super::AudioSource;
use super::chunk::{Chunk, ChunkSource, Decoded, MAX_CHUNK, Next};
use crate::Result;
use crate::time::{SampleIndex, Span};

/// Tokens of earlier text that are kept; the network is told at most half of its positions.
const MAX_PREVIOUS: usize = 448;

/// Samples of the shortest window worth hearing: 0.1 s.
const SHORTEST_WINDOW: usize = 1600;

/// OpenAI's way through long sound: no pause is looked for, and each window is told the text before it.
pub struct Windows<'a> {
    audio: &'a mut dyn AudioSource,
    /// Samples from `start` on.
    pending: Vec<f32>,
    start: SampleIndex,
    block: Vec<f32>,
    ended: bool,
    waiting: bool,
    previous: Vec<u32>,
}

impl<'a> Windows<'a> {
    /// Windows over `audio`.
    pub fn new(audio: &'a mut dyn AudioSource) -> Self {
        Self {
            audio,
            pending: Vec::new(),
            start: SampleIndex(0),
            block: Vec::new(),
            ended: false,
            waiting: false,
            previous: Vec::new(),
        }
    }
}

impl ChunkSource for Windows<'_> {
    fn next(&mut self) -> Result<Next> {
        if self.waiting {
            return Ok(Next::Wait);
        }
        while !self.ended && self.pending.len() < MAX_CHUNK {
            self.ended = self.audio.read(&mut self.block)? == 0;
            self.pending.extend_from_slice(&self.block);
        }
        if self.pending.len() < SHORTEST_WINDOW {
            self.start = self.start + self.pending.len() as u64;
            self.pending.clear();
            return Ok(Next::End);
        }
        let samples = self.pending[..self.pending.len().min(MAX_CHUNK)].to_vec();
        self.waiting = true;
        let span = Span::new(self.start, self.start + samples.len() as u64);
        Ok(Next::Chunk(Chunk {
            span,
            samples,
            previous: self.previous.clone(),
            draft: Vec::new(),
            language: None,
        }))
    }

    fn done(&mut self, decoded: &Decoded) {
        self.waiting = false;
        self.pending.drain(..decoded.consumed);
        self.start = self.start + decoded.consumed as u64;
        match decoded.text.is_empty() {
            true => self.previous.clear(),
            false => self.previous.extend(&decoded.text),
        }
        let surplus = self.previous.len().saturating_sub(MAX_PREVIOUS);
        self.previous.drain(..surplus);
    }

    fn position(&self) -> SampleIndex {
        self.start + self.pending.len() as u64
    }
}
