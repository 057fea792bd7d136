//! Networks in ONNX Runtime compute what the reference computes, on what was asked for, and whatever is wrong is an error.
//!
//! `tests/reference/onnx_models.py` made the fixtures and says what they are. `ORT_DYLIB_PATH` names the shared library
//! (`make test` fetches it); without one, what needs it is skipped.

#![cfg(feature = "ort")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use awaaz::models::onnx::{OnnxModel, OnnxOptions, OnnxOutput, OutputKind, Provider, ProviderChoice};
use awaaz::{Error, Result};
use candle_core::{Device, Tensor};

/// Bound of the absolute error in f32.
const TOLERANCE: f32 = 1e-3;

/// Set in a process that a test starts, to the test that is to go on in it.
const INNER: &str = "AWAAZ_TEST_ONNX_INNER";

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/onnx").join(name)
}

/// The shared library, if there is one.
fn library() -> Option<PathBuf> {
    let path = std::env::var_os("ORT_DYLIB_PATH").filter(|path| !path.is_empty()).map(PathBuf::from);
    if path.is_none() {
        println!("skipped: ORT_DYLIB_PATH names no ONNX Runtime");
    }
    path
}

fn open_on(name: &str, providers: &str) -> Result<OnnxModel> {
    let options = OnnxOptions { providers: providers.parse().unwrap(), threads: 2, ..OnnxOptions::default() };
    OnnxModel::open(&fixture(name), &options)
}

fn open(name: &str) -> OnnxModel {
    open_on(name, "cpu").unwrap()
}

/// The noise that the fixtures were made with.
fn sound() -> Vec<f32> {
    let mut state = 1u32;
    let noise = |_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (f64::from(state) / f64::from(1u32 << 31) - 1.0) as f32
    };
    (0..5000).map(noise).collect()
}

fn reference(folder: &str, name: &str) -> Tensor {
    let path = fixture(folder).join("reference.safetensors");
    candle_core::safetensors::load(path, &Device::Cpu).unwrap().remove(name).unwrap()
}

