//! The sorted tables of closed epochs, read a page at a time.
//!
//! What it promises: whatever is handed out stands under the statement's root. A table is read whole once, in pieces, and
//! held against that root; what is kept of it is where each block of rows begins and the hash of the block, so that every
//! later page reads the blocks it shows and nothing else, and a block that changed since is refused.
//!
//! Memory is bounded by [`BLOCKS_MAX`] for all tables together; a table that was pushed out is read once more. Nothing of
//! this is on disk.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use cairn_core::Hash;
use cairn_core::cbor::{CborError, Decoder};

use crate::LedgerError;

/// Rows of a block; only the last block of a table has fewer.
pub(crate) const BLOCK_ROWS: u64 = 128;
/// Blocks that are remembered of all tables together: 40 MiB, or 130 million rows.
const BLOCKS_MAX: usize = 1 << 20;
/// Bytes read at once while a table is read whole.
const PIECE_BYTES: usize = 1 << 20;

/// Where a block begins, and what it is.
#[derive(Debug, Clone, Copy)]
struct Block {
    offset: u64,
    /// SHA-256 of its rows, one after the other.
    hash: Hash,
}

/// Where the blocks of a table are.
#[derive(Debug)]
struct TableIndex {
    blocks: Vec<Block>,
    rows: u64,
    bytes: u64,
}

/// A table of a closed epoch, sorted bytewise.
#[derive(Debug)]
pub(crate) struct Table {
    file: File,
    path: PathBuf,
    index: Arc<TableIndex>,
    read: Arc<Counters>,
}

/// What was read, in all: how the tests know that a page costs a page.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub bytes: AtomicU64,
    pub whole_tables: AtomicU64,
}

/// Which table of which epoch: its file's name, and the hash of the statement that has its root.
type Key = (&'static str, Hash);

#[derive(Debug, Default)]
struct Known {
    /// With when it was asked for last.
    tables: BTreeMap<Key, (Arc<TableIndex>, u64)>,
    asked: u64,
    blocks: usize,
}

/// The tables that were read whole and found right.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tables {
    known: Arc<Mutex<Known>>,
    pub read: Arc<Counters>,
}

impl Tables {
    /// A table. Unless it is known, it is read whole: `take` is handed every row, and `finish` says at the end whether they
    /// are what the statement has the root of.
    ///
    /// # Errors
    /// [`LedgerError`] when the file cannot be read, is no table, or is not what the statement says.
    pub fn open<T>(
        &self,
        key: Key,
        path: PathBuf,
        start: T,
        take: impl FnMut(&mut T, &[u8]),
        finish: impl FnOnce(T) -> Result<(), String>,
    ) -> Result<Table, LedgerError> {
        let file = File::open(&path).map_err(crate::store::io_error("open", &path))?;
        if let Some(index) = self.find(&key) {
            return Ok(Table { file, path, index, read: self.read.clone() });
        }
        let mut state = start;
        let mut take = take;
        self.read.whole_tables.fetch_add(1, Ordering::Relaxed);
        let index = Arc::new(index(&file, &path, &self.read, &mut |row| take(&mut state, row))?);
        finish(state).map_err(|detail| LedgerError::View { path: path.clone(), detail })?;
        self.keep(key, index.clone());
        Ok(Table { file, path, index, read: self.read.clone() })
    }

    fn find(&self, key: &Key) -> Option<Arc<TableIndex>> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.asked += 1;
        let asked = known.asked;
        let (index, last) = known.tables.get_mut(key)?;
        *last = asked;
        Some(index.clone())
    }

    fn keep(&self, key: Key, index: Arc<TableIndex>) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.blocks += index.blocks.len() + 1;
        let asked = known.asked;
        if let Some((before, _)) = known.tables.insert(key, (index, asked)) {
            known.blocks -= before.blocks.len() + 1;
        }
        while known.blocks > BLOCKS_MAX && known.tables.len() > 1 {
            let oldest = known.tables.iter().min_by_key(|(_, (_, last))| *last).map(|(key, _)| *key);
            let Some((gone, _)) = oldest.and_then(|key| known.tables.remove(&key)) else { break };
            known.blocks -= gone.blocks.len() + 1;
        }
    }
}

