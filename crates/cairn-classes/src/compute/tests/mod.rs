//! A fair: devices of owners, buyers with credit, auditors, a log that only counts, and the market between them.

mod bodies;
mod cases;
mod golden;
mod happy;
mod honesty;
mod laws;
mod profiles;
mod records;
mod refusals;

use std::collections::BTreeMap;

use cairn_core::sale::Sale;
use cairn_core::statement::{Blob, Licence, Offer, Order, Replay, RunProfile};
use cairn_core::{Account, Amount, DeviceId, Hash, JobId, Ppm, Verdict};

use super::*;
use crate::{Carry, Docket, Judged};

/// The account of a number.
fn account(n: u8) -> Account {
    Account::parse(&format!("eip155:31337:0x{}", format!("{n:02x}").repeat(20))).unwrap()
}

fn device(n: u8) -> DeviceId {
    DeviceId([n; 16])
}

fn hash(text: &str) -> Hash {
    Hash::of(text.as_bytes())
}

/// A result of so much gas whose output is some text.
fn result(gas: u64, output: &str) -> RunResult {
    RunResult { outcome: OUTCOME_DONE, gas, output: hash(output), output_bytes: output.len() as u64 }
}

/// Who owns which device, and what the class remembers of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct People {
    owners: BTreeMap<DeviceId, Account>,
    carry: Carry,
}

impl Parties for People {
    fn worker(&self, device: &DeviceId) -> Option<Worker> {
        let owner = self.owners.get(device)?.clone();
        Some(Worker { payee: owner.clone(), owner, score: self.score(device) })
    }

    fn score(&self, device: &DeviceId) -> u32 {
        self.carry.get(&device.0[..]).map_or(0, |record| score_of(record).unwrap())
    }
}

const START_MS: u64 = 1_800_000_000_000;
const BUYER: u8 = 200;
const FEE: u32 = 50_000;

/// Everything at one moment.
#[derive(Debug, Clone)]
struct Fair {
    market: Market,
    profile: Profile,
    people: People,
    now_ms: u64,
    index: u64,
    epoch: u64,
    credit: BTreeMap<Account, Amount>,
    quorum: u64,
}

impl Fair {
    /// Devices 1 to `workers` of owners of the same number, each offering at price 1,000 + its number, and the buyer's credit.
    fn with(workers: u8) -> Self {
        let mut fair = Self {
            market: Market::default(),
            profile: Profile::parse(COMPUTE).unwrap(),
            people: People::default(),
            now_ms: START_MS,
            index: 100,
            epoch: 7,
            credit: BTreeMap::from([(account(BUYER), Amount(1_000_000_000))]),
            quorum: 2,
        };
        for n in 1..=workers {
            fair.people.owners.insert(device(n), account(n));
            fair.offer(&fair.an_offer(n)).unwrap();
        }
        fair
    }

