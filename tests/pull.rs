//! Promise: a model that is pulled is what it should be, or not there at all, whatever the network does.

#![cfg(feature = "hub")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use awaaz::Error;
use awaaz::weights::{self, Network, PullEvent, PullOptions, Registry};

#[path = "support/fake_hub.rs"]
mod fake_hub;
use fake_hub::{COMMIT, FakeHub, Fault, sha256};

/// A weights file of 300 kB, some hundred times what a connection brings at once.
fn weights_file() -> Vec<u8> {
    (0..75_000_u32).flat_map(|i| i.wrapping_mul(2_654_435_761).to_le_bytes()).collect()
}

fn hub() -> FakeHub {
    FakeHub::serving(&[("config.json", b"{}"), ("model.safetensors", &weights_file())])
}

/// A registry with one model; `weights` adds to the entry of its weights file.
fn hub_registry(weights: &str) -> Registry {
    let text = format!(
        r#"
        default = "voice"
        [[model]]
        name = "voice"
        task = "transcribe"
        licence = "MIT"
        [[model.source]]
        kind = "hub"
        repository = "someone/voice"
        revision = "main"
        download_megabytes = 1
        file = [{{ name = "config.json" }}, {{ name = "model.safetensors"{weights} }}]
        "#
    );
    Registry::parse(&text).unwrap()
}

fn options(cache: &Path, endpoint: &str) -> PullOptions {
    let options = PullOptions::from_variables(|_| None, Some(cache.join("home"))).unwrap();
    PullOptions { cache: cache.to_path_buf(), hub_endpoint: endpoint.into(), ..options }
}

fn pull(registry: &Registry, options: &PullOptions) -> awaaz::Result<weights::ModelFiles> {
    weights::pull(registry.find("voice").unwrap(), options)
}

/// Everything below a folder that is no lock, by name.
fn leftovers(folder: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let below = |path: PathBuf| {
        if path.is_dir() {
            leftovers(&path)
        } else {
            vec![path.file_name().unwrap().to_str().unwrap().to_owned()]
        }
    };
    let mut names: Vec<_> = entries.flat_map(|entry| below(entry.unwrap().path())).collect();
    names.retain(|name| !name.ends_with(".lock"));
    names.sort();
    names
}

#[test]
fn a_pull_brings_every_file_from_one_commit_and_a_second_one_brings_nothing() {
    let (hub, cache) = (hub(), tempfile::tempdir().unwrap());
    let options = options(cache.path(), &hub.endpoint);
    let files = pull(&hub_registry(""), &options).unwrap();
    assert_eq!(files.name, "voice");
    assert_eq!(fs::read(&files.weights).unwrap(), weights_file());
    assert_eq!(fs::read(files.config.unwrap()).unwrap(), b"{}");
    assert_eq!(leftovers(cache.path()), ["awaaz.json", "config.json", "model.safetensors"]);
    let requests = hub.log();
    assert_eq!(requests[0].path, "/someone/voice/resolve/main/config.json");
    // The branch may move between two files.
    assert!(requests.iter().any(|r| r.path == format!("/someone/voice/resolve/{COMMIT}/model.safetensors")));

    pull(&hub_registry(""), &options).unwrap();
    assert_eq!(hub.log().len(), requests.len());
}

