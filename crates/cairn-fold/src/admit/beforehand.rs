//! What is found out about an entry before it is its turn, by whoever has cores to spare; it never changes a verdict.

use cairn_core::NetworkId;
use cairn_core::statement::Statement;
use rayon::prelude::*;

use super::Candidate;
use crate::refusal::Refusal;

/// Statements read and checked by one thread at once: each costs some hundred microseconds.
const PIECE: usize = 4;

/// A statement whose signatures were checked, and hold under a network's id. They are over its own bytes and by the keys in
/// them, so nothing that happens meanwhile makes them fail; everything else about it is still to be decided.
#[derive(Debug, Clone)]
pub struct Vouched {
    pub(super) statement: Statement,
    pub(super) network: NetworkId,
}

impl Vouched {
    /// Reads a statement and checks its signatures.
    ///
    /// # Errors
    /// [`Refusal`] with the code of its form, or `STM-SIGNATURE`.
    pub fn read(bytes: &[u8], network: &NetworkId) -> Result<Self, Refusal> {
        let statement = Statement::parse(bytes).map_err(|error| Refusal::of(error.code(), error.to_string()))?;
        if statement.signatures_hold(Some(network)) {
            return Ok(Self { statement, network: *network });
        }
        Err(Refusal::of("STM-SIGNATURE", "a signature does not verify"))
    }

    /// The statement.
    #[must_use]
    pub const fn statement(&self) -> &Statement {
        &self.statement
    }

    /// The same for many, on the current rayon pool. The answers do not depend on it.
    pub fn read_all(items: &[&[u8]], network: &NetworkId) -> Vec<Result<Self, Refusal>> {
        items.par_iter().with_min_len(PIECE).map(|bytes| Self::read(bytes, network)).collect()
    }
}

/// What was read from an entry's bytes before it was its turn.
#[derive(Debug, Clone)]
pub enum Beforehand {
    /// Of a report, and what is known of its signature.
    Report(Box<Candidate>),
    /// Of a statement.
    Statement(Box<Vouched>),
}
