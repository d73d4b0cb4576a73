//! The documents of the HTTP API that say where work stands: jobs, offers, and what an order would meet.

use std::collections::BTreeSet;

use cairn_api::{
    AssignedInfo, BlobInfo, DrawInfo, JobInfo, JobList, LicenceTerms, OfferInfo, OfferList, OrderInfo, QuoteInfo,
    QuotedWorker, ReplayInfo, ResultInfo, SettlementInfo, WordInfo,
};
use cairn_classes::compute::market::{Assigned, Replayed, lottery};
use cairn_classes::compute::{Job, Phase, RunResult, Stage, Terms, Word};
use cairn_core::entry::Entry;
use cairn_core::statement::{Blob, Offer, Order, RunProfile};
use cairn_core::{Account, Amount, DeviceId, Hash, JobId, Ppm};
use cairn_fold::Refusal;
use data_encoding::{HEXLOWER, HEXLOWER_PERMISSIVE};

use crate::{Ledger, LedgerError, NetworkClock};

/// Which jobs are asked for; what is left out limits nothing.
#[derive(Debug, Clone, Default)]
pub struct JobFilter {
    /// Only those assigned to this worker.
    pub worker: Option<DeviceId>,
    /// Only those of this buyer.
    pub buyer: Option<Account>,
    /// Only those that stand so.
    pub state: Option<JobState>,
    /// Only those after this one.
    pub after: Option<JobId>,
}

/// Where a job stands, for whoever looks for some.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JobState {
    /// Something is expected of its workers; of the worker asked for, where one is.
    Open,
    /// Nothing more is heard of workers, and it is not settled.
    Done,
    /// As done, drawn to be run again, and the truth is not known.
    Drawn,
    /// Judged and billed.
    Settled,
}

impl JobState {
    /// The state of a word: `open`, `done`, `drawn` or `settled`.
    #[must_use]
    pub fn of(word: &str) -> Option<Self> {
        Some(match word {
            "open" => Self::Open,
            "done" => Self::Done,
            "drawn" => Self::Drawn,
            "settled" => Self::Settled,
            _ => return None,
        })
    }

    fn holds(self, job: &Job, now_ms: u64) -> bool {
        match self {
            Self::Open => job.phase(now_ms) < Phase::Done,
            Self::Done => job.phase(now_ms) == Phase::Done,
            Self::Drawn => matches!(job.stage, Stage::Done(Some(_))) && job.truth.is_none(),
            Self::Settled => job.phase(now_ms) == Phase::Settled,
        }
    }
}

impl Ledger {
    fn now_ms(&self, clock: NetworkClock) -> u64 {
        clock.now_ms(self.state().received_ms)
    }

    /// `GET /v1/jobs/{job}`.
    ///
    /// # Errors
    /// [`LedgerError::NoJob`], or that the log or a view cannot be read.
    pub fn job_info(&self, id: &JobId, clock: NetworkClock) -> Result<JobInfo, LedgerError> {
        let job = self.state().market.job(id).ok_or(LedgerError::NoJob { job: *id })?;
        let entry = self.reader().entry(job.index)?;
        let seed = Hash::of_parts(&[&self.reader().root_at(job.index)?.0, &cairn_merkle::tree::leaf_hash(&entry).0]);
        let mut info = self.shown(id, job, self.now_ms(clock))?;
        for (shown, assigned) in info.assigned.iter_mut().zip(&job.assigned) {
            shown.lottery = Some(lottery(&seed, id, &assigned.device).to_hex());
        }
        if let Some(settled) = &mut info.settled {
            settled.sale = Some(self.sale_proof(settled.epoch.number, id)?.sale);
        }
        info.statement = Entry::decode(&entry).ok().map(|entry| HEXLOWER.encode(entry.body));
        Ok(info)
    }

