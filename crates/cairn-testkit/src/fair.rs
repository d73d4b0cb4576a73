//! A network in memory where work is bought and done: workers and owners from seeds, a buyer's credit, auditors.
//!
//! As in [`crate::network`], nothing is checked before it is logged. What a job's result is, is decided here by a hash, since no
//! module is run: a [`Fair`] shows who is assigned, heard and paid, not what WebAssembly does.

pub mod month;

use std::collections::BTreeMap;

use cairn_classes::compute::{self, Body as Work, COMPUTE, OUTCOME_DONE, Profile, RunResult};
use cairn_core::deposit::{Deposit, Place};
use cairn_core::entry::EntryKind;
use cairn_core::key::SecretKey;
use cairn_core::report::{ReportBody, sign_report};
use cairn_core::statement::{
    AuditorSet, Blob, Body, DomainTerms, Draft, Enrol, Licence, Mobility, Offer, Order, ProfileDocument, Replay, Role,
    RunProfile,
};
use cairn_core::wallet::WalletKey;
use cairn_core::{Account, Address, Amount, DeviceId, Hash, JobId, Ppm};
use cairn_fold::Refusal;

use crate::network::{MemoryNetwork, SeededDevice, Terms, chain, daily_profile, policy, with_credit};

/// The address of the network's own token.
const TOKEN: [u8; 20] = [0xab; 20];

/// What became of an entry: its index, and why it is void if it is.
pub type Logged = (u64, Option<Refusal>);

/// A policy that also opens a market of work, of which this part of the price is burned.
#[must_use]
pub fn with_compute(policy: &str, fee_ppm: u32) -> String {
    format!("{policy}\n[classes.\"{}\"]\nrevision = 1\nfee_ppm = {fee_ppm}\n", compute::SCHEMA)
}

/// A network with a market of work.
#[derive(Debug, Clone)]
pub struct Fair {
    /// The network.
    pub network: MemoryNetwork,
    /// The profile in force, read.
    pub profile: Profile,
    /// The auditors' wallets.
    pub auditors: Vec<WalletKey>,
    /// The key of the observer of deposits.
    pub observer: SecretKey,
    deposits: u64,
    seqs: BTreeMap<DeviceId, u32>,
}

impl Fair {
    /// A network under the default policy and profile, with deposits, a market of work and a quorum of auditors.
    ///
    /// # Panics
    /// When one of its first statements is void.
    #[must_use]
    pub fn open(terms: Terms, fee_ppm: u32, auditors: u8, quorum: u64) -> Self {
        Self::under(terms, &with_compute(&policy(2), fee_ppm), COMPUTE, auditors, quorum)
    }

    /// The same under another policy, to which the observer of deposits is added, and another profile of the market.
    ///
    /// # Panics
    /// When one of its first statements is void.
    #[must_use]
    pub fn under(terms: Terms, policy: &str, profile: &str, auditors: u8, quorum: u64) -> Self {
        let observer = SecretKey::ed25519([201; 32]);
        let policy = with_credit(policy, &[chain()], core::slice::from_ref(&observer));
        let network = MemoryNetwork::under(terms, &policy, daily_profile(2), SecretKey::ed25519([252; 32]));
        let auditors: Vec<WalletKey> = (0..auditors).map(|n| wallet(230 + n)).collect();
        let read = Profile::parse(profile).expect("a profile of compute");
        let mut fair = Self { network, profile: read, auditors, observer, deposits: 0, seqs: BTreeMap::new() };
        let token = format!("{}/erc20:0x{}", chain(), "ab".repeat(20));
        let mut addresses: Vec<[u8; 20]> = fair.auditors.iter().map(address).collect();
        addresses.sort_unstable();
        let domain = DomainTerms { domain: chain(), distributor: [7; 32], token, finality_blocks: 1 };
        let document = ProfileDocument { first_epoch: 0, class: compute::SCHEMA.into(), document: profile.into() };
        let mut first = vec![Body::Domain(domain), Body::Profile(document)];
        if !addresses.is_empty() {
            // Said before the epoch that it rules, which a network in memory has none of.
            first.push(Body::AuditorSet(AuditorSet { first_epoch: 1, quorum, auditors: addresses }));
        }
        for body in first {
            assert_eq!(fair.network.operate(body).1, None);
        }
        fair
    }

