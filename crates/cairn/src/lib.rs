//! The `cairn` binary as a library: every command, callable from tests.

mod command;
mod config;
pub mod dataset;
mod failure;
mod keys;
mod open;
mod output;

use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{Parser, Subcommand};

pub use failure::{Exit, Failure};
use output::Output;

/// The engine of a decentralised physical infrastructure network, from sensor to token.
#[derive(Debug, Parser)]
#[command(name = "cairn", version, about, propagate_version = true, arg_required_else_help = true)]
struct Cli {
    /// Print one JSON document on standard output instead of text.
    #[arg(long, global = true)]
    json: bool,

    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Write the configuration and the keys of a network.
    Init(command::init::Args),
    /// Run a network: its log, its judge, its API.
    Up(command::up::Args),
    /// Make a key.
    Keygen(command::keygen::Args),
}

/// Runs the command line and says how it ended: 0 done, 1 the input or the checked thing is wrong, 2 the call is wrong,
/// 3 Cairn failed.
#[must_use]
pub fn run(arguments: impl IntoIterator<Item = std::ffi::OsString>) -> ExitCode {
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => {
            let wanted = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
            // A closed standard output leaves nowhere to say so.
            let _ = error.print();
            return ExitCode::from(if wanted { 0 } else { Exit::Usage as u8 });
        }
    };
    let output = Output { json: cli.json };
    let result = match cli.command {
        Command::Init(args) => command::init::run(&args, output),
        Command::Up(args) => command::up::run(&args, output),
        Command::Keygen(args) => command::keygen::run(&args, output),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            output.fail(&failure);
            ExitCode::from(failure.exit as u8)
        }
    }
}
