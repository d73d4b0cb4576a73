//! What counts: every check that an entry must pass before it changes the market. Nothing here changes anything.

use cairn_core::statement::{Licence, Offer, Order, Replay};
use cairn_core::{Account, Amount, DeviceId, JobId};

use super::job::{Assigned, Job, Phase, REPLAYS_MAX, Word};
use super::{Market, MarketError, Now, Quote};
use crate::compute::Body;
use crate::compute::body::{RunResult, seal};

type Allowed = Result<(), MarketError>;

impl Market {
    /// Whether a worker's offer counts. The device's key signed it.
    ///
    /// # Errors
    /// `CMP-WORKER`; `CMP-OFFER` for one that withdraws nothing.
    pub fn admit_offer(&self, offer: &Offer, now: Now<'_>) -> Allowed {
        let device = offer.device;
        if offer.until_ms <= now.received_ms {
            // Whoever may not work any more may still leave.
            return if self.offers.contains_key(&device) { Ok(()) } else { Err(MarketError::NoOffer { device }) };
        }
        now.parties.worker(&device).map(|_| ()).ok_or(MarketError::NotAWorker { device })
    }

    /// Whether an owner's licence counts. The owner signed it; who may be one is the caller's to decide.
    ///
    /// # Errors
    /// `CMP-HELD`, `CMP-FULL`; `CMP-LICENCE` for one that withdraws nothing.
    pub fn admit_licence(&self, licence: &Licence, now: Now<'_>) -> Allowed {
        let (content, owner) = (licence.content, &licence.owner);
        let own = match self.licences.get(&content) {
            Some(held) if held.owner == *owner => true,
            Some(held) if held.until_ms > now.received_ms => {
                return Err(MarketError::Held { content, holder: held.owner.clone() });
            }
            _ => false,
        };
        if licence.until_ms <= now.received_ms {
            return if own { Ok(()) } else { Err(MarketError::NoLicence { owner: owner.clone(), content }) };
        }
        let owners = self.licences_of.get(owner).copied().unwrap_or_default();
        if !own && owners >= now.profile.licences_per_owner {
            let limit = now.profile.licences_per_owner.into();
            return Err(MarketError::Full { what: "licences of one owner", limit });
        }
        if !self.licences.contains_key(&content) && self.licences.len() as u64 >= now.profile.licences.into() {
            return Err(MarketError::Full { what: "licences in all", limit: now.profile.licences.into() });
        }
        Ok(())
    }

    /// Whether a buyer's order counts, and what it gets at most. The buyer signed it; `credit` is what the buyer has beside
    /// what is locked.
    ///
    /// # Errors
    /// `CMP-JOB`, `CMP-GAS-TABLE`, `CMP-TIME`, `CMP-FULL`, `CMP-LICENCE`, `CMP-NO-WORKER`, `CMP-MOST`, `CMP-LEAST`,
    /// `CMP-CREDIT`.
    pub fn admit_order(&self, job: &JobId, order: &Order, credit: Amount, now: Now<'_>) -> Result<Quote, MarketError> {
        let profile = now.profile;
        if self.jobs.contains_key(job) {
            return Err(MarketError::Known { job: *job });
        }
        if order.gas_table != profile.gas_table {
            return Err(MarketError::GasTable { found: order.gas_table, expected: profile.gas_table });
        }
        let (least, most) = (profile.commit_ms_min, profile.commit_ms_max);
        if !(least..=most).contains(&order.commit_ms) {
            return Err(MarketError::CommitTime { commit_ms: order.commit_ms, least, most });
        }
        let tab = self.tabs.get(&order.buyer).copied().unwrap_or_default();
        if tab.jobs >= profile.open_jobs_per_buyer {
            let limit = profile.open_jobs_per_buyer.into();
            return Err(MarketError::Full { what: "open jobs of one buyer", limit });
        }
        if self.open_jobs() >= profile.open_jobs.into() {
            return Err(MarketError::Full { what: "open jobs in all", limit: profile.open_jobs.into() });
        }
        let quote = self.quote(order, now)?;
        if quote.locked > credit || tab.locked.checked_add(quote.locked).is_none() {
            return Err(MarketError::Credit { locked: quote.locked, credit });
        }
        Ok(quote)
    }

