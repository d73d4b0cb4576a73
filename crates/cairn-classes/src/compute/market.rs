//! The market of work: offers, licences and jobs, as a pure state machine that the log drives.
//!
//! `admit_…` decides whether something counts, and changes nothing; `apply_…` follows what was admitted against the same
//! state. At the close of an epoch: [`Market::ripen`] (what time has decided, and whom a liar drags along), [`Market::ripe`]
//! into the docket, the judge, then [`Market::settle`] with its verdicts.
//!
//! The market knows neither devices nor money: whose a device is, what it has proved, and what a buyer has, come in with each
//! call. It never draws on a seed to refuse: what a gateway admits before the log has given an entry its place is what the
//! fold admits after. Memory is bounded by the profile: open jobs, licences, and as many settled jobs as `keep_epochs`
//! closes can settle; offers are one for each device.

mod admission;
mod applying;
mod closing;
mod drawing;
mod error;
mod job;
mod matching;
pub(super) mod money;
mod records;

use std::collections::{BTreeMap, BTreeSet};

use cairn_core::statement::{Licence, Offer};
use cairn_core::{Account, Amount, DeviceId, Hash, JobId};

pub use closing::Closing;
pub use error::{MarketError, hint_of};
pub use job::{Assigned, Cause, Draw, Job, Phase, REPLAYS_MAX, Replayed, Stage, Terms, Word};
pub use matching::{Candidate, Quote, lottery};
pub use records::Table;

use super::Profile;

/// A device that may work: an active worker, enrolled for `compute/1`, not denied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Worker {
    /// Whose it is.
    pub owner: Account,
    /// Who is paid for what it does.
    pub payee: Account,
    /// Its score: what the judge remembers of it, 0 for a newcomer.
    pub score: u32,
}

/// What the state around the market knows of devices, as of the entry at hand.
pub trait Parties {
    /// The device as a worker; `None` unless it is active, enrolled as a worker of `compute/1`, and not denied.
    fn worker(&self, device: &DeviceId) -> Option<Worker>;

    /// The device's score, whether or not it may work now.
    fn score(&self, device: &DeviceId) -> u32;
}

/// What surrounds an entry.
#[derive(Clone, Copy)]
pub struct Now<'a> {
    /// When the entry was taken in, ms since 1970 UTC.
    pub received_ms: u64,
    /// The profile in force.
    pub profile: &'a Profile,
    /// Whose devices are.
    pub parties: &'a dyn Parties,
}

/// What a cancelled job gives back to its buyer's credit, at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cancelled {
    /// The buyer.
    pub buyer: Account,
    /// What was locked, base units.
    pub locked: Amount,
}

/// A buyer's jobs that are not settled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Tab {
    jobs: u32,
    locked: Amount,
}

/// A later moment, within what a record can say.
fn later(from_ms: u64, by_ms: u64) -> u64 {
    from_ms.saturating_add(by_ms).min(i64::MAX.cast_unsigned())
}

/// Offers, licences and jobs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Market {
    offers: BTreeMap<DeviceId, Offer>,
    licences: BTreeMap<Hash, Licence>,
    jobs: BTreeMap<JobId, Job>,
    /// Derived from `offers`, cheapest first.
    prices: BTreeSet<(Amount, DeviceId)>,
    /// Derived from `jobs`: those that were still open and wait for a word of the device, and until when.
    waiting: BTreeMap<DeviceId, BTreeMap<JobId, u64>>,
    /// Derived from `jobs`: those of each buyer that are not settled.
    tabs: BTreeMap<Account, Tab>,
    /// Derived from `licences`.
    licences_of: BTreeMap<Account, u32>,
}

