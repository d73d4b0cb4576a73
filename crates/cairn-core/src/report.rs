//! Report v1: the exact bytes that a device signed, and what they say.

use thiserror::Error;

use crate::cbor::{self, CborError, Decoder, Encoder, Value};
use crate::cose::{self, CoseError, Purpose, Sign1};
use crate::key::SecretKey;
use crate::{DeviceId, Hash, NetworkId};

/// The most bytes of one report, signature and headers included.
pub const REPORT_BYTES_MAX: usize = 32_000;

/// `(device, boot, seq)`: a report's name, which counts once.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ReportName {
    /// The device that signed.
    pub device: DeviceId,
    /// Its boot counter.
    pub boot: u32,
    /// The sequence number within that boot.
    pub seq: u32,
}

/// Where a device's clock came from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ClockSource {
    /// It has none: the measured time is the time of receipt.
    None,
    /// A battery-backed clock.
    Rtc,
    /// A mobile or radio network.
    Network,
    /// NTP.
    Ntp,
    /// A satellite fix.
    Gnss,
}

impl ClockSource {
    const fn from_number(number: u64) -> Option<Self> {
        match number {
            0 => Some(Self::None),
            1 => Some(Self::Rtc),
            2 => Some(Self::Network),
            3 => Some(Self::Ntp),
            4 => Some(Self::Gnss),
            _ => None,
        }
    }

    /// The number that stands for it in a report.
    #[must_use]
    pub const fn number(self) -> u64 {
        match self {
            Self::None => 0,
            Self::Rtc => 1,
            Self::Network => 2,
            Self::Ntp => 3,
            Self::Gnss => 4,
        }
    }
}

/// Where a report says it was made.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ReportedPlace {
    /// An H3 cell.
    Cell(u64),
    /// An exact place: latitude and longitude in 1e-7 degree, altitude in cm, error in cm. Only after opt-in.
    Exact {
        /// Latitude, 1e-7 degree.
        lat_e7: i64,
        /// Longitude, 1e-7 degree.
        lon_e7: i64,
        /// Altitude in cm, and the error bound of the whole position in cm.
        altitude: Option<(i64, Option<i64>)>,
    },
}

/// Bits of field 8.
pub mod flag {
    /// Somebody works on the device: unscored.
    pub const MAINTENANCE: u64 = 1;
    /// Sent later than measured, from a queue.
    pub const BACKFILLED: u64 = 2;
    /// The battery is low.
    pub const LOW_BATTERY: u64 = 4;
    /// All that are defined.
    pub const ALL: u64 = MAINTENANCE | BACKFILLED | LOW_BATTERY;
}

/// The payload of a report.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ReportBody {
    /// 1: sequence number within one boot.
    pub seq: u32,
    /// 2: boot counter; may jump forward, never back.
    pub boot: u32,
    /// 3: time of the measurement, ms since 1970 UTC.
    pub time_ms: u64,
    /// 4: clock source and its error bound in ms.
    pub clock: Option<(ClockSource, u64)>,
    /// 5: first 8 bytes of SHA-256 of this device's previous payload.
    pub previous: Option<[u8; 8]>,
    /// 6: the schema of the body, such as `sensing/1`.
    pub schema: String,
    /// 7: what the class defines.
    pub body: Value,
    /// 8: see [`flag`].
    pub flags: u64,
    /// 9: where.
    pub place: Option<ReportedPlace>,
    /// 10: the subject, when a bridge signs for another device.
    pub subject: Option<[u8; 16]>,
    /// 11: hashes of payloads answered, revealed or countersigned.
    pub answers: Vec<Hash>,
    /// 12: blobs by SHA-256 and size, kept outside the log.
    pub blobs: Vec<(Hash, u64)>,
}

impl ReportBody {
    /// A body with the required fields; the rest empty.
    #[must_use]
    pub fn of(boot: u32, seq: u32, time_ms: u64, schema: &str, body: Value) -> Self {
        Self {
            seq,
            boot,
            time_ms,
            clock: None,
            previous: None,
            schema: schema.to_owned(),
            body,
            flags: 0,
            place: None,
            subject: None,
            answers: Vec::new(),
            blobs: Vec::new(),
        }
    }

