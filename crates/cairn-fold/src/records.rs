//! The state as records `[table, key, value]`: what a snapshot holds and the state root is over.
//!
//! What judges remember is written as it stands: bytes that nobody here reads.

use std::sync::Arc;

use cairn_classes::Carry;
use cairn_classes::compute::market::Table as MarketTable;
use cairn_core::cbor::{CborError, Decoder, Encoder};
use cairn_core::deposit::CreditAsset;
use cairn_core::key::PublicKey;
use cairn_core::report::ReportName;
use cairn_core::statement::{AuditorSet, Body, DomainTerms, Enrol, Schema, StatementError, Successor};
use cairn_core::{Account, Amount, DeviceId, Domain, Hash, NetworkId};
use thiserror::Error;

use crate::carry::Carried;
use crate::credit::CREDIT_MAX;
use crate::names::NameRanges;
use crate::nonces::SignerName;
use crate::state::{Denial, Network, OpenEpoch, Pending, PolicyInForce, State};

/// The tables, numbered for ever.
mod table {
    pub const NETWORK: u64 = 1;
    pub const DEVICE: u64 = 2;
    pub const NONCE: u64 = 3;
    pub const POLICY: u64 = 4;
    pub const PROFILE: u64 = 5;
    pub const PAYEE: u64 = 6;
    pub const CUMULATIVE: u64 = 7;
    pub const DENIAL: u64 = 8;
    pub const APPEAL: u64 = 9;
    pub const CONFLICT: u64 = 10;
    pub const ROUND: u64 = 11;
    pub const PENDING: u64 = 12;
    pub const JUDGED: u64 = 13;
    pub const DOMAIN: u64 = 14;
    pub const AUDITORS: u64 = 15;
    pub const UNLOGGED: u64 = 16;
    pub const CARRY: u64 = 17;
    pub const CREDIT: u64 = 18;
    pub const COUNTED: u64 = 19;
    // 20 to 22 are the market's own: `cairn_classes::compute::market::Table`.
}

/// Keys of the network table.
mod network_key {
    pub const GENESIS: u64 = 0;
    pub const RECEIVED: u64 = 1;
    pub const EPOCH: u64 = 2;
    pub const MONEY: u64 = 3;
    pub const SUCCESSOR: u64 = 4;
    /// Never in a state root: nothing has been paid in since when an epoch closes.
    pub const DEPOSITED: u64 = 5;
}

/// The records of what judges remember, of a state's sorted records: those of table 17.
#[must_use]
pub fn carry_records(records: &[Vec<u8>]) -> &[Vec<u8>] {
    &records[carry_range(records)]
}

/// How the record begins of what the judge of a class remembers under one of its keys: no other record begins so, and records
/// are sorted.
#[must_use]
pub fn carry_record_start(class: &str, revision: u32, key: &[u8]) -> Vec<u8> {
    let key = carry_key(class, revision, key);
    Encoder::empty().array(3).uint(table::CARRY).bytes(&key).take()
}

fn carry_key(class: &str, revision: u32, key: &[u8]) -> Vec<u8> {
    Encoder::empty().array(3).text(class).uint(revision.into()).bytes(key).take()
}

/// Where they stand.
pub(crate) fn carry_range(records: &[Vec<u8>]) -> core::ops::Range<usize> {
    let first = |of| records.partition_point(|record| table_of(record).is_some_and(|table| table < of));
    first(table::CARRY)..first(table::CARRY + 1)
}

fn table_of(record: &[u8]) -> Option<u64> {
    let mut input = Decoder::over(record);
    input.array().ok()?;
    input.uint().ok()
}

/// Why records are not a state.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum RecordError {
    /// A record that is not in the form its table has.
    #[error("snapshot record {position}: {source}")]
    Form {
        /// Its position in the snapshot.
        position: usize,
        /// What is wrong.
        source: CborError,
    },
    /// A statement body inside a record that does not parse.
    #[error("snapshot record {position}: {source}")]
    Statement {
        /// Its position in the snapshot.
        position: usize,
        /// What is wrong.
        source: StatementError,
    },
    /// A policy or profile document that does not read.
    #[error("snapshot record {position}: {detail}")]
    Document {
        /// Its position in the snapshot.
        position: usize,
        /// What is wrong.
        detail: String,
    },
    /// More paid in since the epoch opened than there is credit.
    #[error("{deposited} base units were paid in in the open epoch, and there is less credit than that")]
    Deposited {
        /// What was paid in, base units.
        deposited: Amount,
    },
    /// More locked for jobs, beside what buyers have, than there may be.
    #[error("jobs lock more than there may be in escrow")]
    Escrow,
    /// Records that repeat or stand out of order.
    #[error("snapshot record {position} repeats or stands out of order")]
    Order {
        /// Its position in the snapshot.
        position: usize,
    },
}

