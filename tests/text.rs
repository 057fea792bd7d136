//! Promise: abuse in text is told as a user meets it: train, score, bench; and as well as it was measured on real comments.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Instant;

use awaaz::text::dataset::{Example, Labels, Part, Table};
use awaaz::text::train::{TrainOptions, counts, languages, train};
use awaaz::text::{Lexicon, TextClassifier};
use serde_json::Value;
use tempfile::TempDir;

/// A folder of tables in the layout of MACD, of made-up words: who is a "blorg" or "zassnik" is abused.
fn tables() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let words = ["tree", "river", "stone", "walks", "green", "house", "sings", "पेड", "नदी"];
    let mut random = fastrand::Rng::with_seed(1);
    for language in ["hindi", "tamil"] {
        for (part, count) in [("train", 120), ("val", 40), ("test", 40)] {
            let mut table = String::from("label,text\n");
            for at in 0..count {
                let mut words: Vec<&str> = (0..5).map(|_| words[random.usize(..words.len())]).collect();
                if at % 2 == 0 {
                    words[at % 5] = ["blorg", "zassnik"][random.usize(..2)];
                }
                table += &format!("{},\"{},\n{}\"\n", at % 2, words[..2].join(" "), words[2..].join(" "));
            }
            fs::write(folder.path().join(format!("{language}_{part}.csv")), table).unwrap();
        }
    }
    folder
}

fn awaaz(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_awaaz")).args(arguments).current_dir(folder).output().unwrap()
}

