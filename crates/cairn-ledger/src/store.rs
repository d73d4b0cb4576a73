//! Closed epochs on disk: statement, verdicts, payouts, sales, what judges remember, snapshot and report names, one folder each.
//!
//! All of it is derived from the log, and may be deleted at any time. Files are synced before their folder takes its name;
//! verdicts, payouts and sales are held against the roots of their statement whenever they are read. What judges remember has no
//! root of its own: with all other records of the state it has the state root, and who has those can tell. `SHA256SUMS`
//! says of every file what it was when it was written: statements, snapshots and what judges remember are held against it
//! whenever they are read whole, names when the ledger is opened. Folders of the first release have no such file. Beside verdicts,
//! payouts and what judges remember a file says where their blocks are ([`crate::tables`]); folders of earlier releases have
//! none, and need none.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use cairn_core::cbor::Decoder;
use cairn_core::epoch::EpochStatement;
use cairn_core::report::ReportName;
use cairn_core::{Amount, DeviceId, Hash};
use cairn_fold::{Closed, Snapshot};
use cairn_log::LogError;
use cairn_merkle::tree;
use sha2::{Digest, Sha256};

use crate::tables::{BLOCK_LEVEL, BLOCKS_MAX, Table, TableIndex, Tables};
use crate::{LedgerError, earned};

const STATEMENT: &str = "statement.cbor";
const VERDICTS: &str = "verdicts.cborseq";
const PAYOUTS: &str = "payouts.cborseq";
/// Only where jobs were settled.
const SALES: &str = "sales.cborseq";
const CARRY: &str = "carry.cborseq";
const SNAPSHOT: &str = "snapshot.cbor";
const NAMES: &str = "names.idx";
/// The files of an epoch that have a line in [`SUMS`], in its order; those that every epoch has.
const SUMMED: [&str; 6] = [STATEMENT, VERDICTS, PAYOUTS, CARRY, SNAPSHOT, NAMES];
/// The SHA-256 of each file, as `sha256sum --check` reads it.
const SUMS: &str = "SHA256SUMS";
/// Where the blocks of tables are. What they say is held against the tables whenever it is read, so they have no line.
const VERDICT_BLOCKS: &str = "verdicts.blocks";
const PAYOUT_BLOCKS: &str = "payouts.blocks";
/// Where the records of [`CARRY`] are, a few at a time: they are long, and those that are asked for lie far apart.
const CARRY_BLOCKS: &str = "carry.blocks";
/// Records of a block of them, as a power of two.
const CARRY_LEVEL: u8 = 3;
/// Blocks of them that are remembered: 12 MiB, or two epochs of a million devices. They take no room from the tables.
const CARRY_BLOCKS_MAX: usize = 1 << 18;
/// What devices earned in all. See [`crate::earned`].
pub(crate) const EARNED: &str = "earned.idx";
/// The files that are written beside those that have a line.
const BESIDE: [&str; 3] = [VERDICT_BLOCKS, PAYOUT_BLOCKS, CARRY_BLOCKS];

/// A folder whose name starts like this is not a closed epoch yet.
const MAKING: &str = ".making-";

/// Bytes of one record of a names file: device, boot, seq, index, all big-endian.
const NAME_BYTES: usize = 32;

/// The folder of closed epochs.
#[derive(Debug, Clone)]
pub(crate) struct EpochStore {
    folder: PathBuf,
    snapshots_kept: u64,
    tables: Tables,
    carries: Tables,
}

impl EpochStore {
    /// Opens or makes the folder.
    pub fn open(folder: &Path, snapshots_kept: u64) -> Result<Self, LedgerError> {
        fs::create_dir_all(folder).map_err(unwritten("make", folder))?;
        Ok(Self::at(folder, snapshots_kept))
    }

