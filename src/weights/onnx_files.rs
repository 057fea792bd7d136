//! The files of an exported model.

use std::path::{Path, PathBuf};

use crate::{Error, Result};

/// Networks looked for in a folder, in this order: where PyTorch, optimum and transformers.js write them.
const NETWORKS: [&str; 4] =
    ["model.onnx", "onnx/model.onnx", "model_quantized.onnx", "onnx/model_quantized.onnx"];

/// Names that the same network has in int8: of optimum and of transformers.js.
const QUANTISED: [&str; 2] = ["model_quantized.onnx", "model_int8.onnx"];

/// Where the files of an exported model are. Only the network is sure to be there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OnnxFiles {
    /// The network, an `.onnx` file. Weights in files of their own are beside it, as it says itself.
    pub network: PathBuf,
    /// `config.json`, with the names of labels.
    pub config: Option<PathBuf>,
    /// `vocab.json`, the tokens of CTC.
    pub vocabulary: Option<PathBuf>,
    /// `preprocessor_config.json`: whether sound must have mean 0 and variance 1.
    pub preprocessor: Option<PathBuf>,
}

impl OnnxFiles {
    /// The model in a folder, or in that of an `.onnx` file. Side files are beside the network, or above its folder where
    /// that is named `onnx`.
    ///
    /// # Errors
    /// [`Error::Model`] if there is nothing at `path`, or no network in the folder.
    pub fn at(path: &Path) -> Result<Self> {
        let fault = |reason: String| Error::model(path.display().to_string(), reason);
        if !path.exists() {
            return Err(fault("there is no such file or folder".into()));
        }
        let network = match path.is_dir() {
            true => Self::network_in(path).ok_or_else(|| {
                fault(format!("no network in the folder; looked for {}", NETWORKS.join(", ")))
            })?,
            false => path.to_path_buf(),
        };
        let beside = network.parent().unwrap_or(Path::new(""));
        let above = beside.parent().filter(|_| beside.file_name().is_some_and(|name| name == "onnx"));
        let side_file = |name: &str| {
            let mut paths = [Some(beside), above].into_iter().flatten().map(|folder| folder.join(name));
            paths.find(|path| path.is_file())
        };
        Ok(Self {
            config: side_file("config.json"),
            vocabulary: side_file("vocab.json"),
            preprocessor: side_file("preprocessor_config.json"),
            network,
        })
    }

    /// The network in a folder, if there is one.
    pub(super) fn network_in(folder: &Path) -> Option<PathBuf> {
        NETWORKS.iter().map(|name| folder.join(name)).find(|network| network.is_file())
    }

    /// The same network in int8, if it is beside this one.
    pub(super) fn quantised(network: &Path) -> Option<PathBuf> {
        let folders = [network.with_file_name(""), network.with_file_name("onnx")];
        let mut paths = folders.iter().flat_map(|folder| QUANTISED.iter().map(move |name| folder.join(name)));
        paths.find(|path| path.is_file())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn networks_and_side_files_are_found_in_every_layout() {
        struct Case {
            files: &'static [&'static str],
            asked: &'static str,
            network: &'static str,
            config: Option<&'static str>,
        }
        let cases = [
            Case {
                files: &["model.onnx", "config.json", "onnx/model.onnx"],
                asked: "",
                network: "model.onnx",
                config: Some("config.json"),
            },
            Case {
                files: &["onnx/model.onnx", "onnx/model_quantized.onnx", "config.json"],
                asked: "",
                network: "onnx/model.onnx",
                config: Some("config.json"),
            },
            Case {
                files: &["onnx/model_quantized.onnx", "onnx/config.json", "config.json"],
                asked: "",
                network: "onnx/model_quantized.onnx",
                config: Some("onnx/config.json"),
            },
            Case {
                files: &["onnx/model.onnx", "onnx/model_quantized.onnx", "config.json"],
                asked: "onnx/model_quantized.onnx",
                network: "onnx/model_quantized.onnx",
                config: Some("config.json"),
            },
            Case {
                files: &["nets/mine.onnx", "config.json"],
                asked: "nets/mine.onnx",
                network: "nets/mine.onnx",
                config: None,
            },
        ];
        for case in cases {
            let folder = tempfile::tempdir().unwrap();
            for file in case.files {
                let path = folder.path().join(file);
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, "").unwrap();
            }
            let found = OnnxFiles::at(&folder.path().join(case.asked)).unwrap();
            assert_eq!(found.network, folder.path().join(case.network));
            assert_eq!(found.config, case.config.map(|name| folder.path().join(name)));
            assert_eq!(found.vocabulary, None);
        }
    }

    #[test]
    fn what_is_not_there_is_said_with_what_was_looked_for() {
        let folder = tempfile::tempdir().unwrap();
        let error = OnnxFiles::at(folder.path()).unwrap_err().to_string();
        assert!(error.contains("looked for model.onnx, onnx/model.onnx"), "{error}");
        let error = OnnxFiles::at(&folder.path().join("none")).unwrap_err().to_string();
        assert!(error.contains("no such file"), "{error}");
    }
}
