//! The files of one model on this machine.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use super::registry::{Entry, Source, Task};
use super::{checkpoint, pytorch};
use crate::{Error, Result};

/// Where the files of a model are. Only the weights are sure to be there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelFiles {
    /// The registry name, or the path that the user gave.
    pub name: String,
    /// The folder that the files are in.
    pub folder: PathBuf,
    /// What [`Checkpoint::open`](super::Checkpoint::open) takes; the shared library where it is no model.
    pub weights: PathBuf,
    /// Whose conventions the side files follow.
    pub kind: ModelKind,
    /// `config.json`: in a Hugging Face folder the network's dimensions, in a CTranslate2 folder only
    /// the alignment heads and the special tokens.
    pub config: Option<PathBuf>,
    /// `generation_config.json`, in Hugging Face folders.
    pub generation_config: Option<PathBuf>,
    /// `tokenizer.json`, of the Hugging Face tokenizers library.
    pub tokenizer: Option<PathBuf>,
    /// `vocabulary.json` (a list of tokens) or `vocabulary.txt` (one a line), in CTranslate2 folders.
    pub vocabulary: Option<PathBuf>,
}

/// Whose conventions a model's files follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ModelKind {
    /// Hugging Face transformers: safetensors or PyTorch.
    HuggingFace,
    /// CTranslate2: `model.bin`.
    CTranslate2,
    /// No model: a shared library.
    Library,
}

impl ModelFiles {
    /// The model in a folder, or in the folder of a weights file.
    ///
    /// # Errors
    /// [`Error::Model`] if there is nothing at `path`, or no weights in the folder.
    pub fn at(path: &Path) -> Result<Self> {
        let name = path.display().to_string();
        if !path.exists() {
            return Err(Error::model(name, "there is no such file or folder"));
        }
        let weights = if path.is_dir() { checkpoint::find(path)? } else { path.to_path_buf() };
        let folder = weights.parent().unwrap_or(Path::new("")).to_path_buf();
        let kind = if is_ctranslate2(&weights) { ModelKind::CTranslate2 } else { ModelKind::HuggingFace };
        let side_file = |name: &str| Some(folder.join(name)).filter(|path| path.is_file());
        Ok(Self {
            config: side_file("config.json"),
            generation_config: side_file("generation_config.json"),
            tokenizer: side_file("tokenizer.json"),
            vocabulary: side_file("vocabulary.json").or_else(|| side_file("vocabulary.txt")),
            name,
            folder,
            weights,
            kind,
        })
    }

    /// The files of a registry's entry, in a folder that they were pulled or put into.
    ///
    /// # Errors
    /// As [`at`](Self::at).
    pub(super) fn of(entry: &Entry, folder: &Path) -> Result<Self> {
        if entry.task != Task::Library {
            return Ok(Self { name: entry.name.clone(), ..Self::at(folder)? });
        }
        let mut paths = entry.sources.iter().flat_map(Source::file_names).map(|name| folder.join(name));
        let library = paths.find(|path| path.is_file());
        let library = library.ok_or_else(|| Error::model(&entry.name, "its folder has no library"))?;
        Ok(Self {
            name: entry.name.clone(),
            folder: folder.to_path_buf(),
            weights: library,
            kind: ModelKind::Library,
            config: None,
            generation_config: None,
            tokenizer: None,
            vocabulary: None,
        })
    }
}

/// PyTorch's files end in `.bin` too, so the first bytes tell, where there are any.
fn is_ctranslate2(weights: &Path) -> bool {
    let mut head = [0; 16];
    let read = File::open(weights).and_then(|mut file| file.read_exact(&mut head));
    weights.extension().is_some_and(|extension| extension == "bin")
        && (read.is_err() || !pytorch::recognises(&head))
}