    fn now(&self) -> Now<'_> {
        Now { received_ms: self.now_ms, profile: &self.profile, parties: &self.people }
    }

    fn next(&mut self) -> u64 {
        self.index += 1;
        self.now_ms += 1;
        self.index
    }

    fn seed(&self) -> Hash {
        Hash::of(&self.index.to_be_bytes())
    }

    fn an_offer(&self, n: u8) -> Offer {
        Offer {
            device: device(n),
            price: Amount(1_000 + u128::from(n)),
            capacity: 4,
            gas_max: 1_000_000_000_000,
            pages_max: 1_024,
            profiles: 3,
            until_ms: self.now_ms + 100 * 86_400_000,
        }
    }

    fn an_order(&self) -> Order {
        Order {
            buyer: account(BUYER),
            module: Blob { hash: hash("module"), bytes: 6 },
            inputs: vec![Blob { hash: hash("input"), bytes: 5 }],
            arguments: b"7".to_vec(),
            gas_table: 1,
            profile: RunProfile::DetInt,
            gas: 10_000_000_000,
            pages: 16,
            output_bytes: 1_000,
            price: Amount(2_000),
            replicas: 2,
            sample: Ppm::ZERO,
            commit_ms: 60_000,
            most: Amount(1_000_000),
            refund: None,
        }
    }

    fn a_licence(&self, owner: u8, content: &str) -> Licence {
        Licence {
            owner: account(owner),
            content: hash(content),
            price: Amount(100),
            share: Ppm::of(100_000).unwrap(),
            modules: vec![],
            until_ms: self.now_ms + 100 * 86_400_000,
        }
    }

    fn offer(&mut self, offer: &Offer) -> Result<(), MarketError> {
        self.next();
        self.market.admit_offer(offer, self.now())?;
        self.market.apply_offer(offer, self.now_ms);
        Ok(())
    }

    fn license(&mut self, licence: &Licence) -> Result<(), MarketError> {
        self.next();
        self.market.admit_licence(licence, self.now())?;
        self.market.apply_licence(licence, self.now_ms);
        Ok(())
    }

    fn order(&mut self, order: &Order) -> Result<JobId, MarketError> {
        let index = self.next();
        let id = JobId(Hash::of(&index.to_le_bytes()));
        let credit = self.credit.get(&order.buyer).copied().unwrap_or_default();
        let quote = self.market.admit_order(&id, order, credit, self.now())?;
        let (seed, mut market) = (self.seed(), std::mem::take(&mut self.market));
        let locked = market.apply_order(id, order, index, &seed, self.now());
        self.market = market;
        assert!(locked <= quote.locked && quote.locked <= order.most, "{locked} of {}", quote.locked);
        assert!(locked >= Amount(self.profile.lock_min.into()), "{locked} is too little");
        self.credit.insert(order.buyer.clone(), credit.checked_sub(locked).unwrap());
        Ok(id)
    }

    fn cancel(&mut self, id: &JobId, by: u8) -> Result<(), MarketError> {
        self.next();
        self.market.admit_cancel(id, &account(by), self.now())?;
        let Cancelled { buyer, locked } = self.market.apply_cancel(id);
        self.give_back(&buyer, locked);
        Ok(())
    }

    fn give_back(&mut self, buyer: &Account, amount: Amount) {
        let credit = self.credit.entry(buyer.clone()).or_default();
        *credit = credit.checked_add(amount).unwrap();
    }

    fn replay(&mut self, id: &JobId, auditor: u8, digest: Hash) -> Result<(), MarketError> {
        let index = self.next();
        let (replay, auditor) = (Replay { job: *id, digest }, [auditor; 20]);
        self.market.admit_replay(&replay, &auditor, self.now())?;
        self.market.apply_replay(&replay, auditor, index, self.quorum);
        Ok(())
    }

    fn report(&mut self, device: DeviceId, body: &Body) -> Result<(), MarketError> {
        let index = self.next();
        self.market.admit_report(&device, body, self.now())?;
        let (seed, mut market) = (self.seed(), std::mem::take(&mut self.market));
        market.apply_report(&device, body, index, || seed, self.now());
        self.market = market;
        Ok(())
    }

    fn salt(device: DeviceId) -> [u8; 16] {
        *Hash::of(&device.0).0.first_chunk().unwrap()
    }

    fn digest(&self, id: &JobId, result: &RunResult) -> Hash {
        result.digest(self.profile.gas_table, id)
    }

    fn commit(&mut self, id: &JobId, device: DeviceId, result: &RunResult) -> Result<(), MarketError> {
        let seal = seal(id, &device, &self.digest(id, result), &Self::salt(device));
        self.report(device, &Body::Commit { job: *id, seal })
    }

    fn reveal(&mut self, id: &JobId, device: DeviceId, result: &RunResult) -> Result<(), MarketError> {
        self.report(device, &Body::Reveal { job: *id, result: *result, salt: Self::salt(device) })
    }

    fn decline(&mut self, id: &JobId, device: DeviceId) -> Result<(), MarketError> {
        self.report(device, &Body::Decline { job: *id, reason: 1 })
    }

    /// The devices of a job, in the order of assignment.
    fn assigned(&self, id: &JobId) -> Vec<DeviceId> {
        self.market.job(id).unwrap().assigned.iter().map(|worker| worker.device).collect()
    }

    /// A job whose workers find these results, in the order of assignment: sealed and revealed.
    fn done(&mut self, order: &Order, results: &[RunResult]) -> JobId {
        let id = self.order(order).unwrap();
        let workers = self.assigned(&id);
        for (device, result) in workers.iter().zip(results) {
            self.commit(&id, *device, result).unwrap();
        }
        for (device, result) in workers.iter().zip(results) {
            self.reveal(&id, *device, result).unwrap();
        }
        id
    }

    fn closing(&self) -> Closing<'_> {
        Closing {
            epoch: self.epoch,
            closes_ms: self.now_ms,
            root: self.seed(),
            profile: &self.profile,
            parties: &self.people,
        }
    }

    /// Closes the epoch: what was judged and sold. Everything that holds of every close is asserted here.
    fn close(&mut self) -> (Judged, Vec<Sale>) {
        let before = self.total();
        let mut market = std::mem::take(&mut self.market);
        market.ripen(self.closing());
        let judged = judge_jobs(&self.profile, &self.people.carry, &market.ripe(self.now_ms));
        let sales = market.settle(self.closing(), &judged.verdicts, Ppm::of(FEE).unwrap());
        self.market = market;
        judged.update(&mut self.people.carry);
        for sale in &sales {
            assert!(sale.balances(), "{sale:?}");
            self.give_back(&sale.buyer, sale.returned);
        }
        let gone = sales.iter().flat_map(|sale| [sale.revenue().unwrap(), sale.refunded()]);
        assert_eq!(before, Amount::checked_sum(gone.chain([self.total()])).unwrap());
        self.epoch += 1;
        self.next();
        (judged, sales)
    }

    /// All credit and all that is locked.
    fn total(&self) -> Amount {
        let locked = self.market.locked().map(|(_, amount)| amount);
        Amount::checked_sum(self.credit.values().copied().chain(locked)).unwrap()
    }

    fn wait(&mut self, ms: u64) {
        self.now_ms += ms;
    }

    /// Gives devices a score, as if they had earned it.
    fn proved(mut self, devices: impl IntoIterator<Item = u8>, score: u32) -> Self {
        for n in devices {
            let record = cairn_core::cbor::Encoder::empty().array(1).uint(score.into()).take();
            self.people.carry.insert(device(n).0.to_vec(), record);
        }
        self
    }
}

fn judge_jobs(profile: &Profile, carry: &Carry, jobs: &[RipeJob<'_>]) -> Judged {
    let docket = Docket {
        network_epoch: 7,
        start_ms: START_MS,
        end_ms: START_MS + 3_600_000,
        sites: &BTreeMap::new(),
        fresh: &[],
        context: &[],
        carry,
        jobs,
        salt: Hash::ZERO,
    };
    judge(1, profile, &docket).unwrap()
}

/// The codes of a job's verdicts, by device.
fn codes(judged: &Judged, job: &Job) -> Vec<(DeviceId, String)> {
    let of_job = |verdict: &&Verdict| verdict.subject == cairn_core::Subject::Job(job.index);
    judged.verdicts.iter().filter(of_job).map(|verdict| (verdict.device, verdict.reasons[0].code.clone())).collect()
}
