//! What a report says: the payload.

use crate::sensing::{self, Readings, SENSING};
use crate::sequence::Name;
use crate::writer::Writer;
use crate::{DeviceId, Error, form};

/// Where a device's clock came from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum ClockSource {
    /// It has none: the measured time is the time of receipt, and the report's own time counts for nothing.
    None = 0,
    /// A battery-backed clock.
    Rtc = 1,
    /// A mobile or radio network.
    Network = 2,
    /// NTP.
    Ntp = 3,
    /// A satellite fix.
    Gnss = 4,
}

impl ClockSource {
    /// The source of a number, 0 to 4.
    #[must_use]
    pub const fn of_number(number: u8) -> Option<Self> {
        match number {
            0 => Some(Self::None),
            1 => Some(Self::Rtc),
            2 => Some(Self::Network),
            3 => Some(Self::Ntp),
            4 => Some(Self::Gnss),
            _ => None,
        }
    }
}

/// Flags of a report.
pub mod flag {
    /// Somebody works on the device: unscored.
    pub const MAINTENANCE: u8 = 1;
    /// Sent later than measured, from a queue.
    pub const BACKFILLED: u8 = 2;
    /// The battery is low.
    pub const LOW_BATTERY: u8 = 4;
    /// All that are defined.
    pub const ALL: u8 = MAINTENANCE | BACKFILLED | LOW_BATTERY;
}

/// Where a report says it was made. A device that stands where it was enrolled says nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Place {
    /// An H3 cell, no finer than the policy allows.
    Cell(u64),
    /// An exact place, only of devices enrolled with one.
    Exact {
        /// Latitude, 1e-7 degree.
        lat_e7: i32,
        /// Longitude, 1e-7 degree.
        lon_e7: i32,
        /// Altitude in cm, and with it the error bound of the whole position in cm.
        altitude_cm: Option<(i32, Option<u32>)>,
    },
}

/// Something kept outside the log: its SHA-256 and its size in bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(C)]
pub struct Blob {
    /// SHA-256 of its bytes.
    pub hash: [u8; 32],
    /// Its bytes, below 2^63.
    pub bytes: u64,
}

/// What a report's class defines.
#[derive(Clone, Copy)]
pub enum Body<'a> {
    /// Readings, `sensing/1`.
    Sensing(&'a dyn Readings),
    /// The body of any other class, encoded by the caller, and checked for its form before it is signed.
    Encoded {
        /// The schema, 1 to 32 characters of printable ASCII.
        schema: &'a str,
        /// One item of deterministic CBOR.
        value: &'a [u8],
    },
}

/// A report that is put together: fields are checked when it is signed.
#[derive(Clone, Copy)]
#[must_use = "a report is nothing until it is signed"]
pub struct Report<'a> {
    name: Name,
    time_ms: u64,
    body: Body<'a>,
    clock: Option<(ClockSource, u64)>,
    previous: Option<[u8; 8]>,
    flags: u8,
    place: Option<Place>,
    subject: Option<DeviceId>,
    answers: &'a [[u8; 32]],
    blobs: &'a [Blob],
}

impl<'a> Report<'a> {
    /// A report of any class: its name, and the time of the measurement in ms since 1970 UTC, below 2^63.
    pub const fn of(name: Name, time_ms: u64, body: Body<'a>) -> Self {
        Self {
            name,
            time_ms,
            body,
            clock: None,
            previous: None,
            flags: 0,
            place: None,
            subject: None,
            answers: &[],
            blobs: &[],
        }
    }

    /// A report of readings: one [`Reading`](crate::Reading), an array of them, or anything that gives them one by one.
    pub const fn sensing(name: Name, time_ms: u64, readings: &'a dyn Readings) -> Self {
        Self::of(name, time_ms, Body::Sensing(readings))
    }

    /// Where the time came from, and how far off it may be in ms, below 2^63.
    pub const fn clock(mut self, source: ClockSource, error_ms: u64) -> Self {
        self.clock = Some((source, error_ms));
        self
    }

    /// The first 8 bytes of SHA-256 of this device's previous payload: [`Signed::previous`](crate::Signed::previous).
    pub const fn previous(mut self, hash: [u8; 8]) -> Self {
        self.previous = Some(hash);
        self
    }

    /// Flags, see [`flag`]; none are left out.
    pub const fn flags(mut self, flags: u8) -> Self {
        self.flags = flags;
        self
    }

    /// Where it was made.
    pub const fn place(mut self, place: Place) -> Self {
        self.place = Some(place);
        self
    }

    /// The device that a bridge signs for. Networks do not accept these yet.
    pub const fn subject(mut self, subject: DeviceId) -> Self {
        self.subject = Some(subject);
        self
    }

    /// Hashes of payloads answered, revealed or countersigned; none are left out.
    pub const fn answers(mut self, hashes: &'a [[u8; 32]]) -> Self {
        self.answers = hashes;
        self
    }

