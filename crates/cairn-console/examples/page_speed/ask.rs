//! Asks for pages of every kind, and says what they took.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::RwLock;
use std::time::{Duration, Instant};

use cairn_api::Health;
use cairn_console::word::Silent;
use cairn_console::{Reader, Standing};
use cairn_core::ed25519::SigningKey;
use cairn_core::{Account, DeviceId};
use cairn_ledger::{Ledger, NetworkClock};
use cairn_log::{Log, LogReader};
use cairn_merkle::NoteSigner;
use tempfile::TempDir;

use crate::Failure;

/// Pages of each kind, and how long they may take together.
const REQUESTS: usize = 100;
const KIND_MAX: Duration = Duration::from_secs(20);
/// Ticks of the processor's time in a second, as Linux tells it to every process.
const TICKS_PER_S: u32 = 100;

/// A network whose pages are asked for.
pub struct Site {
    ledger: RwLock<Ledger>,
    log: LogReader,
    devices: Vec<(DeviceId, Account)>,
    folder: TempDir,
}

/// Publishes a checkpoint over all of a log.
pub fn publish(log: &mut Log) -> Result<(), Failure> {
    let signer = NoteSigner::new("test.invalid/memory", SigningKey::from_seed([253; 32]))?;
    log.publish_checkpoint(&signer, &[])?;
    Ok(())
}

impl Site {
    /// The pages of a ledger that was just opened; `folder` holds its views as `views`.
    pub fn of(ledger: Ledger, log: LogReader, devices: Vec<(DeviceId, Account)>, folder: TempDir) -> Self {
        Self { ledger: RwLock::new(ledger), log, devices, folder }
    }

    fn page(&self, address: &str) -> Result<usize, Failure> {
        let (path, query) = address.split_once('?').unwrap_or((address, ""));
        let size = self.log.size();
        let health = Health { status: "ok".to_owned(), size, checkpoint_size: size, checkpoint_age_ms: 1_500 };
        let reader = Reader {
            ledger: &self.ledger,
            log: &self.log,
            clock: NetworkClock::Recorded { start_ms: 0 },
            standing: Standing::Well(health),
            settled: None,
            basemap: None,
            word: &Silent,
        };
        let answer = cairn_console::answer(&reader, path, query).ok_or_else(|| format!("no page at {address}"))?;
        if answer.status == 200 {
            return Ok(answer.body.len());
        }
        Err(format!("{address}: {} {}", answer.status, String::from_utf8_lossy(&answer.body)).into())
    }

    fn closed(&self) -> Result<u64, Failure> {
        Ok(self.ledger.read().map_err(|_| "the ledger is poisoned")?.closed_epochs().open())
    }
}

/// What a process took so far.
#[derive(Clone, Copy)]
struct Taken {
    cpu: Duration,
    read_bytes: u64,
}

impl Taken {
    fn now() -> Result<Self, Failure> {
        let stat = std::fs::read_to_string("/proc/self/stat")?;
        let (_, after) = stat.rsplit_once(')').ok_or("no name in /proc/self/stat")?;
        // The 14th and the 15th field of proc(5), the third being the first after the name.
        let fields = after.split_whitespace().skip(11).take(2).map(str::parse::<u32>);
        let ticks: u32 = fields.sum::<Result<u32, _>>()?;
        let io = std::fs::read_to_string("/proc/self/io")?;
        let read = io.lines().find_map(|line| line.strip_prefix("rchar: ")).ok_or("no rchar in /proc/self/io")?;
        Ok(Self { cpu: Duration::from_secs(1) * ticks / TICKS_PER_S, read_bytes: read.parse()? })
    }
}

fn largest_file(folder: &Path) -> Result<PathBuf, Failure> {
    let mut largest = (0, None);
    for entry in std::fs::read_dir(folder)? {
        for file in std::fs::read_dir(entry?.path())? {
            let file = file?;
            let length = file.metadata()?.len();
            if length > largest.0 {
                largest = (length, Some(file.path()));
            }
        }
    }
    largest.1.ok_or_else(|| "there is no file".into())
}

