//! A worker's loop, a step at a time: look at the jobs, and do about each what [`next`] says.
//!
//! What fails about one job is said and tried again, and keeps no other job waiting. Only the folder's own trouble ends it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use cairn_api::JobInfo;
use cairn_classes::compute::{Body, SCHEMA};
use cairn_core::key::SecretKey;
use cairn_core::report::{ClockSource, ReportBody, sign_report};
use cairn_core::statement::{Blob, Body as Statement, Draft, Order};
use cairn_core::{DeviceId, JobId, NetworkId};
use serde::Serialize;

use crate::NodeError;
use crate::cache::Cache;
use crate::decide::{Action, Own, Reason, Said, View, Why, next};
use crate::network::{Answer, Network};
use crate::offer::Terms;
use crate::order::read_order;
use crate::records::{Record, Records};
use crate::run::{Found, Missed};
use crate::runs::{Runs, Work};

/// A gateway's time is believed so far ahead of this machine's.
const AHEAD_MAX_MS: u64 = 300_000;
/// Blobs that were not to be had are asked for again after so long.
const AGAIN_MS: u64 = 5_000;
/// An offer that was refused is made again after so long.
const OFFER_AGAIN_MS: u64 = 30_000;
/// A job without a result is declined so long before nobody can commit any more, or an eighth of its time before: whoever is
/// silent loses a third of its score and its offer, whoever declines nothing.
const LAST_WORD_MS: u64 = 5_000;
/// A record is kept so long after the last moment at which it can be of use.
const KEEP_MS: u64 = 86_400_000;
/// How long a statement stays valid: a day, by the network's time.
const EXPIRY_MS: u64 = 86_400_000;
/// A report that came too fast, and is as good later.
const TOO_FAST: &str = "RPT-RATE";

/// Who works.
#[derive(Debug, Clone)]
pub struct Identity {
    /// The device's key.
    pub key: SecretKey,
    /// The device.
    pub device: DeviceId,
    /// The network that it works for.
    pub network: NetworkId,
}

/// Where the network's time comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Clock {
    /// From the machine.
    Wall,
    /// From the data; a rehearsal.
    Recorded,
}

/// What happened, for whoever watches.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "event", rename_all = "lowercase")]
pub enum Event {
    /// An offer stands in the log.
    Offered {
        /// Until when.
        until_ms: u64,
        /// Its entry.
        index: u64,
        /// The promise of that entry.
        #[serde(skip)]
        promise: String,
    },
    /// A run begins.
    Began {
        /// The job.
        job: String,
    },
    /// A run has ended, and what came out is durable here.
    Ran {
        /// The job.
        job: String,
        /// How it ended.
        outcome: u32,
        /// The gas it took.
        gas: u64,
        /// Bytes of output.
        output_bytes: u64,
    },
    /// Something was said of a job and stands in the log.
    Said {
        /// The job.
        job: String,
        /// `commit`, `reveal` or `decline`.
        what: &'static str,
        /// Its entry.
        index: u64,
        /// The promise of that entry.
        #[serde(skip)]
        promise: String,
    },
    /// Something that was said does not count.
    Refused {
        /// The job; absent for an offer.
        job: Option<String>,
        /// `offer`, `commit`, `reveal` or `decline`.
        what: &'static str,
        /// The stable code.
        code: String,
        /// In words.
        detail: String,
    },
    /// Nothing more is done about a job.
    Left {
        /// The job.
        job: String,
        /// Why.
        why: &'static str,
    },
    /// Something failed, and is tried again.
    Trouble {
        /// The job, if it was about one.
        job: Option<String>,
        /// The stable code.
        code: String,
        /// In words.
        detail: String,
    },
}

struct Miss {
    reason: Reason,
    at_ms: u64,
}

/// A worker, between two steps.
pub struct Worker<R> {
    identity: Identity,
    terms: Terms,
    clock: Clock,
    network: Arc<dyn Network>,
    cache: Arc<Cache>,
    records: Records,
    runs: R,
    seq: u32,
    offered_until_ms: Option<u64>,
    offer_not_before_ms: u64,
    nonce: u64,
    orders: BTreeMap<JobId, Order>,
    missed: BTreeMap<JobId, Miss>,
    delivered: BTreeSet<JobId>,
    left: BTreeSet<JobId>,
}

type Say<'a> = &'a mut dyn FnMut(Event);
/// Where salts come from.
type Fresh<'a> = &'a mut dyn FnMut() -> Result<[u8; 16], NodeError>;

