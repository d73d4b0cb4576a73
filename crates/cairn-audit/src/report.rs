//! What an audit says.

use std::collections::BTreeMap;

use cairn_core::epoch::EpochStatement;
use serde::{Deserialize, Serialize};

use crate::difference::Difference;
use crate::time::TimeBound;

/// A last entry that is further ahead of the auditor's clock than this is worth a note.
pub(crate) const DAY_MS: u64 = 86_400_000;

/// The outcome of an audit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "result", rename_all = "lowercase")]
pub enum Outcome {
    /// Everything served is what the log implies.
    Pass,
    /// Something is not.
    Fail {
        /// The first thing that is not.
        difference: Box<Difference>,
    },
}

/// What ties the audit to the network that was meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PinnedBy {
    /// The network id was given: it is the hash of the genesis payload, and so pins every key.
    NetworkId,
    /// The operator's key was given.
    Operator,
    /// Nothing was given: the genesis that was served is believed.
    FirstUse,
}

impl PinnedBy {
    /// In words.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::NetworkId => "the network id given",
            Self::Operator => "the operator's key given",
            Self::FirstUse => "nothing: trusted on first use",
        }
    }
}

/// The network audited, as its genesis has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditedNetwork {
    /// SHA-256 of the genesis payload.
    pub network_id: String,
    /// Its name.
    pub name: String,
    /// The log's origin.
    pub origin: String,
    /// The operator's key, `did:key`.
    pub operator: String,
    /// What is rehearsed.
    pub rehearsed: Vec<String>,
}

/// The checkpoint audited.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditedCheckpoint {
    /// Entries under it.
    pub size: u64,
    /// Its root.
    pub root: String,
    /// The signed note itself, worth remembering.
    pub note: String,
}

/// Where an audit started that did not start at entry 0.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resumed {
    /// The epoch whose snapshot it started from.
    pub epoch: u64,
    /// SHA-256 of that epoch's statement.
    pub statement: String,
    /// The first entry that was folded.
    pub from: u64,
    /// What is therefore taken on that statement's word.
    pub trusting: String,
}

/// Which of an epoch's served tables were there and compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Compared {
    /// The statement's canonical bytes.
    pub statement: bool,
    /// The verdict rows.
    pub verdicts: bool,
    /// The payout rows.
    pub payouts: bool,
    /// The sales, where jobs were settled.
    #[serde(default)]
    pub sales: bool,
    /// What judges remember.
    #[serde(default)]
    pub carry: bool,
    /// The snapshot.
    pub snapshot: bool,
}

/// How many of the recomputed epochs were served without their tables, which were therefore not compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Unserved {
    /// Epochs without verdict rows.
    pub verdicts: u64,
    /// Epochs without payout rows.
    pub payouts: u64,
    /// Epochs that settled jobs, without their sales.
    #[serde(default)]
    pub sales: u64,
    /// Epochs after which judges remember something that was not served.
    #[serde(default)]
    pub carry: u64,
}

/// One epoch, recomputed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EpochLine {
    /// Its number.
    pub number: u64,
    /// The first entry of its range.
    pub from: u64,
    /// The first entry after its range.
    pub to: u64,
    /// Entries in its range.
    pub entries: u64,
    /// Verdicts.
    pub verdicts: u64,
    /// Payout rows.
    pub payouts: u64,
    /// Jobs settled.
    #[serde(default)]
    pub sales: u64,
    /// Records of what judges remember after it.
    #[serde(default)]
    pub remembered: u64,
    /// Base units paid.
    pub paid: String,
    /// The balance, such as `opening 0 + minted 10 + deposited 0 = paid 9 + refunded 0 + burned 0 + closing 1`.
    pub balance: String,
    /// SHA-256 of its statement, recomputed.
    pub statement: String,
    /// The entry that holds its statement; absent while it is not logged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub logged_at: Option<u64>,
    /// What was served for it and compared.
    pub compared: Compared,
    /// Whether everything served for it is what was recomputed.
    pub ok: bool,
}

impl EpochLine {
    pub(crate) fn of(statement: &EpochStatement, hash: String, verdicts: u64, payouts: u64) -> Self {
        Self {
            number: statement.number,
            from: statement.from,
            to: statement.to,
            entries: statement.to - statement.from,
            verdicts,
            payouts,
            sales: 0,
            remembered: 0,
            paid: statement.asset.1.paid.to_string(),
            balance: equation(statement),
            statement: hash,
            logged_at: None,
            compared: Compared::default(),
            ok: true,
        }
    }
}

fn equation(statement: &EpochStatement) -> String {
    let (symbol, balance) = &statement.asset;
    let closing = balance.closing().map_or_else(|| "more than 128 bits".to_owned(), |sum| sum.to_string());
    format!(
        "opening {} + minted {} + deposited {} = paid {} + refunded {} + burned {} + closing {closing} {symbol}",
        balance.opening, balance.minted, balance.deposited, balance.paid, balance.refunded, balance.burned
    )
    .trim_end()
    .to_owned()
}

/// An entry that amounts to nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VoidEntry {
    /// Its index.
    pub index: u64,
    /// Why: a stable code.
    pub code: String,
    /// Why, in words.
    pub detail: String,
}

