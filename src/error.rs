//! The error type. Each kind says what the caller should do about it.

use std::path::{Path, PathBuf};

/// Shorthand for results of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong. Messages are one line, lower case, and name the file, model or setting.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The file system refused: check the path and permissions.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// The operating system's reason.
        source: std::io::Error,
    },
    /// The audio cannot be decoded at all: skip this input.
    #[error("{input}: {reason}")]
    Audio {
        /// The file, or `stdin`.
        input: String,
        /// What is wrong with it.
        reason: String,
    },
    /// An audio device cannot be found or opened: connect it, or name another.
    #[error("{device}: {reason}")]
    Device {
        /// The device's name, or what was asked for.
        device: String,
        /// What is wrong with it, and what to do.
        reason: String,
    },
    /// A labelled corpus is not laid out as expected: correct what is named, or write a manifest of it.
    #[error("{}: {reason}", path.display())]
    Corpus {
        /// Its folder, or the file of it that does not fit.
        path: PathBuf,
        /// What was expected and what was found.
        reason: String,
    },
    /// A model's files are missing, damaged or not of the expected form: pull or name another.
    #[error("model {model}: {reason}")]
    Model {
        /// The model's name or path.
        model: String,
        /// What is wrong with it, and what to do.
        reason: String,
    },
    /// A tensor is missing, misshapen or of a type that the network cannot use.
    #[error("{}: tensor {tensor}: {reason}", path.display())]
    Tensor {
        /// The weights file.
        path: PathBuf,
        /// The tensor's name.
        tensor: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Weights could not be fetched: check the network, or use a local folder.
    #[error("pull {model}: {reason}")]
    Pull {
        /// The registry name.
        model: String,
        /// Every source tried, with its reason.
        reason: String,
    },
    /// A shared library is missing, damaged or too old: install it, or name another.
    #[error("{}: {reason}", path.display())]
    Library {
        /// Its path, or the name that the system was asked for.
        path: PathBuf,
        /// What is wrong with it, and what to do.
        reason: String,
    },
    /// A setting is out of range or contradicts another: correct it.
    #[error("{0}")]
    Setting(String),
    /// The user asked to stop. What was finished is kept.
    #[error("interrupted")]
    Interrupted,
    /// The tensor library failed: a bug or out of memory.
    #[error("compute: {0}")]
    Compute(#[from] candle_core::Error),
}

impl Error {
    /// An [`Error::Io`] for `path`.
    pub fn io(path: impl AsRef<Path>, source: std::io::Error) -> Self {
        Self::Io { path: path.as_ref().to_path_buf(), source }
    }

    /// An [`Error::Audio`] for `input`.
    pub fn audio(input: impl Into<String>, reason: impl ToString) -> Self {
        Self::Audio { input: input.into(), reason: reason.to_string() }
    }

    /// An [`Error::Device`] for `device`.
    pub fn device(device: impl Into<String>, reason: impl ToString) -> Self {
        Self::Device { device: device.into(), reason: reason.to_string() }
    }

    /// An [`Error::Corpus`] for the folder or file at `path`.
    pub fn corpus(path: impl AsRef<Path>, reason: impl ToString) -> Self {
        Self::Corpus { path: path.as_ref().to_path_buf(), reason: reason.to_string() }
    }

    /// An [`Error::Library`] for the one at `path`.
    pub fn library(path: impl AsRef<Path>, reason: impl ToString) -> Self {
        Self::Library { path: path.as_ref().to_path_buf(), reason: reason.to_string() }
    }

    /// An [`Error::Model`] for `model`.
    pub fn model(model: impl Into<String>, reason: impl ToString) -> Self {
        Self::Model { model: model.into(), reason: reason.to_string() }
    }
}
