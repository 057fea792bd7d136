//! Embeddings' files, read again.

use std::path::Path;

use candle_core::{Device, Tensor};

use crate::{Error, Result};

/// The values of a npy or safetensors file as [`to_npy`](super::to_npy) and [`to_safetensors`](super::to_safetensors) make
/// them, row by row, and the width of a row; of a file with one row for all, that row.
///
/// # Errors
/// [`Error::Model`] that names the file, where it is of another format, damaged, or has no rows of f32.
pub fn read_embedding(path: &Path) -> Result<(Vec<f32>, usize)> {
    let wrong = |reason: String| Error::model(path.display().to_string(), reason);
    let tensor = tensor(path).map_err(wrong)?;
    let width = tensor.dims().last().copied().unwrap_or(0);
    if width == 0 || tensor.rank() > 2 {
        return Err(wrong(format!("has shape {:?}, expected [rows, width]", tensor.dims())));
    }
    let values = tensor.flatten_all().and_then(|values| values.to_vec1());
    Ok((values.map_err(|error| wrong(error.to_string()))?, width))
}

fn tensor(path: &Path) -> Result<Tensor, String> {
    let found = match path.extension().and_then(|extension| extension.to_str()) {
        Some("npy") => Tensor::read_npy(path).map_err(|error| error.to_string())?,
        Some("safetensors") => {
            let tensors = candle_core::safetensors::load(path, &Device::Cpu);
            let mut tensors = tensors.map_err(|error| error.to_string())?;
            tensors.remove("embedding").ok_or("has no tensor named embedding")?
        }
        _ => return Err("is not read; embed again with --format npy or safetensors".into()),
    };
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::embeddings::{Embedding, to_npy, to_safetensors};

    #[test]
    fn what_was_written_is_read() {
        let home = tempfile::tempdir().unwrap();
        let values = vec![1.0, -2.0, 0.5, 4.0, 5.0, 6.0];
        let embedding =
            Embedding { id: "a".into(), span: (0.0, 1.5), hop: Some(0.01), width: 3, values: values.clone() };
        for (name, bytes) in
            [("a.npy", to_npy(&embedding)), ("a.safetensors", to_safetensors(&embedding, &[]).unwrap())]
        {
            let path = home.path().join(name);
            std::fs::write(&path, &bytes).unwrap();
            assert_eq!(read_embedding(&path).unwrap(), (values.clone(), 3), "{name}");
            std::fs::write(&path, &bytes[..40]).unwrap();
            let error = read_embedding(&path).unwrap_err().to_string();
            assert!(error.contains(name), "{error}");
        }
        let error = read_embedding(&home.path().join("a.parquet")).unwrap_err().to_string();
        assert!(error.contains("a.parquet") && error.contains("--format npy"), "{error}");
    }
}
