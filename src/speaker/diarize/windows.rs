//! What is heard at once: windows of speech, which overlap.

use super::turn::union;
use crate::time::{SampleIndex, Span};

/// How speech is cut into windows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Windows {
    /// Samples of a window.
    pub length: u64,
    /// Samples from the start of one to that of the next.
    pub hop: u64,
}

impl Windows {
    /// The windows of `speech`, in order: each within one stretch, the last of a stretch at its end. A stretch that is
    /// shorter than a window is a window of its own.
    pub fn of(&self, speech: &[Span]) -> Vec<Span> {
        union(speech.to_vec()).into_iter().flat_map(|span| self.of_stretch(span)).collect()
    }

    fn of_stretch(&self, span: Span) -> Vec<Span> {
        if span.len() <= self.length {
            return vec![span];
        }
        let last = span.len() - self.length;
        let starts = (0..last).step_by(self.hop.max(1) as usize).chain([last]);
        starts.map(|start| Span::new(span.start + start, span.start + start + self.length)).collect()
    }
}

/// The samples of `span`, said again and again until there are `least`: a network that waits for more would hear silence.
pub fn heard(samples: &[f32], span: Span, least: usize) -> Vec<f32> {
    let within = |at: SampleIndex| (at.0 as usize).min(samples.len());
    let sound = &samples[within(span.start)..within(span.end)];
    if sound.is_empty() || sound.len() >= least {
        return sound.to_vec();
    }
    sound.iter().copied().cycle().take(least).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn span(start: u64, end: u64) -> Span {
        Span::new(SampleIndex(start), SampleIndex(end))
    }

    #[test]
    fn windows_stay_within_their_stretch() {
        let windows = Windows { length: 10, hop: 4 };
        let expected = [span(0, 10), span(4, 14), span(5, 15), span(20, 25), span(30, 40)];
        assert_eq!(windows.of(&[span(0, 15), span(20, 25), span(30, 40)]), expected);
        assert_eq!(windows.of(&[]), []);
    }

    #[test]
    fn short_sounds_are_repeated_and_the_rest_stays() {
        let samples = [1.0, 2.0, 3.0, 4.0];
        assert_eq!(heard(&samples, span(1, 3), 5), [2.0, 3.0, 2.0, 3.0, 2.0]);
        assert_eq!(heard(&samples, span(1, 3), 2), [2.0, 3.0]);
        assert_eq!(heard(&samples, span(3, 9), 1), [4.0]);
        assert_eq!(heard(&samples, span(7, 9), 3), [0.0; 0]);
    }

    proptest! {
        #[test]
        fn all_speech_is_heard_and_nothing_else(
            stretches in prop::collection::vec((0u64..300, 1u64..50), 0..8),
            length in 1u64..30,
            hop in 1u64..30,
        ) {
            // Longer hops than windows would leave speech unheard.
            let hop = hop.min(length);
            let speech: Vec<Span> = stretches.iter().map(|&(start, length)| span(start, start + length)).collect();
            let windows = Windows { length, hop }.of(&speech);
            prop_assert!(windows.is_sorted_by_key(|window| window.start));
            prop_assert!(windows.iter().all(|window| window.len() <= length));
            prop_assert_eq!(union(windows), union(speech));
        }
    }
}