/// Reads a table whole, in pieces: memory holds a piece, or a row if that is longer.
fn index(
    file: &File,
    path: &std::path::Path,
    read: &Counters,
    take: &mut dyn FnMut(&[u8]),
) -> Result<TableIndex, LedgerError> {
    use sha2::{Digest, Sha256};
    let mut index = TableIndex { blocks: Vec::new(), rows: 0, bytes: 0 };
    let (mut held, mut hasher, mut is_at_end) = (Vec::new(), Sha256::new(), false);
    while !is_at_end {
        let got = file.take(PIECE_BYTES as u64).read_to_end(&mut held).map_err(crate::store::io_error("read", path))?;
        read.bytes.fetch_add(got as u64, Ordering::Relaxed);
        is_at_end = got == 0;
        let mut at = 0;
        while at < held.len() {
            let row = match Decoder::over(&held[at..]).raw_value() {
                Ok(row) => row,
                Err(CborError::Truncated { .. }) if !is_at_end => break,
                Err(error) => return Err(LedgerError::View { path: path.to_owned(), detail: error.to_string() }),
            };
            if index.rows.is_multiple_of(BLOCK_ROWS) {
                end_block(&mut index, &mut hasher);
                index.blocks.push(Block { offset: index.bytes, hash: Hash::ZERO });
            }
            take(row);
            hasher.update(row);
            index.rows += 1;
            index.bytes += row.len() as u64;
            at += row.len();
        }
        held.drain(..at);
    }
    end_block(&mut index, &mut hasher);
    Ok(index)
}

fn end_block(index: &mut TableIndex, hasher: &mut sha2::Sha256) {
    use sha2::Digest;
    if let Some(last) = index.blocks.last_mut() {
        last.hash = Hash(hasher.finalize_reset().into());
    }
}

impl Table {
    /// Rows.
    pub fn rows(&self) -> u64 {
        self.index.rows
    }

    /// The rows of a block, one after the other.
    fn block(&self, number: usize) -> Result<Vec<u8>, LedgerError> {
        let block = self.index.blocks[number];
        let end = self.index.blocks.get(number + 1).map_or(self.index.bytes, |next| next.offset);
        let length = usize::try_from(end - block.offset).unwrap_or(usize::MAX);
        let mut bytes = vec![0; length];
        self.file.read_exact_at(&mut bytes, block.offset).map_err(crate::store::io_error("read", &self.path))?;
        self.read.bytes.fetch_add(length as u64, Ordering::Relaxed);
        if Hash::of(&bytes) != block.hash {
            return Err(self.broken("its rows are no longer those that have the statement's root"));
        }
        Ok(bytes)
    }

    fn broken(&self, detail: &str) -> LedgerError {
        LedgerError::View { path: self.path.clone(), detail: detail.to_owned() }
    }

    fn rows_of(&self, number: usize) -> Result<Vec<(u64, Vec<u8>)>, LedgerError> {
        let bytes = self.block(number)?;
        let rows = crate::split_rows(&bytes).map_err(|error| self.broken(&error.to_string()))?;
        let first = number as u64 * BLOCK_ROWS;
        Ok((first..).zip(rows).map(|(at, row)| (at, row.to_vec())).collect())
    }

    /// At most `limit` rows from position `after` on, with their positions.
    pub fn page(&self, after: u64, limit: u64) -> Result<Vec<(u64, Vec<u8>)>, LedgerError> {
        let end = after.saturating_add(limit).min(self.rows());
        let mut page = Vec::new();
        let mut block = after / BLOCK_ROWS;
        while block * BLOCK_ROWS < end {
            let number = usize::try_from(block).unwrap_or(usize::MAX);
            page.extend(self.rows_of(number)?.into_iter().filter(|(at, _)| (after..end).contains(at)));
            block += 1;
        }
        Ok(page)
    }

    /// Every row that begins with `prefix`, with its position.
    pub fn with_prefix(&self, prefix: &[u8]) -> Result<Vec<(u64, Vec<u8>)>, LedgerError> {
        // The first block whose first row is not below the prefix; rows that begin with it may stand in the one before.
        let (mut low, mut high) = (0, self.index.blocks.len());
        while low < high {
            let middle = low + (high - low) / 2;
            let is_below = self.rows_of(middle)?.first().is_some_and(|(_, row)| row.as_slice() < prefix);
            (low, high) = if is_below { (middle + 1, high) } else { (low, middle) };
        }
        let mut found = Vec::new();
        for number in low.saturating_sub(1)..self.index.blocks.len() {
            let rows = self.rows_of(number)?;
            let is_past = rows.last().is_some_and(|(_, row)| row.as_slice() > prefix && !row.starts_with(prefix));
            found.extend(rows.into_iter().filter(|(_, row)| row.starts_with(prefix)));
            if is_past {
                break;
            }
        }
        Ok(found)
    }

