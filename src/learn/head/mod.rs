//! A trained head as one file: a classifier, how features are standardised before it and probabilities calibrated after it,
//! and a [`Card`] that says what it is for and what it was trained on.
//!
//! ```no_run
//! use awaaz::learn::head::Head;
//!
//! let head = Head::load("emotion.safetensors".as_ref())?;
//! let features = vec![0.0; head.width()];
//! for (label, probability) in head.card().labels.iter().zip(head.probabilities(&features)?) {
//!     println!("{label}: {probability:.3}");
//! }
//! # Ok::<(), awaaz::Error>(())
//! ```

mod builtin;
mod card;
mod file;
mod model;
pub(in crate::learn) mod tensors;

use super::standardise::Moments;
use super::vector::softmax;
use crate::{Error, Result};

pub use builtin::{BUILTIN, Builtin};
pub use card::{ATTENTION, Card, Data, Encoder, Layers};
pub use model::Model;

/// A trained head.
#[derive(Debug, Clone, PartialEq)]
pub struct Head {
    card: Card,
    moments: Option<Moments>,
    model: Model,
    temperature: f32,
}

impl Head {
    /// A head that standardises features by `moments`, where there are any, and divides logits by 1.
    ///
    /// # Errors
    /// [`Error::Setting`] where the labels are not as many as the model's classes, or the moments not of its width.
    pub fn new(card: Card, moments: Option<Moments>, model: Model) -> Result<Self> {
        let head = Self { card, moments, model, temperature: 1.0 };
        head.fault()
            .map_or(Ok(head), |reason| Err(Error::Setting(format!("a head cannot be made: {reason}"))))
    }

    /// The same head with another temperature, as [`temperature`](super::calibrate::temperature) finds it.
    ///
    /// # Errors
    /// [`Error::Setting`] where it is not positive.
    pub fn with_temperature(self, temperature: f64) -> Result<Self> {
        let head = Self { temperature: temperature as f32, ..self };
        head.fault().map_or(Ok(head), |reason| Err(Error::Setting(reason)))
    }

    /// What it is for, and what it was trained on.
    pub fn card(&self) -> &Card {
        &self.card
    }

    /// How features are standardised.
    pub fn moments(&self) -> Option<&Moments> {
        self.moments.as_ref()
    }

    /// The classifier of standardised features.
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// What logits are divided by.
    pub fn temperature(&self) -> f32 {
        self.temperature
    }

    /// Number of features: of a layer mix those of all layers, of a head that pools frames itself those of one frame.
    pub fn width(&self) -> usize {
        self.model.classifier().width()
    }

    /// The probability of every label of the card, of features `[width]` as the card's encoder gives them; of a head that pools
    /// frames itself, of frames `[frames, width]`, one at least.
    ///
    /// # Errors
    /// [`Error::Setting`] where their number is another, or one is too large to be worked with or no number.
    pub fn probabilities(&self, features: &[f32]) -> Result<Vec<f32>> {
        let fits = match self.model.takes_frames() {
            true => !features.is_empty() && features.len().is_multiple_of(self.width()),
            false => features.len() == self.width(),
        };
        if !fits {
            return Err(Error::Setting(format!(
                "the head for {} needs {} features and was given {}; embed with the encoder, layer and pooling of its card",
                self.card.task,
                self.width(),
                features.len()
            )));
        }
        let mut row = features.to_vec();
        if let Some(moments) = &self.moments {
            row.chunks_exact_mut(self.width()).for_each(|frame| moments.apply(frame));
        }
        let mut probabilities = self.model.classifier().logits(&row);
        probabilities.iter_mut().for_each(|logit| *logit /= f64::from(self.temperature));
        softmax(&mut probabilities);
        if probabilities.iter().any(|probability| !probability.is_finite()) {
            return Err(Error::Setting(format!(
                "the head for {} gives no number; a feature is no number, or far too large",
                self.card.task
            )));
        }
        Ok(probabilities.into_iter().map(|probability| probability as f32).collect())
    }

    /// What does not fit together.
    fn fault(&self) -> Option<String> {
        let classifier = self.model.classifier();
        if self.card.labels.len() != classifier.classes() {
            return Some(format!("{} labels of {} classes", self.card.labels.len(), classifier.classes()));
        }
        if !(self.temperature > 0.0 && self.temperature.is_finite()) {
            return Some(format!("the temperature is {}; it must be a positive number", self.temperature));
        }
        let moments = self.moments.as_ref()?;
        if [&moments.means, &moments.deviations].iter().any(|values| values.len() != classifier.width()) {
            return Some(format!(
                "features of {} are standardised as {}",
                classifier.width(),
                moments.means.len()
            ));
        }
        let usable = moments.deviations.iter().all(|&deviation| deviation > 0.0 && deviation.is_finite());
        (!usable).then(|| "a standard deviation is not positive".into())
    }
}

#[cfg(test)]
mod tests;
