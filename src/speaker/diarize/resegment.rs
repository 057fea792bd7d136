//! From windows to turns: who is heard at each moment, by all windows that it lies in.

use super::turn::{Turn, joined};
use crate::speaker::cosine;
use crate::time::{SampleIndex, Span};

/// Samples of a moment: 0.1 s.
pub const MOMENT: u64 = 1600;
/// What a change of speaker costs, in cosine.
const CHANGE: f32 = 0.1;

/// Speech cut into moments, with how much the windows around each are like each voice.
pub struct Moments {
    /// Where each is.
    pub spans: Vec<Span>,
    /// `[moment][voice]`, cosines.
    pub alike: Vec<Vec<f32>>,
}

impl Moments {
    /// The moments of `speech`, in order, each as like a voice as the windows are whose middle is less than half a window
    /// away.
    pub fn of(speech: &[Span], windows: &[Span], vectors: &[Vec<f32>], voices: &[Vec<f32>]) -> Self {
        let likeness = |vector: &Vec<f32>| voices.iter().map(|voice| cosine(vector, voice)).collect();
        let likeness: Vec<Vec<f32>> = vectors.iter().map(likeness).collect();
        let spans: Vec<Span> = speech.iter().flat_map(|&span| moments(span)).collect();
        let reach = windows.iter().map(|window| window.len()).max().unwrap_or(0);
        Self { alike: spread(&spans, windows, &likeness, reach), spans }
    }

    /// The likeliest voice of each moment, where a change costs something and a pause is no change of its own.
    pub fn likeliest(&self) -> Vec<usize> {
        let mut best: Vec<f32> = self.alike.first().cloned().unwrap_or_default();
        let mut before: Vec<Vec<usize>> = Vec::new();
        for alike in self.alike.iter().skip(1) {
            let top = (0..best.len()).max_by(|&a, &b| best[a].total_cmp(&best[b])).unwrap_or(0);
            let changed = best.get(top).map_or(0.0, |best| best - CHANGE);
            let from: Vec<usize> = best
                .iter()
                .enumerate()
                .map(|(voice, &own)| if own >= changed { voice } else { top })
                .collect();
            best = best.iter().zip(alike).map(|(&own, alike)| own.max(changed) + alike).collect();
            before.push(from);
        }
        let mut voice = (0..best.len()).max_by(|&a, &b| best[a].total_cmp(&best[b])).unwrap_or(0);
        let mut found = vec![voice; self.spans.len()];
        for at in (0..before.len()).rev() {
            voice = before[at][voice];
            found[at] = voice;
        }
        found
    }

    /// The moments at most `reach` places and as much time away from one.
    pub fn near(&self, at: usize, reach: usize) -> std::ops::Range<usize> {
        let away = |other: usize| self.spans[other].start.0.abs_diff(self.spans[at].start.0);
        let is_near = |other: &usize| away(*other) <= reach as u64 * MOMENT;
        let first = (at.saturating_sub(reach)..at).find(is_near).unwrap_or(at);
        let last = (at..self.spans.len().min(at + reach + 1)).rev().find(is_near).unwrap_or(at);
        first..last + 1
    }

    /// The turns of voices that are heard at these moments.
    pub fn turns(&self, voices: impl Iterator<Item = (usize, usize)>) -> Vec<(Span, usize)> {
        let turns: Vec<Turn> =
            voices.map(|(moment, voice)| Turn::new(format!("{voice:06}"), self.spans[moment])).collect();
        joined(&turns).into_iter().filter_map(|turn| Some((turn.span, turn.speaker.parse().ok()?))).collect()
    }
}

fn moments(span: Span) -> impl Iterator<Item = Span> {
    let starts = (span.start.0..span.end.0).step_by(MOMENT as usize);
    starts.map(move |start| Span::new(SampleIndex(start), SampleIndex((start + MOMENT).min(span.end.0))))
}

/// Twice the middle of a span: in halves of samples.
fn centre(span: Span) -> u64 {
    span.start.0 + span.end.0
}

/// What is known of windows, `[window][value]`, at moments: the mean over windows whose middle is less than half of `reach`
/// samples away, nearer ones counting more; the nearest window's where there is none. Both are in order of time.
pub fn spread(moments: &[Span], windows: &[Span], values: &[Vec<f32>], reach: u64) -> Vec<Vec<f32>> {
    let reach = reach.max(MOMENT);
    let mut first = 0;
    let mean = |&moment: &Span| {
        let middle = centre(moment);
        while first + 1 < windows.len() && centre(windows[first + 1]) + reach <= middle {
            first += 1;
        }
        let (mut sum, mut weights) = (vec![0.0; values.first().map_or(0, Vec::len)], 0.0);
        let mut nearest: Option<(u64, usize)> = None;
        for (at, &window) in windows.iter().enumerate().skip(first) {
            let away = centre(window).abs_diff(middle);
            if nearest.is_none_or(|(least, _)| away < least) {
                nearest = Some((away, at));
            } else if centre(window) > middle && away >= reach {
                break;
            }
            if away < reach {
                let weight = 1.0 - away as f32 / reach as f32;
                sum.iter_mut().zip(&values[at]).for_each(|(sum, x)| *sum += weight * x);
                weights += weight;
            }
        }
        match nearest.filter(|_| weights == 0.0) {
            Some((_, at)) => values[at].clone(),
            None => sum.into_iter().map(|sum| sum / weights.max(f32::MIN_POSITIVE)).collect(),
        }
    };
    moments.iter().map(mean).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(start: u64, end: u64) -> Span {
        Span::new(SampleIndex(start * MOMENT), SampleIndex(end * MOMENT))
    }

    fn voices() -> Vec<Vec<f32>> {
        vec![vec![1.0, 0.0], vec![0.0, 1.0]]
    }

    #[test]
    fn a_change_lies_between_the_windows_of_two_voices() {
        let windows: Vec<Span> = (0..7).map(|at| span(4 * at, 4 * at + 16)).collect();
        let vectors: Vec<Vec<f32>> = (0..7).map(|at| voices()[usize::from(at > 2)].clone()).collect();
        let moments = Moments::of(&[span(0, 40)], &windows, &vectors, &voices());
        assert_eq!(moments.spans.len(), 40);
        let found = moments.likeliest();
        let change = found.iter().position(|&voice| voice == 1).unwrap();
        // The middles of the windows beside the change are at 16 and at 20.
        assert!((17..=19).contains(&change), "{change}");
        assert!(found.is_sorted());
        let turns = moments.turns(found.into_iter().enumerate());
        assert_eq!(turns, [(span(0, change as u64), 0), (span(change as u64, 40), 1)]);
    }

    #[test]
    fn a_moment_that_differs_little_is_no_change() {
        let alike = [[0.9, 0.1], [0.48, 0.52], [0.9, 0.1], [0.1, 0.9], [0.1, 0.9]].map(Vec::from).to_vec();
        let spans = (0..5).map(|at| span(at, at + 1)).collect();
        assert_eq!(Moments { spans, alike }.likeliest(), [0, 0, 0, 1, 1]);
        assert!(Moments { spans: vec![], alike: vec![] }.likeliest().is_empty());
    }

    #[test]
    fn moments_far_from_all_windows_are_as_the_nearest() {
        let moments = Moments::of(&[span(0, 4), span(50, 52)], &[span(0, 4)], &[vec![0.0, 1.0]], &voices());
        assert_eq!(moments.likeliest(), [1; 6]);
    }
}
