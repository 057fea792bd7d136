//! Promise: heads are trained from labelled clips and measured across corpora as a user meets it, the same each time.

use std::f32::consts::TAU;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use awaaz::compute::Precision;
use awaaz::learn::head::{Head, Layers};
use awaaz::models::encoder::load_encoder;
use awaaz::weights::{PullOptions, resolve};
use candle_core::Tensor;
use serde_json::Value;
use tempfile::TempDir;

/// Seconds of a clip.
const SECONDS: f32 = 0.4;

/// Corpora in the layouts of URDU and EMO-DB, of tones: each emotion has a pitch of its own, each speaker a loudness.
fn corpora() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let pitches = [320.0, 240.0, 160.0, 120.0];
    for (emotion, name) in ["Angry", "Happy", "Neutral", "Sad"].iter().enumerate() {
        for speaker in 1..=6 {
            for take in 1..=2 {
                let letter = &name[..1];
                let path = format!("urdu/{name}/SM{speaker}_F{take}_{letter}0{take}.wav");
                tone(&folder.path().join(path), pitches[emotion] + take as f32, 0.1 * speaker as f32);
            }
        }
    }
    for (emotion, letter) in ["W", "F", "N", "T"].iter().enumerate() {
        for speaker in [3, 8, 9, 10, 11, 12] {
            let path = format!("emodb/{speaker:02}a01{letter}a.wav");
            tone(&folder.path().join(path), pitches[emotion] + 2.0, 0.05 * speaker as f32);
        }
    }
    folder
}

fn tone(path: &Path, pitch: f32, loudness: f32) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: 16_000,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut wav = hound::WavWriter::create(path, spec).unwrap();
    for at in 0..(16_000.0 * SECONDS) as usize {
        let phase = TAU * pitch * at as f32 / 16_000.0;
        let voice: f32 = (1..8).map(|harmonic| (phase * harmonic as f32).sin() / harmonic as f32).sum();
        wav.write_sample((voice * loudness * 10_000.0) as i16).unwrap();
    }
    wav.finalize().unwrap();
}

/// Runs the program with a cache of its own.
fn awaaz(folder: &Path, arguments: &[&str]) -> Output {
    let cache = folder.join("cache");
    Command::new(env!("CARGO_BIN_EXE_awaaz"))
        .args(arguments)
        .current_dir(folder)
        .env("AWAAZ_CACHE", cache)
        .output()
        .unwrap()
}

fn succeeded(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn network() -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/wav2vec2/xls-r").display().to_string()
}

#[test]
fn a_head_is_trained_with_its_card_and_the_same_again() {
    let folder = corpora();
    let train = |out: &str, more: &[&str]| {
        let arguments =
            ["train", "emotion", "--data", "urdu", "--features", "egemaps", "--folds", "3", "--out", out];
        awaaz(folder.path(), &[&arguments[..], more].concat())
    };
    let told = train("head.safetensors", &["--licence", "made up"]);
    succeeded(&told);
    let told = String::from_utf8_lossy(&told.stderr).into_owned();
    assert!(told.contains("48 clips of 6 speakers, 88 features"), "{told}");
    // The second run has its features from the cache.
    succeeded(&train("again.safetensors", &["--licence", "made up", "--quiet"]));
    let [head, again] = ["head", "again"].map(|name| folder.path().join(format!("{name}.safetensors")));
    assert!(fs::read(&head).unwrap() == fs::read(again).unwrap(), "the same seed gives other bytes");
    let head = Head::load(&head).unwrap();
    let card = head.card();
    assert_eq!((card.task.as_str(), head.width()), ("emotion", 88));
    assert_eq!(card.labels, ["anger", "happiness", "neutral", "sadness"]);
    assert_eq!(card.encoder.as_ref().unwrap().name, "egemaps");
    assert_eq!((card.data[0].name.as_str(), card.data[0].licence.as_str()), ("urdu", "made up"));
    // Tones of their own pitch are told apart also by speakers that were not heard.
    assert!(card.figures["uar"] > 0.9, "{:?}", card.figures);
}

#[test]
fn a_head_hears_layers_of_an_encoder() {
    let folder = corpora();
    let network = network();
    let arguments = [
        "train",
        "emotion",
        "--data",
        "urdu",
        "emodb",
        "--model",
        &network,
        "--layers",
        "0-1",
        "--pool",
        "mean-std",
        "--least-seconds",
        "0.5",
        "--folds",
        "2",
        "--cost",
        "0.1",
        "--standardise",
        "corpus",
        "--out",
        "head.safetensors",
    ];
    succeeded(&awaaz(folder.path(), &arguments));
    let head = Head::load(&folder.path().join("head.safetensors")).unwrap();
    assert_eq!(head.card().layers, Some(Layers::Mix(vec![0, 1])));
    assert_eq!((head.card().pooling.as_deref(), head.card().least_seconds), (Some("mean-std"), 0.5));
    // Two layers of mean and deviation, each of the network's width.
    let config: Value =
        serde_json::from_str(&fs::read_to_string(Path::new(&network).join("config.json")).unwrap()).unwrap();
    assert_eq!(head.width() as u64, 4 * config["hidden_size"].as_u64().unwrap());
    assert!(head.card().figures.contains_key("uar_emo-db"), "{:?}", head.card().figures);
}

