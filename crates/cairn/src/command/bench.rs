//! `cairn bench`: what this machine takes in, measured from outside.
//!
//! `ingest` runs a network of its own in a temporary folder, as a process of its own, and is a client of it like any
//! other; `gen` writes signed request bodies for other load tools. Times are of this machine at this moment: the ratio to
//! the verifying of the same signatures alone, measured in the same run, travels better.

mod fleet;
mod gen_bodies;
mod ingest;
mod lane;
mod place;
mod summary;
mod traffic;
mod usage;
mod verify;

use crate::failure::Failure;
use crate::output::Output;

/// Arguments of `cairn bench`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Measure how many signed reports a second one gateway acknowledges, durable and promised.
    Ingest(ingest::Args),
    /// Write signed request bodies to files, for any HTTP load tool.
    Gen(gen_bodies::Args),
}

/// Runs the command.
///
/// # Errors
/// When the call is wrong, the network cannot be run, or it answers anything but an acknowledgement.
pub fn run(args: &Args, output: Output) -> Result<(), Failure> {
    match &args.what {
        What::Ingest(args) => ingest::run(args, output),
        What::Gen(args) => gen_bodies::run(args, output),
    }
}

/// A share of a whole in percent, for devices that sign with P-256.
fn parse_share(text: &str) -> Result<u8, String> {
    text.parse().ok().filter(|share| *share <= 100).ok_or_else(|| "a whole number of percent, 0 to 100".to_owned())
}
