//! `cairn chain`: the contracts of a network on a settlement chain: deploy them, see them, post to them, pay by them.

mod anchor;
mod bond;
mod deploy;
mod halt;
mod observe;
mod pay;
mod post;
mod record;
mod status;
mod terms;
mod watch;

use clap::Subcommand;

pub use self::deploy::{deploy_all, keep_record};

use crate::failure::Failure;
use crate::output::Output;

/// Arguments of `cairn chain`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Print the terms of a deployment, to be read and changed.
    Terms(terms::Args),
    /// Deploy a network's contracts, and have its log name them.
    Deploy(deploy::Args),
    /// Show where settling stands on a chain.
    Status(status::Args),
    /// Post the epochs that a quorum of auditors signed. Anyone may.
    Post(post::Args),
    /// Open the last final epoch and push what it grants to every account. Anyone may.
    Pay(pay::Args),
    /// Write down what a chain paid, for the pages of the network's gateway. Sends nothing.
    Record(record::Args),
    /// Log what buyers deposited on a chain, once it is final there; by an observer that the policy names.
    Observe(observe::Args),
    /// Put coin at stake for an auditor, without which its signatures do not count where the terms ask for it.
    Bond(bond::Args),
    /// Halt the last epoch while its window is open, for a bond: a quorum must answer.
    Halt(halt::Args),
    /// Advance the log's anchor on a chain to the last final epoch. Anyone may.
    Anchor(anchor::Args),
}

/// Runs the command.
///
/// # Errors
/// Those of the subcommand.
pub fn run(args: &Args, output: Output) -> Result<(), Failure> {
    match &args.command {
        Command::Terms(args) => terms::run(args, output),
        Command::Deploy(args) => deploy::run(args, output),
        Command::Status(args) => status::run(args, output),
        Command::Post(args) => post::run(args, output),
        Command::Pay(args) => pay::run(args, output),
        Command::Record(args) => record::run(args, output),
        Command::Observe(args) => observe::run(args, output),
        Command::Bond(args) => bond::run(args, output),
        Command::Halt(args) => halt::run(args, output),
        Command::Anchor(args) => anchor::run(args, output),
    }
}
