//! Archives that are written here, as the specification has them, and what becomes of broken ones.

use std::io::Write;
use std::sync::atomic::{AtomicUsize, Ordering};

use flate2::Compression;
use flate2::write::GzEncoder;
use proptest::prelude::*;

use super::*;

/// An entry to be written.
#[derive(Debug, Clone, Copy)]
pub(super) struct Written {
    pub tile: u64,
    pub run: u32,
    pub offset: u64,
    pub length: u32,
}

fn varint(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push(u8::try_from(number & 0x7f).unwrap() | 0x80);
        number >>= 7;
    }
    bytes.push(u8::try_from(number).unwrap());
}

/// A directory as the specification writes it.
pub(super) fn directory(entries: &[Written]) -> Vec<u8> {
    let mut bytes = Vec::new();
    varint(&mut bytes, entries.len() as u64);
    let mut before = 0;
    for entry in entries {
        varint(&mut bytes, entry.tile - before);
        before = entry.tile;
    }
    entries.iter().for_each(|entry| varint(&mut bytes, entry.run.into()));
    entries.iter().for_each(|entry| varint(&mut bytes, entry.length.into()));
    let mut end = None;
    for entry in entries {
        varint(&mut bytes, if end == Some(entry.offset) { 0 } else { entry.offset + 1 });
        end = Some(entry.offset + u64::from(entry.length));
    }
    bytes
}

fn packed(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// An archive to be written, whose directories are packed.
struct Archive {
    root: Vec<Written>,
    leaves: Vec<u8>,
    tiles: Vec<u8>,
    metadata: &'static str,
    kind: u8,
    tile_compression: u8,
}

impl Archive {
    fn of(root: Vec<Written>, leaves: Vec<u8>, tiles: &[u8]) -> Self {
        Self { root, leaves, tiles: tiles.to_vec(), metadata: "{}", kind: 2, tile_compression: 1 }
    }

    fn bytes(&self) -> Vec<u8> {
        let (root, metadata) = (packed(&directory(&self.root)), packed(self.metadata.as_bytes()));
        let mut bytes = b"PMTiles\x03".to_vec();
        let mut at = HEADER_BYTES;
        for part in [&root, &metadata, &self.leaves, &self.tiles] {
            bytes.extend(at.to_le_bytes());
            bytes.extend((part.len() as u64).to_le_bytes());
            at += part.len() as u64;
        }
        bytes.extend([0; 24]);
        bytes.extend([1, 2, self.tile_compression, self.kind, 0, 3]);
        for degrees_e7 in [-1_800_000_000i32, -850_000_000, 1_800_000_000, 850_000_000] {
            bytes.extend(degrees_e7.to_le_bytes());
        }
        bytes.extend([0; 9]);
        [bytes, root, metadata, self.leaves.clone(), self.tiles.clone()].concat()
    }

    fn open(&self) -> Result<Basemap, BadBasemap> {
        Basemap::over(Box::new(self.bytes()), b"")
    }
}

/// One with a tile in its root, two in a leaf, and one in a leaf below that.
fn deep() -> Archive {
    let entry = |tile, run, offset, length| Written { tile, run, offset, length };
    let lower = packed(&directory(&[entry(21, 64, 6, 4)]));
    let lower_bytes = u32::try_from(lower.len()).unwrap();
    let upper = packed(&directory(&[entry(1, 1, 1, 2), entry(3, 1, 3, 3), entry(20, 0, 0, lower_bytes)]));
    let upper_bytes = u32::try_from(upper.len()).unwrap();
    let root = vec![entry(0, 1, 0, 1), entry(1, 0, lower_bytes.into(), upper_bytes)];
    Archive::of(root, [lower, upper].concat(), b"abbccc4444")
}

/// What an archive says of each tile up to a zoom.
fn all(map: &Basemap, zoom_max: u64) -> Vec<Result<Option<Vec<u8>>, &'static str>> {
    let tiles = (0..=zoom_max).flat_map(|zoom| (0..1u64 << (2 * zoom)).map(move |at| (zoom, at)));
    tiles
        .map(|(zoom, at)| Place::of(zoom, at & ((1 << zoom) - 1), at >> zoom).unwrap())
        .map(|place| map.tile(place).map_err(|error| error.code()))
        .collect()
}