fn error(found: &OnnxOutput, expected: &Tensor) -> f32 {
    let expected: Vec<f32> = expected.flatten_all().unwrap().to_vec1().unwrap();
    assert_eq!(found.values.len(), expected.len());
    assert_eq!(found.values.len(), found.frames * found.width);
    std::iter::zip(&found.values, expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

#[test]
fn logits_equal_those_of_transformers() {
    if library().is_none() {
        return;
    }
    struct Case {
        model: &'static str,
        reference: &'static str,
        kind: OutputKind,
        width: usize,
        tolerance: f32,
    }
    let cases = [
        Case { model: "ctc", reference: "ctc", kind: OutputKind::Frames, width: 24, tolerance: TOLERANCE },
        // Of logits up to 3.5; ONNX Runtime in Python is as far (0.087) from the reference.
        Case {
            model: "ctc/onnx/model_quantized.onnx",
            reference: "ctc",
            kind: OutputKind::Frames,
            width: 24,
            tolerance: 0.15,
        },
        Case {
            model: "classifier",
            reference: "classifier",
            kind: OutputKind::Sound,
            width: 5,
            tolerance: TOLERANCE,
        },
    ];
    for case in cases {
        let model = open(case.model);
        assert_eq!((model.output_kind(), model.width()), (case.kind, Some(case.width)), "{}", case.model);
        for (part, samples) in [("whole", 5000), ("half", 2500)] {
            let expected = reference(case.reference, part);
            let found = model.run(&sound()[..samples]).unwrap();
            match case.kind {
                OutputKind::Frames => assert_eq!([found.frames, found.width], expected.dims()),
                OutputKind::Sound => assert_eq!((found.frames, &[found.width][..]), (1, expected.dims())),
            }
            let error = error(&found, &expected);
            println!("{}, {part}, on {}: max abs error {error:.1e}", case.model, model.provider());
            assert!(error < case.tolerance, "{}, {part}: {error}", case.model);
        }
    }
}

#[test]
fn side_files_are_found_above_the_folder_of_the_network() {
    if library().is_none() {
        return;
    }
    let files = open("ctc").files;
    assert_eq!(files.network, fixture("ctc/onnx/model.onnx"));
    assert_eq!(files.config, Some(fixture("ctc/config.json")));
    assert_eq!(files.vocabulary, Some(fixture("ctc/vocab.json")));
    assert_eq!(files.preprocessor, Some(fixture("ctc/preprocessor_config.json")));
    assert_eq!(open("ctc/onnx/model_quantized.onnx").files.config, files.config);
}

#[test]
fn masks_half_precision_and_the_wanted_output_are_seen_to() {
    if library().is_none() {
        return;
    }
    // These give the samples back, in rows of five, where the mask is all ones.
    for (name, tolerance) in [("masked", 0.0), ("half", 1e-3)] {
        let found = open(name).run(&sound()).unwrap();
        assert_eq!((found.frames, found.width), (1000, 5), "{name}");
        let error = std::iter::zip(&found.values, sound()).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(error <= tolerance, "{name}: {error}");
    }
}

#[test]
fn a_network_for_one_length_takes_that_alone() {
    if library().is_none() {
        return;
    }
    let model = open("fixed");
    assert_eq!(model.fixed_length(), Some(100));
    assert_eq!(model.run(&sound()[..100]).unwrap().frames, 20);
    let error = model.run(&sound()[..99]).unwrap_err().to_string();
    assert!(error.contains("takes 100 samples at a time") && error.contains("these are 99"), "{error}");
}

#[test]
fn sound_that_is_too_short_is_an_error_and_the_next_is_not() {
    if library().is_none() {
        return;
    }
    let model = open("ctc");
    let before = model.run(&sound()).unwrap();
    for samples in [0, 1, 100] {
        let error = model.run(&sound()[..samples]).unwrap_err().to_string();
        assert!(!error.contains('\n'), "{error}");
        println!("{samples} samples: {error}");
    }
    assert_eq!(model.run(&sound()).unwrap(), before);
}

#[test]
fn networks_of_other_kinds_are_refused_with_what_they_are() {
    if library().is_none() {
        return;
    }
    let cases = [
        ("log-mel", "its input input_features (f32 [batch, 80, 3000]) is for features, such as log-mel"),
        ("text", "it has no input of samples; its inputs are input_ids (i64 [batch, tokens])"),
        ("two-inputs", "it wants an input that is not known here: speaker (f32 [batch, 1])"),
        ("batch-of-8", "its input input_values (f32 [8, samples]) takes 8 sounds at once"),
        (
            "integers-out",
            "it has no output of floats [batch, frames, width] or [batch, labels]; its outputs are label",
        ),
    ];
    for (name, expected) in cases {
        let error = open_on(name, "cpu").err().unwrap();
        assert!(matches!(error, Error::Model { .. }), "{name}: {error}");
        let error = error.to_string();
        assert!(error.contains(expected) && error.contains("model.onnx"), "{name}: {error}");
    }
}

#[test]
fn damaged_networks_are_errors_on_every_choice() {
    if library().is_none() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.onnx");
    let sound_file = fs::read(fixture("classifier/model.onnx")).unwrap();
    let cut = &sound_file[..sound_file.len() / 2];
    for bytes in [&b"not a network at all"[..], b"", cut] {
        fs::write(&path, bytes).unwrap();
        for providers in ["cpu", "auto"] {
            let options = OnnxOptions { providers: providers.parse().unwrap(), ..OnnxOptions::default() };
            let error = OnnxModel::open(folder.path(), &options).err().unwrap();
            assert!(matches!(error, Error::Model { .. }), "{error}");
            assert!(!error.to_string().contains('\n'), "{error}");
        }
    }
}

#[test]
fn the_provider_is_the_real_one() {
    if library().is_none() {
        return;
    }
    let model = open_on("ctc", "cpu").unwrap();
    println!("{} ({}) by {}", model.provider(), model.placement(), model.library().display());
    assert_eq!((model.provider(), model.fallback()), ("cpu", None));
    assert_eq!(model.placement().nodes.keys().collect::<Vec<_>>(), ["cpu"]);
    assert!(model.placement().nodes["cpu"] > 50, "{}", model.placement());

    let model = open_on("ctc", "auto").unwrap();
    println!("auto: {} ({:?})", model.provider(), model.fallback());
    assert_eq!(model.fallback().is_some(), model.provider() == "cpu");
}

/// On a machine with the provider, and a library that was built with it, it must be the one that is used.
#[test]
fn a_provider_that_was_named_is_used_or_the_error_says_why_not() {
    if library().is_none() {
        return;
    }
    for provider in Provider::ALL.into_iter().filter(|provider| *provider != Provider::Cpu) {
        match open_on("ctc", provider.name()) {
            Ok(model) => assert_eq!(model.provider(), provider.name()),
            Err(error) => {
                println!("{error}");
                let (error, start) = (error.to_string(), format!("provider {provider}: "));
                assert!(error.starts_with(&start) && !error.contains('\n'), "{error}");
            }
        }
    }
    let both = ProviderChoice::Named(vec![Provider::Cuda, Provider::Cpu]);
    let options = OnnxOptions { providers: both, ..OnnxOptions::default() };
    let cuda_is_there = open_on("ctc", "cuda").is_ok();
    assert_eq!(OnnxModel::open(&fixture("ctc"), &options).is_ok(), cuda_is_there);
}

#[test]
fn runs_at_once_give_what_runs_alone_give() {
    if library().is_none() {
        return;
    }
    for name in ["ctc", "ctc/onnx/model_quantized.onnx"] {
        let model = open(name);
        let lengths = [5000, 2500, 4000, 1234];
        let alone: Vec<_> = lengths.iter().map(|&length| model.run(&sound()[..length]).unwrap()).collect();
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    for _ in 0..20 {
                        for (length, expected) in std::iter::zip(lengths, &alone) {
                            assert_eq!(model.run(&sound()[..length]).unwrap(), *expected, "{name}");
                        }
                    }
                });
            }
        });
        let one_thread = OnnxOptions { threads: 1, ..OnnxOptions::default() };
        let found = OnnxModel::open(&fixture(name), &one_thread).unwrap().run(&sound()).unwrap();
        let error =
            std::iter::zip(&found.values, &alone[0].values).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(error < TOLERANCE, "{name} on one thread: {error}");
    }
}