    /// Whether `by`, who signed, may cancel the job now.
    ///
    /// # Errors
    /// `CMP-JOB`, `CMP-BUYER`, `CMP-CANCEL`.
    pub fn admit_cancel(&self, id: &JobId, by: &Account, now: Now<'_>) -> Allowed {
        let job = self.known(id)?;
        if job.order.buyer != *by {
            return Err(MarketError::NotTheBuyer { job: *id, by: by.clone() });
        }
        let late = |why| Err(MarketError::TooLate { job: *id, why });
        if job.phase(now.received_ms) != Phase::Committing {
            return late("its time to commit is over");
        }
        if now.received_ms.saturating_sub(job.received_ms) >= now.profile.cancel_ms {
            return late("workers may have worked for it");
        }
        if job.assigned.iter().any(|worker| matches!(worker.word, Word::Committed { .. })) {
            return late("a worker has committed");
        }
        Ok(())
    }

    /// Whether an auditor's word on a job counts. The auditor, one of the open epoch, signed it.
    ///
    /// # Errors
    /// `CMP-JOB`, `CMP-PHASE`, `CMP-SAID`, `CMP-FULL`.
    pub fn admit_replay(&self, replay: &Replay, auditor: &[u8; 20], now: Now<'_>) -> Allowed {
        let job = self.known(&replay.job)?;
        if job.phase(now.received_ms) != Phase::Done {
            return Err(MarketError::Phase { job: replay.job, what: "auditors are heard once it is done" });
        }
        if job.truth.is_some() {
            return Err(MarketError::Phase { job: replay.job, what: "a quorum of auditors has said what came out" });
        }
        if job.replays.iter().any(|said| said.auditor == *auditor) {
            return Err(MarketError::Said { job: replay.job });
        }
        if job.replays.len() >= REPLAYS_MAX {
            return Err(MarketError::Full { what: "auditors of one job", limit: REPLAYS_MAX as u64 });
        }
        Ok(())
    }

    /// Whether a worker's report counts.
    ///
    /// # Errors
    /// `CMP-JOB`, `CMP-ASSIGNED`, `CMP-WORKER`, `CMP-SAID`, `CMP-PHASE`, `CMP-CAPS`, `CMP-SEAL`.
    pub fn admit_report(&self, device: &DeviceId, body: &Body, now: Now<'_>) -> Allowed {
        let id = body.job();
        let job = self.known(&id)?;
        let worker = job.worker(device).ok_or(MarketError::NotAssigned { job: id, device: *device })?;
        now.parties.worker(device).ok_or(MarketError::NotAWorker { device: *device })?;
        let phase = |expected, what| {
            if job.phase(now.received_ms) == expected { Ok(()) } else { Err(MarketError::Phase { job: id, what }) }
        };
        match (body, worker.word) {
            (Body::Commit { .. } | Body::Decline { .. }, Word::Silent) => {
                phase(Phase::Committing, "its time to commit is over")
            }
            (Body::Commit { .. } | Body::Decline { .. }, _) => Err(MarketError::Said { job: id }),
            (Body::Reveal { .. }, Word::Silent | Word::Declined { .. }) => {
                Err(MarketError::Phase { job: id, what: "only what was sealed can be revealed" })
            }
            (Body::Reveal { .. }, Word::Revealed { .. }) => Err(MarketError::Said { job: id }),
            (Body::Reveal { result, salt, .. }, Word::Committed { seal, .. }) => {
                phase(Phase::Revealing, "results are revealed when all have committed, and while there is time")?;
                check_result(job, &id, worker, result, salt, &seal)
            }
        }
    }

    pub(super) fn known(&self, id: &JobId) -> Result<&Job, MarketError> {
        self.jobs.get(id).ok_or(MarketError::NoJob { job: *id })
    }
}

fn check_result(
    job: &Job,
    id: &JobId,
    worker: &Assigned,
    result: &RunResult,
    salt: &[u8; 16],
    sealed: &cairn_core::Hash,
) -> Allowed {
    let caps = [("gas", result.gas, job.order.gas), ("output", result.output_bytes, job.order.output_bytes.into())];
    for (what, found, most) in caps {
        if found > most {
            return Err(MarketError::Caps { job: *id, what, found, most });
        }
    }
    let digest = result.digest(job.order.gas_table, id);
    if seal(id, &worker.device, &digest, salt) == *sealed { Ok(()) } else { Err(MarketError::Seal { job: *id }) }
}
