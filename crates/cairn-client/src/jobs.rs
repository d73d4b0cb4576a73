//! Work: jobs, offers, and what an order would meet.

use cairn_api::{JobInfo, JobList, OfferList, OrderInfo, QuoteInfo};
use cairn_core::JobId;

use crate::client::JSON_BYTES_MAX;
use crate::transport::Ask;
use crate::{Client, ClientError};

impl Client {
    /// A job.
    ///
    /// # Errors
    /// [`ClientError`], also for one that nobody can dispute any more.
    pub fn job(&self, job: &JobId) -> Result<JobInfo, ClientError> {
        self.transport.json(&format!("/v1/jobs/{job}"), JSON_BYTES_MAX)
    }

    /// A page of jobs, by name: those that `query` asks for (such as `worker=dev1...&state=open`, or nothing), after a job.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn jobs(&self, query: &str, after: Option<&str>, limit: Option<u64>) -> Result<JobList, ClientError> {
        self.transport.json(&page("/v1/jobs", query, after, limit), JSON_BYTES_MAX)
    }

    /// A page of the offers in force, by device, after a device.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn offers(&self, after: Option<&str>, limit: Option<u64>) -> Result<OfferList, ClientError> {
        self.transport.json(&page("/v1/offers", "", after, limit), JSON_BYTES_MAX)
    }

    /// What an order with these terms would meet now. Nothing is logged.
    ///
    /// # Errors
    /// [`ClientError`]; refused with `CMP-NO-WORKER`, `CMP-MOST` and the like.
    pub fn quote(&self, order: &OrderInfo) -> Result<QuoteInfo, ClientError> {
        let path = "/v1/quotes";
        let refuse =
            |error: serde_json::Error| ClientError::Answer { url: self.transport.url(path), reason: error.to_string() };
        let body = serde_json::to_vec(order).map_err(refuse)?;
        let ask = Ask::Post { content_type: "application/json", body: &body, again: true };
        self.transport.read_json(path, &self.transport.bytes(path, ask, JSON_BYTES_MAX)?)
    }
}

fn page(path: &str, query: &str, after: Option<&str>, limit: Option<u64>) -> String {
    let mut parts: Vec<String> = if query.is_empty() { Vec::new() } else { vec![query.to_owned()] };
    parts.extend(after.map(|after| format!("after={after}")));
    parts.extend(limit.map(|limit| format!("limit={limit}")));
    if parts.is_empty() { path.to_owned() } else { format!("{path}?{}", parts.join("&")) }
}