    /// Logs a deposit of the network's own token for an account.
    pub fn pay_in(&mut self, buyer: &Account, amount: u128) -> Logged {
        let place = Place { block: 9, block_hash: [1; 32], transaction: [2; 32], log_index: 3 };
        let buyer = buyer.address().claim_word();
        let deposit = Deposit { place, buyer, asset: TOKEN, amount: Amount(amount), payer: [4; 20], memo: [0; 32] };
        let logged = self.network.pay_in(&self.observer, &chain(), self.deposits, &deposit);
        self.deposits += u64::from(logged.1.is_none());
        logged
    }

    /// Enrols the seed's device in a role for a class.
    ///
    /// # Panics
    /// Never: the place is on earth.
    pub fn enrol(&mut self, device: &SeededDevice, role: Role, class: &str) -> Logged {
        let position = cairn_core::geo::Position::of(500_000_000, 100_000_000).expect("a place on earth");
        let enrol = Enrol {
            key: device.key.public(),
            owner: device.account.clone(),
            role,
            classes: vec![class.into()],
            model: "test".into(),
            mobility: Mobility::Fixed,
            cell: cairn_core::geo::Cell::containing(position, 8).expect("a cell").index(),
            exact: None,
            altitude_cm: None,
        };
        let nonce = self.network.next_nonce();
        let statement = Draft::of(Some(self.network.id), Body::Enrol(enrol), nonce, u64::MAX >> 1)
            .signed_by(&device.key)
            .signed_by_wallet(&device.wallet)
            .finish();
        self.network.log(EntryKind::Statement, &statement.encode())
    }

    /// Enrols workers of these seeds, each with an owner of its own and an offer at price 1,000 + its seed.
    ///
    /// # Panics
    /// When one is refused.
    pub fn hire(&mut self, seeds: impl IntoIterator<Item = u8>) -> Vec<SeededDevice> {
        let mut workers = Vec::new();
        for seed in seeds {
            let device = SeededDevice::of(seed);
            assert_eq!(self.enrol(&device, Role::Worker, compute::SCHEMA).1, None);
            let offer = self.an_offer(&device, 1_000 + u128::from(seed));
            assert_eq!(self.offer(&device, &offer).1, None);
            workers.push(device);
        }
        workers
    }

    /// An offer for a year.
    #[must_use]
    pub fn an_offer(&self, device: &SeededDevice, price: u128) -> Offer {
        Offer {
            device: device.id,
            price: Amount(price),
            capacity: 8,
            gas_max: 1_000_000_000_000,
            pages_max: 1_024,
            profiles: 3,
            until_ms: self.network.now_ms + 365 * 86_400_000,
        }
    }

    /// Logs an offer, signed by a device.
    pub fn offer(&mut self, device: &SeededDevice, offer: &Offer) -> Logged {
        self.keyed(&device.key, Body::Offer(offer.clone()))
    }

    /// Logs a statement signed by a key of scheme 0.
    pub fn keyed(&mut self, key: &SecretKey, body: Body) -> Logged {
        let nonce = self.network.next_nonce();
        let statement = Draft::of(Some(self.network.id), body, nonce, u64::MAX >> 1).signed_by(key).finish();
        self.network.log(EntryKind::Statement, &statement.encode())
    }

    /// An order of the seed's owner, of two workers for 10^10 gas.
    #[must_use]
    pub fn an_order(&self, buyer: &SeededDevice, input: &str) -> Order {
        Order {
            buyer: buyer.account.clone(),
            module: Blob { hash: Hash::of(b"module"), bytes: 6 },
            inputs: vec![Blob { hash: Hash::of(input.as_bytes()), bytes: input.len() as u64 }],
            arguments: Vec::new(),
            gas_table: self.profile.gas_table,
            profile: RunProfile::DetInt,
            gas: 10_000_000_000,
            pages: 16,
            output_bytes: 1_000,
            price: Amount(2_000),
            replicas: 2,
            sample: Ppm::ZERO,
            commit_ms: 60_000,
            most: Amount(1_000_000),
            refund: None,
        }
    }

