//! What honest owners and the operator say: statements, and what they change once they are logged.

use cairn_core::DeviceId;
use cairn_core::Hash;
use cairn_core::key::{Algorithm, SecretKey};
use cairn_core::statement::{Appeal, Body, Conflict, Deny, Draft, PayeeChoice, Rotate, Transfer};

use crate::device::{Device, Made, Owner, key};
use crate::honest::Honest;
use crate::network::{Facts, wall_ms};

/// How long statements may take to arrive, and how long a denial lasts, ms.
const EXPIRY_MS: u64 = 600_000;
const DENIAL_MS: u64 = 60_000;

/// What a statement changes for its sender once it is logged. Devices and owners are his own, by place.
pub enum Then {
    Enrol(usize),
    Rotate(usize, Box<SecretKey>),
    /// The device goes; another takes its place, and is enrolled next.
    Retire(usize),
    Transfer(usize, usize),
    Deny(usize),
    /// That two payloads have one name; the first of them.
    Confess(Hash),
    Nothing(&'static str),
}

/// A statement on its way.
pub struct Errand {
    pub bytes: Vec<u8>,
    /// The hash of its payload.
    pub identity: Hash,
    pub then: Then,
}

impl Errand {
    /// A statement signed by whoever is named, under a nonce above all before.
    fn of(facts: &Facts, body: Body, owners: &[&Owner], keys: &[&SecretKey], then: Then) -> Self {
        let mut draft = Draft::of(Some(facts.id), body, facts.nonce(), wall_ms() + EXPIRY_MS);
        for key in keys {
            draft = draft.signed_by(key);
        }
        for owner in owners {
            draft = draft.signed_by_wallet(&owner.wallet);
        }
        let statement = draft.finish();
        Self { bytes: statement.encode(), identity: statement.payload_hash(), then }
    }

    /// Its word in the books.
    pub const fn word(&self) -> &'static str {
        match &self.then {
            Then::Enrol(_) => "enrol",
            Then::Rotate(..) => "rotate",
            Then::Retire(_) => "retire",
            Then::Transfer(..) => "transfer",
            Then::Deny(_) => "deny",
            Then::Confess(_) => "conflict",
            Then::Nothing(word) => word,
        }
    }
}

impl Honest {
    /// The enrolment of the device at a place.
    pub fn enrol(&mut self, facts: &Facts, at: usize) -> Errand {
        let device = &self.devices[at];
        let owner = &self.owners[device.owner];
        let body = Body::Enrol(device.enrol(&owner.account, &mut self.random));
        Errand::of(facts, body, &[owner], &[&device.key], Then::Enrol(at))
    }

    /// Some statement that is due; the operator's are said by the first sender.
    pub fn some_errand(&mut self, facts: &Facts) -> Errand {
        let at = self.random.at(self.devices.len());
        let is_operator = self.number == 0;
        let device = &self.devices[at];
        if device.enrolled_ms.is_none() {
            return self.enrol(facts, at);
        }
        let (id, owner) = (device.id, &self.owners[device.owner]);
        match self.random.below(if is_operator { 12 } else { 10 }) {
            0..4 => {
                let next = key(device.key.public().algorithm(), &mut self.random);
                let body = Body::Rotate(Rotate { device: id, key: next.public() });
                Errand::of(facts, body, &[owner], &[&next], Then::Rotate(at, Box::new(next.clone())))
            }
            4 => Errand::of(facts, Body::Retire(id), &[owner], &[], Then::Retire(at)),
            5..8 => {
                let to = (device.owner + 1) % self.owners.len();
                let next = &self.owners[to];
                let body = Body::Transfer(Transfer { device: id, owner: next.account.clone() });
                Errand::of(facts, body, &[owner, next], &[], Then::Transfer(at, to))
            }
            8..10 => {
                let payee = self.owners[self.random.at(self.owners.len())].account.clone();
                let body = Body::Payee(PayeeChoice { owner: owner.account.clone(), payee });
                Errand::of(facts, body, &[owner], &[], Then::Nothing("payee"))
            }
            _ => {
                let evidence = self.settled.back().map(|settled| settled.index).into_iter().collect();
                let until_ms = wall_ms() + DENIAL_MS;
                let deny = Deny { device: id, reason: "SOAK-REHEARSAL".to_owned(), evidence, until_ms };
                Errand::of(facts, Body::Deny(deny), &[], &[&facts.operator], Then::Deny(at))
            }
        }
    }

    /// Two payloads under one name, told to everybody.
    pub fn conflict(&self, facts: &Facts, one: &Made, other: &Made) -> Option<Errand> {
        let device = self.devices.iter().find(|device| device.id == one.device)?;
        let owner = &self.owners[device.owner];
        let in_order = Hash::of(&one.payload) < Hash::of(&other.payload);
        let (first, second) = if in_order { (one, other) } else { (other, one) };
        let conflict = Conflict { first: first.bytes.clone(), second: second.bytes.clone() };
        Some(Errand::of(facts, Body::Conflict(conflict), &[owner], &[], Then::Confess(one.identity)))
    }

    /// Does what a logged statement changes, and answers with what is due next. `index` is unknown where the answer was
    /// lost.
    pub fn carry_out(&mut self, facts: &Facts, then: Then, index: Option<u64>) -> (Option<DeviceId>, Option<Errand>) {
        match then {
            Then::Enrol(at) => {
                self.devices[at].enrolled_ms = Some(wall_ms());
                (Some(self.devices[at].id), None)
            }
            Then::Rotate(at, next) => {
                let id = self.devices[at].id;
                self.devices[at].rotate(*next);
                // What waits was signed with the key before.
                self.again.retain(|(made, _)| made.device != id);
                (Some(id), None)
            }
            Then::Retire(at) => {
                let owner = self.devices[at].owner;
                let fresh = Device::of(owner, &mut self.random);
                let gone = core::mem::replace(&mut self.devices[at], fresh);
                self.again.retain(|(made, _)| made.device != gone.id);
                (Some(gone.id), Some(self.enrol(facts, at)))
            }
            Then::Transfer(at, to) => {
                self.devices[at].owner = to;
                (None, None)
            }
            Then::Deny(at) => {
                let owner = &self.owners[self.devices[at].owner];
                let appeal = index.map(|deny| {
                    let body =
                        Body::Appeal(Appeal { deny, text: "it is a rehearsal".to_owned(), evidence: vec![deny] });
                    Errand::of(facts, body, &[owner], &[], Then::Nothing("appeal"))
                });
                (None, appeal)
            }
            Then::Confess(_) | Then::Nothing(_) => (None, None),
        }
    }
}

/// An algorithm's word in the books.
pub const fn algorithm_word(algorithm: Algorithm) -> &'static str {
    match algorithm {
        Algorithm::Ed25519 => "reports signed with Ed25519",
        Algorithm::P256 => "reports signed with P-256",
    }
}
