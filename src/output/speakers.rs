//! Who says what: the words of a transcript by the turns of a recording.
//!
//! A word is the speaker's whose turns share most of its time. Where two speak at once, it stays with whoever said the word
//! before; where nobody does, with whoever spoke or will speak nearest.

use crate::asr::{Segment, Transcript, Word};
use crate::speaker::diarize::Turn;
use crate::time::{SampleIndex, Span};

/// Turns that share at least this part of what the longest one shares with a word may be those it is said in.
const NEARLY: f64 = 0.5;

/// `transcript` cut so that each segment is one speaker's, by the times of words, with a turn for each; a segment without
/// times of words stays whole, and is whose turns share most of it.
pub fn split_by_speaker(transcript: &Transcript, turns: &[Turn]) -> (Transcript, Vec<Turn>) {
    let split = |segment: &Segment| match segment.words.is_empty() {
        true => vec![(segment.clone(), speaker_of(segment.span, turns).map(str::to_owned))],
        false => split_segment(segment, turns),
    };
    let split: Vec<(Segment, Option<String>)> = transcript.segments.iter().flat_map(split).collect();
    let said = split.iter().filter_map(|(segment, speaker)| Some(Turn::new(speaker.clone()?, segment.span)));
    let said = said.collect();
    let segments = split.into_iter().map(|(segment, _)| segment).collect();
    let (task, language) = (transcript.task, transcript.language.clone());
    (Transcript { task, language, duration: transcript.duration, segments }, said)
}

/// The speaker of a stretch: whose turns share most of it, or are nearest; none where there are no turns.
pub fn speaker_of(span: Span, turns: &[Turn]) -> Option<&str> {
    said_in(span, turns, None)
}

fn split_segment(segment: &Segment, turns: &[Turn]) -> Vec<(Segment, Option<String>)> {
    let mut before = None;
    let mut said: Vec<(Option<&str>, &Word)> = Vec::new();
    for word in &segment.words {
        // What is glued to a word (", -known") is said by who says it.
        let is_glued = !said.is_empty() && !word.text.starts_with(char::is_whitespace) && segment.spaced;
        if !is_glued {
            before = said_in(word.span, turns, before).or(before);
        }
        said.push((before, word));
    }
    let runs: Vec<&[(Option<&str>, &Word)]> = said.chunk_by(|a, b| a.0 == b.0).collect();
    if let [run] = runs[..] {
        return vec![(segment.clone(), run[0].0.map(str::to_owned))];
    }
    let last = runs.len() - 1;
    let part = |(at, run): (usize, &&[(Option<&str>, &Word)])| {
        let words: Vec<Word> = run.iter().map(|(_, word)| (*word).clone()).collect();
        let start = if at == 0 { segment.span.start } else { words[0].span.start };
        let end = if at == last { segment.span.end } else { words[words.len() - 1].span.end };
        let text = words.iter().map(|word| word.text.as_str()).collect::<String>().trim().to_owned();
        // Which token is of which word is not known by now; the first part keeps them.
        let tokens = if at == 0 { segment.tokens.clone() } else { Vec::new() };
        let is_within = |char: &&Word| (start..end).contains(&char.span.start);
        let chars = segment.chars.iter().filter(is_within).cloned().collect();
        let part = Segment { span: Span::new(start, end), text, words, chars, tokens, ..segment.clone() };
        (part, run[0].0.map(str::to_owned))
    };
    runs.iter().enumerate().map(part).collect()
}

fn said_in<'a>(span: Span, turns: &'a [Turn], before: Option<&str>) -> Option<&'a str> {
    let mut shared: Vec<(&str, u64)> = Vec::new();
    for turn in turns.iter().filter(|turn| turn.span.start < span.end && turn.span.end > span.start) {
        let both = turn.span.end.min(span.end) - turn.span.start.max(span.start);
        match shared.iter_mut().find(|(speaker, _)| *speaker == turn.speaker) {
            Some((_, sum)) => *sum += both,
            None => shared.push((&turn.speaker, both)),
        }
    }
    let most = shared.iter().map(|(_, sum)| *sum).max();
    let Some(most) = most else { return nearest(span, turns) };
    let nearly = |sum: u64| sum as f64 >= NEARLY * most as f64;
    let same = shared.iter().find(|(speaker, sum)| Some(*speaker) == before && nearly(*sum));
    same.or_else(|| shared.iter().find(|(_, sum)| *sum == most)).map(|(speaker, _)| *speaker)
}

