//! What any judge is handed: the reports to judge, the reports around them, and the places they come from.

use std::collections::BTreeMap;

use cairn_core::cbor::Value;
use cairn_core::geo::Position;
use cairn_core::{Account, DeviceId, Hash, Verdict};

use crate::compute::RipeJob;

/// The flags of a report (key 8 of its payload).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Flags(pub u32);

impl Flags {
    /// The device is being worked on: unscored.
    pub const MAINTENANCE: u32 = 1;
    /// Measured earlier and sent late.
    pub const BACKFILLED: u32 = 2;
    /// The battery is low.
    pub const LOW_BATTERY: u32 = 4;

    /// Whether every bit of `flag` is set.
    #[must_use]
    pub const fn has(self, flag: u32) -> bool {
        self.0 & flag == flag
    }
}

/// What a report says of the clock that its time comes from (key 4 of its payload).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Clock {
    /// 0 none, 1 rtc, 2 network, 3 ntp, 4 gnss.
    pub source: u64,
    /// Bound of the error that the device claims, in ms.
    pub error_ms: u64,
}

/// One admitted report of the class.
#[derive(Debug, Clone)]
pub struct Report<'a> {
    /// Index of its log entry.
    pub index: u64,
    /// Who measured.
    pub device: DeviceId,
    /// The bridge that signed for it; `None` when the device signed itself.
    pub bridge: Option<DeviceId>,
    /// The boot counter of whoever signed: never goes back.
    pub boot: u32,
    /// Number within the boot; with `boot` and whoever signed it names the report.
    pub seq: u32,
    /// Who is paid for it: the owner's payee at `index`.
    pub account: Account,
    /// Time of the measurement, ms since 1970 UTC.
    pub time_ms: u64,
    /// When the sequencer took it in, ms since 1970 UTC.
    pub received_ms: u64,
    /// What it says of its clock, if it says anything.
    pub clock: Option<Clock>,
    /// The report's flags: bit 0 maintenance, bit 1 backfilled, bit 2 low battery ([`Flags`]).
    pub flags: u32,
    /// The class's body.
    pub body: &'a Value,
    /// Index of the `deny` statement in force over it.
    pub denied: Option<u64>,
    /// Index of the `conflict` statement that names it.
    pub conflict: Option<u64>,
}

/// Where and whose an enrolled device is.
#[derive(Debug, Clone)]
pub struct Site {
    /// The owner's account: two devices of one owner never vouch for each other.
    pub owner: Account,
    /// Where it stands: the centre of its cell, or the exact place after opt-in.
    pub position: Position,
    /// Height above sea level in cm, when known.
    pub altitude_cm: Option<i32>,
    /// Index of its enrolment: lower is senior.
    pub enrolled_index: u64,
    /// Whether it moves; then its position says nothing about its neighbours.
    pub mobile: bool,
    /// Whether the operator enrolled it as a reference: it outranks a crowd.
    pub anchor: bool,
}

/// What a class remembers from epoch to epoch, by keys of its own (sensing: the device's id). Engines store it, hash it
/// into the state and hand it back; nobody but the class reads it. Grows with devices, never with reports.
pub type Carry = BTreeMap<Vec<u8>, Vec<u8>>;

/// What a judge answers.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Judged {
    /// The verdicts, sorted by device, then slot.
    pub verdicts: Vec<Verdict>,
    /// What changes in the class's carry, ascending by key: what to remember instead, or that it is forgotten.
    pub carry: Vec<(Vec<u8>, Option<Vec<u8>>)>,
}

impl Judged {
    /// Brings a carry up to what was judged.
    pub fn update(&self, carry: &mut Carry) {
        for (key, value) in &self.carry {
            match value {
                Some(value) => carry.insert(key.clone(), value.clone()),
                None => carry.remove(key),
            };
        }
    }
}

/// What is to be judged at the close of one epoch.
///
/// A *reading* is judged in the epoch that holds its own time, or, when its report came late, in the epoch that takes the
/// report in. One report may hold readings of two epochs: those at or after `end_ms` wait, and are judged when the report
/// comes back as `context` of the next epoch. So `context` holds every report taken in by an earlier epoch that has a
/// reading in the lookback or later.
#[derive(Debug, Clone, Copy)]
pub struct Docket<'a> {
    /// Number of the epoch being closed.
    pub network_epoch: u64,
    /// The epoch's first millisecond.
    pub start_ms: u64,
    /// The first millisecond after the epoch.
    pub end_ms: u64,
    /// Every device that reports below, and nothing that depends on arrival.
    pub sites: &'a BTreeMap<DeviceId, Site>,
    /// Reports to judge now, in any order.
    pub fresh: &'a [Report<'a>],
    /// Reports that earlier epochs took in, in any order: neighbours, slots already paid, and readings that waited.
    pub context: &'a [Report<'a>],
    /// What the class remembered at the close of the epoch before; empty in the first epoch of a revision.
    pub carry: &'a Carry,
    /// Jobs that are ripe, for classes whose work is ordered; empty elsewhere.
    pub jobs: &'a [RipeJob<'a>],
    /// Hash of the previous epoch statement: ties end in SHA-256(salt || device), which nobody can grind.
    pub salt: Hash,
}
