//! Subtitles' cues and lines, cut where a reader would: at the ends of sentences and clauses, at pauses, and
//! into lines of like length.

use std::ops::Range;

use unicode_width::UnicodeWidthStr;

use super::text::one_line;
use crate::asr::Segment;
use crate::asr::languages::has_spaces;
use crate::time::{SampleRate, Span};

/// A pause this long ends a cue.
const PAUSE: u64 = 2 * SampleRate::PIPELINE.0 as u64;

/// How large a cue may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layout {
    /// Columns of a line; a letter of Chinese or Japanese takes two. A longer word stands alone.
    pub line_width: usize,
    /// Lines of a cue.
    pub lines: usize,
}

impl Default for Layout {
    /// Two lines of 42 columns, as broadcasters have it.
    fn default() -> Self {
        Self { line_width: 42, lines: 2 }
    }
}

/// A piece of text shown for a while.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Cue {
    pub(super) span: Span,
    pub(super) lines: Vec<String>,
}

/// The cues of `segment`.
///
/// Without the times of words it is one cue, of as many lines as it takes: when to show a part is not known.
pub(super) fn cues(segment: &Segment, layout: &Layout) -> Vec<Cue> {
    let timed = timed_atoms(segment);
    if timed.is_empty() {
        let words: Vec<Atom> =
            segment.text.split_whitespace().map(|word| Atom::new(word, true, segment.span)).collect();
        return cue(&words, layout).into_iter().collect();
    }
    let runs = timed.chunk_by(|word, next| next.span.start - word.span.end < PAUSE);
    runs.flat_map(|run| {
        cut(run.len(), |range| cue_cost(run, range, layout)).into_iter().map(|range| &run[range])
    })
    .filter_map(|atoms| cue(atoms, layout))
    .collect()
}

/// Text that no line is broken in: a word with what is glued to it.
struct Atom {
    text: String,
    width: usize,
    /// Whether a space stands before it, unless a line begins with it.
    spaced: bool,
    span: Span,
}

impl Atom {
    fn new(text: &str, spaced: bool, span: Span) -> Self {
        let text = one_line(text);
        Self { width: text.width(), text, spaced, span }
    }

    fn glue(&mut self, text: &str, span: Span) {
        self.text.push_str(&one_line(text));
        self.width = self.text.width();
        self.span.end = self.span.end.max(span.end);
    }
}

/// The words of `segment`. Pieces without a space before them ("-known") are glued to the word before, except
/// in languages that are written without spaces.
fn timed_atoms(segment: &Segment) -> Vec<Atom> {
    let unspaced = !has_spaces(&segment.language);
    let mut atoms: Vec<Atom> = Vec::new();
    for word in segment.words.iter().filter(|word| !word.text.trim().is_empty()) {
        let spaced = word.text.starts_with(char::is_whitespace);
        let breakable = spaced || unspaced && starts_a_letter(&word.text);
        match atoms.last_mut() {
            Some(last) if !breakable => last.glue(&word.text, word.span),
            _ => atoms.push(Atom::new(&word.text, spaced, word.span)),
        }
    }
    atoms
}

/// Whether `text` does not begin with a mark that belongs to the letter before it.
fn starts_a_letter(text: &str) -> bool {
    text.chars().next().is_some_and(|first| first.to_string().width() > 0)
}

/// The cue of `atoms`, `None` where there are none.
fn cue(atoms: &[Atom], layout: &Layout) -> Option<Cue> {
    let start = atoms.first()?.span.start;
    let end = atoms.iter().map(|atom| atom.span.end).max().unwrap_or(start);
    let lines = cut(atoms.len(), |range| line_cost(atoms, range, layout.line_width));
    let lines = lines.into_iter().map(|range| line(&atoms[range])).collect();
    Some(Cue { span: Span::new(start, end), lines })
}

fn line(atoms: &[Atom]) -> String {
    let mut text = String::new();
    for atom in atoms {
        if atom.spaced && !text.is_empty() {
            text.push(' ');
        }
        text.push_str(&atom.text);
    }
    text
}

