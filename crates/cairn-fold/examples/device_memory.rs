//! What an enrolled device costs in memory: folds enrolments of simulated devices, signed and checked as any others, and
//! reads from the kernel what the process holds resident; then closes an epoch over them and resumes from its snapshot.
//!
//! `cargo run --release -p cairn-fold --example device_memory -- 1000000`. Linux only. Devices have one Ed25519 key each,
//! and fifty have one owner; with `apart` behind the number each has an owner and a model of its own. Nobody reports: a
//! first report adds nothing to a device, while reports that wait for their epoch to close are another matter, measured by
//! `cairn bench ingest`. HTTP and the log are not here either.

use cairn_core::ed25519::SigningKey;
use cairn_core::entry::{Entry, EntryKind};
use cairn_core::geo::{Cell, Position};
use cairn_core::key::SecretKey;
use cairn_core::observation::{ObservationBody, sign_observation};
use cairn_core::statement::{Body, Draft, Enrol, Mobility, Role, Signed, Signer};
use cairn_core::{Account, Address, Domain, Hash, NetworkId, wallet};
use cairn_fold::{Fold, FoldError, Snapshot};
use cairn_merkle::tree::{Frontier, leaf_hash};
use cairn_testkit::network::{CLASS, DAY_MS, MemoryNetwork, Terms};
use rayon::prelude::*;

type Failure = Box<dyn std::error::Error>;

/// Enrolments made at a time, so that those not yet folded weigh nothing.
const AT_A_TIME: u64 = 4_096;

/// What devices have in common.
#[derive(Clone, Copy)]
struct Crowd {
    /// Devices of one owner; the default policy allows fifty.
    devices_per_owner: u64,
    /// Whether each is of a model of its own.
    model_each: bool,
}

/// The fold, and the right edge of the log that it follows.
struct Log {
    fold: Fold,
    edge: Frontier,
}

fn main() -> Result<(), Failure> {
    let devices: u64 = std::env::args().nth(1).map_or(Ok(100_000), |text| text.parse())?;
    let crowd = Crowd { devices_per_owner: 50, model_each: false };
    let apart = std::env::args().nth(2).is_some_and(|word| word == "apart");
    let crowd = if apart { Crowd { devices_per_owner: 1, model_each: true } } else { crowd };
    let mut network = MemoryNetwork::daily(Terms::default());
    let (id, now_ms) = (network.id, network.now_ms);
    let clock = network.clock.clone();
    let mut log = Log { fold: core::mem::take(&mut network.fold), edge: Frontier::new() };
    network.entries.iter().for_each(|entry| log.edge.push(leaf_hash(entry)));
    drop(network);
    let before_kib = resident_kib("VmRSS")?;
    println!("resident before any device    {before_kib} KiB");
    let mut from = 0;
    while from < devices {
        let to = devices.min(from + AT_A_TIME);
        enrol(&mut log, crowd, id, now_ms, from..to)?;
        if to == devices || to.ilog2() > from.max(1).ilog2() {
            let held_kib = resident_kib("VmRSS")?.saturating_sub(before_kib);
            println!("{to:>8} enrolled             {held_kib} KiB more, {} bytes for each", held_kib * 1_024 / to);
        }
        from = to;
    }
    println!("at most until now             {} KiB", resident_kib("VmHWM")?);
    close_and_resume(log, &clock, id)
}