impl State {
    /// Every record, bytewise sorted.
    #[must_use]
    pub fn records(&self) -> Vec<Vec<u8>> {
        let mut records = Writer { records: Vec::with_capacity(self.devices.len() * 3 + 16) };
        self.write_network(&mut records);
        self.write_devices(&mut records);
        self.write_documents(&mut records);
        self.write_money(&mut records);
        self.write_work(&mut records);
        self.write_carry(&mut records);
        self.write_credits(&mut records);
        self.write_market(&mut records);
        records.records.sort_unstable();
        records.records
    }

    fn write_network(&self, records: &mut Writer) {
        if let Some(network) = &self.network {
            records.put(table::NETWORK, &uint(network_key::GENESIS), |out| {
                out.bytes(&network.payload);
            });
        }
        records.put(table::NETWORK, &uint(network_key::RECEIVED), |out| {
            out.uint(self.received_ms);
        });
        records.put(table::NETWORK, &uint(network_key::EPOCH), |out| {
            out.array(3).uint(self.epoch.number).uint(self.epoch.from).bytes(&self.epoch.previous.0);
        });
        records.put(table::NETWORK, &uint(network_key::MONEY), |out| {
            out.array(2);
            self.minted.encode(out);
            self.unallocated.encode(out);
        });
        if let Some(successor) = &self.successor {
            records.put(table::NETWORK, &uint(network_key::SUCCESSOR), |out| {
                out.encoded(&Body::Successor(successor.clone()).encode());
            });
        }
    }

    fn write_devices(&self, records: &mut Writer) {
        for (id, device) in &self.devices {
            records.put(table::DEVICE, &id.0, |out| {
                out.array(7).encoded(&Body::Enrol(device.enrol()).encode()).bytes(&device.key.multicodec());
                let former_keys = device.former_keys();
                out.array(former_keys.len());
                for key in former_keys {
                    out.bytes(&key.multicodec());
                }
                out.uint(device.enrolled_index).uint(device.enrolled_ms);
                // Zero is genesis, so it stands for "not retired".
                out.uint(device.retired_index().unwrap_or(0));
                device.names.encode(out);
            });
        }
        for (signer, nonce) in &self.nonces {
            records.put(table::NONCE, signer.as_bytes(), |out| {
                out.uint(*nonce);
            });
        }
        for (device, denial) in &self.denials {
            records.put(table::DENIAL, &device.0, |out| {
                out.array(3).uint(denial.index).uint(denial.until_ms).text(&denial.reason);
            });
        }
        for (deny, appeal) in &self.appeals {
            records.put(table::APPEAL, &uint(*deny), |out| {
                out.uint(*appeal);
            });
        }
        for (name, index) in &self.conflicts {
            let mut key = Encoder::empty();
            key.array(3).bytes(&name.device.0).uint(name.boot.into()).uint(name.seq.into());
            records.put(table::CONFLICT, &key.into_bytes(), |out| {
                out.uint(*index);
            });
        }
        for ((source, observer), round) in &self.rounds {
            let key = Encoder::empty().array(2).text(source).bytes(observer).take();
            records.put(table::ROUND, &key, |out| {
                out.uint(*round);
            });
        }
    }

    fn write_documents(&self, records: &mut Writer) {
        for (first_epoch, policy) in &self.policies {
            records.put(table::POLICY, &uint(*first_epoch), |out| {
                out.bytes(&policy.document);
            });
        }
        for ((class, first_epoch), profile) in &self.profiles {
            let key = Encoder::empty().array(2).text(class).uint(*first_epoch).take();
            records.put(table::PROFILE, &key, |out| {
                out.bytes(profile.as_bytes());
            });
        }
        for (domain, terms) in &self.domains {
            records.put(table::DOMAIN, domain.as_str().as_bytes(), |out| {
                out.encoded(&Body::Domain(terms.clone()).encode());
            });
        }
        for (first_epoch, set) in &self.auditors {
            records.put(table::AUDITORS, &uint(*first_epoch), |out| {
                out.encoded(&Body::AuditorSet(set.clone()).encode());
            });
        }
    }

