//! Sound in, and out again to a device. Any file or stream becomes 16 kHz mono `f32` blocks, in order, with nothing lost at block borders.
//!
//! | file | idea |
//! |---|---|
//! | `stream` | [`AudioStream`]: decode, mix, resample, and what had to be mended on the way |
//! | `source` | [`AudioSource`]: samples, wherever they come from |
//! | `frames` | [`FrameStream`]: decode and nothing more |
//! | `decode` | packets to frames; the only user of symphonia beside `opus` |
//! | `opus` | Opus for symphonia, which has no decoder of its own for it |
//! | `raw` | headerless PCM: its description and its packets |
//! | `riff` | WAV headers whose sizes cannot be believed |
//! | `mp4` | where the audio of an MP4 track starts |
//! | `mix` | many channels to one, numbers that are none to silence |
//! | `resample` | [`Resampler`]: any rate to 16 kHz, to the sample |
//! | `device` | input and output devices; with `capture` and `playout` the only user of cpal |
//! | `capture` | microphones |
//! | `playout` | loudspeakers |
//! | `marked` | [`MarkedWav`]: files that say what was done to their sound |
//! | `wav` | [`WavRecorder`]: recordings that survive the process |
//!
//! Memory does not grow with the length of the audio. Damaged input is an [`Error::Audio`](crate::Error::Audio)
//! where nothing can be decoded, and a [`Warning`] where something can; it is never a panic.

#[cfg(feature = "mic")]
pub mod capture;
mod decode;
#[cfg(feature = "mic")]
pub mod device;
mod frames;
mod marked;
mod mix;
mod mp4;
mod opus;
#[cfg(feature = "mic")]
pub mod playout;
mod raw;
mod resample;
mod riff;
mod source;
mod stream;
mod wav;

use std::fmt;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub use frames::FrameStream;
pub use marked::MarkedWav;
pub use mix::Channel;
pub use raw::{RawEncoding, RawFormat};
pub use resample::Resampler;
pub use source::AudioSource;
pub use stream::{AudioStream, Warning};
pub use wav::WavRecorder;

use crate::time::SampleRate;

/// The lowest rate accepted: that of the telephone.
pub const MIN_RATE: SampleRate = SampleRate(8_000);
/// The highest rate accepted: that of studio converters.
pub const MAX_RATE: SampleRate = SampleRate(192_000);
/// The most channels accepted; more is taken for a damaged header.
pub const MAX_CHANNELS: usize = 64;

/// Where audio comes from.
pub enum AudioInput {
    /// A file, or a pipe or device that can be opened by name.
    File(PathBuf),
    /// Standard input.
    Stdin,
    /// Any reader; it is read forwards only.
    Reader {
        /// What messages call it.
        name: String,
        /// The bytes.
        reader: Box<dyn Read + Send>,
    },
}

impl AudioInput {
    /// The input that a command line argument names: `-` is standard input, all else a file.
    pub fn from_arg(arg: impl AsRef<Path>) -> Self {
        let path = arg.as_ref();
        if path == Path::new("-") { Self::Stdin } else { Self::File(path.to_path_buf()) }
    }

    /// An input that reads from `reader` and is called `name` in messages.
    pub fn from_reader(name: impl Into<String>, reader: impl Read + Send + 'static) -> Self {
        Self::Reader { name: name.into(), reader: Box::new(reader) }
    }
}

impl fmt::Display for AudioInput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Stdin => f.write_str("stdin"),
            Self::Reader { name, .. } => f.write_str(name),
        }
    }
}

impl fmt::Debug for AudioInput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AudioInput({self})")
    }
}

/// How to read an input.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DecodeOptions {
    /// What becomes of the channels.
    pub channel: Channel,
    /// The input has no header and is PCM of this form. `None`: the format is found from the bytes.
    pub raw: Option<RawFormat>,
}

/// What an input is, as found when it was opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AudioInfo {
    /// Short name of the container: `wave`, `ogg`, `mp3`, `raw`.
    pub container: &'static str,
    /// Short name of the codec: `pcm_s16le`, `opus`, `mp3`.
    pub codec: &'static str,
    /// Rate before resampling.
    pub rate: SampleRate,
    /// Channels before mixing.
    pub channels: usize,
    /// Length, where the header or the file's size tells it. It is what the header claims, not a promise.
    pub duration: Option<Duration>,
}
