//! The safetensors format: a JSON header that names every tensor, then the data.
//!
//! Format: <https://github.com/huggingface/safetensors>. The header is parsed by the crate of that
//! name; offsets are checked here, because the crate's own check wants the whole file in memory.

use safetensors::tensor::{Dtype, Metadata};

use super::checkpoint::Index;
use super::storage::Storage;
use super::tensor::{Element, Slot};
use crate::Result;

/// The limit that the format's reference implementation sets.
const HEADER_LIMIT: u64 = 100_000_000;
/// The header is preceded by its length.
const LENGTH_FIELD: u64 = 8;

/// Whether the first bytes of a file can be those of a safetensors file.
pub(super) fn recognises(head: &[u8; 16], file_len: u64) -> bool {
    let mut length = [0; 8];
    length.copy_from_slice(&head[..8]);
    head[8] == b'{' && u64::from_le_bytes(length) <= file_len.saturating_sub(LENGTH_FIELD)
}

/// Adds the tensors of `storage`, the checkpoint's file number `file`, to `index`.
pub(super) fn index(storage: &Storage, file: usize, index: &mut Index) -> Result<()> {
    let length = storage.read_elements(0, 1, u64::from_le_bytes)?[0];
    let data_start = length.saturating_add(LENGTH_FIELD);
    if length > HEADER_LIMIT || data_start > storage.len() {
        return Err(storage.damaged(format!("safetensors header of {length} bytes does not fit the file")));
    }
    let mut header = vec![0; length as usize];
    storage.read_exact_at(LENGTH_FIELD, &mut header)?;
    let metadata: Metadata = serde_json::from_slice(&header)
        .map_err(|e| storage.damaged(format!("safetensors header is not valid: {e}")))?;

    let data_len = storage.len() - data_start;
    let mut described = 0;
    for (name, info) in metadata.tensors() {
        let (start, end) = (info.data_offsets.0 as u64, info.data_offsets.1 as u64);
        let bytes = byte_count(&info.shape, info.dtype);
        if start > end || end > data_len || bytes != Some(end - start) {
            return Err(storage.damaged(format!(
                "tensor {name}: bytes {start}..{end} do not fit its shape {:?} or the file's {data_len} data bytes; pull or copy it again",
                info.shape
            )));
        }
        described = described.max(end);
        let slot = Slot {
            file,
            offset: data_start + start,
            shape: info.shape.clone(),
            element: element(info.dtype),
            strides: None,
            scale: None,
        };
        if index.tensors.insert(name.clone(), slot).is_some() {
            return Err(storage.damaged(format!("tensor {name} is there twice")));
        }
    }
    if described != data_len {
        return Err(storage.damaged(format!("{} bytes belong to no tensor", data_len - described)));
    }
    Ok(())
}

fn byte_count(shape: &[usize], dtype: Dtype) -> Option<u64> {
    let elements = shape.iter().try_fold(1_u64, |n, &dim| n.checked_mul(dim as u64))?;
    let bits = elements.checked_mul(dtype.bitsize() as u64)?;
    (bits % 8 == 0).then_some(bits / 8)
}

fn element(dtype: Dtype) -> Element {
    match dtype {
        Dtype::F32 => Element::F32,
        Dtype::F16 => Element::F16,
        Dtype::BF16 => Element::Bf16,
        // Integers in a safetensors file are indices or another library's quantisation.
        _ => Element::Other,
    }
}
