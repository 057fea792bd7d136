//! Text as abuse is looked for in it, with the way back to the original.
//!
//! What differs between spellings of one word is taken away: case, compatibility forms (NFKC), characters that cannot be
//! seen, nuktas of Devanagari (they are left out as often as not), harakat and the several shapes of yeh, kaf and heh in
//! Arabic script, three or more of a letter in a row, and digits and signs that stand for letters (sh1t, a$$). Words have
//! one space between them; a pictogram and a character of a script without spaces is a word of its own.
//!
//! Accents stay: "año" is not "ano".

use std::ops::Range;

use unicode_general_category::{GeneralCategory, get_general_category};
use unicode_normalization::UnicodeNormalization;

use super::leet;
use crate::score::{Class, class};

/// As many of a letter in a row stand for one, at least: two are spelled in many words.
const STRETCH: usize = 3;

/// A normalised text, and where each of its characters comes from.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NormalText {
    text: String,
    /// One for each byte of `text`.
    origins: Vec<Origin>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Origin {
    start: usize,
    end: usize,
    stretched: bool,
}

/// A character of the normalised text, with the bytes of the original that it comes from.
#[derive(Debug, Clone, Copy)]
pub(super) struct Letter {
    pub c: char,
    start: usize,
    end: usize,
    /// Whether it stands for three or more.
    stretched: bool,
}

/// The normal form of `text`. Takes time and memory linear in its length.
///
/// ```
/// use awaaz::text::normalise;
///
/// let normal = normalise("What a $H1IIIT\u{200b}!");
/// assert_eq!(normal.as_str(), "what a shit");
/// assert_eq!(normal.original(7..11), 7..14);
/// ```
pub fn normalise(text: &str) -> NormalText {
    let mut letters = letters(text);
    leet::unmask(&mut letters);
    NormalText::of(&squeezed(&letters))
}

impl NormalText {
    /// The text: words in small letters with one space between them.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The words, as byte ranges of [`as_str`](Self::as_str), in order.
    pub fn words(&self) -> impl Iterator<Item = Range<usize>> {
        let mut at = 0;
        self.text.split(' ').filter(|word| !word.is_empty()).map(move |word| {
            let start = at;
            at += word.len() + 1;
            start..start + word.len()
        })
    }

    /// The bytes of the original that `range`, a byte range of [`as_str`](Self::as_str), comes from: whole characters
    /// with all their marks. What is out of range is left out; of nothing, it is nothing.
    pub fn original(&self, range: Range<usize>) -> Range<usize> {
        let end = range.end.min(self.origins.len());
        match self.origins.get(range.start..end) {
            Some([first, .., last]) => first.start..last.end.max(first.start),
            Some([only]) => only.start..only.end,
            _ => 0..0,
        }
    }

    /// Whether the character at a byte of [`as_str`](Self::as_str) stands for three or more.
    pub fn is_stretched(&self, byte: usize) -> bool {
        self.origins.get(byte).is_some_and(|origin| origin.stretched)
    }

    fn of(letters: &[Letter]) -> Self {
        let mut out = Self::default();
        let mut apart = false;
        for (at, letter) in letters.iter().enumerate() {
            let place = place(letter.c);
            match place {
                Place::Nowhere => continue,
                Place::Between if is_apostrophe_within(letters, at) => continue,
                Place::Between => {
                    apart = true;
                    continue;
                }
                Place::Within | Place::Alone => {}
            }
            if (apart || place == Place::Alone) && !out.text.is_empty() {
                out.push_space(letter);
            }
            out.push(letter);
            apart = place == Place::Alone;
        }
        out
    }

    fn push(&mut self, letter: &Letter) {
        let origin = Origin { start: letter.start, end: letter.end, stretched: letter.stretched };
        self.text.push(letter.c);
        self.origins.resize(self.text.len(), origin);
    }

    /// A space before `next`, for what stands there in the original.
    fn push_space(&mut self, next: &Letter) {
        // One character of the original may have become two words.
        let before = self.origins.last().map_or(0, |origin| origin.end).min(next.start);
        self.text.push(' ');
        self.origins.push(Origin { start: before, end: next.start, stretched: false });
    }
}

/// What a character is to words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Part of a word.
    Within,
    /// A word of its own.
    Alone,
    Between,
    /// It cannot be seen.
    Nowhere,
}

fn place(c: char) -> Place {
    match class(c) {
        Class::Letter | Class::Mark => Place::Within,
        Class::Ideograph => Place::Alone,
        Class::Ignored => Place::Nowhere,
        Class::Separator if is_pictogram(c) => Place::Alone,
        Class::Separator => Place::Between,
    }
}

fn is_pictogram(c: char) -> bool {
    !c.is_ascii() && get_general_category(c) == GeneralCategory::OtherSymbol
}

