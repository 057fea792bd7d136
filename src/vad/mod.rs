//! Where speech is: Silero's voice activity model and the segmenter that cuts a stream into segments.
//!
//! Samples (16 kHz, mono) go in with `push`, in blocks of any size: the size never changes what comes out. Four
//! layers, each usable alone:
//!
//! | type | in | out |
//! |---|---|---|
//! | [`SileroVad`] | frames of 512 samples | the probability of speech |
//! | [`SpeechDetector`] | samples | [`SpeechEvent`]s, as soon as they are decided |
//! | [`LiveSegmenter`] | samples | segments with their audio while they grow, pause and end |
//! | [`Segmenter`] | samples | [`SpeechSegment`]s with their audio, at most 30 s each, for a recogniser |
//!
//! Segments are in order and never overlap; no thread is started, and memory stays bounded however long the stream.

mod detector;
mod endpoint;
mod live;
mod segmenter;
mod silero;

pub use detector::SpeechDetector;
pub use endpoint::{SpeechEvent, VadOptions};
pub use live::{Heard, LiveOptions, LiveSegmenter, WindowEnd, Windows};
pub use segmenter::{Segmenter, SegmenterOptions, SpeechSegment};
pub use silero::{FRAME_SAMPLES, SileroVad};
