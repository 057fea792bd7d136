//! A checkpoint: the tensors of a network by name, whatever the file format.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::storage::Storage;
use super::tensor::{ReadError, Slot, Weight};
use super::{ctranslate2, safetensors, whisper_names};
use crate::{Error, Result};

/// Weights files looked for in a folder, in this order.
const WEIGHTS: [&str; 3] = ["model.safetensors", SHARD_INDEX, "model.bin"];
const SHARD_INDEX: &str = "model.safetensors.index.json";

/// Opened weights. Tensors have the names of Hugging Face transformers, also where the file is
/// CTranslate2's, and are read one at a time: none stays in memory but those that the caller keeps.
///
/// ```no_run
/// # fn main() -> awaaz::Result<()> {
/// let checkpoint = awaaz::weights::Checkpoint::open("whisper-base/model.bin".as_ref())?;
/// let bias = checkpoint.tensor("model.encoder.conv1.bias", &[512])?.into_f32();
/// # Ok(())
/// # }
/// ```
pub struct Checkpoint {
    path: PathBuf,
    files: Vec<Storage>,
    index: Index,
}

/// What a checkpoint holds, and where.
#[derive(Default)]
pub(super) struct Index {
    pub(super) tensors: BTreeMap<String, Slot>,
    pub(super) scalars: BTreeMap<String, i64>,
}

impl Checkpoint {
    /// Opens a safetensors file, the index of a sharded one, a CTranslate2 `model.bin`, or a folder
    /// that has one of them. Only the structure is read, and checked against the length of the file.
    ///
    /// # Errors
    /// [`Error::Io`] if a file cannot be read; [`Error::Model`] if it is damaged or of another format.
    pub fn open(path: &Path) -> Result<Self> {
        let weights = if path.is_dir() { find(path)? } else { path.to_path_buf() };
        if weights.file_name().is_some_and(|name| name.to_string_lossy().ends_with(".index.json")) {
            let shards = safetensors::shards(&weights)?;
            let files = shards.iter().map(|shard| Storage::open(shard)).collect::<Result<Vec<_>>>()?;
            let mut index = Index::default();
            for (number, file) in files.iter().enumerate() {
                safetensors::index(file, number, &mut index)?;
            }
            return Ok(Self { path: weights, files, index });
        }
        Self::from_storage(Storage::open(&weights)?)
    }

    /// The same for a file that is already in memory; `label` stands for its path in errors.
    ///
    /// # Errors
    /// [`Error::Model`] if it is damaged or of an unknown format.
    pub fn from_bytes(label: impl AsRef<Path>, bytes: Vec<u8>) -> Result<Self> {
        Self::from_storage(Storage::from_bytes(label.as_ref(), bytes))
    }

    fn from_storage(storage: Storage) -> Result<Self> {
        if storage.len() < 16 {
            return Err(storage.damaged(format!("{} bytes is too short for weights", storage.len())));
        }
        let mut head = [0; 16];
        storage.read_exact_at(0, &mut head)?;
        let mut index = Index::default();
        if safetensors::recognises(&head, storage.len()) {
            safetensors::index(&storage, 0, &mut index)?;
        } else if ctranslate2::recognises(&head) {
            index = whisper_names::index(&storage, &ctranslate2::read(&storage)?)?;
        } else if head.starts_with(b"PK") {
            return Err(storage.damaged("PyTorch files are not read; convert it to safetensors"));
        } else {
            return Err(storage.damaged("neither safetensors nor CTranslate2 weights"));
        }
        Ok(Self { path: storage.path().to_path_buf(), files: vec![storage], index })
    }

    /// The weights file, or the index of its shards.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The names of all tensors, sorted.
    pub fn names(&self) -> impl ExactSizeIterator<Item = &str> {
        self.index.tensors.keys().map(String::as_str)
    }

    /// Whether there is a tensor of that name.
    pub fn contains(&self, name: &str) -> bool {
        self.index.tensors.contains_key(name)
    }

    /// The shape of a tensor.
    pub fn shape(&self, name: &str) -> Option<Vec<usize>> {
        self.index.tensors.get(name).map(|slot| slot.shape.clone())
    }

    /// A whole number that CTranslate2 stores beside the tensors, such as `encoder/num_heads`.
    pub fn scalar(&self, name: &str) -> Option<i64> {
        self.index.scalars.get(name).copied()
    }

    /// Reads a tensor, which must have the shape `expected`.
    ///
    /// # Errors
    /// [`Error::Tensor`] if it is missing, of another shape, or of a type that no network uses;
    /// [`Error::Io`] if the file cannot be read any more.
    pub fn tensor(&self, name: &str, expected: &[usize]) -> Result<Weight> {
        let unusable =
            |reason: String| Error::Tensor { path: self.path.clone(), tensor: name.to_owned(), reason };
        let Some(slot) = self.index.tensors.get(name) else {
            return Err(unusable(format!("missing, expected with shape {expected:?}")));
        };
        if slot.shape != expected {
            return Err(unusable(format!("has shape {:?}, expected {expected:?}", slot.shape)));
        }
        match slot.read(&self.files[slot.file]) {
            Ok(values) => Ok(Weight { shape: slot.shape.clone(), values }),
            Err(ReadError::File(error)) => Err(error),
            Err(ReadError::Unusable(reason)) => Err(unusable(reason)),
        }
    }
}

/// The weights file of a folder.
pub(super) fn find(folder: &Path) -> Result<PathBuf> {
    WEIGHTS.iter().map(|name| folder.join(name)).find(|path| path.is_file()).ok_or_else(|| {
        Error::model(
            folder.display().to_string(),
            format!("no weights in the folder; looked for {}", WEIGHTS.join(", ")),
        )
    })
}
