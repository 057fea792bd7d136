//! The CTranslate2 `model.bin` format, binary versions 2 to 6.
//!
//! All integers are little-endian, unaligned, tightly packed; `str` is a `u16` length that counts the
//! trailing NUL, then the bytes:
//!
//! ```text
//! u32 version, str spec name, u32 spec revision, u32 number of variables
//! each variable: str name, u8 rank, u32 dimension[rank], type and size, data
//!     version >= 4: u8 data type (0 f32, 1 i8, 2 i16, 3 i32, 4 f16, 5 bf16), u32 byte count
//!     version <  4: u8 item size, u32 element count
//! version >= 3: u32 number of aliases, each: str alias, str variable
//! ```
//!
//! Source: `python/ctranslate2/specs/model_spec.py` and `src/models/model.cc` of CTranslate2.

use std::collections::BTreeMap;

use super::storage::Storage;
use super::tensor::Element;
use crate::Result;

/// Version 1 has no spec name, so nothing says what its variables mean.
const VERSIONS: std::ops::RangeInclusive<u32> = 2..=6;
/// Convolutions have three dimensions; nothing in CTranslate2 has more than four.
const RANK_LIMIT: u8 = 8;
/// Many times that of the largest Whisper; bounds what the names alone can take.
const VARIABLE_LIMIT: u32 = 1 << 16;
/// How much of the file is read at once while its structure is walked.
const WINDOW: usize = 4096;

/// What a `model.bin` holds.
pub(super) struct Contents {
    /// The name of the layout, such as `WhisperSpec`.
    pub(super) spec: String,
    /// Every variable, and every alias as the variable that it stands for.
    pub(super) variables: BTreeMap<String, Variable>,
    /// The integer scalars, such as `encoder/num_heads`.
    pub(super) scalars: BTreeMap<String, i64>,
}

/// One variable, all of whose bytes lie within the file.
#[derive(Clone)]
pub(super) struct Variable {
    pub(super) shape: Vec<usize>,
    pub(super) element: Element,
    pub(super) offset: u64,
}

/// Whether the first bytes of a file can be those of a `model.bin`.
pub(super) fn recognises(head: &[u8; 16]) -> bool {
    let version = u32::from_le_bytes([head[0], head[1], head[2], head[3]]);
    (1..=64).contains(&version) && head[6].is_ascii_alphanumeric()
}

/// Walks the file from its first byte to its last.
pub(super) fn read(storage: &Storage) -> Result<Contents> {
    let mut cursor = Cursor { storage, position: 0, window: Vec::new(), window_start: 0 };
    let version = cursor.u32()?;
    if !VERSIONS.contains(&version) {
        return Err(storage.damaged(format!(
            "CTranslate2 binary version {version} cannot be read (2 to 6 can); convert the model again"
        )));
    }
    let spec = cursor.string()?;
    let _revision = cursor.u32()?;
    let mut contents = Contents { spec, variables: BTreeMap::new(), scalars: BTreeMap::new() };
    for _ in 0..cursor.count()? {
        read_variable(&mut cursor, version, &mut contents)?;
    }
    if version >= 3 {
        for _ in 0..cursor.count()? {
            read_alias(&mut cursor, &mut contents)?;
        }
    }
    if cursor.position != storage.len() {
        let excess = storage.len() - cursor.position;
        return Err(
            storage.damaged(format!("{excess} bytes follow the last variable; pull or copy it again"))
        );
    }
    Ok(contents)
}

fn read_variable(cursor: &mut Cursor, version: u32, contents: &mut Contents) -> Result<()> {
    let storage = cursor.storage;
    let name = cursor.string()?;
    let damaged = |reason: String| storage.damaged(format!("variable {name}: {reason}"));
    let rank = cursor.u8()?;
    if rank > RANK_LIMIT {
        return Err(damaged(format!("{rank} dimensions")));
    }
    let mut shape = Vec::with_capacity(rank.into());
    for _ in 0..rank {
        shape.push(cursor.u32()? as usize);
    }
    let elements = shape.iter().try_fold(1_u64, |n, &dim| n.checked_mul(dim as u64));
    let (element, item_size, stored) = read_type(cursor, version).and_then(|found| {
        found.ok_or_else(|| damaged("unknown data type; convert the model again".into()))
    })?;
    if elements.and_then(|n| n.checked_mul(item_size)) != Some(stored) {
        return Err(damaged(format!("shape {shape:?} does not fit its {stored} bytes")));
    }
    let variable = Variable { shape, element, offset: cursor.position };
    if rank == 0
        && let Some(value) = cursor.scalar(element)?
    {
        contents.scalars.insert(name.clone(), value);
    }
    cursor.seek(variable.offset.saturating_add(stored))?;
    if contents.variables.insert(name.clone(), variable).is_some() {
        return Err(damaged("is there twice".into()));
    }
    Ok(())
}

