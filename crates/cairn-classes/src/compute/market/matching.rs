//! Who does a job: the offers that fit, one of each owner, the cheapest few, and a lottery among them.
//!
//! Nothing here depends on the order in which offers came. How many fit and what they can cost at most does not depend on the
//! lottery either: so an order is admitted or refused before anybody can know its seed.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use cairn_core::cbor::Encoder;
use cairn_core::statement::{Offer, Order};
use cairn_core::{Account, Amount, DeviceId, Hash, JobId};

use super::job::Terms;
use super::{Market, MarketError, Now, Worker, money};

const LOTTERY_CONTEXT: &str = "cairn/assign/1";

/// A worker that may be assigned: the lottery chooses among such.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// The worker.
    pub device: DeviceId,
    /// Its price, base units for 10^9 gas.
    pub price: Amount,
    /// Whose it is, who is paid, and its score.
    pub worker: Worker,
    /// Its number in the lottery: lower is first.
    pub lottery: Hash,
}

impl Candidate {
    /// Cheap before dear, proved before new, then by lot.
    fn rank(&self) -> (Amount, Reverse<u32>, Hash) {
        (self.price, Reverse(self.worker.score), self.lottery)
    }
}

/// What an order would get: for buyers who ask before they order, and for admission.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quote {
    /// The workers that the lottery would draw from, and their prices for 10^9 gas, cheapest first.
    pub workers: Vec<(DeviceId, Amount)>,
    /// The licences in force over its contents, by content.
    pub licences: Vec<Terms>,
    /// The most that it can lock, whoever is drawn.
    pub locked: Amount,
}

/// The lottery number of a device: lower is first.
#[must_use]
pub fn lottery(seed: &Hash, job: &JobId, device: &DeviceId) -> Hash {
    let mut out = Encoder::with_room(128);
    out.array(4).text(LOTTERY_CONTEXT).bytes(&seed.0).bytes(&job.0.0).bytes(&device.0);
    Hash::of(&out.into_bytes())
}

/// What the workers of an order lock if all of them ask for this price; `u128::MAX` past that.
fn all_at(order: &Order, price: Amount) -> Amount {
    let work = money::work_ceil(order.gas, price).map_or(u128::MAX, |work| work.0);
    Amount(work.saturating_mul(order.replicas.into()))
}

impl Market {
    /// What `order` would get now. Credit and bounds are not looked at.
    ///
    /// # Errors
    /// `CMP-LEAST`, `CMP-LICENCE`, `CMP-NO-WORKER`, `CMP-MOST`.
    pub fn quote(&self, order: &Order, now: Now<'_>) -> Result<Quote, MarketError> {
        let (locked, least) = (all_at(order, order.price), Amount(now.profile.lock_min.into()));
        if locked < least {
            return Err(MarketError::Least { locked, least });
        }
        let licences = self.terms(order, now.received_ms)?;
        // Any seed will do: which of those at one price stand in the pool changes neither how many there are nor their prices.
        let pool = self.pool(&JobId(Hash::ZERO), order, &Hash::ZERO, now);
        let needed = usize::from(order.replicas);
        if pool.len() < needed {
            return Err(MarketError::NoWorker { found: pool.len(), needed: order.replicas });
        }
        let dearest = pool[pool.len() - needed..].iter().map(|candidate| candidate.price);
        let beyond = MarketError::Most { locked: Amount(u128::MAX), most: order.most };
        let locked = money::locked(order.gas, dearest, &licences).ok_or(beyond)?;
        if locked > order.most {
            return Err(MarketError::Most { locked, most: order.most });
        }
        let workers = pool.iter().map(|candidate| (candidate.device, candidate.price)).collect();
        Ok(Quote { workers, licences, locked })
    }

    /// The workers that the lottery of an order draws from, in the order of the lottery: the first `replicas` do it. This is
    /// the very draw of the order, so it is right only as of the order's entry, with its seed.
    #[must_use]
    pub fn candidates(&self, job: &JobId, order: &Order, seed: &Hash, now: Now<'_>) -> Vec<Candidate> {
        let mut pool = self.pool(job, order, seed, now);
        pool.sort_unstable_by_key(|candidate| candidate.lottery);
        pool
    }

