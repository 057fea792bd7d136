//! Transcripts and events out: formats, files written whole or not at all, progress, a view in the terminal.
//!
//! | file | idea |
//! |---|---|
//! | `format` | [`Format`] and [`Writer`]: a transcript as text, piece by piece or whole |
//! | `text`, `json`, `subtitles`, `ctm` | the formats |
//! | `speakers` | who says what, by the times of words |
//! | `rttm` | who speaks when, written and read |
//! | `latin` | any of them in Latin letters |
//! | `cues` | subtitles' cues and lines, cut where a reader would |
//! | `clock` | times as they are written |
//! | `naming` | a name for each input's outputs, none twice |
//! | `folder` | [`OutputFolder`]: files written whole or not at all |
//! | `progress` | [`Progress`]: what the user is told while work goes on |
//! | [`embeddings`] | features as npy, safetensors and Parquet |
//! | [`events`] | a stream's events as lines, in a file, to a URL |
//! | `view` | a stream in the terminal (feature `view`) |
//!
//! Writers are pure: they append to a string. Only `folder`, `progress`, `events` and `view` touch the outside.

mod clock;
mod ctm;
mod cues;
pub mod embeddings;
pub mod events;
mod folder;
mod format;
mod json;
mod latin;
mod naming;
mod progress;
mod rttm;
mod speakers;
mod subtitles;
mod text;
mod verdicts;
#[cfg(feature = "view")]
pub mod view;

pub use cues::Layout;
pub use folder::{Existing, OutputFolder, write_whole};
pub use format::{Format, Style, Writer};
pub use naming::{Origin, output_names};
pub(crate) use progress::pace;
pub use progress::{Detail, Progress};
pub use rttm::{read_rttm, to_rttm};
pub use speakers::{speaker_of, split_by_speaker};
