//! The till's files: one for each payment, replaced whole, by whether it is over.
//!
//! `<payment>.open` while there is something to do, `<payment>.over` for ever after; where both are there, the latter holds. What
//! is over is never read but when that payment is asked for, so beginning again costs what is open and nothing else.

use std::collections::BTreeMap;
use std::sync::Arc;

use cairn_log::{Disk, FileError, WriterLock, read_whole, replace_whole};
use cairn_x402::{PaymentId, TokenDomain};

use crate::error::TillError;
use crate::record::{Record, Stage};

const OPEN: &str = ".open";
const OVER: &str = ".over";
/// Of one file; a record has about four thousand, and terms are bounded.
const FILE_BYTES_MAX: u64 = 64 << 10;

/// The records of a till, which one process holds.
pub(crate) struct Store {
    disk: Arc<dyn Disk>,
    domain: TokenDomain,
    _lock: Box<dyn WriterLock>,
    /// What is not over.
    open: BTreeMap<PaymentId, Record>,
    /// A write failed so that nobody knows what is on the disk.
    stopped: bool,
}

impl Store {
    /// Opens a folder and makes sure that what was read of it is durable.
    pub fn open(disk: Arc<dyn Disk>, domain: TokenDomain) -> Result<Self, TillError> {
        let lock = disk.lock_writer().map_err(|error| match error.kind() {
            std::io::ErrorKind::WouldBlock => TillError::Held,
            _ => TillError::File(FileError::Io { action: "hold", file: "the folder".to_owned(), source: error }),
        })?;
        let mut store = Self { disk, domain, _lock: lock, open: BTreeMap::new(), stopped: false };
        let io = |source| TillError::File(FileError::Io { action: "list", file: "the folder".to_owned(), source });
        for name in store.disk.list().map_err(io)? {
            let Some(id) = name.strip_suffix(OPEN).and_then(PaymentId::from_hex) else { continue };
            let Some(record) = store.read_file(&id)? else { continue };
            // The process that wrote it may have ended before it was durable, and acting comes after that.
            store.write(&record)?;
        }
        Ok(store)
    }

    /// What is not over, in order.
    pub fn open_records(&self) -> impl Iterator<Item = &Record> {
        self.open.values()
    }

    /// The record of a payment.
    pub fn read(&self, id: &PaymentId) -> Result<Option<Record>, TillError> {
        if self.stopped {
            return Err(TillError::Stopped);
        }
        match self.open.get(id) {
            Some(record) => Ok(Some(record.clone())),
            None => self.read_file(id),
        }
    }

    fn read_file(&self, id: &PaymentId) -> Result<Option<Record>, TillError> {
        for kind in [OVER, OPEN] {
            if let Some(file) = read_whole(self.disk.as_ref(), &format!("{id}{kind}"), FILE_BYTES_MAX)? {
                return Record::read(*id, &self.domain, &file).map(Some);
            }
        }
        Ok(None)
    }

    /// Puts a record in the place of what was there; durable when it returns.
    pub fn write(&mut self, record: &Record) -> Result<(), TillError> {
        if self.stopped {
            return Err(TillError::Stopped);
        }
        let written = self.write_file(record);
        match &written {
            Ok(()) if record.is_over() => {
                self.open.remove(&record.id);
            }
            Ok(()) => {
                self.open.insert(record.id, record.clone());
            }
            // It is as it was, for sure.
            Err(TillError::File(FileError::Full { .. })) => {}
            Err(_) => self.stopped = true,
        }
        written
    }

    fn write_file(&self, record: &Record) -> Result<(), TillError> {
        let disk = self.disk.as_ref();
        let kind = if record.is_over() { OVER } else { OPEN };
        replace_whole(disk, &format!("{}{kind}", record.id), &record.write())?;
        if record.is_over() {
            let name = format!("{}{OPEN}", record.id);
            let gone = match disk.remove(&name) {
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
                gone => gone,
            };
            // Not durable at once: until it is, the other file holds.
            gone.map_err(|source| FileError::Io { action: "remove", file: name, source })?;
        }
        Ok(())
    }

    /// Writes a record further on, unless somebody else did meanwhile; whether it was done.
    pub fn advance(&mut self, from: &Record, to: Stage) -> Result<bool, TillError> {
        if self.read(&from.id)?.is_none_or(|now| now.stage != from.stage) {
            return Ok(false);
        }
        self.write(&from.at(to)).map(|()| true)
    }
}