    fn write_money(&self, records: &mut Writer) {
        for (owner, payee) in &self.payees {
            records.put(table::PAYEE, owner.to_string().as_bytes(), |out| payee.encode(out));
        }
        for (account, amount) in &self.cumulative {
            records.put(table::CUMULATIVE, account.to_string().as_bytes(), |out| amount.encode(out));
        }
    }

    fn write_work(&self, records: &mut Writer) {
        for ((epoch, index), pending) in &self.pending {
            let key = Encoder::empty().array(2).uint(*epoch).uint(*index).take();
            records.put(table::PENDING, &key, |out| {
                out.array(2);
                pending.account.encode(out);
                // Zero is genesis, so it stands for "not denied".
                out.uint(pending.denied.unwrap_or(0));
            });
        }
        for (epoch, runs) in &self.judged {
            records.put(table::JUDGED, &uint(*epoch), |out| {
                out.array(runs.len() * 2);
                for (first, count) in runs {
                    out.uint(*first).uint(*count);
                }
            });
        }
        for (epoch, hash) in &self.unlogged {
            records.put(table::UNLOGGED, &uint(*epoch), |out| {
                out.bytes(&hash.0);
            });
        }
    }

    fn write_carry(&self, records: &mut Writer) {
        for (class, carried) in &self.carry {
            for (key, value) in &carried.records {
                let key = carry_key(class, carried.revision, key);
                records.put(table::CARRY, &key, |out| {
                    out.bytes(value);
                });
            }
        }
    }

    fn write_credits(&self, records: &mut Writer) {
        if self.deposited > Amount::ZERO {
            records.put(table::NETWORK, &uint(network_key::DEPOSITED), |out| self.deposited.encode(out));
        }
        for (asset, buyer, amount) in self.credits.all() {
            let key = Encoder::empty().array(2).text(&asset.to_string()).bytes(buyer).take();
            records.put(table::CREDIT, &key, |out| amount.encode(out));
        }
        for (chain, counted) in self.credits.chains() {
            records.put(table::COUNTED, chain.as_str().as_bytes(), |out| {
                out.uint(counted);
            });
        }
    }

    fn write_market(&self, records: &mut Writer) {
        for (table, key, value) in self.market.records() {
            records.put(table.number(), &key, |out| {
                out.encoded(&value);
            });
        }
    }

    /// Reads a state back from its sorted records.
    ///
    /// # Errors
    /// [`RecordError`] names the first record that is wrong.
    pub fn from_records<R: AsRef<[u8]>>(records: &[R]) -> Result<Self, RecordError> {
        let mut state = Self::default();
        for (position, record) in records.iter().enumerate() {
            let record = record.as_ref();
            if position > 0 && records[position - 1].as_ref() >= record {
                return Err(RecordError::Order { position });
            }
            state.read_record(record).map_err(|problem| problem.at(position))?;
        }
        for device in state.devices.values() {
            *state.owned.entry(device.owner.clone()).or_default() += 1;
        }
        let escrow = state.locked().and_then(|locked| state.credits.native().checked_add(locked));
        let escrow = escrow.filter(|escrow| *escrow <= CREDIT_MAX).ok_or(RecordError::Escrow)?;
        if state.deposited > escrow {
            return Err(RecordError::Deposited { deposited: state.deposited });
        }
        // Of a record that another one took the place of, nothing stays.
        state.owned.retain(|_, devices| *devices > 0);
        state.kinds.retain(|kind| Arc::strong_count(kind) > 1);
        Ok(state)
    }

