//! Laws of every market, over histories played from a seed with everybody lying in his own way.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::records::reread;
use super::*;
use crate::dice::Dice;

/// How a device behaves, for its life.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    Honest,
    /// Makes results up, one at a time.
    MakesUp,
    /// Says that it took more gas than it did.
    LiesAboutGas,
    /// Commits to the seal that another has committed to.
    Copies,
    /// Agrees with its like on one wrong result.
    Colludes,
    /// Commits and does not reveal.
    Withholds,
    /// Reveals when it is too late.
    Late,
    Declines,
    Silent,
}

const KINDS: [Kind; 12] = [
    Kind::Honest,
    Kind::MakesUp,
    Kind::Colludes,
    Kind::Honest,
    Kind::LiesAboutGas,
    Kind::Colludes,
    Kind::Copies,
    Kind::Honest,
    Kind::Withholds,
    Kind::Late,
    Kind::Declines,
    Kind::Silent,
];

fn kind(device: &DeviceId) -> Kind {
    KINDS[usize::from(device.0[0]) % KINDS.len()]
}

/// What the run of a job really gives.
fn truth(id: &JobId, job: &Job) -> RunResult {
    let gas = u64::from_be_bytes(*id.0.0.first_chunk().unwrap()) % (job.order.gas + 1);
    if id.0.0[31].is_multiple_of(5) {
        return RunResult { outcome: 3, gas, output: hash(""), output_bytes: 0 };
    }
    RunResult { outcome: OUTCOME_DONE, gas, output: id.0, output_bytes: 1 }
}

fn says(device: &DeviceId, id: &JobId, job: &Job) -> RunResult {
    let right = truth(id, job);
    match kind(device) {
        Kind::MakesUp => result(right.gas, &format!("{device}")),
        Kind::Colludes => result(right.gas / 2, "together"),
        Kind::LiesAboutGas => RunResult { gas: job.order.gas, ..right },
        _ => right,
    }
}

const DEVICES: u8 = 24;
const OWNERS: u8 = 15;

/// A market with attackers, moved by dice.
struct Play {
    fair: Fair,
    dice: Dice,
    /// Jobs and their true digest.
    truths: BTreeMap<JobId, Hash>,
    /// The codes of all verdicts.
    shown: BTreeSet<String>,
}

impl Play {
    fn new(seed: u64) -> Self {
        let mut dice = Dice(seed);
        let mut fair = Fair::with(0);
        for n in 1..=DEVICES {
            fair.people.owners.insert(device(n), account(1 + dice.byte(OWNERS)));
            if dice.chance(50) {
                fair = fair.proved([n], 1 + u32::try_from(dice.below(100)).unwrap());
            }
        }
        fair.profile.open_jobs_per_buyer = 12;
        fair.profile.open_jobs = 30;
        fair.profile.licences_per_owner = 3;
        fair.profile.cancel_ms = 20_000;
        fair.profile.lottery_pool = 1 + u32::try_from(dice.below(4)).unwrap();
        for buyer in [BUYER, 1, 2] {
            fair.credit.insert(account(buyer), Amount(dice.below(3_000_000).into()));
        }
        Self { fair, dice, truths: BTreeMap::new(), shown: BTreeSet::new() }
    }

    /// A market to its end: whatever happened, everything settles.
    fn out(seed: u64) -> Self {
        let mut play = Self::new(seed);
        for _ in 0..12 {
            play.offer();
        }
        for _ in 0..400 {
            play.step();
        }
        for _ in 0..4 {
            play.fair.wait(90_000_000);
            play.close();
        }
        play
    }

    fn step(&mut self) {
        match self.dice.below(20) {
            0..=2 => self.offer(),
            3 => self.license(),
            4..=7 => self.order(),
            8 => self.cancel(),
            9..=14 => self.work(),
            15..=16 => self.audit(),
            17 => {
                let hour = self.dice.below(200_000);
                self.fair.wait(hour);
            }
            18 => {
                let seen = reread(&self.fair.market);
                assert_eq!(seen, self.fair.market, "the market is its records");
                self.fair.market = seen;
            }
            _ => self.close(),
        }
    }

    fn offer(&mut self) {
        let n = 1 + self.dice.byte(DEVICES + 1);
        let price = Amount(self.dice.below(3_000).into());
        let until_ms = self.fair.now_ms + self.dice.below(3) * 50_000_000;
        let capacity = 1 + u32::try_from(self.dice.below(4)).unwrap();
        let offer = Offer { price, until_ms, capacity, ..self.fair.an_offer(n) };
        let _ = self.fair.offer(&offer);
    }

