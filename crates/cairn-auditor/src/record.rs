//! The record of what was signed: append-only, a checksum for each line, durable before a signature is handed out.
//!
//! `signed = header record*`, numbers big-endian:
//! * header: `cairn signed 1`, LF, 0; network id, 32 bytes; auditor, 20; CRC-32C of the bytes before, 4.
//! * record: epoch, 8; revision, 4; statement hash, 32; previous hash, 32; log size, 8; log root, 32; state root, 32;
//!   settlements root, 32; signature, 65; CRC-32C of the bytes before, 4.
//!
//! Every record is synced before the next is written. So only the last one can be torn, and what is torn was never handed
//! out; a damaged one before the last refuses to be opened. When it is opened it is written anew and synced: what was read
//! may never have reached the disk.

use std::collections::BTreeMap;
use std::sync::Arc;

use cairn_core::{Hash, NetworkId};
use cairn_log::{Disk, DiskFile, read_whole, replace_whole};
use cairn_settle::told::{SIGNATURE_BYTES, address_text};
use cairn_settle::{EpochMessage, EvmAddress};

use crate::AuditorError;
use crate::error::failed;

/// The record's file.
pub(crate) const SIGNED: &str = "signed";
const MAGIC: &[u8; 16] = b"cairn signed 1\n\0";
const HEADER_BYTES: usize = 16 + 32 + 20 + 4;
const RECORD_BYTES: usize = 8 + 4 + 32 + 32 + 8 + 32 + 32 + 32 + SIGNATURE_BYTES + 4;
/// Four million signatures: an epoch a minute for eight years.
const FILE_BYTES_MAX: u64 = 1 << 30;

/// A message, and the signature over it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed {
    /// The message.
    pub message: EpochMessage,
    /// The signature: `r || s || v`.
    pub signature: [u8; SIGNATURE_BYTES],
}

/// The record, open for appending.
pub(crate) struct Record {
    network: NetworkId,
    file: Arc<dyn DiskFile>,
    end: u64,
    all: Vec<Signed>,
    places: BTreeMap<(u64, u32), usize>,
    /// After a failed write nobody knows what is there.
    is_stopped: bool,
}

impl Record {
    /// Opens the record of an auditor; `None` while there is none.
    ///
    /// # Errors
    /// [`AuditorError::Damaged`], [`AuditorError::OtherKey`], [`AuditorError::Io`].
    pub fn open(disk: &dyn Disk, auditor: EvmAddress) -> Result<Option<Self>, AuditorError> {
        let Some(bytes) = read_whole(disk, SIGNED, FILE_BYTES_MAX).map_err(failed("read", SIGNED))? else {
            return Ok(None);
        };
        let (network, all) = parse(&bytes, auditor)?;
        Self::write(disk, network, auditor, all).map(Some)
    }

    /// Begins the record of an auditor of a network.
    ///
    /// # Errors
    /// [`AuditorError::Io`].
    pub fn begin(disk: &dyn Disk, network: NetworkId, auditor: EvmAddress) -> Result<Self, AuditorError> {
        Self::write(disk, network, auditor, Vec::new())
    }

    fn write(disk: &dyn Disk, network: NetworkId, auditor: EvmAddress, all: Vec<Signed>) -> Result<Self, AuditorError> {
        let mut bytes = header(network, auditor);
        all.iter().for_each(|signed| bytes.extend(encode(signed)));
        replace_whole(disk, SIGNED, &bytes).map_err(failed("write", SIGNED))?;
        let file = disk.open(SIGNED).map_err(failed("open", SIGNED))?;
        let places = all.iter().enumerate().map(|(place, signed)| (name(&signed.message), place)).collect();
        Ok(Self { network, file, end: bytes.len() as u64, all, places, is_stopped: false })
    }

    /// The network whose record it is.
    pub const fn network(&self) -> NetworkId {
        self.network
    }

    /// Everything signed, in the order of signing.
    pub fn all(&self) -> &[Signed] {
        &self.all
    }

    /// What was signed for an epoch and revision.
    pub fn find(&self, epoch: u64, revision: u32) -> Option<&Signed> {
        self.places.get(&(epoch, revision)).map(|place| &self.all[*place])
    }

