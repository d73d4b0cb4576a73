//! An enrolled device, as the state holds it: what a network of a million of them is made of in memory.
//!
//! Promised: the key that reports are checked against stands ready, decoded; everything else is held once, in few bytes.
//! What devices have in common (owner, role, classes, model, mobility) is shared among them, and what hardly any device has
//! (keys of before) takes room only where it is. Nothing of this shows in a record: [`Device::enrol`] and
//! [`Device::former_keys`] say what was said. Not here: who may change any of it.

use core::num::NonZeroU64;
use std::sync::Arc;

use cairn_core::Account;
use cairn_core::key::PublicKey;
use cairn_core::statement::{Enrol, Mobility, Role};

use crate::names::NameRanges;
use crate::state::State;

/// How many former keys of a device are remembered.
pub const FORMER_KEYS_MAX: usize = 8;

/// What many devices say alike when they enrol.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Kind {
    /// What a device does.
    pub role: Role,
    /// Whether it moves.
    pub mobility: Mobility,
    /// The classes it reports for, such as `sensing/1`.
    pub classes: Vec<String>,
    /// The model, as its owner calls it.
    pub model: String,
}

/// An enrolled device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    /// The key it signs with now.
    pub key: PublicKey,
    /// Who owns it now.
    pub owner: Arc<Account>,
    /// What it said of itself that others say, too.
    pub kind: Arc<Kind>,
    /// Its H3 cell.
    pub cell: u64,
    /// Its exact place, when the owner opted in: latitude and longitude in 1e-7 degree.
    pub exact: Option<(i32, i32)>,
    /// Altitude above sea level in cm.
    pub altitude_cm: Option<i32>,
    /// The entry that enrolled it.
    pub enrolled_index: u64,
    /// When that entry was received, ms since 1970 UTC: nothing measured before is the device's.
    pub enrolled_ms: u64,
    /// Never entry 0, which is genesis.
    retired: Option<NonZeroU64>,
    /// The report names it has used.
    pub names: NameRanges,
    /// The keys of before; `None` while it signs with the key it was enrolled with.
    rotated: Option<Box<Rotated>>,
}

/// The keys of a device whose key is another than the one it was enrolled with.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Rotated {
    /// The key it was enrolled with, which its id derives from; not always among the former ones that are remembered.
    first: Published,
    /// The last [`FORMER_KEYS_MAX`] keys it signed with, in their order.
    former: Vec<Published>,
}

/// A key as it is published, undecoded: the multicodec form, an Ed25519 key's one byte shorter than a P-256 key's.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Published {
    bytes: [u8; 35],
    len: u8,
}

impl Published {
    fn of(key: &PublicKey) -> Self {
        let multicodec = key.multicodec();
        let mut bytes = [0; 35];
        bytes[..multicodec.len()].copy_from_slice(&multicodec);
        Self { bytes, len: u8::try_from(multicodec.len()).expect("no key is published in more than 35 bytes") }
    }

    fn read(&self) -> PublicKey {
        PublicKey::from_multicodec(&self.bytes[..usize::from(self.len)]).expect("a key that was read reads again")
    }
}

impl Device {
    /// What its enrolment said, with the owner it has now.
    #[must_use]
    pub fn enrol(&self) -> Enrol {
        Enrol {
            key: self.rotated.as_ref().map_or(self.key, |rotated| rotated.first.read()),
            owner: Account::clone(&self.owner),
            role: self.kind.role,
            classes: self.kind.classes.clone(),
            model: self.kind.model.clone(),
            mobility: self.kind.mobility,
            cell: self.cell,
            exact: self.exact,
            altitude_cm: self.altitude_cm,
        }
    }

    /// The keys that it signed with before, the last [`FORMER_KEYS_MAX`] of them: what it signed twice stays provable.
    /// They are decoded as they are asked for.
    pub fn former_keys(&self) -> impl ExactSizeIterator<Item = PublicKey> {
        let former = self.rotated.as_ref().map_or(&[][..], |rotated| &rotated.former);
        former.iter().map(Published::read)
    }

    /// The entry that retired it.
    #[must_use]
    pub const fn retired_index(&self) -> Option<u64> {
        match self.retired {
            Some(index) => Some(index.get()),
            None => None,
        }
    }

    /// Retires it by the entry at `index`, which is not genesis.
    pub(crate) const fn retire(&mut self, index: u64) {
        self.retired = NonZeroU64::new(index);
    }

    /// Gives it its next key.
    pub(crate) fn rotate(&mut self, next: PublicKey) {
        let before = Published::of(&core::mem::replace(&mut self.key, next));
        let rotated =
            self.rotated.get_or_insert_with(|| Box::new(Rotated { first: before, former: Vec::with_capacity(1) }));
        if rotated.former.len() == FORMER_KEYS_MAX {
            rotated.former.remove(0);
        }
        rotated.former.push(before);
    }

    /// Gives it the keys that a record says it had; `current` is the one it has.
    pub(crate) fn keep_keys(&mut self, current: PublicKey, former: &[PublicKey]) {
        let first = Published::of(&self.key);
        if current != self.key || !former.is_empty() {
            self.rotated = Some(Box::new(Rotated { first, former: former.iter().map(Published::of).collect() }));
        }
        self.key = current;
    }
}

impl State {
    /// The device of an enrolment: what others have said before is shared with them.
    pub(crate) fn device_of(&mut self, enrol: &Enrol, index: u64, received_ms: u64) -> Device {
        Device {
            key: enrol.key,
            owner: self.shared_owner(&enrol.owner),
            kind: self.shared_kind(enrol),
            cell: enrol.cell,
            exact: enrol.exact,
            altitude_cm: enrol.altitude_cm,
            enrolled_index: index,
            enrolled_ms: received_ms,
            retired: None,
            names: NameRanges::default(),
            rotated: None,
        }
    }