/// Closes the open epoch with an observation of the clock, and takes the fold up again from the snapshot.
fn close_and_resume(log: Log, clock: &SecretKey, id: NetworkId) -> Result<(), Failure> {
    let Log { mut fold, edge } = log;
    let terms = Terms::default();
    let received_ms = terms.zero_ms + terms.epoch_ms + terms.grace_ms + DAY_MS;
    let body = sign_observation(clock, &id, &ObservationBody::clock(received_ms));
    let entry = Entry { kind: EntryKind::Observation, received_ms, body: &body };
    let mut closed = fold.push(leaf_hash(&entry.encode()), &entry, None)?.closed;
    let closed = closed.pop().ok_or("no epoch closed")?;
    println!("an epoch closed               {} KiB, {} records", resident_kib("VmRSS")?, closed.records.len());
    let mut written = 0;
    Snapshot::encode_into(&closed.bytes, &closed.records, |piece| {
        written += piece.len();
        Ok::<(), Failure>(())
    })?;
    println!("its snapshot handed over      {} KiB at most until now", resident_kib("VmHWM")?);
    let bytes = Snapshot::encode(&closed.bytes, &closed.records);
    println!("its snapshot held whole       {} KiB, {} of them the snapshot", resident_kib("VmRSS")?, written / 1_024);
    println!("at most until now             {} KiB", resident_kib("VmHWM")?);
    drop(closed);
    drop(fold);
    let snapshot = Snapshot::decode(&bytes)?;
    let none = |index| Err::<Vec<u8>, FoldError>(FoldError::SnapshotEntry { index });
    let resumed = Fold::resume(&snapshot.statement, &snapshot.records, edge, none)?;
    println!("at most, resuming             {} KiB", resident_kib("VmHWM")?);
    drop((snapshot, bytes));
    println!("resumed, the snapshot dropped {} KiB", resident_kib("VmRSS")?);
    println!("devices in the resumed state  {}", resumed.state().devices.len());
    Ok(())
}

/// Folds the enrolments of some devices; each must be valid.
fn enrol(
    log: &mut Log,
    crowd: Crowd,
    id: NetworkId,
    received_ms: u64,
    range: core::ops::Range<u64>,
) -> Result<(), Failure> {
    let chain = Domain::parse("solana:EtWTRABZaYq6iMfeYKouRu166VU2xqa1")?;
    let cell =
        Cell::containing(Position::of(500_000_000, 100_000_000).ok_or("a place on earth")?, 8).ok_or("a cell")?;
    let made: Vec<Vec<u8>> = range
        .into_par_iter()
        .map(|at| enrolment(crowd, id, &chain, cell, at))
        .collect::<Result<_, _>>()
        .map_err(|bad| Box::<dyn std::error::Error>::from(format!("an enrolment that cannot be made: {bad}")))?;
    for body in made {
        let entry = Entry { kind: EntryKind::Statement, received_ms, body: &body };
        let leaf = leaf_hash(&entry.encode());
        log.edge.push(leaf);
        log.fold.push(leaf, &entry, None)?.effect.map_err(|refusal| refusal.to_string())?;
    }
    Ok(())
}

/// One simulated device's enrolment, signed by the device and by its owner.
fn enrolment(crowd: Crowd, id: NetworkId, chain: &Domain, cell: Cell, at: u64) -> Result<Vec<u8>, String> {
    let seed = |of: &[u8], number: u64| Hash::of_parts(&[of, &number.to_be_bytes()]).0;
    let key = SecretKey::ed25519(seed(b"device", at));
    let owner = SigningKey::from_seed(seed(b"owner", at / crowd.devices_per_owner));
    let address = owner.public_bytes();
    let enrol = Enrol {
        key: key.public(),
        owner: Account::at(chain.clone(), Address::Solana(address)).map_err(|bad| bad.to_string())?,
        role: Role::Device,
        classes: vec![CLASS.into()],
        model: if crowd.model_each { format!("simulated {at}") } else { "simulated".into() },
        mobility: Mobility::Fixed,
        cell: cell.index(),
        exact: None,
        altitude_cm: None,
    };
    // An owner's nonces rise with the devices, which are enrolled in this order.
    let mut statement = Draft::of(Some(id), Body::Enrol(enrol), at + 1, u64::MAX >> 1).signed_by(&key).finish();
    let line = wallet::statement_line(&id, &statement.payload);
    let signature = owner.sign(line.as_bytes()).to_vec();
    statement.signed.push(Signed { signer: Signer::Solana(address), signature });
    Ok(statement.encode())
}

/// A figure of `/proc/self/status` in KiB: `VmRSS` is what is resident now, `VmHWM` the most that was.
fn resident_kib(figure: &str) -> Result<u64, Failure> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find(|line| line.starts_with(figure)).ok_or("the kernel tells no such figure")?;
    let number = line.split_whitespace().nth(1).ok_or("the line has no number")?;
    Ok(number.parse()?)
}
