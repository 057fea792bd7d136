//! What tells voices apart, and stands in a table beside others.

use crate::Result;
use crate::cli::stop::Stop;
use crate::speaker::diarize::{DiarizeOptions, Voiced};
use crate::speaker::{Cohort, SpeakerModel, Voiceprint};
use crate::time::Span;

/// A system: sound to a vector, two vectors to a score.
pub trait VoiceSystem {
    /// Its name in tables.
    fn name(&self) -> &str;

    /// What tells its vectors from those of other systems: they are kept under it.
    fn identity(&self) -> String;

    /// The vector of 16 kHz samples without silences, of length 1.
    ///
    /// # Errors
    /// Those of the network.
    fn embed(&self, samples: &[f32]) -> Result<Vec<f32>>;

    /// The windows of a conversation with their vectors, for diarization.
    ///
    /// # Errors
    /// Those of hearing it.
    fn hear(&self, samples: &[f32], speech: &[Span], options: &DiarizeOptions, stop: &Stop)
    -> Result<Voiced>;

    /// What each voice is scored with, beside the cosine; none where there is nothing.
    ///
    /// # Errors
    /// Those of the vector.
    fn shift(&self, _vector: &[f32]) -> Result<Option<Shift>> {
        Ok(None)
    }
}

/// The mean and deviation of a voice's scores with strangers.
#[derive(Debug, Clone, Copy)]
pub struct Shift {
    pub mean: f64,
    pub deviation: f64,
}

/// The score of two voices, given their cosine.
pub fn score(cosine: f32, shifts: (Option<Shift>, Option<Shift>)) -> f32 {
    let (Some(a), Some(b)) = shifts else { return cosine };
    let against = |shift: Shift| (f64::from(cosine) - shift.mean) / shift.deviation;
    (0.5 * (against(a) + against(b))) as f32
}

/// A speaker encoder and the cosine. Clones share the network.
#[derive(Clone)]
pub struct Encoder {
    pub name: String,
    pub identity: String,
    pub model: SpeakerModel,
}

impl VoiceSystem for Encoder {
    fn name(&self) -> &str {
        &self.name
    }

    fn identity(&self) -> String {
        self.identity.clone()
    }

    fn embed(&self, samples: &[f32]) -> Result<Vec<f32>> {
        self.model.vector(samples)
    }

    fn hear(
        &self,
        samples: &[f32],
        speech: &[Span],
        options: &DiarizeOptions,
        stop: &Stop,
    ) -> Result<Voiced> {
        let stopped = || stop.is_requested();
        self.model.run(|| Voiced::hear(samples, speech, self.model.encoder(), options, &stopped))
    }
}

/// A system whose scores are set against those of strangers (AS-norm).
pub struct Normalised<'a> {
    name: String,
    system: &'a dyn VoiceSystem,
    cohort: Cohort,
}

impl<'a> Normalised<'a> {
    pub fn new(system: &'a dyn VoiceSystem, cohort: Cohort) -> Self {
        Self { name: format!("{}, AS-norm", system.name()), system, cohort }
    }
}

impl VoiceSystem for Normalised<'_> {
    fn name(&self) -> &str {
        &self.name
    }

    fn identity(&self) -> String {
        self.system.identity()
    }

    fn embed(&self, samples: &[f32]) -> Result<Vec<f32>> {
        self.system.embed(samples)
    }

    fn hear(
        &self,
        samples: &[f32],
        speech: &[Span],
        options: &DiarizeOptions,
        stop: &Stop,
    ) -> Result<Voiced> {
        self.system.hear(samples, speech, options, stop)
    }

    fn shift(&self, vector: &[f32]) -> Result<Option<Shift>> {
        let (mean, deviation) = self.cohort.nearest(&Voiceprint::new(vector.to_vec(), 1.0)?);
        Ok(Some(Shift { mean, deviation }))
    }
}
