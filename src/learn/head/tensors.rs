//! Tensors of a head's file, written and read with their shapes checked.

use std::path::Path;

use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView};

use crate::{Error, Result};

const NOT_FINITE: &str = "a value is not finite; train the head again";

/// A tensor to be written.
pub(in crate::learn) struct Tensor {
    pub name: String,
    dtype: Dtype,
    shape: Vec<usize>,
    bytes: Vec<u8>,
}

impl Tensor {
    pub(in crate::learn) fn f64(name: impl Into<String>, shape: &[usize], values: &[f64]) -> Self {
        let bytes = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        Self { name: name.into(), dtype: Dtype::F64, shape: shape.to_vec(), bytes }
    }

    pub(in crate::learn) fn f32(name: impl Into<String>, shape: &[usize], values: &[f32]) -> Self {
        let bytes = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        Self { name: name.into(), dtype: Dtype::F32, shape: shape.to_vec(), bytes }
    }

    pub(in crate::learn) fn view(&self) -> Result<TensorView<'_>> {
        TensorView::new(self.dtype, self.shape.clone(), &self.bytes)
            .map_err(|error| Error::Setting(format!("safetensors: {error}")))
    }
}

/// The tensors of a file that is read.
pub(in crate::learn) struct Tensors<'a> {
    pub path: &'a Path,
    pub file: SafeTensors<'a>,
}

impl Tensors<'_> {
    pub(in crate::learn) fn has(&self, name: &str) -> bool {
        self.file.tensor(name).is_ok()
    }

    /// The shape of a tensor of `N` axes.
    pub(in crate::learn) fn shape<const N: usize>(&self, name: &str) -> Result<[usize; N]> {
        let found = self.view(name)?;
        <[usize; N]>::try_from(found.shape())
            .map_err(|_| self.fault(name, format!("its shape is {:?}", found.shape())))
    }

    pub(in crate::learn) fn f64(&self, name: &str, shape: &[usize]) -> Result<Vec<f64>> {
        let bytes = self.bytes(name, shape, Dtype::F64)?;
        let values: Vec<f64> = bytes.as_chunks().0.iter().map(|&bytes| f64::from_le_bytes(bytes)).collect();
        if values.iter().any(|value| !value.is_finite()) {
            return Err(self.fault(name, NOT_FINITE.into()));
        }
        Ok(values)
    }

    pub(in crate::learn) fn f32(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>> {
        let bytes = self.bytes(name, shape, Dtype::F32)?;
        let values: Vec<f32> = bytes.as_chunks().0.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect();
        if values.iter().any(|value| !value.is_finite()) {
            return Err(self.fault(name, NOT_FINITE.into()));
        }
        Ok(values)
    }

    pub(in crate::learn) fn fault(&self, name: &str, reason: String) -> Error {
        Error::Tensor { path: self.path.into(), tensor: name.into(), reason }
    }

    fn bytes(&self, name: &str, shape: &[usize], dtype: Dtype) -> Result<Vec<u8>> {
        let found = self.view(name)?;
        if found.shape() != shape || found.dtype() != dtype {
            return Err(self.fault(
                name,
                format!("it is {:?} {:?}, and must be {dtype:?} {shape:?}", found.dtype(), found.shape()),
            ));
        }
        Ok(found.data().to_vec())
    }

    fn view(&self, name: &str) -> Result<TensorView<'_>> {
        self.file.tensor(name).map_err(|_| self.fault(name, "it is not there; train the head again".into()))
    }
}
