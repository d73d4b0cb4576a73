//! The log's hashes, each believed only because it leads to the checkpoint's root.
//!
//! The root is computed from the partial tiles at the right edge, so it vouches for all their hashes; every full tile is
//! vouched for by the one hash of it in the tile above. So each tile is checked when it is read, from the top down, and a
//! wrong one is named before anything is built on it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use cairn_core::Hash;
use cairn_merkle::tile::{TILE_HEIGHT, TILE_WIDTH, TileReader, decode_bundle, decode_tile, encode_tile, split_entry};
use cairn_merkle::{Checkpoint, Frontier, TileLevel, TilePath, tree};

use crate::difference::{Difference, Stop, describe_entry, leaf_words};
use crate::source::Source;

/// Hashes in a full tile.
const WIDTH: u64 = TILE_WIDTH as u64;
/// Levels of tiles that a log of up to 2^64 entries has.
const LEVELS: u8 = 8;

/// The tiles of a log under a checkpoint.
pub(crate) struct AuthenticTiles<'a> {
    source: &'a dyn Source,
    size: u64,
    /// The partial tile of each level that has one.
    edges: BTreeMap<u8, Vec<Hash>>,
    /// The last full tile of each level.
    kept: Mutex<BTreeMap<u8, FullTile>>,
}

/// A full tile's number and hashes.
type FullTile = (u64, Arc<Vec<Hash>>);

/// Reads a tile or bundle that the checkpoint needs. A partial one may be missing when the full one is there.
pub(crate) fn fetch(source: &dyn Source, tile: TilePath) -> Result<Vec<u8>, Stop> {
    if let Some(bytes) = source.tile(tile)? {
        return Ok(bytes);
    }
    let full = if tile.is_full() { None } else { source.tile(TilePath { width: TILE_WIDTH, ..tile })? };
    if let Some(mut bytes) = full {
        let length = match tile.level {
            TileLevel::Hashes(_) => 32 * usize::from(tile.width),
            TileLevel::Entries => {
                let mut rest = &bytes[..];
                for _ in 0..tile.width {
                    rest = split_entry(rest).map_or(&[], |(_, after)| after);
                }
                bytes.len() - rest.len()
            }
        };
        bytes.truncate(length);
        return Ok(bytes);
    }
    Err(Difference::at("LOG-MISSING", tile.to_string(), "the checkpoint needs it, and it is not served").into())
}

/// The hashes of a tile, as served.
fn read_hashes(source: &dyn Source, tile: TilePath) -> Result<Vec<Hash>, Stop> {
    decode(tile, &fetch(source, tile)?)
}

/// Reads the bytes of a tile of hashes.
pub(crate) fn decode(tile: TilePath, bytes: &[u8]) -> Result<Vec<Hash>, Stop> {
    decode_tile(tile, bytes).map_err(|error| Difference::at(error.code(), tile.to_string(), error.to_string()).into())
}

impl<'a> AuthenticTiles<'a> {
    /// Reads the right edge of the log and holds it against the checkpoint's root.
    pub(crate) fn under(source: &'a dyn Source, checkpoint: &Checkpoint) -> Result<Self, Stop> {
        let size = checkpoint.size();
        let mut edges = BTreeMap::new();
        for level in 0..LEVELS {
            if let Some(tile) = edge(level, size) {
                edges.insert(level, read_hashes(source, tile)?);
            }
        }
        let tiles = Self { source, size, edges, kept: Mutex::default() };
        let root = edge_root(size, &tiles.edges);
        if root == checkpoint.root() {
            return Ok(tiles);
        }
        Err(tiles.blame_edge(checkpoint.root(), root).into())
    }

    /// The hash at `position` of a level: the root of `256^level` entries.
    pub(crate) fn hash(&self, level: u8, position: u64) -> Result<Hash, Stop> {
        let (number, within) = (position / WIDTH, usize::try_from(position % WIDTH).expect("below 256"));
        let hash = match self.edge_of(level, number) {
            Some(hashes) => hashes.get(within).copied(),
            None => self.full(level, number)?.get(within).copied(),
        };
        hash.ok_or_else(|| {
            let place = format!("tile/{level}/{number}");
            Difference::at("LOG-INDEX", place, format!("it has no hash {within}")).into()
        })
    }

