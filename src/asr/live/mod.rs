//! Recognition while speech goes on.
//!
//! A segment is recognised again and again while it grows ([`LiveRecognizer::partial`]); words that two hypotheses in a
//! row agree on are stable and are never taken back before the final. The final text comes from the whole segment at
//! once, and is the same whatever partials were made. No thread is started here, and no clock read.

mod agreement;
mod pace;
mod recognizer;

pub use agreement::{Agreement, same};
pub use pace::Pace;
pub use recognizer::{FinalText, LiveRecognizer, PartialText};

use std::sync::Arc;

use crate::models::encoding::Encoding;
use crate::vad::SpeechSegment;
use crate::{Error, Result};

impl SegmentRecognizer for Box<dyn SegmentRecognizer> {
    fn partial(
        &mut self,
        segment: u64,
        speech: &SpeechSegment,
        stopped: &dyn Fn() -> bool,
    ) -> Result<Option<PartialText>> {
        (**self).partial(segment, speech, stopped)
    }

    fn prepare(&mut self, segment: u64, speech: &SpeechSegment) -> Result<Option<PartialText>> {
        (**self).prepare(segment, speech)
    }

    fn finish(&mut self, speech: &SpeechSegment) -> Result<FinalText> {
        (**self).finish(speech)
    }

    fn keep(&mut self, layers: &[usize]) -> Result<()> {
        (**self).keep(layers)
    }

    fn encoding(&self) -> Option<Arc<Encoding>> {
        (**self).encoding()
    }

    fn encode(&mut self, speech: &SpeechSegment, layers: &[usize]) -> Result<Encoding> {
        (**self).encode(speech, layers)
    }

    fn reset(&mut self) {
        (**self).reset();
    }
}

/// Recognises the segments of one stream, in their order.
pub trait SegmentRecognizer: Send {
    /// What is understood of a segment that grows. None where `stopped` became true first, or nothing is understood.
    ///
    /// # Errors
    /// Those of the network.
    fn partial(
        &mut self,
        segment: u64,
        speech: &SpeechSegment,
        stopped: &dyn Fn() -> bool,
    ) -> Result<Option<PartialText>>;

    /// Gets ready for [`finish`](Self::finish) to be called with `speech`, which is likely but not certain. What was
    /// understood can be shown.
    ///
    /// # Errors
    /// Those of the network.
    fn prepare(&mut self, segment: u64, speech: &SpeechSegment) -> Result<Option<PartialText>>;

    /// The final text of a segment. It depends on `speech` and the finals before it alone.
    ///
    /// # Errors
    /// Those of the network.
    fn finish(&mut self, speech: &SpeechSegment) -> Result<FinalText>;

    /// From now on keeps these hidden states of what [`finish`](Self::finish) hears.
    ///
    /// # Errors
    /// [`Error::Setting`] where there are none to keep.
    fn keep(&mut self, layers: &[usize]) -> Result<()> {
        if layers.is_empty() { Ok(()) } else { Err(no_states()) }
    }

    /// What was kept of the segment that was finished last: the encoding by which it was recognised.
    fn encoding(&self) -> Option<Arc<Encoding>> {
        None
    }

    /// The hidden states of a sound, such as a window of a segment that grows, and nothing else of it.
    ///
    /// # Errors
    /// Those of the network; [`Error::Setting`] where there are none.
    fn encode(&mut self, _speech: &SpeechSegment, _layers: &[usize]) -> Result<Encoding> {
        Err(no_states())
    }

    /// Forgets the stream.
    fn reset(&mut self);
}

pub(super) fn no_states() -> Error {
    Error::Setting(
        "heads need the hidden states of the recogniser's encoder, and this one gives none; name a model with native weights"
            .into(),
    )
}