    /// The workers of a job, in the order of the lottery.
    pub(super) fn draw_workers(&self, job: &JobId, order: &Order, seed: &Hash, now: Now<'_>) -> Vec<Candidate> {
        let mut drawn = self.candidates(job, order, seed, now);
        drawn.truncate(order.replicas.into());
        drawn
    }

    /// The best `replicas * lottery_pool` candidates, one of each owner, by rank: whoever is dearer than enough others is not
    /// looked at.
    fn pool(&self, job: &JobId, order: &Order, seed: &Hash, now: Now<'_>) -> Vec<Candidate> {
        let most = usize::from(order.replicas) * usize::try_from(now.profile.lottery_pool).unwrap_or(usize::MAX);
        let mut best: BTreeMap<Account, Candidate> = BTreeMap::new();
        let mut dearest = Amount::ZERO;
        for (price, device) in &self.prices {
            if *price > order.price || (best.len() >= most && *price > dearest) {
                break;
            }
            let offer = &self.offers[device];
            if !self.fits(offer, order, now) {
                continue;
            }
            let Some(worker) = now.parties.worker(device).filter(|worker| worker.owner != order.buyer) else {
                continue;
            };
            let owner = worker.owner.clone();
            let candidate = Candidate { device: *device, price: *price, worker, lottery: lottery(seed, job, device) };
            match best.get(&owner) {
                Some(other) if other.rank() <= candidate.rank() => {}
                _ => {
                    best.insert(owner, candidate);
                    dearest = *price;
                }
            }
        }
        let mut pool: Vec<Candidate> = best.into_values().collect();
        pool.sort_unstable_by_key(Candidate::rank);
        pool.truncate(most);
        pool
    }

    fn fits(&self, offer: &Offer, order: &Order, now: Now<'_>) -> bool {
        let now_ms = now.received_ms;
        // Those who ask for next to nothing are passed over. Otherwise they could fill the pool, lock less than an order has to,
        // and so keep everybody from ordering without ever working.
        all_at(order, offer.price) >= Amount(now.profile.lock_min.into())
            && offer.until_ms > now_ms
            && offer.gas_max >= order.gas
            && offer.pages_max >= order.pages
            && offer.profiles & order.profile.bit() != 0
            && self.load(&offer.device, now_ms).is_some_and(|load| load < offer.capacity)
    }

    /// How many jobs wait for a word of the device; `None` where it has let the time of one pass: such a device is not
    /// assigned anything more, and the close ends its offer.
    #[must_use]
    pub fn load(&self, device: &DeviceId, now_ms: u64) -> Option<u32> {
        let Some(jobs) = self.waiting.get(device) else { return Some(0) };
        let is_late = jobs.values().any(|until_ms| *until_ms <= now_ms);
        if is_late { None } else { u32::try_from(jobs.len()).ok() }
    }

    /// The licences in force over the order's contents, by content.
    fn terms(&self, order: &Order, now_ms: u64) -> Result<Vec<Terms>, MarketError> {
        let mut terms = BTreeMap::new();
        for blob in order.blobs() {
            let Some(licence) = self.licences.get(&blob.hash).filter(|licence| licence.until_ms > now_ms) else {
                continue;
            };
            if !licence.allows(&order.module.hash) {
                return Err(MarketError::Unlicensed { content: blob.hash, module: order.module.hash });
            }
            let (owner, price, share) = (licence.owner.clone(), licence.price, licence.share);
            terms.insert(blob.hash, Terms { content: blob.hash, owner, price, share });
        }
        Ok(terms.into_values().collect())
    }

    /// The terms of an order that was admitted.
    pub(super) fn admitted_terms(&self, order: &Order, now_ms: u64) -> Vec<Terms> {
        self.terms(order, now_ms).expect("admission found every licence to allow the module")
    }
}
