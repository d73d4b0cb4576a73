//! One evidence of every kind, always the same.

use cairn_core::Hash;
use cairn_evidence::{Evidence, Kind};
use cairn_merkle::tree::{MemoryTree, leaf_hash};

use crate::forks::{Tree, fork};
use crate::world::{World, device, enrol, key, leaves, report, rotate, transfer, witness, world};

pub fn samples() -> Vec<(&'static str, Kind, Evidence)> {
    let world = world(1);
    let (one, other) = (leaves(2, 1, 5), leaves(2, 2, 8));
    let mine = leaf_hash(b"mine");
    let promise = |leaf: Hash| world.promise(&[(2, leaf_hash(b"x")), (3, leaf)]);
    let by = |with, value| report(&world, device(2), &key(with), 7, value);
    let chain = [enrol(&world, 2, 50), transfer(&world, 2, 50, 51), rotate(&world, 2, 51, 5)];
    let conflict = |chain: &[Vec<u8>], with| {
        Evidence::conflict(&world.genesis, &key(2).public(), chain, &by(with, 1), &by(2, 2)).unwrap()
    };
    let receipts = (world.receipt(&one, 3), world.receipt(&other, 3));
    vec![
        ("conflict", Kind::Conflict, conflict(&[], 2)),
        ("conflict-rotated", Kind::Conflict, conflict(&chain, 5)),
        (
            "broken-promise",
            Kind::BrokenPromise,
            Evidence::broken_promise(&world.genesis, &promise(mine), &receipts.0, one[3]).unwrap(),
        ),
        ("fork", Kind::Fork, fork(&world, &one, &other).unwrap()),
        ("fork-one-size", Kind::Fork, fork(&world, &one, &leaves(2, 2, 5)).unwrap()),
        (
            "two-leaves",
            Kind::TwoLeaves,
            Evidence::two_leaves(&world.genesis, (&receipts.0, one[3]), (&receipts.1, other[3])).unwrap(),
        ),
        (
            "two-promises",
            Kind::TwoPromises,
            Evidence::two_promises(&world.genesis, &promise(mine), &promise(leaf_hash(b"other"))).unwrap(),
        ),
        ("equivocation", Kind::Equivocation, equivocation(&world, &one, &other)),
    ]
}

fn equivocation(world: &World, one: &[Hash], other: &[Hash]) -> Evidence {
    let witness = witness(20);
    let (smaller, larger) = (world.cosigned(one, &[&witness]), world.cosigned(other, &[&witness]));
    let tree = Tree(MemoryTree::new(other.to_vec()));
    Evidence::equivocation(&world.genesis, witness.verifier(), &smaller, &larger, &tree).unwrap()
}
