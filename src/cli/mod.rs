//! The command line. One file a subcommand.

pub mod models;