    fn license(&mut self) {
        let (owner, content) =
            (60 + self.dice.byte(4), ["module", "input", "other", "more"][self.dice.byte(4) as usize]);
        let modules = if self.dice.chance(20) { vec![hash("other")] } else { vec![] };
        let until_ms = self.fair.now_ms + self.dice.below(3) * 5_000_000;
        let price = Amount(self.dice.below(300).into());
        let licence = Licence { modules, until_ms, price, ..self.fair.a_licence(owner, content) };
        let _ = self.fair.license(&licence);
    }

    fn order(&mut self) {
        let buyer = [BUYER, BUYER, 1, 2][self.dice.byte(4) as usize];
        let order = Order {
            buyer: account(buyer),
            gas: self.dice.below(20_000_000_000),
            price: Amount(self.dice.below(4_000).into()),
            replicas: 1 + self.dice.byte(4),
            sample: Ppm::of(u32::try_from(self.dice.below(400_000)).unwrap()).unwrap(),
            most: Amount(self.dice.below(400_000).into()),
            inputs: vec![Blob { hash: hash(["input", "other"][self.dice.byte(2) as usize]), bytes: 5 }; 2],
            refund: self.dice.chance(30).then(|| account(77)),
            ..self.fair.an_order()
        };
        let Ok(id) = self.fair.order(&order) else { return };
        let job = self.fair.market.job(&id).unwrap();
        let owners: BTreeSet<&Account> = job.assigned.iter().map(|worker| &worker.owner).collect();
        assert_eq!(owners.len(), usize::from(order.replicas), "at most one of an owner");
        assert!(!owners.contains(&order.buyer), "nobody works for himself");
        assert!(job.assigned.iter().all(|worker| worker.price <= order.price));
        self.truths.insert(id, truth(&id, job).digest(1, &id));
    }

    fn cancel(&mut self) {
        let Some(id) = self.any_job() else { return };
        let by = [BUYER, 1, 2][self.dice.byte(3) as usize];
        let _ = self.fair.cancel(&id, by);
    }

    fn any_job(&mut self) -> Option<JobId> {
        let count = self.fair.market.jobs().count() as u64;
        if count == 0 {
            return None;
        }
        let at = usize::try_from(self.dice.below(count)).unwrap();
        self.fair.market.jobs().nth(at).map(|(id, _)| *id)
    }

    /// Everybody of one job says what it can.
    fn work(&mut self) {
        let Some(id) = self.any_job() else { return };
        for device in self.fair.assigned(&id) {
            if self.dice.chance(20) {
                continue;
            }
            let job = self.fair.market.job(&id).unwrap().clone();
            let found = says(&device, &id, &job);
            let _ = match (kind(&device), job.worker(&device).unwrap().word) {
                (Kind::Silent, _) | (_, Word::Revealed { .. } | Word::Declined { .. }) => Ok(()),
                (Kind::Declines, Word::Silent) => self.fair.decline(&id, device),
                (Kind::Copies, Word::Silent) => {
                    let seen = job.assigned.iter().find_map(|worker| match worker.word {
                        Word::Committed { seal, .. } => Some(seal),
                        _ => None,
                    });
                    seen.map_or(Ok(()), |seal| self.fair.report(device, &Body::Commit { job: id, seal }))
                }
                (_, Word::Silent) => self.fair.commit(&id, device, &found),
                (Kind::Withholds, Word::Committed { .. }) => Ok(()),
                (Kind::Late, Word::Committed { .. }) => {
                    let until_ms = job.reveal_until_ms;
                    let wait = self.dice.chance(10) && self.fair.now_ms < until_ms;
                    if wait {
                        self.fair.now_ms = until_ms;
                    }
                    let late = self.fair.now_ms >= until_ms;
                    let told = self.fair.reveal(&id, device, &found);
                    assert!(!late || told.is_err(), "revealed after its time");
                    told
                }
                (_, Word::Committed { .. }) => self.fair.reveal(&id, device, &found),
            };
        }
    }

    /// Auditors 1 to 3 say the truth, auditor 4 lies; two are a quorum.
    fn audit(&mut self) {
        let Some(id) = self.any_job() else { return };
        for auditor in 1..=4 {
            let digest = if auditor == 4 { hash("a lie") } else { self.truths[&id] };
            if self.dice.chance(60) {
                let _ = self.fair.replay(&id, auditor, digest);
            }
        }
    }

