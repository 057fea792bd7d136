//! One tensor: where it lies in a file, and its values once read.

use half::slice::HalfFloatSliceExt;
use half::{bf16, f16};

use super::storage::Storage;
use crate::Result;

/// A tensor read from a checkpoint, row-major.
#[derive(Debug, Clone, PartialEq)]
pub struct Weight {
    /// Its dimensions, outermost first.
    pub shape: Vec<usize>,
    /// Its values, in the precision in which they are stored.
    pub values: Values,
}

/// The values of a tensor in the precision in which the file has them.
#[derive(Debug, Clone, PartialEq)]
pub enum Values {
    /// Single precision.
    F32(Vec<f32>),
    /// IEEE half precision.
    F16(Vec<f16>),
    /// bfloat16.
    Bf16(Vec<bf16>),
    /// Eight-bit integers, quantised row by row: `w[r, ..] = values[r, ..] * row_scale[r]`.
    I8 {
        /// The integers, row-major.
        values: Vec<i8>,
        /// One factor a row, a row being one index of the outermost dimension.
        row_scale: Vec<f32>,
    },
}

impl Weight {
    /// The values in single precision, dequantised where they are quantised.
    pub fn into_f32(self) -> Vec<f32> {
        match self.values {
            Values::F32(values) => values,
            Values::F16(values) => widen(values.len(), |out| values.convert_to_f32_slice(out)),
            Values::Bf16(values) => widen(values.len(), |out| values.convert_to_f32_slice(out)),
            Values::I8 { values, row_scale } => dequantise(&values, &row_scale),
        }
    }
}

fn widen(len: usize, convert: impl FnOnce(&mut [f32])) -> Vec<f32> {
    let mut out = vec![0.0; len];
    convert(&mut out);
    out
}

fn dequantise(values: &[i8], row_scale: &[f32]) -> Vec<f32> {
    if values.is_empty() {
        return Vec::new();
    }
    let rows = values.chunks_exact(values.len() / row_scale.len());
    rows.zip(row_scale).flat_map(|(row, scale)| row.iter().map(move |&q| f32::from(q) * scale)).collect()
}

/// How one element is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Element {
    F32,
    F16,
    Bf16,
    I8,
    I16,
    I32,
    /// A type that no network here reads; kept so that the tensor can be named in an error.
    Other,
}

impl Element {
    /// Bytes of one element of the types that CTranslate2 stores.
    pub(super) fn size(self) -> usize {
        match self {
            Self::F32 | Self::I32 => 4,
            Self::F16 | Self::Bf16 | Self::I16 => 2,
            Self::I8 | Self::Other => 1,
        }
    }
}

/// Where a tensor lies.
#[derive(Debug, Clone)]
pub(super) struct Slot {
    /// Which of the checkpoint's files.
    pub(super) file: usize,
    /// Byte offset of the first element. All elements lie within the file: checked on opening.
    pub(super) offset: u64,
    pub(super) shape: Vec<usize>,
    /// Elements from one index of each dimension to the next, where they are not row-major.
    pub(super) strides: Option<Vec<usize>>,
    pub(super) element: Element,
    /// The quantisation scale, for integers.
    pub(super) scale: Option<ScaleSlot>,
}

/// Where the scale of a quantised tensor lies: `w = q / scale`, as CTranslate2 has it.
#[derive(Debug, Clone, Copy)]
pub(super) struct ScaleSlot {
    pub(super) offset: u64,
    pub(super) element: Element,
    pub(super) extent: ScaleExtent,
}

/// What one scale applies to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ScaleExtent {
    /// One scale for the whole tensor.
    Tensor,
    /// One scale a row.
    Row,
}

