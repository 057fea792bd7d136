//! Networks that were trained here, as files: safetensors in half precision, and what is known of them as JSON in the metadata.

use std::collections::BTreeMap;
use std::path::Path;

use candle_core::{DType, Device, Tensor};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::params::{Init, Params};
use crate::output::write_whole;
use crate::weights::Carded;
use crate::{Error, Result};

fn file(key: &'static str) -> Carded {
    // These networks are small.
    Carded { key, version: 1, limit: 1 << 30, what: "a network of this kind", remedy: "train it again" }
}

/// Tensors by name, as numbers of 32 bits on the processor.
#[derive(Default)]
pub struct Tensors(BTreeMap<String, Tensor>);

#[derive(Serialize, Deserialize)]
struct Stored<T> {
    card: T,
}

impl Tensors {
    /// These.
    pub fn new(tensors: BTreeMap<String, Tensor>) -> Self {
        Self(tensors)
    }

    /// Numbers of all of them.
    pub fn count(&self) -> usize {
        self.0.values().map(Tensor::elem_count).sum()
    }

    /// The file's bytes, with `card` under `key`.
    ///
    /// # Errors
    /// Those of candle; [`Error::Setting`] where the card is no JSON.
    pub fn to_bytes(&self, key: &'static str, card: &impl Serialize) -> Result<Vec<u8>> {
        let half = |(name, tensor): (&String, &Tensor)| {
            Ok((name.clone(), tensor.to_device(&Device::Cpu)?.to_dtype(DType::F16)?))
        };
        let tensors = self.0.iter().map(half).collect::<Result<Vec<_>>>()?;
        file(key).to_bytes(&Stored { card }, tensors)
    }

    /// Writes the file: what was there is replaced at once or not at all.
    ///
    /// # Errors
    /// Those of [`to_bytes`](Self::to_bytes); [`Error::Io`] where it cannot be written.
    pub fn save(&self, path: &Path, key: &'static str, card: &impl Serialize) -> Result<()> {
        write_whole(path, &self.to_bytes(key, card)?)
    }

    /// Reads the file at `path`.
    ///
    /// # Errors
    /// [`Error::Io`] where it cannot be read; those of [`from_bytes`](Self::from_bytes).
    pub fn load<T: DeserializeOwned>(path: &Path, key: &'static str) -> Result<(Self, T)> {
        Self::from_bytes(path, &file(key).read(path)?, key)
    }

    /// Reads the bytes of a file; `label` stands for its path in errors.
    ///
    /// # Errors
    /// [`Error::Model`] where it is damaged, of another kind or of a later version.
    pub fn from_bytes<T: DeserializeOwned>(
        label: &Path,
        bytes: &[u8],
        key: &'static str,
    ) -> Result<(Self, T)> {
        let (Stored { card }, _) = file(key).open(label, bytes)?;
        let read = candle_core::safetensors::load_buffer(bytes, &Device::Cpu)
            .map_err(|error| Error::model(label.display().to_string(), format!("damaged: {error}")))?;
        let wide = |(name, tensor): (String, Tensor)| Ok((name, tensor.to_dtype(DType::F32)?));
        Ok((Self(read.into_iter().map(wide).collect::<Result<_>>()?), card))
    }
}

impl Params for Tensors {
    fn tensor(&self, name: &str, shape: &[usize], _init: Init) -> Result<Tensor> {
        let fault = |reason: String| Error::model(name.to_owned(), reason);
        match self.0.get(name) {
            Some(tensor) if tensor.dims() == shape => Ok(tensor.clone()),
            Some(tensor) => Err(fault(format!("a tensor of shape {:?}, expected {shape:?}", tensor.dims()))),
            None => Err(fault("a tensor that is missing".into())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_reads_back_in_half_precision() {
        let tensor = Tensor::new(&[[1.0f32, -2.5], [0.333_333, 7.0]], &Device::Cpu).unwrap();
        let tensors = Tensors::new(BTreeMap::from([("a".to_owned(), tensor)]));
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("deep/net.safetensors");
        tensors.save(&path, "awaaz.test", &7u32).unwrap();
        let (read, card): (Tensors, u32) = Tensors::load(&path, "awaaz.test").unwrap();
        let values = read.tensor("a", &[2, 2], Init::Zeros).unwrap().to_vec2::<f32>().unwrap();
        assert_eq!((card, values[0][1], read.count()), (7, -2.5, 4));
        assert!((values[1][0] - 0.333_333).abs() < 2e-4);
        assert!(read.tensor("a", &[4], Init::Zeros).is_err() && read.tensor("b", &[1], Init::Zeros).is_err());
        let told = |key| Tensors::load::<u32>(&path, key).err().unwrap().to_string();
        assert!(told("awaaz.other").contains("not a network of this kind"));
        let bytes = std::fs::read(&path).unwrap();
        for end in 0..bytes.len() {
            assert!(Tensors::from_bytes::<u32>(Path::new("n"), &bytes[..end], "awaaz.test").is_err());
        }
        assert!(Tensors::from_bytes::<String>(Path::new("n"), &bytes, "awaaz.test").is_err());
    }
}
