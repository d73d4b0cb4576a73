//! The sorted tables of closed epochs, read a page at a time.
//!
//! What it promises: whatever is handed out stands under the statement's root, where the table has one there. What is known of a table is where each block of
//! rows begins and the root of the block; the roots of the blocks give the statement's. So every page or proof reads the blocks
//! it shows and nothing else, and a block that is not right is refused. Where the blocks are is read from a file beside the
//! table ([`blocks`]); without one the table is read whole once, in pieces. A table that no statement has a root of is held to
//! that file alone, or not read here.
//!
//! Memory is bounded by a number of blocks for all tables together; a table that was pushed out is looked up once more.

mod blocks;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use cairn_core::Hash;
use cairn_core::cbor::{CborError, Decoder};
use cairn_merkle::proof::{HashReader, inclusion_proof};
use cairn_merkle::tree::{leaf_hash, node_hash, root};

use crate::LedgerError;

/// Rows of a block of verdicts or payouts, as a power of two; only the last block of a tree has fewer, so that every other one is
/// a subtree.
pub(crate) const BLOCK_LEVEL: u8 = 7;
/// Blocks that are remembered of all tables with a root together: 48 MiB, or 130 million rows.
pub(crate) const BLOCKS_MAX: usize = 1 << 20;
/// How the name of the file ends that says where the blocks of a table are.
pub(crate) const BLOCKS: &str = "blocks";
/// Bytes read at once while a table is read whole.
const PIECE_BYTES: usize = 1 << 20;

/// Rows with their positions.
pub(crate) type Rows = Vec<(u64, Vec<u8>)>;

/// Where a block begins, and what it is.
#[derive(Debug, Clone, Copy)]
struct Block {
    offset: u64,
    /// The position of its first row.
    first: u64,
    /// RFC 6962 root over its rows.
    root: Hash,
}

/// Rows that stand under a root of their own: all payouts, or the verdicts of a class.
#[derive(Debug, Clone, Copy)]
struct Tree {
    /// The position of its first row.
    first: u64,
    first_block: usize,
}

/// Where the blocks of a table are.
#[derive(Debug, Default)]
pub(crate) struct TableIndex {
    /// As which power of two a block has rows.
    level: u8,
    blocks: Vec<Block>,
    trees: Vec<Tree>,
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
    /// The block that was read last: who asks for rows in their order reads each block once.
    last: Mutex<Option<Arc<Held>>>,
}

/// A block that was read and found right.
#[derive(Debug)]
struct Held {
    number: usize,
    /// The position of its first row.
    first: u64,
    bytes: Vec<u8>,
    /// Of each row.
    lengths: Vec<usize>,
    leaves: Vec<Hash>,
}

impl Held {
    /// The rows with their positions, in their order.
    fn rows(&self) -> impl Iterator<Item = (u64, &[u8])> {
        let mut rest = self.bytes.as_slice();
        (self.first..).zip(self.lengths.iter().map(move |length| {
            let (row, after) = rest.split_at(*length);
            rest = after;
            row
        }))
    }
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

/// The tables that were found right.
#[derive(Debug, Clone)]
pub(crate) struct Tables {
    known: Arc<Mutex<Known>>,
    blocks_max: usize,
    pub read: Arc<Counters>,
}

impl Tables {
    /// Remembers so many blocks, or those of one table.
    pub fn remembering(blocks_max: usize) -> Self {
        Self { known: Arc::default(), blocks_max, read: Arc::default() }
    }

    /// A table in blocks of [`BLOCK_LEVEL`]: `begins` says whether a tree of its own begins with a row, and `fits` whether trees of
    /// such sizes and roots are what the statement has. Unless it is known, its blocks are looked up in the file beside it, and
    /// where that does not fit, it is read whole.
    ///
    /// # Errors
    /// [`LedgerError`] when the file cannot be read, is no table, or is not what the statement says.
    pub fn open(
        &self,
        key: Key,
        path: PathBuf,
        begins: impl FnMut(&[u8]) -> bool,
        fits: impl Fn(&[(u64, Hash)]) -> Result<(), String>,
    ) -> Result<Table, LedgerError> {
        let file = File::open(&path).map_err(crate::store::io_error("open", &path))?;
        let index = match self.known_or_beside(key, &file, &path, BLOCK_LEVEL, |trees| fits(trees).is_ok()) {
            Some(index) => index,
            None => {
                self.read.whole_tables.fetch_add(1, Ordering::Relaxed);
                let index = index(&file, &path, &self.read, begins)?;
                fits(&index.trees()).map_err(|detail| LedgerError::View { path: path.clone(), detail })?;
                self.keep(key, index)
            }
        };
        Ok(self.table(file, path, index))
    }

