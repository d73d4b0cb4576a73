//! `cairn buy`: order work, and wait for what comes out.

mod compute;

use clap::Subcommand;

use crate::failure::Failure;
use crate::output::Output;

/// Arguments of `cairn buy`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Buy the run of a WebAssembly module over inputs.
    ///
    /// Module and inputs are left at the gateway, the network says who would do it and what would be locked, the wallet signs,
    /// and the order is logged. What is not spent goes back. Without a price the cheapest workers that suffice are asked.
    Compute(compute::Args),
}

/// Runs the command.
///
/// # Errors
/// When nothing can be bought on these terms, or nothing came of it.
pub fn run(args: &Args, output: Output) -> Result<(), Failure> {
    match &args.command {
        Command::Compute(args) => compute::run(args, output),
    }
}