/// The element type, the bytes of one element, and the bytes of the whole variable.
fn read_type(cursor: &mut Cursor, version: u32) -> Result<Option<(Element, u64, u64)>> {
    let code = cursor.u8()?;
    let count = u64::from(cursor.u32()?);
    // Before version 4 only the size of an item is stored, and each size stands for one type.
    let (element, size) = match (version, code) {
        (4.., 0) | (..4, 4) => (Element::F32, 4),
        (4.., 1) | (..4, 1) => (Element::I8, 1),
        (4.., 2) | (..4, 2) => (Element::I16, 2),
        (4.., 3) => (Element::I32, 4),
        (4.., 4) => (Element::F16, 2),
        (4.., 5) => (Element::Bf16, 2),
        _ => return Ok(None),
    };
    Ok(Some((element, size, if version >= 4 { count } else { count * size })))
}

fn read_alias(cursor: &mut Cursor, contents: &mut Contents) -> Result<()> {
    let alias = cursor.string()?;
    let name = cursor.string()?;
    let Some(variable) = contents.variables.get(&name).cloned() else {
        return Err(cursor.storage.damaged(format!("alias {alias} stands for {name}, which is not there")));
    };
    if contents.variables.insert(alias.clone(), variable).is_some() {
        return Err(cursor.storage.damaged(format!("alias {alias} is already a variable")));
    }
    Ok(())
}

/// Reads forward through the structure, a window at a time, and jumps over the data.
struct Cursor<'a> {
    storage: &'a Storage,
    position: u64,
    window: Vec<u8>,
    window_start: u64,
}

impl Cursor<'_> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N]> {
        let mut bytes = [0; N];
        bytes.copy_from_slice(self.bytes(N)?);
        Ok(bytes)
    }

    /// The next `count` bytes; `count` is at most that of a string, 65535.
    fn bytes(&mut self, count: usize) -> Result<&[u8]> {
        let window_end = self.window_start + self.window.len() as u64;
        let end = self.position + count as u64;
        if self.position < self.window_start || end > window_end {
            let left = self.storage.len().saturating_sub(self.position);
            let fill = left.min(count.max(WINDOW) as u64).max(count as u64);
            self.window.resize(fill as usize, 0);
            self.window_start = self.position;
            self.storage.read_exact_at(self.position, &mut self.window)?;
        }
        let start = (self.position - self.window_start) as usize;
        self.position = end;
        Ok(&self.window[start..start + count])
    }

    fn u8(&mut self) -> Result<u8> {
        Ok(self.take::<1>()?[0])
    }

    fn u32(&mut self) -> Result<u32> {
        Ok(u32::from_le_bytes(self.take()?))
    }

    /// A number of variables or aliases.
    fn count(&mut self) -> Result<u32> {
        let count = self.u32()?;
        let plausible = (count <= VARIABLE_LIMIT).then_some(count);
        plausible.ok_or_else(|| self.storage.damaged(format!("{count} variables, which no model has")))
    }

    fn string(&mut self) -> Result<String> {
        let storage = self.storage;
        let start = self.position;
        let length = u16::from_le_bytes(self.take()?);
        let bytes = self.bytes(length.into())?;
        let text = bytes.strip_suffix(&[0]).and_then(|text| std::str::from_utf8(text).ok());
        text.map(str::to_owned)
            .ok_or_else(|| storage.damaged(format!("no name at byte {start}, where one should be")))
    }

    /// The value at the cursor, where the element type is an integer.
    fn scalar(&mut self, element: Element) -> Result<Option<i64>> {
        Ok(match element {
            Element::I8 => Some(i8::from_le_bytes(self.take()?).into()),
            Element::I16 => Some(i16::from_le_bytes(self.take()?).into()),
            Element::I32 => Some(i32::from_le_bytes(self.take()?).into()),
            _ => None,
        })
    }

    fn seek(&mut self, position: u64) -> Result<()> {
        if position > self.storage.len() {
            return Err(self.storage.damaged(format!(
                "truncated: {position} bytes expected, but the file has {}; pull or copy it again",
                self.storage.len()
            )));
        }
        self.position = position;
        Ok(())
    }
}
