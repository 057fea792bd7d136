use std::path::Path;

use proptest::prelude::*;

use super::*;

fn options() -> TrainOptions {
    let features = FeatureOptions { buckets: 1 << 14, ..FeatureOptions::default() };
    TrainOptions { features, ..TrainOptions::default() }
}

/// Sentences of made-up words; those with one of `bad` are abusive.
fn examples(count: usize, seed: u64, bad: &[&str], language: &str) -> Vec<Example> {
    let good = ["tree", "river", "nadi", "गाछ", "stone", "walks", "green", "मेघ", "house", "sings"];
    let mut random = fastrand::Rng::with_seed(seed);
    let mut one = |at: usize| {
        let mut words: Vec<&str> = (0..6).map(|_| good[random.usize(..good.len())]).collect();
        let abusive = at.is_multiple_of(2);
        if abusive {
            words[random.usize(..6)] = bad[random.usize(..bad.len())];
        }
        Example { text: words.join(" "), abusive, language: language.into() }
    };
    (0..count).map(&mut one).collect()
}

fn trained(options: &TrainOptions) -> TextClassifier {
    let bad = ["blorg", "zassnik"];
    train(&examples(200, 1, &bad, "en"), &examples(50, 2, &bad, "en"), options, &mut |_| Ok(())).unwrap()
}

#[test]
fn what_was_learnt_is_known_and_said_on_the_card() {
    let classifier = trained(&options());
    let unseen = examples(100, 3, &["blorg", "zassnik"], "en");
    assert_eq!(counts(&classifier, &unseen).accuracy(), 1.0);
    let card = classifier.card();
    assert_eq!((&card.languages[..], card.figures.len()), (&["en".to_owned()][..], 1));
    assert_eq!((card.figures[0].texts, card.figures[0].macro_f1), (50, 1.0));
}

#[test]
fn probabilities_are_of_spellings_that_hide_a_word_too() {
    let classifier = trained(&options());
    let [plain, hidden, good] =
        ["tree blorg", "tree BL0RGGG\u{200b}", "tree house"].map(|text| classifier.probability(text));
    assert_eq!(plain, hidden);
    assert!(plain > 0.9 && good < 0.2, "{plain} {good}");
    assert!((0.0..=1.0).contains(&classifier.probability("")));
}

#[test]
fn the_word_that_decides_is_told_of_first() {
    let classifier = trained(&options());
    let text = "the tree, BLORG!, and a house";
    let evidence = classifier.explain(&normalise(text), 3);
    assert_eq!(&text[evidence[0].span.clone()], "BLORG");
    assert!(evidence.windows(2).all(|pair| pair[0].weight >= pair[1].weight));
    assert!(classifier.explain(&normalise(text), 0).is_empty());
}

/// Where all words speak for abuse, what they add makes the logit but for the bias.
#[test]
fn what_words_add_sums_to_the_logit() {
    let mut classifier = trained(&options());
    // So that the probability is not 1.
    classifier.card_mut().temperature = 20.0;
    let text = "blorg blorg zassnik blorg";
    let evidence = classifier.explain(&normalise(text), 9);
    assert_eq!(evidence.len(), 4);
    let added: f32 = evidence.iter().map(|word| word.weight).sum();
    let probability = classifier.probability(text);
    let logit = (probability / (1.0 - probability)).ln();
    let bias = classifier.card().bias / classifier.card().temperature;
    assert!((logit - bias - added).abs() < 1e-3 * logit.abs(), "{logit} {bias} {added}");
}

#[test]
fn a_word_learnt_in_one_script_is_known_in_another() {
    let bad = ["कामचोर", "निकम्मा"];
    let texts = |seed| examples(200, seed, &bad, "hi");
    for (letters, known) in [(Letters::Own, false), (Letters::Latin, true)] {
        let mut options = options();
        options.features.letters = letters;
        let classifier = train(&texts(1), &texts(2), &options, &mut |_| Ok(())).unwrap();
        assert_eq!(
            classifier.is_abusive(classifier.probability("river kaamchor tree")),
            known,
            "{letters:?}"
        );
    }
}

#[test]
fn the_same_seed_gives_the_same_bytes_with_any_number_of_threads() {
    let bytes = trained(&options()).to_bytes().unwrap();
    let alone = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    assert!(bytes == alone.install(|| trained(&options())).to_bytes().unwrap());
    let other = TrainOptions { seed: 2, passes: 1, ..options() };
    assert!(bytes != trained(&other).to_bytes().unwrap());
}

