//! What is said on the market of work: offers of workers, licences of owners, orders of buyers, replays of auditors.
//!
//! Only the form is decided here. Who is assigned, what counts as done and who is paid follows from the log, by the rules of
//! the class `compute/1` (`docs/reference/compute.md`).

use super::read::read_map;
use crate::cbor::{self, CborError, Decoder, Encoder};
use crate::{Account, Amount, DeviceId, Hash, JobId, Ppm};

/// The most inputs of an order.
pub const ORDER_INPUTS_MAX: usize = 16;

/// The most bytes of an order's arguments.
pub const ORDER_ARGUMENTS_MAX: usize = 4_096;

/// The most workers that do one job.
pub const REPLICAS_MAX: u8 = 8;

/// The most jobs that a worker does at once.
pub const CAPACITY_MAX: u32 = 64;

/// The most modules that a licence allows by name.
pub const LICENCE_MODULES_MAX: usize = 16;

/// The most gas of a job: what the body of a report can say.
pub const ORDER_GAS_MAX: u64 = i64::MAX.cast_unsigned();

/// Bytes by their SHA-256 and length, kept outside the log.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Blob {
    /// SHA-256 of the bytes.
    pub hash: Hash,
    /// How many they are, below 2^63.
    pub bytes: u64,
}

impl Blob {
    fn write(&self, out: &mut Encoder) {
        out.array(2).bytes(&self.hash.0).uint(self.bytes);
    }

    fn read(input: &mut Decoder<'_>) -> cbor::Result<Self> {
        input.array_exact(2)?;
        let hash = Hash(input.bytes_exact()?);
        let bytes = within(input, 0, i64::MAX.cast_unsigned(), "a blob's length is below 2^63")?;
        input.leave();
        Ok(Self { hash, bytes })
    }
}

/// What a module may use of WebAssembly.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum RunProfile {
    /// Integers only: a module that mentions floats is refused.
    DetInt,
    /// Floats too, every NaN in its canonical form.
    DetFloat,
}

impl RunProfile {
    /// The number in the format.
    #[must_use]
    pub const fn number(self) -> u64 {
        self as u64
    }

    /// The profile of a number.
    #[must_use]
    pub const fn from_number(number: u64) -> Option<Self> {
        match number {
            0 => Some(Self::DetInt),
            1 => Some(Self::DetFloat),
            _ => None,
        }
    }

    /// The word for it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::DetInt => "det-int",
            Self::DetFloat => "det-float",
        }
    }

    /// Its bit in an offer's profiles.
    #[must_use]
    pub const fn bit(self) -> u8 {
        1 << self as u8
    }
}

/// A worker offers to work; the device's key signs. It takes the place of the device's earlier offer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Offer {
    /// 1: the worker.
    pub device: DeviceId,
    /// 2: base units of the network's asset for 10^9 gas.
    pub price: Amount,
    /// 3: jobs at once, 1 to [`CAPACITY_MAX`].
    pub capacity: u32,
    /// 4: the most gas of one job.
    pub gas_max: u64,
    /// 5: the most memory of one job, in pages of 64 KiB.
    pub pages_max: u32,
    /// 6: what it runs: bits of [`RunProfile::bit`], at least one.
    pub profiles: u8,
    /// 7: until when, ms since 1970 UTC; not after its receipt, it withdraws the offer.
    pub until_ms: u64,
}

impl Offer {
    pub(super) fn write(&self, out: &mut Encoder) {
        out.map(7).int(1).bytes(&self.device.0).int(2);
        self.price.encode(out);
        out.int(3).uint(self.capacity.into()).int(4).uint(self.gas_max).int(5).uint(self.pages_max.into());
        out.int(6).uint(self.profiles.into()).int(7).uint(self.until_ms);
    }

    pub(super) fn read(input: &mut Decoder<'_>) -> cbor::Result<Self> {
        read_map!(input, keys, {
            1 => device = DeviceId(input.bytes_exact()?),
            2 => price = Amount::decode(input)?,
            3 => capacity = small(input, 1, CAPACITY_MAX, "a capacity is 1 to 64 jobs")?,
            4 => gas_max = within(input, 0, ORDER_GAS_MAX, "gas is below 2^63")?,
            5 => pages_max = input.uint32()?,
            6 => profiles = small(input, 1, 3, "profiles are two bits, at least one of them set")?,
            7 => until_ms = input.uint()?,
        });
        Ok(Self {
            device: keys.required(1, device)?,
            price: keys.required(2, price)?,
            capacity: keys.required(3, capacity)?,
            gas_max: keys.required(4, gas_max)?,
            pages_max: keys.required(5, pages_max)?,
            profiles: u8::try_from(keys.required(6, profiles)?).expect("two bits"),
            until_ms: keys.required(7, until_ms)?,
        })
    }
}