    /// The partial tile of a level, if `number` is its number.
    pub(crate) fn edge_of(&self, level: u8, number: u64) -> Option<&Vec<Hash>> {
        let tile = edge(level, self.size)?;
        if tile.index == number { self.edges.get(&level) } else { None }
    }

    fn full(&self, level: u8, number: u64) -> Result<Arc<Vec<Hash>>, Stop> {
        let lock = || self.kept.lock().expect("nobody panics while holding the tiles");
        if let Some((kept, hashes)) = lock().get(&level)
            && *kept == number
        {
            return Ok(Arc::clone(hashes));
        }
        let tile = TilePath { level: TileLevel::Hashes(level), index: number, width: TILE_WIDTH };
        let hashes = Arc::new(read_hashes(self.source, tile)?);
        let above = self.hash(level + 1, number)?;
        if tree::root(&hashes) != above {
            return Err(self.blame_full(tile, &hashes, above).into());
        }
        lock().insert(level, (number, Arc::clone(&hashes)));
        Ok(hashes)
    }

    /// The bytes of entry `index`, checked against its leaf hash.
    pub(crate) fn entry(&self, index: u64, kept: &mut Option<(u64, Vec<u8>)>) -> Result<Vec<u8>, Stop> {
        let number = index / WIDTH;
        let tile = TilePath::in_log(TileLevel::Entries, number, self.size);
        let tile = tile.ok_or_else(|| {
            Difference::at("LOG-INDEX", format!("entry {index}"), format!("the log has {} entries", self.size))
        })?;
        if kept.as_ref().is_none_or(|(kept, _)| *kept != number) {
            *kept = Some((number, fetch(self.source, tile)?));
        }
        let bundle = kept.as_ref().map_or(&[][..], |(_, bytes)| bytes);
        let leaf = self.hash(0, index)?;
        let at = usize::try_from(index % WIDTH).expect("below 256");
        let bytes = nth_entry(bundle, at).unwrap_or_default();
        check_entry(index, tile, bytes, &leaf)?;
        Ok(bytes.to_vec())
    }

    /// Which of the right-edge tiles is wrong: the one that differs from what lies under it, where that leads to the root.
    fn blame_edge(&self, expected: Hash, found: Hash) -> Difference {
        let mut rebuilt = BTreeMap::new();
        for (&level, hashes) in &self.edges {
            let Some(tile) = edge(level, self.size) else { continue };
            rebuilt.insert(level, self.rebuild(tile).unwrap_or_else(|| hashes.clone()));
        }
        if edge_root(self.size, &rebuilt) == expected {
            let differs = rebuilt.iter().find(|(level, hashes)| self.edges.get(level) != Some(hashes));
            if let Some((&level, hashes)) = differs
                && let Some(tile) = edge(level, self.size)
            {
                return name_tile(tile, hashes, &self.edges[&level]);
            }
        }
        let names: Vec<String> =
            (0..LEVELS).filter_map(|level| edge(level, self.size)).map(|tile| tile.to_string()).collect();
        let place = if names.is_empty() { "the checkpoint".to_owned() } else { names.join(", ") };
        Difference::at("LOG-ROOT", place, format!("the log of {} entries leads to another root", self.size))
            .values(format!("root {expected} of the checkpoint"), format!("root {found}"))
    }

    fn blame_full(&self, tile: TilePath, hashes: &[Hash], above: Hash) -> Difference {
        match self.rebuild(tile).filter(|rebuilt| tree::root(rebuilt) == above) {
            Some(rebuilt) => name_tile(tile, &rebuilt, hashes),
            None => {
                let detail = "it does not lead to the hash in the tile above it";
                Difference::at("LOG-TILE", tile.to_string(), detail)
                    .values(format!("root {above}"), format!("root {}", tree::root(hashes)))
            }
        }
    }

