//! What a worker must not forget: whose folder it is, how often it started, and for each job what it found and signed.
//!
//! Every file is replaced whole and durable before anything that is in it is said. A record goes when its time is over by this
//! machine's clock, never because somebody says that the job is gone.

use std::collections::BTreeMap;
use std::sync::Arc;

use cairn_classes::compute::{RunResult, seal};
use cairn_client::names::{Mended, WORKER};
use cairn_core::report::Report;
use cairn_core::{DeviceId, Hash, JobId, NetworkId};
use cairn_log::{Disk, WriterLock, read_whole, replace_whole};
use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};

use crate::NodeError;

const JOB: &str = ".job";
/// More than any of these files.
const FILE_BYTES_MAX: u64 = 256 << 10;

/// What was found of a job, and what was signed of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// The job.
    pub job: JobId,
    /// The gas table of its order.
    pub gas_table: u32,
    /// What came out.
    pub result: RunResult,
    /// What it is sealed with.
    pub salt: [u8; 16],
    /// The signed commit, once there is one.
    pub commit: Option<Vec<u8>>,
    /// The signed reveal, once there is one.
    pub reveal: Option<Vec<u8>>,
    /// Until when it is kept, by this machine's clock; ms since 1970 UTC.
    pub keep_until_ms: u64,
}

impl Record {
    /// The seal.
    #[must_use]
    pub fn seal(&self, device: &DeviceId) -> Hash {
        seal(&self.job, device, &self.result.digest(self.gas_table, &self.job), &self.salt)
    }
}

/// A record as it is written.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    job: String,
    gas_table: u32,
    outcome: u32,
    gas: u64,
    output: String,
    output_bytes: u64,
    salt: String,
    /// It follows from everything else, and so tells whether that is what was written.
    seal: String,
    commit: Option<String>,
    reveal: Option<String>,
    keep_until_ms: u64,
}

impl Written {
    fn of(record: &Record, device: &DeviceId) -> Self {
        let hex = |bytes: &Vec<u8>| HEXLOWER.encode(bytes);
        Self {
            job: record.job.to_string(),
            gas_table: record.gas_table,
            outcome: record.result.outcome,
            gas: record.result.gas,
            output: record.result.output.to_hex(),
            output_bytes: record.result.output_bytes,
            salt: HEXLOWER.encode(&record.salt),
            seal: record.seal(device).to_hex(),
            commit: record.commit.as_ref().map(hex),
            reveal: record.reveal.as_ref().map(hex),
            keep_until_ms: record.keep_until_ms,
        }
    }

    fn read(self, device: &DeviceId) -> Option<Record> {
        let bytes = |text: &str| HEXLOWER.decode(text.as_bytes()).ok();
        let signed = |text: Option<String>| text.map_or(Some(None), |text| bytes(&text).map(Some));
        let record = Record {
            job: JobId::parse(&self.job).ok()?,
            gas_table: self.gas_table,
            result: RunResult {
                outcome: self.outcome,
                gas: self.gas,
                output: Hash::from_hex(&self.output)?,
                output_bytes: self.output_bytes,
            },
            salt: bytes(&self.salt)?.try_into().ok()?,
            commit: signed(self.commit)?,
            reveal: signed(self.reveal)?,
            keep_until_ms: self.keep_until_ms,
        };
        (record.seal(device).to_hex() == self.seal).then_some(record)
    }
}

/// A worker's folder, held by this program alone.
pub struct Records {
    disk: Arc<dyn Disk>,
    device: DeviceId,
    boot: u32,
    jobs: BTreeMap<JobId, Record>,
    /// Records that are not what was written; they are passed over.
    damaged: Vec<String>,
    mended: Vec<Mended>,
    _lock: Box<dyn WriterLock>,
}