    fn close(&mut self) {
        let jobs: BTreeMap<JobId, Job> = self.fair.market.jobs().map(|(id, job)| (*id, job.clone())).collect();
        let scores: BTreeMap<DeviceId, u32> =
            (1..=DEVICES).map(|n| (device(n), self.fair.people.score(&device(n)))).collect();
        let (judged, sales) = self.fair.close();
        self.shown.extend(judged.verdicts.iter().map(|verdict| verdict.reasons[0].code.clone()));
        for sale in &sales {
            self.check_sale(sale, &jobs[&sale.job]);
        }
        for (device, before) in scores {
            self.check_score(&device, before, &judged);
        }
        assert!(self.fair.market.open_jobs() <= self.fair.profile.open_jobs.into());
    }

    fn check_sale(&self, sale: &Sale, job: &Job) {
        let truth = self.truths[&sale.job];
        let settled = self.fair.market.job(&sale.job).unwrap_or(job);
        let is_known = settled.truth.is_some();
        assert!(settled.truth.is_none_or(|said| said == truth), "no lying auditor makes a truth");
        for (worker, result, digest) in job.revealed() {
            let sold = sale.work.iter().find(|sold| sold.device == worker.device);
            assert!(!is_known || sold.is_some() == (digest == truth), "the right are paid and the wrong are not");
            if let Some(sold) = sold {
                assert_eq!((sold.gas, &sold.account), (result.gas, &worker.payee));
            }
        }
        for sold in &sale.work {
            assert!(job.revealed().any(|(worker, ..)| worker.device == sold.device), "only who revealed is paid");
        }
        for sold in &sale.licences {
            let terms = job.licences.iter().find(|terms| terms.content == sold.content).unwrap();
            assert_eq!(terms.owner, sold.account, "only who licensed is paid");
        }
        let licences = if sale.work.is_empty() { 0 } else { job.licences.len() };
        assert_eq!(sale.licences.len(), licences, "every licence once, when anybody is right");
    }

    fn check_score(&self, device: &DeviceId, before: u32, judged: &Judged) {
        let after = self.fair.people.score(device);
        let own: Vec<&str> = judged
            .verdicts
            .iter()
            .filter(|verdict| verdict.device == *device)
            .map(|verdict| verdict.reasons[0].code.as_str())
            .collect();
        let gains = own.iter().filter(|code| matches!(**code, "CMP-REPLAYED" | "CMP-AGREED")).count();
        assert!(after <= self.fair.profile.score_max);
        assert!(u64::from(after) <= u64::from(before) + gains as u64, "earned one by one");
        if own.contains(&"CMP-WRONG") {
            assert_eq!(after, 0, "lost at once");
        }
        if kind(device) == Kind::Honest {
            assert!(!own.contains(&"CMP-WRONG"), "an honest worker is never found wrong");
        }
    }
}

#[test]
fn the_histories_that_are_played_show_every_verdict() {
    let shown: BTreeSet<String> = (0..30).flat_map(|seed| Play::out(seed).shown).collect();
    assert_eq!(shown, Code::ALL.iter().map(|code| code.as_str().to_owned()).collect());
}

