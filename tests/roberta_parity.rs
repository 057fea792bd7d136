//! Transformers that sort texts into classes compute what Hugging Face transformers computes, from the text on.
//!
//! `tests/reference/roberta.py` made the fixtures and says what they are.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use awaaz::compute::{Precision, Threads};
use awaaz::models::roberta::{Config, SequenceClassifier};
use awaaz::text::{TextHead, TransformerClassifier, normalise};
use awaaz::weights::{Checkpoint, ModelFiles};
use serde::Deserialize;

#[path = "support/assert_close.rs"]
mod assert_close;
use assert_close::assert_close;

const NAMES: [&str; 3] = ["xlm-r", "roberta-multi-label", "bert"];
const TOLERANCE: f32 = 1e-4;

#[derive(Deserialize)]
struct Reference {
    text: String,
    tokens: Vec<u32>,
    /// None where the text is too long for the network.
    logits: Option<Vec<f32>>,
}

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/roberta").join(name)
}

fn reference(name: &str) -> Vec<Reference> {
    serde_json::from_slice(&std::fs::read(folder(name).join("reference.json")).unwrap()).unwrap()
}

fn network(name: &str) -> SequenceClassifier {
    let config = Config::read(&folder(name).join("config.json")).unwrap();
    let checkpoint = Checkpoint::open(&folder(name)).unwrap();
    SequenceClassifier::load(&checkpoint, config, Precision::F32).unwrap()
}

fn classifier(name: &str) -> TransformerClassifier {
    TransformerClassifier::load(&ModelFiles::at(&folder(name)).unwrap(), Threads::new(2).unwrap()).unwrap()
}

fn probabilities(logits: &[f32], name: &str) -> Vec<f32> {
    if name.ends_with("multi-label") {
        return logits.iter().map(|logit| 1.0 / (1.0 + (-logit).exp())).collect();
    }
    let powers: Vec<f32> = logits.iter().map(|logit| logit.exp()).collect();
    powers.iter().map(|power| power / powers.iter().sum::<f32>()).collect()
}

#[test]
fn logits_and_probabilities_equal_those_of_transformers() {
    for name in NAMES {
        let (network, classifier) = (network(name), classifier(name));
        let mut compared = 0;
        for Reference { text, tokens, logits } in reference(name) {
            let Some(expected) = logits else { continue };
            assert_close(&format!("{name}, {text:?}"), &network.logits(&tokens), &expected, TOLERANCE);
            let found = classifier.probabilities(&text).unwrap();
            assert_close(
                &format!("{name}, {text:?} by its text"),
                &found,
                &probabilities(&expected, name),
                TOLERANCE,
            );
            compared += 1;
        }
        assert!(compared >= 8, "{name}: {compared}");
    }
}

#[test]
fn a_long_text_is_as_abusive_as_its_worst_part() {
    for name in NAMES {
        let (network, classifier) = (network(name), classifier(name));
        let long = reference(name).into_iter().find(|reference| reference.logits.is_none()).unwrap();
        // Windows of the tokens between the two that begin and end the text.
        let (inner, around) =
            (&long.tokens[1..long.tokens.len() - 1], [long.tokens[0], *long.tokens.last().unwrap()]);
        let longest = network.config().longest();
        let (size, step) = (longest - 2, longest - 2 - longest / 4);
        let mut expected = vec![0.0f32; network.config().labels()];
        let mut first = 0;
        loop {
            let window = &inner[first..(first + size).min(inner.len())];
            let tokens = [&around[..1], window, &around[1..]].concat();
            for (most, found) in expected.iter_mut().zip(probabilities(&network.logits(&tokens), name)) {
                *most = most.max(found);
            }
            if first + size >= inner.len() {
                break;
            }
            first += step;
        }
        assert!(first > 0, "the text takes several windows");
        let found = classifier.probabilities(&long.text).unwrap();
        assert_close(&format!("{name}, a long text"), &found, &expected, TOLERANCE);
    }
}

#[test]
fn the_label_that_means_abuse_is_told_where_there_is_one() {
    let knows = |name: &str| classifier(name).knows_abuse();
    assert_eq!([knows("xlm-r"), knows("roberta-multi-label"), knows("bert")], [true, true, false]);
    let head = classifier("xlm-r");
    let judged = head.judge("a", &normalise("a")).unwrap();
    let labels: Vec<&str> = judged.labels.iter().map(|(label, _)| label.as_str()).collect();
    assert_eq!(labels, ["safe", "unsafe"]);
    assert_eq!(judged.abuse, Some(judged.labels[1].1));
}

#[test]
fn lines_are_judged_by_a_folder() {
    for (name, has_abuse) in [("xlm-r", true), ("bert", false)] {
        let mut awaaz = Command::new(env!("CARGO_BIN_EXE_awaaz"))
            .args(["text", "-", "--head"])
            .arg(folder(name))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let texts = &reference(name)[..2];
        let mut stdin = awaaz.stdin.take().unwrap();
        texts.iter().for_each(|reference| writeln!(stdin, "{}", reference.text).unwrap());
        drop(stdin);
        let output = awaaz.wait_with_output().unwrap();
        assert!(output.status.success());
        let lines = String::from_utf8(output.stdout).unwrap();
        for (line, reference) in lines.lines().zip(texts) {
            let line: serde_json::Value = serde_json::from_str(line).unwrap();
            let expected = probabilities(reference.logits.as_ref().unwrap(), name);
            let found = line["labels"].as_object().unwrap();
            assert_eq!(found.len(), expected.len());
            assert_eq!(line["probability"].is_number(), has_abuse, "{line}");
            assert!(line.get("words").is_none());
            if has_abuse {
                assert!((line["probability"].as_f64().unwrap() as f32 - expected[1]).abs() < TOLERANCE);
            }
        }
        assert_eq!(lines.lines().count(), 2);
    }
}
