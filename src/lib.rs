//! Awaaz hears speech and answers at once: a microphone or any audio file in; a transcript, its language, and features for
//! other programs out, offline, on a CPU.
//!
//! The modules, from the edge of the machine inwards:
//!
//! | module | what it does |
//! |---|---|
//! | [`event`] | what a live stream says |
//! | [`pipeline`] | threads and links of a live stream, from source to sinks |
//! | [`audio`] | captures microphones, decodes files and streams, resamples to 16 kHz mono |
//! | [`vad`] | finds speech (Silero) and cuts it into segments |
//! | [`dsp`] | log-mel spectrograms, filter banks, eGeMAPS, pooling |
//! | [`compute`] | the fast layers that networks are made of |
//! | [`models`] | the networks |
//! | [`weights`] | finds, pulls, verifies and reads model weights |
//! | [`asr`] | turns segments into text |
//! | [`learn`] | learns classes from features: probes, few-shot learning, trained heads as files |
//! | [`text`] | finds abuse in written text, by word lists and by a small classifier |
//! | [`moderation`] | judges speech by its sound and its text, and censors it |
//! | [`speaker`] | tells who speaks: voiceprints, enrolled people, speakers of a stream |
//! | [`convert`] | says it again in another voice |
//! | [`corpus`] | labelled corpora as they lie on disk; what is done of a large piece of work, across crashes |
//! | [`output`] | writes transcripts and events, draws progress and the view of a stream |
//! | [`score`] | word and character error rates, ABX, verification |
//! | [`cli`] | the command line, one file a subcommand |
//!
//! Time is counted in samples at 16 kHz ([`time::SampleIndex`]); every error is an [`Error`].

#![deny(unsafe_code)]

pub mod asr;
pub mod audio;
pub mod cli;
#[allow(unsafe_code, reason = "kernels are of instructions of processors, and packs are mapped")]
pub mod compute;
pub mod convert;
pub mod corpus;
pub mod dsp;
pub mod error;
pub mod event;
pub mod learn;
pub mod models;
pub mod moderation;
pub mod output;
pub mod pipeline;
pub mod score;
pub mod speaker;
pub mod text;
pub mod time;
pub mod vad;
pub mod weights;

pub use error::{Error, Result};
