//! What is held against the network: promises, the receipts that they become, and what shows that one was broken.
//!
//! What it promises:
//! * A promise is durable before the queue lets go of what it is for, and stays until each of its reports has a receipt.
//! * It takes a bounded number of bytes. Where there is no more room the oldest receipts go first, then the oldest promises, and how
//!   many went is said. Evidence of broken promises is never given up for room; the first [`BROKEN_MAX`] are kept.
//! * A damaged file is passed over and said.
//!
//! Each file is written whole, once or again: `promises-N`, `receipts-N`, `broken-N`. A receipt holds the entry's bytes and a C2SP
//! `tlog-proof`, so that whoever has the log's key can check it with nothing else.

use std::collections::BTreeMap;
use std::sync::Arc;

use cairn_core::cbor::{self, CborError, Decoder, Encoder};
use cairn_log::Disk;
use cairn_merkle::tree::leaf_hash;
use cairn_merkle::{MerkleError, NoteVerifier, Receipt, SignedCheckpoint};

use super::files::{self, File, Files, bodies, name, read};
use crate::EdgeError;

/// Evidence of so many broken promises is kept.
pub const BROKEN_MAX: usize = 100;
const ROWS_MAX: usize = 4_096;
const PROMISES: &str = "promises-";
const RECEIPTS: &str = "receipts-";
const BROKEN: &str = "broken-";

/// A report that was promised.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Promised {
    /// Its boot counter.
    pub boot: u32,
    /// Its number within that boot.
    pub seq: u32,
    /// Where it is to stand in the log.
    pub index: u64,
    /// When the network received it, ms since 1970 UTC, if the promise is known to be for that; it makes the entry's bytes.
    pub received_ms: Option<u64>,
    /// The signed report.
    pub report: Vec<u8>,
}

/// A promise, and which of the reports under it were one's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptPromise {
    /// The signed note.
    pub note: String,
    /// When it was given, ms since 1970 UTC, if that is known.
    pub at_ms: Option<u64>,
    /// One's own reports under it that have no receipt yet.
    pub reports: Vec<Promised>,
}

/// A report that stands in the log, and what shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptReceipt {
    /// Its boot counter.
    pub boot: u32,
    /// Its number within that boot.
    pub seq: u32,
    /// Its place in the log.
    pub index: u64,
    /// The bytes of its entry.
    pub entry: Vec<u8>,
    /// The C2SP `tlog-proof`.
    pub proof: String,
}

impl KeptReceipt {
    /// Checks it with nothing but the log's key; answers the checkpoint that it leads to.
    ///
    /// # Errors
    /// [`MerkleError`].
    pub fn verify(&self, log: &NoteVerifier) -> Result<SignedCheckpoint, MerkleError> {
        let receipt: Receipt = self.proof.parse()?;
        if receipt.index != self.index {
            return Err(MerkleError::Receipt { reason: "it is for another index" });
        }
        receipt.verify(leaf_hash(&self.entry), log, &[])
    }
}

/// What shows that a promise was broken: anybody with the network's keys can check it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    /// The signed promise.
    pub note: String,
    /// The report that was promised a place.
    pub report: Promised,
    /// The entry that stands there instead, or that was promised instead of the report.
    pub entry: Vec<u8>,
    /// The `tlog-proof` of that entry.
    pub proof: String,
}

/// How much is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct KeptCounts {
    /// Reports that are promised and have no receipt yet.
    pub promised: u64,
    /// Reports with a receipt.
    pub receipts: u64,
    /// Broken promises of which evidence is kept.
    pub broken: u64,
    /// Receipts given up for room, in this start.
    pub receipts_aged_out: u64,
    /// Promises given up for room before they became receipts, in this start.
    pub promises_aged_out: u64,
    /// Bytes on disk.
    pub bytes: u64,
}

/// A folder of promises and receipts, written by one process.
pub struct Keep {
    disk: Arc<dyn Disk>,
    bytes_max: u64,
    next: u64,
    promises: Files,
    receipts: Files,
    broken: u64,
    aged_out: (u64, u64),
    damaged: Vec<String>,
}

