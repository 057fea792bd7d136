//! Promise: the features that `awaaz embed` writes can be scored by `awaaz bench abx`.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use awaaz::compute::Precision;
use tempfile::TempDir;

/// Sounds of two speakers: p is a low tone and b a high one, a second each by turns, with noise.
fn clips() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: 16_000,
        bits_per_sample: 32,
        sample_format: hound::SampleFormat::Float,
    };
    let mut items = String::from("#file onset offset #phone prev-phone next-phone speaker\n");
    let mut random = fastrand::Rng::with_seed(1);
    for (name, loudness) in [("anna", 0.5), ("babu", 0.3)] {
        let mut wav = hound::WavWriter::create(folder.path().join(format!("{name}.wav")), spec).unwrap();
        for second in 0..6 {
            let (phone, pitch) = [("p", 200.0), ("b", 2500.0)][second % 2];
            items += &format!("{name} {second} {second}.5 {phone} a a {name}\n");
            for sample in 0..16_000 {
                let phase = sample as f32 / 16_000.0 * pitch * std::f32::consts::TAU;
                wav.write_sample(loudness * phase.sin() + 0.02 * (random.f32() - 0.5)).unwrap();
            }
        }
        wav.finalize().unwrap();
    }
    fs::write(folder.path().join("phones.item"), items).unwrap();
    folder
}

fn awaaz(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_awaaz")).args(arguments).current_dir(folder).output().unwrap()
}

fn embed(folder: &Path, out: &str, more: &[&str]) -> Output {
    let model = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/cpc/two-layers.pt");
    let model = model.to_str().unwrap();
    let arguments = [&["embed", "anna.wav", "babu.wav", "--model", model, "--offline", "--out", out], more];
    awaaz(folder, &arguments.concat())
}

#[test]
fn features_of_a_cpc_file_tell_tones_apart() {
    let folder = clips();
    for (format, layer) in [("npy", "0"), ("npy", "2"), ("safetensors", "1")] {
        let out = format!("features-{layer}");
        let output = embed(folder.path(), &out, &["--format", format, "--layer", layer]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let arguments =
            ["bench", "abx", "--features", &out, "--item", "phones.item", "--normalise", "--json"];
        let output = awaaz(folder.path(), &arguments);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let scores: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!((&scores["tokens"], &scores["heard"]), (&12.into(), &12.into()));
        assert_eq!((&scores["within"]["triplets"], &scores["across"]["groups"]), (&72.into(), &4.into()));
        for speakers in ["within", "across"] {
            assert_eq!(scores[speakers]["error"], 0.0, "layer {layer}, {speakers}: {scores}");
        }
    }
}

/// Promise: weights that were packed are kept for the next start, which gives the same, unless that is not wanted.
#[test]
fn packed_weights_are_kept_and_change_nothing() {
    let folder = clips();
    let packs = folder.path().join("cache/packs");
    let run = |out: &str, more: &[&str]| {
        let model = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/wav2vec2/xls-r");
        let more =
            [&["--model", model.to_str().unwrap(), "--out", out, "--offline", "--precision", "int8"], more];
        let output = Command::new(env!("CARGO_BIN_EXE_awaaz"))
            .args(["embed", "anna.wav"])
            .args(more.concat())
            .current_dir(folder.path())
            .env("AWAAZ_CACHE", folder.path().join("cache"))
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let kept = fs::read_dir(&packs).map_or(0, |entries| entries.count());
        (fs::read(folder.path().join(out).join("anna.npy")).unwrap(), kept)
    };
    let (without, kept) = run("without", &["--no-weight-cache"]);
    assert_eq!(kept, 0);
    let (first, _) = run("first", &[]);
    let (second, kept) = run("second", &[]);
    assert!(without == first && first == second);
    assert!(kept <= 1, "the second start uses what the first kept");
    if Precision::auto() == Precision::Int8 {
        assert_eq!(kept, 1);
    }
}

#[test]
fn what_cannot_be_scored_is_told() {
    let folder = clips();
    let error = |out: &str, item: &str| {
        let output = awaaz(folder.path(), &["bench", "abx", "--features", out, "--item", item]);
        assert!(!output.status.success());
        String::from_utf8(output.stderr).unwrap()
    };
    assert!(error("nowhere", "phones.item").contains("embeddings.jsonl"));
    assert!(embed(folder.path(), "pooled", &["--pool", "mean"]).status.success());
    assert!(error("pooled", "phones.item").contains("embed again with --pool none"));
    assert!(embed(folder.path(), "table", &["--format", "parquet"]).status.success());
    assert!(error("table", "phones.item").contains("embed again with --format npy"));
    assert!(embed(folder.path(), "frames", &[]).status.success());
    let header = "#file onset offset #phone prev-phone next-phone speaker\n";
    fs::write(folder.path().join("other.item"), format!("{header}chen 0 1 p a a chen\n")).unwrap();
    let told = error("frames", "other.item");
    assert!(told.contains("1 of 1 tokens have no features") && told.contains("within speakers"), "{told}");
    fs::write(folder.path().join("broken.item"), format!("{header}anna 0 1 p\n")).unwrap();
    assert!(error("frames", "broken.item").contains("broken.item: line 2: has 4 columns"));
}

fn embed_voices(folder: &Path, out: &str, more: &[&str]) -> Output {
    let model = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/speaker/ge2e/small.pt");
    let model = model.to_str().unwrap();
    let arguments = [&["embed", "anna.wav", "babu.wav", "--model", model, "--offline", "--out", out], more];
    awaaz(folder, &arguments.concat())
}

#[test]
fn a_speaker_encoder_gives_a_vector_a_sound() {
    let folder = clips();
    for format in ["npy", "safetensors"] {
        let output = embed_voices(folder.path(), format, &["--format", format, "--pool", "mean"]);
        let told = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success() && told.contains("--pool mean has no effect"), "{told}");
        let journal = fs::read_to_string(folder.path().join(format).join("embeddings.jsonl")).unwrap();
        assert_eq!(journal.lines().count(), 2);
        for line in journal.lines() {
            let entry: serde_json::Value = serde_json::from_str(line).unwrap();
            assert_eq!(entry["shape"], serde_json::json!([10]));
            for absent in ["hop", "layer", "pool"] {
                assert!(entry.get(absent).is_none(), "{line}");
            }
            let file = folder.path().join(format).join(entry["file"].as_str().unwrap());
            let (vector, width) = awaaz::output::embeddings::read_embedding(&file).unwrap();
            let length: f32 = vector.iter().map(|x| x * x).sum();
            assert!(width == 10 && (length - 1.0).abs() < 1e-5, "{length}");
        }
    }
    let output = embed_voices(folder.path(), "table", &["--format", "parquet", "--window", "2"]);
    assert!(output.status.success() && folder.path().join("table/embeddings-00000.parquet").is_file());
    // What was made in another way is not mixed with.
    let output = embed_voices(folder.path(), "table", &["--format", "parquet"]);
    assert!(String::from_utf8(output.stderr).unwrap().contains("made in another way"));
}

#[test]
fn a_speaker_encoder_has_no_layers_to_take() {
    let folder = clips();
    let output = embed_voices(folder.path(), "layers", &["--layer", "1"]);
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success() && told.contains("no hidden states"), "{told}");
}