#[test]
fn tiles_are_found_through_directories_of_directories() {
    let map = deep().open().unwrap();
    for (zoom, x, y, tile) in [
        (0, 0, 0, Some("a")),
        (1, 0, 0, Some("bb")),
        (1, 0, 1, None),
        (1, 1, 1, Some("ccc")),
        (2, 0, 0, None),
        (3, 0, 0, Some("4444")),
        (3, 7, 0, Some("4444")),
        (4, 0, 0, None),
    ] {
        let found = map.tile(Place::of(zoom, x, y).unwrap()).unwrap();
        assert_eq!(found.as_deref(), tile.map(str::as_bytes), "{zoom}/{x}/{y}");
    }
    assert_eq!((map.kind(), map.are_tiles_packed(), map.zooms(), map.attribution()), (Kind::Png, false, (0, 3), None));
}

#[test]
fn what_is_no_base_map_is_refused_by_a_code_with_a_way_out() {
    let change = |at: usize, to: &'static [u8]| {
        let mut bytes = deep().bytes();
        bytes[at..at + to.len()].copy_from_slice(to);
        bytes
    };
    let far = &[0xff; 8];
    for (what, bytes, code) in [
        ("nothing", vec![], "MAP-FORMAT"),
        ("a beginning alone", deep().bytes()[..126].to_vec(), "MAP-FORMAT"),
        ("something else", change(0, b"GIF89a!"), "MAP-FORMAT"),
        ("version 2", change(7, &[2]), "MAP-FORMAT"),
        ("a root directory beyond the end", change(8, far), "MAP-DAMAGED"),
        ("a root directory that is the header", change(8, &[0]), "MAP-DAMAGED"),
        ("a length beyond the end", change(72 - 8, far), "MAP-DAMAGED"),
        ("directories by Zstandard", change(97, &[4]), "MAP-COMPRESSION"),
        ("tiles by Brotli", change(98, &[3]), "MAP-COMPRESSION"),
        ("tiles that are packed somehow", change(98, &[0]), "MAP-COMPRESSION"),
        ("AVIF", change(99, &[5]), "MAP-KIND"),
        ("tiles of no kind", change(99, &[0]), "MAP-KIND"),
        ("zooms that go down", change(100, &[4]), "MAP-DAMAGED"),
        ("more zooms than there are", change(101, &[27]), "MAP-DAMAGED"),
        ("bounds of nothing", change(102, &[0; 16]), "MAP-DAMAGED"),
        ("a root directory that is not packed", change(97, &[1]), "MAP-DAMAGED"),
        ("a torn root directory", change(127, &[0]), "MAP-DAMAGED"),
        ("no JSON", Archive { metadata: "x", ..deep() }.bytes(), "MAP-DAMAGED"),
    ] {
        let refused = Basemap::over(Box::new(bytes), b"").unwrap_err();
        assert_eq!(refused.code(), code, "{what}: {refused}");
        assert!(refused.hint().is_some(), "{what}");
    }
    let layers = Archive { metadata: "{\"vector_layers\": [{\"id\": \"other\"}]}", kind: 1, ..deep() };
    assert_eq!(layers.open().unwrap_err().code(), "MAP-LAYERS");
}

