//! Corpora that lie beside the checkout are read whole: how many clips, speakers and labels there are.
//!
//! They may not be passed on, so where they are not the tests say so and end.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use awaaz::corpus::datasets::{Classes, Content, Layout, Record, Split};

/// A folder of the data that is shared beside the checkout.
fn shared(name: &str) -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data").join(name);
    if folder.is_dir() {
        return Some(folder);
    }
    println!("skipped: {} is not there", folder.display());
    None
}

fn read(layout: Layout, folder: &Path) -> Vec<Record> {
    assert_eq!(Layout::detect(folder).unwrap(), layout);
    layout.read(folder).unwrap().collect::<Result<_, _>>().unwrap()
}

fn counts<'a>(of: impl Iterator<Item = &'a str>) -> BTreeMap<&'a str, usize> {
    let mut counts = BTreeMap::new();
    of.for_each(|name| *counts.entry(name).or_default() += 1);
    counts
}

#[test]
fn corpora_of_emotions_have_their_clips_speakers_and_labels() {
    struct Case {
        folder: &'static str,
        layout: Layout,
        language: &'static str,
        clips: usize,
        speakers: usize,
        labels: &'static [(&'static str, usize)],
        /// Clips of anger, happiness, neutral, sadness.
        emotions: [usize; 4],
        /// Negative and positive.
        valence: [usize; 2],
    }
    let cases = [
        Case {
            folder: "urdu",
            layout: Layout::Urdu,
            language: "ur",
            clips: 400,
            speakers: 29,
            labels: &[("anger", 100), ("happiness", 100), ("neutral", 100), ("sadness", 100)],
            emotions: [100; 4],
            valence: [200; 2],
        },
        Case {
            folder: "emodb",
            layout: Layout::EmoDb,
            language: "de",
            clips: 339,
            speakers: 10,
            labels: &[("anger", 127), ("happiness", 71), ("neutral", 79), ("sadness", 62)],
            emotions: [127, 71, 79, 62],
            valence: [189, 150],
        },
        Case {
            folder: "emovo",
            layout: Layout::Emovo,
            language: "it",
            clips: 588,
            speakers: 6,
            labels: &[
                ("anger", 84),
                ("disgust", 84),
                ("fear", 84),
                ("happiness", 84),
                ("neutral", 84),
                ("sadness", 84),
                ("surprise", 84),
            ],
            emotions: [84; 4],
            valence: [336, 252],
        },
        Case {
            folder: "ravdess",
            layout: Layout::Ravdess,
            language: "en",
            clips: 672,
            speakers: 24,
            labels: &[("anger", 192), ("happiness", 192), ("neutral", 96), ("sadness", 192)],
            emotions: [192, 192, 96, 192],
            valence: [384, 288],
        },
    ];
    for case in cases {
        let Some(folder) = shared(case.folder) else { continue };
        let records = read(case.layout, &folder);
        assert_eq!(records.len(), case.clips, "{}", case.folder);
        assert_eq!(counts(records.iter().map(Record::group)).len(), case.speakers, "{}", case.folder);
        let labels = counts(records.iter().map(|record| record.label.as_str()));
        assert_eq!(labels, case.labels.iter().copied().collect(), "{}", case.folder);
        let of_class = |classes: Classes, class: usize| {
            records.iter().filter(|record| classes.class(&record.label) == Some(class)).count()
        };
        let emotions: Vec<usize> = (0..4).map(|class| of_class(Classes::Emotion, class)).collect();
        let valence: Vec<usize> = (0..2).map(|class| of_class(Classes::Valence, class)).collect();
        assert_eq!((&emotions[..], &valence[..]), (&case.emotions[..], &case.valence[..]), "{}", case.folder);
        let ids: BTreeSet<&str> = records.iter().map(|record| record.id.as_str()).collect();
        assert_eq!(ids.len(), case.clips, "{}", case.folder);
        for record in &records {
            assert_eq!(record.language.as_deref(), Some(case.language));
            assert!(record.split.is_none() && record.speaker.is_some());
            assert!(matches!(&record.content, Content::File(path) if path.is_file()), "{record:?}");
        }
    }
}

/// The folders of URDU say the same as its names.
#[test]
fn labels_of_urdu_are_those_of_its_folders() {
    let Some(folder) = shared("urdu") else { return };
    for record in read(Layout::Urdu, &folder) {
        let expected = match record.id.split('/').next() {
            Some("Angry") => "anger",
            Some("Happy") => "happiness",
            Some("Neutral") => "neutral",
            _ => "sadness",
        };
        assert_eq!(record.label, expected, "{}", record.id);
    }
}

#[test]
fn comments_of_macd_have_their_labels_and_splits() {
    let Some(folder) = shared("text/macd") else { return };
    let records = read(Layout::Macd, &folder);
    assert_eq!(records.len(), 152_422);
    let languages = counts(records.iter().filter_map(|record| record.language.as_deref()));
    let expected = [("hi", 33_639), ("kn", 32_935), ("ml", 25_848), ("ta", 30_000), ("te", 30_000)];
    assert_eq!(languages, expected.into());
    let hindi_test: Vec<&Record> = records
        .iter()
        .filter(|record| record.language.as_deref() == Some("hi") && record.split == Some(Split::Test))
        .collect();
    let labels = counts(hindi_test.iter().map(|record| record.label.as_str()));
    assert_eq!(labels, [("abusive", 4117), ("clean", 2611)].into());
    assert!(records.iter().all(|record| matches!(&record.content, Content::Text(text) if !text.is_empty())));
}
