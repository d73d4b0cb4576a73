//! The steps of settling: post what a quorum signed, open what is final, push what is owed.
//!
//! Each step is planned from what the chain says at that moment, so any of them may be taken twice, by anyone, and whoever
//! begins again goes on where the chain is.

use cairn_chain::contracts::Head;
use cairn_chain::paying::{self, Push};
use cairn_chain::posting::Posting;
use cairn_chain::{Call, Chain, Contracts, Reader, Receipt};
use cairn_core::epoch::EpochStatement;
use cairn_settle::EvmAddress;
use cairn_settle::told::{address_text, hex_text};
use serde::Serialize;

use super::network::Network;
use crate::failure::Failure;

/// Sends a call and waits until it counts, or shows it.
pub type Send<'a> = dyn FnMut(&str, &Call) -> Result<Sent, Failure> + 'a;

/// One transaction, or what would be one.
#[derive(Debug, Clone, Serialize)]
pub struct Sent {
    /// What it is for.
    pub purpose: String,
    /// The contract.
    pub to: Option<String>,
    /// Its hash; absent on a dry run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transaction: Option<String>,
    /// Gas used; absent on a dry run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gas_used: Option<u64>,
    /// What became of it.
    #[serde(skip)]
    pub receipt: Option<Receipt>,
    /// What would be signed and sent, on a dry run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unsigned: Option<Unsigned>,
}

/// A transaction that nobody signed.
#[derive(Debug, Clone, Serialize)]
pub struct Unsigned {
    /// The chain.
    pub chain_id: u64,
    /// Who is to sign.
    pub from: String,
    /// The account's nonce.
    pub nonce: u64,
    /// Coin that goes with it, wei.
    pub value_wei: String,
    /// The call's bytes.
    pub data: String,
    /// Gas, with a margin; absent where it cannot be told before the transactions ahead of it are sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gas_limit: Option<u64>,
    /// The most that a unit of gas costs, wei.
    pub max_fee_wei: String,
}

impl Sent {
    /// A call that was sent.
    #[must_use]
    pub fn of(purpose: &str, call: &Call, receipt: &Receipt) -> Self {
        Self {
            purpose: purpose.to_owned(),
            to: call.to.as_ref().map(address_text),
            transaction: Some(hex_text(&receipt.transaction)),
            gas_used: Some(receipt.gas_used),
            receipt: Some(receipt.clone()),
            unsigned: None,
        }
    }

    /// A call that is only shown.
    #[must_use]
    pub fn shown(purpose: &str, call: &Call, unsigned: Unsigned) -> Self {
        let to = call.to.as_ref().map(address_text);
        Self {
            purpose: purpose.to_owned(),
            to,
            transaction: None,
            gas_used: None,
            receipt: None,
            unsigned: Some(unsigned),
        }
    }

    /// Whether it was sent.
    #[must_use]
    pub const fn is_sent(&self) -> bool {
        self.transaction.is_some()
    }

    /// In words.
    #[must_use]
    pub fn text(&self) -> String {
        if let (Some(hash), Some(gas)) = (&self.transaction, self.gas_used) {
            return format!("{}: {hash}, {gas} gas", self.purpose);
        }
        let Some(unsigned) = &self.unsigned else { return self.purpose.clone() };
        format!(
            "{}: not sent\n  to {} from {}, nonce {}, gas {}, at most {} wei each, with {} wei, on chain {}\n  {}",
            self.purpose,
            self.to.as_deref().unwrap_or("a new contract"),
            unsigned.from,
            unsigned.nonce,
            unsigned.gas_limit.map_or("unknown".to_owned(), |gas| gas.to_string()),
            unsigned.max_fee_wei,
            unsigned.value_wei,
            unsigned.chain_id,
            unsigned.data
        )
    }
}

