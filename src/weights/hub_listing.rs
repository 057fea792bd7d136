//! Which files of a hub repository make up a model.

use serde::Deserialize;

use super::digest::Sha256;
use super::registry::HubFile;

/// Files beside the weights that a network, its vocabulary or its features are described in.
const SIDE_FILES: [&str; 10] = [
    "config.json",
    "generation_config.json",
    "preprocessor_config.json",
    "processor_config.json",
    "special_tokens_map.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "vocab.json",
    "vocabulary.json",
    "vocabulary.txt",
];

/// Weights, in the order in which they are preferred: the file that names them, and how its shards begin.
const WEIGHTS: [(&str, Option<&str>); 6] = [
    ("model.safetensors", None),
    ("model.safetensors.index.json", Some("model-")),
    ("pytorch_model.bin", None),
    ("pytorch_model.bin.index.json", Some("pytorch_model-")),
    ("model.bin", None),
    ("embedding_model.ckpt", None),
];

/// What the hub says of a repository.
#[derive(Deserialize)]
pub struct Listing {
    /// The commit.
    pub sha: String,
    siblings: Vec<Sibling>,
}

#[derive(Deserialize)]
struct Sibling {
    rfilename: String,
    #[serde(default)]
    size: Option<u64>,
    #[serde(default)]
    lfs: Option<Lfs>,
}

#[derive(Deserialize)]
struct Lfs {
    #[serde(default)]
    sha256: Option<String>,
}

impl Listing {
    /// The files of the model, one form of its weights alone.
    pub fn model_files(&self) -> Result<Vec<HubFile>, String> {
        let Some((weights, shards)) = WEIGHTS.iter().find(|(name, _)| self.file(name).is_some()) else {
            let names: Vec<_> = WEIGHTS.iter().map(|(name, _)| *name).collect();
            return Err(format!("has no weights; looked for {}", names.join(", ")));
        };
        let extension = if weights.contains("safetensors") { ".safetensors" } else { ".bin" };
        let is_shard = |name: &str| {
            shards.is_some_and(|start| {
                name.starts_with(start) && name.ends_with(extension) && !name.contains('/')
            })
        };
        let named = SIDE_FILES.iter().chain([weights]).filter_map(|name| self.file(name));
        let shards = self.siblings.iter().filter(|sibling| is_shard(&sibling.rfilename)).map(Sibling::file);
        Ok(named.chain(shards).collect())
    }

    /// One file.
    pub fn file(&self, name: &str) -> Option<HubFile> {
        self.siblings.iter().find(|sibling| sibling.rfilename == name).map(Sibling::file)
    }
}

impl Sibling {
    fn file(&self) -> HubFile {
        let sha256: Option<Sha256> = self.lfs.as_ref().and_then(|lfs| lfs.sha256.as_ref()?.parse().ok());
        HubFile { name: self.rfilename.clone(), size: self.size, sha256 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(files: &[&str]) -> String {
        let sibling = |name: &&str| Sibling { rfilename: (*name).into(), size: None, lfs: None };
        let listing = Listing { sha: String::new(), siblings: files.iter().map(sibling).collect() };
        match listing.model_files() {
            Ok(files) => files.iter().map(|file| file.name.as_str()).collect::<Vec<_>>().join(" "),
            Err(reason) => reason,
        }
    }

    #[test]
    fn one_form_of_the_weights_is_taken_and_what_describes_them() {
        let cases: [(&[&str], &str); 5] = [
            (
                &[
                    "README.md",
                    "config.json",
                    "flax_model.msgpack",
                    "model.safetensors",
                    "pytorch_model.bin",
                    "special_tokens_map.json",
                    "vocab.json",
                ],
                "config.json special_tokens_map.json vocab.json model.safetensors",
            ),
            (&["config.json", "pytorch_model.bin", "tf_model.h5"], "config.json pytorch_model.bin"),
            (
                &[
                    "model-00001-of-00002.safetensors",
                    "model-00002-of-00002.safetensors",
                    "model.safetensors.index.json",
                ],
                "model.safetensors.index.json model-00001-of-00002.safetensors model-00002-of-00002.safetensors",
            ),
            (&["model.bin", "vocabulary.txt", "tokenizer.json"], "tokenizer.json vocabulary.txt model.bin"),
            (
                &["config.json", "onnx/model.onnx"],
                "has no weights; looked for model.safetensors, model.safetensors.index.json, pytorch_model.bin, pytorch_model.bin.index.json, model.bin, embedding_model.ckpt",
            ),
        ];
        for (files, expected) in cases {
            assert_eq!(chosen(files), expected);
        }
    }
}