    fn table(&self, file: File, path: PathBuf, index: Arc<TableIndex>) -> Table {
        Table { file, path, index, read: self.read.clone(), last: Mutex::default() }
    }

    /// A table that has no root of its own, in blocks of 2^`level` rows, which are held to the file beside it; `None` where there
    /// is none that fits.
    ///
    /// # Errors
    /// [`LedgerError::Io`] when the table is there and cannot be opened.
    pub fn open_by_blocks(&self, key: Key, path: PathBuf, level: u8) -> Result<Option<Table>, LedgerError> {
        let file = match File::open(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            opened => opened.map_err(crate::store::io_error("open", &path))?,
        };
        let index = self.known_or_beside(key, &file, &path, level, |_| true);
        Ok(index.map(|index| self.table(file, path, index)))
    }

    /// Where the blocks of a table are, if that is known, or if the file beside it says it.
    fn known_or_beside(
        &self,
        key: Key,
        table: &File,
        path: &Path,
        level: u8,
        fits: impl Fn(&[(u64, Hash)]) -> bool,
    ) -> Option<Arc<TableIndex>> {
        if let Some(index) = self.find(&key) {
            return Some(index);
        }
        let bytes = std::fs::read(path.with_extension(BLOCKS)).ok()?;
        self.read.bytes.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        let index = TableIndex::decode(&bytes, level, table.metadata().ok()?.len())?;
        fits(&index.trees()).then(|| self.keep(key, index))
    }

    fn find(&self, key: &Key) -> Option<Arc<TableIndex>> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.asked += 1;
        let asked = known.asked;
        let (index, last) = known.tables.get_mut(key)?;
        *last = asked;
        Some(index.clone())
    }

    fn keep(&self, key: Key, index: TableIndex) -> Arc<TableIndex> {
        let index = Arc::new(index);
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.blocks += index.blocks.len() + 1;
        let asked = known.asked;
        if let Some((before, _)) = known.tables.insert(key, (index.clone(), asked)) {
            known.blocks -= before.blocks.len() + 1;
        }
        while known.blocks > self.blocks_max && known.tables.len() > 1 {
            let oldest = known.tables.iter().min_by_key(|(_, (_, last))| *last).map(|(key, _)| *key);
            let Some((gone, _)) = oldest.and_then(|key| known.tables.remove(&key)) else { break };
            known.blocks -= gone.blocks.len() + 1;
        }
        index
    }
}

/// Reads a table whole, in pieces: memory holds a piece, or a row if that is longer.
fn index(
    file: &File,
    path: &Path,
    read: &Counters,
    mut begins: impl FnMut(&[u8]) -> bool,
) -> Result<TableIndex, LedgerError> {
    let mut maker = Maker::of(BLOCK_LEVEL);
    let (mut held, mut is_at_end) = (Vec::new(), false);
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
            maker.push(row, begins(row));
            at += row.len();
        }
        held.drain(..at);
    }
    Ok(maker.finish())
}

/// Puts rows into blocks, one after the other.
#[derive(Debug)]
struct Maker {
    index: TableIndex,
    /// Of the last block.
    leaves: Vec<Hash>,
}

impl Maker {
    /// Blocks of 2^`level` rows.
    fn of(level: u8) -> Self {
        Self { index: TableIndex { level, ..TableIndex::default() }, leaves: Vec::new() }
    }