/// Bytes that the processor reads in a second, of a file that is in memory.
fn warm_bytes_per_s(folder: &Path) -> Result<u64, Failure> {
    let path = largest_file(folder)?;
    let mut piece = vec![0; 64 << 10];
    let (start, begun) = (Taken::now()?, Instant::now());
    let mut bytes = 0;
    while begun.elapsed() < Duration::from_secs(2) {
        let mut file = File::open(&path)?;
        loop {
            let got = file.read(&mut piece)?;
            bytes += got as u64;
            if got == 0 || begun.elapsed() > Duration::from_secs(4) {
                break;
            }
        }
    }
    let us = (Taken::now()?.cpu - start.cpu).as_micros().max(1);
    Ok(u64::try_from(u128::from(bytes) * 1_000_000 / us)?)
}

type Address<'a> = &'a dyn Fn(u64) -> String;

/// Asks for every kind of page, and prints what each took.
pub fn measure(site: &Site) -> Result<(), Failure> {
    let closed = site.closed()?;
    let warm = warm_bytes_per_s(&site.folder.path().join("views/epochs"))?;
    println!("{closed} epochs, {} entries; {} MB/s read when in memory", site.log.size(), warm / 1_000_000);
    let of = |n: u64| &site.devices[usize::try_from(n * 7_919).unwrap_or(0) % site.devices.len()];
    let epoch = |n: u64| closed - 1 - n * 37 % closed;
    let kinds: [(&str, Address<'_>); 15] = [
        ("device", &|n| format!("/devices/{}", of(n).0)),
        ("device as of", &|n| format!("/devices/{}?as_of={}", of(n + 1).0, epoch(n))),
        ("why", &|n| format!("/why/{}/{}", of(n + 2).0, epoch(n))),
        ("account", &|n| format!("/accounts/{}", of(n + 3).1)),
        ("tax", &|n| format!("/accounts/{}/tax", of(n + 4).1)),
        ("network", &|_| "/network".to_owned()),
        ("epochs", &|_| "/epochs".to_owned()),
        ("epoch", &|n| format!("/epochs/{}", epoch(n))),
        ("payouts", &|n| format!("/epochs/{}/payouts?after={}", epoch(n), n * 31)),
        ("verdicts", &|n| format!("/epochs/{}/verdicts?after={}", epoch(n), n * 31)),
        ("auditors", &|_| "/auditors".to_owned()),
        ("policies", &|_| "/policies".to_owned()),
        ("entry", &|n| format!("/entries/{}", n * 31 % site.log.size())),
        ("map", &|n| format!("/map?as_of={}", epoch(n))),
        ("map's cells", &|n| format!("/map/cells.json?zoom=6&epoch={}", epoch(n))),
    ];
    println!(
        "{:<13} {:>10} {:>10} {:>10} {:>10} {:>12} {:>7}",
        "page", "first", "half", "99 %", "CPU", "reads", "ratio"
    );
    kinds.iter().try_for_each(|(name, address)| kind(site, name, address, warm))
}

fn kind(site: &Site, name: &str, address: Address<'_>, warm: u64) -> Result<(), Failure> {
    let begun = Instant::now();
    site.page(&address(0))?;
    let first = begun.elapsed();
    let start = Taken::now()?;
    let (begun, mut times) = (Instant::now(), Vec::new());
    for n in 1..=REQUESTS as u64 {
        let asked = Instant::now();
        site.page(&address(n))?;
        times.push(asked.elapsed());
        if begun.elapsed() > KIND_MAX {
            break;
        }
    }
    let end = Taken::now()?;
    let count = u32::try_from(times.len())?;
    times.sort_unstable();
    let at = |parts: usize| times[times.len() * parts / 100];
    let cpu = (end.cpu - start.cpu) / count;
    let read_bytes = (end.read_bytes - start.read_bytes) / u64::from(count);
    let reading_ns = u128::from(read_bytes) * 1_000_000_000 / u128::from(warm.max(1));
    let ratio = cpu.as_nanos().checked_div(reading_ns).map_or_else(|| "-".to_owned(), |ratio| ratio.to_string());
    let ms = |time: Duration| format!("{}.{} ms", time.as_millis(), time.as_micros() % 1_000 / 100);
    println!(
        "{name:<13} {:>10} {:>10} {:>10} {:>10} {:>8} KiB {ratio:>7}",
        ms(first),
        ms(at(50)),
        ms(at(99).min(times[times.len() - 1])),
        ms(cpu),
        read_bytes >> 10,
    );
    Ok(())
}
