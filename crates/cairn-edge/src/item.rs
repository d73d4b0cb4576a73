//! What waits to be sent: what a report will say, but for its name.

use cairn_core::cbor::Value;
use cairn_core::report::{ClockSource, ReportBody, ReportedPlace, flag};
use cairn_core::{DeviceId, Hash};

use crate::{Mark, Stamp};

/// When something was measured, as far as that is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// At this time.
    At {
        /// ms since 1970 UTC.
        time_ms: u64,
        /// Where the time comes from; never [`ClockSource::None`].
        source: ClockSource,
        /// Its error bound in ms.
        error_ms: u64,
    },
    /// In this start of the process, before the time was known; it is dated when it becomes known.
    Since {
        /// ms since this start of the process.
        boot_ms: u64,
    },
    /// Nobody knows any more: the report claims no time, and the time of its receipt counts.
    Unknown,
}

impl From<Stamp> for When {
    fn from(stamp: Stamp) -> Self {
        match stamp.wall {
            Some((time_ms, source, error_ms)) if source != ClockSource::None => Self::At { time_ms, source, error_ms },
            _ => Self::Since { boot_ms: stamp.boot_ms },
        }
    }
}

/// What a report will say. Its name, and its flag *backfilled*, are given when it is first sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// When it was measured; with several readings in the body, the first.
    pub when: When,
    /// The schema of the body, such as `sensing/1`.
    pub schema: String,
    /// What the class defines.
    pub body: Value,
    /// Flags of the report but for *backfilled*: see [`cairn_core::report::flag`].
    pub flags: u64,
    /// Where, for what moves.
    pub place: Option<ReportedPlace>,
    /// The device that a bridge signs for.
    pub subject: Option<DeviceId>,
    /// What is kept beside the log, by SHA-256 and size: the raw input of a reduction, the original of a translation.
    pub blobs: Vec<(Hash, u64)>,
    /// Where sources go on when this is kept, by their names. No part of the report.
    pub marks: Vec<(String, Mark)>,
}

impl Item {
    /// Something measured, and nothing else said of it.
    #[must_use]
    pub fn of(when: When, schema: &str, body: Value) -> Self {
        Self {
            when,
            schema: schema.to_owned(),
            body,
            flags: 0,
            place: None,
            subject: None,
            blobs: Vec::new(),
            marks: Vec::new(),
        }
    }

    /// What a report says, but for its name and its flag *backfilled*.
    #[must_use]
    pub fn of_report(report: ReportBody) -> Self {
        let when = match report.clock {
            Some((source, error_ms)) if source != ClockSource::None => {
                When::At { time_ms: report.time_ms, source, error_ms }
            }
            _ => When::Unknown,
        };
        Self {
            flags: report.flags & !flag::BACKFILLED,
            place: report.place,
            subject: report.subject.map(DeviceId),
            blobs: report.blobs,
            ..Self::of(when, &report.schema, report.body)
        }
    }
}
