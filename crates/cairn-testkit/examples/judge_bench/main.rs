//! Measures what the judge of sensing finds of injected errors, beside public libraries:
//! `judge_bench [--seeds N] [--peers PYTHON SCRIPT FOLDER]`.
//!
//! Every method sees the same rows. `--peers` has the script flag them with `ioos_qc` and `titanlib`; the folder holds what
//! is handed over. Prints tables; `measure.rs` of the test kit's injector defines what they count.

mod peers;
mod tables;

use std::error::Error;

use cairn_classes::sensing::{Document, SENSING_DAILY_PM, SENSING_HOURLY, SENSING_STATION, revision_1};
use cairn_testkit::injector::judged::{Said, judged};
use cairn_testkit::injector::measure::{Counts, by_station, delays};
use cairn_testkit::injector::{Field, Injected, Kind, Plan, inject};

use peers::Peers;

/// A tenth of the stations are spoiled.
const STATIONS_PPM: u32 = 100_000;

/// A field, and the profiles that the two revisions judge it by.
struct Setting {
    field: Field,
    about: &'static str,
    profiles: [&'static str; 2],
    /// How often as many seeds as asked for: small fields are cheap and need more.
    times: u64,
}

/// One way to judge a field.
enum Method<'a> {
    Judge(&'static str, Document),
    Peer(&'a str),
}

impl Method<'_> {
    fn name(&self) -> &str {
        match self {
            Self::Judge(name, _) => name,
            Self::Peer(name) => name,
        }
    }
}

/// What a method made of one kind of error, over all seeds.
#[derive(Default)]
struct Result {
    stations: Vec<Counts>,
    delays: Vec<Option<u64>>,
}

fn main() -> std::result::Result<(), Box<dyn Error>> {
    let (seeds, peers) = arguments()?;
    println!("{}", tables::LEGEND);
    if let Some(peers) = &peers {
        println!("{}\n", peers.about);
    }
    for setting in settings() {
        measure(&setting, seeds, peers.as_ref())?;
    }
    Ok(())
}

fn arguments() -> std::result::Result<(u64, Option<Peers>), Box<dyn Error>> {
    let (mut seeds, mut peers) = (3, None);
    let mut rest = std::env::args().skip(1);
    while let Some(flag) = rest.next() {
        let mut next = || rest.next().ok_or_else(|| format!("{flag} wants more"));
        match flag.as_str() {
            "--seeds" => seeds = next()?.parse()?,
            "--peers" => peers = Some(Peers::of(next()?, next()?, next()?.into())?),
            _ => return Err(format!("{flag}: unknown").into()),
        }
    }
    Ok((seeds, peers))
}

fn settings() -> [Setting; 3] {
    const DAILY: [&str; 2] = [SENSING_DAILY_PM, revision_1::SENSING_DAILY_PM];
    const STATION: [&str; 2] = [SENSING_STATION, revision_1::SENSING_STATION];
    const HOURLY: [&str; 2] = [SENSING_HOURLY, revision_1::SENSING_STATION];
    [
        Setting {
            // 2003 to 2005.
            field: Field::germany(12_053..13_149),
            about: "daily PM10 at 70 German background stations, 2003 to 2005 (real)",
            profiles: DAILY,
            times: 2,
        },
        Setting {
            field: Field::new_york(120),
            about: "hourly weather at three airports, four months of 2013 (real; too few for neighbours)",
            profiles: HOURLY,
            times: 4,
        },
        Setting {
            field: Field::simulated_city(20, 18),
            about: "sixty stations every ten minutes for 18 days (SIMULATED: kinder than real air)",
            profiles: STATION,
            times: 1,
        },
    ]
}

fn measure(setting: &Setting, seeds: u64, peers: Option<&Peers>) -> std::result::Result<(), Box<dyn Error>> {
    let field = &setting.field;
    let mut methods = Vec::new();
    for (name, profile) in ["cairn, revision 2", "cairn, revision 1"].into_iter().zip(setting.profiles) {
        methods.push(Method::Judge(name, Document::parse(profile)?));
    }
    methods.extend(peers.iter().flat_map(|peers| &peers.methods).map(|name| Method::Peer(name)));
    let slot_ms = Document::parse(setting.profiles[0])?.slot_ms();

    println!("== {}: {}", field.name, setting.about);
    println!("   {} readings, {} seeds for every kind", field.rows.len(), seeds * setting.times);
    let honest = said(&methods, field, slot_ms, peers)?;
    tables::honest(field, &methods.iter().map(Method::name).zip(&honest).collect::<Vec<_>>());
    tables::head();
    for kind in Kind::ALL.into_iter().filter(|kind| kind.applies_to(field)) {
        let mut results: Vec<Result> = methods.iter().map(|_| Result::default()).collect();
        for seed in 0..seeds * setting.times {
            let injected = inject(field, Plan { kind, seed, stations_ppm: STATIONS_PPM });
            let said = said(&methods, &injected.field, slot_ms, peers)?;
            for (result, said) in results.iter_mut().zip(&said) {
                result.take(&injected, slot_ms, said);
            }
        }
        for (method, result) in methods.iter().zip(&results) {
            tables::row(kind, method.name(), &result.stations, &result.delays);
        }
    }
    println!();
    Ok(())
}

impl Result {
    fn take(&mut self, injected: &Injected, slot_ms: u64, said: &Said) {
        self.stations.extend(by_station(&injected.field, &injected.faulty, said));
        self.delays.extend(delays(injected, slot_ms, said));
    }
}

/// What every method says of a field.
fn said(
    methods: &[Method<'_>],
    field: &Field,
    slot_ms: u64,
    peers: Option<&Peers>,
) -> std::result::Result<Vec<Said>, Box<dyn Error>> {
    let mut flags = match peers {
        Some(peers) => peers.flags(field)?,
        None => Vec::new(),
    }
    .into_iter();
    let mut all = Vec::new();
    for method in methods {
        all.push(match method {
            Method::Judge(_, document) => judged(field, document)?,
            Method::Peer(name) => {
                let rows = flags.next().ok_or_else(|| format!("no flags of {name}"))?;
                Said::of_rows(field, slot_ms, rows)
            }
        });
    }
    Ok(all)
}
