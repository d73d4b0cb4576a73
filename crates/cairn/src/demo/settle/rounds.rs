//! Rounds of settling, and what they came to.

use std::collections::BTreeMap;

use cairn_chain::{Call, Chain, Contracts};
use cairn_settle::EvmAddress;
use cairn_settle::calls::account_of;
use cairn_settle::told::address_text;

use super::{AUDITORS, Gas, Settled, TamperedStatement};
use crate::failure::Failure;
use crate::output::Output;
use crate::settle::network::Network;
use crate::settle::place::Sender;
use crate::settle::steps::{Sent, Settler};

/// What was settled, in one or more rounds.
#[derive(Debug, Default)]
pub(super) struct Rounds {
    pub(super) signatures: u64,
    posted: Vec<u64>,
    posts: Vec<Sent>,
    pays: Vec<Sent>,
    /// The epoch that was paid by.
    epoch: u64,
    /// Pushes to accounts, and how many base units wait for a claim.
    pushes: u64,
    below: usize,
    left: String,
}

impl Rounds {
    /// Posts what is signed, and pays by the last of it.
    pub(super) fn round(
        &mut self,
        network: &Network,
        chain: &dyn Chain,
        contracts: Contracts,
        account: EvmAddress,
        sender: &mut Sender<'_>,
        output: Output,
    ) -> Result<(), Failure> {
        let mut send = |purpose: &str, call: &Call| sender.send(purpose, call);
        let mut settler = Settler { chain, network, contracts, account, batch: 50, send: &mut send };
        let last = network.info.last_closed.as_ref().map_or(0, |last| last.number);
        let bar = output.progress("settling", last + 1);
        let posted = settler.post(&mut |epoch| bar.set_position(epoch + 1))?;
        let paid = settler.pay(&mut |_, _| {})?;
        bar.finish_and_clear();
        self.posted.extend(posted.epochs);
        self.posts.extend(posted.sent);
        self.pays.extend(paid.sent);
        self.epoch = paid.epoch.unwrap_or_default();
        self.pushes += paid.accounts as u64;
        (self.below, self.left) = (paid.below, paid.left);
        Ok(())
    }

    /// Reads back what is on the chain, and holds it against the log: every account holds what it was paid less what it
    /// burned, and what is missing of what the log granted waits for a claim.
    pub(super) fn told(
        self,
        network: &Network,
        chain: &dyn Chain,
        contracts: &Contracts,
        burned: &BTreeMap<EvmAddress, u128>,
        tampered: TamperedStatement,
    ) -> Result<Settled, Failure> {
        let reader = contracts.reader(chain);
        let statement = network.statement(self.epoch)?;
        let (mut balances, mut granted, mut paid, mut accounts, mut agrees) = (0u128, 0u128, 0u128, 0, true);
        for leaf in network.claims(&statement)? {
            let account = account_of(&leaf);
            let (balance, known) = (reader.balance(account)?, reader.account(account)?.paid);
            balances += balance;
            granted += leaf.cumulative;
            paid += known;
            accounts += usize::from(known > 0);
            agrees &= known.checked_sub(balance) == Some(burned.get(&account).copied().unwrap_or_default());
        }
        let burned: u128 = burned.values().sum();
        agrees &= granted.checked_sub(paid).map(|left| left.to_string()).as_ref() == Some(&self.left);
        agrees &= reader.supply()?.checked_add(burned) == Some(granted);
        agrees &= reader.proven()? == granted && reader.minted()? == granted;
        let gas = self.pays.iter().filter(|sent| sent.purpose.starts_with("pay")).filter_map(|sent| sent.gas_used);
        Ok(Settled {
            chain: format!("eip155:{} in {}", chain.id(), chain.name()),
            auditors: AUDITORS,
            signatures: self.signatures,
            payout: address_text(&contracts.payout),
            token: address_text(&contracts.token),
            posted: self.posted.len(),
            epoch: self.epoch,
            accounts,
            paid: paid.to_string(),
            below: self.below,
            left: self.left,
            burned: burned.to_string(),
            balances: balances.to_string(),
            agrees,
            gas: Gas {
                post: self.posts.last().and_then(|sent| sent.gas_used).unwrap_or_default(),
                push: gas.sum::<u64>().checked_div(self.pushes).unwrap_or_default(),
            },
            tampered,
        })
    }
}
