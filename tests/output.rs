//! Transcripts in every format: as stored, and as other programs read them.
//!
//! `AWAAZ_BLESS=1 cargo test --test output` stores what is written now; read the difference before keeping it.

use std::fs;
use std::path::Path;

use awaaz::asr::languages::has_spaces;
use awaaz::asr::romanize::Script;
use awaaz::asr::{Segment, Transcript, Word};
use awaaz::output::{Format, Layout, Style};
use awaaz::time::{SampleIndex, Span};
use proptest::prelude::*;
use serde_json::Value;

fn span(start: f64, end: f64) -> Span {
    Span::new(SampleIndex::from_seconds(start), SampleIndex::from_seconds(end))
}

fn segment(start: f64, end: f64, language: &str, text: &str) -> Segment {
    Segment {
        span: span(start, end),
        text: text.into(),
        spaced: has_spaces(language),
        language: language.into(),
        tokens: vec![50_364, 440, 50_414],
        words: vec![],
        chars: vec![],
        temperature: 0.2,
        average_logprob: -0.25,
        compression_ratio: 1.5,
        no_speech_probability: 0.01,
    }
}

/// The segment with its words spread evenly over its time.
fn with_words(mut segment: Segment) -> Segment {
    let words: Vec<String> = segment.text.split_whitespace().map(|word| format!(" {word}")).collect();
    let start = segment.span.start.seconds();
    let step = segment.span.seconds() / words.len() as f64;
    let word = |(index, text)| Word {
        text,
        span: span(start + step * index as f64, start + step * (index + 1) as f64),
        probability: 0.875,
    };
    segment.words = words.into_iter().enumerate().map(word).collect();
    segment
}

fn transcript(segments: Vec<Segment>) -> Transcript {
    let duration = segments.last().map_or(0.0, |segment| segment.span.end.seconds() + 0.5);
    let language = segments.first().map_or(String::new(), |segment| segment.language.clone());
    Transcript { language, duration, segments, ..Transcript::default() }
}

fn style() -> Style {
    Style {
        file: "calls/first call.wav".into(),
        channel: "1".into(),
        layout: Layout::default(),
        script: Script::Own,
        turns: Vec::new(),
    }
}

/// Markup, arrows, tabs and line ends in the text; one segment without word times; one beyond an hour.
fn english() -> Transcript {
    transcript(vec![
        with_words(segment(
            0.0,
            9.5,
            "en",
            "Well, good evening. I was told that the number of people who would come tonight is five, and I can \
             count at least forty of you, so somebody was wrong.",
        )),
        segment(9.5, 11.25, "en", "if a < b && b --> c\tthen\n<i>this</i> & that"),
        with_words(segment(3723.004, 3725.5, "en", "Thank you -- good night.")),
    ])
}

/// Urdu from right to left, Hindi with marks above and below, Tamil, and English among them.
fn indic() -> Transcript {
    transcript(vec![
        with_words(segment(
            0.48,
            6.0,
            "ur",
            "آپ کیسے ہیں؟ مجھے امید ہے کہ سب خیریت ہے، اور WhatsApp پر پیغام مل گیا ہوگا۔",
        )),
        with_words(segment(
            6.5,
            12.0,
            "hi",
            "हिन्दी में बोलिए, मैं समझता हूँ। कल सुबह दस बजे दफ़्तर में मिलते हैं और बाक़ी बातें वहीं करेंगे।",
        )),
        segment(12.0, 14.0, "ta", "நன்றி, மீண்டும் சந்திப்போம்."),
    ])
}

fn compare_with_stored(case: &str, transcript: &Transcript) {
    for name in Format::names() {
        let format: Format = name.parse().unwrap();
        let stored = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests/expected")
            .join(case)
            .with_extension(format.extension());
        let written = format.render(transcript, &style());
        if std::env::var_os("AWAAZ_BLESS").is_some() {
            fs::write(&stored, &written).unwrap();
        }
        let expected =
            fs::read_to_string(&stored).unwrap_or_else(|error| panic!("{}: {error}", stored.display()));
        assert_eq!(written, expected, "{}", stored.display());
    }
}