#[test]
fn what_is_saved_is_what_is_loaded() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("new/head.safetensors");
    let classifier = trained(&options());
    classifier.save(&path).unwrap();
    assert_eq!(TextClassifier::load(&path).unwrap(), classifier);
    assert!(matches!(TextClassifier::load(&home.path().join("none")), Err(Error::Io { .. })));
}

#[test]
fn what_cannot_be_learnt_is_refused() {
    let bad = ["blorg"];
    let texts = examples(20, 1, &bad, "en");
    let clean: Vec<Example> = texts.iter().filter(|example| !example.abusive).cloned().collect();
    let refused = |texts: &[Example], options: &TrainOptions| {
        let found = train(texts, &[], options, &mut |_| Ok(()));
        assert!(matches!(found, Err(Error::Setting(_))), "{found:?}");
    };
    refused(&[], &options());
    refused(&clean, &options());
    refused(&texts, &TrainOptions { cost: 0.0, ..options() });
    refused(&texts, &TrainOptions { cost: f64::NAN, ..options() });
    for (shortest, longest, buckets) in [(0, 3, 9), (3, 2, 9), (1, 99, 9), (1, 3, 0)] {
        let features = FeatureOptions { shortest, longest, buckets, ..FeatureOptions::default() };
        refused(&texts, &TrainOptions { features, ..options() });
    }
    let stopped = train(&texts, &[], &options(), &mut |_| Err(Error::Interrupted));
    assert!(matches!(stopped, Err(Error::Interrupted)));
}

#[test]
fn damaged_files_are_refused() {
    let path = Path::new("head.safetensors");
    let bytes = trained(&options()).to_bytes().unwrap();
    let header_end = 8 + u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let header = String::from_utf8(bytes[8..header_end].to_vec()).unwrap();
    let with = |from: &str, to: &str| {
        assert!(header.contains(from) && from.len() == to.len(), "{from} in {header}");
        [&bytes[..8], header.replacen(from, to, 1).as_bytes(), &bytes[header_end..]].concat()
    };
    let not_finite = [&bytes[..header_end], &[0xFF; 1024], &bytes[header_end + 1024..]].concat();
    for (what, damaged) in [
        ("empty", vec![]),
        ("no header", b"PK\x03\x04 some other file".to_vec()),
        ("cut off", bytes[..bytes.len() - 1].to_vec()),
        ("another version", with("\\\"version\\\":1", "\\\"version\\\":9")),
        ("another key", with("awaaz.text", "awaaz.head")),
        ("another tensor", with("\"weights\"", "\"weighty\"")),
        ("n-grams of none", with("\\\"shortest\\\":2", "\\\"shortest\\\":0")),
        ("levels that are no numbers", not_finite),
    ] {
        let found = TextClassifier::from_bytes(path, &damaged);
        assert!(matches!(found, Err(Error::Model { .. } | Error::Tensor { .. })), "{what}: {found:?}");
    }
}

proptest! {
    #[test]
    fn logistic_temperatures_are_where_entropy_is_least(scale in 0.25_f32..5.0) {
        // A logit of as many sigmas as it is right for, times a scale that must be found.
        let logits: Vec<(f32, bool)> = (1..100)
            .flat_map(|percent| {
                let logit = (percent as f32 / (100 - percent) as f32).ln() * scale;
                (0..100).map(move |at| (logit, at < percent))
            })
            .collect();
        prop_assert!((best_temperature(&logits) / scale - 1.0).abs() < 0.01);
    }

    #[test]
    fn evidence_is_of_the_text(text in any::<String>()) {
        thread_local! { static CLASSIFIER: TextClassifier = trained(&options()); }
        CLASSIFIER.with(|classifier| {
            for word in classifier.explain(&normalise(&text), 10) {
                prop_assert!(text.get(word.span.clone()).is_some() && word.weight.is_finite());
            }
            let probability = classifier.probability(&text);
            prop_assert!((0.0..=1.0).contains(&probability));
            Ok(())
        })?;
    }

    #[test]
    fn any_bytes_are_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(TextClassifier::from_bytes(Path::new("head"), &bytes).is_err());
    }
}