#[test]
fn a_repository_of_the_hub_is_a_model_by_its_name() {
    let weights_file = weights_file();
    let served: [(&str, &[u8]); 5] = [
        ("README.md", b"read me"),
        ("config.json", b"{}"),
        ("model.safetensors", &weights_file),
        ("pytorch_model.bin", b"the same"),
        ("vocab.json", b"{}"),
    ];
    let (hub, cache) = (FakeHub::serving(&served), tempfile::tempdir().unwrap());
    let options = options(cache.path(), &hub.endpoint);
    let files = weights::resolve("someone/voice", &options).unwrap();
    assert_eq!(fs::read(&files.weights).unwrap(), weights_file);
    assert_eq!(
        leftovers(cache.path()),
        ["awaaz.json", "config.json", "model.safetensors", "vocab.json"],
        "one form of the weights and what describes them"
    );
    let asked = hub.log().len();
    assert_eq!(weights::resolve("someone/voice", &options).unwrap(), files);
    assert_eq!(hub.log().len(), asked, "what is there is not asked for");
    // Another revision is another model.
    weights::resolve("someone/voice@v2", &options).unwrap();
    assert!(hub.log()[asked].path.starts_with("/api/models/someone/voice/revision/v2"));
    for name in ["../voice", "someone/../voice", "someone/.hidden", "a/b/c", "someone/voice@", "nothing"] {
        let error = weights::resolve(name, &options).unwrap_err().to_string();
        assert!(error.contains("no such model or path"), "{name}: {error}");
    }
    let offline = PullOptions { network: Network::Forbidden, ..options };
    let error = weights::resolve("someone/other", &offline).unwrap_err().to_string();
    assert!(error.contains("offline"), "{error}");
}

#[test]
fn a_repository_without_weights_is_named() {
    let (hub, cache) = (FakeHub::serving(&[("config.json", b"{}")]), tempfile::tempdir().unwrap());
    let options = options(cache.path(), &hub.endpoint);
    let error = weights::resolve("someone/voice", &options).unwrap_err().to_string();
    assert!(error.contains("someone/voice has no weights"), "{error}");
    assert_eq!(leftovers(cache.path()), Vec::<String>::new());
}

#[test]
fn the_token_goes_to_the_hub_and_not_to_where_it_redirects() {
    let (hub, cache) = (hub(), tempfile::tempdir().unwrap());
    let options = PullOptions { hub_token: Some("secret".into()), ..options(cache.path(), &hub.endpoint) };
    pull(&hub_registry(""), &options).unwrap();
    for request in hub.log() {
        let expected =
            if request.path.starts_with("/content/") { None } else { Some("Bearer secret".to_owned()) };
        assert_eq!(request.authorization, expected, "{}", request.path);
    }
}

#[test]
fn a_broken_connection_is_taken_up_where_it_broke() {
    let (hub, cache) = (hub(), tempfile::tempdir().unwrap());
    hub.then([Fault::CutAfter(100_000), Fault::CutAfter(50_000)]);
    let files = pull(&hub_registry(""), &options(cache.path(), &hub.endpoint)).unwrap();
    assert_eq!(fs::read(files.weights).unwrap(), weights_file());
    assert_eq!(hub.ranges(), [None, Some(100_000), Some(150_000)]);
}

#[test]
fn the_next_pull_goes_on_where_the_last_one_gave_up() {
    let (hub, cache) = (hub(), tempfile::tempdir().unwrap());
    let options = options(cache.path(), &hub.endpoint);
    hub.then([Fault::CutAfter(100_000), Fault::Status(503), Fault::Status(503), Fault::Status(503)]);
    let error = pull(&hub_registry(""), &options).unwrap_err();
    assert!(error.to_string().contains("HTTP status 503"), "{error}");
    assert!(weights::find(hub_registry("").find("voice").unwrap(), &options).is_none());

    let files = pull(&hub_registry(""), &options).unwrap();
    assert_eq!(fs::read(files.weights).unwrap(), weights_file());
    assert_eq!(hub.ranges().last(), Some(&Some(100_000)));
    assert_eq!(leftovers(cache.path()), ["awaaz.json", "config.json", "model.safetensors"]);
}

#[test]
fn a_server_without_ranges_is_heard_from_the_beginning() {
    let (hub, cache) = (hub(), tempfile::tempdir().unwrap());
    hub.then([Fault::CutAfter(100_000), Fault::IgnoreRange]);
    let files = pull(&hub_registry(""), &options(cache.path(), &hub.endpoint)).unwrap();
    assert_eq!(fs::read(files.weights).unwrap(), weights_file());
}