/// Opens a model with a library, in a process of its own, since a process uses one.
fn open_in_another_process(library: Option<&Path>, variable: Option<&Path>, home: &Path) -> String {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "inner_process", "--nocapture"]).env(INNER, library.unwrap_or(Path::new("")));
    // Neither the user's cache nor the system's libraries; the test's own library may stand in for either.
    command.env("AWAAZ_CACHE", home).env_remove("AWAAZ_MODELS").env_remove("ORT_DYLIB_PATH");
    if let Some(variable) = variable {
        command.env("ORT_DYLIB_PATH", variable);
    }
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{}: {text}{}", output.status, String::from_utf8_lossy(&output.stderr));
    text
}

/// The other half of the tests below: opens a model, and says how that went.
#[test]
fn inner_process() {
    let Some(library) = std::env::var_os(INNER) else { return };
    let library = Some(PathBuf::from(library)).filter(|path| !path.as_os_str().is_empty());
    let options = OnnxOptions { library, ..OnnxOptions::default() };
    for attempt in 1..=2 {
        match OnnxModel::open(&fixture("classifier"), &options) {
            Ok(model) => println!("attempt {attempt}: opened with {}", model.library().display()),
            Err(error @ Error::Library { .. }) => println!("attempt {attempt}: error: {error}"),
            Err(error) => panic!("not an error of the library: {error}"),
        }
    }
}

#[test]
fn a_library_that_cannot_be_used_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        fs::write(&path, bytes).unwrap();
        path
    };
    let mut cases = vec![
        (folder.path().join("none.so"), "none.so: No such file"),
        (folder.path().to_path_buf(), "it is no file"),
        (write("empty.so", b""), "empty.so: cannot be loaded"),
        (write("garbage.so", &[0x55; 10_000]), "garbage.so: cannot be loaded"),
        (write("header.so", b"\x7fELF\x02\x01\x01"), "header.so: cannot be loaded"),
    ];
    if cfg!(target_os = "linux") {
        const BASE: &str = "OrtGetApiBase(void) { return base; }";
        let version = |name: &str, version: &str| build(folder.path(), name, version, BASE);
        let function = |name: &str, function: &str| build(folder.path(), name, "1.99.0", function);
        let old = version("old.so", "1.17.3");
        let cut = write("cut.so", &fs::read(&old).unwrap()[..8192]);
        cases.extend([
            (old, "old.so: it is ONNX Runtime 1.17.3; 1.24 is the oldest of use here"),
            (version("odd.so", "x"), "odd.so: it is ONNX Runtime x; 1.24"),
            (version("bytes.so", "\\xff"), "it does not say which ONNX Runtime it is"),
            (
                version("hollow.so", "1.99.0"),
                "hollow.so: cannot start: it has not the functions of its version",
            ),
            (function("null.so", "OrtGetApiBase(void) { return 0; }"), "null.so: it is not ONNX Runtime"),
            (
                function("other.so", "something_else(void) { return base; }"),
                "other.so: it is not ONNX Runtime",
            ),
            (cut, "cut.so: it is cut short: 8192 of at least "),
        ]);
    }
    for (path, expected) in cases {
        let asked = open_in_another_process(Some(&path), None, folder.path());
        println!("{asked}");
        assert_eq!(asked.matches(expected).count(), 2, "{asked}");
        let named = open_in_another_process(None, Some(&path), folder.path());
        assert_eq!(named.matches(expected).count(), 2, "{named}");
        // It is loaded already where it cannot start.
        let hint = if expected.contains("cannot start") { 0 } else { 2 };
        assert_eq!(named.matches("; ORT_DYLIB_PATH names it").count(), hint, "{named}");
    }
}