fn nearest(span: Span, turns: &[Turn]) -> Option<&str> {
    let away = |turn: &Turn| -> u64 {
        let gap = |later: SampleIndex, earlier: SampleIndex| later - earlier;
        gap(span.start, turn.span.end).max(gap(turn.span.start, span.end))
    };
    turns.iter().min_by_key(|turn| away(turn)).map(|turn| turn.speaker.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn span(start: u64, end: u64) -> Span {
        Span::new(SampleIndex(start), SampleIndex(end))
    }

    /// A word a hundred samples.
    fn spoken(words: &[&str]) -> Segment {
        let word = |(at, text): (u64, &&str)| Word {
            text: text.to_string(),
            span: span(100 * at, 100 * at + 100),
            probability: 0.5,
        };
        let words: Vec<Word> = (0..).zip(words).map(word).collect();
        let text = words.iter().map(|word| word.text.as_str()).collect::<String>().trim().to_owned();
        Segment {
            span: span(0, 100 * words.len() as u64),
            text,
            spaced: true,
            language: "en".into(),
            tokens: vec![7],
            words,
            chars: Vec::new(),
            temperature: 0.0,
            average_logprob: -0.5,
            compression_ratio: 1.0,
            no_speech_probability: 0.0,
        }
    }

    fn texts(segment: &Segment, turns: &[Turn]) -> Vec<(String, Option<String>)> {
        let transcript = Transcript { segments: vec![segment.clone()], ..Transcript::default() };
        let (split, said) = split_by_speaker(&transcript, turns);
        let told =
            |segment: &Segment| (segment.text.clone(), speaker_of(segment.span, &said).map(str::to_owned));
        split.segments.iter().map(told).collect()
    }

    #[test]
    fn segments_are_cut_where_the_speaker_changes() {
        let segment = spoken(&[" one", " two", ",", " three", " four"]);
        let turns = [Turn::new("1", span(0, 190)), Turn::new("ann", span(210, 600))];
        let expected = [
            ("one two,".to_owned(), Some("1".to_owned())),
            ("three four".to_owned(), Some("ann".to_owned())),
        ];
        assert_eq!(texts(&segment, &turns), expected);
        assert_eq!(texts(&segment, &turns[..1]), [("one two, three four".to_owned(), Some("1".to_owned()))]);
        assert_eq!(texts(&segment, &[]), [("one two, three four".to_owned(), None)]);
    }

    #[test]
    fn a_word_said_at_once_stays_with_who_spoke_before() {
        let segment = spoken(&[" one", " two", " three", " four"]);
        // Both speak while the second word is said, and nobody while the last is.
        let turns = [Turn::new("b", span(90, 300)), Turn::new("a", span(0, 195))];
        let expected =
            [("one two".to_owned(), Some("a".to_owned())), ("three four".to_owned(), Some("b".to_owned()))];
        assert_eq!(texts(&segment, &turns), expected);
    }

    proptest! {
        #[test]
        fn no_word_is_lost_and_times_stay_in_order(
            count in 1usize..20,
            turns in prop::collection::vec((0u8..3, 0u64..2000, 1u64..500), 0..8),
        ) {
            let segment = spoken(&vec![" word"; count]);
            let turns: Vec<Turn> = turns
                .into_iter()
                .map(|(speaker, start, length)| Turn::new(speaker.to_string(), span(start, start + length)))
                .collect();
            let transcript = Transcript { segments: vec![segment.clone()], ..Transcript::default() };
            let (split, _) = split_by_speaker(&transcript, &turns);
            let words: Vec<Word> = split.segments.iter().flat_map(|segment| segment.words.clone()).collect();
            prop_assert_eq!(words, segment.words);
            prop_assert!(split.segments.windows(2).all(|pair| pair[0].span.end <= pair[1].span.start));
            prop_assert_eq!(split.text(), segment.text);
        }
    }
}
