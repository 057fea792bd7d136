//! Threads, links and clocks around the stages of a live stream.
//!
//! A [`Stream`] takes sound from a [`Source`] through its stages to [`EventSink`]s. Sound is never dropped, and memory
//! never grows with delay: what may be left out (partials) is, what may not is refused with an `error` event once more
//! than a stated bound waits. The same sound gives the same events, in whatever blocks and at whatever pace it comes,
//! but for those that [`EventKind::is_determined`](crate::event::EventKind::is_determined) excludes.
//!
//! All threads of a stream are started in `crew`, all links are made in `stream`.

mod clips;
mod crew;
mod hear;
mod instruments;
mod latency;
mod link;
#[cfg(feature = "mic")]
mod microphone;
mod outlets;
mod playback;
mod publish;
mod recognise;
mod record;
mod sink;
mod source;
mod speakers;
mod stage;
mod stream;
mod word_delay;
mod work;

pub use clips::{ClipWriter, Clips, OnlyActions};
pub use crew::Ended;
pub use latency::Percentiles;
pub use link::{Bound, Counters, Item, NotSent, Policy, Receiver, Sender, link};
#[cfg(feature = "mic")]
pub use microphone::Microphone;
pub use outlets::Tap;
#[cfg(feature = "mic")]
pub use playback::DeviceOut;
pub use playback::{Flagging, PcmOut, Playback, PlaybackTotals};
pub use record::Recording;
pub use sink::{EventSink, Gauges};
pub use source::{Paced, Recorded, Sound, Source, SourceStep};
pub use stage::Stage;
pub use stream::{Outcome, SourcePace, Stream, StreamOptions};
pub use work::{Utterance, Work};