/// A shared library that says it is ONNX Runtime of some version, if it is asked by the function.
fn build(folder: &Path, name: &str, version: &str, function: &str) -> PathBuf {
    let source = folder.join("library.c");
    let text = format!(
        "static const char *version(void) {{ return \"{version}\"; }}\n\
         static const void *api(unsigned number) {{ return 0; }}\n\
         static const void *base[] = {{ (void *)api, (void *)version }};\n\
         char ballast[20000] = {{ 1 }};\n\
         const void *{function}\n",
    );
    fs::write(&source, text).unwrap();
    let path = folder.join(name);
    let compiler = Command::new("cc").args(["-shared", "-fPIC", "-o"]).arg(&path).arg(&source).status();
    assert!(compiler.unwrap().success());
    path
}

#[test]
fn without_any_library_the_error_says_how_to_get_one() {
    let folder = tempfile::tempdir().unwrap();
    let text = open_in_another_process(None, None, folder.path());
    // A system may have one.
    if !text.contains("opened with") {
        assert_eq!(text.matches("`awaaz models pull onnxruntime` gets it").count(), 2, "{text}");
        assert_eq!(text.matches("--ort-lib").count(), 2, "{text}");
    }
}

#[test]
fn a_library_cut_short_is_an_error_wherever_it_is_cut() {
    let Some(library) = library().filter(|_| cfg!(target_os = "linux")) else { return };
    let folder = tempfile::tempdir().unwrap();
    let whole = fs::read(&library).unwrap();
    let path = folder.path().join("cut.so");
    for length in [1000, whole.len() / 10, whole.len() / 2, whole.len() - 1] {
        fs::write(&path, &whole[..length]).unwrap();
        let text = open_in_another_process(Some(&path), None, folder.path());
        let expected = format!("cut.so: it is cut short: {length} of at least ");
        assert_eq!(text.matches(&expected).count(), 2, "{text}");
    }
}

#[test]
fn the_library_in_the_cache_is_used_and_a_second_one_refused() {
    let Some(library) = library().filter(|_| cfg!(all(target_os = "linux", target_arch = "x86_64"))) else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let cached = folder.path().join("models/onnxruntime/libonnxruntime.so");
    fs::create_dir_all(cached.parent().unwrap()).unwrap();
    fs::copy(&library, &cached).unwrap();
    let size = cached.metadata().unwrap().len();
    let manifest = format!(
        r#"{{"model": "onnxruntime", "source": "", "files": [{{"name": "libonnxruntime.so", "size": {size}, "sha256": "{}"}}]}}"#,
        "0".repeat(64)
    );
    fs::write(cached.with_file_name("awaaz.json"), manifest).unwrap();
    let text = open_in_another_process(None, None, folder.path());
    assert_eq!(text.matches(&format!("opened with {}", cached.display())).count(), 2, "{text}");

    open("classifier");
    let second = OnnxOptions { library: Some(cached.clone()), ..OnnxOptions::default() };
    let error = OnnxModel::open(&fixture("classifier"), &second).err().unwrap().to_string();
    assert!(error.contains("this process uses") && error.contains("it cannot use two"), "{error}");
    let same = OnnxOptions { library: Some(library), ..OnnxOptions::default() };
    OnnxModel::open(&fixture("classifier"), &same).unwrap();
}
