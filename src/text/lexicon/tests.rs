use proptest::prelude::*;

use super::*;
use crate::Error;

/// Made up for these tests, but for the Hindi and Urdu words for "lazybones" and "dwarf".
const LIST: &str = "\
term,category,severity,language
blorg,insult,2,en
ass-blorg,slur,4,en
zass,insult,,en
कामचोर,insult,1,hi
बौना,slur,2,hi
بونا,slur,2,ur
nikamma,insult,1,hi
🦆,insult,,
";

fn lexicon() -> Lexicon {
    Lexicon::parse(LIST, "made-up.csv").unwrap()
}

#[test]
fn terms_are_found_however_they_are_spelled() {
    struct Case {
        what: &'static str,
        text: &'static str,
        /// What stands in the original, and the term.
        hits: &'static [(&'static str, &'static str)],
    }
    let cases = [
        Case { what: "nothing", text: "", hits: &[] },
        Case { what: "a whole word", text: "you blorg", hits: &[("blorg", "blorg")] },
        Case { what: "no part of a word", text: "blorgs and zasses", hits: &[] },
        Case { what: "leetspeak", text: "Such a BL0RG!", hits: &[("BL0RG", "blorg")] },
        Case { what: "stretched", text: "bloooorgggg", hits: &[("bloooorgggg", "blorg")] },
        Case { what: "a letter twice is another word", text: "bloorg", hits: &[] },
        Case { what: "a double letter stays one", text: "zas", hits: &[] },
        Case { what: "a double letter, stretched", text: "zaaa$$$$", hits: &[("zaaa$$$$", "zass")] },
        Case { what: "hidden", text: "b\u{200b}lo\u{ad}rg", hits: &[("b\u{200b}lo\u{ad}rg", "blorg")] },
        Case { what: "wide letters", text: "ｂｌｏｒｇ", hits: &[("ｂｌｏｒｇ", "blorg")] },
        Case { what: "a phrase with its word", text: "an ass, blorg", hits: &[("ass, blorg", "ass-blorg")] },
        Case { what: "two", text: "blorg blorg", hits: &[("blorg", "blorg"), ("blorg", "blorg")] },
        Case {
            what: "Devanagari", text: "तू कामचोर है।", hits: &[("कामचोर", "कामचोर")]
        },
        Case {
            what: "Hindi in Latin letters", text: "Tu kaamchor hai", hits: &[("kaamchor", "कामचोर")]
        },
        Case {
            what: "with another length", text: "tu kamchorrr hai", hits: &[("kamchorrr", "कामचोर")]
        },
        Case {
            what: "from Latin letters", text: "वह निकम्मा है", hits: &[("निकम्मा", "nikamma")]
        },
        Case { what: "sounds within a script differ", text: "nikaamma", hits: &[] },
        Case { what: "Urdu", text: "وہ بونا ہے", hits: &[("بونا", "بونا")] },
        Case { what: "Urdu with harakat", text: "بَونا", hits: &[("بَونا", "بونا")] },
        Case { what: "a pictogram", text: "ok🦆🦆🦆", hits: &[("🦆🦆🦆", "🦆")] },
    ];
    let lexicon = lexicon();
    for Case { what, text, hits } in cases {
        let found: Vec<(&str, &str)> =
            lexicon.find(text).iter().map(|hit| (&text[hit.span.clone()], hit.entry.term.as_str())).collect();
        assert_eq!(found, hits, "{what}: {text}");
    }
}

#[test]
fn a_hit_says_what_its_list_says() {
    let lexicon = lexicon();
    let hits = lexicon.find("a blorg, kaamchor");
    let [blorg, kaamchor] = &hits[..] else { panic!("{hits:?}") };
    assert_eq!(
        (blorg.entry.category.as_str(), blorg.entry.severity, blorg.spelling),
        ("insult", Some(2), Spelling::Written)
    );
    assert_eq!((kaamchor.entry.language.as_deref(), kaamchor.spelling), (Some("hi"), Spelling::Sounded));
}

#[test]
fn entries_of_the_same_words_are_all_told_of() {
    let list = "blorg,insult\nBlorg,slur\nblorg blorg,slur\n";
    let lexicon = Lexicon::parse(list, "made-up.csv").unwrap();
    let categories =
        |text| lexicon.find(text).iter().map(|hit| hit.entry.category.clone()).collect::<Vec<_>>();
    assert_eq!(categories("blorg"), ["insult", "slur"]);
    assert_eq!(categories("blorg blorg"), ["slur"]);
}

#[test]
fn a_list_of_lines_has_the_language_of_its_name() {
    for (name, language) in [("hi", Some("hi")), ("lists/hindi.txt", Some("hi")), ("mine.txt", None)] {
        let lexicon = Lexicon::parse("# Made up\n\nblorg\n  two words \n", name).unwrap();
        let entries: Vec<_> =
            lexicon.entries().iter().map(|entry| (entry.term.as_str(), entry.language.as_deref())).collect();
        assert_eq!(entries, [("blorg", language), ("two words", language)], "{name}");
    }
}

#[test]
fn what_is_no_list_is_refused_with_its_row() {
    let found = Lexicon::parse("term,category,severity\nblorg,insult,grave\n", "made-up.txt");
    let Err(Error::Corpus { path, reason }) = found else { panic!("{found:?}") };
    assert_eq!(path, Path::new("made-up.txt"));
    assert!(reason.starts_with("row 2") && reason.contains("grave"), "{reason}");

    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("latin-1.txt");
    std::fs::write(&path, b"bl\xf6rg").unwrap();
    assert!(matches!(Lexicon::read(&[&path]), Err(Error::Corpus { .. })));
    assert!(matches!(Lexicon::read(&[home.path().join("none")]), Err(Error::Io { .. })));
}

/// Texts of terms and of what they are hidden by.
fn texts() -> impl Strategy<Value = String> {
    let pieces = prop::sample::select(vec![
        "blorg",
        "BL0RG",
        "ass",
        "-",
        " ",
        "कामचोर",
        "kaamchor",
        "🦆",
        "\u{200b}",
        "\u{93c}",
        "!",
        "بونا",
        "a",
        "ﷺ",
        "½",
    ]);
    prop_oneof![prop::collection::vec(pieces, 0..12).prop_map(|pieces| pieces.concat()), any::<String>()]
}

proptest! {
    #[test]
    fn spans_are_of_the_text(text in texts()) {
        for hit in lexicon().find(&text) {
            prop_assert!(!text[hit.span.clone()].is_empty());
        }
    }

    #[test]
    fn a_term_between_words_is_found(before in "[a-z ]{0,10}", after in "[a-z ]{0,10}") {
        let text = format!("{before} blorg {after}");
        let lexicon = lexicon();
        let place = before.len() + 1..before.len() + 6;
        prop_assert!(lexicon.find(&text).iter().any(|hit| hit.span.start <= place.start && hit.span.end >= place.end));
    }
}
