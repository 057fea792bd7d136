//! Frames of an encoder to log-mel frames, one for one in time: the synthesisers of S3PRL-VC (Huang et al., 2022), on candle
//! tensors, so that they also learn.
//!
//! | name there | encoder | decoder |
//! |---|---|---|
//! | `simple` | a linear layer | two layers of LSTM with a projection |
//! | `simple-AR` | a linear layer | the same, told the frame before |
//! | `Taco2-AR` | convolutions and an LSTM in both directions | the same, told the frame before through a prenet |
//!
//! Names of tensors are those of `unilight/s3prl-vc` (`models/Taco2_AR.py`), which those of s3prl's `a2o-vc-vcc2020` and
//! `a2a-vc-vctk` share. Any of them may be told a speaker's vector. Timing is the source's, frame by frame.

mod config;
mod encoder;
mod network;

pub use config::{Config, Decoding, EncoderKind, Join, Speaker};
pub use network::{Dropout, Synthesiser, resampled};
