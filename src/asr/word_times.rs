//! When each word was spoken, from the decoder's cross-attention.
//!
//! Follows OpenAI's `timing.py`: some attention heads look at the sound of the token that comes next; their
//! weights, normalised and smoothed, are aligned to time by dynamic time warping.

use std::ops::Range;

use super::job::Job;
use super::languages::has_spaces;
use super::tokenizer::Tokenizer;
use super::transcript::{Segment, Task, Word};
use crate::models::whisper::{DecoderState, Input, Whisper, Workspace};
use crate::time::Span;

/// Samples of an encoder frame: 20 ms.
const FRAME: usize = 320;
/// Frames of the median filter.
const MEDIAN_WIDTH: usize = 7;
/// Punctuation that belongs to the word after it.
const OPENING: &str = "\"'“¿([{-";
/// Punctuation that belongs to the word before it.
const CLOSING: &str = "\"'.。,，!！?？:：”)]}、।؟،۔";

/// Finds the words of `segments`, all of the job's chunk, and their times. `state` must be at its start.
pub fn align(
    model: &Whisper,
    tokenizer: &Tokenizer,
    task: Task,
    state: &mut [DecoderState],
    workspace: &mut Workspace,
    job: &Job,
    segments: &mut [Segment],
) {
    let Some(best) = job.best() else {
        return;
    };
    let special = tokenizer.special();
    let is_text = |token: &u32| *token < special.end;
    let probabilities: Vec<f32> = std::iter::zip(&best.hypothesis.tokens, &best.hypothesis.log_probabilities)
        .filter(|(token, _)| is_text(token))
        .map(|(_, log_probability)| log_probability.exp())
        .collect();
    let text = segments.iter().flat_map(|segment| segment.tokens.iter().copied()).filter(is_text);

    let mut tokens = vec![special.start];
    if tokenizer.is_multilingual() {
        tokens.extend(tokenizer.language_token(&job.language));
        tokens.push(if task == Task::Translate { special.translate } else { special.transcribe });
    }
    tokens.push(special.no_timestamps);
    let prompt = tokens.len();
    tokens.extend(text);
    tokens.truncate(model.config.target_positions);

    let frames = state[0].cross().frames().min(job.chunk.samples.len().div_ceil(FRAME)).max(1);
    let heads = alignment_heads(model, tokenizer);
    let mut attention = Attention { rows: tokens.len(), frames, heads: Vec::with_capacity(heads.len()) };
    let inputs: Vec<Input> = tokens.iter().map(|&token| Input { state: 0, token, wanted: false }).collect();
    model.decoder.forward(state, &inputs, workspace, |layer, weights| {
        for &(_, head) in heads.iter().filter(|(of, _)| *of == layer) {
            let rows = (0..inputs.len()).flat_map(|row| &weights.row(row, head)[..frames]);
            attention.heads.push(rows.copied().collect());
        }
    });
    let cost = attention.cost();
    // The row before a token is the one that predicts it.
    let starts = warp(&cost[(prompt - 1) * frames..], frames);

    let base = job.chunk.span.start;
    let at = |token: usize| base + (starts.get(token).copied().unwrap_or(frames) * FRAME) as u64;
    let mut first = 0;
    for segment in segments {
        let text: Vec<u32> = segment.tokens.iter().copied().filter(is_text).collect();
        segment.words = split_words(&text, tokenizer, &segment.language)
            .into_iter()
            .map(|range| Word {
                span: Span::new(at(first + range.start), at(first + range.end).min(job.chunk.span.end)),
                probability: mean(
                    probabilities.get(first + range.start..first + range.end).unwrap_or_default(),
                ),
                text: tokenizer.decode(&text[range]),
            })
            .collect();
        first += text.len();
    }
}

/// The heads that follow time; where the model does not say which, all of the upper half of the layers.
fn alignment_heads(model: &Whisper, tokenizer: &Tokenizer) -> Vec<(usize, usize)> {
    let config = &model.config;
    let known: Vec<(usize, usize)> = tokenizer
        .alignment_heads()
        .iter()
        .copied()
        .filter(|&(layer, head)| layer < config.decoder_layers && head < config.decoder_heads)
        .collect();
    match known.is_empty() {
        false => known,
        true => (config.decoder_layers / 2..config.decoder_layers)
            .flat_map(|layer| (0..config.decoder_heads).map(move |head| (layer, head)))
            .collect(),
    }
}

/// Cross-attention weights of some heads, each `[rows, frames]`.
struct Attention {
    rows: usize,
    frames: usize,
    heads: Vec<Vec<f32>>,
}

impl Attention {
    /// How badly each row fits each frame, `[rows, frames]`.
    fn cost(mut self) -> Vec<f32> {
        let mut cost = vec![0.0; self.rows * self.frames];
        let scale = 1.0 / self.heads.len().max(1) as f32;
        for head in &mut self.heads {
            standardize_columns(head, self.frames);
            for (row, cost) in head.chunks_exact(self.frames).zip(cost.chunks_exact_mut(self.frames)) {
                for (cost, weight) in cost.iter_mut().zip(median_filter(row)) {
                    *cost -= weight * scale;
                }
            }
        }
        cost
    }
}

/// Subtracts from each column its mean and divides it by its standard deviation.
fn standardize_columns(matrix: &mut [f32], columns: usize) {
    let rows = (matrix.len() / columns) as f32;
    let mut sums = vec![0.0; columns];
    let mut squares = vec![0.0; columns];
    for row in matrix.chunks_exact(columns) {
        for ((sum, square), value) in sums.iter_mut().zip(&mut squares).zip(row) {
            *sum += value;
            *square += value * value;
        }
    }
    for row in matrix.chunks_exact_mut(columns) {
        for ((value, sum), square) in row.iter_mut().zip(&sums).zip(&squares) {
            let mean = sum / rows;
            let deviation = (square / rows - mean * mean).max(0.0).sqrt();
            *value = (*value - mean) / deviation.max(1e-9);
        }
    }
}

