//! Sound as a network was trained to hear it.

use std::path::Path;

use serde::Deserialize;

use crate::{Error, Result};

/// What transformers adds to the variance of a sound.
pub(super) const VARIANCE_EPS: f64 = 1e-7;

/// Whether sound is brought to mean 0 and variance 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standardise {
    /// Yes: a whole sound by its mean and variance, a stream by those of all that was heard so far.
    Yes,
    /// No.
    No,
}

/// What is of use in `preprocessor_config.json`.
#[derive(Deserialize)]
struct FeatureExtractor {
    #[serde(default = "usual")]
    do_normalize: bool,
}

/// What transformers does where nothing is said.
fn usual() -> bool {
    true
}

impl Standardise {
    /// What `preprocessor_config.json` in `folder` says; yes where there is none.
    ///
    /// # Errors
    /// One that names the file, where it cannot be read.
    pub fn read(folder: &Path) -> Result<Self> {
        let path = folder.join("preprocessor_config.json");
        let json = match std::fs::read_to_string(&path) {
            Ok(json) => json,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Self::Yes),
            Err(error) => return Err(Error::io(path, error)),
        };
        let settings: FeatureExtractor = serde_json::from_str(&json)
            .map_err(|error| Error::model(path.display().to_string(), format!("is not valid: {error}")))?;
        Ok(if settings.do_normalize { Self::Yes } else { Self::No })
    }

    /// `samples` as the network hears them, with silence after them up to `least` samples.
    pub fn apply(self, samples: &[f32], least: usize) -> Vec<f32> {
        let mut ready = match self {
            Self::Yes => normalise(samples),
            Self::No => samples.to_vec(),
        };
        ready.resize(ready.len().max(least), 0.0);
        ready
    }
}

/// Samples with mean 0 and variance 1.
pub fn normalise(samples: &[f32]) -> Vec<f32> {
    let count = samples.len().max(1) as f64;
    let mean = samples.iter().map(|&x| f64::from(x)).sum::<f64>() / count;
    let variance = samples.iter().map(|&x| (f64::from(x) - mean).powi(2)).sum::<f64>() / count;
    let scale = (variance + VARIANCE_EPS).sqrt().recip();
    samples.iter().map(|&x| ((f64::from(x) - mean) * scale) as f32).collect()
}