fn stdout(output: Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn lines(output: Output) -> Vec<Value> {
    stdout(output).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn a_head_that_was_trained_scores_lines_with_reasons() {
    let folder = tables();
    let arguments = ["train", "text", "--data", ".", "--buckets", "20000", "--out"];
    stdout(awaaz(folder.path(), &[&arguments[..], &["head.safetensors"]].concat()));
    stdout(awaaz(folder.path(), &[&arguments[..], &["again.safetensors", "--quiet"]].concat()));
    let [head, again] = ["head.safetensors", "again.safetensors"].map(|name| folder.path().join(name));
    assert!(fs::read(&head).unwrap() == fs::read(again).unwrap(), "the same seed gives other bytes");
    let card = TextClassifier::load(&head).unwrap().card().clone();
    assert_eq!(card.languages, ["hi", "ta"]);
    assert_eq!(card.data.len(), 4, "the test parts are left alone: {:?}", card.data);

    fs::write(folder.path().join("comments.txt"), "a tree\r\nyou BL0RG!\n\nनदी निकम्मा\n").unwrap();
    fs::write(folder.path().join("words.csv"), "blorg,insult,2,en\nnikamma,insult,1,hi\n").unwrap();
    let arguments = ["text", "comments.txt", "--head", "head.safetensors", "--lexicon", "words.csv"];
    let found = lines(awaaz(folder.path(), &arguments));
    let [good, bad, empty, hindi] = &found[..] else { panic!("{found:?}") };
    assert_eq!(
        (&good["text"], &good["abusive"], &good["hits"]),
        (&"a tree".into(), &false.into(), &Value::Array(vec![]))
    );
    assert!(bad["probability"].as_f64() > Some(0.8) && bad["abusive"] == true, "{bad}");
    let hit = &bad["hits"][0];
    assert_eq!(
        (&hit["term"], &hit["category"], &hit["severity"]),
        (&"blorg".into(), &"insult".into(), &2.into())
    );
    for span in [hit, &bad["words"][0]] {
        assert_eq!((&span["start"], &span["end"], &span["text"]), (&4.into(), &9.into(), &"BL0RG".into()));
    }
    assert_eq!((&empty["line"], &empty["text"]), (&3.into(), &"".into()));
    assert_eq!(
        (&hindi["hits"][0]["term"], &hindi["hits"][0]["spelling"]),
        (&"nikamma".into(), &"sounded".into())
    );
}

#[test]
fn stdin_is_scored_by_lists_alone() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("words.txt"), "blorg\n").unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_awaaz"))
        .args(["text", "-", "--lexicon", "words.txt"])
        .current_dir(folder.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(b"no\n\xffblorg").unwrap();
    let found = lines(child.wait_with_output().unwrap());
    assert_eq!(found.len(), 2);
    assert!(found[0].get("probability").is_none() && found[0]["hits"] == Value::Array(vec![]));
    assert_eq!(found[1]["hits"][0]["category"], "abuse");
}

#[test]
fn bench_tells_what_was_learnt_and_what_was_not() {
    let folder = tables();
    let arguments = ["bench", "text", "--data", ".", "--buckets", "20000", "--out", "figures.json"];
    let table = stdout(awaaz(folder.path(), &arguments));
    assert!(
        table.starts_with(
            "| macro-F1 | hi | ta | mean |\n|---|---|---|---|\n| one language | 1.000 (1.000-1.000) |"
        ),
        "{table}"
    );
    let figures: Value =
        serde_json::from_slice(&fs::read(folder.path().join("figures.json")).unwrap()).unwrap();
    let names: Vec<&str> = figures["systems"]
        .as_array()
        .unwrap()
        .iter()
        .map(|system| system["name"].as_str().unwrap())
        .collect();
    assert_eq!(names.len(), 5);
    assert_eq!(figures["systems"][1]["languages"]["ta"]["hits"], 20);
}

#[test]
fn wrong_arguments_are_told_of() {
    let folder = tables();
    fs::write(folder.path().join("noise.safetensors"), [7; 999]).unwrap();
    for (arguments, code, told) in [
        (&["text", "hindi_val.csv"][..], 64, "--head"),
        (&["text", "hindi_val.csv", "--head", "noise.safetensors"], 1, "noise.safetensors"),
        (&["text", "none.txt", "--lexicon", "hindi_val.csv"], 1, "none.txt"),
        (&["train", "text", "--data", "none", "--out", "a"], 1, "none"),
        (&["train", "text", "--data", ".", "--languages", "en", "--out", "a"], 64, "in en"),
        (&["train", "text", "--data", ".", "--ngrams", "3", "--out", "a"], 64, "--ngrams"),
        (&["train", "text", "--data", ".", "--cost", "0", "--out", "a"], 64, "cost"),
        (&["bench", "text", "--data", ".", "--languages", "en"], 1, "hindi_train.csv"),
    ] {
        let output = awaaz(folder.path(), arguments);
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {error}");
        assert!(error.contains(told), "{arguments:?}: {error}");
    }
}

/// Real comments and lists, which are no part of the project; none where they are missing.
fn shared(name: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/text").join(name);
    if !path.exists() {
        println!("skipped: {} is not there", path.display());
        return None;
    }
    Some(path)
}

fn part(tables: &[Table], part: Part) -> Vec<Example> {
    let of_part = tables.iter().filter(|table| table.part == Some(part));
    of_part.flat_map(|table| table.read(&Labels::Usual).unwrap()).collect()
}

/// Macro-F1 of one model of all languages on the test parts of MACD; what linear models of n-grams had before.
const REFERENCE: [(&str, f64); 5] =
    [("hi", 0.813), ("kn", 0.811), ("ml", 0.760), ("ta", 0.827), ("te", 0.866)];

#[test]
fn one_small_model_of_five_languages_is_as_good_as_measured() {
    let Some(folder) = shared("macd") else { return };
    let tables = Table::all_at(&folder).unwrap();
    let (training, validation) = (part(&tables, Part::Training), part(&tables, Part::Validation));
    let classifier = train(&training, &validation, &TrainOptions::default(), &mut |_| Ok(())).unwrap();
    assert!(classifier.to_bytes().unwrap().len() < 5_000_000);
    let test = part(&tables, Part::Test);
    assert_eq!(languages(&test), REFERENCE.map(|(language, _)| language));
    for (language, reference) in REFERENCE {
        let own: Vec<Example> = test.iter().filter(|example| example.language == language).cloned().collect();
        let found = counts(&classifier, &own).macro_f1();
        println!("{language}: {found:.3}, before {reference}");
        assert!(found > reference, "{language}: {found}");
    }
    let started = Instant::now();
    let sum: f32 = test.iter().map(|example| classifier.probability(&example.text)).sum();
    let mean = started.elapsed() / test.len() as u32;
    println!("{mean:?} a text; mean probability {}", sum / test.len() as f32);
    assert!(mean.as_micros() < 1000);
}

#[test]
fn real_lists_are_read_and_found() {
    let Some(folder) = shared("wordlists") else { return };
    let paths =
        ["allprofanity/hindi.txt", "ldnoobw/hi", "ldnoobw/en", "ldnoobw/zh"].map(|name| folder.join(name));
    let lexicon = Lexicon::read(&paths).unwrap();
    assert!(lexicon.entries().len() > 1000);
    let missed: Vec<&str> = lexicon
        .entries()
        .iter()
        .map(|entry| entry.term.as_str())
        .filter(|term| {
            !lexicon.find(&format!("so, {term}!")).iter().any(|hit| hit.span.len() >= term.trim().len())
        })
        .collect();
    println!("not found in their own words: {missed:?}");
    assert!(missed.len() <= 3, "{missed:?}");
}
