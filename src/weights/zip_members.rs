//! Where the members of a zip archive lie, for archives whose members are stored as they are.
//!
//! Format: APPNOTE.TXT of PKWARE, sections 4.3 to 4.5. Nothing is unpacked: a member is a range of the file. No count or
//! length in the file is believed before the file is seen to have so many bytes.

use std::collections::BTreeMap;
use std::ops::Range;

use super::storage::Storage;
use crate::Result;

const END: &[u8] = b"PK\x05\x06";
const END_LENGTH: usize = 22;
const END_64: &[u8] = b"PK\x06\x06";
const END_64_LENGTH: usize = 56;
const LOCATOR_64: &[u8] = b"PK\x06\x07";
const LOCATOR_64_LENGTH: usize = 20;
const ENTRY: &[u8] = b"PK\x01\x02";
const ENTRY_LENGTH: usize = 46;
const LOCAL: &[u8] = b"PK\x03\x04";
const LOCAL_LENGTH: usize = 30;
/// The extra field with the numbers that do not fit 32 bits.
const EXTRA_64: usize = 1;
/// What stands in 32 bits for a number that is elsewhere.
const ELSEWHERE: u64 = u32::MAX as u64;

/// The bytes of each member, by name.
pub(super) type Members = BTreeMap<String, Range<u64>>;

/// Whether the first bytes of a file are those of a zip archive.
pub(super) fn recognises(head: &[u8; 16]) -> bool {
    head.starts_with(LOCAL)
}

/// The members of an archive, none of which may be compressed or encrypted.
pub(super) fn read(storage: &Storage) -> Result<Members> {
    let damaged = |reason: &str| storage.damaged(format!("zip archive {reason}; pull or copy it again"));
    let directory = directory(storage)?.ok_or_else(|| damaged("has no directory at its end"))?;
    if directory.start > directory.end || directory.end > storage.len() {
        return Err(damaged("has a directory that does not fit the file"));
    }
    let mut entries = vec![0; (directory.end - directory.start) as usize];
    storage.read_exact_at(directory.start, &mut entries)?;
    let mut rest = &entries[..];
    let mut members = Members::new();
    while !rest.is_empty() {
        let (entry, after) = Entry::split(rest).ok_or_else(|| damaged("has a damaged directory"))?;
        rest = after;
        if entry.is_packed {
            return Err(storage.damaged(format!(
                "member {} is compressed or encrypted, which PyTorch never does; save it again with torch.save",
                entry.name
            )));
        }
        let data = entry.data(storage)?.ok_or_else(|| damaged("has a member that is not in the file"))?;
        members.insert(entry.name, data);
    }
    Ok(members)
}

/// Where the directory is. Only its place is looked up: how many entries it has shows when they are read.
fn directory(storage: &Storage) -> Result<Option<Range<u64>>> {
    let length = storage.len().min((END_LENGTH + usize::from(u16::MAX)) as u64);
    let start = storage.len() - length;
    let mut tail = vec![0; length as usize];
    storage.read_exact_at(start, &mut tail)?;
    // A comment may follow, to the end of the file.
    let is_end = |at: &usize| {
        tail[*at..].starts_with(END)
            && number::<2>(&tail, at + 20) == Some((tail.len() - at - END_LENGTH) as u64)
    };
    let Some(at) = (0..(tail.len() + 1).saturating_sub(END_LENGTH)).rev().find(is_end) else {
        return Ok(None);
    };
    let size_and_offset = (number::<4>(&tail, at + 12), number::<4>(&tail, at + 16));
    let (Some(size), Some(offset)) = size_and_offset else { return Ok(None) };
    if size != ELSEWHERE && offset != ELSEWHERE && number::<2>(&tail, at + 10) != Some(u16::MAX.into()) {
        return Ok(Some(offset..offset + size));
    }
    let Some(at) = at.checked_sub(LOCATOR_64_LENGTH).filter(|&at| tail[at..].starts_with(LOCATOR_64)) else {
        return Ok(None);
    };
    let mut end = [0; END_64_LENGTH];
    match number::<8>(&tail, at + 8) {
        Some(place) if fits(storage, place, END_64_LENGTH) => storage.read_exact_at(place, &mut end)?,
        _ => return Ok(None),
    }
    let (size, offset) = (number::<8>(&end, 40), number::<8>(&end, 48));
    let found = offset.zip(size).and_then(|(offset, size)| Some(offset..offset.checked_add(size)?));
    Ok(found.filter(|_| end.starts_with(END_64)))
}

/// A member as the directory has it.
struct Entry {
    name: String,
    is_packed: bool,
    length: u64,
    /// Of the header before the member's bytes.
    header: u64,
}

