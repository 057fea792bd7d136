//! The people who are known: a file of their voiceprints, without any of their sound.
//!
//! It is safetensors: `voices` `[people, width]`, and `cohort` `[strangers, width]` where there is one, in f32; the card is
//! JSON in its metadata under `awaaz.gallery`. The same people give the same bytes.

use std::path::Path;

use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView};
use serde::{Deserialize, Serialize};

use super::{Cohort, Likeness, Scorer, SpeakerModel, Voiceprint, posteriors};
use crate::learn::head::Encoder as Identity;
use crate::output::write_whole;
use crate::weights::{Carded, le_bytes};
use crate::{Error, Result};

const FILE: Carded =
    Carded { key: "awaaz.gallery", version: 1, limit: 256 << 20, what: "a gallery", remedy: "enroll again" };
/// People, and strangers of a cohort, at most.
const MOST_PEOPLE: usize = 10_000;
/// Bytes of a name at most.
const LONGEST_NAME: usize = 200;

/// Someone who is known.
#[derive(Debug, Clone, PartialEq)]
pub struct Person {
    /// What the person is called.
    pub name: String,
    /// The voice.
    pub voiceprint: Voiceprint,
    /// Sounds that it was learned from.
    pub sounds: u64,
}

/// People by the voiceprints of one model.
#[derive(Debug, Clone, PartialEq)]
pub struct Gallery {
    model: Identity,
    width: usize,
    /// In the order of their names.
    people: Vec<Person>,
    cohort: Option<Cohort>,
}

/// How well someone fits a voice.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Match<'a> {
    /// Who.
    pub person: &'a Person,
    /// How alike both voices are.
    pub likeness: Likeness,
    /// The probability that it is this person, and not another one, or none, of the gallery.
    pub probability: f32,
}

#[derive(Serialize, Deserialize)]
struct Card {
    model: Identity,
    width: usize,
    people: Vec<StoredPerson>,
}

#[derive(Serialize, Deserialize)]
struct StoredPerson {
    name: String,
    seconds: f64,
    sounds: u64,
}

impl Gallery {
    /// A gallery without people, for voiceprints of `model`.
    pub fn new(model: &SpeakerModel) -> Self {
        Self { model: model.identity().clone(), width: model.width(), people: Vec::new(), cohort: None }
    }

    /// The model that the voiceprints are of.
    pub fn model(&self) -> &Identity {
        &self.model
    }

    /// The people, in the order of their names.
    pub fn people(&self) -> &[Person] {
        &self.people
    }

    /// The strangers that scores are set against.
    pub fn cohort(&self) -> Option<&Cohort> {
        self.cohort.as_ref()
    }

    /// The same with these strangers.
    pub fn against(self, cohort: Cohort) -> Self {
        Self { cohort: Some(cohort), ..self }
    }

    /// Adds speech of the person called `name`, who may be known already.
    ///
    /// # Errors
    /// [`Error::Setting`] where the name is none, the voiceprint is another model's, or the gallery is full.
    pub fn enroll(&mut self, name: &str, voiceprint: Voiceprint) -> Result<()> {
        let name = checked_name(name)?;
        if voiceprint.vector().len() != self.width {
            return Err(Error::Setting(format!(
                "a voiceprint of {} values is not of {}, whose have {}",
                voiceprint.vector().len(),
                self.model.name,
                self.width
            )));
        }
        match self.people.binary_search_by(|person| person.name.as_str().cmp(name)) {
            Ok(at) => {
                self.people[at].voiceprint.add(&voiceprint);
                self.people[at].sounds += 1;
            }
            Err(_) if self.people.len() >= MOST_PEOPLE => {
                return Err(Error::Setting(format!(
                    "the gallery is full: it has {MOST_PEOPLE} people; forget some, or begin another"
                )));
            }
            Err(at) => self.people.insert(at, Person { name: name.to_owned(), voiceprint, sounds: 1 }),
        }
        Ok(())
    }

