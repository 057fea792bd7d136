//! How inputs are read.

use clap::Args;

use crate::Result;
use crate::audio::{Channel, DecodeOptions};

/// Arguments that say how inputs are read.
#[derive(Debug, Clone, Default, Args)]
pub struct InputArgs {
    /// Take this channel alone, counted from 0 [default: the mean of all].
    #[arg(long, value_name = "N", help_heading = "Input")]
    pub channel: Option<usize>,
    /// The input is PCM without a header, in this encoding: s16le, f32le, mulaw, ...
    #[arg(long, value_name = "ENCODING", help_heading = "Input")]
    raw: Option<String>,
    /// Samples a second of raw input.
    #[arg(long, value_name = "HZ", default_value_t = 16_000, requires = "raw", help_heading = "Input")]
    rate: u32,
    /// Channels of raw input.
    #[arg(long, value_name = "N", default_value_t = 1, requires = "raw", help_heading = "Input")]
    channels: usize,
}

impl InputArgs {
    /// How to read the inputs.
    ///
    /// # Errors
    /// [`Error::Setting`](crate::Error::Setting) where the raw format is not one.
    pub fn decode_options(&self) -> Result<DecodeOptions> {
        let raw =
            self.raw.as_ref().map(|encoding| format!("{encoding}:{}:{}", self.rate, self.channels).parse());
        Ok(DecodeOptions { channel: self.channel.map_or(Channel::Mix, Channel::Only), raw: raw.transpose()? })
    }
}
