//! `awaaz speakers score`: how far it is from the truth who is said to speak when.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;

use super::voices::write_out;
use crate::cli::Exit;
use crate::cli::values::seconds_or_none;
use crate::output::read_rttm;
use crate::score::diarization::{DiarizationErrors, DiarizationScoring, Overlap};
use crate::speaker::diarize::Turn;
use crate::time::SampleIndex;
use crate::{Error, Result};

const AFTER_HELP: &str = "\
Examples:
  awaaz speakers score truth.rttm told.rttm
  awaaz speakers score truth/ told/ --collar 0.25 --skip-overlap     folders of RTTM files

Recordings are known by the second field of RTTM; one that is told of nowhere is missed as a whole. Errors are those of NIST's
md-eval.pl and pyannote.metrics, whose collar is twice this one: theirs is the sum of both sides.";

/// Tell the diarization error rate of RTTM files.
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct ScoreFilesArgs {
    /// The truth: an RTTM file, or a folder of them.
    #[arg(value_name = "REFERENCE")]
    reference: PathBuf,
    /// What is told: the same.
    #[arg(value_name = "HYPOTHESIS")]
    hypothesis: PathBuf,
    /// Seconds to either side of the borders of turns that are not scored.
    #[arg(long, value_name = "SECONDS", default_value = "0", value_parser = seconds_or_none)]
    collar: Duration,
    /// Leave out where several speak at once.
    #[arg(long)]
    skip_overlap: bool,
}

/// Runs the subcommand.
///
/// # Errors
/// Those of the files.
pub fn run(args: &ScoreFilesArgs) -> Result<Exit> {
    let (reference, hypothesis) = (recordings(&args.reference)?, recordings(&args.hypothesis)?);
    let overlap = if args.skip_overlap { Overlap::Skipped } else { Overlap::Scored };
    let scoring = DiarizationScoring { collar: args.collar, overlap };
    let mut text = "recording\tDER %\tmissed %\tfalse alarm %\tconfusion %\tspeech s\n".to_owned();
    let mut all = DiarizationErrors::default();
    for (name, turns) in &reference {
        let told = hypothesis.get(name).map_or(&[][..], Vec::as_slice);
        let errors = scoring.errors(turns, told);
        all += errors;
        text += &line(name, &errors);
    }
    write_out(&(text + &line("all", &all)))?;
    Ok(Exit::Success)
}

fn line(name: &str, errors: &DiarizationErrors) -> String {
    let percent = |samples: u64| 100.0 * errors.share(samples);
    format!(
        "{name}\t{:.2}\t{:.2}\t{:.2}\t{:.2}\t{:.2}\n",
        100.0 * errors.rate(),
        percent(errors.missed),
        percent(errors.false_alarm),
        percent(errors.confusion),
        SampleIndex(errors.total).seconds()
    )
}

/// The turns of each recording in an RTTM file, or in those of a folder.
fn recordings(path: &Path) -> Result<BTreeMap<String, Vec<Turn>>> {
    let mut files = vec![path.to_path_buf()];
    if path.is_dir() {
        let inner = fs::read_dir(path).map_err(|error| Error::io(path, error))?;
        let is_rttm = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "rttm");
        files = inner.filter_map(|entry| Some(entry.ok()?.path())).filter(is_rttm).collect();
        files.sort();
    }
    let mut found: BTreeMap<String, Vec<Turn>> = BTreeMap::new();
    for file in files {
        let text = fs::read_to_string(&file).map_err(|error| Error::io(&file, error))?;
        for (name, turn) in read_rttm(&text, &file)? {
            found.entry(name).or_default().push(turn);
        }
    }
    match found.is_empty() {
        true => Err(Error::corpus(path, "has no turns; expected RTTM files with lines of SPEAKER")),
        false => Ok(found),
    }
}
