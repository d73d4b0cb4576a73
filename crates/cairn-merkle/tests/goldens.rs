//! Values that others computed: C2SP's examples and a known small log, and claim trees of OpenZeppelin's package.

#![allow(clippy::unwrap_used, clippy::cast_possible_truncation)]

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use cairn_core::Hash;
use cairn_core::ed25519::SigningKey;
use cairn_merkle::claim::{Word, verify_claim};
use cairn_merkle::proof::{consistency_proof, inclusion_proof, verify_consistency, verify_inclusion};
use cairn_merkle::tile::{self, TileLevel, TilePath};
use cairn_merkle::tree::{MemoryTree, leaf_hash, root};
use cairn_merkle::{
    Checkpoint, ClaimLeaf, ClaimTree, Cosigner, Note, NoteSigner, NoteVerifier, Receipt, SignedCheckpoint,
};
use serde_json::Value;

fn log_golden() -> Value {
    serde_json::from_str(include_str!("../goldens/log.json")).unwrap()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap()
}

fn list(value: &Value) -> &[Value] {
    value.as_array().unwrap()
}

fn hash(value: &Value) -> Hash {
    Hash(STANDARD.decode(text(value)).unwrap().try_into().unwrap())
}

fn hashes(value: &Value) -> Vec<Hash> {
    list(value).iter().map(hash).collect()
}

fn entry(index: u64) -> Vec<u8> {
    format!("entry-{index}").into_bytes()
}

fn leaves(size: u64) -> Vec<Hash> {
    (0..size).map(|index| leaf_hash(&entry(index))).collect()
}

#[test]
fn notes_of_others_open_and_print_the_same() {
    for case in list(&log_golden()["signed_notes"]) {
        let verifier: NoteVerifier = text(&case["vkey"]).parse().unwrap();
        assert_eq!(verifier.to_string(), text(&case["vkey"]));
        let note: Note = text(&case["note"]).parse().unwrap();
        assert_eq!(note.to_string(), text(&case["note"]));
        assert_eq!(note.open(&[verifier]).unwrap().len(), 1, "{}", case["source"]);
    }
}

#[test]
fn roots_and_proofs_are_the_known_ones() {
    let golden = log_golden();
    for (size, expected) in golden["roots"].as_object().unwrap() {
        assert_eq!(root(&leaves(size.parse().unwrap())), hash(expected), "{size}");
    }
    for case in list(&golden["inclusion"]) {
        let (index, size) = (number(&case["index"]), number(&case["size"]));
        let proof = hashes(&case["proof"]);
        assert_eq!(inclusion_proof(&MemoryTree::new(leaves(size)), index, size).unwrap(), proof, "{case}");
        verify_inclusion(hash(&case["leaf"]), index, size, hash(&case["root"]), &proof).unwrap();
    }
    for case in list(&golden["consistency"]) {
        let (old, new) = (number(&case["size1"]), number(&case["size2"]));
        let proof = hashes(&case["proof"]);
        assert_eq!(consistency_proof(&MemoryTree::new(leaves(new)), old, new).unwrap(), proof, "{case}");
        verify_consistency(old, hash(&case["root1"]), new, hash(&case["root2"]), &proof).unwrap();
    }
}

#[test]
fn tiles_and_bundles_of_seventy_thousand_entries_are_the_known_bytes() {
    let golden = log_golden();
    for case in list(&golden["tile_paths"]) {
        let level = case["level"].as_u64().map_or(TileLevel::Entries, |level| TileLevel::Hashes(level as u8));
        let tile = TilePath { level, index: number(&case["index"]), width: number(&case["width"]) as u16 };
        assert_eq!(tile.to_string(), text(&case["path"]));
    }
    let log = &golden["log70000"];
    let size = number(&log["size"]);
    let leaves = leaves(size);
    assert_eq!(root(&leaves), hash(&log["root"]));
    let expected = log["resources_sha256"].as_object().unwrap();
    assert_eq!(tile::tiles(size).count(), expected.len());
    for tile in tile::tiles(size) {
        let first = tile.index * 256;
        let places = first..first + u64::from(tile.width);
        let bytes = match tile.level {
            TileLevel::Entries => tile::encode_bundle(&places.map(entry).collect::<Vec<_>>()).unwrap(),
            TileLevel::Hashes(level) => {
                let span = 256usize.pow(u32::from(level));
                let node = |i: u64| root(&leaves[i as usize * span..(i as usize + 1) * span]);
                tile::encode_tile(&places.map(node).collect::<Vec<_>>())
            }
        };
        assert_eq!(Hash::of(&bytes).to_hex(), text(&expected[&tile.to_string()]), "{tile}");
    }
}

