//! The close of an epoch: what time has decided, whom a liar drags along, what is judged, and what became of the money.

use std::collections::{BTreeMap, BTreeSet};

use cairn_core::sale::Sale;
use cairn_core::{Account, DeviceId, Hash, JobId, Ppm, Subject, Verdict};

use super::job::{Cause, Draw, Job, Phase, Stage};
use super::{Market, Parties, Profile, drawing, later, money};
use crate::compute::RipeJob;

/// What surrounds the close of an epoch.
#[derive(Clone, Copy)]
pub struct Closing<'a> {
    /// The epoch.
    pub epoch: u64,
    /// The moment from which the next entry closes it, ms since 1970 UTC.
    pub closes_ms: u64,
    /// The log root at the close.
    pub root: Hash,
    /// The profile in force.
    pub profile: &'a Profile,
    /// Whose devices are.
    pub parties: &'a dyn Parties,
}

impl Market {
    /// What time has decided by the close: jobs whose time is over are done, and drawn from the log root; whoever let it pass
    /// without a word offers nothing any more. Where a worker is
    /// found wrong, the other jobs of its owner that are done and unsettled without a truth are drawn too, each once.
    pub fn ripen(&mut self, closing: Closing<'_>) {
        let over = |job: &Job| job.stage == Stage::Open && job.phase(closing.closes_ms) == Phase::Done;
        let done: Vec<JobId> = self.jobs.iter().filter(|(_, job)| over(job)).map(|(id, _)| *id).collect();
        for id in done {
            let job = self.jobs.get_mut(&id).expect("it was just found");
            let (profile, parties) = (closing.profile, closing.parties);
            job.stage = Stage::Done(drawing::draw(&id, job, &closing.root, closing.closes_ms, profile, parties));
            let absent = job.absent();
            self.end_offers(&absent);
            self.unwait(&id, absent);
        }
        let liars = self.liars();
        if liars.is_empty() {
            return;
        }
        let due_ms = later(closing.closes_ms, closing.profile.replay_ms);
        for job in self.jobs.values_mut() {
            let Stage::Done(draw) = job.stage else { continue };
            let is_first = draw.is_none_or(|draw| draw.cause != Cause::Suspicion);
            if is_first && job.truth.is_none() && job.revealed().any(|(worker, ..)| liars.contains(&worker.owner)) {
                job.stage = Stage::Done(Some(Draw { cause: Cause::Suspicion, due_ms }));
            }
        }
    }

    /// The owners of workers that a job which is done, and not settled, shows to be wrong.
    fn liars(&self) -> BTreeSet<Account> {
        let mut liars = BTreeSet::new();
        for job in self.jobs.values().filter(|job| matches!(job.stage, Stage::Done(_))) {
            let Some(truth) = job.truth else { continue };
            let wrong = job.revealed().filter(|(_, _, digest)| *digest != truth);
            liars.extend(wrong.map(|(worker, ..)| worker.owner.clone()));
        }
        liars
    }

    /// The jobs to judge at this close, by name.
    #[must_use]
    pub fn ripe(&self, closes_ms: u64) -> Vec<RipeJob<'_>> {
        let ripe = self.jobs.iter().filter(|(_, job)| job.is_ripe(closes_ms));
        ripe.map(|(id, job)| RipeJob { id: *id, job }).collect()
    }

    /// Bills the ripe jobs that have verdicts, burning `fee` of the price of work, and forgets what is over: jobs settled
    /// `keep_epochs` ago, offers and licences out of time. The sales are in the order of the jobs' names.
    pub fn settle(&mut self, closing: Closing<'_>, verdicts: &[Verdict], fee: Ppm) -> Vec<Sale> {
        let mut by_order: BTreeMap<u64, BTreeMap<DeviceId, &Verdict>> = BTreeMap::new();
        for verdict in verdicts {
            if let Subject::Job(order) = verdict.subject {
                by_order.entry(order).or_default().insert(verdict.device, verdict);
            }
        }
        let mut sales = Vec::new();
        for (id, job) in self.jobs.iter_mut().filter(|(_, job)| job.is_ripe(closing.closes_ms)) {
            let Some(verdicts) = by_order.get(&job.index) else { continue };
            sales.push(money::sale(*id, job, verdicts, fee));
            job.stage = Stage::Settled(closing.epoch);
        }
        self.after(&sales, closing.epoch, closing.closes_ms, closing.profile.keep_epochs);
        sales
    }

    /// Gives back what every open job has locked, and forgets everything: for a network whose policy judges no compute any
    /// more. Nobody is paid. The sales are in the order of the jobs' names.
    pub fn dissolve(&mut self) -> Vec<Sale> {
        let open = self.jobs.iter().filter(|(_, job)| !matches!(job.stage, Stage::Settled(_)));
        let sales = open.map(|(id, job)| money::sale(*id, job, &BTreeMap::new(), Ppm::ZERO)).collect();
        *self = Self::default();
        sales
    }

    fn after(&mut self, sales: &[Sale], epoch: u64, closes_ms: u64, keep_epochs: u64) {
        for sale in sales {
            self.close_tab(&sale.buyer, sale.locked);
        }
        let is_kept = |job: &Job| match job.stage {
            Stage::Settled(settled) => settled.saturating_add(keep_epochs) > epoch,
            Stage::Open | Stage::Done(_) => true,
        };
        self.jobs.retain(|_, job| is_kept(job));
        let over = self.offers.values().filter(|offer| offer.until_ms <= closes_ms);
        let over: Vec<DeviceId> = over.map(|offer| offer.device).collect();
        self.end_offers(&over);
        let over = self.licences.values().filter(|licence| licence.until_ms <= closes_ms);
        let over: Vec<Hash> = over.map(|licence| licence.content).collect();
        for content in over {
            self.replace_licence(content, None);
        }
    }
}