    /// Forgets a person; false where nobody is called so.
    pub fn forget(&mut self, name: &str) -> bool {
        let before = self.people.len();
        self.people.retain(|person| person.name != name);
        self.people.len() < before
    }

    /// Whether its voiceprints are those of `model`: by the digests of the weights where both are known, else by the names.
    ///
    /// # Errors
    /// [`Error::Model`], naming `path`, where they are not.
    pub fn check(&self, model: &SpeakerModel, path: &Path) -> Result<()> {
        let other = model.identity();
        let is_same = match (&self.model.sha256, &other.sha256) {
            (Some(own), Some(other)) => own.eq_ignore_ascii_case(other),
            _ => self.model.name == other.name,
        };
        if is_same && self.width == model.width() {
            return Ok(());
        }
        let version = if self.model.name == other.name { "other weights of " } else { "" };
        Err(fault(
            path,
            format!(
                "its voices are of {version}{}, and cannot be compared with those of {}; use that model, or another gallery",
                self.model.name, other.name
            ),
        ))
    }

    /// How well each person fits a voice, the best first.
    pub fn matches(&self, voice: &Voiceprint, scorer: &Scorer) -> Vec<Match<'_>> {
        let likenesses: Vec<Likeness> =
            self.people.iter().map(|person| scorer.compare(&person.voiceprint, voice)).collect();
        let ratios: Vec<f64> = likenesses.iter().map(|likeness| likeness.log_ratio).collect();
        let all = self.people.iter().zip(likenesses).zip(posteriors(&ratios));
        let mut matches: Vec<Match> =
            all.map(|((person, likeness), probability)| Match { person, likeness, probability }).collect();
        matches.sort_by(|a, b| b.likeness.log_ratio.total_cmp(&a.likeness.log_ratio));
        matches
    }

    /// The file's bytes.
    ///
    /// # Errors
    /// [`Error::Setting`] where the format does not take it.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        let refused =
            |error: &dyn std::fmt::Display| Error::Setting(format!("a gallery cannot be written: {error}"));
        let people = self.people.iter().map(|person| StoredPerson {
            name: person.name.clone(),
            seconds: person.voiceprint.seconds(),
            sounds: person.sounds,
        });
        let card = Card { model: self.model.clone(), width: self.width, people: people.collect() };
        let voices = le_bytes(self.people.iter().flat_map(|person| person.voiceprint.vector()));
        let cohort = self
            .cohort
            .as_ref()
            .map(|cohort| (cohort.vectors().len(), le_bytes(cohort.vectors().iter().flatten())));
        let view = |rows: usize, bytes| {
            TensorView::new(Dtype::F32, vec![rows, self.width], bytes).map_err(|error| refused(&error))
        };
        let mut tensors = vec![("voices", view(self.people.len(), &voices)?)];
        if let Some((rows, bytes)) = &cohort {
            tensors.push(("cohort", view(*rows, bytes)?));
        }
        FILE.to_bytes(&card, tensors)
    }

    /// Writes the file, and the folders above it; what was there is replaced at once or not at all.
    ///
    /// # Errors
    /// [`Error::Io`] where it cannot be written; those of [`to_bytes`](Self::to_bytes).
    pub fn save(&self, path: &Path) -> Result<()> {
        write_whole(path, &self.to_bytes()?)
    }

    /// Reads a file that [`save`](Self::save) wrote.
    ///
    /// # Errors
    /// [`Error::Io`] where it cannot be read; [`Error::Model`] where it is damaged, or no gallery.
    pub fn load(path: &Path) -> Result<Self> {
        Self::from_bytes(path, &FILE.read(path)?)
    }

    /// The gallery at `path` for `model`, or one without people where there is no file.
    ///
    /// # Errors
    /// Those of [`load`](Self::load) and [`check`](Self::check).
    pub fn open(path: &Path, model: &SpeakerModel) -> Result<Self> {
        match Self::load(path) {
            Ok(gallery) => gallery.check(model, path).map(|()| gallery),
            Err(Error::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {
                Ok(Self::new(model))
            }
            Err(error) => Err(error),
        }
    }

    /// Reads the bytes of such a file, which errors call `path`.
    ///
    /// # Errors
    /// [`Error::Model`] where they are damaged, or no gallery.
    pub fn from_bytes(path: &Path, bytes: &[u8]) -> Result<Self> {
        let damaged =
            |reason: String| fault(path, format!("not a gallery, or damaged: {reason}; enroll again"));
        let (card, file): (Card, _) = FILE.open(path, bytes)?;
        if card.people.len() > MOST_PEOPLE || card.width == 0 {
            return Err(damaged(format!("{} people, {} values a voice", card.people.len(), card.width)));
        }
        let voices = rows(&file, "voices", card.width).map_err(damaged)?;
        let count = voices.len();
        if count != card.people.len() {
            return Err(damaged(format!("{count} voices of {} people", card.people.len())));
        }
        let mut gallery = Self { model: card.model, width: card.width, people: Vec::new(), cohort: None };
        for (person, vector) in card.people.into_iter().zip(voices) {
            let told = |error: Error| damaged(format!("{:?}: {error}", person.name));
            let voiceprint = Voiceprint::new(vector, person.seconds).map_err(told)?;
            gallery.enroll(&person.name, voiceprint).map_err(told)?;
            if let Some(enrolled) = gallery.people.iter_mut().find(|other| other.name == person.name) {
                enrolled.sounds = person.sounds;
            }
        }
        if gallery.people.len() != count {
            return Err(damaged("two people have one name".into()));
        }
        if file.tensor("cohort").is_ok() {
            let vectors = rows(&file, "cohort", card.width).map_err(damaged)?;
            gallery.cohort = Some(Cohort::new(vectors).map_err(|error| damaged(error.to_string()))?);
        }
        Ok(gallery)
    }
}

