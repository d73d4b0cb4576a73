//! What statements say: one type per schema, each with its canonical bytes.

use super::StatementError;
use crate::cbor::{self, CborError, Decoder, Encoder};
use crate::key::PublicKey;
use crate::{Account, DeviceId, Domain, Hash};

macro_rules! schemas {
    ($($(#[$doc:meta])* $variant:ident($body:ty) = $name:literal,)+) => {
        /// The schemas of statements, v1.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
        pub enum Schema {
            $($(#[$doc])* $variant,)+
        }

        impl Schema {
            /// Every schema.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// The text in the payload.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }

            /// The schema of a text.
            #[must_use]
            pub fn parse(text: &str) -> Option<Self> {
                match text { $($name => Some(Self::$variant),)+ _ => None }
            }
        }

        /// A statement's body.
        #[derive(Clone, PartialEq, Eq, Debug)]
        pub enum Body {
            $($(#[$doc])* $variant($body),)+
        }

        impl Body {
            /// Its schema.
            #[must_use]
            pub const fn schema(&self) -> Schema {
                match self { $(Self::$variant(_) => Schema::$variant,)+ }
            }

            /// The canonical bytes.
            #[must_use]
            pub fn encode(&self) -> Vec<u8> {
                let mut out = Encoder::empty();
                match self { $(Self::$variant(body) => body.write(&mut out),)+ }
                out.into_bytes()
            }

            /// Reads a body of `schema`.
            ///
            /// # Errors
            /// [`StatementError`].
            pub fn decode(schema: Schema, bytes: &[u8]) -> Result<Self, StatementError> {
                let mut input = Decoder::over(bytes);
                let body = match schema { $(Schema::$variant => Self::$variant(<$body>::read(&mut input)?),)+ };
                input.end()?;
                Ok(body)
            }
        }
    };
}

schemas! {
    /// Entry 0: what the network is.
    Genesis(Genesis) = "genesis",
    /// A device joins an owner.
    Enrol(Enrol) = "enrol",
    /// A device changes owner.
    Transfer(Transfer) = "transfer",
    /// A device leaves.
    Retire(DeviceId) = "retire",
    /// A device changes its key.
    Rotate(Rotate) = "rotate",
    /// An owner names the account that is paid.
    Payee(PayeeChoice) = "payee",
    /// The rules of money from an epoch on.
    Policy(PolicyDocument) = "policy",
    /// A class's thresholds from an epoch on.
    Profile(ProfileDocument) = "profile",
    /// Two payloads under one name.
    Conflict(Conflict) = "conflict",
    /// The operator stops paying a device, with reasons.
    Deny(Deny) = "deny",
    /// An owner answers a denial.
    Appeal(Appeal) = "appeal",
    /// A settlement chain.
    Domain(DomainTerms) = "domain",
    /// The auditors whose signatures count.
    AuditorSet(AuditorSet) = "auditor-set",
    /// Where the log continues.
    Successor(Successor) = "successor",
}

/// Reads one map: every key once, none unknown, the required ones present.
macro_rules! read_map {
    ($input:ident, $keys:ident, { $($key:literal => $field:ident = $read:expr,)+ }) => {
        let mut $keys = $input.map()?;
        $(let mut $field = None;)+
        while let Some(key) = $keys.next_key($input)? {
            match key {
                $($key => $field = Some($read),)+
                _ => $keys.unknown($input, key)?,
            }
        }
        $input.leave();
    };
}

fn public_key(input: &mut Decoder<'_>) -> cbor::Result<PublicKey> {
    let at = input.position();
    PublicKey::from_multicodec(input.bytes()?).ok_or(CborError::Range { at, what: "not an Ed25519 or P-256 key" })
}

fn text_within(input: &mut Decoder<'_>, max: usize) -> cbor::Result<String> {
    let at = input.position();
    let text = input.text()?;
    let printable = text.bytes().all(|byte| (0x20..0x7f).contains(&byte));
    if text.len() > max || !printable {
        return Err(CborError::Range { at, what: "text is too long or not printable" });
    }
    Ok(text.to_owned())
}

fn list<T>(
    input: &mut Decoder<'_>,
    max: usize,
    mut item: impl FnMut(&mut Decoder<'_>) -> cbor::Result<T>,
) -> cbor::Result<Vec<T>> {
    let at = input.position();
    let len = input.array()?;
    if len > max {
        return Err(CborError::Range { at, what: "the list is too long" });
    }
    let mut items = Vec::new();
    for _ in 0..len {
        items.push(item(input)?);
    }
    input.leave();
    Ok(items)
}

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
    fn write(&self, out: &mut Encoder) {
        out.map(11).int(1).bytes(&self.random).int(2).text(&self.name).int(3).text(&self.origin);
        out.int(4).bytes(&self.operator.multicodec()).int(5).bytes(&self.log_key).int(6).bytes(&self.promise_key);
        out.int(7).uint(self.epoch_zero_ms).int(8).uint(self.epoch_ms).int(9).uint(self.grace_ms);
        out.int(10).bytes(&self.policy_hash.0).int(11).array(self.rehearsed.len());
        for what in &self.rehearsed {
            out.text(what);
        }
    }

    fn read(input: &mut Decoder<'_>) -> cbor::Result<Self> {
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
            11 => rehearsed = list(input, 16, |item| text_within(item, 200))?,
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

/// What a device does for the network.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Role {
    /// Reports what it does or measures.
    Device,
    /// Signs for other devices.
    Bridge,
    /// Orders work.
    Buyer,
    /// Does bought work.
    Worker,
    /// A reference that outranks a crowd.
    Anchor,
}

impl Role {
    const ALL: [Self; 5] = [Self::Device, Self::Bridge, Self::Buyer, Self::Worker, Self::Anchor];

    /// The number in the format, 0 to 4.
    #[must_use]
    pub const fn number(self) -> u64 {
        self as u64
    }

    /// The role of a number.
    #[must_use]
    pub fn from_number(number: u64) -> Option<Self> {
        Self::ALL.get(usize::try_from(number).ok()?).copied()
    }

    /// The word for it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Device => "device",
            Self::Bridge => "bridge",
            Self::Buyer => "buyer",
            Self::Worker => "worker",
            Self::Anchor => "anchor",
        }
    }
}

/// Whether a device stays where it is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Mobility {
    /// It stays.
    Fixed,
    /// It moves.
    Mobile,
}

/// A device joins an owner: the device key signs every field, the owner countersigns.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Enrol {
    /// 1: the device's first key; its id derives from it.
    pub key: PublicKey,
    /// 2: the owner.
    pub owner: Account,
    /// 3: what it does.
    pub role: Role,
    /// 4: the classes it reports for, such as `sensing/1`.
    pub classes: Vec<String>,
    /// 5: the model, as the owner calls it.
    pub model: String,
    /// 6: whether it moves.
    pub mobility: Mobility,
    /// 7: its H3 cell, no finer than the policy's resolution.
    pub cell: u64,
    /// 8: its exact place, when the owner opted in: latitude and longitude in 1e-7 degree.
    pub exact: Option<(i32, i32)>,
    /// 9: altitude above sea level in cm.
    pub altitude_cm: Option<i32>,
}

impl Enrol {
    fn write(&self, out: &mut Encoder) {
        out.map(7 + usize::from(self.exact.is_some()) + usize::from(self.altitude_cm.is_some()));
        out.int(1).bytes(&self.key.multicodec()).int(2);
        self.owner.encode(out);
        out.int(3).uint(self.role.number()).int(4).array(self.classes.len());
        for class in &self.classes {
            out.text(class);
        }
        out.int(5).text(&self.model).int(6).uint(self.mobility as u64).int(7).uint(self.cell);
        if let Some((lat_e7, lon_e7)) = self.exact {
            out.int(8).array(2).int(lat_e7.into()).int(lon_e7.into());
        }
        if let Some(altitude_cm) = self.altitude_cm {
            out.int(9).int(altitude_cm.into());
        }
    }

    fn read(input: &mut Decoder<'_>) -> cbor::Result<Self> {
        read_map!(input, keys, {
            1 => key = public_key(input)?,
            2 => owner = Account::decode(input)?,
            3 => role = {
                let at = input.position();
                Role::from_number(input.uint()?).ok_or(CborError::Range { at, what: "a role other than 0 to 4" })?
            },
            4 => classes = list(input, 8, |item| text_within(item, 32))?,
            5 => model = text_within(input, 64)?,
            6 => mobility = read_mobility(input)?,
            7 => cell = input.uint()?,
            8 => exact = read_exact(input)?,
            9 => altitude_cm = read_i32(input)?,
        });
        Ok(Self {
            key: keys.required(1, key)?,
            owner: keys.required(2, owner)?,
            role: keys.required(3, role)?,
            classes: keys.required(4, classes)?,
            model: keys.required(5, model)?,
            mobility: keys.required(6, mobility)?,
            cell: keys.required(7, cell)?,
            exact,
            altitude_cm,
        })
    }
}

fn read_mobility(input: &mut Decoder<'_>) -> cbor::Result<Mobility> {
    let at = input.position();
    match input.uint()? {
        0 => Ok(Mobility::Fixed),
        1 => Ok(Mobility::Mobile),
        _ => Err(CborError::Range { at, what: "mobility is 0 (fixed) or 1 (mobile)" }),
    }
}

fn read_i32(input: &mut Decoder<'_>) -> cbor::Result<i32> {
    let at = input.position();
    i32::try_from(input.int()?).map_err(|_| CborError::Range { at, what: "the number is out of range" })
}

fn read_exact(input: &mut Decoder<'_>) -> cbor::Result<(i32, i32)> {
    let at = input.position();
    input.array_exact(2)?;
    let exact = (read_i32(input)?, read_i32(input)?);
    input.leave();
    if exact.0.unsigned_abs() > 900_000_000 || exact.1.unsigned_abs() > 1_800_000_000 {
        return Err(CborError::Range { at, what: "a position outside the globe" });
    }
    Ok(exact)
}

/// A device changes owner; both owners sign.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Transfer {
    /// 1: the device.
    pub device: DeviceId,
    /// 2: the next owner.
    pub owner: Account,
}

impl Transfer {
    fn write(&self, out: &mut Encoder) {
        out.map(2).int(1).bytes(&self.device.0).int(2);
        self.owner.encode(out);
    }

    fn read(input: &mut Decoder<'_>) -> cbor::Result<Self> {
        read_map!(input, keys, {
            1 => device = DeviceId(input.bytes_exact()?),
            2 => owner = Account::decode(input)?,
        });
        Ok(Self { device: keys.required(1, device)?, owner: keys.required(2, owner)? })
    }
}

impl DeviceId {
    fn write(&self, out: &mut Encoder) {
        out.map(1).int(1).bytes(&self.0);
    }

    fn read(input: &mut Decoder<'_>) -> cbor::Result<Self> {
        read_map!(input, keys, { 1 => device = Self(input.bytes_exact()?), });
        keys.required(1, device)
    }
}

/// A device changes its key; the owner and the next key sign.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Rotate {
    /// 1: the device.
    pub device: DeviceId,
    /// 2: its next key.
    pub key: PublicKey,
}

impl Rotate {
    fn write(&self, out: &mut Encoder) {
        out.map(2).int(1).bytes(&self.device.0).int(2).bytes(&self.key.multicodec());
    }

    fn read(input: &mut Decoder<'_>) -> cbor::Result<Self> {
        read_map!(input, keys, {
            1 => device = DeviceId(input.bytes_exact()?),
            2 => key = public_key(input)?,
        });
        Ok(Self { device: keys.required(1, device)?, key: keys.required(2, key)? })
    }
}

/// An owner names the account that is paid for its devices from now on; the owner signs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PayeeChoice {
    /// 1: the owner.
    pub owner: Account,
    /// 2: the account to pay.
    pub payee: Account,
}

