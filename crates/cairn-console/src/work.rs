//! What pages ask of the market of work: jobs as they stand, jobs that are settled, and why their workers.

use cairn_api::{JobInfo, JobList, OrderInfo, SaleList, SaleProof, VerdictInfo};
use cairn_core::entry::{Entry, EntryKind};
use cairn_core::statement::{Body, Statement};
use cairn_core::{DeviceId, JobId};
use cairn_ledger::{ClosedEpochs, Drawn, JobFilter, LedgerError, order_info};

use crate::error::ConsoleError;
use crate::reader::Reader;

/// Epochs that are looked through for the sale of a job that the market has forgotten.
const EPOCHS_MAX: u64 = 48;
/// Verdicts of one device in one epoch that are looked through for those of a job.
const VERDICTS_MAX: u64 = 20_000;

type Read<T> = Result<T, ConsoleError>;

/// An order and its entry.
#[derive(Debug, Clone)]
pub(crate) struct Ordered {
    pub index: u64,
    pub received_ms: u64,
    pub order: OrderInfo,
}

/// A job that an auditor ran again.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub(crate) struct Replay {
    pub job: String,
    /// The entry of its word.
    pub index: u64,
    pub digest: String,
    /// Whether a quorum found the same; `null` where there is none yet.
    pub is_the_truth: Option<bool>,
}

impl Reader<'_> {
    /// What an auditor said of the jobs that the market has, newest first, at most so many.
    pub(crate) fn replays_of(&self, auditor: &str, most: usize) -> Read<Vec<Replay>> {
        let ledger = self.ledger()?;
        let mut replays = Vec::new();
        for (id, job) in ledger.state().market.jobs() {
            let said = job.replays.iter().find(|said| crate::beside::address(&said.auditor) == auditor);
            replays.extend(said.map(|said| Replay {
                job: id.to_string(),
                index: said.index,
                digest: said.digest.to_hex(),
                is_the_truth: job.truth.map(|truth| truth == said.digest),
            }));
        }
        drop(ledger);
        replays.sort_unstable_by_key(|replay| core::cmp::Reverse(replay.index));
        replays.truncate(most);
        Ok(replays)
    }

    /// The jobs of the market that a filter lets through.
    pub(crate) fn jobs(&self, filter: &JobFilter, limit: u64) -> Read<JobList> {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        Ok(self.ledger()?.job_list(filter, limit, self.clock)?)
    }

    /// A job while the market has it: open, or settled and still to be disputed.
    pub(crate) fn job(&self, job: &JobId) -> Read<Option<JobInfo>> {
        match self.ledger()?.job_info(job, self.clock) {
            Ok(info) => Ok(Some(info)),
            Err(LedgerError::NoJob { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Jobs that are not settled, and whether there is a market at all.
    pub(crate) fn open_jobs(&self) -> Read<Option<u64>> {
        let ledger = self.ledger()?;
        let state = ledger.state();
        let has_market = state.desk(state.received_ms).is_ok() || !state.market.is_empty();
        Ok(has_market.then(|| state.market.open_jobs()))
    }

    /// Whether the market has a job, or one of the last epochs settled it.
    pub(crate) fn has_job(&self, job: &JobId) -> Read<bool> {
        if self.ledger()?.state().market.job(job).is_some() {
            return Ok(true);
        }
        Ok(self.sale_of(job, None)?.is_some())
    }

    pub(crate) fn sales(&self, epoch: u64, after: u64, limit: u64) -> Read<SaleList> {
        Ok(self.closed()?.sale_list(epoch, after, limit)?)
    }

    /// The sale of a job with its proof: of `epoch` if it is said, or of one of the last epochs.
    pub(crate) fn sale_of(&self, job: &JobId, epoch: Option<u64>) -> Read<Option<SaleProof>> {
        let closed = self.closed()?;
        let epochs = match epoch {
            Some(epoch) => epoch..epoch.saturating_add(1),
            None => closed.open().saturating_sub(EPOCHS_MAX)..closed.open(),
        };
        for epoch in epochs.rev() {
            // Most epochs of most networks settle nothing, and their statement says so.
            if closed.statement(epoch)?.sales.is_none() {
                continue;
            }
            match closed.sale_proof(epoch, job) {
                Ok(sale) => return Ok(Some(sale)),
                Err(LedgerError::NoSale { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(None)
    }

    /// The order at an entry of the log, if it is this job's.
    pub(crate) fn order_at(&self, job: &JobId, index: u64) -> Read<Option<Ordered>> {
        let bytes = self.log.entry(index)?;
        let Ok(entry) = Entry::decode(&bytes) else { return Ok(None) };
        let statement = (entry.kind == EntryKind::Statement).then(|| Statement::parse(entry.body).ok()).flatten();
        let statement = statement.filter(|statement| JobId(statement.payload_hash()) == *job);
        Ok(statement.and_then(|statement| match &statement.body {
            Body::Order(order) => Some(Ordered { index, received_ms: entry.received_ms, order: order_info(order) }),
            _ => None,
        }))
    }

    /// The lottery of a job's order, drawn again.
    pub(crate) fn drawing(&self, job: &JobId, index: u64, assigned: Option<&[DeviceId]>) -> Read<Drawn> {
        Ok(self.closed()?.drawing(self.log, job, index, assigned)?)
    }

    /// The verdict of an epoch over a device's work for the order at an entry.
    pub(crate) fn verdict_on(&self, epoch: u64, device: &str, order: u64) -> Read<Option<VerdictInfo>> {
        let Ok(device) = DeviceId::parse(device) else { return Ok(None) };
        let closed: ClosedEpochs = self.closed()?;
        let verdicts = closed.verdict_list(epoch, Some(&device), 0, VERDICTS_MAX)?.verdicts;
        let is_work = |verdict: &VerdictInfo| verdict.class == cairn_classes::compute::SCHEMA;
        Ok(verdicts.into_iter().find(|verdict| is_work(verdict) && verdict.report == Some(order)))
    }
}
