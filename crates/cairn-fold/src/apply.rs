//! What a valid entry does to the state.

use std::sync::Arc;

use cairn_classes::compute;
use cairn_core::DeviceId;
use cairn_core::report::Report;
use cairn_core::statement::{Body, Statement};
use cairn_core::{Account, Hash, NetworkId};

use crate::admit::{Effect, auditor_of, job_of};
use crate::credit::Credited;
use crate::nonces::SignerName;
use crate::state::{Denial, Network, PolicyInForce, State};

impl State {
    /// Applies the effect of the valid entry at `index`. `seed` is SHA-256(log root before || leaf hash of the entry), for what
    /// is drawn by lot.
    ///
    /// # Panics
    /// When the effect is not one that `admit` gave for this state.
    pub(crate) fn apply(&mut self, index: u64, received_ms: u64, effect: &Effect, seed: &dyn Fn() -> Hash) {
        match effect {
            Effect::Report(accepted) => {
                let device = self.devices.get_mut(&accepted.name.device).expect("admit found the device");
                let counted = device.names.insert(accepted.name.boot, accepted.name.seq);
                assert!(counted, "admit found the name free");
                self.pending.insert((accepted.epoch, index), accepted.pending.clone());
                self.apply_work(accepted, seed);
            }
            Effect::Statement(statement) => self.apply_statement(index, received_ms, statement, seed),
            Effect::Observation { source, observer, round } => {
                self.rounds.insert((source.clone(), *observer), *round);
            }
            Effect::Deposit(credited) => self.credit(credited),
            Effect::Epoch { number } => {
                self.unlogged.remove(number);
            }
        }
    }

    fn apply_statement(&mut self, index: u64, received_ms: u64, statement: &Statement, seed: &dyn Fn() -> Hash) {
        for signed in &statement.signed {
            self.nonces.insert(SignerName::from(&signed.signer), statement.nonce);
        }
        match &statement.body {
            Body::Genesis(genesis) => {
                let payload = statement.payload.clone();
                let id = NetworkId(Hash::of(&payload));
                self.network = Some(Network { id, genesis: genesis.clone(), payload });
            }
            Body::Enrol(enrol) => {
                let device = self.device_of(enrol, index, received_ms);
                *self.owned.entry(device.owner.clone()).or_default() += 1;
                self.devices.insert(DeviceId::of_key(&enrol.key.multicodec()), Box::new(device));
            }
            Body::Transfer(transfer) => {
                let owner = self.shared_owner(&transfer.owner);
                let device = self.devices.get_mut(&transfer.device).expect("admit found the device");
                let before = core::mem::replace(&mut device.owner, owner.clone());
                self.loses_one(&before);
                *self.owned.entry(owner).or_default() += 1;
            }
            Body::Retire(id) => {
                self.devices.get_mut(id).expect("admit found the device").retire(index);
            }
            Body::Rotate(rotate) => {
                let device = self.devices.get_mut(&rotate.device).expect("admit found the device");
                device.rotate(rotate.key);
            }
            Body::Payee(choice) => {
                self.payees.insert(choice.owner.clone(), Arc::new(choice.payee.clone()));
            }
            Body::Policy(policy) => {
                let read = cairn_reward::Policy::parse(&policy.document).expect("admit read the policy");
                self.policies.insert(policy.first_epoch, PolicyInForce { document: policy.document.clone(), read });
            }
            Body::Profile(profile) => {
                let document = String::from_utf8(profile.document.clone()).expect("admit read the profile");
                self.keep_profile(profile.class.clone(), profile.first_epoch, document);
            }
            Body::Conflict(conflict) => {
                let report = Report::parse(&conflict.first).expect("admit parsed the report");
                self.conflicts.insert(report.name(), index);
            }
            Body::Deny(deny) => {
                let denial = Denial { index, until_ms: deny.until_ms, reason: deny.reason.clone() };
                self.denials.insert(deny.device, denial);
            }
            Body::Appeal(appeal) => {
                self.appeals.insert(appeal.deny, index);
            }
            Body::Domain(terms) => {
                self.domains.insert(terms.domain.clone(), terms.clone());
            }
            Body::AuditorSet(set) => {
                self.auditors.insert(set.first_epoch, set.clone());
            }
            Body::Successor(successor) => self.successor = Some(successor.clone()),
            Body::Offer(offer) => self.market.apply_offer(offer, received_ms),
            Body::Licence(licence) => self.market.apply_licence(licence, received_ms),
            Body::Order(order) => self.apply_order(job_of(statement), order, index, received_ms, &seed()),
            Body::Cancel(job) => self.apply_cancel(job),
            Body::Replay(replay) => {
                let auditor = auditor_of(self, statement).expect("admission found the auditor");
                let quorum = self.auditors_for(self.epoch.number).map_or(0, |set| set.quorum);
                self.market.apply_replay(replay, auditor, index, quorum);
            }
        }
    }

    /// Keeps a profile document, and what is derived from it.
    pub(crate) fn keep_profile(&mut self, class: String, first_epoch: u64, document: String) {
        if class == compute::SCHEMA {
            let read = compute::Profile::parse(&document).expect("whoever keeps a profile has checked it");
            self.work_profiles.insert(first_epoch, Arc::new(read));
        }
        self.profiles.insert((class, first_epoch), document);
    }

    fn credit(&mut self, credited: &Credited) {
        let Credited { chain, asset, buyer, amount } = credited;
        let added = self.credits.add(asset, buyer, *amount);
        assert!(added, "admit found room for the deposit");
        self.credits.count(chain.clone(), self.credits.counted(chain) + 1);
        if asset.is_native() {
            self.deposited = self.deposited.checked_add(*amount).expect("a part is at most the total");
        }
    }

    fn loses_one(&mut self, owner: &Account) {
        if let Some(count) = self.owned.get_mut(owner) {
            *count -= 1;
            if *count == 0 {
                self.owned.remove(owner);
            }
        }
    }
}