#[test]
fn bytes_that_the_hub_did_not_announce_are_an_error_and_removed() {
    let (hub, cache) = (hub(), tempfile::tempdir().unwrap());
    hub.then([Fault::WrongBytes]);
    let error = pull(&hub_registry(""), &options(cache.path(), &hub.endpoint)).unwrap_err();
    assert!(matches!(&error, Error::Pull { model, .. } if model == "voice"));
    assert!(error.to_string().contains("model.safetensors: sha-256 is"), "{error}");
    assert_eq!(leftovers(cache.path()), ["config.json"], "only the good file may stay for the next pull");
}

#[test]
fn a_pinned_digest_counts_more_than_what_the_hub_announces() {
    let (hub, cache) = (hub(), tempfile::tempdir().unwrap());
    let options = options(cache.path(), &hub.endpoint);
    let pinned = |digest: &str| hub_registry(&format!(r#", sha256 = "{digest}""#));
    let error = pull(&pinned(&sha256(b"something else")), &options).unwrap_err();
    assert!(error.to_string().contains(&format!("expected {}", sha256(b"something else"))), "{error}");
    pull(&pinned(&sha256(&weights_file())), &options).unwrap();
}

#[test]
fn a_file_that_the_hub_does_not_have_is_named() {
    let hub = FakeHub::serving(&[("model.safetensors", &weights_file())]);
    let cache = tempfile::tempdir().unwrap();
    let error = pull(&hub_registry(""), &options(cache.path(), &hub.endpoint)).unwrap_err();
    assert!(error.to_string().contains("/resolve/main/config.json: not found"), "{error}");
}

#[test]
fn a_hub_that_stumbles_is_asked_again_and_one_that_refuses_is_not() {
    let (hub, cache) = (hub(), tempfile::tempdir().unwrap());
    let options = options(cache.path(), &hub.endpoint);
    hub.refuses([401]);
    let error = pull(&hub_registry(""), &options).unwrap_err();
    assert!(error.to_string().contains("access denied; set HF_TOKEN"), "{error}");
    assert_eq!(hub.log().len(), 1);
    hub.refuses([500, 429]);
    pull(&hub_registry(""), &options).unwrap();
}

#[test]
fn a_hub_that_nobody_answers_for_is_given_up_at_once() {
    let cache = tempfile::tempdir().unwrap();
    let start = Instant::now();
    // Port 9, discard: nothing listens there.
    let error = pull(&hub_registry(""), &options(cache.path(), "http://127.0.0.1:9")).unwrap_err();
    assert!(start.elapsed() < Duration::from_secs(6));
    assert!(error.to_string().contains("hub repository someone/voice"), "{error}");
}

#[test]
fn offline_nothing_is_asked_for_and_what_is_there_is_used() {
    let (hub, cache) = (hub(), tempfile::tempdir().unwrap());
    let online = options(cache.path(), &hub.endpoint);
    let offline = PullOptions { network: Network::Forbidden, ..online.clone() };
    let error = pull(&hub_registry(""), &offline).unwrap_err();
    assert!(error.to_string().contains("offline; run `awaaz models pull voice` online"), "{error}");
    assert_eq!(hub.log(), []);
    let files = pull(&hub_registry(""), &online).unwrap();
    assert_eq!(pull(&hub_registry(""), &offline).unwrap(), files);
}

#[test]
fn the_environment_decides_where_and_whether() {
    let from = |variables: &[(&str, &str)]| {
        let find = |name: &str| variables.iter().find(|(n, _)| *n == name).map(|(_, value)| (*value).into());
        PullOptions::from_variables(find, Some("/home/someone".into())).unwrap()
    };
    let plain = from(&[]);
    assert_eq!(plain.cache, Path::new("/home/someone/.cache/awaaz"));
    assert_eq!(plain.hub_cache.unwrap(), Path::new("/home/someone/.cache/huggingface/hub"));
    assert_eq!((plain.hub_endpoint.as_str(), plain.network), ("https://huggingface.co", Network::Allowed));
    assert_eq!(from(&[("XDG_CACHE_HOME", "/caches")]).cache, Path::new("/caches/awaaz"));
    assert_eq!(
        from(&[("AWAAZ_CACHE", "/models"), ("XDG_CACHE_HOME", "/caches")]).cache,
        Path::new("/models")
    );
    assert_eq!(from(&[("HF_HOME", "/hf")]).hub_cache.unwrap(), Path::new("/hf/hub"));
    for name in ["AWAAZ_OFFLINE", "HF_HUB_OFFLINE"] {
        assert_eq!(from(&[(name, "1")]).network, Network::Forbidden);
        assert_eq!(from(&[(name, "0")]).network, Network::Allowed);
    }
    assert!(PullOptions::from_variables(|_| None, None).is_err());
}

#[test]
fn what_the_hugging_face_libraries_have_pulled_is_used() {
    let (hub, cache) = (hub(), tempfile::tempdir().unwrap());
    let hub_cache = cache.path().join("hf");
    let repository = hub_cache.join("models--someone--voice");
    let snapshot = repository.join("snapshots").join(COMMIT);
    fs::create_dir_all(&snapshot).unwrap();
    fs::create_dir_all(repository.join("refs")).unwrap();
    fs::write(repository.join("refs/main"), COMMIT).unwrap();
    fs::write(snapshot.join("model.safetensors"), weights_file()).unwrap();
    let options = PullOptions { hub_cache: Some(hub_cache), ..options(cache.path(), &hub.endpoint) };
    let registry = hub_registry("");
    assert!(
        weights::find(registry.find("voice").unwrap(), &options).is_none(),
        "config.json is not there yet"
    );
    fs::write(snapshot.join("config.json"), "{}").unwrap();
    assert_eq!(pull(&registry, &options).unwrap().folder, snapshot);
    assert_eq!(hub.log(), []);
}

#[test]
fn a_folder_of_models_is_used() {
    let cache = tempfile::tempdir().unwrap();
    let shared = cache.path().join("shared");
    fs::create_dir_all(shared.join("voice")).unwrap();
    fs::write(shared.join("voice/model.safetensors"), weights_file()).unwrap();
    let options =
        PullOptions { folders: vec![shared.clone()], ..options(cache.path(), "http://127.0.0.1:9") };
    assert_eq!(pull(&hub_registry(""), &options).unwrap().folder, shared.join("voice"));
}

#[test]
fn a_damaged_file_is_found_and_the_next_pull_replaces_it() {
    let (hub, cache) = (hub(), tempfile::tempdir().unwrap());
    let options = options(cache.path(), &hub.endpoint);
    let registry = hub_registry("");
    let faults = || weights::verify(registry.find("voice").unwrap(), &options);
    assert_eq!(faults(), None);
    let files = pull(&registry, &options).unwrap();
    assert_eq!(faults(), Some(vec![]));
    let mut bytes = weights_file();
    bytes[77] ^= 1;
    fs::write(&files.weights, bytes).unwrap();
    let found = faults().unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].file, "model.safetensors");
    assert_eq!(pull(&registry, &options).unwrap(), files);
    assert_eq!(faults(), Some(vec![]));
}

