//! `admit(state, entry)`: pure, and alone in deciding validity. The gateway calls it before logging, the fold after.
//!
//! An entry that fails is *void*, with a code. Inclusion in the log proves that something was said, never that it is
//! valid. Cheap checks come before expensive ones; signatures last, or checked in batches beforehand ([`Checked`]).

mod beforehand;
mod candidate;
mod observation;
mod report;
mod statement;
mod work;

use std::sync::Arc;

use cairn_core::Hash;
use cairn_core::entry::{Entry, EntryKind};
use cairn_core::epoch::EpochStatement;
use cairn_core::key::PublicKey;
use cairn_core::statement::Statement;

pub use self::beforehand::{Beforehand, Vouched};
pub use self::candidate::Candidate;
pub use self::report::{Accepted, admit_report, admit_unsigned, report_key};
pub(crate) use self::work::{auditor_of, job_of};
use crate::credit::Credited;
use crate::refusal::Refusal;
use crate::state::State;

/// A signature check made beforehand, in a batch: it counts when `key` still is the signer's key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Checked {
    /// The key that was checked against.
    pub key: PublicKey,
    /// Whether the signature held.
    pub holds: bool,
}

/// What a valid entry does to the state.
#[derive(Debug, Clone)]
pub enum Effect {
    /// A report is held until its epoch is judged.
    Report(Arc<Accepted>),
    /// A statement takes effect.
    Statement(Box<Statement>),
    /// An observation is noted.
    Observation {
        /// What is observed.
        source: String,
        /// Who observed.
        observer: [u8; 16],
        /// The round.
        round: u64,
    },
    /// A buyer's deposit becomes credit.
    Deposit(Credited),
    /// The statement of a closed epoch is logged.
    Epoch {
        /// Its number.
        number: u64,
    },
}

/// Decides whether an entry at `index` is valid after everything before it, and what it does.
///
/// # Errors
/// [`Refusal`] with the code that voids it.
pub fn admit(state: &State, index: u64, entry: &Entry<'_>, checked: Option<Checked>) -> Result<Effect, Refusal> {
    check_founding(state, index, entry.kind)?;
    match entry.kind {
        EntryKind::Report => {
            let mut candidate = Candidate::read(entry.body)?;
            candidate.note(checked);
            admit_candidate(state, index, entry, candidate)
        }
        EntryKind::Statement => {
            let statement =
                Statement::parse(entry.body).map_err(|error| Refusal::of(error.code(), error.to_string()))?;
            statement::admit(state, entry.received_ms, &statement, None)?;
            Ok(Effect::Statement(Box::new(statement)))
        }
        EntryKind::Observation => observation::admit(state, entry),
        EntryKind::Epoch => admit_epoch(state, entry),
    }
}

fn check_founding(state: &State, index: u64, kind: EntryKind) -> Result<(), Refusal> {
    let is_founding = state.network.is_none() && kind == EntryKind::Statement;
    if is_founding == (index == 0) {
        return Ok(());
    }
    Err(Refusal::of("NET-GENESIS", "entry 0 is the genesis statement, and nothing else is"))
}

/// As [`admit`], with what was read from the entry's body before; what is of another kind than the entry counts for nothing.
///
/// # Errors
/// [`Refusal`] with the code that voids it.
pub fn admit_read(state: &State, index: u64, entry: &Entry<'_>, read: Beforehand) -> Result<Effect, Refusal> {
    match (read, entry.kind) {
        (Beforehand::Report(candidate), EntryKind::Report) => {
            check_founding(state, index, entry.kind)?;
            admit_candidate(state, index, entry, *candidate)
        }
        (Beforehand::Statement(vouched), EntryKind::Statement) => {
            check_founding(state, index, entry.kind)?;
            let Vouched { statement, network } = *vouched;
            statement::admit(state, entry.received_ms, &statement, Some(&network))?;
            Ok(Effect::Statement(Box::new(statement)))
        }
        _ => admit(state, index, entry, None),
    }
}

fn admit_candidate(state: &State, index: u64, entry: &Entry<'_>, candidate: Candidate) -> Result<Effect, Refusal> {
    admit_report(state, index, entry, candidate).map(|accepted| Effect::Report(Arc::new(accepted)))
}

fn admit_epoch(state: &State, entry: &Entry<'_>) -> Result<Effect, Refusal> {
    let statement = EpochStatement::decode(entry.body)
        .map_err(|error| Refusal::of("EPO-CBOR", format!("the epoch statement: {error}")))?;
    let expected = state.unlogged.get(&statement.number).ok_or_else(|| {
        Refusal::of("EPO-NUMBER", format!("epoch {} is open or its statement is logged already", statement.number))
    })?;
    let hash = Hash::of(entry.body);
    if hash != *expected {
        return Err(Refusal::of(
            "EPO-DIFFERS",
            format!("epoch {}: the log implies statement {expected}, this is {hash}", statement.number),
        ));
    }
    Ok(Effect::Epoch { number: statement.number })
}
