//! `awaaz models`: what models there are, and getting them.

use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};

use clap::{Args, Subcommand};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

use crate::weights::{self, Entry, Network, PullEvent, PullOptions, Registry, Task};
use crate::{Error, Result};

const EXAMPLES: &str = "\
Examples:
  awaaz models list                 what there is, and what is on this machine
  awaaz models pull base tiny.en    fetch two models, once and for all
  awaaz models verify               compare every pulled file with its SHA-256
  ls $(awaaz models path base)      the folder that a model is in

Models are kept in $AWAAZ_CACHE, or in awaaz/ in the user's cache folder. Folders of models in
$AWAAZ_MODELS and the cache of the Hugging Face libraries are used too, never written.
AWAAZ_OFFLINE=1 or HF_HUB_OFFLINE=1 forbids any network; HF_ENDPOINT and HF_TOKEN are honoured.";

/// List, fetch and check models.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct ModelsArgs {
    #[command(subcommand)]
    command: ModelsCommand,
}

#[derive(Debug, Subcommand)]
enum ModelsCommand {
    /// List the models that have names, and where they are if they are on this machine.
    List {
        /// Print a JSON array.
        #[arg(long)]
        json: bool,
    },
    /// Fetch models that are not on this machine; replace damaged ones.
    Pull {
        /// Names or aliases, as `list` shows them, or OWNER/NAME of the Hugging Face hub.
        #[arg(required = true, value_name = "NAME")]
        names: Vec<String>,
        /// Fail rather than use the network.
        #[arg(long)]
        offline: bool,
    },
    /// Compare the files of pulled models with the digests noted at the pull.
    Verify {
        /// Names or aliases; all pulled models if there is none.
        #[arg(value_name = "NAME")]
        names: Vec<String>,
    },
    /// Print the folder of a model that is on this machine.
    Path {
        /// A name or alias.
        name: String,
    },
}

/// Runs `awaaz models` in the user's environment.
///
/// # Errors
/// Those of [`weights::pull`] for `path`, unknown names and the environment; for `pull` and `verify` of
/// several models each failure is printed, the rest is done, and the exit code tells.
pub fn run(args: ModelsArgs) -> Result<ExitCode> {
    let options = PullOptions { listener: pull_listener(), ..PullOptions::from_env()? };
    run_with(args, Registry::builtin(), options, &mut io::stdout().lock())
}

fn run_with(
    args: ModelsArgs,
    registry: &Registry,
    options: PullOptions,
    out: &mut impl Write,
) -> Result<ExitCode> {
    let done = match args.command {
        ModelsCommand::List { json } => {
            let listed = registry.models.iter().filter(|entry| is_of_use(entry));
            let models: Vec<_> = listed.map(|entry| Listed::new(entry, registry, &options)).collect();
            let written = if json { write_json(&models, out) } else { write_table(&models, out) };
            written.map(|()| ExitCode::SUCCESS)
        }
        ModelsCommand::Pull { names, offline } => {
            let network = if offline { Network::Forbidden } else { options.network };
            pull(&entries(registry, &names)?, &PullOptions { network, ..options }, out)
        }
        ModelsCommand::Verify { names } if names.is_empty() => {
            let pulled: Vec<_> =
                registry.models.iter().filter(|e| weights::is_pulled(e, &options)).cloned().collect();
            verify(&pulled, &options, out)
        }
        ModelsCommand::Verify { names } => verify(&entries(registry, &names)?, &options, out),
        ModelsCommand::Path { name } => {
            let entry = entry(registry, &name)?;
            let files = weights::find(&entry, &options).ok_or_else(|| {
                Error::model(
                    &entry.name,
                    format!("not on this machine; `awaaz models pull {}` gets it", entry.name),
                )
            })?;
            writeln!(out, "{}", files.folder.display()).map(|()| ExitCode::SUCCESS)
        }
    };
    done.map_err(|e| Error::io("stdout", e))
}