impl Entry {
    /// The first entry and what follows it.
    fn split(bytes: &[u8]) -> Option<(Self, &[u8])> {
        if !bytes.starts_with(ENTRY) {
            return None;
        }
        let field = |at| number::<2>(bytes, at).map(|field| field as usize);
        let (flags, method) = (field(8)?, field(10)?);
        let (name_end, extra_length, comment_length) = (ENTRY_LENGTH + field(28)?, field(30)?, field(32)?);
        let extra_end = name_end + extra_length;
        let name = String::from_utf8_lossy(bytes.get(ENTRY_LENGTH..name_end)?).into_owned();
        let mut sizes = [number::<4>(bytes, 24)?, number::<4>(bytes, 20)?, number::<4>(bytes, 42)?];
        widen(&mut sizes, bytes.get(name_end..extra_end)?)?;
        let [length, stored, header] = sizes;
        let is_packed = method != 0 || flags & 1 != 0 || length != stored;
        Some((Self { name, is_packed, length, header }, bytes.get(extra_end + comment_length..)?))
    }

    /// Where the member's bytes are: after its own header, whose length the directory does not tell.
    fn data(&self, storage: &Storage) -> Result<Option<Range<u64>>> {
        if !fits(storage, self.header, LOCAL_LENGTH) {
            return Ok(None);
        }
        let mut header = [0; LOCAL_LENGTH];
        storage.read_exact_at(self.header, &mut header)?;
        let lengths = number::<2>(&header, 26).zip(number::<2>(&header, 28));
        let start = lengths.map(|(name, extra)| self.header + LOCAL_LENGTH as u64 + name + extra);
        let data = start.and_then(|start| Some(start..start.checked_add(self.length)?));
        Ok(data.filter(|data| header.starts_with(LOCAL) && data.end <= storage.len()))
    }
}

/// Takes the numbers that stand elsewhere from the extra fields, where they are in the order of `sizes`.
fn widen(sizes: &mut [u64; 3], mut extra: &[u8]) -> Option<()> {
    let mut missing = sizes.iter_mut().filter(|size| **size == ELSEWHERE).peekable();
    while missing.peek().is_some() {
        let (kind, length) = (number::<2>(extra, 0)? as usize, number::<2>(extra, 2)? as usize);
        let field = extra.get(4..4 + length)?;
        extra = &extra[4 + length..];
        if kind == EXTRA_64 {
            for (index, size) in missing.by_ref().enumerate() {
                *size = number::<8>(field, 8 * index)?;
            }
        }
    }
    Some(())
}

fn fits(storage: &Storage, offset: u64, length: usize) -> bool {
    offset.checked_add(length as u64).is_some_and(|end| end <= storage.len())
}

/// The little-endian number of `N` bytes at `at`.
fn number<const N: usize>(bytes: &[u8], at: usize) -> Option<u64> {
    let bytes = bytes.get(at..)?.first_chunk::<N>()?;
    Some(bytes.iter().rev().fold(0, |number, &byte| number << 8 | u64::from(byte)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Members beyond 4 GiB, which no test has.
    #[test]
    fn numbers_beyond_32_bits_are_in_an_extra_field() {
        const BIG: u64 = 5 << 32;
        let field = |kind: u16, numbers: &[u64]| {
            let numbers = numbers.iter().flat_map(|number| number.to_le_bytes()).collect::<Vec<u8>>();
            [&kind.to_le_bytes()[..], &(numbers.len() as u16).to_le_bytes(), &numbers].concat()
        };
        struct Case {
            sizes: [u64; 3],
            extra: Vec<u8>,
            widened: Option<[u64; 3]>,
        }
        let cases = [
            Case { sizes: [7, 7, 9], extra: vec![], widened: Some([7, 7, 9]) },
            Case { sizes: [7, 7, ELSEWHERE], extra: field(1, &[BIG]), widened: Some([7, 7, BIG]) },
            Case {
                sizes: [ELSEWHERE, ELSEWHERE, 9],
                extra: [field(0x4246, &[1]), field(1, &[BIG, BIG + 1])].concat(),
                widened: Some([BIG, BIG + 1, 9]),
            },
            Case { sizes: [ELSEWHERE; 3], extra: field(1, &[BIG; 2]), widened: None },
            Case { sizes: [7, 7, ELSEWHERE], extra: field(2, &[BIG]), widened: None },
            Case { sizes: [7, 7, ELSEWHERE], extra: field(1, &[BIG])[..9].to_vec(), widened: None },
        ];
        for case in cases {
            let mut sizes = case.sizes;
            assert_eq!(widen(&mut sizes, &case.extra).map(|()| sizes), case.widened, "{:?}", case.sizes);
        }
    }
}
