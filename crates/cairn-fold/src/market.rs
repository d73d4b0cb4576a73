//! The market of work within the state: whose devices may work, what buyers have, when epochs close.
//!
//! Promised: the market ([`cairn_classes::compute::Market`]) sees devices, scores and credit as they are at the entry at hand,
//! and everything that leaves a buyer's credit is locked for one of its jobs until it is sold, returned or refunded. It is
//! open while the policy of the open epoch judges `compute/1` and a profile of it is in force; under a policy that does not,
//! the next close gives back everything that is locked. Not here: who must sign what (`admit/work.rs`).

use std::sync::Arc;

use cairn_classes::Carry;
use cairn_classes::compute::{self, Body, Closing, Market, Now, Parties, Profile, Quote, Worker};
use cairn_core::cbor::Decoder;
use cairn_core::deposit::CreditAsset;
use cairn_core::sale::Sale;
use cairn_core::statement::{Order, Role};
use cairn_core::{Account, Amount, DeviceId, Hash, JobId, Verdict};

use crate::admit::Accepted;
use crate::refusal::Refusal;
use crate::state::State;

/// The most gas of an order: a million jobs, which is as many as there may be open ones, have a weight that a payout row holds.
/// Otherwise whoever orders from himself for nothing could keep an epoch from closing.
pub const JOB_GAS_MAX: u64 = i64::MAX.cast_unsigned() / 1_000_000;

/// The market at a moment, with everything that surrounds it.
pub struct Desk<'a> {
    state: &'a State,
    profile: &'a Profile,
    devices: Devices<'a>,
}

impl<'a> Desk<'a> {
    /// The market.
    #[must_use]
    pub const fn market(&self) -> &'a Market {
        &self.state.market
    }

    /// The profile in force.
    #[must_use]
    pub const fn profile(&self) -> &'a Profile {
        self.profile
    }

    /// What surrounds an entry received at this moment.
    #[must_use]
    pub fn now(&self) -> Now<'_> {
        Now { received_ms: self.devices.at_ms, profile: self.profile, parties: &self.devices }
    }

    /// Who would be assigned to an order, and the most that it would lock. Credit is not looked at.
    ///
    /// # Errors
    /// [`Refusal`] with the code of the market.
    pub fn quote(&self, order: &Order) -> Result<Quote, Refusal> {
        check_gas(order)?;
        Ok(self.market().quote(order, self.now())?)
    }

    /// Among whom the lottery of an order draws with this seed, and in which order; right as of the order's own entry.
    #[must_use]
    pub fn candidates(&self, job: &JobId, order: &Order, seed: &Hash) -> Vec<compute::Candidate> {
        self.market().candidates(job, order, seed, self.now())
    }
}

impl From<compute::MarketError> for Refusal {
    fn from(error: compute::MarketError) -> Self {
        Self::of(error.code(), error.to_string())
    }
}

/// No order is so long that the epoch which settles it could not be closed.
pub(crate) fn check_gas(order: &Order) -> Result<(), Refusal> {
    if order.gas <= JOB_GAS_MAX {
        return Ok(());
    }
    Err(Refusal::of("CMP-GAS", format!("gas of {} is beyond {JOB_GAS_MAX}", order.gas)))
}

/// Whose devices are, at a moment.
struct Devices<'a> {
    state: &'a State,
    at_ms: u64,
    scores: Option<&'a Carry>,
}

impl<'a> Devices<'a> {
    fn at(state: &'a State, at_ms: u64) -> Self {
        let revision = state.policy().and_then(|policy| policy.read.classes.get(compute::SCHEMA));
        let scores = revision.and_then(|revision| state.carry_of(compute::SCHEMA, *revision));
        Self { state, at_ms, scores }
    }
}

impl Parties for Devices<'_> {
    fn worker(&self, id: &DeviceId) -> Option<Worker> {
        let device = self.state.devices.get(id)?;
        let works =
            device.kind.role == Role::Worker && device.kind.classes.iter().any(|class| class == compute::SCHEMA);
        if !works || device.retired_index().is_some() || self.state.denial_at(id, self.at_ms).is_some() {
            return None;
        }
        let owner = Account::clone(&device.owner);
        Some(Worker { payee: self.state.payee_of(&owner).clone(), owner, score: self.score(id) })
    }

    fn score(&self, id: &DeviceId) -> u32 {
        let record = self.scores.and_then(|scores| scores.get(&id.0[..]));
        record.map_or(0, |record| compute::score_of(record).unwrap_or(0))
    }
}

/// The asset that a buyer pays with: the network's own, on the chain of its account.
fn asset_of(buyer: &Account) -> CreditAsset {
    CreditAsset::Native(buyer.domain().clone())
}

