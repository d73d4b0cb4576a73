//! `cairn chain record`: what a chain paid, written down for the console of a network on this machine.

use std::path::PathBuf;

use cairn_console::settled::Asked;
use cairn_console::words::{count, tokens, utc};
use serde::Serialize;

use super::watch::Watch;
use crate::config::Folder;
use crate::connect::Connect;
use crate::failure::Failure;
use crate::output::Output;
use crate::settle::network::Network;
use crate::settle::place::Place;
use crate::settle::record::record;

/// Arguments of `cairn chain record`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The network's folder, whose gateway shows what is written
    dir: PathBuf,
    #[command(flatten)]
    connect: Connect,
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    watch: Watch,
}

#[derive(Debug, Serialize)]
struct Recorded {
    #[serde(flatten)]
    asked: Asked,
    /// The file.
    path: PathBuf,
    #[serde(skip)]
    symbol: String,
    #[serde(skip)]
    decimals: u8,
}

/// Runs the command.
///
/// # Errors
/// When gateway or chain cannot be asked, or the folder cannot be written to.
pub fn run(args: &Args, output: Output) -> Result<(), Failure> {
    let folder = Folder::at(&args.dir);
    args.watch.each(output, || {
        // One command at a time has an embedded chain, so it is held no longer than it is asked.
        let chain = args.place.open_or(&folder.root().join("chain"))?;
        let network = Network::of(&args.connect, chain.as_ref())?;
        let contracts = args.place.contracts(&network, chain.as_ref())?;
        let (asked, path) = record(&folder.settled(), &network, chain.as_ref(), &contracts)?;
        let (symbol, decimals) =
            network.info.asset.as_ref().map_or((String::new(), 0), |asset| (asset.symbol.clone(), asset.decimals));
        output.show(&Recorded { asked, path, symbol, decimals }, text)
    })
}

fn text(recorded: &Recorded) -> String {
    let Recorded { asked, path, symbol, decimals } = recorded;
    format!(
        "{} as it stood at block {} ({}): {} paid {} in all{}\nwritten to {}",
        asked.chain,
        asked.block,
        utc(asked.block_time_s.saturating_mul(1_000)),
        count(asked.accounts, "account", "accounts"),
        tokens(&asked.paid, *decimals, symbol),
        asked.opened.map_or_else(|| "; no epoch is open there yet".to_owned(), |epoch| format!(" by epoch {epoch}")),
        path.display()
    )
}
