//! `awaaz bench`: how well this machine keeps up, and what features are worth.

mod abx;
mod adima;
mod ctc_streaming;
mod decode;
mod encoder;
mod heads;
mod latency;
mod page;
mod plots;
mod speakers;
mod text;
mod units;
mod urdu;
mod vc;

use clap::{Args, Subcommand};

use super::Exit;
use crate::Result;

/// Measure how well this machine keeps up, and what features are worth.
#[derive(Debug, Args)]
pub struct BenchArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    Latency(Box<latency::LatencyArgs>),
    Encoder(encoder::EncoderArgs),
    Decode(decode::DecodeArgs),
    CtcStreaming(ctc_streaming::CtcStreamingArgs),
    Abx(abx::AbxArgs),
    Text(Box<text::TextArgs>),
    Units(Box<units::UnitsArgs>),
    Vc(Box<vc::VcArgs>),
    Urdu(Box<urdu::UrduArgs>),
    Adima(Box<adima::AdimaArgs>),
    Speakers(Box<speakers::SpeakersArgs>),
}

/// Runs the subcommand.
///
/// # Errors
/// Those of the inputs, the settings and the model.
pub fn run(args: &BenchArgs) -> Result<Exit> {
    match &args.what {
        What::Latency(args) => latency::run(args),
        What::Encoder(args) => encoder::run(args),
        What::Decode(args) => decode::run(args),
        What::CtcStreaming(args) => ctc_streaming::run(args),
        What::Abx(args) => abx::run(args),
        What::Text(args) => text::run(args),
        What::Units(args) => units::run(args),
        What::Vc(args) => vc::run(args),
        What::Urdu(args) => urdu::run(args),
        What::Adima(args) => adima::run(args),
        What::Speakers(args) => speakers::run(args),
    }
}