    /// `GET /v1/jobs`: at most `limit` of those that the filter lets through, by name.
    ///
    /// # Errors
    /// [`LedgerError`] when a view cannot be read.
    pub fn job_list(&self, filter: &JobFilter, limit: usize, clock: NetworkClock) -> Result<JobList, LedgerError> {
        let (state, now_ms) = (self.state(), self.now_ms(clock));
        let asked = |(id, job): &(&JobId, &Job)| {
            filter.after.is_none_or(|after| **id > after)
                && filter.worker.is_none_or(|worker| job.worker(&worker).is_some())
                && filter.buyer.as_ref().is_none_or(|buyer| job.order.buyer == *buyer)
                && filter.state.is_none_or(|state| state.holds(job, now_ms))
        };
        let mut jobs = Vec::new();
        let mut next = None;
        // A worker looks often, and most jobs are none of its business.
        let market = &state.market;
        let own = filter.worker.filter(|_| filter.state == Some(JobState::Open));
        let all: Box<dyn Iterator<Item = (&JobId, &Job)>> = match &own {
            Some(worker) => Box::new(market.waiting_for(worker)),
            None => Box::new(market.jobs()),
        };
        for (id, job) in all.filter(asked) {
            if jobs.len() == limit {
                next = jobs.last().map(|job: &JobInfo| job.job.clone());
                break;
            }
            jobs.push(self.shown(id, job, now_ms)?);
        }
        let rehearsed = state.network.as_ref().map_or_else(Vec::new, |network| network.genesis.rehearsed.clone());
        Ok(JobList { jobs, next, time_ms: now_ms, rehearsed })
    }

    fn shown(&self, id: &JobId, job: &Job, time_ms: u64) -> Result<JobInfo, LedgerError> {
        let (draw, settled) = match job.stage {
            Stage::Open => (None, None),
            Stage::Done(draw) => (draw, None),
            Stage::Settled(epoch) => (None, Some(SettlementInfo { epoch: self.epoch_ref(epoch)?, sale: None })),
        };
        Ok(JobInfo {
            job: id.to_string(),
            index: job.index,
            received_ms: job.received_ms,
            order: order_info(&job.order),
            statement: None,
            assigned: job.assigned.iter().map(|worker| self.assigned_info(worker)).collect(),
            licences: job.licences.iter().map(terms_info).collect(),
            locked: job.locked().unwrap_or_default().to_string(),
            phase: job.phase(time_ms).word().to_owned(),
            commit_until_ms: job.commit_until_ms,
            reveal_until_ms: job.reveal_until_ms,
            draw: draw.map(|draw| DrawInfo { cause: draw.cause.word().to_owned(), due_ms: draw.due_ms }),
            replays: job.replays.iter().map(replay_info).collect(),
            truth: job.truth.map(|truth| truth.to_hex()),
            settled,
            time_ms,
        })
    }

    fn assigned_info(&self, worker: &Assigned) -> AssignedInfo {
        let word = match worker.word {
            Word::Silent => WordInfo::Silent,
            Word::Committed { index, seal } => WordInfo::Committed { index, seal: seal.to_hex() },
            Word::Revealed { committed, index, result, digest } => {
                WordInfo::Revealed { committed, index, result: result_info(&result, &digest) }
            }
            Word::Declined { index, reason } => WordInfo::Declined { index, reason },
        };
        AssignedInfo {
            device: worker.device.to_string(),
            owner: worker.owner.to_string(),
            payee: worker.payee.to_string(),
            price: worker.price.to_string(),
            score: self.state().work_score(&worker.device),
            lottery: None,
            word,
        }
    }

    /// `GET /v1/offers`: at most `limit` of those in force, of devices after `after`.
    #[must_use]
    pub fn offer_list(&self, after: Option<DeviceId>, limit: usize, clock: NetworkClock) -> OfferList {
        let (market, now_ms) = (&self.state().market, self.now_ms(clock));
        let in_force = |offer: &&Offer| offer.until_ms > now_ms && after.is_none_or(|after| offer.device > after);
        let mut offers = Vec::new();
        let mut next = None;
        for offer in market.offers().filter(in_force) {
            if offers.len() == limit {
                next = offers.last().map(|offer: &OfferInfo| offer.device.clone());
                break;
            }
            let runs = [RunProfile::DetInt, RunProfile::DetFloat];
            let runs = runs.into_iter().filter(|profile| offer.profiles & profile.bit() != 0);
            offers.push(OfferInfo {
                device: offer.device.to_string(),
                price: offer.price.to_string(),
                capacity: offer.capacity,
                load: market.load(&offer.device, now_ms),
                gas_max: offer.gas_max,
                pages_max: offer.pages_max,
                profiles: runs.map(|profile| profile.word().to_owned()).collect(),
                until_ms: offer.until_ms,
                score: self.state().work_score(&offer.device),
            });
        }
        OfferList { offers, next, time_ms: now_ms }
    }

