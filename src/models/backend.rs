//! By what a network is computed.

use std::path::Path;

use super::onnx::{OnnxModel, OnnxOptions};
use super::wav2vec2::Config;
use crate::Result;
use crate::compute::Precision;
use crate::weights::{ModelFiles, ModelKind};

/// By what a network is computed.
pub enum Backend {
    /// By the layers of this library, which multiply in these numbers.
    Native(Precision),
    /// By ONNX Runtime, in the numbers of the export.
    Onnx(Box<OnnxModel>),
}

impl Backend {
    /// What computes the model whose files are given: ONNX Runtime where it is an export, which is opened by `options`;
    /// otherwise this library, in `precision`.
    ///
    /// # Errors
    /// Those of [`OnnxModel::open`].
    pub fn open(files: &ModelFiles, precision: Precision, options: &OnnxOptions) -> Result<Self> {
        match files.kind {
            ModelKind::Onnx => {
                OnnxModel::open(&files.weights, options).map(|model| Self::Onnx(Box::new(model)))
            }
            _ => Ok(Self::Native(precision)),
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

impl From<Precision> for Backend {
    fn from(precision: Precision) -> Self {
        Self::Native(precision)
    }
}
