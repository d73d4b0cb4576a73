//! Writing down what a chain paid, for the pages of a gateway: the chain is asked, nothing is remembered of what was sent.

use std::path::{Path, PathBuf};

use cairn_chain::{Chain, Contracts};
use cairn_console::settled::{Asked, write};
use cairn_settle::calls::account_of;
use cairn_settle::told::address_text;

use super::network::Network;
use crate::failure::Failure;

/// Asks the contract, in the state after the last block, what it paid to every account of the epoch that it pays by, and writes
/// the answers into `folder` in the place of those before.
///
/// # Errors
/// When the chain or the gateway cannot be asked, or the folder cannot be written to.
pub fn record(
    folder: &Path,
    network: &Network,
    chain: &dyn Chain,
    contracts: &Contracts,
) -> Result<(Asked, PathBuf), Failure> {
    let block = chain.head()?;
    let reader = contracts.reader_at(chain, block.number);
    let opened = reader.opened()?;
    let claims = match opened {
        Some(opened) => network.claims(&network.statement(opened.epoch)?)?,
        None => Vec::new(),
    };
    let mut paid = Vec::with_capacity(claims.len());
    for account in claims.iter().map(account_of) {
        let units = reader.account(account)?.paid;
        if units > 0 {
            paid.push((account, units));
        }
    }
    let asked = Asked {
        network_id: network.info.network_id.clone(),
        chain: network.domain.to_string(),
        place: chain.name(),
        rehearsed: chain.rehearsed(),
        contract: address_text(&contracts.payout),
        block: block.number,
        block_time_s: block.time_s,
        read_ms: cairn_ledger::wall_ms(),
        posted: reader.latest()?.map(|head| head.epoch),
        opened: opened.map(|opened| opened.epoch),
        accounts: paid.len() as u64,
        paid: paid.iter().map(|(_, units)| units).sum::<u128>().to_string(),
    };
    let path = write(folder, &asked, &paid).map_err(|error| Failure::io("write", folder, &error))?;
    Ok((asked, path))
}
