//! What was refused for good, set aside: the payload under the name that it had, with the reason, so that its owner may have it
//! sent again, such as when the cause is mended or another gateway is asked.
//!
//! What it promises:
//! * What leaves the queue as refused is here first, durably.
//! * It takes a bounded number of bytes; the oldest go first, and how many went is said.
//! * What its owner asks for is queued again as the payload that it was, and stays here until the queue has it. A crash in between
//!   sends it twice, which the network answers as known.
//!
//! Each file is written whole, once or again: `aside-N`. What is asked for is the file `again`, written by another process than the
//! sender's and removed by the sender alone; while it is there nobody asks for more.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use cairn_core::cbor::{self, Decoder, Encoder};
use cairn_core::report::ReportBody;
use cairn_log::{Disk, read_whole, replace_whole};

use super::files::{self, File, Files, bodies, name, number, read};
use super::refusals::{Refusal, claimed_ms};
use crate::EdgeError;

const ASIDE: &str = "aside-";
const AGAIN: &str = "again";
const AGAIN_BYTES_MAX: u64 = 16 << 20;
const ROWS_MAX: usize = 4_096;
const GATEWAYS_MAX: usize = 64;

/// A report that was refused for good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetAside {
    /// The file that it is in: with its name, what tells it from everything else here.
    pub file: u64,
    /// Why, when, and who said so. The name is the payload's own.
    pub refusal: Refusal,
    /// The payload that was signed.
    pub payload: Vec<u8>,
}

/// A place here: the file, and the name of the report in it.
pub type Place = (u64, (u32, u32));

/// How much is set aside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct AsideCounts {
    /// Reports.
    pub reports: u64,
    /// Bytes on disk.
    pub bytes: u64,
    /// Reports given up for room, in this start.
    pub aged_out: u64,
}

/// Everything set aside in a folder, oldest first, each report once: as it was refused last. Another process may be writing there.
///
/// # Errors
/// Those of the disk.
pub fn set_aside(disk: &dyn Disk) -> Result<Vec<SetAside>, EdgeError> {
    let mut all: BTreeMap<(u32, u32), SetAside> = BTreeMap::new();
    for (number, body) in bodies(disk, ASIDE)? {
        let rows = decode(number, &body).unwrap_or_default();
        all.extend(rows.into_iter().filter_map(|row| Some((row.refusal.name?, row))));
    }
    let mut all: Vec<SetAside> = all.into_values().collect();
    all.sort_by_key(|row| (row.file, row.refusal.name));
    Ok(all)
}

/// Asks the sender of a folder, now or when it next runs, to queue these again. Answers whether it was asked: not while it still has
/// to do what it was asked before.
///
/// # Errors
/// Those of the disk.
pub fn ask_again(disk: &dyn Disk, places: &[Place]) -> Result<bool, EdgeError> {
    if is_asked(disk)? {
        return Ok(false);
    }
    let text = serde_json::to_vec(places).map_err(std::io::Error::other)?;
    replace_whole(disk, AGAIN, &text)?;
    Ok(true)
}

/// Whether something was asked for that is not queued yet.
///
/// # Errors
/// Those of the disk.
pub fn is_asked(disk: &dyn Disk) -> Result<bool, EdgeError> {
    Ok(disk.list()?.iter().any(|name| name == AGAIN))
}

/// A file with something that was asked for: its number, that, and what else is in it.
type Found = (u64, Vec<SetAside>, Vec<SetAside>);

/// A folder of what was set aside, written by one process.
pub(super) struct Aside {
    disk: Arc<dyn Disk>,
    bytes_max: u64,
    next: u64,
    files: Files,
    aged_out: u64,
}

impl Aside {
    /// Opens the folder; a damaged file is passed over.
    pub fn open(disk: Arc<dyn Disk>, bytes_max: u64) -> Result<Self, EdgeError> {
        let (next, files) = (0, Files::default());
        let mut aside = Self { disk, bytes_max, next, files, aged_out: 0 };
        for found in aside.disk.list()? {
            aside.next = number(ASIDE, &found).map_or(aside.next, |number| aside.next.max(number + 1));
        }
        for (number, body) in bodies(&*aside.disk, ASIDE)? {
            let rows = decode(number, &body).map_or(0, |rows| rows.len());
            aside.files.insert(number, File::of(&body, rows));
        }
        Ok(aside)
    }

    pub const fn counts(&self) -> AsideCounts {
        AsideCounts { reports: self.files.rows, bytes: self.files.bytes, aged_out: self.aged_out }
    }

    /// Sets some aside, durably.
    pub fn add(&mut self, refused: &[(Refusal, &[u8])]) -> Result<(), EdgeError> {
        for some in refused.chunks(ROWS_MAX) {
            let number = self.next;
            self.next += 1;
            self.write(number, some)?;
        }
        while self.files.bytes > self.bytes_max
            && let Some((number, file)) = self.files.oldest()
        {
            self.disk.remove(&name(ASIDE, number))?;
            self.files.remove(number);
            self.aged_out += file.rows;
        }
        Ok(())
    }