/// Counts of what was folded.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Counts {
    /// Entries folded.
    pub entries: u64,
    /// Reports among them.
    pub reports: u64,
    /// Statements.
    pub statements: u64,
    /// Observations.
    pub observations: u64,
    /// Epoch statements.
    pub epoch_statements: u64,
    /// Signatures verified: of reports, statements and observations that are valid, and of reports whose signature is not.
    pub signatures: u64,
}

/// How long the parts took, in ms. Parts overlap: reading runs ahead, signatures are checked while entries are folded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Elapsed {
    /// From the first request to the report.
    pub total_ms: u64,
    /// Until the first entry could be read: checkpoint, genesis, snapshot.
    pub opening_ms: u64,
    /// Waiting for the source.
    pub waiting_ms: u64,
    /// Hashing and checking signatures.
    pub checking_ms: u64,
    /// Folding: validity, judging, allocating.
    pub folding_ms: u64,
}

/// A witness that the auditor trusts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WitnessLine {
    /// Its name.
    pub name: String,
    /// Its key, a C2SP vkey.
    pub key: String,
    /// When it cosigned the audited checkpoint, in seconds since 1970 UTC, if it did.
    pub time_s: Option<u64>,
}

/// What trusted witnesses said of a log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WitnessedLog {
    /// The witnesses trusted.
    pub witnesses: Vec<WitnessLine>,
    /// Whether those that cosigned the audited checkpoint are a quorum of them.
    pub is_quorum: bool,
    /// Checkpoints of the history that the network serves, each found to be one of this log.
    pub history: u64,
    /// Checkpoints of the witnesses' own histories, likewise.
    pub elsewhere: u64,
    /// What witnesses showed that neither the log's key nor theirs signed so.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub strange: Vec<String>,
    /// How far the times in the log are bound.
    pub time: TimeBound,
}

/// What an audit says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditReport {
    /// PASS, or the first difference.
    #[serde(flatten)]
    pub outcome: Outcome,
    /// Where everything was read from.
    pub source: String,
    /// The network, once its genesis was read.
    pub network: Option<AuditedNetwork>,
    /// What ties the audit to the network that was meant.
    pub pinned_by: PinnedBy,
    /// The checkpoint, once the log's key was seen to have signed it.
    pub checkpoint: Option<AuditedCheckpoint>,
    /// Entries under the remembered checkpoint that this log was seen to continue.
    pub continues: Option<u64>,
    /// What trusted witnesses said; absent where none was named, and then nobody bounds the log's time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub witnessed: Option<WitnessedLog>,
    /// Where the audit started, if not at entry 0.
    pub resumed: Option<Resumed>,
    /// What was folded.
    pub counts: Counts,
    /// Every epoch recomputed.
    pub epochs: Vec<EpochLine>,
    /// The tables that nobody served: a PASS says nothing of them.
    pub unserved: Unserved,
    /// How far the last entry's time of receipt is ahead of the auditor's clock, in ms, if that is more than a day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ahead_ms: Option<u64>,
    /// How many entries are void, by code.
    pub void: BTreeMap<String, u64>,
    /// The first of them.
    pub void_entries: Vec<VoidEntry>,
    /// How long it took.
    pub elapsed: Elapsed,
}

impl AuditReport {
    /// Whether everything served is what the log implies.
    #[must_use]
    pub const fn passed(&self) -> bool {
        matches!(self.outcome, Outcome::Pass)
    }

    /// What a reader of a PASS must know beside it, in sentences without a full stop.
    #[must_use]
    pub fn notes(&self) -> Vec<String> {
        let Unserved { verdicts, payouts, sales, carry } = self.unserved;
        let all = self.epochs.len() as u64;
        let mut notes = Vec::new();
        let unserved = match (verdicts, payouts) {
            (0, 0) => None,
            _ if (verdicts, payouts) == (all, all) => Some("verdict and payout tables".to_owned()),
            (_, 0) => Some(format!("the verdict tables of {verdicts} of {all} epochs")),
            (0, _) => Some(format!("the payout tables of {payouts} of {all} epochs")),
            _ => Some(format!("the verdict tables of {verdicts} and the payout tables of {payouts} of {all} epochs")),
        };
        if let Some(tables) = unserved.filter(|_| self.passed()) {
            notes.push(format!("PASS for the log; {tables} were not served"));
        }
        if sales > 0 && self.passed() {
            notes.push(format!("the sales of {sales} of {all} epochs were not served"));
        }
        if carry > 0 && self.passed() {
            notes.push(format!(
                "what judges remember after {carry} of {all} epochs was not served: who does not judge cannot check them"
            ));
        }
        if let Some(ahead_ms) = self.ahead_ms {
            let (days, hours) = (ahead_ms / DAY_MS, ahead_ms % DAY_MS / (DAY_MS / 24));
            notes.push(format!("the last entry is stamped {days} d {hours} h ahead of the auditor's clock"));
        }
        notes
    }

    /// The first difference, if there is one.
    #[must_use]
    pub fn difference(&self) -> Option<&Difference> {
        match &self.outcome {
            Outcome::Pass => None,
            Outcome::Fail { difference } => Some(difference),
        }
    }
}
