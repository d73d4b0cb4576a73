//! What every device earned in all, up to and with an epoch: a running sum that is written when an epoch closes, so that a page of
//! a device does not walk through its whole history.
//!
//! No statement has these sums. They are the ones of the epoch before and this epoch's payout rows added up, and `ledger rebuild
//! --check` adds them up again from the log. Each page of a file carries a hash over what it holds, where it stands and the
//! statement of its epoch; a file that is missing, torn or of another log is as if there were none, and the payout tables are
//! walked. Folders of earlier releases have none, and neither has an epoch after one without: a rebuild writes them.
//!
//! ```text
//! pages of 4,096 bytes, the last one shorter: up to 127 records, ascending by device, and the page's hash
//! a record: the device's id, 16 bytes; base units earned, 16 bytes, big-endian
//! the hash: SHA-256 of "cairn/earned/1\n", the statement's hash, the page's number, the number of pages (8 bytes each,
//!           big-endian), and the records
//! ```

use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

use cairn_core::cbor::CborError;
use cairn_core::{Amount, DeviceId, Hash, Payout};

const HEAD: &[u8] = b"cairn/earned/1\n";
const PAGE_BYTES: usize = 4_096;
const RECORD_BYTES: usize = 32;
const RECORDS: usize = PAGE_BYTES / RECORD_BYTES - 1;

/// What devices earned, ascending by device.
pub(crate) type Earned = Vec<(DeviceId, Amount)>;

/// What they had earned before, and the payout rows of the epoch after that.
pub(crate) fn plus(before: Earned, payouts: &[Vec<u8>]) -> Result<Earned, CborError> {
    let mut now: BTreeMap<DeviceId, u128> = BTreeMap::new();
    for row in payouts {
        let payout = Payout::decode(row)?;
        if let Some(device) = payout.device {
            let sum = now.entry(device).or_default();
            *sum = sum.saturating_add(payout.amount.0);
        }
    }
    let mut sums = Vec::with_capacity(before.len() + now.len());
    let mut before = before.into_iter().peekable();
    for (device, amount) in now {
        sums.extend(core::iter::from_fn(|| before.next_if(|(other, _)| *other < device)));
        let had = before.next_if(|(other, _)| *other == device).map_or(0, |(_, had)| had.0);
        sums.push((device, Amount(had.saturating_add(amount))));
    }
    sums.extend(before);
    Ok(sums)
}

/// The file, under the hash of the epoch's statement.
pub(crate) fn encode(earned: &[(DeviceId, Amount)], statement: &Hash) -> Vec<u8> {
    // Nobody stands on a page, too: a file that lost all its bytes is none.
    let pages = earned.len().div_ceil(RECORDS).max(1);
    let mut bytes = Vec::with_capacity((earned.len() + pages) * RECORD_BYTES);
    for number in 0..pages {
        let records = &earned[number * RECORDS..earned.len().min((number + 1) * RECORDS)];
        let start = bytes.len();
        for (device, amount) in records {
            bytes.extend(device.0);
            bytes.extend(amount.0.to_be_bytes());
        }
        bytes.extend(page_hash(&bytes[start..], statement, number as u64, pages as u64).0);
    }
    bytes
}

fn page_hash(records: &[u8], statement: &Hash, number: u64, pages: u64) -> Hash {
    Hash::of_parts(&[HEAD, &statement.0, &number.to_be_bytes(), &pages.to_be_bytes(), records])
}

/// A file of sums.
struct Pages<'a> {
    file: File,
    length: u64,
    pages: u64,
    statement: &'a Hash,
}

impl<'a> Pages<'a> {
    fn open(path: &Path, statement: &'a Hash) -> Option<Self> {
        let file = File::open(path).ok()?;
        let length = file.metadata().ok()?.len();
        (length > 0).then(|| Self { file, length, pages: length.div_ceil(PAGE_BYTES as u64), statement })
    }

