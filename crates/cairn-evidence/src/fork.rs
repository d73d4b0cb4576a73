//! Two checkpoints of one log that no one log has, and the witnesses that cosigned both.
//!
//! A log only grows: of two of its checkpoints the tree of the smaller one is a prefix of the other's tree. So whoever
//! shows that the first `m` leaves under the larger checkpoint have another root than the checkpoint of size `m` says has
//! shown that the log's key signed two histories. An RFC 6962 consistency proof shows that root: it is the standard proof
//! between the larger checkpoint and the root that its own tree has at the smaller size. By the collision resistance of
//! SHA-256 there is one such root, so an honest log's checkpoints never make a fork.
//!
//! This one form is complete: for any two checkpoints that do not fit each other, the hashes of the larger tree give the
//! root and the proof. At equal sizes the root is the other checkpoint's own and the proof is empty.
//!
//! Whoever holds only receipts shows [`TwoLeaves`] instead.

use cairn_core::Hash;
use cairn_merkle::note::{KeyKind, Note};
use cairn_merkle::proof::{consistency_proof, root_at, verify_consistency, verify_inclusion};
use cairn_merkle::{HashReader, MerkleError, NoteVerifier, Receipt, SignedCheckpoint};

use crate::network::{Founded, is_anybodys};
use crate::{Accusation, Culprit, Evidence, EvidenceError, Finding, Kind};

/// Two signed checkpoints that no one log has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fork {
    /// The checkpoint with fewer entries; of equal ones that with the lower root.
    pub smaller: String,
    /// The other.
    pub larger: String,
    /// The root of the larger tree's first leaves, as many as the smaller has.
    pub root: Hash,
    /// The consistency proof from that root to the larger checkpoint.
    pub proof: Vec<Hash>,
}

/// Two receipts with different leaves at one index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TwoLeaves {
    /// The index.
    pub index: u64,
    /// The leaf with the lower hash.
    pub first: LeafUnder,
    /// The other.
    pub second: LeafUnder,
}

/// A leaf under a checkpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeafUnder {
    /// The leaf hash.
    pub leaf: Hash,
    /// The signed checkpoint.
    pub checkpoint: String,
    /// The hashes from the leaf's sibling up to the checkpoint's root.
    pub proof: Vec<Hash>,
}

/// A witness that cosigned both sides of a fork, each of which the log's key signed too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Equivocation {
    /// The witness's key: a vkey of type 4.
    pub witness: String,
    /// The fork.
    pub fork: Fork,
}

impl Evidence {
    /// Evidence that the log's key signed two checkpoints that no one log has. `hashes` knows the tree of the one with
    /// more entries, and is not asked at equal sizes.
    ///
    /// # Errors
    /// [`EvidenceError`] when it would prove nothing, and those of `hashes`.
    pub fn fork<R>(genesis: &[u8], one: &str, other: &str, hashes: &R) -> Result<Self, R::Error>
    where
        R: HashReader + ?Sized,
        R::Error: From<EvidenceError>,
    {
        let network = Founded::by(genesis)?;
        let fork = Fork::between(&network, one, other, hashes)?;
        Ok(Self::proven(genesis, Accusation::Fork(fork))?)
    }

    /// Evidence that a witness cosigned both sides of a fork; see [`Evidence::fork`].
    ///
    /// # Errors
    /// [`EvidenceError`] when it would prove nothing, and those of `hashes`.
    pub fn equivocation<R>(
        genesis: &[u8],
        witness: &NoteVerifier,
        one: &str,
        other: &str,
        hashes: &R,
    ) -> Result<Self, R::Error>
    where
        R: HashReader + ?Sized,
        R::Error: From<EvidenceError>,
    {
        let network = Founded::by(genesis)?;
        let fork = Fork::between(&network, one, other, hashes)?;
        let equivocation = Equivocation { witness: witness.to_string(), fork };
        Ok(Self::proven(genesis, Accusation::Equivocation(equivocation))?)
    }

    /// Evidence that two receipts have different leaves at one index.
    ///
    /// # Errors
    /// [`EvidenceError`] when it would prove nothing.
    pub fn two_leaves(genesis: &[u8], one: (&Receipt, Hash), other: (&Receipt, Hash)) -> Result<Self, EvidenceError> {
        let (first, second) = if one.1 <= other.1 { (one, other) } else { (other, one) };
        if first.0.index != second.0.index {
            let reason = format!("the receipts are of indices {} and {}", first.0.index, second.0.index);
            return Err(EvidenceError::Consistent { reason });
        }
        let under = |(receipt, leaf): (&Receipt, Hash)| LeafUnder {
            leaf,
            checkpoint: receipt.checkpoint.clone(),
            proof: receipt.proof.clone(),
        };
        let two = TwoLeaves { index: first.0.index, first: under(first), second: under(second) };
        Self::proven(genesis, Accusation::TwoLeaves(two))
    }
}

fn open(network: &Founded, what: &'static str, note: &str) -> Result<(u64, Hash), EvidenceError> {
    let signed = SignedCheckpoint::open(note, &network.log, &[]);
    let signed = signed.map_err(|source| EvidenceError::Note { what, source })?;
    Ok((signed.checkpoint.size(), signed.checkpoint.root()))
}