#[test]
fn a_stop_ends_the_pull_and_keeps_what_has_come() {
    let (hub, cache) = (hub(), tempfile::tempdir().unwrap());
    let mut options = options(cache.path(), &hub.endpoint);
    let stop = options.stop.clone();
    options.listener = Arc::new(move |event| {
        if matches!(event, PullEvent::Bytes { done } if *done > 100_000) {
            stop.store(true, Ordering::Relaxed);
        }
    });
    assert!(matches!(pull(&hub_registry(""), &options), Err(Error::Interrupted)));
    options.stop.store(false, Ordering::Relaxed);
    options.listener = Arc::new(|_| {});
    pull(&hub_registry(""), &options).unwrap();
    assert!(hub.ranges()[1].is_some_and(|start| start > 100_000), "{:?}", hub.ranges());
}

#[test]
fn threads_that_pull_at_once_pull_once() {
    let (hub, cache) = (hub(), tempfile::tempdir().unwrap());
    let options = options(cache.path(), &hub.endpoint);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| pull(&hub_registry(""), &options).unwrap());
        }
    });
    assert_eq!(hub.ranges(), [None]);
}

const CACHE_OF_OTHER_PROCESS: &str = "AWAAZ_TEST_PULL_CACHE";
const HUB_OF_OTHER_PROCESS: &str = "AWAAZ_TEST_PULL_HUB";

