//! What may be decoded next: suppressed tokens and the grammar of timestamps.
//!
//! The rules are those of `SuppressBlank`, `SuppressTokens` and `ApplyTimestampRules` in OpenAI's
//! `whisper/decoding.py`.

use super::tokenizer::Tokenizer;
use crate::compute::log_softmax;

/// The first timestamp is at most this many steps of 20 ms: speech begins in the first second.
const MAX_INITIAL_TIMESTAMP: u32 = 50;

/// Whether a hypothesis carries timestamps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Timestamps {
    /// Text only.
    Without,
    /// Text between pairs of timestamps.
    Within,
}

/// Turns the logits after `decoded` (tokens after the prompt) into log-probabilities of what may follow;
/// what may not is minus infinity.
pub fn allowed_log_probabilities(
    logits: &mut [f32],
    decoded: &[u32],
    tokenizer: &Tokenizer,
    timestamps: Timestamps,
) {
    let special = tokenizer.special();
    for &token in tokenizer.suppressed() {
        logits[token as usize] = f32::NEG_INFINITY;
    }
    if decoded.is_empty() {
        for &token in tokenizer.suppressed_at_begin() {
            logits[token as usize] = f32::NEG_INFINITY;
        }
    }
    let first = special.first_timestamp as usize;
    match timestamps {
        Timestamps::Without => logits[first..].fill(f32::NEG_INFINITY),
        Timestamps::Within => apply_grammar(logits, decoded, tokenizer),
    }
    log_softmax(logits);
    if timestamps == Timestamps::Within {
        prefer_likely_timestamp(logits, first);
    }
}

/// Timestamps come in pairs, never go back, and begin every hypothesis.
fn apply_grammar(logits: &mut [f32], decoded: &[u32], tokenizer: &Tokenizer) {
    let special = tokenizer.special();
    let (end, first) = (special.end as usize, special.first_timestamp as usize);
    let is_timestamp = |back: usize| {
        decoded
            .len()
            .checked_sub(back)
            .and_then(|i| decoded.get(i))
            .is_some_and(|&t| tokenizer.is_timestamp(t))
    };
    let last = is_timestamp(1);
    let pair_complete = last && (decoded.len() < 2 || is_timestamp(2));
    if pair_complete {
        logits[first..].fill(f32::NEG_INFINITY);
    } else if last {
        logits[..end].fill(f32::NEG_INFINITY);
    }
    if let Some(&latest) = decoded.iter().rev().find(|&&token| tokenizer.is_timestamp(token)) {
        // The second of a pair may repeat the first; a segment is never empty.
        let lowest = latest as usize + usize::from(!last || pair_complete);
        let lowest = lowest.min(logits.len());
        logits[first..lowest].fill(f32::NEG_INFINITY);
    }
    if decoded.is_empty() {
        logits[..first].fill(f32::NEG_INFINITY);
        let beyond = (first + MAX_INITIAL_TIMESTAMP as usize + 1).min(logits.len());
        logits[beyond..].fill(f32::NEG_INFINITY);
    }
}

/// Where all timestamps together are likelier than any text token, a timestamp it is.
fn prefer_likely_timestamp(log_probabilities: &mut [f32], first: usize) {
    let (text, timestamps) = log_probabilities.split_at_mut(first);
    let best_text = text.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let best = timestamps.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    if best == f32::NEG_INFINITY {
        return;
    }
    let sum: f32 = timestamps.iter().map(|x| (x - best).exp()).sum();
    if best + sum.ln() > best_text {
        text.fill(f32::NEG_INFINITY);
    }
}