    fn push(&mut self, row: &[u8], begins: bool) {
        let begins = begins || self.index.rows == 0;
        if begins || self.leaves.len() as u64 == self.index.block_rows() {
            self.end_block();
            let index = &mut self.index;
            if begins {
                index.trees.push(Tree { first: index.rows, first_block: index.blocks.len() });
            }
            index.blocks.push(Block { offset: index.bytes, first: index.rows, root: Hash::ZERO });
        }
        self.leaves.push(leaf_hash(row));
        self.index.rows += 1;
        self.index.bytes += row.len() as u64;
    }

    fn end_block(&mut self) {
        if let Some(last) = self.index.blocks.last_mut() {
            last.root = root(&self.leaves);
        }
        self.leaves.clear();
    }

    fn finish(mut self) -> TableIndex {
        self.end_block();
        self.index
    }
}

impl TableIndex {
    /// Rows of every block but the last of a tree.
    const fn block_rows(&self) -> u64 {
        1 << self.level
    }

    /// The rows and the root of each tree, in their order.
    fn trees(&self) -> Vec<(u64, Hash)> {
        let ends = self.trees.iter().skip(1).map(|tree| (tree.first, tree.first_block));
        let ends = ends.chain([(self.rows, self.blocks.len())]);
        let tree = |(tree, (end, end_block)): (&Tree, (u64, usize))| {
            // Every block but the last is a whole subtree, so they are to their root what leaves are.
            let roots: Vec<Hash> = self.blocks[tree.first_block..end_block].iter().map(|block| block.root).collect();
            (end - tree.first, root(&roots))
        };
        self.trees.iter().zip(ends).map(tree).collect()
    }

    /// The number of the block that holds a row.
    fn block_of(&self, position: u64) -> usize {
        self.blocks.partition_point(|block| block.first <= position).saturating_sub(1)
    }
}

impl Table {
    /// Rows.
    pub fn rows(&self) -> u64 {
        self.index.rows
    }

    /// A block, found right. The one that was read last is at hand.
    fn block(&self, number: usize) -> Result<Arc<Held>, LedgerError> {
        let last = || self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(held) = last().as_ref().filter(|held| held.number == number) {
            return Ok(held.clone());
        }
        let block = self.index.blocks[number];
        let end = self.index.blocks.get(number + 1).map_or(self.index.bytes, |next| next.offset);
        let length = usize::try_from(end - block.offset).unwrap_or(usize::MAX);
        let mut bytes = vec![0; length];
        self.file.read_exact_at(&mut bytes, block.offset).map_err(crate::store::io_error("read", &self.path))?;
        self.read.bytes.fetch_add(length as u64, Ordering::Relaxed);
        let rows = crate::split_rows(&bytes).map_err(|error| self.broken(&error.to_string()))?;
        let leaves: Vec<Hash> = rows.iter().map(|row| leaf_hash(row)).collect();
        if root(&leaves) != block.root {
            return Err(self.broken("its rows are no longer those that were written"));
        }
        let lengths = rows.iter().map(|row| row.len()).collect();
        let held = Arc::new(Held { number, first: block.first, bytes, lengths, leaves });
        *last() = Some(held.clone());
        Ok(held)
    }

    fn broken(&self, detail: &str) -> LedgerError {
        LedgerError::View { path: self.path.clone(), detail: detail.to_owned() }
    }

    /// At most `limit` rows from position `after` on, with their positions.
    pub fn page(&self, after: u64, limit: u64) -> Result<Rows, LedgerError> {
        let end = after.saturating_add(limit).min(self.rows());
        let mut page = Vec::new();
        let mut number = self.index.block_of(after);
        while self.index.blocks.get(number).is_some_and(|block| after < end && block.first < end) {
            let block = self.block(number)?;
            let shown = block.rows().filter(|(at, _)| (after..end).contains(at));
            page.extend(shown.map(|(at, row)| (at, row.to_vec())));
            number += 1;
        }
        Ok(page)
    }

