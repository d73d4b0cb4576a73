//! Tiles and entry bundles of C2SP `tlog-tiles`: their paths, their bytes, and which of them a log of a given size has.
//!
//! Tile `n` of level `l` holds up to 256 hashes; hash `i` is the root of leaves `(n * 256 + i) * 256^l` and the
//! `256^l - 1` after it. Entry bundle `n` holds the entries `n * 256 ..`, each after its big-endian 16-bit length. The
//! rightmost tile of a level may be *partial*, its width in its path; empty tiles do not exist.

use core::cell::RefCell;
use core::fmt;
use core::str::FromStr;
use std::collections::BTreeMap;

use cairn_core::Hash;

use crate::{HashReader, MerkleError, tree};

/// Hashes in a full tile, entries in a full bundle.
pub const TILE_WIDTH: u16 = 256;
/// Binary levels that one tile level spans.
pub const TILE_HEIGHT: u8 = 8;
/// The longest entry, in bytes.
pub const ENTRY_BYTES_MAX: usize = 65_535;
/// The highest tile level that a path may name.
const LEVEL_MAX: u8 = 63;

/// What a tile holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum TileLevel {
    /// Hashes of level 0 (leaf hashes) to 63.
    Hashes(u8),
    /// Entries.
    Entries,
}

/// The name of a tile or entry bundle; shown and parsed as its path under the log's prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct TilePath {
    /// What it holds.
    pub level: TileLevel,
    /// Its position in that level.
    pub index: u64,
    /// Hashes or entries in it: 1 to 255 if partial, 256 if full.
    pub width: u16,
}

impl TilePath {
    /// The tile of `level` at `index` in a log of `size` entries, partial if it stands at the right edge.
    ///
    /// `None` if that log has no such tile.
    #[must_use]
    pub fn in_log(level: TileLevel, index: u64, size: u64) -> Option<Self> {
        let hashes = match level {
            TileLevel::Entries => size,
            TileLevel::Hashes(level) => size.checked_shr(u32::from(level) * u32::from(TILE_HEIGHT)).unwrap_or(0),
        };
        let start = index.checked_mul(u64::from(TILE_WIDTH))?;
        let width = u16::try_from(hashes.checked_sub(start)?).map_or(TILE_WIDTH, |width| width.min(TILE_WIDTH));
        (width > 0).then_some(Self { level, index, width })
    }

    /// Whether the tile is full, and so will never change.
    #[must_use]
    pub const fn is_full(&self) -> bool {
        self.width == TILE_WIDTH
    }
}

/// Every tile of a log of `size` entries: entry bundles first, then hashes level by level; the rightmost of each
/// may be partial.
pub fn tiles(size: u64) -> impl Iterator<Item = TilePath> {
    let levels = (0..8).map(TileLevel::Hashes).filter(move |level| TilePath::in_log(*level, 0, size).is_some());
    core::iter::once(TileLevel::Entries)
        .chain(levels)
        .flat_map(move |level| (0..).map_while(move |index| TilePath::in_log(level, index, size)))
}

impl fmt::Display for TilePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.level {
            TileLevel::Hashes(level) => write!(f, "tile/{level}/")?,
            TileLevel::Entries => f.write_str("tile/entries/")?,
        }
        let mut groups = vec![self.index % 1000];
        let mut rest = self.index / 1000;
        while rest > 0 {
            groups.push(rest % 1000);
            rest /= 1000;
        }
        for group in groups[1..].iter().rev() {
            write!(f, "x{group:03}/")?;
        }
        write!(f, "{:03}", groups[0])?;
        if self.is_full() { Ok(()) } else { write!(f, ".p/{}", self.width) }
    }
}

impl FromStr for TilePath {
    type Err = MerkleError;

    /// Parses a path such as `tile/0/x001/x234/067.p/5`. Exactly one text names a tile: no leading zeros, no empty
    /// groups, no partial of width 0 or 256.
    fn from_str(path: &str) -> Result<Self, MerkleError> {
        let parsed = parse_path(path).filter(|tile| tile.to_string() == path);
        parsed.ok_or_else(|| MerkleError::TilePath { path: path.chars().take(80).collect() })
    }
}

