//! A voice as a vector, and the speech that it rests on.

use crate::{Error, Result};

/// What a voice sounds like: a vector of length 1, and how much speech it was made of. More speech can be added, so it is
/// the centroid of a speaker, too.
#[derive(Debug, Clone, PartialEq)]
pub struct Voiceprint {
    /// The mean direction, `[width]`; of length 1.
    vector: Vec<f32>,
    /// Seconds of speech.
    seconds: f64,
}

impl Voiceprint {
    /// The voiceprint of so many seconds of speech, whose vector is brought to length 1.
    ///
    /// # Errors
    /// [`Error::Setting`] where the vector is all zeros or has a value that is not finite, or the seconds are not positive.
    pub fn new(mut vector: Vec<f32>, seconds: f64) -> Result<Self> {
        if !(seconds > 0.0 && seconds.is_finite()) {
            return Err(Error::Setting(format!("a voiceprint of {seconds} s of speech; there must be some")));
        }
        let length = dot(&vector, &vector).sqrt();
        if !(length > 0.0 && length.is_finite()) {
            return Err(Error::Setting(
                "a voiceprint without direction: there is no voice in the sound, or its vector is damaged"
                    .into(),
            ));
        }
        vector.iter_mut().for_each(|x| *x = (f64::from(*x) / length) as f32);
        Ok(Self { vector, seconds })
    }

    /// The vector, of length 1.
    pub fn vector(&self) -> &[f32] {
        &self.vector
    }

    /// Seconds of speech.
    pub fn seconds(&self) -> f64 {
        self.seconds
    }

    /// Adds speech of the same speaker: the mean of both directions, each by its seconds, brought to length 1. Where they
    /// are opposite and the mean has no direction, the longer one stays.
    ///
    /// # Panics
    /// Where the widths differ; voiceprints of two models have nothing to do with one another.
    pub fn add(&mut self, other: &Self) {
        assert_eq!(self.vector.len(), other.vector.len(), "voiceprints of two models");
        let mean = self
            .vector
            .iter()
            .zip(&other.vector)
            .map(|(&a, &b)| (f64::from(a) * self.seconds + f64::from(b) * other.seconds) as f32);
        let seconds = self.seconds + other.seconds;
        match Self::new(mean.collect(), seconds) {
            Ok(sum) => *self = sum,
            Err(_) if other.seconds > self.seconds => *self = Self { seconds, ..other.clone() },
            Err(_) => self.seconds = seconds,
        }
    }

    /// The mean of several, each by its seconds; none of none.
    pub fn mean<'a>(voiceprints: impl IntoIterator<Item = &'a Self>) -> Option<Self> {
        let mut voiceprints = voiceprints.into_iter();
        let mut mean = voiceprints.next()?.clone();
        voiceprints.for_each(|voiceprint| mean.add(voiceprint));
        Some(mean)
    }

    /// How alike two voices are, from -1 to 1.
    ///
    /// # Panics
    /// As [`add`](Self::add).
    pub fn cosine(&self, other: &Self) -> f32 {
        assert_eq!(self.vector.len(), other.vector.len(), "voiceprints of two models");
        dot(&self.vector, &other.vector).clamp(-1.0, 1.0) as f32
    }
}

/// The cosine of the angle between two vectors of one width, from -1 to 1; 0 where one is all zeros.
pub fn cosine(a: &[f32], b: &[f32]) -> f32 {
    let lengths = (dot(a, a) * dot(b, b)).sqrt();
    if lengths > 0.0 { (dot(a, b) / lengths).clamp(-1.0, 1.0) as f32 } else { 0.0 }
}

fn dot(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(vector: &[f32], seconds: f64) -> Voiceprint {
        Voiceprint::new(vector.to_vec(), seconds).unwrap()
    }

    #[test]
    fn speech_counts_by_its_seconds() {
        let mut sum = of(&[2.0, 0.0], 3.0);
        sum.add(&of(&[0.0, 9.0], 4.0));
        assert_eq!(sum, of(&[3.0, 4.0], 7.0));
        assert!((sum.cosine(&of(&[1.0, 0.0], 1.0)) - 0.6).abs() < 1e-6);
        sum = of(&[1.0, 0.0], 2.0);
        sum.add(&of(&[-1.0, 0.0], 2.0));
        assert_eq!(sum, of(&[1.0, 0.0], 4.0));
    }

    #[test]
    fn what_has_no_direction_is_refused() {
        for vector in [vec![], vec![0.0, 0.0], vec![f32::NAN, 1.0], vec![f32::INFINITY, 1.0]] {
            assert!(Voiceprint::new(vector, 1.0).is_err());
        }
        for seconds in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert!(Voiceprint::new(vec![1.0], seconds).is_err());
        }
    }

    proptest! {
        #[test]
        fn a_mean_has_length_1_whatever_is_added(
            rows in prop::collection::vec((prop::collection::vec(-1.0f32..1.0, 4), 0.1f64..60.0), 1..20),
        ) {
            let all: Vec<_> =
                rows.into_iter().filter_map(|(vector, seconds)| Voiceprint::new(vector, seconds).ok()).collect();
            prop_assume!(!all.is_empty());
            let mean = Voiceprint::mean(&all).unwrap();
            prop_assert!((dot(mean.vector(), mean.vector()) - 1.0).abs() < 1e-5);
            let seconds: f64 = all.iter().map(Voiceprint::seconds).sum();
            prop_assert!((mean.seconds() - seconds).abs() < 1e-9);
        }
    }
}
