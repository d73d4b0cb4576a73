//! A report read once: everything about it that follows from its bytes alone.
//!
//! A gateway asks twice whether a report is valid: before its signature is looked at, and in the writer, in order. What no
//! state changes is read once and handed from the one to the other; what a state decides is decided each time.

use cairn_classes::{Clock, compute};
use cairn_core::DeviceId;
use cairn_core::key::Algorithm;
use cairn_core::report::{ClockSource, Report, ReportName, ReportedPlace};

use super::Checked;
use crate::refusal::Refusal;

/// A report that was read and may be valid. It belongs to the bytes that it was read from.
#[derive(Debug, Clone)]
pub struct Candidate {
    pub(super) name: ReportName,
    /// The algorithm that the header names.
    pub(super) algorithm: Algorithm,
    pub(super) class: String,
    /// The time it states, ms since 1970 UTC.
    pub(super) stated_ms: u64,
    pub(super) clock: Option<(ClockSource, u64)>,
    pub(super) flags: u64,
    pub(super) place: Option<ReportedPlace>,
    /// The device that it names as its subject.
    pub(super) subject: Option<DeviceId>,
    /// What the class defines: the body's canonical bytes.
    pub(super) body: Box<[u8]>,
    /// From its time to its last reading, ms; or why the class refuses the body.
    pub(super) span_ms: Result<u64, Refusal>,
    /// What a worker says of a job, of the class whose work is ordered.
    pub(super) work: Option<compute::Body>,
    /// What is known of its signature.
    pub(super) checked: Option<Checked>,
}

impl Candidate {
    /// What a parsed report says.
    #[must_use]
    pub fn of(report: Report<'_>) -> Self {
        let (name, algorithm, body) = (report.name(), report.sign1.algorithm, report.body);
        let span_ms = cairn_classes::check_body(&body.schema, &body.body)
            .map_err(|error| Refusal::of(error.code(), error.to_string()));
        Self {
            name,
            algorithm,
            stated_ms: body.time_ms,
            clock: body.clock,
            flags: body.flags,
            place: body.place,
            subject: body.subject.map(DeviceId),
            work: (body.schema == compute::SCHEMA).then(|| compute::Body::parse(&body.body).ok()).flatten(),
            body: body.body.encode().into_boxed_slice(),
            class: body.schema,
            span_ms,
            checked: None,
        }
    }

    /// Reads the bytes of a report.
    ///
    /// # Errors
    /// [`Refusal`] when they are none.
    pub fn read(bytes: &[u8]) -> Result<Self, Refusal> {
        Report::parse(bytes).map(Self::of).map_err(|error| Refusal::of(error.code(), error.to_string()))
    }

    /// Notes what is known of its signature.
    pub const fn note(&mut self, checked: Option<Checked>) {
        self.checked = checked;
    }

    /// The report's name.
    #[must_use]
    pub const fn name(&self) -> ReportName {
        self.name
    }

    /// The time that counts: as stated, or as received when the device has no clock.
    pub(super) const fn measured_ms(&self, received_ms: u64) -> u64 {
        match self.clock {
            Some((ClockSource::None, _)) => received_ms,
            _ => self.stated_ms,
        }
    }

    pub(super) fn clock(&self) -> Option<Clock> {
        self.clock.map(|(source, error_ms)| Clock { source: source.number(), error_ms })
    }
}
