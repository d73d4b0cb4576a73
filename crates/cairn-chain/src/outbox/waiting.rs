//! Waiting until one of a transaction's variants is deep enough in the chain.

use cairn_settle::Word;
use cairn_settle::told::hex_text;

use super::document::{DISPLACED, ENDED, Ended, PENDING, Pending, call_hash};
use super::{Outbox, fees};
use crate::{At, Block, ChainError, Receipt};

/// Where a transaction is.
enum Found {
    /// In a block with enough others on top.
    Settled(Receipt),
    /// In a block.
    Mined,
    /// In none, and its nonce is free.
    Nowhere,
    /// In none, and its nonce was used up to this block.
    Used(Block),
    /// The chain moved while it was asked.
    Unsure,
}

/// What was seen while waiting.
struct Seen {
    begun_ms: u64,
    /// When the newest variant was handed over last.
    sent_ms: u64,
    /// A variant was in a block.
    mined: bool,
    /// Since when the nonce has been somebody else's, and up to which block it was then.
    used: Option<(u64, Block)>,
    /// Why the newest variant was not taken, if it was not.
    refused: Option<ChainError>,
}

impl Outbox<'_> {
    /// Sends the newest variant, and whatever else it takes; ends with the receipt of the one that is deep enough.
    pub(super) fn finish(&self, mut pending: Pending) -> Result<Receipt, ChainError> {
        let now_ms = self.clock.now_ms();
        let mut seen = Seen { begun_ms: now_ms, sent_ms: now_ms, mined: false, used: None, refused: None };
        self.hand_over(&pending, &mut seen)?;
        loop {
            match self.look(&pending)? {
                Found::Settled(receipt) => return self.ended_as(&pending, receipt),
                Found::Mined => (seen.mined, seen.used, seen.refused) = (true, None, None),
                Found::Unsure => seen.refused = None,
                Found::Used(head) => {
                    seen.refused = None;
                    self.is_displaced(&pending, &mut seen, head)?;
                }
                Found::Nowhere => {
                    seen.used = None;
                    self.push_on(&mut pending, &mut seen)?;
                }
            }
            if self.clock.now_ms().saturating_sub(seen.begun_ms) >= as_ms(self.options.give_up) {
                let waiting = ChainError::Waiting {
                    purpose: pending.purpose.clone(),
                    transaction: hex_text(&pending.newest().hash()),
                };
                return Err(seen.refused.take().unwrap_or(waiting));
            }
            self.clock.sleep(self.options.poll);
        }
    }

    /// Hands the newest variant over. That a node does not take it ends the waiting only where it never took any and the
    /// nonce is free: else an earlier variant may be on its way, or be there.
    fn hand_over(&self, pending: &Pending, seen: &mut Seen) -> Result<(), ChainError> {
        seen.sent_ms = self.clock.now_ms();
        match self.chain.send(pending.newest().raw()) {
            Ok(_) => seen.refused = None,
            Err(refused @ ChainError::Refused { .. }) => {
                if pending.count() == 1 && matches!(self.look(pending)?, Found::Nowhere) {
                    return Err(refused);
                }
                seen.refused = Some(refused);
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Looks where the transaction is. What is asked comes in this order: the head first, so that what is found below it
    /// afterwards is as deep as it says; the nonce before the receipts, so that none is missed that came in between.
    fn look(&self, pending: &Pending) -> Result<Found, ChainError> {
        let head = self.chain.head()?;
        if self.chain.nonce(self.account)? <= pending.nonce() {
            return Ok(Found::Nowhere);
        }
        for variant in pending.newest_first() {
            let Some(receipt) = self.chain.receipt(&variant.hash())? else { continue };
            if !self.is_in_chain(receipt.block, &receipt.block_hash)? {
                return Ok(Found::Unsure);
            }
            let deep = receipt.block.saturating_add(self.options.confirmations) <= head.number;
            return Ok(if deep { Found::Settled(receipt) } else { Found::Mined });
        }
        // The nonce is that of this very block only if it still is the last one.
        Ok(if self.chain.head()?.hash == head.hash { Found::Used(head) } else { Found::Unsure })
    }

    fn is_in_chain(&self, number: u64, hash: &Word) -> Result<bool, ChainError> {
        Ok(self.chain.block(number)?.is_some_and(|block| block.hash == *hash))
    }

    /// Sends again what a reorganisation took out, and a variant that pays more when patience is over.
    fn push_on(&self, pending: &mut Pending, seen: &mut Seen) -> Result<(), ChainError> {
        let taken_out = core::mem::take(&mut seen.mined);
        let late = self.clock.now_ms().saturating_sub(seen.sent_ms) >= as_ms(self.options.patience);
        if late {
            self.add_variant(pending)?;
        }
        if late || taken_out {
            self.hand_over(pending, seen)?;
        }
        Ok(())
    }

    /// Writes a variant down that pays more, if that is allowed.
    fn add_variant(&self, pending: &mut Pending) -> Result<(), ChainError> {
        let now = match self.chain.fees() {
            Ok(fees) => Some(fees),
            Err(ChainError::TooDear { .. }) => None,
            Err(error) => return Err(error),
        };
        let newest = pending.newest().transaction().clone();
        let fees = fees::bumped(newest.fees, now, self.options.bump_ppm, self.options.max_fee_wei);
        let Some(fees) = fees else { return Ok(()) };
        pending.add(self.transaction(newest.nonce, fees, newest.gas_limit, newest.call).sign(&self.key));
        self.store.write(PENDING, &pending.write())
    }

    /// Ends the waiting when the nonce has been somebody else's for as long as patience lasts, and so deep that it stays so.
    fn is_displaced(&self, pending: &Pending, seen: &mut Seen, head: Block) -> Result<(), ChainError> {
        let now_ms = self.clock.now_ms();
        let (since_ms, first) = *seen.used.get_or_insert((now_ms, head));
        if !self.is_in_chain(first.number, &first.hash)? {
            seen.used = None;
            return Ok(());
        }
        let deep = first.number.saturating_add(self.options.confirmations) <= head.number;
        if !deep || now_ms.saturating_sub(since_ms) < as_ms(self.options.patience) {
            return Ok(());
        }
        self.store.write(DISPLACED, &pending.write())?;
        self.store.remove(PENDING)?;
        Err(ChainError::NonceUsed {
            purpose: pending.purpose.clone(),
            account: hex_text(&self.account),
            nonce: pending.nonce(),
        })
    }

    /// Writes down that it ended, and how; then nothing is under way.
    fn ended_as(&self, pending: &Pending, receipt: Receipt) -> Result<Receipt, ChainError> {
        let is_the_call = pending.is_the_call(&receipt.transaction);
        let failed = if is_the_call && !receipt.succeeded { Some(self.why_failed(pending, &receipt)?) } else { None };
        let ended = Ended {
            chain_id: self.chain.id(),
            account: hex_text(&self.account),
            nonce: pending.nonce(),
            purpose: pending.purpose.clone(),
            call: hex_text(&call_hash(pending.call())),
            transaction: hex_text(&receipt.transaction),
            succeeded: is_the_call && receipt.succeeded,
        };
        self.store.write(ENDED, &ended.write())?;
        self.store.remove(PENDING)?;
        let purpose = pending.purpose.clone();
        match failed {
            None if is_the_call => Ok(receipt),
            None => Err(ChainError::Cancelled { purpose }),
            Some(reason) => Err(ChainError::Failed { purpose, transaction: hex_text(&receipt.transaction), reason }),
        }
    }

    /// Does the call again where it failed, without leaving anything behind: after its block, else before it.
    fn why_failed(&self, pending: &Pending, receipt: &Receipt) -> Result<String, ChainError> {
        if receipt.gas_used >= pending.gas_limit() {
            return Ok("it ran out of gas".to_owned());
        }
        for block in [receipt.block, receipt.block.saturating_sub(1)] {
            match self.chain.call(self.account, pending.call(), At::Block(block)) {
                Err(ChainError::Reverted { reason }) => return Ok(reason),
                Err(error @ ChainError::Unreachable { .. }) => return Err(error),
                // Nodes that keep no old state refuse; it failed all the same.
                _ => {}
            }
        }
        Ok("for a reason that doing it again does not show".to_owned())
    }
}

fn as_ms(time: std::time::Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