/// What became of posting.
#[derive(Debug, Clone, Serialize)]
pub struct Posted {
    /// Epochs that were posted, in order.
    pub epochs: Vec<u64>,
    /// The transactions.
    pub sent: Vec<Sent>,
    /// The epoch that is waited for, and why.
    pub next: u64,
    /// Why it is not posted yet.
    pub waits_for: String,
}

/// What became of paying.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Paid {
    /// The epoch that is paid by; absent while none is final.
    pub epoch: Option<u64>,
    /// The transactions.
    pub sent: Vec<Sent>,
    /// Accounts that were pushed to.
    pub accounts: usize,
    /// Base units pushed.
    pub amount: String,
    /// Accounts below the threshold of pushing, which claim.
    pub below: usize,
    /// Accounts that wait for the breaker.
    pub held: usize,
    /// Base units owed to both.
    pub left: String,
}

/// What became of posting one epoch.
enum Step {
    Sent(Box<Sent>),
    Waits(String),
}

/// Whether the chain refused a call, before it was sent or after: perhaps because somebody else had done the same.
fn is_refusal(failure: &Failure) -> bool {
    ["STL-REVERTED", "STL-FAILED"].contains(&failure.code.as_ref())
}

/// Settles one network on one chain from one account.
pub struct Settler<'a> {
    /// The chain.
    pub chain: &'a dyn Chain,
    /// The network.
    pub network: &'a Network,
    /// Its contracts there.
    pub contracts: Contracts,
    /// Who sends.
    pub account: EvmAddress,
    /// Accounts in one transaction.
    pub batch: usize,
    /// How it is sent.
    pub send: &'a mut Send<'a>,
}

