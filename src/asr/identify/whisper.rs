//! Whisper's language tokens.

use std::sync::Arc;

use super::{LanguageIdentifier, LikelyLanguage, ranked};
use crate::Result;
use crate::asr::chunk::MAX_CHUNK;
use crate::asr::engine::{Engine, LEAST_HEARD};
use crate::models::whisper::{Input, Workspace};

impl LanguageIdentifier for Engine {
    fn identify(&self, samples: &[f32]) -> Result<Vec<LikelyLanguage>> {
        let (tokenizer, decoder) = (&self.tokenizer, &self.model.decoder);
        if !tokenizer.is_multilingual() {
            return Ok(ranked(tokenizer.languages().first().map(|code| (code.clone(), 1.0))));
        }
        let mut cross = decoder.narrow_cross_cache();
        let samples = &samples[..samples.len().min(MAX_CHUNK)];
        self.threads.run(|| self.listen(samples, LEAST_HEARD, &[], &mut cross))?;
        let mut states = vec![decoder.state(Arc::new(cross))];
        let special = tokenizer.special();
        let input = Input { state: 0, token: special.start, wanted: true };
        let mut workspace = Workspace::default();
        self.threads.run(|| decoder.forward(&mut states, &[input], &mut workspace, |_, _| {}));
        let logits = workspace.logits(1, self.model.config.vocabulary);
        let first = special.first_language as usize;
        let logits = &mut logits[first..first + tokenizer.languages().len()];
        crate::compute::log_softmax(logits);
        let languages = tokenizer.languages().iter().cloned();
        Ok(ranked(languages.zip(logits.iter().map(|logarithm| logarithm.exp()))))
    }
}
