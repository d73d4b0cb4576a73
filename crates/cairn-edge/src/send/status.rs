//! How sending stands, for status, alerts and logs.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::aside::AsideCounts;
use super::gateway::Trouble;
use super::keep::{Broken, KeptCounts};
use super::refusals::{Refusal, Refusals};

/// Something that went wrong, and when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    /// The stable code.
    pub code: String,
    /// In words.
    pub detail: String,
    /// The way out, where there is one.
    pub hint: Option<String>,
    /// When, ms since this start of the process.
    pub boot_ms: u64,
}

impl Told {
    pub(super) fn of(trouble: &Trouble, boot_ms: u64) -> Self {
        let Trouble { code, detail, hint, .. } = trouble.clone();
        Self { code, detail, hint, boot_ms }
    }
}

/// How one gateway stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GatewayStatus {
    /// Its address.
    pub name: String,
    /// Failures since it last took something.
    pub failures: u32,
    /// When it last took something, ms since this start of the process.
    pub taken_boot_ms: Option<u64>,
    /// What went wrong last; it may be over.
    pub last_error: Option<Told>,
    /// Reports that it refused for good, one after the other, and promised none in between.
    #[serde(default)]
    pub refused_in_a_row: u32,
    /// Whether these are so many that it is left alone, and not believed.
    #[serde(default)]
    pub is_refusing: bool,
}

/// The last promise that was given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastPromise {
    /// The highest index under it that is one's own.
    pub index: u64,
    /// By which gateway.
    pub gateway: String,
    /// When, ms since this start of the process.
    pub boot_ms: u64,
    /// When, ms since 1970 UTC, if that is known.
    pub at_ms: Option<u64>,
    /// When the last report under it was measured, ms since 1970 UTC, if it claims a time.
    pub measured_ms: Option<u64>,
}

/// How sending stands.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct SendStatus {
    /// Items that wait.
    pub waiting: u64,
    /// Bytes of the queue on disk.
    pub queue_bytes: u64,
    /// The most bytes of the queue.
    pub queue_bytes_max: u64,
    /// Items that the queue ever took.
    pub taken: u64,
    /// Items that left it against a promise.
    pub promised: u64,
    /// Items that were refused for good.
    pub refused: u64,
    /// Items that were given up, oldest first, for want of room.
    pub lost: u64,
    /// The last promise of this start.
    pub last_promise: Option<LastPromise>,
    /// Since when something waits and nothing is taken, ms since this start of the process.
    pub stuck_since_boot_ms: Option<u64>,
    /// The gateways, in the order in which they were given.
    pub gateways: Vec<GatewayStatus>,
    /// What is wrong on this side: the disk, the signer.
    pub own_error: Option<Told>,
    /// Refusals by code.
    pub refused_by_code: BTreeMap<String, u64>,
    /// The last refusals, oldest first.
    pub refusals: Vec<Refusal>,
    /// Reports that were refused by a gateway, and wait for another one to say so too.
    #[serde(default)]
    pub doubted: u64,
    /// Refused reports that are set aside.
    #[serde(default)]
    pub set_aside: u64,
    /// Of these, those given up for room, in this start.
    #[serde(default)]
    pub set_aside_aged_out: u64,
    /// Promised reports without a receipt.
    pub awaiting_receipt: u64,
    /// Receipts that are kept.
    pub receipts: u64,
    /// Receipts given up for room, in this start.
    pub receipts_aged_out: u64,
    /// Promises given up for room before there was a receipt, in this start.
    pub promises_aged_out: u64,
    /// Promises that were broken, of which evidence is kept.
    pub broken_promises: u64,
    /// Why receipts cannot be had, if so.
    pub receipt_error: Option<Told>,
}

impl SendStatus {
    pub(super) fn keep(&mut self, counts: KeptCounts, aside: AsideCounts, refusals: &Refusals) {
        (self.set_aside, self.set_aside_aged_out) = (aside.reports, aside.aged_out);
        self.awaiting_receipt = counts.promised;
        self.receipts = counts.receipts;
        self.receipts_aged_out = counts.receipts_aged_out;
        self.promises_aged_out = counts.promises_aged_out;
        self.broken_promises = counts.broken;
        self.refused_by_code.clone_from(&refusals.by_code);
        self.refusals = refusals.last.iter().cloned().collect();
    }
}

/// What happens while sending.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SendEvent {
    /// A gateway took reports.
    Sent {
        /// Which.
        gateway: String,
        /// Reports that are promised now.
        promised: u64,
        /// Items that wait.
        waiting: u64,
    },
    /// Reports were refused for good by one gateway: another one is asked before that is believed.
    Doubted {
        /// Which.
        gateway: String,
        /// How many.
        count: u64,
        /// Why, as a stable code: of the first of them.
        code: String,
        /// Why, in words.
        detail: String,
    },
    /// A report was refused for good, and is set aside.
    Refused(Refusal),
    /// What was set aside is queued again.
    Again {
        /// How many.
        count: u64,
    },
    /// A gateway is of no use: said once, until it is or says something else.
    Trouble {
        /// Which; `None` for what is wrong on this side.
        gateway: Option<String>,
        /// Why.
        trouble: Trouble,
    },
    /// It works again.
    Over {
        /// Which gateway; `None` for this side.
        gateway: Option<String>,
    },
    /// Receipts, promises, or what was set aside, were given up for room.
    AgedOut {
        /// Receipts.
        receipts: u64,
        /// Promises.
        promises: u64,
        /// Refused reports.
        refused: u64,
    },
    /// A promise was broken, and the evidence is kept.
    Broken(Box<Broken>),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_earlier_release_wrote_is_read() {
        let gateway = r#"{"name":"http://a","failures":2,"taken_boot_ms":null,"last_error":null}"#;
        let read: GatewayStatus = serde_json::from_str(gateway).unwrap();
        assert_eq!((read.refused_in_a_row, read.is_refusing), (0, false));
        let refusal = r#"{"name":[1,2],"measured_ms":3,"at_ms":null,"code":"RPT-CLASS","detail":"no","hint":null}"#;
        let refusals = format!(r#"{{"by_code":{{"RPT-CLASS":1}},"last":[{refusal}]}}"#);
        assert_eq!(serde_json::from_str::<Refusals>(&refusals).unwrap().last[0].gateways, Vec::<String>::new());
        let mut status = serde_json::to_value(SendStatus::default()).unwrap();
        for added in ["doubted", "set_aside", "set_aside_aged_out"] {
            assert!(status.as_object_mut().unwrap().remove(added).is_some());
        }
        assert_eq!(serde_json::from_value::<SendStatus>(status).unwrap(), SendStatus::default());
    }
}
