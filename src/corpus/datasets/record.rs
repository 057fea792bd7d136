//! One labelled clip or text.

use std::io::Cursor;
use std::path::PathBuf;
use std::sync::Arc;

use serde::Deserialize;
use serde::de::IntoDeserializer;
use serde::de::value::{self, StrDeserializer};

use crate::audio::{AudioInput, AudioStream, DecodeOptions};
use crate::{Error, Result};

/// A labelled clip or text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// The clip's path below the corpus's folder, with `/` between names; of tables their name and the row, counted from 1.
    pub id: String,
    /// What is labelled.
    pub content: Content,
    /// Its class, in the same words for all corpora that are known; as it stands in a manifest.
    pub label: String,
    /// Who speaks, where it is known. One name in two corpora is two speakers.
    pub speaker: Option<String>,
    /// ISO 639-1 where there is such a code, else ISO 639-3; where neither is known, the corpus's own name.
    pub language: Option<String>,
    /// The part of the corpus that it is in, where the corpus is cut into parts.
    pub split: Option<Split>,
}

/// What is labelled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// A sound in a file.
    File(PathBuf),
    /// A sound as the bytes of such a file.
    Bytes(Arc<[u8]>),
    /// A text.
    Text(String),
}

/// A part of a corpus.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Split {
    /// To train with.
    Train,
    /// To choose by.
    #[serde(alias = "val", alias = "dev")]
    Validation,
    /// To test with.
    Test,
}

impl Record {
    /// What must be on one side of a split: the speaker, or the record alone where the speaker is not known.
    pub fn group(&self) -> &str {
        self.speaker.as_deref().unwrap_or(&self.id)
    }

    /// The sound to be decoded; none of a text.
    pub fn audio(&self) -> Option<AudioInput> {
        match &self.content {
            Content::File(path) => Some(AudioInput::File(path.clone())),
            Content::Bytes(bytes) => Some(AudioInput::from_reader(&self.id, Cursor::new(Arc::clone(bytes)))),
            Content::Text(_) => None,
        }
    }

    /// All of its sound, 16 kHz mono.
    ///
    /// # Errors
    /// Those of decoding; [`Error::Setting`] where it is a text.
    pub fn samples(&self) -> Result<Vec<f32>> {
        let Some(audio) = self.audio() else {
            return Err(Error::Setting(format!("{} is a text; this needs sound", self.id)));
        };
        AudioStream::open(audio, &DecodeOptions::default())?.read_all()
    }
}

impl Split {
    /// The part of this name.
    pub(super) fn named(name: &str) -> Option<Self> {
        let name: StrDeserializer<'_, value::Error> = name.into_deserializer();
        Self::deserialize(name).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::{AudioStream, DecodeOptions};

    fn record(content: Content) -> Record {
        let (id, label) = ("a".into(), "neutral".into());
        Record { id, content, label, speaker: None, language: None, split: None }
    }

    #[test]
    fn sounds_are_decoded_from_files_and_from_bytes_alike() {
        let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("audio-fixtures/librivox-0870/audio.flac");
        let bytes = std::fs::read(&path).unwrap().into();
        let samples = |content: Content| {
            let input = record(content).audio().unwrap();
            AudioStream::open(input, &DecodeOptions::default()).unwrap().read_all().unwrap()
        };
        assert_eq!(samples(Content::File(path)), samples(Content::Bytes(bytes)));
        assert!(record(Content::Text("a text".into())).audio().is_none());
    }

    #[test]
    fn records_of_unknown_speakers_are_groups_of_their_own() {
        let mut record = record(Content::Text(String::new()));
        assert_eq!(record.group(), "a");
        record.speaker = Some("SM1".into());
        assert_eq!(record.group(), "SM1");
    }
}
