//! Somebody who remembers every checkpoint and every leaf, and is shown nothing else ever after.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use cairn_client::{Client, Retries};
use cairn_core::Hash;
use cairn_merkle::tile::{TILE_WIDTH, decode_tile};
use cairn_merkle::{Checkpoint, Frontier, NoteVerifier, SignedCheckpoint, TileLevel, TilePath};

/// How long a checkpoint over everything promised may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// What was seen of one log.
#[derive(Default)]
pub struct Witness {
    leaves: Vec<Hash>,
    frontier: Frontier,
    /// Checkpoints that were served: the root at each size. Those above the leaves are still to be met.
    seen: BTreeMap<u64, Hash>,
    largest: u64,
}

impl Witness {
    /// Looks at the checkpoint again and again, with a pause between, until told to stop, or nobody answers.
    pub fn watch(&mut self, url: &str, stop: &AtomicBool, pause: Duration) {
        let client = Client::patient(url, Retries { attempts: 1, first_wait: Duration::ZERO }).unwrap();
        let Ok(vkey) = client.network().map(|network| network.log_vkey) else { return };
        while !stop.load(Ordering::Relaxed) {
            let Ok(text) = client.checkpoint() else { return };
            self.note(&text, &vkey);
            std::thread::sleep(pause);
        }
    }

    /// Notes a checkpoint: signed, never smaller than one before, never of another root.
    fn note(&mut self, text: &str, vkey: &str) -> Checkpoint {
        let key: NoteVerifier = vkey.parse().unwrap();
        let checkpoint = SignedCheckpoint::open(text, &key, &[]).unwrap().checkpoint;
        assert!(checkpoint.size() >= self.largest, "a checkpoint of {} after {}", checkpoint.size(), self.largest);
        self.largest = checkpoint.size();
        let before = self.seen.insert(checkpoint.size(), checkpoint.root());
        assert!(before.is_none_or(|before| before == checkpoint.root()), "two checkpoints of {}", checkpoint.size());
        checkpoint
    }

    /// Meets the process after a restart: waits for a checkpoint over everything promised, reads the leaves that are new,
    /// and holds all promises and all checkpoints against them.
    pub fn meet(&mut self, url: &str, promised: &BTreeMap<u64, Hash>) {
        let client = Client::at(url).unwrap();
        let vkey = client.network().unwrap().log_vkey;
        let wanted = promised.keys().next_back().map_or(0, |last| last + 1);
        let since = Instant::now();
        let checkpoint = loop {
            let checkpoint = self.note(&client.checkpoint().unwrap(), &vkey);
            if checkpoint.size() >= wanted {
                break checkpoint;
            }
            let size = checkpoint.size();
            assert!(since.elapsed() < PATIENCE, "entry {} was promised; the log has {size}", wanted - 1);
            std::thread::sleep(Duration::from_millis(5));
        };
        self.read_leaves(&client, checkpoint.size());
        for (index, leaf) in promised {
            let found = self.leaves[usize::try_from(*index).unwrap()];
            assert_eq!(found, *leaf, "entry {index} is not the one that was promised");
        }
    }

    /// Reads level 0 again from its first tile to its last: what was seen before is still there.
    fn read_leaves(&mut self, client: &Client, size: u64) {
        let width = u64::from(TILE_WIDTH);
        for index in 0..size.div_ceil(width) {
            let tile = TilePath::in_log(TileLevel::Hashes(0), index, size).unwrap();
            let hashes = decode_tile(tile, &client.tile_bytes(tile).unwrap()).unwrap();
            for (leaf, hash) in (index * width..).zip(hashes) {
                if let Some(known) = self.leaves.get(usize::try_from(leaf).unwrap()) {
                    assert_eq!(*known, hash, "leaf {leaf} has changed");
                    continue;
                }
                self.leaves.push(hash);
                self.frontier.push(hash);
                if let Some(root) = self.seen.get(&self.frontier.size()) {
                    let found = self.frontier.root();
                    assert_eq!(found, *root, "the log forked: a checkpoint of {} has another root", leaf + 1);
                }
            }
        }
    }

    /// In words.
    pub fn words(&self) -> String {
        format!("{} leaves under {} checkpoints", self.leaves.len(), self.seen.len())
    }
}