/// The owner of a content (a model, a data set, a module) says what its use costs; the owner signs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Licence {
    /// 1: who is paid.
    pub owner: Account,
    /// 2: SHA-256 of the content.
    pub content: Hash,
    /// 3: base units for each job that uses it.
    pub price: Amount,
    /// 4: and a share of the price of the work.
    pub share: Ppm,
    /// 5: the modules that may use it, ascending; none: any.
    pub modules: Vec<Hash>,
    /// 6: until when, ms since 1970 UTC; not after its receipt, it withdraws the licence.
    pub until_ms: u64,
}

impl Licence {
    /// Whether a module may use the content. The content itself, when it is a module, needs no leave.
    #[must_use]
    pub fn allows(&self, module: &Hash) -> bool {
        *module == self.content || self.modules.is_empty() || self.modules.contains(module)
    }

    /// The canonical bytes of the body.
    pub(super) fn write(&self, out: &mut Encoder) {
        out.map(6).int(1);
        self.owner.encode(out);
        out.int(2).bytes(&self.content.0).int(3);
        self.price.encode(out);
        out.int(4).uint(self.share.get().into()).int(5).array(self.modules.len());
        for module in &self.modules {
            out.bytes(&module.0);
        }
        out.int(6).uint(self.until_ms);
    }

    pub(super) fn read(input: &mut Decoder<'_>) -> cbor::Result<Self> {
        read_map!(input, keys, {
            1 => owner = Account::decode(input)?,
            2 => content = Hash(input.bytes_exact()?),
            3 => price = Amount::decode(input)?,
            4 => share = ppm(input)?,
            5 => modules = {
                let at = input.position();
                let modules = input.list(LICENCE_MODULES_MAX, |item| item.bytes_exact().map(Hash))?;
                if !modules.is_sorted_by(|a, b| a < b) {
                    return Err(CborError::Range { at, what: "a licence's modules ascend" });
                }
                modules
            },
            6 => until_ms = input.uint()?,
        });
        Ok(Self {
            owner: keys.required(1, owner)?,
            content: keys.required(2, content)?,
            price: keys.required(3, price)?,
            share: keys.required(4, share)?,
            modules: keys.required(5, modules)?,
            until_ms: keys.required(6, until_ms)?,
        })
    }
}

/// A buyer orders the run of a module; the buyer signs, and credit is locked. The job's name is the hash of the payload.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Order {
    /// 1: who pays: from its credit in the network's own asset on the account's chain.
    pub buyer: Account,
    /// 2: the module.
    pub module: Blob,
    /// 3: the inputs, by position.
    pub inputs: Vec<Blob>,
    /// 4: the arguments.
    pub arguments: Vec<u8>,
    /// 5: the version of the gas table, and the profile.
    pub gas_table: u32,
    /// 5, second part.
    pub profile: RunProfile,
    /// 6: the most gas.
    pub gas: u64,
    /// 7: the most memory, in pages of 64 KiB.
    pub pages: u32,
    /// 8: the most bytes of output.
    pub output_bytes: u32,
    /// 9: the most base units for 10^9 gas.
    pub price: Amount,
    /// 10: how many workers do it, 1 to [`REPLICAS_MAX`].
    pub replicas: u8,
    /// 11: the least chance of a replay; the network's own least counts too.
    pub sample: Ppm,
    /// 12: how long workers have to commit, from receipt, ms.
    pub commit_ms: u64,
    /// 13: the most that may be locked, base units.
    pub most: Amount,
    /// 14: where the rest of the lock is paid to; back to the buyer's credit when absent.
    pub refund: Option<Account>,
}

impl Order {
    /// The module and the inputs.
    pub fn blobs(&self) -> impl Iterator<Item = &Blob> {
        core::iter::once(&self.module).chain(&self.inputs)
    }

    pub(super) fn write(&self, out: &mut Encoder) {
        out.map(13 + usize::from(self.refund.is_some())).int(1);
        self.buyer.encode(out);
        out.int(2);
        self.module.write(out);
        out.int(3).array(self.inputs.len());
        for input in &self.inputs {
            input.write(out);
        }
        out.int(4).bytes(&self.arguments).int(5).array(2).uint(self.gas_table.into()).uint(self.profile.number());
        out.int(6).uint(self.gas).int(7).uint(self.pages.into()).int(8).uint(self.output_bytes.into()).int(9);
        self.price.encode(out);
        out.int(10).uint(self.replicas.into()).int(11).uint(self.sample.get().into()).int(12).uint(self.commit_ms);
        out.int(13);
        self.most.encode(out);
        if let Some(refund) = &self.refund {
            out.int(14);
            refund.encode(out);
        }
    }

