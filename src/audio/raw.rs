//! Headerless PCM: how it is described, and its packets.

use std::fmt;
use std::io::{self, Read};
use std::str::FromStr;

use symphonia::core::audio::Channels;
use symphonia::core::codecs::audio::well_known::*;
use symphonia::core::codecs::audio::{AudioCodecId, AudioCodecParameters};

use super::{MAX_CHANNELS, MAX_RATE, MIN_RATE};
use crate::time::SampleRate;
use crate::{Error, Result};

/// How a sample of headerless PCM is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RawEncoding {
    /// Unsigned 8 bit.
    U8,
    /// Signed 8 bit.
    S8,
    /// Signed 16 bit, little endian.
    S16Le,
    /// Signed 16 bit, big endian.
    S16Be,
    /// Signed 24 bit, little endian, packed in three bytes.
    S24Le,
    /// Signed 24 bit, big endian, packed in three bytes.
    S24Be,
    /// Signed 32 bit, little endian.
    S32Le,
    /// Signed 32 bit, big endian.
    S32Be,
    /// Float of 32 bit, little endian.
    F32Le,
    /// Float of 32 bit, big endian.
    F32Be,
    /// Float of 64 bit, little endian.
    F64Le,
    /// Float of 64 bit, big endian.
    F64Be,
    /// G.711 A-law.
    ALaw,
    /// G.711 µ-law.
    MuLaw,
}

/// Name, bytes a sample and symphonia's identifier of each encoding.
const ENCODINGS: [(RawEncoding, &str, usize, AudioCodecId); 14] = [
    (RawEncoding::U8, "u8", 1, CODEC_ID_PCM_U8),
    (RawEncoding::S8, "s8", 1, CODEC_ID_PCM_S8),
    (RawEncoding::S16Le, "s16le", 2, CODEC_ID_PCM_S16LE),
    (RawEncoding::S16Be, "s16be", 2, CODEC_ID_PCM_S16BE),
    (RawEncoding::S24Le, "s24le", 3, CODEC_ID_PCM_S24LE),
    (RawEncoding::S24Be, "s24be", 3, CODEC_ID_PCM_S24BE),
    (RawEncoding::S32Le, "s32le", 4, CODEC_ID_PCM_S32LE),
    (RawEncoding::S32Be, "s32be", 4, CODEC_ID_PCM_S32BE),
    (RawEncoding::F32Le, "f32le", 4, CODEC_ID_PCM_F32LE),
    (RawEncoding::F32Be, "f32be", 4, CODEC_ID_PCM_F32BE),
    (RawEncoding::F64Le, "f64le", 8, CODEC_ID_PCM_F64LE),
    (RawEncoding::F64Be, "f64be", 8, CODEC_ID_PCM_F64BE),
    (RawEncoding::ALaw, "alaw", 1, CODEC_ID_PCM_ALAW),
    (RawEncoding::MuLaw, "mulaw", 1, CODEC_ID_PCM_MULAW),
];

impl RawEncoding {
    fn row(self) -> &'static (Self, &'static str, usize, AudioCodecId) {
        // The table is in the order of the enum, as a test proves.
        &ENCODINGS[self as usize]
    }

    fn bytes(self) -> usize {
        self.row().2
    }
}

/// What headerless PCM holds: interleaved frames of one sample a channel.
///
/// Written and parsed as `s16le:16000:1`: encoding, rate and channels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RawFormat {
    /// How a sample is written.
    pub encoding: RawEncoding,
    /// Frames a second.
    pub rate: SampleRate,
    /// Samples a frame.
    pub channels: usize,
}

impl RawFormat {
    /// Bytes of one frame.
    pub(super) fn frame_bytes(self) -> usize {
        self.encoding.bytes() * self.channels
    }