    fn read_record(&mut self, record: &[u8]) -> Result<(), Problem> {
        let mut outer = Decoder::over(record);
        outer.array_exact(3)?;
        let at = outer.position();
        let table = outer.uint()?;
        let key = outer.bytes()?;
        let value = outer.bytes()?;
        outer.leave();
        outer.end()?;
        let mut value_input = Decoder::over(value);
        let input = &mut value_input;
        match table {
            table::NETWORK => return self.read_network(uint_key(key)?, value),
            table::DEVICE => return self.read_device(key, value),
            table::NONCE => {
                self.nonces.insert(signer_key(key)?, input.uint()?);
            }
            table::POLICY => {
                let document = input.bytes()?.to_vec();
                let read = cairn_reward::Policy::parse(&document).map_err(Problem::document)?;
                self.policies.insert(uint_key(key)?, PolicyInForce { document, read });
            }
            table::PROFILE => {
                let (class, first_epoch) = text_and_uint(key)?;
                let document = String::from_utf8(input.bytes()?.to_vec()).map_err(Problem::document)?;
                cairn_classes::check_profile(&class, &document).map_err(Problem::document)?;
                self.keep_profile(class, first_epoch, document);
            }
            table::PAYEE => {
                self.payees.insert(account_key(key)?, Arc::new(Account::decode(input)?));
            }
            table::CUMULATIVE => {
                self.cumulative.insert(account_key(key)?, Amount::decode(input)?);
            }
            table::PENDING => {
                let (epoch, index) = two_uints(key)?;
                input.array_exact(2)?;
                let account = self.shared_owner(&Account::decode(input)?);
                let pending = Pending { account, denied: some_index(input.uint()?) };
                self.pending.insert((epoch, index), pending);
            }
            table::JUDGED => {
                let runs = read_runs(input)?;
                self.judged.insert(uint_key(key)?, runs);
            }
            table::DOMAIN => {
                let terms = read_domain(value)?;
                names(key, terms.domain.as_str().as_bytes())?;
                self.domains.insert(terms.domain.clone(), terms);
                return Ok(());
            }
            table::AUDITORS => {
                let set = read_auditors(value)?;
                names(key, &uint(set.first_epoch))?;
                self.auditors.insert(set.first_epoch, set);
                return Ok(());
            }
            table::UNLOGGED => {
                self.unlogged.insert(uint_key(key)?, Hash(input.bytes_exact()?));
            }
            table::CARRY => return self.read_carry(key, value),
            table::CREDIT => self.read_credit(key, input)?,
            table::COUNTED => {
                let chain = evm_chain_key(key)?;
                self.credits.count(chain, positive(input)?);
            }
            _ => match MarketTable::of_number(table) {
                Some(table) => return Ok(self.market.read_record(table, key, value)?),
                None => return self.read_people(table, key, value, at),
            },
        }
        Ok(input.end()?)
    }

    /// Denials, appeals, conflicts and rounds.
    fn read_people(&mut self, table: u64, key: &[u8], value: &[u8], at: usize) -> Result<(), Problem> {
        let mut value_input = Decoder::over(value);
        let input = &mut value_input;
        match table {
            table::DENIAL => {
                let device = DeviceId(fixed(key)?);
                input.array_exact(3)?;
                let denial = Denial { index: input.uint()?, until_ms: input.uint()?, reason: input.text()?.to_owned() };
                self.denials.insert(device, denial);
            }
            table::APPEAL => {
                self.appeals.insert(uint_key(key)?, input.uint()?);
            }
            table::CONFLICT => {
                let mut parts = Decoder::over(key);
                parts.array_exact(3)?;
                let name =
                    ReportName { device: DeviceId(parts.bytes_exact()?), boot: parts.uint32()?, seq: parts.uint32()? };
                parts.end()?;
                self.conflicts.insert(name, input.uint()?);
            }
            table::ROUND => {
                let mut parts = Decoder::over(key);
                parts.array_exact(2)?;
                let of = (parts.text()?.to_owned(), parts.bytes_exact()?);
                parts.end()?;
                self.rounds.insert(of, input.uint()?);
            }
            _ => return Err(CborError::Range { at, what: "an unknown table" }.into()),
        }
        Ok(input.end()?)
    }

    fn read_carry(&mut self, key: &[u8], value: &[u8]) -> Result<(), Problem> {
        let mut parts = Decoder::over(key);
        parts.array_exact(3)?;
        let class = parts.text()?.to_owned();
        let (at, revision) = (parts.position(), parts.uint32()?);
        let key = parts.bytes()?.to_vec();
        parts.leave();
        parts.end()?;
        let mut input = Decoder::over(value);
        let value = input.bytes()?.to_vec();
        input.end()?;
        let carried = self.carry.entry(class).or_insert_with(|| Carried { revision, records: Carry::new() });
        if carried.revision != revision {
            return Err(CborError::Range { at, what: "a class whose memory two revisions wrote" }.into());
        }
        carried.records.insert(key, value);
        Ok(())
    }