#[test]
fn english_is_written_as_stored() {
    compare_with_stored("english", &english());
}

#[test]
fn right_to_left_and_indic_text_is_written_as_stored() {
    compare_with_stored("indic", &indic());
}

#[test]
fn latin_letters_take_the_place_of_others_in_text_and_stand_beside_them_in_json() {
    let hindi = transcript(vec![with_words(segment(0.0, 2.0, "hi", "नमस्ते दुनिया।"))]);
    let latin = Style { script: Script::Latin, ..style() };
    for format in [Format::Text, Format::Srt, Format::Vtt, Format::Tsv] {
        let (own, written) = (format.render(&hindi, &style()), format.render(&hindi, &latin));
        assert_eq!(written, own.replace("नमस्ते दुनिया।", "namaste duniyaa."), "{format}");
    }
    let ctm = Format::Ctm.render(&hindi, &latin);
    assert_eq!(ctm, "first_call 1 0.000 1.000 namaste 0.8750\nfirst_call 1 1.000 1.000 duniyaa. 0.8750\n");

    let value: Value = serde_json::from_str(&Format::Json.render(&hindi, &latin)).unwrap();
    let segment = &value["segments"][0];
    for text in [&value, segment] {
        assert_eq!((&text["text"], &text["romanized"]), (&"नमस्ते दुनिया।".into(), &"namaste duniyaa.".into()));
    }
    let word = |word: &Value| (word["word"].clone(), word["romanized"].clone());
    assert_eq!(word(&segment["words"][0]), (" नमस्ते".into(), " namaste".into()));
    assert_eq!(word(&value["words"][1]), ("दुनिया।".into(), "duniyaa.".into()));
    let line: Value = serde_json::from_str(&Format::JsonLines.render(&hindi, &latin)).unwrap();
    assert_eq!(line["romanized"], "namaste duniyaa.");
    assert!(!Format::Json.render(&hindi, &style()).contains("romanized"));
}

#[test]
fn silence_is_written_as_stored() {
    compare_with_stored("silence", &Transcript { duration: 3.0, ..Transcript::default() });
}

/// The fields of OpenAI's `TranscriptionVerbose` and `TranscriptionSegment`, and their types.
#[test]
fn json_has_the_fields_of_the_api_and_no_other_beside_words() {
    let value: Value = serde_json::from_str(&Format::Json.render(&english(), &style())).unwrap();
    let fields = |value: &Value| {
        let mut fields: Vec<String> = value.as_object().unwrap().keys().cloned().collect();
        fields.sort();
        fields.join(" ")
    };
    assert_eq!(fields(&value), "duration language segments task text words");
    assert_eq!((&value["task"], &value["language"]), (&"transcribe".into(), &"english".into()));
    assert_eq!(fields(&value["words"][0]), "end start word");
    assert_eq!(value["words"][0]["word"], "Well,");
    let plain = &value["segments"][1];
    assert_eq!(
        fields(plain),
        "avg_logprob compression_ratio end id no_speech_prob seek start temperature text tokens"
    );
    assert_eq!((&plain["id"], &plain["seek"]), (&1.into(), &950.into()));
    for number in ["avg_logprob", "compression_ratio", "end", "no_speech_prob", "start", "temperature"] {
        assert!(plain[number].is_f64(), "{number}");
    }
    assert_eq!(fields(&value["segments"][0]["words"][0]), "end probability start word");

    let untimed = transcript(vec![segment(0.0, 1.0, "en", "No words.")]);
    let value: Value = serde_json::from_str(&Format::Json.render(&untimed, &style())).unwrap();
    assert_eq!(value.get("words"), None);
}

