//! Recordings of a stream, as 16-bit mono WAV at 16 kHz.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use hound::{SampleFormat, WavSpec, WavWriter};

use crate::time::SampleRate;
use crate::{Error, Result};

/// Samples between two updates of the header: a second.
const CHECKPOINT: u64 = SampleRate::PIPELINE.0 as u64;
/// Bytes of the header, and what it must leave free of the 4 GiB that its sizes can tell.
const HEADER: u64 = 44;
/// The most samples that a file takes: 37 hours.
const MOST: u64 = (u32::MAX as u64 - HEADER) / 2;

/// Writes a WAV file that can be played at any time, up to the last second: its header is brought up to date each
/// second, so that a process that is killed leaves a whole file behind.
pub struct WavRecorder {
    path: PathBuf,
    /// None once writing has failed.
    writer: Option<WavWriter<BufWriter<File>>>,
    written: u64,
    checkpoint: u64,
    most: u64,
}

impl WavRecorder {
    /// Creates the file, or empties the one that is there.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn create(path: impl Into<PathBuf>) -> Result<Self> {
        let path = path.into();
        let spec = WavSpec {
            channels: 1,
            sample_rate: SampleRate::PIPELINE.0,
            bits_per_sample: 16,
            sample_format: SampleFormat::Int,
        };
        let writer = WavWriter::create(&path, spec).map_err(|error| refused(&path, error))?;
        let mut recorder =
            Self { path, writer: Some(writer), written: 0, checkpoint: CHECKPOINT, most: MOST };
        recorder.try_writing(|writer| writer.flush())?;
        Ok(recorder)
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Appends `samples`; those beyond full scale are clipped.
    ///
    /// # Errors
    /// [`Error::Io`] where the disk is full, the file has reached 4 GiB, or an earlier write has failed. What was
    /// written before stays playable.
    pub fn write(&mut self, samples: &[f32]) -> Result<()> {
        self.append(samples.iter().map(|&sample| quantised(sample)), samples.len() as u64)
    }

    /// Appends silence, for samples that are missing.
    ///
    /// # Errors
    /// Those of [`write`](Self::write).
    pub fn write_silence(&mut self, samples: u64) -> Result<()> {
        self.append((0..samples).map(|_| 0), samples)
    }

    /// Writes what is left and closes the file. Dropping does so too, but tells of no error.
    ///
    /// # Errors
    /// Those of [`write`](Self::write).
    pub fn finish(&mut self) -> Result<()> {
        self.try_writing(|writer| writer.flush())
    }

    fn append(&mut self, mut samples: impl Iterator<Item = i16>, count: u64) -> Result<()> {
        let room = (self.most - self.written).min(count);
        let mut left = room;
        while left > 0 {
            let step = left.min(self.checkpoint - self.written);
            let part = samples.by_ref().take(step as usize);
            self.try_writing(|writer| part.into_iter().try_for_each(|sample| writer.write_sample(sample)))?;
            self.written += step;
            left -= step;
            if self.written == self.checkpoint {
                self.try_writing(|writer| writer.flush())?;
                self.checkpoint += CHECKPOINT;
            }
        }
        if room == count {
            return Ok(());
        }
        self.finish()?;
        let reason = "a WAV file ends at 4 GiB, which is 37 hours; record the rest into another";
        Err(Error::io(&self.path, io::Error::new(io::ErrorKind::FileTooLarge, reason)))
    }

    fn try_writing(
        &mut self,
        write: impl FnOnce(&mut WavWriter<BufWriter<File>>) -> hound::Result<()>,
    ) -> Result<()> {
        let Some(writer) = &mut self.writer else {
            let reason = io::Error::other("writing failed before; the recording ends there");
            return Err(Error::io(&self.path, reason));
        };
        let Err(error) = write(writer) else { return Ok(()) };
        // The writer counts samples that never reached the disk, and would say so in the header.
        self.writer = None;
        // Where not even this can be written, the header of the last second stands.
        let _ = mend_header(&self.path);
        Err(refused(&self.path, error))
    }
}

fn quantised(sample: f32) -> i16 {
    // The conversion saturates, and takes NaN as zero.
    (sample * 32_768.0).round() as i16
}

fn refused(path: &Path, error: hound::Error) -> Error {
    match error {
        hound::Error::IoError(source) => Error::io(path, source),
        other => Error::io(path, io::Error::other(other)),
    }
}

