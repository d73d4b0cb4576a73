//! What each step from a received report to a promise costs one thread: the best of many groups, by the clock.
//!
//! `cargo run --release -p cairn-testkit --example ingest_steps`. Reports are of 147 to 160 bytes, from two hundred devices
//! whose keys are cached; groups are of 512. HTTP is not here: `cairn bench ingest` measures the whole server.

use std::sync::Arc;
use std::time::{Duration, Instant};

use cairn_core::Hash;
use cairn_core::ed25519::SigningKey;
use cairn_core::entry::{Entry, EntryKind};
use cairn_core::key::{PublicKey, SecretKey};
use cairn_core::report::Report;
use cairn_fold::{Beforehand, Candidate, Checked, Claimed, admit_unsigned, verify_all};
use cairn_log::{Log, LogOptions, StdDisk};
use cairn_merkle::promise::{Promise, promise_key_name};
use cairn_merkle::tree::leaf_hash;
use cairn_merkle::{NoteSigner, SignedCheckpoint};
use cairn_testkit::network::{MemoryNetwork, SeededDevice, Terms};

/// Reports of a group.
const GROUP: usize = 512;
/// Groups measured.
const GROUPS: usize = 100;
const DEVICES: u8 = 200;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut network = MemoryNetwork::daily(Terms::default());
    let devices = network.enrol_grid(DEVICES);
    let mut steps = Steps::default();
    let folder = tempfile::tempdir()?;
    let (mut log, _) = Log::open(Arc::new(StdDisk::create(folder.path())?), LogOptions::default())?;
    let signer = NoteSigner::new(&promise_key_name("log.example"), SigningKey::from_seed([5; 32]))?;
    for group in 0..GROUPS {
        let reports = signed(&network, &devices, group);
        measure(&mut network, &reports, &mut log, &signer, &mut steps)?;
    }
    let checkpoint = NoteSigner::new("log.example", SigningKey::from_seed([3; 32]))?;
    let start = Instant::now();
    let note = log.publish_checkpoint(&checkpoint, &[])?;
    let publishing = start.elapsed();
    assert_eq!(SignedCheckpoint::open(&note, checkpoint.verifier(), &[])?.checkpoint.size(), log.size());
    p256_single(&mut steps);
    println!("us per report, in groups of {GROUP}: the best of {GROUPS} by the clock");
    for (name, least) in &steps.0 {
        println!("{name:<44} {:>8}", per_report(*least, GROUP));
    }
    println!("{:<44} {:>8} ms by the clock", "a checkpoint over them, once a second", publishing.as_millis());
    Ok(())
}

/// Steps in their order, with the least that they took for a group.
#[derive(Default)]
struct Steps(Vec<(&'static str, Duration)>);

impl Steps {
    fn time<T>(&mut self, name: &'static str, work: impl FnOnce() -> T) -> T {
        let start = Instant::now();
        let done = work();
        let spent = start.elapsed();
        match self.0.iter_mut().find(|(known, _)| *known == name) {
            Some((_, least)) => *least = spent.min(*least),
            None => self.0.push((name, spent)),
        }
        done
    }
}

fn per_report(spent: Duration, reports: usize) -> String {
    let ns = spent.as_nanos() / reports as u128;
    format!("{}.{:02}", ns / 1_000, ns % 1_000 / 10)
}

fn signed(network: &MemoryNetwork, devices: &[SeededDevice], group: usize) -> Vec<Vec<u8>> {
    let one = |at: usize| {
        let number = group * GROUP + at;
        let seq = u32::try_from(number / devices.len()).unwrap_or(u32::MAX);
        network.report(&devices[number % devices.len()], seq, network.now_ms, 150)
    };
    (0..GROUP).map(one).collect()
}

fn measure(
    network: &mut MemoryNetwork,
    reports: &[Vec<u8>],
    log: &mut Log,
    signer: &NoteSigner,
    steps: &mut Steps,
) -> Result<(), Box<dyn std::error::Error>> {
    let id = network.id;
    let parsed: Vec<Report<'_>> =
        steps.time("parse", || reports.iter().map(|bytes| Report::parse(bytes)).collect::<Result<_, _>>())?;
    let signatures: Vec<_> = parsed.iter().map(|report| report.sign1.signature).collect();
    let messages: Vec<Vec<u8>> =
        steps.time("the bytes that are signed", || parsed.iter().map(|report| report.to_be_signed(&id)).collect());
    let mut candidates: Vec<Candidate> =
        steps.time("read what follows from the bytes", || parsed.into_iter().map(Candidate::of).collect());
    let (state, now_ms) = (network.fold.state(), network.now_ms);
    let keys: Vec<PublicKey> = steps
        .time("find the key, admit but for the signature", || {
            candidates.iter().map(|one| admit_unsigned(state, one, now_ms).copied()).collect::<Result<_, _>>()
        })
        .map_err(|refusal| refusal.to_string())?;
    let claimed: Vec<Claimed<'_>> = keys
        .iter()
        .zip(&messages)
        .zip(&signatures)
        .map(|((key, message), signature)| Claimed { key, message, signature })
        .collect();
    let holds = steps.time("verify the signatures, one batch", || verify_all(&claimed));
    for ((candidate, key), holds) in candidates.iter_mut().zip(&keys).zip(holds) {
        candidate.note(Some(Checked { key: *key, holds }));
    }
    let entries: Vec<Entry<'_>> =
        reports.iter().map(|body| Entry { kind: EntryKind::Report, received_ms: now_ms, body }).collect();
    let encoded: Vec<(Hash, Vec<u8>)> = steps.time("encode and hash the entry", || {
        let hashed = |entry: &Entry<'_>| {
            let bytes = entry.encode();
            (leaf_hash(&bytes), bytes)
        };
        entries.iter().map(hashed).collect()
    });
    let leaves: Vec<Hash> = encoded.iter().map(|(leaf, _)| *leaf).collect();
    let fold = &mut network.fold;
    let first = fold.size();
    steps
        .time("admit again, in order, and fold", || {
            let mut push = |((entry, leaf), candidate)| {
                let read = Beforehand::Report(Box::new(candidate));
                fold.push_valid(leaf, entry, Some(read)).map(drop)
            };
            entries.iter().zip(leaves.iter().copied()).zip(candidates).try_for_each(&mut push)
        })
        .map_err(|refusal| refusal.to_string())?;
    let bytes: Vec<&[u8]> = encoded.iter().map(|(_, bytes)| bytes.as_slice()).collect();
    steps.time("append: tree, CRC, writes, two syncs", || log.append(&bytes))?;
    let entries: Vec<(u64, Hash)> = (first..).zip(leaves).collect();
    let promise = |entries: &[(u64, Hash)]| Promise { network: id.0, entries: entries.to_vec() }.sign(signer).map(drop);
    steps.time("promise, one note for the group", || promise(&entries))?;
    steps.time("promise, a note for sixteen", || entries.chunks(16).try_for_each(promise))?;
    steps.time("promise, a note for each", || entries.chunks(1).try_for_each(promise))?;
    Ok(())
}

fn p256_single(steps: &mut Steps) {
    let key = SecretKey::p256([7; 32]).expect("a scalar below the order");
    let (public, message) = (key.public(), [7; 250]);
    let signature = key.sign(&message);
    for _ in 0..9 {
        let all_hold = steps
            .time("a P-256 signature instead, one by one", || (0..GROUP).all(|_| public.verify(&message, &signature)));
        assert!(all_hold);
    }
}