/// Not a promise of its own: what the processes of the next test do.
#[test]
fn other_process() {
    let (Some(cache), Ok(endpoint)) =
        (std::env::var_os(CACHE_OF_OTHER_PROCESS), std::env::var(HUB_OF_OTHER_PROCESS))
    else {
        return;
    };
    let files = pull(&hub_registry(""), &options(Path::new(&cache), &endpoint)).unwrap();
    assert_eq!(fs::read(files.weights).unwrap(), weights_file());
}

#[test]
fn processes_that_pull_at_once_pull_once() {
    let (hub, cache) = (hub(), tempfile::tempdir().unwrap());
    let start = || {
        Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "other_process"])
            .env(CACHE_OF_OTHER_PROCESS, cache.path())
            .env(HUB_OF_OTHER_PROCESS, &hub.endpoint)
            .spawn()
            .unwrap()
    };
    let processes = [start(), start(), start()];
    for mut process in processes {
        assert!(process.wait().unwrap().success());
    }
    assert_eq!(hub.ranges(), [None]);
}

/// The package source, with a script in the place of Python that hands out wheels made here.
#[cfg(unix)]
mod package {
    use super::*;
    use std::io::Write;
    use std::os::unix::fs::PermissionsExt;

    /// A registry with one model, in two packages, and from the hub.
    fn registry(digest: &str) -> Registry {
        let text = format!(
            r#"
            default = "voice"
            [[model]]
            name = "voice"
            task = "transcribe"
            licence = "MIT"
            [[model.source]]
            kind = "package"
            packages = ["voice-1==1.0", "voice-2==1.0"]
            download_megabytes = 1
            [[model.source.file]]
            name = "model.bin"
            size = 300000
            sha256 = "{digest}"
            parts = ["voice_1/part1", "voice_2/part2"]
            [[model.source]]
            kind = "hub"
            repository = "someone/voice"
            revision = "main"
            download_megabytes = 1
            file = [{{ name = "config.json" }}, {{ name = "model.safetensors" }}]
            "#
        );
        Registry::parse(&text).unwrap()
    }

    fn write_wheel(path: PathBuf, member: &str, bytes: &[u8]) {
        let mut wheel = zip::ZipWriter::new(fs::File::create(path).unwrap());
        wheel.start_file(member, zip::write::SimpleFileOptions::default()).unwrap();
        wheel.write_all(bytes).unwrap();
        wheel.finish().unwrap();
    }

    /// A folder with a script as `python3` and two wheels beside it, of which each has a part.
    fn python(folder: &Path, script: &str) -> PathBuf {
        let weights = weights_file();
        write_wheel(folder.join("voice_1-1.0-py3-none-any.whl"), "voice_1/part1", &weights[..200_000]);
        write_wheel(folder.join("voice_2-1.0-py3-none-any.whl"), "voice_2/part2", &weights[200_000..]);
        let python = folder.join("python3");
        fs::write(&python, format!("#!/bin/sh\ncd {}\n{script}\n", folder.display())).unwrap();
        fs::set_permissions(&python, fs::Permissions::from_mode(0o755)).unwrap();
        python
    }

    /// Copies the wheels to where pip is told to (`--dest DIR` is followed by the two requirements), if
    /// it is called as it should be.
    const PIP: &str = r#"
        echo "$@" > called
        while [ "$1" != --dest ]; do shift; done
        cp *.whl "$2""#;

