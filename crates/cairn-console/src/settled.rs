//! What a settlement chain said that it paid, written down by whoever asked it.
//!
//! The log knows what everybody was granted, not what a chain has paid out: that only the chain can say, and a gateway asks no
//! chain. So `cairn chain record` asks the contract, account by account, all in the state after one block, and writes the answers
//! here; pages show them with the chain, the block and the time, and never as the log's word.
//!
//! A record is a file for each chain: a line of JSON that says whose answers these are ([`Asked`]), then a line for each account
//! that was paid anything, `0x… 123`, ascending. It is found by halving the file, so that a page reads a few kilobytes of it, however
//! many accounts it holds. It replaces the one before whole, or not at all.

use std::fs::File;
use std::io::{self, BufWriter, Write as _};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use cairn_core::{Amount, Domain};
use serde::{Deserialize, Serialize};

/// The first line is shorter.
const HEAD_BYTES_MAX: usize = 4_096;
/// An account's line: an address, a space, up to 39 digits, and its end.
const LINE_BYTES_MAX: u64 = 42 + 1 + 39 + 1;

/// Whose answers these are, and as of when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    /// The network's id.
    pub network_id: String,
    /// The chain, as CAIP-2 names it.
    pub chain: String,
    /// Where it was asked: a folder, or an address without its secrets.
    pub place: String,
    /// Whether it is a rehearsal of a chain.
    pub rehearsed: bool,
    /// The contract that pays, `0x` and 40 digits.
    pub contract: String,
    /// The block after which all of it was read.
    pub block: u64,
    /// That block's time, s since 1970 UTC.
    pub block_time_s: u64,
    /// When it was asked, ms since 1970 UTC.
    pub read_ms: u64,
    /// The last epoch that was posted to it.
    pub posted: Option<u64>,
    /// The last epoch that it pays by: what later epochs granted cannot be claimed there yet.
    pub opened: Option<u64>,
    /// Accounts that were paid anything.
    pub accounts: u64,
    /// Base units paid to all of them.
    pub paid: String,
}

/// The record of a chain.
#[derive(Debug)]
pub struct Record {
    /// Whose answers these are.
    pub asked: Asked,
    file: File,
    /// Where accounts begin, and the file's length.
    from: u64,
    length: u64,
}

/// The file of a chain's record in a folder.
fn path_of(folder: &Path, chain: &Domain) -> PathBuf {
    folder.join(format!("{}.txt", chain.as_str().replace(':', "-")))
}