/// Whether this build can do anything with it.
fn is_of_use(entry: &Entry) -> bool {
    entry.task != Task::Library || cfg!(feature = "ort")
}

/// The models of those names. Nothing is begun if one is unknown.
fn entries(registry: &Registry, names: &[String]) -> Result<Vec<Entry>> {
    names.iter().map(|name| entry(registry, name)).collect()
}

/// The model of that name: the registry's, or one of the hub.
fn entry(registry: &Registry, name: &str) -> Result<Entry> {
    let registered = registry.find(name).cloned();
    registered.or_else(|unknown| Entry::of_repository(name).ok_or(unknown))
}

fn pull(entries: &[Entry], options: &PullOptions, out: &mut impl Write) -> io::Result<ExitCode> {
    let mut code = ExitCode::SUCCESS;
    for entry in entries {
        match weights::pull(entry, options) {
            Ok(files) => writeln!(out, "{}: {}", entry.name, files.folder.display())?,
            Err(error) => {
                let _ = writeln!(io::stderr(), "error: {error}");
                code = ExitCode::FAILURE;
            }
        }
    }
    Ok(code)
}

fn verify(entries: &[Entry], options: &PullOptions, out: &mut impl Write) -> io::Result<ExitCode> {
    let mut code = ExitCode::SUCCESS;
    for entry in entries {
        let name = &entry.name;
        let Some(faults) = weights::verify(entry, options) else {
            writeln!(out, "{name}: not pulled")?;
            code = ExitCode::FAILURE;
            continue;
        };
        if faults.is_empty() {
            writeln!(out, "{name}: ok")?;
            continue;
        }
        code = ExitCode::FAILURE;
        for fault in faults {
            writeln!(
                out,
                "{name}: {}: {}; `awaaz models pull {name}` replaces it",
                fault.file, fault.reason
            )?;
        }
    }
    Ok(code)
}

/// A model as `list` shows it.
#[derive(Serialize)]
struct Listed<'a> {
    name: &'a str,
    aliases: &'a [String],
    task: Task,
    licence: &'a str,
    download_megabytes: u32,
    default: bool,
    path: Option<PathBuf>,
}

impl<'a> Listed<'a> {
    fn new(entry: &'a Entry, registry: &Registry, options: &PullOptions) -> Self {
        Self {
            name: &entry.name,
            aliases: &entry.aliases,
            task: entry.task,
            licence: &entry.licence,
            download_megabytes: entry.download_megabytes(),
            default: entry.name == registry.default,
            path: weights::find(entry, options).map(|files| files.folder),
        }
    }
}

fn write_json(models: &[Listed], out: &mut impl Write) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, models)?;
    writeln!(out)
}

fn write_table(models: &[Listed], out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "{:<16} {:>8}  {:<10} on this machine", "model", "download", "licence")?;
    for model in models {
        let path = model.path.as_ref().map_or("no".into(), |path| path.display().to_string());
        let mark = match model.task {
            Task::Library => " +",
            Task::Speaker => " ~",
            _ if model.default => " *",
            _ => "",
        };
        let name = format!("{}{mark}", model.name);
        writeln!(out, "{name:<16} {:>5} MB  {:<10} {path}", model.download_megabytes, model.licence)?;
    }
    let libraries = models.iter().any(|model| model.task == Task::Library);
    let note = if libraries { "; + no model, but the library that runs ONNX models" } else { "" };
    writeln!(out, "* used where no model is named; ~ tells speakers apart, for `awaaz embed`{note}")
}