    /// Logs an order; answers with its job too.
    pub fn order(&mut self, buyer: &WalletKey, order: &Order) -> (JobId, Logged) {
        let nonce = self.network.next_nonce();
        let body = Body::Order(order.clone());
        let statement = Draft::of(Some(self.network.id), body, nonce, u64::MAX >> 1).signed_by_wallet(buyer).finish();
        let job = JobId(statement.payload_hash());
        (job, self.network.log(EntryKind::Statement, &statement.encode()))
    }

    /// Logs the buyer's word that a job is taken back.
    pub fn cancel(&mut self, buyer: &WalletKey, job: JobId) -> Logged {
        self.network.own(buyer, Body::Cancel(job))
    }

    /// A licence for a year: 100 base units and a tenth of the price of the work.
    #[must_use]
    pub fn a_licence(&self, owner: &SeededDevice, content: &str) -> Licence {
        Licence {
            owner: owner.account.clone(),
            content: Hash::of(content.as_bytes()),
            price: Amount(100),
            share: Ppm::of(100_000).expect("a tenth"),
            modules: Vec::new(),
            until_ms: self.network.now_ms + 365 * 86_400_000,
        }
    }

    /// Logs an auditor's word on a job.
    pub fn replay(&mut self, auditor: usize, job: JobId, result: &RunResult) -> Logged {
        let digest = result.digest(self.profile.gas_table, &job);
        let auditor = self.auditors[auditor].clone();
        self.network.own(&auditor, Body::Replay(Replay { job, digest }))
    }

    /// Logs a report of a worker.
    pub fn work(&mut self, device: &SeededDevice, body: &Work) -> Logged {
        let report = self.work_report(device, body);
        self.network.log(EntryKind::Report, &report)
    }

    /// A report of a worker, under the device's next name.
    pub fn work_report(&mut self, device: &SeededDevice, body: &Work) -> Vec<u8> {
        let seq = self.seqs.entry(device.id).or_default();
        *seq += 1;
        let body = ReportBody::of(0, *seq, self.network.now_ms, compute::SCHEMA, body.encode());
        sign_report(&device.key, device.id, &self.network.id, &body)
    }

    /// The seal of a result, with the salt that [`Fair::reveal`] shows.
    #[must_use]
    pub fn seal(&self, device: &SeededDevice, job: JobId, result: &RunResult) -> Hash {
        let digest = result.digest(self.profile.gas_table, &job);
        compute::seal(&job, &device.id, &digest, &salt(device))
    }

    /// Logs the seal of a result.
    pub fn commit(&mut self, device: &SeededDevice, job: JobId, result: &RunResult) -> Logged {
        let seal = self.seal(device, job, result);
        self.work(device, &Work::Commit { job, seal })
    }

    /// Logs a result.
    pub fn reveal(&mut self, device: &SeededDevice, job: JobId, result: &RunResult) -> Logged {
        self.work(device, &Work::Reveal { job, result: *result, salt: salt(device) })
    }

    /// Logs that a job will not be done.
    pub fn decline(&mut self, device: &SeededDevice, job: JobId) -> Logged {
        self.work(device, &Work::Decline { job, reason: 1 })
    }

    /// The devices of a job, in the order of assignment; none of a job that is not known.
    #[must_use]
    pub fn assigned(&self, job: JobId) -> Vec<DeviceId> {
        let job = self.network.fold.state().market.job(&job);
        job.map_or_else(Vec::new, |job| job.assigned.iter().map(|worker| worker.device).collect())
    }

    /// Moves the time on without an entry.
    pub const fn wait(&mut self, ms: u64) {
        self.network.now_ms += ms;
    }
}

/// A result of so much gas whose output is some text.
#[must_use]
pub fn result(gas: u64, output: &str) -> RunResult {
    RunResult { outcome: OUTCOME_DONE, gas, output: Hash::of(output.as_bytes()), output_bytes: output.len() as u64 }
}

/// A wallet of a seed.
///
/// # Panics
/// Never: small scalars are keys.
#[must_use]
pub fn wallet(seed: u8) -> WalletKey {
    WalletKey::from_bytes([seed.max(1); 32]).expect("a small scalar is a key")
}

fn address(wallet: &WalletKey) -> [u8; 20] {
    match wallet.address() {
        Address::Evm(address) => address,
        Address::Solana(_) => unreachable!("a wallet of secp256k1 is an EVM one"),
    }
}

fn salt(device: &SeededDevice) -> [u8; 16] {
    device.id.0
}