proptest! {
    /// What is asserted at every step of [`Play`] and at every close of [`Fair`]: money is conserved job by job and in all;
    /// only right workers and owners of licences are paid; scores; owners; records; no call that is admitted panics.
    #[test]
    fn every_market_keeps_its_books_pays_the_right_and_is_its_records(seed in any::<u64>()) {
        let play = Play::out(seed);
        prop_assert_eq!(play.fair.market.open_jobs(), 0);
        prop_assert_eq!(play.fair.market.locked().count(), 0);
        prop_assert_eq!(&reread(&play.fair.market), &play.fair.market);
    }

    #[test]
    fn the_order_of_offers_changes_nothing(seed in any::<u64>(), replicas in 1u8..=4) {
        let mut dice = Dice(seed);
        let mut fair = Fair::with(0);
        let mut offers = Vec::new();
        for n in 1..=16 {
            fair.people.owners.insert(device(n), account(1 + dice.byte(8)));
            offers.push(Offer { price: Amount(dice.below(3).into()), until_ms: u64::MAX >> 1, ..fair.an_offer(n) });
        }
        let mut other = fair.clone();
        for offer in &offers {
            fair.offer(offer).unwrap();
        }
        for at in (1..offers.len()).rev() {
            offers.swap(at, usize::try_from(dice.below(at as u64 + 1)).unwrap());
        }
        for offer in &offers {
            other.offer(offer).unwrap();
        }
        let order = Order { replicas, gas: 1_000_000_000_000, price: Amount(5), ..fair.an_order() };
        let told = (fair.order(&order).map(|id| fair.assigned(&id)), other.order(&order).map(|id| other.assigned(&id)));
        prop_assert_eq!(told.0, told.1);
        prop_assert_eq!(fair.market, other.market);
    }

    /// The three steps of the reference, as they stand there.
    #[test]
    fn those_are_assigned_whom_the_reference_names(seed in any::<u64>(), replicas in 1u8..=4, pool in 1u32..=4) {
        use std::cmp::Reverse;

        use crate::compute::market::lottery;
        let mut dice = Dice(seed);
        let mut fair = Fair::with(0);
        fair.profile.lottery_pool = pool;
        for n in 1..=40 {
            fair.people.owners.insert(device(n), account(1 + dice.byte(25)));
            let price = Amount(dice.below(6).into());
            fair.offer(&Offer { price, until_ms: u64::MAX >> 1, ..fair.an_offer(n) }).unwrap();
            if dice.chance(60) {
                fair = fair.proved([n], 1 + u32::try_from(dice.below(3)).unwrap());
            }
        }
        fair.profile.lock_min = dice.below(9) * 1_000;
        let order = Order { replicas, gas: 1_000_000_000_000, price: Amount(4), ..fair.an_order() };
        let Ok(id) = fair.order(&order) else { return Ok(()) };
        let locks_enough = |price: Amount| u128::from(replicas) * 1_000 * price.0 >= fair.profile.lock_min.into();
        let rank = |offer: &Offer| {
            let score = fair.people.score(&offer.device);
            (offer.price, Reverse(score), lottery(&fair.seed(), &id, &offer.device), offer.device)
        };
        let mut best: BTreeMap<&Account, _> = BTreeMap::new();
        let fitting = |offer: &&Offer| offer.price <= order.price && locks_enough(offer.price);
        for offer in fair.market.offers().filter(fitting) {
            let own = best.entry(&fair.people.owners[&offer.device]).or_insert_with(|| rank(offer));
            *own = rank(offer).min(*own);
        }
        let mut named: Vec<_> = best.into_values().collect();
        named.sort_unstable();
        named.truncate(usize::from(replicas) * usize::try_from(pool).unwrap());
        named.sort_unstable_by_key(|(_, _, lottery, _)| *lottery);
        let named: Vec<DeviceId> = named.into_iter().take(replicas.into()).map(|(.., device)| device).collect();
        prop_assert_eq!(fair.assigned(&id), named);
    }

    /// Admission knows no seed, and what it allows no seed exceeds; nor does any put two devices of an owner to one job.
    #[test]
    fn whoever_grinds_an_order_gains_no_place_that_he_had_no_claim_to(seed in any::<u64>(), grinds in 1u64..50) {
        let mut dice = Dice(seed);
        let mut fair = Fair::with(0);
        for n in 1..=12 {
            fair.people.owners.insert(device(n), account(1 + dice.byte(6)));
            fair.offer(&Offer { price: Amount(1_000 + u128::from(dice.below(100))), ..fair.an_offer(n) }).unwrap();
        }
        fair.license(&fair.a_licence(90, "input")).unwrap();
        let order = Order { replicas: 2, ..fair.an_order() };
        let credit = fair.credit[&account(BUYER)];
        let Ok(quote) = fair.market.admit_order(&JobId(hash("job")), &order, credit, fair.now()) else { return Ok(()) };
        let pool: BTreeSet<Amount> = quote.workers.iter().map(|(_, price)| *price).collect();
        for grind in 0..grinds {
            let id = JobId(Hash::of(&grind.to_be_bytes()));
            let again = fair.market.admit_order(&id, &order, credit, fair.now()).map(|quote| quote.locked);
            prop_assert_eq!(again, Ok(quote.locked));
            let mut market = fair.market.clone();
            let locked = market.apply_order(id, &order, 1, &Hash::of(&grind.to_le_bytes()), fair.now());
            prop_assert!(locked <= quote.locked);
            let job = market.job(&id).unwrap();
            prop_assert!(job.assigned.iter().all(|worker| pool.contains(&worker.price)));
            prop_assert!(job.assigned[0].owner != job.assigned[1].owner);
        }
    }

    #[test]
    fn work_rounded_up_is_the_least_that_covers_it(gas in any::<u64>(), price in any::<u128>(), small in any::<u64>()) {
        use crate::compute::market::money::{work_ceil, work_floor};
        for price in [price, small.into(), price >> 64] {
            let (floor, ceil) = (work_floor(gas, Amount(price)), work_ceil(gas, Amount(price)));
            match (floor, u128::from(gas).checked_mul(price)) {
                (Some(floor), Some(product)) => {
                    prop_assert_eq!(floor.0, product / 1_000_000_000);
                    prop_assert_eq!(ceil, Some(Amount(product.div_ceil(1_000_000_000))));
                }
                (Some(floor), None) => prop_assert!(ceil.is_none_or(|ceil| ceil.0 - floor.0 <= 1)),
                (None, _) => prop_assert_eq!(ceil, None),
            }
        }
    }
}
