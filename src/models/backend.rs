//! By what a network is computed.

use std::path::Path;

use super::onnx::{OnnxModel, OnnxOptions};
use super::wav2vec2::Config;
use crate::Result;
use crate::compute::{Place, Precision, Target};
use crate::weights::{ModelFiles, ModelKind};

/// By what a network is computed.
pub enum Backend {
    /// By this library.
    Native(Target),
    /// By ONNX Runtime, in the numbers of the export.
    Onnx(Box<OnnxModel>),
}

impl Backend {
    /// What computes the model whose files are given: ONNX Runtime where it is an export, which is opened by `options`;
    /// otherwise this library, at `place`, in `precision`.
    ///
    /// # Errors
    /// Those of [`OnnxModel::open`] and [`Target::open`].
    pub fn open(
        files: &ModelFiles,
        place: Place,
        precision: Precision,
        options: &OnnxOptions,
    ) -> Result<Self> {
        match files.kind {
            ModelKind::Onnx => {
                OnnxModel::open(&files.weights, options).map(|model| Self::Onnx(Box::new(model)))
            }
            _ => Target::open(place, precision).map(Self::Native),
        }
    }

    /// A `config.json` of the wav2vec 2.0 kind, as far as it must be known to compute the network.
    ///
    /// # Errors
    /// Those of [`Config::read`] and [`Config::read_of_export`].
    pub fn config(&self, path: &Path) -> Result<Config> {
        match self {
            Self::Native(_) => Config::read(path),
            Self::Onnx(_) => Config::read_of_export(path),
        }
    }
}

impl From<Target> for Backend {
    fn from(target: Target) -> Self {
        Self::Native(target)
    }
}

impl From<Precision> for Backend {
    fn from(precision: Precision) -> Self {
        Self::Native(precision.into())
    }
}
