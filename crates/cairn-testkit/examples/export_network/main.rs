//! Writes an eventful little network as a static `tlog-tiles` tree, with the tables of its epochs beside it.
//!
//! ```text
//! cargo run -p cairn-testkit --example export_network -- OUT [FIRST COUNT]
//! ```
//!
//! With FIRST and COUNT it writes COUNT networks of random doings instead, of the seeds from FIRST on, each into a folder
//! of its own, with `void.txt` beside the log: every void entry and its code, for others to agree with.
//!
//! Every schema of statement is in it, both kinds of keys, both kinds of wallets, late, denied, conflicting and void
//! entries, a device that changes hands and keys, policies that change, and a signature that only ZIP-215 accepts. The
//! same bytes come out every time, so other implementations can be held against it.

mod random;
mod scenario;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::{env, fs, io};

use cairn_core::ed25519::SigningKey;
use cairn_fold::Snapshot;
use cairn_merkle::tile::{TILE_WIDTH, encode_bundle, encode_tile, tiles};
use cairn_merkle::tree::{MemoryTree, leaf_hash};
use cairn_merkle::{Checkpoint, HashReader, NoteSigner, TileLevel, TilePath};
use cairn_testkit::network::MemoryNetwork;

fn main() -> ExitCode {
    let mut arguments = env::args().skip(1);
    let out = arguments.next().map(PathBuf::from);
    let numbers: Result<Vec<u64>, _> = arguments.map(|text| text.parse()).collect();
    let done = match (out, numbers.as_deref()) {
        (Some(out), Ok([])) => one(&scenario::play(), &out),
        (Some(out), Ok(&[first, count])) => many(first, count, &out),
        _ => {
            eprintln!("usage: export_network OUT [FIRST COUNT]");
            return ExitCode::from(2);
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("cannot write: {error}");
            ExitCode::from(3)
        }
    }
}

fn one(network: &MemoryNetwork, out: &Path) -> io::Result<()> {
    export(network, out)?;
    let void = network.refusals.iter().flatten().count();
    let (entries, epochs) = (network.entries.len(), network.closed.len());
    println!("{entries} entries, {void} of them void, and {epochs} epochs are in {}", out.display());
    Ok(())
}

fn many(first: u64, count: u64, out: &Path) -> io::Result<()> {
    for seed in first..first + count {
        let (network, folder) = (random::play(seed), out.join(seed.to_string()));
        export(&network, &folder)?;
        write(&folder.join("void.txt"), random::void_lines(&network).as_bytes())?;
    }
    println!("{count} networks are in {}", out.display());
    Ok(())
}

/// The signer of the log's checkpoints: genesis names this key.
fn log_signer(network: &MemoryNetwork) -> NoteSigner {
    let genesis = &network.fold.state().network.as_ref().expect("the network began").genesis;
    let signer = NoteSigner::new(&genesis.origin, SigningKey::from_seed([253; 32])).expect("an origin names a key");
    assert_eq!(signer.verifier().key().as_bytes(), &genesis.log_key, "genesis names the log's key");
    signer
}

fn export(network: &MemoryNetwork, out: &Path) -> io::Result<()> {
    let leaves = network.entries.iter().map(|bytes| leaf_hash(bytes)).collect();
    let tree = MemoryTree::new(leaves);
    for tile in tiles(tree.size()) {
        write(&out.join(tile.to_string()), &tile_bytes(network, &tree, tile))?;
    }
    for closed in &network.closed {
        let folder = out.join("epochs").join(closed.statement.number.to_string());
        write(&folder.join("statement.cbor"), &closed.bytes)?;
        write(&folder.join("verdicts.cborseq"), &closed.verdicts.concat())?;
        write(&folder.join("payouts.cborseq"), &closed.payouts.concat())?;
        if !closed.carry().is_empty() {
            write(&folder.join("carry.cborseq"), &closed.carry().concat())?;
        }
        write(&folder.join("snapshot.cbor"), &Snapshot::encode(&closed.bytes, &closed.records))?;
    }
    let signer = log_signer(network);
    let checkpoint = Checkpoint::new(signer.name(), tree.size(), tree.root()).expect("an origin names a log");
    let note = checkpoint.sign(&signer, &[]).expect("one line fits");
    write(&out.join("log.vkey"), format!("{}\n", signer.verifier()).as_bytes())?;
    write(&out.join("checkpoint"), note.to_string().as_bytes())
}

fn tile_bytes(network: &MemoryNetwork, tree: &MemoryTree, tile: TilePath) -> Vec<u8> {
    let first = tile.index * u64::from(TILE_WIDTH);
    let places = first..first + u64::from(tile.width);
    match tile.level {
        TileLevel::Hashes(level) => {
            let hash = |place| tree.node(level * 8, place).expect("a tile of this log");
            encode_tile(&places.map(hash).collect::<Vec<_>>())
        }
        TileLevel::Entries => {
            let entry = |place: u64| &network.entries[usize::try_from(place).expect("entries are in memory")];
            encode_bundle(&places.map(entry).collect::<Vec<_>>()).expect("entries fit their bundle")
        }
    }
}

fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    fs::create_dir_all(path.parent().expect("files are in folders"))?;
    fs::write(path, bytes)
}
