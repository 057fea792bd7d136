//! `awaaz train`: heads from labelled data.

mod text;

use clap::{Args, Subcommand};

use super::Exit;
use crate::Result;

/// Train heads from labelled data.
#[derive(Debug, Args)]
pub struct TrainArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    Text(Box<text::TextArgs>),
}

/// Runs the subcommand.
///
/// # Errors
/// Those of the data and of the settings.
pub fn run(args: &TrainArgs) -> Result<Exit> {
    match &args.what {
        What::Text(args) => text::run(args),
    }
}
