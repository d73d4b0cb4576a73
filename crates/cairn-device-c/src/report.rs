//! `cairn_report` and what it points to.

use core::ffi::c_char;

use cairn_device::{Blob, Body, ClockSource, DeviceId, Error, Measured, Name, Place, Reading, Readings, Report};

use crate::pointer::{Range, object, slice};
use crate::{ARGUMENT, Failure};

/// Bits of [`CReport::has`].
pub mod has {
    /// The clock's source and error bound.
    pub const CLOCK: u32 = 1;
    /// The hash of the previous payload.
    pub const PREVIOUS: u32 = 2;
    /// The place, as an H3 cell.
    pub const CELL: u32 = 4;
    /// The place, as latitude and longitude.
    pub const POSITION: u32 = 8;
    /// The position's altitude.
    pub const ALTITUDE: u32 = 16;
    /// The position's error bound, with an altitude.
    pub const ERROR: u32 = 32;
    /// The subject that a bridge signs for.
    pub const SUBJECT: u32 = 64;
    /// All that are defined.
    pub const ALL: u32 = CLOCK | PREVIOUS | CELL | POSITION | ALTITUDE | ERROR | SUBJECT;
}

/// Values measured together: `cairn_reading`.
#[derive(Debug)]
#[repr(C)]
pub struct CReading {
    /// Milliseconds after the report's time.
    pub after_ms: u64,
    /// The values: `cairn_measured` is [`Measured`].
    pub values: *const Measured,
    /// How many.
    pub values_len: usize,
}

/// A report to be signed: `cairn_report`. All zeros is a report of boot 0, sequence 0 at time 0 without readings.
#[derive(Debug)]
#[repr(C)]
pub struct CReport {
    /// Boot counter.
    pub boot: u32,
    /// Sequence number within the boot.
    pub seq: u32,
    /// Time of the measurement, ms since 1970 UTC.
    pub time_ms: u64,
    /// Which of the fields below are meant: see [`has`].
    pub has: u32,
    /// Clock source, 0 to 4.
    pub clock_source: u8,
    /// Flags: 1, 2, 4.
    pub flags: u8,
    /// First 8 bytes of the previous report's identity.
    pub previous: [u8; 8],
    /// The subject.
    pub subject: [u8; 16],
    /// The clock's error bound in ms.
    pub clock_error_ms: u64,
    /// H3 cell.
    pub cell: u64,
    /// Latitude, 1e-7 degree.
    pub lat_e7: i32,
    /// Longitude, 1e-7 degree.
    pub lon_e7: i32,
    /// Altitude, cm.
    pub altitude_cm: i32,
    /// Error bound, cm.
    pub error_cm: u32,
    /// Readings of `sensing/1`, when `schema` is null.
    pub readings: *const CReading,
    /// How many.
    pub readings_len: usize,
    /// The schema of any other body, or null; not ended by a zero.
    pub schema: *const c_char,
    /// Its bytes.
    pub schema_len: usize,
    /// The encoded body.
    pub body: *const u8,
    /// Its bytes.
    pub body_len: usize,
    /// Hashes of payloads answered.
    pub answers: *const [u8; 32],
    /// How many.
    pub answers_len: usize,
    /// Blobs: `cairn_blob` is [`Blob`].
    pub blobs: *const Blob,
    /// How many.
    pub blobs_len: usize,
}

/// Readings as C has them, each checked before.
struct CReadings<'a>(&'a [CReading]);

impl Readings for CReadings<'_> {
    fn count(&self) -> usize {
        self.0.len()
    }

    fn reading(&self, at: usize) -> Option<Reading<'_>> {
        let reading = self.0.get(at)?;
        // SAFETY: `CReport::check` read the same pointer and length, and the caller leaves them alone.
        let values = unsafe { slice(reading.values, reading.values_len) }.ok()?;
        Some(Reading { after_ms: reading.after_ms, values })
    }
}

impl CReport {
    /// Refuses pointers that cannot be followed, and those to what lies under `room`, which is to be written.
    ///
    /// # Safety
    /// Every pointer leads to as many items as its length says.
    pub unsafe fn check(&self, room: Range) -> Result<(), i32> {
        let pieces = [
            Range::of(self.readings, self.readings_len)?,
            Range::of(self.schema, self.schema_len)?,
            Range::of(self.body, self.body_len)?,
            Range::of(self.answers, self.answers_len)?,
            Range::of(self.blobs, self.blobs_len)?,
        ];
        for piece in pieces {
            room.apart_from(piece)?;
        }
        // SAFETY: the caller's word.
        for reading in unsafe { slice(self.readings, self.readings_len)? } {
            room.apart_from(Range::of(reading.values, reading.values_len)?)?;
            // SAFETY: the caller's word.
            unsafe { slice(reading.values, reading.values_len)? };
        }
        if self.has & !has::ALL != 0 {
            return Err(ARGUMENT);
        }
        Ok(())
    }

    /// The report that this says, handed to `then`.
    ///
    /// # Safety
    /// [`CReport::check`] accepted it, and every pointer leads to as many items as its length says.
    pub(crate) unsafe fn with<T>(&self, then: impl FnOnce(&Report<'_>) -> Result<T, Failure>) -> Result<T, Failure> {
        // SAFETY: the caller's word.
        let (readings, schema, value, answers, blobs) = unsafe {
            (
                CReadings(slice(self.readings, self.readings_len)?),
                slice(self.schema.cast::<u8>(), self.schema_len)?,
                slice(self.body, self.body_len)?,
                slice(self.answers, self.answers_len)?,
                slice(self.blobs, self.blobs_len)?,
            )
        };
        let body = if self.schema.is_null() && self.body.is_null() {
            Body::Sensing(&readings)
        } else if self.readings.is_null() {
            // SAFETY: the caller's word; a schema of no bytes is refused with the report.
            unsafe { object(self.schema)? };
            Body::Encoded { schema: core::str::from_utf8(schema).map_err(|_| Error::Schema)?, value }
        } else {
            return Err(ARGUMENT.into());
        };
        let name = Name { boot: self.boot, seq: self.seq };
        let mut report = Report::of(name, self.time_ms, body).flags(self.flags).answers(answers).blobs(blobs);
        let has = |bit| self.has & bit != 0;
        if has(has::CLOCK) {
            let source = ClockSource::of_number(self.clock_source).ok_or(ARGUMENT)?;
            report = report.clock(source, self.clock_error_ms);
        }
        if has(has::PREVIOUS) {
            report = report.previous(self.previous);
        }
        if has(has::SUBJECT) {
            report = report.subject(DeviceId(self.subject));
        }
        if let Some(place) = self.place()? {
            report = report.place(place);
        }
        then(&report)
    }

    /// The place, or which bits of `has` contradict each other.
    fn place(&self) -> Result<Option<Place>, i32> {
        let has = |bit| self.has & bit != 0;
        match (has(has::CELL), has(has::POSITION), has(has::ALTITUDE), has(has::ERROR)) {
            (false, false, false, false) => Ok(None),
            (true, false, false, false) => Ok(Some(Place::Cell(self.cell))),
            (false, true, altitude, error) if altitude || !error => {
                let altitude_cm = altitude.then(|| (self.altitude_cm, error.then_some(self.error_cm)));
                Ok(Some(Place::Exact { lat_e7: self.lat_e7, lon_e7: self.lon_e7, altitude_cm }))
            }
            _ => Err(ARGUMENT),
        }
    }
}
