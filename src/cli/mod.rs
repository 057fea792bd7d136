//! The command line. One file a subcommand.
//!
//! stdout is data, stderr is talk. A reader of stdout that goes away ends the program quietly and without
//! error. [`Exit`] lists the exit codes.

pub mod bench;
mod censor;
pub mod clip_features;
pub mod convert;
pub mod ctc_args;
#[cfg(feature = "mic")]
pub mod devices;
pub mod diarize_args;
pub mod embed;
pub mod input_args;
pub mod inputs;
pub mod language;
#[cfg(feature = "mic")]
pub mod listen;
pub mod model_args;
pub mod models;
pub mod moderate;
pub mod onnx_args;
#[cfg(feature = "mic")]
mod play;
pub mod probe_args;
pub mod replay;
mod scale;
pub mod speaker_args;
pub mod speakers;
pub mod stop;
pub mod stream;
pub mod text;
pub mod text_args;
pub mod train;
pub mod transcribe;
mod unit_args;
pub mod units;
mod values;

use std::ffi::OsString;
use std::io::{self, Write};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::{Error, Result};
use stop::Stop;
use transcribe::{Environment, TranscribeArgs};

/// Hears speech and answers at once: any audio in, a transcript out, offline.
#[derive(Debug, Parser)]
#[command(name = "awaaz", version, arg_required_else_help = true, subcommand_required = true)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Transcribe(Box<TranscribeArgs>),
    Moderate(Box<moderate::ModerateArgs>),
    Language(Box<language::LanguageArgs>),
    Embed(Box<embed::EmbedArgs>),
    Units(Box<units::UnitsArgs>),
    Convert(Box<convert::ConvertArgs>),
    Replay(replay::ReplayArgs),
    Speakers(speakers::SpeakersArgs),
    Text(text::TextArgs),
    Train(train::TrainArgs),
    Bench(bench::BenchArgs),
    Models(models::ModelsArgs),
    #[cfg(feature = "mic")]
    Listen(Box<listen::ListenArgs>),
    #[cfg(feature = "mic")]
    Devices(devices::DevicesArgs),
}

/// How the program ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// All was done.
    Success,
    /// Nothing was done.
    Failure,
    /// Some inputs were done, some not.
    Partial,
    /// The arguments are wrong. The number is `EX_USAGE` of BSD's `sysexits.h`.
    Usage,
    /// The user asked to stop; the number is a shell's for SIGINT.
    Interrupted,
}

impl Exit {
    /// The number that the shell sees.
    pub fn code(self) -> u8 {
        match self {
            Self::Success => 0,
            Self::Failure => 1,
            Self::Partial => 2,
            Self::Usage => 64,
            Self::Interrupted => 130,
        }
    }

    /// How the program ends after `done` inputs were done and `failed` were not.
    fn of(done: usize, failed: usize) -> Self {
        match (done, failed) {
            (_, 0) => Self::Success,
            (0, _) => Self::Failure,
            _ => Self::Partial,
        }
    }

    /// How the program ends on `error`.
    fn after(error: &Error) -> Self {
        match error {
            Error::Io { source, .. } if source.kind() == io::ErrorKind::BrokenPipe => Self::Success,
            Error::Setting(_) => Self::Usage,
            Error::Interrupted => Self::Interrupted,
            _ => Self::Failure,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        exit.code().into()
    }
}

/// Runs the program with `arguments`, the first of which is its name.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(told) => {
            // Help and the version come this way too; who reads them may have gone.
            let _ = told.print();
            return if told.use_stderr() { Exit::Usage.into() } else { Exit::Success.into() };
        }
    };
    let done = match cli.command {
        Command::Transcribe(args) => transcribe(&args).map(ExitCode::from),
        Command::Moderate(args) => moderate::run(&args).map(ExitCode::from),
        Command::Language(args) => language::run(&args).map(ExitCode::from),
        Command::Embed(args) => embed::run(&args).map(ExitCode::from),
        Command::Units(args) => units::run(&args).map(ExitCode::from),
        Command::Convert(args) => convert::run(&args).map(ExitCode::from),
        Command::Replay(args) => replay::run(&args).map(ExitCode::from),
        Command::Speakers(args) => speakers::run(&args).map(ExitCode::from),
        Command::Text(args) => text::run(&args).map(ExitCode::from),
        Command::Train(args) => train::run(&args).map(ExitCode::from),
        Command::Bench(args) => bench::run(&args).map(ExitCode::from),
        Command::Models(args) => models::run(args),
        #[cfg(feature = "mic")]
        Command::Listen(args) => listen::run(&args).map(ExitCode::from),
        #[cfg(feature = "mic")]
        Command::Devices(args) => devices::run(&args).map(ExitCode::from),
    };
    done.unwrap_or_else(|error| {
        let exit = Exit::after(&error);
        if exit != Exit::Success {
            let _ = writeln!(io::stderr(), "error: {error}");
        }
        exit.into()
    })
}

fn transcribe(args: &TranscribeArgs) -> Result<Exit> {
    let mut stdout = io::stdout().lock();
    let stop = Stop::on_signals()?;
    let asked = stop.clone();
    let environment = Environment {
        load: &mut |settings| transcribe::load_recognizer(settings, &asked),
        stdout: &mut stdout,
        progress: args.progress(),
        stop,
    };
    transcribe::run(args, environment)
}
