//! ABX scores: known where the answer is known, and those of the reference.
//!
//! `tests/reference/abx.py` made the fixtures and says what they are.

use std::path::{Path, PathBuf};

use awaaz::score::abx::{AbxItem, AbxOptions, AbxScore, AbxTokens, read_items};
use candle_core::{Device, Tensor};

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/abx").join(name)
}

fn reference_tokens() -> AbxTokens {
    let features = candle_core::safetensors::load(fixture("features.safetensors"), &Device::Cpu).unwrap();
    let mut tokens = AbxTokens::new(read_items(&fixture("phones.item")).unwrap());
    let files: Vec<String> = tokens.files().map(str::to_owned).collect();
    assert_eq!(files.len(), 6);
    for file in files {
        let tensor: &Tensor = &features[&file];
        let values: Vec<f32> = tensor.flatten_all().unwrap().to_vec1().unwrap();
        tokens.hear(&file, &values, tensor.dims()[1], 0.01).unwrap();
    }
    tokens
}

#[test]
fn scores_equal_those_of_the_reference() {
    let expected: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(fixture("expected.json")).unwrap()).unwrap();
    let tokens = reference_tokens();
    assert_eq!(tokens.heard() as u64, expected["tokens"].as_u64().unwrap());
    let options = AbxOptions::default();
    for (what, score) in [("within", tokens.within(&options)), ("across", tokens.across(&options))] {
        let (found, expected) = (score.unwrap().error, expected[what].as_f64().unwrap());
        println!("{what}: {found}, off by {:.1e}", (found - expected).abs());
        assert!((found - expected).abs() < 1e-9, "{what}: {found} is not {expected}");
    }
}

#[test]
fn draws_are_the_same_each_time_and_near_the_whole() {
    let tokens = reference_tokens();
    let options = AbxOptions { most_tokens: 2, most_speakers: 1, seed: 3 };
    let (once, whole) = (tokens.across(&options).unwrap(), tokens.across(&AbxOptions::default()).unwrap());
    assert_eq!(tokens.across(&options).unwrap(), once);
    assert!(once.triplets < whole.triplets && once.groups < whole.groups, "{once:?} of {whole:?}");
    assert!((once.error - whole.error).abs() < 0.1, "{once:?} of {whole:?}");
}

