//! How many checkpoints a second a witness cosigns on this disk, each durable before it is answered.
//!
//! `cargo run --release -p cairn-witness --example cosign_rate [CHECKPOINTS]`, in the folder whose disk is meant.

#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::time::Instant;

use cairn_core::ed25519::SigningKey;
use cairn_log::StdDisk;
use cairn_merkle::proof::{consistency_proof, root_at};
use cairn_merkle::tree::leaf_hash;
use cairn_merkle::{AddCheckpoint, Checkpoint, Cosigner, MemoryTree, NoteSigner};
use cairn_witness::Witness;

fn main() {
    let count: u64 = std::env::args().nth(1).map_or(2_000, |text| text.parse().unwrap());
    let log = NoteSigner::new("log.example", SigningKey::from_seed([1; 32])).unwrap();
    let cosigner = Cosigner::new("witness.example", SigningKey::from_seed([2; 32])).unwrap();
    let tree = MemoryTree::new((0..count * 100).map(|n| leaf_hash(&n.to_be_bytes())).collect());
    let requests: Vec<String> = (0..count)
        .map(|n| {
            let (old, size) = (n * 100, n * 100 + 100);
            let checkpoint = Checkpoint::new("log.example", size, root_at(&tree, size).unwrap()).unwrap();
            let proof = consistency_proof(&tree, old, size).unwrap();
            AddCheckpoint { old, proof, note: checkpoint.sign(&log, &[]).unwrap() }.to_string()
        })
        .collect();
    let folder = std::env::current_dir().unwrap().join(format!("cosign-rate-{}", std::process::id()));
    let disk = Arc::new(StdDisk::create(&folder).unwrap());
    let witness = Witness::open(disk, cosigner, vec![log.verifier().clone()]).unwrap();
    let started = Instant::now();
    for (n, request) in (1u64..).zip(&requests) {
        witness.add_checkpoint(request.as_bytes(), n).unwrap();
    }
    let elapsed = started.elapsed();
    let each_us = elapsed.as_micros() / u128::from(count);
    println!("{count} checkpoints in {} ms: {each_us} us each", elapsed.as_millis());
    drop(witness);
    std::fs::remove_dir_all(&folder).unwrap();
}