    fn read_credit(&mut self, key: &[u8], input: &mut Decoder<'_>) -> Result<(), CborError> {
        let mut parts = Decoder::over(key);
        parts.array_exact(2)?;
        let bad = |what| CborError::Range { at: 0, what };
        let asset = CreditAsset::parse(parts.text()?).ok_or(bad("the key names no asset of credit"))?;
        let buyer = parts.bytes_exact()?;
        parts.leave();
        parts.end()?;
        let amount = some_amount(input)?;
        if self.credits.add(&asset, &buyer, amount) {
            return Ok(());
        }
        Err(bad("there is more credit in an asset than there may be"))
    }

    fn read_network(&mut self, key: u64, value: &[u8]) -> Result<(), Problem> {
        let mut value_input = Decoder::over(value);
        let input = &mut value_input;
        match key {
            network_key::GENESIS => {
                let payload = input.bytes()?.to_vec();
                let genesis = cairn_core::statement::genesis_of_payload(&payload).map_err(Problem::Statement)?;
                let id = NetworkId(Hash::of(&payload));
                self.network = Some(Network { id, genesis, payload });
            }
            network_key::RECEIVED => self.received_ms = input.uint()?,
            network_key::EPOCH => {
                input.array_exact(3)?;
                self.epoch =
                    OpenEpoch { number: input.uint()?, from: input.uint()?, previous: Hash(input.bytes_exact()?) };
            }
            network_key::MONEY => {
                input.array_exact(2)?;
                self.minted = Amount::decode(input)?;
                self.unallocated = Amount::decode(input)?;
            }
            network_key::DEPOSITED => self.deposited = some_amount(input)?,
            network_key::SUCCESSOR => {
                self.successor = Some(read_successor(value)?);
                return Ok(());
            }
            _ => return Err(CborError::Range { at: 0, what: "an unknown network record" }.into()),
        }
        Ok(input.end()?)
    }

    fn read_device(&mut self, key: &[u8], value: &[u8]) -> Result<(), Problem> {
        let mut input = Decoder::over(value);
        input.array_exact(7)?;
        let enrol = read_enrol(input.raw_value()?)?;
        names(key, &DeviceId::of_key(&enrol.key.multicodec()).0)?;
        let current = read_key(&mut input)?;
        let former = input.array()?;
        let former_keys: Vec<PublicKey> = (0..former).map(|_| read_key(&mut input)).collect::<Result<_, _>>()?;
        input.leave();
        let (enrolled_index, enrolled_ms) = (input.uint()?, input.uint()?);
        let mut device = self.device_of(&enrol, enrolled_index, enrolled_ms);
        device.keep_keys(current, &former_keys);
        device.retire(input.uint()?);
        device.names = NameRanges::decode(&mut input)?;
        input.end()?;
        // Counted when all are read; known from now on, so that the next device of the owner shares it.
        self.owned.entry(device.owner.clone()).or_default();
        self.devices.insert(DeviceId(fixed(key)?), Box::new(device));
        Ok(())
    }
}

fn read_key(input: &mut Decoder<'_>) -> Result<PublicKey, CborError> {
    let at = input.position();
    PublicKey::from_multicodec(input.bytes()?).ok_or(CborError::Range { at, what: "not an Ed25519 or P-256 key" })
}

struct Writer {
    records: Vec<Vec<u8>>,
}

impl Writer {
    fn put(&mut self, table: u64, key: &[u8], write: impl FnOnce(&mut Encoder)) {
        let mut value = Encoder::empty();
        write(&mut value);
        let mut record = Encoder::empty();
        record.array(3).uint(table).bytes(key).bytes(&value.into_bytes());
        // Exactly as long as it is: there are millions of them, and they are kept until the epoch is on disk.
        self.records.push(record.into_bytes().into_boxed_slice().into_vec());
    }
}

enum Problem {
    Cbor(CborError),
    Statement(StatementError),
    Document(String),
}

impl Problem {
    fn document(error: impl core::fmt::Display) -> Self {
        Self::Document(error.to_string())
    }

