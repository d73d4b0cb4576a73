//! Logs and witnesses: what is a fork, and what is growth.

use cairn_core::Hash;
use cairn_core::ed25519::{SigningKey, VerifyingKey};
use cairn_evidence::{Accusation, Culprit, Evidence, EvidenceError, Fork, Kind};
use cairn_merkle::note::KeyKind;
use cairn_merkle::tree::{EMPTY_ROOT, MemoryTree};
use cairn_merkle::{Checkpoint, HashReader, MerkleError, NoteSigner, NoteVerifier};

use crate::world::{ORIGIN, World, leaves, witness, world, world_with};

/// A tree that answers a caller who collects errors of both crates.
pub struct Tree(pub MemoryTree);

#[derive(Debug)]
pub struct Refused(pub String);

impl From<MerkleError> for Refused {
    fn from(error: MerkleError) -> Self {
        Self(error.code().to_owned())
    }
}

impl From<EvidenceError> for Refused {
    fn from(error: EvidenceError) -> Self {
        Self(error.code().to_owned())
    }
}

impl HashReader for Tree {
    type Error = Refused;

    fn node(&self, level: u8, index: u64) -> Result<Hash, Refused> {
        Ok(self.0.node(level, index)?)
    }
}

pub fn fork(world: &World, one: &[Hash], other: &[Hash]) -> Result<Evidence, Refused> {
    let longer = if one.len() >= other.len() { one } else { other };
    let (left, right) = (world.checkpoint(one), world.checkpoint(other));
    Evidence::fork(&world.genesis, &left, &right, &Tree(MemoryTree::new(longer.to_vec())))
}

#[test]
fn every_two_checkpoints_of_two_histories_make_a_proof_and_of_one_history_none() {
    let world = world(1);
    for common in 0..6 {
        for old in 0..9 {
            for new in 0..9 {
                let (one, other) = (leaves(common, 1, old), leaves(common, 2, new));
                let consistent = old.min(new) <= common;
                let made = fork(&world, &one, &other);
                match made {
                    Err(refused) => {
                        assert!(consistent, "{common} {old} {new}");
                        assert_eq!(refused.0, "EVD-CONSISTENT", "{common} {old} {new}");
                    }
                    Ok(evidence) => {
                        assert!(!consistent, "{common} {old} {new}");
                        let found = evidence.check_in(&world.id).unwrap();
                        assert_eq!(found.kind, Kind::Fork);
                        assert_eq!(found.guilty, [Culprit::Log(world.log.verifier().clone())]);
                        assert_eq!(evidence, fork(&world, &other, &one).unwrap(), "in whichever order");
                    }
                }
            }
        }
    }
}

#[test]
fn an_empty_log_has_one_root() {
    let world = world(1);
    let sign = |size, root| Checkpoint::new(ORIGIN, size, root).unwrap().sign(&world.log, &[]).unwrap().to_string();
    let log = leaves(0, 1, 3);
    let tree = || Tree(MemoryTree::new(log.clone()));
    let odd = Evidence::fork(&world.genesis, &sign(0, Hash([7; 32])), &world.checkpoint(&log), &tree()).unwrap();
    assert_eq!(odd.check().unwrap().kind, Kind::Fork);
    let even = Evidence::fork(&world.genesis, &sign(0, EMPTY_ROOT), &world.checkpoint(&log), &tree());
    assert_eq!(even.unwrap_err().0, "EVD-CONSISTENT");
}