/// Whether the character at `at` is an apostrophe inside a word, which is spelled without it as often.
fn is_apostrophe_within(letters: &[Letter], at: usize) -> bool {
    let is_letter = |at: Option<usize>| {
        at.and_then(|at| letters.get(at)).is_some_and(|letter| place(letter.c) == Place::Within)
    };
    matches!(letters[at].c, '\'' | '\u{2018}' | '\u{2019}')
        && is_letter(at.checked_sub(1))
        && is_letter(Some(at + 1))
}

/// The characters of `text` in NFKC, in small letters and one spelling.
fn letters(text: &str) -> Vec<Letter> {
    let mut out = Vec::with_capacity(text.len());
    let mut cluster = String::new();
    let mut span = 0..0;
    for (at, c) in text.char_indices() {
        if is_unseen(c) {
            continue;
        }
        if !cluster.is_empty() && !joins(c) {
            fold(&cluster, &span, &mut out);
            cluster.clear();
        }
        if cluster.is_empty() {
            span.start = at;
        }
        cluster.push(c);
        span.end = at + c.len_utf8();
    }
    fold(&cluster, &span, &mut out);
    out
}

/// Formatting characters, tatweel, and signs that choose between pictures of one character.
fn is_unseen(c: char) -> bool {
    !c.is_ascii()
        && (matches!(c, '\u{640}' | '\u{34F}' | '\u{FE00}'..='\u{FE0F}' | '\u{E0100}'..='\u{E01EF}')
            || class(c) == Class::Ignored)
}

/// Whether `c` may become one with the character before it.
fn joins(c: char) -> bool {
    !c.is_ascii() && (class(c) == Class::Mark || matches!(c, '\u{1160}'..='\u{11FF}'))
}

/// Appends what the characters of a `cluster`, which stands at `span`, are in the normal form.
fn fold(cluster: &str, span: &Range<usize>, out: &mut Vec<Letter>) {
    let mut push = |c: char| {
        for c in respelled(c).into_iter().flatten() {
            out.push(Letter { c, start: span.start, end: span.end, stretched: false });
        }
    };
    if cluster.is_ascii() {
        cluster.chars().for_each(|c| push(c.to_ascii_lowercase()));
        return;
    }
    for c in cluster.nfkc() {
        // By way of the capital, as sigma has two small letters, and ß is SS.
        c.to_uppercase().flat_map(char::to_lowercase).for_each(&mut push);
    }
}

/// The one spelling of what is spelled in several ways: none, one or two characters.
fn respelled(c: char) -> [Option<char>; 2] {
    match c {
        ..='\u{7F}' => [Some(c), None],
        // The second dot of the small letter of İ.
        '\u{307}' => [None, None],
        // Nuktas, and what is composed with them; the candrabindu is written as an anusvara more often than not.
        '\u{93C}' => [None, None],
        '\u{901}' => [Some('\u{902}'), None],
        'ऩ' => [Some('न'), None],
        'ऱ' => [Some('र'), None],
        'ऴ' => [Some('ळ'), None],
        // Signs over and under Arabic letters.
        '\u{610}'..='\u{61A}' | '\u{64B}'..='\u{65F}' | '\u{670}' | '\u{6D6}'..='\u{6DC}' => [None, None],
        'ي' | 'ى' => [Some('ی'), None],
        'ك' => [Some('ک'), None],
        'ه' | 'ۀ' | 'ۂ' | 'ة' | 'ۃ' | 'ە' => [Some('ہ'), None],
        'أ' | 'إ' | 'ٱ' => [Some('ا'), None],
        'ؤ' => [Some('و'), None],
        // What a joiner makes of a consonant and a virama has letters of its own.
        'ৎ' => [Some('ত'), Some('\u{9CD}')],
        'ൺ' => [Some('ണ'), Some('\u{D4D}')],
        'ൻ' => [Some('ന'), Some('\u{D4D}')],
        'ർ' => [Some('ര'), Some('\u{D4D}')],
        'ൽ' => [Some('ല'), Some('\u{D4D}')],
        'ൾ' => [Some('ള'), Some('\u{D4D}')],
        'ൿ' => [Some('ക'), Some('\u{D4D}')],
        _ => [Some(c), None],
    }
}

/// `letters`, with one for three or more in a row.
fn squeezed(letters: &[Letter]) -> Vec<Letter> {
    let mut out = Vec::with_capacity(letters.len());
    for run in letters.chunk_by(|a, b| a.c == b.c) {
        let (first, last) = (run[0], run[run.len() - 1]);
        if run.len() >= STRETCH && is_stretchable(first.c) {
            out.push(Letter { end: last.end, stretched: true, ..first });
        } else {
            out.extend_from_slice(run);
        }
    }
    out
}

