//! Measures audits against the verifying of signatures alone: `audit_rate [days] [devices] [rounds]`.
//!
//! The network is made from seeds in a folder of its own, which is removed afterwards.

use std::path::Path;

use cairn_audit::{FolderSource, measure};
use cairn_core::Hash;
use cairn_core::ed25519::SigningKey;
use cairn_merkle::tile::{TILE_WIDTH, encode_bundle, encode_tile, tiles};
use cairn_merkle::tree::{self, leaf_hash};
use cairn_merkle::{Checkpoint, NoteSigner, TileLevel};
use cairn_testkit::network::{DAY_MS, MemoryNetwork, Terms};

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let mut numbers = std::env::args().skip(1).map(|text| text.parse::<u32>());
    let mut next = |default| numbers.next().unwrap_or(Ok(default));
    let (days, devices, rounds) = (next(250)?, next(160)?, next(3)?);
    let folder = tempfile::tempdir()?;
    export(&network(days, u8::try_from(devices)?), folder.path())?;
    let rate = measure(&FolderSource::at(folder.path()), rounds)?;
    println!("entries            {}", rate.entries);
    println!("signatures         {}", rate.signatures);
    println!("verifying alone    {:?}", rate.verifying);
    println!("the whole audit    {:?}", rate.auditing);
    println!("  checking         {} ms, while folding {} ms", rate.parts.checking_ms, rate.parts.folding_ms);
    println!("entries per second {}", rate.entries_per_s());
    println!("ratio              {} %", rate.ratio_ppm() / 10_000);
    Ok(())
}

fn network(days: u32, devices: u8) -> MemoryNetwork {
    let zero_ms = Terms::default().zero_ms;
    let mut network = MemoryNetwork::daily(Terms::default());
    let devices = network.enrol_grid(devices);
    for day in 0..days {
        let time_ms = zero_ms + u64::from(day) * DAY_MS;
        network.pass_to(time_ms + DAY_MS);
        for (n, device) in (0i64..).zip(&devices) {
            network.send(device, day, time_ms, 200 + i64::from(day) * 7 % 40 + n % 17);
        }
    }
    network
}

fn export(network: &MemoryNetwork, folder: &Path) -> Result<(), Failure> {
    let leaves: Vec<Hash> = network.entries.iter().map(|entry| leaf_hash(entry)).collect();
    let size = leaves.len() as u64;
    for tile in tiles(size) {
        let first = usize::try_from(tile.index)? * usize::from(TILE_WIDTH);
        let range = first..first + usize::from(tile.width);
        let bytes = match tile.level {
            TileLevel::Entries => encode_bundle(&network.entries[range])?,
            TileLevel::Hashes(level) => {
                let span = usize::from(TILE_WIDTH).pow(level.into());
                let hashes: Vec<Hash> = range.map(|n| tree::root(&leaves[n * span..(n + 1) * span])).collect();
                encode_tile(&hashes)
            }
        };
        let path = folder.join(tile.to_string());
        std::fs::create_dir_all(path.parent().ok_or("a tile lies in a folder")?)?;
        std::fs::write(path, bytes)?;
    }
    let key = NoteSigner::new("test.invalid/memory", SigningKey::from_seed([253; 32]))?;
    let checkpoint = Checkpoint::new("test.invalid/memory", size, tree::root(&leaves))?;
    std::fs::write(folder.join("checkpoint"), checkpoint.sign(&key, &[])?.to_string())?;
    for closed in &network.closed {
        let epoch = folder.join(format!("epochs/{}", closed.statement.number));
        std::fs::create_dir_all(&epoch)?;
        std::fs::write(epoch.join("statement.cbor"), &closed.bytes)?;
        std::fs::write(epoch.join("verdicts.cborseq"), closed.verdicts.concat())?;
        std::fs::write(epoch.join("payouts.cborseq"), closed.payouts.concat())?;
    }
    Ok(())
}