    /// What was asked for again, if something was.
    pub fn asked(&self) -> Result<Option<BTreeSet<Place>>, EdgeError> {
        let bytes = read_whole(&*self.disk, AGAIN, AGAIN_BYTES_MAX)?;
        // What cannot be read asks for nothing.
        Ok(bytes.map(|bytes| serde_json::from_slice(&bytes).unwrap_or_default()))
    }

    /// The first file with something that was asked for.
    pub fn first_of(&self, asked: &BTreeSet<Place>) -> Result<Option<Found>, EdgeError> {
        let numbers: BTreeSet<u64> = asked.iter().map(|(number, _)| *number).collect();
        for number in numbers.into_iter().filter(|number| self.files.files.contains_key(number)) {
            let body = read(&*self.disk, &name(ASIDE, number))?.unwrap_or_default();
            let is_asked = |row: &SetAside| row.refusal.name.is_some_and(|name| asked.contains(&(number, name)));
            let (some, rest): (Vec<_>, Vec<_>) =
                decode(number, &body).unwrap_or_default().into_iter().partition(is_asked);
            if !some.is_empty() {
                return Ok(Some((number, some, rest)));
            }
        }
        Ok(None)
    }

    /// Keeps of a file what is left, durably.
    pub fn leave(&mut self, number: u64, rest: &[SetAside]) -> Result<(), EdgeError> {
        if !rest.is_empty() {
            let rest: Vec<_> = rest.iter().map(|row| (row.refusal.clone(), row.payload.as_slice())).collect();
            return self.write(number, &rest);
        }
        self.disk.remove(&name(ASIDE, number))?;
        self.disk.sync_folder()?;
        self.files.remove(number);
        Ok(())
    }

    /// Everything that was asked for is queued.
    pub fn is_done(&self) -> Result<(), EdgeError> {
        self.disk.remove(AGAIN)?;
        Ok(self.disk.sync_folder()?)
    }

    fn write(&mut self, number: u64, rows: &[(Refusal, &[u8])]) -> Result<(), EdgeError> {
        let mut out = Encoder::empty();
        out.array(rows.len());
        rows.iter().for_each(|(refusal, payload)| encode(&mut out, refusal, payload));
        let body = out.into_bytes();
        files::write(&*self.disk, ASIDE, number, &body)?;
        self.files.insert(number, File::of(&body, rows.len()));
        Ok(())
    }
}

fn encode(out: &mut Encoder, refusal: &Refusal, payload: &[u8]) {
    out.array(6);
    match refusal.at_ms {
        Some(at_ms) => out.array(1).uint(at_ms),
        None => out.array(0),
    };
    out.bytes(refusal.code.as_bytes()).bytes(refusal.detail.as_bytes());
    match &refusal.hint {
        Some(hint) => out.array(1).bytes(hint.as_bytes()),
        None => out.array(0),
    };
    out.array(refusal.gateways.len());
    refusal.gateways.iter().for_each(|gateway| _ = out.bytes(gateway.as_bytes()));
    out.bytes(payload);
}

