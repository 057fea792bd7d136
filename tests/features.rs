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

/// Embeds by a small network of the wav2vec 2.0 family.
fn xls_r(inputs: &[&str], out: &str, more: &[&str]) -> Vec<String> {
    let model = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/wav2vec2/xls-r");
    let settings = ["--model", model.to_str().unwrap(), "--offline", "--no-weight-cache", "--out", out];
    let all = [&["embed"], inputs, &settings, more].concat();
    all.into_iter().map(str::to_owned).collect()
}

fn run(folder: &Path, arguments: &[String]) -> Output {
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    awaaz(folder, &arguments)
}

fn values(file: &Path) -> (Vec<f32>, usize) {
    awaaz::output::embeddings::read_embedding(file).unwrap()
}

/// Sounds of 0.1 to 5.5 s.
fn parts_of_anna(folder: &Path) -> Vec<String> {
    let mut wav = hound::WavReader::open(folder.join("anna.wav")).unwrap();
    let samples: Vec<f32> = wav.samples().map(Result::unwrap).collect();
    let lengths = [88_000, 1_600, 40_000, 16_000, 401, 16_000, 3_333];
    let names: Vec<String> = (0..lengths.len()).map(|part| format!("part-{part}.wav")).collect();
    for (name, length) in names.iter().zip(lengths) {
        let mut part = hound::WavWriter::create(folder.join(name), wav.spec()).unwrap();
        samples[..length].iter().for_each(|&sample| part.write_sample(sample).unwrap());
        part.finalize().unwrap();
    }
    names
}

#[test]
fn sounds_of_many_lengths_are_embedded_together_as_alone() {
    let folder = clips();
    let names = parts_of_anna(folder.path());
    let inputs: Vec<&str> = names.iter().map(String::as_str).collect();
    for (out, more) in [("together", ["--batch", "16"]), ("alone", ["--batch", "1"])] {
        let output = run(folder.path(), &xls_r(&inputs, out, &more));
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    for name in inputs {
        let of = |out: &str| values(&folder.path().join(out).join(name).with_extension("npy"));
        let ((together, width), (alone, same_width)) = (of("together"), of("alone"));
        assert_eq!((together.len(), width), (alone.len(), same_width), "{name}");
        let error = together.iter().zip(&alone).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(error < 1e-5, "{name}: {error}");
    }
}

#[test]
fn l2_mean_is_the_mean_of_frames_of_length_1() {
    let folder = clips();
    for pool in ["none", "l2-mean"] {
        let output = run(folder.path(), &xls_r(&["anna.wav"], pool, &["--pool", pool, "--layer", "1"]));
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    let (frames, width) = values(&folder.path().join("none/anna.npy"));
    let (mean, _) = values(&folder.path().join("l2-mean/anna.npy"));
    let mut expected = vec![0.0f64; width];
    let count = (frames.len() / width) as f64;
    for frame in frames.chunks(width) {
        let length = frame.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>().sqrt();
        expected.iter_mut().zip(frame).for_each(|(sum, &x)| *sum += f64::from(x) / length / count);
    }
    assert_eq!(mean.len(), width);
    for (found, expected) in mean.iter().zip(&expected) {
        assert!((f64::from(*found) - expected).abs() < 1e-5, "{found} {expected}");
    }
}

#[test]
fn a_table_has_the_times_and_the_values_of_each_sound() {
    use parquet::file::reader::{FileReader, SerializedFileReader};
    use parquet::record::RowAccessor;
    let folder = clips();
    for (out, format) in [("table", "parquet"), ("files", "npy")] {
        let output = run(folder.path(), &xls_r(&["anna.wav", "babu.wav"], out, &["--format", format]));
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    let table = fs::File::open(folder.path().join("table/embeddings-00000.parquet")).unwrap();
    let reader = SerializedFileReader::new(table).unwrap();
    let mut ids = Vec::new();
    for row in reader.get_row_iter(None).unwrap().map(Result::unwrap) {
        let id = row.get_string(0).unwrap().clone();
        let times = [1, 2, 3].map(|column| row.get_double(column).unwrap());
        assert_eq!(times, [0.0, 6.0, 0.02], "start, end and hop of {id}");
        let (expected, width) = values(&folder.path().join("files").join(format!("{id}.npy")));
        // (96000 samples - 400) / 320 + 1 frames.
        assert_eq!([4, 5].map(|column| row.get_int(column).unwrap()), [299, width as i32]);
        let list = row.get_list(6).unwrap();
        let found: Vec<f32> = list.elements().iter().map(number).collect();
        assert_eq!(found, expected, "{id}");
        ids.push(id);
    }
    ids.sort();
    assert_eq!(ids, ["anna", "babu"]);
    // Pooled, there is one row a sound, and no hop.
    let pooled = xls_r(&["anna.wav"], "pooled", &["--format", "parquet", "--pool", "mean"]);
    assert!(run(folder.path(), &pooled).status.success());
    let table = fs::File::open(folder.path().join("pooled/embeddings-00000.parquet")).unwrap();
    let reader = SerializedFileReader::new(table).unwrap();
    let row = reader.get_row_iter(None).unwrap().next().unwrap().unwrap();
    assert!(row.to_string().contains("hop: null") && row.get_int(4).unwrap() == 1, "{row}");
}

fn number(field: &parquet::record::Field) -> f32 {
    match field {
        parquet::record::Field::Float(value) => *value,
        other => panic!("{other} is no f32"),
    }
}

#[cfg(unix)]
#[test]
fn what_was_interrupted_goes_on_where_it_was() {
    let folder = clips();
    let names: Vec<String> = (0..150).map(|copy| format!("clips/{copy:03}.wav")).collect();
    fs::create_dir(folder.path().join("clips")).unwrap();
    for name in &names {
        fs::hard_link(folder.path().join("anna.wav"), folder.path().join(name)).unwrap();
    }
    let arguments = xls_r(&["clips"], "out", &["--batch", "1"]);
    let journal = folder.path().join("out/embeddings.jsonl");
    let done = || fs::read_to_string(&journal).map_or(0, |lines| lines.lines().count());
    let mut first = Command::new(env!("CARGO_BIN_EXE_awaaz"))
        .args(&arguments)
        .current_dir(folder.path())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    while done() == 0 && first.try_wait().unwrap().is_none() {
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    let id = first.id().to_string();
    assert!(Command::new("kill").args(["-INT", &id]).status().unwrap().success());
    assert_eq!(first.wait().unwrap().code(), Some(130));
    let before = done();
    assert!((1..150).contains(&before), "{before}");
    let kept = fs::read(folder.path().join("out/000.npy")).ok();
    let changed =
        |name: &str| fs::metadata(folder.path().join("out").join(name)).unwrap().modified().unwrap();
    let first_line = fs::read_to_string(&journal).unwrap().lines().next().unwrap().to_owned();
    let entry: serde_json::Value = serde_json::from_str(&first_line).unwrap();
    let file = entry["file"].as_str().unwrap();
    let made = changed(file);

    let output = run(folder.path(), &arguments);
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success() && told.contains(&format!("{before} of 150 were done before")), "{told}");
    assert_eq!((done(), changed(file)), (150, made), "what was done is not done again");
    for name in &names {
        let file = folder.path().join("out").join(name.trim_start_matches("clips/")).with_extension("npy");
        let bytes = fs::read(file).unwrap();
        assert!(kept.as_ref().is_none_or(|kept| *kept == bytes), "{name}");
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