/// Reads a path leniently; the caller compares it with the one way to write it.
fn parse_path(path: &str) -> Option<TilePath> {
    let (level, rest) = path.strip_prefix("tile/")?.split_once('/')?;
    let level = match level {
        "entries" => TileLevel::Entries,
        number => TileLevel::Hashes(number.parse().ok().filter(|level| *level <= LEVEL_MAX)?),
    };
    let (index, width) = match rest.split_once(".p/") {
        Some((index, width)) => (index, width.parse().ok().filter(|width| (1..TILE_WIDTH).contains(width))?),
        None => (rest, TILE_WIDTH),
    };
    let mut number = 0u64;
    for group in index.split('/') {
        let digits: u64 = group.strip_prefix('x').unwrap_or(group).parse().ok().filter(|digits| *digits < 1000)?;
        number = number.checked_mul(1000)?.checked_add(digits)?;
    }
    Some(TilePath { level, index: number, width })
}

/// The bytes of a tile of hashes.
#[must_use]
pub fn encode_tile(hashes: &[Hash]) -> Vec<u8> {
    hashes.iter().flat_map(|hash| hash.0).collect()
}

/// Reads a tile of hashes.
///
/// # Errors
/// [`MerkleError::TileLength`] unless there are exactly 32 bytes for each of its `width` hashes.
pub fn decode_tile(tile: TilePath, bytes: &[u8]) -> Result<Vec<Hash>, MerkleError> {
    let expected = 32 * usize::from(tile.width);
    if bytes.len() != expected {
        return Err(MerkleError::TileLength { tile: tile.to_string(), expected, found: bytes.len() });
    }
    let hash = |chunk: &[u8]| Hash(chunk.try_into().expect("chunks of 32 bytes"));
    Ok(bytes.chunks_exact(32).map(hash).collect())
}

/// Appends one entry, after its length, to the bytes of a bundle.
///
/// # Errors
/// [`MerkleError::EntryLength`] above 65,535 bytes; nothing is appended then.
pub fn push_entry(bundle: &mut Vec<u8>, entry: &[u8]) -> Result<(), MerkleError> {
    let length = u16::try_from(entry.len()).map_err(|_| MerkleError::EntryLength { length: entry.len() })?;
    bundle.extend_from_slice(&length.to_be_bytes());
    bundle.extend_from_slice(entry);
    Ok(())
}

/// The bytes of a bundle.
///
/// # Errors
/// [`MerkleError::EntryLength`] if an entry is longer than 65,535 bytes.
pub fn encode_bundle<E: AsRef<[u8]>>(entries: &[E]) -> Result<Vec<u8>, MerkleError> {
    let mut bundle = Vec::new();
    for entry in entries {
        push_entry(&mut bundle, entry.as_ref())?;
    }
    Ok(bundle)
}

/// The `width` entries of a bundle, in order.
///
/// # Errors
/// [`MerkleError::Bundle`] if an entry is cut short, or bytes follow the last one.
pub fn decode_bundle(bytes: &[u8], width: u16) -> Result<Vec<&[u8]>, MerkleError> {
    let refuse = |rest: &[u8], reason| MerkleError::Bundle { width, offset: bytes.len() - rest.len(), reason };
    let mut entries = Vec::with_capacity(usize::from(width));
    let mut rest = bytes;
    for _ in 0..width {
        let (entry, after) = split_entry(rest).ok_or_else(|| refuse(rest, "an entry is cut short"))?;
        entries.push(entry);
        rest = after;
    }
    if rest.is_empty() { Ok(entries) } else { Err(refuse(rest, "bytes after the last entry")) }
}

/// Splits the first entry off the bytes of a bundle; `None` if it is cut short.
#[must_use]
pub fn split_entry(bundle: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bundle.split_first_chunk::<2>()?;
    rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))
}

/// Something that holds the tiles of a log: a folder, a server, a cache of one.
pub trait TileReader {
    /// What goes wrong when reading.
    type Error: From<MerkleError>;

    /// The bytes of a tile or bundle.
    ///
    /// # Errors
    /// If there is no such tile, or it cannot be read.
    fn tile(&self, tile: TilePath) -> Result<Vec<u8>, Self::Error>;
}

/// Reads the whole subtrees of a log of fixed size from its tiles, keeping the last tile of each level.
///
/// It does not check that tiles fit each other: proofs built from altered tiles do not verify.
pub struct TiledHashes<'a, T> {
    tiles: &'a T,
    size: u64,
    last: RefCell<BTreeMap<u8, (u64, Vec<Hash>)>>,
}