    /// `POST /v1/quotes`: what an order would meet now. Nothing is signed or logged.
    ///
    /// # Errors
    /// [`Refusal`] with the code that the order would be refused with, credit aside.
    pub fn quote_info(&self, order: &Order, clock: NetworkClock) -> Result<QuoteInfo, Refusal> {
        let (state, now_ms) = (self.state(), self.now_ms(clock));
        let desk = state.desk(now_ms)?;
        let quote = desk.quote(order)?;
        let quoted = |(device, price): &(DeviceId, Amount)| QuotedWorker {
            device: device.to_string(),
            price: price.to_string(),
            score: state.work_score(device),
        };
        Ok(QuoteInfo {
            workers: quote.workers.iter().map(quoted).collect(),
            replicas: order.replicas,
            licences: quote.licences.iter().map(terms_info).collect(),
            locked: quote.locked.to_string(),
            credit: state.credit_of(&order.buyer).to_string(),
            sample_ppm: order.sample.get().max(desk.profile().sample_min_ppm),
            time_ms: now_ms,
        })
    }

    /// Whether a job needs a blob.
    #[must_use]
    pub fn needs_blob(&self, hash: &Hash) -> bool {
        self.state().market.blobs().any(|(needed, _)| needed == *hash)
    }

    /// The blobs that jobs need, until what they were needed for cannot be disputed any more.
    #[must_use]
    pub fn needed_blobs(&self) -> BTreeSet<Hash> {
        self.state().market.blobs().map(|(hash, _)| hash).collect()
    }
}

fn blob_info(blob: &Blob) -> BlobInfo {
    BlobInfo { hash: blob.hash.to_hex(), bytes: blob.bytes }
}

fn result_info(result: &RunResult, digest: &Hash) -> ResultInfo {
    let output = BlobInfo { hash: result.output.to_hex(), bytes: result.output_bytes };
    ResultInfo { outcome: result.outcome, gas: result.gas, output, digest: digest.to_hex() }
}

fn terms_info(terms: &Terms) -> LicenceTerms {
    LicenceTerms {
        content: terms.content.to_hex(),
        owner: terms.owner.to_string(),
        price: terms.price.to_string(),
        share_ppm: terms.share.get(),
    }
}

fn replay_info(replay: &Replayed) -> ReplayInfo {
    ReplayInfo {
        auditor: format!("0x{}", HEXLOWER.encode(&replay.auditor)),
        digest: replay.digest.to_hex(),
        index: replay.index,
    }
}

/// The terms of an order, as the API says them.
#[must_use]
pub fn order_info(order: &Order) -> OrderInfo {
    OrderInfo {
        buyer: order.buyer.to_string(),
        module: blob_info(&order.module),
        inputs: order.inputs.iter().map(blob_info).collect(),
        arguments: HEXLOWER.encode(&order.arguments),
        gas_table: order.gas_table,
        profile: order.profile.word().to_owned(),
        gas: order.gas,
        pages: order.pages,
        output_bytes: order.output_bytes,
        price: order.price.to_string(),
        replicas: order.replicas,
        sample_ppm: order.sample.get(),
        commit_ms: order.commit_ms,
        most: order.most.to_string(),
        refund: order.refund.as_ref().map(ToString::to_string),
    }
}

/// Reads what [`order_info`] says; bounds of the format are the reader's of the statement.
///
/// # Errors
/// Which term is not one.
pub fn read_order(info: &OrderInfo) -> Result<Order, String> {
    let blob = |blob: &BlobInfo| {
        let hash = Hash::from_hex(&blob.hash).ok_or_else(|| format!("`{}` is no SHA-256", blob.hash))?;
        Ok::<_, String>(Blob { hash, bytes: blob.bytes })
    };
    let account = |text: &str| Account::parse(text).map_err(|error| error.to_string());
    let amount = |text: &str| Amount::parse(text).map_err(|error| error.to_string());
    let profile = [RunProfile::DetInt, RunProfile::DetFloat].into_iter().find(|one| one.word() == info.profile);
    Ok(Order {
        buyer: account(&info.buyer)?,
        module: blob(&info.module)?,
        inputs: info.inputs.iter().map(blob).collect::<Result<_, _>>()?,
        arguments: HEXLOWER_PERMISSIVE
            .decode(info.arguments.as_bytes())
            .map_err(|_| "arguments are hexadecimal digits".to_owned())?,
        gas_table: info.gas_table,
        profile: profile.ok_or_else(|| format!("`{}` is neither det-int nor det-float", info.profile))?,
        gas: info.gas,
        pages: info.pages,
        output_bytes: info.output_bytes,
        price: amount(&info.price)?,
        replicas: info.replicas,
        sample: Ppm::of(info.sample_ppm).ok_or_else(|| format!("{} is above a million", info.sample_ppm))?,
        commit_ms: info.commit_ms,
        most: amount(&info.most)?,
        refund: info.refund.as_deref().map(account).transpose()?,
    })
}
