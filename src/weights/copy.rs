//! Copying with an ear to the user, and with errors that tell the two ends apart.

use std::io::{self, Read, Write};

use crate::Error;

const BUFFER: usize = 128 * 1024;

/// Which end of a copy failed.
pub(super) enum CopyError {
    Read(io::Error),
    Write(io::Error),
    Stopped(Error),
}

/// Copies to the end; `step` hears how many bytes have been copied, and may stop the copy.
pub(super) fn copy(
    from: &mut impl Read,
    to: &mut impl Write,
    mut step: impl FnMut(u64) -> Result<(), Error>,
) -> Result<u64, CopyError> {
    let mut buffer = vec![0; BUFFER];
    let mut done = 0;
    loop {
        let read = match from.read(&mut buffer) {
            Ok(0) => return Ok(done),
            Ok(read) => read,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
            Err(e) => return Err(CopyError::Read(e)),
        };
        to.write_all(&buffer[..read]).map_err(CopyError::Write)?;
        done += read as u64;
        step(done).map_err(CopyError::Stopped)?;
    }
}