    /// The canonical payload bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let optional = [
            self.clock.is_some(),
            self.previous.is_some(),
            self.flags != 0,
            self.place.is_some(),
            self.subject.is_some(),
            !self.answers.is_empty(),
            !self.blobs.is_empty(),
        ];
        let mut out = Encoder::empty();
        out.map(5 + optional.iter().filter(|present| **present).count());
        out.int(1).uint(self.seq.into()).int(2).uint(self.boot.into()).int(3).uint(self.time_ms);
        if let Some((source, error_ms)) = self.clock {
            out.int(4).array(2).uint(source.number()).uint(error_ms);
        }
        if let Some(previous) = &self.previous {
            out.int(5).bytes(previous);
        }
        out.int(6).text(&self.schema).int(7).value(&self.body);
        if self.flags != 0 {
            out.int(8).uint(self.flags);
        }
        if let Some(place) = &self.place {
            out.int(9);
            encode_place(&mut out, place);
        }
        if let Some(subject) = &self.subject {
            out.int(10).bytes(subject);
        }
        if !self.answers.is_empty() {
            out.int(11).array(self.answers.len());
            for answer in &self.answers {
                out.bytes(&answer.0);
            }
        }
        if !self.blobs.is_empty() {
            out.int(12).array(self.blobs.len());
            for (hash, size) in &self.blobs {
                out.array(2).bytes(&hash.0).uint(*size);
            }
        }
        out.into_bytes()
    }

    /// Reads a payload.
    ///
    /// # Errors
    /// [`ReportError::Cbor`] for anything but the canonical form, [`ReportError::Sealed`] for the reserved sealed form.
    pub fn decode(payload: &[u8]) -> Result<Self, ReportError> {
        let mut input = Decoder::over(payload);
        let mut keys = input.map()?;
        let (mut seq, mut boot, mut time_ms, mut schema, mut body) = (None, None, None, None, None);
        let mut rest = Self::of(0, 0, 0, "", Value::Int(0));
        while let Some(key) = keys.next_key(&mut input)? {
            match key {
                1 => seq = Some(input.uint32()?),
                2 => boot = Some(input.uint32()?),
                3 => time_ms = Some(input.uint()?),
                4 => rest.clock = Some(decode_clock(&mut input)?),
                5 => rest.previous = Some(input.bytes_exact()?),
                6 => schema = Some(input.text()?.to_owned()),
                7 => body = Some(input.value()?),
                8 => rest.flags = decode_flags(&mut input)?,
                9 => rest.place = Some(decode_place(&mut input)?),
                10 => rest.subject = Some(input.bytes_exact()?),
                11 => rest.answers = decode_list(&mut input, |item| Ok(Hash(item.bytes_exact()?)))?,
                12 => rest.blobs = decode_list(&mut input, decode_blob)?,
                13 => return Err(ReportError::Sealed),
                _ => keys.unknown(&input, key)?,
            }
        }
        input.leave();
        input.end()?;
        rest.seq = keys.required(1, seq)?;
        rest.boot = keys.required(2, boot)?;
        rest.time_ms = keys.required(3, time_ms)?;
        rest.schema = keys.required(6, schema)?;
        rest.body = keys.required(7, body)?;
        Ok(rest)
    }

    /// The time that counts: as measured, or as received when the device has no clock.
    #[must_use]
    pub const fn measured_ms(&self, received_ms: u64) -> u64 {
        match self.clock {
            Some((ClockSource::None, _)) => received_ms,
            _ => self.time_ms,
        }
    }
}

fn encode_place(out: &mut Encoder, place: &ReportedPlace) {
    match place {
        ReportedPlace::Cell(cell) => {
            out.uint(*cell);
        }
        ReportedPlace::Exact { lat_e7, lon_e7, altitude } => {
            let error_cm = altitude.and_then(|(_, error_cm)| error_cm);
            out.array(2 + usize::from(altitude.is_some()) + usize::from(error_cm.is_some()));
            out.int(*lat_e7).int(*lon_e7);
            for part in [altitude.map(|(cm, _)| cm), error_cm].into_iter().flatten() {
                out.int(part);
            }
        }
    }
}

fn decode_clock(input: &mut Decoder<'_>) -> cbor::Result<(ClockSource, u64)> {
    input.array_exact(2)?;
    let at = input.position();
    let source = ClockSource::from_number(input.uint()?)
        .ok_or(CborError::Range { at, what: "a clock source other than 0 to 4" })?;
    let clock = (source, input.uint()?);
    input.leave();
    Ok(clock)
}

