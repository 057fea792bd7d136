//! `awaaz speakers forget`: a person is known no more.

use clap::Args;

use crate::cli::Exit;
use crate::cli::speaker_args::GalleryArgs;
use crate::speaker::Gallery;
use crate::{Error, Result};

/// Forget people: their voiceprints leave the gallery.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  awaaz speakers forget asha")]
pub struct ForgetArgs {
    /// What the people are called.
    #[arg(required = true, value_name = "NAME")]
    names: Vec<String>,
    #[command(flatten)]
    gallery: GalleryArgs,
}

/// Runs the subcommand.
///
/// # Errors
/// Those of the gallery; [`Error::Setting`] where somebody is not in it, and then nobody is forgotten.
pub fn run(args: &ForgetArgs) -> Result<Exit> {
    let path = args.gallery.path()?;
    let mut gallery = Gallery::load(&path)?;
    for name in &args.names {
        if !gallery.forget(name) {
            return Err(Error::Setting(format!(
                "{}: nobody is called {name}; see `awaaz speakers list`",
                path.display()
            )));
        }
    }
    gallery.save(&path)?;
    Ok(Exit::Success)
}
