//! Text as scores compare it.
//!
//! The rules follow Whisper's `BasicTextNormalizer` and `EnglishTextNormalizer` (`whisper/normalizers`), with these
//! differences: combining marks stay, because without its vowel signs an Indic word is another word; scripts written
//! without spaces are split into characters; numbers are not spelled out and British spelling stays.

use unicode_general_category::{GeneralCategory, get_general_category};
use unicode_normalization::UnicodeNormalization;

/// How much of the spelling is no error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Normalisation {
    /// Any language: case, punctuation, symbols and what stands in brackets.
    #[default]
    Basic,
    /// And for English: contractions, titles, fillers ("uh"), accents, commas in numbers.
    English,
}

/// `text` in lower case and compatibility form (NFKC), as words with one space between them and nothing else.
///
/// Characters of scripts without spaces between words (Han, Kana, Thai, Lao, Burmese, Khmer) are words of their own, so
/// that their word error rate is the character error rate.
pub fn normalise(text: &str, normalisation: Normalisation) -> String {
    let text: String = text.nfkc().map(|c| if c == '\u{2019}' { '\'' } else { c }).collect();
    let text = without_brackets(&text.to_lowercase());
    match normalisation {
        Normalisation::Basic => words_only(&text),
        Normalisation::English => words_only(&expand(&without_number_commas(&without_accents(&text)))),
    }
}

/// Keeps letters, digits and marks; everything else separates words.
fn words_only(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut separate = false;
    for c in text.chars() {
        match class(c) {
            Class::Ignored => {}
            Class::Mark => out.push(c),
            Class::Separator => separate = true,
            class => {
                let alone = class == Class::Ideograph;
                if (separate || alone) && !out.is_empty() {
                    out.push(' ');
                }
                out.push(c);
                separate = alone;
            }
        }
    }
    out
}

/// What a character is to the words of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    /// A letter or a digit.
    Letter,
    /// A letter of a script without spaces between words.
    Ideograph,
    /// Belongs to the letter before it.
    Mark,
    /// Says only how letters are joined.
    Ignored,
    /// Stands between words.
    Separator,
}

/// The class of `c`, by its general category.
pub(crate) fn class(c: char) -> Class {
    use GeneralCategory as G;
    match get_general_category(c) {
        G::NonspacingMark | G::SpacingMark | G::EnclosingMark => Class::Mark,
        G::Format => Class::Ignored,
        G::UppercaseLetter
        | G::LowercaseLetter
        | G::TitlecaseLetter
        | G::ModifierLetter
        | G::OtherLetter
        | G::DecimalNumber
        | G::LetterNumber
        | G::OtherNumber => match c {
            '\u{0E00}'..='\u{0EFF}'
            | '\u{1000}'..='\u{109F}'
            | '\u{1780}'..='\u{17FF}'
            | '\u{3040}'..='\u{30FF}'
            | '\u{3400}'..='\u{4DBF}'
            | '\u{4E00}'..='\u{9FFF}'
            | '\u{F900}'..='\u{FAFF}'
            | '\u{20000}'..='\u{3FFFF}' => Class::Ideograph,
            _ => Class::Letter,
        },
        _ => Class::Separator,
    }
}

/// Without `[noise]`, `<unk>` and `(laughs)`; an open bracket without its end stays.
fn without_brackets(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(open) = rest.find(['[', '<', '(']) {
        let (before, inside) = rest.split_at(open);
        out.push_str(before);
        let closing: &[char] = if inside.starts_with('(') { &[')'] } else { &[']', '>'] };
        match inside.find(closing) {
            Some(close) => rest = &inside[close + 1..],
            None => {
                out.push(' ');
                rest = &inside[1..];
            }
        }
    }
    out + rest
}

fn without_accents(text: &str) -> String {
    text.nfkd().filter(|&c| get_general_category(c) != GeneralCategory::NonspacingMark).collect()
}

/// "1,000" as "1000".
fn without_number_commas(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let is_digit = |at: Option<usize>| at.and_then(|at| chars.get(at)).is_some_and(char::is_ascii_digit);
    let keep =
        |&(at, &c): &(usize, &char)| c != ',' || !is_digit(at.checked_sub(1)) || !is_digit(Some(at + 1));
    chars.iter().enumerate().filter(keep).map(|(_, c)| c).collect()
}

const FILLERS: [&str; 6] = ["hmm", "mm", "mhm", "mmm", "uh", "um"];

