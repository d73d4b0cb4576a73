//! Measures the judge of sensing alone on a million reports: `judge_million [devices] [readings] [rounds]`.
//!
//! Reports are made and their bodies built before the clock starts; reading the bodies is part of judging. One epoch, on
//! one thread and on two, and the verdicts are asserted to be the same bytes.

use std::time::{Duration, Instant};

use cairn_classes::sensing::{Document, Quantity, SENSING_STATION, judge};
use cairn_classes::{Carry, Docket};
use cairn_core::geo::Position;
use cairn_core::{DeviceId, Hash};
use cairn_testkit::injector::judged::{bodies, reports, sites};
use cairn_testkit::injector::{Field, Place, Random, Row};

const START_MS: u64 = 1_750_032_000_000;
const HOUR_MS: u64 = 3_600_000;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut numbers = std::env::args().skip(1).map(|text| text.parse::<u64>());
    let mut next = |default| numbers.next().unwrap_or(Ok(default));
    let (devices, readings, rounds) = (next(5_000)?, next(200)?, next(3)?);
    println!("{devices} devices, {readings} readings of temperature, humidity and PM2.5 each");
    for (what, cadence_ms) in [("every 10 minutes, hourly slots", HOUR_MS / 6), ("every hour, hourly slots", HOUR_MS)] {
        measure(what, &field(devices, readings, cadence_ms), rounds)?;
    }
    Ok(())
}

/// Stations on a lattice about 1.5 km apart, in air that changes slowly.
fn field(devices: u64, readings: u64, cadence_ms: u64) -> Field {
    let mut random = Random::of(9);
    let place = |n: u64| {
        let e7 = |middle: i64, steps: u64| i32::try_from(middle + steps.cast_signed() * 140_000).expect("in Europe");
        let position = Position::of(e7(480_000_000, n / 71), e7(80_000_000, n % 71)).expect("a place on earth");
        Place { name: format!("simulated-{n}"), position, altitude_cm: None }
    };
    let mut rows = Vec::new();
    for step in 0..readings {
        for station in 0..devices {
            let wave = i64::try_from((step * 13) % 600).expect("small");
            let values = vec![
                (Quantity::AirTemperature, 1_000 + wave + random.around_zero(30)),
                (Quantity::RelativeHumidity, 6_000 - wave + random.around_zero(100)),
                (Quantity::Pm25, (120 + wave / 8 + random.around_zero(12)).max(0)),
            ];
            let station = usize::try_from(station).expect("a number of devices");
            rows.push(Row { station, time_ms: START_MS + step * cadence_ms, values });
        }
    }
    Field { name: "simulated-lattice", places: (0..devices).map(place).collect(), rows, cadence_ms }
}

fn measure(what: &str, field: &Field, rounds: u64) -> Result<(), Box<dyn std::error::Error>> {
    let document = Document::parse(SENSING_STATION)?;
    let devices: Vec<DeviceId> = field.places.iter().map(|place| DeviceId::of_key(place.name.as_bytes())).collect();
    let (sites, bodies) = (sites(field, &devices), bodies(&field.rows)?);
    let fresh = reports(&field.rows, 0, &bodies, &devices, &sites);
    let end_ms = fresh.last().map_or(START_MS, |report| report.time_ms) / HOUR_MS * HOUR_MS + HOUR_MS;
    let carry = Carry::new();
    let docket = Docket {
        network_epoch: 0,
        start_ms: START_MS,
        end_ms,
        sites: &sites,
        fresh: &fresh,
        context: &[],
        carry: &carry,
        jobs: &[],
        salt: Hash::ZERO,
    };
    let mut said = None;
    for threads in [1, 2] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build()?;
        let mut best = Duration::MAX;
        for _ in 0..rounds {
            let started = Instant::now();
            let judged = pool.install(|| judge(document.revision(), &document, &docket))?;
            best = best.min(started.elapsed());
            let first = said.get_or_insert_with(|| judged.clone());
            assert_eq!(*first, judged, "one thread or two, the same bytes");
        }
        let ns = best.as_nanos() / fresh.len().max(1) as u128;
        println!("{what}, {threads} thread(s): {} reports in {:>5} ms, {ns} ns each", fresh.len(), best.as_millis());
    }
    if let Some(judged) = said {
        let carried: usize = judged.carry.iter().filter_map(|(_, value)| value.as_ref()).map(Vec::len).sum();
        println!(
            "  {} verdicts, {} bytes carried for each device",
            judged.verdicts.len(),
            carried / devices.len().max(1)
        );
    }
    Ok(())
}
