//! The files of one model on this machine.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use super::registry::{Entry, Source, Task};
use super::{Checkpoint, OnnxFiles, checkpoint, pytorch};
use crate::{Error, Result};

/// Where the files of a model are. Only the weights are sure to be there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelFiles {
    /// The registry name, or the path that the user gave.
    pub name: String,
    /// The folder that the files are in.
    pub folder: PathBuf,
    /// What [`Checkpoint::open`](super::Checkpoint::open) takes; the network of an ONNX export; the shared library where
    /// it is no model.
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
    /// The adapter for the language that is to be heard, where it was pulled by itself.
    pub adapter: Option<PathBuf>,
    /// The folder where weights that were packed for kernels are kept from one start to the next; none keeps none.
    pub packs: Option<PathBuf>,
}

/// Whose conventions a model's files follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ModelKind {
    /// Hugging Face transformers: safetensors or PyTorch.
    HuggingFace,
    /// CTranslate2: `model.bin`.
    CTranslate2,
    /// An ONNX export, with the side files of Hugging Face transformers.
    Onnx,
    /// No model: a shared library.
    Library,
}

impl ModelFiles {
    /// The model in a folder, or in the folder of a weights file. An ONNX export in a folder counts where there are no
    /// other weights.
    ///
    /// # Errors
    /// [`Error::Model`] if there is nothing at `path`, or no weights in the folder.
    pub fn at(path: &Path) -> Result<Self> {
        let name = path.display().to_string();
        if !path.exists() {
            return Err(Error::model(name, "there is no such file or folder"));
        }
        let weights = match path.is_dir() {
            true => checkpoint::find(path).or_else(|error| OnnxFiles::network_in(path).ok_or(error))?,
            false => path.to_path_buf(),
        };
        if weights.extension().is_some_and(|extension| extension == "onnx") {
            return Self::of_export(name, weights);
        }
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
            adapter: None,
            packs: None,
        })
    }

    /// Those of an ONNX export; the folder is that of the side files.
    fn of_export(name: String, network: PathBuf) -> Result<Self> {
        let files = OnnxFiles::at(&network)?;
        let side = files.config.as_deref().or(files.vocabulary.as_deref()).unwrap_or(&network);
        Ok(Self {
            name,
            folder: side.parent().unwrap_or(Path::new("")).to_path_buf(),
            weights: network,
            kind: ModelKind::Onnx,
            config: files.config,
            generation_config: None,
            tokenizer: None,
            vocabulary: None,
            adapter: None,
            packs: None,
        })
    }

    /// Opens the weights, to be packed as [`packs`](Self::packs) says.
    ///
    /// # Errors
    /// Those of [`Checkpoint::open`].
    pub fn checkpoint(&self) -> Result<Checkpoint> {
        Ok(Checkpoint::open(&self.weights)?.with_packs_in(self.packs.clone()))
    }

    /// The same model in int8, where it is an ONNX export that was made in both.
    pub fn in_int8(self) -> Self {
        match OnnxFiles::quantised(&self.weights).filter(|_| self.kind == ModelKind::Onnx) {
            Some(weights) => Self { weights, ..self },
            None => self,
        }
    }

    /// The files of a registry's entry, in a folder that they were pulled or put into.
    ///
    /// # Errors
    /// As [`at`](Self::at).
    pub(super) fn of(entry: &Entry, folder: &Path) -> Result<Self> {
        let kind = match entry.task {
            Task::Library => ModelKind::Library,
            Task::Adapter => ModelKind::HuggingFace,
            Task::Transcribe | Task::Speaker => {
                return Ok(Self { name: entry.name.clone(), ..Self::at(folder)? });
            }
        };
        let mut paths = entry.sources.iter().flat_map(Source::file_names).map(|name| folder.join(name));
        let only = paths.find(|path| path.is_file());
        let only = only.ok_or_else(|| Error::model(&entry.name, "its folder has not the file"))?;
        Ok(Self {
            name: entry.name.clone(),
            folder: folder.to_path_buf(),
            weights: only,
            kind,
            config: None,
            generation_config: None,
            tokenizer: None,
            vocabulary: None,
            adapter: None,
            packs: None,
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn exports_are_found_where_there_are_no_other_weights() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let write = |name: &str| fs::write(path(name), []).unwrap();
        fs::create_dir(path("onnx")).unwrap();
        ["config.json", "onnx/model.onnx", "onnx/model_int8.onnx"].into_iter().for_each(write);

        let files = ModelFiles::at(folder.path()).unwrap();
        assert_eq!((files.kind, &files.weights), (ModelKind::Onnx, &path("onnx/model.onnx")));
        assert_eq!((&files.folder, &files.config), (&folder.path().into(), &Some(path("config.json"))));
        assert_eq!(files.in_int8().weights, path("onnx/model_int8.onnx"));

        write("model.safetensors");
        let files = ModelFiles::at(folder.path()).unwrap();
        assert_eq!((files.kind, &files.weights), (ModelKind::HuggingFace, &path("model.safetensors")));
        assert_eq!(files.in_int8().weights, path("model.safetensors"));
        let named = ModelFiles::at(&path("onnx/model.onnx")).unwrap();
        assert_eq!((named.kind, named.folder), (ModelKind::Onnx, folder.path().into()));
    }
}
