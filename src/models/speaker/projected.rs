//! A trained head on the networks that its card names.

use super::{SpeakerEncoder, SpeakerFeatures};
use crate::compute::Precision;
use crate::learn::speaker::SpeakerHead;
use crate::weights::{Checkpoint, ModelFiles};
use crate::{Error, Result};

/// A head that `awaaz train speaker` wrote, with its networks.
pub struct Projected {
    features: SpeakerFeatures,
    head: SpeakerHead,
}

impl Projected {
    /// Whether `checkpoint` is such a head.
    pub fn recognises(checkpoint: &Checkpoint) -> bool {
        checkpoint.contains(SpeakerHead::WEIGHT)
    }

    /// Reads the head and loads its networks, which must be on this machine, to multiply in `precision`.
    ///
    /// # Errors
    /// Those of [`SpeakerHead::load`] and [`SpeakerFeatures::open`]; [`Error::Model`] where the networks give another number
    /// of features than it was trained with.
    pub fn load(files: &ModelFiles, precision: Precision) -> Result<Self> {
        let head = SpeakerHead::load(&files.weights)?;
        let features = SpeakerFeatures::open(&head.card().sources, precision)?;
        if features.width() != head.inputs() {
            return Err(Error::model(
                files.weights.display().to_string(),
                format!("needs {} features, and its networks give {}", head.inputs(), features.width()),
            ));
        }
        Ok(Self { features, head })
    }
}

impl SpeakerEncoder for Projected {
    fn width(&self) -> usize {
        self.head.width()
    }

    /// That of its networks; a shorter sound is to each what it is to it alone.
    fn shortest(&self) -> usize {
        self.features.shortest()
    }

    fn embed(&self, samples: &[f32]) -> Result<Vec<f32>> {
        self.head.vector(&self.features.of(samples)?)
    }
}