    fn at(self, position: usize) -> RecordError {
        match self {
            Self::Cbor(source) => RecordError::Form { position, source },
            Self::Statement(source) => RecordError::Statement { position, source },
            Self::Document(detail) => RecordError::Document { position, detail },
        }
    }
}

impl From<CborError> for Problem {
    fn from(error: CborError) -> Self {
        Self::Cbor(error)
    }
}

fn uint(value: u64) -> Vec<u8> {
    Encoder::empty().uint(value).take()
}

fn uint_key(key: &[u8]) -> Result<u64, CborError> {
    let mut input = Decoder::over(key);
    let value = input.uint()?;
    input.end()?;
    Ok(value)
}

fn two_uints(key: &[u8]) -> Result<(u64, u64), CborError> {
    let mut input = Decoder::over(key);
    input.array_exact(2)?;
    let both = (input.uint()?, input.uint()?);
    input.end()?;
    Ok(both)
}

fn text_and_uint(key: &[u8]) -> Result<(String, u64), CborError> {
    let mut input = Decoder::over(key);
    input.array_exact(2)?;
    let both = (input.text()?.to_owned(), input.uint()?);
    input.end()?;
    Ok(both)
}

/// The key that a record's value implies is the one it stands under.
fn names(key: &[u8], implied: &[u8]) -> Result<(), CborError> {
    if key == implied {
        return Ok(());
    }
    Err(CborError::Range { at: 0, what: "the record stands under another key than its value has" })
}

fn account_key(key: &[u8]) -> Result<Account, CborError> {
    let bad = CborError::Range { at: 0, what: "the key is not an account" };
    let text = core::str::from_utf8(key).map_err(|_| bad)?;
    // An account has more texts than the one that it is written as.
    Account::parse(text).ok().filter(|account| account.to_string() == text).ok_or(bad)
}

fn signer_key(key: &[u8]) -> Result<SignerName, CborError> {
    SignerName::from_bytes(key).ok_or(CborError::Range { at: 0, what: "the key is longer than any signer's name" })
}

fn fixed<const N: usize>(key: &[u8]) -> Result<[u8; N], CborError> {
    key.try_into().map_err(|_| CborError::Range { at: 0, what: "the key has another length" })
}

fn evm_chain_key(key: &[u8]) -> Result<Domain, CborError> {
    let chain = core::str::from_utf8(key).ok().and_then(|text| Domain::parse(text).ok());
    let chain = chain.filter(|chain| chain.evm_chain().is_some());
    chain.ok_or(CborError::Range { at: 0, what: "the key is not an EVM chain" })
}

/// A number of which none has no record.
fn positive(input: &mut Decoder<'_>) -> Result<u64, CborError> {
    let at = input.position();
    match input.uint()? {
        0 => Err(CborError::Range { at, what: "there is no record of none" }),
        number => Ok(number),
    }
}

/// An amount of which nothing has no record.
fn some_amount(input: &mut Decoder<'_>) -> Result<Amount, CborError> {
    let at = input.position();
    match Amount::decode(input)? {
        Amount::ZERO => Err(CborError::Range { at, what: "there is no record of nothing" }),
        amount => Ok(amount),
    }
}

const fn some_index(index: u64) -> Option<u64> {
    if index == 0 { None } else { Some(index) }
}

fn read_runs(input: &mut Decoder<'_>) -> Result<Vec<(u64, u64)>, CborError> {
    let at = input.position();
    let len = input.array()?;
    if len % 2 != 0 {
        return Err(CborError::Range { at, what: "runs come in pairs" });
    }
    (0..len / 2).map(|_| Ok((input.uint()?, input.uint()?))).collect()
}

macro_rules! read_body {
    ($name:ident, $variant:ident, $type:ty) => {
        fn $name(bytes: &[u8]) -> Result<$type, Problem> {
            match Body::decode(Schema::$variant, bytes) {
                Ok(Body::$variant(body)) => Ok(body),
                Ok(_) => Err(CborError::Range { at: 0, what: "another statement's body" }.into()),
                Err(error) => Err(Problem::Statement(error)),
            }
        }
    };
}

read_body!(read_enrol, Enrol, Enrol);
read_body!(read_domain, Domain, DomainTerms);
read_body!(read_auditors, AuditorSet, AuditorSet);
read_body!(read_successor, Successor, Successor);
