//! The log as a chain knows it: RFC 6962 proofs, checked as `cairn-merkle` checks them.

use cairn_core::Hash;
use cairn_core::cbor::Encoder;
use cairn_merkle::{MemoryTree, proof, tree};
use cairn_settle::abi::Arguments;
use cairn_settle::{EpochMessage, EvmAddress, calls};
use proptest::prelude::*;

use crate::chain::{Chain, FORKS, for_tests, number};
use crate::world::{WINDOW_S, World, person};

fn words(proof: &[Hash]) -> Vec<[u8; 32]> {
    proof.iter().map(|hash| hash.0).collect()
}

/// A proof, and what an attacker makes of it.
fn mutations(proof: &[Hash]) -> Vec<Vec<Hash>> {
    let mut out = vec![[proof, &[Hash::ZERO]].concat(), [&[Hash::ZERO], proof].concat()];
    for i in 0..proof.len() {
        let (mut without, mut changed) = (proof.to_vec(), proof.to_vec());
        without.remove(i);
        changed[i].0[31] ^= 1;
        out.extend([without, changed, proof[..i].to_vec()]);
    }
    out
}

fn leaves(size: u64) -> Vec<Hash> {
    (0..size).map(|i| tree::leaf_hash(&i.to_le_bytes())).collect()
}

struct Proofs {
    chain: Chain,
    at: EvmAddress,
}

impl Proofs {
    fn new() -> Self {
        let mut chain = Chain::new(FORKS[3].1, 1, 1);
        let at = chain.deploy(&for_tests("Proofs"), &Arguments::new());
        Self { chain, at }
    }

    fn yes(&mut self, name: &str, first: Hash, (a, b): (u64, u64), root: Hash, proof: &[Hash]) -> bool {
        let arguments = match name {
            "includes" => Arguments::new().word(first.0).uint(a).uint(b),
            _ => Arguments::new().uint(a).word(first.0).uint(b),
        };
        let types = if name == "includes" { "bytes32,uint64,uint64" } else { "uint64,bytes32,uint64" };
        let signature = format!("{name}({types},bytes32,bytes32[])");
        number(&self.chain.view(self.at, &signature, arguments.word(root.0).words(words(proof)))[0]) == 1
    }

    /// Holds both checkers to one answer, and gives it.
    fn includes(&mut self, leaf: Hash, index: u64, size: u64, root: Hash, proof: &[Hash]) -> bool {
        let here = proof::verify_inclusion(leaf, index, size, root, proof).is_ok();
        assert_eq!(self.yes("includes", leaf, (index, size), root, proof), here, "{index} of {size}");
        here
    }

    /// Holds both checkers to one answer, and gives it.
    fn extends(&mut self, old: u64, old_root: Hash, size: u64, root: Hash, proof: &[Hash]) -> bool {
        let here = proof::verify_consistency(old, old_root, size, root, proof).is_ok();
        assert_eq!(self.yes("extends", old_root, (old, size), root, proof), here, "{old} to {size}");
        here
    }
}

