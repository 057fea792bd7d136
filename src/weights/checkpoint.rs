//! A checkpoint: the tensors of a network by name, whatever the file format.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::storage::Storage;
use super::tensor::{ReadError, Slot, Weight};
use super::{ctranslate2, pytorch, safetensors, shards, whisper_names};
use crate::{Error, Result};

/// Weights files looked for in a folder, in this order.
const WEIGHTS: [&str; 6] = [
    "model.safetensors",
    "model.safetensors.index.json",
    "model.bin",
    "pytorch_model.bin",
    "pytorch_model.bin.index.json",
    // A speaker encoder of SpeechBrain.
    "embedding_model.ckpt",
];

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
    /// How many of the files are not from overlays.
    own_files: usize,
    index: Index,
    packs: Option<PathBuf>,
}

/// What a checkpoint holds, and where.
#[derive(Default)]
pub(super) struct Index {
    pub(super) tensors: BTreeMap<String, Slot>,
    pub(super) scalars: BTreeMap<String, i64>,
}

impl Index {
    /// Adds the tensors of `storage`, the checkpoint's file number `file`, whatever its format.
    fn add(&mut self, storage: &Storage, file: usize) -> Result<()> {
        let mut head = [0; 16];
        if storage.len() < head.len() as u64 {
            return Err(storage.damaged(format!("{} bytes is too short for weights", storage.len())));
        }
        storage.read_exact_at(0, &mut head)?;
        if safetensors::recognises(&head, storage.len()) {
            return safetensors::index(storage, file, self);
        }
        if pytorch::recognises(&head) {
            return pytorch::index(storage, file, self);
        }
        // CTranslate2 has one file always.
        if ctranslate2::recognises(&head) && file == 0 {
            *self = whisper_names::index(storage, &ctranslate2::read(storage)?)?;
            return Ok(());
        }
        Err(storage.damaged("no weights of safetensors, PyTorch or CTranslate2"))
    }
}

impl Checkpoint {
    /// Opens a safetensors or PyTorch file, the index of a sharded one, a CTranslate2 `model.bin`, or a
    /// folder that has one of them. Only the structure is read, and checked against the length of the
    /// file. Of a PyTorch file nothing is run, and tensors may be some levels down, as under `model`.
    ///
    /// # Errors
    /// [`Error::Io`] if a file cannot be read; [`Error::Model`] if it is damaged or of another format.
    pub fn open(path: &Path) -> Result<Self> {
        let weights = if path.is_dir() { find(path)? } else { path.to_path_buf() };
        if !shards::is_index(&weights) {
            return Self::from_storage(Storage::open(&weights)?);
        }
        let shards = shards::read(&weights)?;
        let files = shards.iter().map(|shard| Storage::open(shard)).collect::<Result<Vec<_>>>()?;
        let mut index = Index::default();
        for (number, file) in files.iter().enumerate() {
            index.add(file, number)?;
        }
        Ok(Self { path: weights, own_files: files.len(), files, index, packs: None })
    }

    /// The same for a file that is already in memory; `label` stands for its path in errors.
    ///
    /// # Errors
    /// [`Error::Model`] if it is damaged or of an unknown format.
    pub fn from_bytes(label: impl AsRef<Path>, bytes: Vec<u8>) -> Result<Self> {
        Self::from_storage(Storage::from_bytes(label.as_ref(), bytes))
    }

    fn from_storage(storage: Storage) -> Result<Self> {
        let mut index = Index::default();
        index.add(&storage, 0)?;
        let path = storage.path().to_path_buf();
        Ok(Self { path, files: vec![storage], own_files: 1, index, packs: None })
    }

    /// The same, with weights that were packed for kernels kept in `folder` from one start to the next.
    #[must_use]
    pub fn with_packs_in(self, folder: Option<PathBuf>) -> Self {
        Self { packs: folder, ..self }
    }

    /// Where packed weights are kept.
    pub fn packs(&self) -> Option<&Path> {
        self.packs.as_deref()
    }

    /// Which weights files these are, without overlays: when one of them changes, so does this. None of bytes in memory.
    pub fn identity(&self) -> Option<String> {
        let files: Option<Vec<String>> = self.files[..self.own_files].iter().map(Storage::identity).collect();
        Some(files?.join("\n"))
    }

    /// Whether the tensor `name` is from an overlay.
    pub fn is_overlaid(&self, name: &str) -> bool {
        self.index.tensors.get(name).is_some_and(|slot| slot.file >= self.own_files)
    }

    /// The same with the tensors of `other`: in place of those that have their names, and beside the
    /// rest. Where one of the two puts a word before a name, as in `wav2vec2.encoder.layer_norm.bias`,
    /// and the other does not, it is the same name. Errors in a tensor name the file that it is from.
    #[must_use]
    pub fn overlay(mut self, other: Self) -> Self {
        let first = self.files.len();
        for (name, slot) in other.index.tensors {
            let name = self.own_name(name);
            self.index.tensors.insert(name, Slot { file: first + slot.file, ..slot });
        }
        self.files.extend(other.files);
        self.index.scalars.extend(other.index.scalars);
        self
    }

    /// What `name` is called here.
    fn own_name(&self, name: String) -> String {
        let inner = |name: &str| name.split_once('.').map(|(_, inner)| inner.to_owned());
        if self.contains(&name) {
            return name;
        }
        if let Some(shorter) = inner(&name).filter(|shorter| self.contains(shorter)) {
            return shorter;
        }
        let mut longer = self.names().filter(|own| inner(own).as_deref() == Some(&name));
        match (longer.next(), longer.next()) {
            (Some(only), None) => only.to_owned(),
            _ => name,
        }
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
            |path: &Path, reason| Error::Tensor { path: path.to_path_buf(), tensor: name.to_owned(), reason };
        let Some(slot) = self.index.tensors.get(name) else {
            return Err(unusable(&self.path, format!("missing, expected with shape {expected:?}")));
        };
        let file = &self.files[slot.file];
        if slot.shape != expected {
            let reason = format!("has shape {:?}, expected {expected:?}", slot.shape);
            return Err(unusable(file.path(), reason));
        }
        match slot.read(file) {
            Ok(values) => Ok(Weight { shape: slot.shape.clone(), values }),
            Err(ReadError::File(error)) => Err(error),
            Err(ReadError::Unusable(reason)) => Err(unusable(file.path(), reason)),
        }
    }
}

/// The weights file of a folder.
pub(super) fn find(folder: &Path) -> Result<PathBuf> {
    WEIGHTS.iter().map(|name| folder.join(name)).find(|path| path.is_file()).ok_or_else(|| {
        Error::model(
            folder.display().to_string(),
            format!("no weights in the folder; looked for {}, and model.onnx", WEIGHTS.join(", ")),
        )
    })
}