fn decode(file: u64, bytes: &[u8]) -> cbor::Result<Vec<SetAside>> {
    let mut input = Decoder::over(bytes);
    let text = |input: &mut Decoder<'_>| Ok(String::from_utf8_lossy(input.bytes()?).into_owned());
    let rows = input.list(ROWS_MAX, |input| {
        input.array_exact(6)?;
        let at_ms = input.list(1, Decoder::uint)?.pop();
        let (code, detail) = (text(input)?, text(input)?);
        let hint = input.list(1, text)?.pop();
        let gateways = input.list(GATEWAYS_MAX, text)?;
        let payload = input.bytes()?.to_vec();
        input.leave();
        let body = ReportBody::decode(&payload).ok();
        let name = body.as_ref().map(|body| (body.boot, body.seq));
        let measured_ms = body.as_ref().and_then(claimed_ms);
        Ok(SetAside { file, refusal: Refusal { name, measured_ms, at_ms, code, detail, hint, gateways }, payload })
    })?;
    input.end()?;
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use cairn_core::cbor::Value;
    use cairn_testkit::disk::{Faults, FaultyDisk};

    use super::*;

    fn payload(seq: u32) -> Vec<u8> {
        ReportBody::of(3, seq, 1_000 + u64::from(seq), "sensing/1", Value::map(vec![(1, Value::Int(7))])).encode()
    }

    fn refusal(seq: u32) -> Refusal {
        Refusal {
            name: Some((3, seq)),
            measured_ms: Some(1_000 + u64::from(seq)),
            at_ms: (seq > 1).then_some(9),
            code: "CLS-MODEL".to_owned(),
            detail: "no such model".to_owned(),
            hint: (seq > 2).then(|| "name another".to_owned()),
            gateways: vec!["http://a".to_owned(), "http://b".to_owned()],
        }
    }

    fn add(aside: &mut Aside, seqs: core::ops::Range<u32>) -> Result<(), EdgeError> {
        let payloads: Vec<(Refusal, Vec<u8>)> = seqs.map(|seq| (refusal(seq), payload(seq))).collect();
        aside.add(&payloads.iter().map(|(refusal, payload)| (refusal.clone(), payload.as_slice())).collect::<Vec<_>>())
    }

    fn names(disk: &FaultyDisk) -> Vec<u32> {
        set_aside(disk).unwrap().iter().map(|row| row.refusal.name.unwrap().1).collect()
    }

    #[test]
    fn what_is_set_aside_outlives_a_power_cut_as_it_was_and_leaves_when_it_was_asked_for() {
        let disk = FaultyDisk::new(1, Faults::default());
        let mut aside = Aside::open(Arc::new(disk.clone()), 1 << 20).unwrap();
        add(&mut aside, 0..3).unwrap();
        add(&mut aside, 3..5).unwrap();
        // After a crash something may be set aside twice; it is listed once.
        add(&mut aside, 4..5).unwrap();
        let counts = aside.counts();
        disk.cut_power(Faults::default());
        let mut aside = Aside::open(Arc::new(disk.clone()), 1 << 20).unwrap();
        assert_eq!((aside.counts(), counts.reports), (counts, 6));
        let rows = set_aside(&disk).unwrap();
        assert_eq!(names(&disk), [0, 1, 2, 3, 4]);
        assert!((0..5).zip(&rows).all(|(seq, row)| (row.refusal == refusal(seq)) && row.payload == payload(seq)));

        let places: Vec<Place> = [1, 4].map(|at: usize| (rows[at].file, rows[at].refusal.name.unwrap())).into();
        assert!(ask_again(&disk, &places).unwrap());
        assert!(!ask_again(&disk, &places).unwrap(), "one thing at a time");
        let asked = aside.asked().unwrap().unwrap();
        let mut queued = Vec::new();
        while let Some((number, some, rest)) = aside.first_of(&asked).unwrap() {
            queued.extend(some.into_iter().map(|row| row.payload));
            aside.leave(number, &rest).unwrap();
        }
        aside.is_done().unwrap();
        assert_eq!(queued, [payload(1), payload(4)]);
        disk.cut_power(Faults::default());
        assert_eq!((names(&disk), is_asked(&disk).unwrap()), (vec![0, 2, 3, 4], false));
        assert_eq!(set_aside(&disk).unwrap()[3].file, 1, "the other one of them");
    }

    #[test]
    fn the_oldest_go_when_there_is_no_more_room_and_are_counted() {
        let disk = FaultyDisk::new(1, Faults::default());
        let mut aside = Aside::open(Arc::new(disk.clone()), 5_000).unwrap();
        for seq in 0..100 {
            add(&mut aside, seq..seq + 1).unwrap();
            assert!(aside.counts().bytes <= 5_000);
        }
        let AsideCounts { reports, aged_out, .. } = aside.counts();
        assert!(reports > 3 && reports + aged_out == 100);
        assert_eq!(names(&disk), (u32::try_from(aged_out).unwrap()..100).collect::<Vec<_>>());
    }

    #[test]
    fn a_crash_at_any_write_leaves_what_was_set_aside() {
        for crash_at in 1..60 {
            let disk = FaultyDisk::new(crash_at, Faults { crash_at: Some(crash_at), ..Faults::default() });
            let mut kept = Vec::new();
            let mut asked = false;
            if let Ok(mut aside) = Aside::open(Arc::new(disk.clone()), 1 << 20) {
                for seq in 0..6 {
                    if add(&mut aside, seq..seq + 1).is_ok() {
                        kept.push(seq);
                    }
                }
                asked = kept.len() == 6 && ask_again(&disk, &[(2, (3, 2))]).unwrap_or(false);
                if let Ok(Some((number, _, rest))) = aside.first_of(&BTreeSet::from([(2, (3, 2))])) {
                    let _ = aside.leave(number, &rest);
                }
            }
            disk.cut_power(Faults::default());
            let found = names(&disk);
            let must: Vec<u32> = kept.iter().copied().filter(|seq| *seq != 2).collect();
            assert!(must.iter().all(|seq| found.contains(seq)), "{crash_at}: {found:?} of {kept:?}");
            assert!(!asked || is_asked(&disk).unwrap(), "{crash_at}");
        }
    }

    #[test]
    fn damage_costs_a_file_and_a_damaged_wish_is_none() {
        let disk = FaultyDisk::new(1, Faults::default());
        let mut aside = Aside::open(Arc::new(disk.clone()), 1 << 20).unwrap();
        add(&mut aside, 0..1).unwrap();
        add(&mut aside, 1..2).unwrap();
        assert!(disk.flip(&name(ASIDE, 0), 30, 3));
        assert_eq!(names(&disk), [1]);
        replace_whole(&disk, AGAIN, b"[[0,").unwrap();
        assert_eq!(aside.asked().unwrap(), Some(BTreeSet::new()));
    }
}
