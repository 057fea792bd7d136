//! An input as it is: its own rate and channels, block by block.

use super::decode::{Decoder, Frames, Step};
use super::{AudioInfo, AudioInput, RawFormat};
use crate::{Error, Result};

/// Frames of an input, neither mixed nor resampled.
///
/// A packet that is damaged becomes silence of its length, as in [`AudioStream`](super::AudioStream), so that both have the
/// same clock.
pub struct FrameStream {
    name: String,
    decoder: Decoder,
    frames: Frames,
    opening: Option<Step>,
    rate: u32,
    channels: usize,
}

impl FrameStream {
    /// Opens `input`; one without a header is PCM of the form `raw`.
    ///
    /// # Errors
    /// As [`AudioStream::open`](super::AudioStream::open).
    pub fn open(input: AudioInput, raw: Option<RawFormat>) -> Result<Self> {
        let name = input.to_string();
        let mut decoder = Decoder::open(input, raw)?;
        let mut frames =
            Frames { rate: decoder.info.rate.0, channels: decoder.info.channels, ..Frames::default() };
        let opening = loop {
            match decoder.next(&mut frames)? {
                Step::Damaged(_) | Step::Frames if frames.interleaved.is_empty() => {}
                Step::CutShort(reason) => return Err(Error::audio(&name, reason)),
                step => break step,
            }
        };
        let (rate, channels) = (frames.rate, frames.channels);
        Ok(Self { name, decoder, frames, opening: Some(opening), rate, channels })
    }

    /// What the input is; its rate and channels are those of the header.
    pub fn info(&self) -> &AudioInfo {
        &self.decoder.info
    }

    /// Frames a second.
    pub fn rate(&self) -> u32 {
        self.rate
    }

    /// Samples of a frame.
    pub fn channels(&self) -> usize {
        self.channels
    }

    /// The next frames, one after the other; none at the end. A block may be empty.
    ///
    /// # Errors
    /// Those of reading; [`Error::Audio`] where the rate or the channels change, as in chained streams.
    pub fn read(&mut self) -> Result<Option<&mut [f32]>> {
        let step = match self.opening.take() {
            Some(step) => step,
            None => self.decoder.next(&mut self.frames)?,
        };
        match step {
            Step::Frames | Step::Damaged(_) => {}
            Step::End | Step::CutShort(_) => return Ok(None),
        }
        if (self.frames.rate, self.frames.channels) != (self.rate, self.channels) {
            let reason = "changes its rate or its channels half way, which one WAV file cannot";
            return Err(Error::audio(&self.name, reason));
        }
        Ok(Some(&mut self.frames.interleaved))
    }
}