impl PayeeChoice {
    fn write(&self, out: &mut Encoder) {
        out.map(2).int(1);
        self.owner.encode(out);
        out.int(2);
        self.payee.encode(out);
    }

    fn read(input: &mut Decoder<'_>) -> cbor::Result<Self> {
        read_map!(input, keys, {
            1 => owner = Account::decode(input)?,
            2 => payee = Account::decode(input)?,
        });
        Ok(Self { owner: keys.required(1, owner)?, payee: keys.required(2, payee)? })
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
    fn write(&self, out: &mut Encoder) {
        out.map(2).int(1).uint(self.first_epoch).int(2).bytes(&self.document);
    }

    fn read(input: &mut Decoder<'_>) -> cbor::Result<Self> {
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
    fn write(&self, out: &mut Encoder) {
        out.map(3).int(1).uint(self.first_epoch).int(2).text(&self.class).int(3).bytes(&self.document);
    }

    fn read(input: &mut Decoder<'_>) -> cbor::Result<Self> {
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

/// Two signed reports with one name and different payloads; anyone may submit them, once.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Conflict {
    /// 1: one signed report.
    pub first: Vec<u8>,
    /// 2: the other.
    pub second: Vec<u8>,
}

impl Conflict {
    fn write(&self, out: &mut Encoder) {
        out.map(2).int(1).bytes(&self.first).int(2).bytes(&self.second);
    }

    fn read(input: &mut Decoder<'_>) -> cbor::Result<Self> {
        read_map!(input, keys, {
            1 => first = input.bytes()?.to_vec(),
            2 => second = input.bytes()?.to_vec(),
        });
        Ok(Self { first: keys.required(1, first)?, second: keys.required(2, second)? })
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
    fn write(&self, out: &mut Encoder) {
        out.map(4).int(1).bytes(&self.device.0).int(2).text(&self.reason).int(3).array(self.evidence.len());
        for &index in &self.evidence {
            out.uint(index);
        }
        out.int(4).uint(self.until_ms);
    }

    fn read(input: &mut Decoder<'_>) -> cbor::Result<Self> {
        read_map!(input, keys, {
            1 => device = DeviceId(input.bytes_exact()?),
            2 => reason = text_within(input, 64)?,
            3 => evidence = list(input, 256, |item| item.uint())?,
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

/// An owner answers a denial.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Appeal {
    /// 1: the entry index of the denial.
    pub deny: u64,
    /// 2: what the owner says.
    pub text: String,
    /// 3: the entries that show it.
    pub evidence: Vec<u64>,
}

impl Appeal {
    fn write(&self, out: &mut Encoder) {
        out.map(3).int(1).uint(self.deny).int(2).text(&self.text).int(3).array(self.evidence.len());
        for &index in &self.evidence {
            out.uint(index);
        }
    }

    fn read(input: &mut Decoder<'_>) -> cbor::Result<Self> {
        read_map!(input, keys, {
            1 => deny = input.uint()?,
            2 => text = text_within(input, 1_000)?,
            3 => evidence = list(input, 256, |item| item.uint())?,
        });
        Ok(Self { deny: keys.required(1, deny)?, text: keys.required(2, text)?, evidence: keys.required(3, evidence)? })
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
    fn write(&self, out: &mut Encoder) {
        out.map(4).int(1).text(self.domain.as_str()).int(2).bytes(&self.distributor);
        out.int(3).text(&self.token).int(4).uint(self.finality_blocks);
    }

    fn read(input: &mut Decoder<'_>) -> cbor::Result<Self> {
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
    fn write(&self, out: &mut Encoder) {
        out.map(3).int(1).uint(self.first_epoch).int(2).uint(self.quorum).int(3).array(self.auditors.len());
        for auditor in &self.auditors {
            out.bytes(auditor);
        }
    }

    fn read(input: &mut Decoder<'_>) -> cbor::Result<Self> {
        let at = input.position();
        read_map!(input, keys, {
            1 => first_epoch = input.uint()?,
            2 => quorum = input.uint()?,
            3 => auditors = list(input, 64, |item| item.bytes_exact())?,
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
    fn write(&self, out: &mut Encoder) {
        out.map(2).int(1).text(&self.origin).int(2).bytes(&self.log_key);
    }

    fn read(input: &mut Decoder<'_>) -> cbor::Result<Self> {
        read_map!(input, keys, {
            1 => origin = text_within(input, 255)?,
            2 => log_key = input.bytes_exact()?,
        });
        Ok(Self { origin: keys.required(1, origin)?, log_key: keys.required(2, log_key)? })
    }
}