impl Keep {
    /// Opens the folder.
    ///
    /// # Errors
    /// Those of the disk.
    pub fn open(disk: Arc<dyn Disk>, bytes_max: u64) -> Result<Self, EdgeError> {
        let (promises, receipts) = (Files::default(), Files::default());
        let damaged = Vec::new();
        let mut keep = Self { disk, bytes_max, next: 0, promises, receipts, broken: 0, aged_out: (0, 0), damaged };
        for name in keep.disk.list()? {
            let Some((kind, number)) = split(&name) else { continue };
            keep.next = keep.next.max(number + 1);
            let Some(body) = read(&*keep.disk, &name)? else {
                keep.damaged.push(name);
                continue;
            };
            let cost = |rows| File::of(&body, rows);
            match kind {
                PROMISES => match decode_promise(&body) {
                    Ok(promise) => keep.promises.insert(number, cost(promise.reports.len())),
                    Err(_) => keep.damaged.push(name),
                },
                RECEIPTS => match decode_receipts(&body) {
                    Ok(receipts) => keep.receipts.insert(number, cost(receipts.len())),
                    Err(_) => keep.damaged.push(name),
                },
                _ => keep.broken += 1,
            }
        }
        Ok(keep)
    }

    /// How much is kept.
    #[must_use]
    pub fn counts(&self) -> KeptCounts {
        let (receipts_aged_out, promises_aged_out) = self.aged_out;
        KeptCounts {
            promised: self.promises.rows,
            receipts: self.receipts.rows,
            broken: self.broken,
            receipts_aged_out,
            promises_aged_out,
            bytes: self.bytes(),
        }
    }

    /// Files that were found damaged, and passed over.
    #[must_use]
    pub fn damaged(&self) -> &[String] {
        &self.damaged
    }

    /// Keeps a promise, durably.
    ///
    /// # Errors
    /// Those of the disk.
    pub fn promise(&mut self, promise: &KeptPromise) -> Result<(), EdgeError> {
        let number = self.take_number();
        let bytes = self.write(PROMISES, number, encode_promise(promise))?;
        self.promises.insert(number, File { bytes, rows: promise.reports.len() as u64 });
        self.make_room(number)
    }

    /// The oldest promise above `after`, with its number. A damaged one is passed over.
    ///
    /// # Errors
    /// Those of the disk.
    pub fn oldest_promise(&mut self, after: Option<u64>) -> Result<Option<(u64, KeptPromise)>, EdgeError> {
        let from = after.map_or(0, |after| after + 1);
        while let Some(number) = self.promises.files.range(from..).next().map(|(number, _)| *number) {
            let name = name(PROMISES, number);
            match read(&*self.disk, &name)?.map(|body| decode_promise(&body)) {
                Some(Ok(promise)) => return Ok(Some((number, promise))),
                _ => {
                    self.promises.remove(number);
                    self.damaged.push(name);
                }
            }
        }
        Ok(None)
    }

    /// Keeps receipts of reports of a promise, and of the promise what is `left`. A crash in between leaves both.
    ///
    /// # Errors
    /// Those of the disk.
    pub fn upgrade(&mut self, number: u64, left: &KeptPromise, receipts: &[KeptReceipt]) -> Result<(), EdgeError> {
        if !receipts.is_empty() {
            let number = self.take_number();
            let bytes = self.write(RECEIPTS, number, encode_receipts(receipts))?;
            self.receipts.insert(number, File { bytes, rows: receipts.len() as u64 });
        }
        if left.reports.is_empty() {
            self.disk.remove(&name(PROMISES, number))?;
            self.promises.remove(number);
        } else {
            let bytes = self.write(PROMISES, number, encode_promise(left))?;
            self.promises.insert(number, File { bytes, rows: left.reports.len() as u64 });
        }
        self.make_room(u64::MAX)
    }

    /// Keeps evidence.
    ///
    /// # Errors
    /// Those of the disk.
    pub fn broken(&mut self, broken: &Broken) -> Result<(), EdgeError> {
        if self.broken < BROKEN_MAX as u64 {
            let number = self.take_number();
            self.write(BROKEN, number, encode_broken(broken))?;
            self.broken += 1;
        }
        Ok(())
    }

    fn take_number(&mut self) -> u64 {
        self.next += 1;
        self.next - 1
    }

    const fn bytes(&self) -> u64 {
        self.promises.bytes + self.receipts.bytes
    }

    fn write(&self, kind: &str, number: u64, body: Encoder) -> Result<u64, EdgeError> {
        let body = body.into_bytes();
        files::write(&*self.disk, kind, number, &body)?;
        Ok(File::of(&body, 0).bytes)
    }

    /// Gives up the oldest until the rest fits; never the promise with the number `spared`.
    fn make_room(&mut self, spared: u64) -> Result<(), EdgeError> {
        while self.bytes() > self.bytes_max {
            if let Some((number, file)) = self.receipts.oldest() {
                self.disk.remove(&name(RECEIPTS, number))?;
                self.receipts.remove(number);
                self.aged_out.0 += file.rows;
            } else if let Some((number, file)) = self.promises.oldest().filter(|(number, _)| *number != spared) {
                self.disk.remove(&name(PROMISES, number))?;
                self.promises.remove(number);
                self.aged_out.1 += file.rows;
            } else {
                break;
            }
        }
        Ok(())
    }
}

