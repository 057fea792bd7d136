//! `awaaz speakers`: who speaks.

mod calibrate;
mod diarize;
mod enroll;
mod forget;
mod identify;
mod list;
mod score;
mod verify;
pub mod voices;

use clap::{Args, Subcommand};

use super::Exit;
use crate::Result;

/// Tell who speaks: compare voices, keep those of people, and find them again.
#[derive(Debug, Args)]
pub struct SpeakersArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    Enroll(Box<enroll::EnrollArgs>),
    List(list::ListArgs),
    Forget(forget::ForgetArgs),
    Verify(Box<verify::VerifyArgs>),
    Identify(Box<identify::IdentifyArgs>),
    Diarize(Box<diarize::DiarizeFilesArgs>),
    Score(score::ScoreFilesArgs),
    Calibrate(Box<calibrate::CalibrateArgs>),
}

/// Runs the subcommand.
///
/// # Errors
/// Those of the inputs, the settings, the model and the gallery.
pub fn run(args: &SpeakersArgs) -> Result<Exit> {
    match &args.what {
        What::Enroll(args) => enroll::run(args),
        What::List(args) => list::run(args),
        What::Forget(args) => forget::run(args),
        What::Verify(args) => verify::run(args),
        What::Identify(args) => identify::run(args),
        What::Diarize(args) => diarize::run(args),
        What::Score(args) => score::run(args),
        What::Calibrate(args) => calibrate::run(args),
    }
}