fn decode_flags(input: &mut Decoder<'_>) -> cbor::Result<u64> {
    let at = input.position();
    match input.uint()? {
        0 => Err(CborError::NotDeterministic { at, what: "flags of zero are left out" }),
        flags if flags & !flag::ALL != 0 => Err(CborError::Range { at, what: "an undefined flag" }),
        flags => Ok(flags),
    }
}

fn decode_place(input: &mut Decoder<'_>) -> cbor::Result<ReportedPlace> {
    if input.peek_major() == Some(0) {
        return Ok(ReportedPlace::Cell(input.uint()?));
    }
    let at = input.position();
    let len = input.array()?;
    if !(2..=4).contains(&len) {
        return Err(CborError::Range { at, what: "a position has two to four parts" });
    }
    let (lat_e7, lon_e7) = (input.int()?, input.int()?);
    if lat_e7.abs() > 900_000_000 || lon_e7.abs() > 1_800_000_000 {
        return Err(CborError::Range { at, what: "a position outside the globe" });
    }
    let altitude = match len {
        2 => None,
        3 => Some((input.int()?, None)),
        _ => Some((input.int()?, Some(input.int()?))),
    };
    input.leave();
    Ok(ReportedPlace::Exact { lat_e7, lon_e7, altitude })
}

fn decode_blob(input: &mut Decoder<'_>) -> cbor::Result<(Hash, u64)> {
    input.array_exact(2)?;
    let blob = (Hash(input.bytes_exact()?), input.uint()?);
    input.leave();
    Ok(blob)
}

fn decode_list<T>(
    input: &mut Decoder<'_>,
    mut item: impl FnMut(&mut Decoder<'_>) -> cbor::Result<T>,
) -> cbor::Result<Vec<T>> {
    let at = input.position();
    let len = input.array()?;
    if len == 0 {
        return Err(CborError::NotDeterministic { at, what: "an empty list is left out" });
    }
    let mut list = Vec::new();
    for _ in 0..len {
        list.push(item(input)?);
    }
    input.leave();
    Ok(list)
}

/// Why bytes are not a report, before anything is known of the device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ReportError {
    /// Longer than [`REPORT_BYTES_MAX`].
    #[error("the report has {bytes} bytes; at most {REPORT_BYTES_MAX} are read")]
    TooLarge {
        /// Its length.
        bytes: usize,
    },
    /// The COSE structure is not read here.
    #[error(transparent)]
    Cose(#[from] CoseError),
    /// The payload is not the deterministic CBOR of a report.
    #[error("the payload: {0}")]
    Cbor(#[from] CborError),
    /// The reserved sealed form.
    #[error("sealed reports (field 13) are reserved and not accepted yet")]
    Sealed,
}

impl ReportError {
    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::TooLarge { .. } => "RPT-TOO-LARGE",
            Self::Cose(CoseError::Algorithm { .. }) => "RPT-ALGORITHM",
            Self::Cose(CoseError::Cbor(_)) => "RPT-COSE",
            Self::Cbor(_) => "RPT-PAYLOAD",
            Self::Sealed => "RPT-SEALED",
        }
    }
}

/// A parsed report: the signed structure and what it says.
#[derive(Clone, Debug)]
pub struct Report<'a> {
    /// The COSE structure.
    pub sign1: Sign1<'a>,
    /// The payload.
    pub body: ReportBody,
}

impl<'a> Report<'a> {
    /// Parses the bytes of one report. Says nothing of the signature.
    ///
    /// # Errors
    /// [`ReportError`].
    pub fn parse(bytes: &'a [u8]) -> Result<Self, ReportError> {
        if bytes.len() > REPORT_BYTES_MAX {
            return Err(ReportError::TooLarge { bytes: bytes.len() });
        }
        let sign1 = Sign1::parse(bytes)?;
        let body = ReportBody::decode(sign1.payload)?;
        Ok(Self { sign1, body })
    }

    /// The device that it says signed it.
    #[must_use]
    pub const fn device(&self) -> DeviceId {
        DeviceId(self.sign1.key_id)
    }

