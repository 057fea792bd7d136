//! Who speaks in a stream.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;

use crate::cli::model_args::Talk;
use crate::cli::speaker_args::{GalleryArgs, SpeakerModelArgs, USUAL_MODEL};
use crate::cli::speakers::voices::calibrations;
use crate::cli::stop::Stop;
use crate::event::StreamStart;
use crate::moderation::Policy;
use crate::speaker::{Gallery, LiveSpeakers, OnlineOptions, Scorer};
use crate::{Error, Result};

/// Arguments that say how speakers are told apart.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Speakers")]
pub struct WhoArgs {
    /// Tell who speaks in each segment: S1, S2, ..., and the name where the gallery has it.
    #[arg(long)]
    speakers: bool,
    /// The people who are known (`awaaz speakers enroll`); tells who speaks [default: speakers.safetensors in $AWAAZ_CACHE,
    /// where it is there].
    #[arg(long, value_name = "FILE")]
    gallery: Option<PathBuf>,
    /// The model that tells voices apart; tells who speaks [default: ge2e].
    #[arg(long, value_name = "NAME|PATH")]
    speaker_model: Option<String>,
    /// What makes probabilities of its scores (`awaaz speakers calibrate`) [default: that of the model].
    #[arg(long, value_name = "FILE")]
    speaker_calibration: Option<PathBuf>,
    #[arg(skip)]
    usual_gallery: UsualGallery,
}

/// Whether the gallery in the usual place is looked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum UsualGallery {
    #[default]
    Used,
    /// A stream is heard again as it was.
    Not,
}

impl WhoArgs {
    /// Those that a stream was heard with.
    pub fn of_stream(start: &StreamStart) -> Self {
        Self {
            speakers: start.speaker_model.is_some(),
            gallery: start.gallery.as_ref().map(PathBuf::from),
            speaker_model: start.speaker_model.clone(),
            speaker_calibration: start.speaker_calibration.as_ref().map(PathBuf::from),
            usual_gallery: UsualGallery::Not,
        }
    }

    /// Notes them in the first event.
    pub fn note(&self, start: StreamStart) -> StreamStart {
        if !self.is_wanted() {
            return start;
        }
        StreamStart {
            speaker_model: Some(self.model().to_owned()),
            gallery: self.gallery_path().map(|path| path.display().to_string()),
            speaker_calibration: self.speaker_calibration.as_ref().map(|path| path.display().to_string()),
            ..start
        }
    }

    /// Whether anyone wants to know who speaks.
    pub fn is_wanted(&self) -> bool {
        self.speakers
            || self.gallery.is_some()
            || self.speaker_model.is_some()
            || self.speaker_calibration.is_some()
    }

    /// What tells who speaks, and watches for whom `policy` names; none where nobody wants to know.
    ///
    /// # Errors
    /// Those of the gallery and the model; [`Error::Setting`] where the policy watches for people and nobody tells who
    /// speaks, or for somebody who is not known.
    pub fn load(&self, policy: &Policy, talk: Talk, stop: &Stop) -> Result<Option<LiveSpeakers>> {
        if !self.is_wanted() {
            return match policy.watch.is_empty() {
                true => Ok(None),
                false => Err(Error::Setting(
                    "the policy watches for people, and nobody tells who speaks; give --speakers".into(),
                )),
            };
        }
        let path = self.gallery_path();
        let gallery = path.as_deref().map(Gallery::load).transpose()?;
        for name in policy.watch.keys() {
            let is_known =
                gallery.iter().flat_map(|gallery| gallery.people()).any(|person| person.name == *name);
            if !is_known {
                let place = path.as_ref().map_or("no gallery".into(), |path| path.display().to_string());
                return Err(Error::Setting(format!(
                    "the policy watches for {name}, who is not in {place}; `awaaz speakers enroll` learns a voice"
                )));
            }
        }
        let model = SpeakerModelArgs::named(self.model()).load(talk, stop)?;
        if let (Some(gallery), Some(path)) = (&gallery, &path) {
            gallery.check(&model, path)?;
        }
        let calibrations = calibrations(self.speaker_calibration.as_deref(), &model)?;
        // Scores that are set against strangers need a calibration of such scores.
        let cohort = gallery.as_ref().and_then(Gallery::cohort).filter(|_| calibrations.normalised.is_some());
        let scorer = Scorer::new(&calibrations, cohort.cloned())?;
        let options = OnlineOptions { least: model.shortest(), ..OnlineOptions::default() };
        let speakers = LiveSpeakers::new(model, scorer, gallery.map(Arc::new), options);
        Ok(Some(speakers.watching(policy.watch.clone())))
    }

    fn model(&self) -> &str {
        self.speaker_model.as_deref().unwrap_or(USUAL_MODEL)
    }

    /// The gallery that was named, or the usual one where it is there.
    fn gallery_path(&self) -> Option<PathBuf> {
        match (&self.gallery, self.usual_gallery) {
            (Some(path), _) => Some(path.clone()),
            (None, UsualGallery::Used) => GalleryArgs::default().path().ok().filter(|path| path.exists()),
            (None, UsualGallery::Not) => None,
        }
    }
}
