//! What differs between two policies, and what it would have meant: the verdicts of past epochs, allocated under both.
//!
//! The verdicts are those under the epoch statements. A policy may also change which reports are let in (how late, how far
//! ahead) and which revision judges them; that is not replayed here.

use std::path::PathBuf;

use cairn_api::{EpochInfo, NetworkInfo};
use cairn_client::Client;
use cairn_core::epoch::EpochStatement;
use cairn_core::{Amount, Hash, Sale, Verdict};
use cairn_fold::root_of;
use cairn_reward::{Allocation, Outcome, Policy, Totals, add_totals, allocate, changes, who_gains};
use serde::Serialize;

use super::read;
use crate::command::export::{decoded_sales, decoded_verdicts};
use crate::connect::Connect;
use crate::failure::Failure;
use crate::output::Output;
use crate::words::{count, rehearsed_lines};

/// Accounts that are listed one by one in text.
const LISTED_MAX: usize = 20;
/// Epochs asked for at once.
const PAGE: u64 = 500;

/// Arguments of `cairn policy diff`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The policy as it is.
    old: PathBuf,
    /// The policy as it would be.
    new: PathBuf,
    /// Allocate the last N closed epochs of the network under both.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    epochs: Option<u64>,
    #[command(flatten)]
    connect: Connect,
}

#[derive(Debug, Serialize)]
struct Difference {
    old_hash: String,
    new_hash: String,
    changes: Vec<Changed>,
    #[serde(skip_serializing_if = "Option::is_none")]
    effect: Option<Effect>,
}

#[derive(Debug, Serialize)]
struct Changed {
    key: String,
    old: Option<String>,
    new: Option<String>,
}

/// What the new policy would have meant. Amounts are base units of each policy's asset.
#[derive(Debug, Serialize)]
struct Effect {
    epochs: Vec<Cited>,
    rehearsed: Vec<String>,
    old: Side,
    new: Side,
    accounts: Vec<Shifted>,
}

/// An epoch whose verdicts were allocated again.
#[derive(Debug, Serialize)]
struct Cited {
    number: u64,
    statement: String,
}

/// The epochs under one policy.
#[derive(Debug, Serialize)]
struct Side {
    symbol: String,
    decimals: u8,
    minted: String,
    paid: String,
    burned: String,
    unallocated: String,
}

#[derive(Debug, Serialize)]
struct Shifted {
    account: String,
    old: String,
    new: String,
}

/// Runs the command.
///
/// # Errors
/// When a policy is refused, or the epochs served do not verify.
pub fn run(args: &Args, output: Output) -> Result<(), Failure> {
    let ((_, old), (_, new)) = (read(&args.old)?, read(&args.new)?);
    let changed = changes(&old, &new).into_iter();
    let changes = changed.map(|change| Changed { key: change.key, old: change.old, new: change.new }).collect();
    let effect = match args.epochs {
        Some(epochs) => Some(effect(&args.connect.client()?, epochs, &old, &new, output)?),
        None => None,
    };
    let difference = Difference { old_hash: old.hash().to_hex(), new_hash: new.hash().to_hex(), changes, effect };
    output.show(&difference, text)
}

/// A run of epochs under one policy: what each hands on to the next, and what all paid.
struct Books<'a> {
    policy: &'a Policy,
    unallocated: Amount,
    minted_before: Amount,
    minted: Amount,
    paid: Amount,
    burned: Amount,
    totals: Totals,
}

impl<'a> Books<'a> {
    const fn open(policy: &'a Policy, unallocated: Amount, minted_before: Amount) -> Self {
        let (minted, paid, burned) = (Amount::ZERO, Amount::ZERO, Amount::ZERO);
        Self { policy, unallocated, minted_before, minted, paid, burned, totals: Totals::new() }
    }

