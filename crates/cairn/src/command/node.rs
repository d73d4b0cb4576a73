//! `cairn node`: what runs next to the hardware: measures, signs, sends until it is kept; and works for buyers.

use std::path::Path;

use cairn_client::names::Mended;
use cairn_client::{Client, Retries};
use clap::Subcommand;

use crate::config::node::{NodeConfig, NodeFolder};

use crate::failure::Failure;
use crate::output::Output;

mod approve;
mod find;
mod key;
mod raw;
mod receipts;
mod refused;
mod run;
mod scores;
mod setup;
mod simulate;
mod status;
mod worker;

pub use run::{Board, hear, tell};
pub use worker::disk;

/// Arguments of `cairn node`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Set this machine up: who is paid, where it stands, what it measures; then a service.
    ///
    /// What the flags do not say is asked, the gateway too: those that announce themselves on the local network are listed. It may be stopped and said again at any time: no key is made twice, nothing is
    /// enrolled twice, and a configuration that is there is kept.
    Setup(Box<setup::Args>),
    /// List the gateways that announce themselves on the local network.
    ///
    /// What is listed is what somebody there says; `setup` holds a gateway to its network's id before anything is made.
    Find(find::Args),
    /// Measure, sign and send; or offer this machine, run what is assigned, and be paid for it; or both.
    ///
    /// What it does stands in node.toml; with --key and --price it is a worker without one. Whatever was taken is on disk
    /// before anything else happens, so a node that is killed goes on where it was. With --json every event is a JSON document
    /// on a line of its own. It runs until it is stopped.
    Run(run::Args),
    /// Set a node up whose readings are made up, and run it: only in a network that rehearses simulated devices.
    ///
    /// Everything but what it measures is real: it has a key and a wallet, and what it sends is judged and paid as the network
    /// rehearses it. Stop it and say the same again: it is the same device.
    Simulate(simulate::Args),
    /// Show how the node is: its clock, what waits, what was promised, refused and paid. Exit code 1 when something is wrong.
    Status(status::Args),
    /// List, check or export what the network signed for.
    Receipts(receipts::Args),
    /// List the reports that the network refused for good; or have them sent again.
    Refused(refused::Args),
    /// Back the device's key up, or replace it.
    Key(key::Args),
    /// See what went into a report, and reduce it again.
    Raw(raw::Args),
    /// Let a device join you that was set up elsewhere with your address.
    Approve(approve::Args),
}

/// The folder named, or where it usually is.
fn folder(named: Option<&Path>) -> Result<NodeFolder, Failure> {
    NodeFolder::named(named)
}

/// What was done about a small file that was damaged.
fn said(file: &Path, mended: &Mended) -> String {
    format!("{} was damaged or gone: {}", file.display(), mended.what)
}

/// The first gateway that answers for the network of a configuration.
fn reach(config: &NodeConfig) -> Result<Client, Failure> {
    let mut first = None;
    for url in &config.gateways {
        let client = Client::patient(url, Retries { attempts: 2, ..Retries::default() })?;
        match client.network() {
            Ok(info) if info.network_id == config.network().0.to_hex() => return Ok(client),
            Ok(info) => {
                let what = format!("{url} is a gateway of network {}", info.network_id);
                let other = Failure::wrong("NODE-NETWORK", what).hint("look at `network` and `gateways` in node.toml");
                first = first.or(Some(other));
            }
            Err(error) => first = first.or(Some(error.into())),
        }
    }
    Err(first.unwrap_or_else(|| Failure::usage("NODE-CONFIG", "`gateways` names none")))
}

/// Runs the command.
///
/// # Errors
/// Those of the subcommands.
pub fn run(args: Args, output: Output) -> Result<(), Failure> {
    match args.command {
        Command::Setup(args) => setup::run(&args, output),
        Command::Find(args) => find::run(&args, output),
        Command::Run(args) => run::run(&args, output),
        Command::Simulate(args) => simulate::run(args, output),
        Command::Status(args) => status::run(&args, output),
        Command::Receipts(args) => receipts::run(&args, output),
        Command::Refused(args) => refused::run(&args, output),
        Command::Key(args) => key::run(&args, output),
        Command::Raw(args) => raw::run(&args, output),
        Command::Approve(args) => approve::run(&args, output),
    }
}