impl Slot {
    /// Reads the tensor. The reason of an error does not name the tensor: the caller does.
    pub(super) fn read(&self, storage: &Storage) -> Result<Values, ReadError> {
        let count = self.shape.iter().product();
        // Without values there are no rows either, whatever the outermost dimension says.
        let rows = if count == 0 { 0 } else { self.shape.first().copied().unwrap_or(1) };
        Ok(match self.element {
            Element::F32 => Values::F32(self.elements(storage, f32::from_le_bytes)?),
            Element::F16 => Values::F16(self.elements(storage, f16::from_le_bytes)?),
            Element::Bf16 => Values::Bf16(self.elements(storage, bf16::from_le_bytes)?),
            Element::I8 => Values::I8 {
                row_scale: self.row_scale(storage, rows)?,
                values: storage.read_elements(self.offset, count, i8::from_le_bytes)?,
            },
            Element::I16 => {
                let row_scale = self.row_scale(storage, rows)?;
                let values = storage.read_elements(self.offset, count, i16::from_le_bytes)?;
                let row_len = (count / rows.max(1)).max(1);
                let scaled = values.chunks(row_len).zip(row_scale);
                Values::F32(scaled.flat_map(|(row, s)| row.iter().map(move |&q| f32::from(q) * s)).collect())
            }
            Element::I32 | Element::Other => {
                return Err(ReadError::Unusable("has an element type that no network here uses".into()));
            }
        })
    }

    /// The elements, row-major.
    fn elements<T: Copy, const N: usize>(
        &self,
        storage: &Storage,
        decode: impl Fn([u8; N]) -> T,
    ) -> Result<Vec<T>, ReadError> {
        let count = self.shape.iter().product();
        let Some(strides) = self.strides.as_deref().filter(|_| count > 0) else {
            return Ok(storage.read_elements(self.offset, count, decode)?);
        };
        // Where elements are repeated, a small file could ask for any amount of memory.
        let span = span(&self.shape, strides).filter(|&span| span >= count);
        let span =
            span.ok_or_else(|| ReadError::Unusable("repeats its elements; save a copy of it".into()))?;
        let stored = storage.read_elements(self.offset, span, decode)?;
        let mut elements = Vec::with_capacity(count);
        gather(&stored, &self.shape, strides, &mut elements);
        Ok(elements)
    }

    /// The factor of each row, `1 / scale`.
    fn row_scale(&self, storage: &Storage, rows: usize) -> Result<Vec<f32>, ReadError> {
        let scale = self.scale.ok_or_else(|| ReadError::Unusable("holds integers without a scale".into()))?;
        let stored = match scale.extent {
            ScaleExtent::Tensor => 1,
            ScaleExtent::Row => rows,
        };
        let scales = match scale.element {
            Element::F32 => storage.read_elements(scale.offset, stored, f32::from_le_bytes)?,
            Element::F16 => {
                storage.read_elements(scale.offset, stored, |b| f16::from_le_bytes(b).to_f32())?
            }
            Element::Bf16 => {
                storage.read_elements(scale.offset, stored, |b| bf16::from_le_bytes(b).to_f32())?
            }
            _ => return Err(ReadError::Unusable("has a scale that is not a float".into())),
        };
        if let Some(bad) = scales.iter().find(|s| !(s.is_finite() && **s > 0.0)) {
            return Err(ReadError::Unusable(format!("has the scale {bad}, which is not a positive number")));
        }
        Ok(match scale.extent {
            ScaleExtent::Tensor => vec![1.0 / scales[0]; rows],
            ScaleExtent::Row => scales.into_iter().map(|s| 1.0 / s).collect(),
        })
    }
}

/// Elements from the first of a tensor to its last, as they lie in the file.
pub(super) fn span(shape: &[usize], strides: &[usize]) -> Option<usize> {
    if shape.contains(&0) {
        return Some(0);
    }
    let last = shape
        .iter()
        .zip(strides)
        .try_fold(0_usize, |last, (&dim, &stride)| last.checked_add((dim - 1).checked_mul(stride)?));
    last?.checked_add(1)
}

/// Brings elements that lie in `strides` into row-major order.
fn gather<T: Copy>(stored: &[T], shape: &[usize], strides: &[usize], out: &mut Vec<T>) {
    let ([dim, shape @ ..], [stride, strides @ ..]) = (shape, strides) else { return out.push(stored[0]) };
    for index in 0..*dim {
        gather(&stored[index * stride..], shape, strides, out);
    }
}

/// Why a tensor could not be read.
pub(super) enum ReadError {
    /// The file could not be read.
    File(crate::Error),
    /// The tensor is of no use.
    Unusable(String),
}

impl From<crate::Error> for ReadError {
    fn from(error: crate::Error) -> Self {
        Self::File(error)
    }
}