#[test]
fn directories_that_lead_astray_end_at_a_tile() {
    let entry = |tile, run, offset, length| Written { tile, run, offset, length };
    // A directory without packing, whose only entry leads to itself.
    let mut itself = Archive::of(vec![entry(0, 0, 0, 5)], directory(&[entry(0, 0, 0, 5)]), b"a").bytes();
    let unpacked = directory(&[entry(0, 0, 0, 5)]);
    let whole = Archive::of(vec![], unpacked.clone(), b"a");
    assert_eq!(unpacked.len(), 5);
    itself[97] = 1;
    // Directories are not packed here, so the root is written anew, between the header and the rest.
    let parts = [unpacked.clone(), b"{}".to_vec(), whole.leaves, whole.tiles];
    let mut at = HEADER_BYTES;
    for (part, field) in parts.iter().zip([8, 24, 40, 56]) {
        itself[field..field + 8].copy_from_slice(&at.to_le_bytes());
        itself[field + 8..field + 16].copy_from_slice(&(part.len() as u64).to_le_bytes());
        at += part.len() as u64;
    }
    let bytes = [itself[..127].to_vec(), parts.concat()].concat();
    let map = Basemap::over(Box::new(bytes), b"").unwrap();
    assert_eq!(map.tile(Place::of(0, 0, 0).unwrap()).unwrap_err().code(), "MAP-DAMAGED");
    for (what, root) in [
        ("a leaf outside its section", entry(0, 0, 90_000, 9)),
        ("a tile outside its section", entry(0, 1, 9, 2)),
        ("a leaf that is no directory", entry(0, 0, 1, 9)),
    ] {
        let map = Archive { root: vec![root], ..deep() }.open().unwrap();
        let refused = map.tile(Place::of(0, 0, 0).unwrap()).unwrap_err();
        assert_eq!(refused.code(), "MAP-DAMAGED", "{what}: {refused}");
    }
}

#[test]
fn nothing_is_read_or_unpacked_beyond_its_limit() {
    let entry = |tile, run, offset, length| Written { tile, run, offset, length };
    let large = u32::try_from(TILE_BYTES_MAX + 1).unwrap();
    let tiles = vec![7; large as usize];
    let map = Archive::of(vec![entry(0, 1, 0, large), entry(1, 1, 0, large - 1)], vec![], &tiles).open().unwrap();
    assert_eq!(map.tile(Place::of(0, 0, 0).unwrap()).unwrap_err().code(), "MAP-LIMIT");
    assert_eq!(map.tile(Place::of(1, 0, 0).unwrap()).unwrap().unwrap().len() as u64, TILE_BYTES_MAX);
    // A directory of a few kilobytes that unpacks to more than it may.
    let bomb = packed(&vec![0; 3 << 20]);
    let length = u32::try_from(bomb.len()).unwrap();
    let map = Archive::of(vec![entry(0, 0, 0, length)], bomb, b"").open().unwrap();
    assert_eq!(map.tile(Place::of(0, 0, 0).unwrap()).unwrap_err().code(), "MAP-LIMIT");
}

/// Counts what is read.
struct Counted(Vec<u8>, Arc<AtomicUsize>);

impl Source for Counted {
    fn bytes(&self) -> io::Result<u64> {
        self.0.bytes()
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.1.fetch_add(1, Ordering::Relaxed);
        self.0.read_at(offset, buffer)
    }
}

#[test]
fn directories_are_read_once_and_so_many_are_kept() {
    let entry = |tile, run, offset, length| Written { tile, run, offset, length };
    // A leaf for each tile of zooms 0 to 5, so more than are kept.
    let count = (1u64 << 12) / 3;
    let (mut leaves, mut root) = (Vec::new(), Vec::new());
    for tile in 0..count {
        let leaf = packed(&directory(&[entry(tile, 1, 0, 1)]));
        root.push(entry(tile, 0, leaves.len() as u64, u32::try_from(leaf.len()).unwrap()));
        leaves.extend(leaf);
    }
    let mut bytes = Archive::of(root, leaves, b"a").bytes();
    bytes[101] = 5;
    let reads = Arc::new(AtomicUsize::new(0));
    let map = Basemap::over(Box::new(Counted(bytes, reads.clone())), b"").unwrap();
    let place = Place::of(5, 3, 3).unwrap();
    let counted = |work: &dyn Fn()| {
        let before = reads.load(Ordering::Relaxed);
        work();
        reads.load(Ordering::Relaxed) - before
    };
    let ask = || assert_eq!(map.tile(place).unwrap(), Some(b"a".to_vec()));
    assert_eq!((counted(&ask), counted(&ask)), (2, 1), "the directory and the tile; then the tile");
    assert!(all(&map, 5).iter().all(|tile| *tile == Ok(Some(b"a".to_vec()))));
    let kept = map.kept.lock().unwrap();
    assert_eq!(kept.leaves.len(), KEPT_MAX);
    assert_eq!(kept.bytes, kept.leaves.iter().map(|(_, leaf)| leaf.memory_bytes()).sum::<usize>());
}

