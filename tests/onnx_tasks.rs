//! An ONNX export does each task as the native weights of the same network do, and says what it is computed on.
//!
//! `tests/fixtures/onnx` has the networks in both forms. What needs ONNX Runtime is skipped, with a message, where
//! `ORT_DYLIB_PATH` names none (`make test` fetches it).

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

fn fixture(name: &str) -> String {
    path(&["tests/fixtures/onnx", name])
}

fn speech() -> String {
    path(&["audio-fixtures/espeak-en/audio.flac"])
}

fn path(parts: &[&str]) -> String {
    let path: PathBuf = [&[env!("CARGO_MANIFEST_DIR")], parts].concat().iter().collect();
    path.to_str().unwrap().to_owned()
}

fn awaaz(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_awaaz"));
    command.args(arguments).stdin(Stdio::null()).env("AWAAZ_OFFLINE", "1");
    command
}

fn told(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// The networks of a folder without native weights, as users have them.
fn exports_alone(folder: &Path) {
    fs::create_dir(folder.join("onnx")).unwrap();
    let files = [
        "config.json",
        "vocab.json",
        "preprocessor_config.json",
        "onnx/model.onnx",
        "onnx/model_quantized.onnx",
    ];
    for file in files {
        fs::copy(Path::new(&fixture("ctc")).join(file), folder.join(file)).unwrap();
    }
}

#[cfg(not(feature = "ort"))]
#[test]
fn without_onnx_runtime_an_export_is_an_error_that_says_how_to_build_it_in() {
    let embeddings = tempfile::tempdir().unwrap();
    let alone = tempfile::tempdir().unwrap();
    exports_alone(alone.path());
    let (speech, alone) = (speech(), alone.path().to_str().unwrap());
    let commands: [&[&str]; 4] = [
        &["transcribe", &speech, "--model", alone],
        &["transcribe", &speech, "--model", &fixture("ctc/onnx/model.onnx")],
        &["language", &speech, "--model", &fixture("classifier/model.onnx")],
        &["embed", &speech, "--model", &fixture("encoder"), "--out", embeddings.path().to_str().unwrap()],
    ];
    for command in commands {
        let output = awaaz(command).output().unwrap();
        let told = told(&output);
        assert_eq!(output.status.code(), Some(1), "{told}");
        assert!(told.contains(".onnx: is an ONNX export") && told.contains("--features ort"), "{told}");
        assert_eq!(told.lines().count(), 1, "{told}");
    }
    let output = awaaz(&["transcribe", &speech, "--provider", "cpu"]).output().unwrap();
    assert_eq!(output.status.code(), Some(64));
}

#[cfg(feature = "ort")]
mod with_onnx_runtime {
    use super::*;

    use awaaz::asr::Options;
    use awaaz::asr::ctc::{CtcEngine, CtcLiveRecognizer, PartialOptions};
    use awaaz::asr::live::SegmentRecognizer;
    use awaaz::audio::{AudioInput, AudioStream, DecodeOptions};
    use awaaz::compute::{Place, Precision, Threads};
    use awaaz::models::backend::Backend;
    use awaaz::models::onnx::OnnxOptions;
    use awaaz::time::{SampleIndex, Span};
    use awaaz::vad::SpeechSegment;
    use awaaz::weights::ModelFiles;
    use serde_json::Value;

    /// Bound of the absolute difference of native and exported.
    const TOLERANCE: f32 = 1e-3;

    fn has_library() -> bool {
        let found = std::env::var_os("ORT_DYLIB_PATH").is_some_and(|path| !path.is_empty());
        if !found {
            println!("skipped: ORT_DYLIB_PATH names no ONNX Runtime");
        }
        found
    }

    /// The output on the CPU, where native weights are computed, too.
    fn done(arguments: &[&str]) -> Output {
        let output = awaaz(arguments).args(["--provider", "cpu"]).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", told(&output));
        output
    }

    fn json(output: &Output) -> Value {
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// Whether two values are the same, numbers to rounding.
    fn agree(a: &Value, b: &Value) -> bool {
        match (a, b) {
            (Value::Number(a), Value::Number(b)) => {
                (a.as_f64().unwrap() - b.as_f64().unwrap()).abs() < f64::from(TOLERANCE)
            }
            (Value::Array(a), Value::Array(b)) => {
                a.len() == b.len() && std::iter::zip(a, b).all(|(a, b)| agree(a, b))
            }
            (Value::Object(a), Value::Object(b)) => {
                a.keys().eq(b.keys()) && a.iter().all(|(key, value)| agree(value, &b[key]))
            }
            _ => a == b,
        }
    }

    #[test]
    fn transcripts_are_those_of_native_weights() {
        if !has_library() {
            return;
        }
        let transcribe =
            |model: &str| done(&["transcribe", &speech(), "--format", "json", "--model", &fixture(model)]);
        let native = transcribe("ctc");
        assert!(json(&native)["text"].as_str().unwrap().len() > 20, "{}", json(&native));
        for model in ["ctc/onnx/model.onnx", "ctc/onnx"] {
            let exported = transcribe(model);
            assert!(agree(&json(&native), &json(&exported)), "{}\n{}", json(&native), json(&exported));
            let told = told(&exported);
            assert_eq!(told.matches("ctc/onnx/model.onnx: on cpu (cpu: ").count(), 1, "{told}");
        }
    }

    #[test]
    fn the_user_who_wants_quiet_is_told_nothing() {
        if !has_library() {
            return;
        }
        let output = done(&["transcribe", &speech(), "--quiet", "--model", &fixture("ctc/onnx")]);
        assert_eq!(told(&output), "");
    }

    #[test]
    fn languages_are_those_of_native_weights() {
        if !has_library() {
            return;
        }
        let language = |model: &str| {
            done(&["language", &speech(), "--top", "5", "--segments", "--json", "--model", &fixture(model)])
        };
        let (native, exported) = (language("classifier"), language("classifier/model.onnx"));
        assert!(agree(&json(&native), &json(&exported)), "{}\n{}", json(&native), json(&exported));
        assert_eq!(json(&native)["languages"].as_array().unwrap().len(), 5);
        assert!(told(&exported).contains("classifier/model.onnx: on cpu"), "{}", told(&exported));
    }

    /// The numbers of the only `.npy` file in a folder.
    fn embedding(folder: &Path) -> Vec<f32> {
        let file = fs::read(folder.join("audio.npy")).unwrap();
        let header = 10 + usize::from(u16::from_le_bytes([file[8], file[9]]));
        file[header..].chunks_exact(4).map(|bytes| f32::from_le_bytes(bytes.try_into().unwrap())).collect()
    }

    #[test]
    fn embeddings_are_those_of_native_weights() {
        if !has_library() {
            return;
        }
        for options in [&["--pool", "none", "--window", "1.5"][..], &["--pool", "l2-mean"], &["--layer", "2"]]
        {
            let embed = |model: &str| {
                let folder = tempfile::tempdir().unwrap();
                let (model, out) = (fixture(model), folder.path().to_str().unwrap());
                done(&[&["embed", &speech(), "--out", out, "--model", &model], options].concat());
                embedding(folder.path())
            };
            let (native, exported) = (embed("ctc"), embed("encoder"));
            assert!(!native.is_empty() && native.len() == exported.len());
            let worst = std::iter::zip(&native, &exported).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            println!("{options:?}: {} numbers, largest difference {worst:.1e}", native.len());
            assert!(worst < TOLERANCE, "{options:?}: {worst}");
        }
    }

    #[test]
    fn finals_of_streams_are_those_of_native_weights() {
        if !has_library() {
            return;
        }
        let finals = |model: &str, options: &[&str]| -> Vec<String> {
            let fixed =
                ["moderate", &speech(), "-o", "json", "--precision", "f32", "--model", &fixture(model)];
            let output = done(&[&fixed, options].concat());
            let events = String::from_utf8(output.stdout).unwrap();
            let events = events.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
            let events: Vec<Value> = events.collect();
            let of = |kind: &str| events.iter().filter(|event| event["type"] == kind).count();
            assert_eq!(of("partial") > 0, options.contains(&"--realtime"), "{model}");
            let finals = events.iter().filter(|event| event["type"] == "final");
            finals.map(|event| format!("{} {}", event["t0"], event["text"])).collect()
        };
        let native = finals("ctc", &[]);
        assert!(!native.is_empty());
        assert_eq!(finals("ctc/onnx", &[]), native);
        assert_eq!(finals("ctc/onnx", &["--realtime"]), native);
    }

    fn samples() -> Vec<f32> {
        let input = AudioInput::from_arg(speech());
        let mut audio = AudioStream::open(input, &DecodeOptions::default()).unwrap();
        let (mut samples, mut block) = (Vec::new(), Vec::new());
        while audio.read(&mut block).unwrap() > 0 {
            samples.extend_from_slice(&block);
        }
        samples
    }

    /// Partial texts of the first seconds of speech as they grow, by steps of `step` samples.
    fn partials(model: &Path, step: usize) -> Vec<String> {
        let files = ModelFiles::at(model).unwrap();
        let options = OnnxOptions { providers: "cpu".parse().unwrap(), ..OnnxOptions::default() };
        let backend = Backend::open(&files, Place::Processor, Precision::F32, &options).unwrap();
        let engine = CtcEngine::load(&files, Threads::new(2).unwrap(), backend, None).unwrap();
        let mut recognizer =
            CtcLiveRecognizer::new(engine.into(), &Options::default(), PartialOptions::default()).unwrap();
        let samples = &samples()[..6 * 16_000];
        let ends = (1..=samples.len() / step).map(|steps| steps * step);
        let mut partial = |end: usize| {
            let span = Span::new(SampleIndex(0), SampleIndex(end as u64));
            let speech = SpeechSegment { span, samples: samples[..end].to_vec() };
            let partial = recognizer.partial(1, &speech, &|| false).unwrap();
            partial.map_or(String::new(), |text| format!("{} [{}]", text.stable, text.unstable))
        };
        let texts = ends.map(&mut partial).collect();
        // A segment whose end was taken back is not an error.
        partial(step);
        texts
    }

    #[test]
    fn partial_texts_are_those_of_native_weights() {
        if !has_library() {
            return;
        }
        // A native network brings features to mean 0 and variance 1 by what was heard when each was made.
        let folder = tempfile::tempdir().unwrap();
        exports_alone(folder.path());
        fs::write(folder.path().join("preprocessor_config.json"), r#"{"do_normalize": false}"#).unwrap();
        let exported = [4800, 1600].map(|step| partials(folder.path(), step));
        fs::copy(fixture("ctc/model.safetensors"), folder.path().join("model.safetensors")).unwrap();
        let native = [4800, 1600].map(|step| partials(folder.path(), step));
        assert_eq!(exported, native);
        assert!(native[0].last().unwrap().len() > 20, "{native:?}");
    }

    #[test]
    fn int8_chooses_between_the_networks_of_a_folder_and_not_where_one_is_named() {
        if !has_library() {
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        exports_alone(folder.path());
        let folder = folder.path().to_str().unwrap();
        let network = &format!("{folder}/onnx/model.onnx");
        let cases = [
            (folder, "f32", "model.onnx: on", true),
            (folder, "int8", "model_quantized.onnx: on", false),
            (network, "int8", "model.onnx: on", true),
        ];
        for (model, precision, network, overruled) in cases {
            let told = told(&done(&["transcribe", &speech(), "--model", model, "--precision", precision]));
            assert!(told.contains(network), "{told}");
            assert_eq!(told.contains("in the numbers of the export"), overruled, "{told}");
        }
    }

    #[test]
    fn exports_for_other_tasks_are_refused_with_what_they_are() {
        if !has_library() {
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("out").to_str().unwrap().to_owned();
        let other = folder.path().join("other");
        fs::create_dir(&other).unwrap();
        let copy = |from: &str, to: &str| fs::copy(fixture(from), other.join(to)).unwrap();
        for file in ["config.json", "vocab.json"] {
            copy(&format!("ctc/{file}"), file);
        }
        copy("fixed/model.onnx", "fixed.onnx");
        copy("encoder/model.onnx", "encoder.onnx");
        copy("masked/model.onnx", "frames.onnx");
        let other = |name: &str| other.join(name).to_str().unwrap().to_owned();
        let cases: [(&[&str], String, &str); 7] = [
            (&["transcribe"], fixture("encoder"), "has no vocab.json"),
            (&["transcribe"], other("encoder.onnx"), "rows of 32 for a vocabulary of 24"),
            (&["transcribe"], other("fixed.onnx"), "takes sounds of 100 samples alone"),
            (&["transcribe"], other("frames.onnx"), "config.json tells of 49"),
            (&["language"], fixture("ctc/onnx"), "has no classes"),
            (&["embed", "--out", &out], fixture("ctc/onnx"), "it has a head"),
            (&["embed", "--out", &out], fixture("classifier/model.onnx"), "it classifies"),
        ];
        let run = |command: &[&str], model: &str| {
            awaaz(&[command, &[&speech(), "--model", model]].concat()).output().unwrap()
        };
        for (command, model, expected) in cases {
            let output = run(command, &model);
            let told = told(&output);
            assert_eq!(output.status.code(), Some(1), "{told}");
            assert!(told.contains(expected) && told.matches("error: ").count() == 1, "{told}");
        }
        let output = run(&["embed", "--out", &out, "--layer", "1"], &fixture("encoder"));
        assert_eq!(output.status.code(), Some(64));
        assert!(told(&output).contains("an ONNX export gives the last alone, 2"), "{}", told(&output));
    }

    #[test]
    fn providers_that_are_not_there_are_errors_and_unknown_ones_wrong_arguments() {
        if !has_library() {
            return;
        }
        let run = |provider: &str| {
            let model = fixture("ctc/onnx");
            awaaz(&["transcribe", &speech(), "--model", &model, "--provider", provider]).output().unwrap()
        };
        let told_of_cpu = told(&run("cpu"));
        assert!(told_of_cpu.contains("model.onnx: on cpu ("), "{told_of_cpu}");
        assert!(!told_of_cpu.contains("nothing faster"), "{told_of_cpu}");
        let told_of_auto = told(&run("auto"));
        assert_eq!(
            told_of_auto.contains("on cpu"),
            told_of_auto.contains("; nothing faster: "),
            "{told_of_auto}"
        );
        let output = run("openvino");
        if !output.status.success() {
            assert!(told(&output).starts_with("error: provider openvino: "), "{}", told(&output));
        }
        let output = run("gpu");
        assert_eq!(output.status.code(), Some(64));
        assert!(told(&output).contains("there are auto, cpu, cuda"), "{}", told(&output));
    }

    #[test]
    fn a_library_that_is_not_there_is_an_error_that_says_where_it_was_looked_for() {
        let cache = tempfile::tempdir().unwrap();
        let run = |options: &[&str]| {
            let model = fixture("ctc/onnx");
            let mut command = awaaz(&[&["transcribe", &speech(), "--model", &model], options].concat());
            command.env("AWAAZ_CACHE", cache.path()).env_remove("AWAAZ_MODELS").env_remove("ORT_DYLIB_PATH");
            command.output().unwrap()
        };
        let output = run(&["--ort-lib", "none.so"]);
        assert!(told(&output).contains("none.so: No such file"), "{}", told(&output));
        assert_eq!(output.status.code(), Some(1));
        // A system may have one.
        let output = run(&[]);
        if !output.status.success() {
            let told = told(&output);
            assert!(
                told.contains("`awaaz models pull onnxruntime`") && told.contains("ORT_DYLIB_PATH"),
                "{told}"
            );
            assert_eq!(told.lines().count(), 1, "{told}");
        }
    }
}
