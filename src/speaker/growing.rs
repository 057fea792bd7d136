//! The voice of a segment that is heard while it grows, so that little is left to do at its end.
//!
//! A segment is cut into pieces of fixed length from its start, each embedded once it is complete; what is left at the end
//! is a piece of its own, which hears back into the one before it where it is shorter than the network wants. So the
//! voiceprint hangs on the segment's sound alone, not on when it was looked at.

use super::{LEAST_SPEECH, SpeakerModel, Voiceprint};
use crate::Result;
use crate::time::SampleIndex;
use crate::vad::SpeechSegment;

/// Samples of a piece at least: 2.4 s, two stretches of GE2E.
const PIECE: usize = 38_400;

/// The pieces of a segment that were embedded so far.
#[derive(Debug, Clone, Default)]
pub struct GrowingVoice {
    /// Where the segment begins.
    start: Option<SampleIndex>,
    /// The vectors of its complete pieces, in order.
    pieces: Vec<Vec<f32>>,
}

impl GrowingVoice {
    /// Takes a segment as far as it goes; it may be one that was heard before, or another.
    ///
    /// # Errors
    /// Those of the network.
    pub fn grow(&mut self, model: &SpeakerModel, speech: &SpeechSegment) -> Result<()> {
        if self.start != Some(speech.span.start) {
            *self = Self { start: Some(speech.span.start), pieces: Vec::new() };
        }
        let piece = piece_of(model);
        // A segment that ends may be shorter than it was heard to.
        self.pieces.truncate(speech.samples.len() / piece);
        for samples in speech.samples.chunks_exact(piece).skip(self.pieces.len()) {
            self.pieces.push(model.vector(samples)?);
        }
        Ok(())
    }

    /// The voiceprint of a segment that has ended: the mean of its pieces, each by its length; none where it has too little
    /// sound, or no voice in it.
    ///
    /// # Errors
    /// Those of the network.
    pub fn finish(&mut self, model: &SpeakerModel, speech: &SpeechSegment) -> Result<Option<Voiceprint>> {
        self.grow(model, speech)?;
        let (samples, piece) = (&speech.samples, piece_of(model));
        let seconds = SampleIndex(samples.len() as u64).seconds();
        if seconds < LEAST_SPEECH {
            return Ok(None);
        }
        let rest = samples.len() % piece;
        let mut sum = vec![0.0; model.width()];
        let mut add = |vector: &[f32], length: usize| {
            sum.iter_mut().zip(vector).for_each(|(sum, x)| *sum += length as f32 * x);
        };
        self.pieces.iter().for_each(|vector| add(vector, piece));
        if rest > 0 {
            let wanted = rest.max(model.encoder().shortest()).min(samples.len());
            add(&model.vector(&samples[samples.len() - wanted..])?, rest);
        }
        *self = Self::default();
        // Sound in which the network hears nothing has no direction.
        Ok(Voiceprint::new(sum, seconds).ok())
    }
}

fn piece_of(model: &SpeakerModel) -> usize {
    PIECE.max(model.encoder().shortest())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::compute::Threads;
    use crate::learn::head::Encoder as Identity;
    use crate::models::speaker::SpeakerEncoder;
    use crate::time::Span;

    /// The mean of a sound and of its square; counts the samples that it heard.
    #[derive(Default)]
    struct Means(AtomicUsize);

    impl SpeakerEncoder for Means {
        fn width(&self) -> usize {
            2
        }

        fn shortest(&self) -> usize {
            25_600
        }

        fn embed(&self, samples: &[f32]) -> Result<Vec<f32>> {
            self.0.fetch_add(samples.len(), Ordering::Relaxed);
            let mean = |f: fn(f32) -> f32| {
                samples.iter().map(|&x| f64::from(f(x))).sum::<f64>() / samples.len() as f64
            };
            Ok(vec![mean(|x| x) as f32, mean(|x| x * x) as f32])
        }
    }

    fn model() -> (SpeakerModel, Arc<Means>) {
        let encoder = Arc::new(Means::default());
        let identity = Identity { name: "means".into(), sha256: None };
        let threads = Arc::new(Threads::new(1).unwrap());
        (SpeakerModel::new(identity, Arc::clone(&encoder) as _, threads), encoder)
    }

    fn speech(samples: usize) -> SpeechSegment {
        let span = Span::new(SampleIndex(700), SampleIndex(700 + samples as u64));
        SpeechSegment {
            span,
            samples: (0..samples).map(|i| (i % 977) as f32 / 977.0 + i as f32 * 1e-6).collect(),
        }
    }

    #[test]
    fn it_does_not_matter_when_a_segment_was_looked_at() {
        let (model, _) = model();
        for length in [8_000, 30_000, 38_400, 60_000, 100_000, 250_001] {
            let whole = speech(length);
            let alone = GrowingVoice::default().finish(&model, &whole).unwrap();
            for step in [3_000, 50_000] {
                let mut growing = GrowingVoice::default();
                // It is heard beyond where it ends in the end.
                for end in (step..length + 45_000).step_by(step) {
                    growing.grow(&model, &speech(end)).unwrap();
                }
                assert_eq!(growing.finish(&model, &whole).unwrap(), alone, "{length} by {step}");
            }
        }
    }

    #[test]
    fn what_was_heard_is_not_heard_again() {
        let (model, encoder) = model();
        let mut growing = GrowingVoice::default();
        for end in (5_000..=200_000).step_by(5_000) {
            growing.grow(&model, &speech(end)).unwrap();
        }
        let before = encoder.0.load(Ordering::Relaxed);
        growing.finish(&model, &speech(200_000)).unwrap();
        assert!(encoder.0.load(Ordering::Relaxed) - before <= PIECE);
    }

    #[test]
    fn too_little_is_nobody() {
        let (model, _) = model();
        assert_eq!(GrowingVoice::default().finish(&model, &speech(7_999)).unwrap(), None);
        let silent = SpeechSegment { samples: vec![0.0; 40_000], ..speech(40_000) };
        assert_eq!(GrowingVoice::default().finish(&model, &silent).unwrap(), None);
    }
}
