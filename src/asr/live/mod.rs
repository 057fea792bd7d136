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

use crate::Result;
use crate::vad::SpeechSegment;

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

    /// Forgets the stream.
    fn reset(&mut self);
}
