//! Who speaks when.

use std::collections::BTreeMap;

use crate::time::Span;

/// A stretch in which one speaker speaks. Turns of several speakers may overlap.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Turn {
    /// Who, as a name that means the same speaker in all of a recording.
    pub speaker: String,
    /// When.
    pub span: Span,
}

impl Turn {
    /// A turn of `speaker` in `span`.
    pub fn new(speaker: impl Into<String>, span: Span) -> Self {
        Self { speaker: speaker.into(), span }
    }
}

/// Turns in order of time, where those of one speaker that overlap or touch are one; empty ones are left out.
pub fn joined(turns: &[Turn]) -> Vec<Turn> {
    let mut by_speaker: BTreeMap<&str, Vec<Span>> = BTreeMap::new();
    for turn in turns.iter().filter(|turn| turn.span.len() > 0) {
        by_speaker.entry(&turn.speaker).or_default().push(turn.span);
    }
    let mut all: Vec<Turn> = by_speaker
        .into_iter()
        .flat_map(|(speaker, spans)| union(spans).into_iter().map(move |span| Turn::new(speaker, span)))
        .collect();
    all.sort_by(|a, b| (a.span.start, a.span.end, &a.speaker).cmp(&(b.span.start, b.span.end, &b.speaker)));
    all
}

/// Spans in order of time, where those that overlap or touch are one.
pub fn union(mut spans: Vec<Span>) -> Vec<Span> {
    spans.sort_by_key(|span| span.start);
    let mut all: Vec<Span> = Vec::new();
    for span in spans {
        match all.last_mut() {
            Some(last) if span.start <= last.end => last.end = last.end.max(span.end),
            _ => all.push(span),
        }
    }
    all
}

/// Where at least two speakers speak at once.
pub fn overlaps(turns: &[Turn]) -> Vec<Span> {
    let turns = joined(turns);
    let mut found = Vec::new();
    let mut latest: Option<Span> = None;
    for turn in &turns {
        if let Some(latest) = latest.filter(|latest| latest.end > turn.span.start) {
            found.push(Span::new(turn.span.start, turn.span.end.min(latest.end)));
        }
        latest = latest.filter(|latest| latest.end >= turn.span.end).or(Some(turn.span));
    }
    union(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::SampleIndex;

    fn span(start: u64, end: u64) -> Span {
        Span::new(SampleIndex(start), SampleIndex(end))
    }

    #[test]
    fn turns_of_one_speaker_that_touch_are_one() {
        let turns = [("b", 5, 9), ("a", 0, 4), ("a", 4, 6), ("a", 3, 5), ("b", 9, 9), ("a", 8, 10)];
        let turns = turns.map(|(speaker, start, end)| Turn::new(speaker, span(start, end)));
        let expected = [("a", 0, 6), ("b", 5, 9), ("a", 8, 10)];
        assert_eq!(
            joined(&turns),
            expected.map(|(speaker, start, end)| Turn::new(speaker, span(start, end)))
        );
        assert_eq!(overlaps(&turns), [span(5, 6), span(8, 9)]);
        assert_eq!(overlaps(&[]), []);
    }

    #[test]
    fn a_turn_within_another_overlaps_as_long_as_it_lasts() {
        let turns = [("a", 0, 20), ("b", 2, 4), ("c", 3, 6), ("b", 18, 25)];
        let turns = turns.map(|(speaker, start, end)| Turn::new(speaker, span(start, end)));
        assert_eq!(overlaps(&turns), [span(2, 6), span(18, 20)]);
    }
}
