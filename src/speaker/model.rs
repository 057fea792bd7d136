//! From sound to a voiceprint.

use std::sync::Arc;
use std::time::Duration;

use super::Voiceprint;
use crate::compute::Threads;
use crate::learn::head::Encoder as Identity;
use crate::models::speaker::{SpeakerEncoder, embed_in_pieces};
use crate::time::SampleIndex;
use crate::vad::{Segmenter, SegmenterOptions, VadOptions};
use crate::{Error, Result};

/// Seconds of speech that a voiceprint needs at least: half a second holds a syllable or two, and in less nobody is known.
pub const LEAST_SPEECH: f64 = 0.5;
/// Samples that are heard at once: a minute.
const PIECE: usize = 60 * 16_000;

/// What becomes of silence before a voice is embedded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Silences {
    /// It stays: the sound is a segment of speech.
    Kept,
    /// It is cut out, by Silero VAD.
    Cut,
}

/// A speaker encoder with its name, and the threads it computes on. Clones share both.
#[derive(Clone)]
pub struct SpeakerModel {
    identity: Identity,
    encoder: Arc<dyn SpeakerEncoder>,
    threads: Arc<Threads>,
}

impl SpeakerModel {
    /// The model that `identity` names, computed on `threads`.
    pub fn new(identity: Identity, encoder: Arc<dyn SpeakerEncoder>, threads: Arc<Threads>) -> Self {
        Self { identity, encoder, threads }
    }

    /// Its name, and the digest of its weights where that is known: voiceprints of two models cannot be compared.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// The network.
    pub fn encoder(&self) -> &dyn SpeakerEncoder {
        self.encoder.as_ref()
    }

    /// Values of a voiceprint's vector.
    pub fn width(&self) -> usize {
        self.encoder.width()
    }

    /// Seconds of speech from which the network hears a voice as it was trained to.
    pub fn shortest(&self) -> f64 {
        SampleIndex(self.encoder.shortest() as u64).seconds().max(LEAST_SPEECH)
    }

    /// The voiceprint of 16 kHz samples. Of more than a minute, minutes are embedded by themselves.
    ///
    /// # Errors
    /// [`Error::Setting`] where there is less than [`LEAST_SPEECH`] of speech; those of the network.
    pub fn embed(&self, samples: &[f32], silences: Silences) -> Result<Voiceprint> {
        let speech: Vec<f32>;
        let speech = match silences {
            Silences::Kept => samples,
            Silences::Cut => {
                speech = speech_of(samples)?;
                &speech
            }
        };
        let seconds = SampleIndex(speech.len() as u64).seconds();
        if seconds < LEAST_SPEECH {
            return Err(Error::Setting(format!(
                "has {seconds:.1} s of speech; at least {LEAST_SPEECH} s are needed to know a voice"
            )));
        }
        Voiceprint::new(self.vector(speech)?, seconds)
    }

    /// Does `work` on the model's threads.
    pub fn run<R: Send>(&self, work: impl FnOnce() -> R + Send) -> R {
        self.threads.run(work)
    }

    /// The vector of 16 kHz samples, as they are.
    ///
    /// # Errors
    /// Those of the network.
    pub fn vector(&self, samples: &[f32]) -> Result<Vec<f32>> {
        self.threads
            .run(|| embed_in_pieces(self.encoder.as_ref(), samples, PIECE.max(self.encoder.shortest())))
    }
}

/// The stretches of speech in 16 kHz samples, one after the other.
///
/// # Errors
/// None of the input.
pub fn speech_of(samples: &[f32]) -> Result<Vec<f32>> {
    let vad = VadOptions { padding: Duration::from_millis(100), ..VadOptions::default() };
    let mut segmenter = Segmenter::new(&SegmenterOptions { vad, max_gap: Duration::ZERO })?;
    let mut segments = Vec::new();
    segmenter.push(samples, &mut segments);
    segmenter.flush(&mut segments);
    Ok(segments.into_iter().flat_map(|segment| segment.samples).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Hears how loud a sound is.
    struct Loudness;

    impl SpeakerEncoder for Loudness {
        fn width(&self) -> usize {
            2
        }

        fn shortest(&self) -> usize {
            16_000
        }

        fn embed(&self, samples: &[f32]) -> Result<Vec<f32>> {
            let power = samples.iter().map(|x| x * x).sum::<f32>() / samples.len() as f32;
            Ok(vec![1.0, power])
        }
    }

    #[test]
    fn less_than_half_a_second_is_refused() {
        let identity = Identity { name: "loudness".into(), sha256: None };
        let threads = Arc::new(Threads::new(1).unwrap());
        let model = SpeakerModel::new(identity, Arc::new(Loudness), threads);
        assert!(model.embed(&[0.1; 8_000], Silences::Kept).unwrap().seconds() > 0.49);
        let told = model.embed(&[0.1; 7_000], Silences::Kept).unwrap_err().to_string();
        assert!(told.contains("0.4 s of speech"), "{told}");
        let told = model.embed(&[0.0; 32_000], Silences::Cut).unwrap_err().to_string();
        assert!(told.contains("0.0 s of speech"), "{told}");
    }
}
