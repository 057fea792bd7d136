//! The user's cache: one folder a model, complete or not there at all.
//!
//! ```text
//! models/base/             the files, and awaaz.json: where they came from, their sizes and digests
//! models/.base.partial/    a pull under way or broken off
//! models/.base.lock        held by the process that pulls
//! ```
//!
//! A folder gets its final name by one rename, after every file in it has been verified, so whoever
//! sees it may use it without a lock.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::digest::Sha256;
use super::pull::{PullEvent, PullOptions};
use crate::{Error, Result};

const MANIFEST: &str = "awaaz.json";
const LOCK_POLL: Duration = Duration::from_millis(100);

/// The place of one model in the cache.
pub(super) struct Place {
    model: String,
    models: PathBuf,
}

impl Place {
    pub(super) fn new(cache: &Path, model: &str) -> Self {
        Self { model: model.to_owned(), models: cache.join("models") }
    }

    /// Where the model is, or would be.
    pub(super) fn folder(&self) -> PathBuf {
        self.models.join(&self.model)
    }

    /// Where a pull from the source of that kind gathers its files. It outlives the process, so that
    /// the next pull can go on.
    pub(super) fn staging(&self, kind: &str) -> Result<PathBuf> {
        let staging = self.partial().join(kind);
        fs::create_dir_all(&staging).map_err(|e| Error::io(&staging, e))?;
        Ok(staging)
    }

    fn partial(&self) -> PathBuf {
        self.models.join(format!(".{}.partial", self.model))
    }

    /// What was pulled, whatever has become of it since.
    pub(super) fn manifest(&self) -> Option<Manifest> {
        Manifest::load(&self.folder())
    }

    /// The manifest of a complete model: every file is there in its full length.
    pub(super) fn complete(&self) -> Option<Manifest> {
        let folder = self.folder();
        let manifest = self.manifest()?;
        let is_whole = |file: &FileRecord| {
            fs::metadata(folder.join(&file.name)).is_ok_and(|found| found.len() == file.size)
        };
        manifest.files.iter().all(is_whole).then_some(manifest)
    }

    /// Waits until no other process or thread pulls this model. The lock ends with the returned file,
    /// also when the process is killed.
    pub(super) fn lock(&self, options: &PullOptions) -> Result<File> {
        fs::create_dir_all(&self.models).map_err(|e| Error::io(&self.models, e))?;
        let path = self.models.join(format!(".{}.lock", self.model));
        let file = File::create(&path).map_err(|e| Error::io(&path, e))?;
        let mut announced = false;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(file),
                Err(TryLockError::Error(e)) => return Err(Error::io(&path, e)),
                Err(TryLockError::WouldBlock) => {}
            }
            if !announced {
                options.report(&PullEvent::Waiting { model: &self.model });
                announced = true;
            }
            options.check_stop()?;
            std::thread::sleep(LOCK_POLL);
        }
    }

    /// Makes a staged folder the model's own. Needs the lock.
    pub(super) fn install(&self, staging: &Path, manifest: &Manifest) -> Result<()> {
        keep_only(staging, manifest)?;
        manifest.save(staging)?;
        let folder = self.folder();
        if folder.exists() {
            let old = self.partial().join("old");
            remove_folder(&old)?;
            fs::rename(&folder, &old).map_err(|e| Error::io(&folder, e))?;
        }
        fs::rename(staging, &folder).map_err(|e| Error::io(&folder, e))?;
        remove_folder(&self.partial())
    }
}

/// Clears a staged folder of what earlier pulls, of other versions, left in it.
fn keep_only(staging: &Path, manifest: &Manifest) -> Result<()> {
    let entries = fs::read_dir(staging).map_err(|e| Error::io(staging, e))?;
    for path in entries.flatten().map(|entry| entry.path()) {
        if manifest.files.iter().any(|file| staging.join(&file.name) == path) {
            continue;
        }
        if path.is_dir() {
            remove_folder(&path)?;
        } else {
            fs::remove_file(&path).map_err(|e| Error::io(&path, e))?;
        }
    }
    Ok(())
}

fn remove_folder(folder: &Path) -> Result<()> {
    match fs::remove_dir_all(folder) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(Error::io(folder, e)),
        _ => Ok(()),
    }
}

/// What was pulled, from where.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Manifest {
    pub(super) model: String,
    pub(super) source: String,
    pub(super) files: Vec<FileRecord>,
}

/// One file as it was when it was pulled.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct FileRecord {
    pub(super) name: String,
    pub(super) size: u64,
    pub(super) sha256: Sha256,
}

impl Manifest {
    fn load(folder: &Path) -> Option<Self> {
        serde_json::from_slice(&fs::read(folder.join(MANIFEST)).ok()?).ok()
    }

    fn save(&self, folder: &Path) -> Result<()> {
        let path = folder.join(MANIFEST);
        let text = serde_json::to_string_pretty(self).map_err(|e| Error::io(&path, e.into()))?;
        fs::write(&path, text).map_err(|e| Error::io(&path, e))
    }

    /// The names of the files that are not what was pulled, each with what is wrong.
    pub(super) fn faults(&self, folder: &Path) -> Vec<Fault> {
        let fault = |file: &FileRecord| {
            let reason = match Sha256::of_file(&folder.join(&file.name)) {
                Ok(found) if found == file.sha256 => return None,
                Ok(found) => format!("sha-256 is {found}, expected {}", file.sha256),
                Err(Error::Io { source, .. }) => source.to_string(),
                Err(error) => error.to_string(),
            };
            Some(Fault { file: file.name.clone(), reason })
        };
        self.files.iter().filter_map(fault).collect()
    }
}

/// A file that is not what was pulled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The file's name in the model's folder.
    pub file: String,
    /// What is wrong with it.
    pub reason: String,
}
