//! The `awaaz` program: see [`awaaz::cli`].

use std::process::ExitCode;

fn main() -> ExitCode {
    awaaz::cli::run(std::env::args_os())
}