#[test]
fn every_proof_of_every_small_tree_verifies_and_every_mutation_is_refused() {
    let mut proofs = Proofs::new();
    for size in 1..=17u64 {
        let leaves = leaves(size);
        let (all, root) = (MemoryTree::new(leaves.clone()), tree::root(&leaves));
        for index in 0..size {
            let (leaf, proof) = (leaves[index as usize], proof::inclusion_proof(&all, index, size).unwrap());
            assert!(proofs.includes(leaf, index, size, root, &proof));
            assert!(!proofs.includes(Hash::ZERO, index, size, root, &proof));
            for other in (0..=size + 1).filter(|other| *other != index) {
                assert!(!proofs.includes(leaf, other, size, root, &proof), "another index");
            }
            for bad in mutations(&proof) {
                assert!(!proofs.includes(leaf, index, size, root, &bad));
            }
        }
        for old in 0..=size + 1 {
            let old_root = tree::root(&leaves[..old.min(size) as usize]);
            let proof = proof::consistency_proof(&all, old.min(size), size).unwrap();
            assert_eq!(proofs.extends(old, old_root, size, root, &proof), old <= size);
            assert!(!proofs.extends(old, Hash::ZERO, size, root, &proof), "another old root");
            if old > 0 {
                assert!(!proofs.extends(old, old_root, size, Hash::ZERO, &proof), "another root");
            }
            for bad in mutations(&proof) {
                assert!(!proofs.extends(old, old_root, size, root, &bad));
            }
        }
    }
    assert!(proofs.extends(0, tree::EMPTY_ROOT, 0, tree::EMPTY_ROOT, &[]));
    assert!(!proofs.includes(Hash::ZERO, 0, 0, tree::EMPTY_ROOT, &[]));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn both_checkers_give_one_answer_about_trees_next_to_powers_of_two_and_forged_proofs(
        bits in 1u32..11, near in 0u64..3, old in any::<u64>(), index in any::<u64>(),
        size_claimed in any::<prop::sample::Index>(), turned in any::<prop::sample::Index>(), forge in 0u8..4,
    ) {
        let mut proofs = Proofs::new();
        let size = (1u64 << bits) + near - 1;
        let (old, index) = (old % (size + 1), index % size);
        let leaves = leaves(size);
        let (all, root) = (MemoryTree::new(leaves.clone()), tree::root(&leaves));
        let mut inclusion = proof::inclusion_proof(&all, index, size).unwrap();
        let mut consistency = proof::consistency_proof(&all, old, size).unwrap();
        let mut stated = size;
        match forge {
            1 => stated = size_claimed.index(2 * size as usize) as u64,
            2 => for proof in [&mut inclusion, &mut consistency] {
                if !proof.is_empty() {
                    let place = turned.index(proof.len());
                    proof[place].0[0] ^= 1;
                }
            },
            3 => { inclusion.reverse(); consistency.reverse() }
            _ => {}
        }
        let included = proofs.includes(leaves[index as usize], index, stated, root, &inclusion);
        let extended = proofs.extends(old, tree::root(&leaves[..old as usize]), stated, root, &consistency);
        prop_assert!(forge != 0 || (included && extended));
    }
}

#[test]
fn the_anchor_advances_only_to_a_final_epoch_and_by_a_proof() {
    let mut world = World::new();
    let anchor = world.anchor;
    let advance = |world: &mut World, proof: &[Hash]| world.chain.send(person(4), anchor, calls::advance(proof));
    assert_eq!(advance(&mut world, &[]).unwrap_err(), "NothingFinal");
    let zero = world.epoch(0, &[]).message;
    world.post(&zero).unwrap();
    assert_eq!(advance(&mut world, &[]).unwrap_err(), "NothingFinal", "not yet final");
    world.chain.pass(WINDOW_S);
    advance(&mut world, &[]).unwrap();
    for number in 1..6 {
        let next = world.epoch(number, &[]).message;
        world.post(&next).unwrap();
        world.chain.pass(WINDOW_S);
    }
    let proof = world.consistency(3, 18);
    for bad in mutations(&proof) {
        assert_eq!(advance(&mut world, &bad).unwrap_err(), "NotConsistent");
    }
    advance(&mut world, &proof).unwrap();
    // A quorum that signs a fork moves the settlement, and not the anchor.
    let mut fork = world.epoch(6, &[]).message;
    let forked: Vec<Hash> = (0..21u32).map(|i| tree::leaf_hash(&i.to_be_bytes())).collect();
    fork.log_root = tree::root(&forked);
    world.post(&fork).unwrap();
    world.chain.pass(WINDOW_S);
    let own = proof::consistency_proof(&MemoryTree::new(forked), 18, 21).unwrap();
    assert_eq!(advance(&mut world, &own).unwrap_err(), "NotConsistent");
    let honest = world.consistency(18, 21);
    assert_eq!(advance(&mut world, &honest).unwrap_err(), "NotConsistent");
    let better = EpochMessage { revision: 1, ..world.epoch(6, &[]).message };
    world.post(&better).unwrap();
    assert_eq!(advance(&mut world, &honest).unwrap_err(), "NotConsistent", "the last final epoch lies behind");
    world.chain.pass(WINDOW_S);
    advance(&mut world, &honest).expect("the quorum came back to the log");
}

