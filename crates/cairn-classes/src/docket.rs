//! What any judge is handed: the reports to judge, the reports around them, and the places they come from.

use std::collections::BTreeMap;

use cairn_core::cbor::Value;
use cairn_core::geo::Position;
use cairn_core::{Account, DeviceId, Hash};

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

/// One admitted report of the class.
#[derive(Debug, Clone)]
pub struct Report<'a> {
    /// Index of its log entry.
    pub index: u64,
    /// Who measured.
    pub device: DeviceId,
    /// Who is paid for it: the owner's payee at `index`.
    pub account: Account,
    /// Time of the measurement, ms since 1970 UTC.
    pub time_ms: u64,
    /// When the sequencer took it in, ms since 1970 UTC.
    pub received_ms: u64,
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
    /// Hash of the previous epoch statement: ties end in SHA-256(salt || device), which nobody can grind.
    pub salt: Hash,
}
