//! What accounts may claim on settlement chains, under the last closed epoch's claim roots.
//!
//! A chain's claims are hashed when an epoch closes and remembered until the next one does, so that a page of an account does not
//! pay for all accounts. After a start, or where a group of entries was taken back, whoever asks first does, once.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use cairn_api::ClaimInfo;
use cairn_core::epoch::DomainClaims;
use cairn_core::{Account, Amount, Domain, Hash};
use cairn_fold::{Closed, claim_leaves};
use cairn_merkle::claim::ClaimTree;
use data_encoding::HEXLOWER;

use crate::{Ledger, LedgerError};

/// The claim tree of each chain, with the hash of the statement that has its root.
#[derive(Debug, Default)]
pub(crate) struct Claims {
    known: Mutex<BTreeMap<Domain, (Hash, Arc<ClaimTree>)>>,
}

impl Claims {
    /// Remembers the claims of an epoch that just closed.
    pub fn keep(&self, closed: &Closed) {
        let trees = closed.statement.domains.iter().zip(&closed.claims);
        let trees = trees.map(|(claims, tree)| (claims.domain.clone(), (closed.hash, tree.clone()))).collect();
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = trees;
    }
}

impl Ledger {
    /// The claim of an account under the last closed epoch's claim root; `None` when it has none on a settlement chain.
    ///
    /// # Errors
    /// [`LedgerError`] when a view cannot be read.
    pub fn claim_of(&self, account: &Account) -> Result<Option<ClaimInfo>, LedgerError> {
        let state = self.state();
        let (Some(epoch), Some(cumulative)) = (self.last_closed(), state.cumulative.get(account)) else {
            return Ok(None);
        };
        // The claims are those of the epoch's statement: a domain that came later has none yet.
        let statement = self.closed(epoch.number)?;
        let Some(claims) = statement.domains.iter().find(|claims| claims.domain == *account.domain()) else {
            return Ok(None);
        };
        let own = claim_leaves(&claims.domain, &claims.distributor, [(account, *cumulative)].into_iter());
        let leaf = own.first().expect("a leaf for one account").hash();
        let tree = self.claim_tree(claims)?;
        let hex = |word: &[u8; 32]| HEXLOWER.encode(word);
        Ok(Some(ClaimInfo {
            epoch,
            domain: claims.domain.to_string(),
            distributor: hex(&claims.distributor),
            cumulative: cumulative.to_string(),
            leaf: hex(&leaf),
            proof: tree.proof_of(&leaf).unwrap_or_default().iter().map(hex).collect(),
            root: hex(&tree.root()),
        }))
    }

    /// The tree of all claims of a chain in the last closed epoch.
    fn claim_tree(&self, claims: &DomainClaims) -> Result<Arc<ClaimTree>, LedgerError> {
        let state = self.state();
        let known = || self.claims.known.lock().unwrap_or_else(PoisonError::into_inner);
        let found = known().get(&claims.domain).filter(|(statement, _)| *statement == state.epoch.previous).cloned();
        if let Some((_, tree)) = found {
            return Ok(tree);
        }
        let of_chain = state.cumulative.iter().filter(|(other, _)| *other.domain() == claims.domain);
        let accounts = of_chain.map(|(account, amount): (&Account, &Amount)| (account, *amount));
        let leaves = claim_leaves(&claims.domain, &claims.distributor, accounts);
        let tree = Arc::new(ClaimTree::new(&leaves).map_err(cairn_log::LogError::from)?);
        known().insert(claims.domain.clone(), (state.epoch.previous, tree.clone()));
        Ok(tree)
    }
}

#[cfg(test)]
mod tests {
    use cairn_core::entry::{Entry, EntryKind};
    use cairn_log::{Log, LogOptions, StdDisk};
    use cairn_merkle::claim::verify_claim;
    use cairn_testkit::network::{DAY_MS, MemoryNetwork, SeededDevice, Terms};

    use super::*;
    use crate::LedgerOptions;

    #[test]
    fn every_account_is_proved_under_the_root_of_the_last_epoch_and_of_no_other() {
        let terms = Terms { epoch_ms: DAY_MS, grace_ms: DAY_MS / 24, ..Terms::default() };
        let mut network = MemoryNetwork::daily(terms);
        let devices: Vec<SeededDevice> = network.enrol_grid(5);
        for day in 0..4u32 {
            let time_ms = terms.zero_ms + u64::from(day) * DAY_MS;
            network.pass_to(time_ms + DAY_MS);
            devices.iter().for_each(|device| assert_eq!(network.send(device, day, time_ms, 200).1, None));
        }
        network.pass_to(terms.zero_ms + 6 * DAY_MS);
        let folder = tempfile::tempdir().unwrap();
        let disk = Arc::new(StdDisk::create(folder.path().join("log")).unwrap());
        let (mut log, _) = Log::open(disk, LogOptions::default()).unwrap();
        let views = folder.path().join("views");
        let mut ledger = Ledger::open(&views, log.reader(), LedgerOptions::default(), &mut |_, _| {}).unwrap();
        let mut proved = 0;
        for entry in &network.entries {
            log.append(&[entry]).unwrap();
            if Entry::decode(entry).unwrap().kind != EntryKind::Epoch {
                continue;
            }
            ledger.read_again().unwrap();
            let known = |ledger: &Ledger| -> Vec<Hash> {
                ledger.claims.known.lock().unwrap().values().map(|(statement, _)| *statement).collect()
            };
            assert_eq!(known(&ledger), [ledger.state().epoch.previous], "before anybody asked");
            // Where nothing is remembered, they are hashed when somebody asks.
            let started = Ledger::open(&views, log.reader(), LedgerOptions::default(), &mut |_, _| {}).unwrap();
            started.claims.known.lock().unwrap().clear();
            for device in &devices {
                assert_eq!(started.claim_of(&device.account).unwrap(), ledger.claim_of(&device.account).unwrap());
                let told = ledger.claim_of(&device.account).unwrap().unwrap();
                let statement = ledger.closed_epochs().statement(told.epoch.number).unwrap();
                let claims = &statement.domains[0];
                let cumulative = Amount::parse(&told.cumulative).unwrap();
                let own =
                    claim_leaves(&claims.domain, &claims.distributor, [(&device.account, cumulative)].into_iter());
                let word = |hex: &String| HEXLOWER.decode(hex.as_bytes()).unwrap().try_into().unwrap();
                let proof: Vec<[u8; 32]> = told.proof.iter().map(word).collect();
                verify_claim(&claims.claim_root, &own[0], &proof).unwrap();
                assert_eq!((word(&told.leaf), word(&told.root)), (own[0].hash(), claims.claim_root));
                proved += 1;
            }
        }
        assert!(proved >= 4 * devices.len(), "{proved}");
    }
}
