//! Keeps the sound of a stream in a WAV file, with silence where samples are missing.

use super::outlets::Tap;
use super::source::Sound;
use crate::Result;
use crate::audio::WavRecorder;

/// A recording of a stream. The positions in the file are those of the stream's clock.
pub struct Recording {
    file: WavRecorder,
}

impl Recording {
    /// Records into `file`.
    pub fn new(file: WavRecorder) -> Self {
        Self { file }
    }
}

impl Tap for Recording {
    fn name(&self) -> &str {
        "record"
    }

    fn write(&mut self, sound: &Sound) -> Result<()> {
        match sound {
            Sound::Block { samples, .. } => self.file.write(samples),
            Sound::Gap { samples, .. } => self.file.write_silence(*samples),
            Sound::Marker(_) => Ok(()),
        }
    }

    fn finish(&mut self) -> Result<()> {
        self.file.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::GapReason;

    #[test]
    fn positions_in_the_file_are_those_of_the_stream() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("stream.wav");
        let mut recording = Recording::new(WavRecorder::create(&path).unwrap());
        let block = |value: f32| Sound::Block { samples: vec![value; 3].into(), at: None };
        recording.write(&block(0.5)).unwrap();
        recording.write(&Sound::Gap { samples: 2, reason: GapReason::Overrun }).unwrap();
        recording.write(&Sound::Marker("here".into())).unwrap();
        recording.write(&block(-0.5)).unwrap();
        recording.finish().unwrap();
        let samples: Vec<i16> =
            hound::WavReader::open(&path).unwrap().into_samples().map(|sample| sample.unwrap()).collect();
        assert_eq!(samples, [16_384, 16_384, 16_384, 0, 0, -16_384, -16_384, -16_384]);
    }
}