/// The rows of an f32 tensor `[rows, width]`, with what is wrong with it where it is none.
fn rows(file: &SafeTensors, name: &str, width: usize) -> Result<Vec<Vec<f32>>, String> {
    let tensor = file.tensor(name).map_err(|error| error.to_string())?;
    match (tensor.dtype(), tensor.shape()) {
        (Dtype::F32, &[count, columns]) if columns == width && count <= MOST_PEOPLE => {}
        (dtype, shape) => return Err(format!("{name} is {dtype:?} of {shape:?}, not F32 of [.., {width}]")),
    }
    let value = |bytes: &[u8]| f32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
    let values: Vec<f32> = tensor.data().chunks_exact(4).map(value).collect();
    if values.iter().any(|value| !value.is_finite()) {
        return Err(format!("{name} has a value that is not finite"));
    }
    Ok(values.chunks_exact(width).map(<[f32]>::to_vec).collect())
}

/// A name as it is kept.
fn checked_name(name: &str) -> Result<&str> {
    let trimmed = name.trim();
    let is_plain =
        !trimmed.is_empty() && trimmed.len() <= LONGEST_NAME && !trimmed.chars().any(char::is_control);
    match is_plain {
        true => Ok(trimmed),
        false => Err(Error::Setting(format!(
            "{name:?} is no name; give 1 to {LONGEST_NAME} bytes without control characters"
        ))),
    }
}

