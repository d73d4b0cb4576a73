//! `cairn chain status`: where settling stands.

use cairn_core::Amount;
use cairn_settle::told::address_text;
use serde::Serialize;

use crate::connect::Connect;
use crate::failure::Failure;
use crate::output::Output;
use crate::settle::network::Network;
use crate::settle::place::Place;

/// Arguments of `cairn chain status`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    connect: Connect,
    #[command(flatten)]
    place: Place,
}

#[derive(Debug, Serialize)]
struct Status {
    network_id: String,
    chain: String,
    /// Whether the chain or the contracts are a rehearsal.
    rehearsal: bool,
    block: u64,
    block_time_s: u64,
    contracts: Addresses,
    auditors: Auditors,
    /// Epochs closed in the log.
    closed: u64,
    /// The epoch that the chain waits for.
    next: u64,
    posted: Option<Epoch>,
    finalized: Option<Epoch>,
    opened: Option<u64>,
    halted_by: Option<String>,
    halt_price_wei: String,
    paused: bool,
    symbol: String,
    #[serde(skip)]
    decimals: u8,
    minted: String,
    mintable: String,
    supply: String,
    proven: String,
    /// What may be paid right now, by the breaker and what is proven and unpaid.
    room: String,
    relay_pool: String,
}

#[derive(Debug, Serialize)]
struct Addresses {
    payout: String,
    settlement: String,
    auditors: String,
    token: String,
    deposits: String,
}

#[derive(Debug, Serialize)]
struct Auditors {
    set: u32,
    members: u8,
    threshold: u8,
}

#[derive(Debug, Serialize)]
struct Epoch {
    number: u64,
    revision: u32,
    statement: String,
    final_at_s: u64,
    /// Whether this is the statement that the log has; absent where the log has not come so far.
    same_as_log: Option<bool>,
}

/// Runs the command.
///
/// # Errors
/// When gateway or chain cannot be asked; `STL-DIFFERS` where the chain has another statement than the log.
pub fn run(args: &Args, output: Output) -> Result<(), Failure> {
    let chain = args.place.open()?;
    let network = Network::of(&args.connect, chain.as_ref())?;
    let contracts = args.place.contracts(&network, chain.as_ref())?;
    let reader = contracts.reader(chain.as_ref());
    let closed = network.info.last_closed.as_ref().map_or(0, |last| last.number + 1);
    let epoch = |head: Option<cairn_chain::contracts::Head>| -> Result<Option<Epoch>, Failure> {
        let Some(head) = head else { return Ok(None) };
        let of_log = if head.epoch < closed { Some(network.statement(head.epoch)?.hash()) } else { None };
        Ok(Some(Epoch {
            number: head.epoch,
            revision: head.revision,
            statement: head.statement_hash.to_hex(),
            final_at_s: head.final_at_s,
            same_as_log: of_log.map(|hash| hash == head.statement_hash),
        }))
    };
    let (block, auditors) = (chain.head()?, reader.auditors()?);
    let asset = network.info.asset.clone();
    let status = Status {
        network_id: network.info.network_id.clone(),
        chain: chain.name(),
        rehearsal: chain.rehearsed() || reader.is_rehearsal()?,
        block: block.number,
        block_time_s: block.time_s,
        contracts: Addresses {
            payout: address_text(&contracts.payout),
            settlement: address_text(&contracts.settlement),
            auditors: address_text(&contracts.auditors),
            token: address_text(&contracts.token),
            deposits: address_text(&contracts.deposits),
        },
        auditors: Auditors { set: auditors.set, members: auditors.size, threshold: auditors.threshold },
        closed,
        next: reader.next()?,
        posted: epoch(reader.latest()?)?,
        finalized: epoch(reader.latest_final()?)?,
        opened: reader.opened()?.map(|opened| opened.epoch),
        halted_by: reader.halted()?.map(|halt| address_text(&halt.watcher)),
        halt_price_wei: reader.halt_price()?.to_string(),
        paused: reader.is_paused()?,
        symbol: asset.as_ref().map_or_else(String::new, |asset| asset.symbol.clone()),
        decimals: asset.map_or(0, |asset| asset.decimals),
        minted: reader.minted()?.to_string(),
        mintable: if reader.latest_final()?.is_some() { reader.mintable()? } else { 0 }.to_string(),
        supply: reader.supply()?.to_string(),
        proven: reader.proven()?.to_string(),
        room: reader.room()?.to_string(),
        relay_pool: reader.relay_pool()?.to_string(),
    };
    let differs = [&status.posted, &status.finalized]
        .into_iter()
        .flatten()
        .find(|epoch| epoch.same_as_log == Some(false))
        .map(|epoch| epoch.number);
    let Some(number) = differs else { return output.show(&status, text) };
    let failure =
        Failure::wrong("STL-DIFFERS", format!("the chain has another statement of epoch {number} than the log"))
            .hint("audit the network; a watcher may halt the epoch while its window is open");
    output.show_wrong(&status, text, failure)
}

fn text(status: &Status) -> String {
    let tokens = |units: &str| {
        format!("{} {}", Amount::parse(units).unwrap_or_default().display(status.decimals), status.symbol)
    };
    let epoch = |epoch: &Option<Epoch>| match epoch {
        None => "none".to_owned(),
        Some(epoch) => {
            let same = match epoch.same_as_log {
                Some(true) => "as in the log",
                Some(false) => "NOT AS IN THE LOG",
                None => "which the log has not closed",
            };
            format!("{} (revision {}), {same}", epoch.number, epoch.revision)
        }
    };
    let mut text = format!(
        "{}{}\n  block     {}\n  payout    {}\n  auditors  set {}: {} of {} must sign\n  closed    {} epochs in the log; the chain waits for epoch {}\n  posted    {}\n  final     {}\n  opened    {}\n",
        status.chain,
        if status.rehearsal { " (a rehearsal)" } else { "" },
        status.block,
        status.contracts.payout,
        status.auditors.set,
        status.auditors.threshold,
        status.auditors.members,
        status.closed,
        status.next,
        epoch(&status.posted),
        epoch(&status.finalized),
        status.opened.map_or("none".to_owned(), |epoch| epoch.to_string()),
    );
    if let Some(watcher) = &status.halted_by {
        text.push_str(&format!("  HALTED    by {watcher}\n"));
    }
    if status.paused {
        text.push_str("  PAUSED    by the guardian\n");
    }
    text.push_str(&format!(
        "  minted    {} of at most {}\n  proven    {}, of which {} may be paid now\n  relayers  {} left for them",
        tokens(&status.minted),
        tokens(&status.mintable),
        tokens(&status.proven),
        tokens(&status.room),
        tokens(&status.relay_pool)
    ));
    text
}
