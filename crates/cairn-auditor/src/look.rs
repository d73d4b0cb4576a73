//! One look at a network: audit it from where the last look ended, and vouch for what is right.

use std::collections::VecDeque;

use cairn_audit::{AuditOptions, AuditReport, EpochLine, KeptEpoch, Outcome, Progress, Source, Start, audit};
use cairn_core::statement::AuditorSet;
use cairn_core::{Hash, NetworkId};
use cairn_settle::EpochMessage;

use crate::{Auditor, AuditorError, Signed};

/// Snapshots that are held while later epochs are recomputed: the last epoch's statement may not be logged yet.
const SNAPSHOTS_HELD: usize = 2;

/// What a look is held to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LookOptions {
    /// The network that is meant. That of the folder, once something was signed, must be it.
    pub network: Option<NetworkId>,
    /// Earlier epochs are recomputed, and not signed.
    pub first_epoch: u64,
    /// The auditor's own time, ms since 1970 UTC.
    pub now_ms: Option<u64>,
}

/// What became of an epoch of which everything is right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vouched {
    /// The epoch.
    pub epoch: u64,
    /// The statement's hash, recomputed.
    pub statement: Hash,
    /// What is rehearsed, as the statement says.
    pub rehearsed: Vec<String>,
    /// Whether it was signed.
    pub standing: Standing,
}

/// Whether an epoch was signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// It was, and the signature is durable.
    Signed {
        /// Message and signature.
        signed: Box<Signed>,
        /// Whether it had been signed before.
        known: bool,
    },
    /// It is before the first that is to be signed.
    Before,
    /// The log names no auditors for it.
    NoAuditors,
    /// The log names others.
    NotAnAuditor {
        /// How many.
        auditors: usize,
    },
}

/// What a look saw.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Look {
    /// The audit's report. With a difference in it nothing from that epoch on was signed.
    pub report: AuditReport,
    /// The checkpoint that the log had to continue.
    pub remembered: Option<String>,
}

impl Auditor {
    /// Audits a network from where the last look ended, and signs, at revision 0, every epoch of which everything is right
    /// and whose statement is logged. `told` hears of each, in order, as soon as it is signed; `progress` as in
    /// [`cairn_audit::audit`].
    ///
    /// A difference is in the report: then epochs before the one it concerns are signed, or none where it concerns no
    /// epoch, and nothing is remembered but those signatures.
    ///
    /// # Errors
    /// [`AuditorError::SignedOther`] where another message was signed for an epoch; [`AuditorError::Audit`] when the source
    /// cannot be read; those of the disk.
    pub fn look(
        &mut self,
        source: &dyn Source,
        options: &LookOptions,
        told: &mut dyn FnMut(&Vouched),
        progress: &mut dyn FnMut(Progress<'_>),
    ) -> Result<Look, AuditorError> {
        if let (Some(own), Some(other)) = (self.network(), options.network)
            && own != other
        {
            return Err(AuditorError::OtherNetwork { own, other });
        }
        let remembered = self.files.checkpoint()?;
        let start = self.files.snapshot()?.map_or(Start::Genesis, Start::Snapshot);
        let audited = AuditOptions {
            network: options.network.or_else(|| self.network()),
            remembered: remembered.clone(),
            start,
            now_ms: options.now_ms,
            keep: true,
            ..AuditOptions::default()
        };
        let mut kept = Kept::default();
        let report = audit(source, &audited, &mut |step| match step {
            Progress::Recomputed(epoch) => kept.take(epoch),
            step => progress(step),
        })?;
        let network = report.network.as_ref().and_then(|network| Hash::from_hex(&network.network_id)).map(NetworkId);
        let right = right(&report);
        if let Some(network) = network {
            for epoch in kept.epochs.iter().filter(|epoch| right.contains(&epoch.message.epoch)) {
                told(&self.decide(network, epoch, options.first_epoch)?);
            }
        }
        if let (Outcome::Pass, Some(checkpoint)) = (&report.outcome, &report.checkpoint) {
            let snapshot = kept.snapshots.iter().rfind(|(number, _)| right.contains(number));
            self.files.remember(&checkpoint.note, snapshot.map(|(_, bytes)| bytes.as_slice()))?;
        }
        Ok(Look { report, remembered })
    }

    fn decide(&mut self, network: NetworkId, epoch: &Recomputed, first_epoch: u64) -> Result<Vouched, AuditorError> {
        let message = &epoch.message;
        let standing = match &epoch.auditors {
            _ if message.epoch < first_epoch => Standing::Before,
            None => Standing::NoAuditors,
            Some(set) if !set.auditors.contains(&self.address()) => {
                Standing::NotAnAuditor { auditors: set.auditors.len() }
            }
            Some(_) => {
                let (signed, known) = self.vouch(network, message)?;
                Standing::Signed { signed: Box::new(signed), known }
            }
        };
        let rehearsed = epoch.rehearsed.clone();
        Ok(Vouched { epoch: message.epoch, statement: message.statement_hash, rehearsed, standing })
    }
}

/// The epochs of which everything is right: compared, logged, and before whatever differs.
fn right(report: &AuditReport) -> Vec<u64> {
    let end = match &report.outcome {
        Outcome::Pass => u64::MAX,
        Outcome::Fail { difference } => difference.epoch.unwrap_or(0),
    };
    let is_right = |line: &&EpochLine| line.ok && line.logged_at.is_some() && line.number < end;
    report.epochs.iter().take_while(is_right).map(|line| line.number).collect()
}

/// A recomputed epoch, as far as it is signed.
struct Recomputed {
    message: EpochMessage,
    auditors: Option<AuditorSet>,
    rehearsed: Vec<String>,
}

/// What an audit handed over.
#[derive(Default)]
struct Kept {
    epochs: Vec<Recomputed>,
    snapshots: VecDeque<(u64, Vec<u8>)>,
}

impl Kept {
    fn take(&mut self, epoch: &KeptEpoch) {
        // A statement that names one contract twice implies no message; the state forbids it.
        let Ok(message) = EpochMessage::of(&epoch.statement, 0) else { return };
        if self.snapshots.len() == SNAPSHOTS_HELD {
            self.snapshots.pop_front();
        }
        self.snapshots.push_back((message.epoch, epoch.snapshot.clone()));
        let rehearsed = epoch.statement.rehearsed.clone();
        self.epochs.push(Recomputed { message, auditors: epoch.auditors.clone(), rehearsed });
    }
}
