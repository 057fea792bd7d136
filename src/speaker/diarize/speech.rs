//! Where speech is, for who speaks when: pauses within a sentence are pauses here too.

use std::time::Duration;

use crate::Result;
use crate::time::Span;
use crate::vad::{SpeechDetector, SpeechEvent, VadOptions};

/// Pauses of a quarter of a second end a stretch of speech, and a twentieth is kept around it: a recogniser wants more, but
/// here it counts as speech that is none.
pub fn speech_options() -> VadOptions {
    VadOptions {
        min_speech: Duration::from_millis(100),
        min_silence: Duration::from_millis(250),
        padding: Duration::from_millis(50),
        max_speech: Duration::from_secs(3600),
        ..VadOptions::default()
    }
}

/// The stretches of speech in 16 kHz samples, in order, by Silero VAD.
///
/// # Errors
/// [`Error::Setting`](crate::Error::Setting) where an option is out of range.
pub fn speech_spans(samples: &[f32], options: &VadOptions) -> Result<Vec<Span>> {
    let mut detector = SpeechDetector::new(options)?;
    let mut events = Vec::new();
    detector.push(samples, &mut events);
    detector.flush(&mut events);
    let ended = |event: SpeechEvent| match event {
        SpeechEvent::End(span) => Some(span),
        SpeechEvent::Start(_) => None,
    };
    Ok(events.into_iter().filter_map(ended).collect())
}
