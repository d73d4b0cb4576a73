//! `cairn chain observe`: what buyers deposited, into the log.

use std::path::PathBuf;

use cairn_chain::deposits::{deposits, final_block};
use cairn_core::observation::sign_observation;
use serde::Serialize;

use super::watch::Watch;
use crate::connect::Connect;
use crate::failure::Failure;
use crate::keys::Key;
use crate::output::Output;
use crate::settle::network::Network;
use crate::settle::place::Place;
use crate::submission::accepted_index;

/// Blocks that are read at once.
const PIECE: u64 = 5_000;

/// Arguments of `cairn chain observe`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The observer's key, which the policy names for this chain's deposits
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// The block to begin at: that of the deployment
    #[arg(long, value_name = "N", default_value_t = 0)]
    from_block: u64,
    /// Blocks that must stand on a deposit before it is logged
    #[arg(long, value_name = "N", default_value_t = 12)]
    finality_blocks: u64,
    #[command(flatten)]
    connect: Connect,
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    watch: Watch,
}

#[derive(Debug, Serialize)]
struct Observed {
    chain: String,
    /// The last block that was read.
    to_block: Option<u64>,
    /// Deposits up to there.
    deposits: u64,
    /// Deposits that were logged now.
    logged: u64,
}

/// Runs the command.
///
/// # Errors
/// When gateway or chain cannot be asked, or the log refuses what is observed.
pub fn run(args: &Args, output: Output) -> Result<(), Failure> {
    let key = Key::read(&args.key)?.signing()?;
    let chain = args.place.open()?;
    let finality = if chain.rehearsed() { 0 } else { args.finality_blocks };
    let mut from = args.from_block;
    let mut known = 0;
    args.watch.each(output, || {
        let network = Network::of(&args.connect, chain.as_ref())?;
        let contracts = args.place.contracts(&network, chain.as_ref())?;
        let to_block = final_block(chain.as_ref(), finality)?;
        let mut observed = Observed { chain: network.domain.to_string(), to_block, deposits: known, logged: 0 };
        let due = network.info.deposits.get(network.domain.as_str()).copied().unwrap_or(0);
        // Piece by piece, so that what was logged stays logged however many there are.
        while let Some(to) = to_block.filter(|to| *to >= from).map(|to| to.min(from.saturating_add(PIECE - 1))) {
            for (number, deposit) in deposits(chain.as_ref(), contracts.deposits, from, to)? {
                observed.deposits = number + 1;
                if number < due {
                    continue;
                }
                let deposit = deposit.map_err(|error| {
                    Failure::wrong("STL-DEPOSIT", format!("deposit {number}: {error}"))
                        .hint("the log cannot say it, so none after it either: list no such asset")
                })?;
                let body = deposit.observed(&network.domain, number);
                let observation = sign_observation(&key, &network.id, &body);
                accepted_index(&network.client().submit_observation(&observation)?)?;
                observed.logged += 1;
            }
            (from, known) = (to + 1, observed.deposits);
        }
        output.show(&observed, text)
    })
}

fn text(observed: &Observed) -> String {
    match observed.to_block {
        None => "no block is final yet".to_owned(),
        Some(block) => format!(
            "{}: {} deposits up to block {block}, {} of them logged now",
            observed.chain, observed.deposits, observed.logged
        ),
    }
}
