//! A CTC model as a recogniser of files.

use std::sync::Arc;

use rayon::prelude::*;

use super::engine::CtcEngine;
use super::search::Search;
use super::transcribed::Transcribed;
use super::{LogProbabilities, Spelled};
use crate::asr::chunk::{Chunk, ChunkSource, Decoded, MAX_CHUNK, Next};
use crate::asr::options::{Chunking, Options};
use crate::asr::pauses::Pauses;
use crate::asr::recognizer::main_language;
use crate::asr::windows::Windows;
use crate::asr::{AudioSource, Observer, Recognizer, Segment, Transcript};
use crate::time::Span;
use crate::{Error, Result};

/// A CTC model and what is asked of it.
pub struct CtcRecognizer {
    engine: Arc<CtcEngine>,
    options: Options,
    search: Search,
}

impl CtcRecognizer {
    /// A recogniser by `options`.
    ///
    /// # Errors
    /// [`Error::Setting`] for what a CTC model cannot do; those of reading a language model.
    pub fn new(engine: Arc<CtcEngine>, options: Options) -> Result<Self> {
        let search = Search::new(&options, &engine.vocabulary, engine.language())?;
        Ok(Self { engine, options, search })
    }

    /// Takes chunks that are encoded together: as many as may be, of no more sound than the longest chunk has.
    fn gather(&self, source: &mut dyn ChunkSource, held: &mut Option<Chunk>) -> Result<Gathered> {
        let mut chunks: Vec<Chunk> = held.take().into_iter().collect();
        while chunks.len() < self.options.batch {
            match source.next()? {
                Next::Chunk(chunk) => {
                    let samples: usize = chunks.iter().map(|chunk| chunk.samples.len()).sum();
                    if samples > 0 && samples + chunk.samples.len() > MAX_CHUNK {
                        *held = Some(chunk);
                        return Ok(Gathered::Chunks(chunks));
                    }
                    chunks.push(chunk);
                }
                Next::Wait => return Ok(Gathered::Chunks(chunks)),
                Next::End if chunks.is_empty() => return Ok(Gathered::End),
                Next::End => return Ok(Gathered::Chunks(chunks)),
            }
        }
        Ok(Gathered::Chunks(chunks))
    }

    fn recognise(&self, chunks: &[Chunk]) -> Result<Vec<Decoded>> {
        let sounds: Vec<&[f32]> = chunks.iter().map(|chunk| chunk.samples.as_slice()).collect();
        let heard = self.engine.listen(&sounds)?;
        let decode = |(chunk, heard): (&Chunk, &LogProbabilities)| self.decode(chunk, heard);
        self.engine.threads.run(|| chunks.par_iter().zip(&heard).map(decode).collect())
    }

    fn decode(&self, chunk: &Chunk, heard: &LogProbabilities) -> Result<Decoded> {
        let frames = match self.options.chunking {
            Chunking::Windows if chunk.samples.len() == MAX_CHUNK => frames_to_a_pause(heard, &self.engine),
            _ => heard.frames(),
        };
        let whole = frames == heard.frames();
        let spelled: Spelled = match whole {
            true => self.search.spell(heard, &self.engine.vocabulary),
            false => self.search.spell(&heard.first(frames), &self.engine.vocabulary),
        };
        let consumed = if whole { chunk.samples.len() } else { frames * self.engine.hop() };
        let span = Span::new(chunk.span.start, chunk.span.start + consumed as u64);
        // Where nothing is said there is no language to find.
        let language = match spelled.words.is_empty() {
            true => String::new(),
            false => self.engine.language_of(&chunk.samples)?,
        };
        let text = Transcribed {
            spelled: &spelled,
            vocabulary: &self.engine.vocabulary,
            span,
            language: &language,
            hop: self.engine.hop(),
        };
        let mut found = match self.options.sentences {
            true => text.segments(),
            false => vec![text.segment()],
        };
        found.retain(|segment| !segment.text.is_empty());
        if !self.options.word_times {
            found.iter_mut().for_each(|segment| segment.words.clear());
        }
        if !self.options.char_times {
            found.iter_mut().for_each(|segment| segment.chars.clear());
        }
        Ok(Decoded { span: chunk.span, segments: found, consumed, text: Vec::new() })
    }

    /// Hands what is heard of `source` to `observer`, and returns it.
    fn run(&self, source: &mut dyn ChunkSource, observer: &mut dyn Observer) -> Result<Vec<Segment>> {
        let mut all = Vec::new();
        let mut held = None;
        loop {
            if observer.stopped() {
                return Err(Error::Interrupted);
            }
            let Gathered::Chunks(chunks) = self.gather(source, &mut held)? else { return Ok(all) };
            for decoded in self.recognise(&chunks)? {
                source.done(&decoded);
                decoded.segments.iter().for_each(|segment| observer.segment(segment));
                observer.progress(decoded.span.start + decoded.consumed as u64);
                all.extend(decoded.segments);
            }
        }
    }
}

/// What a source had to give.
enum Gathered {
    Chunks(Vec<Chunk>),
    End,
}

impl Recognizer for CtcRecognizer {
    fn transcribe(&mut self, audio: &mut dyn AudioSource, observer: &mut dyn Observer) -> Result<Transcript> {
        let (segments, end) = match self.options.chunking {
            Chunking::Windows => {
                let mut windows = Windows::new(audio);
                (self.run(&mut windows, observer)?, windows.position())
            }
            Chunking::Speech { threshold } => {
                let mut pauses = Pauses::new(audio, threshold)?;
                (self.run(&mut pauses, observer)?, pauses.position())
            }
        };
        Ok(Transcript {
            task: self.options.task,
            language: main_language(&segments),
            duration: end.seconds(),
            segments,
        })
    }
}

/// Frames up to the middle of the longest pause in the last third; a window that has none is taken whole. What is after
/// it is heard again with what follows.
fn frames_to_a_pause(heard: &LogProbabilities, engine: &CtcEngine) -> usize {
    let frames = heard.frames();
    let is_silent = |frame: &usize| {
        let token = heard.best(*frame).0;
        engine.vocabulary.spelling(token).is_empty()
    };
    let mut best = (0, frames);
    let mut from = frames * 2 / 3;
    while from < frames {
        let length = (from..frames).take_while(is_silent).count();
        if length > best.0 {
            best = (length, from + length / 2);
        }
        from += length + 1;
    }
    best.1
}
