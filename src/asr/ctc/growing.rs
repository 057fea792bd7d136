//! A sound that grows on its way through a network.

use candle_core::Tensor;

use super::LogProbabilities;
use super::network::{CtcNetwork, values};
use crate::Result;
use crate::models::export::Export;
use crate::models::wav2vec2::{StreamOptions, Wav2Vec2ForCtc, Wav2Vec2Stream};

/// A segment that grows. Its frames settle chunk by chunk, which hear a bounded stretch before and after them.
pub(super) struct Growing {
    /// Its number.
    pub segment: u64,
    /// Log-probabilities of the frames that will not change.
    pub settled: LogProbabilities,
    options: StreamOptions,
    /// What a native network has heard; it makes no feature twice.
    stream: Option<Wav2Vec2Stream>,
    /// Samples that the stream was given.
    pushed: usize,
}

impl Growing {
    /// A segment before any sound.
    pub fn new(segment: u64, network: &CtcNetwork, options: StreamOptions) -> Self {
        let settled = LogProbabilities::new(Vec::new(), network.tokens());
        Self { segment, settled, options, stream: None, pushed: 0 }
    }

    /// Hears what is new in `samples`, all of the segment so far; returns what is known of the frames after the settled
    /// ones.
    pub fn hear(&mut self, network: &CtcNetwork, samples: &[f32]) -> Result<LogProbabilities> {
        match network {
            CtcNetwork::Native(network) => self.hear_stream(network, samples),
            CtcNetwork::Export(export) => self.hear_windows(export, samples),
        }
    }

    fn hear_stream(&mut self, network: &Wav2Vec2ForCtc, samples: &[f32]) -> Result<LogProbabilities> {
        let tokens = network.tokens();
        let stream = match &mut self.stream {
            Some(stream) => stream,
            none => none.insert(Wav2Vec2Stream::new(&network.encoder, self.options)?),
        };
        let new = samples.get(self.pushed..).unwrap_or_default();
        self.pushed = self.pushed.max(samples.len());
        let mut ahead = None;
        let settled = &mut self.settled;
        stream.push(&network.encoder, new, |chunk| {
            settled.append(LogProbabilities::new(values(&network.logits_of(&chunk.states)?)?, tokens));
            ahead = Some(chunk.ahead);
            Ok(())
        })?;
        let rest = match ahead {
            Some(ahead) => Some(ahead),
            None => stream.rest(&network.encoder)?,
        };
        known_of(network, rest)
    }

    /// Hears the last of `samples`, all of the segment; returns all of its frames.
    pub fn finish(mut self, network: &CtcNetwork, samples: &[f32]) -> Result<LogProbabilities> {
        self.hear(network, samples)?;
        let rest = match (network, &mut self.stream) {
            (CtcNetwork::Native(network), Some(stream)) => {
                known_of(network, stream.flush(&network.encoder)?)?
            }
            // What completes a chunk tells of no more than the look-ahead; asked again, it tells all.
            _ => self.hear(network, samples)?,
        };
        self.settled.append(rest);
        Ok(self.settled)
    }

    /// An export hears each chunk with what is around it as a sound of its own.
    fn hear_windows(&mut self, export: &Export, samples: &[f32]) -> Result<LogProbabilities> {
        let StreamOptions { chunk, look_ahead, .. } = self.options;
        let heard = export.config.frames(samples.len());
        let mut ahead = None;
        while heard >= self.settled.frames() + chunk + look_ahead {
            let mut logits = self.window(export, samples, self.settled.frames() + chunk + look_ahead)?;
            ahead = Some(logits.split_off(chunk * export.width()));
            self.settled.append(LogProbabilities::new(logits, export.width()));
        }
        let ahead = match ahead {
            Some(ahead) => ahead,
            None if heard <= self.settled.frames() => Vec::new(),
            None => self.window(export, samples, heard)?,
        };
        Ok(LogProbabilities::new(ahead, export.width()))
    }

    /// Logits of the frames from the first that is not settled to `end`.
    fn window(&self, export: &Export, samples: &[f32], end: usize) -> Result<Vec<f32>> {
        let (hop, field) = (export.config.hop(), export.config.field());
        let first = self.settled.frames().saturating_sub(self.options.left);
        // Mean and variance are those of all that was heard so far.
        let ready = self.options.standardise.apply(&samples[..(end - 1) * hop + field], field);
        let mut logits = export.run(&ready[first * hop..])?.values;
        Ok(logits.split_off((self.settled.frames() - first) * export.width()))
    }
}

/// What the network makes of states, `[frames, hidden_size]`, where there are any.
fn known_of(network: &Wav2Vec2ForCtc, states: Option<Tensor>) -> Result<LogProbabilities> {
    let states = states.filter(|states| states.dims()[0] > 0);
    let logits = states.map_or(Ok(Vec::new()), |states| values(&network.logits_of(&states)?))?;
    Ok(LogProbabilities::new(logits, network.tokens()))
}
