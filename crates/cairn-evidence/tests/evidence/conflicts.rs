//! Devices: what is a conflict, whose it is, and on whose word.

use cairn_core::cose::{Purpose, protected_header, sig_structure};
use cairn_core::report::Report;
use cairn_core::{DeviceId, cbor::Encoder};
use cairn_evidence::{Accusation, Culprit, Evidence, EvidenceError, Kind, chain_of};

use crate::world::{World, device, enrol, key, owner, report, rotate, transfer, world};

fn conflict(
    world: &World,
    first: u8,
    chain: &[Vec<u8>],
    one: &[u8],
    other: &[u8],
) -> Result<cairn_evidence::Finding, EvidenceError> {
    Evidence::conflict(&world.genesis, &key(first).public(), chain, one, other)?.check_in(&world.id)
}

#[test]
fn two_payloads_under_one_name_are_proven_with_either_kind_of_key() {
    let world = world(1);
    for seed in [2, 3] {
        let (one, other) =
            (report(&world, device(seed), &key(seed), 7, 1), report(&world, device(seed), &key(seed), 7, 2));
        let found = conflict(&world, seed, &[], &one, &other).unwrap();
        assert_eq!((found.network, found.kind), (world.id, Kind::Conflict));
        assert_eq!(found.guilty, [Culprit::Device { id: device(seed), keys: vec![key(seed).public()] }]);
        assert_eq!(found.on_word_of, []);
        assert!(found.sentence.contains("report 7 of boot 3"), "{found}");
        assert_eq!(conflict(&world, seed, &[], &other, &one).unwrap(), found, "in whichever order they are given");
    }
}

#[test]
fn what_an_honest_device_signs_is_no_conflict() {
    let (world, elsewhere) = (world(1), world(9));
    let mine = |seq, value| report(&world, device(2), &key(2), seq, value);
    let twice = |other: &[u8]| conflict(&world, 2, &[], &mine(7, 1), other).unwrap_err().code();
    // The same payload again, also where it is signed anew, or with the older number of the algorithm in its header.
    assert_eq!(twice(&mine(7, 1)), "EVD-CONSISTENT");
    assert_eq!(twice(&older_header(&world, &mine(7, 1))), "EVD-CONSISTENT");
    let p256 = report(&world, device(3), &key(3), 7, 1);
    let mirrored = mirrored(&p256);
    assert!(mirrored != p256 && Report::parse(&mirrored).is_ok());
    assert_eq!(conflict(&world, 3, &[], &p256, &mirrored).unwrap_err().code(), "EVD-CONSISTENT");
    // Another name, another device, another network, another key, no report.
    assert_eq!(twice(&mine(8, 2)), "EVD-REPORT");
    assert_eq!(twice(&report(&world, device(4), &key(4), 7, 2)), "EVD-REPORT");
    assert_eq!(twice(&report(&elsewhere, device(2), &key(2), 7, 2)), "EVD-CHAIN");
    assert_eq!(twice(&report(&world, device(2), &key(4), 7, 2)), "EVD-CHAIN");
    assert_eq!(twice(b"no report"), "EVD-REPORT");
    // A key that the device's id is not the hash of.
    assert_eq!(conflict(&world, 4, &[], &mine(7, 1), &mine(7, 2)).unwrap_err().code(), "EVD-CHAIN");
    // Signed for one network, accused in another one with the same keys.
    let evidence = Evidence::conflict(&world.genesis, &key(2).public(), &[], &mine(7, 1), &mine(7, 2)).unwrap();
    let moved = Evidence { genesis: elsewhere.genesis.clone(), ..evidence.clone() };
    assert_eq!(moved.check().unwrap_err().code(), "EVD-CHAIN");
    assert_eq!(evidence.check_in(&elsewhere.id).unwrap_err().code(), "EVD-NETWORK");
}

/// The same report with -8 for the algorithm, validly signed.
fn older_header(world: &World, bytes: &[u8]) -> Vec<u8> {
    let report = Report::parse(bytes).unwrap();
    let id = report.sign1.key_id;
    let protected = Encoder::empty().map(2).int(1).int(-8).int(4).bytes(&id).take();
    assert_ne!(protected, protected_header(report.sign1.algorithm, Some(&id)));
    let payload = report.sign1.payload;
    let signature = key(2).sign(&sig_structure(&protected, Purpose::Report, Some(&world.id), payload));
    Encoder::empty().tag(18).array(4).bytes(&protected).map(0).bytes(payload).bytes(&signature).take()
}

/// The same P-256 report with the other of the two values of `s`.
fn mirrored(bytes: &[u8]) -> Vec<u8> {
    const ORDER: [u8; 32] = [
        0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xbc, 0xe6, 0xfa, 0xad,
        0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
    ];
    let mut out = bytes.to_vec();
    let at = out.len() - 32;
    let mut borrow = 0;
    for place in (0..32).rev() {
        let difference = i32::from(ORDER[place]) - i32::from(out[at + place]) - borrow;
        out[at + place] = difference.rem_euclid(256) as u8;
        borrow = i32::from(difference < 0);
    }
    out
}