#[test]
fn corpora_are_measured_within_and_across() {
    let folder = corpora();
    let network = network();
    let arguments = [
        "bench", "urdu", "--data", ".", "--model", &network, "--layers", "1", "--pool", "mean", "--seeds",
        "2", "--folds", "3", "--cost", "0.1", "--out", "report",
    ];
    let text = succeeded(&awaaz(folder.path(), &arguments));
    for part in ["urdu: 48 clips of 6 speakers", "emo-db: 24 clips of 6 speakers", "## Valence", "| 80 % |"] {
        assert!(text.contains(part), "{part} is missing of {text}");
    }
    let file = |name: &str| fs::read_to_string(folder.path().join("report").join(name)).unwrap();
    assert_eq!(file("report.md"), text);
    let report: Value = serde_json::from_str(&file("report.json")).unwrap();
    let systems = report["systems"].as_array().unwrap();
    assert_eq!(systems.len(), 6);
    let egemaps = &systems[0];
    assert_eq!(egemaps["name"], "egemaps, linear SVM");
    assert!(egemaps["within"][0]["mean"].as_f64().unwrap() > 90.0, "{}", egemaps["within"]);
    assert_eq!(egemaps["across"].as_array().unwrap().len(), 2);
    assert_eq!(egemaps["projection"].as_array().unwrap().len(), 72);
    let counts = egemaps["within"][0]["confusion"].as_array().unwrap();
    let clips: u64 = counts.iter().flat_map(|row| row.as_array().unwrap()).map(|x| x.as_u64().unwrap()).sum();
    assert_eq!(clips, 48, "each clip is tested once");
    let html = file("report.html");
    // Of each system a heat map, two projections, and a confusion matrix within and across for each corpus.
    assert_eq!(html.matches("<svg").count(), 6 * (1 + 2 + 2 + 2));
}

#[test]
fn what_is_wrong_with_data_is_told() {
    let folder = corpora();
    let refused = |arguments: &[&str], reason: &str| {
        let output = awaaz(folder.path(), arguments);
        assert!(!output.status.success());
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(told.contains(reason), "{reason} is missing of {told}");
        assert!(!folder.path().join("head.safetensors").exists());
    };
    let train = ["train", "emotion", "--features", "egemaps", "--out", "head.safetensors", "--data"];
    refused(&[&train[..], &["nowhere"]].concat(), "nowhere");
    fs::write(folder.path().join("manifest.csv"), "path,label\nurdu/Sad/SM1_F1_S01.wav,gloomy\n").unwrap();
    refused(
        &[&train[..], &["manifest.csv"]].concat(),
        "expected labels among anger, happiness, neutral, sadness, found gloomy",
    );
    refused(&[&train[..], &["urdu", "--folds", "7"]].concat(), "6 groups cannot be cut into 7 folds");
    refused(&["bench", "urdu", "--data", "emodb"], "expected at least two corpora");
    let abuse = ["train", "abuse", "--features", "egemaps", "--out", "head.safetensors", "--data", "urdu"];
    refused(&abuse, "expected labels among clean, abusive");
}

#[test]
fn layers_together_are_what_they_are_one_by_one() {
    let sound: Vec<f32> = (0..9000).map(|at| (at as f32 * at as f32 * 1e-5).sin() * 0.3).collect();
    for name in ["wav2vec2/xls-r", "wav2vec2/wavlm-base", "whisper/mels80"] {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name);
        let files = resolve(folder.to_str().unwrap(), &PullOptions::from_env().unwrap()).unwrap();
        let encoder = load_encoder(&files, Precision::F32).unwrap();
        let layers = [encoder.layers(), 0, 1];
        let values = |state: &Tensor| state.flatten_all().unwrap().to_vec1::<f32>().unwrap();
        let together = encoder.encode_layers(&sound, &layers).unwrap();
        for (layer, together) in layers.into_iter().zip(&together) {
            let alone = encoder.encode(&[&sound], layer).unwrap().remove(0);
            assert_eq!(together.dims(), alone.dims(), "{name}");
            assert_eq!(values(together), values(&alone), "{name}, layer {layer}");
        }
    }
}