    fn allocate(
        &mut self,
        epoch: u64,
        epoch_start_ms: u64,
        verdicts: &[Verdict],
        sales: &[Sale],
    ) -> Result<Outcome, Failure> {
        let overflow = || Failure::from(cairn_reward::RewardError::Overflow { what: "the sum over the epochs" });
        let locked = Amount::checked_sum(sales.iter().map(|sale| sale.locked)).ok_or_else(overflow)?;
        let outcome = allocate(&Allocation {
            epoch,
            policy: self.policy,
            epoch_start_ms,
            opening_unallocated: self.unallocated,
            // What buyers paid in is nobody's pot: no policy shares it out. What they bought stays as it was bought.
            opening_escrow: locked,
            deposited: Amount::ZERO,
            minted_before: self.minted_before,
            verdicts,
            sales,
        })?;
        let balance = &outcome.balance;
        for (sum, part) in [
            (&mut self.minted_before, balance.minted),
            (&mut self.minted, balance.minted),
            (&mut self.paid, balance.paid),
            (&mut self.burned, balance.burned),
        ] {
            *sum = sum.checked_add(part).ok_or_else(overflow)?;
        }
        self.unallocated = balance.closing.unallocated;
        add_totals(&mut self.totals, &outcome.totals)?;
        Ok(outcome)
    }

    fn side(&self) -> Side {
        Side {
            symbol: self.policy.asset.symbol.clone(),
            decimals: self.policy.asset.decimals,
            minted: self.minted.to_string(),
            paid: self.paid.to_string(),
            burned: self.burned.to_string(),
            unallocated: self.unallocated.to_string(),
        }
    }
}

fn effect(client: &Client, epochs: u64, old: &Policy, new: &Policy, output: Output) -> Result<Effect, Failure> {
    let network = client.network()?;
    let from = network.epoch.saturating_sub(epochs);
    let (opening, minted_before) = before(client, from)?;
    let (mut old, mut new) = (Books::open(old, opening, minted_before), Books::open(new, opening, minted_before));
    let mut cited = Vec::new();
    // While the old policy is the one that ruled, its allocation must be the one that was paid.
    let mut is_history = true;
    let bar = output.progress("epochs", network.epoch - from);
    for epoch in from..network.epoch {
        let (hash, statement) = statement(client, &network, epoch)?;
        let verdicts = decoded_verdicts(client, &statement)?;
        let start_ms = network.epoch_zero_ms.saturating_add(network.epoch_ms.saturating_mul(epoch));
        let sales = decoded_sales(client, &statement)?;
        let outcome = old.allocate(epoch, start_ms, &verdicts, &sales)?;
        is_history &= statement.policy_hash == old.policy.hash();
        if is_history && payout_root(&outcome) != statement.payout_root {
            return Err(refuse(format!("the payouts of epoch {epoch} are not what its verdicts and policy come to")));
        }
        new.allocate(epoch, start_ms, &verdicts, &sales)?;
        cited.push(Cited { number: epoch, statement: hash.to_hex() });
        bar.inc(1);
    }
    bar.finish_and_clear();
    let shifts = who_gains(&old.totals, &new.totals).into_iter();
    let accounts = shifts.map(|shift| Shifted {
        account: shift.account.to_string(),
        old: shift.old.to_string(),
        new: shift.new.to_string(),
    });
    let accounts = accounts.collect();
    Ok(Effect { epochs: cited, rehearsed: network.rehearsed, old: old.side(), new: new.side(), accounts })
}

fn refuse(what: String) -> Failure {
    Failure::wrong("NET-PROOF", what).hint("something served is not what the log implies: run `cairn audit`")
}

fn payout_root(outcome: &Outcome) -> Hash {
    root_of(&outcome.payouts.iter().map(cairn_core::Payout::encode).collect::<Vec<_>>())
}