    /// The folder as it is, for reading.
    pub fn at(folder: &Path, snapshots_kept: u64) -> Self {
        let (tables, carries) = (Tables::remembering(BLOCKS_MAX), Tables::remembering(CARRY_BLOCKS_MAX));
        Self { folder: folder.to_owned(), snapshots_kept, tables, carries }
    }

    /// How many of the last epochs keep their snapshot.
    pub const fn snapshots_kept(&self) -> u64 {
        self.snapshots_kept
    }

    /// The folder of an epoch.
    pub fn epoch_folder(&self, epoch: u64) -> PathBuf {
        self.folder.join(format!("{epoch:010}"))
    }

    /// The epochs that have a folder, ascending.
    pub fn epochs(&self) -> Result<Vec<u64>, LedgerError> {
        let entries = match fs::read_dir(&self.folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            listed => listed.map_err(io_error("list", &self.folder))?,
        };
        let mut epochs = Vec::new();
        for entry in entries {
            let entry = entry.map_err(io_error("list", &self.folder))?;
            if let Some(epoch) = entry.file_name().to_str().and_then(|name| name.parse().ok()) {
                epochs.push(epoch);
            }
        }
        epochs.sort_unstable();
        Ok(epochs)
    }

    /// Writes a closed epoch, all of it or nothing, and drops snapshots that are older than those kept.
    pub fn write(&self, closed: &Closed, names: &[(ReportName, u64)]) -> Result<(), LedgerError> {
        self.prepare(closed, names)?;
        self.finish(closed.statement.number)
    }

    /// Writes a closed epoch beside the others, where nobody finds it. All that needs room on the disk is done here.
    pub fn prepare(&self, closed: &Closed, names: &[(ReportName, u64)]) -> Result<(), LedgerError> {
        let making = self.making(closed.statement.number);
        if making.exists() {
            fs::remove_dir_all(&making).map_err(io_error("remove", &making))?;
        }
        fs::create_dir_all(&making).map_err(unwritten("make", &making))?;
        let mut sums = String::new();
        for name in summed(closed) {
            let path = making.join(name);
            let write = |take: Take<'_>| write_file(closed, names, name, take);
            let hash = written_and_synced(&path, write).map_err(unwritten("write", &path))?;
            sums += &(sum_line(name, hash) + "\n");
        }
        let beside = BESIDE.into_iter().map(|name| (name, blocks_of(closed, name)));
        for (name, bytes) in [(SUMS, sums.into_bytes())].into_iter().chain(beside) {
            let path = making.join(name);
            written_and_synced(&path, |take| take(&bytes)).map_err(unwritten("write", &path))?;
        }
        let Some(before) = self.earned_before(&closed.statement) else { return Ok(()) };
        let path = making.join(EARNED);
        let earned = earned::plus(before, &closed.payouts)
            .map_err(|error| LedgerError::View { path: path.clone(), detail: error.to_string() })?;
        let bytes = earned::encode(&earned, &closed.hash);
        written_and_synced(&path, |take| take(&bytes)).map_err(unwritten("write", &path))?;
        Ok(())
    }

    /// What devices had earned when the epoch before closed, if that was written down.
    fn earned_before(&self, statement: &EpochStatement) -> Option<earned::Earned> {
        let Some(before) = statement.number.checked_sub(1) else { return Some(Vec::new()) };
        // It may be written and not finished: several epochs may close at once.
        let folders = [self.making(before), self.epoch_folder(before)];
        folders.iter().find_map(|folder| earned::read(&folder.join(EARNED), &statement.previous))
    }

    /// What a device earned up to and with an epoch, if that was written down.
    pub fn earned(&self, statement: &EpochStatement, device: &DeviceId) -> Option<Amount> {
        earned::find(&self.epoch_folder(statement.number).join(EARNED), &statement.hash(), device)
    }