/// All receipts of a folder, in the order in which they came; each report once. Another process may be writing there.
///
/// # Errors
/// Those of the disk.
pub fn receipts(disk: &dyn Disk) -> Result<Vec<KeptReceipt>, EdgeError> {
    let mut all: BTreeMap<(u32, u32), KeptReceipt> = BTreeMap::new();
    for (_, body) in bodies(disk, RECEIPTS)? {
        for receipt in decode_receipts(&body).unwrap_or_default() {
            all.insert((receipt.boot, receipt.seq), receipt);
        }
    }
    Ok(all.into_values().collect())
}

/// All promises of a folder that have not all become receipts, in the order in which they came.
///
/// # Errors
/// Those of the disk.
pub fn promises(disk: &dyn Disk) -> Result<Vec<KeptPromise>, EdgeError> {
    Ok(bodies(disk, PROMISES)?.iter().filter_map(|(_, body)| decode_promise(body).ok()).collect())
}

/// The evidence of broken promises of a folder.
///
/// # Errors
/// Those of the disk.
pub fn broken(disk: &dyn Disk) -> Result<Vec<Broken>, EdgeError> {
    Ok(bodies(disk, BROKEN)?.iter().filter_map(|(_, body)| decode_broken(body).ok()).collect())
}

fn split(name: &str) -> Option<(&'static str, u64)> {
    [PROMISES, RECEIPTS, BROKEN].into_iter().find_map(|kind| Some((kind, files::number(kind, name)?)))
}

fn encode_promised(out: &mut Encoder, report: &Promised) {
    out.array(5).uint(report.boot.into()).uint(report.seq.into()).uint(report.index);
    match report.received_ms {
        Some(received_ms) => out.array(1).uint(received_ms),
        None => out.array(0),
    };
    out.bytes(&report.report);
}

fn decode_promised(input: &mut Decoder<'_>) -> cbor::Result<Promised> {
    input.array_exact(5)?;
    let (boot, seq, index) = (input.uint32()?, input.uint32()?, input.uint()?);
    let received_ms = input.list(1, Decoder::uint)?.pop();
    let promised = Promised { boot, seq, index, received_ms, report: input.bytes()?.to_vec() };
    input.leave();
    Ok(promised)
}

fn encode_promise(promise: &KeptPromise) -> Encoder {
    let mut out = Encoder::empty();
    out.array(3).bytes(promise.note.as_bytes());
    match promise.at_ms {
        Some(at_ms) => out.array(1).uint(at_ms),
        None => out.array(0),
    };
    out.array(promise.reports.len());
    promise.reports.iter().for_each(|report| encode_promised(&mut out, report));
    out
}

fn decode_promise(bytes: &[u8]) -> cbor::Result<KeptPromise> {
    let mut input = Decoder::over(bytes);
    input.array_exact(3)?;
    let note = text(&mut input)?;
    let at_ms = input.list(1, Decoder::uint)?.pop();
    let reports = input.list(ROWS_MAX, decode_promised)?;
    input.leave();
    input.end()?;
    Ok(KeptPromise { note, at_ms, reports })
}

fn encode_receipts(receipts: &[KeptReceipt]) -> Encoder {
    let mut out = Encoder::empty();
    out.array(receipts.len());
    for receipt in receipts {
        out.array(5).uint(receipt.boot.into()).uint(receipt.seq.into()).uint(receipt.index);
        out.bytes(&receipt.entry).bytes(receipt.proof.as_bytes());
    }
    out
}

fn decode_receipts(bytes: &[u8]) -> cbor::Result<Vec<KeptReceipt>> {
    let mut input = Decoder::over(bytes);
    let receipts = input.list(ROWS_MAX, |input| {
        input.array_exact(5)?;
        let (boot, seq, index) = (input.uint32()?, input.uint32()?, input.uint()?);
        let receipt = KeptReceipt { boot, seq, index, entry: input.bytes()?.to_vec(), proof: text(input)? };
        input.leave();
        Ok(receipt)
    })?;
    input.end()?;
    Ok(receipts)
}

fn encode_broken(broken: &Broken) -> Encoder {
    let mut out = Encoder::empty();
    out.array(4).bytes(broken.note.as_bytes());
    encode_promised(&mut out, &broken.report);
    out.bytes(&broken.entry).bytes(broken.proof.as_bytes());
    out
}

