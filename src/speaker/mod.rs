//! Who speaks: voices as vectors, how alike they are, and people that were enrolled.
//!
//! | file | idea |
//! |---|---|
//! | `voiceprint` | [`Voiceprint`]: a vector and the speech it rests on; [`cosine`] |
//! | `model` | [`SpeakerModel`]: sound to a voiceprint |
//! | `calibration` | [`Calibration`]: a score becomes a probability |
//! | `scorer` | [`Scorer`]: two voiceprints become a score, [`posteriors`]: one of several, or none |
//! | `gallery` | [`Gallery`]: people who were enrolled, as a file |
//! | `growing` | the voice of a segment while it grows |
//! | `online` | [`Online`]: the speakers of a stream, one segment after another |
//! | `live` | [`LiveSpeakers`]: all of it for one stream |
//! | [`diarize`] | who speaks when, in a recording that is there as a whole |
//!
//! Nothing here starts a thread. The same sound gives the same voiceprints, and the same voiceprints in the same order the
//! same answers.

mod calibration;
pub mod diarize;
mod gallery;
mod growing;
mod live;
mod model;
mod online;
mod scorer;
mod voiceprint;

pub use calibration::{Calibration, Trial};
pub use gallery::{Gallery, Match, Person};
pub use live::LiveSpeakers;
pub use model::{LEAST_SPEECH, Silences, SpeakerModel, speech_of};
pub use online::{Online, OnlineOptions, Told};
pub use scorer::{Calibrations, Cohort, LEAST_COHORT, Likeness, Scorer, posteriors};
pub use voiceprint::{Voiceprint, cosine};
