//! What the segmenter gives the heads to do.

use std::sync::Arc;
use std::time::Instant;

use super::link::Item;
use crate::event::EndReason;
use crate::time::SampleIndex;
use crate::vad::{SpeechSegment, WindowEnd};

/// Speech of a segment. Clones share the sound.
#[derive(Debug, Clone)]
pub struct Utterance {
    /// Number of the segment.
    pub segment: u64,
    /// The sound and where it is.
    pub speech: Arc<SpeechSegment>,
    /// Where the speech in it ends, without padding; of a segment that grows or was cut, where it was heard to.
    pub offset: SampleIndex,
    /// When the segment, or so much of it, was found.
    pub found: Instant,
    /// When the sample at `offset` was captured; none where that means nothing.
    pub captured: Option<Instant>,
}

/// A piece of work on a stream's speech.
#[derive(Debug, Clone)]
pub enum Work {
    /// A segment so far.
    Grown(Utterance),
    /// A window within a segment.
    Window(Utterance, WindowEnd),
    /// A segment that has ended if the silence after it lasts.
    Likely(Utterance),
    /// A segment.
    Final(Utterance, EndReason),
    /// A mark in the stream: all work before it is to be done first.
    Marker(String, SampleIndex),
}

impl Work {
    fn segment(&self) -> Option<u64> {
        match self {
            Self::Grown(utterance) | Self::Likely(utterance) | Self::Final(utterance, _) => {
                Some(utterance.segment)
            }
            Self::Window(..) | Self::Marker(..) => None,
        }
    }
}

impl Item for Work {
    /// Partials share their sound with what supersedes them.
    fn samples(&self) -> u64 {
        match self {
            Self::Final(utterance, _) => utterance.speech.span.len(),
            _ => 0,
        }
    }

    fn is_superseded_by(&self, later: &Self) -> bool {
        self.is_optional() && self.segment() == later.segment()
    }

    fn is_optional(&self) -> bool {
        matches!(self, Self::Grown(_) | Self::Likely(_))
    }

    fn is_urgent(&self) -> bool {
        !matches!(self, Self::Grown(_))
    }
}
