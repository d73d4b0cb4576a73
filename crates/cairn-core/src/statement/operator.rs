//! What the operator says: the network, its rules, its chains, its auditors, and whom it stops paying.

use super::read::{public_key, read_map, text_within};
use crate::cbor::{self, CborError, Decoder, Encoder};
use crate::key::PublicKey;
use crate::{DeviceId, Domain, Hash};

/// What a network declares as rehearsed whose time follows its data: no machine's clock, and no witness's, bounds it.
pub const RECORDED_CLOCK: &str = "recorded clock: time follows the data, not the machine";

/// Entry 0: what the network is. Its payload's SHA-256 is the network's id.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Genesis {
    /// 1: 16 random bytes, so that no two networks share an id.
    pub random: [u8; 16],
    /// 2: the network's name.
    pub name: String,
    /// 3: the log's origin, a scheme-less URL prefix.
    pub origin: String,
    /// 4: the operator's key: statements.
    pub operator: PublicKey,
    /// 5: the log's Ed25519 key: checkpoints.
    pub log_key: [u8; 32],
    /// 6: the gateway's Ed25519 key: promises.
    pub promise_key: [u8; 32],
    /// 7: start of epoch 0, ms since 1970 UTC.
    pub epoch_zero_ms: u64,
    /// 8: length of an epoch in ms.
    pub epoch_ms: u64,
    /// 9: how long after an epoch's end its reports may still come in, in ms.
    pub grace_ms: u64,
    /// 10: SHA-256 of the first policy document.
    pub policy_hash: Hash,
    /// 11: what is rehearsed, in words; empty for a network that pretends nothing.
    pub rehearsed: Vec<String>,
}

impl Genesis {
    pub(super) fn write(&self, out: &mut Encoder) {
        out.map(11).int(1).bytes(&self.random).int(2).text(&self.name).int(3).text(&self.origin);
        out.int(4).bytes(&self.operator.multicodec()).int(5).bytes(&self.log_key).int(6).bytes(&self.promise_key);
        out.int(7).uint(self.epoch_zero_ms).int(8).uint(self.epoch_ms).int(9).uint(self.grace_ms);
        out.int(10).bytes(&self.policy_hash.0).int(11).array(self.rehearsed.len());
        for what in &self.rehearsed {
            out.text(what);
        }
    }

    pub(super) fn read(input: &mut Decoder<'_>) -> cbor::Result<Self> {
        let at = input.position();
        read_map!(input, keys, {
            1 => random = input.bytes_exact()?,
            2 => name = text_within(input, 64)?,
            3 => origin = text_within(input, 255)?,
            4 => operator = public_key(input)?,
            5 => log_key = input.bytes_exact()?,
            6 => promise_key = input.bytes_exact()?,
            7 => epoch_zero_ms = input.uint()?,
            8 => epoch_ms = input.uint()?,
            9 => grace_ms = input.uint()?,
            10 => policy_hash = Hash(input.bytes_exact()?),
            11 => rehearsed = input.list(16, |item| text_within(item, 200))?,
        });
        let genesis = Self {
            random: keys.required(1, random)?,
            name: keys.required(2, name)?,
            origin: keys.required(3, origin)?,
            operator: keys.required(4, operator)?,
            log_key: keys.required(5, log_key)?,
            promise_key: keys.required(6, promise_key)?,
            epoch_zero_ms: keys.required(7, epoch_zero_ms)?,
            epoch_ms: keys.required(8, epoch_ms)?,
            grace_ms: keys.required(9, grace_ms)?,
            policy_hash: keys.required(10, policy_hash)?,
            rehearsed: keys.required(11, rehearsed)?,
        };
        if genesis.name.is_empty() || genesis.origin.is_empty() || genesis.origin.contains([' ', '+']) {
            return Err(CborError::Range {
                at,
                what: "a name, and an origin without spaces or plus signs, are needed",
            });
        }
        if !(1_000..=366 * 86_400_000).contains(&genesis.epoch_ms) || genesis.grace_ms >= genesis.epoch_ms {
            return Err(CborError::Range { at, what: "epochs last a second to a year, and grace is shorter" });
        }
        Ok(genesis)
    }
}

/// The whole policy document, from an epoch on; the operator signs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PolicyDocument {
    /// 1: the first epoch it rules.
    pub first_epoch: u64,
    /// 2: the TOML text's bytes.
    pub document: Vec<u8>,
}

impl PolicyDocument {
    pub(super) fn write(&self, out: &mut Encoder) {
        out.map(2).int(1).uint(self.first_epoch).int(2).bytes(&self.document);
    }

    pub(super) fn read(input: &mut Decoder<'_>) -> cbor::Result<Self> {
        read_map!(input, keys, {
            1 => first_epoch = input.uint()?,
            2 => document = input.bytes()?.to_vec(),
        });
        Ok(Self { first_epoch: keys.required(1, first_epoch)?, document: keys.required(2, document)? })
    }
}

/// The whole profile of a class, from an epoch on; the operator signs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ProfileDocument {
    /// 1: the first epoch it rules.
    pub first_epoch: u64,
    /// 2: the class, such as `sensing/1`.
    pub class: String,
    /// 3: the TOML text's bytes.
    pub document: Vec<u8>,
}