/// A token of one frame, the direction of `angle` degrees: phone, context, speaker, angle.
type Token = (&'static str, &'static str, &'static str, f32);

fn hear(tokens: &[Token]) -> AbxTokens {
    let items = tokens.iter().enumerate().map(|(index, &(phone, context, speaker, _))| AbxItem {
        file: "f".into(),
        onset: index as f64,
        offset: index as f64 + 1.6,
        phone: phone.into(),
        context: context.into(),
        speaker: speaker.into(),
    });
    let features: Vec<f32> =
        tokens.iter().flat_map(|token| [token.3.to_radians().cos(), token.3.to_radians().sin()]).collect();
    let mut heard = AbxTokens::new(items.collect());
    assert_eq!(heard.hear("f", &features, 2, 1.0).unwrap(), tokens.len());
    heard
}

fn within(tokens: &[Token]) -> Option<AbxScore> {
    hear(tokens).within(&AbxOptions::default())
}

fn across(tokens: &[Token]) -> Option<AbxScore> {
    hear(tokens).across(&AbxOptions::default())
}

#[test]
fn what_is_separate_is_told_apart() {
    let tokens = [
        ("p", "a+a", "s", 0.0),
        ("p", "a+a", "s", 5.0),
        ("b", "a+a", "s", 90.0),
        ("b", "a+a", "s", 95.0),
        ("p", "a+a", "r", 1.0),
        ("b", "a+a", "r", 91.0),
    ];
    // Speaker r has one token of each phone, so that X is always of s within, and of both across.
    assert_eq!(within(&tokens), Some(AbxScore { error: 0.0, pairs: 2, groups: 2, triplets: 8 }));
    assert_eq!(across(&tokens), Some(AbxScore { error: 0.0, pairs: 2, groups: 4, triplets: 12 }));
}

#[test]
fn what_is_the_same_is_told_apart_by_chance() {
    let tokens = ["p", "p", "b", "b"].map(|phone| (phone, "a+a", "s", 30.0));
    assert_eq!(within(&tokens).unwrap().error, 0.5);
    let tokens = [("p", "s"), ("b", "s"), ("p", "r")].map(|(phone, speaker)| (phone, "a+a", speaker, 30.0));
    assert_eq!(across(&tokens).unwrap().error, 0.5);
}

#[test]
fn tokens_that_are_nearer_to_the_other_phone_are_errors() {
    let tokens =
        [("p", "a+a", "s", 0.0), ("b", "a+a", "s", 90.0), ("p", "a+a", "s", 180.0), ("b", "a+a", "s", 270.0)];
    assert_eq!(within(&tokens).unwrap().error, 1.0);
}

/// By hand. In context a+a of s, X = p at 0 (A at 40): b at 10 and at 50 give 1 and 0 errors; X = p at 40 (A at 0): b at 10
/// gives 1, at 50 gives 1: 3 of 4. X = b at 10 (A at 50): p at 0 is nearer, p at 40 is nearer: 2; X = b at 50 (A at 10):
/// p at 0 is farther, p at 40 nearer: 1; so 3 of 4. In context o+o of s, p and p are told from b: 0, and b has no other.
/// So p to b is (3/4 + 0) / 2 for s. For r, p to b is 0, so p to b is 3/16 and b to p is 3/4.
#[test]
fn a_small_case_is_as_worked_by_hand() {
    let tokens = [
        ("p", "a+a", "s", 0.0),
        ("p", "a+a", "s", 40.0),
        ("b", "a+a", "s", 10.0),
        ("b", "a+a", "s", 50.0),
        ("p", "o+o", "s", 0.0),
        ("p", "o+o", "s", 10.0),
        ("b", "o+o", "s", 90.0),
        ("p", "a+a", "r", 0.0),
        ("p", "a+a", "r", 10.0),
        ("b", "a+a", "r", 90.0),
    ];
    let score = within(&tokens).unwrap();
    assert_eq!(score, AbxScore { error: (3.0 / 16.0 + 3.0 / 4.0) / 2.0, pairs: 2, groups: 4, triplets: 12 });
}

#[test]
fn names_do_not_matter() {
    let swap = |name: &'static str| match name {
        "p" => "b",
        "b" => "p",
        "s" => "r",
        "r" => "s",
        other => other,
    };
    let angles = [3.0, 20.0, 61.0, 47.0, 15.0, 33.0, 80.0, 71.0];
    let tokens: Vec<Token> = angles
        .iter()
        .enumerate()
        .map(|(index, &angle)| (["p", "b"][index % 2], "a+a", ["s", "r"][index / 4], angle))
        .collect();
    let renamed: Vec<Token> = tokens
        .iter()
        .map(|&(phone, context, speaker, angle)| (swap(phone), context, swap(speaker), angle))
        .collect();
    let close = |a: Option<AbxScore>, b: Option<AbxScore>| {
        let (a, b) = (a.unwrap().error, b.unwrap().error);
        assert!((a - b).abs() < 1e-12 && a > 0.0 && a < 1.0, "{a} and {b}");
    };
    close(within(&tokens), within(&renamed));
    close(across(&tokens), across(&renamed));
}

#[test]
fn where_there_is_nothing_to_compare_there_is_no_score() {
    assert_eq!(within(&[("p", "a+a", "s", 0.0), ("b", "a+a", "s", 9.0)]), None);
    assert_eq!(within(&[("p", "a+a", "s", 0.0), ("p", "a+a", "s", 5.0), ("b", "o+o", "s", 9.0)]), None);
    assert_eq!(across(&[("p", "a+a", "s", 0.0), ("p", "a+a", "s", 5.0), ("b", "a+a", "s", 9.0)]), None);
    assert_eq!(across(&[]), None);
}