#[test]
fn after_a_rotation_the_chain_of_statements_leads_to_the_key_and_names_who_vouches_for_it() {
    let world = world(1);
    let chain = [enrol(&world, 2, 50), rotate(&world, 2, 50, 5), transfer(&world, 2, 50, 51), rotate(&world, 2, 51, 6)];
    let by = |with, value| report(&world, device(2), &key(with), 7, value);
    for (one, other, statements, keys, owners) in [
        (2, 2, 0, vec![2], vec![]),
        (5, 5, 2, vec![5], vec![50]),
        (2, 5, 2, vec![2, 5], vec![50]),
        (6, 6, 4, vec![6], vec![50, 51]),
        (2, 6, 4, vec![2, 6], vec![50, 51]),
    ] {
        let evidence =
            Evidence::conflict(&world.genesis, &key(2).public(), &chain, &by(one, 1), &by(other, 2)).unwrap();
        let Accusation::Conflict(conflict) = &evidence.accusation else { panic!("another kind") };
        assert_eq!(conflict.chain.len(), statements, "{one} {other}: as much of the chain as is needed");
        let found = evidence.check().unwrap();
        let Culprit::Device { id, keys: used } = &found.guilty[0] else { panic!("another culprit") };
        assert_eq!(*id, device(2));
        let mut expected: Vec<_> = keys.iter().map(|seed| key(*seed).public().did()).collect();
        let mut used: Vec<_> = used.iter().map(ToString::to_string).collect();
        expected.sort();
        used.sort();
        assert_eq!(used, expected, "{one} {other}");
        let expected: Vec<_> = owners.iter().map(|seed| owner(*seed).1).collect();
        assert_eq!(found.on_word_of, expected, "{one} {other}");
    }
}

#[test]
fn a_chain_that_misses_a_step_or_is_signed_by_others_leads_nowhere() {
    let world = world(1);
    let elsewhere = crate::world::world(9);
    let (one, other) = (report(&world, device(2), &key(6), 7, 1), report(&world, device(2), &key(6), 7, 2));
    let ours = enrol(&world, 2, 50);
    for (what, chain) in [
        ("no chain", vec![]),
        ("no enrolment", vec![rotate(&world, 2, 50, 6)]),
        ("a stranger rotates", vec![ours.clone(), rotate(&world, 2, 60, 6)]),
        ("the next owner rotates before he is the owner", vec![ours.clone(), rotate(&world, 2, 51, 6)]),
        ("the former owner rotates", vec![ours.clone(), transfer(&world, 2, 50, 51), rotate(&world, 2, 50, 6)]),
        ("a stranger hands it on", vec![ours.clone(), transfer(&world, 2, 60, 61), rotate(&world, 2, 61, 6)]),
        ("another device rotates", vec![ours.clone(), rotate(&world, 4, 50, 6)]),
        ("another device is enrolled", vec![enrol(&world, 4, 50), rotate(&world, 2, 50, 6)]),
        ("it is enrolled twice", vec![ours.clone(), enrol(&world, 2, 60), rotate(&world, 2, 60, 6)]),
        ("in another network", vec![enrol(&elsewhere, 2, 50), rotate(&elsewhere, 2, 50, 6)]),
        ("to another key", vec![ours.clone(), rotate(&world, 2, 50, 8)]),
        ("no statement", vec![b"nothing".to_vec()]),
    ] {
        let refused = conflict(&world, 2, &chain, &one, &other).expect_err(what);
        assert_eq!(refused.code(), "EVD-CHAIN", "{what}: {refused}");
    }
    // More than is needed is another encoding of the same proof, and refused.
    let full = vec![ours, rotate(&world, 2, 50, 6)];
    let mut evidence = Evidence::conflict(&world.genesis, &key(2).public(), &full, &one, &other).unwrap();
    let Accusation::Conflict(conflict) = &mut evidence.accusation else { panic!("another kind") };
    conflict.chain.push(transfer(&world, 2, 50, 51));
    assert_eq!(evidence.check().unwrap_err().code(), "EVD-CHAIN");
}

#[test]
fn of_all_that_a_log_holds_the_chain_is_what_owners_and_keys_have_signed() {
    let world = world(1);
    let elsewhere = crate::world::world(9);
    let ours = [enrol(&world, 2, 50), transfer(&world, 2, 50, 51), rotate(&world, 2, 51, 6)];
    let log = [
        rotate(&world, 2, 50, 8),
        enrol(&world, 4, 60),
        enrol(&elsewhere, 2, 60),
        ours[0].clone(),
        enrol(&world, 2, 60),
        rotate(&world, 2, 60, 8),
        b"no statement".to_vec(),
        ours[1].clone(),
        rotate(&world, 2, 50, 8),
        rotate(&world, 4, 51, 8),
        ours[2].clone(),
    ];
    let (first, chain) = chain_of(&world.genesis, device(2), &log).unwrap();
    assert_eq!((first, chain), (key(2).public(), ours.to_vec()));
    assert_eq!(chain_of(&world.genesis, device(8), &log).unwrap_err().code(), "EVD-CHAIN");
}

#[test]
fn a_key_that_anybody_signs_under_is_nobodys() {
    // The neutral point, under which ZIP-215 takes anything: its id is nobody's device.
    let world = world(1);
    let mut neutral = [0; 32];
    neutral[0] = 1;
    let multicodec = [&[0xed, 0x01][..], &neutral].concat();
    let id = DeviceId::of_key(&multicodec);
    let forged = |value| {
        let bytes = report(&world, id, &key(2), 7, value);
        let mut signature = [0; 64];
        signature[0] = 1;
        [&bytes[..bytes.len() - 64], &signature].concat()
    };
    let key = cairn_core::key::PublicKey::from_multicodec(&multicodec).unwrap();
    let refused = Evidence::conflict(&world.genesis, &key, &[], &forged(1), &forged(2)).unwrap_err();
    assert_eq!(refused.code(), "EVD-CHAIN", "{refused}");
}