impl Fork {
    fn between<R>(network: &Founded, one: &str, other: &str, hashes: &R) -> Result<Self, R::Error>
    where
        R: HashReader + ?Sized,
        R::Error: From<EvidenceError>,
    {
        let (left, right) = (open(network, "first checkpoint", one)?, open(network, "second checkpoint", other)?);
        let (smaller, larger) = if left <= right { (one, other) } else { (other, one) };
        let ((old, _), (new, new_root)) = (left.min(right), left.max(right));
        let (root, proof) = match old == new {
            true => (new_root, Vec::new()),
            false => (root_at(hashes, old)?, consistency_proof(hashes, old, new)?),
        };
        Ok(Self { smaller: smaller.to_owned(), larger: larger.to_owned(), root, proof })
    }

    pub(crate) fn check(&self, network: &Founded) -> Result<Finding, EvidenceError> {
        let sentence = self.sentence(network)?;
        let sentence = format!("the operator of {} signed {sentence}", network.genesis.origin);
        let guilty = vec![Culprit::Log(network.log.clone())];
        Ok(Finding { network: network.id, kind: Kind::Fork, guilty, sentence, on_word_of: Vec::new() })
    }

    /// Checks the fork; what was signed, in words.
    fn sentence(&self, network: &Founded) -> Result<String, EvidenceError> {
        let smaller = open(network, "smaller checkpoint", &self.smaller)?;
        let larger = open(network, "larger checkpoint", &self.larger)?;
        if smaller > larger {
            return Err(EvidenceError::Order {
                rule: "the checkpoint with fewer entries, or the lower root, comes first",
            });
        }
        let ((old, old_root), (new, new_root)) = (smaller, larger);
        if self.root == old_root {
            let reason = format!("the first {old} entries of the larger log have the smaller one's root");
            return Err(EvidenceError::Consistent { reason });
        }
        verify_consistency(old, self.root, new, new_root, &self.proof)
            .map_err(|source| EvidenceError::Proof { what: "larger log's first entries", source })?;
        let root = self.root;
        Ok(match old == new {
            true => format!("two checkpoints of {old} entries, with root {old_root} and with root {new_root}"),
            false => format!(
                "a checkpoint of {old} entries with root {old_root} and one of {new} entries, the first {old} of which \
                 have root {root}"
            ),
        })
    }
}

impl TwoLeaves {
    pub(crate) fn check(&self, network: &Founded) -> Result<Finding, EvidenceError> {
        let (first, second) = (&self.first, &self.second);
        let sizes = [first.open(network, self.index, "first")?, second.open(network, self.index, "second")?];
        if first.leaf == second.leaf {
            return Err(EvidenceError::Consistent { reason: "both leaves are the same".to_owned() });
        }
        if first.leaf > second.leaf {
            return Err(EvidenceError::Order { rule: "the leaf with the lower hash comes first" });
        }
        let sentence = format!(
            "the operator of {} signed a checkpoint of {} entries with leaf {} at index {}, and one of {} entries with \
             leaf {} there",
            network.genesis.origin, sizes[0], first.leaf, self.index, sizes[1], second.leaf
        );
        let guilty = vec![Culprit::Log(network.log.clone())];
        Ok(Finding { network: network.id, kind: Kind::TwoLeaves, guilty, sentence, on_word_of: Vec::new() })
    }
}

impl LeafUnder {
    /// Checks that the leaf stands there; the size of that log.
    fn open(&self, network: &Founded, index: u64, what: &'static str) -> Result<u64, EvidenceError> {
        let (checkpoint, leaf) =
            if what == "first" { ("first checkpoint", "first leaf") } else { ("second checkpoint", "second leaf") };
        let (size, root) = open(network, checkpoint, &self.checkpoint)?;
        verify_inclusion(self.leaf, index, size, root, &self.proof)
            .map_err(|source| EvidenceError::Proof { what: leaf, source })?;
        Ok(size)
    }
}

impl Equivocation {
    pub(crate) fn check(&self, network: &Founded) -> Result<Finding, EvidenceError> {
        let refuse = |source| EvidenceError::Note { what: "witness's key", source };
        let witness: NoteVerifier = self.witness.parse().map_err(refuse)?;
        if witness.kind() != KeyKind::Cosignature {
            let vkey = self.witness.chars().take(160).collect();
            return Err(refuse(MerkleError::VerifierKey { vkey, reason: "it is no key of a witness (type 4)" }));
        }
        if is_anybodys(witness.key()) {
            let vkey = self.witness.chars().take(160).collect();
            return Err(refuse(MerkleError::VerifierKey {
                vkey,
                reason: "it is of small order: anybody can sign for it",
            }));
        }
        let sentence = self.fork.sentence(network)?;
        for (what, note) in [("smaller checkpoint", &self.fork.smaller), ("larger checkpoint", &self.fork.larger)] {
            let refuse = |source| EvidenceError::Note { what, source };
            let note: Note = note.parse().map_err(refuse)?;
            note.open(core::slice::from_ref(&witness)).map_err(refuse)?;
        }
        let origin = &network.genesis.origin;
        let sentence = format!("witness {} cosigned {sentence}, of {origin}", witness.name().escape_default());
        let guilty = vec![Culprit::Witness(witness), Culprit::Log(network.log.clone())];
        Ok(Finding { network: network.id, kind: Kind::Equivocation, guilty, sentence, on_word_of: Vec::new() })
    }
}
