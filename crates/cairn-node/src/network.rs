//! What a worker asks of a network, and a gateway that answers.

use cairn_api::{JobInfo, ResultStatus, SubmitResponse};
use cairn_client::{Client, ClientError, Submitted};
use cairn_core::statement::Blob;
use cairn_core::{DeviceId, JobId};

use crate::NodeError;

/// What became of something that was said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// It stands in the log, now or from before.
    Taken {
        /// Its entry.
        index: u64,
        /// The signed note that promises it; empty where nobody makes any.
        promise: String,
    },
    /// It does not count.
    Refused {
        /// The stable code.
        code: String,
        /// In words.
        detail: String,
    },
}

/// Whom a worker works for. Nothing that it says is believed beyond what costs time.
pub trait Network: Send + Sync {
    /// The network's time, ms since 1970 UTC.
    ///
    /// # Errors
    /// [`NodeError`].
    fn time_ms(&self) -> Result<u64, NodeError>;

    /// The jobs that wait for a word of a worker, without their signed orders.
    ///
    /// # Errors
    /// [`NodeError`].
    fn assigned(&self, device: &DeviceId) -> Result<Vec<JobInfo>, NodeError>;

    /// The jobs that were drawn to be run again; all that are done and not settled, if `all`.
    ///
    /// # Errors
    /// [`NodeError`].
    fn to_replay(&self, all: bool) -> Result<Vec<JobInfo>, NodeError>;

    /// A job with its signed order; `None` where there is none, or none any more.
    ///
    /// # Errors
    /// [`NodeError`].
    fn job(&self, job: &JobId) -> Result<Option<JobInfo>, NodeError>;

    /// The bytes of a blob; at most as many as there should be.
    ///
    /// # Errors
    /// [`NodeError`], also where there is none.
    fn blob(&self, blob: &Blob) -> Result<Vec<u8>, NodeError>;

    /// Leaves a blob.
    ///
    /// # Errors
    /// [`NodeError`].
    fn leave(&self, bytes: &[u8]) -> Result<(), NodeError>;

    /// Says a report; saying it again is answered alike.
    ///
    /// # Errors
    /// [`NodeError`] where it is not known what became of it.
    fn report(&self, report: &[u8]) -> Result<Answer, NodeError>;

    /// Says a statement.
    ///
    /// # Errors
    /// [`NodeError`] where it is not known what became of it.
    fn state(&self, statement: &[u8]) -> Result<Answer, NodeError>;
}

/// Jobs on a page.
const PAGE: u64 = 100;
/// Pages that are read at once: more than a worker may have jobs.
const PAGES_MAX: usize = 10;

/// A gateway as the network.
#[derive(Debug, Clone)]
pub struct Gateway {
    client: Client,
}

impl Gateway {
    /// The gateway of a client.
    #[must_use]
    pub const fn of(client: Client) -> Self {
        Self { client }
    }

    fn jobs(&self, query: &str) -> Result<Vec<JobInfo>, NodeError> {
        let mut jobs = Vec::new();
        let mut after = None;
        for _ in 0..PAGES_MAX {
            let page = self.client.jobs(query, after.as_deref(), Some(PAGE))?;
            jobs.extend(page.jobs);
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        Ok(jobs)
    }
}

fn answer(submitted: Submitted) -> Result<Answer, NodeError> {
    let SubmitResponse { mut results, promise, .. } = submitted.response;
    let reason = || ClientError::Answer { url: String::new(), reason: "no result of what was said".to_owned() };
    let row = results.pop().ok_or_else(reason)?;
    match (row.status, row.index) {
        (ResultStatus::Accepted | ResultStatus::Duplicate, Some(index)) => Ok(Answer::Taken { index, promise }),
        _ => {
            let (code, detail) = (row.code.unwrap_or_default(), row.detail.unwrap_or_default());
            Ok(Answer::Refused { code, detail })
        }
    }
}

impl Network for Gateway {
    fn time_ms(&self) -> Result<u64, NodeError> {
        Ok(self.client.network()?.time_ms)
    }

    fn assigned(&self, device: &DeviceId) -> Result<Vec<JobInfo>, NodeError> {
        self.jobs(&format!("worker={device}&state=open"))
    }

    fn to_replay(&self, all: bool) -> Result<Vec<JobInfo>, NodeError> {
        self.jobs(if all { "state=done" } else { "state=drawn" })
    }

    fn job(&self, job: &JobId) -> Result<Option<JobInfo>, NodeError> {
        match self.client.job(job) {
            Ok(info) => Ok(Some(info)),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    fn blob(&self, blob: &Blob) -> Result<Vec<u8>, NodeError> {
        Ok(self.client.get_blob(blob)?)
    }

    fn leave(&self, bytes: &[u8]) -> Result<(), NodeError> {
        Ok(self.client.put_blob(bytes).map(drop)?)
    }

    fn report(&self, report: &[u8]) -> Result<Answer, NodeError> {
        answer(self.client.submit_reports(&[report])?)
    }

    fn state(&self, statement: &[u8]) -> Result<Answer, NodeError> {
        answer(self.client.submit_statement(statement)?)
    }
}