#[test]
fn another_file_has_another_name() {
    let name =
        |archive: &Archive, salt: &[u8]| Basemap::over(Box::new(archive.bytes()), salt).unwrap().name().to_owned();
    let names = [
        name(&deep(), b""),
        name(&deep(), b"later"),
        name(&Archive { metadata: "{\"attribution\": \"x\"}", ..deep() }, b""),
        name(&Archive { tiles: b"abbccc44445".to_vec(), ..deep() }, b""),
    ];
    assert_eq!(name(&deep(), b""), names[0]);
    for (at, one) in names.iter().enumerate() {
        assert!(!names[..at].contains(one), "{names:?}");
    }
}

#[test]
fn archives_of_the_reference_writer_are_read() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../goldens/basemap");
    let listed = std::fs::read_to_string(folder.join("tiles.txt")).unwrap();
    let mut checked = 0;
    for (name, kind, is_packed) in [("vector.pmtiles", Kind::Vector, true), ("raster.pmtiles", Kind::Png, false)] {
        let map = Basemap::open(&folder.join(name)).unwrap();
        assert_eq!((map.kind(), map.are_tiles_packed(), map.zooms()), (kind, is_packed, (0, 3)), "{name}");
        assert_eq!(map.bounds_e7(), [-1_800_000_000, -850_511_287, 0, 850_511_287], "{name}");
        assert_eq!(map.attribution(), Some("Made up © <script>window.harmed=7</script>"), "{name}");
        // Each line of the list: the archive, the tile, and the hash of its bytes, or that it has none.
        for line in listed.lines().filter(|line| line.starts_with(name)) {
            let words: Vec<&str> = line.split([' ', '/']).collect();
            let [_, zoom, x, y, hash] = words[..] else { panic!("{line}") };
            let [zoom, x, y] = [zoom, x, y].map(|number| number.parse().unwrap());
            let tile = map.tile(Place::of(zoom, x, y).unwrap()).unwrap();
            assert_eq!(tile.map_or("none".to_owned(), |tile| Hash::of(&tile).to_hex()), hash, "{line}");
            checked += 1;
        }
    }
    assert_eq!(checked, 2 * 85, "each tile of zooms 0 to 3 of both");
}

proptest! {
    #[test]
    fn any_bytes_are_a_base_map_whose_tiles_are_the_same_in_any_order_or_are_refused(
        cut in 0usize..600, changes in prop::collection::vec((0usize..600, any::<u8>()), 0..4),
    ) {
        let mut bytes = deep().bytes();
        for (at, byte) in changes {
            if let Some(known) = bytes.get_mut(at) {
                *known = byte;
            }
        }
        bytes.truncate(bytes.len().saturating_sub(cut % 60));
        if let Ok(map) = Basemap::over(Box::new(bytes), b"") {
            let first = all(&map, 3);
            prop_assert!(first.iter().flatten().flatten().all(|tile| tile.len() as u64 <= TILE_BYTES_MAX));
            prop_assert_eq!(all(&map, 3), first);
        }
    }

    #[test]
    fn bytes_of_no_archive_are_refused(bytes: Vec<u8>) {
        prop_assert!(Basemap::over(Box::new(bytes), b"").is_err());
    }
}