#[test]
fn ctm_is_in_order_of_start_also_where_segments_overlap() {
    let overlapping = transcript(vec![
        with_words(segment(0.0, 4.0, "en", "one two three four")),
        with_words(segment(2.5, 5.0, "en", "five six")),
    ]);
    let ctm = Format::Ctm.render(&overlapping, &style());
    let rows: Vec<Vec<&str>> = ctm.lines().map(|line| line.split(' ').collect()).collect();
    assert!(rows.iter().all(|row| row.len() == 6 && row[0] == "first_call" && row[1] == "1"), "{ctm}");
    let starts: Vec<f64> = rows.iter().map(|row| row[2].parse().unwrap()).collect();
    assert!(starts.is_sorted());
    assert_eq!(
        rows.iter().map(|row| row[4]).collect::<Vec<_>>(),
        ["one", "two", "three", "five", "four", "six"]
    );
}

/// What a player reads: the times and text of each cue.
fn read_cues(subtitles: &str) -> Vec<(u64, u64, String)> {
    let milliseconds = |time: &str| {
        let fields: Vec<u64> = time.split([':', ',', '.']).map(|field| field.parse().unwrap()).collect();
        ((fields[0] * 60 + fields[1]) * 60 + fields[2]) * 1000 + fields[3]
    };
    let mut cues = Vec::new();
    for block in subtitles.split("\n\n").filter(|block| !block.is_empty()) {
        let Some((head, text)) = block.split_once(" --> ") else {
            assert_eq!(block, "WEBVTT");
            continue;
        };
        let (end, text) = text.split_once('\n').unwrap();
        let start = head.lines().last().unwrap();
        cues.push((milliseconds(start), milliseconds(end), text.replace('\n', " ")));
    }
    cues
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

proptest! {
    /// Whatever is said, the file stays well formed and says it.
    #[test]
    fn subtitles_read_back(texts in proptest::collection::vec("[ \\t\\n\\r&<>\\-a-zا-یक-ह]{0,60}|\\PC{0,40}", 0..6)) {
        let segments: Vec<Segment> =
            texts.iter().enumerate().map(|(i, text)| segment(i as f64, i as f64, "en", text)).collect();
        let spoken: Vec<String> = texts.iter().map(|text| one_line(text)).filter(|text| !text.is_empty()).collect();
        let transcript = transcript(segments);

        let srt = read_cues(&Format::Srt.render(&transcript, &style()));
        let said: Vec<String> = srt.iter().map(|cue| cue.2.clone()).collect();
        prop_assert_eq!(said, spoken.iter().map(|text| text.replace("-->", "→")).collect::<Vec<_>>());

        let vtt = read_cues(&Format::Vtt.render(&transcript, &style()));
        let unescape = |text: &str| text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&");
        prop_assert_eq!(vtt.iter().map(|cue| unescape(&cue.2)).collect::<Vec<_>>(), spoken);

        prop_assert!(srt.iter().chain(&vtt).all(|(start, end, _)| start < end));
    }

    /// Every segment is one row of the table and one line of JSON.
    #[test]
    fn rows_stay_rows(texts in proptest::collection::vec("\\PC{0,30}[\\t\\n\\r]?\\PC{0,30}", 0..6)) {
        let segments: Vec<Segment> =
            texts.iter().enumerate().map(|(i, text)| segment(i as f64, i as f64 + 1.0, "en", text)).collect();
        let transcript = transcript(segments);

        let tsv = Format::Tsv.render(&transcript, &style());
        prop_assert_eq!(tsv.lines().count(), texts.len() + 1);
        prop_assert!(tsv.lines().all(|line| line.split('\t').count() == 3));

        let lines = Format::JsonLines.render(&transcript, &style());
        let said: Vec<String> = lines
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap()["text"].as_str().unwrap().to_owned())
            .collect();
        prop_assert_eq!(said, texts);
    }
}
