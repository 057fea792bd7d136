//! Whether a shared library is all there.
//!
//! The loader of Linux maps a file that was cut short without a word, and the process dies of it (SIGBUS) when it reaches
//! the missing part. So the file's own tables are asked beforehand how long it is.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

const HEADER: usize = 64;
const PROGRAM_HEADER: usize = 56;

/// The length that the file at `path` should have at least, in bytes; `None` if it is no little-endian 64-bit ELF file,
/// of which the loader says by itself what is wrong.
pub(super) fn least_length(path: &Path) -> io::Result<Option<u64>> {
    let mut file = File::open(path)?;
    let mut header = [0; HEADER];
    if read_up_to(&mut file, &mut header)? < HEADER || header[..6] != *b"\x7fELF\x02\x01" {
        return Ok(None);
    }
    let segments_at = u64_at(&header, 32);
    let sections_end = table_end(u64_at(&header, 40), u16_at(&header, 58), u16_at(&header, 60));
    let count = u16_at(&header, 56);
    let segments_end = table_end(segments_at, PROGRAM_HEADER as u16, count);
    let mut least = sections_end.max(segments_end);
    if segments_at > file.metadata()?.len() {
        return Ok(Some(least));
    }
    file.seek(SeekFrom::Start(segments_at))?;
    for _ in 0..count {
        let mut segment = [0; PROGRAM_HEADER];
        if read_up_to(&mut file, &mut segment)? < PROGRAM_HEADER {
            break;
        }
        least = least.max(u64_at(&segment, 8).saturating_add(u64_at(&segment, 32)));
    }
    Ok(Some(least))
}

/// Where a table ends. One that is not there is at 0.
fn table_end(at: u64, entry: u16, count: u16) -> u64 {
    at.saturating_add(u64::from(entry) * u64::from(count))
}

/// Fills `to` as far as the file goes.
fn read_up_to(file: &mut File, to: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < to.len() {
        match file.read(&mut to[filled..]) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(filled)
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    let mut value = [0; 2];
    value.copy_from_slice(&bytes[at..at + 2]);
    u16::from_le_bytes(value)
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    let mut value = [0; 8];
    value.copy_from_slice(&bytes[at..at + 8]);
    u64::from_le_bytes(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn least(bytes: &[u8]) -> Option<u64> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), bytes).unwrap();
        least_length(file.path()).unwrap()
    }

    /// A header, then one segment's.
    fn library(sections_at: u64, segment_at: u64, segment_length: u64) -> Vec<u8> {
        let mut bytes = vec![0; HEADER + PROGRAM_HEADER];
        bytes[..6].copy_from_slice(b"\x7fELF\x02\x01");
        bytes[32..40].copy_from_slice(&(HEADER as u64).to_le_bytes());
        bytes[40..48].copy_from_slice(&sections_at.to_le_bytes());
        bytes[56..58].copy_from_slice(&1u16.to_le_bytes());
        bytes[58..60].copy_from_slice(&64u16.to_le_bytes());
        bytes[60..62].copy_from_slice(&3u16.to_le_bytes());
        bytes[HEADER + 8..HEADER + 16].copy_from_slice(&segment_at.to_le_bytes());
        bytes[HEADER + 32..HEADER + 40].copy_from_slice(&segment_length.to_le_bytes());
        bytes
    }

    #[test]
    fn the_length_is_that_of_the_last_part() {
        struct Case {
            what: &'static str,
            bytes: Vec<u8>,
            expected: Option<u64>,
        }
        let mut nowhere = library(0, 0, 0);
        nowhere[32..40].fill(0xff);
        let cases = [
            Case { what: "segment last", bytes: library(500, 1000, 200), expected: Some(1200) },
            Case { what: "sections last", bytes: library(5000, 1000, 200), expected: Some(5000 + 3 * 64) },
            Case { what: "beyond all", bytes: library(0, u64::MAX, 2), expected: Some(u64::MAX) },
            Case { what: "header cut", bytes: library(0, 0, 0)[..50].to_vec(), expected: None },
            Case { what: "segments cut", bytes: library(0, 0, 0)[..80].to_vec(), expected: Some(192) },
            Case { what: "segments nowhere", bytes: nowhere, expected: Some(u64::MAX) },
            Case { what: "text", bytes: b"not a library, ".repeat(9), expected: None },
            Case { what: "nothing", bytes: vec![], expected: None },
        ];
        for case in cases {
            assert_eq!(least(&case.bytes), case.expected, "{}", case.what);
        }
    }

    proptest! {
        #[test]
        fn any_header_is_read_without_a_panic(mut bytes in prop::collection::vec(any::<u8>(), 64..200)) {
            bytes[..6].copy_from_slice(b"\x7fELF\x02\x01");
            prop_assert!(least(&bytes).is_some());
        }
    }
}