#[test]
fn other_contracts_can_ask_whether_the_log_or_the_state_holds_something() {
    for (fork, spec) in FORKS {
        let mut world = World::on(spec, 5);
        for number in 0..9 {
            let next = world.epoch(number, &[]).message;
            world.post(&next).unwrap();
            world.chain.pass(WINDOW_S);
        }
        world.chain.send(person(4), world.anchor, calls::advance(&[])).unwrap();
        let (anchor, size) = (world.anchor, 27usize);
        let all = world.log_tree(size);
        let mut included = |entry: &[u8], index: u64, proof: &[Hash]| {
            let arguments = Arguments::new().bytes(entry).uint(index).words(words(proof));
            let said = world.chain.view(anchor, "verifyInclusion(bytes,uint64,bytes32[])", arguments);
            number(&said[0]) == 1
        };
        for index in 0..size as u64 {
            let proof = proof::inclusion_proof(&all, index, size as u64).unwrap();
            let entry = format!("entry {index}").into_bytes();
            assert!(included(&entry, index, &proof), "{fork}");
            assert!(!included(&entry, (index + 1) % size as u64, &proof));
            assert!(!included(b"entry", index, &proof));
        }
        // An inner node's two children are no entry.
        let pair = [tree::leaf_hash(b"entry 0").0, tree::leaf_hash(b"entry 1").0].concat();
        let above = proof::inclusion_proof(&all, 0, size as u64).unwrap();
        assert!(!included(&pair, 0, &above[1..]));
        state_is_told(&mut world, anchor);
    }
}

fn state_is_told(world: &mut World, anchor: EvmAddress) {
    let records = World::state(8);
    let all = MemoryTree::new(records.iter().map(|record| tree::leaf_hash(record)).collect());
    let mut holds = |table: u64, key: &[u8], value: &[u8], index: u64, proof: &[Hash]| {
        let arguments = Arguments::new().uint(table).bytes(key).bytes(value).uint(index).uint(37u8).words(words(proof));
        let name = "verifyState(uint64,bytes,bytes,uint64,uint64,bytes32[])";
        number(&world.chain.view(anchor, name, arguments)[0]) == 1
    };
    for i in 0..37u64 {
        let (key, value) = (i.to_be_bytes(), format!("value {i} of 8").into_bytes());
        let mut record = Encoder::empty();
        record.array(3).uint(i).bytes(&key).bytes(&value);
        let record = record.into_bytes();
        let index = records.iter().position(|one| *one == record).unwrap() as u64;
        let proof = proof::inclusion_proof(&all, index, 37).unwrap();
        assert!(holds(i, &key, &value, index, &proof));
        assert!(!holds(i + 1, &key, &value, index, &proof), "another table");
        assert!(!holds(i, &key[..7], &[&key[7..], &value].concat(), index, &proof), "key and value cut elsewhere");
        assert!(!holds(i, &key, b"another", index, &proof));
    }
}

#[test]
fn records_of_any_size_are_encoded_as_the_fold_encodes_them() {
    for (table, key, value) in
        [(0u64, 0usize, 0usize), (23, 23, 24), (24, 255, 256), (256, 300, 70_000), (65_536, 1, 1), (1 << 40, 1, 1)]
    {
        let (key, value) = (vec![7; key], vec![9; value]);
        let mut record = Encoder::empty();
        record.array(3).uint(table).bytes(&key).bytes(&value);
        let mut world = World::new();
        let message = EpochMessage { state_root: tree::leaf_hash(&record.into_bytes()), ..world.epoch(0, &[]).message };
        world.post(&message).unwrap();
        world.chain.pass(WINDOW_S);
        world.chain.send(person(4), world.anchor, calls::advance(&[])).unwrap();
        let arguments = Arguments::new().uint(table).bytes(&key).bytes(&value).uint(0u8).uint(1u8).words([]);
        let said = world.chain.view(world.anchor, "verifyState(uint64,bytes,bytes,uint64,uint64,bytes32[])", arguments);
        assert_eq!(number(&said[0]), 1, "a tree of one leaf: table {table}");
    }
}
