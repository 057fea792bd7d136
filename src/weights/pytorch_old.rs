//! Checkpoints of PyTorch as `torch.save` wrote them before version 1.6, and still does when asked to.
//!
//! Five pickles one after the other: a number that marks the format, its version, the machine, the state, and the keys of the
//! storages in the order in which they follow. Of each storage there are the number of its elements, in eight bytes, and the
//! elements.
//!
//! Source: `_legacy_save` and `_legacy_load` in `torch/serialization.py` of PyTorch.

use super::pickle::{Id, Pickle, Value};
use super::pytorch::{PICKLE_LIMIT, most_values};
use super::storage::Storage;
use super::zip_members::Members;
use crate::Result;

/// What comes before the state: the mark, the version, the machine.
const BEFORE: usize = 3;

/// Whether the first bytes of a file are the mark, a pickle of a number that stands for nothing else.
pub(super) fn recognises(head: &[u8; 16]) -> bool {
    head.starts_with(b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19")
}

/// The start of the file, in which the pickles are.
pub(super) fn read_start(storage: &Storage) -> Result<Vec<u8>> {
    let mut start = vec![0; storage.len().min(PICKLE_LIMIT) as usize];
    storage.read_exact_at(0, &mut start)?;
    Ok(start)
}

/// The state of the file that begins with `start`, and where its storages lie, by the names that they have in later files
/// below the root.
pub(super) fn read<'a>(start: &'a [u8], storage: &Storage) -> Result<(Pickle<'a>, Members)> {
    let most = most_values(storage);
    let mut at = 0;
    let mut next = || -> Result<Pickle<'a>> {
        let pickle = Pickle::read(&start[at..], most).map_err(|reason| storage.damaged(reason))?;
        at += pickle.length();
        Ok(pickle)
    };
    for _ in 0..BEFORE {
        next()?;
    }
    let (state, keys) = (next()?, next()?);
    let members = members(&state, &keys, at as u64, storage)?;
    Ok((state, members))
}

/// Where each storage lies, of which the first begins at `at`.
fn members(state: &Pickle, keys: &Pickle, mut at: u64, storage: &Storage) -> Result<Members> {
    let sizes: std::collections::BTreeMap<&str, u64> =
        state.persistents().filter_map(|description| key_and_size(state, description)).collect();
    let Value::Sequence(keys_in_order) = keys.root() else {
        return Err(storage.damaged("a PyTorch file without the keys of its storages"));
    };
    let mut members = Members::new();
    for &key in keys_in_order {
        let known = match *keys.get(key) {
            Value::Text(key) => sizes.get_key_value(key),
            _ => None,
        };
        let Some((key, size)) = known else {
            return Err(storage.damaged("a PyTorch file with a storage of an unknown type; save it again"));
        };
        let mut count = [0; 8];
        storage.read_exact_at(at, &mut count)?;
        let begin = at + count.len() as u64;
        let length = u64::from_le_bytes(count).checked_mul(*size);
        let end = length.and_then(|length| begin.checked_add(length)).filter(|&end| end <= storage.len());
        let Some(end) = end else {
            return Err(storage.damaged("truncated: a storage ends after the file; pull or copy it again"));
        };
        members.insert(format!("data/{key}"), begin..end);
        at = end;
    }
    Ok(members)
}

/// The key of a storage, and the bytes of one of its elements.
fn key_and_size<'a>(state: &Pickle<'a>, description: Id) -> Option<(&'a str, u64)> {
    let Value::Sequence(items) = state.get(description) else { return None };
    let [_storage, class, key, ..] = items[..] else { return None };
    match (state.get(class), state.get(key)) {
        (&Value::Class { name, .. }, &Value::Text(key)) => Some((key, element_size(name)?)),
        _ => None,
    }
}

/// Bytes of an element, by the name of the class of its storage.
fn element_size(class: &str) -> Option<u64> {
    Some(match class {
        "BoolStorage" | "ByteStorage" | "CharStorage" => 1,
        "ShortStorage" | "HalfStorage" | "BFloat16Storage" => 2,
        "IntStorage" | "FloatStorage" => 4,
        "LongStorage" | "DoubleStorage" | "ComplexFloatStorage" => 8,
        "ComplexDoubleStorage" => 16,
        _ => return None,
    })
}