/// Makes the header tell the length that the file has.
fn mend_header(path: &Path) -> io::Result<()> {
    let length = fs::metadata(path)?.len();
    if length < HEADER {
        return Ok(());
    }
    // A file longer than 4 GiB is never written.
    let data = u32::try_from((length - HEADER) & !1).unwrap_or(u32::MAX);
    let mut file = OpenOptions::new().write(true).open(path)?;
    for (at, size) in [(4, data.saturating_add(HEADER as u32 - 8)), (HEADER - 4, data)] {
        file.seek(SeekFrom::Start(at))?;
        file.write_all(&size.to_le_bytes())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn samples(path: &Path) -> Vec<i16> {
        let reader = hound::WavReader::open(path).unwrap();
        let spec = reader.spec();
        assert_eq!((spec.channels, spec.sample_rate, spec.bits_per_sample), (1, 16_000, 16));
        reader.into_samples().collect::<hound::Result<_>>().unwrap()
    }

    fn ramp(count: usize) -> Vec<f32> {
        (0..count).map(|n| (n % 2000) as f32 / 2000.0 - 0.5).collect()
    }

    #[test]
    fn a_copy_taken_half_way_plays_up_to_the_last_second() {
        let folder = tempfile::tempdir().unwrap();
        let (path, copy) = (folder.path().join("a.wav"), folder.path().join("copy.wav"));
        let mut recorder = WavRecorder::create(&path).unwrap();
        let audio = ramp(16_000 * 3 + 5_000);
        for block in audio.chunks(701) {
            recorder.write(block).unwrap();
        }
        fs::copy(&path, &copy).unwrap();
        let heard = samples(&copy);
        assert!(heard.len() >= 48_000, "{}", heard.len());
        assert!(heard.iter().zip(&audio).all(|(&a, &b)| a == quantised(b)));
        recorder.finish().unwrap();
        assert_eq!(samples(&path).len(), audio.len());
    }

    #[test]
    fn a_recorder_that_is_never_dropped_leaves_a_whole_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("killed.wav");
        let mut recorder = WavRecorder::create(&path).unwrap();
        assert!(samples(&path).is_empty());
        recorder.write(&ramp(40_000)).unwrap();
        // As if the process had been killed: nothing more is written.
        std::mem::forget(recorder);
        assert!(samples(&path).len() >= 32_000);
    }

    #[test]
    fn a_recorder_that_is_dropped_keeps_all() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("dropped.wav");
        let mut recorder = WavRecorder::create(&path).unwrap();
        recorder.write(&[1.0, -1.0, 2.0, f32::NAN, 0.25]).unwrap();
        recorder.write_silence(2).unwrap();
        drop(recorder);
        assert_eq!(samples(&path), [32_767, -32_768, 32_767, 0, 8_192, 0, 0]);
    }

    #[test]
    fn a_file_at_its_limit_says_so_and_plays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("long.wav");
        let mut recorder = WavRecorder { most: 1_500, ..WavRecorder::create(&path).unwrap() };
        recorder.write(&ramp(1_000)).unwrap();
        let told = recorder.write(&ramp(1_000)).unwrap_err().to_string();
        assert!(told.contains("long.wav") && told.contains("4 GiB"), "{told}");
        assert_eq!(samples(&path).len(), 1_500);
        assert!(recorder.write_silence(1).is_err());
    }

    #[test]
    fn a_full_disk_is_an_error_that_names_the_file() {
        if !Path::new("/dev/full").exists() {
            println!("skipped: there is no /dev/full");
            return;
        }
        let told = WavRecorder::create("/dev/full").err().map(|error| error.to_string()).unwrap_or_default();
        assert!(told.starts_with("/dev/full: "), "{told}");
    }

    #[test]
    fn after_a_failed_write_the_header_tells_what_is_there() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("full.wav");
        let mut recorder = WavRecorder::create(&path).unwrap();
        recorder.write(&ramp(20_000)).unwrap();
        recorder.finish().unwrap();
        // The disk took a part of the last block: an odd number of bytes.
        OpenOptions::new().append(true).open(&path).unwrap().write_all(&[7, 0, 7]).unwrap();
        let full = |_: &mut WavWriter<_>| Err(hound::Error::IoError(io::ErrorKind::StorageFull.into()));
        let told = recorder.try_writing(full).unwrap_err().to_string();
        assert!(told.contains("full.wav"), "{told}");
        assert_eq!(samples(&path).len(), 20_001);
        assert!(recorder.write(&[0.0]).is_err());
    }
}
