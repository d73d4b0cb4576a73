//! The files of a chain's folder and of an outbox, altered or made up.
//!
//! Where a checksum stands before what it is of, the first byte of the input says whether it is as given or made right, so
//! that what is behind it is reached, too.

use std::sync::{Arc, LazyLock};

use cairn_chain::outbox::{self, Outbox, Store, SystemClock};
use cairn_chain::{Chain, ChainError, Embedded, embedded};
use cairn_core::wallet::WalletKey;
use cairn_log::{Disk, read_whole};
use cairn_testkit::disk::{Faults, FaultyDisk};

/// Time on a chain of the corpus, seconds since 1970.
const TIME_S: u64 = 1_700_000_000;
const BLOCKS: &str = "blocks";
const STATE: &str = "state";
const BYTES_MAX: u64 = 1 << 24;

pub(crate) fn disk_with(files: &[(&str, &[u8])]) -> Arc<FaultyDisk> {
    let disk = FaultyDisk::new(1, Faults::default());
    for (name, bytes) in files {
        let file = disk.create(name).expect("a disk in memory takes files");
        file.write_at(0, bytes).and_then(|()| file.sync()).expect("a disk in memory takes bytes");
    }
    disk.sync_folder().expect("a disk in memory keeps names");
    Arc::new(disk)
}

pub(crate) fn content(disk: &FaultyDisk, name: &str) -> Vec<u8> {
    read_whole(disk, name, BYTES_MAX).expect("a disk in memory reads").unwrap_or_default()
}

/// The account that chains and records of the corpus are of.
pub(crate) fn wallet() -> WalletKey {
    WalletKey::from_bytes([1; 32]).expect("a key")
}

fn open(disk: &Arc<FaultyDisk>) -> Result<Embedded, ChainError> {
    Embedded::on(disk.clone(), "the corpus", embedded::Options::new(Arc::new(|| TIME_S)))
}

fn refused(error: &ChainError) {
    assert!(error.code().starts_with("STL-") && !error.to_string().is_empty(), "{error}");
}

/// A chain of three blocks, in which two accounts were given coin.
static CHAIN: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let disk = disk_with(&[]);
    let chain = open(&disk).expect("a chain begins");
    for account in [[1; 20], [2; 20]] {
        chain.fund(account, 1_000).expect("a disk in memory takes blocks");
    }
    drop(chain);
    content(&disk, BLOCKS)
});

/// First byte: 0, the rest is the file of blocks; 1, it is records, each behind its length of two bytes, and is given the
/// checksums that make them blocks; 2, it is the snapshot beside a chain of three blocks, and is given its checksum.
pub fn chain_folder(bytes: &[u8]) {
    let Some((kind, rest)) = bytes.split_first() else { return };
    match kind % 3 {
        0 => blocks(rest),
        1 => blocks(&framed(rest)),
        _ => {
            let state = [rest, &crc32c::crc32c(rest).to_le_bytes()].concat();
            match open(&disk_with(&[(BLOCKS, &CHAIN), (STATE, &state)])) {
                Ok(chain) => assert_eq!(chain.head().expect("a chain has a head").number, 2),
                Err(error) => refused(&error),
            }
        }
    }
}

fn blocks(file: &[u8]) {
    let disk = disk_with(&[(BLOCKS, file)]);
    let head = match open(&disk) {
        Ok(chain) => chain.head().expect("a chain has a head"),
        Err(error) => return refused(&error),
    };
    let kept = content(&disk, BLOCKS);
    assert!(file.starts_with(&kept), "opening cuts an end off, and changes nothing else");
    let again = open(&disk).expect("what opened once opens again");
    assert_eq!(again.head().expect("a chain has a head"), head);
    assert_eq!(content(&disk, BLOCKS), kept);
}

fn framed(mut records: &[u8]) -> Vec<u8> {
    let mut file = Vec::new();
    while let Some((length, rest)) = records.split_first_chunk::<2>() {
        let length = u16::from_be_bytes(*length);
        let (record, rest) = rest.split_at(rest.len().min(length.into()));
        let length = u32::try_from(record.len()).expect("below 2^16");
        let fields = [length.to_le_bytes(), crc32c::crc32c(record).to_le_bytes()].concat();
        file.extend_from_slice(&fields);
        file.extend_from_slice(&crc32c::crc32c(&fields).to_le_bytes());
        file.extend_from_slice(record);
        records = rest;
    }
    file
}

/// A store with one document, and nothing that anybody could write.
struct OneDocument {
    name: &'static str,
    document: Vec<u8>,
}

impl Store for OneDocument {
    fn read(&self, name: &str) -> Result<Option<Vec<u8>>, ChainError> {
        assert!(DOCUMENTS.contains(&name), "an outbox reads `{name}`, too");
        Ok((name == self.name).then(|| self.document.clone()))
    }

    fn write(&self, name: &str, _: &[u8]) -> Result<(), ChainError> {
        unreachable!("an outbox that is asked nothing writes `{name}`")
    }

    fn remove(&self, name: &str) -> Result<(), ChainError> {
        unreachable!("an outbox that is asked nothing removes `{name}`")
    }
}

/// What an outbox reads when it opens: the transaction under way, and the last one that ended.
const DOCUMENTS: [&str; 2] = ["pending.json", "ended.json"];

static EMPTY_CHAIN: LazyLock<Embedded> = LazyLock::new(|| open(&disk_with(&[])).expect("a chain begins"));

/// First byte: which of the documents the rest is.
pub fn outbox(bytes: &[u8]) {
    let Some((kind, rest)) = bytes.split_first() else { return };
    let name = DOCUMENTS[usize::from(*kind) % DOCUMENTS.len()];
    let store = Box::new(OneDocument { name, document: rest.to_vec() });
    let clock = Box::new(SystemClock::default());
    let opened = Outbox::with(store, &*EMPTY_CHAIN, wallet(), outbox::Options::default(), clock);
    match opened.and_then(|outbox| outbox.under_way()) {
        Ok(None) => assert_eq!(name, DOCUMENTS[1], "a transaction under way is passed over"),
        Ok(Some(purpose)) => {
            let json: serde_json::Value = serde_json::from_slice(rest).expect("it was read");
            assert_eq!(json["purpose"].as_str(), Some(purpose.as_str()));
        }
        Err(error) => assert_eq!(error.code(), "STL-BROKEN", "{error}"),
    }
}
