//! `awaaz train`: heads from labelled data; codebooks, vocoders and decoders from sound.

mod clips;
mod learning;
mod speaker;
mod speaker_score;
mod text;
mod units;
mod vc;
mod vocoder;
mod voices;

pub(super) use speaker::records;

use clap::{Args, Subcommand};

use super::Exit;
use crate::Result;
use crate::corpus::datasets::Classes;

/// Train heads from labelled data; codebooks, vocoders and decoders from sound.
#[derive(Debug, Args)]
pub struct TrainArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Train a head that tells emotions: anger, happiness, neutral, sadness.
    Emotion(Box<clips::ClipArgs>),
    /// Train a head that tells abuse by sound alone.
    Abuse(Box<clips::ClipArgs>),
    Speaker(Box<speaker::SpeakerArgs>),
    Text(Box<text::TextArgs>),
    Units(Box<units::UnitArgs>),
    Vc(Box<vc::VcArgs>),
    Vocoder(Box<vocoder::VocoderArgs>),
}

/// Runs the subcommand.
///
/// # Errors
/// Those of the data and of the settings.
pub fn run(args: &TrainArgs) -> Result<Exit> {
    match &args.what {
        What::Emotion(args) => clips::run(args, "emotion", Classes::Emotion),
        What::Abuse(args) => clips::run(args, "abuse", Classes::Abuse),
        What::Speaker(args) => speaker::run(args),
        What::Text(args) => text::run(args),
        What::Units(args) => units::run(args),
        What::Vc(args) => vc::run(args),
        What::Vocoder(args) => vocoder::run(args),
    }
}