fn width(atoms: &[Atom]) -> usize {
    let spaces = atoms.iter().skip(1).filter(|atom| atom.spaced).count();
    atoms.iter().map(|atom| atom.width).sum::<usize>() + spaces
}

/// Cost of a line, `None` where it is too wide. Fewest lines first; then like lengths, weighed against breaks
/// inside a clause.
fn line_cost(atoms: &[Atom], range: Range<usize>, line_width: usize) -> Option<usize> {
    let taken = width(&atoms[range.clone()]);
    if taken > line_width && range.len() > 1 {
        return None;
    }
    let slack = line_width.saturating_sub(taken);
    let unit = line_width * line_width;
    Some(8 * unit + slack * slack + break_cost(atoms, range.end, unit / 4))
}

/// Cost of a cue, `None` where it takes more lines than there may be. Few cues, like sizes, and above all ends
/// where a sentence ends.
fn cue_cost(atoms: &[Atom], range: Range<usize>, layout: &Layout) -> Option<usize> {
    let inside = &atoms[range.clone()];
    if inside.len() > 1 && lines_needed(inside, layout.line_width) > layout.lines {
        return None;
    }
    let slack = (layout.line_width * layout.lines).saturating_sub(width(inside)) / layout.lines;
    let unit = layout.line_width * layout.line_width;
    Some(unit + slack * slack + break_cost(atoms, range.end, unit * 3 / 4))
}

fn lines_needed(atoms: &[Atom], line_width: usize) -> usize {
    let (mut lines, mut start) = (1, 0);
    for at in 1..atoms.len() {
        if width(&atoms[start..=at]) > line_width {
            lines += 1;
            start = at;
        }
    }
    lines
}

/// Cost of breaking before atom `at`: none at the end of a sentence, a third of `worst` after a comma.
fn break_cost(atoms: &[Atom], at: usize, worst: usize) -> usize {
    if at == atoms.len() {
        return 0;
    }
    let before = atoms[at - 1].text.trim_end_matches(['"', '\'', '”', '’', '»', ')', ']', '」', '』']);
    match before.chars().next_back() {
        Some('.' | '?' | '!' | '…' | '؟' | '۔' | '।' | '॥' | '。' | '？' | '！') => 0,
        Some(',' | ';' | ':' | '،' | '؛' | '—' | '–' | '、' | '，' | '；' | '：') => worst / 3,
        _ => worst,
    }
}

