//! Trained heads on the encodings that speech is recognised by.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::dsp::pool::Pool;
use crate::learn::head::{ATTENTION, Encoder, Head, Layers};
use crate::learn::labels::{self, is_among};
use crate::models::encoding::Encoding;
use crate::{Error, Result};

/// Labels that mean anger, as data sets have them.
const ANGER: [&str; 3] = ["anger", "angry", "ang"];
/// Emotions of high arousal, in the circumplex of Russell (1980).
const AROUSED: [&str; 14] = [
    "anger",
    "angry",
    "ang",
    "fear",
    "fearful",
    "fea",
    "happy",
    "happiness",
    "joy",
    "hap",
    "surprise",
    "surprised",
    "excited",
    "excitement",
];
/// Emotions of low arousal.
const CALM: [&str; 9] = ["sad", "sadness", "neutral", "neu", "calm", "bored", "boredom", "tired", "relaxed"];

/// A head with what it takes to feed it.
#[derive(Debug)]
struct Fed {
    path: PathBuf,
    head: Head,
    layers: Vec<usize>,
    feed: Feed,
}

/// What a head is given.
#[derive(Debug, Clone, Copy)]
enum Feed {
    /// One vector of each layer.
    Pooled(Pool),
    /// All frames, which it pools itself.
    Frames,
}

/// What is told of the emotion of a segment.
#[derive(Debug, Clone, PartialEq)]
pub struct Emotion {
    /// The likeliest class.
    pub label: String,
    /// The probability of every class.
    pub probabilities: BTreeMap<String, f32>,
    /// Probability of the classes of high arousal, where it is known of every class.
    pub arousal: Option<f32>,
    /// Probability of anger, where there is such a class.
    pub anger: Option<f32>,
}

/// The heads of a stream: at most one that tells abuse, and one that tells emotions.
#[derive(Debug, Default)]
pub struct Heads {
    abuse: Option<(Fed, usize)>,
    emotion: Option<Fed>,
}

impl Heads {
    /// Reads head files, or heads that are built in, by their names.
    ///
    /// # Errors
    /// Those of [`Head::open`]; [`Error::Setting`], naming the file, where a head is for another task, has no label that
    /// means abuse, or is the second of its task.
    pub fn read(paths: &[impl AsRef<Path>]) -> Result<Self> {
        let mut all = Self::default();
        for path in paths {
            all.add(path.as_ref(), Head::open(path.as_ref())?)?;
        }
        Ok(all)
    }

