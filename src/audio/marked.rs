//! WAV files that say in themselves what was done to their sound.

use std::fs::{self, File};
use std::io::{BufWriter, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use hound::{SampleFormat, WavSpec, WavWriter};
use tempfile::NamedTempFile;

use crate::time::SampleRate;
use crate::{Error, Result};

/// The most samples that a file takes.
const MOST: u64 = (u32::MAX as u64 - (1 << 16)) / 2;

/// Writes 16-bit mono with a list of remarks (RIFF's `LIST` chunk of `INFO`), as a file that appears whole or not at all.
pub struct MarkedWav {
    path: PathBuf,
    temporary: NamedTempFile,
    writer: WavWriter<BufWriter<File>>,
    written: u64,
}

impl MarkedWav {
    /// A file to be at `path`, of `rate`.
    ///
    /// # Errors
    /// [`Error::Io`] where its folder cannot be written in.
    pub fn create(path: &Path, rate: SampleRate) -> Result<Self> {
        let io = |error| Error::io(path, error);
        let folder = match path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        fs::create_dir_all(folder).map_err(io)?;
        let temporary = NamedTempFile::new_in(folder).map_err(io)?;
        let file = temporary.reopen().map_err(io)?;
        let spec = WavSpec {
            channels: 1,
            sample_rate: rate.0,
            bits_per_sample: 16,
            sample_format: SampleFormat::Int,
        };
        let writer = WavWriter::new(BufWriter::new(file), spec).map_err(|error| refused(path, error))?;
        Ok(Self { path: path.to_path_buf(), temporary, writer, written: 0 })
    }

    /// Appends `samples`; those beyond full scale are clipped.
    ///
    /// # Errors
    /// [`Error::Io`] where the disk is full or the file would be longer than a WAV file can be.
    pub fn write(&mut self, samples: &[f32]) -> Result<()> {
        self.written += samples.len() as u64;
        if self.written > MOST {
            let reason = std::io::Error::other("a WAV file ends at 4 GiB; convert it in parts");
            return Err(Error::io(&self.path, reason));
        }
        for &sample in samples {
            // The conversion saturates, and takes NaN as zero.
            let written = self.writer.write_sample((sample * 32_768.0).round() as i16);
            written.map_err(|error| refused(&self.path, error))?;
        }
        Ok(())
    }

    /// Samples so far.
    pub fn written(&self) -> u64 {
        self.written
    }

    /// Adds `remarks`, each by the four letters that RIFF has for it (`ICMT` a comment, `ISFT` the program), and puts the file in
    /// its place.
    ///
    /// # Errors
    /// [`Error::Io`] where the disk is full.
    pub fn finish(self, remarks: &[([u8; 4], &str)]) -> Result<()> {
        let Self { path, mut temporary, writer, .. } = self;
        let io = |error| Error::io(&path, error);
        writer.finalize().map_err(|error| refused(&path, error))?;
        let list = list(remarks);
        let file = temporary.as_file_mut();
        let end = file.seek(SeekFrom::End(0)).map_err(io)?;
        file.write_all(&list).map_err(io)?;
        // The whole is longer by the list.
        let size = u32::try_from(end + list.len() as u64 - 8).unwrap_or(u32::MAX);
        file.seek(SeekFrom::Start(4)).map_err(io)?;
        file.write_all(&size.to_le_bytes()).map_err(io)?;
        file.sync_all().map_err(io)?;
        temporary.persist(&path).map_err(|failed| Error::io(&path, failed.error))?;
        Ok(())
    }
}

/// The chunk of `remarks`: each ends with a zero and fills whole words of 16 bits.
fn list(remarks: &[([u8; 4], &str)]) -> Vec<u8> {
    let mut body = b"INFO".to_vec();
    for (name, text) in remarks {
        let mut text = text.as_bytes().to_vec();
        text.push(0);
        body.extend_from_slice(name);
        body.extend_from_slice(&(text.len() as u32).to_le_bytes());
        text.resize(text.len().next_multiple_of(2), 0);
        body.extend(text);
    }
    let mut list = b"LIST".to_vec();
    list.extend_from_slice(&(body.len() as u32).to_le_bytes());
    list.extend(body);
    list
}

fn refused(path: &Path, error: hound::Error) -> Error {
    match error {
        hound::Error::IoError(source) => Error::io(path, source),
        other => Error::io(path, std::io::Error::other(other)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::{AudioInput, AudioStream, DecodeOptions};

    #[test]
    fn remarks_are_there_and_the_sound_plays() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("deep/a.wav");
        let mut wav = MarkedWav::create(&path, SampleRate(16_000)).unwrap();
        wav.write(&[0.5, -0.5, 2.0]).unwrap();
        assert!(!path.exists() && wav.written() == 3);
        wav.finish(&[(*b"ISFT", "awaaz"), (*b"ICMT", "converted")]).unwrap();
        let bytes = fs::read(&path).unwrap();
        assert_eq!(u32::from_le_bytes(bytes[4..8].try_into().unwrap()) as usize, bytes.len() - 8);
        let text = String::from_utf8_lossy(&bytes);
        assert!(text.contains("LIST") && text.contains("ISFT\u{6}\0\0\0awaaz\0ICMT\u{a}\0\0\0converted\0"));
        let samples: Vec<i16> =
            hound::WavReader::open(&path).unwrap().into_samples().collect::<hound::Result<_>>().unwrap();
        assert_eq!(samples, [16_384, -16_384, 32_767]);
        let mut read = AudioStream::open(AudioInput::File(path), &DecodeOptions::default()).unwrap();
        assert_eq!(read.read_all().unwrap().len(), 3);
    }
}
