//! What a judge says: amount, score, reasons, evidence; and the rows that money is computed from.

use crate::cbor::{self, CborError, Decoder, Encoder};
use crate::{Account, DeviceId, Ppm};

/// One part of a score that was lost, or one thing worth knowing (`lost_ppm` zero), with what it rests on.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Reason {
    /// Stable code, such as `SEN-RANGE`.
    pub code: String,
    /// The check in the class's own words, such as `pm10 above the profile's range`.
    pub check: String,
    /// What was seen, in the quantity's own integer unit.
    pub observed: i64,
    /// The limit it was held against, in the same unit.
    pub threshold: i64,
    /// Parts per million of the score that this took.
    pub lost_ppm: u32,
    /// Indices of the log entries that show it, ascending.
    pub evidence: Vec<u64>,
}

/// What the verdict is about, within its device and slot.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject {
    /// The device's whole slot.
    Slot,
    /// One report, by its entry index.
    Report(u64),
    /// One job, by the entry index of its order.
    Job(u64),
}

/// A judge's verdict over one subject.
///
/// The weight that money is shared by is `floor(amount * score / 10^6)`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Verdict {
    /// The class's schema, such as `sensing/1`.
    pub class: String,
    /// The device judged.
    pub device: DeviceId,
    /// Start of the slot, milliseconds since 1970 UTC.
    pub slot_ms: u64,
    /// What within the slot is judged.
    pub subject: Subject,
    /// Who is paid for it: the owner's payee at the index of the subject's first report.
    pub account: Account,
    /// How much was delivered, in the class's unit (sensing: milliseconds of the slot).
    pub amount: u64,
    /// How good it was.
    pub score: Ppm,
    /// Why, in the order the checks ran.
    pub reasons: Vec<Reason>,
    /// The entries judged, ascending.
    pub entries: Vec<u64>,
}

impl Verdict {
    /// `floor(amount * score / 10^6)`.
    #[must_use]
    pub const fn weight(&self) -> u64 {
        self.score.of_value(self.amount)
    }

    /// The canonical bytes, a leaf of the verdict root:
    /// `[class, device, slot_ms, [kind, ?index], account, amount, score_ppm, [reason], [entry index]]` with
    /// `reason = [code, check, observed, threshold, lost_ppm, [entry index]]`.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Encoder::empty();
        out.array(9).text(&self.class).bytes(&self.device.0).uint(self.slot_ms);
        match self.subject {
            Subject::Slot => out.array(1).uint(0),
            Subject::Report(index) => out.array(2).uint(1).uint(index),
            Subject::Job(index) => out.array(2).uint(2).uint(index),
        };
        self.account.encode(&mut out);
        out.uint(self.amount).uint(self.score.get().into()).array(self.reasons.len());
        for reason in &self.reasons {
            out.array(6).text(&reason.code).text(&reason.check).int(reason.observed).int(reason.threshold);
            out.uint(reason.lost_ppm.into());
            indices(&mut out, &reason.evidence);
        }
        indices(&mut out, &self.entries);
        out.into_bytes()
    }

    /// Reads what [`Verdict::encode`] writes.
    ///
    /// # Errors
    /// [`CborError`].
    pub fn decode(bytes: &[u8]) -> cbor::Result<Self> {
        let mut input = Decoder::over(bytes);
        input.array_exact(9)?;
        let class = input.text()?.to_owned();
        let device = DeviceId(input.bytes_exact()?);
        let slot_ms = input.uint()?;
        let at = input.position();
        let parts = input.array()?;
        let subject = match (input.uint()?, parts) {
            (0, 1) => Subject::Slot,
            (1, 2) => Subject::Report(input.uint()?),
            (2, 2) => Subject::Job(input.uint()?),
            _ => return Err(CborError::Unexpected { at, expected: "a verdict's subject" }),
        };
        input.leave();
        let account = Account::decode(&mut input)?;
        let amount = input.uint()?;
        let at = input.position();
        let score = Ppm::of(input.uint32()?).ok_or(CborError::Range { at, what: "a score above one million" })?;
        let count = input.array()?;
        let mut reasons = Vec::new();
        for _ in 0..count {
            reasons.push(decode_reason(&mut input)?);
        }
        input.leave();
        let entries = decode_indices(&mut input)?;
        input.leave();
        input.end()?;
        Ok(Self { class, device, slot_ms, subject, account, amount, score, reasons, entries })
    }
}

fn decode_reason(input: &mut Decoder<'_>) -> cbor::Result<Reason> {
    input.array_exact(6)?;
    let reason = Reason {
        code: input.text()?.to_owned(),
        check: input.text()?.to_owned(),
        observed: input.int()?,
        threshold: input.int()?,
        lost_ppm: input.uint32()?,
        evidence: decode_indices(input)?,
    };
    input.leave();
    Ok(reason)
}

fn indices(out: &mut Encoder, indices: &[u64]) {
    out.array(indices.len());
    for &index in indices {
        out.uint(index);
    }
}

fn decode_indices(input: &mut Decoder<'_>) -> cbor::Result<Vec<u64>> {
    let count = input.array()?;
    let indices = (0..count).map(|_| input.uint()).collect();
    input.leave();
    indices
}

/// One line of what an epoch pays: a device's part of one pool.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Payout {
    /// Who is paid.
    pub account: Account,
    /// For which device; `None` for the residual pool's account.
    pub device: Option<DeviceId>,
    /// From which pool.
    pub pool: String,
    /// The weight it was shared by, after the late factor.
    pub weight: u64,
    /// Integer base units of the network's asset.
    pub amount: crate::Amount,
}

impl Payout {
    /// The canonical bytes, a leaf of the payout root: `[account, device or empty, pool, weight, amount]`.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Encoder::empty();
        out.array(5);
        self.account.encode(&mut out);
        out.bytes(self.device.as_ref().map_or(&[][..], |device| &device.0)).text(&self.pool).uint(self.weight);
        self.amount.encode(&mut out);
        out.into_bytes()
    }

    /// Reads what [`Payout::encode`] writes.
    ///
    /// # Errors
    /// [`CborError`].
    pub fn decode(bytes: &[u8]) -> cbor::Result<Self> {
        let mut input = Decoder::over(bytes);
        input.array_exact(5)?;
        let account = Account::decode(&mut input)?;
        let at = input.position();
        let device = match input.bytes()? {
            [] => None,
            id => Some(DeviceId(id.try_into().map_err(|_| CborError::Range { at, what: "a device id is 16 bytes" })?)),
        };
        let pool = input.text()?.to_owned();
        let weight = input.uint()?;
        let amount = crate::Amount::decode(&mut input)?;
        input.leave();
        input.end()?;
        Ok(Self { account, device, pool, weight, amount })
    }
}