impl<R: Runs> Worker<R> {
    /// A worker over its folder; nothing is asked or said yet.
    pub fn new(
        identity: Identity,
        terms: Terms,
        clock: Clock,
        network: Arc<dyn Network>,
        cache: Arc<Cache>,
        records: Records,
        runs: R,
    ) -> Self {
        Self {
            identity,
            terms,
            clock,
            network,
            cache,
            records,
            runs,
            seq: 0,
            offered_until_ms: None,
            offer_not_before_ms: 0,
            nonce: 0,
            orders: BTreeMap::new(),
            missed: BTreeMap::new(),
            delivered: BTreeSet::new(),
            left: BTreeSet::new(),
        }
    }

    /// Whether nothing is being run.
    pub fn is_idle(&self) -> bool {
        self.runs.running().is_empty()
    }

    /// Looks at everything once. `wall_ms` is this machine's time.
    ///
    /// # Errors
    /// [`NodeError`] where the gateway cannot be asked at all, or where it [is fatal](NodeError::is_fatal).
    pub fn step(&mut self, wall_ms: u64, fresh: Fresh<'_>, say: Say<'_>) -> Result<(), NodeError> {
        let told_ms = self.network.time_ms()?;
        let now_ms = match self.clock {
            Clock::Wall => told_ms.min(wall_ms.saturating_add(AHEAD_MAX_MS)),
            Clock::Recorded => told_ms,
        };
        self.collect(now_ms, wall_ms, fresh, say)?;
        self.records.forget(wall_ms)?;
        self.offer(now_ms, wall_ms, say)?;
        let jobs = self.jobs(say)?;
        let named: BTreeSet<JobId> = jobs.iter().map(|(job, _)| *job).collect();
        self.orders.retain(|job, _| named.contains(job));
        self.missed.retain(|job, _| named.contains(job));
        for job in self.runs.running().iter().filter(|job| !named.contains(job)) {
            self.runs.cancel(job);
        }
        for (job, info) in jobs {
            if let Err(error) = self.look(&job, &info, now_ms, say) {
                trouble(Some(&job), error, say)?;
            }
        }
        Ok(())
    }

    /// The open jobs, and those with a record that are not among them.
    fn jobs(&mut self, say: Say<'_>) -> Result<Vec<(JobId, JobInfo)>, NodeError> {
        let listed = self.network.assigned(&self.identity.device)?;
        let mut jobs: BTreeMap<JobId, JobInfo> =
            listed.into_iter().filter_map(|info| Some((JobId::parse(&info.job).ok()?, info))).collect();
        let own: Vec<JobId> = self.records.all().map(|record| record.job).collect();
        for job in own.into_iter().filter(|job| !self.left.contains(job)) {
            if jobs.contains_key(&job) {
                continue;
            }
            match self.network.job(&job) {
                Ok(Some(info)) => {
                    jobs.insert(job, info);
                }
                Ok(None) => {}
                Err(error) => trouble(Some(&job), error, say)?,
            }
        }
        Ok(jobs.into_iter().collect())
    }

    /// Takes up what was run: it is durable before anything is said of it.
    fn collect(&mut self, now_ms: u64, wall_ms: u64, fresh: Fresh<'_>, say: Say<'_>) -> Result<(), NodeError> {
        for (job, ended) in self.runs.finished() {
            match ended {
                Ok(found) => self.found(job, &found, now_ms, wall_ms, fresh, say)?,
                Err(missed) => {
                    let (reason, detail) = match missed {
                        Missed::Blobs(detail) => (Reason::Blobs, detail),
                        Missed::Host(detail) => (Reason::Host, detail),
                    };
                    let code = if reason == Reason::Blobs { "NODE-BLOBS" } else { "NODE-HOST" };
                    self.missed.insert(job, Miss { reason, at_ms: now_ms });
                    say(Event::Trouble { job: Some(job.to_string()), code: code.to_owned(), detail });
                }
            }
        }
        Ok(())
    }

