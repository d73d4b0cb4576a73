//! What the market refuses, each with a stable code and, where there is one, a way out.

use cairn_core::{Account, Amount, DeviceId, Hash, JobId};
use thiserror::Error;

/// Why the market refused a statement or a report.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum MarketError {
    /// An offer or a report of a device that may not work now.
    #[error("device {device} is no active worker enrolled for compute/1, or it is denied")]
    NotAWorker {
        /// The device.
        device: DeviceId,
    },
    /// An offer is withdrawn that is not there.
    #[error("device {device} has no offer to withdraw")]
    NoOffer {
        /// The device.
        device: DeviceId,
    },
    /// A licence is withdrawn that is not there.
    #[error("{owner} has no licence over {content} to withdraw")]
    NoLicence {
        /// Who would withdraw it.
        owner: Account,
        /// The content.
        content: Hash,
    },
    /// Another account's licence over the content is in force.
    #[error("{content} is licensed by {holder}")]
    Held {
        /// The content.
        content: Hash,
        /// Who licenses it.
        holder: Account,
    },
    /// A bound of the profile is reached.
    #[error("no more than {limit} {what}")]
    Full {
        /// What there is enough of.
        what: &'static str,
        /// The bound.
        limit: u64,
    },
    /// An order with another gas table than the network's.
    #[error("the order names gas table {found}, and the network runs {expected}")]
    GasTable {
        /// The order's.
        found: u32,
        /// The network's.
        expected: u32,
    },
    /// An order whose time to commit is out of bounds.
    #[error("{commit_ms} ms to commit is not within {least} to {most} ms")]
    CommitTime {
        /// The order's.
        commit_ms: u64,
        /// The least of the profile.
        least: u64,
        /// The most of the profile.
        most: u64,
    },
    /// A content may not be used by the module.
    #[error("the licence over {content} does not allow module {module}")]
    Unlicensed {
        /// The content.
        content: Hash,
        /// The order's module.
        module: Hash,
    },
    /// Too few workers fit the order.
    #[error("{found} workers of distinct owners fit the order, and it asks for {needed}")]
    NoWorker {
        /// How many fit.
        found: usize,
        /// How many are asked for.
        needed: u8,
    },
    /// The order might lock more than it allows.
    #[error("the order may lock {locked} base units, and allows {most}")]
    Most {
        /// What it may lock; the greatest amount where it is beyond any.
        locked: Amount,
        /// What it allows.
        most: Amount,
    },
    /// The order is too small to be worth an entry.
    #[error("the order's workers lock {locked} base units at its own price, and {least} are the least")]
    Least {
        /// What its workers would lock at its own price, licences aside.
        locked: Amount,
        /// The least of the profile.
        least: Amount,
    },
    /// The order might lock more than the buyer has.
    #[error("the order may lock {locked} base units, and the buyer has {credit}")]
    Credit {
        /// What it may lock.
        locked: Amount,
        /// The buyer's credit.
        credit: Amount,
    },
    /// An order that the market has.
    #[error("job {job} is ordered")]
    Known {
        /// The job.
        job: JobId,
    },
    /// No such job, or it is long settled.
    #[error("there is no job {job}")]
    NoJob {
        /// The job.
        job: JobId,
    },
    /// Cancelled by somebody else than the buyer.
    #[error("job {job} was not ordered by {by}")]
    NotTheBuyer {
        /// The job.
        job: JobId,
        /// Who would cancel it.
        by: Account,
    },
    /// Too late to cancel.
    #[error("job {job} cannot be cancelled any more: {why}")]
    TooLate {
        /// The job.
        job: JobId,
        /// What has happened.
        why: &'static str,
    },
    /// Said at a time when it does not count.
    #[error("job {job}: {what}")]
    Phase {
        /// The job.
        job: JobId,
        /// Why it does not count now.
        what: &'static str,
    },
    /// A report of a worker that was not assigned.
    #[error("job {job} is not assigned to device {device}")]
    NotAssigned {
        /// The job.
        job: JobId,
        /// The device.
        device: DeviceId,
    },
    /// Said before.
    #[error("job {job}: this was said before")]
    Said {
        /// The job.
        job: JobId,
    },
    /// A result that was not sealed.
    #[error("job {job}: the result and salt are not what was sealed")]
    Seal {
        /// The job.
        job: JobId,
    },
    /// A result beyond what the order allows.
    #[error("job {job}: {what} of {found} is beyond the order's {most}")]
    Caps {
        /// The job.
        job: JobId,
        /// `gas` or `output`.
        what: &'static str,
        /// What is said.
        found: u64,
        /// What is allowed.
        most: u64,
    },
}

impl MarketError {
    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NotAWorker { .. } => "CMP-WORKER",
            Self::NoOffer { .. } => "CMP-OFFER",
            Self::NoLicence { .. } | Self::Unlicensed { .. } => "CMP-LICENCE",
            Self::Held { .. } => "CMP-HELD",
            Self::Full { .. } => "CMP-FULL",
            Self::GasTable { .. } => "CMP-GAS-TABLE",
            Self::CommitTime { .. } => "CMP-TIME",
            Self::NoWorker { .. } => "CMP-NO-WORKER",
            Self::Most { .. } => "CMP-MOST",
            Self::Least { .. } => "CMP-LEAST",
            Self::Credit { .. } => "CMP-CREDIT",
            Self::Known { .. } | Self::NoJob { .. } => "CMP-JOB",
            Self::NotTheBuyer { .. } => "CMP-BUYER",
            Self::TooLate { .. } => "CMP-CANCEL",
            Self::Phase { .. } => "CMP-PHASE",
            Self::NotAssigned { .. } => "CMP-ASSIGNED",
            Self::Said { .. } => "CMP-SAID",
            Self::Seal { .. } => "CMP-SEAL",
            Self::Caps { .. } => "CMP-CAPS",
        }
    }

    /// The way out, where there is one.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        hint_of(self.code())
    }
}

/// The way out of a refusal with this code, where there is one.
#[must_use]
pub fn hint_of(code: &str) -> Option<&'static str> {
    Some(match code {
        "CMP-WORKER" => "enrol the device with role worker and class compute/1; a retired or denied one gets no work",
        "CMP-HELD" => "the licence ends at its time; a content that you change by a byte is another content",
        "CMP-FULL" => "wait until jobs are settled at the close of the epoch, or licences end",
        "CMP-GAS-TABLE" => "the network's profile of compute/1 names its gas table",
        "CMP-TIME" => "the network's profile of compute/1 says how long an order may give",
        "CMP-LICENCE" => "ask the owner of the content to allow the module, or use another content",
        "CMP-NO-WORKER" => "offer a higher price, ask for less gas, memory or fewer workers, or wait",
        "CMP-MOST" => "allow at least the gas at your price, times the workers, and the licences",
        "CMP-LEAST" => "the network's profile of compute/1 says how much an order must lock at least",
        "CMP-CREDIT" => "pay in more, or order less: what open jobs have locked is not credit",
        "CMP-CANCEL" => "wait for the close: what the job does not cost comes back then",
        "CMP-PHASE" => "commit in time, reveal when all have committed or the time to commit is over",
        "CMP-SEAL" => "reveal the very result and salt that were sealed",
        _ => return None,
    })
}