    /// Appends a signature, durably. Nothing may be recorded for its epoch and revision.
    ///
    /// # Errors
    /// [`AuditorError::Io`], and [`AuditorError::Stopped`] ever after: the signature must not be handed out.
    pub fn append(&mut self, signed: Signed) -> Result<(), AuditorError> {
        assert!(!self.places.contains_key(&name(&signed.message)), "nothing is signed twice");
        if self.is_stopped {
            return Err(AuditorError::Stopped);
        }
        self.is_stopped = true;
        self.file.write_at(self.end, &encode(&signed)).map_err(failed("write", SIGNED))?;
        self.file.sync().map_err(failed("sync", SIGNED))?;
        self.is_stopped = false;
        self.end += RECORD_BYTES as u64;
        self.places.insert(name(&signed.message), self.all.len());
        self.all.push(signed);
        Ok(())
    }
}

fn name(message: &EpochMessage) -> (u64, u32) {
    (message.epoch, message.revision)
}

fn sealed(mut bytes: Vec<u8>) -> Vec<u8> {
    let sum = crc32c::crc32c(&bytes);
    bytes.extend(sum.to_be_bytes());
    bytes
}

fn unsealed(bytes: &[u8]) -> Option<&[u8]> {
    let (bytes, sum) = bytes.split_last_chunk::<4>()?;
    (crc32c::crc32c(bytes) == u32::from_be_bytes(*sum)).then_some(bytes)
}

fn header(network: NetworkId, auditor: EvmAddress) -> Vec<u8> {
    sealed([&MAGIC[..], &network.0.0, &auditor].concat())
}

fn encode(signed: &Signed) -> Vec<u8> {
    let Signed { message, signature } = signed;
    let numbers = (message.epoch.to_be_bytes(), message.revision.to_be_bytes(), message.log_size.to_be_bytes());
    let bytes = [
        &numbers.0[..],
        &numbers.1,
        &message.statement_hash.0,
        &message.previous.0,
        &numbers.2,
        &message.log_root.0,
        &message.state_root.0,
        &message.settlements_root,
        signature,
    ];
    sealed(bytes.concat())
}

fn decode(bytes: &[u8]) -> Option<Signed> {
    let mut rest = unsealed(bytes)?;
    fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
        let (taken, after) = rest.split_first_chunk::<N>()?;
        *rest = after;
        Some(*taken)
    }
    let message = EpochMessage {
        epoch: u64::from_be_bytes(take(&mut rest)?),
        revision: u32::from_be_bytes(take(&mut rest)?),
        statement_hash: Hash(take(&mut rest)?),
        previous: Hash(take(&mut rest)?),
        log_size: u64::from_be_bytes(take(&mut rest)?),
        log_root: Hash(take(&mut rest)?),
        state_root: Hash(take(&mut rest)?),
        settlements_root: take(&mut rest)?,
    };
    let signature = take(&mut rest)?;
    rest.is_empty().then_some(Signed { message, signature })
}

fn parse(bytes: &[u8], auditor: EvmAddress) -> Result<(NetworkId, Vec<Signed>), AuditorError> {
    let damaged = |reason: String| AuditorError::Damaged { file: SIGNED.to_owned(), reason };
    let (head, records) =
        bytes.split_at_checked(HEADER_BYTES).ok_or_else(|| damaged("it ends within its header".to_owned()))?;
    let head = unsealed(head).and_then(|head| head.strip_prefix(MAGIC));
    let head = head.ok_or_else(|| damaged("its header is none of this format".to_owned()))?;
    let (network, own) = head.split_first_chunk::<32>().expect("the header's length was checked");
    if own != auditor {
        let own = own.try_into().expect("the header's length was checked");
        return Err(AuditorError::OtherKey { own: address_text(&own), other: address_text(&auditor) });
    }
    let count = records.len().div_ceil(RECORD_BYTES);
    let mut all: Vec<Signed> = Vec::with_capacity(count);
    let mut names = std::collections::BTreeSet::new();
    for (place, record) in records.chunks(RECORD_BYTES).enumerate() {
        match decode(record) {
            Some(signed) if names.insert(name(&signed.message)) => all.push(signed),
            Some(_) => return Err(damaged(format!("record {place} repeats an epoch and revision"))),
            // It was being written when everything stopped, and never handed out.
            None if place + 1 == count => {}
            None => return Err(damaged(format!("record {place} of {count} has another checksum"))),
        }
    }
    Ok((NetworkId(Hash(*network)), all))
}