    fn found(
        &mut self,
        job: JobId,
        found: &Found,
        now_ms: u64,
        wall_ms: u64,
        fresh: Fresh<'_>,
        say: Say<'_>,
    ) -> Result<(), NodeError> {
        if let Some(record) = self.records.get(&job) {
            // It was run again for its output. What was sealed stands.
            if record.result == found.result {
                self.cache.put(&found.output)?;
            } else {
                let detail = "it was run again, and something else came out: this machine is not to be trusted";
                let code = "NODE-DIFFERS".to_owned();
                say(Event::Trouble { job: Some(job.to_string()), code, detail: detail.to_owned() });
            }
            return Ok(());
        }
        // Cancelled meanwhile, or not known any more.
        let Some(order) = self.orders.get(&job) else { return Ok(()) };
        self.cache.put(&found.output)?;
        let result = found.result;
        self.records.keep(Record {
            job,
            gas_table: order.gas_table,
            result,
            salt: fresh()?,
            commit: None,
            reveal: None,
            // Nobody's word on the deadlines decides how long it is kept: a reveal is due within a month of the commit.
            keep_until_ms: wall_ms.max(now_ms).saturating_add(order.commit_ms).saturating_add(31 * KEEP_MS),
        })?;
        let (outcome, gas, output_bytes) = (result.outcome, result.gas, result.output_bytes);
        say(Event::Ran { job: job.to_string(), outcome, gas, output_bytes });
        Ok(())
    }

    /// Says the offer again in time.
    fn offer(&mut self, now_ms: u64, wall_ms: u64, say: Say<'_>) -> Result<(), NodeError> {
        let Some(offer) = self.terms.due(self.identity.device, self.offered_until_ms, now_ms) else { return Ok(()) };
        if now_ms < self.offer_not_before_ms {
            return Ok(());
        }
        let until_ms = offer.until_ms;
        self.nonce = wall_ms.max(self.nonce + 1);
        let expiry_ms = now_ms.max(wall_ms).saturating_add(EXPIRY_MS);
        let draft = Draft::of(Some(self.identity.network), Statement::Offer(offer), self.nonce, expiry_ms);
        let statement = draft.signed_by(&self.identity.key).finish().encode();
        match self.network.state(&statement) {
            Ok(Answer::Taken { index, promise }) => {
                self.offered_until_ms = Some(until_ms);
                say(Event::Offered { until_ms, index, promise });
                Ok(())
            }
            Ok(Answer::Refused { code, detail }) => {
                self.offer_not_before_ms = now_ms.saturating_add(OFFER_AGAIN_MS);
                say(Event::Refused { job: None, what: "offer", code, detail });
                Ok(())
            }
            Err(error) => trouble(None, error, say),
        }
    }

    /// What this worker has of a job.
    fn own(&self, job: &JobId, view: &View, now_ms: u64) -> Own {
        if let Some(record) = self.records.get(job) {
            let is_delivered = record.result.output_bytes == 0 || self.delivered.contains(job);
            return Own::Sealed { seal: record.seal(&self.identity.device), is_delivered };
        }
        let commit_ms = self.orders.get(job).map_or(0, |order| order.commit_ms);
        let last_word_ms = now_ms.saturating_add(LAST_WORD_MS.min(commit_ms / 8));
        if view.mine == Said::Nothing && last_word_ms >= view.commit_until_ms {
            return Own::Failed(self.missed.get(job).map_or(Reason::NoRoom, |miss| miss.reason));
        }
        if self.runs.running().contains(job) {
            return Own::Running;
        }
        let Some(miss) = self.missed.get(job) else { return Own::Nothing };
        // The last quarter of the time is for saying so.
        match miss.reason {
            Reason::Blobs if now_ms.saturating_add(commit_ms / 4) < view.commit_until_ms => {
                if now_ms < miss.at_ms.saturating_add(AGAIN_MS) { Own::Running } else { Own::Nothing }
            }
            reason => Own::Failed(reason),
        }
    }

    fn look(&mut self, job: &JobId, info: &JobInfo, now_ms: u64, say: Say<'_>) -> Result<(), NodeError> {
        let Some(view) = View::of(info, &self.identity.device) else { return Ok(()) };
        let order = self.order(job, info)?;
        let own = self.own(job, &view, now_ms);
        match next(&view, &own, self.terms.limits.fit(&order), now_ms) {
            Action::Wait => Ok(()),
            Action::Run => {
                if self.runs.start(Work { job: *job, order })? {
                    self.missed.remove(job);
                    say(Event::Began { job: job.to_string() });
                }
                Ok(())
            }
            Action::Commit => self.commit(job, now_ms, say),
            Action::Reveal => {
                self.deliver(job, order, say)?;
                self.reveal(job, now_ms, say)
            }
            Action::Deliver => self.deliver(job, order, say),
            Action::Decline(reason) => {
                self.runs.cancel(job);
                let body = Body::Decline { job: *job, reason: reason.number() };
                let report = self.sign(&body, now_ms)?;
                self.say(job, "decline", &report, say).map(drop)
            }
            Action::Leave(why) => {
                self.runs.cancel(job);
                if self.left.insert(*job) {
                    let why = match why {
                        Why::Done => "everything was said",
                        Why::TooLate => "its time is over",
                        Why::NotOurs => "what was sealed is not known here",
                    };
                    say(Event::Left { job: job.to_string(), why });
                }
                Ok(())
            }
        }
    }