    /// Its name.
    #[must_use]
    pub const fn name(&self) -> ReportName {
        ReportName { device: self.device(), boot: self.body.boot, seq: self.body.seq }
    }

    /// Who measured: the subject that a bridge signed for, else the device that signed. Whether the bridge may is not said here.
    #[must_use]
    pub fn measured_by(&self) -> DeviceId {
        self.body.subject.map_or_else(|| self.device(), DeviceId)
    }

    /// SHA-256 of the payload: the report's identity, whatever the header or signature.
    #[must_use]
    pub fn identity(&self) -> Hash {
        Hash::of(self.sign1.payload)
    }

    /// The bytes that the signature covers.
    #[must_use]
    pub fn to_be_signed(&self, network: &NetworkId) -> Vec<u8> {
        self.sign1.to_be_signed(Purpose::Report, Some(network))
    }
}

/// Signs a report for `network`.
#[must_use]
pub fn sign_report(key: &SecretKey, device: DeviceId, network: &NetworkId, body: &ReportBody) -> Vec<u8> {
    cose::sign1(key, &device.0, Purpose::Report, network, &body.encode())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn full() -> ReportBody {
        ReportBody {
            clock: Some((ClockSource::Gnss, 50)),
            previous: Some([1; 8]),
            flags: flag::BACKFILLED,
            place: Some(ReportedPlace::Exact { lat_e7: -1, lon_e7: 2, altitude: Some((300, None)) }),
            subject: Some([2; 16]),
            answers: vec![Hash([3; 32])],
            blobs: vec![(Hash([4; 32]), 5)],
            ..ReportBody::of(1, 2, 3, "sensing/1", Value::map(vec![(4, Value::Int(146))]))
        }
    }

    #[test]
    fn full_and_least_bodies_round_trip() {
        let least = ReportBody::of(0, 0, 0, "sensing/1", Value::map(vec![]));
        for body in [full(), least] {
            assert_eq!(ReportBody::decode(&body.encode()), Ok(body));
        }
    }

    #[test]
    fn places_round_trip_in_every_length() {
        for altitude in [None, Some((-5, None)), Some((1, Some(2)))] {
            let place = ReportedPlace::Exact { lat_e7: 530_000_000, lon_e7: -90_000_000, altitude };
            let body = ReportBody { place: Some(place), ..full() };
            assert_eq!(ReportBody::decode(&body.encode()), Ok(body));
        }
        let body = ReportBody { place: Some(ReportedPlace::Cell(0x0881_f1d4_89ff_ffff)), ..full() };
        assert_eq!(ReportBody::decode(&body.encode()), Ok(body));
    }

    #[test]
    fn each_broken_rule_has_its_code() {
        let key = SecretKey::ed25519([1; 32]);
        let network = NetworkId(Hash::ZERO);
        let signed = |payload: &[u8]| cose::sign1(&key, &[0; 16], Purpose::Report, &network, payload);
        let mut sealed = Encoder::empty();
        sealed.map(5).int(1).uint(0).int(2).uint(0).int(3).uint(0).int(6).text("s").int(13).bytes(&[0; 32]);
        let cases = [
            (vec![0xd2; REPORT_BYTES_MAX + 1], "RPT-TOO-LARGE"),
            (vec![], "RPT-COSE"),
            (vec![0xd2, 0x84], "RPT-COSE"),
            (signed(b""), "RPT-PAYLOAD"),
            (signed(&[0xa0]), "RPT-PAYLOAD"),
            (signed(&sealed.into_bytes()), "RPT-SEALED"),
        ];
        for (bytes, code) in cases {
            assert_eq!(Report::parse(&bytes).map(|_| ()).map_err(|error| error.code()), Err(code));
        }
    }

    #[test]
    fn a_report_is_bound_to_its_network() {
        let key = SecretKey::ed25519([1; 32]);
        let device = DeviceId(key.public().key_id());
        let network = NetworkId(Hash::of(b"one"));
        let bytes = sign_report(&key, device, &network, &full());
        let report = Report::parse(&bytes).unwrap();
        assert_eq!(report.name(), ReportName { device, boot: 1, seq: 2 });
        assert!(key.public().verify(&report.to_be_signed(&network), &report.sign1.signature));
        let other = NetworkId(Hash::of(b"two"));
        assert!(!key.public().verify(&report.to_be_signed(&other), &report.sign1.signature));
    }
}
