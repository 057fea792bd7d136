//! `awaaz speakers list`: who is known.

use clap::Args;
use serde::Serialize;

use super::voices::{write_json, write_out};
use crate::Result;
use crate::cli::Exit;
use crate::cli::speaker_args::GalleryArgs;
use crate::speaker::Gallery;

/// List the people of a gallery.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  awaaz speakers list\n  awaaz speakers list --json --gallery club.safetensors"
)]
pub struct ListArgs {
    #[command(flatten)]
    gallery: GalleryArgs,
    /// Write JSON, an object a person.
    #[arg(long)]
    json: bool,
}

/// What is told of a person.
#[derive(Serialize)]
struct Row<'a> {
    name: &'a str,
    seconds: f64,
    sounds: u64,
    model: &'a str,
}

/// Runs the subcommand.
///
/// # Errors
/// Those of the gallery and of stdout.
pub fn run(args: &ListArgs) -> Result<Exit> {
    let gallery = Gallery::load(&args.gallery.path()?)?;
    let model = gallery.model().name.as_str();
    for person in gallery.people() {
        let (name, seconds) = (person.name.as_str(), person.voiceprint.seconds());
        match args.json {
            true => write_json(&Row { name, seconds, sounds: person.sounds, model })?,
            false => write_out(&format!("{name}: {seconds:.1} s of speech, {} sounds\n", person.sounds))?,
        }
    }
    if !args.json {
        let cohort = gallery.cohort().map_or(0, |cohort| cohort.vectors().len());
        write_out(&format!("{} people by {model}; a cohort of {cohort}\n", gallery.people().len()))?;
    }
    Ok(Exit::Success)
}
