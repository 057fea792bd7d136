//! Where weights lie: a file read by position, or bytes in memory.
//!
//! Positioned reads, not a memory map: pages of a map count as the process's own until they are
//! given back, and a file that shrinks under a map kills the process where a read returns an error.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use crate::{Error, Result};

/// How much is read at once: small enough to stay in the second-level cache while it is decoded.
const CHUNK: usize = 256 * 1024;

/// The bytes of one weights file.
pub(super) struct Storage {
    path: PathBuf,
    bytes: Bytes,
    len: u64,
}

enum Bytes {
    File(File),
    Memory(Vec<u8>),
}

impl Storage {
    pub(super) fn open(path: &Path) -> Result<Self> {
        let file = File::open(path).map_err(|e| Error::io(path, e))?;
        let len = file.metadata().map_err(|e| Error::io(path, e))?.len();
        Ok(Self { path: path.to_path_buf(), bytes: Bytes::File(file), len })
    }

    pub(super) fn from_bytes(label: &Path, bytes: Vec<u8>) -> Self {
        let len = bytes.len() as u64;
        Self { path: label.to_path_buf(), bytes: Bytes::Memory(bytes), len }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The file's path, length and time of last change, by which it is known again; none of bytes in memory.
    pub(super) fn identity(&self) -> Option<String> {
        let Bytes::File(file) = &self.bytes else { return None };
        let path = fs::canonicalize(&self.path).ok()?;
        let changed = file.metadata().ok()?.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
        Some(format!("{}\n{} bytes, changed at {changed:?}", path.display(), self.len))
    }

    pub(super) fn len(&self) -> u64 {
        self.len
    }

    /// An error that says in what way the file is not what it should be.
    pub(super) fn damaged(&self, reason: impl ToString) -> Error {
        Error::model(self.path.display().to_string(), reason)
    }

    /// Fills `buffer` from `offset`. Reading past the end is an error.
    pub(super) fn read_exact_at(&self, offset: u64, buffer: &mut [u8]) -> Result<()> {
        let end = offset.checked_add(buffer.len() as u64).filter(|&end| end <= self.len);
        if end.is_none() {
            return Err(self.damaged(format!(
                "truncated: {} bytes wanted at {offset}, but the file has {}; pull or copy it again",
                buffer.len(),
                self.len
            )));
        }
        match &self.bytes {
            Bytes::Memory(bytes) => {
                let start = offset as usize;
                buffer.copy_from_slice(&bytes[start..start + buffer.len()]);
                Ok(())
            }
            Bytes::File(file) => read_file_at(file, offset, buffer).map_err(|e| Error::io(&self.path, e)),
        }
    }

    /// `count` little-endian elements of `N` bytes from `offset`, each turned into a `T`.
    ///
    /// The caller has checked that they lie within the file, so `count` bounds no more memory than
    /// the file itself would take (twice that where `decode` widens 16 bits to 32).
    pub(super) fn read_elements<T, const N: usize>(
        &self,
        offset: u64,
        count: usize,
        decode: impl Fn([u8; N]) -> T,
    ) -> Result<Vec<T>> {
        let mut elements = Vec::with_capacity(count);
        let mut chunk = vec![0; CHUNK.min(count * N)];
        let mut position = offset;
        while elements.len() < count {
            let bytes = (count - elements.len()).min(CHUNK / N) * N;
            self.read_exact_at(position, &mut chunk[..bytes])?;
            elements.extend(chunk[..bytes].as_chunks::<N>().0.iter().map(|&element| decode(element)));
            position += bytes as u64;
        }
        Ok(elements)
    }
}

#[cfg(unix)]
fn read_file_at(file: &File, offset: u64, buffer: &mut [u8]) -> std::io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, buffer, offset)
}

#[cfg(windows)]
fn read_file_at(file: &File, mut offset: u64, mut buffer: &mut [u8]) -> std::io::Result<()> {
    while !buffer.is_empty() {
        let read = std::os::windows::fs::FileExt::seek_read(file, buffer, offset)?;
        if read == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        offset += read as u64;
        buffer = &mut buffer[read..];
    }
    Ok(())
}
