//! Directories of an archive: which bytes are a tile's.

use super::BadBasemap;

/// What a directory says of a run of tiles, or of a directory below it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Entry {
    /// The first tile's number.
    pub tile: u64,
    /// Bytes from the beginning of the section.
    pub offset: u64,
    pub length: u32,
    /// So many tiles, one after the other, are these bytes; 0 for a directory.
    pub run: u32,
}

/// A directory: entries that ascend and do not overlap.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Directory(Vec<Entry>);

impl Directory {
    /// Reads a directory that is not packed (PMTiles version 3, "Directory Serialization").
    ///
    /// # Errors
    /// [`BadBasemap::Damaged`].
    pub fn read(bytes: &[u8]) -> Result<Self, BadBasemap> {
        let mut rest = bytes;
        let count = usize::try_from(varint(&mut rest)?).unwrap_or(usize::MAX);
        // Each entry is four numbers, each of a byte at least.
        if count == 0 || count > rest.len() / 4 {
            return Err(BadBasemap::Damaged("a directory has not as many entries as it says"));
        }
        let mut entries = Vec::with_capacity(count);
        let mut tile = 0u64;
        for at in 0..count {
            let step = varint(&mut rest)?;
            let next = tile.checked_add(step).filter(|_| step > 0 || at == 0);
            tile = next.ok_or(BadBasemap::Damaged("the entries of a directory do not ascend"))?;
            entries.push(Entry { tile, offset: 0, length: 0, run: 0 });
        }
        for entry in &mut entries {
            entry.run = short(&mut rest)?;
        }
        for entry in &mut entries {
            entry.length = short(&mut rest)?;
        }
        offsets(&mut entries, &mut rest)?;
        let overlap = |pair: &[Entry]| u64::from(pair[0].run) > pair[1].tile - pair[0].tile;
        if entries.windows(2).any(overlap) || entries.iter().any(|entry| entry.length == 0) {
            return Err(BadBasemap::Damaged("the entries of a directory overlap or are empty"));
        }
        Ok(Self(entries))
    }

    /// What is said of a tile; the entry of a directory has no end but the next entry.
    pub fn find(&self, tile: u64) -> Option<Entry> {
        let after = self.0.partition_point(|entry| entry.tile <= tile);
        let entry = self.0[..after].last()?;
        (entry.run == 0 || tile - entry.tile < u64::from(entry.run)).then_some(*entry)
    }

    /// Bytes of memory.
    pub fn memory_bytes(&self) -> usize {
        self.0.capacity() * size_of::<Entry>()
    }
}

fn offsets(entries: &mut [Entry], rest: &mut &[u8]) -> Result<(), BadBasemap> {
    let damaged = || BadBasemap::Damaged("a directory names bytes that no file has");
    let mut end = None;
    for entry in entries {
        entry.offset = match varint(rest)? {
            0 => end.ok_or_else(damaged)?,
            offset => offset - 1,
        };
        end = Some(entry.offset.checked_add(entry.length.into()).ok_or_else(damaged)?);
    }
    Ok(())
}

fn short(rest: &mut &[u8]) -> Result<u32, BadBasemap> {
    u32::try_from(varint(rest)?).map_err(|_| BadBasemap::Damaged("a number of a directory is too large"))
}

/// A number in groups of seven bits, the lowest first.
fn varint(rest: &mut &[u8]) -> Result<u64, BadBasemap> {
    let mut number = 0u64;
    for shift in (0..64).step_by(7) {
        let (byte, after) = rest.split_first().ok_or(BadBasemap::Damaged("a directory ends too early"))?;
        *rest = after;
        let bits = u64::from(byte & 0x7f);
        if shift == 63 && bits > 1 {
            break;
        }
        number |= bits << shift;
        if byte & 0x80 == 0 {
            return Ok(number);
        }
    }
    Err(BadBasemap::Damaged("a number of a directory is too large"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::tests::{Written, directory};
    use super::*;

    fn entry(tile: u64, run: u32, offset: u64, length: u32) -> Written {
        Written { tile, run, offset, length }
    }

    #[test]
    fn a_directory_says_what_it_was_written_with() {
        let written = [entry(0, 1, 0, 5), entry(5, 2, 5, 7), entry(9, 0, 100, 8), entry(300, 1, 5, 7)];
        let read = Directory::read(&directory(&written)).unwrap();
        for (tile, found) in [
            (0, Some((0, 5))),
            (1, None),
            (4, None),
            (5, Some((5, 7))),
            (6, Some((5, 7))),
            (7, None),
            (9, Some((100, 8))),
            (299, Some((100, 8))),
            (300, Some((5, 7))),
            (301, None),
            (u64::MAX, None),
        ] {
            assert_eq!(read.find(tile).map(|entry| (entry.offset, entry.length)), found, "{tile}");
        }
    }

    #[test]
    fn what_no_directory_is_is_refused() {
        let many = [0xff, 0xff, 0xff, 0xff, 0x0f];
        let cases: [(&str, Vec<u8>); 9] = [
            ("nothing", vec![]),
            ("no entries", vec![0]),
            ("more entries than bytes", many.to_vec()),
            ("it ends early", directory(&[entry(0, 1, 0, 5), entry(1, 1, 5, 7)])[..8].to_vec()),
            ("the same tile twice", directory(&[entry(3, 1, 0, 5), entry(3, 1, 5, 7)])),
            ("a run into the next entry", directory(&[entry(3, 3, 0, 5), entry(5, 1, 5, 7)])),
            ("a tile of no bytes", directory(&[entry(3, 1, 9, 0)])),
            ("the first one goes on from nothing", vec![1, 0, 1, 5, 0]),
            ("a number of 65 bits", vec![1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02, 1, 5, 1]),
        ];
        for (what, bytes) in cases {
            let refused = Directory::read(&bytes).unwrap_err();
            assert_eq!(refused.code(), "MAP-DAMAGED", "{what}: {refused}");
        }
    }

    proptest! {
        #[test]
        fn a_tile_is_found_where_a_search_through_all_entries_finds_it(
            steps in prop::collection::vec((1u64..9, 0u32..9, 1u32..99), 1..40), tile in 0u64..400,
        ) {
            let (mut written, mut at, mut offset) = (Vec::new(), 0, 0);
            for (step, run, length) in steps {
                written.push(entry(at, run.min(u32::try_from(step).unwrap()), offset, length));
                (at, offset) = (at + step, offset + u64::from(length));
            }
            let read = Directory::read(&directory(&written)).unwrap();
            let last = written.iter().rfind(|entry| entry.tile <= tile);
            let found = last.filter(|entry| entry.run == 0 || tile < entry.tile + u64::from(entry.run));
            prop_assert_eq!(read.find(tile).map(|entry| entry.offset), found.map(|entry| entry.offset));
        }

        #[test]
        fn any_bytes_are_a_directory_that_is_no_larger_than_they_are_or_are_refused(bytes: Vec<u8>) {
            if let Ok(read) = Directory::read(&bytes) {
                prop_assert!(read.memory_bytes() <= 6 * bytes.len());
            }
        }
    }
}