    /// Gives a prepared epoch its name, and drops the snapshot that is now too old.
    pub fn finish(&self, epoch: u64) -> Result<(), LedgerError> {
        let (making, folder) = (self.making(epoch), self.epoch_folder(epoch));
        if folder.exists() {
            fs::remove_dir_all(&folder).map_err(io_error("remove", &folder))?;
        }
        fs::rename(&making, &folder).map_err(io_error("rename", &making))?;
        if let Some(old) = epoch.checked_sub(self.snapshots_kept) {
            let path = self.epoch_folder(old).join(SNAPSHOT);
            match fs::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(io_error("remove", &path)(error)),
                _ => {}
            }
        }
        Ok(())
    }

    fn making(&self, epoch: u64) -> PathBuf {
        self.folder.join(format!("{MAKING}{epoch:010}"))
    }

    /// Removes what was prepared and never finished.
    pub fn sweep(&self) -> Result<(), LedgerError> {
        for entry in fs::read_dir(&self.folder).map_err(io_error("list", &self.folder))? {
            let path = entry.map_err(io_error("list", &self.folder))?.path();
            // The first release made epochs in `.making`.
            let is_unfinished = |name: &str| name.starts_with(MAKING) || name == ".making";
            if path.file_name().and_then(|name| name.to_str()).is_some_and(is_unfinished) {
                fs::remove_dir_all(&path).map_err(io_error("remove", &path))?;
            }
        }
        Ok(())
    }

    /// Tries whether the disk takes `bytes` more, in a file that is removed again.
    pub fn try_room(&self, bytes: u64) -> Result<(), LedgerError> {
        let path = self.folder.join(format!("{MAKING}room"));
        fs::create_dir_all(&path).map_err(unwritten("make", &path))?;
        let piece = vec![0xa5; usize::try_from(bytes).unwrap_or(usize::MAX)];
        let written = fs::write(path.join("room"), piece).map_err(unwritten("write", &path));
        fs::remove_dir_all(&path).map_err(io_error("remove", &path))?;
        written
    }

    /// The first epoch whose statement is not what was written.
    pub fn first_broken(&self) -> Result<Option<u64>, LedgerError> {
        for epoch in self.epochs()? {
            if !self.is_sound(epoch, STATEMENT)? {
                return Ok(Some(epoch));
            }
        }
        Ok(None)
    }

    /// Whether the names of an epoch are what was written.
    pub fn has_sound_names(&self, epoch: u64) -> Result<bool, LedgerError> {
        self.is_sound(epoch, NAMES)
    }

    fn is_sound(&self, epoch: u64, name: &str) -> Result<bool, LedgerError> {
        match self.read_summed(epoch, name) {
            Ok(_) => Ok(true),
            Err(LedgerError::View { .. }) => Ok(false),
            Err(LedgerError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// A file's bytes, held against the sums.
    fn read_summed(&self, epoch: u64, name: &str) -> Result<Vec<u8>, LedgerError> {
        let bytes = self.read(epoch, name)?;
        let sums = match self.read(epoch, SUMS) {
            Ok(sums) => sums,
            Err(LedgerError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => return Ok(bytes),
            Err(error) => return Err(error),
        };
        let line = sum_line(name, Hash::of(&bytes));
        if String::from_utf8_lossy(&sums).lines().any(|found| found == line) {
            return Ok(bytes);
        }
        Err(self.broken(epoch, name, format!("its SHA-256 is not the one in {SUMS}")))
    }

    /// Forgets an epoch's folder.
    pub fn remove(&self, epoch: u64) -> Result<(), LedgerError> {
        let folder = self.epoch_folder(epoch);
        fs::remove_dir_all(&folder).map_err(io_error("remove", &folder))
    }

    fn read(&self, epoch: u64, name: &str) -> Result<Vec<u8>, LedgerError> {
        let path = self.epoch_folder(epoch).join(name);
        fs::read(&path).map_err(io_error("read", &path))
    }

    /// The canonical bytes of an epoch's statement.
    pub fn statement_bytes(&self, epoch: u64) -> Result<Vec<u8>, LedgerError> {
        self.read_summed(epoch, STATEMENT)
    }

    /// An epoch's statement.
    pub fn statement(&self, epoch: u64) -> Result<EpochStatement, LedgerError> {
        EpochStatement::decode(&self.statement_bytes(epoch)?)
            .map_err(|error| self.broken(epoch, STATEMENT, error.to_string()))
    }

    /// The canonical verdict rows, sorted, concatenated as a CBOR sequence; checked against the statement.
    pub fn verdict_bytes(&self, statement: &EpochStatement) -> Result<Vec<u8>, LedgerError> {
        let epoch = statement.number;
        let bytes = self.read(epoch, VERDICTS)?;
        let broken = |detail: String| self.broken(epoch, VERDICTS, detail);
        let rows = split_rows(&bytes).map_err(|error| broken(error.to_string()))?;
        let mut known = 0;
        for class in &statement.classes {
            let of_class: Vec<Hash> = rows
                .iter()
                .filter(|row| class_of_row(row) == Some(class.class.as_str()))
                .map(|row| tree::leaf_hash(row))
                .collect();
            known += of_class.len();
            if tree::root_parallel(&of_class) != class.verdict_root {
                return Err(broken(format!("the verdicts of {} do not have the statement's root", class.class)));
            }
        }
        if known == rows.len() { Ok(bytes) } else { Err(broken("verdicts of unknown classes".to_owned())) }
    }

    /// The canonical payout rows, sorted, concatenated as a CBOR sequence; checked against the statement.
    pub fn payout_bytes(&self, statement: &EpochStatement) -> Result<Vec<u8>, LedgerError> {
        let epoch = statement.number;
        let bytes = self.read(epoch, PAYOUTS)?;
        let broken = |detail: String| self.broken(epoch, PAYOUTS, detail);
        let rows = split_rows(&bytes).map_err(|error| broken(error.to_string()))?;
        let leaves: Vec<Hash> = rows.iter().map(|row| tree::leaf_hash(row)).collect();
        if tree::root_parallel(&leaves) == statement.payout_root {
            return Ok(bytes);
        }
        Err(broken("the payouts do not have the statement's root".to_owned()))
    }

    /// The payout table, to be read a page at a time; what is read is under the statement's payout root.
    pub fn payout_table(&self, statement: &EpochStatement) -> Result<Table, LedgerError> {
        let fits = |trees: &[(u64, Hash)]| {
            let is_right = match trees {
                [] => statement.payout_root == tree::root(&[]),
                [(_, root)] => statement.payout_root == *root,
                _ => false,
            };
            is_right.then_some(()).ok_or_else(|| "the payouts do not have the statement's root".to_owned())
        };
        let path = self.epoch_folder(statement.number).join(PAYOUTS);
        self.tables.open((PAYOUTS, statement.hash()), path, |_| false, fits)
    }

    /// The verdict table, to be read a page at a time; what is read is under the statement's verdict roots.
    pub fn verdict_table(&self, statement: &EpochStatement) -> Result<Table, LedgerError> {
        let fits = |trees: &[(u64, Hash)]| {
            // Each class's rows stand together, under their own root; the classes are in the order of their rows.
            let classes = statement.classes.iter().filter(|class| class.subjects > 0);
            let mut stated: Vec<(u64, Hash)> = classes.map(|class| (class.subjects, class.verdict_root)).collect();
            let mut found = trees.to_vec();
            stated.sort_unstable();
            found.sort_unstable();
            let is_right = stated == found;
            is_right.then_some(()).ok_or_else(|| "the verdicts do not have the statement's roots".to_owned())
        };
        let path = self.epoch_folder(statement.number).join(VERDICTS);
        self.tables.open((VERDICTS, statement.hash()), path, class_begins(), fits)
    }

    /// The canonical sales, sorted, concatenated as a CBOR sequence; checked against the statement. Empty where no job was
    /// settled.
    pub fn sale_bytes(&self, statement: &EpochStatement) -> Result<Vec<u8>, LedgerError> {
        let epoch = statement.number;
        let Some(summary) = &statement.sales else { return Ok(Vec::new()) };
        let bytes = self.read(epoch, SALES)?;
        let broken = |detail: String| self.broken(epoch, SALES, detail);
        let rows = split_rows(&bytes).map_err(|error| broken(error.to_string()))?;
        let leaves: Vec<Hash> = rows.iter().map(|row| tree::leaf_hash(row)).collect();
        if (rows.len() as u64, tree::root_parallel(&leaves)) == (summary.count, summary.root) {
            return Ok(bytes);
        }
        Err(broken("the sales do not have the statement's root".to_owned()))
    }

    /// The records of what judges remember after an epoch, sorted, concatenated as a CBOR sequence.
    pub fn carry_bytes(&self, epoch: u64) -> Result<Vec<u8>, LedgerError> {
        match self.read_summed(epoch, CARRY) {
            Err(LedgerError::Io { source, .. })
                if source.kind() == io::ErrorKind::NotFound && !self.epoch_folder(epoch).join(SUMS).exists() =>
            {
                // Folders written before judges remembered anything have no such file.
                Ok(Vec::new())
            }
            read => read,
        }
    }

    /// The same as a table, to be read a few records at a time; `None` where it is not written where they are. `statement` is the
    /// hash of the epoch's.
    pub fn carry_table(&self, epoch: u64, statement: Hash) -> Result<Option<Table>, LedgerError> {
        self.carries.open_by_blocks((CARRY, statement), self.epoch_folder(epoch).join(CARRY), CARRY_LEVEL)
    }

    /// How long the file of what judges remember after an epoch is, bytes; 0 where there is none.
    pub fn carry_size(&self, epoch: u64) -> Result<u64, LedgerError> {
        let path = self.epoch_folder(epoch).join(CARRY);
        match fs::metadata(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(0),
            found => Ok(found.map_err(io_error("look at", &path))?.len()),
        }
    }

    /// A snapshot's bytes.
    pub fn snapshot_bytes(&self, epoch: u64) -> Result<Vec<u8>, LedgerError> {
        self.read_summed(epoch, SNAPSHOT).map_err(|error| match error {
            LedgerError::Io { source, .. } if source.kind() == io::ErrorKind::NotFound => {
                LedgerError::NoSnapshot { epoch }
            }
            error => error,
        })
    }

    /// How long the snapshot after an epoch is, bytes; `None` where it is not kept any more.
    pub fn snapshot_length(&self, epoch: u64) -> Result<Option<u64>, LedgerError> {
        let path = self.epoch_folder(epoch).join(SNAPSHOT);
        match fs::metadata(&path) {
            Ok(found) => Ok(Some(found.len())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(io_error("read", &path)(error)),
        }
    }

    /// A snapshot. That it belongs to its statement is checked where it is resumed from.
    pub fn snapshot(&self, epoch: u64) -> Result<Snapshot, LedgerError> {
        Snapshot::decode(&self.snapshot_bytes(epoch)?).map_err(|error| self.broken(epoch, SNAPSHOT, error.to_string()))
    }

    /// The index that a report's name was logged at within an epoch's range.
    pub fn find_name(&self, epoch: u64, name: &ReportName) -> Result<Option<u64>, LedgerError> {
        let path = self.epoch_folder(epoch).join(NAMES);
        let file = match fs::File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(io_error("open", &path)(error)),
        };
        let wanted = name_key(name);
        let records = file.metadata().map_err(io_error("read", &path))?.len() / NAME_BYTES as u64;
        let (mut low, mut high) = (0, records);
        let mut record = [0u8; NAME_BYTES];
        while low < high {
            let middle = low + (high - low) / 2;
            file.read_exact_at(&mut record, middle * NAME_BYTES as u64).map_err(io_error("read", &path))?;
            match record[..24].cmp(&wanted[..]) {
                core::cmp::Ordering::Less => low = middle + 1,
                core::cmp::Ordering::Greater => high = middle,
                core::cmp::Ordering::Equal => {
                    let index = record[24..].try_into().expect("a record ends in eight bytes");
                    return Ok(Some(u64::from_be_bytes(index)));
                }
            }
        }
        Ok(None)
    }

    fn broken(&self, epoch: u64, name: &str, detail: String) -> LedgerError {
        LedgerError::View { path: self.epoch_folder(epoch).join(name), detail }
    }
}

/// The files of a closed epoch that have a line in [`SUMS`], in its order.
fn summed(closed: &Closed) -> impl Iterator<Item = &'static str> {
    SUMMED.into_iter().chain((!closed.sales.is_empty()).then_some(SALES))
}

/// Every file of a closed epoch, by name.
pub(crate) fn files_of(closed: &Closed, names: &[(ReportName, u64)]) -> Vec<(&'static str, Vec<u8>)> {
    let whole = |name| {
        let mut bytes = Vec::new();
        write_file(closed, names, name, &mut |piece| bytes.write_all(piece)).expect("memory takes every piece");
        (name, bytes)
    };
    let mut files: Vec<_> = summed(closed).map(whole).collect();
    let sums: String = files.iter().map(|(name, bytes)| sum_line(name, Hash::of(bytes)) + "\n").collect();
    files.push((SUMS, sums.into_bytes()));
    files.extend(BESIDE.into_iter().map(|name| (name, blocks_of(closed, name))));
    files
}

/// The file that says where the blocks of a table are.
fn blocks_of(closed: &Closed, name: &str) -> Vec<u8> {
    match name {
        VERDICT_BLOCKS => TableIndex::file_of(&closed.verdicts, BLOCK_LEVEL, class_begins()),
        PAYOUT_BLOCKS => TableIndex::file_of(&closed.payouts, BLOCK_LEVEL, |_| false),
        CARRY_BLOCKS => TableIndex::file_of(closed.carry(), CARRY_LEVEL, |_| false),
        _ => unreachable!("no other table has one"),
    }
}

/// What takes a file's bytes, piece by piece.
type Take<'a> = &'a mut dyn FnMut(&[u8]) -> io::Result<()>;

/// Hands over one file of a closed epoch, so that the epoch is not held a second time for being written.
fn write_file(closed: &Closed, names: &[(ReportName, u64)], name: &str, take: Take<'_>) -> io::Result<()> {
    match name {
        STATEMENT => take(&closed.bytes),
        VERDICTS => closed.verdicts.iter().try_for_each(|row| take(row)),
        PAYOUTS => closed.payouts.iter().try_for_each(|row| take(row)),
        SALES => closed.sales.iter().try_for_each(|row| take(row)),
        CARRY => closed.carry().iter().try_for_each(|record| take(record)),
        SNAPSHOT => Snapshot::encode_into(&closed.bytes, &closed.records, take),
        NAMES => take(&encode_names(names)),
        _ => unreachable!("no other file of an epoch has a sum"),
    }
}

/// Writes a file and syncs it; the hash of what was written.
fn written_and_synced(path: &Path, write: impl FnOnce(Take<'_>) -> io::Result<()>) -> io::Result<Hash> {
    let mut file = io::BufWriter::new(fs::File::create(path)?);
    let mut hasher = Sha256::new();
    write(&mut |piece| {
        hasher.update(piece);
        file.write_all(piece)
    })?;
    file.into_inner().map_err(io::IntoInnerError::into_error)?.sync_data()?;
    Ok(Hash(hasher.finalize().into()))
}

fn sum_line(name: &str, hash: Hash) -> String {
    format!("{}  {name}", hash.to_hex())
}

/// Whether a file only says again, or where, what others of the folder say: earlier releases did not write it.
pub(crate) fn is_beside(name: &str) -> bool {
    name == EARNED || BESIDE.contains(&name)
}

/// Whether the folder of an epoch may lack a file: its snapshot once enough others followed, and, where there are no sums,
/// what the first release did not write.
pub(crate) fn may_be_missing(folder: &Path, name: &str, is_old: bool) -> bool {
    match name {
        SNAPSHOT => is_old,
        SUMS | CARRY => !folder.join(SUMS).exists(),
        _ => is_beside(name),
    }
}

fn name_key(name: &ReportName) -> [u8; 24] {
    let mut key = [0u8; 24];
    key[..16].copy_from_slice(&name.device.0);
    key[16..20].copy_from_slice(&name.boot.to_be_bytes());
    key[20..].copy_from_slice(&name.seq.to_be_bytes());
    key
}

fn encode_names(names: &[(ReportName, u64)]) -> Vec<u8> {
    let mut sorted: Vec<([u8; 24], u64)> = names.iter().map(|(name, index)| (name_key(name), *index)).collect();
    sorted.sort_unstable();
    let mut bytes = Vec::with_capacity(sorted.len() * NAME_BYTES);
    for (key, index) in sorted {
        bytes.extend_from_slice(&key);
        bytes.extend_from_slice(&index.to_be_bytes());
    }
    bytes
}

pub(crate) fn io_error(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> LedgerError {
    let path = path.to_owned();
    move |source| LedgerError::Io { what, path, source }
}

/// As [`io_error`], for what needs room on the disk.
fn unwritten(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> LedgerError {
    let path = path.to_owned();
    move |source| match source.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            LogError::Full { action: what, file: path.display().to_string() }.into()
        }
        _ => LedgerError::Io { what, path, source },
    }
}

/// Splits a CBOR sequence of rows.
///
/// # Errors
/// [`cairn_core::cbor::CborError`] at the first row that is not deterministic CBOR.
pub fn split_rows(bytes: &[u8]) -> cairn_core::cbor::Result<Vec<&[u8]>> {
    let mut input = Decoder::over(bytes);
    let mut rows = Vec::new();
    while !input.is_at_end() {
        rows.push(input.raw_value()?);
    }
    Ok(rows)
}

/// Tells of sorted verdict rows whether a class begins with a row.
fn class_begins() -> impl FnMut(&[u8]) -> bool {
    let mut before: Option<String> = None;
    move |row| {
        let class = class_of_row(row);
        let begins = before.as_deref() != class || class.is_none();
        if begins {
            before = class.map(str::to_owned);
        }
        begins
    }
}

/// The class that a canonical verdict row is of, without reading the rest.
fn class_of_row(row: &[u8]) -> Option<&str> {
    let mut input = Decoder::over(row);
    input.array().ok()?;
    input.text().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_where_they_were_written_and_nowhere_else() {
        let folder = tempfile::tempdir().unwrap();
        let store = EpochStore::open(folder.path(), 4).unwrap();
        let name = |device: u8, seq| ReportName { device: DeviceId([device; 16]), boot: 1, seq };
        let names: Vec<_> =
            (0..50).flat_map(|seq| [(name(2, seq), 100 + u64::from(seq)), (name(1, seq), seq.into())]).collect();
        fs::create_dir_all(store.epoch_folder(3)).unwrap();
        fs::write(store.epoch_folder(3).join(NAMES), encode_names(&names)).unwrap();
        for (name, index) in &names {
            assert_eq!(store.find_name(3, name).unwrap(), Some(*index));
        }
        assert_eq!(store.find_name(3, &name(1, 50)).unwrap(), None);
        assert_eq!(store.find_name(4, &name(1, 1)).unwrap(), None);
        assert_eq!(store.epochs().unwrap(), vec![3]);
    }
}
