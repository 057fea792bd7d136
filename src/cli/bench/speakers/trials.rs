//! Which clips are compared: all pairs of a corpus, or those of a list.

use std::collections::HashMap;
use std::path::Path;

use super::clips::{Labelled, Voices};
use super::systems::{VoiceSystem, score};
use crate::score::speaker_trials::{SpeakerTrial, SpeakerTrials};
use crate::speaker::cosine;
use crate::{Error, Result};

/// Pairs of clips, by their places in a corpus.
pub struct Pairs(Vec<(usize, usize)>);

/// Pairs of which something is the same, or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Condition {
    All,
    SameEmotion,
    OtherEmotion,
    SameLanguage,
    OtherLanguage,
}

impl Condition {
    pub const ALL: [Self; 5] =
        [Self::All, Self::SameEmotion, Self::OtherEmotion, Self::SameLanguage, Self::OtherLanguage];

    pub fn name(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::SameEmotion => "same emotion",
            Self::OtherEmotion => "other emotion",
            Self::SameLanguage => "same language",
            Self::OtherLanguage => "other language",
        }
    }

    /// Whether a corpus has pairs of both kinds.
    pub fn fits(self, voices: &Voices) -> bool {
        let differ = |of: &dyn Fn(&Labelled) -> String| {
            let mut values: Vec<String> =
                voices.clips.iter().map(of).filter(|value| !value.is_empty()).collect();
            values.sort_unstable();
            values.dedup();
            values.len() > 1
        };
        match self {
            Self::All => true,
            Self::SameEmotion | Self::OtherEmotion => differ(&|clip| clip.label.clone()),
            Self::SameLanguage | Self::OtherLanguage => differ(&|clip| clip.language.clone()),
        }
    }

    fn holds(self, a: &Labelled, b: &Labelled) -> bool {
        match self {
            Self::All => true,
            Self::SameEmotion => a.label == b.label,
            Self::OtherEmotion => a.label != b.label,
            Self::SameLanguage => a.language == b.language,
            Self::OtherLanguage => a.language != b.language,
        }
    }
}

impl Pairs {
    /// All pairs of a corpus.
    pub fn all(voices: &Voices) -> Self {
        let count = voices.clips.len();
        Self((0..count).flat_map(|a| (a + 1..count).map(move |b| (a, b))).collect())
    }

    /// Those of a list in the form of VoxCeleb's: `1 enrolment test` for one speaker, `0 enrolment test` for two, where clips
    /// are named by their path below the corpus, with or without extension.
    ///
    /// # Errors
    /// [`Error::Corpus`] that names the line which is not of that form, or whose clips the corpus does not have, or has of other
    /// speakers.
    pub fn read(text: &str, path: &Path, voices: &Voices) -> Result<Self> {
        let ids: HashMap<&str, usize> =
            voices.clips.iter().enumerate().map(|(at, clip)| (stem(&clip.id), at)).collect();
        let mut pairs = Vec::new();
        for (number, line) in (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty()) {
            let refused = |reason: String| Error::corpus(path, format!("line {number}: {reason}"));
            let fields: Vec<&str> = line.split_whitespace().collect();
            let &[label, enrolment, test] = fields.as_slice() else {
                return Err(refused("expected 1 or 0 and two clips".into()));
            };
            let is_same = match label {
                "1" | "target" => true,
                "0" | "nontarget" => false,
                other => return Err(refused(format!("expected 1 or 0, found {other}"))),
            };
            let clip = |id: &str| {
                let none = || refused(format!("{} has no clip {id} with enough speech", voices.name));
                ids.get(stem(id)).copied().ok_or_else(none)
            };
            let (a, b) = (clip(enrolment)?, clip(test)?);
            if (voices.clips[a].speaker == voices.clips[b].speaker) != is_same {
                return Err(refused(format!(
                    "the corpus says otherwise of the speakers of {enrolment} and {test}"
                )));
            }
            pairs.push((a, b));
        }
        Ok(Self(pairs))
    }

    /// The scores of the pairs for which `condition` holds; none where they are not of both kinds.
    ///
    /// # Errors
    /// Those of the system.
    pub fn scored(
        &self,
        voices: &Voices,
        vectors: &[Option<Vec<f32>>],
        system: &dyn VoiceSystem,
        condition: Condition,
    ) -> Result<Option<SpeakerTrials>> {
        let shift =
            |vector: &Option<Vec<f32>>| vector.as_ref().map_or(Ok(None), |vector| system.shift(vector));
        let shifts = vectors.iter().map(shift).collect::<Result<Vec<_>>>()?;
        let trial = |&(a, b): &(usize, usize)| {
            let (first, second) = (&voices.clips[a], &voices.clips[b]);
            let (one, other) = (vectors[a].as_ref()?, vectors[b].as_ref()?);
            condition.holds(first, second).then(|| SpeakerTrial {
                score: score(cosine(one, other), (shifts[a], shifts[b])),
                speakers: (first.speaker, second.speaker),
            })
        };
        Ok(SpeakerTrials::new(self.0.iter().filter_map(trial).collect()).ok())
    }
}

/// A clip's name without its extension.
fn stem(id: &str) -> &str {
    match id.rsplit_once('.') {
        Some((stem, extension)) if !extension.contains('/') => stem,
        _ => id,
    }
}