    /// What is kept outside the log; none is left out.
    pub const fn blobs(mut self, blobs: &'a [Blob]) -> Self {
        self.blobs = blobs;
        self
    }

    /// The bytes of the payload.
    pub(crate) fn payload_bytes(&self) -> Result<usize, Error> {
        let mut counted = Writer::over(&mut []);
        self.write_payload(&mut counted)?;
        Ok(counted.position())
    }

    /// Writes the payload, and checks each field as it comes.
    pub(crate) fn write_payload(&self, out: &mut Writer<'_>) -> Result<(), Error> {
        let optional = [
            self.clock.is_some(),
            self.previous.is_some(),
            self.flags != 0,
            self.place.is_some(),
            self.subject.is_some(),
            !self.answers.is_empty(),
            !self.blobs.is_empty(),
        ];
        out.map(optional.iter().fold(5, |fields: usize, present| fields.saturating_add((*present).into())));
        out.uint(1).uint(self.name.seq.into()).uint(2).uint(self.name.boot.into());
        out.uint(3).uint(within_63_bits(self.time_ms).ok_or(Error::Time)?);
        if let Some((source, error_ms)) = self.clock {
            let error_ms = within_63_bits(error_ms).ok_or(Error::ClockError)?;
            out.uint(4).array(2).uint((source as u8).into()).uint(error_ms);
        }
        if let Some(previous) = &self.previous {
            out.uint(5).bytes(previous);
        }
        self.write_body(out)?;
        if self.flags & !flag::ALL != 0 {
            return Err(Error::Flags);
        }
        if self.flags != 0 {
            out.uint(8).uint(self.flags.into());
        }
        if let Some(place) = self.place {
            out.uint(9);
            write_place(place, out)?;
        }
        if let Some(DeviceId(subject)) = &self.subject {
            out.uint(10).bytes(subject);
        }
        if !self.answers.is_empty() {
            out.uint(11).array(self.answers.len());
            for hash in self.answers {
                out.bytes(hash);
            }
        }
        if !self.blobs.is_empty() {
            out.uint(12).array(self.blobs.len());
            for (at, blob) in self.blobs.iter().enumerate() {
                let bytes = within_63_bits(blob.bytes).ok_or(Error::BlobSize { blob: at })?;
                out.array(2).bytes(&blob.hash).uint(bytes);
            }
        }
        Ok(())
    }

    fn write_body(&self, out: &mut Writer<'_>) -> Result<(), Error> {
        match self.body {
            Body::Sensing(readings) => {
                out.uint(6).text(SENSING).uint(7);
                sensing::write(readings, out)
            }
            Body::Encoded { schema, value } => {
                let printable = schema.bytes().all(|letter| matches!(letter, 0x20..=0x7e));
                if !printable || !(1..=crate::size::SCHEMA_BYTES_MAX).contains(&schema.len()) {
                    return Err(Error::Schema);
                }
                form::check(value)?;
                out.uint(6).text(schema).uint(7).raw(value);
                Ok(())
            }
        }
    }
}

impl core::fmt::Debug for Report<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Report").field("name", &self.name).field("time_ms", &self.time_ms).finish_non_exhaustive()
    }
}

const fn within_63_bits(value: u64) -> Option<u64> {
    if value > i64::MAX.cast_unsigned() { None } else { Some(value) }
}

fn write_place(place: Place, out: &mut Writer<'_>) -> Result<(), Error> {
    match place {
        Place::Cell(cell) if is_cell(cell) => {
            out.uint(cell);
        }
        Place::Cell(_) => return Err(Error::Cell),
        Place::Exact { lat_e7, lon_e7, altitude_cm } => {
            if lat_e7.unsigned_abs() > 900_000_000 || lon_e7.unsigned_abs() > 1_800_000_000 {
                return Err(Error::Position);
            }
            out.array(match altitude_cm {
                None => 2,
                Some((_, None)) => 3,
                Some((_, Some(_))) => 4,
            });
            out.int(lat_e7.into()).int(lon_e7.into());
            if let Some((altitude_cm, error_cm)) = altitude_cm {
                out.int(altitude_cm.into());
                if let Some(error_cm) = error_cm {
                    out.uint(error_cm.into());
                }
            }
        }
    }
    Ok(())
}

/// Whether an index has the form of an H3 cell: mode 1, nothing reserved, one of 122 base cells, digits down to its
/// resolution and none below. (Of the few that a pentagon lacks it says nothing.)
const fn is_cell(index: u64) -> bool {
    let resolution = (index >> 52) & 0xf;
    let mut digit = 1_u64;
    while digit <= 15 {
        let unused = (index >> (45_u64.saturating_sub(digit.saturating_mul(3)))) & 7 == 7;
        if unused != (digit > resolution) {
            return false;
        }
        digit = digit.saturating_add(1);
    }
    index >> 63 == 0 && (index >> 59) & 0xf == 1 && (index >> 56) & 7 == 0 && (index >> 45) & 0x7f < 122
}
