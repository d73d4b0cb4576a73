//! Measures the claim tree with all its proofs against its hashes alone: `claim_tree [claims] [rounds]`.
//!
//! The hashes alone are those that any implementation computes: two for each leaf, one for each inner node, on the same
//! threads. What the tree takes beyond them is sorting and memory.

use std::hint::black_box;
use std::time::{Duration, Instant};

use cairn_merkle::claim::{keccak256, verify_claim};
use cairn_merkle::{ClaimLeaf, ClaimTree};
use rayon::prelude::*;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut numbers = std::env::args().skip(1).map(|text| text.parse::<u64>());
    let mut next = |default| numbers.next().unwrap_or(Ok(default));
    let (claims, rounds) = (next(1_000_000)?, next(3)?);
    let leaves: Vec<ClaimLeaf> = (0..claims).map(leaf).collect();
    let (mut hashing, mut building, mut proving) = (Duration::MAX, Duration::MAX, Duration::MAX);
    for _ in 0..rounds {
        hashing = hashing.min(timed(|| hashes_alone(&leaves)));
        let started = Instant::now();
        let tree = ClaimTree::new(&leaves)?;
        building = building.min(started.elapsed());
        let started = Instant::now();
        let proofs = tree.all_proofs();
        proving = proving.min(started.elapsed());
        if let (Some(leaf), Some(proof)) = (leaves.last(), proofs.last()) {
            verify_claim(&tree.root(), leaf, proof)?;
        }
    }
    let whole = building + proving;
    let ratio = hashing.as_nanos() * 100 / whole.as_nanos().max(1);
    println!("claims             {claims}");
    println!("threads            {}", rayon::current_num_threads());
    println!("hashes alone       {hashing:?}");
    println!("the tree           {building:?}");
    println!("all proofs         {proving:?}");
    println!("ratio              {ratio} % (hashes alone over tree and proofs)");
    Ok(())
}

fn leaf(number: u64) -> ClaimLeaf {
    let mut account = [0; 32];
    account[12..].copy_from_slice(&keccak256(&number.to_be_bytes())[..20]);
    ClaimLeaf { domain: [1; 32], distributor: [2; 32], account, cumulative: u128::from(number) << 60 }
}

/// Two hashes for each leaf and one for each inner node, kept nowhere.
fn hashes_alone(leaves: &[ClaimLeaf]) {
    leaves.par_iter().with_min_len(1024).for_each(|leaf| {
        let hash = leaf.hash();
        let mut pair = [0; 64];
        pair[..32].copy_from_slice(&hash);
        black_box(keccak256(&pair));
    });
}

fn timed(work: impl FnOnce()) -> Duration {
    let started = Instant::now();
    work();
    started.elapsed()
}
