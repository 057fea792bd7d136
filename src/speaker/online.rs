//! Speakers of a stream, found one segment after another: numbered as they come, named where they are known.
//!
//! A segment joins the speaker that it is likeliest of, or is the first of a new one. Speakers that turn out to be one are
//! merged: the later number is given up, and what was told with it stays told. All of it depends on the voiceprints and
//! their order alone.

use super::{Gallery, Scorer, Voiceprint, posteriors};

/// Speakers of a stream at most; who comes later is nobody.
const MOST: usize = 200;

/// When a voice is taken for whose.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct OnlineOptions {
    /// Probability from which a segment joins a speaker.
    pub join: f32,
    /// Probability from which two speakers are one.
    pub merge: f32,
    /// Probability from which a speaker is given the name of somebody who is known.
    pub name: f32,
    /// Seconds of speech from which a segment may begin a speaker, or change what one sounds like.
    pub least: f64,
    /// Seconds of speech that two speakers have at least before they are merged.
    pub least_merge: f64,
}

impl Default for OnlineOptions {
    fn default() -> Self {
        Self { join: 0.5, merge: 0.9, name: 0.5, least: 1.6, least_merge: 3.0 }
    }
}

/// Who speaks in a segment.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Told {
    /// Number of the speaker, from 1 in the order of their first segments; none where there is too little to tell.
    pub speaker: Option<u64>,
    /// Probability of that.
    pub score: f32,
    /// Name of the person, and the probability of that, where the speaker is somebody who is known.
    pub name: Option<(String, f32)>,
    /// Numbers of speakers that turned out to be this one, and are given up.
    pub merged: Vec<u64>,
}

/// A speaker of the stream.
#[derive(Debug, Clone)]
struct Speaker {
    number: u64,
    voice: Voiceprint,
    name: Option<(String, f32)>,
}

/// The speakers of a stream so far.
#[derive(Debug, Clone, Default)]
pub struct Online {
    options: OnlineOptions,
    /// In the order of their numbers.
    speakers: Vec<Speaker>,
    /// Speakers that there were, those that were merged counted.
    numbered: u64,
}

impl Online {
    /// No speakers yet.
    pub fn new(options: OnlineOptions) -> Self {
        Self { options, ..Self::default() }
    }

    /// Speakers that are told apart now.
    pub fn len(&self) -> usize {
        self.speakers.len()
    }

    /// Whether nobody has spoken.
    pub fn is_empty(&self) -> bool {
        self.speakers.is_empty()
    }

    /// Tells whose voice that of the next segment is.
    pub fn hear(&mut self, voice: &Voiceprint, scorer: &Scorer, gallery: Option<&Gallery>) -> Told {
        let ratio = |speaker: &Speaker| scorer.compare(&speaker.voice, voice).log_ratio;
        let probabilities = posteriors(&self.speakers.iter().map(ratio).collect::<Vec<f64>>());
        let best = (0..self.speakers.len())
            .max_by(|&a, &b| probabilities[a].total_cmp(&probabilities[b]).then(b.cmp(&a)));
        let is_long = voice.seconds() >= self.options.least;
        let (at, score) = match best.filter(|&best| probabilities[best] >= self.options.join) {
            Some(best) => {
                if is_long {
                    self.speakers[best].voice.add(voice);
                }
                (best, probabilities[best])
            }
            None if is_long && self.speakers.len() < MOST => {
                self.numbered += 1;
                self.speakers.push(Speaker { number: self.numbered, voice: voice.clone(), name: None });
                let others: f32 = probabilities.iter().sum();
                (self.speakers.len() - 1, (1.0 - others).clamp(0.0, 1.0))
            }
            None => return Told::default(),
        };
        if is_long {
            self.speakers[at].name =
                gallery.and_then(|gallery| self.name_of(&self.speakers[at].voice, scorer, gallery));
        }
        let (at, merged) = self.merge(at, scorer, gallery);
        let speaker = &self.speakers[at];
        Told { speaker: Some(speaker.number), score, name: speaker.name.clone(), merged }
    }

    /// Who of the gallery a voice is, if anyone.
    fn name_of(&self, voice: &Voiceprint, scorer: &Scorer, gallery: &Gallery) -> Option<(String, f32)> {
        let matches = gallery.matches(voice, scorer);
        let best = matches.first().filter(|best| best.probability >= self.options.name)?;
        Some((best.person.name.clone(), best.probability))
    }