impl<'a, T: TileReader> TiledHashes<'a, T> {
    /// The hashes of the log of `size` entries behind `tiles`.
    #[must_use]
    pub const fn new(tiles: &'a T, size: u64) -> Self {
        Self { tiles, size, last: RefCell::new(BTreeMap::new()) }
    }
}

impl<T: TileReader> HashReader for TiledHashes<'_, T> {
    type Error = T::Error;

    fn node(&self, level: u8, index: u64) -> Result<Hash, T::Error> {
        let (tile_level, inner) = (level / TILE_HEIGHT, level % TILE_HEIGHT);
        let outside = || MerkleError::Index { index: index.saturating_mul(1 << level.min(63)), size: self.size };
        let first = index.checked_mul(1 << inner).ok_or_else(outside)?;
        let number = first / u64::from(TILE_WIDTH);
        let path = TilePath::in_log(TileLevel::Hashes(tile_level), number, self.size).ok_or_else(outside)?;
        let mut last = self.last.borrow_mut();
        if last.get(&tile_level).is_none_or(|(kept, _)| *kept != number) {
            let hashes = decode_tile(path, &self.tiles.tile(path)?)?;
            last.insert(tile_level, (number, hashes));
        }
        let start = usize::try_from(first % u64::from(TILE_WIDTH)).expect("a place in a tile is below 256");
        let hashes = last.get(&tile_level).and_then(|(_, hashes)| hashes.get(start..start + (1 << inner)));
        Ok(tree::root(hashes.ok_or_else(outside)?))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::proof::{consistency_proof, inclusion_proof, root_at};
    use crate::tree::{MemoryTree, leaf_hash};

    #[test]
    fn a_path_has_exactly_one_text() {
        for (path, level, index, width) in [
            ("tile/0/000", TileLevel::Hashes(0), 0, 256),
            ("tile/0/999.p/1", TileLevel::Hashes(0), 999, 1),
            ("tile/63/x001/000", TileLevel::Hashes(63), 1000, 256),
            ("tile/entries/x001/x234/067.p/255", TileLevel::Entries, 1_234_067, 255),
            ("tile/0/x018/x446/x744/x073/x709/x551/615", TileLevel::Hashes(0), u64::MAX, 256),
        ] {
            let tile = TilePath { level, index, width };
            assert_eq!(tile.to_string(), path);
            assert_eq!(path.parse::<TilePath>().unwrap(), tile, "{path}");
        }
        for bad in [
            "",
            "tile",
            "tile/0",
            "tile/0/",
            "tile/0/0",
            "tile/0/00",
            "tile/0/0000",
            "tile/00/000",
            "tile/64/000",
            "tile/-1/000",
            "tile/+1/000",
            "tile/0/+01",
            "tile/0/x000/000",
            "tile/0/x001",
            "tile/0/001/000",
            "tile/0/x1/000",
            "tile/0/000.p",
            "tile/0/000.p/",
            "tile/0/000.p/0",
            "tile/0/000.p/01",
            "tile/0/000.p/256",
            "tile/0/000.p/5/",
            "tile/0/000/",
            "tile/0//000",
            "/tile/0/000",
            "tile/data/000",
            "tile/Entries/000",
            "tile/0/x018/x446/x744/x073/x709/x551/616",
        ] {
            assert_eq!(bad.parse::<TilePath>().unwrap_err().code(), "LOG-TILE-PATH", "{bad}");
        }
    }

    #[test]
    fn a_log_has_the_tiles_that_the_specification_counts() {
        let count = |size, level| tiles(size).filter(|tile| tile.level == level).count();
        let last = |size, level| tiles(size).filter(|tile| tile.level == level).last().unwrap().width;
        assert_eq!(tiles(0).count(), 0);
        assert_eq!(tiles(1).map(|t| t.to_string()).collect::<Vec<_>>(), ["tile/entries/000.p/1", "tile/0/000.p/1"]);
        assert_eq!(
            tiles(256).map(|t| t.to_string()).collect::<Vec<_>>(),
            ["tile/entries/000", "tile/0/000", "tile/1/000.p/1"]
        );
        // The example of tlog-tiles: 70,000 entries.
        assert_eq!((count(70_000, TileLevel::Hashes(0)), last(70_000, TileLevel::Hashes(0))), (274, 112));
        assert_eq!((count(70_000, TileLevel::Hashes(1)), last(70_000, TileLevel::Hashes(1))), (2, 17));
        assert_eq!((count(70_000, TileLevel::Hashes(2)), last(70_000, TileLevel::Hashes(2))), (1, 1));
        assert_eq!(count(70_000, TileLevel::Hashes(3)), 0);
        assert_eq!(TilePath::in_log(TileLevel::Hashes(63), 0, u64::MAX), None);
        assert_eq!(TilePath::in_log(TileLevel::Entries, u64::MAX, u64::MAX), None);
    }

    #[test]
    fn a_bundle_holds_its_entries_and_nothing_else() {
        let bytes = encode_bundle(&[&b"ab"[..], b"", b"c"]).unwrap();
        assert_eq!(bytes, b"\x00\x02ab\x00\x00\x00\x01c");
        assert_eq!(decode_bundle(&bytes, 3).unwrap(), [&b"ab"[..], b"", b"c"]);
        let offset = |bytes: &[u8], width| match decode_bundle(bytes, width).unwrap_err() {
            MerkleError::Bundle { offset, .. } => offset,
            other => panic!("{other}"),
        };
        assert_eq!(offset(&bytes, 2), 6);
        assert_eq!(offset(&bytes, 4), 9);
        assert_eq!(offset(&bytes[..8], 3), 6);
        assert_eq!(offset(&bytes[..7], 3), 6);
        assert_eq!(encode_bundle(&[vec![0; 65_536]]).unwrap_err(), MerkleError::EntryLength { length: 65_536 });
        assert_eq!(encode_bundle(&[vec![7; 65_535]]).unwrap().len(), 65_537);
    }

    struct Tiles(Vec<Hash>);

    impl TileReader for Tiles {
        type Error = MerkleError;

        fn tile(&self, tile: TilePath) -> Result<Vec<u8>, MerkleError> {
            let TileLevel::Hashes(level) = tile.level else { panic!("no entries here") };
            let span = 256usize.pow(u32::from(level));
            let first = tile.index as usize * 256;
            let hashes =
                (first..first + usize::from(tile.width)).map(|i| tree::root(&self.0[i * span..(i + 1) * span]));
            Ok(encode_tile(&hashes.collect::<Vec<_>>()))
        }
    }

    #[test]
    fn a_tile_of_another_length_is_refused() {
        let tile: TilePath = "tile/0/000.p/2".parse().unwrap();
        assert_eq!(decode_tile(tile, &[7; 64]).unwrap(), vec![Hash([7; 32]); 2]);
        for length in [0, 32, 63, 65, 96] {
            assert_eq!(decode_tile(tile, &vec![7; length]).unwrap_err().code(), "LOG-TILE-LENGTH", "{length}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn tiles_give_the_proofs_of_the_whole_tree(size in 1u64..70_000, index: u64, old: u64) {
            let leaves: Vec<Hash> = (0..size).map(|i| leaf_hash(&i.to_le_bytes())).collect();
            let (index, old) = (index % size, old % (size + 1));
            let tiles = Tiles(leaves.clone());
            let tiled = TiledHashes::new(&tiles, size);
            let whole = MemoryTree::new(leaves);
            prop_assert_eq!(root_at(&tiled, size).unwrap(), whole.root());
            prop_assert_eq!(inclusion_proof(&tiled, index, size).unwrap(), inclusion_proof(&whole, index, size).unwrap());
            prop_assert_eq!(consistency_proof(&tiled, old, size).unwrap(), consistency_proof(&whole, old, size).unwrap());
        }

        #[test]
        fn paths_round_trip(level in 0u8..=63, entries: bool, index: u64, width in 1u16..=256) {
            let level = if entries { TileLevel::Entries } else { TileLevel::Hashes(level) };
            let tile = TilePath { level, index, width };
            prop_assert_eq!(tile.to_string().parse::<TilePath>().unwrap(), tile);
        }

        #[test]
        fn bundles_round_trip(entries in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..40), 1..20)) {
            let bytes = encode_bundle(&entries).unwrap();
            prop_assert_eq!(decode_bundle(&bytes, entries.len() as u16).unwrap(), entries);
        }
    }
}