    /// Hands over every row, a block at a time.
    pub fn for_each(&self, mut take: impl FnMut(&[u8]) -> Result<(), CborError>) -> Result<(), LedgerError> {
        for number in 0..self.index.blocks.len() {
            let bytes = self.block(number)?;
            let rows = crate::split_rows(&bytes).map_err(|error| self.broken(&error.to_string()))?;
            for row in rows {
                take(row).map_err(|error| self.broken(&error.to_string()))?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use cairn_core::cbor::Encoder;
    use cairn_merkle::tree::{Frontier, leaf_hash};
    use proptest::prelude::*;

    use super::*;

    fn row(number: u64) -> Vec<u8> {
        let mut out = Encoder::empty();
        // Four rows for each of the numbers that share what they begin with.
        out.array(3).bytes(&(number / 4).to_be_bytes()).uint(number % 4).uint(number * 1_000_003);
        out.into_bytes()
    }

    fn prefix(number: u64) -> Vec<u8> {
        let mut out = Encoder::empty();
        out.array(3).bytes(&number.to_be_bytes());
        out.into_bytes()
    }

    fn written(rows: u64) -> (tempfile::TempDir, PathBuf, Hash) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("table");
        let mut bytes = Vec::new();
        let mut frontier = Frontier::default();
        for number in 0..rows {
            let row = row(number);
            frontier.push(leaf_hash(&row));
            bytes.extend(row);
        }
        std::fs::write(&path, bytes).unwrap();
        (folder, path, frontier.root())
    }

    fn open(tables: &Tables, path: &std::path::Path, root: Hash) -> Result<Table, LedgerError> {
        let take = |frontier: &mut Frontier, row: &[u8]| frontier.push(leaf_hash(row));
        let finish = |frontier: Frontier| if frontier.root() == root { Ok(()) } else { Err("another root".to_owned()) };
        tables.open(("table", root), path.to_owned(), Frontier::default(), take, finish)
    }

    #[test]
    fn a_million_rows_are_read_whole_once_and_every_page_costs_a_page() {
        const ROWS: u64 = 1_000_000;
        let (_folder, path, root) = written(ROWS);
        let size = std::fs::metadata(&path).unwrap().len();
        let tables = Tables::default();
        let bytes = || tables.read.bytes.swap(0, Ordering::Relaxed);
        let table = open(&tables, &path, root).unwrap();
        assert_eq!((table.rows(), bytes()), (ROWS, size));
        let row_bytes_max = row(ROWS).len() as u64;
        for after in [0, 127, 128, 499_950, ROWS - 100, ROWS - 1] {
            let page = open(&tables, &path, root).unwrap().page(after, 100).unwrap();
            assert_eq!(page.len() as u64, 100.min(ROWS - after));
            assert!(page.iter().zip(after..).all(|((at, found), number)| (*at, found) == (number, &row(number))));
            assert!(bytes() <= 2 * BLOCK_ROWS * row_bytes_max, "from {after} on");
        }
        for number in [0, 31, 32, 124_999, 249_999] {
            let found = table.with_prefix(&prefix(number)).unwrap();
            assert_eq!(found, (number * 4..number * 4 + 4).map(|at| (at, row(at))).collect::<Vec<_>>());
            assert!(bytes() <= 16 * BLOCK_ROWS * row_bytes_max, "{number}");
        }
        assert!(table.with_prefix(&prefix(250_000)).unwrap().is_empty());
        assert_eq!(tables.read.whole_tables.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn a_row_that_changed_is_refused_before_and_after_the_table_is_known() {
        let (_folder, path, root) = written(1_000);
        let tables = Tables::default();
        open(&tables, &path, root).unwrap();
        let mut bytes = std::fs::read(&path).unwrap();
        let last = bytes.len() - 1;
        bytes[last] ^= 1;
        std::fs::write(&path, bytes).unwrap();
        let known = open(&tables, &path, root).unwrap();
        assert_eq!(known.page(0, 10).unwrap().len(), 10);
        assert!(matches!(known.page(990, 10), Err(LedgerError::View { .. })));
        assert!(matches!(open(&Tables::default(), &path, root), Err(LedgerError::View { .. })));
    }

    proptest! {
        #[test]
        fn pages_and_prefixes_are_those_of_the_whole_table(rows in 0u64..700, after in 0u64..800, limit in 0u64..300) {
            let (_folder, path, root) = written(rows);
            let tables = Tables::default();
            let table = open(&tables, &path, root).unwrap();
            let all: Vec<_> = (0..rows).map(|number| (number, row(number))).collect();
            let expected: Vec<_> = all.iter().filter(|(at, _)| (after..after + limit).contains(at)).cloned().collect();
            prop_assert_eq!(table.page(after, limit).unwrap(), expected);
            let wanted = prefix(after / 4);
            let expected: Vec<_> = all.iter().filter(|(_, row)| row.starts_with(&wanted)).cloned().collect();
            prop_assert_eq!(table.with_prefix(&wanted).unwrap(), expected);
            let mut each = Vec::new();
            table.for_each(|row| { each.push(row.to_vec()); Ok(()) }).unwrap();
            prop_assert!(each.iter().eq(all.iter().map(|(_, row)| row)));
        }
    }
}
