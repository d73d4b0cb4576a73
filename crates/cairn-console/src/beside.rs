//! What pages ask of auditors and of the operator: sets, signatures, checkpoints, denials and policies.

use cairn_api::EpochSignatures;
use cairn_core::entry::{Entry, EntryKind};
use cairn_core::statement::{AuditorSet, Body, Statement};
use cairn_core::{DeviceId, Hash};
use cairn_merkle::Checkpoint;
use cairn_merkle::note::Note;
use data_encoding::HEXLOWER;
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use crate::error::ConsoleError;
use crate::reader::Reader;

/// Entries before an epoch's beginning among which the statement of its policy is looked for.
const POLICY_WITHIN: u64 = 20_000;
/// Entries read at once while it is.
const PIECE: u64 = 1_024;
/// Policies whose entry is remembered.
const FOUND_MAX: usize = 1_024;

type Read<T> = Result<T, ConsoleError>;

/// Where policies were said, by document and first epoch; `None` of those that were looked for in vain. What is here is read
/// again before it is shown.
static FOUND: Mutex<BTreeMap<(Hash, u64), Option<u64>>> = Mutex::new(BTreeMap::new());

/// A checkpoint with the times at which it was cosigned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Cosigned {
    /// Entries under it, and their root.
    pub entries: u64,
    pub root: String,
    /// Who cosigned it, and when, ms since 1970 UTC.
    pub by: Vec<(String, u64)>,
}

/// A denial as the state has it: the last one of a device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Denied {
    pub device: String,
    /// The entry that denied.
    pub index: u64,
    /// Why, as a stable code.
    pub reason: String,
    /// The entries that show it.
    pub evidence: Vec<u64>,
    /// Until when, ms since 1970 UTC; and whether it holds now.
    pub until_ms: u64,
    pub holds: bool,
    /// The owner's answer.
    pub appeal: Option<Appealed>,
}

/// The owner's answer to a denial.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Appealed {
    pub index: u64,
    pub text: String,
    pub evidence: Vec<u64>,
}

/// A policy of the network.
#[derive(Debug, Clone)]
pub(crate) struct PolicyOf {
    pub first_epoch: u64,
    pub read: cairn_reward::Policy,
    /// What the policy before it says.
    pub before: Option<cairn_reward::Policy>,
}

/// An auditor's address as text.
pub(crate) fn address(auditor: &[u8; 20]) -> String {
    format!("0x{}", HEXLOWER.encode(auditor))
}

/// Reads an auditor's address: `0x` and 40 digits, in any case.
pub(crate) fn auditor(text: &str) -> Option<String> {
    let digits = text.strip_prefix("0x")?.to_ascii_lowercase();
    (digits.len() == 40 && digits.bytes().all(|byte| byte.is_ascii_hexdigit())).then(|| format!("0x{digits}"))
}

