//! A trained projection of speaker features as one file: how features are standardised, the projection, and a [`SpeakerCard`]
//! that says what they are of and what it was trained on.
//!
//! Features of a sound are those of its [`Source`]s, one after the other. The vector is the projection of the standardised
//! features, brought to length 1; vectors of one speaker are close by their cosine.

mod card;
mod file;

pub use card::{Source, SpeakerCard};

use super::laspa::Projection;
use super::standardise::Moments;
use crate::{Error, Result};

/// A trained projection.
#[derive(Debug, Clone, PartialEq)]
pub struct SpeakerHead {
    card: SpeakerCard,
    moments: Moments,
    projection: Projection,
}

impl SpeakerHead {
    /// A head of these parts.
    ///
    /// # Errors
    /// [`Error::Setting`] where their widths do not fit, or a deviation is not positive.
    pub fn new(card: SpeakerCard, moments: Moments, projection: Projection) -> Result<Self> {
        let head = Self { card, moments, projection };
        head.fault()
            .map_or(Ok(head), |reason| Err(Error::Setting(format!("a head cannot be made: {reason}"))))
    }

    /// What it hears, and what it was trained on.
    pub fn card(&self) -> &SpeakerCard {
        &self.card
    }

    /// The same head with other figures.
    #[must_use]
    pub fn with_figures(mut self, figures: std::collections::BTreeMap<String, f64>) -> Self {
        self.card.figures = figures;
        self
    }

    /// Number of features.
    pub fn inputs(&self) -> usize {
        self.moments.means.len()
    }

    /// Values of a vector.
    pub fn width(&self) -> usize {
        self.projection.bias.len()
    }

    /// The vector of features, `[inputs]`, of length 1; zeros where the projection has zeros for them.
    ///
    /// # Errors
    /// [`Error::Setting`] where their number is another, or one is no number.
    pub fn vector(&self, features: &[f32]) -> Result<Vec<f32>> {
        if features.len() != self.inputs() {
            return Err(Error::Setting(format!(
                "the head for speakers needs {} features and was given {}; embed with the sources of its card",
                self.inputs(),
                features.len()
            )));
        }
        let mut row = features.to_vec();
        self.moments.apply(&mut row);
        let Projection { weight, bias } = &self.projection;
        let value = |(weights, bias): (&[f32], &f32)| {
            let products = weights.iter().zip(&row).map(|(&weight, &x)| f64::from(weight) * f64::from(x));
            products.sum::<f64>() + f64::from(*bias)
        };
        let values: Vec<f64> = weight.chunks_exact(self.inputs()).zip(bias).map(value).collect();
        let length = values.iter().map(|x| x * x).sum::<f64>().sqrt();
        if !length.is_finite() {
            return Err(Error::Setting(
                "the head for speakers gives no number; a feature is no number, or far too large".into(),
            ));
        }
        let scale = if length > 0.0 { length.recip() } else { 0.0 };
        Ok(values.into_iter().map(|x| (x * scale) as f32).collect())
    }

    /// What does not fit together.
    fn fault(&self) -> Option<String> {
        let (inputs, width) = (self.inputs(), self.width());
        if self.card.sources.is_empty() || inputs == 0 || width == 0 {
            return Some("it has no source, no feature or no value".into());
        }
        if self.projection.weight.len() != inputs * width || self.moments.deviations.len() != inputs {
            return Some(format!("its tensors are not all of {inputs} features and {width} values"));
        }
        let usable = self.moments.deviations.iter().all(|&deviation| deviation > 0.0);
        (!usable).then(|| "a standard deviation is not positive".into())
    }
}

#[cfg(test)]
mod tests;
