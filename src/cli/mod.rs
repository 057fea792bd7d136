//! The command line. One file a subcommand.
