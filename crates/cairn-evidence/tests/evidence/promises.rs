//! Promises: what breaks one, and what does not.

use cairn_core::Hash;
use cairn_core::ed25519::SigningKey;
use cairn_evidence::{Accusation, Culprit, Evidence, EvidenceError, Kind};
use cairn_merkle::tree::leaf_hash;
use cairn_merkle::{NoteSigner, Promise};

use crate::world::{leaves, world, world_with};

#[test]
fn another_leaf_at_a_promised_index_breaks_the_promise() {
    let world = world(1);
    let promise = world.promise(&[(2, leaf_hash(b"x")), (3, leaf_hash(b"mine")), (9, leaf_hash(b"y"))]);
    let log = leaves(0, 1, 7);
    let evidence = Evidence::broken_promise(&world.genesis, &promise, &world.receipt(&log, 3), log[3]).unwrap();
    let found = evidence.check_in(&world.id).unwrap();
    assert_eq!(found.kind, Kind::BrokenPromise);
    assert_eq!(
        found.guilty,
        [Culprit::Promises(world.promises.verifier().clone()), Culprit::Log(world.log.verifier().clone())]
    );
    for part in ["index 3", &leaf_hash(b"mine").to_hex(), &log[3].to_hex(), "7 entries"] {
        assert!(found.sentence.contains(part), "{found}");
    }
}

#[test]
fn a_promise_that_is_kept_unreached_or_elsewhere_proves_nothing() {
    let (here, elsewhere) = (world(1), world(9));
    let log = leaves(0, 1, 7);
    let kept = here.promise(&[(3, log[3]), (9, leaf_hash(b"y"))]);
    let accuse = |promise: &str, index: u64, leaf: Hash| {
        Evidence::broken_promise(&here.genesis, promise, &here.receipt(&log, index), leaf).map(|_| ())
    };
    let code = |refused: Result<(), EvidenceError>| refused.unwrap_err().code();
    assert_eq!(code(accuse(&kept, 3, log[3])), "EVD-CONSISTENT");
    assert_eq!(code(accuse(&kept, 4, log[4])), "EVD-CONSISTENT", "an index that was not promised");
    assert_eq!(code(accuse(&kept, 3, leaf_hash(b"x"))), "EVD-PROOF", "a leaf that the log does not have");
    // A checkpoint that does not reach the index may be older than the promise.
    let unreached = Accusation::BrokenPromise(cairn_evidence::BrokenPromise {
        promise: here.promise(&[(9, leaf_hash(b"y"))]),
        checkpoint: here.checkpoint(&log),
        index: 9,
        leaf: leaf_hash(b"z"),
        proof: Vec::new(),
    });
    let unreached = Evidence { genesis: here.genesis.clone(), accusation: unreached };
    assert_eq!(unreached.check().unwrap_err().code(), "EVD-PROOF");
    // A promise of another network with the same keys, and of another key.
    assert_eq!(code(accuse(&elsewhere.promise(&[(3, leaf_hash(b"x"))]), 3, log[3])), "EVD-NOTE");
    let stranger = NoteSigner::new(here.promises.name(), SigningKey::from_seed([7; 32])).unwrap();
    let forged = Promise { network: here.id.0, entries: vec![(3, leaf_hash(b"x"))] }.sign(&stranger).unwrap();
    assert_eq!(code(accuse(&forged, 3, log[3])), "EVD-NOTE");
    // A network that a framer founded with the honest promise key and a log key of his own: the promise is not for it.
    let framer = NoteSigner::new(here.log.name(), SigningKey::from_seed([7; 32])).unwrap();
    let framed = world_with(1, *framer.verifier().key().as_bytes());
    let promise = here.promise(&[(3, leaf_hash(b"x"))]);
    let mut receipt = here.receipt(&log, 3);
    receipt.checkpoint =
        cairn_merkle::Checkpoint::new(crate::world::ORIGIN, 7, cairn_merkle::tree::MemoryTree::new(log.clone()).root())
            .unwrap()
            .sign(&framer, &[])
            .unwrap()
            .to_string();
    assert_eq!(
        Evidence::broken_promise(&framed.genesis, &promise, &receipt, log[3]).unwrap_err().code(),
        "EVD-NOTE",
        "the promise names another network than the framer's"
    );
    assert_eq!(
        Evidence::broken_promise(&here.genesis, &promise, &receipt, log[3]).unwrap_err().code(),
        "EVD-NOTE",
        "the framer's key did not sign for this log"
    );
}

#[test]
fn what_its_own_reader_would_refuse_is_not_made() {
    // Integers of the format end at 2^63 - 1, those of a promise do not.
    let world = world(1);
    let promise = |leaf: &[u8]| world.promise(&[(u64::MAX, leaf_hash(leaf))]);
    let refused = Evidence::two_promises(&world.genesis, &promise(b"x"), &promise(b"y")).unwrap_err();
    assert_eq!(refused.code(), "EVD-CBOR");
}

#[test]
fn one_index_promised_to_two_leaves_is_proven_without_the_log() {
    let world = world(1);
    let (x, y) = (leaf_hash(b"x"), leaf_hash(b"y"));
    let promise = |entries: &[(u64, Hash)]| world.promise(entries);
    let prove = |one: &str, other: &str| Evidence::two_promises(&world.genesis, one, other);
    let (one, other) = (promise(&[(1, y), (3, x)]), promise(&[(3, y), (4, x)]));
    let evidence = prove(&one, &other).unwrap();
    assert_eq!(prove(&other, &one).unwrap(), evidence);
    let found = evidence.check_in(&world.id).unwrap();
    assert_eq!(
        (found.kind, found.guilty),
        (Kind::TwoPromises, vec![Culprit::Promises(world.promises.verifier().clone())])
    );
    let itself = promise(&[(3, x), (3, y)]);
    assert_eq!(prove(&itself, &itself).unwrap().check().unwrap().kind, Kind::TwoPromises);
    assert!(prove(&itself, &promise(&[(3, x)])).is_ok() && prove(&promise(&[(3, y)]), &itself).is_ok());
    for (one, other) in [
        (promise(&[(3, x)]), promise(&[(3, x), (4, y)])),
        (promise(&[(3, x), (3, x)]), promise(&[(3, x)])),
        (promise(&[(3, x)]), promise(&[(4, y)])),
        (promise(&[(3, x)]), promise(&[(3, x)])),
        (promise(&[(3, x), (3, y)]), promise(&[(4, y)])),
    ] {
        assert_eq!(prove(&one, &other).unwrap_err().code(), "EVD-CONSISTENT", "{one}{other}");
    }
}