const WORDS: [(&str, &str); 35] = [
    ("won't", "will not"),
    ("can't", "can not"),
    ("let's", "let us"),
    ("ain't", "aint"),
    ("y'all", "you all"),
    ("wanna", "want to"),
    ("gotta", "got to"),
    ("gonna", "going to"),
    ("i'ma", "i am going to"),
    ("imma", "i am going to"),
    ("woulda", "would have"),
    ("coulda", "could have"),
    ("shoulda", "should have"),
    ("ma'am", "madam"),
    ("mr", "mister"),
    ("mrs", "missus"),
    ("st", "saint"),
    ("dr", "doctor"),
    ("prof", "professor"),
    ("capt", "captain"),
    ("gov", "governor"),
    ("ald", "alderman"),
    ("gen", "general"),
    ("sen", "senator"),
    ("rep", "representative"),
    ("pres", "president"),
    ("rev", "reverend"),
    ("hon", "honorable"),
    ("asst", "assistant"),
    ("assoc", "associate"),
    ("lt", "lieutenant"),
    ("col", "colonel"),
    ("jr", "junior"),
    ("sr", "senior"),
    ("esq", "esquire"),
];

/// Endings and what they stand for; then, if any, before which words they stand for something else, and for what.
const ENDINGS: [(&str, &str, &[&str], &str); 8] = [
    ("n't", "not", &[], ""),
    ("'re", "are", &[], ""),
    ("'s", "is", &["been", "gone", "got"], "has"),
    ("'d", "would", &["been", "gone", "done"], "had"),
    ("'ll", "will", &[], ""),
    ("'t", "not", &[], ""),
    ("'ve", "have", &[], ""),
    ("'m", "am", &[], ""),
];

/// English words without fillers, with contractions and titles written out.
fn expand(text: &str) -> String {
    let words: Vec<&str> =
        text.split_whitespace().map(|word| word.trim_matches(|c: char| !c.is_alphanumeric())).collect();
    let mut out = Vec::with_capacity(words.len());
    for (at, &word) in words.iter().enumerate() {
        if FILLERS.contains(&word) {
            continue;
        }
        if let Some((_, long)) = WORDS.iter().find(|(short, _)| *short == word) {
            out.push(*long);
            continue;
        }
        let ending = ENDINGS.iter().find_map(|ending| Some((word.strip_suffix(ending.0)?, ending)));
        let Some((stem, &(_, usual, before, otherwise))) = ending else {
            out.push(word);
            continue;
        };
        let next = words.get(at + 1);
        out.extend([stem, if next.is_some_and(|next| before.contains(next)) { otherwise } else { usual }]);
    }
    out.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn basic_rules() {
        for (text, expected) in [
            ("", ""),
            ("  Hello,   WORLD! ", "hello world"),
            ("[noise] yes <unk> (laughs) no", "yes no"),
            ("half [open", "half open"),
            ("L\u{2019}eau — c'est 3.5 €", "l eau c est 3 5"),
            ("ﬁne Ⅷ", "fine viii"),
            ("ÉCOLE Straße", "école straße"),
            ("मैंने किताब पढ़ी।", "मैंने किताब पढ़ी"),
            ("क\u{094d}\u{200d}ष", "क्ष"),
            ("آپ کیسے ہیں؟", "آپ کیسے ہیں"),
            ("我爱你。OK吗", "我 爱 你 ok 吗"),
            ("ありがとう", "あ り が と う"),
            ("ก็ดี", "ก็ ดี"),
            ("안녕 하세요!", "안녕 하세요"),
        ] {
            let expected: String = expected.nfkc().collect();
            assert_eq!(normalise(text, Normalisation::Basic), expected, "{text:?}");
        }
    }

    #[test]
    fn english_rules() {
        for (text, expected) in [
            ("I can't, and won't; don't!", "i can not and will not do not"),
            (
                "Let's go, we're late. It\u{2019}s been fun; it's ours",
                "let us go we are late it has been fun it is ours",
            ),
            ("He'd been there. He'd go.", "he had been there he would go"),
            ("Uh, Mr. Brown... um, Dr. Who?", "mister brown doctor who"),
            ("I'm gonna say they've \"gotta\" leave", "i am going to say they have got to leave"),
            ("naïve café", "naive cafe"),
            ("1,000,000 people, 2, 3", "1000000 people 2 3"),
            ("rock 'n' roll, o'clock", "rock n roll o clock"),
        ] {
            assert_eq!(normalise(text, Normalisation::English), expected, "{text:?}");
        }
    }

    #[test]
    fn composed_and_decomposed_text_are_equal() {
        for (composed, decomposed) in [("é", "e\u{301}"), ("क़", "क\u{093c}"), ("ড়", "ড\u{09bc}")]
        {
            assert_eq!(
                normalise(composed, Normalisation::Basic),
                normalise(decomposed, Normalisation::Basic)
            );
        }
    }
}
