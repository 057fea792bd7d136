//! How long steps of decoding take.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::engine::Engine;
use super::search::likeliest;
use crate::models::whisper::{Input, Workspace};
use crate::{Error, Result};

/// What is decoded in a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StepShape {
    /// Texts side by side, each of a sound of its own.
    pub sequences: usize,
    /// Tokens of each: one of a text that is searched, more of a draft that is checked.
    pub tokens: usize,
}

impl Engine {
    /// How long each of `steps` steps took, from the newest tokens to the next ones: the likeliest of those that are text, so
    /// that no text ends. All sequences hear `samples`, 30 s at most, padded with silence to 30 s.
    ///
    /// # Errors
    /// [`Error::Setting`] for more tokens than the network has positions for, and those of the network.
    pub fn step_times(&self, samples: &[f32], shape: StepShape, steps: usize) -> Result<Vec<Duration>> {
        /// 30 s of log-mel frames.
        const WHOLE: usize = 3000;
        let (special, decoder) = (self.tokenizer.special(), &self.model.decoder);
        let positions = self.model.config.target_positions;
        let prompt = [special.start, special.no_timestamps];
        if shape.sequences * shape.tokens == 0 || prompt.len() + steps * shape.tokens > positions {
            return Err(Error::Setting(format!(
                "{steps} steps of {} tokens do not fit in the {positions} positions of the network",
                shape.tokens
            )));
        }
        let listen = || {
            let mut cross = decoder.narrow_cross_cache();
            self.threads.run(|| self.listen(samples, WHOLE, &[], &mut cross))?;
            Ok(decoder.state(Arc::new(cross)))
        };
        let mut states = (0..shape.sequences).map(|_| listen()).collect::<Result<Vec<_>>>()?;
        let mut workspace = Workspace::default();
        let mut inputs: Vec<Input> = (0..shape.sequences)
            .flat_map(|state| {
                prompt.map(|token| Input { state, token, wanted: token == special.no_timestamps })
            })
            .collect();
        let vocabulary = self.model.config.vocabulary;
        let mut next = |inputs: &[Input]| -> Vec<u32> {
            self.threads.run(|| decoder.forward(&mut states, inputs, &mut workspace, |_, _| {}));
            let wanted = inputs.iter().filter(|input| input.wanted).count();
            let logits = workspace.logits(wanted, vocabulary);
            logits.chunks_exact(vocabulary).map(|row| likeliest(&row[..special.end as usize]).0).collect()
        };
        let mut newest = next(&inputs);
        let mut times = Vec::with_capacity(steps);
        for _ in 0..steps {
            let start = Instant::now();
            inputs.clear();
            // Of the rows of a sequence the last tells what comes next.
            for (state, row) in newest.chunks_exact(newest.len() / shape.sequences).enumerate() {
                let token = row[row.len() - 1];
                inputs.extend((0..shape.tokens).map(|_| Input { state, token, wanted: true }));
            }
            newest = next(&inputs);
            times.push(start.elapsed());
        }
        Ok(times)
    }
}
