//! Sound cut at pauses, with silence left out.

use std::collections::VecDeque;

use super::AudioSource;
use super::chunk::{Chunk, ChunkSource, Decoded, Next};
use crate::Result;
use crate::time::SampleIndex;
use crate::vad::{Segmenter, SegmenterOptions, SpeechSegment, VadOptions};

/// Samples without speech after which the caller is heard, who may want to stop: 10 s.
const PATIENCE: u64 = 160_000;

/// Chunks of speech, found by voice activity detection. They are independent of each other.
pub struct Pauses<'a> {
    audio: &'a mut dyn AudioSource,
    segmenter: Segmenter,
    block: Vec<f32>,
    segments: Vec<SpeechSegment>,
    ready: VecDeque<Chunk>,
    ended: bool,
    position: SampleIndex,
}

impl<'a> Pauses<'a> {
    /// Chunks of `audio`; `threshold` is the probability from which a frame is speech.
    pub fn new(audio: &'a mut dyn AudioSource, threshold: f32) -> Result<Self> {
        let vad = VadOptions {
            threshold,
            negative_threshold: (threshold - 0.15).max(0.01),
            ..VadOptions::default()
        };
        Ok(Self {
            audio,
            segmenter: Segmenter::new(&SegmenterOptions { vad, ..SegmenterOptions::default() })?,
            block: Vec::new(),
            segments: Vec::new(),
            ready: VecDeque::new(),
            ended: false,
            position: SampleIndex(0),
        })
    }
}

impl ChunkSource for Pauses<'_> {
    fn next(&mut self) -> Result<Next> {
        let patience = self.position + PATIENCE;
        while self.ready.is_empty() && !self.ended {
            if self.position >= patience {
                return Ok(Next::Wait);
            }
            let read = self.audio.read(&mut self.block)?;
            self.position = self.position + read as u64;
            match read {
                0 => {
                    self.segmenter.flush(&mut self.segments);
                    self.ended = true;
                }
                _ => self.segmenter.push(&self.block, &mut self.segments),
            }
            let chunk = |segment: SpeechSegment| Chunk {
                span: segment.span,
                samples: segment.samples,
                previous: Vec::new(),
                draft: Vec::new(),
                language: None,
            };
            self.ready.extend(self.segments.drain(..).map(chunk));
        }
        Ok(self.ready.pop_front().map_or(Next::End, Next::Chunk))
    }

    fn done(&mut self, _: &Decoded) {}

    fn position(&self) -> SampleIndex {
        self.position
    }
}