impl State {
    /// The market as of `at_ms`, under the rules of the open epoch.
    ///
    /// # Errors
    /// `CMP-CLOSED` when there are none.
    pub fn desk(&self, at_ms: u64) -> Result<Desk<'_>, Refusal> {
        let profile = self.work_profile().ok_or_else(|| {
            Refusal::of("CMP-CLOSED", "no policy in force opens a market of work, or no profile of it is in force")
        })?;
        Ok(Desk { state: self, profile, devices: Devices::at(self, at_ms) })
    }

    /// What the judge of compute remembers of a device: its right results, 0 for a newcomer.
    #[must_use]
    pub fn work_score(&self, device: &DeviceId) -> u32 {
        Devices::at(self, self.received_ms).score(device)
    }

    /// The profile of `compute/1` that rules the open epoch, if its policy judges the class.
    fn work_profile(&self) -> Option<&Arc<Profile>> {
        self.policy().filter(|policy| policy.read.classes.contains_key(compute::SCHEMA))?;
        self.work_profiles.range(..=self.epoch.number).next_back().map(|(_, profile)| profile)
    }

    /// What a buyer may lock: its credit in the network's own asset on the chain of its account.
    #[must_use]
    pub fn credit_of(&self, buyer: &Account) -> Amount {
        self.credits.held(&asset_of(buyer), &buyer.address().claim_word())
    }

    /// What is locked for jobs; `None` past 128 bits, which no history leads to.
    pub(crate) fn locked(&self) -> Option<Amount> {
        Amount::checked_sum(self.market.locked().map(|(_, amount)| amount))
    }

    fn lock(&mut self, buyer: &Account, amount: Amount) {
        self.credits.take(&asset_of(buyer), &buyer.address().claim_word(), amount);
    }

    fn give_back(&mut self, buyer: &Account, amount: Amount) {
        let added = self.credits.add(&asset_of(buyer), &buyer.address().claim_word(), amount);
        assert!(added, "what was locked had its room");
    }

    /// Changes the market as of an entry that was admitted.
    fn trade<T>(&mut self, at_ms: u64, change: impl FnOnce(&mut Market, Now<'_>) -> T) -> T {
        let mut market = core::mem::take(&mut self.market);
        let profile = self.work_profile().expect("admission found the market open");
        let devices = Devices::at(self, at_ms);
        let changed = change(&mut market, Now { received_ms: at_ms, profile, parties: &devices });
        self.market = market;
        changed
    }

    pub(crate) fn apply_order(&mut self, id: JobId, order: &Order, index: u64, received_ms: u64, seed: &Hash) {
        let locked = self.trade(received_ms, |market, now| market.apply_order(id, order, index, seed, now));
        self.lock(&order.buyer, locked);
    }

    pub(crate) fn apply_cancel(&mut self, id: &JobId) {
        let compute::Cancelled { buyer, locked } = self.market.apply_cancel(id);
        self.give_back(&buyer, locked);
    }

    /// Takes a worker's report to the market; others are none of its business.
    pub(crate) fn apply_work(&mut self, accepted: &Accepted, seed: impl FnOnce() -> Hash) {
        if accepted.class.schema() != compute::SCHEMA {
            return;
        }
        let body = Decoder::over(&accepted.body).value().ok().and_then(|body| Body::parse(&body).ok());
        let body = body.expect("admission read the body");
        let (device, index) = (accepted.device, accepted.index);
        self.trade(accepted.received_ms, |market, now| market.apply_report(&device, &body, index, seed, now));
    }
}

/// The market at the close of an epoch.
pub(crate) struct Closed {
    market: Market,
    profile: Option<Arc<Profile>>,
    closes_ms: u64,
    root: Hash,
}

impl Closed {
    /// Takes the market out of the state, with what time has decided.
    pub fn ripen(state: &mut State, root: Hash) -> Self {
        let epoch = state.epoch.number;
        let mut market = core::mem::take(&mut state.market);
        let closes_ms = state.clock().map_or(0, |clock| clock.closes_ms(epoch));
        let profile = state.work_profile().cloned();
        if let Some(profile) = &profile {
            let parties = &Devices::at(state, closes_ms);
            market.ripen(Closing { epoch, closes_ms, root, profile, parties });
        }
        Self { market, profile, closes_ms, root }
    }

    /// The jobs that are judged, of the class whose work is ordered.
    pub fn ripe(&self, class: &str) -> Vec<compute::RipeJob<'_>> {
        if class == compute::SCHEMA { self.market.ripe(self.closes_ms) } else { Vec::new() }
    }

    /// Bills what was judged, puts the market back, and gives buyers what their jobs did not cost.
    pub fn settle(self, state: &mut State, verdicts: &[Verdict]) -> Vec<Sale> {
        let Self { mut market, profile, closes_ms, root } = self;
        let epoch = state.epoch.number;
        let sales = match &profile {
            Some(profile) => {
                let fee = state.policy().map_or(cairn_core::Ppm::ZERO, |policy| policy.read.fee(compute::SCHEMA));
                let parties = &Devices::at(state, closes_ms);
                market.settle(Closing { epoch, closes_ms, root, profile, parties }, verdicts, fee)
            }
            None => market.dissolve(),
        };
        state.market = market;
        for sale in &sales {
            state.give_back(&sale.buyer, sale.returned);
        }
        sales
    }
}
