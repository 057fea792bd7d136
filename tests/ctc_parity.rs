//! CTC decoding spells what the references spell: transformers by the best token of each frame, pyctcdecode by beam
//! search.
//!
//! `tests/reference/ctc.py` made the fixtures and says what they are.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use awaaz::asr::ctc::{BeamOptions, BeamSearch, LogProbabilities, Vocabulary, greedy};
use awaaz::weights::Checkpoint;
use serde::Deserialize;

#[derive(Deserialize)]
struct Utterance {
    tokens: Vec<String>,
    greedy: Words,
    beam: Scored,
    /// The exact logarithm of the probability of the beam search's text.
    exact: f32,
}

#[derive(Deserialize)]
struct Words {
    words: Vec<(String, usize, usize)>,
}

#[derive(Deserialize)]
struct Scored {
    text: String,
    score: f32,
}

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/ctc").join(name)
}

type Loaded = (String, Utterance, LogProbabilities, Vocabulary);

/// Each utterance with its probabilities and its vocabulary, whose token 0 is the blank.
fn utterances() -> Vec<Loaded> {
    let json = std::fs::read_to_string(fixture("expected.json")).unwrap();
    let utterances: BTreeMap<String, Utterance> = serde_json::from_str(&json).unwrap();
    assert_eq!(utterances.len(), 18, "eighteen sentences in eleven scripts");
    let logits = Checkpoint::open(&fixture("logits.safetensors")).unwrap();
    let with_logits = utterances.into_iter().map(|(name, utterance)| {
        let shape = logits.shape(&name).unwrap();
        let values = logits.tensor(&name, &shape).unwrap().into_f32();
        let tokens: Vec<&str> = utterance.tokens.iter().map(String::as_str).collect();
        let vocabulary = Vocabulary::from_tokens(&tokens, 0);
        (name, utterance, LogProbabilities::new(values, shape[1]), vocabulary)
    });
    with_logits.collect()
}

#[test]
fn greedy_words_and_their_frames_are_those_of_transformers() {
    for (name, expected, probabilities, vocabulary) in utterances() {
        let found = greedy(&probabilities, &vocabulary);
        let words = found.words.into_iter().map(|word| (word.text, word.frames.start, word.frames.end));
        // Delimiters with a blank between them give words of no letters there.
        let expected: Vec<_> =
            expected.greedy.words.into_iter().filter(|(word, ..)| !word.is_empty()).collect();
        assert_eq!(words.collect::<Vec<_>>(), expected, "{name}");
    }
}

/// How much our score of each text is over that of `reference`; the texts must be pyctcdecode's.
fn score_differences(options: &BeamOptions, reference: impl Fn(&Utterance) -> f32) -> Vec<f32> {
    let difference = |(name, expected, probabilities, vocabulary): Loaded| {
        let found = BeamSearch::new(options.clone()).decode(&probabilities, &vocabulary);
        assert_eq!(found.text, expected.beam.text, "{name}");
        found.score - reference(&expected)
    };
    utterances().into_iter().map(difference).collect()
}

#[test]
fn beam_search_has_the_texts_and_scores_of_pyctcdecode() {
    let differences = score_differences(&BeamOptions::default(), |expected| expected.beam.score);
    println!("{differences:?}");
    assert!(differences.iter().all(|difference| difference.abs() < 1e-4), "{differences:?}");
}

/// Paths that are dropped are missing from the score of their text, so it comes near the exact one from below.
#[test]
fn the_wider_the_beam_the_nearer_is_the_score_to_the_exact_one() {
    let wide = BeamOptions { width: 500, least_token: -12.0, spread: 15.0 };
    let usual = score_differences(&BeamOptions::default(), |expected| expected.exact);
    let nearer = score_differences(&wide, |expected| expected.exact);
    println!("usual {usual:.4?}, wide {nearer:.4?}");
    assert!(usual.iter().all(|under| (-0.3..0.0).contains(under)), "{usual:?}");
    assert!(
        std::iter::zip(&usual, &nearer).all(|(usual, nearer)| (0.5 * usual..1e-4).contains(nearer)),
        "{nearer:?}"
    );
}
