//! What owners say of their devices, and anybody of a device's two tongues.

use super::read::{public_key, read_map, text_within};
use crate::cbor::{self, CborError, Decoder, Encoder};
use crate::key::PublicKey;
use crate::{Account, DeviceId};

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
    pub(super) fn write(&self, out: &mut Encoder) {
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

    pub(super) fn read(input: &mut Decoder<'_>) -> cbor::Result<Self> {
        read_map!(input, keys, {
            1 => key = public_key(input)?,
            2 => owner = Account::decode(input)?,
            3 => role = {
                let at = input.position();
                Role::from_number(input.uint()?).ok_or(CborError::Range { at, what: "a role other than 0 to 4" })?
            },
            4 => classes = input.list(8, |item| text_within(item, 32))?,
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
    pub(super) fn write(&self, out: &mut Encoder) {
        out.map(2).int(1).bytes(&self.device.0).int(2);
        self.owner.encode(out);
    }

    pub(super) fn read(input: &mut Decoder<'_>) -> cbor::Result<Self> {
        read_map!(input, keys, {
            1 => device = DeviceId(input.bytes_exact()?),
            2 => owner = Account::decode(input)?,
        });
        Ok(Self { device: keys.required(1, device)?, owner: keys.required(2, owner)? })
    }
}

impl DeviceId {
    pub(super) fn write(&self, out: &mut Encoder) {
        out.map(1).int(1).bytes(&self.0);
    }

    pub(super) fn read(input: &mut Decoder<'_>) -> cbor::Result<Self> {
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
    pub(super) fn write(&self, out: &mut Encoder) {
        out.map(2).int(1).bytes(&self.device.0).int(2).bytes(&self.key.multicodec());
    }

    pub(super) fn read(input: &mut Decoder<'_>) -> cbor::Result<Self> {
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
    pub(super) fn write(&self, out: &mut Encoder) {
        out.map(2).int(1);
        self.owner.encode(out);
        out.int(2);
        self.payee.encode(out);
    }

    pub(super) fn read(input: &mut Decoder<'_>) -> cbor::Result<Self> {
        read_map!(input, keys, {
            1 => owner = Account::decode(input)?,
            2 => payee = Account::decode(input)?,
        });
        Ok(Self { owner: keys.required(1, owner)?, payee: keys.required(2, payee)? })
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
    pub(super) fn write(&self, out: &mut Encoder) {
        out.map(2).int(1).bytes(&self.first).int(2).bytes(&self.second);
    }

    pub(super) fn read(input: &mut Decoder<'_>) -> cbor::Result<Self> {
        read_map!(input, keys, {
            1 => first = input.bytes()?.to_vec(),
            2 => second = input.bytes()?.to_vec(),
        });
        Ok(Self { first: keys.required(1, first)?, second: keys.required(2, second)? })
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
    pub(super) fn write(&self, out: &mut Encoder) {
        out.map(3).int(1).uint(self.deny).int(2).text(&self.text).int(3).array(self.evidence.len());
        for &index in &self.evidence {
            out.uint(index);
        }
    }

    pub(super) fn read(input: &mut Decoder<'_>) -> cbor::Result<Self> {
        read_map!(input, keys, {
            1 => deny = input.uint()?,
            2 => text = text_within(input, 1_000)?,
            3 => evidence = input.list(256, |item| item.uint())?,
        });
        Ok(Self { deny: keys.required(1, deny)?, text: keys.required(2, text)?, evidence: keys.required(3, evidence)? })
    }
}
