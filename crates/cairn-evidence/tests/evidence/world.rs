//! A network with its keys, its logs and its devices, all from seeds: everything that an honest party or a liar signs.

use cairn_core::ed25519::SigningKey;
use cairn_core::key::SecretKey;
use cairn_core::report::{ReportBody, sign_report};
use cairn_core::statement::{Body, Draft, Enrol, Genesis, Mobility, Role, Rotate, Transfer};
use cairn_core::wallet::WalletKey;
use cairn_core::{Account, DeviceId, Domain, Hash, NetworkId, cbor::Value};
use cairn_merkle::promise::promise_key_name;
use cairn_merkle::proof::inclusion_proof;
use cairn_merkle::tree::{MemoryTree, leaf_hash};
use cairn_merkle::{Checkpoint, Cosigner, NoteSigner, Promise, Receipt};

pub const ORIGIN: &str = "log.example/net";

/// A network of a seed: the same keys and origin for every `random`, which alone tells two of them apart.
pub struct World {
    pub genesis: Vec<u8>,
    pub id: NetworkId,
    pub log: NoteSigner,
    pub promises: NoteSigner,
}

pub fn world(random: u8) -> World {
    world_with(random, SigningKey::from_seed([101; 32]).public_bytes())
}

pub fn world_with(random: u8, log_key: [u8; 32]) -> World {
    let operator = SecretKey::ed25519([100; 32]);
    let genesis = Genesis {
        random: [random; 16],
        name: "evidence".into(),
        origin: ORIGIN.into(),
        operator: operator.public(),
        log_key,
        promise_key: SigningKey::from_seed([102; 32]).public_bytes(),
        epoch_zero_ms: 0,
        epoch_ms: 86_400_000,
        grace_ms: 3_600_000,
        policy_hash: Hash::ZERO,
        rehearsed: vec!["everything: a test".into()],
    };
    let statement = Draft::of(None, Body::Genesis(genesis), 1, u64::MAX >> 1).signed_by(&operator).finish();
    World {
        id: NetworkId(statement.payload_hash()),
        genesis: statement.payload,
        log: NoteSigner::new(ORIGIN, SigningKey::from_seed([101; 32])).unwrap(),
        promises: NoteSigner::new(&promise_key_name(ORIGIN), SigningKey::from_seed([102; 32])).unwrap(),
    }
}

pub fn witness(seed: u8) -> Cosigner {
    Cosigner::new("witness.example", SigningKey::from_seed([seed; 32])).unwrap()
}

/// The leaves of a log: `common` that every history has, then those of one history.
pub fn leaves(common: u64, history: u8, size: u64) -> Vec<Hash> {
    (0..size)
        .map(|index| match index < common {
            true => leaf_hash(&index.to_be_bytes()),
            false => leaf_hash(&[&[history], index.to_be_bytes().as_slice()].concat()),
        })
        .collect()
}

impl World {
    /// The signed checkpoint over leaves.
    pub fn checkpoint(&self, leaves: &[Hash]) -> String {
        self.cosigned(leaves, &[])
    }

    /// The same with cosignatures.
    pub fn cosigned(&self, leaves: &[Hash], witnesses: &[&Cosigner]) -> String {
        let root = MemoryTree::new(leaves.to_vec()).root();
        let checkpoint = Checkpoint::new(ORIGIN, leaves.len() as u64, root).unwrap();
        let lines: Vec<_> = witnesses.iter().map(|witness| witness.cosign(&checkpoint, 5).unwrap()).collect();
        checkpoint.sign(&self.log, &lines).unwrap().to_string()
    }

    pub fn receipt(&self, leaves: &[Hash], index: u64) -> Receipt {
        let tree = MemoryTree::new(leaves.to_vec());
        let proof = inclusion_proof(&tree, index, leaves.len() as u64).unwrap();
        Receipt { extra: None, index, proof, checkpoint: self.checkpoint(leaves) }
    }

    pub fn promise(&self, entries: &[(u64, Hash)]) -> String {
        Promise { network: self.id.0, entries: entries.to_vec() }.sign(&self.promises).unwrap()
    }
}

pub fn owner(seed: u8) -> (WalletKey, Account) {
    let wallet = WalletKey::from_bytes([seed; 32]).unwrap();
    let account = Account::at(Domain::parse("eip155:31337").unwrap(), wallet.address()).unwrap();
    (wallet, account)
}

/// A device of a seed. Even seeds have Ed25519 keys, odd ones P-256.
pub fn key(seed: u8) -> SecretKey {
    if seed.is_multiple_of(2) { SecretKey::ed25519([seed; 32]) } else { SecretKey::p256([seed; 32]).unwrap() }
}

pub fn device(seed: u8) -> DeviceId {
    DeviceId::of_key(&key(seed).public().multicodec())
}

/// A report of `device` with a value, signed with any key.
pub fn report(world: &World, device: DeviceId, with: &SecretKey, seq: u32, value: i64) -> Vec<u8> {
    let body = ReportBody::of(3, seq, 1_000, "sensing/1", Value::map(vec![(4, Value::Int(value))]));
    sign_report(with, device, &world.id, &body)
}

pub fn enrol(world: &World, first: u8, owner_seed: u8) -> Vec<u8> {
    let (wallet, account) = owner(owner_seed);
    let enrol = Enrol {
        key: key(first).public(),
        owner: account,
        role: Role::Device,
        classes: vec!["sensing/1".into()],
        model: "test".into(),
        mobility: Mobility::Fixed,
        cell: 0,
        exact: None,
        altitude_cm: None,
    };
    let draft = Draft::of(Some(world.id), Body::Enrol(enrol), 2, u64::MAX >> 1);
    draft.signed_by(&key(first)).signed_by_wallet(&wallet).finish().encode()
}

pub fn transfer(world: &World, first: u8, from: u8, to: u8) -> Vec<u8> {
    let transfer = Transfer { device: device(first), owner: owner(to).1 };
    let draft = Draft::of(Some(world.id), Body::Transfer(transfer), 3, u64::MAX >> 1);
    draft.signed_by_wallet(&owner(from).0).signed_by_wallet(&owner(to).0).finish().encode()
}

pub fn rotate(world: &World, first: u8, owner_seed: u8, next: u8) -> Vec<u8> {
    let rotate = Rotate { device: device(first), key: key(next).public() };
    let draft = Draft::of(Some(world.id), Body::Rotate(rotate), 4, u64::MAX >> 1);
    draft.signed_by_wallet(&owner(owner_seed).0).signed_by(&key(next)).finish().encode()
}
