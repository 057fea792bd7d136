//! `awaaz speakers enroll`: learns a voice.

use std::path::PathBuf;

use clap::Args;

use super::voices::{read_cohort, voiceprint_of, warn_if_short};
use crate::cli::Exit;
use crate::cli::input_args::InputArgs;
use crate::cli::inputs::expand;
use crate::cli::model_args::Talk;
use crate::cli::speaker_args::{GalleryArgs, SpeakerModelArgs};
use crate::cli::stop::Stop;
use crate::output::Progress;
use crate::speaker::Gallery;
use crate::{Error, Result};

const AFTER_HELP: &str = "\
Examples:
  awaaz speakers enroll asha call-1.wav call-2.wav         learn a voice; the same name again adds to it
  awaaz speakers enroll asha asha/                         from all files of a folder
  awaaz speakers enroll asha call.wav --cohort strangers/  also keep strangers' voices, against which scores are set

Only one person may speak in the files. Ten seconds of speech are good, at least 0.5 s are needed of each file and as much
as the network hears at once (GE2E: 1.6 s) in sum. The file keeps voiceprints, no sound; a name is a person's data all the
same.

Exit codes: 0 all was done, 1 nothing was, 2 some files were not used, 64 wrong arguments, 130 stopped.";

/// Learn a person's voice from files.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct EnrollArgs {
    /// What the person is called.
    name: String,
    /// Audio or video files, folders (searched for audio), or patterns, in which that person alone speaks.
    #[arg(required = true, value_name = "FILES")]
    inputs: Vec<PathBuf>,
    #[command(flatten)]
    gallery: GalleryArgs,
    /// Also keep the voices of these strangers, each in one file of a folder; scores are set against theirs (AS-norm).
    #[arg(long, value_name = "FILE|DIR", help_heading = "Gallery")]
    cohort: Option<PathBuf>,
    #[command(flatten)]
    model: SpeakerModelArgs,
    #[command(flatten)]
    input: InputArgs,
    /// Tell of errors alone.
    #[arg(long, short)]
    quiet: bool,
}

/// Runs the subcommand.
///
/// # Errors
/// Those of the settings, the model and the gallery. Files that fail are told of, and the others are used.
pub fn run(args: &EnrollArgs) -> Result<Exit> {
    let stop = Stop::on_signals()?;
    let talk = if args.quiet { Talk::Quiet } else { Talk::Stderr };
    let mut progress = if args.quiet { Progress::on_stderr().quietly() } else { Progress::on_stderr() };
    let decode = args.input.decode_options()?;
    let path = args.gallery.path()?;
    let model = args.model.load(talk, &stop)?;
    let mut gallery = Gallery::open(&path, &model)?;
    if let Some(cohort) = &args.cohort {
        gallery = gallery.against(read_cohort(cohort, &model, &mut progress)?);
    }
    let (mut done, mut failed, mut seconds) = (0, 0, 0.0);
    for input in expand(&args.inputs) {
        if stop.is_requested() {
            // Half of what was meant is not kept.
            return Ok(Exit::Interrupted);
        }
        let voiceprint = input.and_then(|input| {
            let voiceprint = voiceprint_of(&model, &input, &decode)?;
            warn_if_short(&model, &input.path, &voiceprint, &mut progress);
            Ok(voiceprint)
        });
        match voiceprint {
            Ok(voiceprint) => {
                done += 1;
                seconds += voiceprint.seconds();
                gallery.enroll(&args.name, voiceprint)?;
            }
            Err(error @ Error::Setting(_)) => return Err(error),
            Err(error) => {
                failed += 1;
                progress.error(&format!("error: {error}"));
            }
        }
    }
    if done == 0 {
        return Ok(Exit::Failure);
    }
    if seconds < model.shortest() {
        return Err(Error::Setting(format!(
            "{seconds:.1} s of speech are too little to enroll {}; give {:.1} s at least",
            args.name,
            model.shortest()
        )));
    }
    gallery.save(&path)?;
    let person = gallery.people().iter().find(|person| person.name == args.name.trim());
    let known = person.map_or(0.0, |person| person.voiceprint.seconds());
    progress.say(&format!(
        "{}: {seconds:.1} s of speech of {done} files, {known:.1} s in all; {} people in {}",
        args.name.trim(),
        gallery.people().len(),
        path.display()
    ));
    Ok(Exit::of(done, failed))
}