/// Cuts `0..count` into ranges of least total cost. `cost` is `None` for a range that is too long, and is never
/// `None` for a range of one.
fn cut(count: usize, cost: impl Fn(Range<usize>) -> Option<usize>) -> Vec<Range<usize>> {
    // The least cost of all before each border, and where its last range starts.
    let mut best = vec![(usize::MAX, 0); count + 1];
    best[0] = (0, 0);
    for start in 0..count {
        for end in start + 1..=count {
            let Some(cost) = cost(start..end) else { break };
            let total = best[start].0 + cost;
            if total < best[end].0 {
                best[end] = (total, start);
            }
        }
    }
    let mut ranges = Vec::new();
    let mut end = count;
    while end > 0 {
        let start = best[end].1;
        ranges.push(start..end);
        end = start;
    }
    ranges.reverse();
    ranges
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::asr::Word;
    use crate::time::SampleIndex;
    use proptest::prelude::*;

    /// A segment of `words`, each of 0.4 s.
    fn spoken(words: &[&str], language: &str) -> Segment {
        let word = |(index, text): (usize, &&str)| Word {
            text: text.to_string(),
            span: Span::new(SampleIndex(index as u64 * 6400), SampleIndex(index as u64 * 6400 + 6400)),
            probability: 0.9,
        };
        let words: Vec<Word> = words.iter().enumerate().map(word).collect();
        let end = words.last().map_or(SampleIndex(0), |word| word.span.end);
        let text = words.iter().map(|word| word.text.as_str()).collect::<String>().trim().to_owned();
        Segment {
            span: Span::new(SampleIndex(0), end),
            text,
            spaced: has_spaces(language),
            language: language.into(),
            tokens: vec![],
            words,
            chars: vec![],
            temperature: 0.0,
            average_logprob: -0.1,
            compression_ratio: 1.0,
            no_speech_probability: 0.0,
        }
    }

    fn sentence(text: &str) -> Segment {
        let words: Vec<String> = text.split(' ').map(|word| format!(" {word}")).collect();
        spoken(&words.iter().map(String::as_str).collect::<Vec<_>>(), "en")
    }

    fn lines(segment: &Segment, layout: &Layout) -> Vec<Vec<String>> {
        cues(segment, layout).into_iter().map(|cue| cue.lines).collect()
    }

    #[test]
    fn what_fits_is_one_cue_with_even_lines() {
        let segment = sentence("We choose to go to the moon in this decade and do the other things");
        assert_eq!(
            lines(&segment, &Layout::default()),
            [["We choose to go to the moon in", "this decade and do the other things"]]
        );
    }

    #[test]
    fn cues_end_where_sentences_end() {
        let segment = sentence(
            "It was late. Nobody had seen the two of them leave the house, and nobody was going to ask about it today.",
        );
        let cues = cues(&segment, &Layout::default());
        assert_eq!(cues.len(), 2);
        assert!(cues[0].lines.last().unwrap().ends_with(['.', ',']), "{cues:?}");
        assert_eq!(cues[0].span.end, cues[1].span.start);
    }

    #[test]
    fn a_pause_ends_a_cue() {
        let mut segment = sentence("one two three");
        segment.words[2].span = Span::new(SampleIndex(100_000), SampleIndex(110_000));
        let cues = cues(&segment, &Layout::default());
        assert_eq!(cues.iter().map(|cue| cue.lines.join("/")).collect::<Vec<_>>(), ["one two", "three"]);
        assert_eq!(cues[1].span.start, SampleIndex(100_000));
    }

    #[test]
    fn pieces_of_a_word_stay_together() {
        let segment = spoken(&[" a", " well", "-known", " fact"], "en");
        assert_eq!(lines(&segment, &Layout { line_width: 6, lines: 4 }), [["a", "well-known", "fact"]]);
    }

    #[test]
    fn languages_without_spaces_break_between_words() {
        let segment = spoken(&["今日", "は", "とても", "いい", "天気", "です。"], "ja");
        let layout = Layout { line_width: 16, lines: 2 };
        assert_eq!(lines(&segment, &layout), [["今日はとても", "いい天気です。"]]);
    }

    #[test]
    fn marks_above_and_below_letters_take_no_column() {
        // Five columns in Devanagari; as code points they are nine.
        let segment = spoken(&[" हिन्दी", " में"], "hi");
        let whole = cues(&segment, &Layout { line_width: "हिन्दी में".width(), lines: 1 });
        assert_eq!(whole[0].lines, ["हिन्दी में"]);
        assert!("हिन्दी में".width() < "हिन्दी में".chars().count());
    }

    #[test]
    fn without_word_times_a_segment_is_one_cue() {
        let mut segment = sentence(&["word"; 60].join(" "));
        segment.words.clear();
        let cues = cues(&segment, &Layout::default());
        assert_eq!((cues.len(), cues[0].span), (1, segment.span));
        assert!(cues[0].lines.len() > 2 && cues[0].lines.iter().all(|line| line.width() <= 42));
    }

    proptest! {
        #[test]
        fn no_word_is_lost_and_no_cue_too_large(
            words in proptest::collection::vec("[a-zक-ह]{1,9}[.,]?", 1..80),
            line_width in 10usize..50,
            lines in 1usize..4,
        ) {
            let segment = sentence(&words.join(" "));
            let cues = cues(&segment, &Layout { line_width, lines });
            let shown: Vec<&str> = cues.iter().flat_map(|cue| &cue.lines).flat_map(|line| line.split(' ')).collect();
            prop_assert_eq!(shown, words.iter().map(String::as_str).collect::<Vec<_>>());
            for cue in &cues {
                prop_assert!(cue.lines.len() <= lines);
                prop_assert!(cue.lines.iter().all(|line| line.width() <= line_width));
            }
            prop_assert!(cues.windows(2).all(|pair| pair[0].span.end <= pair[1].span.start));
        }
    }
}