impl Settler<'_> {
    fn reader(&self) -> Reader<'_> {
        self.contracts.reader(self.chain)
    }

    /// Posts every epoch that is closed, signed by a quorum and due; `told` hears of each.
    ///
    /// # Errors
    /// When the network or the chain cannot be asked, or the chain refuses an epoch.
    pub fn post(&mut self, told: &mut dyn FnMut(u64)) -> Result<Posted, Failure> {
        let mut posted = Posted { epochs: Vec::new(), sent: Vec::new(), next: 0, waits_for: String::new() };
        self.answer_halt(&mut posted)?;
        loop {
            let next = self.reader().next()?;
            posted.next = next;
            let closed = self.network.info.last_closed.as_ref().is_some_and(|last| last.number >= next);
            if !closed {
                posted.waits_for = format!("epoch {next} is not closed");
                return Ok(posted);
            }
            match self.post_epoch(next) {
                Ok(Step::Sent(sent)) => {
                    let shown_only = !sent.is_sent();
                    posted.sent.push(*sent);
                    if shown_only {
                        posted.waits_for = "nothing was sent".to_owned();
                        return Ok(posted);
                    }
                    posted.epochs.push(next);
                    told(next);
                }
                Ok(Step::Waits(waits_for)) => {
                    posted.waits_for = waits_for;
                    return Ok(posted);
                }
                // Another relayer was quicker: what was to be done is done.
                Err(failure) if is_refusal(&failure) && self.reader().next()? > next => {}
                Err(failure) => return Err(failure),
            }
        }
    }

    fn post_epoch(&mut self, epoch: u64) -> Result<Step, Failure> {
        let statement = self.network.statement(epoch)?;
        let published = self.network.signatures(epoch)?;
        Ok(match Posting::of(&self.reader(), &self.contracts, self.account, &statement, &published)? {
            Posting::Ready { call, .. } => Step::Sent(Box::new((self.send)(&format!("post epoch {epoch}"), &call)?)),
            Posting::Waits { signed, threshold } => {
                Step::Waits(format!("{} of {threshold} auditors have signed epoch {epoch}", signed.len()))
            }
            Posting::TooEarly => Step::Waits(format!("epoch {epoch} or the window of the epoch before it is not over")),
        })
    }

    /// Where the last epoch is halted and a quorum has answered by a higher revision, posts the answer.
    fn answer_halt(&mut self, posted: &mut Posted) -> Result<(), Failure> {
        let Some(head) = self.reader().latest()? else { return Ok(()) };
        if self.reader().halted()?.is_none() {
            return Ok(());
        }
        let mut published = self.network.signatures(head.epoch)?;
        published.retain(|signature| signature.revision > head.revision);
        let statement = self.network.statement(head.epoch)?;
        let answer = Posting::of(&self.reader(), &self.contracts, self.account, &statement, &published)?;
        if let Posting::Ready { revision, call, .. } = answer {
            let purpose = format!("answer the halt of epoch {} with revision {revision}", head.epoch);
            let sent = (self.send)(&purpose, &call)?;
            posted.sent.push(sent);
            posted.epochs.push(head.epoch);
        }
        Ok(())
    }

    fn open(&mut self, head: &Head, statement: &EpochStatement) -> Result<Option<Sent>, Failure> {
        let call = paying::opening(&self.reader(), &self.contracts, head, statement)?;
        call.map(|call| (self.send)(&format!("open epoch {}", head.epoch), &call)).transpose()
    }

    /// Whether there is another last final epoch than this, or somebody has opened it.
    fn has_moved_on(&self, head: &Head) -> Result<bool, Failure> {
        let opened = self.reader().opened()?.map(|opened| (opened.epoch, opened.revision));
        Ok(opened >= Some((head.epoch, head.revision)) || self.reader().latest_final()?.as_ref() != Some(head))
    }

    /// Opens the last final epoch and pushes what it grants; `told` hears of how many accounts of how many.
    ///
    /// # Errors
    /// When the network or the chain cannot be asked, or the chain refuses.
    pub fn pay(&mut self, told: &mut dyn FnMut(usize, usize)) -> Result<Paid, Failure> {
        let mut paid = Paid { amount: "0".to_owned(), left: "0".to_owned(), ..Paid::default() };
        let (head, statement) = loop {
            let Some(head) = self.reader().latest_final()? else { return Ok(paid) };
            let statement = self.network.statement(head.epoch)?;
            paid.epoch = Some(head.epoch);
            match self.open(&head, &statement) {
                Ok(sent) => {
                    let shown_only = sent.as_ref().is_some_and(|sent| !sent.is_sent());
                    paid.sent.extend(sent);
                    if shown_only {
                        return Ok(paid);
                    }
                    // Where a later one is open already, it may be that this one never was.
                    if self.reader().opened()?.is_none_or(|opened| opened.epoch <= head.epoch) {
                        break (head, statement);
                    }
                }
                // Another relayer was quicker, or another epoch became final meanwhile.
                Err(failure) if is_refusal(&failure) && self.has_moved_on(&head)? => {}
                Err(failure) => return Err(failure),
            }
        };
        let claims = self.network.claims(&statement)?;
        let plan = paying::pushes(&self.reader(), &self.contracts, head.epoch, &claims, self.batch)?;
        let whole = plan.pushes.iter().map(|push| push.pays.len()).sum();
        let (mut amount, mut planned) = (0u128, 0);
        for (place, Push { call, pays }) in plan.pushes.iter().enumerate() {
            // Sums of what one row proves: below 2^112.
            let part: u128 = pays.iter().map(|(_, amount)| amount).sum();
            // With the amount, so that what is owed after a part was paid is another purpose.
            let purpose = format!("pay {part} base units by epoch {}, part {}", head.epoch, place + 1);
            let sent = (self.send)(&purpose, call)?;
            // What the contract says it did, which others may have done in part.
            let pushed = sent.receipt.as_ref().and_then(|receipt| paying::pushed(&self.contracts, receipt));
            let (accounts, units) = pushed.unwrap_or((pays.len(), part));
            paid.sent.push(sent);
            paid.accounts += accounts;
            amount += units;
            planned += pays.len();
            told(planned, whole);
        }
        (paid.below, paid.held) = (plan.below, plan.held);
        (paid.amount, paid.left) = (amount.to_string(), plan.left.to_string());
        Ok(paid)
    }
}