#[test]
fn a_fork_is_refused_where_anything_of_it_is_made_up() {
    let world = world(1);
    let (one, other) = (leaves(2, 1, 5), leaves(2, 2, 8));
    let good = fork(&world, &one, &other).unwrap();
    let Accusation::Fork(whole) = &good.accusation else { panic!("another kind") };
    let framer = NoteSigner::new(ORIGIN, SigningKey::from_seed([7; 32])).unwrap();
    let by_framer = |leaves: &[Hash]| {
        let root = MemoryTree::new(leaves.to_vec()).root();
        Checkpoint::new(ORIGIN, leaves.len() as u64, root).unwrap().sign(&framer, &[]).unwrap().to_string()
    };
    let cases: Vec<(&str, Fork, &str)> = vec![
        ("another root", Fork { root: Hash([1; 32]), ..whole.clone() }, "EVD-PROOF"),
        ("a hash too few", Fork { proof: whole.proof[1..].to_vec(), ..whole.clone() }, "EVD-PROOF"),
        ("no hashes", Fork { proof: Vec::new(), ..whole.clone() }, "EVD-PROOF"),
        (
            "the wrong order",
            Fork { smaller: whole.larger.clone(), larger: whole.smaller.clone(), ..whole.clone() },
            "EVD-ORDER",
        ),
        ("a framer's checkpoint", Fork { smaller: by_framer(&one), ..whole.clone() }, "EVD-NOTE"),
        ("no checkpoint", Fork { larger: "nothing\n".to_owned(), ..whole.clone() }, "EVD-NOTE"),
    ];
    for (what, fork, code) in cases {
        let evidence = Evidence { genesis: good.genesis.clone(), accusation: Accusation::Fork(fork) };
        assert_eq!(evidence.check().expect_err(what).code(), code, "{what}");
    }
    // Signed by a log key that the network does not have, or that is nobody's own.
    let framed = world_with(1, *framer.verifier().key().as_bytes());
    assert_eq!(Evidence { genesis: framed.genesis, ..good.clone() }.check().unwrap_err().code(), "EVD-NOTE");
    let mut neutral = [0; 32];
    neutral[0] = 1;
    let nobodys = Evidence { genesis: world_with(1, neutral).genesis, ..good };
    assert_eq!(nobodys.check().unwrap_err().code(), "EVD-GENESIS");
}

#[test]
fn two_receipts_with_two_leaves_at_one_index_are_a_fork_without_any_tree() {
    let world = world(1);
    let (one, other) = (leaves(2, 1, 5), leaves(2, 2, 8));
    let prove = |at: (u64, u64), leaf: (Hash, Hash)| {
        let receipts = (world.receipt(&one, at.0), world.receipt(&other, at.1));
        Evidence::two_leaves(&world.genesis, (&receipts.0, leaf.0), (&receipts.1, leaf.1))
    };
    let found = prove((3, 3), (one[3], other[3])).unwrap().check_in(&world.id).unwrap();
    assert_eq!((found.kind, found.guilty), (Kind::TwoLeaves, vec![Culprit::Log(world.log.verifier().clone())]));
    assert_eq!(prove((1, 1), (one[1], other[1])).unwrap_err().code(), "EVD-CONSISTENT", "a leaf that both have");
    assert_eq!(prove((3, 4), (one[3], other[4])).unwrap_err().code(), "EVD-CONSISTENT", "two indices");
    assert_eq!(prove((3, 3), (one[3], one[4])).unwrap_err().code(), "EVD-PROOF", "a leaf that is not there");
}

#[test]
fn a_witness_that_cosigned_both_sides_is_named_and_one_that_did_not_is_not() {
    let world = world(1);
    let (guilty, honest) = (witness(20), witness(21));
    let (one, other) = (leaves(2, 1, 5), leaves(2, 2, 8));
    let tree = Tree(MemoryTree::new(other.clone()));
    let (smaller, larger) = (world.cosigned(&one, &[&guilty, &honest]), world.cosigned(&other, &[&guilty]));
    let prove = |key: &NoteVerifier| Evidence::equivocation(&world.genesis, key, &smaller, &larger, &tree);
    let found = prove(guilty.verifier()).unwrap().check_in(&world.id).unwrap();
    assert_eq!(found.kind, Kind::Equivocation);
    let culprits = [Culprit::Witness(guilty.verifier().clone()), Culprit::Log(world.log.verifier().clone())];
    assert_eq!(found.guilty, culprits);
    assert_eq!(prove(honest.verifier()).unwrap_err().0, "EVD-NOTE", "it cosigned one of them");
    assert_eq!(prove(world.log.verifier()).unwrap_err().0, "EVD-NOTE", "no witness's key");
    let mut neutral = [0; 32];
    neutral[0] = 1;
    let nobodys = VerifyingKey::from_bytes(neutral).unwrap();
    let nobodys = NoteVerifier::new("witness.example", KeyKind::Cosignature, nobodys).unwrap();
    assert_eq!(prove(&nobodys).unwrap_err().0, "EVD-NOTE", "a key that anybody signs under");
    // A witness that follows one log as it grows is safe.
    let grown = leaves(2, 1, 8);
    let (smaller, larger) = (world.cosigned(&one, &[&guilty]), world.cosigned(&grown, &[&guilty]));
    let tree = Tree(MemoryTree::new(grown));
    let made = Evidence::equivocation(&world.genesis, guilty.verifier(), &smaller, &larger, &tree);
    assert_eq!(made.unwrap_err().0, "EVD-CONSISTENT");
}