    /// What proves the rows of the tree that the row at `position` stands in.
    pub fn prover(&self, position: u64) -> Prover<'_> {
        let at = self.index.trees.partition_point(|tree| tree.first <= position).saturating_sub(1);
        let tree = self.index.trees[at];
        let end = self.index.trees.get(at + 1).map_or(self.index.rows, |next| next.first);
        Prover { table: self, tree, size: end - tree.first, nodes: RefCell::default() }
    }

    /// Whether a block begins below `prefix`, by as many bytes of the file: nobody has looked whether they are still right.
    fn seems_below(&self, number: usize, prefix: &[u8]) -> Result<bool, LedgerError> {
        let offset = self.index.blocks[number].offset;
        let length = prefix.len().min(usize::try_from(self.index.bytes - offset).unwrap_or(usize::MAX));
        let mut bytes = vec![0; length];
        self.file.read_exact_at(&mut bytes, offset).map_err(crate::store::io_error("read", &self.path))?;
        self.read.bytes.fetch_add(length as u64, Ordering::Relaxed);
        // No row is how another one begins, so that bytes of the next row decide nothing.
        Ok(bytes.as_slice() < prefix)
    }

    /// Every row that begins with `prefix`, with its position.
    pub fn with_prefix(&self, prefix: &[u8]) -> Result<Rows, LedgerError> {
        // The first block whose first row is not below the prefix; rows that begin with it may stand in the one before.
        let (mut low, mut high) = (0, self.index.blocks.len());
        while low < high {
            let middle = low + (high - low) / 2;
            (low, high) = if self.seems_below(middle, prefix)? { (middle + 1, high) } else { (low, middle) };
        }
        let mut found = Vec::new();
        for number in low.saturating_sub(1)..self.index.blocks.len() {
            let block = self.block(number)?;
            let begins_below = block.rows().next().is_some_and(|(_, row)| row < prefix);
            // What was only looked at is held to what is certain: nothing that begins so may stand ahead of here.
            if number > 0 && found.is_empty() && number == low.saturating_sub(1) && !begins_below {
                return Err(self.broken("its rows are no longer those that were written"));
            }
            let begun = block.rows().filter(|(_, row)| row.starts_with(prefix));
            found.extend(begun.map(|(at, row)| (at, row.to_vec())));
            let is_past = |(_, row): (u64, &[u8])| row > prefix && !row.starts_with(prefix);
            if block.rows().last().is_some_and(is_past) {
                break;
            }
        }
        Ok(found)
    }

    /// Hands over every row, a block at a time.
    pub fn for_each(&self, mut take: impl FnMut(&[u8]) -> Result<(), CborError>) -> Result<(), LedgerError> {
        for number in 0..self.index.blocks.len() {
            for (_, row) in self.block(number)?.rows() {
                take(row).map_err(|error| self.broken(&error.to_string()))?;
            }
        }
        Ok(())
    }
}

/// Proves rows of one tree: the blocks that hold them are read, and of all others the roots are known.
pub(crate) struct Prover<'a> {
    table: &'a Table,
    tree: Tree,
    size: u64,
    /// Roots above blocks that were worked out.
    nodes: RefCell<BTreeMap<(u8, u64), Hash>>,
}

impl Prover<'_> {
    /// A row's place in its tree, the tree's size, and the hashes from the row to its root.
    pub fn prove(&self, position: u64) -> Result<(u64, u64, Vec<Hash>), LedgerError> {
        let index = position - self.tree.first;
        Ok((index, self.size, inclusion_proof(self, index, self.size)?))
    }
}

impl HashReader for Prover<'_> {
    type Error = LedgerError;

    fn node(&self, level: u8, index: u64) -> Result<Hash, LedgerError> {
        let block_at = |index: u64| self.tree.first_block + usize::try_from(index).unwrap_or(usize::MAX);
        let block_rows = self.table.index.block_rows();
        if level == self.table.index.level {
            return Ok(self.table.index.blocks[block_at(index)].root);
        }
        if level > self.table.index.level {
            let known = self.nodes.borrow().get(&(level, index)).copied();
            if let Some(known) = known {
                return Ok(known);
            }
            let node = node_hash(&self.node(level - 1, 2 * index)?, &self.node(level - 1, 2 * index + 1)?);
            self.nodes.borrow_mut().insert((level, index), node);
            return Ok(node);
        }
        let first = index << level;
        let block = self.table.block(block_at(first / block_rows))?;
        let start = usize::try_from(first % block_rows).unwrap_or(usize::MAX);
        Ok(root(&block.leaves[start..start + (1 << level)]))
    }
}

