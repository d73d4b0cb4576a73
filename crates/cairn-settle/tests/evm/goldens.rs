//! What is signed and what rows hash to: the same here, in the contracts and in the reference package, and as released.

use std::path::Path;

use cairn_core::epoch::DomainClaims;
use cairn_core::{Amount, Domain, Hash, NetworkId};
use cairn_settle::abi::{Arguments, address_word};
use cairn_settle::{AuditorsMessage, EpochMessage, SettlementRow, SettlementsTree, Word};
use serde_json::Value;

use crate::chain::{Chain, FORKS, for_tests};
use crate::world::person;

fn golden(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("goldens").join(name)
}

#[test]
fn what_is_signed_is_hashed_alike_here_and_in_the_contracts_and_as_released() {
    let mut chain = Chain::new(FORKS[0].1, 1, 1);
    let proofs = chain.deploy(&for_tests("Proofs"), &Arguments::new());
    let hash = |byte| Hash([byte; 32]);
    let zeros = EpochMessage {
        epoch: 0,
        revision: 0,
        statement_hash: Hash::ZERO,
        previous: Hash::ZERO,
        log_size: 0,
        log_root: Hash::ZERO,
        state_root: Hash::ZERO,
        settlements_root: [0; 32],
    };
    let counted = EpochMessage {
        epoch: 7,
        revision: 1,
        statement_hash: hash(1),
        previous: hash(2),
        log_size: 20,
        log_root: hash(3),
        state_root: hash(4),
        settlements_root: [5; 32],
    };
    let ends = EpochMessage { epoch: u64::MAX, revision: u32::MAX, log_size: u64::MAX, ..counted.clone() };
    let mut lines = String::new();
    for (name, network, message) in [
        ("zeros", hash(9), &zeros),
        ("counted", hash(9), &counted),
        ("ends", hash(9), &ends),
        ("elsewhere", hash(8), &counted),
    ] {
        let digest = message.digest(&NetworkId(network));
        let arguments = Arguments::new().word(network.0).fields(&message.words());
        let name_there = "epochDigest(bytes32,(uint64,uint32,bytes32,bytes32,uint64,bytes32,bytes32,bytes32))";
        assert_eq!(chain.view(proofs, name_there, arguments), [digest], "{name}");
        lines.push_str(&format!("epoch {name} {}\n", Hash(digest)));
    }
    for (name, members) in [("nobody", vec![]), ("three", vec![person(1), person(2), person(3)])] {
        let message = AuditorsMessage { set: 2, revision: 5, members, threshold: 3 };
        let digest = message.digest(&NetworkId(hash(9)));
        let arguments = Arguments::new().word([9; 32]).uint(2u8).uint(5u8);
        let arguments = arguments.words(message.members.iter().copied().map(address_word)).uint(3u8);
        let said = chain.view(proofs, "auditorsDigest(bytes32,uint32,uint32,address[],uint8)", arguments);
        assert_eq!(said, [digest], "{name}");
        lines.push_str(&format!("auditors {name} {}\n", Hash(digest)));
    }
    if std::env::var("CAIRN_BLESS").is_ok_and(|value| value == "1") {
        std::fs::write(golden("messages.txt"), &lines).unwrap();
    }
    assert_eq!(std::fs::read_to_string(golden("messages.txt")).unwrap(), lines);
}

fn word(value: &Value) -> Word {
    Hash::from_hex(value.as_str().unwrap().strip_prefix("0x").unwrap()).unwrap().0
}

#[test]
fn settlements_trees_are_those_of_the_reference_package() {
    let golden: Value = serde_json::from_str(&std::fs::read_to_string(golden("settlements.json")).unwrap()).unwrap();
    let trees = golden["trees"].as_array().unwrap();
    assert_eq!(trees.len(), 6);
    for tree in trees {
        let listed = tree["rows"].as_array().unwrap();
        let decimal = |value: &Value| value.as_str().unwrap().parse::<u128>().unwrap();
        let row = |entry: &Value| SettlementRow {
            domain: word(&entry["row"][0]),
            distributor: word(&entry["row"][1]),
            claim_root: word(&entry["row"][2]),
            leaves: decimal(&entry["row"][3]) as u64,
            cumulative: decimal(&entry["row"][4]),
        };
        let rows: Vec<SettlementRow> = listed.iter().map(row).collect();
        let made = SettlementsTree::new(&rows).unwrap();
        assert_eq!(made.root(), word(&tree["root"]));
        for (given, entry) in listed.iter().enumerate() {
            assert_eq!(rows[given].hash(), word(&entry["hash"]));
            let proof: Vec<Word> = entry["proof"].as_array().unwrap().iter().map(word).collect();
            assert_eq!(made.proof(given), Some(proof));
        }
    }
}

#[test]
fn rows_say_what_the_epoch_statement_says() {
    let claims = DomainClaims {
        domain: Domain::parse("eip155:31337").unwrap(),
        distributor: address_word(person(1)),
        claim_root: [8; 32],
        leaves: 2,
        cumulative: Amount(999),
    };
    let row = SettlementRow::of(&claims);
    assert_eq!(row.domain[30..], [0x7a, 0x69], "the chain's number");
    assert_eq!((row.distributor, row.claim_root, row.leaves, row.cumulative), (claims.distributor, [8; 32], 2, 999));
}