    /// The records of a page; `None` where they are not those that were written.
    fn page(&self, number: u64) -> Option<Earned> {
        let offset = number * PAGE_BYTES as u64;
        let mut bytes = vec![0; usize::try_from((self.length - offset).min(PAGE_BYTES as u64)).ok()?];
        self.file.read_exact_at(&mut bytes, offset).ok()?;
        let (records, hash) = bytes.split_last_chunk::<32>()?;
        let is_right = page_hash(records, self.statement, number, self.pages) == Hash(*hash);
        let (records, rest) = records.as_chunks::<RECORD_BYTES>();
        let record = |record: &[u8; RECORD_BYTES]| {
            let (device, amount) = record.split_at(16);
            let amount = u128::from_be_bytes(amount.try_into().expect("half of 32 bytes"));
            (DeviceId(device.try_into().expect("half of 32 bytes")), Amount(amount))
        };
        (is_right && rest.is_empty()).then(|| records.iter().map(record).collect())
    }

    /// What a page seems to begin with: nobody has looked whether it is still right.
    fn seems_first(&self, number: u64) -> Option<DeviceId> {
        let mut id = [0; 16];
        self.file.read_exact_at(&mut id, number * PAGE_BYTES as u64).ok()?;
        Some(DeviceId(id))
    }

    fn find(&self, device: &DeviceId) -> Option<Amount> {
        let (mut low, mut high) = (0, self.pages);
        while low < high {
            let middle = low + (high - low) / 2;
            (low, high) = if self.seems_first(middle)? <= *device { (middle + 1, high) } else { (low, middle) };
        }
        let number = low.saturating_sub(1);
        let page = self.page(number)?;
        if let Ok(at) = page.binary_search_by_key(device, |(other, _)| *other) {
            return Some(page[at].1);
        }
        // It is in no other page either: what was only looked at is held to what is certain.
        let begins_before = number == 0 || page.first()?.0 < *device;
        let ends_after = page.last().is_some_and(|(last, _)| last > device);
        let is_after = |next: &Earned| next.first().is_some_and(|(first, _)| first > device);
        let is_next_after = || number + 1 >= self.pages || self.page(number + 1).as_ref().is_some_and(is_after);
        (begins_before && (ends_after || is_next_after())).then_some(Amount::ZERO)
    }
}

/// What a device earned, by the file under the hash of the epoch's statement; `None` where there is no such file.
pub(crate) fn find(path: &Path, statement: &Hash, device: &DeviceId) -> Option<Amount> {
    Pages::open(path, statement)?.find(device)
}

/// All of it.
pub(crate) fn read(path: &Path, statement: &Hash) -> Option<Earned> {
    let pages = Pages::open(path, statement)?;
    let mut earned = Vec::new();
    for number in 0..pages.pages {
        earned.extend(pages.page(number)?);
    }
    Some(earned)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn id(number: u32) -> DeviceId {
        let mut id = [0; 16];
        id[..4].copy_from_slice(&number.to_be_bytes());
        DeviceId(id)
    }

    fn sums() -> impl Strategy<Value = Earned> {
        proptest::collection::btree_map(0u32..2_000, any::<u128>(), 0..600)
            .prop_map(|sums| sums.into_iter().map(|(number, amount)| (id(number), Amount(amount))).collect())
    }

    proptest! {
        #[test]
        fn what_was_written_is_found_whoever_is_not_there_earned_nothing_and_nothing_wrong_is_told(
            sums in sums(),
            touched: prop::sample::Index,
            bit in 0u8..8,
            asked in proptest::collection::vec(0u32..2_001, 40),
        ) {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("earned");
            let (own, other) = (Hash([1; 32]), Hash([2; 32]));
            let file = encode(&sums, &own);
            std::fs::write(&path, &file).unwrap();
            prop_assert_eq!(read(&path, &own), Some(sums.clone()));
            let expected = |device: &DeviceId| {
                sums.binary_search_by_key(device, |(other, _)| *other).map_or(Amount::ZERO, |at| sums[at].1)
            };
            let asked: Vec<DeviceId> = asked.into_iter().map(id).chain(sums.iter().map(|(device, _)| *device)).collect();
            for device in &asked {
                prop_assert_eq!(find(&path, &own, device), Some(expected(device)));
                prop_assert!(find(&path, &other, device).is_none());
            }
            let mut wrong = file.clone();
            wrong[touched.index(file.len())] ^= 1 << bit;
            for bytes in [wrong.as_slice(), &file[..touched.index(file.len())]] {
                std::fs::write(&path, bytes).unwrap();
                prop_assert!(read(&path, &own).is_none());
                for device in &asked {
                    prop_assert!(find(&path, &own, device).is_none_or(|told| told == expected(device)));
                }
            }
        }
    }
}
