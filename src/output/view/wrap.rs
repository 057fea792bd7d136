//! Text in lines of so many columns, in any script.

use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

/// Whether a hypothesis's piece may still change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Firmness {
    /// It will not.
    Stable,
    /// It may.
    Unstable,
}

/// A piece of a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// What is written.
    pub text: String,
    /// How firm it is.
    pub firmness: Firmness,
}

/// Breaks text into lines of at most `columns`: between words, or within a word that is longer than a line, never
/// within what is seen as one character. White space is one space, and none at a line's ends.
pub fn wrap<'a>(parts: impl IntoIterator<Item = (&'a str, Firmness)>, columns: usize) -> Vec<Vec<Piece>> {
    let mut lines = Lines { done: Vec::new(), line: Vec::new(), used: 0, columns: columns.max(1) };
    let mut word = Vec::new();
    for (text, firmness) in parts {
        for symbol in text.graphemes(true) {
            if symbol.chars().all(char::is_whitespace) {
                lines.add_word(&mut word);
            } else {
                word.push((symbol, firmness));
            }
        }
    }
    lines.add_word(&mut word);
    lines.finish()
}

struct Lines {
    done: Vec<Vec<Piece>>,
    line: Vec<Piece>,
    used: usize,
    columns: usize,
}

impl Lines {
    fn add_word(&mut self, word: &mut Vec<(&str, Firmness)>) {
        let Some(&(_, first)) = word.first() else { return };
        let width: usize = word.iter().map(|(symbol, _)| symbol.width()).sum();
        if self.used > 0 {
            if self.used + 1 + width <= self.columns {
                self.add(" ", first);
            } else {
                self.end_line();
            }
        }
        for (symbol, firmness) in word.drain(..) {
            if self.used > 0 && self.used + symbol.width() > self.columns {
                self.end_line();
            }
            self.add(symbol, firmness);
        }
    }

    fn add(&mut self, symbol: &str, firmness: Firmness) {
        self.used += symbol.width();
        match self.line.last_mut().filter(|piece| piece.firmness == firmness) {
            Some(piece) => piece.text.push_str(symbol),
            None => self.line.push(Piece { text: symbol.into(), firmness }),
        }
    }

    fn end_line(&mut self) {
        self.done.push(std::mem::take(&mut self.line));
        self.used = 0;
    }

    fn finish(mut self) -> Vec<Vec<Piece>> {
        if !self.line.is_empty() {
            self.end_line();
        }
        self.done
    }
}

/// The text up to `columns`, with an ellipsis where it is longer.
pub fn shorten(text: &str, columns: usize) -> String {
    if text.width() <= columns {
        return text.into();
    }
    let mut short = String::new();
    let mut used = 0;
    for symbol in text.graphemes(true) {
        // One column is the ellipsis's.
        if used + symbol.width() >= columns {
            break;
        }
        used += symbol.width();
        short.push_str(symbol);
    }
    short.push('…');
    short
}

/// The text without what moves a terminal's cursor or turns its direction of writing: such characters would break the
/// picture, and have no place in a transcript.
pub fn clean(text: &str) -> String {
    let turns = |c| matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    text.chars().filter(|&c| !turns(c)).map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn lines(text: &str, columns: usize) -> Vec<String> {
        let joined = |line: Vec<Piece>| line.into_iter().map(|piece| piece.text).collect();
        wrap([(text, Firmness::Stable)], columns).into_iter().map(joined).collect()
    }

    #[test]
    fn lines_break_between_words_and_long_words_within() {
        assert_eq!(lines("  it was  the best of times ", 9), ["it was", "the best", "of times"]);
        assert_eq!(lines("abcdefgh ij", 3), ["abc", "def", "gh", "ij"]);
        assert_eq!(lines("", 5), [""; 0]);
        assert_eq!(lines("漢字漢字", 5), ["漢字", "漢字"]);
    }

    #[test]
    fn firmness_may_change_within_a_word() {
        let piece = |text: &str, firmness| Piece { text: text.into(), firmness };
        let wrapped = wrap([("it wa", Firmness::Stable), ("s so", Firmness::Unstable)], 6);
        let stable = |text| piece(text, Firmness::Stable);
        let unstable = |text| piece(text, Firmness::Unstable);
        assert_eq!(wrapped, [vec![stable("it wa"), unstable("s")], vec![unstable("so")]]);
    }

    #[test]
    fn long_text_is_shortened_with_an_ellipsis() {
        assert_eq!(shorten("abcdef", 6), "abcdef");
        assert_eq!(shorten("abcdefg", 6), "abcde…");
        assert_eq!(shorten("漢字漢字", 4), "漢…");
    }

    #[test]
    fn what_moves_the_cursor_is_removed() {
        assert_eq!(clean("a\u{1b}[2Jb\nc\u{202e}d"), "a [2Jb cd");
    }

    proptest! {
        #[test]
        fn nothing_is_lost_and_no_line_is_too_long(
            text in "[ a-zé漢்கொषीक्षاردو\u{0654}👩‍👧]{0,60}",
            columns in 2_usize..30,
        ) {
            let lines = lines(&text, columns);
            for line in &lines {
                // A symbol may be wider than the line by itself.
                let symbols = line.graphemes(true).count();
                prop_assert!(line.width() <= columns || symbols == 1, "{line:?} is wider than {columns}");
            }
            let bare = |text: &str| text.chars().filter(|c| !c.is_whitespace()).collect::<String>();
            prop_assert_eq!(bare(&lines.concat()), bare(&text));
        }
    }
}