    /// The account as it is held already, if it owns a device; else with the name of its chain shared with its neighbours,
    /// since accounts are sorted by chain.
    pub(crate) fn shared_owner(&self, owner: &Account) -> Arc<Account> {
        let before = self.owned.range::<Account, _>(..=owner).next_back();
        let after = self.owned.range::<Account, _>(owner..).next();
        let near = before.into_iter().chain(after).map(|(known, _)| known);
        match near.clone().find(|known| ***known == *owner) {
            Some(known) => known.clone(),
            None => {
                let neighbour = near.map(|known| known.domain()).find(|domain| *domain == owner.domain());
                let domain = neighbour.unwrap_or(owner.domain()).clone();
                Arc::new(Account::at(domain, *owner.address()).expect("the same account"))
            }
        }
    }

    fn shared_kind(&mut self, enrol: &Enrol) -> Arc<Kind> {
        let kind = Kind {
            role: enrol.role,
            mobility: enrol.mobility,
            classes: enrol.classes.clone(),
            model: enrol.model.clone(),
        };
        if let Some(known) = self.kinds.get(&kind) {
            return known.clone();
        }
        let kind = Arc::new(kind);
        self.kinds.insert(kind.clone());
        kind
    }
}

#[cfg(test)]
mod tests {
    use cairn_core::key::SecretKey;
    use cairn_core::{Address, Domain};

    use super::*;

    fn key(seed: u8) -> PublicKey {
        if seed.is_multiple_of(2) {
            SecretKey::ed25519([seed; 32]).public()
        } else {
            SecretKey::p256([seed; 32]).expect("a small scalar").public()
        }
    }

    /// Of a chain of its own memory, as whoever reads an enrolment has it.
    fn owner(chain: &str, address: u8) -> Account {
        Account::at(Domain::parse(chain).unwrap(), Address::Evm([address; 20])).unwrap()
    }

    fn enrol(key: PublicKey, owner: Account, model: &str) -> Enrol {
        Enrol {
            key,
            owner,
            role: Role::Device,
            classes: vec!["sensing/1".into()],
            model: model.into(),
            mobility: Mobility::Fixed,
            cell: 7,
            exact: Some((1, -1)),
            altitude_cm: Some(-3),
        }
    }

    fn hold(state: &mut State, enrol: &Enrol) -> Device {
        let device = state.device_of(enrol, 5, 6);
        *state.owned.entry(device.owner.clone()).or_default() += 1;
        device
    }

    #[test]
    fn a_device_takes_few_bytes_of_its_own() {
        assert!(size_of::<Device>() <= 312, "{}", size_of::<Device>());
        assert!(size_of::<NameRanges>() <= 24, "{}", size_of::<NameRanges>());
        assert!(size_of::<crate::nonces::SignerName>() <= 36);
    }

    #[test]
    fn what_devices_say_alike_is_held_once() {
        let mut state = State::default();
        let said = [
            enrol(key(2), owner("eip155:1", 1), "a"),
            enrol(key(3), owner("eip155:1", 1), "a"),
            enrol(key(4), owner("eip155:1", 2), "b"),
            enrol(key(5), owner("eip155:1", 0), "a"),
            enrol(key(6), owner("eip155:10", 1), "b"),
        ];
        let [a, b, c, d, e] = said.each_ref().map(|enrol| hold(&mut state, enrol));
        for (device, enrol) in [&a, &b, &c, &d, &e].into_iter().zip(&said) {
            assert_eq!(device.enrol(), *enrol);
        }
        assert!(Arc::ptr_eq(&a.owner, &b.owner) && !Arc::ptr_eq(&a.owner, &c.owner));
        assert!(Arc::ptr_eq(&a.kind, &b.kind) && Arc::ptr_eq(&a.kind, &d.kind) && Arc::ptr_eq(&c.kind, &e.kind));
        assert_eq!((state.kinds.len(), state.owned.len()), (2, 4));
        let chain = |device: &Device| device.owner.domain().as_str().as_ptr();
        assert!(chain(&a) == chain(&c) && chain(&a) == chain(&d) && chain(&a) != chain(&e));
    }

    #[test]
    fn a_device_keeps_its_first_key_and_the_last_eight_of_before() {
        let mut state = State::default();
        let said = enrol(key(2), owner("eip155:1", 1), "a");
        let mut device = hold(&mut state, &said);
        for next in 3..30 {
            assert_eq!(device.enrol(), said);
            let former: Vec<PublicKey> = device.former_keys().collect();
            let expected: Vec<PublicKey> = (2..next - 1).map(key).collect();
            assert_eq!(former, expected[expected.len().saturating_sub(FORMER_KEYS_MAX)..]);
            assert_eq!(device.key, key(next - 1));
            let mut read = state.device_of(&said, 5, 6);
            read.keep_keys(device.key, &former);
            assert_eq!(read, device, "as a record says it");
            device.rotate(key(next));
        }
    }

    #[test]
    fn a_device_is_retired_by_an_entry_that_is_not_genesis() {
        let mut device = hold(&mut State::default(), &enrol(key(2), owner("eip155:1", 1), "a"));
        for (index, retired) in [(0, None), (1, Some(1)), (u64::MAX, Some(u64::MAX))] {
            device.retire(index);
            assert_eq!(device.retired_index(), retired);
        }
    }
}