    /// The order of a job, as its buyer signed it.
    fn order(&mut self, job: &JobId, info: &JobInfo) -> Result<Order, NodeError> {
        if let Some(order) = self.orders.get(job) {
            return Ok(order.clone());
        }
        let page = if info.statement.is_some() { None } else { self.network.job(job)? };
        let order = read_order(job, page.as_ref().unwrap_or(info), &self.identity.network)?;
        self.orders.insert(*job, order.clone());
        Ok(order)
    }

    fn sign(&mut self, body: &Body, now_ms: u64) -> Result<Vec<u8>, NodeError> {
        let Identity { key, device, network } = &self.identity;
        let used_up = NodeError::Names { device: *device, told: 0, own: self.records.boot() };
        let seq = self.seq;
        self.seq = self.seq.checked_add(1).ok_or(used_up)?;
        let report = ReportBody::of(self.records.boot(), seq, now_ms, SCHEMA, body.encode());
        // The time of receipt is what counts: no clock that goes wrong makes a result void.
        let report = ReportBody { clock: Some((ClockSource::None, 0)), ..report };
        Ok(sign_report(key, *device, network, &report))
    }

    fn commit(&mut self, job: &JobId, now_ms: u64, say: Say<'_>) -> Result<(), NodeError> {
        let Some(mut record) = self.records.get(job).cloned() else { return Ok(()) };
        let report = match record.commit.take() {
            Some(report) => report,
            None => self.sign(&Body::Commit { job: *job, seal: record.seal(&self.identity.device) }, now_ms)?,
        };
        let signed = Record { commit: Some(report.clone()), ..record.clone() };
        if self.records.get(job) != Some(&signed) {
            self.records.keep(signed)?;
        }
        // A name that is not taken is not used again.
        if self.say(job, "commit", &report, say)? { self.records.keep(record) } else { Ok(()) }
    }

    fn reveal(&mut self, job: &JobId, now_ms: u64, say: Say<'_>) -> Result<(), NodeError> {
        let Some(mut record) = self.records.get(job).cloned() else { return Ok(()) };
        let report = match record.reveal.take() {
            Some(report) => report,
            None => self.sign(&Body::Reveal { job: *job, result: record.result, salt: record.salt }, now_ms)?,
        };
        let signed = Record { reveal: Some(report.clone()), ..record.clone() };
        if self.records.get(job) != Some(&signed) {
            self.records.keep(signed)?;
        }
        if self.say(job, "reveal", &report, say)? { self.records.keep(record) } else { Ok(()) }
    }

    /// Says a report; whether it has to be signed anew, under another name.
    fn say(&self, job: &JobId, what: &'static str, report: &[u8], say: Say<'_>) -> Result<bool, NodeError> {
        match self.network.report(report)? {
            Answer::Taken { index, promise } => {
                say(Event::Said { job: job.to_string(), what, index, promise });
                Ok(false)
            }
            Answer::Refused { code, detail } => {
                let is_named_badly = code.starts_with("RPT-") && code != TOO_FAST;
                say(Event::Refused { job: Some(job.to_string()), what, code, detail });
                Ok(is_named_badly)
            }
        }
    }

    /// Leaves the output where the buyer finds it; where it is not here any more, it is made again.
    fn deliver(&mut self, job: &JobId, order: Order, say: Say<'_>) -> Result<(), NodeError> {
        let Some(record) = self.records.get(job) else { return Ok(()) };
        let output = Blob { hash: record.result.output, bytes: record.result.output_bytes };
        if output.bytes == 0 || self.delivered.contains(job) {
            return Ok(());
        }
        match self.cache.get(&output)? {
            Some(bytes) => match self.network.leave(&bytes) {
                Ok(()) => {
                    self.delivered.insert(*job);
                    Ok(())
                }
                // Once it is revealed, a job needs it, and it is taken outside all quotas.
                Err(error) => trouble(Some(job), error, say),
            },
            None => self.runs.start(Work { job: *job, order }).map(drop),
        }
    }
}

/// Says what failed; the folder's own trouble is not only said.
fn trouble(job: Option<&JobId>, error: NodeError, say: Say<'_>) -> Result<(), NodeError> {
    if error.is_fatal() {
        return Err(error);
    }
    let (code, detail) = (error.code().to_owned(), error.to_string());
    say(Event::Trouble { job: job.map(ToString::to_string), code, detail });
    Ok(())
}