impl Records {
    /// Opens the folder of a worker of a network, and counts a start. `told_boot` is the highest boot counter that the network
    /// has heard.
    ///
    /// # Errors
    /// [`NodeError::Locked`], [`NodeError::OtherNetwork`], [`NodeError::OtherDevice`], [`NodeError::Names`], or those of the
    /// disk.
    pub fn open(
        disk: Arc<dyn Disk>,
        network: NetworkId,
        device: DeviceId,
        told_boot: Option<u32>,
    ) -> Result<Self, NodeError> {
        let lock = disk.lock_writer().map_err(|error| match error.kind() {
            std::io::ErrorKind::WouldBlock => NodeError::Locked,
            _ => NodeError::Io(error),
        })?;
        let identity = WORKER.check_identity(&*disk, network, device)?;
        let (jobs, damaged) = (BTreeMap::new(), Vec::new());
        let mended = identity.into_iter().collect();
        let mut records = Self { disk, device, boot: 0, jobs, damaged, mended, _lock: lock };
        records.read_jobs()?;
        let seen = || Ok::<_, NodeError>(records.highest_boot());
        let (boot, mended) = WORKER.count_start(&*records.disk, device, told_boot, seen)?;
        records.boot = boot;
        records.mended.extend(mended);
        Ok(records)
    }

    /// The highest boot counter of what was signed; `None` where nothing was kept yet.
    fn highest_boot(&self) -> Option<u32> {
        let signed = self.jobs.values().flat_map(|record| record.commit.iter().chain(&record.reveal));
        let boots = signed.filter_map(|bytes| Some(Report::parse(bytes).ok()?.body.boot));
        boots.max().or((!self.jobs.is_empty() || !self.damaged.is_empty()).then_some(0))
    }

    fn read_jobs(&mut self) -> Result<(), NodeError> {
        for name in self.disk.list()? {
            let Some(job) = name.strip_suffix(JOB).and_then(|job| JobId::parse(job).ok()) else { continue };
            let content = read_whole(&*self.disk, &name, FILE_BYTES_MAX)?.unwrap_or_default();
            let written = serde_json::from_slice::<Written>(&content).ok();
            match written.and_then(|written| written.read(&self.device)).filter(|record| record.job == job) {
                Some(record) => {
                    self.jobs.insert(job, record);
                }
                None => self.damaged.push(name),
            }
        }
        Ok(())
    }

    /// The boot counter of this start: no other start has had it.
    #[must_use]
    pub const fn boot(&self) -> u32 {
        self.boot
    }

    /// The records, by job.
    pub fn all(&self) -> impl Iterator<Item = &Record> {
        self.jobs.values()
    }

    /// The record of a job.
    #[must_use]
    pub fn get(&self, job: &JobId) -> Option<&Record> {
        self.jobs.get(job)
    }

    /// Files that are not what was written into them, and were passed over.
    #[must_use]
    pub fn damaged(&self) -> &[String] {
        &self.damaged
    }

    /// Small files that were damaged or gone, and what was done about it.
    #[must_use]
    pub fn mended(&self) -> &[Mended] {
        &self.mended
    }

    /// Keeps a record, durably, in place of the one before.
    ///
    /// # Errors
    /// Those of the disk.
    pub fn keep(&mut self, record: Record) -> Result<(), NodeError> {
        let written = Written::of(&record, &self.device);
        let bytes = serde_json::to_vec(&written).expect("a record is strings and numbers");
        replace_whole(&*self.disk, &format!("{}{JOB}", record.job), &bytes)?;
        self.jobs.insert(record.job, record);
        Ok(())
    }