    #[test]
    fn parts_from_several_packages_become_one_verified_file() {
        let cache = tempfile::tempdir().unwrap();
        let python = python(cache.path(), PIP);
        let options = PullOptions { python, ..options(&cache.path().join("c"), "http://127.0.0.1:9") };
        let files = pull(&registry(&sha256(&weights_file())), &options).unwrap();
        assert_eq!(fs::read(files.weights).unwrap(), weights_file());
        assert_eq!(leftovers(&options.cache), ["awaaz.json", "model.bin"]);
        let called = fs::read_to_string(cache.path().join("called")).unwrap();
        assert!(called.starts_with("-m pip download --no-deps --only-binary=:all:"), "{called}");
        assert!(called.trim_end().ends_with("voice-1==1.0 voice-2==1.0"), "{called}");
    }

    /// A registry with a library in two packages, for one platform.
    fn library(platform: &str) -> Registry {
        let text = format!(
            r#"
            default = "voice"
            [[model]]
            name = "voice"
            task = "library"
            licence = "MIT"
            [[model.source]]
            kind = "package"
            packages = ["voice-1==1.0", "voice-2==1.0"]
            platform = "{platform}"
            download_megabytes = 1
            [[model.source.file]]
            name = "libvoice.so"
            size = 300000
            sha256 = "{}"
            parts = ["voice_1/part1", "voice_2/part2"]
            "#,
            sha256(&weights_file())
        );
        Registry::parse(&text).unwrap()
    }

    #[test]
    fn a_library_is_pulled_like_a_model_and_found_again() {
        let cache = tempfile::tempdir().unwrap();
        let python = python(cache.path(), PIP);
        let options = PullOptions { python, ..options(&cache.path().join("c"), "http://127.0.0.1:9") };
        let registry = library(&format!("{}-{}", std::env::consts::OS, std::env::consts::ARCH));
        let files = pull(&registry, &options).unwrap();
        assert_eq!(files.kind, weights::ModelKind::Library);
        assert_eq!(files.weights, options.cache.join("models/voice/libvoice.so"));
        assert_eq!(fs::read(&files.weights).unwrap(), weights_file());
        let entry = registry.find("voice").unwrap();
        assert_eq!(weights::find(entry, &options), Some(files.clone()));
        fs::write(files.weights, &weights_file()[1..]).unwrap();
        assert_eq!(weights::find(entry, &options), None);
    }

    #[test]
    fn files_for_another_platform_are_not_fetched() {
        let cache = tempfile::tempdir().unwrap();
        let python = python(cache.path(), PIP);
        let options = PullOptions { python, ..options(&cache.path().join("c"), "http://127.0.0.1:9") };
        let error = pull(&library("pdp-11"), &options).unwrap_err().to_string();
        assert!(error.contains("its files are for pdp-11, and this machine is "), "{error}");
        assert!(!cache.path().join("called").exists());
    }

    #[test]
    fn a_wrong_digest_is_an_error_that_no_other_source_hides() {
        let (hub, cache) = (hub(), tempfile::tempdir().unwrap());
        let python = python(cache.path(), PIP);
        let options = PullOptions { python, ..options(&cache.path().join("c"), &hub.endpoint) };
        let error = pull(&registry(&sha256(b"something else")), &options).unwrap_err();
        assert!(error.to_string().contains("model.bin: sha-256 is"), "{error}");
        assert_eq!(leftovers(&options.cache), Vec::<String>::new());
        assert_eq!(hub.log(), []);
    }

    #[test]
    fn where_packages_are_not_to_be_had_the_next_source_is_tried_and_the_user_told() {
        let (hub, cache) = (hub(), tempfile::tempdir().unwrap());
        let python = python(cache.path(), "echo 'ERROR: No matching distribution' >&2; exit 1");
        let said = Arc::new(Mutex::new(Vec::new()));
        let listener = {
            let said = said.clone();
            move |event: &PullEvent| match event {
                PullEvent::Failed { reason, .. } => said.lock().unwrap().push((*reason).to_owned()),
                PullEvent::Done { source, .. } => said.lock().unwrap().push(source.to_string()),
                _ => {}
            }
        };
        let options = PullOptions {
            python,
            listener: Arc::new(listener),
            ..options(&cache.path().join("c"), &hub.endpoint)
        };
        let files = pull(&registry(&sha256(b"")), &options).unwrap();
        assert_eq!(fs::read(files.weights).unwrap(), weights_file());
        let said = said.lock().unwrap();
        assert!(said[0].ends_with("ERROR: No matching distribution"), "{said:?}");
        assert_eq!(said[1], "hub repository someone/voice");
    }