/// Tells the user on stderr how a pull goes: a progress bar on a terminal, plain lines elsewhere.
pub fn pull_listener() -> Arc<dyn Fn(&PullEvent) + Send + Sync> {
    let on_terminal = io::stderr().is_terminal();
    let bar = Mutex::new(ProgressBar::hidden());
    Arc::new(move |event| {
        let mut bar = bar.lock().unwrap_or_else(PoisonError::into_inner);
        if let PullEvent::Bytes { done } = event {
            return bar.set_position(*done);
        }
        bar.finish_and_clear();
        if let Some(line) = describe(event) {
            // Without stderr there is nobody to tell.
            let _ = writeln!(io::stderr(), "{line}");
        }
        if on_terminal && let PullEvent::File { total, .. } = event {
            *bar = total.map_or_else(ProgressBar::new_spinner, ProgressBar::new).with_style(bar_style());
        }
    })
}

/// The line that an event is worth.
fn describe(event: &PullEvent) -> Option<String> {
    Some(match event {
        PullEvent::Waiting { model } => format!("{model}: another process is pulling it; waiting"),
        PullEvent::Trying { model, source } => format!("{model}: pulling from {source}"),
        PullEvent::Failed { source, reason, .. } => format!("{source}: {reason}; trying the next source"),
        PullEvent::File { name, total: Some(total) } => format!("  {name}: {:.1} MB", *total as f64 / 1e6),
        PullEvent::File { name, total: None } => format!("  {name}"),
        PullEvent::Done { model, source, folder } => {
            format!("{model}: pulled from {source}, verified, in {}", folder.display())
        }
        _ => return None,
    })
}

fn bar_style() -> ProgressStyle {
    let template = "  {bar:40} {bytes}/{total_bytes} {bytes_per_sec} {eta}";
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Program {
        #[command(flatten)]
        models: ModelsArgs,
    }

    fn run_in(cache: &std::path::Path, line: &[&str]) -> (Result<ExitCode>, String) {
        let args = Program::try_parse_from([&["models"], line].concat()).expect("valid arguments").models;
        let options =
            PullOptions::from_variables(|_| None, Some(cache.to_path_buf())).expect("a home folder");
        let mut out = Vec::new();
        let code = run_with(args, Registry::builtin(), options, &mut out);
        (code, String::from_utf8(out).expect("text"))
    }

    #[test]
    fn list_names_every_model_once_and_marks_the_default() {
        let home = tempfile::tempdir().unwrap();
        let (code, text) = run_in(home.path(), &["list"]);
        assert_eq!(code.unwrap(), ExitCode::SUCCESS);
        let listed = Registry::builtin().models.iter().filter(|entry| is_of_use(entry)).count();
        assert_eq!(text.lines().count(), listed + 2);
        assert_eq!(text.contains("onnxruntime +"), cfg!(feature = "ort"));
        assert_eq!(text.lines().filter(|line| line.starts_with("base *")).count(), 1);
    }

    #[test]
    fn list_json_has_the_path_of_what_is_there_and_null_for_what_is_not() {
        let home = tempfile::tempdir().unwrap();
        let (_, text) = run_in(home.path(), &["list", "--json"]);
        let models: serde_json::Value = serde_json::from_str(&text).unwrap();
        let base = models.as_array().unwrap().iter().find(|m| m["name"] == "base").unwrap();
        assert_eq!((&base["default"], &base["path"]), (&true.into(), &serde_json::Value::Null));
    }

    #[test]
    fn pull_offline_fails_and_path_says_how_to_get_the_model() {
        let home = tempfile::tempdir().unwrap();
        let (code, text) = run_in(home.path(), &["pull", "--offline", "tiny"]);
        assert_eq!((code.unwrap(), text.as_str()), (ExitCode::FAILURE, ""));
        let (code, _) = run_in(home.path(), &["path", "openai/whisper-tiny"]);
        assert!(code.unwrap_err().to_string().contains("awaaz models pull tiny"));
    }

    #[test]
    fn an_unknown_name_is_refused_with_the_known_ones() {
        let home = tempfile::tempdir().unwrap();
        let (code, _) = run_in(home.path(), &["pull", "enormous"]);
        assert!(code.unwrap_err().to_string().contains("large-v3-turbo"));
    }
}