fn fault(path: &Path, reason: String) -> Error {
    Error::model(path.display().to_string(), reason)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::speaker::{Calibration, Calibrations};

    fn empty() -> Gallery {
        let model = Identity { name: "ge2e".into(), sha256: Some("ab".into()) };
        Gallery { model, width: 3, people: Vec::new(), cohort: None }
    }

    fn voice(vector: [f32; 3], seconds: f64) -> Voiceprint {
        Voiceprint::new(vector.to_vec(), seconds).unwrap()
    }

    fn known() -> Gallery {
        let mut gallery = empty();
        gallery.enroll("zoe", voice([1.0, 0.0, 0.0], 4.0)).unwrap();
        gallery.enroll(" आशा ", voice([0.0, 1.0, 0.0], 2.0)).unwrap();
        gallery.enroll("आशा", voice([0.0, 0.0, 1.0], 2.0)).unwrap();
        gallery
    }

    #[test]
    fn a_file_gives_back_what_was_kept_and_the_same_bytes() {
        let cohort = Cohort::new(vec![vec![0.6, 0.8, 0.0]; 20]).unwrap();
        for gallery in [empty(), known(), known().against(cohort)] {
            let bytes = gallery.to_bytes().unwrap();
            let read = Gallery::from_bytes(Path::new("people"), &bytes).unwrap();
            assert_eq!(read.to_bytes().unwrap(), bytes);
            assert_eq!(read.people().len(), gallery.people().len());
            assert_eq!(read.cohort, gallery.cohort);
        }
    }

    #[test]
    fn speech_of_one_name_adds_up() {
        let gallery = known();
        let person = gallery.people().iter().find(|person| person.name == "आशा").unwrap();
        assert_eq!((person.sounds, person.voiceprint.seconds()), (2, 4.0));
        assert!((person.voiceprint.vector()[1] - 0.5f32.sqrt()).abs() < 1e-6);
    }

    #[test]
    fn names_and_widths_that_do_not_fit_are_refused() {
        let mut gallery = empty();
        for name in ["", "  ", "a\nb", &"x".repeat(201)] {
            assert!(gallery.enroll(name, voice([1.0; 3], 1.0)).is_err(), "{name:?}");
        }
        assert!(gallery.enroll("a", Voiceprint::new(vec![1.0; 4], 1.0).unwrap()).is_err());
        assert!(!gallery.forget("a"));
    }

    #[test]
    fn a_stranger_is_like_nobody() {
        let calibration = Calibration { scale: 20.0, length: 0.0, offset: -14.0 };
        let scorer = Scorer::new(&Calibrations { cosine: calibration, normalised: None }, None).unwrap();
        let gallery = known();
        let best = |voice: Voiceprint| {
            let matches = gallery.matches(&voice, &scorer);
            (matches[0].person.name.clone(), matches[0].probability)
        };
        let (name, probability) = best(voice([1.0, 0.1, 0.0], 3.0));
        assert!(name == "zoe" && probability > 0.9, "{name} {probability}");
        assert!(best(voice([0.5, -1.0, 0.5], 3.0)).1 < 0.1);
    }

    #[test]
    fn what_is_no_gallery_is_refused_by_name() {
        let read = |bytes: &[u8]| Gallery::from_bytes(Path::new("people"), bytes).unwrap_err().to_string();
        for bytes in [&b""[..], b"abc", &[0xff; 64]] {
            assert!(read(bytes).starts_with("model people: not a gallery"), "{}", read(bytes));
        }
        let mut later = known().to_bytes().unwrap();
        let at = later.windows(12).position(|part| part == b"version\\\":1,").unwrap();
        later[at + 10] = b'9';
        assert!(read(&later).contains("it is of version 9"), "{}", read(&later));
    }

    proptest! {
        #[test]
        fn damage_never_panics(at in 0usize..2_000, bits in 1u8..=255, cut in 0usize..2_000) {
            let mut bytes = known().to_bytes().unwrap();
            let index = at % bytes.len();
            bytes[index] ^= bits;
            bytes.truncate(bytes.len() - cut % bytes.len());
            // Damage to a vector may go unseen; all else is told.
            let _ = Gallery::from_bytes(Path::new("people"), &bytes);
        }

        #[test]
        fn random_bytes_are_refused(bytes in prop::collection::vec(any::<u8>(), 0..500)) {
            prop_assert!(Gallery::from_bytes(Path::new("people"), &bytes).is_err());
        }
    }
}