#[test]
fn a_cosigned_checkpoint_and_its_receipt_are_the_known_bytes() {
    let golden = log_golden();
    let case = &golden["cosigned_checkpoint"];
    let key = |seed: &Value| SigningKey::from_seed(Hash::from_hex(text(seed)).unwrap().0);
    let log = NoteSigner::new("depin.example/net1", key(&case["log_seed_hex"])).unwrap();
    let witness = Cosigner::new("witness.example/w1", key(&case["witness_seed_hex"])).unwrap();
    assert_eq!(log.verifier().to_string(), text(&case["log_vkey"]));
    assert_eq!(witness.verifier().to_string(), text(&case["witness_vkey"]));

    let checkpoint = Checkpoint::new("depin.example/net1", 1100, root(&leaves(1100))).unwrap();
    let line = witness.cosign(&checkpoint, number(&case["timestamp"])).unwrap();
    let signed = checkpoint.sign(&log, &[line]).unwrap().to_string();
    assert_eq!(signed, text(&case["checkpoint"]));
    let known = [witness.verifier().clone()];
    let opened = SignedCheckpoint::open(&signed, log.verifier(), &known).unwrap();
    assert_eq!(opened.witnessed, [("witness.example/w1".to_owned(), number(&case["timestamp"]))]);

    let receipt = Receipt {
        extra: None,
        index: 777,
        proof: inclusion_proof(&MemoryTree::new(leaves(1100)), 777, 1100).unwrap(),
        checkpoint: signed,
    };
    assert_eq!(receipt.to_string(), text(&golden["tlog_proof"]));
    let read: Receipt = text(&golden["tlog_proof"]).parse().unwrap();
    assert_eq!(read, receipt);
    assert_eq!(read.verify(leaf_hash(b"entry-777"), log.verifier(), &known).unwrap(), opened);
}

fn word(value: &Value) -> Word {
    Hash::from_hex(text(value).strip_prefix("0x").unwrap()).unwrap().0
}

#[test]
fn claim_trees_are_those_of_the_reference_package() {
    let golden: Value = serde_json::from_str(include_str!("../goldens/claims.json")).unwrap();
    let sizes: Vec<usize> = list(&golden["trees"]).iter().map(|tree| list(&tree["claims"]).len()).collect();
    assert_eq!(sizes, [1, 2, 3, 5, 8, 33]);
    for case in list(&golden["trees"]) {
        let claims = list(&case["claims"]);
        let leaf = |claim: &Value| ClaimLeaf {
            domain: word(&claim["leaf"][0]),
            distributor: word(&claim["leaf"][1]),
            account: word(&claim["leaf"][2]),
            cumulative: text(&claim["leaf"][3]).parse().unwrap(),
        };
        let leaves: Vec<ClaimLeaf> = claims.iter().map(leaf).collect();
        let tree = ClaimTree::new(&leaves).unwrap();
        assert_eq!(tree.root(), word(&case["root"]));
        for ((leaf, claim), proof) in leaves.iter().zip(claims).zip(tree.all_proofs()) {
            assert_eq!(leaf.hash(), word(&claim["hash"]));
            assert_eq!(proof, list(&claim["proof"]).iter().map(word).collect::<Vec<_>>());
            verify_claim(&tree.root(), leaf, &proof).unwrap();
        }
    }
}