    /// Adds `head`, which errors call `path`.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn add(&mut self, path: &Path, head: Head) -> Result<()> {
        let fed = Fed::new(path, head)?;
        let task = fed.head.card().task.clone();
        let is_second = match task.as_str() {
            "abuse" => self.abuse.is_some(),
            "emotion" => self.emotion.is_some(),
            other => {
                return Err(fed.fault(&format!("is for {other:?}; there are heads for abuse and emotion")));
            }
        };
        if is_second {
            return Err(fed.fault(&format!("is the second head for {task}; give one")));
        }
        if task == "emotion" {
            self.emotion = Some(fed);
            return Ok(());
        }
        let index = labels::abusive(&fed.head.card().labels).map_err(|reason| fed.fault(&reason))?;
        self.abuse = Some((fed, index));
        Ok(())
    }

    /// Whether there is a head that tells abuse.
    pub fn has_abuse(&self) -> bool {
        self.abuse.is_some()
    }

    /// Whether there is no head.
    pub fn is_empty(&self) -> bool {
        self.abuse.is_none() && self.emotion.is_none()
    }

    /// Whether a card gives the digest of its encoder's weights.
    pub fn know_digest(&self) -> bool {
        let has =
            |fed: &Fed| fed.head.card().encoder.as_ref().is_some_and(|encoder| encoder.sha256.is_some());
        self.all().any(has)
    }

    /// The layers that any of them hears.
    pub fn layers(&self) -> Vec<usize> {
        let mut layers: Vec<usize> = self.all().flat_map(|fed| fed.layers.iter().copied()).collect();
        layers.sort_unstable();
        layers.dedup();
        layers
    }

    /// The layers that the head for abuse hears.
    pub fn abuse_layers(&self) -> &[usize] {
        self.abuse.as_ref().map_or(&[], |(fed, _)| &fed.layers)
    }

    /// Whether all of them are for `encoder`, which has so many layers of frames so wide.
    ///
    /// # Errors
    /// [`Error::Setting`], naming the file, where one is not.
    pub fn check(&self, encoder: &Encoder, layers: usize, width: usize) -> Result<()> {
        for fed in self.all() {
            if !fed.head.is_for(encoder) {
                let own = fed.head.card().encoder.as_ref().map_or("", |own| own.name.as_str());
                return Err(fed.fault(&format!(
                    "is for the encoder {own}, and speech is recognised by {}; give --model {own}, or a head for this one",
                    encoder.name
                )));
            }
            if let Some(layer) = fed.layers.iter().find(|&&layer| layer > layers) {
                return Err(
                    fed.fault(&format!("hears layer {layer} of {}, which has {layers}", encoder.name))
                );
            }
            let (needed, given) = (fed.head.width(), fed.layers.len() * fed.feed.width(width));
            if needed != given {
                return Err(
                    fed.fault(&format!("needs {needed} features, and {} gives {given}", encoder.name))
                );
            }
        }
        Ok(())
    }

    /// Probability of abuse by the sound; none where there is no head for it.
    ///
    /// # Errors
    /// Those of the head.
    pub fn abuse(&self, encoding: &Encoding) -> Result<Option<f32>> {
        let Some((fed, index)) = &self.abuse else { return Ok(None) };
        Ok(Some(fed.probabilities(encoding)?[*index]))
    }

    /// The emotion; none where there is no head for it.
    ///
    /// # Errors
    /// Those of the head.
    pub fn emotion(&self, encoding: &Encoding) -> Result<Option<Emotion>> {
        let Some(fed) = &self.emotion else { return Ok(None) };
        let probabilities = fed.probabilities(encoding)?;
        let labels = &fed.head.card().labels;
        let mut best = 0;
        for (i, &probability) in probabilities.iter().enumerate() {
            if probability > probabilities[best] {
                best = i;
            }
        }
        let sum = |of: &[&str]| {
            let all = labels.iter().zip(&probabilities).filter(|(label, _)| is_among(label, of));
            all.map(|(_, &probability)| probability).sum::<f32>().min(1.0)
        };
        let known = labels.iter().all(|label| is_among(label, &AROUSED) || is_among(label, &CALM));
        Ok(Some(Emotion {
            label: labels[best].clone(),
            arousal: known.then(|| sum(&AROUSED)),
            anger: labels.iter().any(|label| is_among(label, &ANGER)).then(|| sum(&ANGER)),
            probabilities: labels.iter().cloned().zip(probabilities).collect(),
        }))
    }

    fn all(&self) -> impl Iterator<Item = &Fed> {
        self.abuse.iter().map(|(fed, _)| fed).chain(&self.emotion)
    }
}

impl Fed {
    fn new(path: &Path, head: Head) -> Result<Self> {
        let card = head.card();
        let fault = |reason: &str| Error::Setting(format!("head {}: {reason}", path.display()));
        let layers = match &card.layers {
            Some(Layers::One(layer)) => vec![*layer],
            Some(Layers::Mix(layers)) if !layers.is_empty() => layers.clone(),
            _ => return Err(fault("its card does not say which layers it hears; train it again")),
        };
        let feed = match card.pooling.as_deref() {
            None => return Err(fault("its card does not say how frames are pooled; train it again")),
            Some(ATTENTION) => Feed::Frames,
            Some(name) => Feed::Pooled(name.parse().map_err(|reason: String| fault(&reason))?),
        };
        if matches!(feed, Feed::Frames) != head.model().takes_frames() {
            return Err(fault("its card says another pooling than its tensors; train it again"));
        }
        if matches!(feed, Feed::Pooled(Pool::None)) {
            return Err(fault("hears single frames; segments are judged by pooled ones"));
        }
        Ok(Self { path: path.to_owned(), head, layers, feed })
    }

    fn probabilities(&self, encoding: &Encoding) -> Result<Vec<f32>> {
        let features = match self.feed {
            Feed::Pooled(pool) => encoding.pooled(&self.layers, pool)?,
            Feed::Frames => encoding.frames(&self.layers)?,
        };
        self.head.probabilities(&features).map_err(|error| self.fault(&error.to_string()))
    }

    fn fault(&self, reason: &str) -> Error {
        Error::Setting(format!("head {}: {reason}", self.path.display()))
    }
}

impl Feed {
    /// Values that it gives of each layer of frames so wide.
    fn width(self, width: usize) -> usize {
        match self {
            Self::Pooled(pool) => pool.width(width),
            Self::Frames => width,
        }
    }
}
