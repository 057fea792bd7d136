//! Borrowing candle tensors as slices, and back.

use candle_core::{CpuStorage, Device, Result, Shape, Storage, Tensor};

/// Calls `use_slice` with the elements of a contiguous `f32` tensor on the CPU.
pub(super) fn with_slice<R>(tensor: &Tensor, use_slice: impl FnOnce(&[f32]) -> R) -> Result<R> {
    let (storage, layout) = tensor.storage_and_layout();
    let Some((start, end)) = layout.contiguous_offsets() else {
        candle_core::bail!("a contiguous tensor is needed, this one has strides {:?}", layout.stride());
    };
    match &*storage {
        Storage::Cpu(CpuStorage::F32(values)) => Ok(use_slice(&values[start..end])),
        _ => candle_core::bail!("an f32 tensor on the cpu is needed, this is {:?}", tensor.dtype()),
    }
}

/// A CPU tensor that owns `values`.
pub(super) fn from_values(values: Vec<f32>, shape: impl Into<Shape>) -> Result<Tensor> {
    Tensor::from_vec(values, shape.into(), &Device::Cpu)
}
