//! Embeddings as files that other programs read: NumPy's npy, safetensors, Parquet.

mod parquet;
mod read;

pub use parquet::to_parquet;
pub use read::read_embedding;

use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;

use safetensors::tensor::{Dtype, TensorView};

use crate::{Error, Result};

/// The features of a sound.
#[derive(Debug, Clone, PartialEq)]
pub struct Embedding {
    /// Name of the sound, unlike any other.
    pub id: String,
    /// Where the sound begins and ends, in seconds of its file.
    pub span: (f64, f64),
    /// Seconds from one row to the next; none where there is one row for all.
    pub hop: Option<f64>,
    /// Values of a row.
    pub width: usize,
    /// `[rows, width]`.
    pub values: Vec<f32>,
}

impl Embedding {
    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.values.len() / self.width.max(1)
    }

    /// `[rows, width]`, or `[width]` where there is one row for all.
    pub fn shape(&self) -> Vec<usize> {
        match self.hop {
            Some(_) => vec![self.rows(), self.width],
            None => vec![self.width],
        }
    }

    fn bytes(&self) -> Vec<u8> {
        self.values.iter().flat_map(|value| value.to_le_bytes()).collect()
    }
}

/// The form of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EmbeddingFormat {
    /// NumPy's, a file a sound.
    Npy,
    /// A file a sound, with what is known of it in its metadata.
    Safetensors,
    /// Tables of many sounds.
    Parquet,
}

impl EmbeddingFormat {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Npy, Self::Safetensors, Self::Parquet];

    /// Its name, which is also the extension of its files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Npy => "npy",
            Self::Safetensors => "safetensors",
            Self::Parquet => "parquet",
        }
    }
}

impl fmt::Display for EmbeddingFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for EmbeddingFormat {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let named = Self::ALL.into_iter().find(|format| format.name() == name);
        named.ok_or_else(|| format!("no format {name}; there are npy, safetensors and parquet"))
    }
}

/// A npy file, version 1.0: f32, little-endian, row by row.
pub fn to_npy(embedding: &Embedding) -> Vec<u8> {
    npy("<f4", &embedding.shape(), embedding.bytes())
}

/// A npy file of whole numbers, little-endian, row by row.
pub fn to_npy_i32(values: &[i32], shape: &[usize]) -> Vec<u8> {
    npy("<i4", shape, values.iter().flat_map(|value| value.to_le_bytes()).collect())
}

fn npy(element: &str, shape: &[usize], bytes: Vec<u8>) -> Vec<u8> {
    /// The header ends at a multiple of this.
    const ALIGNMENT: usize = 64;
    let shape: String = shape.iter().map(|size| format!("{size}, ")).collect();
    let mut header =
        format!("{{'descr': '{element}', 'fortran_order': False, 'shape': ({}), }}", shape.trim_end());
    let before = b"\x93NUMPY\x01\x00".len() + 2;
    let length = (before + header.len() + 1).next_multiple_of(ALIGNMENT) - before;
    header += &" ".repeat(length - header.len() - 1);
    header.push('\n');
    let mut file = b"\x93NUMPY\x01\x00".to_vec();
    file.extend((length as u16).to_le_bytes());
    file.extend(header.as_bytes());
    file.extend(bytes);
    file
}

/// A safetensors file with one tensor, `embedding`; `about` goes into its metadata, beside the id, the span and the hop.
///
/// # Errors
/// [`Error::Setting`] where the library refuses, which no embedding makes it do.
pub fn to_safetensors(embedding: &Embedding, about: &[(&str, String)]) -> Result<Vec<u8>> {
    let mut metadata: HashMap<String, String> =
        about.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    metadata.insert("id".into(), embedding.id.clone());
    metadata.insert("start".into(), embedding.span.0.to_string());
    metadata.insert("end".into(), embedding.span.1.to_string());
    if let Some(hop) = embedding.hop {
        metadata.insert("hop".into(), hop.to_string());
    }
    let bytes = embedding.bytes();
    let refused = |error: safetensors::SafeTensorError| Error::Setting(format!("safetensors: {error}"));
    let view = TensorView::new(Dtype::F32, embedding.shape(), &bytes).map_err(refused)?;
    safetensors::serialize([("embedding", view)], Some(metadata)).map_err(refused)
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{Device, Tensor};

    pub fn sample(hop: Option<f64>) -> Embedding {
        Embedding { id: "talks/a".into(), span: (0.0, 1.5), hop, width: 3, values: vec![1.0, -2.0, 0.5] }
    }

    #[test]
    fn other_libraries_read_what_is_written() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("a.npy");
        for (hop, shape) in [(None, vec![3]), (Some(0.02), vec![1, 3])] {
            let embedding = sample(hop);
            let npy = to_npy(&embedding);
            assert!((npy.len() - 12).is_multiple_of(64));
            std::fs::write(&path, npy).unwrap();
            let tensor = Tensor::read_npy(&path).unwrap();
            assert_eq!(tensor.dims(), shape);
            assert_eq!(tensor.flatten_all().unwrap().to_vec1::<f32>().unwrap(), embedding.values);

            let bytes = to_safetensors(&embedding, &[("model", "base".into())]).unwrap();
            let (_, metadata) = safetensors::SafeTensors::read_metadata(&bytes).unwrap();
            let about = metadata.metadata().as_ref().unwrap();
            assert_eq!((about["id"].as_str(), about["model"].as_str()), ("talks/a", "base"));
            assert_eq!(about.get("hop").map(String::as_str), hop.map(|_| "0.02"));
            let read = candle_core::safetensors::load_buffer(&bytes, &Device::Cpu).unwrap();
            assert_eq!(read["embedding"].dims(), shape);
        }
    }
}
