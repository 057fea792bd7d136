//! All that tells who speaks in a stream: the model, the people who are known, and the speakers so far.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::growing::GrowingVoice;
use super::{Gallery, Online, OnlineOptions, Scorer, SpeakerModel, Told};
use crate::Result;
use crate::event::{Action, SpeakerTold};
use crate::vad::SpeechSegment;

/// Tells who speaks in the segments of a stream, which come in their order.
#[derive(Clone)]
pub struct LiveSpeakers {
    model: SpeakerModel,
    scorer: Scorer,
    gallery: Option<Arc<Gallery>>,
    /// What is asked for where somebody speaks.
    watched: BTreeMap<String, Vec<Action>>,
    options: OnlineOptions,
    online: Online,
    growing: GrowingVoice,
}

impl LiveSpeakers {
    /// Speakers by the voiceprints of `model`, named where `gallery`, of the same model, knows them.
    pub fn new(
        model: SpeakerModel,
        scorer: Scorer,
        gallery: Option<Arc<Gallery>>,
        options: OnlineOptions,
    ) -> Self {
        Self {
            model,
            scorer,
            gallery,
            watched: BTreeMap::new(),
            options,
            online: Online::new(options),
            growing: GrowingVoice::default(),
        }
    }

    /// The same with what is asked for where these people speak.
    pub fn watching(self, watched: BTreeMap<String, Vec<Action>>) -> Self {
        Self { watched, ..self }
    }

    /// Hears a segment as far as it goes.
    ///
    /// # Errors
    /// Those of the network.
    pub fn grow(&mut self, speech: &SpeechSegment) -> Result<()> {
        self.growing.grow(&self.model, speech)
    }

    /// Tells who speaks in a segment that has ended.
    ///
    /// # Errors
    /// Those of the network.
    pub fn finish(&mut self, segment: u64, speech: &SpeechSegment) -> Result<SpeakerTold> {
        let voice = self.growing.finish(&self.model, speech)?;
        let Told { speaker, score, name, merged } = match &voice {
            Some(voice) => self.online.hear(voice, &self.scorer, self.gallery.as_deref()),
            None => Told::default(),
        };
        let (name, name_score) = name.unzip();
        let actions = name.as_ref().and_then(|name| self.watched.get(name)).cloned().unwrap_or_default();
        Ok(SpeakerTold {
            segment,
            speaker: speaker.map(id),
            score,
            name,
            name_score,
            merged: merged.into_iter().map(id).collect(),
            actions,
        })
    }

    /// Forgets the stream.
    pub fn reset(&mut self) {
        self.online = Online::new(self.options);
        self.growing = GrowingVoice::default();
    }
}

/// What the speaker of a number is called in events.
fn id(number: u64) -> String {
    format!("S{number}")
}