#[cfg(test)]
mod tests {
    use cairn_core::cbor::Encoder;
    use cairn_merkle::proof::verify_inclusion;
    use cairn_merkle::tree::Frontier;
    use proptest::prelude::*;

    use super::*;

    const BLOCK_ROWS: u64 = 1 << BLOCK_LEVEL;

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

    fn open(tables: &Tables, path: &Path, root: Hash) -> Result<Table, LedgerError> {
        let fits = |trees: &[(u64, Hash)]| {
            let is_right = trees.first().map_or(Frontier::default().root(), |tree| tree.1) == root && trees.len() < 2;
            if is_right { Ok(()) } else { Err("another root".to_owned()) }
        };
        tables.open(("table", root), path.to_owned(), |_| false, fits)
    }

    #[test]
    fn a_million_rows_are_read_whole_once_and_every_page_costs_a_page() {
        const ROWS: u64 = 1_000_000;
        let (_folder, path, root) = written(ROWS);
        let size = std::fs::metadata(&path).unwrap().len();
        let tables = Tables::remembering(BLOCKS_MAX);
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
        bytes();
        for position in [0, 1, 127, 500_000, ROWS - 1] {
            let (index, size, proof) = table.prover(position).prove(position).unwrap();
            assert_eq!((index, size), (position, ROWS));
            verify_inclusion(leaf_hash(&row(position)), index, size, root, &proof).unwrap();
            assert!(bytes() <= 2 * BLOCK_ROWS * row_bytes_max, "the proof of {position}");
        }
        assert_eq!(tables.read.whole_tables.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn a_row_that_changed_is_refused_before_and_after_the_table_is_known() {
        let (_folder, path, root) = written(1_000);
        let tables = Tables::remembering(BLOCKS_MAX);
        open(&tables, &path, root).unwrap();
        let mut bytes = std::fs::read(&path).unwrap();
        let last = bytes.len() - 1;
        bytes[last] ^= 1;
        std::fs::write(&path, bytes).unwrap();
        let known = open(&tables, &path, root).unwrap();
        assert_eq!(known.page(0, 10).unwrap().len(), 10);
        assert!(matches!(known.page(990, 10), Err(LedgerError::View { .. })));
        assert!(matches!(open(&Tables::remembering(BLOCKS_MAX), &path, root), Err(LedgerError::View { .. })));
    }

    #[test]
    fn with_the_blocks_beside_it_no_table_is_read_whole_and_wrong_blocks_are_as_if_there_were_none() {
        const ROWS: u64 = 20_000;
        let (_folder, path, root) = written(ROWS);
        let size = std::fs::metadata(&path).unwrap().len();
        let rows: Vec<Vec<u8>> = (0..ROWS).map(row).collect();
        let file = TableIndex::file_of(&rows, BLOCK_LEVEL, |_| false);
        let beside = path.with_extension(BLOCKS);
        let mut others = rows.clone();
        others[7][3] ^= 1;
        let of_others = TableIndex::file_of(&others, BLOCK_LEVEL, |_| false);
        let torn = file[..file.len() / 2].to_vec();
        for (blocks, whole) in [(&file, 0), (&of_others, 1), (&torn, 1), (&Vec::new(), 1)] {
            std::fs::write(&beside, blocks).unwrap();
            let tables = Tables::remembering(BLOCKS_MAX);
            let table = open(&tables, &path, root).unwrap();
            assert_eq!(table.page(9_000, 3).unwrap(), (9_000..9_003).map(|at| (at, row(at))).collect::<Vec<_>>());
            assert_eq!(table.with_prefix(&prefix(4_999)).unwrap().len(), 4);
            assert_eq!(tables.read.whole_tables.load(Ordering::Relaxed), whole);
            assert!(whole == 1 || tables.read.bytes.load(Ordering::Relaxed) < size / 10);
        }
        // A row that changed is refused by its block, whoever says where that is.
        std::fs::write(&beside, &file).unwrap();
        let mut bytes = std::fs::read(&path).unwrap();
        let last = bytes.len() - 1;
        bytes[last] ^= 1;
        std::fs::write(&path, bytes).unwrap();
        let table = open(&Tables::remembering(BLOCKS_MAX), &path, root).unwrap();
        assert!(table.page(0, 10).is_ok() && matches!(table.page(ROWS - 1, 1), Err(LedgerError::View { .. })));
    }

    #[test]
    fn a_table_without_a_root_is_read_by_its_blocks_or_not_at_all() {
        const ROWS: u64 = 10_000;
        let (_folder, path, _) = written(ROWS);
        let rows: Vec<Vec<u8>> = (0..ROWS).map(row).collect();
        let (right, beside) = (TableIndex::file_of(&rows, 3, |_| false), path.with_extension(BLOCKS));
        let open = |path: &Path| {
            Tables::remembering(BLOCKS_MAX).open_by_blocks(("table", Hash::ZERO), path.to_owned(), 3).unwrap()
        };
        assert!(open(&path).is_none());
        for wrong in [&right[1..], &right[..right.len() - 1], &TableIndex::file_of(&rows[1..], 3, |_| false)] {
            std::fs::write(&beside, wrong).unwrap();
            assert!(open(&path).is_none());
        }
        std::fs::write(&beside, &right).unwrap();
        let table = open(&path).unwrap();
        let read = || table.read.bytes.swap(0, Ordering::Relaxed);
        read();
        for number in [0, 7, 1_234, 2_499] {
            let found = table.with_prefix(&prefix(number)).unwrap();
            assert_eq!(found, (number * 4..number * 4 + 4).map(|at| (at, row(at))).collect::<Vec<_>>());
            assert!(read() <= 40 * row(ROWS).len() as u64, "{number}");
        }
        // A row that changed is refused by its block, and by no other.
        let mut bytes = std::fs::read(&path).unwrap();
        let last = bytes.len() - 1;
        bytes[last] ^= 1;
        std::fs::write(&path, bytes).unwrap();
        assert_eq!(table.with_prefix(&prefix(2_490)).unwrap().len(), 4);
        assert!(matches!(table.with_prefix(&prefix(2_499)), Err(LedgerError::View { .. })));
        std::fs::remove_file(&path).unwrap();
        assert!(open(&path).is_none());
    }

    proptest! {
        #[test]
        fn pages_and_prefixes_are_those_of_the_whole_table(rows in 0u64..700, after in 0u64..800, limit in 0u64..300) {
            let (_folder, path, root) = written(rows);
            let tables = Tables::remembering(BLOCKS_MAX);
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

        #[test]
        fn every_row_is_proved_under_the_root_of_its_own_tree(sizes in proptest::collection::vec(1u64..400, 1..4)) {
            let rows: u64 = sizes.iter().sum();
            let (_folder, path, _) = written(rows);
            let starts: Vec<u64> = sizes.iter().scan(0, |next, size| { let first = *next; *next += size; Some(first) }).collect();
            let mut at = 0;
            let begins = |_: &[u8]| { at += 1; starts.contains(&(at - 1)) };
            let tables = Tables::remembering(BLOCKS_MAX);
            let table = tables.open(("table", Hash::ZERO), path, begins, |_| Ok(())).unwrap();
            for (first, size) in starts.iter().zip(&sizes) {
                let leaves: Vec<Hash> = (*first..first + size).map(|number| leaf_hash(&row(number))).collect();
                let prover = table.prover(*first);
                for position in *first..first + size {
                    let (index, of, proof) = prover.prove(position).unwrap();
                    prop_assert_eq!((index, of), (position - first, *size));
                    let leaf = leaf_hash(&row(position));
                    prop_assert!(verify_inclusion(leaf, index, of, root(&leaves), &proof).is_ok());
                }
            }
            let expected: Vec<_> = (0..rows).map(|number| (number, row(number))).collect();
            prop_assert_eq!(table.page(0, rows).unwrap(), expected);
        }
    }
}