fn decode_broken(bytes: &[u8]) -> cbor::Result<Broken> {
    let mut input = Decoder::over(bytes);
    input.array_exact(4)?;
    let (note, report) = (text(&mut input)?, decode_promised(&mut input)?);
    let broken = Broken { note, report, entry: input.bytes()?.to_vec(), proof: text(&mut input)? };
    input.leave();
    input.end()?;
    Ok(broken)
}

/// Text that need not be ASCII, as bytes.
fn text(input: &mut Decoder<'_>) -> cbor::Result<String> {
    let at = input.position();
    String::from_utf8(input.bytes()?.to_vec()).map_err(|_| CborError::Range { at, what: "no text" })
}

#[cfg(test)]
mod tests {
    use cairn_testkit::disk::{Faults, FaultyDisk};

    use super::*;

    fn promised(seq: u32) -> Promised {
        Promised {
            boot: 1,
            seq,
            index: 100 + u64::from(seq),
            received_ms: seq.is_multiple_of(2).then_some(7),
            report: vec![1; 100],
        }
    }

    fn promise(seqs: &[u32]) -> KeptPromise {
        KeptPromise { note: "a note".into(), at_ms: None, reports: seqs.iter().map(|seq| promised(*seq)).collect() }
    }

    fn receipt(seq: u32) -> KeptReceipt {
        KeptReceipt { boot: 1, seq, index: 100 + u64::from(seq), entry: vec![2; 100], proof: "a proof".into() }
    }

    #[test]
    fn promises_become_receipts_and_both_outlive_a_power_cut() {
        let disk = FaultyDisk::new(1, Faults::default());
        let mut keep = Keep::open(Arc::new(disk.clone()), 1 << 20).unwrap();
        keep.promise(&promise(&[1, 2, 3])).unwrap();
        keep.promise(&promise(&[4])).unwrap();
        let (number, held) = keep.oldest_promise(None).unwrap().unwrap();
        assert_eq!(held, promise(&[1, 2, 3]));
        keep.upgrade(number, &promise(&[2]), &[receipt(1), receipt(3)]).unwrap();
        assert_eq!(keep.oldest_promise(Some(number)).unwrap().unwrap().1, promise(&[4]));
        let evidence = Broken { note: "n".into(), report: promised(2), entry: vec![9], proof: "p".into() };
        keep.broken(&evidence).unwrap();
        keep.upgrade(number, &promise(&[]), &[]).unwrap();
        let counts = keep.counts();
        assert_eq!((counts.promised, counts.receipts, counts.broken), (1, 2, 1));
        disk.cut_power(Faults::default());
        let keep = Keep::open(Arc::new(disk.clone()), 1 << 20).unwrap();
        assert_eq!(keep.counts(), counts);
        assert_eq!(receipts(&disk).unwrap(), [receipt(1), receipt(3)]);
        assert_eq!(promises(&disk).unwrap(), [promise(&[4])]);
        assert_eq!(broken(&disk).unwrap(), [evidence]);
    }

    #[test]
    fn the_oldest_go_when_there_is_no_more_room_receipts_first_and_it_is_counted() {
        let disk = FaultyDisk::new(1, Faults::default());
        let mut keep = Keep::open(Arc::new(disk.clone()), 6_000).unwrap();
        for seq in 0..40 {
            keep.promise(&promise(&[seq])).unwrap();
            if seq < 20 {
                let (number, _) = keep.oldest_promise(None).unwrap().unwrap();
                keep.upgrade(number, &promise(&[]), &[receipt(seq)]).unwrap();
            }
            assert!(keep.counts().bytes <= 6_000);
        }
        let counts = keep.counts();
        assert_eq!(counts.receipts + counts.receipts_aged_out, 20);
        assert_eq!(counts.promised + counts.promises_aged_out, 20);
        assert_eq!(counts.receipts, 0, "a promise is worth more than a receipt that was there to be read");
        assert_eq!(promises(&disk).unwrap().last(), Some(&promise(&[39])));
    }

    #[test]
    fn a_damaged_file_is_passed_over_and_said() {
        let disk = FaultyDisk::new(1, Faults::default());
        let mut keep = Keep::open(Arc::new(disk.clone()), 1 << 20).unwrap();
        keep.promise(&promise(&[1])).unwrap();
        keep.promise(&promise(&[2])).unwrap();
        assert!(disk.flip(&name(PROMISES, 0), 30, 3));
        assert_eq!(keep.oldest_promise(None).unwrap().unwrap().1, promise(&[2]));
        disk.kill(Faults::default());
        let keep = Keep::open(Arc::new(disk), 1 << 20).unwrap();
        assert_eq!((keep.damaged().len(), keep.counts().promised), (1, 1));
    }
}