    /// What a decoder must know.
    ///
    /// # Errors
    /// [`Error::Setting`] where rate or channels are out of range.
    pub(super) fn codec_params(self) -> Result<AudioCodecParameters> {
        if !(MIN_RATE..=MAX_RATE).contains(&self.rate) {
            return Err(Error::Setting(format!("raw format {self}: rate must be {MIN_RATE} to {MAX_RATE}")));
        }
        if !(1..=MAX_CHANNELS).contains(&self.channels) {
            return Err(Error::Setting(format!("raw format {self}: channels must be 1 to {MAX_CHANNELS}")));
        }
        let mut params = AudioCodecParameters::new();
        params
            .for_codec(self.encoding.row().3)
            .with_sample_rate(self.rate.0)
            .with_channels(Channels::Discrete(self.channels as u16))
            .with_max_frames_per_packet(PACKET_FRAMES as u64);
        Ok(params)
    }
}

impl fmt::Display for RawFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.encoding.row().1, self.rate.0, self.channels)
    }
}

impl FromStr for RawFormat {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let wrong = || {
            let names: Vec<_> = ENCODINGS.iter().map(|row| row.1).collect();
            Error::Setting(format!(
                "raw format {text:?}: write it as encoding:rate:channels, such as s16le:16000:1; encodings are {}",
                names.join(", ")
            ))
        };
        let mut parts = text.split(':');
        let (Some(encoding), Some(rate), Some(channels), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(wrong());
        };
        let encoding = ENCODINGS.iter().find(|row| row.1 == encoding).ok_or_else(wrong)?.0;
        let rate = SampleRate(rate.parse().map_err(|_| wrong())?);
        let format = Self { encoding, rate, channels: channels.parse().map_err(|_| wrong())? };
        format.codec_params().map(|_| format)
    }
}

/// Frames of a packet, at most.
const PACKET_FRAMES: usize = 4096;

/// Cuts a stream of bytes into packets of whole frames, giving what has come without waiting for more.
pub(super) struct RawPackets {
    reader: Box<dyn Read + Send + Sync>,
    frame_bytes: usize,
    buffer: Vec<u8>,
    /// Bytes at the buffer's start that belong to no whole frame yet.
    kept: usize,
}

impl RawPackets {
    pub(super) fn new(reader: Box<dyn Read + Send + Sync>, format: RawFormat) -> Self {
        let frame_bytes = format.frame_bytes();
        Self { reader, frame_bytes, buffer: vec![0; frame_bytes * PACKET_FRAMES], kept: 0 }
    }

    /// The next whole frames, `None` at the end.
    ///
    /// # Errors
    /// Those of the reader, and `UnexpectedEof` where the stream ends inside a frame.
    pub(super) fn next(&mut self) -> io::Result<Option<Box<[u8]>>> {
        while self.kept < self.frame_bytes {
            match self.reader.read(&mut self.buffer[self.kept..]) {
                Ok(0) if self.kept == 0 => return Ok(None),
                Ok(0) => {
                    self.kept = 0;
                    return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the last frame is incomplete"));
                }
                Ok(read) => self.kept += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        let whole = self.kept - self.kept % self.frame_bytes;
        let packet = self.buffer[..whole].into();
        self.buffer.copy_within(whole..self.kept, 0);
        self.kept -= whole;
        Ok(Some(packet))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_the_order_of_the_enum() {
        for (index, row) in ENCODINGS.iter().enumerate() {
            assert_eq!(row.0 as usize, index);
        }
    }

    #[test]
    fn formats_are_parsed_as_they_are_written() {
        for row in ENCODINGS {
            let format = RawFormat { encoding: row.0, rate: SampleRate(44_100), channels: 2 };
            assert_eq!(format.to_string().parse::<RawFormat>().unwrap(), format);
        }
        for wrong in
            ["", "s16le", "s16le:16000", "s17le:16000:1", "s16le:0:1", "s16le:16000:0", "s16le:16000:1:1"]
        {
            assert!(matches!(wrong.parse::<RawFormat>(), Err(Error::Setting(_))), "{wrong}");
        }
    }
}
