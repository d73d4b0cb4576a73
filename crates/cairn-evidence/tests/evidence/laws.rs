//! Laws over random logs and random damage: no honest party is ever found guilty, no liar who is caught twice is not.

use cairn_core::Hash;
use cairn_evidence::{Accusation, Evidence, EvidenceError, Finding, Fork, Kind, TwoLeaves};
use cairn_merkle::proof::{consistency_proof, root_at};
use cairn_merkle::tree::{MemoryTree, leaf_hash};
use proptest::prelude::*;

use crate::forks::fork;
use crate::samples::samples;
use crate::world::{device, key, leaves, report, world};

fn proves(bytes: &[u8]) -> Option<Finding> {
    Evidence::decode(bytes).and_then(|evidence| evidence.check()).ok()
}

#[test]
fn every_cut_of_a_proof_proves_nothing() {
    for (name, _, evidence) in samples() {
        let bytes = evidence.encode();
        for cut in 0..bytes.len() {
            assert_eq!(proves(&bytes[..cut]), None, "{name} cut at {cut}");
        }
    }
}

#[test]
fn every_flipped_bit_of_a_proof_proves_nothing_or_the_same_thing() {
    for (name, _, evidence) in samples() {
        let bytes = evidence.encode();
        let found = evidence.check().unwrap();
        for at in 0..bytes.len() {
            for bit in 0..8 {
                let mut flipped = bytes.clone();
                flipped[at] ^= 1 << bit;
                let Some(other) = proves(&flipped) else { continue };
                // Checkpoints name the log and not the network: beside a genesis of another network with the same
                // origin and log key they prove the same of the same key. Whoever pins the id sees the difference.
                let of_log = matches!(found.kind, Kind::Fork | Kind::TwoLeaves | Kind::Equivocation);
                let network = if of_log { other.network } else { found.network };
                assert_eq!(other, Finding { network, ..found.clone() }, "{name}, byte {at}, bit {bit}");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Completeness: whoever holds the notes and the longer tree has a proof, whatever the two histories.
    #[test]
    fn two_checkpoints_that_do_not_fit_make_a_proof_and_two_that_fit_make_none(
        common in 0u64..300, old in 0u64..400, new in 0u64..400,
    ) {
        let world = world(1);
        let made = fork(&world, &leaves(common, 1, old), &leaves(common, 2, new));
        if old.min(new) > common {
            let evidence = made.unwrap();
            prop_assert_eq!(&Evidence::decode(&evidence.encode()).unwrap(), &evidence);
            prop_assert!(evidence.check_in(&world.id).is_ok());
        } else {
            prop_assert_eq!(made.unwrap_err().0, "EVD-CONSISTENT");
        }
    }

    /// Soundness: an honest log's checkpoints, promises and receipts make no proof, whatever hashes a framer puts beside
    /// them.
    #[test]
    fn an_honest_operator_is_never_found_guilty(
        size in 1u64..200, old in 0u64..200, index in 0u64..200, other in 0u64..200, noise: [u8; 32], at in 0usize..12,
        cut in 0usize..12,
    ) {
        let world = world(1);
        let log = leaves(0, 1, size);
        let (old, index, other) = (old % (size + 1), index % size, other % size);
        let prefix = &log[..old as usize];
        prop_assert_eq!(fork(&world, prefix, &log).unwrap_err().0, "EVD-CONSISTENT");
        let tree = MemoryTree::new(log.clone());
        // The true proof with something of it replaced, left out or put in.
        let mut proof = consistency_proof(&tree, old, size).unwrap();
        if let Some(hash) = proof.get_mut(at) {
            *hash = Hash(noise);
        }
        proof.truncate(cut);
        for root in [root_at(&tree, old).unwrap(), Hash(noise), tree.root(), log[0]] {
            let (smaller, larger) = (world.checkpoint(prefix), world.checkpoint(&log));
            let made_up = Fork { smaller, larger, root, proof: proof.clone() };
            let made_up = Evidence { genesis: world.genesis.clone(), accusation: Accusation::Fork(made_up) };
            prop_assert!(made_up.check().is_err());
        }
        // A promise that is kept, against the log at any size that reaches it, with any leaf that may be claimed.
        let promise = world.promise(&[(other, log[other as usize]), (index, log[index as usize])]);
        let receipt = world.receipt(&log, index);
        for leaf in [log[index as usize], log[other as usize], Hash(noise), leaf_hash(b"")] {
            prop_assert!(Evidence::broken_promise(&world.genesis, &promise, &receipt, leaf).is_err());
        }
        prop_assert!(Evidence::two_promises(&world.genesis, &promise, &world.promise(&[(index, log[index as usize])])).is_err());
        let earlier = world.receipt(&log[..=index as usize], index);
        for leaf in [log[index as usize], Hash(noise)] {
            let two = Evidence::two_leaves(&world.genesis, (&receipt, log[index as usize]), (&earlier, leaf));
            prop_assert!(two.is_err());
        }
    }

    /// Soundness: a device that never uses a name twice is never found guilty, whatever is made of what it signed.
    #[test]
    fn an_honest_device_is_never_found_guilty(
        seqs in proptest::collection::btree_set(0u32..50, 2..6), values in proptest::collection::vec(0i64..5, 6),
        at in 0usize..400, bit in 0u8..8,
    ) {
        let world = world(1);
        let said: Vec<Vec<u8>> = seqs.iter().zip(&values).map(|(seq, value)| report(&world, device(2), &key(2), *seq, *value)).collect();
        for one in &said {
            for other in &said {
                let mut altered = other.clone();
                let at = at % altered.len();
                altered[at] ^= 1 << bit;
                for other in [other, &altered] {
                    prop_assert!(Evidence::conflict(&world.genesis, &key(2).public(), &[], one, other).is_err());
                }
            }
        }
    }

    /// Any bytes at all, and any head with anything behind it.
    #[test]
    fn reading_never_panics_and_what_is_read_is_written_the_same(
        bytes in proptest::collection::vec(any::<u8>(), 0..200), sample in 0usize..8, at: prop::sample::Index, with: u8,
    ) {
        let mut damaged = samples()[sample].2.encode();
        let at = at.index(damaged.len());
        damaged[at] = with;
        for bytes in [bytes, damaged] {
            match Evidence::decode(&bytes) {
                Ok(read) => prop_assert_eq!(read.encode(), bytes),
                Err(error) => {
                    let decoding = !matches!(error, EvidenceError::Note { .. } | EvidenceError::Proof { .. });
                    prop_assert!(decoding, "reading verifies nothing: {}", error);
                }
            }
        }
    }
}

#[test]
fn two_leaves_need_two_checkpoints_that_hold_them() {
    // The same checkpoint cannot hold two leaves at one index: a second proof for it does not exist.
    let world = world(1);
    let log = leaves(0, 1, 6);
    let receipt = world.receipt(&log, 2);
    let (_, _, sample) = samples().into_iter().find(|(name, _, _)| *name == "two-leaves").unwrap();
    let Accusation::TwoLeaves(mut two) = sample.accusation else { panic!("another kind") };
    two.second.checkpoint = receipt.checkpoint;
    let evidence = Evidence { accusation: Accusation::TwoLeaves(TwoLeaves { ..two }), ..sample };
    assert_eq!(evidence.check().unwrap_err().code(), "EVD-PROOF");
}