    #[test]
    fn without_python_or_network_the_error_has_every_reason() {
        let cache = tempfile::tempdir().unwrap();
        let python = cache.path().join("no-such-python");
        let options = PullOptions { python, ..options(cache.path(), "http://127.0.0.1:9") };
        let error = pull(&registry(&sha256(b"")), &options).unwrap_err().to_string();
        assert!(error.contains("no-such-python was not found; install Python 3 with pip"), "{error}");
        assert!(error.contains("hub repository someone/voice: http://127.0.0.1:9"), "{error}");
    }

    #[test]
    fn a_package_without_the_member_is_named() {
        let cache = tempfile::tempdir().unwrap();
        let python = python(cache.path(), &PIP.replace("*.whl", "voice_1*.whl"));
        let options = PullOptions { python, ..options(&cache.path().join("c"), "http://127.0.0.1:9") };
        let error = pull(&registry(&sha256(b"")), &options).unwrap_err().to_string();
        assert!(error.contains("no package has the member voice_2/part2"), "{error}");
    }
}

#[test]
fn the_builtin_registry_is_consistent() {
    let registry = Registry::builtin();
    let names: Vec<_> = registry.models.iter().map(|entry| entry.name.as_str()).collect();
    assert_eq!(
        names,
        ["tiny", "tiny.en", "base", "small", "medium", "large-v3", "large-v3-turbo", "ge2e", "onnxruntime"]
    );
    assert_eq!(registry.default, "base");
    assert_eq!(registry.find("openai/whisper-large-v3").unwrap().name, "large-v3");
    for entry in registry.models.iter().filter(|entry| entry.task == weights::Task::Transcribe) {
        let hub = entry.sources.iter().find_map(|source| match source {
            weights::Source::Hub(hub) => Some(hub),
            weights::Source::Package(_) => None,
        });
        let files: Vec<_> = hub.unwrap().files.iter().map(|file| file.name.as_str()).collect();
        assert_eq!(files, ["config.json", "generation_config.json", "tokenizer.json", "model.safetensors"]);
        assert!(entry.download_megabytes() > 50, "{}", entry.name);
    }
}

#[test]
fn a_library_is_no_model() {
    let options = PullOptions { network: Network::Forbidden, ..PullOptions::from_env().unwrap() };
    let error = weights::resolve("onnxruntime", &options).unwrap_err().to_string();
    assert_eq!(error, "model onnxruntime: it is a library that runs models, not a model");
    let error = weights::resolve("no-such-model", &options).unwrap_err().to_string();
    assert!(error.contains("the models are tiny, ") && !error.contains("onnxruntime"), "{error}");
}

#[test]
fn a_registry_that_leads_out_of_the_cache_or_names_twice_is_refused() {
    let with_name = |name: &str| {
        let entry =
            format!("[[model]]\nname = {name:?}\ntask = \"transcribe\"\nlicence = \"MIT\"\nsource = []\n");
        Registry::parse(&format!("default = {name:?}\n{entry}"))
    };
    assert!(with_name("voice").is_ok());
    for name in ["../voice", "/voice", "a/b", "..", ".voice", ""] {
        assert!(with_name(name).is_err(), "{name}");
    }
    let twice = "[[model]]\nname = \"a\"\ntask = \"transcribe\"\nlicence = \"MIT\"\nsource = []\n".repeat(2);
    let error = Registry::parse(&format!("default = \"a\"\n{twice}")).unwrap_err();
    assert_eq!(error.to_string(), "model registry: the name a is there twice");
}
