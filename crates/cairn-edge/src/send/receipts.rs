//! When receipts are asked for, and of whom.

use std::collections::BTreeMap;

use cairn_core::Hash;
use cairn_merkle::Promise;

use super::gateway::{Keys, Trouble};
use super::status::Told;
use super::upgrade::{Upgraded, upgrade};
use super::{SendEvent, Sender};
use crate::{EdgeError, Stamp};

/// The waits between attempts, while no checkpoint covers what was promised or nobody answers.
const NOT_YET_MS: u64 = 60_000;
const NOT_YET_MS_MAX: u64 = 30 * 60_000;

/// When receipts are asked for next, and of whom.
#[derive(Default)]
pub(super) struct Receipts {
    pub at_ms: u64,
    wait_ms: u64,
    way: usize,
    pub error: Option<Told>,
}

impl Receipts {
    /// Nothing is asked for before.
    pub fn from(at_ms: u64) -> Self {
        Self { at_ms, ..Self::default() }
    }
}

impl Sender {
    /// Asks for receipts, where it is time to; answers when it is again.
    pub(super) fn upgrade_due(&mut self, now: Stamp) -> Result<u64, EdgeError> {
        let (Some(keys), true) = (self.keys.clone(), self.keep.counts().promised > 0) else { return Ok(u64::MAX) };
        if now.boot_ms < self.receipt.at_ms {
            return Ok(self.receipt.at_ms);
        }
        let before = self.keep.counts();
        let asked = self.upgrade_some(&keys);
        self.say_aged_out(before);
        let receipt = &mut self.receipt;
        let wait_ms = match asked? {
            Ok(true) => {
                (receipt.error, receipt.wait_ms) = (None, 0);
                self.options.pace_ms
            }
            Ok(false) => {
                receipt.error = None;
                receipt.wait_ms = (receipt.wait_ms * 2).clamp(NOT_YET_MS, NOT_YET_MS_MAX);
                receipt.wait_ms
            }
            Err(trouble) => {
                // Another gateway may know better.
                receipt.way += 1;
                receipt.error = Some(Told::of(&trouble, now.boot_ms));
                receipt.wait_ms = (receipt.wait_ms * 2).clamp(NOT_YET_MS, NOT_YET_MS_MAX);
                1 + self.jitter.below(receipt.wait_ms)
            }
        };
        self.receipt.at_ms = self.with.clock.now().boot_ms.saturating_add(wait_ms);
        Ok(self.receipt.at_ms)
    }

    /// Asks for the receipts of the oldest promises; answers whether there are more that may be had at once.
    fn upgrade_some(&mut self, keys: &Keys) -> Result<Result<bool, Trouble>, EdgeError> {
        let (mut left_to_ask, mut after) = (self.options.upgrades_max.max(1), None);
        let ways = self.ways.len().max(1);
        let Some(way) = self.ways.get_mut((self.current + self.receipt.way) % ways) else { return Ok(Ok(false)) };
        while let Some((number, mut promise)) = self.keep.oldest_promise(after)? {
            let leaves: BTreeMap<u64, Hash> = Promise::open(&promise.note, &keys.promises)
                .map(|opened| opened.entries.into_iter().collect())
                .unwrap_or_default();
            let (mut receipts, mut left, mut ended) = (Vec::new(), Vec::new(), None);
            let count = promise.reports.len();
            for report in core::mem::take(&mut promise.reports) {
                let leaf = leaves.get(&report.index).copied();
                // What was kept is not under the keys that are known: it is worth nothing.
                let Some(leaf) = leaf else { continue };
                if ended.is_none() && left_to_ask == 0 {
                    ended = Some(Ok(true));
                }
                if ended.is_some() {
                    left.push(report);
                    continue;
                }
                left_to_ask -= 1;
                match upgrade(&mut *way.gateway, keys, &promise, &report, leaf) {
                    Ok(Upgraded::Receipt(receipt)) => receipts.push(receipt),
                    Ok(Upgraded::Broken(broken)) => {
                        self.keep.broken(&broken)?;
                        (self.with.events)(&SendEvent::Broken(broken));
                    }
                    Ok(Upgraded::NotYet) => {
                        ended = Some(Ok(false));
                        left.push(report);
                    }
                    Err(trouble) => {
                        ended = Some(Err(trouble));
                        left.push(report);
                    }
                }
            }
            promise.reports = left;
            if promise.reports.len() < count {
                self.keep.upgrade(number, &promise, &receipts)?;
            }
            if let Some(ended) = ended {
                return Ok(ended);
            }
            after = Some(number);
        }
        Ok(Ok(false))
    }
}
