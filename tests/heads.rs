//! Promise: heads are trained from labelled clips and measured across corpora as a user meets it, the same each time.

use std::f32::consts::TAU;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use awaaz::compute::Precision;
use awaaz::learn::head::{Head, Layers, Model};
use awaaz::models::encoder::load_encoder;
use awaaz::models::encoding::{Encoding, States};
use awaaz::time::{SampleIndex, Span};
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
    assert_eq!(systems.len(), 12);
    let egemaps = &systems[0];
    assert_eq!(egemaps["name"], "egemaps, linear SVM");
    assert_eq!(systems[1]["name"], "egemaps, linear SVM, by speaker");
    assert!(egemaps["within"][0]["mean"].as_f64().unwrap() > 90.0, "{}", egemaps["within"]);
    assert_eq!(egemaps["across"].as_array().unwrap().len(), 2);
    assert_eq!(egemaps["projection"].as_array().unwrap().len(), 72);
    let counts = egemaps["within"][0]["confusion"].as_array().unwrap();
    let clips: u64 = counts.iter().flat_map(|row| row.as_array().unwrap()).map(|x| x.as_u64().unwrap()).sum();
    assert_eq!(clips, 48, "each clip is tested once");
    let html = file("report.html");
    // Of each system a heat map, two projections, and a confusion matrix within and across for each corpus.
    assert_eq!(html.matches("<svg").count(), 12 * (1 + 2 + 2 + 2));
}

#[test]
fn every_kind_of_head_is_trained_and_can_be_loaded() {
    let folder = corpora();
    let network = network();
    let train = |out: &str, more: &[&str]| {
        let usual = ["train", "emotion", "--data", "urdu", "--folds", "3", "--quiet", "--out", out];
        succeeded(&awaaz(folder.path(), &[&usual[..], more].concat()));
        Head::load(&folder.path().join(out)).unwrap()
    };
    let encoder = ["--model", &network, "--layers", "0-1"];
    let with = |more: &[&'static str]| [&encoder[..], more].concat();
    let mix = train("mix.safetensors", &with(&["--pool", "mean", "--probe", "layer-mix", "--cost", "0.1"]));
    assert!(matches!(mix.model(), Model::LayerMix(_)));
    assert_eq!(mix.card().layers, Some(Layers::Mix(vec![0, 1])));

    let attention = train("attention.safetensors", &with(&["--pool", "attention"]));
    assert!(attention.model().takes_frames());
    assert_eq!(attention.card().pooling.as_deref(), Some("attention"));
    // A frame of two layers; a sound may have any number of frames.
    let frames = vec![0.1; 5 * attention.width()];
    assert_eq!(attention.probabilities(&frames).unwrap().len(), 4);
    assert!(attention.probabilities(&frames[1..]).is_err() && attention.probabilities(&[]).is_err());
    let again = train("again.safetensors", &with(&["--pool", "attention"]));
    assert_eq!(attention.to_bytes().unwrap(), again.to_bytes().unwrap());

    let egemaps = ["--features", "egemaps"];
    let network = train("mlp.safetensors", &[&egemaps[..], &["--probe", "mlp", "--hidden", "16"]].concat());
    assert!(matches!(network.model(), Model::Mlp(_)));
    assert!(network.card().figures["uar"] > 0.6, "{:?}", network.card().figures);
    let scaled = train("scaled.safetensors", &[&egemaps[..], &["--standardise", "speaker"]].concat());
    assert!(scaled.card().figures.contains_key("uar"));
}

/// What one head hears of a file and what it hears of a stream are the same frames.
#[test]
fn frames_of_an_encoding_lie_side_by_side() {
    let span = Span::new(SampleIndex(0), SampleIndex(640));
    let states = States::from([(1, vec![1.0, 2.0, 3.0, 4.0]), (3, vec![5.0, 6.0, 7.0, 8.0])]);
    let encoding = Encoding::new(span, 320, 2, states);
    assert_eq!(encoding.frames(&[1, 3]).unwrap(), [1.0, 2.0, 5.0, 6.0, 3.0, 4.0, 7.0, 8.0]);
    assert_eq!(encoding.frames(&[3]).unwrap(), [5.0, 6.0, 7.0, 8.0]);
    assert!(encoding.frames(&[2]).is_err());
}

/// ADIMA's layout, of tones: abuse is high. Three languages, of which the third has too few clips for most shots.
fn adima() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir_all(folder.path().join("ADIMA/annotations")).unwrap();
    for (number, (language, train)) in [("Hindi", 12), ("Tamil", 12), ("Odia", 3)].into_iter().enumerate() {
        for (part, count) in [("train", train), ("test", 5)] {
            let mut table = "filename,label\n".to_owned();
            for (label, pitch) in [("Yes", 300.0), ("No", 140.0)] {
                for clip in 0..count {
                    let name = format!("{part}_{label}_{clip}.wav");
                    let path = folder.path().join(format!("ADIMA/SC_audio_{language}/{name}"));
                    tone(&path, pitch + (7 * clip + 3 * number) as f32, 0.1 + 0.05 * (clip % 7) as f32);
                    table += &format!("{name},{label}\n");
                }
            }
            let path = folder.path().join(format!("ADIMA/annotations/{language}_{part}.csv"));
            fs::write(path, table).unwrap();
        }
    }
    folder
}

