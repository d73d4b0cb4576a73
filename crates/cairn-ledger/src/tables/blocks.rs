//! Where the blocks of a table are, kept in a file beside it, so that nobody reads a table whole to show a page of it.
//!
//! Nothing in such a file is believed: it is held against its own hash, against the table's length, and its blocks against the
//! roots that the statement has; rows are held against their block when they are read. A file that is missing or not right is
//! as if there were none: a table that has a root is read whole once, and of one that has none somebody else has to know.
//!
//! ```text
//! "cairn/blocks/1\n"; as which power of two a block has rows, 1 byte; rows, bytes: 8 bytes each, big-endian
//! for each block: where it begins in bytes, and in rows, 8 bytes each, big-endian; whether a tree begins with it, 1 byte;
//!                 the RFC 6962 root over its rows, 32 bytes
//! SHA-256 of all before
//! ```

use cairn_core::Hash;

use super::{Block, Maker, TableIndex, Tree};

const HEAD: &[u8] = b"cairn/blocks/1\n";
const BLOCK_BYTES: usize = 8 + 8 + 1 + 32;

impl TableIndex {
    /// The bytes of the file over sorted rows in blocks of 2^`level`; `begins` says whether a tree of its own begins with a row.
    pub fn file_of(rows: &[Vec<u8>], level: u8, mut begins: impl FnMut(&[u8]) -> bool) -> Vec<u8> {
        let mut maker = Maker::of(level);
        rows.iter().for_each(|row| maker.push(row, begins(row)));
        maker.finish().encode()
    }

    fn encode(&self) -> Vec<u8> {
        let mut bytes = HEAD.to_vec();
        bytes.push(self.level);
        bytes.extend([self.rows, self.bytes].iter().flat_map(|number| number.to_be_bytes()));
        for (at, block) in self.blocks.iter().enumerate() {
            bytes.extend([block.offset, block.first].iter().flat_map(|number| number.to_be_bytes()));
            bytes.push(self.trees.binary_search_by_key(&at, |tree| tree.first_block).is_ok().into());
            bytes.extend(block.root.0);
        }
        let hash = Hash::of(&bytes);
        bytes.extend(hash.0);
        bytes
    }

    /// Reads the file of a table that has so many bytes, in blocks of 2^`level` rows; `None` where it is none, is torn, or is of
    /// another table.
    pub(super) fn decode(file: &[u8], level: u8, table_bytes: u64) -> Option<Self> {
        let (body, hash) = file.split_last_chunk::<32>()?;
        let mut rest = body.strip_prefix(HEAD)?.strip_prefix(&[level]).filter(|_| Hash::of(body) == Hash(*hash))?;
        let mut index = Self { level, rows: number(&mut rest)?, bytes: number(&mut rest)?, ..Self::default() };
        index.blocks.reserve_exact(rest.len() / BLOCK_BYTES);
        while !rest.is_empty() {
            let (offset, first) = (number(&mut rest)?, number(&mut rest)?);
            let (begins, after) = rest.split_first()?;
            let (root, after) = after.split_first_chunk::<32>()?;
            rest = after;
            if *begins != 0 {
                index.trees.push(Tree { first, first_block: index.blocks.len() });
            }
            index.blocks.push(Block { offset, first, root: Hash(*root) });
        }
        (index.bytes == table_bytes && index.is_whole()).then_some(index)
    }

    /// Whether blocks follow each other from the first row to the last, and all but the last of a tree are full.
    fn is_whole(&self) -> bool {
        let begins = |at: usize| self.trees.binary_search_by_key(&at, |tree| tree.first_block).is_ok();
        let ends = self.blocks.iter().skip(1).map(|block| (block.offset, block.first));
        let ends = ends.chain([(self.bytes, self.rows)]).enumerate();
        let follows = |(block, (at, (offset, first))): (&Block, (usize, (u64, u64)))| {
            let rows = first.saturating_sub(block.first);
            let is_last = at + 1 == self.blocks.len() || begins(at + 1);
            block.offset < offset
                && if is_last { (1..=self.block_rows()).contains(&rows) } else { rows == self.block_rows() }
        };
        match self.blocks.first() {
            None => (self.rows, self.bytes) == (0, 0),
            Some(block) => {
                (block.offset, block.first) == (0, 0) && begins(0) && self.blocks.iter().zip(ends).all(follows)
            }
        }
    }
}

fn number(rest: &mut &[u8]) -> Option<u64> {
    let (number, after) = rest.split_first_chunk::<8>()?;
    *rest = after;
    Some(u64::from_be_bytes(*number))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::BLOCK_LEVEL;
    use super::*;

    fn rows(sizes: &[u64]) -> (Vec<Vec<u8>>, Vec<u64>) {
        let starts: Vec<u64> =
            sizes.iter().scan(0, |next, size| Some(core::mem::replace(next, *next + size))).collect();
        let row = |number: u64| number.to_be_bytes()[..usize::try_from(3 + number % 6).unwrap()].to_vec();
        ((0..sizes.iter().sum()).map(row).collect(), starts)
    }

    proptest! {
        #[test]
        fn what_was_written_is_read_and_what_was_touched_is_not(
            sizes in proptest::collection::vec(1u64..400, 0..5),
            touched: prop::sample::Index,
            bit in 0u8..8,
            level in 0u8..8,
        ) {
            let (rows, starts) = rows(&sizes);
            let mut at = 0;
            let file = TableIndex::file_of(&rows, level, |_| {
                at += 1;
                starts.contains(&(at - 1))
            });
            let bytes = rows.iter().map(Vec::len).sum::<usize>() as u64;
            let read = TableIndex::decode(&file, level, bytes).unwrap();
            prop_assert_eq!((read.rows, read.bytes, read.encode()), (rows.len() as u64, bytes, file.clone()));
            let trees: Vec<u64> = read.trees().into_iter().map(|(size, _)| size).collect();
            prop_assert_eq!(trees, sizes);
            prop_assert!(TableIndex::decode(&file, level, bytes + 1).is_none());
            prop_assert!(TableIndex::decode(&file, level + 1, bytes).is_none());
            let mut other = file.clone();
            other[touched.index(file.len())] ^= 1 << bit;
            prop_assert!(TableIndex::decode(&other, level, bytes).is_none());
            prop_assert!(TableIndex::decode(&file[..touched.index(file.len())], level, bytes).is_none());
        }
    }

    /// With a hash over it that is right: what a program with a fault of its own would have written.
    fn sealed(index: &TableIndex) -> Option<TableIndex> {
        TableIndex::decode(&index.encode(), index.level, index.bytes)
    }

    #[test]
    fn blocks_that_do_not_follow_each_other_are_none() {
        let (rows, _) = rows(&[300]);
        let mut maker = Maker::of(BLOCK_LEVEL);
        rows.iter().for_each(|row| maker.push(row, false));
        let right = maker.finish();
        assert!(sealed(&right).is_some());
        let wrong: [fn(&mut TableIndex); 8] = [
            |index| index.blocks[1].first += 1,
            |index| index.blocks[1].offset = index.blocks[2].offset,
            |index| index.blocks[0].offset = 1,
            |index| index.rows += index.block_rows(),
            |index| index.rows = 256,
            |index| index.trees.clear(),
            |index| _ = index.blocks.pop(),
            |index| index.blocks.clear(),
        ];
        for (at, wrong) in wrong.into_iter().enumerate() {
            let mut index = TableIndex { blocks: right.blocks.clone(), trees: right.trees.clone(), ..right };
            wrong(&mut index);
            assert!(sealed(&index).is_none(), "{at}");
        }
    }
}