    pub(super) fn read(input: &mut Decoder<'_>) -> cbor::Result<Self> {
        read_map!(input, keys, {
            1 => buyer = Account::decode(input)?,
            2 => module = Blob::read(input)?,
            3 => inputs = input.list(ORDER_INPUTS_MAX, Blob::read)?,
            4 => arguments = read_arguments(input)?,
            5 => rules = read_rules(input)?,
            6 => gas = within(input, 0, ORDER_GAS_MAX, "gas is below 2^63")?,
            7 => pages = input.uint32()?,
            8 => output_bytes = input.uint32()?,
            9 => price = Amount::decode(input)?,
            10 => replicas = small(input, 1, REPLICAS_MAX.into(), "one to eight workers do a job")?,
            11 => sample = ppm(input)?,
            12 => commit_ms = input.uint()?,
            13 => most = Amount::decode(input)?,
            14 => refund = Account::decode(input)?,
        });
        let (gas_table, profile) = keys.required(5, rules)?;
        Ok(Self {
            buyer: keys.required(1, buyer)?,
            module: keys.required(2, module)?,
            inputs: keys.required(3, inputs)?,
            arguments: keys.required(4, arguments)?,
            gas_table,
            profile,
            gas: keys.required(6, gas)?,
            pages: keys.required(7, pages)?,
            output_bytes: keys.required(8, output_bytes)?,
            price: keys.required(9, price)?,
            replicas: u8::try_from(keys.required(10, replicas)?).expect("at most eight"),
            sample: keys.required(11, sample)?,
            commit_ms: keys.required(12, commit_ms)?,
            most: keys.required(13, most)?,
            refund,
        })
    }
}

impl JobId {
    /// A buyer takes an order back: `{1: job}`.
    pub(super) fn write(&self, out: &mut Encoder) {
        out.map(1).int(1).bytes(&self.0.0);
    }

    pub(super) fn read(input: &mut Decoder<'_>) -> cbor::Result<Self> {
        read_map!(input, keys, { 1 => job = Self(Hash(input.bytes_exact()?)), });
        keys.required(1, job)
    }
}

/// An auditor ran a job again and says what came out; the auditor signs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Replay {
    /// 1: the job.
    pub job: JobId,
    /// 2: the digest of its result.
    pub digest: Hash,
}

impl Replay {
    pub(super) fn write(&self, out: &mut Encoder) {
        out.map(2).int(1).bytes(&self.job.0.0).int(2).bytes(&self.digest.0);
    }

    pub(super) fn read(input: &mut Decoder<'_>) -> cbor::Result<Self> {
        read_map!(input, keys, {
            1 => job = JobId(Hash(input.bytes_exact()?)),
            2 => digest = Hash(input.bytes_exact()?),
        });
        Ok(Self { job: keys.required(1, job)?, digest: keys.required(2, digest)? })
    }
}

fn within(input: &mut Decoder<'_>, least: u64, most: u64, what: &'static str) -> cbor::Result<u64> {
    let at = input.position();
    let number = input.uint()?;
    if (least..=most).contains(&number) { Ok(number) } else { Err(CborError::Range { at, what }) }
}

fn small(input: &mut Decoder<'_>, least: u32, most: u32, what: &'static str) -> cbor::Result<u32> {
    within(input, least.into(), most.into(), what).map(|number| u32::try_from(number).expect("at most a u32"))
}

fn ppm(input: &mut Decoder<'_>) -> cbor::Result<Ppm> {
    let at = input.position();
    Ppm::of(input.uint32()?).ok_or(CborError::Range { at, what: "a share is at most one million" })
}

fn read_arguments(input: &mut Decoder<'_>) -> cbor::Result<Vec<u8>> {
    let at = input.position();
    let arguments = input.bytes()?;
    if arguments.len() > ORDER_ARGUMENTS_MAX {
        return Err(CborError::Range { at, what: "arguments are at most 4,096 bytes" });
    }
    Ok(arguments.to_vec())
}

fn read_rules(input: &mut Decoder<'_>) -> cbor::Result<(u32, RunProfile)> {
    input.array_exact(2)?;
    let gas_table = input.uint32()?;
    let at = input.position();
    let profile = RunProfile::from_number(input.uint()?);
    let profile = profile.ok_or(CborError::Range { at, what: "a profile is 0 (det-int) or 1 (det-float)" })?;
    input.leave();
    Ok((gas_table, profile))
}