impl ProfileDocument {
    pub(super) fn write(&self, out: &mut Encoder) {
        out.map(3).int(1).uint(self.first_epoch).int(2).text(&self.class).int(3).bytes(&self.document);
    }

    pub(super) fn read(input: &mut Decoder<'_>) -> cbor::Result<Self> {
        read_map!(input, keys, {
            1 => first_epoch = input.uint()?,
            2 => class = text_within(input, 32)?,
            3 => document = input.bytes()?.to_vec(),
        });
        Ok(Self {
            first_epoch: keys.required(1, first_epoch)?,
            class: keys.required(2, class)?,
            document: keys.required(3, document)?,
        })
    }
}

/// The operator stops paying a device until a time, with a reason and the entries that show it; never silent.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Deny {
    /// 1: the device.
    pub device: DeviceId,
    /// 2: why, as a stable code.
    pub reason: String,
    /// 3: the entries that show it.
    pub evidence: Vec<u64>,
    /// 4: until when, ms since 1970 UTC.
    pub until_ms: u64,
}

impl Deny {
    pub(super) fn write(&self, out: &mut Encoder) {
        out.map(4).int(1).bytes(&self.device.0).int(2).text(&self.reason).int(3).array(self.evidence.len());
        for &index in &self.evidence {
            out.uint(index);
        }
        out.int(4).uint(self.until_ms);
    }

    pub(super) fn read(input: &mut Decoder<'_>) -> cbor::Result<Self> {
        read_map!(input, keys, {
            1 => device = DeviceId(input.bytes_exact()?),
            2 => reason = text_within(input, 64)?,
            3 => evidence = input.list(256, |item| item.uint())?,
            4 => until_ms = input.uint()?,
        });
        Ok(Self {
            device: keys.required(1, device)?,
            reason: keys.required(2, reason)?,
            evidence: keys.required(3, evidence)?,
            until_ms: keys.required(4, until_ms)?,
        })
    }
}

/// A settlement chain; the operator signs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DomainTerms {
    /// 1: the chain, CAIP-2.
    pub domain: Domain,
    /// 2: the distributor contract's address, left-padded to 32 bytes.
    pub distributor: [u8; 32],
    /// 3: the token, CAIP-19, empty until one exists.
    pub token: String,
    /// 4: blocks until an event there is taken as final.
    pub finality_blocks: u64,
}

impl DomainTerms {
    pub(super) fn write(&self, out: &mut Encoder) {
        out.map(4).int(1).text(self.domain.as_str()).int(2).bytes(&self.distributor);
        out.int(3).text(&self.token).int(4).uint(self.finality_blocks);
    }

    pub(super) fn read(input: &mut Decoder<'_>) -> cbor::Result<Self> {
        read_map!(input, keys, {
            1 => domain = {
                let at = input.position();
                Domain::parse(input.text()?).map_err(|_| CborError::Range { at, what: "not a CAIP-2 chain id" })?
            },
            2 => distributor = input.bytes_exact()?,
            3 => token = text_within(input, 200)?,
            4 => finality_blocks = input.uint()?,
        });
        Ok(Self {
            domain: keys.required(1, domain)?,
            distributor: keys.required(2, distributor)?,
            token: keys.required(3, token)?,
            finality_blocks: keys.required(4, finality_blocks)?,
        })
    }
}

/// The auditors whose signatures count from an epoch on; the operator signs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AuditorSet {
    /// 1: the first epoch they sign.
    pub first_epoch: u64,
    /// 2: how many must sign.
    pub quorum: u64,
    /// 3: their EVM addresses, ascending.
    pub auditors: Vec<[u8; 20]>,
}

impl AuditorSet {
    pub(super) fn write(&self, out: &mut Encoder) {
        out.map(3).int(1).uint(self.first_epoch).int(2).uint(self.quorum).int(3).array(self.auditors.len());
        for auditor in &self.auditors {
            out.bytes(auditor);
        }
    }

    pub(super) fn read(input: &mut Decoder<'_>) -> cbor::Result<Self> {
        let at = input.position();
        read_map!(input, keys, {
            1 => first_epoch = input.uint()?,
            2 => quorum = input.uint()?,
            3 => auditors = input.list(64, |item| item.bytes_exact())?,
        });
        let set = Self {
            first_epoch: keys.required(1, first_epoch)?,
            quorum: keys.required(2, quorum)?,
            auditors: keys.required(3, auditors)?,
        };
        if set.quorum == 0 || set.quorum > set.auditors.len() as u64 || !set.auditors.is_sorted_by(|a, b| a < b) {
            return Err(CborError::Range { at, what: "auditors ascend, and a quorum is one to all of them" });
        }
        Ok(set)
    }
}

/// Where the log continues, should this one end; the operator signs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Successor {
    /// 1: the origin of the log that continues this one.
    pub origin: String,
    /// 2: its Ed25519 key.
    pub log_key: [u8; 32],
}

impl Successor {
    pub(super) fn write(&self, out: &mut Encoder) {
        out.map(2).int(1).text(&self.origin).int(2).bytes(&self.log_key);
    }

    pub(super) fn read(input: &mut Decoder<'_>) -> cbor::Result<Self> {
        read_map!(input, keys, {
            1 => origin = text_within(input, 255)?,
            2 => log_key = input.bytes_exact()?,
        });
        Ok(Self { origin: keys.required(1, origin)?, log_key: keys.required(2, log_key)? })
    }
}