fn statement(client: &Client, network: &NetworkInfo, epoch: u64) -> Result<(Hash, EpochStatement), Failure> {
    let bytes = client.epoch_bytes(epoch)?;
    let statement = EpochStatement::decode(&bytes).map_err(|error| refuse(format!("a statement: {error}")))?;
    if statement.number != epoch || statement.network.0.to_hex() != network.network_id {
        return Err(refuse(format!("the statement served for epoch {epoch} is another one")));
    }
    Ok((Hash::of(&bytes), statement))
}

/// What epoch `from` found unallocated, and what all epochs before it minted.
fn before(client: &Client, from: u64) -> Result<(Amount, Amount), Failure> {
    let amount = |text: &str| Amount::parse(text).map_err(|error| refuse(error.to_string()));
    let (mut minted, mut opening, mut below) = (Amount::ZERO, Amount::ZERO, Some(from.saturating_add(1)));
    while let Some(before) = below {
        let page = client.epochs(Some(before), Some(PAGE))?;
        for EpochInfo { number, balance, .. } in &page.epochs {
            // What buyers paid in opens an epoch, too, and is not shared out.
            if number.checked_add(1) == Some(from) {
                opening = amount(&balance.unallocated)?;
            }
            if *number != from {
                let sum = minted.checked_add(amount(&balance.minted)?);
                minted = sum.ok_or_else(|| refuse("more was minted than an amount can hold".to_owned()))?;
            }
        }
        // A page that does not go down would be asked for for ever.
        below = page.next.filter(|next| *next < before);
    }
    Ok((opening, minted))
}

fn text(difference: &Difference) -> String {
    let Difference { old_hash, new_hash, changes, effect } = difference;
    let mut text = format!("- {old_hash}\n+ {new_hash}\n");
    if changes.is_empty() {
        let what = if old_hash == new_hash { "the same document" } else { "only comments or the order differ" };
        text.push_str(&format!("{what}\n"));
    }
    for Changed { key, old, new } in changes {
        let value = |value: &Option<String>| value.clone().unwrap_or_else(|| "(absent)".to_owned());
        text.push_str(&format!("  {key}: {} -> {}\n", value(old), value(new)));
    }
    if let Some(effect) = effect {
        effect_text(effect, &mut text);
    }
    text
}

fn effect_text(effect: &Effect, text: &mut String) {
    let (Some(first), Some(last)) = (effect.epochs.first(), effect.epochs.last()) else {
        text.push_str("\nno epoch has closed yet, so there is nothing to allocate again\n");
        return;
    };
    text.push_str(&format!(
        "\nepochs {} to {}, under both (statement {})\n",
        first.number, last.number, last.statement
    ));
    text.push_str(&rehearsed_lines("  ", &effect.rehearsed));
    let amount = |units: &str, side: &Side| crate::words::tokens(units, side.decimals, &side.symbol);
    for (name, side) in [("old", &effect.old), ("new", &effect.new)] {
        let (minted, paid) = (amount(&side.minted, side), amount(&side.paid, side));
        let (burned, left) = (amount(&side.burned, side), amount(&side.unallocated, side));
        text.push_str(&format!("  {name}: minted {minted}, paid {paid}, burned {burned}, unallocated {left}\n"));
    }
    if effect.accounts.is_empty() {
        text.push_str("nobody would have gained or lost\n");
    }
    for shift in effect.accounts.iter().take(LISTED_MAX) {
        let (old, new) = (amount(&shift.old, &effect.old), amount(&shift.new, &effect.new));
        text.push_str(&format!("  {} {old} -> {new}  {}\n", direction(shift), shift.account));
    }
    if let Some(more) = effect.accounts.len().checked_sub(LISTED_MAX).filter(|more| *more > 0) {
        text.push_str(&format!("  and {}; --json lists all\n", count(more as u64, "more account", "more accounts")));
    }
}

fn direction(shift: &Shifted) -> &'static str {
    match (Amount::parse(&shift.old), Amount::parse(&shift.new)) {
        (Ok(old), Ok(new)) if new > old => "gains",
        _ => "loses",
    }
}
