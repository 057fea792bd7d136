//! From the tokens of a chunk to segments with times.

use super::chunk::Decoded;
use super::job::{Candidate, Job};
use super::languages::has_spaces;
use super::options::Options;
use super::rules::Timestamps;
use super::tokenizer::Tokenizer;
use super::transcript::Segment;
use crate::time::Span;

/// Samples of one step of timestamps: 20 ms.
const TIMESTAMP_STEP: usize = 320;
/// Text decoded at a higher temperature than this is a guess that the next window is not told.
const TRUSTED_TEMPERATURE: f32 = 0.5;

/// The segments of a finished job. Words are not found yet.
pub fn from_job(job: &Job, tokenizer: &Tokenizer, options: &Options, timestamps: Timestamps) -> Decoded {
    let length = job.chunk.samples.len();
    let nothing =
        |job: &Job| Decoded { span: job.chunk.span, segments: vec![], consumed: length, text: vec![] };
    let Some(best) = job.best() else {
        return nothing(job);
    };
    if job.is_silent(best, options) {
        return nothing(job);
    }
    let (pieces, consumed) = match timestamps {
        Timestamps::Within => split_at_timestamps(&best.hypothesis.tokens, length, tokenizer),
        Timestamps::Without => {
            (vec![Piece { tokens: 0..best.hypothesis.tokens.len(), start: 0, end: length }], length)
        }
    };
    let segments: Vec<Segment> = pieces
        .into_iter()
        .map(|piece| segment(&piece, job, best, tokenizer))
        .filter(|segment| !segment.text.is_empty())
        .collect();
    let trusted = best.temperature < TRUSTED_TEMPERATURE;
    let text =
        segments.iter().filter(|_| trusted).flat_map(|segment| segment.tokens.iter().copied()).collect();
    Decoded { span: job.chunk.span, segments, consumed, text }
}

/// A run of tokens and the samples of the chunk that they were heard in.
struct Piece {
    tokens: std::ops::Range<usize>,
    start: usize,
    end: usize,
}

fn segment(piece: &Piece, job: &Job, best: &Candidate, tokenizer: &Tokenizer) -> Segment {
    let tokens = best.hypothesis.tokens[piece.tokens.clone()].to_vec();
    let start = job.chunk.span.start;
    Segment {
        span: Span::new(start + piece.start as u64, start + piece.end as u64),
        text: tokenizer.decode(&tokens).trim().to_owned(),
        spaced: has_spaces(&job.language),
        language: job.language.clone(),
        tokens,
        words: Vec::new(),
        chars: Vec::new(),
        temperature: best.temperature,
        average_logprob: best.hypothesis.average(),
        compression_ratio: best.compression_ratio,
        no_speech_probability: job.no_speech_probability(),
    }
}

/// Splits tokens between the pairs of timestamps, and says how many of the chunk's `length` samples they
/// cover.
///
/// A text that ends in one timestamp covers the chunk; one that ends in a pair, or within a segment, covers
/// it up to the last pair, as in OpenAI's `transcribe.py`.
fn split_at_timestamps(tokens: &[u32], length: usize, tokenizer: &Tokenizer) -> (Vec<Piece>, usize) {
    let first = tokenizer.special().first_timestamp;
    let samples = |token: u32| ((token - first) as usize * TIMESTAMP_STEP).min(length);
    let is_time = |i: usize| tokenizer.is_timestamp(tokens[i]);
    let mut ends: Vec<usize> = (1..tokens.len()).filter(|&i| is_time(i - 1) && is_time(i)).collect();
    let ends_in_one = tokens.len() >= 2 && !is_time(tokens.len() - 2) && is_time(tokens.len() - 1);

    if ends.is_empty() {
        let times: Vec<u32> = tokens.iter().copied().filter(|&token| tokenizer.is_timestamp(token)).collect();
        let start = times.first().map_or(0, |&time| samples(time));
        let end = times.last().filter(|_| times.len() > 1).map_or(length, |&time| samples(time));
        return (vec![Piece { tokens: 0..tokens.len(), start, end: end.max(start) }], length);
    }
    if ends_in_one {
        ends.push(tokens.len());
    }
    let mut begin = 0;
    let mut pieces = Vec::with_capacity(ends.len());
    for end in ends {
        pieces.push(Piece {
            tokens: begin..end,
            start: samples(tokens[begin]),
            end: samples(tokens[end - 1]),
        });
        begin = end;
    }
    let consumed = if ends_in_one { length } else { samples(tokens[begin - 1]) };
    (pieces, if consumed == 0 { length } else { consumed })
}