/// The median of each value and its neighbours; the row is mirrored at its ends.
fn median_filter(row: &[f32]) -> impl Iterator<Item = f32> + '_ {
    let half = MEDIAN_WIDTH / 2;
    let mirrored = move |i: isize| {
        let last = row.len() as isize - 1;
        let i = i.abs();
        let i = if i > last { 2 * last - i } else { i };
        row[i.clamp(0, last) as usize]
    };
    (0..row.len() as isize).map(move |i| {
        let mut window: [f32; MEDIAN_WIDTH] =
            std::array::from_fn(|k| mirrored(i + k as isize - half as isize));
        window.sort_unstable_by(f32::total_cmp);
        window[half]
    })
}

/// Dynamic time warping: the first frame of each row on the cheapest monotonic path through `cost`,
/// `[rows, frames]`.
fn warp(cost: &[f32], frames: usize) -> Vec<usize> {
    #[derive(Clone, Copy, PartialEq)]
    enum From {
        Both,
        Row,
        Frame,
    }
    let rows = cost.len() / frames;
    let mut above = vec![f32::INFINITY; frames + 1];
    above[0] = 0.0;
    let mut trace = vec![From::Both; rows * frames];
    for row in 0..rows {
        let mut totals = vec![f32::INFINITY; frames + 1];
        for frame in 0..frames {
            let (both, up, left) = (above[frame], above[frame + 1], totals[frame]);
            let (best, from) = if both < up && both < left {
                (both, From::Both)
            } else if up < both && up < left {
                (up, From::Row)
            } else {
                (left, From::Frame)
            };
            totals[frame + 1] = cost[row * frames + frame] + best;
            trace[row * frames + frame] = from;
        }
        above = totals;
    }
    let mut starts = vec![0; rows];
    let (mut row, mut frame) = (rows, frames);
    while row > 0 && frame > 0 {
        starts[row - 1] = frame - 1;
        match trace[(row - 1) * frames + frame - 1] {
            From::Both => (row, frame) = (row - 1, frame - 1),
            From::Row => row -= 1,
            From::Frame => frame -= 1,
        }
    }
    starts
}

/// The words of text tokens, without the space before them.
pub fn words_of(tokens: &[u32], tokenizer: &Tokenizer, language: &str) -> Vec<String> {
    let word = |range: Range<usize>| tokenizer.decode(&tokens[range]).trim().to_owned();
    split_words(tokens, tokenizer, language).into_iter().map(word).filter(|word| !word.is_empty()).collect()
}

/// How many tokens the first `words` words have.
pub fn tokens_of(words: usize, tokens: &[u32], tokenizer: &Tokenizer, language: &str) -> usize {
    let last =
        words.checked_sub(1).and_then(|last| split_words(tokens, tokenizer, language).get(last).cloned());
    last.map_or(0, |last| last.end)
}

/// Splits text tokens into words with their punctuation, as ranges of tokens.
fn split_words(tokens: &[u32], tokenizer: &Tokenizer, language: &str) -> Vec<Range<usize>> {
    let spaced = has_spaces(language);
    let mut words: Vec<Range<usize>> = Vec::new();
    for range in whole_characters(tokens, tokenizer) {
        let text = tokenizer.decode(&tokens[range.clone()]);
        let joins_last = (spaced && !text.starts_with(' ')) || is_all_in(&text, CLOSING);
        match words.last_mut() {
            Some(last) if joins_last => last.end = range.end,
            _ => words.push(range),
        }
    }
    // Opening punctuation goes with the word after it.
    let mut merged: Vec<Range<usize>> = Vec::with_capacity(words.len());
    for word in words {
        match merged.last_mut() {
            Some(last) if is_all_in(&tokenizer.decode(&tokens[last.clone()]), OPENING) => last.end = word.end,
            _ => merged.push(word),
        }
    }
    merged
}

/// Runs of tokens that are whole characters; a character may be spread over several tokens.
fn whole_characters(tokens: &[u32], tokenizer: &Tokenizer) -> Vec<Range<usize>> {
    let mut runs = Vec::new();
    let mut start = 0;
    let mut bytes = Vec::new();
    for (i, &token) in tokens.iter().enumerate() {
        bytes.extend_from_slice(tokenizer.bytes(token));
        if std::str::from_utf8(&bytes).is_ok() || i + 1 == tokens.len() {
            runs.push(start..i + 1);
            start = i + 1;
            bytes.clear();
        }
    }
    runs
}

fn is_all_in(text: &str, set: &str) -> bool {
    let text = text.trim();
    !text.is_empty() && text.chars().all(|c| set.contains(c))
}

fn mean(values: &[f32]) -> f32 {
    values.iter().sum::<f32>() / values.len().max(1) as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn warping_finds_the_diagonal() {
        // Three rows of which each is cheap for two frames.
        let mut cost = vec![1.0; 3 * 6];
        for row in 0..3 {
            cost[row * 6 + row * 2..row * 6 + row * 2 + 2].fill(0.0);
        }
        assert_eq!(warp(&cost, 6), [0, 2, 4]);
    }

    #[test]
    fn the_median_drops_spikes_and_keeps_steps() {
        let mut row = vec![0.0; 20];
        row[5] = 9.0;
        row[12..].fill(1.0);
        let filtered: Vec<f32> = median_filter(&row).collect();
        assert_eq!(filtered[5], 0.0);
        assert_eq!(filtered[11..13], [0.0, 1.0]);
    }
}
