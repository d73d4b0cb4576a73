//! How long the market takes for a thousand jobs, on one thread: ordered and assigned, sealed, revealed, judged, billed.
//!
//! `cargo run --release -p cairn-classes --example compute_thousand [workers]`; the time of signatures and of the log is
//! not in it.

use std::collections::BTreeMap;
use std::time::Instant;

use cairn_classes::compute::{self, Body, COMPUTE, Closing, Market, Now, Parties, Profile, RunResult, Worker};
use cairn_classes::{Carry, Docket};
use cairn_core::statement::{Blob, Offer, Order, RunProfile};
use cairn_core::{Account, Amount, DeviceId, Hash, JobId, Ppm};

const JOBS: u64 = 1_000;
const REPLICAS: u8 = 2;
const NOW_MS: u64 = 1_800_000_000_000;

struct People(BTreeMap<DeviceId, Account>);

impl Parties for People {
    fn worker(&self, device: &DeviceId) -> Option<Worker> {
        let owner = self.0.get(device)?.clone();
        Some(Worker { payee: owner.clone(), owner, score: 20 })
    }

    fn score(&self, _: &DeviceId) -> u32 {
        20
    }
}

fn device(n: u64) -> DeviceId {
    let mut id = [0; 16];
    id[..8].copy_from_slice(&n.to_be_bytes());
    DeviceId(id)
}

fn account(n: u64) -> Result<Account, Box<dyn std::error::Error>> {
    Ok(Account::parse(&format!("eip155:31337:0x{n:040x}"))?)
}

fn order(n: u64) -> Result<Order, Box<dyn std::error::Error>> {
    Ok(Order {
        buyer: account(1_000_000_000 + n % 20)?,
        module: Blob { hash: Hash::of(b"module"), bytes: 6 },
        inputs: vec![],
        arguments: n.to_be_bytes().to_vec(),
        gas_table: 1,
        profile: RunProfile::DetInt,
        gas: 10_000_000_000,
        pages: 16,
        output_bytes: 1_000,
        price: Amount(2_000_000),
        replicas: REPLICAS,
        sample: Ppm::ZERO,
        commit_ms: 60_000,
        most: Amount(1_000_000_000),
        refund: None,
    })
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let workers: u64 = std::env::args().nth(1).map_or(Ok(1_000), |count| count.parse())?;
    let profile = Profile { sample_min_ppm: 0, ..Profile::parse(COMPUTE)? };
    let owners =
        (0..workers).map(|n| Ok((device(n), account(n)?))).collect::<Result<_, Box<dyn std::error::Error>>>()?;
    let people = People(owners);
    let now = Now { received_ms: NOW_MS, profile: &profile, parties: &people };
    let mut market = Market::default();
    for n in 0..workers {
        let (price, until_ms) = (Amount((1_000 + n % 700).into()), NOW_MS + 86_400_000);
        let offer =
            Offer { device: device(n), price, capacity: 64, gas_max: 1 << 40, pages_max: 1_024, profiles: 3, until_ms };
        market.admit_offer(&offer, now)?;
        market.apply_offer(&offer, NOW_MS);
    }
    let step = |name: &str, since: Instant| println!("{name:<10} {:>9} us", since.elapsed().as_micros());
    let found = RunResult { outcome: 0, gas: 9_000_000_000, output: Hash::of(b"output"), output_bytes: 6 };

    let since = Instant::now();
    let mut jobs = Vec::new();
    for n in 0..JOBS {
        let (id, order) = (JobId(Hash::of(&n.to_be_bytes())), order(n)?);
        market.admit_order(&id, &order, Amount(u128::MAX >> 64), now)?;
        market.apply_order(id, &order, n, &id.0, now);
        jobs.push((id, market.job(&id).map_or_else(Vec::new, |job| job.assigned.iter().map(|w| w.device).collect())));
    }
    step("assigned", since);

    let mut index = JOBS;
    let mut say = |market: &mut Market, device: DeviceId, body: &Body| {
        index += 1;
        market.admit_report(&device, body, now)?;
        market.apply_report(&device, body, index, || Hash::of(&index.to_be_bytes()), now);
        Ok::<_, compute::MarketError>(())
    };
    let since = Instant::now();
    for (id, workers) in &jobs {
        for device in workers {
            let seal = compute::seal(id, device, &found.digest(1, id), &[7; 16]);
            say(&mut market, *device, &Body::Commit { job: *id, seal })?;
        }
    }
    step("sealed", since);
    let since = Instant::now();
    for (id, workers) in &jobs {
        for device in workers {
            say(&mut market, *device, &Body::Reveal { job: *id, result: found, salt: [7; 16] })?;
        }
    }
    step("revealed", since);

    let closing = Closing { epoch: 0, closes_ms: NOW_MS + 1, root: Hash::ZERO, profile: &profile, parties: &people };
    let since = Instant::now();
    market.ripen(closing);
    let ripe = market.ripe(closing.closes_ms);
    let docket = Docket {
        network_epoch: 0,
        start_ms: NOW_MS,
        end_ms: NOW_MS + 1,
        sites: &BTreeMap::new(),
        fresh: &[],
        context: &[],
        carry: &Carry::new(),
        jobs: &ripe,
        salt: Hash::ZERO,
    };
    let judged = compute::judge(1, &profile, &docket)?;
    step("judged", since);
    let since = Instant::now();
    let sales = market.settle(closing, &judged.verdicts, Ppm::of(50_000).unwrap_or_default());
    step("billed", since);
    let since = Instant::now();
    let bytes: usize = market.records().map(|(_, key, value)| key.len() + value.len()).sum();
    step("recorded", since);
    println!("{} verdicts, {} sales, {bytes} bytes of records, {workers} workers", judged.verdicts.len(), sales.len());
    Ok(())
}