    /// Forgets records whose time is over.
    ///
    /// # Errors
    /// Those of the disk.
    pub fn forget(&mut self, wall_ms: u64) -> Result<(), NodeError> {
        let over = self.jobs.values().filter(|record| record.keep_until_ms <= wall_ms);
        let over: Vec<JobId> = over.map(|record| record.job).collect();
        for job in over {
            self.disk.remove(&format!("{job}{JOB}"))?;
            self.jobs.remove(&job);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use cairn_core::cbor::Value;
    use cairn_core::key::SecretKey;
    use cairn_core::report::{ReportBody, sign_report};
    use cairn_testkit::disk::{Faults, FaultyDisk};

    use super::*;

    const NETWORK: NetworkId = NetworkId(Hash([1; 32]));
    const DEVICE: DeviceId = DeviceId([2; 16]);

    fn open(disk: &FaultyDisk, told: Option<u32>) -> Result<Records, NodeError> {
        Records::open(Arc::new(disk.clone()), NETWORK, DEVICE, told)
    }

    fn record(number: u8, keep_until_ms: u64) -> Record {
        let output = Hash::of(&[number]);
        Record {
            job: JobId(Hash([number; 32])),
            gas_table: 1,
            result: RunResult { outcome: 0, gas: 5, output, output_bytes: 1 },
            salt: [number; 16],
            commit: None,
            reveal: None,
            keep_until_ms,
        }
    }

    #[test]
    fn starts_are_counted_above_whatever_was_seen_also_where_the_counter_is_damaged() {
        use cairn_client::names::{BOOT, GAP};

        let disk = FaultyDisk::new(1, Faults::default());
        assert_eq!(open(&disk, None).unwrap().boot(), 1);
        assert_eq!(open(&disk, Some(7)).unwrap().boot(), 8 + GAP);
        assert_eq!(open(&disk, Some(u32::MAX)).err().unwrap().code(), "NODE-NAMES");
        for told in [None, Some(8 + GAP)] {
            let damaged = disk.twin(1);
            assert!(damaged.flip(BOOT, 0, 6));
            let records = open(&damaged, told).unwrap();
            assert_eq!(records.mended().len(), 1);
            assert!(records.boot() > told.unwrap_or(0).saturating_add(GAP), "{told:?}: {}", records.boot());
        }
        // What was signed is seen, whatever the network says.
        let key = SecretKey::ed25519([3; 32]);
        let report = sign_report(&key, DEVICE, &NETWORK, &ReportBody::of(5_000, 0, 1, "x", Value::map(vec![])));
        let mut records = open(&disk, None).unwrap();
        records.keep(Record { commit: Some(report), ..record(1, 100) }).unwrap();
        drop(records);
        assert!(disk.flip(BOOT, 0, 6));
        assert!(open(&disk, None).unwrap().boot() > 5_000 + GAP);
    }

    #[test]
    fn a_folder_is_one_workers_of_one_network_at_a_time() {
        let disk = FaultyDisk::new(1, Faults::default());
        let held = open(&disk, None).unwrap();
        assert_eq!(open(&disk, None).err().map(|error| error.code().to_owned()).as_deref(), Some("NODE-LOCKED"));
        drop(held);
        for (network, device, code) in
            [(NetworkId(Hash([9; 32])), DEVICE, "NODE-NETWORK"), (NETWORK, DeviceId([9; 16]), "NODE-DEVICE")]
        {
            let opened = Records::open(Arc::new(disk.clone()), network, device, None);
            assert_eq!(opened.err().map(|error| error.code().to_owned()).as_deref(), Some(code));
        }
        assert!(open(&disk, None).is_ok());
    }

    #[test]
    fn a_record_is_what_was_kept_or_is_passed_over_and_goes_in_its_time() {
        let disk = FaultyDisk::new(1, Faults::default());
        let mut records = open(&disk, None).unwrap();
        let signed = Record { commit: Some(vec![1, 2]), reveal: Some(vec![3]), ..record(2, 200) };
        records.keep(record(1, 100)).unwrap();
        records.keep(record(2, 200)).unwrap();
        records.keep(signed.clone()).unwrap();
        drop(records);
        let read: Vec<Record> = open(&disk, None).unwrap().all().cloned().collect();
        assert_eq!(read, [record(1, 100), signed.clone()]);
        let file = format!("{}{JOB}", signed.job);
        let content = disk.files().into_iter().find(|(name, _)| *name == file).unwrap().1;
        for at in 0..content.len() {
            assert!(disk.flip(&file, at, 0));
            let records = open(&disk, None).unwrap();
            // A turned bit in what was signed, or in its time, changes nothing that is sealed.
            let same = |read: &Record| Record { keep_until_ms: 0, commit: None, reveal: None, ..read.clone() };
            assert!(records.get(&signed.job).is_none_or(|read| same(read) == same(&signed)), "{at}");
            assert!(records.get(&signed.job).is_some() || records.damaged() == [file.clone()], "{at}");
            drop(records);
            assert!(disk.flip(&file, at, 0));
        }
        let mut records = open(&disk, None).unwrap();
        records.forget(100).unwrap();
        assert_eq!(records.all().cloned().collect::<Vec<_>>(), [signed]);
    }
}