fn broken(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

/// Writes a record in the place of the one before.
///
/// # Errors
/// When the folder cannot be written to.
pub fn write(folder: &Path, asked: &Asked, paid: &[([u8; 20], u128)]) -> io::Result<PathBuf> {
    let chain = Domain::parse(&asked.chain).map_err(|error| broken(&error.to_string()))?;
    std::fs::create_dir_all(folder)?;
    let path = path_of(folder, &chain);
    let beside = path.with_extension("txt.writing");
    let mut file = BufWriter::new(File::create(&beside)?);
    serde_json::to_writer(&mut file, asked)?;
    file.write_all(b"\n")?;
    let mut sorted: Vec<_> = paid.iter().filter(|(_, units)| *units > 0).collect();
    sorted.sort_unstable();
    for (account, units) in sorted {
        writeln!(file, "0x{} {units}", data_encoding::HEXLOWER.encode(account))?;
    }
    file.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
    std::fs::rename(&beside, &path)?;
    Ok(path)
}

impl Record {
    /// The record of a chain in a folder; `None` where nobody wrote one.
    ///
    /// # Errors
    /// When it cannot be read, or is none.
    pub fn open(folder: &Path, chain: &Domain) -> io::Result<Option<Self>> {
        let file = match File::open(path_of(folder, chain)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            opened => opened?,
        };
        let length = file.metadata()?.len();
        let mut head = vec![0; HEAD_BYTES_MAX.min(usize::try_from(length).unwrap_or(HEAD_BYTES_MAX))];
        file.read_exact_at(&mut head, 0)?;
        let end = head.iter().position(|byte| *byte == b'\n').ok_or_else(|| broken("its first line does not end"))?;
        let asked: Asked = serde_json::from_slice(&head[..end])?;
        if asked.chain != chain.as_str() {
            return Err(broken("it is of another chain"));
        }
        Ok(Some(Self { asked, file, from: end as u64 + 1, length }))
    }

    /// Base units that the chain had paid to an account, by its address; nothing is zero.
    ///
    /// # Errors
    /// When it cannot be read, or its lines are none.
    pub fn paid(&self, account: &[u8; 20]) -> io::Result<Amount> {
        let wanted = format!("0x{}", data_encoding::HEXLOWER.encode(account));
        // The line that is looked for begins in [low, high).
        let (mut low, mut high) = (self.from, self.length);
        while low < high {
            let middle = low + (high - low) / 2;
            let Some((start, line)) = self.line_from(middle, low)? else {
                high = middle;
                continue;
            };
            if start >= high {
                high = middle;
                continue;
            }
            let (address, units) = line.split_once(' ').ok_or_else(|| broken("a line is no account"))?;
            match address.cmp(&wanted) {
                core::cmp::Ordering::Equal => return Amount::parse(units).map_err(|error| broken(&error.to_string())),
                core::cmp::Ordering::Less => low = start + line.len() as u64 + 1,
                core::cmp::Ordering::Greater => high = middle,
            }
        }
        Ok(Amount::ZERO)
    }

    /// The first line that begins at `from` or later, and where; a line begins at `begin`.
    fn line_from(&self, from: u64, begin: u64) -> io::Result<Option<(u64, String)>> {
        // From one byte ahead, so that a line that begins here is seen to.
        let ahead = if from > begin { from - 1 } else { from };
        let wanted = (2 * LINE_BYTES_MAX).min(self.length - ahead);
        let mut bytes = vec![0; usize::try_from(wanted).unwrap_or(0)];
        self.file.read_exact_at(&mut bytes, ahead)?;
        let start = if from > begin {
            match bytes.iter().position(|byte| *byte == b'\n') {
                Some(at) => at + 1,
                None => return Ok(None),
            }
        } else {
            0
        };
        let rest = &bytes[start..];
        let Some(end) = rest.iter().position(|byte| *byte == b'\n') else { return Ok(None) };
        let line = core::str::from_utf8(&rest[..end]).map_err(|_| broken("a line is no text"))?;
        Ok(Some((ahead + start as u64, line.to_owned())))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn asked() -> Asked {
        Asked {
            network_id: "00".into(),
            chain: "eip155:31337".into(),
            place: "a folder".into(),
            rehearsed: true,
            contract: "0x00".into(),
            block: 7,
            block_time_s: 8,
            read_ms: 9_000,
            posted: Some(3),
            opened: None,
            accounts: 0,
            paid: "0".into(),
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn what_was_written_is_found_and_nothing_else(
            paid in proptest::collection::btree_map(any::<[u8; 20]>(), prop_oneof![1u128..99, any::<u128>()], 0..200),
            others in proptest::collection::vec(any::<[u8; 20]>(), 20),
        ) {
            let folder = tempfile::tempdir().unwrap();
            let rows: Vec<_> = paid.iter().map(|(account, units)| (*account, *units)).rev().collect();
            write(folder.path(), &asked(), &rows).unwrap();
            let chain = Domain::parse("eip155:31337").unwrap();
            let record = Record::open(folder.path(), &chain).unwrap().unwrap();
            prop_assert_eq!(&record.asked, &asked());
            for account in paid.keys().chain(&others) {
                let expected = Amount(paid.get(account).copied().unwrap_or_default());
                prop_assert_eq!(record.paid(account).unwrap(), expected);
            }
            prop_assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
        }
    }

    #[test]
    fn what_is_no_record_is_refused_and_a_chain_without_one_has_none() {
        let folder = tempfile::tempdir().unwrap();
        let chain = Domain::parse("eip155:1").unwrap();
        assert!(Record::open(folder.path(), &chain).unwrap().is_none());
        let other = format!("{}\n", serde_json::to_string(&asked()).unwrap());
        for text in ["", "{", "{}\n", "nonsense without end", &other] {
            std::fs::write(folder.path().join("eip155-1.txt"), text).unwrap();
            assert!(Record::open(folder.path(), &chain).is_err(), "{text}");
        }
    }
}