impl Market {
    /// Whether there is nothing: no offer, no licence, no job.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.offers.is_empty() && self.licences.is_empty() && self.jobs.is_empty()
    }

    /// The offers, by device, with those whose time is over since the last close.
    pub fn offers(&self) -> impl Iterator<Item = &Offer> {
        self.offers.values()
    }

    /// The licences, by content, with those whose time is over since the last close.
    pub fn licences(&self) -> impl Iterator<Item = &Licence> {
        self.licences.values()
    }

    /// The jobs, by name, with the settled ones that are kept.
    pub fn jobs(&self) -> impl Iterator<Item = (&JobId, &Job)> {
        self.jobs.iter()
    }

    /// A job.
    #[must_use]
    pub fn job(&self, job: &JobId) -> Option<&Job> {
        self.jobs.get(job)
    }

    /// The jobs that wait for a word of the device, as far as entries and closes tell: look at [`Job::phase`] too.
    pub fn waiting_for(&self, device: &DeviceId) -> impl Iterator<Item = (&JobId, &Job)> {
        let jobs = self.waiting.get(device).into_iter().flatten();
        jobs.filter_map(|(id, _)| self.jobs.get_key_value(id))
    }

    /// What each buyer's open jobs have locked, base units of the network's asset on the buyer's chain.
    pub fn locked(&self) -> impl Iterator<Item = (&Account, Amount)> {
        self.tabs.iter().map(|(buyer, tab)| (buyer, tab.locked))
    }

    /// What a buyer's open jobs have locked.
    #[must_use]
    pub fn locked_by(&self, buyer: &Account) -> Amount {
        self.tabs.get(buyer).map_or(Amount::ZERO, |tab| tab.locked)
    }

    /// How many jobs are not settled.
    #[must_use]
    pub fn open_jobs(&self) -> u64 {
        self.tabs.values().map(|tab| u64::from(tab.jobs)).sum()
    }

    /// What must be at hand for jobs that are kept, with the lengths that orders and reveals claim: modules, inputs, and the
    /// outputs of reveals. A blob may come more than once. Licensed contents are [`Market::licences`]' own: nobody has said
    /// how long they are.
    pub fn blobs(&self) -> impl Iterator<Item = (Hash, u64)> {
        self.jobs.values().flat_map(|job| {
            let ordered = job.order.blobs().map(|blob| (blob.hash, blob.bytes));
            let outputs = job.revealed().map(|(_, result, _)| (result.output, result.output_bytes));
            ordered.chain(outputs.filter(|(_, bytes)| *bytes > 0))
        })
    }

    /// Takes a job up into what is derived from jobs; `None` where the sums pass their bounds.
    fn index(&mut self, id: JobId, job: &Job) -> Option<()> {
        if !matches!(job.stage, Stage::Settled(_)) {
            let tab = self.tabs.entry(job.order.buyer.clone()).or_default();
            tab.jobs = tab.jobs.checked_add(1)?;
            tab.locked = tab.locked.checked_add(job.locked()?)?;
        }
        if job.stage == Stage::Open {
            for worker in &job.assigned {
                if let Some(until_ms) = job.awaits_until_ms(&worker.word) {
                    self.waiting.entry(worker.device).or_default().insert(id, until_ms);
                }
            }
        }
        Some(())
    }

    /// A job is not waited for any more by these devices.
    fn unwait(&mut self, id: &JobId, devices: impl IntoIterator<Item = DeviceId>) {
        for device in devices {
            if let Some(jobs) = self.waiting.get_mut(&device) {
                jobs.remove(id);
                if jobs.is_empty() {
                    self.waiting.remove(&device);
                }
            }
        }
    }

    /// An offer takes the place of the device's earlier one, or nothing does.
    fn replace_offer(&mut self, device: DeviceId, offer: Option<Offer>) {
        if let Some(before) = self.offers.remove(&device) {
            self.prices.remove(&(before.price, device));
        }
        if let Some(offer) = offer {
            self.prices.insert((offer.price, device));
            self.offers.insert(device, offer);
        }
    }

    /// Whoever let a job's time pass is away: it offers again when it is back.
    fn end_offers(&mut self, devices: &[DeviceId]) {
        for device in devices {
            self.replace_offer(*device, None);
        }
    }

    /// A job of the buyer's is settled or cancelled, and what it locked is locked no more.
    fn close_tab(&mut self, buyer: &Account, locked: Amount) {
        let tab = self.tabs.get_mut(buyer).expect("an open job stands on its buyer's tab");
        tab.jobs -= 1;
        tab.locked = tab.locked.checked_sub(locked).expect("a tab holds what its jobs locked");
        if tab.jobs == 0 {
            self.tabs.remove(buyer);
        }
    }

    /// Takes a licence up, or out, in what is derived from licences.
    fn replace_licence(&mut self, content: Hash, licence: Option<Licence>) {
        let before = match licence {
            Some(licence) => {
                *self.licences_of.entry(licence.owner.clone()).or_default() += 1;
                self.licences.insert(content, licence)
            }
            None => self.licences.remove(&content),
        };
        if let Some(before) = before {
            let count = self.licences_of.get_mut(&before.owner).expect("a licence is counted with its owner");
            *count -= 1;
            if *count == 0 {
                self.licences_of.remove(&before.owner);
            }
        }
    }
}