impl Reader<'_> {
    /// Every set of auditors, by first epoch.
    pub(crate) fn auditor_sets(&self) -> Read<Vec<AuditorSet>> {
        Ok(self.ledger()?.state().auditors.values().cloned().collect())
    }

    /// The open epoch.
    pub(crate) fn open_epoch(&self) -> Read<u64> {
        Ok(self.ledger()?.state().epoch.number)
    }

    /// The signatures over the last `limit` closed epochs below `before`, newest first, with the `before` of the next page.
    pub(crate) fn signed_epochs(&self, before: Option<u64>, limit: u64) -> Read<(Vec<EpochSignatures>, Option<u64>)> {
        let open = self.open_epoch()?;
        let end = before.unwrap_or(open).min(open);
        let start = end.saturating_sub(limit);
        let signed = (start..end).rev().filter_map(|epoch| self.word.signatures(epoch)).collect();
        Ok((signed, (start > 0).then_some(start)))
    }

    /// The last cosigned checkpoints, newest first.
    pub(crate) fn cosigned(&self, most: usize) -> Vec<Cosigned> {
        self.word.cosigned(most).iter().filter_map(|note| cosigned(note)).collect()
    }

    /// Reports that wait to be judged.
    pub(crate) fn open_reports(&self) -> Read<u64> {
        Ok(self.ledger()?.fold().open_reports_count())
    }

    /// The denials below entry `before`, newest first, at most `limit`; whether there are more; and how many there are in all.
    pub(crate) fn denials(&self, before: u64, limit: usize) -> Read<(Vec<Denied>, bool, u64)> {
        let (mut found, now_ms, appeals, total) = {
            let ledger = self.ledger()?;
            let state = ledger.state();
            let mut found: Vec<(u64, DeviceId, u64, String)> = state
                .denials
                .iter()
                .filter(|(_, denial)| denial.index < before)
                .map(|(device, denial)| (denial.index, *device, denial.until_ms, denial.reason.clone()))
                .collect();
            found.sort_unstable_by(|one, other| other.cmp(one));
            found.truncate(limit.saturating_add(1));
            let appeals: Vec<Option<u64>> = found.iter().map(|(index, ..)| state.appeals.get(index).copied()).collect();
            (found, self.clock.now_ms(state.received_ms), appeals, state.denials.len() as u64)
        };
        let has_more = found.len() > limit;
        found.truncate(limit);
        let mut denials = Vec::with_capacity(found.len());
        for ((index, device, until_ms, reason), appeal) in found.into_iter().zip(appeals) {
            let evidence = match self.statement_at(index)?.map(|statement| statement.body) {
                Some(Body::Deny(deny)) => deny.evidence,
                _ => Vec::new(),
            };
            let appeal = match appeal {
                Some(at) => match self.statement_at(at)?.map(|statement| statement.body) {
                    Some(Body::Appeal(appeal)) => {
                        Some(Appealed { index: at, text: appeal.text, evidence: appeal.evidence })
                    }
                    _ => None,
                },
                None => None,
            };
            let (device, holds) = (device.to_string(), now_ms < until_ms);
            denials.push(Denied { device, index, reason, evidence, until_ms, holds, appeal });
        }
        Ok((denials, has_more, total))
    }

    /// The policies whose first epoch is below `before`, newest first, at most `limit`; and the `before` of the next page.
    pub(crate) fn policies(&self, before: u64, limit: usize) -> Read<(Vec<PolicyOf>, Option<u64>)> {
        let ledger = self.ledger()?;
        let policies = &ledger.state().policies;
        let mut found: Vec<PolicyOf> = Vec::new();
        for (first_epoch, policy) in policies.range(..before).rev() {
            if found.len() == limit {
                return Ok((found, Some(first_epoch.saturating_add(1))));
            }
            let before = policies.range(..first_epoch).next_back().map(|(_, before)| before.read.clone());
            found.push(PolicyOf { first_epoch: *first_epoch, read: policy.read.clone(), before });
        }
        Ok((found, None))
    }

    /// The entry that said a policy, and its statement; `None` where it is not among the entries that are looked through.
    pub(crate) fn policy_said(&self, document: Hash, first_epoch: u64) -> Read<Option<(u64, Statement)>> {
        let is_it = |statement: &Statement| match &statement.body {
            Body::Policy(policy) => policy.first_epoch == first_epoch && Hash::of(&policy.document) == document,
            _ => false,
        };
        let known = || FOUND.lock().unwrap_or_else(PoisonError::into_inner);
        let remembered = known().get(&(document, first_epoch)).copied();
        match remembered {
            Some(None) => return Ok(None),
            Some(Some(index)) if index < self.log.size() => {
                if let Some(statement) = self.statement_at(index)?.filter(is_it) {
                    return Ok(Some((index, statement)));
                }
            }
            _ => {}
        }
        let found = self.look_back(first_epoch, is_it)?;
        let mut known = known();
        if known.len() >= FOUND_MAX {
            known.clear();
        }
        known.insert((document, first_epoch), found.as_ref().map(|(index, _)| *index));
        Ok(found)
    }

    /// The last statement as wanted among the entries that may say what rules an epoch from its first one on: those before it
    /// began, or the first ones of the log.
    fn look_back(&self, first_epoch: u64, is_it: impl Fn(&Statement) -> bool) -> Read<Option<(u64, Statement)>> {
        let closed = self.closed()?;
        let end = match first_epoch.checked_sub(1) {
            Some(before) if before < closed.open() => closed.statement(before)?.to,
            Some(_) => self.log.size(),
            None => POLICY_WITHIN.min(self.log.size()),
        };
        let least = end.saturating_sub(POLICY_WITHIN);
        let mut to = end;
        while to > least {
            let from = to.saturating_sub(PIECE).max(least);
            let mut found = None;
            for chunk in self.log.entries(from..to) {
                for (index, bytes) in chunk?.iter() {
                    if let Some(statement) = statement_of(bytes).filter(&is_it) {
                        found = Some((index, statement));
                    }
                }
            }
            if found.is_some() {
                return Ok(found);
            }
            to = from;
        }
        Ok(None)
    }

    fn statement_at(&self, index: u64) -> Read<Option<Statement>> {
        Ok(statement_of(&self.log.entry(index)?))
    }
}

fn statement_of(bytes: &[u8]) -> Option<Statement> {
    let entry = Entry::decode(bytes).ok().filter(|entry| entry.kind == EntryKind::Statement)?;
    Statement::parse(entry.body).ok()
}

/// What a cosigned note says. The first signature is the log's; a cosignature begins with its time.
fn cosigned(note: &str) -> Option<Cosigned> {
    let note: Note = note.parse().ok()?;
    let checkpoint: Checkpoint = note.text().parse().ok()?;
    let by = note.signatures().iter().skip(1).filter_map(|line| {
        let time_s = u64::from_be_bytes(*line.bytes.first_chunk::<8>()?);
        Some((line.name.clone(), time_s.saturating_mul(1_000)))
    });
    Some(Cosigned { entries: checkpoint.size(), root: checkpoint.root().to_hex(), by: by.collect() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_auditor_is_named_by_its_address_in_any_case() {
        let digits = "00000000000000000000000000000000000000ab";
        for (text, read) in [
            (format!("0x{digits}"), true),
            (format!("0x{}", digits.to_uppercase()), true),
            (digits.to_owned(), false),
            (format!("0x{digits}0"), false),
            (format!("0x{}", "g".repeat(40)), false),
        ] {
            assert_eq!(auditor(&text), read.then(|| format!("0x{digits}")), "{text}");
        }
    }
}
