//! Portable proofs: what somebody signed and, by his own word, must not have signed, in one file that a stranger checks
//! offline.
//!
//! An [`Evidence`] carries the payload of the network's genesis, whose hash is the network's id and which names origin and
//! keys, and then the signed things that contradict each other, with the hashes that show it. Nothing in it is to be
//! trusted: [`Evidence::check`] verifies every signature and every hash, and answers with a [`Finding`] that names who
//! contradicted himself, or with the reason why nothing is proven.
//!
//! Promised:
//! * Nobody who keeps the rules can be found guilty: a finding needs two signatures that no honest signer makes.
//! * For every two checkpoints of a log that do not fit each other there is a proof, and whoever holds both notes and
//!   the hashes of the longer tree can make it ([`Evidence::fork`]).
//! * One encoding, bounded sizes, no clock, no file, no network.
//!
//! Not promised, because no signed bytes show it:
//! * **Time.** Neither promises nor checkpoints carry one. A checkpoint that is too short for a promise may be older than
//!   it, and a log that was rolled back looks like one that was asked earlier: both are proof only once the log shows
//!   another leaf.
//! * **Standing.** Whether a report's name counted, whether a statement was valid, whether an owner had already handed a
//!   device on is what the whole log says, and only the log. Where a finding rests on an owner's statement it names the
//!   owner ([`Finding::on_word_of`]).
//! * **Which network matters.** Anybody can found one, also one that names the origin and log key of another: checkpoints
//!   name the log and not the network, so a fork is proven of origin and key, whichever genesis stands beside it. Pin the
//!   id ([`Evidence::check_in`]).

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::cast_possible_truncation))]

mod conflict;
mod error;
mod finding;
mod fork;
mod format;
mod network;
mod promise;

pub use conflict::{Conflict, chain_of};
pub use error::EvidenceError;
pub use finding::{Culprit, Finding};
pub use fork::{Equivocation, Fork, LeafUnder, TwoLeaves};
pub use network::Founded;
pub use promise::{BrokenPromise, TwoPromises};

use cairn_core::NetworkId;

/// The first item of every evidence: the format and its version.
pub const FORMAT: &str = "cairn/evidence/1";
/// The most bytes of one evidence: two promises of 4 MiB and what goes with them.
pub const EVIDENCE_BYTES_MAX: usize = 9 << 20;
/// The most bytes of a checkpoint's note: 64 signature lines.
pub const CHECKPOINT_BYTES_MAX: usize = 64 << 10;
/// The most statements between a device's first key and the one that signed.
pub const CHAIN_MAX: usize = 32;

/// What somebody is accused of. The numbers are those of the format, for ever; 7 is kept for two signatures of one auditor
/// under different statements of one epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// 1: a device signed two payloads under one name.
    Conflict,
    /// 2: the log shows another leaf than was promised.
    BrokenPromise,
    /// 3: the log's key signed two checkpoints that no one log has.
    Fork,
    /// 4: two checkpoints of the log hold different leaves at one index.
    TwoLeaves,
    /// 5: one index was promised to two leaves.
    TwoPromises,
    /// 6: a witness cosigned two checkpoints that no one log has.
    Equivocation,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 6] =
        [Self::Conflict, Self::BrokenPromise, Self::Fork, Self::TwoLeaves, Self::TwoPromises, Self::Equivocation];

    /// The number in the format.
    #[must_use]
    pub const fn number(self) -> u64 {
        match self {
            Self::Conflict => 1,
            Self::BrokenPromise => 2,
            Self::Fork => 3,
            Self::TwoLeaves => 4,
            Self::TwoPromises => 5,
            Self::Equivocation => 6,
        }
    }

    /// The kind of a number.
    #[must_use]
    pub fn from_number(number: u64) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.number() == number)
    }

    /// The word for it, as in file names and JSON.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Conflict => "conflict",
            Self::BrokenPromise => "broken-promise",
            Self::Fork => "fork",
            Self::TwoLeaves => "two-leaves",
            Self::TwoPromises => "two-promises",
            Self::Equivocation => "equivocation",
        }
    }
}

/// The contradiction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Accusation {
    /// See [`Kind::Conflict`].
    Conflict(Conflict),
    /// See [`Kind::BrokenPromise`].
    BrokenPromise(BrokenPromise),
    /// See [`Kind::Fork`].
    Fork(Fork),
    /// See [`Kind::TwoLeaves`].
    TwoLeaves(TwoLeaves),
    /// See [`Kind::TwoPromises`].
    TwoPromises(TwoPromises),
    /// See [`Kind::Equivocation`].
    Equivocation(Equivocation),
}

impl Accusation {
    /// Its kind.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        match self {
            Self::Conflict(_) => Kind::Conflict,
            Self::BrokenPromise(_) => Kind::BrokenPromise,
            Self::Fork(_) => Kind::Fork,
            Self::TwoLeaves(_) => Kind::TwoLeaves,
            Self::TwoPromises(_) => Kind::TwoPromises,
            Self::Equivocation(_) => Kind::Equivocation,
        }
    }
}

/// A proof, as it is carried: the network's founding words, and a contradiction. Proves nothing until it is checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evidence {
    /// The payload of the genesis statement: the network's id is its SHA-256.
    pub genesis: Vec<u8>,
    /// What contradicts itself.
    pub accusation: Accusation,
}

impl Evidence {
    /// Checks everything: who contradicted himself, in which network.
    ///
    /// # Errors
    /// [`EvidenceError`]: the reason why nothing is proven.
    pub fn check(&self) -> Result<Finding, EvidenceError> {
        let network = Founded::by(&self.genesis)?;
        match &self.accusation {
            Accusation::Conflict(conflict) => conflict.check(&network),
            Accusation::BrokenPromise(broken) => broken.check(&network),
            Accusation::Fork(fork) => fork.check(&network),
            Accusation::TwoLeaves(two) => two.check(&network),
            Accusation::TwoPromises(two) => two.check(&network),
            Accusation::Equivocation(two) => two.check(&network),
        }
    }

    /// The name of the file that it is kept in: its kind and the beginning of its hash.
    #[must_use]
    pub fn file_name(&self) -> String {
        let hash = cairn_core::Hash::of(&self.encode()).to_hex();
        format!("{}-{}.evidence", self.accusation.kind().word(), &hash[..16])
    }

    /// [`Evidence::check`], of one network and no other.
    ///
    /// # Errors
    /// [`EvidenceError::Network`] if it is about another one.
    pub fn check_in(&self, expected: &NetworkId) -> Result<Finding, EvidenceError> {
        let found = self.check()?;
        if found.network == *expected {
            return Ok(found);
        }
        Err(EvidenceError::Network { expected: *expected, found: found.network })
    }

    /// The evidence, if it proves what it says to whoever reads its bytes: nobody hands on an accusation that does not hold.
    fn proven(genesis: &[u8], accusation: Accusation) -> Result<Self, EvidenceError> {
        let evidence = Self::decode(&Self { genesis: genesis.to_vec(), accusation }.encode())?;
        evidence.check()?;
        Ok(evidence)
    }
}