/// Whether more of `c` mean no more than one. Digits are other numbers.
fn is_stretchable(c: char) -> bool {
    c.is_alphabetic() || class(c) == Class::Mark || is_pictogram(c)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    struct Case {
        text: &'static str,
        normal: &'static str,
    }

    const fn case(text: &'static str, normal: &'static str) -> Case {
        Case { text, normal }
    }

    fn check(cases: &[Case]) {
        for Case { text, normal } in cases {
            assert_eq!(normalise(text).as_str(), *normal, "{text:?}");
        }
    }

    #[test]
    fn case_forms_and_punctuation_are_taken_away() {
        check(&[
            case("", ""),
            case("  Hello,\t WORLD! ", "hello world"),
            case("ＷＩＤＥ ﬁt ½", "wide fit 1 2"),
            case("Straße ΟΔΟΣ οδός", "strasse οδοσ οδόσ"),
            case("İZMİR ılık", "izmir ilik"),
            case("don't rock 'n' roll", "dont rock n roll"),
            case("e\u{301}té año", "été año"),
            case("傻瓜ok", "傻 瓜 ok"),
            case("hey😠😠😠😠👍🏽", "hey 😠 👍"),
        ]);
    }

    #[test]
    fn letters_in_a_row_are_one_when_there_are_three() {
        check(&[
            case("soooo goood", "so god"),
            case("good boss", "good boss"),
            case("1000 22222", "1000 22222"),
            case("नहींंंं", "नहीं"),
            case("YESSsss", "yes"),
        ]);
    }

    #[test]
    fn digits_and_signs_are_letters_inside_words_alone() {
        check(&[
            case("sh1t $h1t @ss a$$ a55", "shit shit ass ass ass"),
            case("b!tch wow! !no!", "bitch wow no"),
            case("5hit 1st 4g 100rs 3rd", "shit 1st 4g 100rs 3rd"),
            case("covid19 12:30 $5 5 @ 3", "covid19 12 30 5 5 3"),
            case("n1gg4r5", "niggars"),
            case("कमल5 ७ mp3", "कमल5 ७ mpe"),
        ]);
    }

    #[test]
    fn what_cannot_be_seen_is_no_letter() {
        check(&[
            case("f\u{200b}o\u{200d}o\u{ad}l\u{feff}", "fool"),
            case("क\u{94d}\u{200d}ष ज\u{200c}", "क\u{94d}ष ज"),
            case("അവന\u{d4d}\u{200d} അവൻ", "അവന\u{d4d} അവന\u{d4d}"),
        ]);
    }

    #[test]
    fn devanagari_loses_nuktas_and_urdu_its_many_shapes() {
        check(&[
            case("ज़रूर \u{95b}रूर जरूर", "जरूर जरूर जरूर"),
            case("लड़का हूँ। हूं", "लडका हूं हूं"),
            case("كيا کیا؟", "کیا کیا"),
            case("مُشكِل ـــ مشـــکل", "مشکل مشکل"),
            case("ﮨﮯ ہے هے", "ہے ہے ہے"),
        ]);
    }

    #[test]
    fn places_in_the_original_are_known() {
        let text = "Oh, $H1IIIT\u{200b}! कीड़ा";
        let normal = normalise(text);
        assert_eq!(normal.as_str(), "oh shit कीडा");
        let words: Vec<&str> = normal.words().map(|word| &text[normal.original(word)]).collect();
        assert_eq!(words, ["Oh", "$H1IIIT", "कीड़ा"]);
        assert_eq!(normal.original(5..6), 6..10, "of the i, all of its places");
        assert!(normal.is_stretched(5) && !normal.is_stretched(6));
        assert_eq!((normal.original(3..3), normal.original(90..99)), (0..0, 0..0));
    }

    proptest! {
        #[test]
        fn places_are_of_the_text(text in any::<String>(), from in 0_usize..40, to in 0_usize..40) {
            let normal = normalise(&text);
            for range in normal.words().chain([from..to, 0..normal.as_str().len()]) {
                prop_assert!(text.get(normal.original(range)).is_some());
            }
        }

        #[test]
        fn words_come_from_places_in_order(text in "[a-zA-Z0-5@$!'½ﷺ⑴ \u{900}-\u{97f}\u{600}-\u{6ff}😠\u{200b}]{0,40}") {
            let normal = normalise(&text);
            let places: Vec<_> = normal.words().map(|word| normal.original(word)).collect();
            prop_assert!(places.iter().all(|place| !place.is_empty()), "{places:?}");
            prop_assert!(places.windows(2).all(|pair| pair[0].start <= pair[1].start), "{places:?}");
        }

        #[test]
        fn what_was_normalised_is_the_same_in_capitals(text in "[a-z \u{900}-\u{97f}]{0,40}") {
            let (small, large) = (normalise(&text), normalise(&text.to_uppercase()));
            prop_assert_eq!(small.as_str(), large.as_str());
        }
    }
}