    /// A tile as the tiles or entries under it have it; nothing if they cannot be read.
    fn rebuild(&self, tile: TilePath) -> Option<Vec<Hash>> {
        let TileLevel::Hashes(level) = tile.level else { return None };
        let Some(below) = level.checked_sub(1) else {
            let bundle = fetch(self.source, TilePath { level: TileLevel::Entries, ..tile }).ok()?;
            let entries = decode_bundle(&bundle, tile.width).ok()?;
            return Some(entries.into_iter().map(tree::leaf_hash).collect());
        };
        let first = tile.index * WIDTH;
        let child = |index| TilePath { level: TileLevel::Hashes(below), index, width: TILE_WIDTH };
        (first..first + u64::from(tile.width))
            .map(|index| Some(tree::root(&read_hashes(self.source, child(index)).ok()?)))
            .collect()
    }
}

impl TileReader for AuthenticTiles<'_> {
    type Error = Stop;

    fn tile(&self, tile: TilePath) -> Result<Vec<u8>, Stop> {
        match tile.level {
            TileLevel::Hashes(level) => match self.edge_of(level, tile.index) {
                Some(hashes) => Ok(encode_tile(hashes)),
                None => Ok(encode_tile(&self.full(level, tile.index)?)),
            },
            TileLevel::Entries => fetch(self.source, tile),
        }
    }
}

/// The partial tile of a level in a log of `size` entries.
fn edge(level: u8, size: u64) -> Option<TilePath> {
    let hashes = size >> (u32::from(level) * u32::from(TILE_HEIGHT));
    TilePath::in_log(TileLevel::Hashes(level), hashes / WIDTH, size)
}

/// The root that partial tiles lead to: their hashes are exactly what no tile above sums up.
fn edge_root(size: u64, edges: &BTreeMap<u8, Vec<Hash>>) -> Hash {
    let mut peaks = Vec::new();
    for hashes in edges.values().rev() {
        let mut start = 0;
        for bit in (0..TILE_HEIGHT).rev().filter(|bit| hashes.len() >> bit & 1 == 1) {
            peaks.push(tree::root(&hashes[start..start + (1 << bit)]));
            start += 1 << bit;
        }
    }
    Frontier::from_peaks(size, peaks).expect("the widths of partial tiles are the digits of the size").root()
}

fn name_tile(tile: TilePath, right: &[Hash], served: &[Hash]) -> Difference {
    let at = right.iter().zip(served).position(|(right, served)| right != served).unwrap_or(0);
    let position = tile.index * WIDTH + at as u64;
    let below = match tile.level {
        TileLevel::Hashes(0) | TileLevel::Entries => format!("entry {position}"),
        TileLevel::Hashes(level) => {
            TilePath { level: TileLevel::Hashes(level - 1), index: position, width: TILE_WIDTH }.to_string()
        }
    };
    let named = Difference::at("LOG-TILE", tile.to_string(), format!("hash {at} is not that of {below}"))
        .values(right[at], served[at]);
    if tile.level == TileLevel::Hashes(0) { named.entry(position) } else { named }
}

/// The `at`-th entry of a bundle; `None` if it is cut short before.
fn nth_entry(bundle: &[u8], at: usize) -> Option<&[u8]> {
    let mut rest = bundle;
    for _ in 0..at {
        rest = split_entry(rest)?.1;
    }
    Some(split_entry(rest)?.0)
}

/// Refuses an entry with another leaf hash than the log's.
pub(crate) fn check_entry(index: u64, tile: TilePath, bytes: &[u8], leaf: &Hash) -> Result<(), Stop> {
    let found = tree::leaf_hash(bytes);
    if found == *leaf {
        return Ok(());
    }
    let (words, device) = describe_entry(bytes);
    Err(Difference::at(
        "LOG-ENTRY-DIFFERS",
        format!("entry {index} in {tile}"),
        "another entry than the log's is served",
    )
    .values(leaf_words(leaf), format!("{}: {words}", leaf_words(&found)))
    .entry(index)
    .device(device)
    .into())
}
