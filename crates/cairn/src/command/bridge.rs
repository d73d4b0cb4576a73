//! `cairn bridge`: speak for devices that cannot sign: SenML, ChirpStack and Sensor.Community, translated and signed.

mod enrol;
mod run;

use clap::Subcommand;

use crate::failure::Failure;
use crate::output::Output;

/// Arguments of `cairn bridge`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Take what comes in over HTTP, and report it.
    Run(run::Args),
    /// Let the devices of a table join their owner, each with a key that the bridge makes.
    Enrol(enrol::Args),
}

/// Runs the command.
///
/// # Errors
/// Those of the subcommands.
pub fn run(args: &Args, output: Output) -> Result<(), Failure> {
    match &args.command {
        Command::Run(args) => run::run(args, output),
        Command::Enrol(args) => enrol::run(args, output),
    }
}