#[test]
fn abuse_is_measured_by_the_protocols_of_adima() {
    let folder = adima();
    let measure = |more: &[&str]| {
        let usual =
            ["bench", "adima", "--data", "ADIMA", "--features", "egemaps", "--cost", "0.1", "--steps"];
        let few = ["20", "--draws", "2", "--shots", "10,20", "--out", "report"];
        awaaz(folder.path(), &[&usual[..], &few, more].concat())
    };
    let text = succeeded(&measure(&[]));
    assert!(!text.contains("SYNTHETIC") && text.contains("| hi | 12, 12 | 5, 5 |"), "{text}");
    let file = |name: &str| fs::read_to_string(folder.path().join("report").join(name)).unwrap();
    assert_eq!(file("report.md"), text);
    let report: Value = serde_json::from_str(&file("report.json")).unwrap();
    let system = &report["systems"][0];
    let list = |name: &str| system[name].as_array().unwrap();
    assert_eq!((list("monolingual").len(), list("zero_shot").len(), list("matrix").len()), (3, 3, 9));
    for scored in list("monolingual").iter().chain(list("zero_shot")) {
        let counts = scored["confusion"].as_array().unwrap();
        let clips: u64 =
            counts.iter().flat_map(|row| row.as_array().unwrap()).map(|count| count.as_u64().unwrap()).sum();
        assert_eq!(clips, 10, "all of the test part and nothing else: {scored}");
        assert!(scored["macro_f1"]["value"].as_f64().unwrap() > 80.0, "{scored}");
    }
    // Seven learners, two numbers of shots; of Odia, which has three clips of a class, none.
    assert_eq!(list("few_shot").len(), 7 * 2 * 2);
    assert!(text.contains("too few clips"));
    assert_eq!(report["published"].as_array().unwrap().len(), 160);
    let html = file("report.html");
    // A heat map, two projections, and confusion matrices of each language by itself and from the others.
    assert_eq!(html.matches("<svg").count(), 1 + 2 + 3 + 3);

    fs::write(folder.path().join("ADIMA/SYNTHETIC.txt"), "Tones, not speech.\nMore.\n").unwrap();
    let text = succeeded(&measure(&["--quiet"]));
    assert!(text.starts_with("# Abuse in speech within and across languages (synthetic)\n"), "{text}");
    assert!(text.contains("SYNTHETIC: Tones, not speech. Figures here are not of ADIMA"), "{text}");
    for line in text.lines().filter(|line| line.starts_with('#')) {
        assert!(line.ends_with("(synthetic)"), "{line}");
    }
    let html = file("report.html");
    assert!(
        html.contains("SYNTHETIC")
            && html.contains("<title>Abuse in speech within and across languages (synthetic)")
    );
}

#[test]
fn what_bench_adima_cannot_do_is_told() {
    let folder = adima();
    let refused = |arguments: &[&str], reason: &str| {
        let output = awaaz(
            folder.path(),
            &[&["bench", "adima", "--features", "egemaps", "--data"], arguments].concat(),
        );
        assert!(!output.status.success());
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(told.contains(reason), "{reason} is missing of {told}");
    };
    refused(&["nowhere"], "nowhere");
    refused(&["ADIMA", "--shots", "5"], "give even numbers");
    refused(&["ADIMA", "--standardise", "speaker"], "speakers are not known");
    fs::remove_file(folder.path().join("ADIMA/annotations/Tamil_test.csv")).unwrap();
    fs::remove_file(folder.path().join("ADIMA/annotations/Odia_train.csv")).unwrap();
    refused(&["ADIMA"], "of two languages at least; found them of 1");
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