    /// Merges the speaker at `at` with all that turn out to be the same; gives its new place, and the numbers given up.
    fn merge(&mut self, mut at: usize, scorer: &Scorer, gallery: Option<&Gallery>) -> (usize, Vec<u64>) {
        let mut merged = Vec::new();
        while let Some(other) =
            (0..self.speakers.len()).find(|&other| other != at && self.is_one(at, other, scorer))
        {
            let (first, second) = (at.min(other), at.max(other));
            let gone = self.speakers.remove(second);
            merged.push(gone.number);
            self.speakers[first].voice.add(&gone.voice);
            let name = gallery.and_then(|gallery| self.name_of(&self.speakers[first].voice, scorer, gallery));
            self.speakers[first].name = name;
            at = first;
        }
        merged.sort_unstable();
        (at, merged)
    }

    /// Whether two speakers turned out to be one: they have one name, or no two and one voice.
    fn is_one(&self, a: usize, b: usize, scorer: &Scorer) -> bool {
        let (a, b) = (&self.speakers[a], &self.speakers[b]);
        let is_known = |speaker: &Speaker| speaker.voice.seconds() >= self.options.least_merge;
        match (&a.name, &b.name) {
            (Some((a, _)), Some((b, _))) => a == b,
            _ => {
                is_known(a)
                    && is_known(b)
                    && scorer.compare(&a.voice, &b.voice).probability() >= self.options.merge
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::speaker::{Calibration, Calibrations};

    fn scorer() -> Scorer {
        let cosine = Calibration { scale: 20.0, length: 0.0, offset: -14.0 };
        Scorer::new(&Calibrations { cosine, normalised: None }, None).unwrap()
    }

    /// A voice at so many degrees of a plane.
    fn voice(degrees: f32, seconds: f64) -> Voiceprint {
        let (sine, cosine) = degrees.to_radians().sin_cos();
        Voiceprint::new(vec![cosine, sine], seconds).unwrap()
    }

    fn heard(voices: &[(f32, f64)]) -> Vec<(Option<u64>, Vec<u64>)> {
        let mut online = Online::new(OnlineOptions::default());
        let hear = |&(degrees, seconds): &(f32, f64)| {
            let told = online.hear(&voice(degrees, seconds), &scorer(), None);
            (told.speaker, told.merged)
        };
        voices.iter().map(hear).collect()
    }

    #[test]
    fn speakers_are_numbered_as_they_come() {
        let speakers: Vec<_> = heard(&[(0.0, 2.0), (90.0, 3.0), (5.0, 2.0), (180.0, 2.0), (92.0, 0.6)])
            .into_iter()
            .map(|told| told.0)
            .collect();
        assert_eq!(speakers, [Some(1), Some(2), Some(1), Some(3), Some(2)]);
    }

    #[test]
    fn short_sounds_begin_nobody() {
        assert_eq!(
            heard(&[(0.0, 1.0), (0.0, 2.0), (90.0, 1.0)]),
            [(None, vec![]), (Some(1), vec![]), (None, vec![])]
        );
    }

    #[test]
    fn speakers_that_turn_out_to_be_one_are_merged_once() {
        // Two ends of one voice, which what lies between brings together.
        let told = heard(&[(0.0, 4.0), (50.0, 2.0), (30.0, 4.0), (25.0, 8.0), (10.0, 3.0)]);
        let merged: Vec<u64> = told.iter().flat_map(|(_, merged)| merged.clone()).collect();
        assert_eq!(merged, [2], "{told:?}");
        assert_eq!(told.last().unwrap().0, Some(1));
    }

    proptest! {
        /// A number that was given up is never told again, and numbers are given in order.
        #[test]
        fn numbers_are_told_in_order_and_not_after_they_were_given_up(
            voices in prop::collection::vec((0.0f32..360.0, 0.5f64..6.0), 0..60),
        ) {
            let (mut gone, mut highest) = (Vec::new(), 0);
            for (speaker, merged) in heard(&voices) {
                let Some(speaker) = speaker else { prop_assert!(merged.is_empty()); continue };
                prop_assert!(speaker <= highest + 1 && !gone.contains(&speaker));
                prop_assert!(merged.iter().all(|&number| number > speaker && number <= highest + 1));
                highest = highest.max(speaker).max(merged.iter().copied().max().unwrap_or(0));
                gone.extend(merged);
            }
        }
    }
}
